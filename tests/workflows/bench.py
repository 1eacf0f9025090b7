"""A plant in one process: the real server, workers and ledger, an ERP in memory, events fed as an edge would send them.

Judges are the fed events and the ERP's books. At its end a bench replays every history that its test has made.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, Worker

from domain.plant import PlantConfig
from ledger.port import LedgerPort
from signals.events import BatchReceipt, CountEvent, EventBatch, MachineEvent, OrderAspect, OrderEvent, SequencedEvent
from signals.ids import line_workflow_id, order_workflow_id, plant_task_queue
from signals.orders import ErpOrderStatus, Operation, OrderPhase, ProductionOrder
from signals.status import LineStatus, OrderStatus
from tests.workflows.memory_erp import MemoryErp
from workers.data_converter import data_converter
from workers.edge import TemporalSink
from workers.plant_worker import WORKFLOWS, WorkerOptions, build_workers, sandbox
from workflows.common import TASK_TIMEOUT
from workflows.line import LineInput
from workflows.production_order import OrderInput

T = TypeVar("T")

LINE = "line1"
PRESS, INSPECT = "press", "inspect"
OPERATIONS = {PRESS: "0010", INSPECT: "0020"}
T0 = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
MOST_EVENTS = 200
FIRST_TASK_DONE = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED

CACHED_WORKFLOWS = int(os.environ.get("PLANTWRIGHT_TEST_CACHE", "500"))
"""0 lets every workflow task replay its whole history; `make test-long` runs these tests once like that."""

_names = itertools.count(1)


def plant_config(
    *,
    cadence: int = 10,
    stations: Sequence[str] = (PRESS,),
    second_evidence: bool = False,
    posting: dict[str, Any] | None = None,
    name: str = "",
) -> PlantConfig:
    """A plant file in memory; its id is like no other, and with it its task queues and workflow ids."""
    counter = {"max_per_minute": 6000, "reset": "park"}
    tags = [
        {"name": "Order", "kind": "order"},
        {"name": "Good", "kind": "count", "counter": {"role": "good", **counter}},
        {"name": "Reject", "kind": "count", "counter": {"role": "reject", **counter}},
    ]
    line = {
        "id": LINE,
        "station": [{"id": s, "operation": OPERATIONS[s], "tag": tags} for s in stations],
        "cadence": {"quantity": cadence, "minutes": 1_000_000},
        "second_evidence": second_evidence,
    }
    rules = {"technical_completion": "automatic", "retry_seconds": [1], "goods_movement_wait_seconds": 1}
    return PlantConfig.model_validate(
        {
            "schema": 1,
            "plant": {"id": name or f"bench{next(_names)}-{os.getpid()}"},
            "line": [line],
            "erp": {"kind": "sap", "url": "http://127.0.0.1:9", "plant": "1010", "timeout_seconds": 3},
            "posting": {**rules, "max_quantity": 100_000, **(posting or {})},
        }
    )


class Feed:
    """What a line's gateway sends: one event a piece, a second apart, numbered, with the watermark at the last one."""

    def __init__(self, plant: PlantConfig, send: Callable[[EventBatch], Awaitable[BatchReceipt]]) -> None:
        self._plant = plant
        self._send = send
        self.source = f"{plant.plant.id}/{LINE}@log1"
        self.seq = 0
        self.now = T0
        self.totals: dict[tuple[str, str], int] = {}
        self.waiting: list[SequencedEvent] = []
        self.batches = 0
        for station in plant.lines[0].stations:
            self.read(station.id, "Good", 0)
            self.read(station.id, "Reject", 0)

    def add(self, event: MachineEvent) -> None:
        """Put an event behind those that wait to be sent."""
        self.seq += 1
        self.waiting.append(SequencedEvent(seq=self.seq, event=event))

    def read(self, station: str, tag: str, total: int) -> None:
        """A counter shows this total."""
        self.now += timedelta(seconds=1)
        self.totals[station, tag] = total
        name = f"{self.source}-{self.seq + 1}"
        self.add(CountEvent(event_id=name, at=self.now, equipment=station, tag=tag, counter=tag.lower(), total=total))

    def order(self, order: str, station: str = PRESS, batch: str = "") -> None:
        """The station changes over to an order; an empty one means that it has none."""
        for aspect, value in ((OrderAspect.BATCH, batch), (OrderAspect.ORDER, order)):
            self.now += timedelta(seconds=1)
            name = f"{self.source}-{self.seq + 1}"
            self.add(OrderEvent(event_id=name, at=self.now, equipment=station, tag="Order", aspect=aspect, value=value))

    def make(self, good: int, scrap: int = 0, station: str = PRESS) -> None:
        """Pieces come out of the station."""
        for tag, pieces in (("Good", good), ("Reject", scrap)):
            for _ in range(pieces):
                self.read(station, tag, self.totals[station, tag] + 1)

    async def send(self, most: int = MOST_EVENTS) -> None:
        """Everything that waits, in batches, one in flight; nothing waiting: an empty one that moves the watermark."""
        await self._send_one([]) if not self.waiting else None
        while self.waiting:
            part, self.waiting = self.waiting[:most], self.waiting[most:]
            await self._send_one(part)

    async def pass_time(self, seconds: int = 60) -> None:
        """Nothing happens, and the line says so."""
        self.now += timedelta(seconds=seconds)
        await self.send()

    async def _send_one(self, part: list[SequencedEvent]) -> None:
        first = part[0].seq if part else self.seq + 1
        watermark = part[-1].event.at if self.waiting and part else self.now
        batch = EventBatch(
            source=self.source,
            first_seq=first,
            last_seq=part[-1].seq if part else self.seq,
            watermark=watermark,
            sent_at=self.now,
            events=tuple(part),
        )
        receipt = await self._send(batch)
        assert receipt.applied and receipt.high_water == batch.last_seq
        self.batches += 1


