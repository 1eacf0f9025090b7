"""The one data converter of client, workers and replayer: pydantic JSON, large payloads compressed by zlib.

Not encryption: a payload is readable by whoever reads the history. Encodings we did not write pass through untouched,
so histories from before the codec, or from other tools, stay readable.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, PayloadCodec

ENCODING = b"binary/zlib"
READABLE_BYTES = 8 * 1024
"""Smaller payloads stay plain: status pages, decisions and postings can be read in the Temporal UI as they are."""
LARGEST_PAYLOAD = 64 * 1024 * 1024
"""Bytes a payload may expand to: far above Temporal's own 2 MB limit per blob times any honest ratio."""


class PayloadDamaged(ValueError):
    """A compressed payload does not expand, or expands beyond `LARGEST_PAYLOAD`."""


class ZlibPayloadCodec(PayloadCodec):
    """Compresses payloads; machine event batches shrink to about a seventh."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [_compressed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [_expanded(payload) if payload.metadata.get("encoding") == ENCODING else payload for payload in payloads]


def _compressed(payload: Payload) -> Payload:
    if payload.ByteSize() < READABLE_BYTES:
        return payload
    packed = Payload(metadata={"encoding": ENCODING}, data=zlib.compress(payload.SerializeToString()))
    return packed if packed.ByteSize() < payload.ByteSize() else payload


def _expanded(payload: Payload) -> Payload:
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(payload.data, LARGEST_PAYLOAD)
    except zlib.error as broken:
        raise PayloadDamaged(
            f"a {ENCODING.decode()} payload of {len(payload.data)} bytes is damaged: {broken}"
        ) from broken
    if not stream.eof:
        raise PayloadDamaged(
            f"a {ENCODING.decode()} payload of {len(payload.data)} bytes is cut short or expands beyond "
            f"{LARGEST_PAYLOAD} bytes; it was not written by Plantwright"
        )
    return Payload.FromString(plain)


data_converter: DataConverter = dataclasses.replace(pydantic_data_converter, payload_codec=ZlibPayloadCodec())
