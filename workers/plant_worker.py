"""The plant worker: workflows and ledger work on the plant's queue, postings on its ERP queue (design section 3).

One factory for production, demo, tests and replay, so that all run the same options.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.decisions import DecisionActivities
from activities.exceptions import ExceptionActivities
from activities.handover import HandoverActivities
from activities.holds import HoldActivities
from activities.ledger import LedgerActivities
from activities.notify import NotificationChannel, NotifyActivities
from activities.orders import OrderActivities, PlantRef
from activities.people import PeopleActivities
from activities.posting import ErpActivities
from activities.stops import StopActivities
from domain.clock import PlantClock
from domain.plant import PlantConfig
from domain.plant_notify import NotifyConfig
from erp.port import ErpPort
from ledger.port import LedgerPort
from signals.ids import erp_task_queue, handover_tick_id, intake_workflow_id, plant_task_queue
from workers.hold_desk import keep_holds_running
from workers.stop_desk import keep_stops_running
from workflows.common import TASK_TIMEOUT
from workflows.compensation import Compensation
from workflows.downtime import Downtime
from workflows.erp_exception import ErpException
from workflows.handover import HandoverTick, ShiftHandover
from workflows.handover_messages import TickInput
from workflows.line import Line
from workflows.notifying import Notify
from workflows.order_intake import OrderIntake
from workflows.production_order import ProductionOrder
from workflows.quality_hold import QualityHold

log = structlog.get_logger(__name__)

OUR_ROOMS = ("signals", "domain", "erp", "ledger", "activities")
"""Pure or replay-safe modules that the sandbox need not load again for every run."""

WORKFLOWS: list[type] = [
    Line, ProductionOrder, OrderIntake, ErpException, Compensation, Notify, QualityHold, Downtime, HandoverTick,
    ShiftHandover,
]  # fmt: skip

LOOK_FOR_SHIFTS = timedelta(minutes=1)
"""How often the schedule looks whether a shift has ended."""


@dataclass(frozen=True)
class WorkerOptions:
    """What may differ between production and tests."""

    graceful_seconds: float = 20.0
    sticky_seconds: float = 1.0
    max_cached_workflows: int = 500
    max_concurrent_postings: int = 20
    identity: str | None = None


def utc_now() -> datetime:
    """The wall clock of processes; workflows never see it."""
    return datetime.now(UTC)


def sandbox() -> SandboxedWorkflowRunner:
    """The workflow sandbox with our own pure rooms passed through."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*OUR_ROOMS))


def build_workers(
    client: Client,
    plant: PlantConfig,
    ledger: LedgerPort,
    erp: ErpPort,
    options: WorkerOptions | None = None,
    channels: Mapping[str, NotificationChannel] | None = None,
    clock: PlantClock = PlantClock(),  # noqa: B008  (frozen)
) -> tuple[Worker, Worker]:
    """The plant queue's worker and the ERP queue's worker, ready to run. Without channels only the inbox is told."""
    chosen = options or WorkerOptions()
    name = plant.plant.id
    memory = LedgerActivities(ledger, plant)
    orders = OrderActivities(erp, ledger, plant, now=utc_now)
    exceptions = ExceptionActivities(erp, ledger, plant, now=utc_now)
    postings = ErpActivities.for_plant(erp, ledger, plant, now=utc_now)
    told = NotifyActivities(
        ledger, plant.notify if channels is not None else NotifyConfig(), channels or {}, now=utc_now
    )
    people = PeopleActivities(ledger, now=utc_now)
    decisions = DecisionActivities(ledger, plant, now=utc_now)
    holds = HoldActivities(erp, ledger, plant, now=utc_now)
    stops = StopActivities(erp, ledger, plant, clock, now=utc_now)
    handovers = HandoverActivities(ledger, plant, clock, now=utc_now)
    common: dict[str, Any] = {
        "graceful_shutdown_timeout": timedelta(seconds=chosen.graceful_seconds),
        "identity": chosen.identity,
    }
    flow = Worker(
        client,
        task_queue=plant_task_queue(name),
        workflows=WORKFLOWS,
        activities=[
            memory.load_line,
            memory.record_line,
            memory.decide_parked,
            memory.load_order,
            memory.order_holds,
            memory.set_phase,
            memory.note_cases,
            memory.decide_case,
            memory.close_case,
            exceptions.load_exception,
            exceptions.climb_rung,
            exceptions.declare_void,
            exceptions.plan_compensation,
            exceptions.finish_compensation,
            told.notify,
            people.verify_act,
            decisions.verify_decision,
            holds.open_hold,
            holds.load_hold,
            holds.hold_triggers,
            holds.record_hold,
            holds.give_up_hold_postings,
            stops.load_stop,
            stops.stop_fact,
            stops.record_stop,
            stops.verify_stop_act,
            handovers.due_handovers,
            handovers.load_handover,
            handovers.make_handover,
            handovers.verify_handover_act,
            handovers.settle_handover,
        ],
        workflow_runner=sandbox(),
        max_cached_workflows=chosen.max_cached_workflows,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=chosen.sticky_seconds),
        **common,
    )
    booking = Worker(
        client,
        task_queue=erp_task_queue(name),
        activities=[
            postings.settle_posting,
            postings.resume_posting,
            postings.verify_posting,
            exceptions.check_void,
            holds.locate_hold,
            holds.locate_late_receipts,
            stops.stop_impact,
            orders.take_order,
            orders.take_released_orders,
            orders.take_order_changes,
            orders.compare_totals,
        ],
        max_concurrent_activities=chosen.max_concurrent_postings,
        **common,
    )
    return flow, booking


