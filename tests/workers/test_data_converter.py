"""Payloads: smaller on the way in, unchanged on the way out, and old ones stay readable."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter

from workers.data_converter import ENCODING, LARGEST_PAYLOAD, PayloadDamaged, ZlibPayloadCodec, data_converter


class Count(BaseModel):
    tag: str
    value: Decimal
    at: datetime


COUNTS = [
    Count(tag="press.good_out", value=Decimal(n) / 8, at=datetime(2026, 3, 1, 6, n % 60, tzinfo=UTC))
    for n in range(200)
]


async def test_a_batch_comes_back_exactly_and_takes_less_than_a_third():
    plain = await pydantic_data_converter.encode([COUNTS])
    packed = await data_converter.encode([COUNTS])

    assert packed[0].metadata["encoding"] == ENCODING
    assert packed[0].ByteSize() * 3 < plain[0].ByteSize()
    assert await data_converter.decode(packed, [list[Count]]) == [COUNTS]


@pytest.mark.parametrize("value", ["ok", "a status page of some length " * 200])
async def test_what_people_read_in_the_temporal_ui_stays_readable(value: str):
    packed = await data_converter.encode([value])
    assert packed == await pydantic_data_converter.encode([value])
    assert await data_converter.decode(packed, [str]) == [value]


async def test_what_would_grow_stays_as_it_is():
    noise = [random.Random(1).randbytes(20_000).decode("latin-1")]
    packed = await data_converter.encode(noise)
    assert packed[0].ByteSize() <= (await pydantic_data_converter.encode(noise))[0].ByteSize()
    assert await data_converter.decode(packed, [str]) == noise


async def test_histories_from_before_the_codec_stay_readable():
    old = await pydantic_data_converter.encode([COUNTS])
    assert await data_converter.decode(old, [list[Count]]) == [COUNTS]


async def test_an_encoding_of_somebody_else_passes_through_untouched():
    foreign = Payload(metadata={"encoding": b"binary/encrypted", "key-id": b"7"}, data=b"\x00\x01")
    assert await ZlibPayloadCodec().decode([foreign]) == [foreign]


async def test_a_payload_cut_short_is_an_error_that_says_so():
    [packed] = await data_converter.encode([COUNTS])
    cut = Payload(metadata=packed.metadata, data=packed.data[:-20])
    with pytest.raises(PayloadDamaged, match="cut short"):
        await ZlibPayloadCodec().decode([cut])


async def test_a_payload_that_explodes_is_refused():
    import zlib

    bomb = Payload(metadata={"encoding": ENCODING}, data=zlib.compress(bytes(LARGEST_PAYLOAD + 1)))
    with pytest.raises(PayloadDamaged, match="expands beyond"):
        await ZlibPayloadCodec().decode([bomb])
