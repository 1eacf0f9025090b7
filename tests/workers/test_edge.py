"""The edge gateway: from a line's OPC UA server to its Line workflow or a file, whatever is killed in between."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.source import READ_SOURCE, ReadSource, SourceReadings
from domain.clock import PlantClock
from domain.plant import PlantConfig
from scada.forwarder import Forwarder
from scada.log import EdgeLog, EdgeLogError
from scada.nodes import TagAddress
from scada.reading import Reading
from scada.session import SessionDown
from scada.sink import SinkUnavailable
from signals.errors import BadInput
from signals.events import BatchReceipt, CountEvent, EventBatch, Quality
from signals.ids import edge_task_queue, line_workflow_id, plant_task_queue, short_hash
from workers.edge import EdgeActivities, TemporalDoor, TemporalSink, choose_lines, log_path, run_edge
from workers.health import serve_health
from workflows.line import LineInput

ROOT = Path(__file__).parents[2]
T0 = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
URI = "urn:plantwright:simulated-line"


def plant(endpoint: str = "opc.tcp://127.0.0.1:1/x", name: str = "plant1", **opcua: Any) -> PlantConfig:
    kinds = {"State": "state", "Order": "order", "Operation": "operation", "Batch": "batch", "RejectReason": "reason"}
    stations = []
    for station in ("press", "inspect"):
        tags: list[dict[str, Any]] = [
            {"name": tag, "kind": kind, "node": f"nsu={URI};s=Line1.{station}.{tag}"} for tag, kind in kinds.items()
        ]
        tags += [
            {
                "name": tag,
                "kind": "count",
                "node": f"nsu={URI};s=Line1.{station}.{tag}",
                "counter": {"role": tag.lower()},
            }
            for tag in ("Infeed", "Good", "Reject")
        ]
        stations.append({"id": station, "tag": tags})
    server = {"endpoint": endpoint, "publishing_ms": 50, "queue_size": 5000, "settle_ms": 100, "silence_seconds": 5}
    line = {
        "id": "line1",
        "station": stations,
        "opcua": {**server, "heartbeat": f"nsu={URI};s=Line1.Heartbeat", **opcua},
    }
    erp = {"kind": "sap", "url": "http://127.0.0.1:9", "plant": "1010"}
    return PlantConfig.model_validate({"schema": 1, "plant": {"id": name}, "line": [line], "erp": erp})


SCENARIO = """
line = "Line1"
start = "control"

[[station]]
name = "press"
operation = "0010"
cycle_seconds = 2
transport_seconds = 1

[[station]]
name = "inspect"
operation = "0030"
cycle_seconds = 2

[[run]]
order = "1000001"
batch = "B-0001"
quantity = {quantity}

