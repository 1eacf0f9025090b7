"""`cases list|decide`: what only a person can settle about an order's postings."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.permissions import Action
from signals.decisions import Answer, DecideCase
from signals.documents import CaseAction
from signals.errors import BadInput
from workers.cli.deciding import Filter, cases_seen, decide_one, decider_of, named_cases
from workers.cli.office import new_decision, office, plain
from workers.cli.options import AsJson, By, DataFolder, DecisionId, LedgerUrl, PlantFile
from workers.cli.output import say_result, table
from workers.cli.running import run_result
from workers.cli.who import UNSAID

app = typer.Typer(help="Cases that wait for a person: list, decide.", no_args_is_help=True)


@app.command("list")
def list_cases(
    plant: PlantFile,
    order: Annotated[str, typer.Option("--order", help="Only this order's.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also settled ones.")] = False,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Open cases, oldest first."""
    result = run_result(_list(plant, order, everything, data, ledger))
    shown = table("Cases", "case", "order", "operation", "kind", "owner", "what", "may")
    for case in result["cases"]:
        allowed = " ".join(case["allowed"])
        shown.add_row(
            case["case_id"],
            case["order"],
            case["operation"],
            case["kind"],
            case["owner_role"],
            case["summary"],
            allowed,
        )
    say_result(result, shown if result["cases"] else "no cases", as_json=as_json)


async def _list(plant: Path, order: str, everything: bool, data: Path | None, ledger: str | None) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        await place.look(Action.VIEW_CASES)
        found = await cases_seen(place, Filter(order=order), open_only=not everything)
        return {"plant": place.plant_id, "cases": [plain(listed.case) for listed in found]}


@app.command("decide")
def decide_case(
    case: Annotated[str, typer.Argument(help="The case's id.", metavar="CASE")],
    action: Annotated[CaseAction, typer.Argument(help="What to do; the list says what each case allows.")],
    plant: PlantFile,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")],
    by: By = "",
    quantity: Annotated[str | None, typer.Option("--quantity", help="Adopt only this much of a hand entry.")] = None,
    role: Annotated[str, typer.Option("--role", help="As what you decide; default: as the case's owner.")] = "",
    document: Annotated[
        str, typer.Option("--document", help="For a posting in doubt: the document that stands in the ERP.")
    ] = "",
    decision_id: DecisionId = None,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Decide a case. The same decision id again gets the same answer."""
    decision = DecideCase(
        decision_id=new_decision(decision_id), case_id=case, action=action, by=by or UNSAID, reason=reason,
        quantity=_amount(quantity), role=role, document=document,
    )  # fmt: skip
    answer = run_result(_decide(decision, by, plant, data, ledger))
    result = {"case": case, "action": action.value, "accepted": answer.accepted, "message": answer.message}
    say_result(result, f"case {case}: {answer.message}", as_json=as_json)


async def _decide(asked: DecideCase, by: str, plant: Path, data: Path | None, ledger: str | None) -> Answer:
    async with office(plant, data, ledger) as place:
        [case] = await named_cases(place, [asked.case_id])
        decider = await decider_of(place, [case], asked.action, by=by, role=asked.role)
        said = {"by": decider.by, "role": decider.role or case.owner_role, "actor": decider.actor}
        return await decide_one(place, case, asked.model_copy(update=said))


def _amount(text: str | None) -> Decimal | None:
    """A quantity as a person writes it. Raises BadInput; ranges are the message's own rules."""
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise BadInput(
            f"{text!r} is no quantity", subject="--quantity", hint="write a number, for example 3"
        ) from error
