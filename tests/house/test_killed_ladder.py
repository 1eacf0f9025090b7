"""A ladder of three levels while worker and Temporal die between any two of its steps: each calls once, in time.

Real processes. The stop is written into the ledger as a Line writes it; a worker that finds it starts its process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.connect import open_ledger
from ledger.port import LineRecord
from ledger.store import SqlLedger
from signals.downtime import AcknowledgeStop, StopFact, StopRecord, StopStretch, TimeClass
from signals.ids import stop_id
from signals.people import Actor
from tests.house.plant_house import PlantHouse
from tests.workflows.bench import eventually
from workers.stop_desk import act_on_stop

NAME, LINE = "ladder", "line1"
LEVELS = (0.1, 0.4, 0.7)
"""Minutes after which the levels call."""
IN_TIME = timedelta(seconds=5)

PLANT = f"""
schema = 1
[plant]
id = "{NAME}"
[quality]
signatures = "off"
[downtime]
acknowledge_minutes = 30
{
    "".join(
        f'[[downtime.rung]]{chr(10)}timer = "response"{chr(10)}after_minutes = {m}{chr(10)}roles = ["{r}"]{chr(10)}'
        for m, r in zip(LEVELS, ("operator", "maintenance", "supervisor"), strict=True)
    )
}
[[line]]
id = "{LINE}"
[[line.station]]
id = "press"
operation = "0010"
[[line.station.tag]]
name = "State"
kind = "state"
[erp]
kind = "sap"
url = "http://127.0.0.1:1"
plant = "1010"
timeout_seconds = 1
"""


@dataclass
class Tower:
    """The house, its ledger, and the stop."""

    house: PlantHouse
    ledger: SqlLedger
    stop: str = ""

    async def stands(self) -> None:
        """The Line has found that it stands, and that it stands no longer than this."""
        since = datetime.now(UTC)
        self.stop = stop_id(since)
        stretch = StopStretch(started_at=since, time_class=TimeClass.STOP, station="press")
        fact = StopFact(stop=self.stop, plant=NAME, line=LINE, version=1, started_at=since, as_of=since,
                        stretches=(stretch,))  # fmt: skip
        record = LineRecord(plant=NAME, line=LINE, revision=1, checkpoint="{}", stops=(fact,))
        assert await self.ledger.record_line(record) is None

    async def until(self, what: Callable[[StopRecord], object]) -> StopRecord:
        async def ask() -> StopRecord | None:
            return await self.ledger.stop(NAME, LINE, self.stop)

        found = await eventually(ask, lambda r: r is not None and what(r), 90)
        assert found is not None
        return found


@asynccontextmanager
async def tower(folder: Path) -> AsyncIterator[Tower]:
    async with PlantHouse(folder, plant=PLANT) as house:
        house.orders = ()
        ledger = await open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
        try:
            place = Tower(house, ledger)
            await place.stands()
            await house.start_worker()
            yield place
        finally:
            await ledger.close()


def levels(record: StopRecord) -> list[int]:
    return [r.level for r in record.rungs if r.fired_at is not None]


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_each_level_calls_once_and_in_time_though_worker_and_server_are_killed_in_between(tmp_path: Path) -> None:
    async with tower(tmp_path) as place:
        up = [datetime.now(UTC)]
        await place.until(lambda r: r.history)
        for level in range(1, len(LEVELS) + 1):
            for victim in ("worker", "temporal"):
                await place.house.strike(victim, pause=0)
            up.append(datetime.now(UTC))
            await place.until(lambda r, level=level: levels(r) == list(range(1, level + 1)))
        record = await place.until(lambda r: levels(r) == [1, 2, 3])
        for rung, back in zip(record.rungs, up[1:], strict=True):
            assert rung.fired_at is not None
            assert rung.due_at <= rung.fired_at <= max(rung.due_at, back) + IN_TIME
        told = [e.text for e in record.history if e.what == "called"]
        assert len(told) == len(set(told)) == len(LEVELS)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_nobody_is_called_after_the_acknowledgement_whoever_is_killed(tmp_path: Path) -> None:
    async with tower(tmp_path) as place:
        await place.until(lambda r: levels(r) == [1])
        actor = Actor(user="fitter-1", role="maintenance", plant=NAME)
        act = AcknowledgeStop(action_id="a1", actor=actor)
        answer = await act_on_stop(place.house.client, place.ledger, NAME, LINE, place.stop, act)
        assert answer.accepted, answer.message
        record = await place.until(lambda r: r.acknowledged_at)
        for victim in ("worker", "temporal"):
            await place.house.strike(victim, pause=0)
        last = record.fact.started_at + timedelta(minutes=LEVELS[-1]) + IN_TIME
        # Its own clock says when the last level would have called: a comment taken in after that proves it is awake.
        await eventually(_now, lambda now: now > last, 90)
        again = await act_on_stop(
            place.house.client, place.ledger, NAME, LINE, place.stop, act.model_copy(update={"action_id": "a2"})
        )
        assert again.accepted, again.message
        assert levels(await place.until(lambda r: len([e for e in r.history if e.what == "acknowledged"]) == 2)) == [1]


async def _now() -> datetime:
    return datetime.now(UTC)