[[defect]]
run = 1
piece = 3
origin = "press"
found = "inspect"
reason = "SCRATCH"
"""


@dataclass
class RunningLine:
    """A simulated line in a process of its own, with the plant clock it runs by."""

    endpoint: str
    control: str
    clock: PlantClock

    async def start(self) -> None:
        async with httpx.AsyncClient() as http:
            (await http.post(f"{self.control}/_control/start")).raise_for_status()

    async def truth(self) -> dict[str, Any]:
        async with httpx.AsyncClient() as http:
            return (await http.get(f"{self.control}/_control/truth")).json()

    async def finished(self) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while True:
                truth = await self.truth()
                if truth["finished"]:
                    return truth
                await asyncio.sleep(0.1)


@asynccontextmanager
async def simulated_line(folder: Path, *, quantity: int, speed: float) -> AsyncIterator[RunningLine]:
    scenario = folder / "scenario.toml"
    scenario.write_text(SCENARIO.replace("{quantity}", str(quantity)))
    now = datetime.now(UTC)
    clock = PlantClock(wall_epoch=now, plant_epoch=now, factor=speed)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators.line", "--scenario", str(scenario), "--seed", "1", "--clock", clock.text(),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ready = await said_ready(process)
        yield RunningLine(ready["endpoint"], ready["control"].rstrip("/"), clock)
    finally:
        await ended(process, signal.SIGTERM)


async def said_ready(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(40):
        text = (await process.stdout.readline()).decode()
    assert text.startswith("ready "), text
    return json.loads(text.removeprefix("ready "))


async def ended(process: asyncio.subprocess.Process, with_signal: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(with_signal)
    try:
        async with asyncio.timeout(10):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()


async def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@asynccontextmanager
async def gateway(
    config: PlantConfig, factory: Any, folder: Path, clock: PlantClock, **more: Any
) -> AsyncIterator[dict[str, Any]]:
    ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        run_edge(config, [], factory, folder, {}, clock, on_ready=ready.set_result, health_port=0, **more)
    )
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        yield ready.result() if ready.done() else task.result()  # type: ignore[func-returns-value]
    finally:
        task.cancel()
        async with asyncio.timeout(15):
            await asyncio.gather(task, return_exceptions=True)


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []


def totals(events: list[dict[str, Any]], station: str, counter: str) -> list[int]:
    return [e["total"] for e in events if e["kind"] == "count" and (e["equipment"], e["counter"]) == (station, counter)]


# --- dry run ------------------------------------------------------------------------------------------------
async def test_a_dry_run_file_equals_the_log_and_the_line(tmp_path: Path) -> None:
    file = tmp_path / "out.ndjson"
    async with simulated_line(tmp_path, quantity=15, speed=20) as line:
        config = plant(line.endpoint)
        async with gateway(config, None, tmp_path, line.clock, dry_run=file) as ready:
            assert ready["lines"]["line1"].startswith("plant1/line1@")
            counters = [(station, c) for station in ("press", "inspect") for c in ("Infeed", "Good", "Reject")]
            await eventually(lambda: all(totals(lines_of(file), *counter) == [0] for counter in counters))
            await line.start()
            truth = await line.finished()
            await eventually(lambda: totals(lines_of(file), "inspect", "Good")[-1:] == [14])
            async with httpx.AsyncClient() as http:
                answer = await http.get(ready["health"])
            health = answer.json()["lines"]["line1"]
            assert (answer.status_code, health["session"], health["live_tags"]) == (200, "live", 16)
            assert health["watermark"] is not None
            assert health["tag_troubles"] == {}
    events = lines_of(file)
    log = EdgeLog(log_path(tmp_path, "plant1", "line1", dry_run=True), plant="plant1", line="line1")
    held = [
        {"source": log.source, "seq": e.seq, **e.event.model_dump(mode="json")}
        for e in log.read_after(0, 10_000, 10**9)
    ]
    log.close()
    assert events == held[: len(events)]
    assert len(held) - len(events) <= 5, "only what came in while the gateway was stopped"
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    stations = {s["name"]: s for s in truth["stations"]}
    for name, (infeed, good, reject) in {"press": (15, 15, 0), "inspect": (15, 14, 1)}.items():
        assert (stations[name]["infeed"], stations[name]["good"], stations[name]["reject"]) == (infeed, good, reject)
        assert totals(events, name, "Infeed") == list(range(infeed + 1))
        assert totals(events, name, "Good") == list(range(good + 1))
        assert totals(events, name, "Reject") == list(range(reject + 1))
    assert [e for e in events if e["kind"] == "gap"] == []


async def test_an_emptied_dry_run_file_is_filled_again(tmp_path: Path) -> None:
    file = tmp_path / "out.ndjson"
    async with simulated_line(tmp_path, quantity=3, speed=20) as line:
        async with gateway(plant(line.endpoint), None, tmp_path, line.clock, dry_run=file):
            await line.start()
            await line.finished()
            await eventually(lambda: totals(lines_of(file), "inspect", "Good")[-1:] == [2])
        first = lines_of(file)
        file.unlink()
        async with gateway(plant(line.endpoint), None, tmp_path, line.clock, dry_run=file):
            await eventually(lambda: "gap" in [e["kind"] for e in lines_of(file)[len(first) :]])
    again = lines_of(file)
    assert again[: len(first)] == first
    assert [e["kind"] for e in again[len(first) :]].count("gap") == 1, "what happened while nobody watched is a gap"


KILLED_GATEWAY = """
import asyncio, json, pathlib, sys, threading
from domain.clock import PlantClock
from domain.plant import PlantConfig
from scada.log import EdgeLog
from workers.edge import run_edge

config, folder, clock, fatal = json.loads(sys.stdin.read())
plant = PlantConfig.model_validate_json(config)
append, left = EdgeLog.append, [fatal]

def append_until_killed(self, events, **more):
    events = list(events)
    left[0] -= sum(1 for event in events if event.kind == "count")
    if left[0] <= 0:
        print("received", flush=True)  # received, not committed, not acknowledged
        threading.Event().wait()
    return append(self, events, **more)

