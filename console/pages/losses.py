"""Where the time of the lines goes: losses as Pareto plots over a period, and each line's day as a strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.loss_chart import Pareto, Strip, pareto_of, strip_of
from console.reading import stops_seen
from console.render import page
from console.shown import line_name
from console.who import Visitor, page_for
from domain.line_state import LineState
from domain.losses import By, Loss, Lost, lost_parts, pareto
from domain.permissions import Action
from domain.plant import LineConfig, PlantConfig
from domain.shifts import ShiftSpan, production_day, production_day_begins, shift_at
from domain.stop_account import line_times
from domain.stop_review import Segment, line_strip, seconds_of, within
from signals.base import ZERO
from signals.downtime import StopRecord, StopSearch, TimeClass
from signals.errors import BadInput

router = APIRouter()
SHOWN = (By.REASON, By.LINE, By.SHIFT, By.SKU)
DAYS = 7
MOST_DAYS = 92


@dataclass(frozen=True)
class Plot:
    by: str
    losses: tuple[Loss, ...]
    drawn: Pareto | None


@dataclass(frozen=True)
class Period:
    """Production days, both included; what they span as instants."""

    first: date
    last: date
    since: datetime
    until: datetime


@router.get("/p/{plant}/stops/losses")
async def losses(
    request: Request, plant: str, line: str = "", visitor: Visitor = page_for(Action.VIEW_STOPS)
) -> Response:
    config = visitor.plant(plant)
    asked, problem = period_of(config, request, visitor.services.now())
    lost = await lost_in(visitor, config, asked.since, asked.until, line)
    materials = await materials_of(visitor, plant, lost)
    plots = [plot_of(lost, by, config, materials) for by in SHOWN]
    lines = [known for known in config.lines if visitor.sees(plant, known.id)]
    return page(
        request, "losses.html", zone=config.plant.zone, plant=config, period=asked, plots=plots, lines=lines,
        line=line, total=sum((one.part.seconds or ZERO for one in lost), ZERO),
        stops=len({(one.line, one.stop) for one in lost}), problem=problem,
        presets=[(days, asked_days(config, visitor.services.now(), days)) for days in (1, 7, 30)],
    )  # fmt: skip


async def lost_in(
    visitor: Visitor, config: PlantConfig, since: datetime, until: datetime, line: str = ""
) -> list[Lost]:
    """What was lost in a period, as far as the visitor may know; what goes on counts up to now."""
    end = min(until, visitor.services.now())
    search = StopSearch(line=line, open_only=False, micro=True, since=since, until=end)
    return lost_parts(within(await stops_seen(visitor, config.plant.id, search), config, since, end))


async def materials_of(visitor: Visitor, plant: str, lost: Sequence[Lost]) -> dict[str, str]:
    """Each order's material."""
    found: dict[str, str] = {}
    for order in sorted({one.part.order for one in lost if one.part.order}):
        data = await visitor.services.ledger.order_data(plant, order)
        if data is not None:
            found[order] = data.material
    return found


def plot_of(lost: Sequence[Lost], by: By, config: PlantConfig, materials: dict[str, str]) -> Plot:
    found = pareto(lost, by, config.downtime, materials=materials)
    if by is By.LINE:
        found = tuple(one.model_copy(update={"text": line_name(config, one.key)}) for one in found)
    return Plot(by.value, found, pareto_of(found, "everything else"))


def period_of(config: PlantConfig, request: Request, now: datetime) -> tuple[Period, str]:
    """The production days that are asked for, else the last week; and what was wrong with the question."""
    asked = request.query_params
    today = production_day(config.plant, now)
    try:
        last = date.fromisoformat(asked["to"]) if asked.get("to") else today
        first = date.fromisoformat(asked["from"]) if asked.get("from") else last - timedelta(days=DAYS - 1)
        if first > last or (last - first).days >= MOST_DAYS or last.year > today.year + 1 or first.year < 2000:
            raise BadInput("choose up to 92 days, the first before the last")
        return days_of(config, first, last), ""
    except (ValueError, OverflowError, BadInput):
        problem = "choose up to 92 days, the first before the last"
        return days_of(config, today - timedelta(days=DAYS - 1), today), problem


