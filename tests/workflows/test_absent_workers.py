"""Workers absent for as long as you like: everything waits in the edge's log, and no workflow ends of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from domain.clock import PlantClock
from scada.forwarder import Forwarder
from scada.log import EdgeLog
from signals.ids import line_workflow_id, order_workflow_id
from tests.workflows.bench import LINE, Bench, eventually, plant_config
from tests.workflows.run_facts import length
from workers import edge

ORDER = "1000001"


def fill(log: EdgeLog, bench: Bench, appends: int) -> None:
    """A day at the line: each append is what one publishing brought, with a watermark of its own."""
    feed = bench.feed
    feed.order(ORDER)
    for number in range(appends):
        feed.make(1 + number % 2)
        log.append([s.event for s in feed.waiting], watermark=feed.now)
        feed.waiting.clear()
    feed.order("")
    feed.now += timedelta(seconds=1)
    log.append([s.event for s in feed.waiting], watermark=feed.now)


async def told(forwarder: Forwarder) -> str:
    return forwarder.last_error


async def waits(log: EdgeLog) -> int:
    return log.pending


@pytest.mark.timeout(400)
@pytest.mark.parametrize("appended", [2_000, pytest.param(15_000, marks=pytest.mark.long)])
async def test_batches_that_waited_in_the_log_are_taken_in_once(
    temporal_client, plant_ledger, volume, tmp_path: Path, monkeypatch, appended
):
    monkeypatch.setattr(edge, "ANSWER_TIMEOUT", timedelta(seconds=1))
    bench = Bench(temporal_client, plant_ledger, plant_config(cadence=500))
    log = EdgeLog(tmp_path / "edge.db", plant=bench.id, line=LINE)
    await asyncio.to_thread(fill, log, bench, appended)
    pieces = appended + appended // 2
    waiting = log.pending
    assert waiting == pieces + 6, "two first readings, and twice batch and order"

    await bench.start_order(ORDER, planned=pieces)
    clock = PlantClock(wall_epoch=datetime.now(UTC), plant_epoch=bench.feed.now)
    forwarder = Forwarder(log, bench.sink, clock=clock, retry_seconds=(0.1,))
    forwarding = asyncio.create_task(forwarder.run())
    try:
        await eventually(lambda: told(forwarder), lambda why: "is a plant worker running" in why)
        assert log.pending == waiting, "nothing counts as forwarded while nobody works"
        monkeypatch.undo()
        async with bench.working():
            await eventually(lambda: waits(log), lambda pending: not pending, seconds=240)
            await bench.closed(ORDER, seconds=120)
            assert bench.erp.booked(ORDER, "0010") == (pieces, 0)
            line = await bench.line_status()
            assert line.high_water == {log.source: log.last_seq}
            assert line.parked == 0
            ended = (await bench.line().describe()).status
            assert ended is WorkflowExecutionStatus.RUNNING
            for workflow_id in (line_workflow_id(bench.id, LINE), order_workflow_id(bench.id, ORDER)):
                runs = await bench.runs(workflow_id)
                assert max(len(run.events) for run in runs) < 6000
                assert length(runs) < 10 * waiting
            assert await bench.replay()
    finally:
        forwarding.cancel()
        await asyncio.gather(forwarding, return_exceptions=True)
        await bench.end()
        log.close()
