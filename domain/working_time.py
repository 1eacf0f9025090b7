"""Working time: deadlines for people run while a shift does. Pure; exact on the days when clocks change."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.plant import ShiftConfig, SiteConfig
from domain.shifts import shift_at

LONGEST_BREAK = timedelta(days=60)
"""A calendar without a shift for so long has none: the rest is counted as plain time."""


def after_working_time(
    site: SiteConfig, shifts: tuple[ShiftConfig, ...], start: datetime, duration: timedelta
) -> datetime:
    """The instant at which `duration` of shift time has passed since `start`; plain time where no shift is declared."""
    if not shifts:
        return start + duration
    at, left, idle_since = start, duration, start
    while at - idle_since < LONGEST_BREAK:
        span = shift_at(site, shifts, at)
        if span.name:
            if at + left <= span.end:
                return at + left
            left -= span.end - at
            idle_since = span.end
        at = span.end
    return at + left
