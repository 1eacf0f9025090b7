"""Holds: the list, one hold with its evidence, its label, and what people do about it."""

from __future__ import annotations

import io
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import segno
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from console import forms, impact, oidc
from console.acting import act_on_hold, check_shown, cosigner, decider, may_on_hold, wants_signature
from console.chart import chart_of
from console.opening import open_by_hand
from console.problems import Refused, refusal_of
from console.reading import hold_of, orders_seen
from console.render import page
from console.who import Visitor, our_form, page_for
from domain.hold_decisions import sum_fault
from domain.permissions import DISPOSITIONS, Action
from signals.errors import BadInput, PlantwrightError
from signals.holds import (
    ClaimHold,
    CommentHold,
    ConfirmSegregation,
    CosignHold,
    DecideHold,
    DecisionState,
    HoldAct,
    HoldDispositionKind,
    HoldRecord,
    HoldSearch,
    ReassignHold,
    WithdrawHold,
)
from signals.people import Actor, SignatureMeaning, content_hash

router = APIRouter()


@router.get("/p/{plant}/holds")
async def holds(
    request: Request, plant: str, all: str = "", visitor: Visitor = page_for(Action.VIEW_HOLDS)
) -> Response:
    config, ledger = visitor.plant(plant), visitor.services.ledger
    found = await ledger.holds(plant, HoldSearch(open_only=not all))
    seen = [record for record in found if visitor.sees(plant, record.scope.line)]
    return page(
        request,
        "holds.html",
        zone=config.plant.zone,
        plant=config,
        holds=seen,
        everything=bool(all),
        may_open=any(visitor.may(Action.HOLD_OPEN, plant, line.id) for line in config.lines),
    )


@router.get("/p/{plant}/holds/new")
async def new_hold(request: Request, plant: str, visitor: Visitor = page_for(Action.HOLD_OPEN)) -> Response:
    return wish_form(request, visitor, plant)


@router.post("/p/{plant}/holds", dependencies=[Depends(our_form)])
async def open_hold(request: Request, plant: str, visitor: Visitor = page_for(Action.HOLD_OPEN)) -> Response:
    form = {name: str(value).strip() for name, value in (await request.form()).items()}
    try:
        wanted: dict[str, Any] = {
            name: form.get(name, "")[:500] for name in ("text", "line", "order", "material", "batch")
        }
        wanted["quantity"] = forms.amount(form.get("quantity", ""), "quantity")
        wanted["serials"] = forms.serials(form.get("serials", ""))
        hold = await open_by_hand(visitor, plant, wanted, f"{visitor.user}:{form.get('action_id', '')}")
    except (PlantwrightError, Refused) as error:
        kept = {name: value for name, value in form.items() if name != "form_token"}
        return wish_form(request, visitor, plant, refused=refusal_of(error), form=kept)
    return RedirectResponse(f"/p/{plant}/holds/{hold}", HTTPStatus.SEE_OTHER)


def wish_form(
    request: Request, visitor: Visitor, plant: str, *, refused: Refused | None = None, form: Any = None
) -> Response:
    config = visitor.plant(plant)
    lines = [line for line in config.lines if visitor.may(Action.HOLD_OPEN, plant, line.id)]
    return page(
        request, "new_hold.html", code=refused.status.value if refused else HTTPStatus.OK, plant=config, lines=lines,
        everywhere=visitor.may(Action.HOLD_OPEN, plant), refused=refused, form=form or {},
        action_id=forms.new_action(),
    )  # fmt: skip


@router.get("/p/{plant}/holds/{hold}")
async def hold_page(
    request: Request, plant: str, hold: str, visitor: Visitor = page_for(Action.VIEW_HOLDS)
) -> Response:
    return await shown(request, visitor, await hold_of(visitor, plant, hold))


async def shown(
    request: Request, visitor: Visitor, record: HoldRecord, *, refused: Refused | None = None, form: Any = None,
) -> Response:  # fmt: skip
    """The page; after a refusal with the reason, and with what was typed."""
    plant = record.plant
    config, ledger = visitor.plant(plant), visitor.services.ledger
    order = await ledger.order_data(plant, record.scope.order) if record.scope.order else None
    others = await orders_seen(visitor, plant)
    kinds = [kind for kind in HoldDispositionKind if visitor.may(DISPOSITIONS[kind], plant, record.scope.line)]
    acts = may_on_hold(visitor, record)
    pending = next((d for d in record.decisions if d.state is DecisionState.AWAITS_SECOND), None)
    return page(
        request, "hold.html", code=refused.status.value if refused else HTTPStatus.OK, zone=config.plant.zone,
        plant=config, hold=record, charts=[(reason, chart_of(reason)) for reason in record.reasons],
        impact=impact.of_hold(record, order, others, [a for a in ("claim", "segregate", "decide") if a in acts]),
        acts=acts, kinds=kinds, pending=pending, meanings=list(SignatureMeaning),
        shown_hash=content_hash(record.content()), action_id=forms.new_action(), refused=refused, form=form or {},
        decided=Decimal(0), signs=config.quality.signatures == "required",
    )  # fmt: skip


