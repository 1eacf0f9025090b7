"""The QualityHold workflow's input, the names of its messages, and how other workflows start or tell it."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from signals.base import Code, Message
    from signals.holds import HoldTrigger, InspectionOutcome
    from signals.ids import hold_workflow_id, order_workflow_id
    from workflows.common import TASK_TIMEOUT
    from workflows.exception_messages import tell

ACT = "act"
ACT_BY_SIGNAL = "act_by_signal"
ADD_REASON = "add_reason"
ADD_INSPECTION = "add_inspection"
LOOK_AGAIN = "look_again"
HOLDS_CHANGED = "holds_changed"
"""To an order: a hold on it was opened, or is over."""


class HoldInput(Message):
    """A hold that the ledger has opened already; it knows everything else. `state` is the run's before it."""

    plant: Code
    hold: Code
    state: str | None = None
    history_limit: int = 5_000


async def start_hold(plant: str, hold: str, trigger: HoldTrigger) -> None:
    """Start the hold that the ledger gave `trigger` to; one that runs already is told of it.

    Nothing happens where the hold is over: the ledger gives it no new reasons.
    """
    workflow_id = hold_workflow_id(plant, hold)
    try:
        await workflow.start_child_workflow(
            "QualityHold",
            HoldInput(plant=plant, hold=hold),
            id=workflow_id,
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            task_timeout=TASK_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        await tell(workflow_id, ADD_REASON, trigger)


async def tell_inspection(plant: str, hold: str, outcome: InspectionOutcome) -> bool:
    """Bring a result to a running hold. False where it does not run."""
    return await tell(hold_workflow_id(plant, hold), ADD_INSPECTION, outcome)


async def tell_order(plant: str, order: str) -> bool:
    """An order looks which holds it has. False where none is named or it does not run."""
    return bool(order) and await tell(order_workflow_id(plant, order), HOLDS_CHANGED)


async def tell_receipt(plant: str, hold: str) -> bool:
    """Material of the hold's order may have come into stock."""
    return await tell(hold_workflow_id(plant, hold), LOOK_AGAIN)
