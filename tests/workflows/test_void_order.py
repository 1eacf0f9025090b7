"""An order declared void is taken back whole: newest first, each document once, whatever fails meanwhile (D11)."""

from __future__ import annotations

import pytest
from temporalio.service import RPCError, RPCStatusCode

from signals.decisions import VoidOrder
from signals.documents import CaseAction, CaseKind
from signals.exceptions import CompensationStatus
from signals.ids import compensation_workflow_id
from signals.orders import OrderPhase
from signals.transactions import Reverse, TransactionType
from tests.workflows.bench import Bench, eventually
from tests.workflows.refusing_erp import decided, decision, refusing_plant, the_case

ORDER = "1000001"
VOID = VoidOrder(decision_id="v1", by="somebody", role="planner", reason="wrong material")


@pytest.fixture
def plant(temporal_client, plant_ledger):
    return lambda **keywords: refusing_plant(temporal_client, plant_ledger, **keywords)


async def produced(bench: Bench, windows: int) -> None:
    """An order with so many confirmations of ten pieces."""
    await bench.start_order(ORDER, planned=100)
    bench.feed.order(ORDER)
    for window in range(1, windows + 1):
        bench.feed.make(10)
        await bench.feed.send()
        await bench.until(ORDER, lambda s, n=window: s.postings == n and not s.busy)
    bench.workflows.add(compensation_workflow_id(bench.id, ORDER))


def compensation(bench: Bench):
    return bench.client.get_workflow_handle(compensation_workflow_id(bench.id, ORDER), result_type=CompensationStatus)


async def declare_void(bench: Bench):
    answer = await bench.order(ORDER).execute_update("void", VOID)
    await eventually(lambda: started(bench), bool)
    return answer


async def started(bench: Bench) -> bool:
    try:
        await compensation(bench).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def test_a_void_order_is_taken_back_newest_first_and_ends_cancelled(plant):
    async with plant() as (bench, erp):
        await produced(bench, 3)
        originals = [d.document for d in erp.books]
        answer = await declare_void(bench)
        assert answer["accepted"] and await declare_void(bench) == answer
        status = await bench.order(ORDER).result()
        assert status.phase is OrderPhase.CANCELLED
        done = await compensation(bench).result()
        assert done.finished and done.cases == ()

        assert bench.erp.booked(ORDER, "0010") == (0, 0)
        postings = [p for p in await bench.ledger.order_postings(bench.id, ORDER) if isinstance(p.transaction, Reverse)]
        by_key = {p.key: p.transaction for p in postings}
        assert [by_key[d.key].document for d in erp.books if d.reversal] == originals[::-1]
        assert all(t.original is not None and t.original_key is not None for t in by_key.values())
        record = await bench.ledger.load_order(bench.id, ORDER)
        assert (record.phase, record.totals) == (OrderPhase.CANCELLED.value, ())


async def test_a_reversal_that_fails_is_a_case_and_holds_up_nothing_else(plant):
    async with plant() as (bench, erp):
        await produced(bench, 3)
        middle = erp.books[1]
        erp.refuses = lambda t: isinstance(t, Reverse) and t.document == middle.document
        assert (await declare_void(bench))["accepted"]
        status = await bench.order(ORDER).result()
        assert status.phase is OrderPhase.CANCELLED
        assert [d.document for d in bench.erp.standing(ORDER)] == [middle.document]
        case = await the_case(bench, ORDER)
        assert (case.kind, CaseAction.ADOPT in case.allowed) == (CaseKind.ERP_REJECTED, True)
        assert (await compensation(bench).query("status", result_type=CompensationStatus)).first_pass_done

        erp.refuses = lambda t: False
        assert (await decided(bench, decision(case, CaseAction.RETRY), case)).accepted
        assert (await compensation(bench).result()).finished
        assert bench.erp.standing(ORDER) == []
        assert await bench.ledger.cases(bench.id, order=ORDER) == []


async def test_what_a_person_lets_stand_is_named_and_the_totals_become_a_case(plant):
    async with plant() as (bench, erp):
        await produced(bench, 2)
        first = erp.books[0]
        erp.refuses = lambda t: isinstance(t, Reverse) and t.document == first.document
        await declare_void(bench)
        case = await the_case(bench, ORDER)
        assert (await decided(bench, decision(case, CaseAction.SKIP), case)).accepted
        done = await compensation(bench).result()
        assert done.left == (first.document,)
        [open_case] = await bench.ledger.cases(bench.id, order=ORDER)
        assert open_case.kind is CaseKind.TOTALS_DIFFER and "yield 10" in open_case.summary


async def test_a_hand_entry_of_a_void_order_goes_too(plant):
    async with plant() as (bench, erp):
        await produced(bench, 1)
        entry = erp.by_hand(ORDER, "0010", 7)
        bench.feed.make(10)
        await bench.feed.send()
        await bench.until(ORDER, lambda s: any(c.kind is CaseKind.MANUAL_ENTRY for c in s.cases))
        await declare_void(bench)
        await compensation(bench).result()
        assert bench.erp.standing(ORDER) == []
        assert any(d.document == entry.document and d.reversed for d in erp.books)
        assert await bench.ledger.cases(bench.id, order=ORDER) == []


async def test_a_void_order_survives_an_outage_and_the_death_of_its_workers(plant):
    async with plant() as (bench, erp):
        await produced(bench, 3)
        erp.away = True
        await declare_void(bench)
        status = await eventually(lambda: compensation(bench).query("status", result_type=CompensationStatus),
                                  lambda s: len(s.waiting) == 3)  # fmt: skip
        assert not status.first_pass_done
        await bench.order(ORDER).terminate("killed in the middle")
        erp.away, erp.lost_answers = False, 2
        await bench.start_order(ORDER)
        assert (await bench.order(ORDER).result()).phase is OrderPhase.CANCELLED
        await compensation(bench).result()
        assert bench.erp.standing(ORDER) == []
        reversals = [d for d in erp.books if d.reversal]
        assert len(reversals) == 3 and len({d.key for d in reversals}) == 3


async def test_only_some_roles_declare_an_order_void(plant):
    async with plant() as (bench, _):
        await produced(bench, 1)
        wish = VOID.model_copy(update={"role": "operator"})
        with pytest.raises(Exception) as refused:
            await bench.order(ORDER).execute_update("void", wish)
        assert "planner" in str(refused.value.__cause__)
        assert bench.erp.booked(ORDER, "0010") == (10, 0)


async def test_follow_ups_are_taken_back_before_what_they_follow(plant):
    async with plant() as (bench, erp):
        erp.components = True
        await produced(bench, 1)
        await eventually(
            lambda: bench.ledger.order_postings(bench.id, ORDER),
            lambda found: any(p.type is TransactionType.ISSUE_COMPONENTS and p.document for p in found),
        )
        await declare_void(bench)
        await compensation(bench).result()
        assert [d.reversed for d in erp.issued if not d.reversal] == [True]
        assert bench.erp.standing(ORDER) == []
        sent = {p.transaction.document: p.sent_at for p in await bench.ledger.order_postings(bench.id, ORDER)
                if isinstance(p.transaction, Reverse)}  # fmt: skip
        issue = next(d.document for d in erp.issued if not d.reversal)
        main = next(d.document for d in erp.books if not d.reversal)
        assert sent[issue] < sent[main]
