"""`quality import`: inspection results from files; what fails is held, what is disputed never releases."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from domain.permissions import Action
from workers.cli.office import office
from workers.cli.options import AsJson, By, DataFolder, LedgerUrl, PlantFile
from workers.cli.output import say_progress, say_result, table
from workers.cli.running import run_result

app = typer.Typer(help="Inspection results: import.", no_args_is_help=True)

Kind = Literal["incoming", "in_process", "first_article", "final"]


@app.callback()
def _group() -> None:
    """Inspection results."""


@app.command("import")
def import_results(
    files: Annotated[list[Path], typer.Argument(help="QIF 2.1 results, plain or gzipped.", metavar="FILE…")],
    plant: PlantFile,
    order: Annotated[str, typer.Option("--order", help="Production order the pieces are of.")] = "",
    operation: Annotated[str, typer.Option("--operation", help="And its operation.")] = "",
    batch: Annotated[str, typer.Option("--batch", help="Batch the pieces are of.")] = "",
    kind: Annotated[Kind | None, typer.Option("--kind", help="Default: what the file says, else in_process.")] = None,
    by: By = "",
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Take results in, all files or none. The same results again, under whatever name, change nothing."""
    result = run_result(_import(files, plant, (order, operation, batch), kind, by, data, ledger))
    shown = table("Inspection results", "file", "material", "parts", "passed", "held", "parked",
                  numbers=("parts", "passed", "held", "parked"))  # fmt: skip
    for file in result["files"]:
        shown.add_row(
            file["file"], file["material"], *(str(file[name]) for name in ("parts", "passed", "held", "parked"))
        )
    say_result(result, shown, as_json=as_json)


async def _import(
    files: list[Path],
    plant: Path,
    named: tuple[str, str, str],
    kind: Kind | None,
    by: str,
    data: Path | None,
    ledger: str | None,
) -> dict[str, Any]:
    from workers.hold_desk import TemporalHoldDesk
    from workers.inspections import Inspections, Told

    order, operation, batch = named
    async with office(plant, data, ledger, ledger_must_exist=False) as place:
        decider = await place.decider(Action.INSPECTION_RECORD, by=by)
        desk = TemporalHoldDesk(place.client, place.ledger)
        inspections = Inspections(place.ledger, place.plant, lambda: datetime.now(UTC), desk)
        done = await inspections.import_files(files, Told(order, operation, batch, kind, decider.by))
    if done.untold:
        many = len(done.untold) != 1
        say_progress(
            f"{len(done.untold)} hold{'s block' if many else ' blocks'} in the ledger; a worker tells "
            f"{'their processes' if many else 'its process'} when it runs ({desk.why or 'it has ended'})"
        )
    return {"plant": place.plant_id, **asdict(done)}
