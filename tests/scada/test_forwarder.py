"""The forwarder delivers the log in order, exactly once in effect, whatever the receiver does to it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.clock import PlantClock
from scada.forwarder import MAX_EVENTS, Forwarder
from scada.log import EdgeLog
from scada.sink import SinkUnavailable
from signals.events import BatchReceipt, CountEvent, EventBatch, StateEvent
from signals.packml import MachineState

T0 = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def count(number: int) -> CountEvent:
    at = T0 + timedelta(seconds=number)
    return CountEvent(event_id=f"c{number}", at=at, equipment="press", tag="Good", counter="good", total=number)


def counts(first: int, last: int) -> list[CountEvent]:
    return [count(n) for n in range(first, last + 1)]


class Line:
    """A receiver with the Line's own rules: drops what it has, refuses what lies beyond a hole."""

    def __init__(self) -> None:
        self.high_water: dict[str, int] = {}
        self.applied: list[tuple[str, int, str]] = []
        self.watermarks: list[datetime] = []
        self.gaps: list[tuple[int, int]] = []
        self.batches: list[EventBatch] = []
        self.in_flight = 0
        self.before: Callable[[EventBatch], None] = lambda batch: None
        self.after: Callable[[EventBatch], None] = lambda batch: None

    async def send(self, batch: EventBatch) -> BatchReceipt:
        assert self.in_flight == 0, "one batch in flight per source"
        self.in_flight += 1
        try:
            await asyncio.sleep(0)
            self.batches.append(batch)
            self.before(batch)
            receipt = self._apply(batch)
            self.after(batch)
            return receipt
        finally:
            self.in_flight -= 1

    def _apply(self, batch: EventBatch) -> BatchReceipt:
        known = self.high_water.get(batch.source, 0)
        if batch.first_seq > known + 1:
            if batch.oldest_seq <= known + 1:
                return BatchReceipt(high_water=known, applied=False)
            self.gaps.append((known + 1, batch.first_seq - 1))
        fresh = [e for e in batch.events if e.seq > known]
        self.applied += [(batch.source, e.seq, e.event.event_id) for e in fresh]
        self.high_water[batch.source] = max(known, batch.last_seq)
        if batch.watermark is not None:
            self.watermarks.append(batch.watermark)
        return BatchReceipt(
            high_water=self.high_water[batch.source], applied=True, duplicates=len(batch.events) - len(fresh)
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """The log's marks move after the receiver has answered, so there is no event of ours to wait for."""
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.002)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EdgeLog]:
    made = EdgeLog(tmp_path / "line.db", plant="plant1", line="line1")
    yield made
    made.close()


@asynccontextmanager
async def running(forwarder: Forwarder) -> AsyncIterator[Forwarder]:
    task = asyncio.create_task(forwarder.run())
    try:
        yield forwarder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def at_once(seconds: float) -> None:
    await asyncio.sleep(0)


async def test_15000_events_arrive_in_order_and_once_though_half_the_answers_are_lost(log: EdgeLog) -> None:
    chance = random.Random(7)
    line = Line()

    def lose(batch: EventBatch) -> None:
        if chance.random() < 0.25:
            raise SinkUnavailable("lost on the way")

    line.before = line.after = lose
    for first in range(1, 15_001, 3):
        log.append(counts(first, first + 2), watermark=T0 + timedelta(seconds=first))
    async with running(Forwarder(log, line, sleep=at_once)):
        await line.until(lambda: log.forwarded == 15_000)
    assert [seq for _, seq, _ in line.applied] == list(range(1, 15_001))
    assert [event for _, _, event in line.applied] == [f"c{n}" for n in range(1, 15_001)]
    assert max(len(b.events) for b in line.batches) == MAX_EVENTS
    assert all(len(b.model_dump_json()) < 70_000 for b in line.batches)
    assert line.watermarks == sorted(line.watermarks)


