"""Holds over the API: list, read, open, act."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.acting import act_on_hold, cosigner, decider, may_on_hold
from console.api.common import Body, Cursor, Done, IdempotencyKey, Limit, Listed, action_id, page_of
from console.forms import built
from console.opening import open_by_hand
from console.reading import hold_of
from console.who import Visitor, call_for
from domain.permissions import Action
from signals.base import Amount, Code, UtcTime
from signals.holds import (
    ClaimHold,
    CommentHold,
    ConfirmSegregation,
    CosignHold,
    DecideHold,
    HoldAct,
    HoldDisposition,
    HoldRecord,
    HoldSearch,
    ReassignHold,
    WithdrawHold,
)
from signals.people import SignatureMeaning, content_hash

router = APIRouter(tags=["holds"])
FAR = "9999"


class HoldView(BaseModel):
    """A hold with what is needed to act on it."""

    hold: HoldRecord
    content_hash: str = Field(description="of what a signature covers; send it back with `signature`")
    acts: list[str] = Field(description="kinds of acts that the token's role may do now")


class SignBody(Body):
    """Signing re-authenticates: the password of the token's owner, over what was shown."""

    password: str = Field(min_length=1, max_length=2000)
    meaning: SignatureMeaning = SignatureMeaning.APPROVAL
    content_hash: str = Field(max_length=200)


class _ActBody(Body):
    comment: str = Field(default="", max_length=2000)


class ClaimBody(_ActBody):
    """Take the hold on."""

    kind: Literal["claim"]


class ReassignBody(_ActBody):
    """Hand it on."""

    kind: Literal["reassign"]
    to: Code


class CommentBody(Body):
    """Say something."""

    kind: Literal["comment"]
    comment: str = Field(min_length=1, max_length=2000)


class SegregateBody(_ActBody):
    """The material was put aside."""

    kind: Literal["segregate"]
    counted: Amount
    location: Code


class DecideBody(_ActBody):
    """Dispositions that sum to the held quantity."""

    kind: Literal["decide"]
    dispositions: tuple[HoldDisposition, ...] = Field(min_length=1, max_length=50)
    reasons: tuple[str, ...] = Field(default=(), max_length=50)
    signature: SignBody | None = None


class CosignBody(_ActBody):
    """The second signature."""

    kind: Literal["cosign"]
    decision: Code
    agree: bool = True
    signature: SignBody | None = None


class WithdrawBody(_ActBody):
    """The hold was opened in error."""

    kind: Literal["withdraw"]
    signature: SignBody | None = None


ActBody = Annotated[
    ClaimBody | ReassignBody | CommentBody | SegregateBody | DecideBody | CosignBody | WithdrawBody,
    Field(discriminator="kind"),
]


class OpenBody(Body):
    """What to hold and why. At least one of order, material, batch and serials."""

    text: str = Field(min_length=1, max_length=500)
    quantity: Amount = Decimal(0)
    unit: Code = "PC"
    line: str = Field(default="", max_length=80)
    order: str = Field(default="", max_length=80)
    operation: str = Field(default="", max_length=80)
    material: str = Field(default="", max_length=80)
    batch: str = Field(default="", max_length=80)
    serials: tuple[Code, ...] = Field(default=(), max_length=2000)
    since: UtcTime | None = None


class Opened(BaseModel):
    """The hold that has taken it in: a new one, or an open one of the same scope."""

    hold: str
    plant: str


@router.get("/plants/{plant}/holds", summary="List holds by deadline")
async def list_holds(
    plant: str, line: str = "", order: str = "", material: str = "", batch: str = "", serial: str = "",
    assigned_to: str = "", open_only: bool = True, limit: Limit = 50, cursor: Cursor = "",
    visitor: Visitor = call_for(Action.VIEW_HOLDS),
) -> Listed[HoldRecord]:  # fmt: skip
    search = HoldSearch(
        line=line, order=order, material=material, batch=batch, serial=serial, assigned_to=assigned_to,
        open_only=open_only,
    )  # fmt: skip
    found = await visitor.services.ledger.holds(plant, search)
    return page_of([r for r in found if visitor.sees(plant, r.scope.line)], _position, cursor, limit)


def _position(record: HoldRecord) -> list[str]:
    return [_text(record.due_at), record.hold]


def _text(at: datetime | None) -> str:
    return at.isoformat(timespec="microseconds") if at else FAR


@router.get("/plants/{plant}/holds/{hold}", summary="One hold with its history")
async def read_hold(plant: str, hold: str, visitor: Visitor = call_for(Action.VIEW_HOLDS)) -> HoldView:
    record = await hold_of(visitor, plant, hold)
    return HoldView(hold=record, content_hash=content_hash(record.content()), acts=sorted(may_on_hold(visitor, record)))


@router.post("/plants/{plant}/holds", status_code=HTTPStatus.CREATED, summary="Hold material")
async def open_hold(
    plant: str, body: OpenBody, idempotency_key: IdempotencyKey = None,
    visitor: Visitor = call_for(Action.HOLD_OPEN),
) -> Opened:  # fmt: skip
    return Opened(
        hold=await open_by_hand(visitor, plant, body.model_dump(), action_id(visitor, idempotency_key)), plant=plant
    )


@router.post("/plants/{plant}/holds/{hold}/acts", summary="Act on a hold")
async def act(
    plant: str, hold: str, body: ActBody, role: str = "", idempotency_key: IdempotencyKey = None,
    visitor: Visitor = call_for(Action.VIEW_HOLDS),
) -> Done:  # fmt: skip
    record = await hold_of(visitor, plant, hold)
    wish = act_of(visitor, record, body, role, action_id(visitor, idempotency_key))
    sign = getattr(body, "signature", None)
    answer = await act_on_hold(
        visitor, record, wish, shown_hash=sign.content_hash if sign else "", password=sign.password if sign else "",
        meaning=sign.meaning if sign else SignatureMeaning.APPROVAL,
    )  # fmt: skip
    return Done(accepted=answer.accepted, message=answer.message, action_id=wish.action_id)


def act_of(visitor: Visitor, record: HoldRecord, body: Any, role: str, wish: str) -> HoldAct:
    """The body as an act of the token's owner. Raises 403."""
    plant, line = record.plant, record.scope.line
    common: dict[str, Any] = {"action_id": wish, "comment": body.comment}
    match body:
        case ClaimBody():
            return built(ClaimHold, actor=visitor.acting(Action.HOLD_CLAIM, plant, line, role), **common)
        case ReassignBody():
            actor = visitor.acting(Action.HOLD_REASSIGN, plant, line, role)
            return built(ReassignHold, actor=actor, to=body.to, **common)
        case CommentBody():
            return built(CommentHold, actor=visitor.acting(Action.HOLD_COMMENT, plant, line, role), **common)
        case SegregateBody():
            actor = visitor.acting(Action.HOLD_SEGREGATE, plant, line, role)
            return built(ConfirmSegregation, actor=actor, counted=body.counted, location=body.location, **common)
        case DecideBody():
            draft = built(
                DecideHold, actor=visitor.actors(plant)[0], dispositions=body.dispositions, reasons=body.reasons,
                **common,
            )  # fmt: skip
            return draft.model_copy(update={"actor": decider(visitor, record, draft, role)})
        case CosignBody():
            actor = cosigner(visitor, record, body.decision, role)
            return built(CosignHold, actor=actor, decision=body.decision, agree=body.agree, **common)
        case _:
            return built(WithdrawHold, actor=visitor.acting(Action.HOLD_WITHDRAW, plant, line, role), **common)
