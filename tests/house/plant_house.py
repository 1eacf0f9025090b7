"""A whole plant in processes of its own: Temporal, simulated SAP and line, worker, edge; each can be killed alone.

For tests of durability. Judges are the line's truth and the SAP's books, never Plantwright's own records.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from signals.ids import order_workflow_id
from signals.status import LineStatus, OrderStatus
from workers.child_process import dies_with_parent
from workers.data_converter import data_converter
from workers.temporal_binary import obtain_temporal_binary
from workers.temporal_server import EmbeddedTemporal, ServerOptions

START_SECONDS = 40.0
ROOT = Path(__file__).parents[2]


@dataclass
class Child:
    """A process of the house. `ready` is what it printed once it served."""

    name: str
    command: list[str]
    env: dict[str, str]
    log: Path
    ready: dict[str, Any] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    drain: asyncio.Task[bytes] | None = None

    async def start(self) -> None:
        """Start and wait for the ready line."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *dies_with_parent(self.command),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=os.environ | self.env,
                cwd=ROOT,
            )
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = (await self.process.stdout.readline()).decode()
        except TimeoutError:
            line = "(nothing)"
        if not line.startswith("ready "):
            raise RuntimeError(f"{self.name} said {line!r}; its log ends: {self.log.read_text()[-2000:]}")
        self.ready = json.loads(line.removeprefix("ready "))
        self.drain = asyncio.create_task(self.process.stdout.read())

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        """End the process by its pid; returns its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        code = await asyncio.wait_for(self.process.wait(), 40)
        if self.drain is not None:
            await self.drain
        return code

    def freeze(self) -> None:
        """SIGSTOP: alive, holding its sockets, doing nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


