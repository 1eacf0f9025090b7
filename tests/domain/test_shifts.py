"""Shifts: every instant has one shift and one business day, also where the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.plant import ShiftConfig, SiteConfig
from domain.shifts import ShiftSpan, production_day, shift_at

BERLIN = SiteConfig(id="north", zone="Europe/Berlin", production_day_start=time(6))
NEW_YORK = SiteConfig(id="east", zone="America/New_York", production_day_start=time(6))
THREE_SHIFTS = (
    ShiftConfig(name="early", start=time(6), end=time(14)),
    ShiftConfig(name="late", start=time(14), end=time(22)),
    ShiftConfig(name="night", start=time(22), end=time(6)),
)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu")

wall_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
calendars = st.lists(
    st.builds(
        ShiftConfig,
        name=st.sampled_from(["A", "B", "C", "D"]),
        start=wall_times,
        end=wall_times,
        days=st.lists(st.sampled_from(DAYS), min_size=1, unique=True).map(tuple),
    ),
    max_size=4,
).map(tuple)
sites = st.builds(SiteConfig, id=st.just("any"), zone=st.sampled_from(ZONES), production_day_start=wall_times)
# Around the changes of 2026 in Europe, the United States, Cuba and Lord Howe, and at any other time.
changes = st.sampled_from(
    [datetime(2026, m, d, 0, tzinfo=UTC) for m, d in [(3, 29), (10, 25), (3, 8), (11, 1), (4, 4)]]
)
instants = st.one_of(
    st.builds(lambda day, minutes: day + timedelta(minutes=minutes), changes, st.integers(-2000, 2000)),
    st.builds(lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes), st.integers(0, 1_500_000)),
)


def local(site: SiteConfig, text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(site.zone), fold=fold)


def hours(span: ShiftSpan) -> float:
    return (span.end - span.start).total_seconds() / 3600


@given(sites, calendars, instants)
def test_shifts_tile_the_time_line_for_any_calendar(
    site: SiteConfig, shifts: tuple[ShiftConfig, ...], at: datetime
) -> None:
    span = shift_at(site, shifts, at)
    assert span.start <= at < span.end
    assert shift_at(site, shifts, span.start) == span
    assert shift_at(site, shifts, span.end - timedelta(microseconds=1)) == span
    following = shift_at(site, shifts, span.end)
    assert following.start == span.end
    preceding = shift_at(site, shifts, span.start - timedelta(microseconds=1))
    assert preceding.end == span.start


@given(sites, calendars, instants, st.floats(0, 1, exclude_max=True))
def test_every_instant_of_a_shift_belongs_to_it(
    site: SiteConfig, shifts: tuple[ShiftConfig, ...], at: datetime, share: float
) -> None:
    span = shift_at(site, shifts, at)
    inside = span.start + (span.end - span.start) * share
    assert shift_at(site, shifts, min(inside, span.end - timedelta(microseconds=1))) == span


@given(sites, instants, st.integers(1, 60 * 48))
def test_business_days_never_go_back_and_leave_none_out(site: SiteConfig, at: datetime, minutes: int) -> None:
    earlier, later = production_day(site, at), production_day(site, at + timedelta(minutes=minutes))
    assert earlier <= later <= earlier + timedelta(days=minutes // (60 * 23) + 1)


@given(sites, calendars, instants)
def test_the_stretch_between_shifts_lies_in_one_business_day(
    site: SiteConfig, shifts: tuple[ShiftConfig, ...], at: datetime
) -> None:
    span = shift_at(site, shifts, at)
    if not span.name:
        assert (
            span.day == production_day(site, span.start) == production_day(site, span.end - timedelta(microseconds=1))
        )


def test_a_night_shift_crosses_midnight_and_keeps_the_day_it_began() -> None:
    before, after = local(BERLIN, "2026-03-02T23:30"), local(BERLIN, "2026-03-03T05:59")
    assert shift_at(BERLIN, THREE_SHIFTS, before) == shift_at(BERLIN, THREE_SHIFTS, after)
    assert shift_at(BERLIN, THREE_SHIFTS, after).label == "2026-03-02/night"
    assert shift_at(BERLIN, THREE_SHIFTS, local(BERLIN, "2026-03-03T06:00")).label == "2026-03-03/early"


@pytest.mark.parametrize(
    ("site", "evening", "length"),
    [
        (BERLIN, "2026-03-28T23:00", 7),
        (BERLIN, "2026-10-24T23:00", 9),
        (NEW_YORK, "2026-03-07T23:00", 7),
        (NEW_YORK, "2026-10-31T23:00", 9),
        (BERLIN, "2026-06-10T23:00", 8),
    ],
)
def test_the_night_of_a_clock_change_is_an_hour_shorter_or_longer(site: SiteConfig, evening: str, length: int) -> None:
    span = shift_at(site, THREE_SHIFTS, local(site, evening))
    assert (span.name, hours(span)) == ("night", length)


def test_both_passes_of_the_repeated_hour_are_one_shift() -> None:
    first, second = local(BERLIN, "2026-10-25T02:30", fold=0), local(BERLIN, "2026-10-25T02:30", fold=1)
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)
    assert shift_at(BERLIN, THREE_SHIFTS, first) == shift_at(BERLIN, THREE_SHIFTS, second)


def test_a_business_day_that_starts_in_the_repeated_hour_starts_once() -> None:
    site = SiteConfig(id="n", zone="Europe/Berlin", production_day_start=time(2, 30))
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    days = [production_day(site, start + timedelta(minutes=m)) for m in (-1, 0, 29, 31, 61, 90)]
    assert days == [date(2026, 10, 24), *[date(2026, 10, 25)] * 5]
    assert production_day(site, local(site, "2026-10-25T02:00", fold=1)) == date(2026, 10, 25)
    assert production_day(site, local(site, "2026-10-25T02:00", fold=0)) == date(2026, 10, 24)


def test_a_shift_within_the_hour_that_the_clocks_skip_does_not_take_place() -> None:
    lone = (ShiftConfig(name="short", start=time(2, 30), end=time(3)),)
    spans = [shift_at(BERLIN, lone, local(BERLIN, f"2026-03-{day}T12:00")) for day in (28, 29)]
    assert [s.name for s in spans] == ["", ""]
    assert (spans[0].end, spans[1].start) == (local(BERLIN, "2026-03-29T06:00"), local(BERLIN, "2026-03-29T06:00"))


def test_the_business_day_of_a_night_is_the_day_it_began() -> None:
    assert production_day(BERLIN, local(BERLIN, "2026-03-03T05:59")) == date(2026, 3, 2)
    assert production_day(BERLIN, local(BERLIN, "2026-03-03T06:00")) == date(2026, 3, 3)


def test_the_weekend_belongs_to_no_shift_and_is_cut_at_the_business_day() -> None:
    workdays = tuple(s.model_copy(update={"days": DAYS[:5]}) for s in THREE_SHIFTS)
    sunday = shift_at(BERLIN, workdays, local(BERLIN, "2026-03-08T12:00"))
    assert (sunday.name, sunday.label) == ("", "2026-03-08")
    assert (sunday.start, sunday.end) == (
        local(BERLIN, "2026-03-08T06:00").astimezone(UTC),
        local(BERLIN, "2026-03-09T06:00").astimezone(UTC),
    )
    saturday = shift_at(BERLIN, workdays, local(BERLIN, "2026-03-07T05:00"))
    assert saturday.label == "2026-03-06/night"


def test_in_an_overlap_the_shift_that_began_first_keeps_the_pieces() -> None:
    handover = (
        ShiftConfig(name="early", start=time(6), end=time(14, 15)),
        ShiftConfig(name="late", start=time(14), end=time(22)),
    )
    assert shift_at(BERLIN, handover, local(BERLIN, "2026-03-02T14:10")).name == "early"
    late = shift_at(BERLIN, handover, local(BERLIN, "2026-03-02T14:15"))
    assert (late.name, late.start) == ("late", local(BERLIN, "2026-03-02T14:15").astimezone(UTC))


def test_a_shift_from_six_to_six_lasts_a_day() -> None:
    around = (ShiftConfig(name="all", start=time(6), end=time(6)),)
    assert hours(shift_at(BERLIN, around, local(BERLIN, "2026-06-10T12:00"))) == 24
