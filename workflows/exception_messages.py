"""Inputs of the ErpException and Compensation workflows, and how others start and tell them. They start each other."""

from __future__ import annotations

from uuid import UUID

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from signals.base import Code, Message
    from signals.decisions import VoidOrder
    from signals.ids import compensation_workflow_id, exception_workflow_id
    from workflows.common import TASK_TIMEOUT

LOOK_AGAIN = "look_again"
CASE_DECIDED = "case_decided"
VOIDED = "voided"


class ExceptionInput(Message):
    """`report_to` is the workflow that posted: it is told of decisions. Without `state` the ledger is asked."""

    plant: Code
    posting_key: UUID
    order: str = ""
    report_to: str = ""
    state: str | None = None
    history_limit: int = 5_000


class CompensationInput(Message):
    """What is to be taken back, by whose decision. Without a posting it is the whole order, declared void."""

    plant: Code
    order: str
    posting_key: UUID | None = None
    case_id: str = ""
    decision_id: Code
    by: Code
    role: str = ""
    reason: Code
    void: VoidOrder | None = None
    """The declaration itself, where nobody has verified it yet: the order's process had ended."""
    tell: tuple[str, ...] = ()
    state: str | None = None
    history_limit: int = 5_000

    @property
    def text(self) -> str:
        """Why, as ledger and ERP are told."""
        what = "compensated" if self.posting_key is not None else "void"
        return f"{what} by {self.by}: {self.reason}"


async def start_exception(given: ExceptionInput) -> None:
    """Start a posting's ErpException; one that runs already looks again."""
    workflow_id = exception_workflow_id(given.plant, given.posting_key)
    try:
        await workflow.start_child_workflow(
            "ErpException",
            given,
            id=workflow_id,
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            task_timeout=TASK_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        await tell(workflow_id, LOOK_AGAIN)


async def start_compensation(given: CompensationInput) -> None:
    """Start taking back; where it runs already it looks again."""
    subject = str(given.posting_key) if given.posting_key is not None else given.order
    workflow_id = compensation_workflow_id(given.plant, subject)
    try:
        await workflow.start_child_workflow(
            "Compensation",
            given,
            id=workflow_id,
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            task_timeout=TASK_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        await tell(workflow_id, LOOK_AGAIN)


async def tell(workflow_id: str, signal: str, *arguments: object) -> bool:
    """Signal another workflow. False where it does not run: nobody needs to be told then."""
    if not workflow_id:
        return False
    try:
        await workflow.get_external_workflow_handle(workflow_id).signal(signal, args=list(arguments))
    except FailureError:
        return False
    return True
