"""Shift handovers: the list, one shift's report for screen and paper, and the incoming supervisor's acknowledgement."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from console import forms
from console.problems import Refused, refusal_of
from console.render import page
from console.shift_reading import handover_of, handovers_seen, take_over
from console.who import Visitor, our_form, page_for
from domain.permissions import Action
from signals.downtime import TimeClass
from signals.errors import PlantwrightError
from signals.handover import HandoverReport, HandoverSearch, HandoverState

router = APIRouter()
SHOWN = 100


@router.get("/p/{plant}/shifts")
async def shifts(
    request: Request, plant: str, open: str = "", visitor: Visitor = page_for(Action.VIEW_STOPS)
) -> Response:
    config = visitor.plant(plant)
    found = await handovers_seen(visitor, plant, HandoverSearch(open_only=bool(open), limit=SHOWN))
    return page(
        request, "shifts.html", zone=config.plant.zone, plant=config, handovers=found, open_only=bool(open),
        declared=bool(config.shifts),
    )  # fmt: skip


@router.get("/p/{plant}/shifts/{day}/{name}")
async def shift_page(
    request: Request, plant: str, day: str, name: str, visitor: Visitor = page_for(Action.VIEW_STOPS)
) -> Response:
    return shown(request, visitor, await handover_of(visitor, plant, f"{day}/{name}"))


def shown(
    request: Request, visitor: Visitor, report: HandoverReport, *, refused: Refused | None = None, comment: str = ""
) -> Response:
    """The report; after a refusal with the reason, and with what was typed."""
    config = visitor.plant(report.plant)
    waits = report.state is not HandoverState.ACKNOWLEDGED
    used = [c for c in TimeClass if any(line.seconds.get(c) for line in report.lines)]
    return page(
        request, "shift.html", code=refused.status.value if refused else HTTPStatus.OK, zone=config.plant.zone,
        plant=config, shift=report, classes=used, action_id=forms.new_action(), refused=refused, comment=comment,
        may_take_over=waits and visitor.may(Action.HANDOVER_ACKNOWLEDGE, report.plant),
        unexplained=sum(1 for stop in report.stops if stop.state == "ended"),
    )  # fmt: skip


@router.post("/p/{plant}/shifts/{day}/{name}/acknowledge", dependencies=[Depends(our_form)])
async def acknowledge(
    request: Request, plant: str, day: str, name: str, visitor: Visitor = page_for(Action.VIEW_STOPS)
) -> Response:
    report = await handover_of(visitor, plant, f"{day}/{name}")
    form = {field: str(value) for field, value in (await request.form()).items()}
    comment = form.get("comment", "").strip()
    try:
        await take_over(visitor, report, form.get("action_id", ""), comment)
    except (PlantwrightError, Refused) as error:
        again = await handover_of(visitor, plant, report.shift)
        return shown(request, visitor, again, refused=refusal_of(error), comment=comment)
    return RedirectResponse(f"/p/{plant}/shifts/{report.shift}?done=acknowledge", HTTPStatus.SEE_OTHER)
