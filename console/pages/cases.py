"""Exceptions: the list, and one case with what may be decided about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from console import forms, impact
from console.acting import decide_case, decider_of_case, deciding
from console.problems import Refused, refusal_of
from console.reading import case_of, cases_seen, lines_of_case, orders_seen
from console.render import page
from console.who import Visitor, our_form, page_for
from domain.error_catalogue import deciders
from domain.exception_rules import with_changes
from domain.permissions import Action
from signals.decisions import DecideCase
from signals.documents import CaseAction
from signals.errors import BadInput, PlantwrightError
from signals.exceptions import CaseFile, CaseSearch
from signals.transactions import Bookable, Transaction

router = APIRouter()


@router.get("/p/{plant}/cases")
async def cases(
    request: Request, plant: str, all: str = "", code: str = "", order: str = "", owner: str = "",
    overdue: str = "", visitor: Visitor = page_for(Action.VIEW_CASES),
) -> Response:  # fmt: skip
    config, services = visitor.plant(plant), visitor.services
    search = CaseSearch(
        code=code, order=order, owner=owner, open_only=not all, due_before=datetime.now(UTC) if overdue else None
    )
    found = await cases_seen(visitor, plant, await services.ledger.find_cases(plant, search))
    return page(
        request, "cases.html", zone=config.plant.zone, plant=config, cases=found, search=search, everything=bool(all),
        overdue=bool(overdue),
    )  # fmt: skip


@router.get("/p/{plant}/cases/{case}")
async def case_page(
    request: Request, plant: str, case: str, visitor: Visitor = page_for(Action.VIEW_CASES)
) -> Response:
    return await shown(request, visitor, await case_of(visitor, plant, case))


async def shown(
    request: Request, visitor: Visitor, file: CaseFile, *, refused: Refused | None = None, form: Any = None
) -> Response:
    plant, case, ledger = file.case.plant, file.case, visitor.services.ledger
    config = visitor.plant(plant)
    lines = await lines_of_case(visitor, plant, case.order)
    able = {action: actors for action in case.allowed if (actors := deciding(visitor, file, action, lines))}
    if not file.is_open or file.action:
        able = {}
    order = await ledger.order_data(plant, case.order) if case.order else None
    others = await orders_seen(visitor, plant)
    return page(
        request, "case.html", code=refused.status.value if refused else HTTPStatus.OK, zone=config.plant.zone,
        plant=config, file=file, case=case, able=able, roles=deciders(case),
        impact=impact.of_case(file, order, others, [action.value for action in able]),
        original=fields(file.amendments[0].before if file.amendments else file.transaction),
        amendable=scalars(file.transaction) if CaseAction.AMEND in able else {}, fields=fields,
        action_id=forms.new_action(), refused=refused, form=form or {},
    )  # fmt: skip


@router.post("/p/{plant}/cases/{case}", dependencies=[Depends(our_form)])
async def decide(request: Request, plant: str, case: str, visitor: Visitor = page_for(Action.VIEW_CASES)) -> Response:
    file = await case_of(visitor, plant, case)
    form = {name: str(value) for name, value in (await request.form()).items()}
    lines = await lines_of_case(visitor, plant, file.case.order)
    try:
        # Before anything of the form is judged: whoever may not is told so, whatever they wrote.
        decider_of_case(visitor, file, action_in(form), form.get("role", ""), lines)
        await decide_case(visitor, file, read_decision(visitor, file, form), lines)
    except (PlantwrightError, Refused) as error:
        kept = {name: value for name, value in form.items() if name != "form_token"}
        again = await case_of(visitor, plant, case)
        return await shown(request, visitor, again, refused=refusal_of(error), form=kept)
    return RedirectResponse(f"/p/{plant}/cases/{case}?done=decide", HTTPStatus.SEE_OTHER)


def action_in(form: dict[str, str]) -> CaseAction:
    """What was chosen. Raises BadInput."""
    name = form.get("action", "")
    if name not in set(CaseAction):
        raise BadInput("choose what to do", subject="action")
    return CaseAction(name)


def read_decision(visitor: Visitor, file: CaseFile, form: dict[str, str]) -> DecideCase:
    """The decision that the form asks for. Raises BadInput."""
    action = action_in(form)
    quantity = form.get("quantity", "").strip()
    return forms.built(
        DecideCase,
        decision_id=form.get("action_id", ""),
        case_id=file.case.case_id,
        action=action,
        by=visitor.user,
        reason=form.get("reason", "").strip(),
        role=form.get("role", ""),
        quantity=forms.amount(quantity, "quantity") if quantity and action is CaseAction.ADOPT else None,
        document=form.get("document", "").strip() if action is CaseAction.ADOPT else "",
        amended=amended(file, form) if action is CaseAction.AMEND else None,
    )


def amended(file: CaseFile, form: dict[str, str]) -> Bookable:
    """The posting with the fields that were changed in the form. Raises BadInput."""
    if file.transaction is None:
        raise BadInput("the case is about no posting: there is nothing to amend", subject=file.case.case_id)
    before = scalars(file.transaction)
    changes = {
        name: form[f"set_{name}"].strip()
        for name, value in before.items()
        if f"set_{name}" in form and form[f"set_{name}"].strip() != value
    }
    if not changes:
        raise BadInput("nothing was changed", subject="amend", hint="change a field of the posting, then amend")
    return with_changes(file.transaction, changes)


def fields(transaction: Transaction | None) -> dict[str, str]:
    """A payload as names and values."""
    if transaction is None:
        return {}
    body = transaction.model_dump(mode="json", exclude_defaults=True)
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}


NOT_IN_FORM = frozenset({"type", "plant", "order", "key", "hold", "stop", "text"})


def scalars(transaction: Transaction | None) -> dict[str, str]:
    """Fields that a form can change: single values that are set. Lists are amended on the command line."""
    if transaction is None:
        return {}
    body = transaction.model_dump(mode="json")
    simple = {name: value for name, value in body.items() if isinstance(value, str | int | float) and value != ""}
    return {
        name: json.dumps(value) if isinstance(value, bool) else str(value)
        for name, value in simple.items()
        if name not in NOT_IN_FORM
    }
