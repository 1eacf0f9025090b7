"""Parked production: what nobody may guess about, accepted or rejected by a person."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from console import forms
from console.problems import Refused, refusal_of
from console.reading import parked_of
from console.render import page
from console.who import Visitor, our_form, page_for
from domain.permissions import Action
from signals.decisions import DecideParked
from signals.errors import BadInput, PlantwrightError
from signals.reports import ParkedItem

router = APIRouter()


@router.get("/p/{plant}/parked/{item}")
async def parked_page(
    request: Request, plant: str, item: str, visitor: Visitor = page_for(Action.VIEW_CASES)
) -> Response:
    return await shown(request, visitor, *await parked_of(visitor, plant, item))


async def shown(
    request: Request, visitor: Visitor, item: ParkedItem, waits: bool, *, refused: Refused | None = None,
    form: Any = None,
) -> Response:  # fmt: skip
    config = visitor.plant(item.plant)
    return page(
        request, "parked.html", code=refused.status.value if refused else HTTPStatus.OK, zone=config.plant.zone,
        plant=config, item=item, waits=waits, refused=refused, form=form or {}, action_id=forms.new_action(),
        may_decide=waits and visitor.may(Action.PARKED_DECIDE, item.plant, item.line),
    )  # fmt: skip


@router.post("/p/{plant}/parked/{item}", dependencies=[Depends(our_form)])
async def decide(request: Request, plant: str, item: str, visitor: Visitor = page_for(Action.VIEW_CASES)) -> Response:
    found, _ = await parked_of(visitor, plant, item)
    form = {name: str(value) for name, value in (await request.form()).items()}
    try:
        await decide_parked(visitor, found, form)
    except (PlantwrightError, Refused) as error:
        kept = {name: value for name, value in form.items() if name != "form_token"}
        again = await parked_of(visitor, plant, item)
        return await shown(request, visitor, *again, refused=refusal_of(error), form=kept)
    return RedirectResponse(f"/p/{plant}/parked/{item}?done=decide", HTTPStatus.SEE_OTHER)


async def decide_parked(visitor: Visitor, item: ParkedItem, form: dict[str, str]) -> None:
    """Raises BadInput, Refused, NoAnswer."""
    actor = visitor.acting(Action.PARKED_DECIDE, item.plant, item.line)
    if form.get("verdict") not in ("accept", "reject"):
        raise BadInput("choose accept or reject", subject="verdict")
    decision = forms.built(
        DecideParked, decision_id=form.get("action_id", ""), item=item.item, accept=form["verdict"] == "accept",
        order=form.get("order", "").strip(), operation=form.get("operation", "").strip(), by=actor.user, actor=actor,
        reason=form.get("reason", "").strip(),
    )  # fmt: skip
    await visitor.services.desk.decide_parked(item.plant, item, decision)
