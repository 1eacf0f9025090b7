"""Holds from outside the workflows: opened, told of results, acted on. For command line, API, console and imports."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from ledger.hold_port import HoldLedger
from signals.decisions import Answer
from signals.errors import BadInput, NoAnswer
from signals.holds import (
    DecideHold,
    DecisionState,
    HoldAct,
    HoldAction,
    HoldDecisionMade,
    HoldEvent,
    HoldRecord,
    HoldTrigger,
    InspectionOutcome,
)
from signals.ids import hold_workflow_id, plant_task_queue
from workers.desk import ANSWER_WITHIN, WORKER_HINT
from workflows.common import TASK_TIMEOUT
from workflows.hold_messages import ACT, ADD_INSPECTION, ADD_REASON, HoldInput


async def start_or_tell(client: Client, ledger: HoldLedger, trigger: HoldTrigger) -> str:
    """Block the scope in the ledger, then start the hold's workflow or tell it. Returns the hold's id.

    Safe to repeat with the same trigger: whatever was not done yet is done. A hold that is over stays over.
    """
    opened = await ledger.open_hold(trigger)
    plant = trigger.scope.plant
    try:
        await client.start_workflow(
            "QualityHold",
            HoldInput(plant=plant, hold=opened.hold),
            id=hold_workflow_id(plant, opened.hold),
            task_queue=plant_task_queue(plant),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
            start_signal=ADD_REASON,
            start_signal_args=[trigger],
        )
    except WorkflowAlreadyStartedError:
        return opened.hold  # it is over: the ledger knew the trigger, and nothing is new
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise NoAnswer(f"hold {opened.hold} is blocked locally, but Temporal did not take it: {error.message}",
                           hint="do it again: the same request opens the same hold") from error  # fmt: skip
    return opened.hold


async def tell_inspection(client: Client, plant: str, hold: str, outcome: InspectionOutcome) -> bool:
    """Bring a result to a running hold. False where it does not run."""
    handle = client.get_workflow_handle(hold_workflow_id(plant, hold))
    try:
        await handle.signal(ADD_INSPECTION, outcome)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise NoAnswer(f"hold {hold}: {error.message}", hint="is the Temporal server up?") from error
    return True


async def act_on_hold(
    client: Client, ledger: HoldLedger, plant: str, hold: str, act: HoldAct, *, now: datetime
) -> Answer:
    """What a person does with a hold. An act on a hold that is over is recorded as late.

    Raises BadInput for a hold that does not exist, NoAnswer where no worker takes it.
    """
    record = await ledger.hold(plant, hold)
    if record is None:
        raise unknown_hold(plant, hold)
    if act.actor.plant != plant:
        raise unknown_hold(act.actor.plant, hold)
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(hold_workflow_id(plant, hold))
    try:
        return await handle.execute_update(
            ACT, HoldAction(act=act), id=act.action_id, result_type=Answer, rpc_timeout=ANSWER_WITHIN
        )
    except WorkflowUpdateFailedError as error:
        raise BadInput(f"hold {hold}: {error.cause}", subject=hold, hint="look at the hold again") from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise NoAnswer(f"hold {hold}: no worker took it in", hint=WORKER_HINT) from error
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise NoAnswer(f"hold {hold}: {error.message}", hint=WORKER_HINT) from error
    record = await ledger.hold(plant, hold)
    if record is None or not record.state.is_over:
        hint = "open it again with the same reason: that starts it"
        raise NoAnswer(f"hold {hold} is blocked in the ledger, but its process does not run", hint=hint)
    return await _too_late(ledger, record, act, now)


def unknown_hold(plant: str, hold: str) -> BadInput:
    """The same answer whether it never existed or belongs to another plant."""
    return BadInput(f"plant {plant} has no hold {hold}", subject=hold, hint="`plantwright holds list` shows them")


async def _too_late(ledger: HoldLedger, record: HoldRecord, act: HoldAct, now: datetime) -> Answer:
    """Its process has ended: the ledger keeps what came after it, once, without any effect."""
    why = f"hold {record.hold} is {record.state.value} already"
    answer = Answer(decision_id=act.action_id, accepted=False, message=f"too late, recorded without effect: {why}")
    text = f"{act.kind} {act.action_id}: {why}" + (f": {act.comment}" if act.comment else "")
    if any(e.what == "late" and e.text == text for e in record.history):
        return answer
    number = max((e.number for e in record.history), default=0) + 1
    event = HoldEvent(number=number, at=now, what="late", text=text, by=act.actor.user, role=act.actor.role,
                      signature=getattr(act, "signature", None))  # fmt: skip
    decisions = record.decisions
    if isinstance(act, DecideHold) and all(d.decision != act.action_id for d in decisions):
        late = HoldDecisionMade(
            decision=act.action_id, dispositions=act.dispositions, reasons=act.reasons, state=DecisionState.LATE,
            by=act.actor, at=now, signatures=(act.signature,) if act.signature else (),
        )  # fmt: skip
        decisions = (*decisions, late)
    await ledger.record_hold(
        record.model_copy(
            update={"revision": record.revision + 1, "decisions": decisions, "history": (*record.history, event)}
        )
    )
    return answer
