"""The handover's inputs, the names of its messages, and how it is started."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from signals.base import Code, Message, UtcTime
    from signals.ids import handover_workflow_id
    from workflows.common import TASK_TIMEOUT

ACKNOWLEDGE = "acknowledge"
SHIFT_OVER = "shift_over"
LINE_HANDED_OVER = "line_handed_over"


class HandoverPatience(Message):
    """How long a handover waits for Lines before it is made with what is known; wall time."""

    after_end_seconds: float = 900
    late_seconds: float = 120
    """At least, where it is made late: the backlog of an outage is coming in."""
    ask_seconds: float = 30
    """Between two questions to a Line that does not answer."""
    answer_seconds: float = 10
    """For the answer of a Line that is asked what it has so far."""


class TickInput(Message):
    """One look at the calendar."""

    plant: Code
    patience: HandoverPatience = HandoverPatience()


class HandoverInput(Message):
    """A shift that has ended. `state` is the run's before it."""

    plant: Code
    shift: str
    ends_at: UtcTime
    patience: HandoverPatience = HandoverPatience()
    state: str | None = None
    history_limit: int = 2_000


async def start_handover(given: HandoverInput) -> bool:
    """Start the shift's handover, once: one that runs or has ended is left alone, one that was killed begins again."""
    try:
        await workflow.start_child_workflow(
            "ShiftHandover",
            given,
            id=handover_workflow_id(given.plant, given.shift),
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            task_timeout=TASK_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        return False
    return True
