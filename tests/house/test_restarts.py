"""Orders and lines that are reset or ended and started again, workers that are absent or stopped: nothing is lost."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from signals.ids import line_workflow_id, order_workflow_id, plant_task_queue
from tests.house.durable_plant import (
    FIRST,
    LOST_ANSWERS,
    SECOND,
    confirmations,
    plant_at_work,
    until_line_is_done,
    until_made,
    until_posting_in_work,
)
from tests.house.plant_house import PlantHouse
from workers.plant_worker import WorkerOptions

ORDER = order_workflow_id("demo", FIRST)
LINE = line_workflow_id("demo", "line1")
POSTING_SECONDS = 0.15


async def _until_confirmed(house: PlantHouse, documents: int) -> None:
    async def booked() -> bool:
        return len(await confirmations(house, FIRST)) >= documents

    await house.until(f"{documents} confirmations of {FIRST}", booked)


async def _start_again(house: PlantHouse) -> None:
    given = json.dumps({"plant": "demo", "order": FIRST})
    what = ("--type", "ProductionOrder", "--workflow-id", ORDER, "--task-queue", plant_task_queue("demo"))
    await house.temporal_command("workflow", "start", *what, "--input", given)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("to", ["FirstWorkflowTask", "LastWorkflowTask", "middle"])
async def test_a_running_order_that_is_reset_posts_no_piece_twice_and_loses_none(tmp_path: Path, to: str) -> None:
    async with plant_at_work(
        tmp_path, (FIRST, 30), (SECOND, 10), posting_seconds=POSTING_SECONDS, faults=[LOST_ANSWERS]
    ) as house:
        await _until_confirmed(house, 2)
        await until_posting_in_work(house)
        point = ("--type", to) if to != "middle" else ("--event-id", str(await _task_in_the_middle(house)))
        await house.temporal_command("workflow", "reset", "--workflow-id", ORDER, *point, "--reason", "a test")
        await house.until_closed(FIRST, SECOND, seconds=120)
        assert await house.differences() == []


async def _task_in_the_middle(house: PlantHouse) -> int:
    events = [e async for e in house.order_handle(FIRST).fetch_history_events()]
    done = [e.event_id for e in events if e.HasField("workflow_task_completed_event_attributes")]
    return done[len(done) // 2]


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_running_order_that_is_terminated_and_started_again_goes_on_where_the_ledger_is(tmp_path: Path) -> None:
    async with plant_at_work(
        tmp_path, (FIRST, 30), (SECOND, 10), posting_seconds=POSTING_SECONDS, faults=[LOST_ANSWERS]
    ) as house:
        for documents in (1, 4):
            await _until_confirmed(house, documents)
            await until_posting_in_work(house)
            await house.temporal_command("workflow", "terminate", "--workflow-id", ORDER, "--reason", "a test")
            await until_made(house, FIRST, "0010", 6 * documents)
            await _start_again(house)
        await house.until_closed(FIRST, SECOND, seconds=120)
        assert await house.differences() == []


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_terminated_line_goes_on_from_its_checkpoint_and_the_gateway_rewinds(tmp_path: Path) -> None:
    async with plant_at_work(tmp_path, (FIRST, 30), (SECOND, 20), speed=10) as house:
        for order, pieces in ((FIRST, 13), (SECOND, 1), (SECOND, 9)):
            await until_made(house, order, "0010", pieces)
            await house.temporal_command("workflow", "terminate", "--workflow-id", LINE, "--reason", "a test")
        await house.until_closed(FIRST, SECOND, seconds=120)
        assert await house.differences() == []


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_line_that_is_reset_reports_no_piece_twice(tmp_path: Path) -> None:
    async with plant_at_work(tmp_path, (FIRST, 30), (SECOND, 10), speed=10) as house:
        await until_made(house, FIRST, "0010", 17)
        for to in ("LastWorkflowTask", "FirstWorkflowTask"):
            where = ("--workflow-id", LINE, "--type", to, "--reason", "a test")
            await house.temporal_command("workflow", "reset", *where)
        await house.until_closed(FIRST, SECOND, seconds=120)
        assert await house.differences() == []


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_whole_run_without_any_worker_is_not_lost(tmp_path: Path) -> None:
    """The gateway starts before anybody works for it: even the Line's workflow does not exist yet."""
    async with plant_at_work(tmp_path, (FIRST, 30), (SECOND, 10), worker=False) as house:
        await until_line_is_done(house)
        assert (await house.sap("books"))["documents"] == []
        await house.start_worker()
        await house.until_closed(FIRST, SECOND, seconds=120)
        assert await house.differences() == []


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_worker_told_to_stop_ends_what_it_has_begun_and_loses_nothing(tmp_path: Path) -> None:
    async with plant_at_work(tmp_path, (FIRST, 30), (SECOND, 10), posting_seconds=0.5) as house:
        for _ in range(2):
            await until_posting_in_work(house)
            began = time.monotonic()
            assert await house.children["worker"].kill(signal.SIGTERM) == 0
            assert time.monotonic() - began < WorkerOptions().graceful_seconds + 5
            # The attempt that was on its way has ended by itself: booked, and known to the ledger as booked.
            assert (await house.sap("books"))["locks"] == []
            await house.start_worker()
        await house.until_closed(FIRST, SECOND, seconds=120)
        assert await house.differences() == []
        assert await _most_attempts(house) == 1


async def _most_attempts(house: PlantHouse) -> int:
    from ledger.connect import open_ledger

    ledger = await open_ledger(f"sqlite:///{house.folder / 'ledger.sqlite'}")
    try:
        outcomes = [p for order in (FIRST, SECOND) for p in (await ledger.load_order("demo", order)).postings]
        records = [await ledger.posting(outcome.key) for outcome in outcomes]
        return max(record.attempts for record in records if record is not None)
    finally:
        await ledger.close()
