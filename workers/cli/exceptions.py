"""`exceptions list|show|retry|amend|skip|compensate`: what an ERP refused, or nobody knows of, worked by people."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from domain.error_catalogue import deciders
from domain.exception_rules import read_amended, with_changes
from domain.permissions import Action
from domain.roles import Role, role_named
from signals.decisions import DecideCase
from signals.documents import Case, CaseAction
from signals.errors import BadInput
from signals.exceptions import CaseFile, ListedCase
from signals.transactions import Transaction
from workers.cli.deciding import (
    Filter,
    Outcome,
    Wish,
    cases_seen,
    decide_many,
    decide_one,
    meant_cases,
    named_cases,
)
from workers.cli.office import Office, new_decision, office, plain
from workers.cli.options import AsJson, By, DataFolder, DecisionId, LedgerUrl, PlantFile
from workers.cli.outcome import AnswerIsNo
from workers.cli.output import say_progress, say_result, table
from workers.cli.running import run_result

app = typer.Typer(help="ERP failures as cases: list, show, retry, amend, skip, compensate.", no_args_is_help=True)

CaseIds = Annotated[list[str] | None, typer.Argument(help="Cases by id; or choose them by cause.", metavar="[CASE]…")]
CaseId = Annotated[str, typer.Argument(help="The case's id.", metavar="CASE")]
Code = Annotated[str, typer.Option("--code", help="All open cases with this code of the ERP; `*` is wild.")]
ClassName = Annotated[str, typer.Option("--class", help="All open cases of this class.", metavar="CLASS")]
OrderOf = Annotated[str, typer.Option("--order", help="Only of this order.")]
OwnerOf = Annotated[str, typer.Option("--owner", help="Only those this role owns, or was asked about.")]
MaterialOf = Annotated[str, typer.Option("--material", help="Only of orders for this material.")]
Overdue = Annotated[bool, typer.Option("--overdue", help="Only those whose deadline has passed.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")]
AsRole = Annotated[str, typer.Option("--role", help="As what you decide; `show` says who may.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask back.")]


@app.command("list")
def list_exceptions(
    plant: PlantFile,
    order: OrderOf = "",
    code: Code = "",
    class_: ClassName = "",
    owner: OwnerOf = "",
    material: MaterialOf = "",
    overdue: Overdue = False,
    everything: Annotated[bool, typer.Option("--all", help="Also settled ones.")] = False,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Cases, oldest first, with class, owner and deadline. Asks the ledger only."""
    wanted = Filter(code, class_, order, owner, material, overdue)
    result = run_result(_list(plant, wanted, everything, data, ledger))
    shown = table("Exceptions", "case", "order", "operation", "class", "code", "owner", "due", "what", "may")
    for case in result["cases"]:
        due = f"{case['due_at'] or ''}"[:16] + (" overdue" if case["overdue"] else "")
        shown.add_row(
            case["case_id"], case["order"], case["operation"], case["error_class"], case["error_code"],
            case["owner_role"], due, case["summary"], " ".join(case["allowed"]),
        )  # fmt: skip
    say_result(result, shown if result["cases"] else "no cases", as_json=as_json)


async def _list(plant: Path, wanted: Filter, everything: bool, data: Path | None, ledger: str | None) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        await place.look(Action.VIEW_CASES)
        found = await cases_seen(place, wanted, open_only=not everything)
        return {"plant": place.plant_id, "count": len(found), "cases": [_listed(listed) for listed in found]}


def _listed(listed: ListedCase) -> dict[str, Any]:
    case, now = listed.case, datetime.now(UTC)
    age = (now - case.opened_at).total_seconds() if case.opened_at else 0
    return {
        **plain(case),
        "is_open": listed.is_open,
        "action": listed.action,
        "material": listed.material,
        "level": listed.level,
        "age_seconds": int(age),
        "overdue": listed.is_open and case.due_at is not None and case.due_at < now,
        "roles": [role.value for role in deciders(case)],
    }


@app.command("show")
def show_exception(
    case: CaseId, plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False
) -> None:
    """One case: what was asked, what the ERP answered, what was amended, what to do, what was decided."""
    file = run_result(_show(case, plant, data, ledger))
    result = {**plain(file), "roles": [role.value for role in deciders(file.case)]}
    say_result(result, _shown(file), as_json=as_json)


async def _show(case: str, plant: Path, data: Path | None, ledger: str | None) -> CaseFile:
    async with office(plant, data, ledger) as place:
        await place.look(Action.VIEW_CASES)
        await named_cases(place, [case])
        file = await place.ledger.case_file(place.plant_id, case)
        assert file is not None
        return file


