"""Measurements with their limits as the points and lines of an SVG chart. Pure; the template draws.

Only attributes, no style: the page's content policy allows none inline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from signals.holds import HoldReason, Measurement

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 28


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    passed: bool
    at: datetime
    value: str
    serial: str


@dataclass(frozen=True)
class Level:
    """A horizontal line: a limit, or a step of the scale."""

    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """What is drawn, in the units of a box of WIDTH by HEIGHT."""

    title: str
    unit: str
    points: tuple[Point, ...]
    path: str
    limits: tuple[Level, ...]
    scale: tuple[Level, ...]
    first: datetime
    last: datetime
    failed: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def chart_of(reason: HoldReason) -> Chart | None:
    """A chart of the reason's numeric evidence; None where fewer than one value is a number."""
    measured = [(m, number) for m in reason.evidence if (number := _number(m.value)) is not None]
    if not measured:
        return None
    limits = _limits([m for m, _ in measured])
    values = [number for _, number in measured] + [number for _, number in limits]
    low, high = _room(min(values), max(values))
    first, last = measured[0][0].at, measured[-1][0].at
    span = max((last - first).total_seconds(), 0.001)

    def y(value: Decimal) -> float:
        share = float((value - low) / (high - low))
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def x(at: datetime, position: int) -> float:
        even = last == first
        share = (position + 0.5) / len(measured) if even else (at - first).total_seconds() / span
        return round(LEFT + 8 + share * (WIDTH - LEFT - RIGHT - 16), 1)

    points = tuple(
        Point(x(m.at, n), y(number), m.passed, m.at, m.value, m.serial) for n, (m, number) in enumerate(measured)
    )
    return Chart(
        title=reason.characteristic or reason.rule or reason.cause.value,
        unit=next((m.unit for m, _ in measured if m.unit), ""),
        points=points,
        path=" ".join(f"{'M' if n == 0 else 'L'}{p.x} {p.y}" for n, p in enumerate(points)),
        limits=tuple(Level(y(number), text) for text, number in limits),
        scale=tuple(Level(y(step), _short(step)) for step in _steps(low, high)),
        first=first,
        last=last,
        failed=sum(not p.passed for p in points),
    )


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _limits(measured: Sequence[Measurement]) -> list[tuple[str, Decimal]]:
    texts = dict.fromkeys(text for m in measured for text in (m.lower, m.upper) if text)
    return [(text, number) for text in texts if (number := _number(text)) is not None]


def _room(low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
    """A little air above and below; a single value gets a scale of its own size."""
    air = (high - low) / 10 or abs(high) / 10 or Decimal(1)
    return low - air, high + air


def _steps(low: Decimal, high: Decimal) -> list[Decimal]:
    """Three to six round numbers within the scale."""
    raw = (high - low) / 5
    power = Decimal(10) ** raw.adjusted()
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = (low / step).to_integral_value(rounding="ROUND_CEILING") * step
    return [first + step * n for n in range(int((high - first) / step) + 1)]


def _short(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"
