"""`holds list|show|open|claim|reassign|comment|segregate|decide|cosign|withdraw`: held material, worked by people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Group, RenderableType

from domain.permissions import Action
from signals.errors import BadInput
from signals.holds import (
    ClaimHold,
    CommentHold,
    ConfirmSegregation,
    CosignHold,
    DecideHold,
    HoldCause,
    HoldDisposition,
    HoldDispositionKind,
    HoldReason,
    HoldRecord,
    HoldScope,
    HoldSearch,
    HoldTrigger,
    ReassignHold,
    WithdrawHold,
)
from signals.ids import short_hash
from signals.people import SignatureMeaning
from workers.cli.hold_acts import MakeAct, act, closing, named_hold, waiting_decision
from workers.cli.office import new_decision, office, plain
from workers.cli.options import AsJson, By, DataFolder, DecisionId, LedgerUrl, PlantFile
from workers.cli.output import say_result, table
from workers.cli.running import run_result

M = TypeVar("M", bound=BaseModel)

app = typer.Typer(help="Held material: list, show, open, claim, decide, co-sign, withdraw.", no_args_is_help=True)

HoldId = Annotated[str, typer.Argument(help="The hold's id.", metavar="HOLD")]
AsRole = Annotated[str, typer.Option("--role", help="As what you act. Default: the first of your roles that may.")]
Comment = Annotated[str, typer.Option("--comment", help="Why; it is kept with the act.")]
Meaning = Annotated[SignatureMeaning, typer.Option("--meaning", help="What your signature says.")]
Amount = Annotated[str, typer.Option(metavar="QUANTITY")]


@app.command("list")
def list_holds(
    plant: PlantFile,
    line: Annotated[str, typer.Option("--line", help="Only this line's.")] = "",
    order: Annotated[str, typer.Option("--order", help="Only on this order.")] = "",
    material: Annotated[str, typer.Option("--material", help="Only on this material.")] = "",
    batch: Annotated[str, typer.Option("--batch", help="Only on this batch.")] = "",
    serial: Annotated[str, typer.Option("--serial", help="Only with this serial number.")] = "",
    role: Annotated[str, typer.Option("--role", help="Only those this role has on its list.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Holds by their deadline. Asks the ledger only."""
    wanted = HoldSearch(
        line=line, order=order, material=material, batch=batch, serial=serial, role=role, open_only=not everything
    )
    result = run_result(_list(plant, wanted, data, ledger))
    shown = table("Holds", "hold", "state", "order", "material", "batch", "quantity", "ERP", "next", "due", "why",
                  numbers=("quantity",))  # fmt: skip
    for hold in result["holds"]:
        scope = hold["scope"]
        shown.add_row(
            hold["hold"], hold["state"], scope["order"], scope["material"], scope["batch"],
            f"{hold['quantity']} {hold['unit']}", hold["erp"], hold["assigned_to"] or hold["owner_role"],
            f"{hold['due_at'] or ''}"[:16], hold["reasons"][0]["text"] if hold["reasons"] else "",
        )  # fmt: skip
    say_result(result, shown if result["holds"] else "no holds", as_json=as_json)


async def _list(plant: Path, wanted: HoldSearch, data: Path | None, ledger: str | None) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        who = await place.look(Action.VIEW_HOLDS)
        found = await place.ledger.holds(place.plant_id, wanted)
        seen = [r for r in found if who.sees((r.scope.line,) if r.scope.line else ())]
        return {"plant": place.plant_id, "count": len(seen), "holds": [plain(r) for r in seen]}


@app.command("show")
def show_hold(
    hold: HoldId, plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False
) -> None:
    """One hold: why, what, how the ERP stands, what was decided by whom, its whole history."""
    record = run_result(_show(hold, plant, data, ledger))
    say_result(plain(record), _shown(record), as_json=as_json)


async def _show(hold: str, plant: Path, data: Path | None, ledger: str | None) -> HoldRecord:
    async with office(plant, data, ledger) as place:
        await place.look(Action.VIEW_HOLDS)
        return await named_hold(place, hold)


