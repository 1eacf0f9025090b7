"""The time of a line by shift and class, kept by the Line as it goes: what it ran, what nobody knows, what it stood.

Constant size: the latest shifts only. Which of the time it stood was a micro-stop, and why, is in the stops' parts
(`domain.oee.account_of` puts both together). Not for finding stops.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from domain.machine_time import DOWNTIME
from domain.plant import PlantConfig
from domain.shifts import shift_at
from domain.stop_state import StopTracker
from signals.downtime import TimeClass

MOST_SHIFTS = 12

MICROSECOND = timedelta(microseconds=1)

Times = dict[str, dict[TimeClass, int]]
"""Microseconds by shift label and class."""


def book_time(times: Times, plant: PlantConfig, own: TimeClass, start: datetime, end: datetime) -> None:
    """Add a stretch of one class, cut at shifts; what stood outside all shifts was not scheduled."""
    at = start
    while at < end:
        span = shift_at(plant.plant, plant.shifts, at)
        until = min(span.end, end)
        off = bool(plant.shifts) and not span.name and own in DOWNTIME
        of_shift = times.setdefault(span.label, {})
        time_class = TimeClass.NOT_SCHEDULED if off else own
        of_shift[time_class] = of_shift.get(time_class, 0) + (until - at) // MICROSECOND
        at = until
    while len(times) > MOST_SHIFTS:
        del times[next(iter(times))]


def line_times(tracker: StopTracker, plant: PlantConfig) -> dict[str, dict[TimeClass, Decimal]]:
    """Seconds by shift and class, up to where the line's time is settled; the latest shifts."""
    times: Times = {shift: dict(found) for shift, found in tracker.times.items()}
    current = tracker.current
    if current is not None and tracker.at is not None:
        book_time(times, plant, current.time_class, current.started_at, tracker.at)
    return {
        shift: {time_class: Decimal(micros) / 1_000_000 for time_class, micros in found.items()}
        for shift, found in times.items()
    }
