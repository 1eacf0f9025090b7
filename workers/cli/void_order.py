"""`orders void`: nothing of the order is to stand in the ERP's books any more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from domain.permissions import Action
from domain.roles import VOIDERS, Role, may_void
from signals.decisions import Answer, VoidOrder
from signals.errors import BadInput
from signals.ids import compensation_workflow_id, plant_task_queue
from workers.cli.office import Office, new_decision, office
from workers.cli.options import AsJson, By, DataFolder, DecisionId, LedgerUrl, PlantFile
from workers.cli.orders import OrderNumber, app, known_order
from workers.cli.output import say_result
from workers.cli.running import run_result
from workers.cli.who import UNSAID

__all__ = ["app"]


@app.command("void")
def void_order(
    order: OrderNumber,
    plant: PlantFile,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")],
    role: Annotated[str, typer.Option("--role", help="As what you decide; default: planner, or what you are.")] = "",
    by: By = "",
    decision_id: DecisionId = None,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Declare an order void: all it has booked is reversed, newest first; the order ends as cancelled."""
    forbidden = may_void(role) if role else ""
    if forbidden:
        raise BadInput(forbidden, subject="--role")
    asked = VoidOrder(
        decision_id=new_decision(decision_id), by=by or UNSAID, role=role or Role.PLANNER.value, reason=reason
    )
    result = run_result(_void(order, asked, by, role, plant, data, ledger))
    say_result(result, f"order {order}: {result['message']} ({result['workflow']})", as_json=as_json)


async def _void(
    order: str, asked: VoidOrder, by: str, role: str, plant: Path, data: Path | None, ledger: str | None
) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        lines = await known_order(place, order)
        decider = await place.decider(Action.ORDER_VOID, by=by, role=role, prefer=VOIDERS, lines=lines)
        request = asked.model_copy(
            update={"by": decider.by, "role": decider.role or asked.role, "actor": decider.actor}
        )
        if await _is_running(place, order):
            answer = await place.tell(await place.order_handle(order), "void", request, f"order {order}", order)
        else:
            answer = await _take_back(place, order, request)
        return {
            "order": order, "decision_id": request.decision_id, "accepted": answer.accepted, "message": answer.message,
            "workflow": compensation_workflow_id(place.plant_id, order),
        }  # fmt: skip


async def _is_running(place: Office, order: str) -> bool:
    from temporalio.client import WorkflowExecutionStatus
    from temporalio.service import RPCError, RPCStatusCode

    try:
        found = await (await place.order_handle(order)).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return found.status is WorkflowExecutionStatus.RUNNING


async def _take_back(place: Office, order: str, request: VoidOrder) -> Answer:
    """An order that ended: what it left behind is taken back by the same process."""
    from temporalio.exceptions import WorkflowAlreadyStartedError

    from workflows.common import TASK_TIMEOUT
    from workflows.exception_messages import CompensationInput

    given = CompensationInput(
        plant=place.plant_id, order=order, decision_id=request.decision_id, by=request.by, role=request.role,
        reason=request.reason, void=await place.sealed(request, order),
    )  # fmt: skip
    message = "void: what stands is taken back"
    try:
        await (await place.client()).start_workflow(
            "Compensation",
            given,
            id=compensation_workflow_id(place.plant_id, order),
            task_queue=plant_task_queue(place.plant_id),
            task_timeout=TASK_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        message = "void already"
    return Answer(decision_id=request.decision_id, accepted=True, message=message)
