"""Stops: the board, one stop with everything that is known of it, its reasons to tap, and what people do about it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from console import forms, impact
from console.problems import Refused, refusal_of
from console.reading import orders_seen, stop_of, stops_seen
from console.render import page
from console.shown import line_name
from console.stop_acting import ACTS, act_on_stop, may_on_stop, stop_act, stop_actor
from console.stop_cards import StopCard, latest_reasons, line_stops, reason_groups
from console.who import Visitor, our_form, page_for
from domain.machine_time import DOWNTIME
from domain.permissions import Action
from signals.downtime import StopRecord, StopSearch
from signals.errors import PlantwrightError

router = APIRouter()
LATELY = timedelta(days=14)
CHOICES = ("acknowledge", "classify", "estimate", "capacity", "reallocate", "close")
"""Acts that the impact card offers."""


@router.get("/p/{plant}/stops")
async def board(request: Request, plant: str, visitor: Visitor = page_for(Action.VIEW_STOPS)) -> Response:
    config, now = visitor.plant(plant), visitor.services.now()
    found = await stops_seen(visitor, plant, StopSearch())
    lines = [line_stops(line, found, config, now) for line in config.lines if visitor.sees(plant, line.id)]
    able = {c.record.stop: may_on_stop(visitor, c.record) for line in lines for c in (*line.standing, *line.ended)}
    return page(request, "stops.html", zone=config.plant.zone, plant=config, lines=lines, able=able)


@router.get("/p/{plant}/stops/{line}/{stop}")
async def stop_page(
    request: Request, plant: str, line: str, stop: str, visitor: Visitor = page_for(Action.VIEW_STOPS)
) -> Response:
    return await shown(request, visitor, await stop_of(visitor, plant, line, stop))


@router.get("/p/{plant}/stops/{line}/{stop}/reasons")
async def reasons(
    request: Request, plant: str, line: str, stop: str, part: str = "",
    visitor: Visitor = page_for(Action.VIEW_STOPS),
) -> Response:  # fmt: skip
    return await tapped(request, visitor, await stop_of(visitor, plant, line, stop), part)


async def tapped(
    request: Request, visitor: Visitor, record: StopRecord, part: str = "", *, refused: Refused | None = None
) -> Response:
    """The reasons as large buttons."""
    config, now = visitor.plant(record.plant), visitor.services.now()
    lately = StopSearch(line=record.line, open_only=False, since=now - LATELY)
    before = await visitor.services.ledger.stops(record.plant, lately)
    return page(
        request, "stop_reasons.html", code=refused.status.value if refused else HTTPStatus.OK, zone=config.plant.zone,
        plant=config, name=line_name(config, record.line), card=StopCard(record), groups=reason_groups(config.downtime),
        latest=latest_reasons(before, config.downtime), part=part if part.isdecimal() else "",
        may_say="classify" in may_on_stop(visitor, record), action_id=forms.new_action(), refused=refused,
    )  # fmt: skip


async def shown(
    request: Request, visitor: Visitor, record: StopRecord, *, refused: Refused | None = None, form: Any = None
) -> Response:
    """The page; after a refusal with the reason, and with what was typed."""
    plant, services = record.plant, visitor.services
    config, ledger, now = visitor.plant(plant), services.ledger, services.now()
    acts = may_on_stop(visitor, record)
    number = next((p.order for p in reversed(record.parts) if p.order), "")
    order = await ledger.load_order(plant, number) if number else None
    done = min((t.yield_quantity for t in order.totals), default=Decimal(0)) if order else Decimal(0)
    near: list[StopRecord] = []
    if "join" in acts:
        search = StopSearch(line=record.line, open_only=False, since=record.fact.started_at - timedelta(days=1))
        near = [r for r in await ledger.stops(plant, search) if r.stop != record.stop][:20]
    card = impact.of_stop(
        record, order.order if order else None, done, await orders_seen(visitor, plant),
        [a for a in CHOICES if a in acts],
    )  # fmt: skip
    longest = timedelta(minutes=config.downtime.shelve_minutes_max)
    return page(
        request, "stop.html", code=refused.status.value if refused else HTTPStatus.OK, zone=config.plant.zone,
        plant=config, name=line_name(config, record.line), card=StopCard(record), stop=record, impact=card,
        acts=acts, near=near,
        lost=[p for p in record.parts if p.time_class in DOWNTIME], groups=reason_groups(config.downtime),
        until=min(now + timedelta(hours=1), now + longest), longest=longest, recovery=now + timedelta(hours=1),
        action_id=forms.new_action(), refused=refused, form=form or {},
    )  # fmt: skip


@router.post("/p/{plant}/stops/{line}/{stop}/{act}", dependencies=[Depends(our_form)])
async def act(
    request: Request, plant: str, line: str, stop: str, act: str, visitor: Visitor = page_for(Action.VIEW_STOPS)
) -> Response:
    record = await stop_of(visitor, plant, line, stop)
    form = {name: str(value) for name, value in (await request.form()).items()}
    back = form.get("back", "")
    try:
        # Before anything of the form is judged: whoever may not is told so, whatever they wrote.
        actor = stop_actor(visitor, record, act, form.get("role", ""))
        wish = stop_act(actor, act, read_values(act, form, visitor.plant(plant).plant.zone))
        await act_on_stop(visitor, record, wish)
    except (PlantwrightError, Refused) as error:
        refused = refusal_of(error)
        if refused.status is HTTPStatus.NOT_FOUND:
            raise
        again = await stop_of(visitor, plant, line, stop)
        if back == "reasons":
            return await tapped(request, visitor, again, form.get("part", ""), refused=refused)
        kept = {name: value for name, value in form.items() if name != "form_token"}
        return await shown(request, visitor, again, refused=refused, form=kept)
    where = f"/p/{plant}/stops" if back in ("board", "reasons") else f"/p/{plant}/stops/{line}/{stop}"
    return RedirectResponse(f"{where}?done={act if act in ACTS else ''}", HTTPStatus.SEE_OTHER)


def read_values(act: str, form: dict[str, str], zone: str) -> dict[str, Any]:
    """What the form says, as the act's fields. Raises BadInput."""
    values: dict[str, Any] = {"action_id": form.get("action_id", ""), "comment": form.get("comment", "").strip()}
    part, reason = form.get("part", "").strip(), form.get("reason", "").strip()
    match act:
        case "classify":
            values |= {"reason": reason, "part": forms.whole(part, "part") if part else None}
        case "split":
            values |= {"at": forms.instant(form.get("at", ""), zone, "at"), "reason": reason}
        case "recode":
            values |= {"reason": reason, "part": forms.whole(part, "part")}
        case "shelve":
            values |= {"until": forms.instant(form.get("until", ""), zone, "until")}
        case "join":
            values |= {"into": form.get("into", "").strip()}
        case "estimate":
            values |= {
                "recovery_at": forms.instant(form.get("recovery_at", ""), zone, "recovery"),
                "available_percent": forms.amount(form.get("available_percent", "").strip() or "0", "percent"),
            }
        case "capacity":
            shown_at = form.get("recovery_at", "")
            values |= {
                "approve": form.get("approve") == "yes",
                "recovery_at": forms.instant(shown_at, zone, "recovery") if shown_at else None,
            }
        case "reallocate":
            values |= {"approve": form.get("approve") == "yes"}
        case _:
            pass
    return values
