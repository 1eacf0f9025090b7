"""Orders over the API: list, read."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.api.common import Cursor, Limit, Listed, page_of
from console.figures import counted
from console.reading import order_of, status_of
from console.who import Visitor, call_for
from domain.permissions import Action
from domain.places import lines_of_order
from ledger.port import PostingRecord
from signals.base import Amount
from signals.documents import OperationTotals
from signals.orders import ProductionOrder
from signals.status import OrderStatus

router = APIRouter(tags=["orders"])


class OrderSummary(BaseModel):
    """An order in a list."""

    order: str
    material: str
    quantity: Amount
    unit: str
    phase: str
    posted: list[OperationTotals]
    open_exceptions: int


class MachineCount(BaseModel):
    """What the lines have reported at one operation."""

    operation: str
    good: Amount
    scrap: Amount
    rework: Amount


class OrderView(BaseModel):
    """An order in three books."""

    order: ProductionOrder
    phase: str
    machine: list[MachineCount]
    plantwright: OrderStatus | None = Field(description="null where the order's process does not answer")
    erp: list[OperationTotals]
    postings: list[PostingRecord]


@router.get("/plants/{plant}/orders", summary="List orders by number")
async def list_orders(
    plant: str, limit: Limit = 50, cursor: Cursor = "", visitor: Visitor = call_for(Action.VIEW_ORDERS)
) -> Listed[OrderSummary]:
    config = visitor.plant(plant)
    found = [
        OrderSummary(
            order=r.order.order, material=r.order.material, quantity=r.order.quantity, unit=r.order.unit,
            phase=r.phase or "released", posted=list(r.totals), open_exceptions=len(r.open_cases),
        )
        for r in await visitor.services.ledger.orders(plant)
        if r.order is not None and visitor.sees_any(plant, lines_of_order(config, r.order))
    ]  # fmt: skip
    return page_of(sorted(found, key=lambda o: o.order), lambda o: [o.order], cursor, limit)


@router.get("/plants/{plant}/orders/{order}", summary="One order: machine, Plantwright, ERP")
async def read_order(plant: str, order: str, visitor: Visitor = call_for(Action.VIEW_ORDERS)) -> OrderView:
    record = await order_of(visitor, plant, order)
    assert record.order is not None
    status, _ = await status_of(visitor, plant, order)
    pieces = counted(record.messages).values()
    return OrderView(
        order=record.order,
        phase=status.phase if status else record.phase or "released",
        machine=[MachineCount(operation=p.operation, good=p.good, scrap=p.scrap, rework=p.rework) for p in pieces],
        plantwright=status,
        erp=list(await visitor.services.ledger.totals(plant, order, beside=True)),
        postings=await visitor.services.ledger.order_postings(plant, order),
    )
