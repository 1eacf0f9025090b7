"""The Downtime workflow's input, the names of its messages, and how a Line starts or tells it."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from signals.base import Code, Message
    from signals.downtime import StopFact
    from signals.ids import downtime_workflow_id
    from workflows.common import TASK_TIMEOUT
    from workflows.exception_messages import tell

ACT = "act"
ACT_BY_SIGNAL = "act_by_signal"
TAKE_FACT = "take_fact"


class StopInput(Message):
    """A stop that the ledger knows already; it knows everything else. `state` is the run's before it."""

    plant: Code
    line: Code
    stop: Code
    state: str | None = None
    history_limit: int = 5_000


async def start_or_tell(fact: StopFact) -> None:
    """Start the stop's process; one that runs already is told of the fact. A closed one that trips again runs anew."""
    workflow_id = downtime_workflow_id(fact.plant, fact.line, fact.stop)
    try:
        await workflow.start_child_workflow(
            "Downtime",
            StopInput(plant=fact.plant, line=fact.line, stop=fact.stop),
            id=workflow_id,
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            task_timeout=TASK_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        await tell(workflow_id, TAKE_FACT, fact)
