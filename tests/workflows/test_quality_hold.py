"""A hold from the local block to the ERP's books, with people who decide and people who may not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError

from ledger.port import PostingRecord
from ledger.store import SqlLedger
from signals.bookings import StockKind
from signals.decisions import Answer
from signals.documents import CaseAction, CaseKind, ErpDocument, PostingState
from signals.holds import (
    ClaimHold,
    CommentHold,
    ConfirmSegregation,
    DecisionState,
    HoldAction,
    HoldCause,
    HoldSearch,
    HoldState,
    ReassignHold,
    WithdrawHold,
)
from signals.ids import hold_workflow_id, plant_task_queue
from signals.stock import MaterialPosition, PlaceHold, ReleaseHold
from signals.transactions import ConfirmProduction
from tests.workflows.bench import eventually
from tests.workflows.hold_bench import ORDER, HoldBench, K, StockErp, hold_bench, hold_plant
from tests.workflows.refusing_erp import decision, exception_of, running
from workflows.hold_messages import HoldInput

FREE, BLOCKED = StockKind.UNRESTRICTED, StockKind.BLOCKED


@pytest_asyncio.fixture(loop_scope="session")
async def holds(temporal_client: Client, plant_ledger: SqlLedger) -> AsyncIterator[HoldBench]:
    async with hold_bench(temporal_client, plant_ledger) as bench:
        yield bench


async def test_blocked_here_then_in_the_erp_decided_by_two_and_released(holds: HoldBench) -> None:
    holds.delivered(12)
    await holds.open(holds.trigger(10))
    assert [b.hold for b in await holds.ledger.blocks(holds.id, order=ORDER)] == [holds.hold]
    blocked = await holds.until_hold(lambda r: r.erp == "blocked")
    assert (holds.stock_erp.amount(FREE), holds.stock_erp.amount(BLOCKED)) == (2, 10)
    assert blocked.position is MaterialPosition.UNRESTRICTED and blocked.due_at is not None

    first = holds.decision((K.RELEASE, 10))
    answer = await holds.act(first)
    assert answer.accepted and "quality manager" in answer.message
    assert (await holds.record()).state is HoldState.AWAITS_SECOND
    assert holds.stock_erp.amount(BLOCKED) == 10
    assert await holds.act(first) == answer, "a repeated act gets its first answer"
    assert (await holds.act(holds.second(first))).accepted
    closed = await holds.ended()
    assert closed.state is HoldState.CLOSED and closed.erp == "released"
    assert (holds.stock_erp.amount(FREE), holds.stock_erp.amount(BLOCKED)) == (12, 0)
    assert await holds.ledger.blocks(holds.id, order=ORDER) == []
    assert [e.number for e in closed.history] == list(range(1, len(closed.history) + 1))
    assert closed.decisions[0].second and closed.decisions[0].second.user == "manager-1"


async def test_a_receipt_that_was_on_its_way_into_blocked_stock_when_the_hold_ended_is_freed(
    holds: HoldBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.holds.RETRY_AFTER", timedelta(seconds=0.1))
    holds.delivered(10)
    await holds.open(holds.trigger(10))
    await holds.until_hold(lambda r: r.erp == "blocked")
    key = uuid4()
    receipt = ConfirmProduction(
        plant=holds.id, order=ORDER, operation="0020", posting_date=datetime.now(UTC).date(), unit="PC",
        yield_quantity=Decimal(4), receipt_stock=BLOCKED,
    )  # fmt: skip
    claimed = PostingRecord(
        key=key, plant=holds.id, order=ORDER, operation="0020", type=receipt.type, state=PostingState.CLAIMED,
        transaction=receipt, report_ids=("late",),
    )  # fmt: skip
    await holds.ledger.claim(claimed)
    until = datetime.now(UTC) + timedelta(minutes=1)
    assert await holds.ledger.mark_sent(key, token="t", deadline=until, totals_before=(), documents_before=())

    await holds.decide((K.RELEASE, 10))
    await holds.until_hold(lambda r: r.state is HoldState.CLOSED)
    assert await holds.ledger.blocks(holds.id, order=ORDER) == []
    assert holds.stock_erp.amount(FREE) == 10
    holds.stock_erp.put(4, BLOCKED)
    document = ErpDocument(document="5000000001", order=ORDER, operation="0020", yield_quantity=Decimal(4), key=key)
    await holds.ledger.mark_outcome(key, state=PostingState.POSTED, document=document)

    await holds.ended()
    assert (holds.stock_erp.amount(FREE), holds.stock_erp.amount(BLOCKED)) == (14, 0)
    assert [(p.what, p.quantity) for p in (await holds.record()).postings if p.state == "done"] == [
        ("block", 10), ("release", 10), ("release", 4),
    ]  # fmt: skip


async def test_a_split_decision_scraps_and_releases_its_parts(holds: HoldBench) -> None:
    holds.delivered(10)
    await holds.open(holds.trigger(10))
    await holds.until_hold(lambda r: r.erp == "blocked")
    await holds.decide((K.RELEASE, 7), (K.SCRAP, 3))
    await holds.ended()
    assert (holds.stock_erp.amount(FREE), holds.stock_erp.amount(BLOCKED)) == (7, 0)
    assert holds.stock_erp.movements[1:] == [("scrap_stock", Decimal(3)), ("release_hold", Decimal(7))]


async def test_scrap_that_is_still_in_work_is_confirmed_where_it_is_found(holds: HoldBench) -> None:
    holds.delivered(0)
    await holds.open(holds.trigger(4))
    record = await holds.until_hold(lambda r: r.erp == "none")
    assert record.position is MaterialPosition.IN_WORK
    await holds.decide((K.SCRAP, 4))
    await holds.ended()
    assert holds.erp.booked(ORDER, "0020") == (0, 4)


async def test_the_wrong_people_are_refused_and_told_who_may(holds: HoldBench) -> None:
    holds.delivered(10)
    await holds.open(holds.trigger(10, opened_by="inspector-1"))

    async def refused(act, said: str) -> None:
        answer = await holds.act(act)
        assert not answer.accepted and said in answer.message, answer.message

    await refused(holds.decision((K.RELEASE, 10)), "opened the hold")
    await refused(holds.decision((K.RELEASE, 10), user="worker-1", role="operator"), "may not")
    await refused(holds.decision((K.RELEASE, 9), user="inspector-2"), "10 PC are held")
    await refused(holds.decision((K.SCRAP, 10), user="planner-1", role="planner"), "may not")
    withdrawal = WithdrawHold(action_id="w1", actor=holds.actor("inspector-1", "quality engineer"))
    await refused(withdrawal, "opened the hold")
    first = holds.decision((K.RELEASE, 10), user="inspector-2")
    assert (await holds.act(first)).accepted
    await refused(holds.second(first, user="inspector-2"), "another person")
    await refused(holds.second(first, user="inspector-3", role="quality engineer"), "another function")
    await refused(holds.second(first, user="supervisor-1", role="supervisor"), "quality manager")
    assert (await holds.record()).state is HoldState.AWAITS_SECOND
    assert (await holds.act(holds.second(first, agree=False))).accepted
    record = await holds.record()
    assert record.state is HoldState.BLOCKED and record.decisions[0].state is DecisionState.REJECTED


async def test_a_second_reason_joins_the_hold_and_a_decision_before_it_counts_no_more(holds: HoldBench) -> None:
    holds.delivered(10)
    await holds.open(holds.trigger(5))
    await holds.until_hold(lambda r: r.erp == "blocked")
    first = holds.decision((K.RELEASE, 5))
    await holds.act(first)
    hold = holds.hold
    assert await holds.open(holds.trigger(8, role="quality manager")) == hold
    record = await holds.until_hold(lambda r: len(r.reasons) == 2 and r.state is HoldState.BLOCKED)
    assert record.quantity == 8 and record.decisions[0].state is DecisionState.REJECTED
    late = await holds.act(holds.second(first))
    assert not late.accepted and "rejected" in late.message
    await holds.until_hold(lambda r: holds.stock_erp.amount(BLOCKED) == 8)

    # Each reason is released by its own role: the engineer cannot speak for the manager's.
    engineer = holds.decision((K.RELEASE, 8))
    await holds.act(engineer)
    signed = await holds.act(holds.second(engineer))
    assert "other reasons" in signed.message
    manager = holds.decision((K.RELEASE, 8), user="manager-2", role="quality manager")
    assert (await holds.act(manager)).accepted
    assert (await holds.act(holds.second(manager, user="inspector-4", role="quality engineer"))).accepted
    await holds.ended()
    assert holds.stock_erp.amount(FREE) == 10


async def test_an_act_after_the_end_is_recorded_as_late_and_changes_nothing(holds: HoldBench) -> None:
    holds.delivered(10)
    await holds.open(holds.trigger(10))
    await holds.until_hold(lambda r: r.erp == "blocked")
    await holds.decide((K.SCRAP, 10))
    await holds.ended()
    late = holds.decision((K.RELEASE, 10), user="inspector-9")
    for _ in range(2):
        answer = await holds.act(late)
        assert not answer.accepted and "too late" in answer.message
    record = await holds.record()
    assert [d.state for d in record.decisions if d.decision == late.action_id] == [DecisionState.LATE]
    assert [e.what for e in record.history].count("late") == 1
    assert holds.stock_erp.amount(FREE) == 0


async def test_inspections_that_disagree_need_the_quality_manager(holds: HoldBench) -> None:
    holds.delivered(1)
    await holds.open(holds.trigger(1, serials=("S1",), cause=HoldCause.INSPECTION))
    await holds.inspected("i1", passed=False, serial="S1")
    await holds.inspected("i2", passed=True, serial="S1")
    await holds.until_hold(lambda r: len(r.inspections) == 2)
    withdrawal = WithdrawHold(action_id="w1", actor=holds.actor("manager-3", "quality manager"))
    assert "failed" in (await holds.act(withdrawal)).message
    answer = await holds.act(holds.decision((K.RELEASE, 1)))
    assert answer.accepted and "quality manager" in answer.message
    assert (await holds.record()).state is HoldState.AWAITS_SECOND


async def test_rework_waits_for_a_new_good_result_before_anybody_decides_again(holds: HoldBench) -> None:
    holds.delivered(10)
    await holds.open(holds.trigger(10))
    await holds.until_hold(lambda r: r.erp == "blocked")
    await holds.decide((K.REWORK, 4), (K.RELEASE, 6))
    record = await holds.until_hold(lambda r: r.state is HoldState.AWAITS_INSPECTION)
    assert record.quantity == 4
    await holds.until_hold(lambda r: holds.stock_erp.amount(BLOCKED) == 4)
    refused = await holds.act(holds.decision((K.RELEASE, 4)))
    assert not refused.accepted and "result" in refused.message
    await holds.inspected("i1", passed=False)
    await holds.until_hold(lambda r: len(r.inspections) == 1)
    assert (await holds.record()).state is HoldState.AWAITS_INSPECTION
    await holds.inspected("i2", passed=True)
    await holds.until_hold(lambda r: r.state is HoldState.BLOCKED)
    await holds.decide((K.RELEASE, 4))
    await holds.ended()
    assert (holds.stock_erp.amount(FREE), holds.stock_erp.amount(BLOCKED)) == (10, 0)


async def test_claim_reassign_comment_and_a_count_that_differs_is_a_case(holds: HoldBench) -> None:
    holds.delivered(10)
    await holds.open(holds.trigger(10))
    engineer = holds.actor("inspector-1", "quality engineer")
    await holds.act(ClaimHold(action_id="a1", actor=engineer))
    await holds.act(ReassignHold(action_id="a2", actor=engineer, to="inspector-2"))
    await holds.act(CommentHold(action_id="a3", actor=engineer, comment="gauge is calibrated"))
    operator = holds.actor("worker-1", "operator")
    counted = await holds.act(ConfirmSegregation(action_id="a4", actor=operator, counted=Decimal(9), location="cage 2"))
    assert counted.accepted and "case" in counted.message
    [case] = await eventually(lambda: holds.ledger.cases(holds.id), lambda found: found)
    assert case.kind.value == "hold_count_differs" and case.hold == holds.hold and "9 PC" in case.summary
    record = await holds.record()
    assert (record.assigned_to, record.segregated, record.segregated_at) == ("inspector-2", 9, "cage 2")
    await holds.decide((K.SCRAP, 10))
    await holds.ended()
    assert await holds.ledger.cases(holds.id) == [], "the hold's own cases end with it"


async def test_a_signal_does_what_the_update_does(holds: HoldBench) -> None:
    holds.delivered(10)
    await holds.open(holds.trigger(10))
    act = holds.decision((K.SCRAP, 10))
    await holds.handle().signal("act_by_signal", HoldAction(act=act))
    await holds.handle().signal("act_by_signal", HoldAction(act=act))
    assert (await holds.ended()).decisions[0].decision == act.action_id


async def test_a_withdrawn_hold_frees_everything(holds: HoldBench) -> None:
    holds.delivered(10)
    await holds.open(holds.trigger(10))
    await holds.until_hold(lambda r: r.erp == "blocked")
    act = WithdrawHold(action_id="w1", actor=holds.actor("inspector-1", "quality engineer"), comment="wrong gauge")
    assert (await holds.act(act)).accepted
    assert (await holds.ended()).state is HoldState.WITHDRAWN
    assert holds.stock_erp.amount(FREE) == 10


async def test_a_decision_while_the_erp_is_away_takes_effect_when_it_is_back_and_blocks_nothing_after(
    holds: HoldBench,
) -> None:
    holds.delivered(10)
    await holds.open(holds.trigger(10))
    holds.erp.away = True
    await holds.decide((K.RELEASE, 10))
    assert len(await holds.ledger.blocks(holds.id, order=ORDER)) == 1, "still blocked here"
    holds.erp.away = False
    await holds.ended()
    assert (holds.stock_erp.amount(FREE), holds.stock_erp.amount(BLOCKED)) == (10, 0)


async def test_new_receipts_of_the_order_are_found_and_freed_with_the_rest(holds: HoldBench) -> None:
    holds.delivered(0)
    await holds.open(holds.trigger(6))
    await holds.until_hold(lambda r: r.erp == "none")
    holds.delivered(0)
    holds.erp.change(ORDER, outputs=tuple(
        o.model_copy(update={"received": Decimal(6)}) for o in holds.erp.orders[ORDER].outputs
    ))  # fmt: skip
    holds.stock_erp.put(6, BLOCKED)
    await holds.handle().signal("look_again")
    await holds.until_hold(lambda r: r.erp == "blocked")
    assert holds.stock_erp.movements == [], "they are blocked already"
    await holds.decide((K.RELEASE, 6))
    await holds.ended()
    assert holds.stock_erp.amount(FREE) == 6


async def test_nobody_decides_and_the_ladder_is_climbed_by_its_deadlines(
    temporal_client: Client, plant_ledger: SqlLedger
) -> None:
    async with hold_bench(temporal_client, plant_ledger, minutes=1 / 60) as holds:
        holds.delivered(10)
        await holds.open(holds.trigger(10))
        record = await holds.until_hold(lambda r: r.level == 3)
        assert record.escalated_to == ("quality manager", "admin")
        said = [e.what for e in record.history if e.what in ("reminded", "escalated")]
        assert said == ["reminded", "escalated", "escalated"]
        inbox = await holds.ledger.holds(holds.id, HoldSearch(role="quality manager"))
        assert [r.hold for r in inbox] == [holds.hold]
        assert record.due_at and record.due_at < datetime.now(UTC)


async def test_what_the_erp_refuses_is_an_exception_and_the_hold_goes_on(
    temporal_client: Client, plant_ledger: SqlLedger
) -> None:
    erp = StockErp(refuses={PlaceHold})
    async with hold_bench(temporal_client, plant_ledger, erp=erp) as holds:
        holds.delivered(10)
        await holds.open(holds.trigger(10))
        record = await holds.until_hold(lambda r: r.erp == "failed")
        [posting] = record.postings
        holds.note_exception(posting.key)
        [case] = await eventually(lambda: holds.ledger.cases(holds.id), lambda found: found)
        assert case.error_code == "M7/053" and record.state is HoldState.BLOCKED

        # A person repairs it; the exception tells the hold, which goes on by the posting's key.
        erp.refuses.clear()
        await running(holds, case)
        await exception_of(holds, case).execute_update("decide", decision(case, CaseAction.RETRY))
        await holds.until_hold(lambda r: r.erp == "blocked")
        assert erp.amount(BLOCKED) == 10

        # A release that is refused waits for its person, and what is left unbooked is said.
        erp.refuses.add(ReleaseHold)
        await holds.decide((K.RELEASE, 10))
        waiting = await holds.until_hold(lambda r: any(p.state == "failed" for p in r.postings))
        key = next(p.key for p in waiting.postings if p.state == "failed")
        holds.note_exception(key)
        assert waiting.state is HoldState.EXECUTING and len(await holds.ledger.blocks(holds.id)) == 1
        [case] = await eventually(lambda: holds.ledger.cases(holds.id), lambda found: found)
        await running(holds, case)
        await exception_of(holds, case).execute_update("decide", decision(case, CaseAction.SKIP))
        ended = await holds.ended()
        assert [p.state for p in ended.postings] == ["done", "skipped"]


async def test_a_block_that_was_refused_is_given_up_when_the_hold_is_decided(
    temporal_client: Client, plant_ledger: SqlLedger
) -> None:
    erp = StockErp(refuses={PlaceHold})
    async with hold_bench(temporal_client, plant_ledger, erp=erp) as holds:
        holds.delivered(10)
        await holds.open(holds.trigger(10))
        record = await holds.until_hold(lambda r: r.erp == "failed")
        holds.note_exception(record.postings[0].key)
        erp.refuses.clear()
        await holds.decide((K.RELEASE, 10))
        await holds.ended()
        assert (erp.amount(FREE), erp.amount(BLOCKED)) == (10, 0)
        assert erp.movements == [] and await holds.ledger.cases(holds.id) == []


async def test_what_cannot_be_booked_waits_for_a_persons_hand(holds: HoldBench) -> None:
    holds.delivered(10)
    await holds.open(holds.trigger(10))
    await holds.until_hold(lambda r: r.erp == "blocked")
    await holds.decide((K.RETURN, 10))
    [case] = await eventually(lambda: holds.ledger.cases(holds.id), lambda found: found)
    assert case.kind is CaseKind.HOLD_BY_HAND and "returned" in case.summary
    assert (await holds.record()).state is HoldState.EXECUTING
    accept = decision(case, CaseAction.ACCEPT, role="planner")
    answer = await holds.handle().execute_update("decide_case", accept, result_type=Answer)
    assert answer.accepted
    await holds.ended()
    assert await holds.ledger.cases(holds.id) == []


async def test_each_run_is_short_and_nothing_is_lost_between_them(
    temporal_client: Client, plant_ledger: SqlLedger
) -> None:
    async with hold_bench(temporal_client, plant_ledger) as holds:
        holds.delivered(10)
        await holds.open(holds.trigger(10), history_limit=40)
        engineer = holds.actor("inspector-1", "quality engineer")

        async def comment(numbers: range) -> None:
            for number in numbers:
                act = CommentHold(action_id=f"a{number}", actor=engineer, comment=f"look {number}")
                assert (await holds.act(act)).accepted
                assert (await holds.act(act)).message == "noted"

        await comment(range(6))
        await holds.decide((K.REWORK, 10))  # nobody has a deadline from here on
        await holds.until_hold(lambda r: r.state is HoldState.AWAITS_INSPECTION)
        await comment(range(6, 12))
        await holds.inspected("i1", passed=True)
        await holds.until_hold(lambda r: r.state is HoldState.BLOCKED)
        await holds.decide((K.SCRAP, 10))
        record = await holds.ended()
        comments = [e.text for e in record.history if e.what == "comment"]
        assert comments == [f"look {number}" for number in range(12)]
        assert len(await holds.runs(holds.handle().id)) > 2
        assert holds.stock_erp.movements == [("place_hold", 10), ("scrap_stock", 10)]


@pytest.mark.long
@pytest.mark.timeout(300)  # what a worker took in the instant of its end is lost until its timeout has passed
@pytest.mark.parametrize("cached", [500, 0], ids=["cached", "replaying"])
async def test_the_worker_goes_away_after_every_step_and_the_end_is_the_same(
    temporal_client: Client, plant_ledger: SqlLedger, cached: int
) -> None:
    bench = HoldBench(temporal_client, plant_ledger, hold_plant(), erp=StockErp())
    bench.options = replace(bench.options, max_cached_workflows=cached)
    try:
        bench.delivered(10)
        await bench.open(bench.trigger(10))
        first = bench.decision((K.RELEASE, 6), (K.SCRAP, 4))
        steps: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: bench.until_hold(lambda r: r.erp == "blocked"),
            lambda: bench.act(first),
            lambda: bench.act(bench.second(first, action_id="c-1")),
            bench.ended,
        )
        for step in steps:
            async with bench.working():
                await step()
        record = await bench.record()
        assert record.state is HoldState.CLOSED
        assert bench.stock_erp.movements == [("place_hold", 10), ("scrap_stock", 4), ("release_hold", 6)]
        assert await bench.replay()
    finally:
        await bench.end()


async def test_a_workflow_that_nobody_opened_in_the_ledger_fails_with_the_reason(holds: HoldBench) -> None:
    handle = await holds.client.start_workflow(
        "QualityHold", HoldInput(plant=holds.id, hold="nothing"), id=hold_workflow_id(holds.id, "nothing"),
        task_queue=plant_task_queue(holds.id),
    )  # fmt: skip
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert "knows no hold nothing" in str(failed.value.cause)
    holds.workflows.add(handle.id)
