"""Parts of a stop: cut at shifts, classes, orders and marks; to the second the whole, on every kind of day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.plant import PlantConfig, ShiftConfig, SiteConfig
from domain.plant_calendar import HolidayConfig, OvertimeConfig
from domain.shifts import shift_at
from domain.stop_parts import parts_of
from domain.stop_reasons import cost_centre, owner_role, reason_of, reason_text
from signals.downtime import ReasonMark, ReasonStatus, StopFact, StopPart, StopStretch, TimeClass
from signals.ids import stop_id
from signals.packml import MachineState
from tests.domain.stop_floor import EXECUTE, HELD, SUSPENDED, Script, at, parts, play, seconds_of, stop_plant

TREE = [
    {"id": "machine", "text": "Machine", "cost_centre": "4711"},
    {"id": "press", "parent": "machine", "text": "Press", "owner": "supervisor"},
    {"id": "die", "parent": "press", "text": "Die broken", "alarms": ["50*"], "cost_centre": "4712", "notify": True},
    {"id": "electric", "parent": "machine", "text": "Electric", "alarms": ["*"], "stations": ["pack"]},
    {"id": "people", "text": "People"},
    {"id": "break", "parent": "people", "text": "Break", "time_class": "planned", "words": ["PAUSE*"]},
    {"id": "trial", "parent": "people", "text": "Trial", "orders": ["T*"]},
    {"id": "held", "parent": "machine", "text": "Held", "states": ["held", "aborted"]},
]


def mark(number: int, reason: str, start: float, end: float | None = None) -> ReasonMark:
    return ReasonMark(
        number=number,
        started_at=at(start),
        ended_at=None if end is None else at(end),
        reason=reason,
        by="mia",
        role="maintenance",
        at=at(start),
    )


def one_stop(plant: PlantConfig | None = None, *, end: float = 1000) -> StopFact:
    (fact,) = play(Script().runs().state(100, "weld", HELD).state(end, "weld", EXECUTE), plant)
    return fact


# --- reasons -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("stretch", "expected"),
    [
        ({"alarm": "501", "machine_reason": "501", "state": "held"}, "die"),
        ({"alarm": "601", "machine_reason": "601", "station": "pack", "state": "held"}, "electric"),
        ({"alarm": "601", "machine_reason": "601", "station": "weld"}, ""),
        ({"alarm": "601", "machine_reason": "pause 1", "state": "stopped"}, "break"),
        ({"order": "T77"}, "trial"),
        ({"state": "aborted", "order": "A"}, "held"),
        ({"state": "stopped"}, ""),
    ],
)
def test_the_first_reason_that_fits_is_the_machines_own(stretch: dict[str, str], expected: str) -> None:
    given_one = StopStretch.model_validate({"started_at": at(0), "time_class": "stop", "station": "weld", **stretch})
    assert reason_of(stop_plant(reason=TREE).downtime, given_one) == expected


def test_text_cost_centre_and_owner_come_from_above() -> None:
    config = stop_plant(reason=TREE).downtime
    assert reason_text(config, "die") == "Machine / Press / Die broken"
    assert [cost_centre(config, r, "0815") for r in ("die", "press", "break", "")] == ["4712", "4711", "0815", "0815"]
    assert [owner_role(config, r) for r in ("die", "electric", "")] == ["supervisor", "maintenance", "maintenance"]


# --- parts ---------------------------------------------------------------------------------------------------------
def test_a_stop_that_nothing_explains_is_unknown_and_a_reason_by_the_plants_patterns_explains_it() -> None:
    assert [(p.status, p.reason) for p in parts(one_stop())] == [(ReasonStatus.UNKNOWN, "")]
    plant = stop_plant(reason=TREE)
    (part,) = parts(one_stop(plant), plant=plant)
    assert (part.status, part.reason, part.cost_centre, part.by) == (ReasonStatus.CLASSIFIED, "held", "4711", "")


def test_the_latest_mark_of_an_instant_counts_and_cuts() -> None:
    plant = stop_plant(reason=TREE)
    fact = one_stop(plant)
    marks = [mark(1, "die", 0), mark(2, "break", 400, 600), mark(3, "nonsense", 900), mark(4, "unknown", 950)]
    found = parts(fact, marks, plant)
    assert [(p.started_at, p.reason, p.time_class, p.status.value) for p in found] == [
        (at(100), "die", TimeClass.STOP, "classified"),
        (at(400), "break", TimeClass.PLANNED, "classified"),
        (at(600), "die", TimeClass.STOP, "classified"),
        (at(900), "nonsense", TimeClass.STOP, "invalid"),
        (at(950), "", TimeClass.STOP, "unknown"),
    ]
    assert [p.number for p in found] == [1, 2, 3, 4, 5]
    assert seconds_of(found) == 900


def test_waiting_for_the_world_explains_itself_and_waiting_for_a_neighbour_asks_why_that_one_stands() -> None:
    (fact,) = play(Script().runs().state(100, "weld", SUSPENDED).state(500, "weld", EXECUTE))
    assert [(p.reason, p.status.value) for p in parts(fact)] == [("starved", "classified")]
    script = Script().runs().state(50, "press", HELD).state(100, "weld", SUSPENDED).state(500, "weld", EXECUTE)
    (fact,) = play(script)
    assert [(p.reason, p.status.value) for p in parts(fact)] == [("", "unknown")]


def test_an_open_stop_is_cut_up_to_the_instant_asked_for() -> None:
    (fact,) = play(Script().runs().state(100, "weld", HELD), until=4000)
    assert [(p.shift, p.ended_at) for p in parts(fact)] == [("2026-03-28/night", None)]
    later = parts(fact, until=datetime(2026, 3, 29, 5, 0, tzinfo=UTC))
    assert [p.shift for p in later] == ["2026-03-28/night", "2026-03-29/early"]
    assert later[0].seconds is not None and later[1].seconds is None


def test_a_stop_of_which_nobody_has_heard_for_years_is_not_cut_into_their_thousands_of_shifts() -> None:
    (fact,) = play(Script().runs().state(100, "weld", HELD), until=4000)
    found = parts(fact, until=fact.as_of + timedelta(days=4000))
    assert len(found) < 400 and found[-1].ended_at is None
    assert found == parts(fact, until=fact.as_of + timedelta(days=100))


def test_a_weekend_is_not_scheduled_a_holiday_neither_and_overtime_is() -> None:
    (fact,) = play(Script().runs().state(100, "weld", HELD).state(3 * 86_400, "weld", EXECUTE), until=4 * 86_400)
    found = parts(fact)
    assert [(p.shift, p.time_class is TimeClass.NOT_SCHEDULED) for p in found] == [
        ("2026-03-28/night", False),
        ("2026-03-29/early", False),
        ("2026-03-29/late", False),
        ("2026-03-29", True),
        ("2026-03-29/night", False),
        ("2026-03-30", True),
        ("2026-03-31/early", False),
        ("2026-03-31/late", False),
        ("2026-03-31/night", False),
    ]
    # The night in which the clocks go forward is an hour short; overtime ends at eight instead of ten.
    assert found[0].started_at == at(100) and found[0].ended_at == datetime(2026, 3, 29, 4, 0, tzinfo=UTC)
    assert found[2].seconds == 6 * 3600
    assert seconds_of(found) == 3 * 86_400 - 100


SITES = st.builds(
    SiteConfig,
    id=st.just("any"),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    production_day_start=st.sampled_from([time(0), time(6), time(2, 30)]),
    holiday=st.lists(
        st.builds(HolidayConfig, date=st.dates(date(2026, 3, 26), date(2026, 4, 2))), max_size=2, unique_by=str
    ).map(tuple),
    overtime=st.lists(
        st.builds(
            OvertimeConfig,
            shift=st.sampled_from(["early", "night", "extra"]),
            date=st.dates(date(2026, 3, 26), date(2026, 4, 2)),
            start=st.sampled_from([time(5), time(2, 30), time(18)]),
            end=st.sampled_from([time(9), time(3), time(23)]),
        ),
        max_size=2,
        unique_by=lambda o: (o.shift, o.day),
    ).map(tuple),
)
CALENDARS = st.sampled_from(
    [
        (),
        (
            ShiftConfig(name="early", start=time(6), end=time(14)),
            ShiftConfig(name="night", start=time(22), end=time(6)),
        ),
        (ShiftConfig(name="early", start=time(2), end=time(3)), ShiftConfig(name="night", start=time(23), end=time(7))),
    ]
)
CLASSES = st.sampled_from([TimeClass.STOP, TimeClass.STARVED, TimeClass.RUNNING, TimeClass.NO_DATA, TimeClass.PLANNED])


@st.composite
def facts(draw: st.DrawFn) -> StopFact:
    began = datetime(2026, 3, 28, tzinfo=UTC) + timedelta(microseconds=draw(st.integers(0, 3 * 86_400_000_000)))
    stretches: list[StopStretch] = []
    start = began
    for _ in range(draw(st.integers(1, 5))):
        end = start + timedelta(microseconds=draw(st.integers(1, 90_000_000_000)))
        order, own = draw(st.sampled_from(["", "A"])), draw(CLASSES)
        stretches.append(
            StopStretch(started_at=start, ended_at=end, time_class=own, order=order, state=MachineState.HELD)
        )
        start = end
    return StopFact(
        stop=stop_id(began),
        plant="any",
        line="any",
        version=1,
        started_at=began,
        ended_at=start,
        as_of=start,
        stretches=tuple(stretches),
    )


@settings(max_examples=300, deadline=None)
@given(facts(), SITES, CALENDARS, st.data())
def test_parts_sum_to_the_stop_and_none_crosses_a_shift(
    fact: StopFact, site: SiteConfig, shifts: tuple[ShiftConfig, ...], data: st.DataObject
) -> None:
    instants = st.integers(-3600, 200_000).map(lambda s: fact.started_at + timedelta(seconds=s))
    marks = [
        ReasonMark(number=n, started_at=start, ended_at=end, reason=reason, at=start)
        for n, (start, end, reason) in enumerate(
            data.draw(
                st.lists(
                    st.tuples(instants, st.none() | instants, st.sampled_from(["starved", "unknown", "x"])), max_size=4
                )
            ),
            start=1,
        )
    ]
    found = parts_of(fact, marks, site, shifts, stop_plant().downtime)
    check_tiling(found, fact)
    for part in found:
        assert part.ended_at is not None
        span = shift_at(site, shifts, part.started_at)
        assert part.shift == span.label
        last = shift_at(site, shifts, part.ended_at - timedelta(microseconds=1))
        assert last.label == part.shift
        if part.time_class is TimeClass.NOT_SCHEDULED:
            assert shifts and not span.name
    # An open stop has the same parts up to where it is known.
    if fact.stretches[-1].ended_at is not None:
        opened = fact.model_copy(
            update={
                "ended_at": None,
                "stretches": (*fact.stretches[:-1], fact.stretches[-1].model_copy(update={"ended_at": None})),
            }
        )
        again = parts_of(opened, marks, site, shifts, stop_plant().downtime)
        assert [p.started_at for p in again][: len(found)] == [p.started_at for p in found]


def check_tiling(found: tuple[StopPart, ...], fact: StopFact) -> None:
    assert fact.ended_at is not None
    assert (found[0].started_at, found[-1].ended_at) == (fact.started_at, fact.ended_at)
    assert all(a.ended_at == b.started_at for a, b in pairwise(found))
    whole = fact.ended_at - fact.started_at
    assert int(seconds_of(found) * 1_000_000) == whole // timedelta(microseconds=1)