def _shown(record: HoldRecord) -> RenderableType:
    scope = record.scope
    facts = table(f"Hold {record.hold} · {record.state.value}", "", "")
    rows = (
        ("held", f"{record.quantity:f} {record.unit}"),
        ("order", f"{scope.order} {scope.operation}"),
        ("material", f"{scope.material} {scope.batch}"),
        ("serials", ", ".join(scope.serials)),
        ("line", f"{scope.line} {scope.station}"),
        ("made", f"from {scope.since or '…'} to {scope.until or '…'}" if scope.since or scope.until else ""),
        ("ERP", f"{record.erp}, {record.position.value}"),
        ("segregated", f"{record.segregated:f} at {record.segregated_at}" if record.segregated is not None else ""),
        ("next", f"{record.assigned_to or record.owner_role} until {record.due_at or 'no deadline'}"),
        ("follows", record.reopens),
    )
    for name, value in rows:
        if value.strip():
            facts.add_row(name, value)
    reasons = table("Reasons", "reason", "rule", "what", "released by")
    for reason in record.reasons:
        reasons.add_row(reason.reason, reason.rule or reason.cause.value, reason.text, reason.release_role)
    decisions = table("Decisions", "decision", "state", "what", "by", "second")
    for made in record.decisions:
        what = ", ".join(f"{d.quantity:f} {d.kind.value}" for d in made.dispositions)
        second = made.second.user if made.second else " or ".join(made.needs_second)
        decisions.add_row(made.decision, made.state.value, what, f"{made.by.user} ({made.by.role})", second)
    history = table("History", "at", "what", "text", "by")
    for event in record.history:
        history.add_row(f"{event.at:%Y-%m-%d %H:%M:%S}", event.what, event.text, event.by)
    parts = (facts, reasons, decisions if record.decisions else None, history)
    return Group(*(part for part in parts if part is not None))


