"""The edge gateway process: a plant's lines from their OPC UA servers to their Line workflows.

It only makes outbound connections. Not for what happens to events on the way (scada) nor for deciding (workflows).
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from temporalio import activity
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.source import READ_SOURCE, ReadSource, SourceReadings
from domain.clock import PlantClock
from domain.plant import LineConfig, PlantConfig, TagKind
from scada.edge import Edge, FileSink
from scada.log import EdgeLog
from scada.nodes import TagAddress
from scada.reading import Reading
from scada.session import SessionDown
from scada.sink import Sink, SinkUnavailable
from scada.translate import Unusable, count_of
from signals.errors import BadInput, ErrorType
from signals.events import BatchReceipt, EventBatch
from signals.ids import edge_task_queue, line_workflow_id, plant_task_queue, short_hash
from workers.health import serve_health
from workflows.common import TASK_TIMEOUT
from workflows.line import LineInput

ANSWER_TIMEOUT = timedelta(seconds=20)
"""Longest wait for the Line's answer to one batch; then the same batch is sent again."""

SOURCE_UNAVAILABLE = "SourceUnavailable"
"""ApplicationError type: the machine cannot be read now, ask again."""

_QUESTIONS_AGAIN_SECONDS = 5.0

ClientFactory = Callable[[], Awaitable[Client]]


class TemporalDoor:
    """The client, from the first moment that Temporal answers: the gateway collects without it."""

    def __init__(self, factory: ClientFactory) -> None:
        self._factory = factory
        self._lock = asyncio.Lock()
        self._client: Client | None = None

    async def client(self) -> Client:
        """Raises SinkUnavailable while nobody answers. Later losses are the client's own to mend."""
        async with self._lock:
            if self._client is None:
                try:
                    self._client = await self._factory()
                except Exception as error:
                    raise SinkUnavailable(f"Temporal does not answer: {error}") from error
            return self._client


class TemporalSink:
    """Hands batches to the Line workflow by update-with-start: forwarded means applied (design section 2)."""

    def __init__(self, client: Client | TemporalDoor, plant: str, line: str) -> None:
        self._given = client
        self._plant = plant
        self._line = line
        self._life = secrets.token_hex(4)
        self._answers = 0
        self._log = structlog.get_logger().bind(workflow=line_workflow_id(plant, line))

    async def send(self, batch: EventBatch) -> BatchReceipt:
        """Raises SinkUnavailable for whatever went wrong; nothing is ever dropped here."""
        client = await self._given.client() if isinstance(self._given, TemporalDoor) else self._given
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT.total_seconds() + 5):
                receipt = await self._update(client, batch)
        except WorkflowUpdateFailedError as failed:
            self._log.error(
                "the Line refused a batch; it is sent again until a corrected worker takes it",
                batch=f"{batch.first_seq}-{batch.last_seq}",
                why=str(failed.cause),
            )
            self._answers += 1  # a cached refusal must not answer for a worker that was repaired
            raise SinkUnavailable(f"the Line refused {batch.first_seq}-{batch.last_seq}: {failed.cause}") from failed
        except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError, OSError) as error:
            _leave_if_cancelled()
            why = str(error) or type(error).__name__
            raise SinkUnavailable(f"no answer from the Line ({why}); is a plant worker running?") from error
        self._answers += 1
        return receipt

    async def _update(self, client: Client, batch: EventBatch) -> BatchReceipt:
        start = WithStartWorkflowOperation(
            "Line",
            LineInput(plant=self._plant, line=self._line),
            id=line_workflow_id(self._plant, self._line),
            task_queue=plant_task_queue(self._plant),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
        )
        try:
            return await client.execute_update_with_start_workflow(
                "ingest",
                batch,
                start_workflow_operation=start,
                id=self._update_id(batch),
                result_type=BatchReceipt,
                rpc_timeout=ANSWER_TIMEOUT,
            )
        except BaseException:
            await _ask_in_vain(start)
            raise

    def _update_id(self, batch: EventBatch) -> str:
        """The same for a repeat of an unanswered batch only.

        The server answers a known id from memory: after a rewind, or for the next empty batch, that would be a lie.
        """
        return f"{batch.source}:{batch.first_seq}-{batch.last_seq}:{self._life}.{self._answers}"


