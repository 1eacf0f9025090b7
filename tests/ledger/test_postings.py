"""Claim, fence and outcome: a report has one posting, an order has one posting on its way, booked stays booked."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from ledger.port import PostingRecord
from ledger.store import SqlLedger
from signals.base import ZERO
from signals.documents import GoodsMovement, OperationTotals, PostingState
from signals.errors import BadInput
from tests.ledger.examples import ORDER, PLANT, START, completion, document, posting, record, report, reversal

BEFORE = (OperationTotals(operation="0010", yield_quantity=Decimal("7.250")),)


async def send(ledger: SqlLedger, claimed: PostingRecord, token: str = "t1") -> bool:
    return await ledger.mark_sent(
        claimed.key,
        token=token,
        deadline=START + timedelta(seconds=30),
        totals_before=BEFORE,
        documents_before=("1/1",),
    )


async def book(ledger: SqlLedger, claimed: PostingRecord, number: str, yielded: str = "10") -> PostingRecord:
    await ledger.claim(claimed)
    assert await send(ledger, claimed)
    return await ledger.mark_outcome(claimed.key, state=PostingState.POSTED, document=document(number, yielded))


async def test_claim_is_answered_alike_when_repeated_and_shows_how_the_posting_stands(ledger: SqlLedger) -> None:
    claimed = posting("r1", "r2")
    assert (await ledger.claim(claimed)).posting == claimed
    assert (await ledger.claim(claimed)).posting == claimed
    await send(ledger, claimed)
    again = (await ledger.claim(claimed)).posting
    assert again is not None
    assert again.state is PostingState.SENT
    assert again == await ledger.posting(claimed.key)


async def test_claim_of_taken_reports_writes_nothing_and_names_the_holders(ledger: SqlLedger) -> None:
    first, second = posting("r1", "r2"), posting("r3")
    await ledger.claim(first)
    await ledger.claim(second)
    answer = await ledger.claim(posting("r4", "r2", "r3", "r5"))
    assert answer.posting is None
    assert {other.key for other in answer.others} == {first.key, second.key}
    assert answer.rest == ("r4", "r5")
    assert await ledger.posting(posting("r4", "r2", "r3", "r5").key) is None
    assert (await ledger.claim(posting("r4", "r5"))).posting is not None
    assert (await ledger.load_order(PLANT, ORDER)).claimed_report_ids == ("r1", "r2", "r3", "r4", "r5")


async def test_a_later_revision_takes_reports_over_from_a_posting_that_is_not_on_its_way(ledger: SqlLedger) -> None:
    await ledger.claim(posting("r1", "r2"))
    assert (await ledger.claim(posting("r1", revision=1))).posting is not None
    earlier = await ledger.posting(posting("r1", "r2").key)
    assert earlier is not None
    assert (earlier.state, earlier.error_code) == (PostingState.CANCELLED, "superseded")
    assert (await ledger.claim(posting("r1", revision=1, yielded="11"))).posting == posting("r1", revision=1)
    assert (await ledger.claim(posting("r2"))).posting is not None


async def test_an_earlier_revision_never_takes_a_report_from_a_later_one(ledger: SqlLedger) -> None:
    await ledger.claim(posting("r1", revision=1))
    answer = await ledger.claim(posting("r1", "r2"))
    assert [o.key for o in answer.others] == [posting("r1", revision=1).key]
    assert answer.rest == ("r2",)


async def test_a_posting_on_its_way_keeps_its_reports_from_a_later_revision(ledger: SqlLedger) -> None:
    await ledger.claim(posting("r1"))
    assert await send(ledger, posting("r1"))
    answer = await ledger.claim(posting("r1", revision=1))
    assert [o.key for o in answer.others] == [posting("r1").key]


async def test_postings_without_reports_are_claimed_too(ledger: SqlLedger) -> None:
    assert (await ledger.claim(posting(yielded="0", final=True))).posting is not None
    assert (await ledger.claim(completion(ORDER))).posting is not None
    assert await ledger.known_keys(PLANT, ORDER) == {posting(final=True).key, completion(ORDER).key}


async def test_fence_lets_one_posting_of_an_order_out(ledger: SqlLedger) -> None:
    first, second = posting("r1"), posting("r2", operation="0020")
    elsewhere = posting("r3", order_id="2000001")
    for claimed in (first, second, elsewhere):
        await ledger.claim(claimed)
    assert await send(ledger, first)
    assert not await send(ledger, first, "t2")
    assert not await send(ledger, second)
    assert await send(ledger, elsewhere)
    assert not await ledger.mark_not_processed(first.key, token="t2", next_try_at=None, message="")
    assert await ledger.mark_not_processed(first.key, token="t1", next_try_at=START, message="busy")
    waiting = await ledger.posting(first.key)
    assert waiting is not None
    assert (waiting.state, waiting.attempts, waiting.next_try_at) == (PostingState.CLAIMED, 1, START)
    assert await send(ledger, second)


async def test_sent_posting_keeps_what_the_erp_said_before(ledger: SqlLedger) -> None:
    claimed = posting("r1")
    await ledger.claim(claimed)
    await send(ledger, claimed)
    sent = await ledger.posting(claimed.key)
    assert sent is not None
    assert sent.totals_before == BEFORE
    assert sent.documents_before == ("1/1",)
    assert sent.deadline == START + timedelta(seconds=30)
    assert sent.transaction == claimed.transaction


async def test_unknown_posting_is_not_sent(ledger: SqlLedger) -> None:
    assert not await send(ledger, posting("never claimed"))
    assert await ledger.posting(uuid4()) is None
    with pytest.raises(BadInput, match="knows no posting"):
        await ledger.mark_outcome(uuid4(), state=PostingState.REFUSED)


async def test_booked_posting_never_changes_back(ledger: SqlLedger) -> None:
    booked = await book(ledger, posting("r1"), "100/1")
    for state in (PostingState.REFUSED, PostingState.IN_DOUBT, PostingState.CANCELLED, PostingState.ADOPTED):
        assert await ledger.mark_outcome(booked.key, state=state, error_code="x", message="late answer") == booked
    assert not await ledger.mark_not_processed(booked.key, token="t1", next_try_at=None, message="")
    assert not await send(ledger, booked, "t2")
    with pytest.raises(BadInput, match="only a refused one"):
        await ledger.reopen(booked.key)
    with pytest.raises(BadInput, match="no outcome"):
        await ledger.mark_outcome(booked.key, state=PostingState.CLAIMED)
    assert await ledger.posting(booked.key) == booked
    own = await ledger.own_documents(PLANT, ORDER)
    assert [(doc.document, doc.key) for doc in own] == [("100/1", booked.key)]


async def test_read_back_adds_late_movements_and_a_repeat_takes_none_away(ledger: SqlLedger) -> None:
    booked = await book(ledger, posting("r1"), "100/1")
    short = await ledger.mark_outcome(booked.key, state=PostingState.POSTED, shortfall=("RIVET 40",))
    assert short.shortfall == ("RIVET 40",)
    moved = (GoodsMovement(material="RIVET", movement_type="261", quantity=Decimal(40), unit="PC"),)
    full = document("100/1", goods_movements=moved)
    assert (await ledger.mark_outcome(booked.key, state=PostingState.POSTED, document=full)).shortfall == ()
    await ledger.mark_outcome(booked.key, state=PostingState.POSTED, document=document("100/1"))
    await ledger.mark_outcome(booked.key, state=PostingState.POSTED, document=document("999/1"))
    (own,) = await ledger.own_documents(PLANT, ORDER, "0010")
    assert own.goods_movements == moved


async def test_refused_posting_is_reopened_by_a_person_only(ledger: SqlLedger) -> None:
    claimed = posting("r1")
    await ledger.claim(claimed)
    await send(ledger, claimed)
    refused = await ledger.mark_outcome(claimed.key, state=PostingState.REFUSED, error_code="M7/053", message="closed")
    assert (refused.state, refused.error_code) == (PostingState.REFUSED, "M7/053")
    again = await ledger.reopen(claimed.key)
    assert (again.state, again.error_code, again.token, again.attempts) == (PostingState.CLAIMED, "", "", 1)
    with pytest.raises(BadInput, match="is claimed"):
        await ledger.reopen(claimed.key)
    assert await send(ledger, claimed, "t2")
    assert (await ledger.mark_outcome(claimed.key, state=PostingState.IN_DOUBT)).state is PostingState.IN_DOUBT
    assert (await ledger.reopen(claimed.key)).state is PostingState.CLAIMED


async def test_retry_note_stays_with_an_unsettled_posting(ledger: SqlLedger) -> None:
    await ledger.claim(posting("r1"))
    await ledger.note_retry(posting("r1").key, next_try_at=START, message="waiting for a decision")
    waiting = await ledger.posting(posting("r1").key)
    assert waiting is not None
    assert (waiting.next_try_at, waiting.message) == (START, "waiting for a decision")
    booked = await book(ledger, posting("r2"), "1/1")
    await ledger.note_retry(booked.key, next_try_at=START, message="late")
    assert await ledger.posting(booked.key) == booked


async def test_totals_are_exact_and_leave_reversed_and_shadow_out(ledger: SqlLedger) -> None:
    await book(ledger, posting("r1", yielded="0.1"), "100/1", "0.1")
    await book(ledger, posting("r2", yielded="0.2"), "100/2", "0.2")
    await book(ledger, posting("r3", yielded="5"), "100/3", "5")
    await ledger.claim(posting("r4", yielded="50"))
    await ledger.mark_outcome(posting("r4", yielded="50").key, state=PostingState.SHADOW, document=document("s", "50"))
    assert await ledger.totals(PLANT, ORDER) == (
        OperationTotals(operation="0010", yield_quantity=Decimal("5.3"), scrap_quantity=ZERO, rework_quantity=ZERO),
    )
    undo = reversal("100/3")
    await ledger.claim(undo)
    await send(ledger, undo)
    cancelling = document("100/4", "5", reversal=True)
    await ledger.mark_outcome(undo.key, state=PostingState.POSTED, document=cancelling)
    (total,) = await ledger.totals(PLANT, ORDER)
    assert total.yield_quantity == Decimal("0.3")
    reversed_documents = [doc.document for doc in await ledger.own_documents(PLANT, ORDER) if doc.reversed]
    assert reversed_documents == ["100/3"]
    states = {outcome.state for outcome in (await ledger.load_order(PLANT, ORDER)).postings}
    assert PostingState.SHADOW in states


async def test_repeated_answer_does_not_revive_a_reversed_document(ledger: SqlLedger) -> None:
    booked = await book(ledger, posting("r1"), "100/1")
    await ledger.claim(reversal("100/1"))
    await ledger.mark_outcome(reversal("100/1").key, state=PostingState.POSTED, document=document("100/2", "0"))
    await ledger.mark_outcome(booked.key, state=PostingState.POSTED, document=document("100/1"))
    assert await ledger.totals(PLANT, ORDER) == ()


async def test_final_confirmation_shows_in_the_totals(ledger: SqlLedger) -> None:
    await book(ledger, posting("r1", final=True), "100/1")
    (total,) = await ledger.totals(PLANT, ORDER)
    assert total.final


async def test_one_document_settles_one_posting(ledger: SqlLedger) -> None:
    await book(ledger, posting("r1"), "100/1")
    await ledger.claim(posting("r2"))
    with pytest.raises(BadInput, match="belongs to posting"):
        await ledger.mark_outcome(posting("r2").key, state=PostingState.POSTED, document=document("100/1"))
    left = await ledger.posting(posting("r2").key)
    assert left is not None
    assert left.state is PostingState.CLAIMED


async def test_order_is_loaded_whole_with_unsettled_postings_first(ledger: SqlLedger) -> None:
    await ledger.record_line(record(1, report("r1", 1, events=("e1",)), report("r2", 2, events=("e2",))))
    booked = await book(ledger, posting("r1"), "100/1")
    await ledger.claim(posting("r2"))
    loaded = await ledger.load_order(PLANT, ORDER)
    assert [outcome.key for outcome in loaded.postings] == [posting("r2").key, booked.key]
    assert loaded.postings[1].document == "100/1"
    assert loaded.claimed_report_ids == ("r1", "r2")
    assert len(loaded.messages) == 2
    assert loaded.order is None
