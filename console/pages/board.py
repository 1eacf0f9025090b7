"""The line board: for every line its state, order, pieces, rate and stop, each figure with its age."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.figures import LineView, Pieces, counted, from_checkpoint, from_process, rate, stands_still
from console.render import page
from console.stop_cards import StopCard, line_stops
from console.who import Visitor, page_for
from domain.permissions import Action
from domain.plant import LineConfig, PlantConfig
from signals.downtime import StopSearch
from signals.errors import NoAnswer, PlantwrightError
from signals.holds import HoldRecord, HoldSearch
from signals.orders import ProductionOrder

router = APIRouter()


@dataclass(frozen=True)
class OrderAtLine:
    """What the board says of an order that is at a line."""

    order: str
    data: ProductionOrder | None
    pieces: dict[str, Pieces]
    rate: Decimal | None


@dataclass(frozen=True)
class BoardLine:
    view: LineView
    orders: dict[str, OrderAtLine]
    holds: list[HoldRecord]
    stops: list[StopCard]


@router.get("/p/{plant}/lines")
async def board(request: Request, plant: str, visitor: Visitor = page_for(Action.VIEW_BOARD)) -> Response:
    config = visitor.plant(plant)
    lines = [line for line in config.lines if visitor.sees(plant, line.id)]
    shown = await asyncio.gather(*(board_line(visitor, config, line) for line in lines))
    return page(
        request, "board.html", zone=config.plant.zone, plant=config, lines=shown, stands_still=stands_still,
    )  # fmt: skip


async def board_line(visitor: Visitor, config: PlantConfig, line: LineConfig) -> BoardLine:
    """A line as its process says, else as the ledger last had it."""
    plant, ledger = config.plant.id, visitor.services.ledger
    view = await view_of(visitor, plant, line)
    orders: dict[str, OrderAtLine] = {}
    for order in view.orders:
        record = await ledger.load_order(plant, order)
        pace = rate(record.messages, line.id, view.as_of) if view.as_of else None
        orders[order] = OrderAtLine(order, record.order, counted(record.messages), pace)
    stops = line_stops(line, await ledger.stops(plant, StopSearch(line=line.id)), config, visitor.services.now())
    return BoardLine(view, orders, await ledger.holds(plant, HoldSearch(line=line.id)), stops.standing)


async def view_of(visitor: Visitor, plant: str, line: LineConfig) -> LineView:
    try:
        status = await visitor.services.desk.line_status(plant, line.id)
    except (NoAnswer, PlantwrightError):
        status = None
    if status is not None:
        return from_process(line.id, line.name or line.id, status)
    stored = await visitor.services.ledger.load_line(plant, line.id)
    if stored is not None:
        return from_checkpoint(line.id, line.name or line.id, stored.checkpoint)
    return LineView(line.id, line.name or line.id, (), None, False, Decimal(0), 0)