@dataclass
class Bench:
    """One plant for one test."""

    client: Client
    ledger: LedgerPort
    plant: PlantConfig
    erp: MemoryErp = field(default_factory=MemoryErp)
    options: WorkerOptions = field(
        default_factory=lambda: WorkerOptions(graceful_seconds=5, max_cached_workflows=CACHED_WORKFLOWS)
    )
    workflows: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sink = TemporalSink(self.client, self.id, LINE)
        self.feed = Feed(self.plant, self.sink.send)
        self.workflows.add(line_workflow_id(self.id, LINE))

    @property
    def id(self) -> str:
        return self.plant.plant.id

    # --- processes -----------------------------------------------------------------------------------------
    @asynccontextmanager
    async def working(self) -> AsyncIterator[tuple[Worker, Worker]]:
        """The plant's workers poll inside the block."""
        async with AsyncExitStack() as stack:
            workers = build_workers(self.client, self.plant, self.ledger, self.erp, self.options)
            for worker in workers:
                await stack.enter_async_context(worker)
            yield workers

    # --- orders and lines ----------------------------------------------------------------------------------
    def release(self, order: str, planned: int) -> ProductionOrder:
        """The ERP releases an order: one operation for each station."""
        stations = self.plant.lines[0].stations
        operations = tuple(
            Operation(operation=s.operation, planned=Decimal(planned), unit="PC", work_centre=s.id) for s in stations
        )
        self.erp.orders[order] = ProductionOrder(
            plant=self.id,
            order=order,
            material="HOUSING-1",
            quantity=Decimal(planned),
            unit="PC",
            status=ErpOrderStatus.RELEASED,
            operations=operations,
        )
        self.workflows.add(order_workflow_id(self.id, order))
        return self.erp.orders[order]

    async def start_order(self, order: str, planned: int = 0, history_limit: int = 10_000) -> WorkflowHandle[Any, Any]:
        """Start the order's workflow as `plantwright orders start` does; with `planned` the ERP releases it first."""
        if planned:
            self.release(order, planned)
        return await self.client.start_workflow(
            "ProductionOrder",
            OrderInput(plant=self.id, order=order, history_limit=history_limit),
            id=order_workflow_id(self.id, order),
            task_queue=plant_task_queue(self.id),
            task_timeout=TASK_TIMEOUT,
            result_type=OrderStatus,
        )

    async def start_line(self, history_limit: int = 10_000) -> None:
        """Start the Line with a threshold of its own; else its first batch starts it."""
        await self.client.start_workflow(
            "Line",
            LineInput(plant=self.id, line=LINE, history_limit=history_limit),
            id=line_workflow_id(self.id, LINE),
            task_queue=plant_task_queue(self.id),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
        )

    def order(self, order: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(order_workflow_id(self.id, order), result_type=OrderStatus)

    def line(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(line_workflow_id(self.id, LINE))

    # --- asking --------------------------------------------------------------------------------------------
    async def order_status(self, order: str) -> OrderStatus:
        return await self.order(order).query("status", result_type=OrderStatus)

    async def line_status(self) -> LineStatus:
        return await self.line().query("status", result_type=LineStatus)

    async def details(self, handle: WorkflowHandle[Any, Any]) -> str:
        """The living page of a workflow in the Temporal UI."""
        found = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return found.current_details

    async def until(self, order: str, what: Callable[[OrderStatus], bool], seconds: float = 60) -> OrderStatus:
        """Ask the order until its status fits; only the workflow knows, so it is asked."""
        return await eventually(lambda: self.order_status(order), what, seconds)

    async def until_line(self, what: Callable[[LineStatus], bool], seconds: float = 60) -> LineStatus:
        """Ask the Line until its status fits."""
        return await eventually(self.line_status, what, seconds)

    async def closed(self, order: str, seconds: float = 60) -> OrderStatus:
        """Wait until the order's workflow has ended."""
        async with asyncio.timeout(seconds):
            status = await self.order(order).result()
        assert status.phase is OrderPhase.CLOSED
        return status

    # --- histories -----------------------------------------------------------------------------------------
    async def runs(self, workflow_id: str) -> list[WorkflowHistory]:
        """The histories of all runs of a workflow's chain, oldest first; none where it never started."""
        found: list[WorkflowHistory] = []
        run_id: str | None = None
        while run_id != "":
            try:
                history = await self.client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND and not found:
                    return []
                raise
            found.append(history)
            started = history.events[0].workflow_execution_started_event_attributes
            run_id = started.continued_execution_run_id
        return found[::-1]

    async def replay(self) -> int:
        """Replay every history of this plant in the sandbox that production uses; fails where the code disagrees."""
        replayer = new_replayer()
        count = 0
        for workflow_id in sorted(self.workflows):
            for history in await self.runs(workflow_id):
                # A run that has only just begun has nothing to replay, and the SDK would wait for its first task.
                if any(event.event_type == FIRST_TASK_DONE for event in history.events):
                    await replayer.replay_workflow(history)
                    count += 1
        return count

    async def end(self) -> None:
        """Leave no open workflow behind on the shared server."""
        for workflow_id in sorted(self.workflows):
            try:
                await self.client.get_workflow_handle(workflow_id).terminate("the test is over")
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise


async def eventually(ask: Callable[[], Awaitable[T]], what: Callable[[T], object], seconds: float = 60) -> T:
    """Ask until the answer fits; for what only the asked one knows. Fails with the last answer."""
    deadline = time.monotonic() + seconds
    while not what(answer := await ask()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {answer!r}"
        await asyncio.sleep(0.02)
    return answer


def new_replayer() -> Replayer:
    """Replays with the very converter and sandbox of the plant worker."""
    return Replayer(workflows=WORKFLOWS, data_converter=data_converter, workflow_runner=sandbox())


@asynccontextmanager
async def opened(
    client: Client, ledger: LedgerPort, plant: PlantConfig, *, replay: bool = True
) -> AsyncIterator[Bench]:
    """A bench whose workers poll; after a test that passed its histories are replayed."""
    bench = Bench(client, ledger, plant)
    try:
        async with bench.working():
            yield bench
        if replay:
            assert await bench.replay()
    finally:
        await bench.end()
