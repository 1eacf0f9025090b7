"""`[downtime]` and the calendar's exceptions: defaults that work, and errors that name the object and the fix."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from domain.plant import PlantConfig, ShiftConfig, SiteConfig
from domain.plant_calendar import HolidayConfig, OvertimeConfig
from domain.shifts import shift_at
from tests.domain.floor import plant
from tests.domain.stop_floor import stop_plant

BERLIN = SiteConfig(id="north", zone="Europe/Berlin", production_day_start=time(6))
SHIFTS = (
    ShiftConfig(name="early", start=time(6), end=time(14), days=("mon", "tue", "wed", "thu", "fri")),
    ShiftConfig(name="night", start=time(22), end=time(6), days=("mon", "tue", "wed", "thu", "fri")),
)


def given(**changes: Any) -> dict[str, Any]:
    content = stop_plant().model_dump(mode="json", by_alias=True)
    for path, value in changes.items():
        table: Any = content
        *above, key = path.split("__")
        for name in above:
            table = table[int(name)] if name.isdigit() else table[name]
        table[key] = value
    return content


def fault(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        PlantConfig.model_validate(given(**changes))
    return str(caught.value)


def test_without_a_table_stops_are_tracked_by_the_defaults() -> None:
    config = plant()
    assert config.downtime.merge_seconds == 120
    assert [(r.timer, r.after_minutes) for r in config.downtime.rungs][:3] == [
        ("response", 0),
        ("response", 10),
        ("response", 30),
    ]
    assert config.lines[0].pacing_station.id == "weld"


def test_the_last_station_that_counts_good_pieces_paces_the_line_unless_another_is_named() -> None:
    content = given()
    assert PlantConfig.model_validate(content).lines[0].pacing_station.id == "weld"
    content["line"][0]["pacing"] = "press"
    assert PlantConfig.model_validate(content).lines[0].pacing_station.id == "press"
    assert PlantConfig.model_validate(content).lines[0].work_centre == ""
    del content["line"][0]["pacing"]
    assert PlantConfig.model_validate(content).lines[0].work_centre == "WELD01"
    for station in content["line"][0]["station"]:
        station["tag"] = []
    assert PlantConfig.model_validate(content).lines[0].pacing_station.id == "pack"


CHAIN = [{"id": "a"}, {"id": "b", "parent": "a"}, {"id": "c", "parent": "b"}, {"id": "d", "parent": "c"}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"line__0__pacing": "wled"}, "line line-1: pacing names wled, which is none of press, weld, pack"),
        ({"downtime__reason": [{"id": "unknown"}]}, "downtime reason unknown is built in; choose another id"),
        ({"downtime__reason": [{"id": "a"}, {"id": "a"}]}, "downtime reason a is declared twice"),
        ({"downtime__reason": [{"id": "a", "parent": "b"}]}, "no reason is named b; declare it, or remove parent"),
        (
            {"downtime__reason": [{"id": "a", "parent": "b"}, {"id": "b", "parent": "a"}]},
            "downtime reason a is above itself",
        ),
        ({"downtime__reason": [*CHAIN, {"id": "e", "parent": "d"}]}, "downtime reason e is on level 5"),
        ({"downtime__reason": [{"id": "a", "time_class": "running"}]}, "a reason explains no running"),
        ({"downtime__reason": [{"id": "a", "owner": "janitor"}]}, "no role is named 'janitor'"),
        ({"downtime__reason": [{"id": "a", "stations": ["weld"]}]}, "give one of them"),
        (
            {"downtime__reason": [{"id": "a", "alarms": ["*"], "stations": ["oven"]}]},
            "downtime reason a: no station oven; stations are pack, press, weld",
        ),
        ({"downtime__rung": [{"after_minutes": 0, "roles": ["boss"]}]}, "no role is named 'boss'"),
        (
            {
                "downtime__rung": [
                    {"after_minutes": 9, "roles": ["planner"]},
                    {"after_minutes": 9, "roles": ["admin"]},
                ]
            },
            "declare the rungs of a timer in order of after_minutes",
        ),
        (
            {"downtime__rung": [{"timer": "resolution", "after_minutes": 9, "roles": ["planner"]}]},
            'declare one with timer = "response"',
        ),
        (
            {"downtime__on_call": [{"role": "planner", "user": "p", "shifts": ["noon"]}]},
            "on call planner p: no shift is named noon; shifts are early, late, night",
        ),
        (
            {"plant__overtime": [{"shift": "extra", "date": "2026-03-28", "start": "06:00"}]},
            "overtime extra on 2026-03-28: no shift is named so; give both start and end",
        ),
        (
            {"plant__overtime": [{"shift": "late", "date": "2026-03-28"}] * 2},
            "overtime of shift late on 2026-03-28 is declared twice",
        ),
    ],
)
def test_a_mistake_is_named_with_its_fix(changes: dict[str, Any], said: str) -> None:
    assert said in fault(**changes)


# --- calendar ------------------------------------------------------------------------------------------------------
def local(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_no_shift_starts_on_a_holiday_and_the_one_before_ends_as_ever() -> None:
    site = BERLIN.model_copy(update={"holidays": (HolidayConfig(date=date(2026, 4, 6), name="Easter Monday"),)})
    assert shift_at(site, SHIFTS, local("2026-04-06T08:00+02:00")).name == ""
    assert shift_at(site, SHIFTS, local("2026-04-06T23:00+02:00")).name == ""
    assert shift_at(site, SHIFTS, local("2026-04-07T08:00+02:00")).label == "2026-04-07/early"
    tuesday = site.model_copy(update={"holidays": (HolidayConfig(date=date(2026, 4, 8)),)})
    assert shift_at(tuesday, SHIFTS, local("2026-04-08T03:00+02:00")).label == "2026-04-07/night"


def test_overtime_changes_a_shift_of_one_day_or_adds_one_on_holidays_too() -> None:
    day = date(2026, 4, 6)
    overtime = (
        OvertimeConfig(shift="early", date=day, start=time(8), end=time(12)),
        OvertimeConfig(shift="saturday", date=date(2026, 4, 11), start=time(18), end=time(2)),
    )
    site = BERLIN.model_copy(update={"holidays": (HolidayConfig(date=day),), "overtime": overtime})
    early = shift_at(site, SHIFTS, local("2026-04-06T09:00+02:00"))
    assert (early.label, early.end - early.start) == ("2026-04-06/early", timedelta(hours=4))
    assert shift_at(site, SHIFTS, local("2026-04-06T07:59+02:00")).name == ""
    assert shift_at(site, SHIFTS, local("2026-04-12T01:59+02:00")).label == "2026-04-11/saturday"
    assert shift_at(site, SHIFTS, local("2026-04-13T08:00+02:00")).end == local("2026-04-13T14:00+02:00")
    # Without any declared shift the extra one is the only one.
    assert shift_at(site, (), local("2026-04-11T19:00+02:00")).name == "saturday"