async def schedule_intake(client: Client, plant: PlantConfig) -> None:
    """Create or adjust the schedule that looks for released orders."""
    name = plant.plant.id
    interval = timedelta(seconds=plant.posting.intake_seconds)
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(
            OrderIntake.run,
            PlantRef(plant=name),
            id=intake_workflow_id(name),
            task_queue=plant_task_queue(name),
            task_timeout=TASK_TIMEOUT,
            execution_timeout=timedelta(minutes=10),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
    await _keep_schedule(client, intake_workflow_id(name), wanted)


async def schedule_handovers(client: Client, plant: PlantConfig, every: timedelta = LOOK_FOR_SHIFTS) -> None:
    """Create or adjust the schedule that looks for shifts to hand over.

    A tick that is lost does no harm: the next one finds in the ledger what it would have found.
    """
    name = plant.plant.id
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(
            HandoverTick.run,
            TickInput(plant=name),
            id=handover_tick_id(name),
            task_queue=plant_task_queue(name),
            task_timeout=TASK_TIMEOUT,
            execution_timeout=timedelta(minutes=10),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ONE, catchup_window=timedelta(minutes=1)),
    )
    await _keep_schedule(client, handover_tick_id(name), wanted)


async def _keep_schedule(client: Client, name: str, wanted: Schedule) -> None:
    """Create it, or make the one that is there as it should be."""
    try:
        await client.create_schedule(name, wanted, trigger_immediately=True)
    except ScheduleAlreadyRunningError:

        async def adjust(_: ScheduleUpdateInput) -> ScheduleUpdate:
            return ScheduleUpdate(schedule=wanted)

        await client.get_schedule_handle(name).update(adjust)


async def run_plant_worker(
    client: Client,
    plant: PlantConfig,
    ledger: LedgerPort,
    erp: ErpPort,
    *,
    options: WorkerOptions | None = None,
    channels: Mapping[str, NotificationChannel] | None = None,
    intake: bool = True,
    clock: PlantClock = PlantClock(),  # noqa: B008  (frozen)
    on_ready: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> None:
    """Work until cancelled; then stop polling, let running attempts end within the grace time, and leave."""
    flow, booking = build_workers(client, plant, ledger, erp, options, channels, clock)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(flow)
        await stack.enter_async_context(booking)
        if intake:
            await schedule_intake(client, plant)
        if plant.shifts:
            await schedule_handovers(client, plant)
        log.info("worker ready", plant=plant.plant.id)
        on_ready(
            {"plant": plant.plant.id, "queues": [plant_task_queue(plant.plant.id), erp_task_queue(plant.plant.id)]}
        )
        async with asyncio.TaskGroup() as looking:
            looking.create_task(keep_holds_running(client, ledger, plant.plant.id))
            looking.create_task(keep_stops_running(client, ledger, plant.plant.id))
