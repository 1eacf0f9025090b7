"""Pareto of losses and a line's day as shapes of an SVG. Pure; the templates draw. Only attributes, no style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from zoneinfo import ZoneInfo

from domain.losses import Loss
from domain.stop_review import Segment
from signals.base import ZERO
from signals.downtime import ReasonStatus

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 78, 14, 34
BARS = 10
"""The greatest ones have a bar of their own; the rest is one bar, and stands in the table."""
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440, 2880, 7200, 14400)
"""Minutes between two lines of the scale."""

STRIP_WIDTH, STRIP_HEIGHT = 960, 50
STRIP_BAR = 46
NARROWEST = 1.5


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    number: str
    text: str
    minutes: Decimal


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Pareto:
    """Bars by lost minutes, the line of their running share, and both scales."""

    bars: tuple[Bar, ...]
    line: str
    points: tuple[tuple[float, float], ...]
    minutes: tuple[Tick, ...]
    shares: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def pareto_of(losses: Sequence[Loss], rest: str) -> Pareto | None:
    """None where nothing was lost. `rest` is the name of the bar of what is too small for one of its own."""
    if not losses or not losses[0].seconds:
        return None
    shown = list(losses) if len(losses) <= BARS else list(losses[: BARS - 1])
    values = [(str(n), loss.text or loss.key, loss.seconds) for n, loss in enumerate(shown, start=1)]
    if len(shown) < len(losses):
        values.append(("+", rest, sum((one.seconds for one in losses[len(shown) :]), ZERO)))
    whole = sum((seconds for _, _, seconds in values), ZERO)
    step = _step(max(seconds for _, _, seconds in values) / 60)
    top = step * (max(seconds for _, _, seconds in values) / 60 / step).to_integral_value(rounding=ROUND_CEILING)
    floor, room = HEIGHT - BOTTOM, HEIGHT - TOP - BOTTOM
    pitch = (WIDTH - LEFT - RIGHT) / len(values)
    bars: list[Bar] = []
    points: list[tuple[float, float]] = []
    running = ZERO
    for n, (number, text, seconds) in enumerate(values):
        running += seconds
        height = round(float(seconds / 60 / top) * room, 1)
        x = LEFT + n * pitch
        bars.append(
            Bar(round(x + pitch * 0.12, 1), round(floor - height, 1), round(pitch * 0.76, 1), height, number, text,
                seconds / 60)
        )  # fmt: skip
        points.append((round(x + pitch / 2, 1), round(floor - float(running / whole) * room, 1)))
    return Pareto(
        bars=tuple(bars),
        line=" ".join(f"{'M' if n == 0 else 'L'}{x} {y}" for n, (x, y) in enumerate(points)),
        points=tuple(points),
        minutes=tuple(
            Tick(round(floor - float(step * n / top) * room, 1), f"{(step * n).normalize():f}")
            for n in range(int(top / step) + 1)
        ),
        shares=tuple(Tick(round(floor - share / 100 * room, 1), f"{share} %") for share in (0, 50, 80, 100)),
    )


def _step(most: Decimal) -> Decimal:
    """Minutes between two lines of the scale, so that there are five at most."""
    if most <= 1:
        return Decimal("0.2")
    return Decimal(next((step for step in STEPS if most / step <= 5), STEPS[-1]))


@dataclass(frozen=True)
class Block:
    """A stretch of a line's time; `stop` where it leads to one."""

    x: float
    width: float
    y: float
    height: float
    kind: str
    segment: Segment


@dataclass(frozen=True)
class Strip:
    """A line's day or shift, the past of it."""

    blocks: tuple[Block, ...]
    hours: tuple[Tick, ...]
    width: int = STRIP_WIDTH
    height: int = STRIP_HEIGHT


HEIGHTS = {"running": 0.35, "micro_stop": 0.6, "planned": 0.5, "setup": 0.7, "not_scheduled": 0.15, "no_data": 0.25}
"""Share of the bar's height: what a stretch is can be told without its colour. What was lost is of full height."""


def strip_of(segments: Sequence[Segment], since: datetime, until: datetime, zone: str) -> Strip:
    """`until` is the end of the scale; segments may end earlier."""
    span = (until - since).total_seconds()
    blocks: list[Block] = []
    for one in segments:
        x = (one.start - since).total_seconds() / span * STRIP_WIDTH
        width = max((one.end - one.start).total_seconds() / span * STRIP_WIDTH, NARROWEST if one.stop else 0)
        kind = one.time_class.value
        unknown = one.part is not None and one.part.status is not ReasonStatus.CLASSIFIED
        height = round(HEIGHTS.get(kind, 1.0) * STRIP_BAR, 1)
        blocks.append(
            Block(round(x, 2), round(width, 2), round(STRIP_HEIGHT - height, 1), height,
                  f"{kind} unknown" if unknown else kind, one)
        )  # fmt: skip
    return Strip(tuple(blocks), tuple(_hours(since, until, zone, span)))


def _hours(since: datetime, until: datetime, zone: str, span: float) -> list[Tick]:
    every = 1 if span <= 12 * 3600 else 3
    place = ZoneInfo(zone)
    at = since.replace(minute=0, second=0, microsecond=0)
    found: list[Tick] = []
    while at <= until:
        if at >= since and at.astimezone(place).hour % every == 0:
            x = (at - since).total_seconds() / span * STRIP_WIDTH
            found.append(Tick(round(x, 1), f"{at.astimezone(place):%H:%M}"))
        at += timedelta(hours=1)
    return found
