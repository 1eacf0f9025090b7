"""Who is called about a stop, and when: absolute deadlines from the stop's facts, never from when somebody looked.

Two timers. Response runs until somebody acknowledges; an acknowledgement expires, and response begins anew. Resolution
runs from the first acknowledgement until the line runs. Minutes are working time. A rung is fired once per beginning
of its timer (`armed_at`), in order of its level; nothing fires while the stop is planned, not scheduled or shelved.
The caller keeps the rungs, marks those that it has fired, and asks again after every change and at `next_wake`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from domain.plant import PlantConfig, ShiftConfig, SiteConfig
from domain.plant_downtime import DowntimeConfig, RungConfig, Timer
from domain.shifts import shift_at
from domain.stop_rules import StopRules
from domain.working_time import after_working_time
from signals.downtime import LadderRung, StopFact, StopPart, TimeClass

QUIET = (TimeClass.PLANNED, TimeClass.SETUP, TimeClass.NOT_SCHEDULED, TimeClass.RUNNING, TimeClass.MICRO_STOP)
"""A stop that is this now calls nobody."""

_DAYS: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class LadderInput(NamedTuple):
    """What the ladder of a stop stands on."""

    since: datetime
    """When people could first know: the later of the stop's start and of when it became known (plant time)."""
    ended: bool = False
    quiet: bool = False
    acknowledged_at: datetime | None = None
    acknowledged_until: datetime | None = None
    shelved_until: datetime | None = None


def calls_anybody(fact: StopFact) -> bool:
    """A stop that had already ended when its facts arrived calls nobody; nor does a micro-stop."""
    return fact.ended_at is None and not fact.micro


def is_quiet(parts: Sequence[StopPart]) -> bool:
    """Whether what goes on now is planned: the stop's last part decides."""
    return bool(parts) and parts[-1].time_class in QUIET


def noticed_at(parts: Sequence[StopPart], known_at: datetime) -> datetime:
    """`since` of a ladder: when people could first know of downtime that is nobody's plan."""
    loud = next((p.started_at for p in parts if p.time_class not in (*QUIET, TimeClass.NO_DATA)), None)
    return max(known_at, loud) if loud is not None else known_at


def rungs_for(
    plant: PlantConfig | StopRules, given: LadderInput, rungs: Sequence[LadderRung] = ()
) -> tuple[LadderRung, ...]:
    """All rungs as they stand now: the fired ones unchanged, then the open ones of this ladder by their due time."""
    fired = [r for r in rungs if r.fired_at is not None]
    if given.ended or given.quiet:
        return tuple(fired)
    resolution = next((r.armed_at for r in rungs if r.timer == "resolution" and r.armed_at is not None), None)
    if given.acknowledged_at is not None and resolution is None:
        resolution = given.acknowledged_at
    opened: list[LadderRung] = []
    response = _response_from(given, fired)
    if response is not None:
        opened += _open(plant, "response", response, given, fired)
    if resolution is not None:
        opened += _open(plant, "resolution", resolution, given, fired)
    return (*fired, *sorted(opened, key=lambda r: (r.due_at, r.timer, r.level)))


def _response_from(given: LadderInput, fired: Sequence[LadderRung]) -> datetime | None:
    """When the response timer began; None while an acknowledgement holds for good.

    Once it has called somebody its beginning stays: explaining the stop another way calls nobody a second time.
    """
    if given.acknowledged_at is not None:
        return given.acknowledged_until
    begun = [r.armed_at for r in fired if r.timer == "response" and r.armed_at is not None]
    return min(begun, default=given.since)


def _open(
    plant: PlantConfig | StopRules, timer: Timer, armed_at: datetime, given: LadderInput, fired: Sequence[LadderRung]
) -> list[LadderRung]:
    """A timer's rungs that have not fired since it was armed. None is due before a lower one."""
    steps = plant.downtime.rungs_of(timer)
    mine = {r.level: r for r in fired if r.timer == timer and r.armed_at == armed_at}
    shelved = given.shelved_until
    first = next((n for n, _ in enumerate(steps, 1) if _is_open_at(mine.get(n), shelved)), 0)
    found: list[LadderRung] = []
    for level, step in enumerate(steps, start=1):
        if level in mine:
            continue
        due = _after(plant, armed_at, step.after_minutes)
        if shelved is not None and shelved > armed_at and first:
            waits = step.after_minutes - steps[first - 1].after_minutes
            due = max(due, _after(plant, shelved, waits))
        found.append(_rung(plant, timer, level, step, armed_at, due))
    return found


