"""`shift list|show|acknowledge|now`: what one crew leaves to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from domain.handover_view import visible_part
from domain.permissions import Action
from domain.roles import Role
from signals.base import ZERO
from signals.downtime import TimeClass
from signals.errors import BadInput
from signals.handover import AcknowledgeHandover, HandoverReport, HandoverSearch, HandoverState
from signals.people import Actor
from workers.cli.office import Office, new_decision, office, plain
from workers.cli.options import AsJson, By, DataFolder, DecisionId, LedgerUrl, PlantFile
from workers.cli.output import amount, say_result, table
from workers.cli.running import run_result

app = typer.Typer(help="Shift handovers: made at the end of each shift, taken over by the incoming supervisor.")
Shift = Annotated[str, typer.Argument(help="Its label, for example 2026-11-22/early.", metavar="SHIFT")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="The latest so many.")]


@app.command("list")
def list_shifts(
    plant: PlantFile,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that nobody has taken over.")] = False,
    limit: Limit = 30,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Handovers, the latest first. Asks the ledger only."""
    result = run_result(_list(plant, HandoverSearch(open_only=open_only, limit=limit), data, ledger))
    shown = table("Shift handovers", "shift", "ended", "state", "to", "by", "not final", "open")
    for one in result["handovers"]:
        shown.add_row(
            one["shift"], one["ends_at"][:16], one["state"], one["next_shift"], one["acknowledged_by"],
            ", ".join(n["line"] for n in one["not_final"]), str(len(one["open_items"]) + len(one["stops"])),
        )  # fmt: skip
    say_result(result, shown if result["handovers"] else "no handovers", as_json=as_json)


async def _list(plant: Path, search: HandoverSearch, data: Path | None, ledger: str | None) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        await place.look(Action.VIEW_STOPS)
        found = [await _visible(place, r) for r in await place.ledger.handovers(place.plant_id, search)]
        return {"plant": place.plant_id, "count": len(found), "handovers": [plain(r) for r in found]}


@app.command("show")
def show_shift(
    shift: Shift, plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False
) -> None:
    """One handover: time, pieces, stops on both sides of the boundary, what waits for somebody, orders."""
    report = run_result(_show(shift, plant, data, ledger))
    say_result(plain(report), _shown(report), as_json=as_json)


async def _show(shift: str, plant: Path, data: Path | None, ledger: str | None) -> HandoverReport:
    async with office(plant, data, ledger) as place:
        await place.look(Action.VIEW_STOPS)
        return await _visible(place, await _named(place, shift))


async def _named(place: Office, shift: str) -> HandoverReport:
    """Raises BadInput where it does not exist."""
    from workers.handover_desk import unknown_handover

    report = await place.ledger.handover(place.plant_id, shift)
    if report is None:
        raise unknown_handover(place.plant_id, shift)
    return report


async def _visible(place: Office, report: HandoverReport) -> HandoverReport:
    who = await place.who()
    try:
        who.require(Action.VIEW_CASES)
    except BadInput:
        return visible_part(report, who.sees, exceptions=False)
    return visible_part(report, who.sees, exceptions=True)


