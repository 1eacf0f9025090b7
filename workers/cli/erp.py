"""`erp capabilities|status|tryton`: what the ERPs can do, how the plant stands with its own, a real one to try."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.permissions import Action
from domain.plant import PlantConfig
from signals.bookings import TransactionType
from signals.erp_reads import Probe
from signals.errors import BadInput
from workers.cli import erp_tryton
from workers.cli.office import office
from workers.cli.options import AsJson, DataFolder, LedgerUrl, PlantFile
from workers.cli.output import only_findings_are_told, say_result, table
from workers.cli.running import run_result

app = typer.Typer(help="ERPs: what they can, how the plant stands with its own.", no_args_is_help=True)
app.add_typer(erp_tryton.app, name="tryton")

READS = ("order_changes", "process_orders", "stock", "pegging", "alternates", "cost")


@app.command("capabilities")
def capabilities(
    erp: Annotated[list[str] | None, typer.Option("--erp", help="sap, oracle, dynamics or tryton; all.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the tables of docs/erp.md.")] = False,
    as_json: AsJson = False,
) -> None:
    """What each ERP can do, by which call, how a lost answer is found and how a posting is taken back."""
    from workers.erp_connection import KINDS, declared_capabilities

    unknown = [name for name in erp or () if name not in KINDS]
    if unknown:
        raise BadInput(f"no ERP is named {unknown[0]!r}", subject="--erp", hint=f"kinds are {', '.join(KINDS)}")
    declared = {name: declared_capabilities(name) for name in erp or KINDS}
    if markdown:
        typer.echo(capability_tables(declared))
        return
    result = {name: d.model_dump(mode="json") for name, d in declared.items()}
    shown = table("Capabilities", "transaction", *declared)
    for kind in TransactionType:
        shown.add_row(kind.value, *[_short(d.can(kind)) for d in declared.values()])
    say_result({"erps": result}, shown, as_json=as_json)


def _short(capability: Any) -> str:
    if not capability.supported:
        return f"no: {capability.reason}"
    return f"{capability.call or 'yes'}\nfound by {capability.found_by}, reversed by {capability.reversed_by}"


def capability_tables(declared: dict[str, Any]) -> str:
    """Markdown, one table an ERP: what docs/erp.md holds between its markers."""
    parts: list[str] = []
    for name, d in declared.items():
        parts += [f"### {name}", "", "| transaction | call | a lost answer is found by | taken back by | notes |"]
        parts.append("| --- | --- | --- | --- | --- |")
        for kind in TransactionType:
            if kind is TransactionType.REVERSE:
                continue
            parts.append(_row(kind.value, d.can(kind)))
        parts += ["", "| read | |", "| --- | --- |"]
        for read in READS:
            known = d.reads.get(read)
            parts.append(f"| {read} | {_cell(_said(known))} |")
        parts.append("")
    return "\n".join(parts)


def _said(known: Any) -> str:
    if known is None:
        return "not declared"
    return known.call or "yes" if known.supported else f"no: {known.reason}"


def _row(name: str, c: Any) -> str:
    if not c.supported:
        return f"| {name} | no | | | {_cell(c.reason)} |"
    notes = " ".join(filter(None, (c.note, c.reason)))
    return f"| {name} | {_cell(c.call) or 'yes'} | {c.found_by} | {c.reversed_by} | {_cell(notes)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


@app.command("status")
def status(plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """How the plant stands with its ERP: circuit, throttle, calls, and what waits since when."""
    result = run_result(_status(plant, data, ledger))
    shown = table(f"{result['erp']} of plant {result['plant']}", "what", "is")
    shown.add_row("circuit", f"{result['circuit']} ({result['failures']} failures in a row)")
    shown.add_row("throttled", _left(result["throttled_until"]))
    shown.add_row("pace", f"{result['limit']:g} calls/s at most, now {result['slowness']:g} times slower")
    shown.add_row("calls so far", str(result["calls"]))
    shown.add_row("waiting postings", str(result["backlog"]))
    shown.add_row("oldest waits since", result["oldest"] or "-")
    say_result(result, shown, as_json=as_json)


def _left(until: float) -> str:
    left = until - datetime.now(UTC).timestamp()
    return f"for another {left:.0f} s" if left > 0 else "no"


async def _status(plant: Path, data: Path | None, ledger: str | None) -> dict[str, Any]:
    from workers.erp_connection import erp_status

    async with office(plant, data, ledger) as place:
        await place.look(Action.VIEW_FLOWS)
        return {"plant": place.plant_id, **await erp_status(place.plant, place.ledger)}


def probe_plant(plant: PlantConfig) -> list[dict[str, Any]]:
    """Try the plant's ERP connection; each finding as a plain object."""
    only_findings_are_told()
    return [probe.model_dump(mode="json") for probe in run_result(_probe(plant))]


async def _probe(plant: PlantConfig) -> list[Probe]:
    from erp.factory import create_erp
    from signals.errors import ErpMisconfigured

    for key, address in (("url", plant.erp.url), ("token_url", plant.erp.token_url)):
        if address and not _can_be_called(address):
            message = f"[erp] {key} is no address that can be called"
            return [
                Probe(name="set-up", ok=False, message=message, hint="write it as https://HOST or https://HOST:PORT")
            ]
    try:
        erp = create_erp(plant.erp, plant.plant.id, os.environ)
    except ErpMisconfigured as error:
        return [Probe(name="set-up", ok=False, message=str(error))]
    try:
        return await erp.probe()
    finally:
        await erp.aclose()


def _can_be_called(address: str) -> bool:
    import httpx

    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host) and (url.port is None or 0 < url.port < 65536)