def _shown(file: CaseFile) -> RenderableType:
    case = file.case
    state = "open" if file.is_open else f"closed ({file.action or file.note})"
    facts = table(f"Case {case.case_id} · {state}", "", "")
    rows = (
        ("order", f"{case.order} {case.operation} {file.material}"),
        ("class", f"{case.error_class} {case.error_code}"),
        ("what", case.summary),
        ("ERP answered", case.erp_answer),
        ("posting", f"{case.posting_key or ''} {file.posting_state or ''} {file.posting_document}"),
        ("owner", f"{case.owner_role}, until {case.due_at or 'no deadline'}"),
        ("decides", " or ".join(role.value for role in deciders(case))),
        ("what to do", case.runbook),
        ("may", " ".join(case.allowed)),
        ("a skip leaves", case.consequence),
    )
    for name, value in rows:
        if value.strip():
            facts.add_row(name, value)
    parts: list[RenderableType] = [facts]
    original = file.amendments[0].before if file.amendments else file.transaction
    if original is not None:
        parts.append(_payload("Original payload" if file.amendments else "Payload", original))
    for amendment in file.amendments:
        said = f"Amended by {amendment.by} ({amendment.role}) at {amendment.at:%Y-%m-%d %H:%M}: {amendment.reason}"
        parts.append(_payload(said, amendment.after))
    if file.decisions:
        decided = table("Decisions", "at", "action", "by", "role", "reason")
        for made in file.decisions:
            d = made.decision
            decided.add_row(f"{made.at:%Y-%m-%d %H:%M}", d.action.value, d.by, d.role, d.reason)
        parts.append(decided)
    return Group(*parts)


def _payload(title: str, transaction: Transaction) -> RenderableType:
    body = table(title, "field", "value")
    for name, value in transaction.model_dump(mode="json", exclude_defaults=True).items():
        body.add_row(name, value if isinstance(value, str) else json.dumps(value))
    return body


