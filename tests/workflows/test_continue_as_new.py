"""Long orders pass from run to run: nothing is lost, doubled or left outstanding at the seam."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from signals.decisions import Answer, ApprovePostings, AssignOrder, CompleteOrderRequest, DecideCase
from signals.documents import CaseAction
from signals.ids import line_workflow_id, order_workflow_id
from tests.workflows.bench import PRESS, Bench
from tests.workflows.run_facts import WORKFLOW_ENDS, undone

ORDER = "1000001"


async def seams(bench: Bench, workflow_id: str) -> int:
    """How often the workflow continued as new; fails where a run left something undone."""
    runs = await bench.runs(workflow_id)
    for run in runs[:-1]:
        assert undone(run) == []
        assert run.events[-1].event_type in WORKFLOW_ENDS
    return len(runs) - 1


async def test_a_short_order_passes_several_runs(bench):
    await bench.start_line(history_limit=40)
    await bench.start_order(ORDER, planned=60, history_limit=40)
    bench.feed.order(ORDER)
    for _ in range(6):
        bench.feed.make(10)
        await bench.feed.send(most=5)
        await bench.until(ORDER, lambda s: not s.busy)
    bench.feed.order("")
    await bench.feed.send()
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (60, 0)
    assert await seams(bench, line_workflow_id(bench.id, "line1")) >= 1
    assert await seams(bench, order_workflow_id(bench.id, ORDER)) >= 1


async def test_answers_and_decisions_outlive_the_run_that_gave_them(bench):
    await bench.start_line(history_limit=40)
    await bench.start_order(ORDER, planned=60, history_limit=40)
    wish = AssignOrder(decision_id="a1", equipment=PRESS, order=ORDER, valid_from=bench.feed.now, by="shift-lead")
    await bench.feed.send()
    first = await bench.line().execute_update("assign_order", wish, result_type=Answer)
    approval = ApprovePostings(decision_id="ok", by="supervisor")
    said = await bench.order(ORDER).execute_update("approve_postings", approval, result_type=Answer)
    for _ in range(6):
        bench.feed.make(10)
        await bench.feed.send(most=5)
    assert await seams(bench, line_workflow_id(bench.id, "line1")) >= 1
    again = await bench.line().execute_update("assign_order", wish, result_type=Answer)
    assert again == first
    assert await bench.order(ORDER).execute_update("approve_postings", approval, result_type=Answer) == said
    bench.feed.order("")
    await bench.feed.send()
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (60, 0)


async def keep_telling(bench: Bench, until: asyncio.Event) -> int:
    """People and orders talk to both workflows without a pause; every update must be answered."""
    for number in itertools.count():
        if until.is_set():
            return number
        await bench.line().signal("hand_over", "another-order")
        wish = AssignOrder(decision_id=f"a{number}", equipment="oven", order=None, valid_from=bench.feed.now, by="x")
        refused = await bench.line().execute_update("assign_order", wish, result_type=Answer)
        assert not refused.accepted
        approval = ApprovePostings(decision_id=f"ok{number}", by="supervisor")
        assert (await bench.order(ORDER).execute_update("approve_postings", approval, result_type=Answer)).accepted
        decision = DecideCase(
            decision_id=f"d{number}", case_id="no-such-case", action=CaseAction.SKIP, by="x", reason="a race"
        )
        answer = await bench.order(ORDER).execute_update("decide_case", decision, result_type=Answer)
        assert not answer.accepted and answer.decision_id == decision.decision_id
        if number % 5 == 0:
            await bench.line().signal("configure")
    raise AssertionError


@pytest.mark.timeout(180)
@pytest.mark.parametrize("pieces", [pytest.param(n, marks=pytest.mark.long) for n in (1500, 5000)])
async def test_a_large_order_passes_continue_as_new_with_people_talking_to_it(open_bench, volume, pieces):
    async with open_bench(cadence=50) as bench:
        await bench.start_line(history_limit=pieces // 33)
        await bench.start_order(ORDER, planned=pieces, history_limit=pieces // 40)
        bench.feed.order(ORDER)
        bench.feed.make(pieces)
        done = asyncio.Event()
        talking = asyncio.create_task(keep_telling(bench, done))
        try:
            await bench.feed.send(most=100)
            await bench.erp.until(lambda: bench.erp.booked(ORDER, "0010")[0] >= pieces * 4 // 5, seconds=60)
        finally:
            done.set()
        assert await talking > pieces // 500
        bench.feed.order("")
        await bench.feed.send()
        await bench.closed(ORDER)

        assert bench.erp.booked(ORDER, "0010") == (pieces, 0)
        keys = [d.key for d in bench.erp.books]
        assert len(keys) == len(set(keys))
        assert (await bench.line_status()).parked == 0
        assert await seams(bench, line_workflow_id(bench.id, "line1")) >= 3
        assert await seams(bench, order_workflow_id(bench.id, ORDER)) >= 3


async def test_completing_at_the_seam_asks_the_lines_all_the_same(open_bench):
    async with open_bench(cadence=10) as bench:
        await bench.start_order(ORDER, planned=1000, history_limit=30)
        bench.feed.order(ORDER)
        for _ in range(5):
            bench.feed.make(11)
            await bench.feed.send()
        request = CompleteOrderRequest(decision_id="c1", by="supervisor")
        await bench.order(ORDER).execute_update("complete", request)
        await bench.closed(ORDER)
        assert bench.erp.booked(ORDER, "0010") == (55, 0)
        assert await seams(bench, order_workflow_id(bench.id, ORDER)) >= 1


async def test_a_plant_file_that_is_loaded_again_undoes_nothing_that_came_meanwhile(bench):
    await bench.start_order(ORDER, planned=40)
    bench.feed.order(ORDER)
    await bench.feed.send()
    for _ in range(8):
        bench.feed.make(5)
        await asyncio.gather(bench.line().signal("configure"), bench.feed.send(most=2))
    bench.feed.order("")
    await bench.feed.send()
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (40, 0)


async def test_an_order_is_told_while_a_backlog_still_streams_in(open_bench, volume):
    async with open_bench(cadence=50) as bench:
        await bench.start_order(ORDER, planned=2000)
        bench.feed.order(ORDER)
        bench.feed.make(2000)
        streaming = asyncio.create_task(bench.feed.send(most=20))
        await bench.erp.until(lambda: bool(bench.erp.books))
        assert not streaming.done(), "the first pieces are posted before the last ones have come"
        await streaming
        bench.feed.order("")
        await bench.feed.send()
        await bench.closed(ORDER)
        assert bench.erp.booked(ORDER, "0010") == (2000, 0)
