"""`orders list|show|start|complete|cancel|approve`: production orders, asked and told by people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from domain.permissions import Action
from domain.places import lines_of_order
from ledger.port import OrderRecord
from signals.decisions import Answer, ApprovePostings, CancelOrderRequest, CompleteOrderRequest
from signals.errors import BadInput, ErpRejected
from signals.ids import order_workflow_id, plant_task_queue
from signals.orders import ErpOrderStatus, OrderPhase, ProductionOrder
from signals.status import OrderStatus
from workers.cli.office import Office, new_decision, office, plain
from workers.cli.options import AsJson, By, DataFolder, DecisionId, LedgerUrl, PlantFile
from workers.cli.output import amount, say_result, table
from workers.cli.running import run_result
from workers.cli.who import UNSAID

app = typer.Typer(help="Production orders: list, show, start, complete, cancel, approve.", no_args_is_help=True)

Request = CompleteOrderRequest | CancelOrderRequest | ApprovePostings
OrderNumber = Annotated[str, typer.Argument(help="The ERP's order number.", metavar="ORDER")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")]


@app.command("list")
def list_orders(plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """Orders that were taken in, with what was posted for them. Asks the ledger only."""
    result = run_result(_list(plant, data, ledger))
    shown = table("Orders", "order", "material", "quantity", "phase", "operation", "yield", "scrap", "cases",
                  numbers=("quantity", "yield", "scrap", "cases"))  # fmt: skip
    for order in result["orders"]:
        for position, operation in enumerate(order["operations"]):
            head = [order["order"], order["material"], order["quantity"], order["phase"]] if position == 0 else [""] * 4
            cases = str(order["open_cases"]) if position == 0 else ""
            shown.add_row(*head, operation["operation"], operation["posted_yield"], operation["posted_scrap"], cases)
    say_result(result, shown, as_json=as_json)


async def _list(plant: Path, data: Path | None, ledger: str | None) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        who = await place.look(Action.VIEW_ORDERS)
        records = await place.ledger.orders(place.plant_id)
        seen = [
            (record, record.order)
            for record in records
            if record.order is not None and (who.sees_all or who.sees(await place.lines_of_order(record.order.order)))
        ]
        return {"plant": place.plant_id, "orders": [_listed(record, order) for record, order in seen]}


def _listed(record: OrderRecord, order: ProductionOrder) -> dict[str, Any]:
    posted = {t.operation: t for t in record.totals}
    return {
        "order": order.order,
        "material": order.material,
        "quantity": amount(order.quantity),
        "unit": order.unit,
        "phase": record.phase or OrderPhase.RELEASED.value,
        "open_cases": len(record.open_cases),
        "operations": [
            {
                "operation": o.operation,
                "planned": amount(o.planned),
                "posted_yield": amount(posted[o.operation].yield_quantity) if o.operation in posted else "0",
                "posted_scrap": amount(posted[o.operation].scrap_quantity) if o.operation in posted else "0",
                "final": o.operation in posted and posted[o.operation].final,
            }
            for o in order.operations
        ],
    }


@app.command("show")
def show_order(
    order: OrderNumber, plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False
) -> None:
    """How an order stands: quantities per operation, open cases, what it waits for."""
    status = run_result(_show(order, plant, data, ledger))
    say_result(plain(status), _order_shown(status), as_json=as_json)


async def _show(order: str, plant: Path, data: Path | None, ledger: str | None) -> OrderStatus:
    async with office(plant, data, ledger) as place:
        who = await place.look(Action.VIEW_ORDERS)
        if not who.sees_all:
            await known_order(place, order)
        record = await place.ledger.load_order(place.plant_id, order)
        status = await place.order_status(order)
        if status is not None:
            return status
        if record.order is None:
            raise _unknown(order, place)
        hint = f"`plantwright orders start {order} --plant …` starts it"
        raise BadInput(f"order {order} was taken in, but its process does not run", subject=order, hint=hint)


def _order_shown(status: OrderStatus) -> RenderableType:
    head = f" · {status.material} · {status.phase.value} · mode {status.mode.value}"
    waits = f" · tries again at {status.next_try_at.isoformat(timespec='seconds')}" if status.next_try_at else ""
    figures = table("", "operation", "planned", "counted", "scrap", "posted", "scrap posted", "final", "waits for",
                    numbers=("planned", "counted", "scrap", "posted", "scrap posted"))  # fmt: skip
    for o in status.operations:
        figures.add_row(
            o.operation, f"{amount(o.planned)} {o.unit}", amount(o.reported_yield), amount(o.reported_scrap),
            amount(o.posted_yield), amount(o.posted_scrap), "yes" if o.final else "no", o.waits_for,
        )  # fmt: skip
    parts: list[RenderableType] = [
        Text.assemble((f"Order {status.order}", "bold"), f"{head} · ERP {status.erp}{waits}"),
        figures,
    ]
    if status.cases:
        cases = table("Open cases", "case", "kind", "operation", "owner", "what", "may")
        for case in status.cases:
            allowed = " ".join(action.value for action in case.allowed)
            cases.add_row(case.case_id, case.kind.value, case.operation, case.owner_role, case.summary, allowed)
        parts.append(cases)
    if status.waiting_approval:
        parts.append(f"{len(status.waiting_approval)} postings wait for approval: `plantwright orders approve`")
    return Group(*parts)


@app.command("start")
def start_order(
    order: OrderNumber, plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False
) -> None:
    """Take a released order in from the ERP and start its process. Starting it again changes nothing."""
    result = run_result(_start(order, plant, data, ledger))
    said = "runs already" if result["already_running"] else "started"
    say_result(result, f"order {order} {said} ({result['workflow']})", as_json=as_json)


async def _start(order: str, plant: Path, data: Path | None, ledger: str | None) -> dict[str, Any]:
    from erp.sap.adapter import create_sap

    async with office(plant, data, ledger, ledger_must_exist=False) as place:
        who = await place.who()
        who.require(Action.ORDER_START)
        erp = create_sap(place.plant.erp, place.plant_id, place.settings.environ)
        try:
            await place.require_worker()
            found = await erp.read_order(order)
        except ErpRejected as error:
            hint = f"the ERP plant is {place.plant.erp.plant}; look the number up in the ERP"
            raise BadInput(str(error), subject=order, hint=hint) from error
        finally:
            await erp.aclose()
        record = await place.ledger.load_order(place.plant_id, order)
        if record.phase == OrderPhase.CLOSED.value:
            raise BadInput(f"order {order} is closed; nothing can be posted to it any more", subject=order)
        if found.status is not ErpOrderStatus.RELEASED:
            hint = "release it in the ERP first" if found.status is ErpOrderStatus.CREATED else ""
            raise BadInput(f"order {order} is {found.status.value} in the ERP, not released", subject=order, hint=hint)
        await place.ledger.take_order(found)
        return await _start_workflow(place, order)


async def _start_workflow(place: Office, order: str) -> dict[str, Any]:
    from temporalio.common import WorkflowIDReusePolicy
    from temporalio.exceptions import WorkflowAlreadyStartedError

    from workflows.common import TASK_TIMEOUT
    from workflows.production_order import OrderInput

    client = await place.client()
    workflow, already = order_workflow_id(place.plant_id, order), False
    try:
        await client.start_workflow(
            "ProductionOrder", OrderInput(plant=place.plant_id, order=order), id=workflow,
            task_queue=plant_task_queue(place.plant_id), task_timeout=TASK_TIMEOUT,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )  # fmt: skip
    except WorkflowAlreadyStartedError:
        already = True
    return {"plant": place.plant_id, "order": order, "workflow": workflow, "already_running": already}


@app.command("complete")
def complete_order(
    order: OrderNumber,
    plant: PlantFile,
    reason: Reason = "",
    by: By = "",
    decision_id: DecisionId = None,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Production has ended: confirm what is left as final and agree to technical completion."""
    asked = CompleteOrderRequest(decision_id=new_decision(decision_id), by=by or UNSAID, reason=reason)
    _decide(Action.ORDER_COMPLETE, order, asked, by, plant, data, ledger, as_json=as_json)