async def test_an_unanswered_batch_is_sent_again_unchanged(log: EdgeLog) -> None:
    line = Line()
    lost = [True]

    def lose_first(batch: EventBatch) -> None:
        if lost.pop() if lost else False:
            log.append(counts(3, 4))  # the log grows while nobody knows whether the first batch arrived
            raise SinkUnavailable("no answer")

    line.after = lose_first
    log.append(counts(1, 2))
    async with running(Forwarder(log, line, sleep=at_once, pace_seconds=0)):
        await line.until(lambda: log.forwarded == 4)
    assert line.batches[0] == line.batches[1]
    assert [seq for _, seq, _ in line.applied] == [1, 2, 3, 4]


async def test_a_receiver_that_lost_its_state_is_told_everything_again(log: EdgeLog) -> None:
    line = Line()
    log.append(counts(1, 500), watermark=T0)
    async with running(Forwarder(log, line, sleep=at_once, pace_seconds=0)) as forwarder:
        await line.until(lambda: log.forwarded == 500)
        line.high_water.clear()
        line.applied.clear()
        log.append([count(501)])
        forwarder.notify()
        await line.until(lambda: log.forwarded == 501 and len(line.applied) == 501)
    assert [seq for _, seq, _ in line.applied] == list(range(1, 502))
    assert line.gaps == []


async def test_what_the_log_no_longer_has_becomes_a_recorded_gap(log: EdgeLog) -> None:
    line = Line()
    log.append(counts(1, 300))
    log.set_forwarded(300)
    log.purge(datetime.now(UTC) + timedelta(days=1))
    log.append(counts(301, 310))
    async with running(Forwarder(log, line, sleep=at_once, pace_seconds=0)):
        await line.until(lambda: log.forwarded == 310)
    assert line.gaps == [(1, 300)]
    assert [seq for _, seq, _ in line.applied] == list(range(301, 311))


async def test_a_rewind_below_the_oldest_sends_what_is_left(log: EdgeLog) -> None:
    line = Line()
    log.append(counts(1, 100))
    log.set_forwarded(60)
    log.purge(datetime.now(UTC) + timedelta(days=1))
    line.high_water[log.source] = 10
    async with running(Forwarder(log, line, sleep=at_once, pace_seconds=0)):
        await line.until(lambda: log.forwarded == 100)
    assert line.gaps == [(11, 60)]
    assert line.batches[-1].oldest_seq == 61


async def test_a_receiver_that_knows_more_than_we_remembered_moves_us_forward(log: EdgeLog) -> None:
    line = Line()
    log.append(counts(1, 10))
    line.high_water[log.source] = 6
    async with running(Forwarder(log, line, sleep=at_once, pace_seconds=0)):
        await line.until(lambda: log.forwarded == 10)
    assert [seq for _, seq, _ in line.applied] == [7, 8, 9, 10]


async def test_a_log_restored_from_a_copy_goes_on_as_a_new_source(log: EdgeLog) -> None:
    line = Line()
    log.append(counts(1, 5))
    before = log.source
    line.high_water[before] = 40
    async with running(Forwarder(log, line, sleep=at_once, pace_seconds=0)):
        await line.until(lambda: log.source != before and log.forwarded == log.last_seq == 5)
    assert {source for source, _, _ in line.applied} == {log.source}
    assert [event for _, _, event in line.applied] == [f"c{n}" for n in range(1, 6)]


