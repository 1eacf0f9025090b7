"""`parked list|decide`: production whose evidence disagrees, kept for a person instead of being guessed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.permissions import Action
from signals.decisions import Answer, DecideParked
from signals.errors import BadInput
from signals.reports import ParkedItem
from workers.cli.office import Office, new_decision, office, plain
from workers.cli.options import AsJson, By, DataFolder, DecisionId, LedgerUrl, PlantFile
from workers.cli.output import say_result, table
from workers.cli.running import run_result
from workers.cli.who import UNSAID
from workers.desk import decide_parked as tell_decision

app = typer.Typer(help="Parked production and evidence: list, decide.", no_args_is_help=True)


class Verdict(StrEnum):
    ACCEPT = "accept"
    REJECT = "reject"


@app.command("list")
def list_parked(
    plant: PlantFile,
    order: Annotated[str, typer.Option("--order", help="Only this order's.")] = "",
    line: Annotated[str, typer.Option("--line", help="Only this line's.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also decided ones.")] = False,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Parked items, oldest first, with the evidence that disagrees."""
    result = run_result(_list(plant, order, line, everything, data, ledger))
    shown = table("Parked", "item", "why", "order", "operation", "yield", "scrap", "at", "detail",
                  numbers=("yield", "scrap"))  # fmt: skip
    for item in result["parked"]:
        shown.add_row(
            item["item"], item["why"], item["order"], item["operation"], item["yield_quantity"], item["scrap_quantity"],
            item["at"], item["detail"],
        )  # fmt: skip
    say_result(result, shown if result["parked"] else "nothing is parked", as_json=as_json)


async def _list(
    plant: Path, order: str, line: str, everything: bool, data: Path | None, ledger: str | None
) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        who = await place.look(Action.VIEW_CASES)
        found = await place.ledger.parked(place.plant_id, order=order, line=line, open_only=not everything)
        seen = [item for item in found if who.sees(lines_of(item))]
        return {"plant": place.plant_id, "parked": [plain(item) for item in seen]}


def lines_of(item: ParkedItem) -> tuple[str, ...]:
    """The line on which it was parked; none where that is not known."""
    return (item.line,) if item.line else ()


@app.command("decide")
def decide_parked(
    item: Annotated[str, typer.Argument(help="The item's id.", metavar="ITEM")],
    verdict: Annotated[Verdict, typer.Argument(help="accept counts it, reject does not.")],
    plant: PlantFile,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")],
    order: Annotated[str, typer.Option("--order", help="Where to count what had no order.")] = "",
    operation: Annotated[str, typer.Option("--operation", help="And at which operation.")] = "",
    by: By = "",
    decision_id: DecisionId = None,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Accept or reject a parked item. The first decision stands."""
    decision = DecideParked(
        decision_id=new_decision(decision_id), item=item, accept=verdict is Verdict.ACCEPT, by=by or UNSAID,
        reason=reason, order=order, operation=operation,
    )  # fmt: skip
    answer = run_result(_decide(decision, by, plant, data, ledger))
    result = {"item": item, "verdict": verdict.value, "accepted": answer.accepted, "message": answer.message}
    say_result(result, f"item {item}: {answer.message}", as_json=as_json)


async def _decide(asked: DecideParked, by: str, plant: Path, data: Path | None, ledger: str | None) -> Answer:
    async with office(plant, data, ledger) as place:
        found = await _found(place, asked.item)
        decider = await place.decider(Action.PARKED_DECIDE, by=by, lines=lines_of(found))
        decision = asked.model_copy(update={"by": decider.by, "actor": decider.actor})
        return await tell_decision(place.desk, place.ledger, place.plant, found, decision)


async def _found(place: Office, item: str) -> ParkedItem:
    """Raises BadInput where it does not exist for who asks."""
    who = await place.who()
    items = await place.ledger.parked(place.plant_id, open_only=False)
    found = next((i for i in items if i.item == item and who.sees(lines_of(i))), None)
    if found is None:
        hint = "`plantwright parked list --plant …` shows what waits"
        raise BadInput(f"plant {place.plant_id} has no parked item {item}", subject=item, hint=hint)
    return found
