"""Shift calendar: which shift and business day an instant belongs to, in the plant's own zone.

Shifts are declared by local wall-clock times (ISA-95 work calendar); they may cross midnight, and on the days of
daylight-saving changes they are an hour longer or shorter, as the people in them are.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.plant import ShiftConfig, SiteConfig
from signals.base import Message, UtcTime

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


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
    zone = ZoneInfo(site.zone)
    local = at.astimezone(zone)
    starts = datetime.combine(local.date(), site.production_day_start, tzinfo=zone)
    return local.date() if local >= starts else local.date() - timedelta(days=1)


def _span_of(shift: ShiftConfig, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    start = datetime.combine(day, shift.start, tzinfo=zone)
    end_day = day if shift.end > shift.start else day + timedelta(days=1)
    return start.astimezone(UTC), datetime.combine(end_day, shift.end, tzinfo=zone).astimezone(UTC)


def shift_at(site: SiteConfig, shifts: tuple[ShiftConfig, ...], at: datetime) -> ShiftSpan:
    """The shift running at an instant; outside all shifts the unnamed stretch up to the next shift or day change."""
    zone = ZoneInfo(site.zone)
    today = at.astimezone(zone).date()
    starts: list[datetime] = []
    ends: list[datetime] = []
    for offset in (-1, 0, 1):
        day = today + timedelta(days=offset)
        for shift in shifts:
            if _DAYS[day.weekday()] not in shift.days:
                continue
            start, end = _span_of(shift, day, zone)
            if start <= at < end:
                return ShiftSpan(name=shift.name, day=day, start=start, end=end)
            starts.append(start)
            ends.append(end)
    day = production_day(site, at)
    opens = datetime.combine(day, site.production_day_start, tzinfo=zone).astimezone(UTC)
    closes = datetime.combine(day + timedelta(days=1), site.production_day_start, tzinfo=zone).astimezone(UTC)
    start = max([opens, *(e for e in ends if e <= at)])
    end = min([closes, *(s for s in starts if s > at)])
    return ShiftSpan(name="", day=day, start=start, end=end)