def days_of(config: PlantConfig, first: date, last: date) -> Period:
    return Period(
        first,
        last,
        production_day_begins(config.plant, first),
        production_day_begins(config.plant, last + timedelta(days=1)),
    )


def asked_days(config: PlantConfig, now: datetime, days: int) -> tuple[date, date]:
    today = production_day(config.plant, now)
    return today - timedelta(days=days - 1), today


@dataclass(frozen=True)
class LineDay:
    """A line's strip with its stops and its seconds by class."""

    line: str
    name: str
    strip: Strip
    stops: list[Segment]
    seconds: list[tuple[TimeClass, Decimal]]
    hidden: Decimal
    """Seconds of missing data that the Line knows of and that no stop shows."""


@router.get("/p/{plant}/stops/timeline")
async def timeline(
    request: Request, plant: str, day: str = "", shift: str = "", visitor: Visitor = page_for(Action.VIEW_STOPS)
) -> Response:
    config, now = visitor.plant(plant), visitor.services.now()
    today = production_day(config.plant, now)
    chosen = _day(day, today)
    since, until = (
        production_day_begins(config.plant, chosen),
        production_day_begins(config.plant, chosen + timedelta(days=1)),
    )
    spans = shifts_of(config, since, until)
    picked = next((span for span in spans if span.label == shift), None)
    if picked is not None:
        since, until = picked.start, picked.end
    drawn = [
        await line_day(visitor, config, line, since, until) for line in config.lines if visitor.sees(plant, line.id)
    ]
    return page(
        request, "stop_timeline.html", zone=config.plant.zone, plant=config, day=chosen, shift=shift if picked else "",
        shifts=[(span.label, shift_name(span, chosen)) for span in spans], lines=drawn,
        before=chosen - timedelta(days=1), after=chosen + timedelta(days=1) if chosen < today else None,
        classes=[c.value for c in TimeClass],
    )  # fmt: skip


def shift_name(span: ShiftSpan, day: date) -> str:
    """The shift's name; with its day where that is another than the one shown."""
    of, _, _ = span.label.partition("/")
    return span.name if of == day.isoformat() else f"{span.name} {of}"


def _day(text: str, today: date) -> date:
    try:
        chosen = date.fromisoformat(text) if text else today
    except ValueError:
        return today
    return chosen if date(2000, 1, 1) <= chosen <= today else today


def shifts_of(config: PlantConfig, since: datetime, until: datetime) -> list[ShiftSpan]:
    """The named shifts that touch a span."""
    found: list[ShiftSpan] = []
    at = since
    while at < until:
        span = shift_at(config.plant, config.shifts, at)
        if span.name:
            found.append(span)
        at = span.end
    return found


async def line_day(
    visitor: Visitor, config: PlantConfig, line: LineConfig, since: datetime, until: datetime
) -> LineDay:
    """The line from `since` to now, or to `until` where that is earlier."""
    ledger, plant = visitor.services.ledger, config.plant.id
    end = max(min(until, visitor.services.now()), since)
    search = StopSearch(line=line.id, open_only=False, micro=True, since=since, until=end)
    records: list[StopRecord] = await ledger.stops(plant, search)
    stored = await ledger.load_line(plant, line.id)
    tracker = LineState.model_validate_json(stored.checkpoint).stops if stored is not None else None
    account = line_times(tracker, config) if tracker is not None else {}
    known = tracker.at if tracker is not None else None
    segments = line_strip(records, config, since, end, account=account, known_until=known)
    sums = seconds_of(segments)
    labels = {shift_at(config.plant, config.shifts, s.start).label for s in segments}
    dark = sum((account[label].get(TimeClass.NO_DATA, ZERO) for label in labels if label in account), ZERO)
    return LineDay(
        line.id, line.name or line.id, strip_of(segments, since, until, config.plant.zone),
        [s for s in segments if s.stop and s.time_class is not TimeClass.RUNNING],
        [(c, sums[c]) for c in TimeClass if sums.get(c)], max(dark - sums.get(TimeClass.NO_DATA, ZERO), ZERO),
    )  # fmt: skip
