"""Shifts are handed over once each, late rather than never, and nothing crosses the boundary."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest_asyncio
from temporalio.client import Client

from domain.handover_report import seconds_of
from ledger.store import SqlLedger
from signals.downtime import StopState, TimeClass
from signals.events import StateEvent
from signals.handover import HandoverReport, HandoverState
from signals.ids import downtime_workflow_id, handover_tick_id, handover_workflow_id
from signals.packml import MachineState
from tests.workflows.bench import LINE, PRESS, eventually
from tests.workflows.shift_bench import HOUR, ShiftBench, hourly_plant, shift_bench
from workers.plant_worker import schedule_handovers

ORDER = "1000001"
MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal_client: Client, plant_ledger: SqlLedger) -> AsyncIterator[ShiftBench]:
    async with shift_bench(temporal_client, plant_ledger) as found:
        yield found


def good(report: HandoverReport) -> Decimal:
    return sum((p.good for line in report.lines for p in line.pieces), Decimal(0))


def state(bench: ShiftBench, at: datetime, machine: MachineState) -> None:
    feed = bench.feed
    feed.now = max(feed.now, at)
    feed.add(StateEvent(event_id=f"s{feed.seq + 1}", at=feed.now, equipment=PRESS, tag="State", state=machine))


async def test_after_an_outage_every_shift_is_handed_over_once_in_order_and_no_posting_crosses(
    bench: ShiftBench,
) -> None:
    bench.patience = bench.patience.model_copy(update={"late_seconds": 20})
    spans = await bench.since(4)
    await bench.start_order(ORDER, planned=100)
    bench.feed.now = spans[0].start + 5 * MINUTE
    bench.feed.order(ORDER)
    for n, span in enumerate(spans, start=1):
        bench.feed.now = span.start + 50 * MINUTE
        bench.feed.make(n)
    bench.feed.now = spans[-1].end + timedelta(seconds=1)
    bench.feed.read(PRESS, "Good", bench.feed.totals[PRESS, "Good"])
    await bench.feed.send()
    found = await asyncio.gather(bench.tick(), bench.tick())
    assert {r.shift for f in found for r in f.due} == {s.label for s in spans}
    reports = await bench.made(len(spans))
    await bench.tick()
    assert [r.shift for r in reports] == [s.label for s in spans]
    assert [r.made_at for r in reports] == sorted(r.made_at for r in reports)
    assert [int(good(r)) for r in reports] == list(range(1, len(spans) + 1))
    for span, report in zip(spans, reports, strict=True):
        assert (report.not_final, report.crossings, report.revision) == ((), (), 1)
        [line] = report.lines
        assert sum(line.seconds.values(), Decimal(0)) == seconds_of(span)
        [run] = await bench.runs(handover_workflow_id(bench.id, span.label))
        assert run.events
    total = sum(range(1, len(spans) + 1))
    await bench.erp.until(lambda: bench.erp.booked(ORDER, "0010") == (total, 0))
    posted = [d for d in bench.erp.books if d.yield_quantity]
    assert sorted(int(d.yield_quantity) for d in posted) == list(range(1, len(spans) + 1)), "one posting a shift"
    assert len(await bench.made(len(spans))) == len(spans)


async def test_a_shift_of_which_something_is_still_to_come_is_named_and_corrected_when_it_has_come(
    bench: ShiftBench,
) -> None:
    [*_, span] = await bench.since(1)
    bench.patience = bench.patience.model_copy(update={"answer_seconds": 10})
    bench.feed.now = span.start + 10 * MINUTE
    bench.feed.order(ORDER)
    bench.feed.make(3)
    await bench.feed.send()
    await bench.begin(span)
    report = await bench.until(span, lambda r: r.revision == 1)
    [behind] = report.not_final
    assert (behind.line, behind.why, behind.seen_to) == (LINE, "behind", bench.feed.now)
    assert good(report) == 3, "what was counted so far was handed over"
    bench.feed.make(4)
    bench.feed.now = span.end + MINUTE
    bench.feed.read(PRESS, "Good", bench.feed.totals[PRESS, "Good"])
    await bench.feed.send()
    report = await bench.until(span, lambda r: r.revision == 2)
    assert (report.not_final, good(report), report.crossings) == ((), 7, ())
    assert (await bench.take_over(span)).accepted
    assert (await bench.until(span, lambda r: r.state.is_over)).revision == 2


async def test_a_line_that_never_spoke_is_named_and_holds_nothing_up(bench: ShiftBench) -> None:
    [*_, span] = await bench.since(1)
    await bench.begin(span)
    report = await bench.until(span, lambda r: True)
    assert [(n.line, n.why) for n in report.not_final] == [(LINE, "no_process")]
    [line] = report.lines
    assert line.seconds == {TimeClass.NO_DATA: Decimal(3600)}
    await bench.take_over(span)


async def test_acknowledging_twice_answers_the_same_and_nobody_takes_over_after_another(bench: ShiftBench) -> None:
    [*_, span] = await bench.since(1)
    await bench.begin(span)
    await bench.until(span, lambda r: True)
    refused = await bench.take_over(span, role="planner", action="p1")
    assert not refused.accepted and "supervisor may" in refused.message
    first, again = await asyncio.gather(bench.take_over(span), bench.take_over(span))
    assert first == again and first.accepted
    await bench.handle(span).result()
    assert await bench.take_over(span) == first
    other = await bench.take_over(span, user="supervisor-9", action="a9")
    assert (other.accepted, other.message) == (False, first.message)
    report = await bench.until(span, lambda r: r.state is HandoverState.ACKNOWLEDGED)
    assert (report.acknowledged_by, report.acknowledged_role, report.comment) == ("supervisor-2", "supervisor", "read")


async def test_a_restart_changes_nothing(temporal_client: Client, plant_ledger: SqlLedger) -> None:
    bench = ShiftBench(temporal_client, plant_ledger, hourly_plant())
    try:
        async with bench.working():
            [*_, span] = await bench.since(1)
            await bench.begin(span, history_limit=12)
            before = await bench.until(span, lambda r: True)
        async with bench.working():  # other workers take over what the first ones began
            await bench.tick()
            assert await bench.made(1) == [before]
            for n in range(4):
                await bench.take_over(span, role="planner", action=f"p{n}")
            assert (await bench.take_over(span)).accepted
            runs = await bench.runs(handover_workflow_id(bench.id, span.label))
            assert len(runs) > 1, "it went on in several runs"
            after = await bench.until(span, lambda r: r.state.is_over)
            assert (after.made_at, after.lines) == (before.made_at, before.lines)
        assert await bench.replay()
    finally:
        await bench.end()


async def test_a_running_stop_is_split_at_the_boundary_and_both_parts_are_handed_over(bench: ShiftBench) -> None:
    [*_, span] = await bench.since(1)
    bench.patience = bench.patience.model_copy(update={"late_seconds": 20})
    bench.feed.now = span.start + 5 * MINUTE
    bench.feed.order(ORDER)
    state(bench, span.start + 6 * MINUTE, MachineState.EXECUTE)
    state(bench, span.start + 40 * MINUTE, MachineState.ABORTED)
    bench.feed.now = span.end + timedelta(seconds=30)
    bench.feed.read(PRESS, "Good", bench.feed.totals[PRESS, "Good"])
    await bench.feed.send()
    await bench.begin(span)
    report = await bench.until(span, lambda r: not r.not_final)
    [stop] = report.stops
    assert (stop.state, stop.ended_at, stop.seconds) in {
        (s.value, None, Decimal(1200)) for s in (StopState.OPEN, StopState.ACKNOWLEDGED)
    }
    assert stop.continues_as is not None and stop.continues_as.started_at == span.end
    assert (stop.parts[-1].ended_at, stop.parts[-1].shift) == (span.end, span.label)
    [line] = report.lines
    assert line.seconds[TimeClass.RUNNING] == 34 * 60 and line.seconds[TimeClass.STOP] == 1200
    assert (line.stops, line.oee.availability) == (1, Decimal(34 * 60) / Decimal(34 * 60 + 1200))
    await bench.take_over(span)
    bench.workflows.add(downtime_workflow_id(bench.id, LINE, stop.stop))


async def test_nobody_has_taken_over_so_it_lapses_and_can_still_be_acknowledged(bench: ShiftBench) -> None:
    spans = await bench.since(2)
    first = spans[0]
    await bench.begin(first)
    report = await bench.until(first, lambda r: True)
    lapsed = report.model_copy(update={"state": HandoverState.LAPSED})
    await bench.handle(first).terminate("the incoming crew has left")
    await bench.ledger.record_handover(lapsed)
    await bench.begin(spans[-1])
    later = await bench.until(spans[-1], lambda r: True)
    assert later.unacknowledged == (first.label,)
    assert (await bench.take_over(first)).accepted
    assert (await bench.until(first, lambda r: r.state.is_over)).acknowledged_by == "supervisor-2"
    await bench.take_over(spans[-1])


async def test_the_schedule_hands_over_what_has_ended(bench: ShiftBench) -> None:
    [*_, span] = await bench.since(1)
    await schedule_handovers(bench.client, bench.plant, HOUR)
    await schedule_handovers(bench.client, bench.plant, HOUR)
    bench.workflows.add(handover_workflow_id(bench.id, span.label))
    try:
        runs = await eventually(
            lambda: bench.runs(handover_workflow_id(bench.id, span.label)), lambda r: r and len(r[0].events) > 5
        )
        assert len(runs) == 1
    finally:
        await bench.client.get_schedule_handle(handover_tick_id(bench.id)).delete()


async def test_the_first_look_hands_over_nothing_that_was_over_before(bench: ShiftBench) -> None:
    assert (await bench.tick()).due == ()
    assert (await bench.tick()).due == ()
