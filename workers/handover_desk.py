"""Handovers from outside the workflows: looked for at once, and acknowledged."""

from __future__ import annotations

import uuid
from typing import Any

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.handover import HandoversDue
from domain import handover
from ledger.handover_port import HandoverLedger
from signals.decisions import Answer
from signals.errors import BadInput, NoAnswer
from signals.handover import AcknowledgeHandover, HandoverReport
from signals.ids import handover_tick_id, handover_workflow_id, plant_task_queue
from workers.desk import ANSWER_WITHIN, WORKER_HINT
from workflows.common import TASK_TIMEOUT
from workflows.handover_messages import ACKNOWLEDGE, HandoverInput, TickInput


async def acknowledge(
    client: Client, ledger: HandoverLedger, plant: str, shift: str, act: AcknowledgeHandover
) -> Answer:
    """The incoming supervisor takes over; again, by the same person, it is answered alike.

    Raises BadInput for a handover that does not exist, NoAnswer where no worker takes it.
    """
    report = await ledger.handover(plant, shift)
    if report is None or act.actor.plant != plant:
        raise unknown_handover(act.actor.plant, shift)
    known = handover.answer_for(report, act)
    if known is not None:
        return known
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(handover_workflow_id(plant, shift))
    try:
        await _start(client, report)
        return await handle.execute_update(
            ACKNOWLEDGE, act, id=act.action_id, result_type=Answer, rpc_timeout=ANSWER_WITHIN
        )
    except WorkflowUpdateFailedError as error:
        raise BadInput(f"handover {shift}: {error.cause}", subject=shift, hint="look at it again") from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise NoAnswer(f"handover {shift}: no worker took it in", hint=WORKER_HINT) from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise BadInput(f"handover {shift} is over", subject=shift, hint="look at it again") from error
        raise NoAnswer(f"handover {shift}: {error.message}", hint=WORKER_HINT) from error


def unknown_handover(plant: str, shift: str) -> BadInput:
    """The same answer whether it never existed or belongs to another plant."""
    hint = "`plantwright shift list` shows them; a shift is named like 2026-11-22/early"
    return BadInput(f"plant {plant} has no handover of shift {shift!r}", subject=shift, hint=hint)


async def look_now(client: Client, plant: str) -> HandoversDue:
    """What the schedule does, at once. Raises NoAnswer where no worker does it in time."""
    try:
        return await client.execute_workflow(
            "HandoverTick",
            TickInput(plant=plant),
            id=f"{handover_tick_id(plant)}:now:{uuid.uuid4()}",
            task_queue=plant_task_queue(plant),
            task_timeout=TASK_TIMEOUT,
            execution_timeout=ANSWER_WITHIN,
            result_type=HandoversDue,
        )
    except WorkflowFailureError as error:
        raise NoAnswer(f"plant {plant}: nobody looked at the calendar in time", hint=WORKER_HINT) from error
    except RPCError as error:
        raise NoAnswer(f"plant {plant}: {error.message}", hint=WORKER_HINT) from error


async def _start(client: Client, report: HandoverReport) -> None:
    """A handover that lapsed has no process any more; an act that comes late gets it one."""
    try:
        await client.start_workflow(
            "ShiftHandover",
            HandoverInput(plant=report.plant, shift=report.shift, ends_at=report.ends_at),
            id=handover_workflow_id(report.plant, report.shift),
            task_queue=plant_task_queue(report.plant),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        return