EdgeLog.append = append_until_killed
file = pathlib.Path(folder) / "out.ndjson"
asyncio.run(run_edge(plant, [], None, pathlib.Path(folder), {}, PlantClock.parse(clock), file))
"""


async def test_sigkill_between_receive_and_commit_loses_nothing_but_what_a_gap_event_says(tmp_path: Path) -> None:
    file = tmp_path / "out.ndjson"
    async with simulated_line(tmp_path, quantity=40, speed=20) as line:
        config = plant(line.endpoint)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(KILLED_GATEWAY), cwd=ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        given = [config.model_dump_json(by_alias=True), str(tmp_path), line.clock.text(), 30]
        child.stdin.write(json.dumps(given).encode())
        child.stdin.close()
        await line.start()
        async with asyncio.timeout(90):
            while await child.stdout.readline() != b"received\n":
                assert child.returncode is None
        await ended(child, signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        async with gateway(config, None, tmp_path, line.clock, dry_run=file):
            truth = await line.finished()
            good = next(s["good"] for s in truth["stations"] if s["name"] == "inspect")
            await eventually(lambda: totals(lines_of(file), "inspect", "Good")[-1:] == [good])
    events = lines_of(file)
    gaps = [(time_of(e["gap_from"]), time_of(e["at"])) for e in events if e["kind"] == "gap"]
    assert len(gaps) == 1
    for station in truth["stations"]:
        for counter in ("Infeed", "Good", "Reject"):
            steps = sorted(
                (e["total"], time_of(e["at"])) for e in events if e["kind"] == "count"
                 and (e["equipment"], e["counter"]) == (station["name"], counter)
            )  # fmt: skip
            assert steps[-1][0] == station[counter.lower()]
            for (one, before), (other, after) in pairwise(steps):
                missed = other - one > 1
                assert not missed or any(start <= after and before <= end for start, end in gaps), (counter, one, other)
    assert len({e["event_id"] for e in events}) == len(events)


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- Temporal -----------------------------------------------------------------------------------------------
@workflow.defn(name="Line")
class ReceivingLine:
    """Takes batches as the Line does, and remembers what it was given. `refuse` names how many it refuses first."""

    refusals = 0

    @workflow.init
    def __init__(self, given: LineInput) -> None:
        self.high_water = 0
        self.seen: list[int] = []
        self.watermark: datetime | None = None

    @workflow.run
    async def run(self, given: LineInput) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def ingest(self, batch: EventBatch) -> BatchReceipt:
        if ReceivingLine.refusals:
            ReceivingLine.refusals -= 1
            raise ApplicationError("an unknown event kind", type="BadInput")
        if batch.first_seq > self.high_water + 1 and batch.oldest_seq <= self.high_water + 1:
            return BatchReceipt(high_water=self.high_water, applied=False)
        self.seen += [e.seq for e in batch.events if e.seq > self.high_water]
        self.high_water = max(self.high_water, batch.last_seq)
        self.watermark = batch.watermark or self.watermark
        return BatchReceipt(high_water=self.high_water, applied=True)

    @workflow.query
    def received(self) -> list[int]:
        return self.seen


@workflow.defn(name="AskTheMachine")
class AskTheMachine:
    """Reads a station's counters through the gateway, as the Line does for its second evidence."""

    @workflow.run
    async def run(self, question: ReadSource) -> SourceReadings:
        return await workflow.execute_activity(
            READ_SOURCE,
            question,
            result_type=SourceReadings,
            task_queue=edge_task_queue(question.plant, question.line),
            start_to_close_timeout=timedelta(seconds=10),
        )


