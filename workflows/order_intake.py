"""OrderIntake: one look at the ERP for released orders, started by a schedule (design section 4).

The schedule only ticks: what is due comes from the ledger, and every order is started by its id, so that a tick that
was lost or came twice changes nothing.
"""

from __future__ import annotations

from contextlib import suppress

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.orders import Intake, OrderActivities, PlantRef
    from signals.ids import erp_task_queue, order_workflow_id
    from workflows.common import FEW_ATTEMPTS, LOADING_TIMEOUT, TASK_TIMEOUT
    from workflows.production_order import OrderInput, ProductionOrder


ORDER_CHANGES = "order-changes"
"""Patch: intake also passes on what the ERP changed."""


@workflow.defn(name="OrderIntake")
class OrderIntake:
    """One tick."""

    @workflow.run
    async def run(self, ref: PlantRef) -> Intake:
        found = await workflow.execute_activity_method(
            OrderActivities.take_released_orders,
            ref,
            task_queue=erp_task_queue(ref.plant),
            start_to_close_timeout=LOADING_TIMEOUT * 2,
            retry_policy=FEW_ATTEMPTS,
        )
        for order in found.start:
            await self._start(ref.plant, order)
        if workflow.patched(ORDER_CHANGES):
            await self._pass_changes_on(ref)
        return found

    async def _pass_changes_on(self, ref: PlantRef) -> None:
        """The loop back (need 22): what the ERP changed reaches the order's process, if one is running."""
        found = await workflow.execute_activity_method(
            OrderActivities.take_order_changes,
            ref,
            task_queue=erp_task_queue(ref.plant),
            start_to_close_timeout=LOADING_TIMEOUT * 2,
            retry_policy=FEW_ATTEMPTS,
        )
        for change in found.changes:
            running = workflow.get_external_workflow_handle(order_workflow_id(ref.plant, change.order))
            with suppress(FailureError):  # closed, or not started yet: it loads the ledger's data when it starts
                await running.signal("erp_changed", change)

    async def _start(self, plant: str, order: str) -> None:
        """An order that ran before is never started again by itself: somebody ended it on purpose."""
        try:
            await workflow.start_child_workflow(
                ProductionOrder.run,
                OrderInput(plant=plant, order=order),
                id=order_workflow_id(plant, order),
                parent_close_policy=ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                task_timeout=TASK_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.debug("order %s runs already", order)
