"""The ladder: every level in order, each once, by absolute deadlines; who is called is who works then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from domain.plant import PlantConfig
from domain.stop_ladder import (
    LadderInput,
    calls_anybody,
    due_rungs,
    fire,
    handed_over,
    is_quiet,
    next_wake,
    noticed_at,
    retarget,
    rungs_for,
)
from signals.downtime import LadderRung
from tests.domain.stop_floor import EXECUTE, HELD, IDLE, START, Script, parts, play, stop_plant

RUNGS: TypeAdapter[tuple[LadderRung, ...]] = TypeAdapter(tuple[LadderRung, ...])
ON_CALL = [
    {"role": "maintenance", "user": "max", "shifts": ["early"]},
    {"role": "maintenance", "user": "nora", "shifts": ["night"]},
    {"role": "operator", "user": "otto"},
    {"role": "supervisor", "user": "sue", "days": ["sat"]},
]
NIGHT = START + timedelta(minutes=10)
"""In the night shift of Saturday, which lasts until four UTC."""


def after(minutes: float) -> datetime:
    return NIGHT + timedelta(minutes=minutes)


def shown(rungs: Sequence[LadderRung]) -> list[tuple[str, int, datetime]]:
    return [(r.timer, r.level, r.due_at) for r in rungs if r.fired_at is None]


def test_response_climbs_until_somebody_acknowledges_and_resolution_from_then_on() -> None:
    plant = stop_plant()
    given_one = LadderInput(since=NIGHT)
    rungs = rungs_for(plant, given_one)
    assert shown(rungs) == [("response", 1, after(0)), ("response", 2, after(10)), ("response", 3, after(30))]
    rungs = fire(rungs, rungs[0], after(0))
    given_one = given_one._replace(acknowledged_at=after(5), acknowledged_until=after(65))
    rungs = rungs_for(plant, given_one, rungs)
    # Nobody is called any more for the response, unless the acknowledgement expires.
    assert shown(rungs) == [
        ("resolution", 1, after(35)),
        ("resolution", 2, after(65)),
        ("response", 1, after(65)),
        ("response", 2, after(75)),
        ("response", 3, after(95)),
    ]
    # A second acknowledgement holds off the response, not the resolution.
    given_one = given_one._replace(acknowledged_at=after(40), acknowledged_until=after(100))
    rungs = rungs_for(plant, given_one, rungs)
    assert [r for r in shown(rungs) if r[0] == "resolution"] == [
        ("resolution", 1, after(35)),
        ("resolution", 2, after(65)),
    ]
    assert rungs_for(plant, given_one._replace(ended=True), rungs) == rungs[:1]


def test_shelving_postpones_and_keeps_the_steps_apart() -> None:
    plant = stop_plant()
    given_one = LadderInput(since=NIGHT)
    rungs = rungs_for(plant, given_one)
    rungs = fire(rungs, rungs[0], after(0))
    given_one = given_one._replace(shelved_until=after(120))
    rungs = rungs_for(plant, given_one, rungs)
    assert shown(rungs) == [("response", 2, after(120)), ("response", 3, after(140))]
    rungs = rungs_for(plant, given_one, fire(rungs, rungs[1], after(120)))
    assert shown(rungs) == [("response", 3, after(140))]


def test_planned_time_calls_nobody_and_what_follows_it_does() -> None:
    plant = stop_plant()
    script = Script().runs().order(90, "weld", "").state(100, "weld", IDLE)
    (fact,) = play(script, until=3000)
    found = parts(fact)
    assert is_quiet(found) and rungs_for(plant, LadderInput(since=fact.started_at, quiet=True)) == ()
    (fact,) = play(script.order(4000, "weld", "B"), until=5000)
    found = parts(fact)
    assert not is_quiet(found)
    assert noticed_at(found, fact.started_at) == START + timedelta(seconds=4000)


def test_a_stop_that_is_over_when_it_becomes_known_calls_nobody() -> None:
    (fact,) = play(Script().runs().state(100, "weld", HELD).state(4000, "weld", EXECUTE))
    assert not calls_anybody(fact)
    (fact,) = play(Script().runs().state(100, "weld", HELD), until=200)
    assert calls_anybody(fact)


def test_deadlines_run_while_people_work() -> None:
    # Sunday's late shift ends at eight local time; the night's people find what nobody was called for.
    since = datetime(2026, 3, 29, 17, 55, tzinfo=UTC)
    rungs = rungs_for(stop_plant(), LadderInput(since=since))
    assert [r.due_at for r in rungs] == [
        since,
        datetime(2026, 3, 29, 20, 5, tzinfo=UTC),
        datetime(2026, 3, 29, 20, 25, tzinfo=UTC),
    ]


def test_a_change_of_shift_calls_the_people_of_the_new_one() -> None:
    plant = stop_plant(on_call=ON_CALL)
    since = datetime(2026, 3, 29, 3, 55, tzinfo=UTC)
    given_one = LadderInput(since=since)
    rungs = rungs_for(plant, given_one)
    assert [r.users for r in rungs] == [("otto", "nora"), ("max",), ()]
    rungs = fire(rungs, rungs[0], since)
    change = datetime(2026, 3, 29, 4, 0, tzinfo=UTC)
    assert next_wake(plant, given_one, rungs, since) == change
    assert handed_over(plant, given_one, rungs, since) == ()
    changed = handed_over(plant, given_one, rungs, change)
    assert [(r.level, r.users) for r in changed] == [(1, ("otto", "max"))]
    rungs = retarget(rungs, changed)
    assert handed_over(plant, given_one, rungs, change) == ()
    assert [r.fired_at for r in rungs] == [since, None, None]
    answered = given_one._replace(acknowledged_at=since, acknowledged_until=change + timedelta(hours=1))
    assert handed_over(plant, answered, rungs, change + timedelta(minutes=1)) == ()


# --- properties ----------------------------------------------------------------------------------------------------
class Climber:
    """Drives a ladder as a workflow does: looks, fires what is due, remembers it, looks again."""

    def __init__(self, plant: PlantConfig) -> None:
        self.plant = plant
        self.given = LadderInput(since=NIGHT)
        self.rungs: tuple[LadderRung, ...] = ()
        self.calls: list[tuple[str, datetime | None, int, datetime, datetime]] = []

    def look(self, now: datetime) -> None:
        self.rungs = RUNGS.validate_json(RUNGS.dump_json(rungs_for(self.plant, self.given, self.rungs)))
        for rung in due_rungs(self.rungs, now):
            self.calls.append((rung.timer, rung.armed_at, rung.level, rung.due_at, now))
            self.rungs = fire(self.rungs, rung, now)

    def live(self, start: datetime, end: datetime, extra: Sequence[datetime] = ()) -> None:
        """Until `end`, waking when the ladder says so, and whenever something else happens."""
        looks, now = sorted(t for t in extra if start < t < end), start
        while True:
            self.look(now)
            wake = next_wake(self.plant, self.given, self.rungs, now)
            times = [t for t in [wake, *looks[:1]] if t is not None and t > now]
            if not times or min(times) >= end:
                return
            now = min(times)
            looks = [t for t in looks if t > now]


ACTS = st.lists(
    st.tuples(
        st.integers(1, 600),
        st.sampled_from(["acknowledge", "shelve", "plan", "unplan", "end", "reopen", "explain"]),
        st.integers(1, 120),
    ),
    max_size=6,
    unique_by=lambda a: a[0],
).map(sorted)


def apply(given_one: LadderInput, act: str, now: datetime, minutes: int) -> LadderInput:
    until = now + timedelta(minutes=minutes)
    match act:
        case "acknowledge":
            return given_one._replace(acknowledged_at=now, acknowledged_until=until)
        case "shelve":
            return given_one._replace(shelved_until=until)
        case "explain":
            return given_one._replace(since=NIGHT + timedelta(minutes=minutes))
        case "plan" | "unplan":
            return given_one._replace(quiet=act == "plan")
        case _:
            return given_one._replace(ended=act == "end")


def climb(acts: list[tuple[int, str, int]], extra: Sequence[datetime], *, awake: bool = True) -> Climber:
    climber = Climber(stop_plant(on_call=ON_CALL))
    now = NIGHT
    for minute, act, length in acts:
        at = after(minute)
        if awake:
            climber.live(now, at, extra)
        climber.given = apply(climber.given, act, at, length)
        now = at
    climber.live(now, after(3000), extra)
    return climber


@settings(max_examples=200, deadline=None)
@given(ACTS, st.lists(st.integers(0, 60_000).map(lambda s: NIGHT + timedelta(seconds=s)), max_size=20))
def test_no_level_is_left_out_and_none_is_fired_twice(acts: list[tuple[int, str, int]], extra: list[datetime]) -> None:
    climber = climb(acts, extra)
    once = [(timer, armed, level) for timer, armed, level, _, _ in climber.calls]
    assert len(once) == len(set(once))
    levels: dict[tuple[str, datetime | None], list[int]] = {}
    for timer, armed, level in once:
        levels.setdefault((timer, armed), []).append(level)
    assert all(found == list(range(1, len(found) + 1)) for found in levels.values())
    # Explaining the stop another way begins no timer anew; only an acknowledgement that expires does.
    beginnings = [armed for timer, armed in levels if timer == "response"]
    assert len(beginnings) <= 1 + sum(act == "acknowledge" for _, act, _ in acts)
    assert all(now >= due for *_, due, now in climber.calls)
    # Looking more often changes nothing: neither who is called nor when.
    assert climb(acts, []).calls == climber.calls


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3000))
def test_after_an_outage_what_was_due_is_fired_at_once_in_its_order(minutes: int) -> None:
    climber = Climber(stop_plant())
    climber.look(after(0))
    climber.look(after(minutes))
    expected = [1, *([2] if minutes >= 10 else []), *([3] if minutes >= 30 else [])]
    assert [level for _, _, level, _, _ in climber.calls] == expected


@pytest.mark.parametrize("awake", [True, False])
def test_recovery_ends_the_ladder(awake: bool) -> None:
    climber = climb([(15, "end", 1)], [], awake=awake)
    assert [level for _, _, level, _, _ in climber.calls] == ([1, 2] if awake else [])
