"""Stops from outside the workflows: acted on, and those that the ledger has without a process get one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import structlog
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from ledger.stop_port import StopLedger
from signals.decisions import Answer
from signals.downtime import StopAct, StopAction, StopRecord, StopSearch, StopState
from signals.errors import BadInput, NoAnswer
from signals.ids import downtime_workflow_id, plant_task_queue
from workers.desk import ANSWER_WITHIN, WORKER_HINT
from workers.hold_desk import LOOK_EVERY
from workflows.common import TASK_TIMEOUT
from workflows.stop_messages import ACT, StopInput

log = structlog.get_logger(__name__)


async def act_on_stop(client: Client, ledger: StopLedger, plant: str, line: str, stop: str, act: StopAct) -> Answer:
    """What a person does with a stop. One without a process gets it back; a closed one for this act alone.

    Raises BadInput for a stop that does not exist, NoAnswer where no worker takes it.
    """
    record = await ledger.stop(plant, line, stop)
    if record is None or record.fact.micro or act.actor.plant != plant:
        raise unknown_stop(act.actor.plant, line, stop)
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(downtime_workflow_id(plant, line, stop))
    try:
        if record.state is StopState.CLOSED:
            return await _act_on_closed(client, record, act)
        await _start(client, record)
        return await handle.execute_update(
            ACT, StopAction(act=act), id=act.action_id, result_type=Answer, rpc_timeout=ANSWER_WITHIN
        )
    except WorkflowUpdateFailedError as error:
        raise BadInput(f"stop {stop}: {error.cause}", subject=stop, hint="look at the stop again") from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise NoAnswer(f"stop {stop}: no worker took it in", hint=WORKER_HINT) from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            hint = "it is closed; look at it again"
            raise BadInput(f"stop {stop} of line {line} takes nothing any more", subject=stop, hint=hint) from error
        raise NoAnswer(f"stop {stop}: {error.message}", hint=WORKER_HINT) from error


async def _act_on_closed(client: Client, record: StopRecord, act: StopAct) -> Answer:
    """Its process comes back with the act, takes it in and ends again."""
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        "Downtime",
        StopInput(plant=record.plant, line=record.line, stop=record.stop),
        id=downtime_workflow_id(record.plant, record.line, record.stop),
        task_queue=plant_task_queue(record.plant),
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=TASK_TIMEOUT,
    )
    try:
        return await client.execute_update_with_start_workflow(
            ACT,
            StopAction(act=act),
            start_workflow_operation=start,
            id=act.action_id,
            result_type=Answer,
            rpc_timeout=ANSWER_WITHIN,
        )
    finally:
        # The operation keeps a failure a second time; unasked, it would be logged as never retrieved.
        with suppress(Exception, asyncio.CancelledError):
            async with asyncio.timeout(0):
                await start.workflow_handle()


def unknown_stop(plant: str, line: str, stop: str) -> BadInput:
    """The same answer whether it never existed or belongs to another plant."""
    hint = "`plantwright downtime list` shows them"
    return BadInput(f"plant {plant} has no stop {stop} of line {line}", subject=stop, hint=hint)


async def start_unattended(client: Client, ledger: StopLedger, plant: str, *, everything: bool = False) -> list[str]:
    """Start the process of each open stop that has none; ids of those that were asked for.

    Usually only stops whose process has never written to the ledger, or that have a newer fact than it wrote; with
    `everything` all open ones, which is what a restored Temporal needs.
    """
    asked: list[str] = []
    for record in await ledger.stops(plant, StopSearch()):
        if record.revision and not everything:
            continue
        asked.append(record.stop)
        await _start(client, record)
    return asked


async def _start(client: Client, record: StopRecord) -> None:
    if record.state.is_over:
        return
    try:
        await client.start_workflow(
            "Downtime",
            StopInput(plant=record.plant, line=record.line, stop=record.stop),
            id=downtime_workflow_id(record.plant, record.line, record.stop),
            task_queue=plant_task_queue(record.plant),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        return


async def keep_stops_running(client: Client, ledger: StopLedger, plant: str, every: float = LOOK_EVERY) -> None:
    """Look for them until cancelled. What fails is logged and looked for again."""
    everything = True
    while True:
        try:
            await start_unattended(client, ledger, plant, everything=everything)
            everything = False
        except (RPCError, OSError) as error:
            log.warning("stops not looked after", plant=plant, why=str(error))
        await asyncio.sleep(every)
