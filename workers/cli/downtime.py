"""`downtime list|show|reasons|losses` and the acts on a stop, from acknowledging to closing it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from domain.losses import By as SummedBy
from domain.permissions import Action
from signals.downtime import (
    AcknowledgeStop,
    ClassifyStop,
    CloseStop,
    CommentStop,
    DecideCapacity,
    DecideReallocation,
    EstimateRecovery,
    JoinStop,
    RecodeStop,
    ShelveStop,
    SplitStop,
    StopSearch,
)
from signals.errors import BadInput
from workers.cli.downtime_acts import built, carry_out, days, instant, named_stop, plant_now, stops_seen
from workers.cli.downtime_tables import listed, losses_of, losses_table, reasons_table, reasons_tree, shown
from workers.cli.office import new_decision, office, plain
from workers.cli.options import AsJson, By, DataFolder, DecisionId, LedgerUrl, PlantFile
from workers.cli.output import say_result
from workers.cli.running import run_result

app = typer.Typer(help="Stops of lines: list, show, acknowledge, classify, split, close, losses.", no_args_is_help=True)

StopId = Annotated[str, typer.Argument(help="The stop, as LINE/STOP or its id alone.", metavar="STOP")]
AsRole = Annotated[str, typer.Option("--role", help="As what you act. Default: the first of your roles that may.")]
Comment = Annotated[str, typer.Option("--comment", help="Kept with the act.")]
Line = Annotated[str, typer.Option("--line", help="Only this line's.")]
Reason = Annotated[str, typer.Option("--reason", help="Id in the reason tree; `downtime reasons` shows it.")]
From = Annotated[str, typer.Option("--from", help="First production day. Default: six days before --to.")]
To = Annotated[str, typer.Option("--to", help="Last production day. Default: today.")]


@app.command("list")
def list_stops(
    plant: PlantFile,
    line: Line = "",
    shift: Annotated[str, typer.Option("--shift", help="Only with a part in it, 2026-11-22/early.")] = "",
    order: Annotated[str, typer.Option("--order", help="Only with a part on it.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Only with a part of this reason.")] = "",
    unclassified: Annotated[bool, typer.Option("--unclassified", help="Only those to be explained.")] = False,
    micro: Annotated[bool, typer.Option("--micro", help="Micro-stops too; with --all.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Stops, the latest first. Asks the ledger only."""
    search = StopSearch(
        line=line, shift=shift, order=order, reason=reason, unclassified=unclassified, micro=micro,
        open_only=not everything,
    )  # fmt: skip

    async def work() -> dict[str, Any]:
        async with office(plant, data, ledger) as place:
            found = await stops_seen(place, await place.look(Action.VIEW_STOPS), search)
            return {"plant": place.plant_id, "count": len(found), "stops": [plain(r) for r in found]}

    result = run_result(work())
    say_result(result, listed(result["stops"]) if result["stops"] else "no stops", as_json=as_json)


@app.command("show")
def show_stop(
    stop: StopId, plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False
) -> None:
    """One stop: parts, alarms, ladder, bookings, its whole history."""

    async def work() -> Any:
        async with office(plant, data, ledger) as place:
            await place.look(Action.VIEW_STOPS)
            return await named_stop(place, stop)

    record = run_result(work())
    say_result(plain(record), shown(record), as_json=as_json)