async def test_a_receiver_that_never_agrees_is_given_time(log: EdgeLog) -> None:
    line = Line()
    waits: list[float] = []
    enough = asyncio.Event()

    async def note(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            enough.set()
        await asyncio.sleep(0)

    line._apply = lambda batch: BatchReceipt(high_water=2, applied=False)  # type: ignore[method-assign]
    log.append(counts(1, 5))
    async with running(Forwarder(log, line, sleep=note, retry_seconds=(1, 2, 5))), asyncio.timeout(10):
        await enough.wait()
    assert waits[:3] == [1, 2, 5]
    assert log.forwarded == 2


async def test_states_leave_at_once_and_counts_at_their_pace(log: EdgeLog) -> None:
    line = Line()
    async with running(Forwarder(log, line, pace_seconds=0.4, watermark_seconds=60)) as forwarder:
        log.append([count(1)])
        forwarder.notify([count(1)])
        await line.until(lambda: log.forwarded == 1)
        loop = asyncio.get_running_loop()
        started = loop.time()
        log.append([count(2)])
        forwarder.notify([count(2)])
        await line.until(lambda: log.forwarded == 2)
        assert loop.time() - started > 0.2
        state = StateEvent(event_id="s1", at=T0, equipment="press", tag="State", state=MachineState.HELD)
        log.append([state])
        started = loop.time()
        forwarder.notify([state])
        await line.until(lambda: log.forwarded == 3)
        assert loop.time() - started < 0.3
    assert len(line.batches) == 3


async def test_an_idle_line_moves_only_its_watermark_and_not_at_every_heartbeat(log: EdgeLog) -> None:
    line = Line()
    async with running(Forwarder(log, line, pace_seconds=0, watermark_seconds=0.3)) as forwarder:
        loop = asyncio.get_running_loop()
        started = loop.time()
        for beat in range(30):
            log.append([], watermark=T0 + timedelta(seconds=beat))
            forwarder.notify()
            await asyncio.sleep(0.02)
        elapsed = loop.time() - started
        await line.until(lambda: line.watermarks[-1:] == [T0 + timedelta(seconds=29)])
    assert all(b.events == () and b.last_seq == b.first_seq - 1 for b in line.batches)
    assert len(line.batches) <= elapsed / 0.3 + 3


async def test_a_backlog_does_not_claim_the_watermark_of_its_end(log: EdgeLog) -> None:
    line = Line()
    for first in range(1, 601, 100):
        log.append(counts(first, first + 99), watermark=count(first + 99).at)
    async with running(Forwarder(log, line, pace_seconds=0)):
        await line.until(lambda: log.forwarded == 600)
    for batch in line.batches:
        assert batch.watermark is None or all(
            e.event.at > batch.watermark for later in line.batches for e in later.events if e.seq > batch.last_seq
        )
    assert line.watermarks[-1] == count(600).at


async def test_batches_say_when_they_were_sent_in_plant_time(log: EdgeLog) -> None:
    line = Line()
    clock = PlantClock(wall_epoch=datetime.now(UTC), plant_epoch=datetime(2016, 11, 29, tzinfo=UTC), factor=60)
    log.append([count(1)])
    async with running(Forwarder(log, line, clock=clock)):
        await line.until(lambda: log.forwarded == 1)
    sent = line.batches[0].sent_at
    assert sent is not None
    assert timedelta(0) <= sent - datetime(2016, 11, 29, tzinfo=UTC) < timedelta(hours=1)


async def test_what_somebody_must_act_on_is_sent_at_once_and_so_is_the_watermark_that_has_passed_it(
    log: EdgeLog,
) -> None:
    line, clock = Line(), [0.0]
    forwarder = Forwarder(log, line, pace_seconds=3600, watermark_seconds=3600, monotonic=lambda: clock[0])
    async with running(forwarder):
        log.append([count(1)], watermark=T0)
        forwarder.notify(owed=count(1).at)
        await line.until(lambda: len(line.batches) == 1)
        assert forwarder.owes and line.watermarks[-1] < count(1).at
        log.append([], watermark=T0 + timedelta(seconds=0.5))
        forwarder.notify()
        log.append([], watermark=count(1).at)
        forwarder.notify()
        await line.until(lambda: line.watermarks[-1] == count(1).at)
        await line.until(lambda: not forwarder.owes)
        log.append([count(2)], watermark=count(2).at)
        forwarder.notify([count(2)])
        for _ in range(20):
            await asyncio.sleep(0)
    assert [(b.first_seq, b.last_seq) for b in line.batches] == [(1, 1), (2, 1)], "the rest waits for the pace again"