async def _ask_in_vain(start: WithStartWorkflowOperation[Any, Any]) -> None:
    # The operation keeps the failure a second time; unasked, each would be logged as never retrieved.
    with suppress(Exception, asyncio.CancelledError):
        async with asyncio.timeout(0):
            await start.workflow_handle()


def _leave_if_cancelled() -> None:
    # The SDK turns a cancellation of ours into its own timeout error.
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class EdgeActivities:
    """What Temporal may ask a line's gateway: to read, now, at the source. The gateway polls for the questions."""

    def __init__(self, line: LineConfig, read: Callable[[Sequence[TagAddress]], Awaitable[list[Reading]]]) -> None:
        self._line = line
        self._read = read

    @activity.defn(name=READ_SOURCE)
    async def read_source(self, question: ReadSource) -> SourceReadings:
        """Totals of a station's counters as the machine holds them. Fails as BadInput or SourceUnavailable."""
        addresses = self._addresses(question)
        try:
            readings = await self._read(addresses)
            totals = {found.tag.name: count_of(found) for found in readings}
        except (SessionDown, Unusable) as trouble:
            raise ApplicationError(
                f"{question.line}.{question.station} cannot be read: {trouble}", type=SOURCE_UNAVAILABLE
            ) from trouble
        return SourceReadings(totals=totals, at=max(found.at for found in readings))

    def _addresses(self, question: ReadSource) -> list[TagAddress]:
        station = self._line.station(question.station) if question.line == self._line.id else None
        counters = {t.name: t for t in station.tags if t.kind is TagKind.COUNT} if station else {}
        unknown = [name for name in question.tags if name not in counters]
        if unknown:
            raise ApplicationError(
                f"this gateway has no counter {question.line}.{question.station}.{unknown[0]}; "
                f"its plant file knows {', '.join(sorted(counters)) or 'no such station'}",
                type=ErrorType.BAD_INPUT,
                non_retryable=True,
            )
        return [TagAddress(question.station, counters[name]) for name in question.tags]


def choose_lines(plant: PlantConfig, line_ids: Sequence[str]) -> list[LineConfig]:
    """The named lines, or all that have an OPC UA endpoint. Raises BadInput."""
    chosen = [plant.line(i) for i in line_ids] if line_ids else [line for line in plant.lines if line.opcua]
    for line_id, line in zip(line_ids, chosen, strict=False):
        if line is None:
            known = ", ".join(each.id for each in plant.lines)
            raise BadInput(f"plant {plant.plant.id} has no line {line_id}", subject=line_id, hint=f"it has {known}")
    lines = [line for line in chosen if line is not None]
    deaf = next((line.id for line in lines if line.opcua is None), None)
    if not lines or deaf is not None:
        raise BadInput(
            f"plant {plant.plant.id}: line {deaf or 'list'} has no [line.opcua] table",
            subject=deaf or plant.plant.id,
            hint="an edge gateway needs the endpoint of the line's OPC UA server",
        )
    return lines


def log_path(data_dir: Path, plant: str, line: str, *, dry_run: bool = False) -> Path:
    """Where a line's edge log lives; a dry run has its own, so that it never counts as forwarded."""
    name = f"{plant}.{line}"
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    distinct = safe if safe == name else f"{safe}-{short_hash(name, length=6)}"
    return data_dir / "edge" / f"{'dry-run.' if dry_run else ''}{distinct}.db"


