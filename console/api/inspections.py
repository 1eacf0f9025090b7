"""Inspection results over the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from console.api.common import Body
from console.problems import not_found
from console.reading import lines_of_case
from console.who import Visitor, call_for
from domain.permissions import Action
from signals.holds import InspectionOutcome

router = APIRouter(tags=["inspections"])


class ResultBody(InspectionOutcome, Body):
    """One inspection of one piece or sample. `inspection` is its identity: the same one again changes nothing."""

    inspection: str = Field(min_length=1, max_length=80)


@router.post("/plants/{plant}/inspections", status_code=HTTPStatus.CREATED, summary="Record an inspection result")
async def record(plant: str, body: ResultBody, visitor: Visitor = call_for(Action.INSPECTION_RECORD)) -> dict[str, Any]:
    """What fails is held, what contradicts an earlier result never releases; the answer says what became of it."""
    lines = await lines_of_case(visitor, plant, body.order) or ("",)
    line = next((known for known in lines if visitor.may(Action.INSPECTION_RECORD, plant, known)), None)
    if line is None:
        if not visitor.sees_any(plant, lines):
            raise not_found()
        visitor.able(Action.INSPECTION_RECORD, plant, lines[0])
    outcome = InspectionOutcome.model_validate(body.model_dump())
    source = outcome.source or f"API, {visitor.user}"
    return dict(await visitor.services.desk.record_inspection(plant, outcome.model_copy(update={"source": source})))
