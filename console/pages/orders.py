"""Orders: the list, and one order with what machine, Plantwright and ERP say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.figures import Pieces, counted
from console.reading import order_of, status_of
from console.render import page
from console.who import Visitor, page_for
from domain.permissions import Action
from domain.places import lines_of_order
from ledger.port import PostingRecord
from signals.base import ZERO
from signals.documents import ErpDocument, OperationTotals
from signals.exceptions import CaseSearch, ListedCase
from signals.holds import HoldRecord, HoldSearch
from signals.ids import order_workflow_id
from signals.orders import ProductionOrder
from signals.status import OperationStatus, OrderStatus

router = APIRouter()


@dataclass(frozen=True)
class Row:
    """One operation in three books. None: that book does not say."""

    operation: str
    text: str
    planned: Decimal
    unit: str
    machine: Pieces
    mes: OperationStatus | None
    erp: OperationTotals | None

    @property
    def case(self) -> str:
        """The exception that the operation waits for; empty where it waits for none."""
        kind, _, name = (self.mes.waits_for if self.mes else "").partition(" ")
        return name.split(" ")[0] if kind == "case" else ""

    @property
    def differs(self) -> bool:
        """The books do not show the same good pieces: some are on their way, or there is a case."""
        shown = {self.machine.good, self.erp.yield_quantity if self.erp else ZERO}
        return len(shown | ({self.mes.reported_yield} if self.mes else set())) > 1


@dataclass(frozen=True)
class Happening:
    """One entry of the timeline."""

    at: datetime
    what: str
    text: str
    path: str = ""


@router.get("/p/{plant}/orders")
async def orders(request: Request, plant: str, visitor: Visitor = page_for(Action.VIEW_ORDERS)) -> Response:
    config = visitor.plant(plant)
    records = [
        record
        for record in await visitor.services.ledger.orders(plant)
        if record.order is not None and visitor.sees_any(plant, lines_of_order(config, record.order))
    ]
    held = {hold.scope.order for hold in await visitor.services.ledger.holds(plant, HoldSearch())}
    return page(request, "orders.html", zone=config.plant.zone, plant=config, records=records, held=held)


@router.get("/p/{plant}/orders/{order}")
async def order_page(
    request: Request, plant: str, order: str, visitor: Visitor = page_for(Action.VIEW_ORDERS)
) -> Response:
    config, ledger = visitor.plant(plant), visitor.services.ledger
    record = await order_of(visitor, plant, order)
    assert record.order is not None
    status, silent = await status_of(visitor, plant, order)
    postings = await ledger.order_postings(plant, order)
    documents = await ledger.own_documents(plant, order)
    holds = [h for h in await ledger.holds(plant, HoldSearch(order=order, open_only=False))
             if visitor.sees(plant, h.scope.line)]  # fmt: skip
    cases: list[ListedCase] = []
    if visitor.may(Action.VIEW_CASES, plant):
        cases = await ledger.find_cases(plant, CaseSearch(order=order, open_only=False))
    return page(
        request, "order.html", zone=config.plant.zone, plant=config, order=record.order, phase=record.phase,
        rows=rows_of(record.order, counted(record.messages), status, await ledger.totals(plant, order, beside=True)),
        status=status, silent=silent, postings=postings[::-1], documents={d.document: d for d in documents},
        holds=holds, cases=cases, timeline=timeline(postings, documents, holds, cases),
        temporal=temporal_link(visitor.services.temporal_ui, plant, order),
    )  # fmt: skip


def rows_of(
    order: ProductionOrder, machine: dict[str, Pieces], status: OrderStatus | None, erp: tuple[OperationTotals, ...]
) -> list[Row]:
    mes = {o.operation: o for o in status.operations} if status else {}
    posted = {t.operation: t for t in erp}
    return [
        Row(
            o.operation, o.text, o.planned, o.unit, machine.get(o.operation, Pieces(o.operation)),
            mes.get(o.operation), posted.get(o.operation),
        )
        for o in order.operations
    ]  # fmt: skip


def timeline(
    postings: list[PostingRecord], documents: list[ErpDocument], holds: list[HoldRecord], cases: list[ListedCase]
) -> list[Happening]:
    """What happened to the order, the latest first."""
    found = [Happening(p.sent_at, "sent", p.type.value, "") for p in postings if p.sent_at]
    found += [Happening(d.entered_at, "booked", d.document, "") for d in documents if d.entered_at]
    for hold in holds:
        path = f"/p/{hold.plant}/holds/{hold.hold}"
        reason = hold.reasons[0].text if hold.reasons else hold.hold
        found.append(Happening(hold.opened_at, "held", reason, path))
        if hold.closed_at:
            found.append(Happening(hold.closed_at, "hold over", hold.hold, path))
    for listed in cases:
        case = listed.case
        if case.opened_at:
            found.append(Happening(case.opened_at, "exception", case.summary, f"/p/{case.plant}/cases/{case.case_id}"))
    return sorted(found, key=lambda happening: happening.at, reverse=True)


def temporal_link(ui: str, plant: str, order: str) -> str:
    """The order's process in the Temporal UI; `ui` is the address of the namespace's workflows."""
    return f"{ui.rstrip('/')}/{quote(order_workflow_id(plant, order), safe='')}" if ui else ""
