"""Decisions on cases: each has its effect on the ledger once, and hand entries are credited exactly once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.port import Credit
from ledger.store import SqlLedger
from signals.decisions import DecideCase
from signals.documents import Case, CaseAction, CaseKind, PostingState
from signals.errors import BadInput
from tests.ledger.examples import ORDER, PLANT, START, document, hand_entry, posting, reversal, trouble


def decide(case: Case, action: CaseAction, decision_id: str = "d1", quantity: str | None = None) -> DecideCase:
    return DecideCase(
        decision_id=decision_id,
        case_id=case.case_id,
        action=action,
        by="supervisor",
        reason="checked at the line",
        quantity=None if quantity is None else Decimal(quantity),
    )


async def opened(ledger: SqlLedger, case: Case) -> Case:
    return await ledger.open_case(case)


async def in_doubt(ledger: SqlLedger, *reports: str) -> Case:
    claimed = posting(*reports)
    await ledger.claim(claimed)
    await ledger.mark_outcome(claimed.key, state=PostingState.IN_DOUBT)
    return await opened(ledger, trouble(claimed, document="200/1"))


async def state_of(ledger: SqlLedger, case: Case) -> PostingState:
    assert case.posting_key is not None
    found = await ledger.posting(case.posting_key)
    assert found is not None
    return found.state


async def test_case_is_opened_once(ledger: SqlLedger) -> None:
    case = await opened(ledger, hand_entry(opened_at=START))
    assert await opened(ledger, hand_entry(summary="told again", opened_at=START)) == case
    assert await ledger.cases(PLANT) == [case]
    assert (await ledger.load_order(PLANT, ORDER)).open_cases == (case,)
    assert await ledger.cases(PLANT, order="another") == []


async def test_adopted_hand_entry_counts_and_gives_credit_once(ledger: SqlLedger) -> None:
    case = await opened(ledger, hand_entry("77/1", "5"))
    for _ in range(2):
        await ledger.decide_case(PLANT, decide(case, CaseAction.ADOPT))
    assert await ledger.cases(PLANT) == []
    (own,) = await ledger.own_documents(PLANT, ORDER)
    assert (own.document, own.key) == ("77/1", None)
    (total,) = await ledger.totals(PLANT, ORDER)
    assert total.yield_quantity == Decimal(5)
    part = Credit(operation="0010", yield_quantity=Decimal(3))
    await ledger.claim(posting("r1"), part)
    await ledger.claim(posting("r1"), part)
    assert (await ledger.credit(PLANT, ORDER, "0010")).yield_quantity == Decimal(2)
    with pytest.raises(BadInput, match="leave 2"):
        await ledger.claim(posting("r2"), part)
    assert await ledger.posting(posting("r2").key) is None
    await ledger.claim(posting("r1", "r3"), Credit(operation="0010", yield_quantity=Decimal(2)))
    assert (await ledger.credit(PLANT, ORDER, "0010")).yield_quantity == Decimal(2)
    assert (await ledger.credit(PLANT, ORDER, "0020")).yield_quantity == Decimal(0)


async def test_part_of_a_hand_entry_may_be_adopted(ledger: SqlLedger) -> None:
    case = await opened(ledger, hand_entry("77/1", "5"))
    with pytest.raises(BadInput, match="cannot be adopted"):
        await ledger.decide_case(PLANT, decide(case, CaseAction.ADOPT, quantity="6"))
    await ledger.decide_case(PLANT, decide(case, CaseAction.ADOPT, quantity="4"))
    assert (await ledger.credit(PLANT, ORDER, "0010")).yield_quantity == Decimal(4)


async def test_entry_to_post_beside_is_known_but_neither_counted_nor_credited(ledger: SqlLedger) -> None:
    case = await opened(ledger, hand_entry())
    await ledger.decide_case(PLANT, decide(case, CaseAction.POST))
    assert [own.document for own in await ledger.own_documents(PLANT, ORDER)] == ["77/1"]
    assert await ledger.totals(PLANT, ORDER) == ()
    (beside,) = await ledger.totals(PLANT, ORDER, beside=True)
    assert (beside.operation, beside.yield_quantity) == (case.operation, case.yield_quantity)
    assert (await ledger.credit(PLANT, ORDER, "0010")).yield_quantity == Decimal(0)
    # What a person has decided is not asked again.
    await opened(ledger, hand_entry())
    assert await ledger.cases(PLANT) == []


async def test_reversed_hand_entry_stays_open_until_the_reversal_is_booked(ledger: SqlLedger) -> None:
    case = await opened(ledger, hand_entry())
    await ledger.decide_case(PLANT, decide(case, CaseAction.REVERSE))
    assert len(await ledger.cases(PLANT)) == 1
    with pytest.raises(BadInput, match="decided already: reverse"):
        await ledger.decide_case(PLANT, decide(case, CaseAction.ADOPT, "d2"))
    await ledger.close_case(PLANT, case.case_id, "reversed by 78/1")
    await ledger.close_case(PLANT, case.case_id, "again")
    assert await ledger.cases(PLANT) == []
    assert len(await ledger.cases(PLANT, open_only=False)) == 1
    await opened(ledger, hand_entry())
    assert await ledger.cases(PLANT) == []


async def test_failed_reversal_lets_a_person_choose_otherwise(ledger: SqlLedger) -> None:
    case = await opened(ledger, hand_entry())
    await ledger.decide_case(PLANT, decide(case, CaseAction.REVERSE))
    await ledger.claim(reversal("77/1"))
    await ledger.mark_outcome(reversal("77/1").key, state=PostingState.REFUSED, error_code="M7/053")
    await ledger.decide_case(PLANT, decide(case, CaseAction.ADOPT, "d2"))
    assert await ledger.cases(PLANT) == []
    assert (await ledger.credit(PLANT, ORDER, "0010")).yield_quantity == Decimal(5)


async def test_credit_is_gone_when_the_adopted_entry_is_reversed(ledger: SqlLedger) -> None:
    case = await opened(ledger, hand_entry())
    await ledger.decide_case(PLANT, decide(case, CaseAction.ADOPT))
    await ledger.claim(reversal("77/1"))
    await ledger.mark_outcome(reversal("77/1").key, state=PostingState.POSTED, document=document("78/1", "0"))
    assert (await ledger.credit(PLANT, ORDER, "0010")).yield_quantity == Decimal(0)
    assert await ledger.totals(PLANT, ORDER) == ()


async def test_retry_reopens_and_the_same_trouble_opens_its_case_again(ledger: SqlLedger) -> None:
    case = await in_doubt(ledger, "r1")
    await ledger.decide_case(PLANT, decide(case, CaseAction.RETRY))
    assert await state_of(ledger, case) is PostingState.CLAIMED
    assert await ledger.cases(PLANT) == []
    await ledger.mark_outcome(posting("r1").key, state=PostingState.REFUSED)
    await opened(ledger, case)
    assert len(await ledger.cases(PLANT)) == 1
    await ledger.decide_case(PLANT, decide(case, CaseAction.RETRY))
    assert await state_of(ledger, case) is PostingState.REFUSED
    await ledger.decide_case(PLANT, decide(case, CaseAction.RETRY, "d2"))
    assert await state_of(ledger, case) is PostingState.CLAIMED
    await ledger.mark_outcome(posting("r1").key, state=PostingState.POSTED, document=document("200/9"))
    await opened(ledger, case)
    assert await ledger.cases(PLANT) == []


async def test_skipped_posting_keeps_its_reports(ledger: SqlLedger) -> None:
    case = await in_doubt(ledger, "r1")
    await ledger.decide_case(PLANT, decide(case, CaseAction.SKIP))
    assert await state_of(ledger, case) is PostingState.CANCELLED
    answer = await ledger.claim(posting("r1", "r2"))
    assert [other.state for other in answer.others] == [PostingState.CANCELLED]
    assert answer.rest == ("r2",)
    assert await ledger.totals(PLANT, ORDER) == ()


async def test_adopted_document_settles_the_posting_and_counts(ledger: SqlLedger) -> None:
    case = await in_doubt(ledger, "r1")
    await ledger.decide_case(PLANT, decide(case, CaseAction.ADOPT))
    settled = await ledger.posting(posting("r1").key)
    assert settled is not None
    assert (settled.state, settled.document) == (PostingState.ADOPTED, "200/1")
    (total,) = await ledger.totals(PLANT, ORDER)
    assert total.yield_quantity == Decimal(10)
    (own,) = await ledger.own_documents(PLANT, ORDER)
    assert own.key == posting("r1").key
    assert (await ledger.credit(PLANT, ORDER, "0010")).yield_quantity == Decimal(0)


async def test_posting_adopted_without_a_document_number_counts_too(ledger: SqlLedger) -> None:
    claimed = posting("r1", yielded="4", scrapped="1")
    await ledger.claim(claimed)
    await ledger.mark_outcome(claimed.key, state=PostingState.IN_DOUBT)
    case = await opened(ledger, trouble(claimed))
    await ledger.decide_case(PLANT, decide(case, CaseAction.ADOPT))
    (total,) = await ledger.totals(PLANT, ORDER)
    assert (total.yield_quantity, total.scrap_quantity) == (Decimal(4), Decimal(1))


async def test_decision_against_the_facts_is_refused_and_changes_nothing(ledger: SqlLedger) -> None:
    case = await in_doubt(ledger, "r1")
    with pytest.raises(BadInput, match="cannot be settled by reverse"):
        await ledger.decide_case(PLANT, decide(case, CaseAction.REVERSE))
    with pytest.raises(BadInput, match="has no case"):
        await ledger.decide_case("south", decide(case, CaseAction.RETRY))
    with pytest.raises(BadInput, match="has no case"):
        await ledger.close_case(PLANT, "nothing", "")
    await ledger.mark_outcome(posting("r1").key, state=PostingState.POSTED, document=document("200/2"))
    with pytest.raises(BadInput, match="booked as document 200/2"):
        await ledger.decide_case(PLANT, decide(case, CaseAction.SKIP))
    assert len(await ledger.cases(PLANT)) == 1
    await ledger.decide_case(PLANT, decide(case, CaseAction.RETRY))
    assert await state_of(ledger, case) is PostingState.POSTED


async def test_decision_id_is_used_once(ledger: SqlLedger) -> None:
    first, second = await in_doubt(ledger, "r1"), await in_doubt(ledger, "r2")
    await ledger.decide_case(PLANT, decide(first, CaseAction.RETRY))
    with pytest.raises(BadInput, match="another content"):
        await ledger.decide_case(PLANT, decide(second, CaseAction.RETRY))
    with pytest.raises(BadInput, match="decided already: retry"):
        await ledger.decide_case(PLANT, decide(first, CaseAction.SKIP, "d2"))
    assert await state_of(ledger, second) is PostingState.IN_DOUBT


async def test_case_whose_cause_came_back_is_open_again(ledger: SqlLedger) -> None:
    case = hand_entry(kind=CaseKind.TOTALS_DIFFER, document="", allowed=(CaseAction.ACCEPT,))
    await opened(ledger, case)
    await ledger.close_case(PLANT, case.case_id, "totals agree")
    with pytest.raises(BadInput, match="is closed: totals agree"):
        await ledger.decide_case(PLANT, decide(case, CaseAction.ACCEPT))
    await opened(ledger, case)
    await ledger.decide_case(PLANT, decide(case, CaseAction.ACCEPT))
    await opened(ledger, case)
    assert await ledger.cases(PLANT) == []


async def test_adopting_a_hand_entry_releases_what_was_claimed_before_it_was_known(ledger: SqlLedger) -> None:
    await ledger.claim(posting("r1", "r2"))
    case = await opened(ledger, hand_entry("9/1", "3"))
    await ledger.decide_case(PLANT, decide(case, CaseAction.ADOPT))
    released = await ledger.posting(posting("r1", "r2").key)
    assert released is not None
    assert (released.state, released.error_code) == (PostingState.CANCELLED, "superseded")
    assert (await ledger.claim(posting("r1", "r2", revision=1))).posting is not None
