"""Shift calendar: which shift and business day an instant belongs to, in the plant's own zone.

Shifts are declared by local wall-clock times (ISA-95 work calendar); they may cross midnight, and on the days of
daylight-saving changes they are an hour longer or shorter, as the people in them are.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.plant import ShiftConfig, SiteConfig
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


def _day_start(site: SiteConfig, day: date) -> datetime:
    return _instant(day, site.production_day_start, ZoneInfo(site.zone))


def _instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """In UTC, because two local times of one zone compare as if its clocks never changed."""
    return datetime.combine(day, wall, tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=64)
def _spans_near(zone_name: str, shifts: tuple[ShiftConfig, ...], today: date) -> tuple[ShiftSpan, ...]:
    """The shifts as declared around a day, by their start."""
    zone = ZoneInfo(zone_name)
    found: list[ShiftSpan] = []
    for offset in _NEAR:
        day = today + timedelta(days=offset)
        for shift in shifts:
            if _DAYS[day.weekday()] not in shift.days:
                continue
            end_day = day if shift.end > shift.start else day + timedelta(days=1)
            start, end = _instant(day, shift.start, zone), _instant(end_day, shift.end, zone)
            # A shift within the hour that the clocks skip does not take place.
            if start < end:
                found.append(ShiftSpan(name=shift.name, day=day, start=start, end=end))
    return tuple(sorted(found, key=lambda s: s.start))


def shift_at(site: SiteConfig, shifts: tuple[ShiftConfig, ...], at: datetime) -> ShiftSpan:
    """The shift running at an instant; outside all shifts the unnamed stretch up to the next shift or day change.

    Where declared shifts overlap, the one that began first keeps the pieces until it ends.
    """
    near = _spans_near(site.zone, shifts, at.astimezone(ZoneInfo(site.zone)).date())
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
