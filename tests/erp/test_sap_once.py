"""Every kind of booking reaches SAP's books once, whatever becomes of the answer, and is taken back to net zero."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from erp.port import FoundBy, ReversedBy
from erp.sap import SapErp
from signals.bookings import TransactionType
from signals.documents import Booking
from signals.errors import ErpInDoubt, ErpRejected, Reason
from tests.erp.scenes import KINDS, OPTIONS, SENDING, Kind, outcome, stage

_tags = itertools.count(7_000_001)


@pytest.fixture
def tag() -> str:
    return str(next(_tags))


@pytest.fixture
def other_tag() -> str:
    return str(next(_tags))


@pytest_asyncio.fixture
async def erp(sap) -> AsyncIterator[SapErp]:
    adapter = sap.adapter(timeout_seconds=0.8, sap=OPTIONS)
    yield adapter
    await adapter.aclose()


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_booking_is_found_after_it_was_posted_and_never_before(sap, erp, tag, kind: Kind):
    scene = await stage(sap, erp, tag, kind)
    assert (await scene.look() is None) or not kind.sends
    before = await scene.effect()
    document = await scene.post()
    found = await scene.look()
    assert found is not None
    assert found.document == document.document
    assert found.key in (scene.intent.key, None)
    assert (await scene.effect() != before) == kind.sends


ONE_REFERENCE = ("nonconformance", "lot_posting")
LOST = [("error_after_commit", kind) for kind in SENDING] + [
    ("timeout_after_commit", kind) for kind in SENDING if kind.name in ("confirmation", "issue", "decision", "downtime")
]


@pytest.mark.parametrize(("lost", "kind"), LOST, ids=str)
async def test_it_is_posted_once_when_the_answer_is_lost(sap, erp, tag, other_tag, kind: Kind, lost: str):
    told = await stage(sap, erp, other_tag, kind)
    await told.post()
    scene = await stage(sap, erp, tag, kind)
    await scene.look()
    await sap.fault(lost, calls=1, seconds=30)
    assert await outcome(scene.post()) is ErpInDoubt
    await sap.heal()
    assert await scene.look() is not None
    assert await scene.effect() == await told.effect()


@pytest.mark.parametrize("kind", SENDING, ids=str)
async def test_what_never_arrived_is_not_found_and_can_be_posted_again(sap, erp, tag, kind: Kind):
    scene = await stage(sap, erp, tag, kind)
    before = await scene.effect()
    await sap.fault("refuse", calls=1)
    assert await outcome(scene.post()) is ErpInDoubt
    await sap.heal()
    assert await scene.look() is None
    assert await scene.effect() == before
    await scene.post()
    assert await scene.look() is not None


MEMORIES = [
    (memory, kind)
    for memory in ("key_not_searchable", "forget_keys")
    for kind in SENDING
    if kind.keyed and not (memory == "forget_keys" and kind.name in ONE_REFERENCE)
]


@pytest.mark.parametrize(("memory", "kind"), MEMORIES, ids=str)
async def test_it_is_found_where_the_key_cannot_be_searched_or_was_forgotten(sap, erp, tag, kind: Kind, memory: str):
    scene = await stage(sap, erp, tag, kind)
    await sap.fault(memory)
    document = await scene.post()
    found = await scene.look()
    assert found is not None
    assert found.document == document.document


@pytest.mark.parametrize("kind", [k for k in SENDING if k.name in ONE_REFERENCE], ids=str)
async def test_where_its_only_reference_was_lost_the_books_say_that_they_cannot_tell(sap, erp, tag, kind: Kind):
    scene = await stage(sap, erp, tag, kind)
    before = await erp.snapshot(scene.intent)
    assert await erp.find(scene.intent, before) == Booking()
    await sap.fault("forget_keys")
    document = await scene.post()
    booking = await erp.find(scene.intent, before)
    assert booking.document is None
    assert booking.candidates == (document.document,)
    assert booking.unknowable
    later = await erp.snapshot(scene.intent)
    assert await erp.find(scene.intent, later) == Booking()


@pytest.mark.parametrize("kind", [k for k in KINDS if k.reversible], ids=str)
async def test_it_is_taken_back_to_net_zero_once_when_that_answer_is_lost(sap, erp, tag, kind: Kind):
    scene = await stage(sap, erp, tag, kind)
    before = await scene.effect()
    back = scene.reversal(await scene.post())
    assert await back.look() is None
    await sap.fault("error_after_commit", calls=1, method="DELETE" if kind.name in DELETED else None)
    assert await outcome(back.post()) is ErpInDoubt
    await sap.heal()
    assert await back.look() is not None
    assert await scene.effect() == before


DELETED = ("nonconformance", "capacity")


@pytest.mark.parametrize("kind", [k for k in KINDS if not k.reversible], ids=str)
async def test_what_cannot_be_taken_back_says_who_can_and_changes_nothing(sap, erp, tag, kind: Kind):
    scene = await stage(sap, erp, tag, kind)
    back = scene.reversal(await scene.post())
    after = await scene.effect()
    with pytest.raises(ErpRejected) as refused:
        await back.post()
    declared = erp.capabilities.can(kind.type)
    assert refused.value.reason is Reason.REVERSAL
    assert declared.reversed_by in (ReversedBy.PERSON, ReversedBy.NEVER)
    assert declared.reason
    assert await scene.effect() == after


def test_every_kind_of_booking_has_a_scene_and_declares_how_it_is_found_and_taken_back(erp):
    assert {kind.type for kind in KINDS} | {TransactionType.REVERSE} == set(TransactionType)
    for kind in TransactionType:
        declared = erp.capabilities.can(kind)
        assert declared.supported
        assert declared.call
        assert declared.reason
    keyed = {k.type for k in KINDS if k.keyed} - {TransactionType.DECIDE_INSPECTION}
    assert all(erp.capabilities.can(kind).found_by is FoundBy.KEY for kind in keyed)