class PlantHouse:
    """Start what a test needs; everything still running is ended at the end of the block."""

    def __init__(
        self,
        folder: Path,
        *,
        plant: str,
        scenario: str = "",
        speed: float = 20.0,
        seed: int = 1,
        dynamic_config: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._plant_text = plant
        self._scenario_text = scenario
        self._speed = speed
        self._seed = seed
        self.env = {"SAP_USER": "PLANTWRIGHT", "SAP_PASSWORD": "only-for-this-test", **(env or {})}
        self.temporal = EmbeddedTemporal(
            folder / "temporal", ServerOptions(headless=True, dynamic_config=dict(dynamic_config or {}))
        )
        self.children: dict[str, Child] = {}
        self.orders: tuple[str, ...] = ("1000001", "1000002")
        self.client: Client
        self.http = httpx.AsyncClient(timeout=60, verify=False)

    async def __aenter__(self) -> PlantHouse:
        self.folder.mkdir(parents=True, exist_ok=True)
        await self.temporal.start()
        self.env |= {"TEMPORAL_ADDRESS": self.temporal.address, "TEMPORAL_NAMESPACE": self.temporal.namespace}
        self.client = await Client.connect(
            self.temporal.address, namespace=self.temporal.namespace, data_converter=data_converter
        )
        self.plant_file = self.folder / "plant.toml"
        self.plant_file.write_text(self._plant_text)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(list(self.children.values())):
            if child.process is not None and child.process.returncode is None:
                with suppress(ProcessLookupError):
                    child.process.send_signal(signal.SIGCONT)
                await child.kill()
        await self.http.aclose()
        await self.temporal.stop()

    # --- processes ---------------------------------------------------------------------------------------
    async def start(self, name: str, *arguments: str, module: str = "workers.cli", **env: str) -> Child:
        """Start a process under a name; the same name again starts it anew with the same command."""
        known = self.children.get(name)
        if known is None or arguments:
            command = [sys.executable, "-m", module, *arguments]
            known = Child(name, command, {**self.env, **env}, self.folder / f"{name}.log")
            self.children[name] = known
        await known.start()
        return known

    async def start_sap(self, seed: Mapping[str, Any]) -> str:
        """The simulated SAP with orders and stock; its address reaches worker and edge by environment."""
        db = str(self.folder / "sap.sqlite")
        port = str(self._free_port())
        child = await self.start("sap", "--port", port, "--db", db, module="simulators.sap")
        self.sap_url: str = child.ready["url"]
        self.env["PLANTWRIGHT_ERP_URL"] = self.sap_url
        await self.sap("orders", seed)
        return self.sap_url

    async def start_line(self) -> None:
        """The simulated line; its clock is the plant's."""
        scenario = self.folder / "line.toml"
        scenario.write_text(self._scenario_text)
        now = time.time()
        epoch = _iso(now)
        self.env["PLANTWRIGHT_CLOCK"] = f"{epoch},{epoch},{self._speed}"
        child = await self.start(
            "line",
            "--scenario",
            str(scenario),
            "--port",
            "0",
            "--seed",
            str(self._seed),
            "--clock",
            self.env["PLANTWRIGHT_CLOCK"],
            module="simulators.line",
        )
        self.line_control: str = child.ready["control"]
        self.env["PLANTWRIGHT_OPCUA_ENDPOINT"] = child.ready["endpoint"]

    async def start_worker(self, name: str = "worker", **env: str) -> Child:
        if name in self.children:
            return await self.start(name)
        return await self.start(name, "worker", "--plant", str(self.plant_file), "--data", str(self.folder), **env)

    async def start_edge(self) -> Child:
        if "edge" in self.children:
            return await self.start("edge")
        command = ("edge", "--plant", str(self.plant_file), "--data", str(self.folder), "--health-port", "0")
        return await self.start("edge", *command)

    async def until_edge_watches(self) -> None:
        """The gateway has a live session; it needs neither worker nor Temporal for that."""

        async def watching() -> bool:
            answer = await self.http.get(self.children["edge"].ready["health"])
            return all(line["session"] == "live" for line in answer.json()["lines"].values())

        await self.until("the edge gateway watches its lines", watching, 60)

    async def strike(self, victim: str, *, pause: float = 0.5) -> None:
        """SIGKILL `worker`, `edge` or `temporal`, leave it dead for a while, start it again."""
        if victim == "temporal":
            await self.temporal.kill()
            await asyncio.sleep(pause)
            await self.temporal.start()
            return
        await self.children[victim].kill()
        await asyncio.sleep(pause)
        await self.start(victim)

    async def command(self, *arguments: str, **env: str) -> tuple[int, str, str]:
        """Run a command of the house to its end: exit code, stdout, stderr."""
        return await self._run([sys.executable, "-m", "workers.cli", *arguments], {**self.env, **env})

    async def temporal_command(self, *arguments: str) -> str:
        """Run Temporal's own command line against this server; fails when it does."""
        where = ("--address", self.temporal.address, "--namespace", self.temporal.namespace)
        binary = await obtain_temporal_binary(lambda _: None)
        code, out, err = await self._run([str(binary.path), *arguments, *where], self.env)
        assert code == 0, err or out
        return out

    async def _run(self, command: list[str], env: Mapping[str, str]) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *dies_with_parent(command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | env,
            cwd=ROOT,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    def _free_port(self) -> int:
        from workers.server_ports import free_port

        return free_port()

    # --- asking ------------------------------------------------------------------------------------------
    async def sap(self, what: str, body: Any = None, method: str = "") -> Any:
        """The SAP's control side."""
        answer = await self.http.request(
            method or ("GET" if body is None else "POST"), f"{self.sap_url}/_control/{what}", json=body
        )
        assert not answer.is_error, answer.text
        return answer.json() if answer.content else None

    async def line(self, what: str, body: Any = None, *, post: bool = False) -> Any:
        """The line's control side."""
        method = "POST" if post or body is not None else "GET"
        answer = await self.http.request(method, f"{self.line_control}/_control/{what}", json=body)
        assert not answer.is_error, answer.text
        return answer.json() if answer.content else None

    def order_handle(self, order: str, plant: str = "demo") -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(order_workflow_id(plant, order))

    async def order_status(self, order: str, plant: str = "demo") -> OrderStatus | None:
        """None while the order's workflow is not there or nobody answers."""
        try:
            async with asyncio.timeout(10):
                return await self.order_handle(order, plant).query("status", result_type=OrderStatus)
        except (RPCError, TimeoutError, Exception):
            return None

    async def line_status(self, line: str = "line1", plant: str = "demo") -> LineStatus | None:
        try:
            async with asyncio.timeout(10):
                handle = self.client.get_workflow_handle(f"line:{plant}:{line}")
                return await handle.query("status", result_type=LineStatus)
        except (RPCError, TimeoutError, Exception):
            return None

    async def until(
        self, what: str, condition: Callable[[], Awaitable[bool]], seconds: float = 90, pause: float = 0.3
    ) -> None:
        """Wait for a condition that only the outside shows; fails naming it."""
        deadline = time.monotonic() + seconds
        while not await condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:.0f} s: {what}; {await self.summary()}")
            await asyncio.sleep(pause)

    async def until_line_is_seen(self, stations: int = 3) -> None:
        """Counters are read from a first value on: nothing may flow before the edge has seen that one."""

        async def seen() -> bool:
            status = await self.line_status()
            return status is not None and sum(1 for s in status.stations if len(s.counters) == 3) == stations

        await self.until("every station's counters were read once", seen, 60)

    async def until_closed(self, *orders: str, seconds: float = 180) -> None:
        async def closed() -> bool:
            for order in orders:
                status = await self.order_status(order)
                if status is None or status.phase.value != "closed":
                    return False
            return True

        await self.until(f"orders {', '.join(orders)} closed", closed, seconds)

    async def summary(self) -> str:
        """What a failing test wants to see."""
        parts: list[str] = []
        for order in self.orders:
            status = await self.order_status(order)
            known = status.model_dump_json(exclude_defaults=True)[:1500] if status else "no answer"
            parts.append(f"{order}: {known}")
        line = await self.line_status()
        parts.append(line.model_dump_json(exclude_defaults=True)[:800] if line else "no line status")
        return "\n".join(parts)

    # --- judging -----------------------------------------------------------------------------------------
    async def differences(self) -> list[str]:
        """The line's truth against the SAP's books, per order and operation, yield and scrap; empty when equal."""
        truth = await self.line("truth")
        books = await self.sap("books")
        return compare_books(truth, books)


def compare_books(truth: Mapping[str, Any], books: Mapping[str, Any]) -> list[str]:
    """Every piece the machine made is in the ERP once: `missing` and `duplicate` are counted apart."""
    wrong: list[str] = []
    theirs = {(o["order"], p["operation"]): p for o in books["orders"] for p in o["operations"]}
    for order in truth["orders"]:
        for made in order["operations"]:
            booked = theirs[(order["order"], made["operation"])]
            for kind in ("yield", "scrap"):
                difference = int(made[kind]) - int(float(booked[kind]))
                if difference:
                    word = "missing" if difference > 0 else "duplicate"
                    wrong.append(f"{order['order']}/{made['operation']}: {abs(difference)} {kind} {word}")
    keys = [d["key"] for d in books["documents"] if d.get("key") and not d["reversed"] and not d["reversal"]]
    wrong += [f"key {k} twice" for k in sorted({k for k in keys if keys.count(k) > 1})]
    return wrong


def _iso(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat()