@app.command("reasons")
def list_reasons(plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """The plant's reason tree: what may be said of a stop."""

    async def work() -> dict[str, Any]:
        async with office(plant, data, ledger, ledger_must_exist=False) as place:
            await place.look(Action.VIEW_STOPS)
            return {"plant": place.plant_id, "reasons": reasons_tree(place.plant.downtime)}

    result = run_result(work())
    say_result(result, reasons_table(result["reasons"]), as_json=as_json)


@app.command("losses")
def losses(
    plant: PlantFile,
    by: Annotated[SummedBy, typer.Option("--by", help="What minutes are summed by.")] = SummedBy.REASON,
    first: From = "",
    last: To = "",
    line: Line = "",
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Where the time of the lines went, the greatest loss first (Pareto). Planned and unknown time is no loss."""

    async def work() -> dict[str, Any]:
        async with office(plant, data, ledger) as place:
            who, now = await place.look(Action.VIEW_STOPS), plant_now(place)
            since, until = days(place.plant, first, last, now)
            search = StopSearch(line=line, open_only=False, micro=True, since=since, until=min(until, now))
            found = await stops_seen(place, who, search)
            return await losses_of(place, found, by, since, min(until, now))

    result = run_result(work())
    say_result(result, losses_table(result) if result["losses"] else "nothing was lost", as_json=as_json)


@app.command("acknowledge")
def acknowledge(
    stop: StopId, plant: PlantFile, comment: Comment = "", role: AsRole = "", by: By = "",
    decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take care of it; it expires by the plant file."""
    name = new_decision(decision_id)
    carry_out(stop, lambda a, _: built(AcknowledgeStop, action_id=name, actor=a, comment=comment), plant, role, by,
              data, ledger, as_json=as_json)  # fmt: skip


@app.command("classify")
def classify(
    stop: StopId, plant: PlantFile, reason: Reason,
    part: Annotated[int | None, typer.Option("--part", min=1, help="Default: all that nobody has explained.")] = None,
    comment: Comment = "", role: AsRole = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None,
    ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say why the line stands."""
    name = new_decision(decision_id)
    carry_out(
        stop,
        lambda a, _: built(ClassifyStop, action_id=name, actor=a, reason=reason, part=part, comment=comment),
        plant, role, by, data, ledger, as_json=as_json,
    )  # fmt: skip


@app.command("split")
def split(
    stop: StopId, plant: PlantFile, at: Annotated[str, typer.Option("--at", help="ISO 8601; no zone: the plant's.")],
    reason: Annotated[str, typer.Option("--reason", help="From then on. Default: as before.")] = "",
    comment: Comment = "", role: AsRole = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None,
    ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Cut a part of it at an instant."""
    name = new_decision(decision_id)
    carry_out(
        stop,
        lambda a, config: built(
            SplitStop, action_id=name, actor=a, at=instant(at, config, "--at"), reason=reason, comment=comment
        ),
        plant, role, by, data, ledger, as_json=as_json,
    )  # fmt: skip


@app.command("recode")
def recode(
    stop: StopId, plant: PlantFile, part: Annotated[int, typer.Option("--part", min=1)], reason: Reason,
    comment: Annotated[str, typer.Option("--comment", help="Why; it is kept with both reasons.")],
    role: AsRole = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Another reason for what was explained already."""
    name = new_decision(decision_id)
    carry_out(
        stop,
        lambda a, _: built(RecodeStop, action_id=name, actor=a, part=part, reason=reason, comment=comment),
        plant, role, by, data, ledger, as_json=as_json,
    )  # fmt: skip


@app.command("shelve")
def shelve(
    stop: StopId, plant: PlantFile,
    until: Annotated[str, typer.Option("--until", help="ISO 8601; no zone: the plant's.")],
    comment: Annotated[str, typer.Option("--comment", help="Why.")], role: AsRole = "", by: By = "",
    decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Nobody is called before an instant."""
    name = new_decision(decision_id)
    carry_out(
        stop,
        lambda a, config: built(
            ShelveStop, action_id=name, actor=a, until=instant(until, config, "--until"), comment=comment
        ),
        plant, role, by, data, ledger, as_json=as_json,
    )  # fmt: skip


@app.command("join")
def join(
    stop: StopId, plant: PlantFile,
    into: Annotated[str, typer.Option("--into", help="Id of the other stop of the line.")], comment: Comment = "",
    role: AsRole = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """It is part of another stop of its line."""
    name, other = new_decision(decision_id), into.rpartition("/")[2]
    carry_out(stop, lambda a, _: built(JoinStop, action_id=name, actor=a, into=other, comment=comment), plant, role,
              by, data, ledger, as_json=as_json)  # fmt: skip


@app.command("comment")
def comment_on(
    stop: StopId, plant: PlantFile, text: Annotated[str, typer.Option("--text", help="What is to be kept.")],
    role: AsRole = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say something about it; it is kept in the history."""
    name = new_decision(decision_id)
    carry_out(stop, lambda a, _: built(CommentStop, action_id=name, actor=a, comment=text), plant, role, by, data,
              ledger, as_json=as_json)  # fmt: skip


@app.command("estimate")
def estimate(
    stop: StopId, plant: PlantFile,
    recovery: Annotated[str, typer.Option("--recovery", help="When it runs again, ISO 8601; no zone: the plant's.")],
    percent: Annotated[str, typer.Option("--percent", help="What the line can do until then.")] = "0",
    comment: Comment = "", role: AsRole = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None,
    ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say when the line is expected to run again."""
    name = new_decision(decision_id)
    carry_out(
        stop,
        lambda a, config: built(
            EstimateRecovery, action_id=name, actor=a, recovery_at=instant(recovery, config, "--recovery"),
            available_percent=percent, comment=comment,
        ),
        plant, role, by, data, ledger, as_json=as_json,
    )  # fmt: skip


def _approves(approve: bool, refuse: bool) -> bool:
    if approve == refuse:
        raise BadInput("say what you decide", subject="decision", hint="either --approve or --refuse")
    return approve


Approve = Annotated[bool, typer.Option("--approve")]
Refuse = Annotated[bool, typer.Option("--refuse")]


@app.command("capacity")
def capacity(
    stop: StopId, plant: PlantFile, approve: Approve = False, refuse: Refuse = False,
    recovery: Annotated[str, typer.Option("--recovery", help="The expected recovery that you have been shown.")] = "",
    comment: Comment = "", role: AsRole = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None,
    ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Approve or refuse the proposed capacity change. Approving names the recovery that was shown."""
    name, decided = new_decision(decision_id), _approves(approve, refuse)
    carry_out(
        stop,
        lambda a, config: built(
            DecideCapacity, action_id=name, actor=a, approve=decided, comment=comment,
            recovery_at=instant(recovery, config, "--recovery") if recovery else None,
        ),
        plant, role, by, data, ledger, as_json=as_json,
    )  # fmt: skip


@app.command("reallocate")
def reallocate(
    stop: StopId, plant: PlantFile, approve: Approve = False, refuse: Refuse = False, comment: Comment = "",
    role: AsRole = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Approve or refuse the proposed reallocation. Approving tells people; nothing is moved by itself."""
    name, decided = new_decision(decision_id), _approves(approve, refuse)
    carry_out(
        stop,
        lambda a, _: built(DecideReallocation, action_id=name, actor=a, approve=decided, comment=comment),
        plant, role, by, data, ledger, as_json=as_json,
    )  # fmt: skip


@app.command("close")
def close(
    stop: StopId, plant: PlantFile, comment: Comment = "", role: AsRole = "", by: By = "",
    decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Confirm that it is over and explained. It closes by itself, too."""
    name = new_decision(decision_id)
    carry_out(stop, lambda a, _: built(CloseStop, action_id=name, actor=a, comment=comment), plant, role, by, data,
              ledger, as_json=as_json)  # fmt: skip
