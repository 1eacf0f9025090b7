"""Telling people from a workflow: `await notify(…)` returns at once, however long a mail server is away.

A workflow of its own per notification delivers it; whoever tells never waits for it and never fails by it.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.notify import NotifyActivities
    from signals.errors import ErrorType
    from signals.ids import notification_workflow_id
    from signals.notify import Notification, ToldPeople
    from workflows.common import PLANT_ID, TASK_TIMEOUT

DELIVERY_TIMEOUT = timedelta(minutes=2)
"""One attempt at all channels of a notification."""

DELIVERY_ATTEMPTS = RetryPolicy(
    initial_interval=timedelta(seconds=2),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=15),
    maximum_attempts=100,
    non_retryable_error_types=[ErrorType.BAD_INPUT.value],
)
"""About a day: who was not reached by then is found in the inbox."""


async def notify(notification: Notification) -> None:
    """Tell people, once per id. It is delivered by a workflow of its own, which outlives the caller."""
    try:
        await workflow.start_child_workflow(
            "Notify",
            notification,
            id=notification_workflow_id(notification.plant, notification.id),
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            task_timeout=TASK_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        return  # they have been told, or are being told


@workflow.defn(name="Notify")
class Notify:
    """One notification, tried by all its channels until each has taken or refused it."""

    @workflow.run
    async def run(self, notification: Notification) -> ToldPeople:
        workflow.upsert_search_attributes([PLANT_ID.value_set(notification.plant)])
        try:
            return await workflow.execute_activity_method(
                NotifyActivities.notify,
                notification,
                start_to_close_timeout=DELIVERY_TIMEOUT,
                retry_policy=DELIVERY_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("notification %s given up: %s", notification.id, error.cause)
            return ToldPeople(id=notification.id)