@app.command("open")
def open_hold(
    plant: PlantFile,
    why: Annotated[str, typer.Option("--why", help="What is wrong with the material.")],
    quantity: Annotated[str, typer.Option("--quantity", help="How much, as far as known.")] = "0",
    unit: Annotated[str, typer.Option("--unit")] = "PC",
    line: Annotated[str, typer.Option("--line")] = "",
    order: Annotated[str, typer.Option("--order")] = "",
    operation: Annotated[str, typer.Option("--operation")] = "",
    material: Annotated[str, typer.Option("--material")] = "",
    batch: Annotated[str, typer.Option("--batch")] = "",
    serial: Annotated[list[str] | None, typer.Option("--serial", help="Again for each piece.")] = None,
    lot: Annotated[str, typer.Option("--inspection-lot", help="The ERP's lot, for stock in inspection.")] = "",
    location: Annotated[str, typer.Option("--location", help="Storage location where it lies.")] = "",
    role: AsRole = "",
    by: By = "",
    decision_id: DecisionId = None,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Hold material: blocked at once here, then in the ERP. The same --decision-id again is the same hold."""
    if not (order or material or batch or serial):
        hint = "name an order, a material, a batch or serial numbers"
        raise BadInput("nothing says what is held", subject="scope", hint=hint)
    wish = new_decision(decision_id)
    scope: dict[str, Any] = {
        "line": line, "order": order, "operation": operation, "material": material, "batch": batch,
        "serials": tuple(serial or ()),
    }  # fmt: skip
    more = {"quantity": _amount(quantity), "unit": unit, "inspection_lot": lot, "storage_location": location}
    result = run_result(_open(plant, wish, why, scope, more, role, by, data, ledger))
    say_result(result, f"hold {result['hold']} is blocked", as_json=as_json)


async def _open(
    plant: Path, wish: str, why: str, scope: dict[str, Any], more: dict[str, Any], role: str, by: str,
    data: Path | None, ledger: str | None,
) -> dict[str, Any]:  # fmt: skip
    from workers.hold_desk import TemporalHoldDesk

    async with office(plant, data, ledger, ledger_must_exist=False) as place:
        decider = await place.decider(Action.HOLD_OPEN, by=by, role=role, lines=(scope["line"],))
        now, name = datetime.now(UTC), short_hash(place.plant_id, "by hand", wish, length=20)
        reason = _built(HoldReason, reason=f"manual-{name}", cause=HoldCause.MANUAL, text=why, found_at=now)
        trigger = _built(
            HoldTrigger, trigger=f"by-hand-{name}", scope=_built(HoldScope, plant=place.plant_id, **scope),
            reason=reason, opened_by=decider.by, at=now, **more,
        )  # fmt: skip
        opened = await place.ledger.open_hold(trigger)
        desk = TemporalHoldDesk(place.client, place.ledger)
        told = await desk.opened(trigger, opened)
        return {"plant": place.plant_id, "hold": opened.hold, "created": opened.created, "told": told, "why": desk.why}


@app.command("claim")
def claim(
    hold: HoldId, plant: PlantFile, role: AsRole = "", by: By = "", decision_id: DecisionId = None,
    data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take the hold on; it restricts nobody else."""
    name = new_decision(decision_id)
    _carry_out(hold, lambda a: ClaimHold(action_id=name, actor=a), plant, role, by, data, ledger, as_json=as_json)


@app.command("reassign")
def reassign(
    hold: HoldId, plant: PlantFile, to: Annotated[str, typer.Option("--to", help="Login of the other.")],
    role: AsRole = "", comment: Comment = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None,
    ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Hand the hold to another person."""
    name = new_decision(decision_id)
    _carry_out(hold, lambda a: ReassignHold(action_id=name, actor=a, to=to, comment=comment), plant, role, by, data,
               ledger, as_json=as_json)  # fmt: skip


@app.command("comment")
def comment_on(
    hold: HoldId, plant: PlantFile, text: Annotated[str, typer.Option("--text", help="What is to be kept.")],
    role: AsRole = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say something about it; it is kept in the history."""
    name = new_decision(decision_id)
    _carry_out(hold, lambda a: CommentHold(action_id=name, actor=a, comment=text), plant, role, by, data, ledger,
               as_json=as_json)  # fmt: skip


@app.command("segregate")
def segregate(
    hold: HoldId, plant: PlantFile, counted: Annotated[str, typer.Option("--counted", help="How much was put aside.")],
    location: Annotated[str, typer.Option("--location", help="Where it lies now.")], role: AsRole = "",
    comment: Comment = "", by: By = "", decision_id: DecisionId = None, data: DataFolder = None,
    ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """The material was put aside: how much, where. Another count than what is held is a case."""
    name, amount = new_decision(decision_id), _amount(counted)
    _carry_out(
        hold,
        lambda a: ConfirmSegregation(action_id=name, actor=a, counted=amount, location=location, comment=comment),
        plant, role, by, data, ledger, as_json=as_json,
    )  # fmt: skip


@app.command("decide")
def decide(
    hold: HoldId, plant: PlantFile, release: Amount = "", rework: Amount = "", repair: Amount = "", scrap: Amount = "",
    return_: Annotated[str, typer.Option("--return", metavar="QUANTITY")] = "",
    serials: Annotated[
        list[str] | None, typer.Option("--serials", help="Which pieces: scrap=S1,S2", metavar="KIND=SERIALS")
    ] = None,
    reason_code: Annotated[str, typer.Option("--scrap-reason", help="Scrap reason of the plant file.")] = "",
    reason: Annotated[
        list[str] | None, typer.Option("--reason", help="Which reason is decided; default all your role may.")
    ] = None,
    role: AsRole = "", comment: Comment = "", meaning: Meaning = SignatureMeaning.APPROVAL, by: By = "",
    decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say what becomes of the held quantity; the parts sum to it. Signed where the plant wants signatures."""
    given = {"release": release, "rework": rework, "repair": repair, "scrap": scrap, "return": return_}
    dispositions = _dispositions(given, serials or [], reason_code)
    name, reasons = new_decision(decision_id), tuple(reason or ())

    def make(actor: Any) -> DecideHold:
        return DecideHold(action_id=name, actor=actor, dispositions=dispositions, reasons=reasons, comment=comment)

    _carry_out(hold, make, plant, role, by, data, ledger, as_json=as_json, meaning=meaning)


def _dispositions(given: dict[str, str], serials: Sequence[str], reason_code: str) -> tuple[HoldDisposition, ...]:
    named: dict[str, tuple[str, ...]] = {}
    for entry in serials:
        kind, equals, listed = entry.partition("=")
        if not equals or kind not in given:
            raise BadInput(f"{entry!r} does not say which pieces", subject="--serials", hint="write scrap=S1,S2")
        named[kind] = (*named.get(kind, ()), *(s for s in listed.split(",") if s))
    found: list[HoldDisposition] = []
    for kind, amount in given.items():
        if amount:
            fields: dict[str, Any] = {"quantity": _amount(amount), "serials": named.pop(kind, ())}
            code = reason_code if kind == "scrap" else ""
            found.append(_built(HoldDisposition, kind=HoldDispositionKind(kind), reason_code=code, **fields))
    if not found or named:
        hint = "for example --release 8 --scrap 2"
        raise BadInput("say how much of it becomes what", subject="dispositions", hint=hint)
    return tuple(found)


@app.command("cosign")
def cosign(
    hold: HoldId, plant: PlantFile,
    decision: Annotated[str, typer.Option("--decision", help="Default: the one that waits.")] = "",
    disagree: Annotated[bool, typer.Option("--disagree", help="Reject the decision.")] = False,
    role: AsRole = "", comment: Comment = "", meaning: Meaning = SignatureMeaning.APPROVAL, by: By = "",
    decision_id: DecisionId = None, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Sign another person's decision, or reject it."""
    name = new_decision(decision_id)

    async def carry_out() -> dict[str, Any]:
        async with office(plant, data, ledger) as place:
            first = decision or waiting_decision(await named_hold(place, hold))

            def make(actor: Any) -> CosignHold:
                return CosignHold(action_id=name, actor=actor, decision=first, agree=not disagree, comment=comment)

            return closing(*await act(place, hold, make, by=by, role=role, meaning=meaning))

    result = run_result(carry_out())
    say_result(result, f"hold {hold}: {result['message']}", as_json=as_json)


@app.command("withdraw")
def withdraw(
    hold: HoldId, plant: PlantFile, role: AsRole = "", comment: Comment = "",
    meaning: Meaning = SignatureMeaning.RESPONSIBILITY, by: By = "", decision_id: DecisionId = None,
    data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """It was opened in error: nothing is wrong with the material."""
    name = new_decision(decision_id)
    _carry_out(hold, lambda a: WithdrawHold(action_id=name, actor=a, comment=comment), plant, role, by, data, ledger,
               as_json=as_json, meaning=meaning)  # fmt: skip


def _carry_out(
    hold: str, make: MakeAct, plant: Path, role: str, by: str, data: Path | None, ledger: str | None, *,
    as_json: bool, meaning: SignatureMeaning = SignatureMeaning.APPROVAL,
) -> None:  # fmt: skip
    async def carry_out() -> dict[str, Any]:
        async with office(plant, data, ledger) as place:
            return closing(*await act(place, hold, make, by=by, role=role, meaning=meaning))

    result = run_result(carry_out())
    say_result(result, f"hold {hold}: {result['message']}", as_json=as_json)


def _amount(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise BadInput(f"{text!r} is no quantity", subject=text, hint="write a number such as 8 or 2.5") from error
    if not value.is_finite() or value < 0:
        raise BadInput(f"{text} is no quantity that can be held", subject=text, hint="give zero or more")
    return value


def _built(model: type[M], **fields: Any) -> M:
    """Raises BadInput that names the field."""
    try:
        return model(**fields)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or model.__name__
        raise BadInput(f"{place}: {fault['msg']}", subject=place, hint="see `--help`") from error