@router.post("/p/{plant}/holds/{hold}/{act}", dependencies=[Depends(our_form)])
async def act(
    request: Request, plant: str, hold: str, act: str, visitor: Visitor = page_for(Action.VIEW_HOLDS)
) -> Response:
    record = await hold_of(visitor, plant, hold)
    form = {name: str(value) for name, value in (await request.form()).items()}
    try:
        wish = read_act(visitor, record, act, form)
        meaning = form.get("meaning", SignatureMeaning.APPROVAL.value)
        if visitor.identity.subject and wants_signature(visitor, record, wish):
            check_shown(record, form.get("shown_hash", ""), meaning)
            return oidc.ask_to_sign(request, visitor, record, wish, meaning)
        await act_on_hold(
            visitor, record, wish, shown_hash=form.get("shown_hash", ""), password=form.get("password", ""),
            meaning=meaning,
        )  # fmt: skip
    except (PlantwrightError, Refused) as error:
        refused = refusal_of(error)
        if refused.status is HTTPStatus.NOT_FOUND:
            raise
        kept = {name: value for name, value in form.items() if name not in ("password", "form_token")}
        return await shown(request, visitor, await hold_of(visitor, plant, hold), refused=refused, form=kept)
    return RedirectResponse(f"/p/{plant}/holds/{hold}?done={act}", HTTPStatus.SEE_OTHER)


def read_act(visitor: Visitor, record: HoldRecord, act: str, form: dict[str, str]) -> HoldAct:
    """What the form asks for, in the role that was chosen. Raises BadInput, or 404 for an unknown act."""
    common: dict[str, Any] = {"action_id": form.get("action_id", ""), "comment": form.get("comment", "").strip()}
    plant, line, role = record.plant, record.scope.line, form.get("role", "")

    def by(action: Action) -> Actor:
        return visitor.acting(action, plant, line, role)

    match act:
        case "claim":
            return forms.built(ClaimHold, actor=by(Action.HOLD_CLAIM), **common)
        case "reassign":
            return forms.built(ReassignHold, actor=by(Action.HOLD_REASSIGN), to=form.get("to", "").strip(), **common)
        case "comment":
            if not common["comment"]:
                raise BadInput("the comment is empty", subject="comment", hint="write what others should know")
            return forms.built(CommentHold, actor=by(Action.HOLD_COMMENT), **common)
        case "segregate":
            counted = forms.amount(form.get("counted", ""), "counted")
            return forms.built(
                ConfirmSegregation, actor=by(Action.HOLD_SEGREGATE), counted=counted,
                location=form.get("location", "").strip(), **common,
            )  # fmt: skip
        case "decide":
            wanted = forms.dispositions(form)
            if fault := sum_fault(record, wanted):
                raise BadInput(fault, subject="quantity", hint="the quantities must make up what is held")
            draft = forms.built(DecideHold, actor=visitor.actors(plant)[0], dispositions=wanted, **common)
            return draft.model_copy(update={"actor": decider(visitor, record, draft, role)})
        case "cosign":
            return forms.built(
                CosignHold,
                actor=cosigner(visitor, record, form.get("decision", ""), role),
                decision=form.get("decision", ""),
                agree=form.get("agree", "yes") == "yes",
                **common,
            )
        case "withdraw":
            return forms.built(WithdrawHold, actor=by(Action.HOLD_WITHDRAW), **common)
        case _:
            raise Refused(HTTPStatus.NOT_FOUND, f"a hold knows no {act}")


@router.get("/p/{plant}/holds/{hold}/label")
async def label(request: Request, plant: str, hold: str, visitor: Visitor = page_for(Action.VIEW_HOLDS)) -> Response:
    """What is put on the material: why it is held, how much, and a code that leads to the hold."""
    record = await hold_of(visitor, plant, hold)
    config = visitor.plant(plant)
    return page(
        request, "label.html", zone=config.plant.zone, plant=config, hold=record, address=address(request, record)
    )


@router.get("/p/{plant}/holds/{hold}/code.svg")
async def code(request: Request, plant: str, hold: str, visitor: Visitor = page_for(Action.VIEW_HOLDS)) -> Response:
    """The QR code of the hold's page (ISO/IEC 18004), error correction M: a scratch does not matter."""
    record = await hold_of(visitor, plant, hold)
    drawn = io.BytesIO()
    segno.make(address(request, record), error="m", micro=False).save(
        drawn, kind="svg", scale=8, border=4, xmldecl=False, svgclass=None, lineclass=None, dark="#000", light="#fff",
    )  # fmt: skip
    return Response(drawn.getvalue(), media_type="image/svg+xml")


def address(request: Request, record: HoldRecord) -> str:
    base = request.app.state.services.public_url or str(request.base_url)
    return f"{base.rstrip('/')}/p/{record.plant}/holds/{record.hold}"
