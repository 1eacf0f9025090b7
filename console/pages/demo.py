"""The demo page: line, machine, Plantwright and ERP side by side, live, with buttons that break things.

It exists only where a demo plays in this process (`Services.demo`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from console.figures import from_checkpoint
from console.ports import Changes, DemoStage
from console.problems import Refused, as_json, not_found, refusal_of
from console.reading import order_of
from console.render import page
from console.who import Visitor, our_form, page_for
from domain.permissions import Action
from ledger.port import EventTrace, OrderTrace, PostingRecord
from signals.base import ZERO, Amount
from signals.demo import DemoView
from signals.documents import CaseKind, ErpDocument
from signals.errors import PlantwrightError
from signals.events import (
    AlarmEvent,
    CountEvent,
    MachineEvent,
    MeasurementEvent,
    OperatorEvent,
    OrderEvent,
    ProgramEvent,
    ReasonEvent,
    StateEvent,
)
from signals.reports import ProductionReport

router = APIRouter()

TOPIC = "demo"
NAMES = ("Machine", "Plantwright", "ERP")
MOST_EVENTS = 40
"""Events of one report that are shown; the rest is counted."""


@dataclass(frozen=True)
class Button:
    """Something one can do to the demo; `see` says what one will see then. Texts are keys of the catalogue."""

    act: str
    label: str
    see: str
    tone: str = ""


BUTTONS = (
    Button("unplug", "Unplug the ERP",
           "The ERP drops every connection. The machine goes on, Plantwright counts on, the ERP stands still."),
    Button("plug", "Plug the ERP in",
           "What was kept is posted, oldest first; nothing twice. The three books come together again."),
    Button("break", "Break the machine",
           "The welding station stops with an alarm for 75 s of plant time; the others run on until they starve."),
    Button("bad-part", "Make a bad part",
           "The next piece is spoilt at the press and found at the inspection: one scrap, with its reason."),
    Button("drift", "Let it drift",
           "The press force leaves its limits for three pieces. Within seconds they are held: see Held material."),
    Button("change-over", "Change over in mid-batch",
           "The next order comes on at once; each piece is still booked to the order and batch it belongs to."),
    Button("by-hand", "Confirm by hand in the ERP",
           "Somebody types three pieces into the ERP. Plantwright notices, posts none again, and asks a person."),
    Button("adopt", "Adopt the hand entry",
           "The person's answer: these pieces are part of what the machine counted. The rest is posted."),
    Button("kill-worker", "Kill the worker",
           "The deciding process dies at once (SIGKILL). A new one goes on from where the old one stood."),
)  # fmt: skip


class DemoNews:
    """The ledger's topics, and one for the demo: machines move although nothing was written."""

    def __init__(self, ledger: Changes, stage: DemoStage) -> None:
        self._ledger = ledger
        self._stage = stage

    async def change_marks(self, plant: str) -> Mapping[str, str]:
        return {**await self._ledger.change_marks(plant), TOPIC: self._stage.mark}


@router.get("/p/{plant}/demo")
async def demo(request: Request, plant: str, visitor: Visitor = page_for(Action.VIEW_ORDERS)) -> Response:
    return await shown(request, visitor, plant)


async def shown(request: Request, visitor: Visitor, plant: str, refused: Refused | None = None) -> Response:
    config, stage = visitor.plant(plant), stage_of(visitor)
    known = set(stage.acts)
    counted_at = None
    for line in config.lines:
        stored = await visitor.services.ledger.load_line(plant, line.id)
        if stored is not None:
            counted_at = from_checkpoint(line.id, line.name or line.id, stored.checkpoint).as_of
    return page(
        request, "demo.html", code=refused.status.value if refused else HTTPStatus.OK, zone=config.plant.zone,
        plant=config, view=stage.view(), buttons=[b for b in BUTTONS if b.act in known], refused=refused,
        counted_at=counted_at, bars=bars_of(stage.view()), step=step_of(stage.view()),
    )  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """All pieces in one set of books, `width` of 1000."""

    name: str
    pieces: Amount
    width: int


def bars_of(view: DemoView | None) -> list[Bar]:
    """Machine, Plantwright and ERP over all operations; full is what the orders ask for, or what was made if more."""
    if view is None:
        return []
    full = max(view.planned, *view.totals, Decimal(1))
    return [Bar(name, pieces, int(1000 * pieces / full)) for name, pieces in zip(NAMES, view.totals, strict=True)]


def step_of(view: DemoView | None) -> int:
    """Which of the guide's three steps comes next: watch, break something, see the books agree."""
    if view is None or not any(f.erp.total for f in view.figures):
        return 1
    return 3 if view.closed or (view.finished and view.erp_up) else 2


