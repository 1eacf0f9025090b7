"""Shift handovers over the API: list, one, acknowledge."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from console.api.common import Body, Done, IdempotencyKey, Limit, Listed, action_id
from console.shift_reading import handover_of, handovers_seen, take_over
from console.who import Visitor, call_for
from domain.permissions import Action
from signals.handover import HandoverReport, HandoverSearch

router = APIRouter(tags=["shifts"])


class TakeOverBody(Body):
    """What the incoming supervisor says to it."""

    comment: str = Field(default="", max_length=2000)


@router.get("/plants/{plant}/shifts", summary="List shift handovers, the latest first")
async def list_shifts(
    plant: str, open_only: bool = False, limit: Limit = 50, visitor: Visitor = call_for(Action.VIEW_STOPS)
) -> Listed[HandoverReport]:
    found = await handovers_seen(visitor, plant, HandoverSearch(open_only=open_only, limit=limit))
    return Listed(items=found)


@router.get("/plants/{plant}/shifts/{day}/{name}", summary="One handover")
async def show_shift(plant: str, day: str, name: str, visitor: Visitor = call_for(Action.VIEW_STOPS)) -> HandoverReport:
    return await handover_of(visitor, plant, f"{day}/{name}")


@router.post("/plants/{plant}/shifts/{day}/{name}/acknowledgement", summary="Take a shift over")
async def acknowledge(
    plant: str, day: str, name: str, body: TakeOverBody, idempotency_key: IdempotencyKey = None,
    visitor: Visitor = call_for(Action.VIEW_STOPS),
) -> Done:  # fmt: skip
    report = await handover_of(visitor, plant, f"{day}/{name}")
    answer = await take_over(visitor, report, action_id(visitor, idempotency_key), body.comment)
    return Done(accepted=answer.accepted, message=answer.message, action_id=answer.decision_id)
