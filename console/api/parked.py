"""Parked production over the API: list, decide."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from console.api.common import Body, Cursor, Done, IdempotencyKey, Limit, Listed, action_id, page_of
from console.forms import built
from console.reading import parked_of
from console.who import Visitor, call_for
from domain.permissions import Action
from signals.base import Code
from signals.decisions import DecideParked
from signals.reports import ParkedItem

router = APIRouter(tags=["parked"])


class VerdictBody(Body):
    """Accept counts it, reject does not."""

    accept: bool
    reason: Code
    order: str = Field(default="", max_length=80, description="where to count what had no order")
    operation: str = Field(default="", max_length=80)


@router.get("/plants/{plant}/parked", summary="List parked items, oldest first")
async def list_parked(
    plant: str, order: str = "", line: str = "", open_only: bool = True, limit: Limit = 50, cursor: Cursor = "",
    visitor: Visitor = call_for(Action.VIEW_CASES),
) -> Listed[ParkedItem]:  # fmt: skip
    found = await visitor.services.ledger.parked(plant, order=order, line=line, open_only=open_only)
    seen = sorted((item for item in found if visitor.sees(plant, item.line)), key=_position)
    return page_of(seen, _position, cursor, limit)


def _position(item: ParkedItem) -> list[str]:
    return [item.at.isoformat(timespec="microseconds"), item.item]


@router.post("/plants/{plant}/parked/{item}/decisions", summary="Decide a parked item")
async def decide(
    plant: str, item: str, body: VerdictBody, idempotency_key: IdempotencyKey = None,
    visitor: Visitor = call_for(Action.VIEW_CASES),
) -> Done:  # fmt: skip
    found, _ = await parked_of(visitor, plant, item)
    actor = visitor.acting(Action.PARKED_DECIDE, plant, found.line)
    decision = built(
        DecideParked, decision_id=action_id(visitor, idempotency_key), item=item, accept=body.accept, by=actor.user,
        actor=actor, reason=body.reason, order=body.order, operation=body.operation,
    )  # fmt: skip
    answer = await visitor.services.desk.decide_parked(plant, found, decision)
    return Done(accepted=answer.accepted, message=answer.message, action_id=decision.decision_id)