@app.command("acknowledge")
def acknowledge_shift(
    shift: Shift, plant: PlantFile,
    comment: Annotated[str, typer.Option("--comment", help="Kept with the handover.")] = "",
    role: Annotated[str, typer.Option("--role", help="Default: supervisor.")] = "",
    by: By = "", decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take over: the incoming supervisor has read it. The same person again gets the same answer."""
    result = run_result(_acknowledge(shift, plant, comment, role, by, new_decision(decision_id), data, ledger))
    say_result(result, result["message"], as_json=as_json)


async def _acknowledge(
    shift: str, plant: Path, comment: str, role: str, by: str, name: str, data: Path | None, ledger: str | None
) -> dict[str, Any]:
    from workers.handover_desk import acknowledge

    async with office(plant, data, ledger) as place:
        await place.look(Action.VIEW_STOPS)  # who is nobody here is not told which shifts there are
        await _named(place, shift)
        decider = await place.decider(Action.HANDOVER_ACKNOWLEDGE, by=by, role=role)
        free = Actor(user=decider.by, role=decider.role or Role.SUPERVISOR.value, plant=place.plant_id)
        act = AcknowledgeHandover(action_id=name, actor=decider.actor or free, comment=comment)
        act = await place.sealed(act, shift)
        answer = await acknowledge(await place.client(), place.ledger, place.plant_id, shift, act)
        if not answer.accepted:
            raise BadInput(f"handover {shift}: {answer.message}", subject=shift, hint="`plantwright shift show …`")
        return {
            "plant": place.plant_id, "shift": shift, "state": HandoverState.ACKNOWLEDGED.value,
            "action": answer.decision_id, "accepted": True, "message": answer.message,
        }  # fmt: skip


@app.command("now")
def look_now(plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """Look at once which shifts have ended, as the schedule does every minute."""
    result = run_result(_now(plant, data, ledger))
    due = ", ".join(result["due"])
    say_result(result, f"begun: {result['due'][0]} (due: {due})" if due else "nothing is due", as_json=as_json)


async def _now(plant: Path, data: Path | None, ledger: str | None) -> dict[str, Any]:
    from workers.handover_desk import look_now

    async with office(plant, data, ledger) as place:
        await place.look(Action.HANDOVER_ACKNOWLEDGE)
        if not place.plant.shifts:
            hint = "declare them with [[shift]]"
            raise BadInput(f"plant {place.plant_id} has no shifts", subject=place.plant_id, hint=hint)
        await place.require_worker()
        found = await look_now(await place.client(), place.plant_id)
        return {
            "plant": place.plant_id, "due": [r.shift for r in found.due], "waiting": [r.shift for r in found.waiting],
        }  # fmt: skip


def _shown(report: HandoverReport) -> RenderableType:
    facts = table(f"Handover {report.shift} · {report.state.value}", "", "")
    rows = (
        ("shift", f"{report.starts_at:%Y-%m-%d %H:%M} to {report.ends_at:%Y-%m-%d %H:%M} UTC"),
        ("to", f"{report.next_shift} until {report.acknowledge_by:%Y-%m-%d %H:%M} UTC"),
        ("taken over", f"{report.acknowledged_by} {report.acknowledged_at or ''}"[:60]),
        ("not final", ", ".join(f"{n.line} ({n.why}, seen to {n.seen_to})" for n in report.not_final)),
        ("never acknowledged", ", ".join(report.unacknowledged)),
        ("crosses the boundary", "; ".join(report.crossings)),
    )
    for name, value in rows:
        if value.strip():
            facts.add_row(name, value)
    lines = table("Lines", "line", "OEE", "availability", "running", "stops", "micro-stops", "no data", "good", "scrap")
    for line in report.lines:
        pacing = [p for p in line.pieces if p.at_pacing]
        lines.add_row(
            line.line, _percent(line.oee.oee), _percent(line.oee.availability),
            _minutes(line.seconds.get(TimeClass.RUNNING)), str(line.stops), str(line.micro_stops),
            _minutes(line.seconds.get(TimeClass.NO_DATA)), amount(sum((p.good for p in pacing), ZERO)),
            amount(sum((p.scrap for p in pacing), ZERO)),
        )  # fmt: skip
    stops = table("Stops handed on", "line", "since", "until", "why", "with", "due")
    for stop in report.stops:
        stops.add_row(
            stop.line, f"{stop.started_at:%H:%M:%S}", f"{stop.ended_at:%H:%M:%S}" if stop.ended_at else "goes on",
            stop.reason or "unknown", stop.owner, f"{stop.due_at or ''}"[:16],
        )  # fmt: skip
    items = table("Waiting", "kind", "id", "what", "order", "with", "due")
    for item in report.open_items:
        items.add_row(item.kind, item.id, item.text, item.order, item.owner, f"{item.due_at or ''}"[:16])
    orders = table("Orders at work", "order", "operation", "planned", "machine", "Plantwright", "ERP",
                   numbers=("planned", "machine", "Plantwright", "ERP"))  # fmt: skip
    for row in report.orders:
        orders.add_row(row.order, row.operation, amount(row.planned), amount(row.machine_good), amount(row.mes_good),
                       amount(row.erp_good))  # fmt: skip
    parts = ((True, facts), (report.lines, lines), (report.stops, stops), (report.open_items, items),
             (report.orders, orders))  # fmt: skip
    return Group(*(shown for there, shown in parts if there))


def _percent(value: Any) -> str:
    return "–" if value is None else f"{value * 100:.1f} %"


def _minutes(value: Any) -> str:
    return f"{(value or 0) / 60:.1f} min"