def _is_open_at(rung: LadderRung | None, at: datetime | None) -> bool:
    return rung is None or (at is not None and rung.fired_at is not None and rung.fired_at >= at)


def _after(plant: PlantConfig | StopRules, start: datetime, minutes: float) -> datetime:
    return after_working_time(plant.plant, plant.shifts, start, timedelta(minutes=max(minutes, 0)))


def _rung(
    plant: PlantConfig | StopRules, timer: Timer, level: int, step: RungConfig, armed_at: datetime, due: datetime
) -> LadderRung:
    users = on_call(plant.downtime, plant.plant, plant.shifts, step.roles, due)
    return LadderRung(level=level, timer=timer, due_at=due, roles=step.roles, users=users, armed_at=armed_at)


def due_rungs(rungs: Sequence[LadderRung], now: datetime) -> tuple[LadderRung, ...]:
    """What is to be fired now, lowest first: after an outage every rung that was due meanwhile, none left out."""
    return tuple(r for r in rungs if r.fired_at is None and r.due_at <= now)


def fire(rungs: Sequence[LadderRung], rung: LadderRung, now: datetime) -> tuple[LadderRung, ...]:
    """The rungs with this one fired. One that has fired stays as it is."""
    return tuple(
        r.model_copy(update={"fired_at": now}) if r.fired_at is None and _name(r) == _name(rung) else r for r in rungs
    )


def _name(rung: LadderRung) -> tuple[str, datetime | None, int]:
    return (rung.timer, rung.armed_at, rung.level)


def handed_over(
    plant: PlantConfig | StopRules, given: LadderInput, rungs: Sequence[LadderRung], now: datetime
) -> tuple[LadderRung, ...]:
    """Fired steps that nobody has answered, with the people of the shift that runs now where they are others.

    A step of the present timer that has called the shift before calls the next one too. Replace the rung by what is
    returned, and tell its users.
    """
    if given.ended or given.quiet or (given.shelved_until is not None and now < given.shelved_until):
        return ()
    answered = given.acknowledged_at is not None and (
        given.acknowledged_until is None or now < given.acknowledged_until
    )
    if answered:
        return ()
    base = _response_from(given, [r for r in rungs if r.fired_at is not None])
    waiting = [r for r in rungs if r.fired_at is not None and r.timer == "response" and r.armed_at == base]
    changed: list[LadderRung] = []
    for rung in waiting:
        users = on_call(plant.downtime, plant.plant, plant.shifts, rung.roles, now)
        if users and set(users) - set(rung.users):
            changed.append(rung.model_copy(update={"users": users}))
    return tuple(changed)


def retarget(rungs: Sequence[LadderRung], changed: Sequence[LadderRung]) -> tuple[LadderRung, ...]:
    """The rungs with the handed-over ones in the place of their old selves."""
    new = {_name(r): r for r in changed}
    return tuple(new.get(_name(r), r) for r in rungs)


def next_wake(
    plant: PlantConfig | StopRules, given: LadderInput, rungs: Sequence[LadderRung], now: datetime
) -> datetime | None:
    """When to look again if nothing happens: the next rung, or the end of a shift that matters."""
    if given.ended:
        return None
    times = [r.due_at for r in rungs if r.fired_at is None]
    unanswered = any(r.fired_at is not None and r.timer == "response" for r in rungs)
    if (unanswered and plant.downtime.on_call) or given.quiet:
        times.append(shift_at(plant.plant, plant.shifts, now).end)
    return min(times, default=None)


def on_call(
    config: DowntimeConfig, site: SiteConfig, shifts: tuple[ShiftConfig, ...], roles: Sequence[str], at: datetime
) -> tuple[str, ...]:
    """Who answers for the roles at an instant, each once, in the plant file's order."""
    span = shift_at(site, shifts, at)
    day = _DAYS[span.day.weekday()]
    found = [
        entry.user
        for role in roles
        for entry in config.on_call
        if entry.role == role
        and (not entry.shifts or span.name in entry.shifts)
        and (not entry.days or day in entry.days)
    ]
    return tuple(dict.fromkeys(found))