async def run_edge(
    plant: PlantConfig,
    line_ids: Sequence[str],
    client_factory: ClientFactory | None,
    data_dir: Path,
    environ: Mapping[str, str],
    clock: PlantClock,
    dry_run: Path | None = None,
    health_port: int | None = None,
    on_ready: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Serves lines of a plant until cancelled: at any moment, for what is not stored is not acknowledged.

    Without a client factory a dry run file is needed. `on_ready` gets `plant`, `lines` (id to source) and `health`.
    Raises BadInput, EdgeLogError.
    """
    lines = choose_lines(plant, line_ids)
    if client_factory is None and dry_run is None:
        raise BadInput("an edge gateway needs Temporal or a dry run file", hint="name a file with --dry-run")
    door = TemporalDoor(client_factory) if client_factory is not None and dry_run is None else None
    file = FileSink(dry_run) if dry_run is not None else None
    async with AsyncExitStack() as logs:
        edges: list[Edge] = []
        for line in lines:
            log = await logs.enter_async_context(_opened(plant.plant.id, line.id, data_dir, dry_run is not None))
            sink = file or _temporal_sink(door, plant.plant.id, line.id)
            edges.append(Edge(line, log, sink, environ=environ, clock=clock, quality=plant.quality))
        try:
            await _serve(plant.plant.id, edges, door, health_port, on_ready or (lambda _: None))
        except BaseExceptionGroup as group:
            raise _first_of(group) from group


async def _serve(
    plant: str,
    edges: Sequence[Edge],
    door: TemporalDoor | None,
    health_port: int | None,
    on_ready: Callable[[dict[str, Any]], None],
) -> None:
    async with asyncio.TaskGroup() as tasks:
        health = await _start_health(tasks, plant, edges, health_port)
        for edge in edges:
            tasks.create_task(edge.run(), name=f"edge {edge.line.id}")
            if door is not None and edge.line.second_evidence:
                tasks.create_task(_answer_questions(door, plant, edge), name=f"questions {edge.line.id}")
        on_ready({"plant": plant, "lines": {edge.line.id: edge.log.source for edge in edges}, "health": health})


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first


@asynccontextmanager
async def _opened(plant: str, line: str, data_dir: Path, dry_run: bool) -> AsyncIterator[EdgeLog]:
    path = log_path(data_dir, plant, line, dry_run=dry_run)
    log = await asyncio.to_thread(EdgeLog, path, plant=plant, line=line)
    try:
        yield log
    finally:
        await asyncio.to_thread(log.close)


def _temporal_sink(door: TemporalDoor | None, plant: str, line: str) -> Sink:
    assert door is not None
    return TemporalSink(door, plant, line)


async def _start_health(tasks: asyncio.TaskGroup, plant: str, edges: Sequence[Edge], port: int | None) -> str | None:
    if port is None:
        return None

    def report() -> dict[str, Any]:
        lines = {edge.line.id: edge.report() for edge in edges}
        return {"healthy": all(line["healthy"] for line in lines.values()), "plant": plant, "lines": lines}

    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = tasks.create_task(serve_health(port, report, on_ready=listening.set_result), name="health")
    await asyncio.wait({listening, serving}, return_when=asyncio.FIRST_COMPLETED)
    return listening.result() if listening.done() else serving.result()


async def _answer_questions(door: TemporalDoor, plant: str, edge: Edge) -> None:
    """Polls the line's queue; whatever ends the polling, it begins again."""
    log = structlog.get_logger().bind(line=edge.line.id, queue=edge_task_queue(plant, edge.line.id))
    activities = EdgeActivities(edge.line, edge.read_now)
    told = ""
    while True:
        try:
            worker = Worker(
                await door.client(),
                task_queue=edge_task_queue(plant, edge.line.id),
                activities=[activities.read_source],
                max_concurrent_activities=4,
                graceful_shutdown_timeout=timedelta(seconds=1),
            )
            await worker.run()
        except Exception as trouble:
            if str(trouble) != told:
                log.warning("no questions from Temporal; polling begins again", why=str(trouble))
            told = str(trouble)
        await asyncio.sleep(_QUESTIONS_AGAIN_SECONDS)
