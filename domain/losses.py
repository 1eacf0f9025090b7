"""Where the time goes: lost seconds by reason, line, shift, order or material, the greatest first (Pareto).

From the parts of stops, so that every list sums to the same whole. Shares are of that whole, and add up along the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.plant_downtime import INVALID, UNKNOWN, DowntimeConfig
from domain.stop_reasons import line_of_descent, reason_text
from signals.base import ZERO, Message
from signals.downtime import ReasonStatus, StopPart, StopRecord, TimeClass

COUNTED = (TimeClass.STOP, TimeClass.STARVED, TimeClass.BLOCKED, TimeClass.SETUP, TimeClass.MICRO_STOP)
"""What is lost. Planned and unscheduled time is not, and of missing data nobody knows."""


class By(StrEnum):
    """What losses are summed by."""

    REASON = "reason"
    CLASS = "class"
    LINE = "line"
    SHIFT = "shift"
    ORDER = "order"
    SKU = "sku"
    STATION = "station"


class Lost(NamedTuple):
    """A part of a stop with what it is counted under."""

    stop: str
    line: str
    station: str
    part: StopPart


class Loss(Message):
    """One bar of a Pareto."""

    key: str
    text: str = ""
    seconds: Decimal
    stops: int
    share: Decimal
    running_share: Decimal


def lost_parts(records: Iterable[StopRecord]) -> list[Lost]:
    """The lost parts of stops. What is still open has no length yet and is left out."""
    return [
        Lost(r.stop, r.line, _station_at(r, part), part)
        for r in records
        for part in r.parts
        if part.time_class in COUNTED and part.seconds is not None
    ]


def pareto(
    lost: Iterable[Lost],
    by: By,
    config: DowntimeConfig | None = None,
    *,
    materials: Mapping[str, str] | None = None,
    level: int = 0,
) -> tuple[Loss, ...]:
    """Losses by a key, the greatest first, equal ones by their key. `materials` names each order's material.

    `level` 1 is the roots of the reason tree, 2 what is below them; 0 the reasons as they were given.
    """
    known = list(lost)
    key = _key(by, config or DowntimeConfig(), materials or {}, level)
    seconds: dict[str, Decimal] = {}
    stops: dict[str, dict[str, None]] = {}
    for one in known:
        name = key(one)
        seconds[name] = seconds.get(name, ZERO) + (one.part.seconds or ZERO)
        stops.setdefault(name, {})[f"{one.line} {one.stop}"] = None
    whole = sum(seconds.values(), ZERO)
    found: list[Loss] = []
    running = ZERO
    for name in sorted(seconds, key=lambda n: (-seconds[n], n)):
        running += seconds[name]
        text = _text(config, name) if by is By.REASON and config is not None else name
        share, summed = (seconds[name] / whole, running / whole) if whole else (ZERO, ZERO)
        found.append(
            Loss(key=name, text=text, seconds=seconds[name], stops=len(stops[name]), share=share, running_share=summed)
        )
    return tuple(found)


def _key(by: By, config: DowntimeConfig, materials: Mapping[str, str], level: int) -> Callable[[Lost], str]:
    keys: dict[By, Callable[[Lost], str]] = {
        By.REASON: lambda one: _reason(one.part, config, level),
        By.CLASS: lambda one: one.part.time_class.value,
        By.LINE: lambda one: one.line,
        By.SHIFT: lambda one: one.part.shift,
        By.ORDER: lambda one: one.part.order,
        By.SKU: lambda one: materials.get(one.part.order, ""),
        By.STATION: lambda one: one.station,
    }
    return keys[by]


def _text(config: DowntimeConfig, reason: str) -> str:
    return "micro-stops" if reason == TimeClass.MICRO_STOP.value else reason_text(config, reason)


def _reason(part: StopPart, config: DowntimeConfig, level: int) -> str:
    if part.time_class is TimeClass.MICRO_STOP:
        return TimeClass.MICRO_STOP.value
    if part.status is ReasonStatus.UNKNOWN:
        return UNKNOWN
    if part.status is ReasonStatus.INVALID:
        return INVALID
    path = [r.id for r in reversed(line_of_descent(config, part.reason))]
    return path[min(level, len(path)) - 1] if level and path else part.reason


def _station_at(record: StopRecord, part: StopPart) -> str:
    """The station at fault when the part began."""
    stretches = [s for s in record.fact.stretches if s.started_at <= part.started_at]
    return stretches[-1].station if stretches else ""
