"""Exceptions over the API: list, read, decide."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.acting import decide_case, deciding
from console.api.common import Body, Cursor, Done, IdempotencyKey, Limit, Listed, action_id, page_of
from console.forms import built
from console.reading import case_of, cases_seen, lines_of_case
from console.who import Visitor, call_for
from domain.exception_rules import read_amended
from domain.permissions import Action
from signals.base import Amount, Code
from signals.decisions import DecideCase
from signals.documents import CaseAction
from signals.exceptions import CaseFile, CaseSearch, ListedCase

router = APIRouter(tags=["exceptions"])


class CaseView(BaseModel):
    """A case, and what the token's owner may decide about it now."""

    file: CaseFile
    may: list[CaseAction]


class DecisionBody(Body):
    """What to do about the case, and why."""

    action: CaseAction
    reason: Code
    role: str = Field(default="", max_length=80)
    quantity: Amount | None = Field(default=None, description="adopt only this much of a hand entry")
    document: str = Field(default="", max_length=80, description="for adopt: the document that stands in the ERP")
    amended: dict[str, Any] | None = Field(default=None, description="for amend: the whole posting as it should be")


@router.get("/plants/{plant}/exceptions", summary="List exceptions, oldest first")
async def list_cases(
    plant: str, order: str = "", code: str = "", error_class: str = "", owner: str = "", material: str = "",
    open_only: bool = True, limit: Limit = 50, cursor: Cursor = "", visitor: Visitor = call_for(Action.VIEW_CASES),
) -> Listed[ListedCase]:  # fmt: skip
    search = CaseSearch(
        order=order, code=code, error_class=error_class, owner=owner, material=material, open_only=open_only
    )
    found = await cases_seen(visitor, plant, await visitor.services.ledger.find_cases(plant, search))
    return page_of(sorted(found, key=_position), _position, cursor, limit)


def _position(listed: ListedCase) -> list[str]:
    opened: datetime | None = listed.case.opened_at
    return [opened.isoformat(timespec="microseconds") if opened else "", listed.case.case_id]


@router.get("/plants/{plant}/exceptions/{case}", summary="One exception with all that belongs to it")
async def read_case(plant: str, case: str, visitor: Visitor = call_for(Action.VIEW_CASES)) -> CaseView:
    file = await case_of(visitor, plant, case)
    lines = await lines_of_case(visitor, plant, file.case.order)
    may = [a for a in file.case.allowed if file.is_open and not file.action and deciding(visitor, file, a, lines)]
    return CaseView(file=file, may=may)


@router.post("/plants/{plant}/exceptions/{case}/decisions", summary="Decide an exception")
async def decide(
    plant: str, case: str, body: DecisionBody, idempotency_key: IdempotencyKey = None,
    visitor: Visitor = call_for(Action.VIEW_CASES),
) -> Done:  # fmt: skip
    file = await case_of(visitor, plant, case)
    decision = built(
        DecideCase, decision_id=action_id(visitor, idempotency_key), case_id=case, action=body.action,
        by=visitor.user, reason=body.reason, role=body.role, quantity=body.quantity, document=body.document,
        amended=read_amended(body.amended) if body.amended is not None else None,
    )  # fmt: skip
    answer = await decide_case(visitor, file, decision, await lines_of_case(visitor, plant, file.case.order))
    return Done(accepted=answer.accepted, message=answer.message, action_id=decision.decision_id)