@router.post("/p/{plant}/demo/{act}", dependencies=[Depends(our_form)])
async def act(request: Request, plant: str, act: str, visitor: Visitor = page_for(Action.VIEW_ORDERS)) -> Response:
    """A button. Scripts get what happened as JSON, a browser without them the page again."""
    visitor.plant(plant)
    stage = stage_of(visitor)
    if act not in stage.acts:
        raise not_found()
    scripted = "application/json" in request.headers.get("accept", "")
    try:
        said = await stage.act(act)
    except PlantwrightError as error:
        refused = refusal_of(error)
        return as_json(refused) if scripted else await shown(request, visitor, plant, refused)
    if scripted:
        return JSONResponse({"said": list(said)})
    return RedirectResponse(f"/p/{plant}/demo#happened", HTTPStatus.SEE_OTHER)


# --- behind a figure -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Behind:
    """A report of the line with what the machine said for it."""

    report: ProductionReport
    events: tuple[EventTrace, ...]
    more: int


@dataclass(frozen=True)
class Link:
    """One document of the ERP, the posting that made it, and the reports that are in it."""

    document: ErpDocument | None
    posting: PostingRecord | None
    reports: tuple[Behind, ...]

    @property
    def good(self) -> Amount:
        return sum((b.report.yield_quantity for b in self.reports), ZERO)

    @property
    def scrap(self) -> Amount:
        return sum((b.report.scrap_quantity for b in self.reports), ZERO)


@router.get("/p/{plant}/demo/{order}/{operation}")
async def figure(
    request: Request, plant: str, order: str, operation: str, visitor: Visitor = page_for(Action.VIEW_ORDERS)
) -> Response:
    """What stands behind an ERP figure: documents, postings, reports, and the machine's own events."""
    config = visitor.plant(plant)
    stage = stage_of(visitor)
    record = await order_of(visitor, plant, order)
    assert record.order is not None
    if record.order.find_operation(operation) is None:
        raise not_found()
    links = chain(await visitor.services.ledger.trace(plant, order), operation)
    cases = await visitor.services.ledger.cases(plant, order=order)
    by_hand = [c for c in cases if c.kind is CaseKind.MANUAL_ENTRY and c.operation == operation]
    view = stage.view()
    shown_now = next((f for f in view.figures if (f.order, f.operation) == (order, operation)), None) if view else None
    return page(
        request, "demo_figure.html", zone=config.plant.zone, plant=config, order=record.order,
        operation=record.order.find_operation(operation), links=links, by_hand=by_hand, figure=shown_now,
        said=said,
    )  # fmt: skip


def chain(trace: OrderTrace, operation: str) -> list[Link]:
    """From the ERP's documents of an operation back to the events, oldest first; what is not booked yet comes last."""
    events = {e.event.event.event_id: e for e in trace.events}
    reports = {
        m.report.report_id: m.report
        for m in trace.messages
        if m.report is not None and m.report.bucket.operation == operation
    }
    by_document = {d.document: d for d in trace.documents if d.operation == operation}
    links: list[Link] = []
    taken: set[str] = set()
    booked: set[str] = set()
    for posting in trace.postings:
        mine = tuple(reports[i] for i in posting.report_ids if i in reports)
        if posting.operation != operation or not mine:
            continue
        taken |= {r.report_id for r in mine}
        booked.add(posting.document)
        behind = tuple(_behind(report, events) for report in mine)
        links.append(Link(by_document.get(posting.document), posting, behind))
    by_hand = [Link(d, None, ()) for name, d in by_document.items() if name not in booked and not d.reversal]
    rest = tuple(_behind(r, events) for name, r in reports.items() if name not in taken)
    return [*by_hand, *links, *([Link(None, None, rest)] if rest else [])]


def _behind(report: ProductionReport, events: Mapping[str, EventTrace]) -> Behind:
    named = [events[i] for e in report.evidence for i in e.event_ids if i in events]
    return Behind(report, tuple(named[:MOST_EVENTS]), max(0, len(named) - MOST_EVENTS))


def said(event: MachineEvent) -> str:
    """What the machine said: its counter, value or word."""
    match event:
        case CountEvent():
            return str(event.total)
        case MeasurementEvent():
            return f"{event.value} {event.unit}".strip()
        case StateEvent():
            return event.state.value
        case OrderEvent() | ReasonEvent() | ProgramEvent():
            return event.value
        case AlarmEvent():
            return event.code
        case OperatorEvent():
            return event.operator
        case _:
            return event.kind


def stage_of(visitor: Visitor) -> DemoStage:
    """The demo that plays here. Raises 404 where none does."""
    stage = visitor.services.demo
    if stage is None:
        raise not_found()
    return stage
