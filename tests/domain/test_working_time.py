"""Deadlines run while a shift does."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from domain.plant import ShiftConfig, SiteConfig
from domain.working_time import after_working_time

BERLIN = SiteConfig(id="north", zone="Europe/Berlin")
DAY = (ShiftConfig(name="day", start=time(6), end=time(14), days=("mon", "tue", "wed", "thu", "fri")),)
NIGHT = (ShiftConfig(name="night", start=time(22), end=time(6)),)
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-11-20T08:00+01:00", 2, "2026-11-20T10:00+01:00"),
        ("2026-11-20T13:00+01:00", 2, "2026-11-23T07:00+01:00"),  # over the weekend
        ("2026-11-21T13:00+01:00", 1, "2026-11-23T07:00+01:00"),  # begins in free time
        ("2026-11-20T13:00+01:00", 9, "2026-11-23T14:00+01:00"),  # just a whole shift more
        ("2026-11-20T06:00+01:00", 0, "2026-11-20T06:00+01:00"),
    ],
)
def test_time_outside_shifts_does_not_count(start: str, hours: int, end: str) -> None:
    assert after_working_time(BERLIN, DAY, at(start), hours * HOUR) == at(end)


def test_a_night_shift_is_an_hour_longer_when_the_clocks_go_back_and_shorter_when_they_go_on() -> None:
    nine = after_working_time(BERLIN, NIGHT, at("2026-10-24T22:00+02:00"), 9 * HOUR)
    assert nine == at("2026-10-25T06:00+01:00")
    eight = after_working_time(BERLIN, NIGHT, at("2026-03-28T22:00+01:00"), 8 * HOUR)
    assert eight == at("2026-03-29T23:00+02:00")


def test_without_shifts_time_is_plain() -> None:
    assert after_working_time(BERLIN, (), at("2026-11-21T13:00Z"), HOUR) == datetime(2026, 11, 21, 14, tzinfo=UTC)


def test_a_calendar_without_any_coming_shift_still_ends() -> None:
    never = (ShiftConfig(name="gap", start=time(2, 15), end=time(2, 45), days=()),)
    assert after_working_time(BERLIN, never, at("2026-11-21T13:00Z"), HOUR) > at("2026-11-21T13:00Z")
