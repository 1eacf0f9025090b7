"""The time of a line between two instants, all of it: seconds by class, which sum to the span exactly, and its stops.

For whole recordings and reports: it hears the same tracker that the Line carries (`domain.stops`), nothing is found a
second way. Short and long stops are told apart stretch by stretch: an unbroken one below the station's
`min_stop_seconds` is a micro-stop. A line that lives does not need this: its stops come as facts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from domain.context import StationContext, apply_context
from domain.machine_time import DOWNTIME
from domain.plant import LineConfig, PlantConfig
from domain.shifts import shift_at
from domain.stop_state import StopTracker
from domain.stops import WHOLE_LINE, StopWatch
from signals.downtime import StopFact, StopStretch, TimeClass
from signals.events import GapEvent, MachineEvent

SHORT = (TimeClass.STOP, TimeClass.STARVED, TimeClass.BLOCKED)
"""Classes that are a micro-stop where they are short; what is planned or setup stays it."""

MICROSECOND = timedelta(microseconds=1)


class Timed(NamedTuple):
    """A stretch of the line's time with its final class, within the calendar."""

    start: datetime
    end: datetime
    time_class: TimeClass
    stretch: StopStretch

    @property
    def seconds(self) -> Decimal:
        return seconds_between(self.start, self.end)


class Timeline(NamedTuple):
    """A span of a line's time."""

    since: datetime
    until: datetime
    stretches: tuple[Timed, ...]
    facts: tuple[StopFact, ...]

    @property
    def seconds(self) -> dict[TimeClass, Decimal]:
        """Seconds by class; the classes sum to the span exactly."""
        sums = dict.fromkeys(TimeClass, Decimal(0))
        for timed in self.stretches:
            sums[timed.time_class] += timed.seconds
        return sums

    @property
    def incidents(self) -> tuple[StopFact, ...]:
        """Stops that outlived the threshold and reach into the span."""
        return tuple(f for f in self.facts if not f.micro and self._reaches(f))

    @property
    def micro_stops(self) -> int:
        """Unbroken stops below the threshold."""
        return sum(1 for run in _runs(self.stretches) if run[0].time_class is TimeClass.MICRO_STOP)

    def _reaches(self, fact: StopFact) -> bool:
        return fact.started_at < self.until and (fact.ended_at is None or fact.ended_at > self.since)

    def of(self, fact: StopFact) -> tuple[Timed, ...]:
        """The stretches of one stop."""
        end = fact.ended_at or self.until
        return tuple(t for t in self.stretches if fact.started_at <= t.start and t.end <= end)


def seconds_between(start: datetime, end: datetime) -> Decimal:
    """Exact to the microsecond."""
    return Decimal((end - start) // MICROSECOND) / 1_000_000


def line_timeline(
    plant: PlantConfig, line: LineConfig, events: Iterable[MachineEvent], since: datetime, until: datetime
) -> Timeline:
    """The line's time from `since` to `until` by all its events, in any order; earlier events say how it began."""
    heard: list[StopStretch] = []
    # No state is carried here that would have a size: a stop is one, in however many pieces.
    watch = StopWatch(StopTracker(), plant, line, heard.append, most_stretches=sys.maxsize)
    given = sorted((e for e in events if e.at <= until), key=lambda e: e.at)
    contexts = {s.id: StationContext() for s in line.stations}
    for event in given:
        if isinstance(event, GapEvent):
            watch.expect(event)
    for event in given:
        whole = isinstance(event, GapEvent) and event.equipment in (WHOLE_LINE, line.id)
        for config in line.stations:
            if whole or config.id == event.equipment:
                contexts[config.id] = apply_context(contexts[config.id], event)
                watch.take(config, event, contexts[config.id])
    watch.close_due(until)
    current = watch.tracker.current
    if current is not None:
        heard.append(current.model_copy(update={"ended_at": until}))
    threshold = timedelta(seconds=line.pacing_station.min_stop_seconds)
    stretches = tuple(_timed(plant, heard, since, until, threshold))
    return Timeline(since, until, stretches, tuple(watch.drain(until)))


def _timed(
    plant: PlantConfig, heard: list[StopStretch], since: datetime, until: datetime, threshold: timedelta
) -> Iterator[Timed]:
    short = _short(heard, threshold)
    at = since
    for number, stretch in enumerate(heard):
        start, end = max(stretch.started_at, since), min(stretch.ended_at or until, until)
        if start >= end:
            continue
        if start > at:
            yield from _scheduled(plant, at, start, TimeClass.NO_DATA, _nothing(at))
        micro = number in short and stretch.time_class in SHORT
        yield from _scheduled(plant, start, end, TimeClass.MICRO_STOP if micro else stretch.time_class, stretch)
        at = end
    if at < until:
        yield from _scheduled(plant, at, until, TimeClass.NO_DATA, _nothing(at))


def _nothing(at: datetime) -> StopStretch:
    """Before the first event nothing is known."""
    return StopStretch(started_at=at, time_class=TimeClass.NO_DATA)


def _short(heard: list[StopStretch], threshold: timedelta) -> set[int]:
    """Numbers of the stretches that belong to an unbroken stop below the threshold."""
    short: set[int] = set()
    run: list[int] = []
    for number, stretch in [*enumerate(heard), (len(heard), None)]:
        if stretch is not None and stretch.time_class in DOWNTIME:
            run.append(number)
            continue
        if run:
            end = heard[run[-1]].ended_at
            if end is not None and end - heard[run[0]].started_at < threshold:
                short.update(run)
        run = []
    return short


def _scheduled(
    plant: PlantConfig, start: datetime, end: datetime, own: TimeClass, stretch: StopStretch
) -> Iterator[Timed]:
    """Where shifts are declared, a line that stands outside of them is not scheduled."""
    if not plant.shifts or own not in (*DOWNTIME, TimeClass.MICRO_STOP):
        yield Timed(start, end, own, stretch)
        return
    at = start
    while at < end:
        span = shift_at(plant.plant, plant.shifts, at)
        stop = min(span.end, end)
        yield Timed(at, stop, own if span.name else TimeClass.NOT_SCHEDULED, stretch)
        at = stop


def _runs(stretches: Iterable[Timed]) -> Iterator[list[Timed]]:
    """Neighbours of one class together."""
    run: list[Timed] = []
    for timed in stretches:
        if run and (run[-1].end != timed.start or run[-1].time_class is not timed.time_class):
            yield run
            run = []
        run.append(timed)
    if run:
        yield run