@app.command("retry")
def retry(
    plant: PlantFile, reason: Reason, role: AsRole, cases: CaseIds = None, code: Code = "", class_: ClassName = "",
    order: OrderOf = "", owner: OwnerOf = "", material: MaterialOf = "", overdue: Overdue = False, by: By = "",
    decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """The cause is gone: post it again as it is."""
    wish = _wish(CaseAction.RETRY, by, role, reason, decision_id)
    wanted = Filter(code, class_, order, owner, material, overdue)
    _carry_out(wish, cases, wanted, plant, data, ledger, as_json=as_json)


@app.command("skip")
def skip(
    plant: PlantFile, reason: Reason, role: AsRole, cases: CaseIds = None, code: Code = "", class_: ClassName = "",
    order: OrderOf = "", owner: OwnerOf = "", material: MaterialOf = "", overdue: Overdue = False, by: By = "",
    yes: Yes = False, decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Leave it unbooked. What that leaves as it is, is said first and kept with the case."""
    wish = _wish(CaseAction.SKIP, by, role, reason, decision_id)
    wanted = Filter(code, class_, order, owner, material, overdue)
    _carry_out(wish, cases, wanted, plant, data, ledger, as_json=as_json, ask_back=not yes)


@app.command("compensate")
def compensate(
    plant: PlantFile, reason: Reason, role: AsRole, cases: CaseIds = None, code: Code = "", class_: ClassName = "",
    order: OrderOf = "", owner: OwnerOf = "", material: MaterialOf = "", overdue: Overdue = False, by: By = "",
    document: Annotated[
        str, typer.Option("--document", help="For a posting in doubt: the document that stands in the ERP.")
    ] = "",
    decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take back all documents of the same business step, newest first; then the posting is cancelled."""
    wish = _wish(CaseAction.COMPENSATE, by, role, reason, decision_id, document)
    wanted = Filter(code, class_, order, owner, material, overdue)
    _carry_out(wish, cases, wanted, plant, data, ledger, as_json=as_json)


@app.command("amend")
def amend(
    case: CaseId,
    plant: PlantFile,
    reason: Reason,
    role: AsRole,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="yield_quantity=5; may be repeated.", metavar="FIELD=VALUE")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="The whole amended posting as JSON.")] = None,
    by: By = "",
    decision_id: DecisionId = None,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Correct a refused posting and post it under the same key; the original is kept beside it."""
    wish = _wish(CaseAction.AMEND, by, role, reason, decision_id)
    result = run_result(_amend(wish, case, set_ or [], file, plant, data, ledger))
    say_result(result, f"case {case}: {result['message']}", as_json=as_json)


async def _amend(
    wish: Wish, case_id: str, changes: list[str], file: Path | None, plant: Path, data: Path | None, ledger: str | None
) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        [case] = await named_cases(place, [case_id])
        wish = await wish.decided_by(place, [case])
        found = await place.ledger.case_file(place.plant_id, case_id)
        if found is None or found.transaction is None:
            raise BadInput(f"case {case_id} is about no posting: there is nothing to amend", subject=case_id)
        if file is not None and not changes:
            amended = read_amended(_json_of(file))
        elif changes and file is None:
            amended = with_changes(found.transaction, dict(_pair(text) for text in changes))
        else:
            raise BadInput("say what to change by --set, or all of it by --file", subject=case_id)
        decision = wish.for_case(case, bulk=False).model_copy(update={"amended": amended})
        answer = await decide_one(place, case, DecideCase.model_validate(decision.model_dump()))
        return {
            "case": case_id, "action": "amend", "accepted": answer.accepted, "message": answer.message,
            "decision_id": wish.decision_id, "original": plain(found.transaction), "amended": plain(amended),
        }  # fmt: skip


def _json_of(file: Path) -> dict[str, Any]:
    try:
        body = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read as JSON: {error}", subject=str(file)) from error
    if not isinstance(body, dict):
        raise BadInput(f"{file} holds no JSON object", subject=str(file), hint="`exceptions show --json` has one")
    return body


def _pair(text: str) -> tuple[str, str]:
    name, is_pair, value = text.partition("=")
    if not is_pair or not name:
        raise BadInput(f"{text!r} is no FIELD=VALUE", subject="--set", hint="for example yield_quantity=5")
    return name, value


# --- carrying out -----------------------------------------------------------------------------------------------------


def _wish(action: CaseAction, by: str, role: str, reason: str, decision_id: str | None, document: str = "") -> Wish:
    named = role_named(role)
    if named is None:
        hint = f"roles are {', '.join(r.value for r in Role)}"
        raise BadInput(f"there is no role {role!r}", subject="--role", hint=hint)
    if not reason.strip():
        raise BadInput("a decision needs its reason", subject="--reason")
    return Wish(action, by, named.value, reason, new_decision(decision_id), document)


def _carry_out(
    wish: Wish, ids: list[str] | None, wanted: Filter, plant: Path, data: Path | None, ledger: str | None,
    *, as_json: bool, ask_back: bool = False,
) -> None:  # fmt: skip
    if bool(ids) != wanted.is_empty:
        raise BadInput("name cases, or choose them by cause (--code, --class, --order, --owner)", subject="CASE")
    result = run_result(_decide(wish, ids or [], wanted, plant, data, ledger, ask_back))
    said = f"{wish.action.value}: {len(result['decided'])} of {result['asked']} cases"
    before = f", {result['decided_before']} before" if result["decided_before"] else ""
    say_result(result, said + before, as_json=as_json)
    if result["refused"]:
        first, why = next(iter(result["refused"].items()))
        raise AnswerIsNo(f"{len(result['refused'])} were refused, first case {first}: {why}")


async def _decide(
    wish: Wish, ids: list[str], wanted: Filter, plant: Path, data: Path | None, ledger: str | None, ask_back: bool
) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        cases = (
            await named_cases(place, ids) if ids else [m.case for m in await meant_cases(place, wanted, wish.action)]
        )
        wish = await wish.decided_by(place, cases)
        bulk = not ids or len(cases) > 1
        prefix = f"{wish.decision_id}:"
        before = await place.ledger.decisions_under(place.plant_id, prefix) if bulk else 0
        if wish.action is CaseAction.SKIP:
            _say_consequences(cases, ask_back=ask_back)
        if len(cases) > 1:
            say_progress(f"decision {wish.decision_id}: {len(cases)} cases")
        if bulk:
            outcome = await decide_many(place, cases, wish, bulk=True, tell=_progress)
        else:
            outcome = await _just_one(place, cases, wish)
        left = await place.ledger.find_cases(place.plant_id, wanted.search()) if not ids else []
        return {
            "plant": place.plant_id, "action": wish.action.value, "decision_id": wish.decision_id,
            "asked": outcome.asked, "decided": sorted(outcome.decided), "refused": outcome.refused,
            "decided_before": before, "open_left": len([c for c in left if c.action == ""]),
            "consequences": {c.case_id: c.consequence for c in cases if wish.action is CaseAction.SKIP},
        }  # fmt: skip


async def _just_one(place: Office, cases: list[Case], wish: Wish) -> Outcome:
    """One case: its refusal is bad input, as with every other command about one thing."""
    outcome = Outcome(asked=len(cases))
    for case in cases:
        await decide_one(place, case, wish.for_case(case, bulk=False))
        outcome.decided.append(case.case_id)
    return outcome


def _progress(outcome: Outcome) -> None:
    if outcome.asked > 1 and (outcome.done % 10 == 0 or outcome.done == outcome.asked):
        say_progress(f"{outcome.done} of {outcome.asked}, {len(outcome.refused)} refused")


def _say_consequences(cases: list[Case], *, ask_back: bool) -> None:
    """Before anything is skipped; a person at a terminal is asked back."""
    for case in cases:
        say_progress(f"case {case.case_id}: {case.consequence or 'nothing is booked'}")
    if cases and ask_back and sys.stdin.isatty():
        typer.confirm("skip?", abort=True, err=True)