def worker_of(client: Client, name: str) -> Worker:
    return Worker(
        client,
        task_queue=plant_task_queue(name),
        workflows=[ReceivingLine, AskTheMachine],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


def counts(first: int, last: int) -> list[CountEvent]:
    return [
        CountEvent(
            event_id=f"c{n}", at=T0 + timedelta(seconds=n), equipment="press", tag="Good", counter="Good", total=n
        )
        for n in range(first, last + 1)
    ]


@pytest.fixture
def plant_name(request: pytest.FixtureRequest) -> str:
    return f"p-{short_hash(request.node.nodeid, length=8)}"


@pytest.fixture
async def log(tmp_path: Path, plant_name: str) -> AsyncIterator[EdgeLog]:
    made = EdgeLog(tmp_path / "line.db", plant=plant_name, line="line1")
    yield made
    made.close()


@asynccontextmanager
async def forwarding(log: EdgeLog, sink: TemporalSink) -> AsyncIterator[Forwarder]:
    forwarder = Forwarder(log, sink, pace_seconds=0.05, watermark_seconds=0.2, retry_seconds=(0.1,))
    task = asyncio.create_task(forwarder.run())
    try:
        yield forwarder
    finally:
        task.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(task, return_exceptions=True)


async def received(client: Client, name: str) -> list[int]:
    return await client.get_workflow_handle(line_workflow_id(name, "line1")).query("received", result_type=list[int])


async def test_batches_start_the_line_and_are_applied_once(
    temporal_client: Client, plant_name: str, log: EdgeLog
) -> None:
    log.append(counts(1, 450), watermark=T0)
    async with worker_of(temporal_client, plant_name):
        async with forwarding(log, TemporalSink(temporal_client, plant_name, "line1")):
            await eventually(lambda: log.forwarded == 450)
        assert await received(temporal_client, plant_name) == list(range(1, 451))


async def test_empty_batches_are_not_answered_from_the_servers_memory(temporal_client: Client, plant_name: str) -> None:
    sink = TemporalSink(temporal_client, plant_name, "line1")
    async with worker_of(temporal_client, plant_name):
        for step in range(3):
            mark = T0 + timedelta(seconds=step)
            await sink.send(EventBatch(source="s", first_seq=1, last_seq=0, watermark=mark))
        handle = temporal_client.get_workflow_handle(line_workflow_id(plant_name, "line1"))
        history = await handle.fetch_history()
    accepted = [e for e in history.events if e.HasField("workflow_execution_update_accepted_event_attributes")]
    assert len(accepted) == 3


async def test_a_line_that_begins_empty_is_told_everything_again(
    temporal_client: Client, plant_name: str, log: EdgeLog
) -> None:
    log.append(counts(1, 250))
    sink = TemporalSink(temporal_client, plant_name, "line1")
    async with worker_of(temporal_client, plant_name), forwarding(log, sink) as forwarder:
        await eventually(lambda: log.forwarded == 250)
        await temporal_client.get_workflow_handle(line_workflow_id(plant_name, "line1")).terminate("lost")
        log.append(counts(251, 260))
        forwarder.notify()
        await eventually(lambda: log.forwarded == 260)
        assert await received(temporal_client, plant_name) == list(range(1, 261))


async def test_a_refused_batch_is_never_dropped(
    temporal_client: Client, plant_name: str, log: EdgeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReceivingLine, "refusals", 2)
    log.append(counts(1, 5))
    async with worker_of(temporal_client, plant_name):
        async with forwarding(log, TemporalSink(temporal_client, plant_name, "line1")):
            await eventually(lambda: log.forwarded == 5)
        assert await received(temporal_client, plant_name) == [1, 2, 3, 4, 5]


async def test_without_a_worker_events_wait_and_then_arrive_once(
    temporal_client: Client, plant_name: str, log: EdgeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.edge.ANSWER_TIMEOUT", timedelta(seconds=1))
    log.append(counts(1, 30))
    sink = TemporalSink(temporal_client, plant_name, "line1")
    async with forwarding(log, sink) as forwarder:
        await eventually(lambda: "plant worker" in forwarder.last_error)
        assert log.forwarded == 0
        log.append(counts(31, 40))
        forwarder.notify()
        async with worker_of(temporal_client, plant_name):
            await eventually(lambda: log.forwarded == 40)
            assert await received(temporal_client, plant_name) == list(range(1, 41))


async def test_a_gateway_stops_at_once_though_nobody_answers(temporal_client: Client, plant_name: str) -> None:
    sink = TemporalSink(temporal_client, plant_name, "line1")
    sending = asyncio.create_task(sink.send(EventBatch(source="s", first_seq=1, last_seq=0, watermark=T0)))
    await asyncio.sleep(0.3)
    sending.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_an_unreachable_temporal_is_unavailable_and_asked_again() -> None:
    tried: list[int] = []

    async def refuse() -> Client:
        tried.append(1)
        raise RuntimeError("connection refused")

    sink = TemporalSink(TemporalDoor(refuse), "p", "l")
    for _ in range(2):
        with pytest.raises(SinkUnavailable, match="connection refused"):
            await sink.send(EventBatch(source="s", first_seq=1, last_seq=0))
    assert len(tried) == 2


async def test_a_whole_gateway_delivers_to_temporal_and_answers_what_the_machine_holds(
    temporal_client: Client, plant_name: str, tmp_path: Path
) -> None:
    async def factory() -> Client:
        return temporal_client

    async with simulated_line(tmp_path, quantity=8, speed=20) as line, worker_of(temporal_client, plant_name):
        async with gateway(plant(line.endpoint, plant_name), factory, tmp_path, line.clock) as ready:
            await line.start()
            await line.finished()
            question = ReadSource(plant=plant_name, line="line1", station="inspect", tags=("Good", "Reject"))
            answer = await temporal_client.execute_workflow(
                AskTheMachine.run, question, id=f"ask-{plant_name}", task_queue=plant_task_queue(plant_name)
            )
            assert answer.totals == {"Good": 7, "Reject": 1}
            async with asyncio.timeout(20), httpx.AsyncClient() as http:
                while (await http.get(ready["health"])).json()["lines"]["line1"]["pending_events"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        seen = await received(temporal_client, plant_name)
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) > 40


# --- reading at the source ----------------------------------------------------------------------------------
def answering(config: PlantConfig, values: dict[str, Any]) -> EdgeActivities:
    async def read(addresses: Any) -> list[Reading]:
        if not values:
            raise SessionDown("no session")
        return [reading(address) for address in addresses]

    def reading(address: TagAddress) -> Reading:
        value = values[address.tag.name]
        at = T0 + timedelta(seconds=len(address.tag.name))
        quality = Quality.BAD if value is None else Quality.GOOD
        return Reading(address.equipment, address.tag, value, at, at.isoformat(), quality)

    return EdgeActivities(config.lines[0], read)


async def test_second_evidence_names_totals_and_the_newest_source_time() -> None:
    found = await ActivityEnvironment().run(
        answering(plant(), {"Good": 7, "Reject": 2}).read_source,
        ReadSource(plant="plant1", line="line1", station="press", tags=("Good", "Reject")),
    )
    assert found == SourceReadings(totals={"Good": 7, "Reject": 2}, at=T0 + timedelta(seconds=6))


@pytest.mark.parametrize(
    ("values", "tags", "type_", "final"),
    [
        ({}, ("Good",), "SourceUnavailable", False),
        ({"Good": None}, ("Good",), "SourceUnavailable", False),
        ({"Good": 1}, ("Gud",), "BadInput", True),
        ({"Good": 1}, ("State",), "BadInput", True),
    ],
)
async def test_a_machine_that_cannot_be_read_is_an_error_never_a_number(
    values: dict[str, Any], tags: tuple[str, ...], type_: str, final: bool
) -> None:
    with pytest.raises(ApplicationError) as refused:
        await ActivityEnvironment().run(
            answering(plant(), values).read_source,
            ReadSource(plant="plant1", line="line1", station="press", tags=tags),
        )
    assert (refused.value.type, refused.value.non_retryable) == (type_, final)


def test_the_activity_has_the_name_the_line_asks_for() -> None:
    definition = activity._Definition.from_callable(EdgeActivities.read_source)
    assert definition is not None
    assert definition.name == READ_SOURCE


# --- the process --------------------------------------------------------------------------------------------
async def test_wrong_input_is_explained_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no line line9"):
        choose_lines(plant(), ["line9"])
    deaf = plant().model_copy(update={"lines": (plant().lines[0].model_copy(update={"opcua": None}),)})
    with pytest.raises(BadInput, match=r"no \[line.opcua\]"):
        choose_lines(deaf, [])
    with pytest.raises(BadInput, match="Temporal or a dry run"):
        await run_edge(plant(), [], None, tmp_path, {}, PlantClock())


async def test_a_second_gateway_for_the_same_line_is_refused(tmp_path: Path) -> None:
    log = EdgeLog(log_path(tmp_path, "plant1", "line1", dry_run=True), plant="plant1", line="line1")
    with pytest.raises(EdgeLogError, match="another gateway"):
        await run_edge(plant(), [], None, tmp_path, {}, PlantClock(), dry_run=tmp_path / "out.ndjson")
    log.close()


async def test_lines_with_awkward_names_have_files_of_their_own(tmp_path: Path) -> None:
    names = {log_path(tmp_path, "p", line).name for line in ("a/b", "a_b", "a b", "Öl")}
    assert len(names) == 4
    assert all("/" not in name for name in names)


async def test_health_says_503_when_it_is_not_well_and_refuses_a_taken_port() -> None:
    said: dict[str, Any] = {"healthy": True, "pending_events": 3}
    where: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_health(0, lambda: said, on_ready=where.set_result))
    url = await asyncio.wait_for(where, 10)
    async with httpx.AsyncClient() as http:
        well = await http.get(url)
        said["healthy"] = False
        ill = await http.get(url)
    assert (well.status_code, well.json()["pending_events"], ill.status_code) == (200, 3, 503)
    with pytest.raises(OSError, match="in use"):
        await serve_health(int(url.split(":")[2].split("/")[0]), lambda: said)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
