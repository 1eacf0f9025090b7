"""Stops for the console's house: reasons, shifts, facts as a Line tells them, acts judged as their process does."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from domain import stop_acts
from domain.plant import PlantConfig
from domain.stop_process import StopProcess, StopSettings
from domain.stop_rules import StopRules
from ledger.port import LineRecord
from ledger.store import SqlLedger
from signals.bookings import TransactionType
from signals.decisions import Answer
from signals.downtime import StopAct, StopAlarm, StopFact, StopRecord, StopStretch, TimeClass
from signals.errors import BadInput
from signals.ids import stop_id
from signals.packml import MachineState

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
_revisions = itertools.count(1)

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
SHIFTS: list[dict[str, Any]] = [
    {"name": "early", "start": "06:00", "end": "14:00", "days": DAYS},
    {"name": "late", "start": "14:00", "end": "22:00", "days": DAYS},
    {"name": "night", "start": "22:00", "end": "06:00", "days": DAYS},
]
DOWNTIME: dict[str, Any] = {
    "reason": [
        {"id": "equipment", "text": "Equipment"},
        {"id": "die", "text": "Die broken", "parent": "equipment", "cost_centre": "4711", "notify": True,
         "breakdown": True, "capacity": True},
        {"id": "hydraulics", "text": "Hydraulics", "parent": "equipment", "alarms": ["HYD*"], "capacity": True},
        {"id": "sensor", "text": "Sensor", "parent": "equipment"},
        {"id": "supply", "text": "Supply", "time_class": "starved", "owner": "planner"},
        {"id": "no-coil", "text": "No coil", "parent": "supply"},
        {"id": "no-pallet", "text": "No pallets", "parent": "supply"},
        {"id": "changeover", "text": "Changeover", "time_class": "setup"},
        {"id": "break", "text": "Break", "time_class": "planned"},
    ],
    "rung": [
        {"timer": "response", "after_minutes": 0, "roles": ["operator", "maintenance"]},
        {"timer": "response", "after_minutes": 10, "roles": ["maintenance", "supervisor"]},
        {"timer": "response", "after_minutes": 30, "roles": ["supervisor", "planner"]},
        {"timer": "resolution", "after_minutes": 30, "roles": ["maintenance", "supervisor"]},
    ],
}  # fmt: skip


def fact(
    plant: str, line: str, began: datetime, ended: datetime | None, *, version: int = 1, alarm: str = "", **more: Any
) -> StopFact:
    """A stop of one stretch."""
    own = more.pop("time_class", TimeClass.STOP)
    stretch = StopStretch(
        started_at=began, ended_at=ended, time_class=own, state=MachineState.HELD, station="press",
        order=more.pop("order", "1000017"), operation="0010", alarm=alarm, machine_reason=alarm,
    )  # fmt: skip
    alarms = (StopAlarm(at=began, station="press", code=alarm, text="pressure low", first=True),) if alarm else ()
    return StopFact(
        stop=stop_id(began), plant=plant, line=line, version=version, started_at=began, ended_at=ended,
        as_of=ended or began + timedelta(minutes=1), stretches=(stretch,), alarms=alarms,
        alarm_count=more.pop("alarm_count", len(alarms)),
        **more,
    )  # fmt: skip


async def tell(ledger: SqlLedger, *facts: StopFact) -> None:
    """As a Line tells them, with its checkpoint."""
    from domain.line_state import LineState

    first = facts[0]
    stored = await ledger.load_line(first.plant, first.line)
    before = (
        stored.checkpoint if stored is not None else LineState(plant=first.plant, line=first.line).model_dump_json()
    )
    revision = (stored.revision if stored is not None else 0) + next(_revisions)
    record = LineRecord(plant=first.plant, line=first.line, revision=revision, checkpoint=before, stops=facts)
    assert await ledger.record_line(record) is None


async def stands(
    ledger: SqlLedger, plant: PlantConfig, now: datetime, *, line: str = "line-1", minutes: float = 4,
    lasted: float | None = None, **more: Any,
) -> StopRecord:  # fmt: skip
    """A stop that began so many minutes ago, with its process begun and its ladder climbed as far as due."""
    began = now - timedelta(minutes=minutes)
    ended = None if lasted is None else began + timedelta(minutes=lasted)
    told = fact(plant.plant.id, line, began, ended, **more)
    await tell(ledger, told)
    return await live_on(ledger, plant, line, told.stop, now)


async def live_on(ledger: SqlLedger, plant: PlantConfig, line: str, stop: str, now: datetime) -> StopRecord:
    """What the stop's process does until now: it takes the newest fact, fires what is due, closes what may close."""
    state = await _process(ledger, plant, line, stop, now)
    while (rung := state.due_rung(now)) is not None:
        state.fired(rung, rung.due_at)
    if state.may_close(now):
        state.close(now)
    await ledger.record_stop(state.record)
    return state.record


async def act_on_stop(
    ledger: SqlLedger, plant: PlantConfig, line: str, stop: str, act: StopAct, now: datetime
) -> Answer:
    """Judged and recorded as the process does it. Refusals are answers."""
    state = await _process(ledger, plant, line, stop, now)
    accepted, message = stop_acts.apply(state, act, now)
    if accepted:
        await ledger.record_stop(state.record)
    return Answer(decision_id=act.action_id, accepted=accepted, message=message)


async def _process(ledger: SqlLedger, plant: PlantConfig, line: str, stop: str, now: datetime) -> StopProcess:
    record, config = await ledger.stop(plant.plant.id, line, stop), plant.line(line)
    if record is None or config is None or record.fact.micro:
        raise BadInput(f"plant {plant.plant.id} has no stop {stop} of line {line}", subject=stop)
    rules = StopRules.of(plant, config)
    settings = StopSettings(plant=rules, books=(TransactionType.ADJUST_CAPACITY,))
    begun = record.fact.started_at if not record.history else now
    state = StopProcess.begun(record, settings, begun)
    state.known_at = max(record.fact.started_at, begun if not record.history else record.history[0].at)
    state.refresh(now)
    return state
