"""Shift calendar: which shift and business day an instant belongs to, in the plant's own zone.

Shifts are declared by local wall-clock times (ISA-95 work calendar); they may cross midnight, and on the days of
daylight-saving changes they are an hour longer or shorter, as the people in them are. On a holiday no shift starts;
overtime gives a shift of one day other times, or adds one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.plant import ShiftConfig, SiteConfig
from domain.plant_calendar import OvertimeConfig
from signals.base import Message, UtcTime

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_NEAR = range(-3, 3)
"""Days whose shifts may touch an instant's own: one of up to 25 hours, and the one before it."""


class ShiftSpan(Message):
    """A shift, or the time between shifts (name empty), as a half-open stretch [start, end)."""

    name: str
    day: date
    start: UtcTime
    end: UtcTime

    @property
    def label(self) -> str:
        """`2026-11-22/early`, or the bare day outside any shift."""
        return f"{self.day.isoformat()}/{self.name}" if self.name else self.day.isoformat()


def production_day(site: SiteConfig, at: datetime) -> date:
    """The business day an instant belongs to; the day starts at `production_day_start` local time."""
    today = at.astimezone(ZoneInfo(site.zone)).date()
    return today if at >= _day_start(site, today) else today - timedelta(days=1)


def production_day_begins(site: SiteConfig, day: date) -> datetime:
    """When a business day begins."""
    return _day_start(site, day)


def _day_start(site: SiteConfig, day: date) -> datetime:
    return _instant(day, site.production_day_start, ZoneInfo(site.zone))


def _instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """In UTC, because two local times of one zone compare as if its clocks never changed."""
    return datetime.combine(day, wall, tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=64)
def _spans_near(
    zone_name: str,
    shifts: tuple[ShiftConfig, ...],
    today: date,
    holidays: tuple[date, ...],
    overtime: tuple[OvertimeConfig, ...],
) -> tuple[ShiftSpan, ...]:
    """The shifts around a day, by their start."""
    zone = ZoneInfo(zone_name)
    found: list[ShiftSpan] = []
    for offset in _NEAR:
        day = today + timedelta(days=offset)
        for name, begins, ends in _times_of(day, shifts, day in holidays, overtime):
            end_day = day if ends > begins else day + timedelta(days=1)
            start, end = _instant(day, begins, zone), _instant(end_day, ends, zone)
            # A shift within the hour that the clocks skip does not take place.
            if start < end:
                found.append(ShiftSpan(name=name, day=day, start=start, end=end))
    return tuple(sorted(found, key=lambda s: s.start))


def _times_of(
    day: date, shifts: tuple[ShiftConfig, ...], is_holiday: bool, overtime: tuple[OvertimeConfig, ...]
) -> list[tuple[str, time, time]]:
    """The shifts that start on a day: the week's, without those of a holiday, then overtime."""
    extra = {o.shift: o for o in overtime if o.day == day}
    times: list[tuple[str, time, time]] = []
    for shift in shifts:
        other = extra.pop(shift.name, None)
        if other is not None:
            times.append((shift.name, other.start or shift.start, other.end or shift.end))
        elif not is_holiday and _DAYS[day.weekday()] in shift.days:
            times.append((shift.name, shift.start, shift.end))
    times.extend((o.shift, o.start, o.end) for o in extra.values() if o.start is not None and o.end is not None)
    return times


def _near(site: SiteConfig, shifts: tuple[ShiftConfig, ...], at: datetime) -> tuple[ShiftSpan, ...]:
    today = at.astimezone(ZoneInfo(site.zone)).date()
    reach = len(_NEAR)
    # Only what is near is part of the key: years of holidays cost nothing.
    holidays = tuple(h.day for h in site.holidays if abs((h.day - today).days) <= reach)
    overtime = tuple(o for o in site.overtime if abs((o.day - today).days) <= reach)
    return _spans_near(site.zone, shifts, today, holidays, overtime)


def shift_at(site: SiteConfig, shifts: tuple[ShiftConfig, ...], at: datetime) -> ShiftSpan:
    """The shift running at an instant; outside all shifts the unnamed stretch up to the next shift or day change.

    Where declared shifts overlap, the one that began first keeps the pieces until it ends.
    """
    near = _near(site, shifts, at)
    running = next((n for n, span in enumerate(near) if span.start <= at < span.end), None)
    if running is None:
        return _between(site, near, at)
    span = near[running]
    return span.model_copy(update={"start": max([span.start, *(s.end for s in near[:running])])})


def _between(site: SiteConfig, near: tuple[ShiftSpan, ...], at: datetime) -> ShiftSpan:
    day = production_day(site, at)
    start = max([_day_start(site, day), *(s.end for s in near if s.end <= at)])
    end = min([_day_start(site, day + timedelta(days=1)), *(s.start for s in near if s.start > at)])
    return ShiftSpan(name="", day=day, start=start, end=end)
