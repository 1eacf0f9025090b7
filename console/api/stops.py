"""Stops over the API: list, read, act."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.api.common import Body, Cursor, Done, IdempotencyKey, Limit, Listed, action_id, page_of
from console.reading import stop_of, stops_seen
from console.stop_acting import act_on_stop, may_on_stop, stop_act, stop_actor
from console.who import Visitor, call_for
from domain.permissions import Action
from domain.stop_review import looked_at
from signals.base import Amount, Code, UtcTime
from signals.downtime import StopRecord, StopSearch

router = APIRouter(tags=["stops"])


class StopView(BaseModel):
    """A stop with what is needed to act on it."""

    stop: StopRecord
    acts: list[str] = Field(description="kinds of acts that the token's role may do now")


class _ActBody(Body):
    comment: str = Field(default="", max_length=2000)


class AcknowledgeBody(_ActBody):
    """Take care of it."""

    kind: Literal["acknowledge"]


class ClassifyBody(_ActBody):
    """Why the line stands: all of it that nobody has explained, or one part."""

    kind: Literal["classify"]
    reason: Code
    part: int | None = Field(default=None, ge=1)


class SplitBody(_ActBody):
    """Cut a part; what is after the instant gets the reason."""

    kind: Literal["split"]
    at: UtcTime
    reason: str = Field(default="", max_length=80)


class RecodeBody(Body):
    """Another reason for what was explained already, and why."""

    kind: Literal["recode"]
    part: int = Field(ge=1)
    reason: Code
    comment: str = Field(min_length=1, max_length=2000)


class ShelveBody(Body):
    """Nobody is called before the instant."""

    kind: Literal["shelve"]
    until: UtcTime
    comment: str = Field(min_length=1, max_length=2000)


class JoinBody(_ActBody):
    """It is part of another stop of the line."""

    kind: Literal["join"]
    into: Code


class StopCommentBody(Body):
    """Say something."""

    kind: Literal["comment"]
    comment: str = Field(min_length=1, max_length=2000)


class EstimateBody(_ActBody):
    """When the line is expected to run again."""

    kind: Literal["estimate"]
    recovery_at: UtcTime
    available_percent: Annotated[Amount, Field(le=100)] = Decimal(0)


class CapacityBody(_ActBody):
    """Decide the proposed capacity change; `recovery_at` is the stop's `expected_recovery` as it was shown."""

    kind: Literal["capacity"]
    approve: bool
    recovery_at: UtcTime | None = None


class ReallocateBody(_ActBody):
    """Decide the proposed reallocation."""

    kind: Literal["reallocate"]
    approve: bool


class CloseBody(_ActBody):
    """It is over and explained."""

    kind: Literal["close"]


StopActBody = Annotated[
    AcknowledgeBody | ClassifyBody | SplitBody | RecodeBody | ShelveBody | JoinBody | StopCommentBody | EstimateBody
    | CapacityBody | ReallocateBody | CloseBody,
    Field(discriminator="kind"),
]  # fmt: skip


@router.get("/plants/{plant}/stops", summary="List stops, latest first")
async def list_stops(
    plant: str, line: str = "", shift: str = "", order: str = "", reason: str = "", unclassified: bool = False,
    open_only: bool = True, micro: bool = False, since: UtcTime | None = None, until: UtcTime | None = None,
    limit: Limit = 50, cursor: Cursor = "", visitor: Visitor = call_for(Action.VIEW_STOPS),
) -> Listed[StopRecord]:  # fmt: skip
    search = StopSearch(
        line=line, shift=shift, order=order, reason=reason, unclassified=unclassified, open_only=open_only,
        micro=micro, since=since, until=until,
    )  # fmt: skip
    config, now = visitor.plant(plant), visitor.services.now()
    found = [looked_at(r, config, now) for r in await stops_seen(visitor, plant, search)]
    return page_of(sorted(found, key=_position), _position, cursor, limit)


def _position(record: StopRecord) -> list[str]:
    """The latest first: digits turned round, so that texts sort so."""
    micros = int(record.fact.started_at.timestamp() * 1_000_000)
    return [f"{10**18 - micros:019}", record.line, record.stop]


@router.get("/plants/{plant}/stops/{line}/{stop}", summary="One stop with its history")
async def read_stop(plant: str, line: str, stop: str, visitor: Visitor = call_for(Action.VIEW_STOPS)) -> StopView:
    record = await stop_of(visitor, plant, line, stop)
    return StopView(stop=record, acts=sorted(may_on_stop(visitor, record)))


@router.post("/plants/{plant}/stops/{line}/{stop}/acts", summary="Act on a stop")
async def act(
    plant: str, line: str, stop: str, body: StopActBody, role: str = "", idempotency_key: IdempotencyKey = None,
    visitor: Visitor = call_for(Action.VIEW_STOPS),
) -> Done:  # fmt: skip
    record = await stop_of(visitor, plant, line, stop)
    actor = stop_actor(visitor, record, body.kind, role)
    values: dict[str, Any] = body.model_dump(exclude={"kind"})
    wish = stop_act(actor, body.kind, {**values, "action_id": action_id(visitor, idempotency_key)})
    answer = await act_on_stop(visitor, record, wish)
    return Done(accepted=answer.accepted, message=answer.message, action_id=wish.action_id)
