"""Stops looked back on: their parts as they are now, within a period, and a line's time between them. Pure.

A line's time is drawn from its stops and from the account that the Line keeps by shift (`domain.stop_account`): what
lies between stops ran, unless the account says that nothing is known of that shift. Not for figures of OEE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain.plant import PlantConfig
from domain.shifts import shift_at
from domain.stop_parts import parts_of
from signals.downtime import StopPart, StopRecord, TimeClass

Account = Mapping[str, Mapping[TimeClass, Decimal]]
"""Seconds by shift label and class."""


class Segment(NamedTuple):
    """A stretch of a line's time; `part` and `stop` where it belongs to a stop."""

    start: datetime
    end: datetime
    time_class: TimeClass
    stop: str = ""
    part: StopPart | None = None


def looked_at(record: StopRecord, plant: PlantConfig, now: datetime) -> StopRecord:
    """The stop with its parts as they are now: its process may not have heard of the newest fact, or not exist."""
    parts, fact = record.parts, record.fact
    line = plant.line(record.line)
    if line is None or (parts and parts[-1].ended_at == fact.ended_at):
        return record
    until = max(now, fact.as_of)
    cut = parts_of(fact, record.marks, plant.plant, plant.shifts, plant.downtime, line=line, until=until)
    return record.model_copy(update={"parts": cut})


def within(records: Iterable[StopRecord], plant: PlantConfig, since: datetime, until: datetime) -> list[StopRecord]:
    """The stops with the parts that lie in a period, cut to it. What goes on counts up to its end."""
    found: list[StopRecord] = []
    for record in records:
        kept = tuple(
            p.model_copy(update={"started_at": start, "ended_at": end})
            for p in looked_at(record, plant, until).parts
            if (start := max(p.started_at, since)) < (end := min(p.ended_at or until, until))
        )
        if kept:
            found.append(record.model_copy(update={"parts": kept}))
    return found


def line_strip(
    records: Sequence[StopRecord],
    plant: PlantConfig,
    since: datetime,
    until: datetime,
    *,
    account: Account | None = None,
    known_until: datetime | None = None,
) -> list[Segment]:
    """The time of one line from `since` to `until` without a hole. Nothing is known behind `known_until`."""
    stops = sorted(within(records, plant, since, until), key=lambda r: r.parts[0].started_at)
    found: list[Segment] = []
    at = since
    for record in stops:
        for part in record.parts:
            end = part.ended_at or until
            start = max(part.started_at, at)
            if start >= end:
                continue
            found += _between(plant, at, start, account or {}, known_until)
            found.append(Segment(start, end, part.time_class, record.stop, part))
            at = end
    return [*found, *_between(plant, at, until, account or {}, known_until)]


def _between(
    plant: PlantConfig, start: datetime, end: datetime, account: Account, known_until: datetime | None
) -> list[Segment]:
    found: list[Segment] = []
    at = start
    while at < end:
        span = shift_at(plant.plant, plant.shifts, at)
        stop = min(span.end, end)
        if known_until is not None and at < known_until < stop:
            stop = known_until
        own = account.get(span.label)
        dark = (known_until is None or at >= known_until) or (own is not None and not own.get(TimeClass.RUNNING))
        time_class = TimeClass.NO_DATA if dark else TimeClass.RUNNING
        if found and found[-1].time_class is time_class:
            found[-1] = found[-1]._replace(end=stop)
        else:
            found.append(Segment(at, stop, time_class))
        at = stop
    return found


def seconds_of(segments: Iterable[Segment]) -> dict[TimeClass, Decimal]:
    """Seconds by class; they sum to the strip."""
    sums: dict[TimeClass, Decimal] = {}
    for one in segments:
        delta = one.end - one.start
        length = Decimal(delta.days * 86_400 + delta.seconds) + Decimal(delta.microseconds) / 1_000_000
        sums[one.time_class] = sums.get(one.time_class, Decimal(0)) + length
    return sums