@app.command("cancel")
def cancel_order(
    order: OrderNumber,
    plant: PlantFile,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")],
    by: By = "",
    decision_id: DecisionId = None,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Short close: what really happened is confirmed as final, nothing more is produced."""
    asked = CancelOrderRequest(decision_id=new_decision(decision_id), by=by or UNSAID, reason=reason)
    _decide(Action.ORDER_CANCEL, order, asked, by, plant, data, ledger, as_json=as_json)


@app.command("approve")
def approve_order(
    order: OrderNumber,
    plant: PlantFile,
    key: Annotated[list[str] | None, typer.Option("--key", help="Only this posting; may be repeated.")] = None,
    by: By = "",
    decision_id: DecisionId = None,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """In mode `approve`: let the postings that were computed up to now go out."""
    asked = ApprovePostings(decision_id=new_decision(decision_id), by=by or UNSAID, keys=tuple(key or ()))
    _decide(Action.ORDER_APPROVE, order, asked, by, plant, data, ledger, as_json=as_json)


UPDATES = {
    Action.ORDER_COMPLETE: "complete",
    Action.ORDER_CANCEL: "cancel",
    Action.ORDER_APPROVE: "approve_postings",
}


def _decide(
    action: Action, order: str, asked: Request, by: str, plant: Path, data: Path | None, ledger: str | None,
    *, as_json: bool,
) -> None:  # fmt: skip
    answer = run_result(_tell(action, order, asked, by, plant, data, ledger))
    result = {"order": order, "decision_id": answer.decision_id, "accepted": answer.accepted, "message": answer.message}
    say_result(result, f"order {order}: {answer.message}", as_json=as_json)


async def _tell(
    action: Action, order: str, asked: Request, by: str, plant: Path, data: Path | None, ledger: str | None
) -> Answer:
    async with office(plant, data, ledger) as place:
        lines = await known_order(place, order)
        decider = await place.decider(action, by=by, lines=lines)
        request = asked.model_copy(update={"by": decider.by, "actor": decider.actor})
        return await place.tell(await place.order_handle(order), UPDATES[action], request, f"order {order}", order)


async def known_order(place: Office, order: str) -> tuple[str, ...]:
    """The lines of an order that was taken in. Raises BadInput where it does not exist for who asks."""
    who, record = await place.who(), await place.ledger.load_order(place.plant_id, order)
    lines = lines_of_order(place.plant, record.order, record.messages)
    if record.order is None or not who.sees(lines):
        raise _unknown(order, place)
    return lines


def _unknown(order: str, place: Office) -> BadInput:
    hint = f"`plantwright orders start {order} --plant …` takes it in from the ERP, if the ERP has released it"
    return BadInput(f"plant {place.plant_id} knows no order {order}", subject=order, hint=hint)
