"""The catalogue of flows: what runs by itself, what starts and ends it, and who owns what it leaves to people."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.render import page
from console.who import Visitor, page_for
from domain.permissions import Action
from domain.roles import LADDER, Role

router = APIRouter()


@dataclass(frozen=True)
class Flow:
    """One durable process. Its texts are keys of the catalogue."""

    name: str
    id: str
    does: str
    starts: str
    ends: str
    owner: Role

    @property
    def next(self) -> tuple[Role, ...]:
        """Who is asked after the owner."""
        return LADDER[self.owner]


FLOWS = (
    Flow(
        "Line", "line:{plant}:{line}",
        "turns machine events into verified production, stops and deviations",
        "with the first event of the line", "never", Role.SUPERVISOR,
    ),
    Flow(
        "OrderIntake", "order-intake:{plant}",
        "takes released orders in from the ERP", "by its schedule", "after each look at the ERP", Role.PLANNER,
    ),
    Flow(
        "ProductionOrder", "order:{plant}:{order}",
        "posts what was made to the ERP and completes the order",
        "when the order is taken in", "when the order is closed or cancelled", Role.PLANNER,
    ),
    Flow(
        "QualityHold", "hold:{plant}:{hold}",
        "blocks material, collects decisions, carries them out in the ERP",
        "with a deviation, an inspection result or a person", "when everything held is decided and carried out",
        Role.QUALITY_ENGINEER,
    ),
    Flow(
        "Downtime", "downtime:{plant}:{line}:{stop}",
        "asks why a line stands, calls people step by step, tells maintenance and planning",
        "when a line has stood for longer than a micro-stop", "when it is over, explained and booked",
        Role.MAINTENANCE,
    ),
    Flow(
        "ErpException", "erp-exception:{plant}:{posting}",
        "keeps what the ERP refused, or what nobody knows the fate of, until it is settled",
        "when a posting is refused or in doubt", "when a person or the ERP has settled it", Role.INTEGRATION,
    ),
    Flow(
        "Compensation", "compensation:{plant}:{subject}",
        "takes back in the ERP what was booked, newest first",
        "when an order is declared void or a step is compensated", "when nothing of it stands any more",
        Role.FINANCE,
    ),
    Flow(
        "Notify", "notify:{plant}:{notification}",
        "tells people by mail, webhook and inbox that something waits for them",
        "when a hold is opened, escalated, wants a second signature or is over",
        "when each channel has taken or refused it", Role.INTEGRATION,
    ),
    Flow(
        "HandoverTick", "handover-tick:{plant}",
        "looks which shifts have ended and begins their handover", "by its schedule", "after each look at the calendar",
        Role.SUPERVISOR,
    ),
    Flow(
        "ShiftHandover", "handover:{plant}:{shift}",
        "closes a shift in the books and hands it to the next crew",
        "when the shift is over", "when the incoming supervisor has taken over", Role.SUPERVISOR,
    ),
)  # fmt: skip


@router.get("/flows")
async def catalogue(request: Request, visitor: Visitor = page_for(Action.VIEW_FLOWS)) -> Response:
    return page(request, "flows.html", flows=FLOWS)
