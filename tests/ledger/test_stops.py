"""Stops in the ledger: the newest fact stands, a record that missed one ends nothing, history for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ledger.port import LineRecord
from ledger.store import SqlLedger
from signals.downtime import StopEvent, StopFact, StopRecord, StopSearch, StopState, StopStretch, TimeClass
from signals.ids import stop_id
from tests.ledger.examples import PLANT, START

LINE = "line-1"
MINUTE = timedelta(minutes=1)


def fact(version: int = 1, *, start: int = 0, end: int | None = None, **more: Any) -> StopFact:
    began = START + start * MINUTE
    ended = None if end is None else START + end * MINUTE
    return StopFact(
        stop=stop_id(began), plant=PLANT, line=LINE, version=version, started_at=began, ended_at=ended,
        as_of=START + (end or start + 2) * MINUTE,
        stretches=(StopStretch(started_at=began, ended_at=ended, time_class=TimeClass.STOP),), **more,
    )  # fmt: skip


async def tell(ledger: SqlLedger, revision: int, *facts: StopFact) -> None:
    record = LineRecord(plant=PLANT, line=LINE, revision=revision, checkpoint="{}", stops=facts)
    assert await ledger.record_line(record) is None


async def stop_of(ledger: SqlLedger, told: StopFact) -> StopRecord:
    found = await ledger.stop(PLANT, LINE, told.stop)
    assert found is not None
    return found


def closed(record: StopRecord, **changes: Any) -> StopRecord:
    return record.model_copy(update={"revision": record.revision + 1, "state": StopState.CLOSED, **changes})


async def test_a_fact_comes_with_the_lines_checkpoint_and_the_newest_stands(ledger: SqlLedger) -> None:
    await tell(ledger, 1, fact(1))
    await tell(ledger, 2, fact(3, end=9))
    await tell(ledger, 3, fact(2, end=5))
    record = await stop_of(ledger, fact())
    assert (record.state, record.fact.version, record.fact.ended_at) == (StopState.OPEN, 3, START + 9 * MINUTE)
    assert await ledger.stop(PLANT, LINE, "never") is None


async def test_a_checkpoint_that_is_told_again_tells_no_stop_twice(ledger: SqlLedger) -> None:
    await tell(ledger, 1, fact(1))
    await tell(ledger, 1, fact(1))
    assert len(await ledger.stops(PLANT, StopSearch())) == 1


async def test_a_record_that_missed_the_newest_fact_does_not_end_the_stop(ledger: SqlLedger) -> None:
    await tell(ledger, 1, fact(1, end=5))
    seen = await stop_of(ledger, fact())
    await tell(ledger, 2, fact(2))
    assert not await ledger.record_stop(closed(seen))
    assert (await stop_of(ledger, fact())).state is StopState.OPEN
    assert await ledger.record_stop(closed(seen, fact=fact(2, end=8)))
    record = await stop_of(ledger, fact())
    assert (record.state, record.fact.ended_at) == (StopState.CLOSED, START + 8 * MINUTE)


async def test_a_closed_stop_that_trips_again_is_open_again(ledger: SqlLedger) -> None:
    await tell(ledger, 1, fact(1, end=5))
    assert await ledger.record_stop(closed(await stop_of(ledger, fact())))
    assert await ledger.stops(PLANT, StopSearch()) == []
    await tell(ledger, 2, fact(2))
    assert [s.fact.version for s in await ledger.stops(PLANT, StopSearch())] == [2]


async def test_an_older_revision_changes_nothing_but_its_history_stays(ledger: SqlLedger) -> None:
    await tell(ledger, 1, fact(1))
    seen = await stop_of(ledger, fact())
    newer = seen.model_copy(update={"revision": 5, "assigned_to": "fitter-1"})
    assert await ledger.record_stop(newer)
    entry = StopEvent(number=1, at=START, what="opened", text="it stands")
    assert not await ledger.record_stop(seen.model_copy(update={"revision": 4, "history": (entry,)}))
    record = await stop_of(ledger, fact())
    assert (record.assigned_to, record.history) == ("fitter-1", (entry,))


async def test_micro_stops_are_counted_apart_and_never_open(ledger: SqlLedger) -> None:
    await tell(ledger, 1, fact(1, end=1, micro=True), fact(1, start=10))
    assert [s.fact.micro for s in await ledger.stops(PLANT, StopSearch(open_only=False, micro=True))] == [False, True]
    assert [s.fact.micro for s in await ledger.stops(PLANT, StopSearch(open_only=False))] == [False]


async def test_a_search_by_time_finds_what_overlaps(ledger: SqlLedger) -> None:
    await tell(ledger, 1, fact(1, end=5), fact(1, start=20, end=30), fact(1, start=40))

    async def starts(since: int, until: int) -> list[int]:
        search = StopSearch(open_only=False, since=START + since * MINUTE, until=START + until * MINUTE)
        return [int((s.fact.started_at - START) / MINUTE) for s in await ledger.stops(PLANT, search)]

    assert await starts(4, 21) == [20, 0]
    assert await starts(5, 20) == []
    assert await starts(50, 60) == [40]
