"""A worker that dies between two ledger writes leaves nothing that nobody would ever look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from ledger.connect import open_ledger
from signals.decisions import DecideCase
from signals.documents import CaseAction, CaseKind, ErpDocument, PostingState
from signals.errors import ErpRejected
from signals.transactions import PostingIntent
from tests.activities.conftest import PLANT, SETTLE, TIMEOUT, Bench, Clock, FakeErp


class Died(BaseException):
    """The process is gone: nothing catches it."""


class DiesAt:
    """A ledger whose caller dies when it asks for one thing."""

    def __init__(self, ledger: Any, what: str) -> None:
        self._ledger = ledger
        self._what = what

    def __getattr__(self, name: str) -> Any:
        if name == self._what:
            raise Died(name)
        return getattr(self._ledger, name)


@pytest_asyncio.fixture
async def bench(tmp_path) -> AsyncIterator[Bench]:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    clock = Clock()
    yield Bench(order="4711", clock=clock, erp=FakeErp(clock), ledger=ledger)
    await ledger.close()


async def dies(bench: Bench, what: str, *reports: str) -> None:
    alive, bench.ledger = bench.ledger, DiesAt(bench.ledger, what)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(Died):
        await bench.worker().settle(bench.draft(*reports))
    bench.ledger = alive


async def test_a_refusal_whose_worker_died_before_its_case_has_its_case_when_it_is_asked_for_again(bench: Bench):
    bench.erp.will(bench.erp.fail_with(ErpRejected("period 11 is closed", code="M7/053")))
    await dies(bench, "open_case")
    result = await bench.worker().settle(bench.draft())
    assert result.outcomes[0].state is PostingState.REFUSED
    case = result.cases[0]
    assert (case.kind, case.error_code, case.posting_key) == (
        CaseKind.ERP_REJECTED,
        "M7/053",
        bench.draft().intent.key,
    )
    assert "period 11 is closed" in case.erp_answer


async def test_a_doubt_whose_worker_died_before_its_case_has_its_case_when_it_is_asked_for_again(bench: Bench):
    bench.erp.forgets_keys = bench.erp.forgets_texts = True
    bench.erp.will(bench.erp.book_and_lose_the_answer)
    await bench.worker().settle(bench.draft())
    bench.clock.pass_(TIMEOUT + SETTLE + 1)
    await dies(bench, "open_case")
    for _ in range(2):
        result = await bench.worker().settle(bench.draft())
        assert result.outcomes[0].state is PostingState.IN_DOUBT
        assert [c.kind for c in result.cases] == [CaseKind.ERP_IN_DOUBT]
    assert bench.erp.posts == 1


async def test_a_case_of_what_was_booked_after_all_closes_though_its_worker_died_before_closing_it(bench: Bench):
    bench.erp.will(bench.erp.fail_with(ErpRejected("no stock", code="M7/021")))
    refused = await bench.worker().settle(bench.draft())
    posting = refused.cases[0].posting_key
    assert posting is not None
    await bench.ledger.reopen(posting)
    await dies(bench, "close_case")
    booked = await bench.worker().settle(bench.draft())
    assert booked.outcomes[0].state is PostingState.POSTED
    assert await bench.ledger.cases(PLANT) == []


async def test_a_decided_case_is_not_asked_again_when_its_posting_is(bench: Bench):
    bench.erp.will(bench.erp.fail_with(ErpRejected("no stock", code="M7/021")))
    case = (await bench.worker().settle(bench.draft())).cases[0]
    skip = DecideCase(decision_id="d1", case_id=case.case_id, action=CaseAction.SKIP, by="planner", reason="scrapped")
    await bench.ledger.decide_case(PLANT, skip)
    await bench.worker().settle(bench.draft())
    assert await bench.ledger.cases(PLANT) == []


@pytest.mark.parametrize("what", ["open_case", "mark_outcome"])
async def test_a_document_reversed_by_hand_is_told_though_the_worker_that_saw_it_died(bench: Bench, what: str):
    booked = await bench.worker().settle(bench.draft("r1"))
    document = booked.outcomes[0].document
    assert document is not None
    bench.erp.reverse(document)
    await dies(bench, what, "r2")
    result = await bench.worker().settle(bench.draft("r2"))
    assert [(c.kind, c.document) for c in result.cases] == [(CaseKind.TOTALS_DIFFER, document)]
    own = {d.document: d.reversed for d in await bench.ledger.own_documents(PLANT, bench.order)}
    assert own[document]
    assert bench.erp.standing(bench.order) == []


@pytest.mark.parametrize("what", ["open_case", "mark_outcome", "cases"])
async def test_a_partly_booked_document_is_told_though_the_worker_that_had_the_answer_died(bench: Bench, what: str):
    async def book_a_part(intent: PostingIntent) -> ErpDocument:
        whole = bench.erp.book(intent)
        part = whole.model_copy(update={"incomplete": ("its operator's time is missing",)})
        bench.erp.books[bench.erp.books.index(whole)] = part
        return part

    bench.erp.will(book_a_part)
    await dies(bench, what)
    bench.clock.pass_(TIMEOUT + SETTLE + 1)
    result = await bench.worker().settle(bench.draft())
    assert result.outcomes[0].state is PostingState.POSTED
    assert [c.kind for c in result.cases] == [CaseKind.PARTLY_BOOKED]
    assert bench.erp.posts == 1
