"""Runs a simulated line: its OPC UA server, its control side and the process between them, in one event loop.

`serve` is the whole of it. The wall clock is looked at in one place, `LineRunner`, and everything else is plant time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from asyncua import ua
from asyncua.server.server import Server

from .address_space import LineTags
from .clock import PlantClock, plant_clock
from .control import control_app
from .delivery import LineInternalServer
from .model import load_scenario
from .process import LineProcess

T = TypeVar("T")

TICK_SECONDS = 0.05
HEARTBEAT_SECONDS = 0.25
WRITES_BETWEEN_BREATHS = 100
"""After so many writes others get the loop: clients must be answered while a fast line catches up."""


class LineRunner:
    """Moves the process along with the plant clock and carries what it writes into the address space."""

    def __init__(self, process: LineProcess, clock: PlantClock, *, pace_is_free: bool) -> None:
        self.process = process
        self.clock = clock
        self.pace_is_free = pace_is_free
        self.origin = clock.now()
        self._asked: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        self._next_beat = 0.0

    @property
    def plant_time(self) -> datetime:
        """The instant up to which everything has happened."""
        return self.origin + timedelta(microseconds=self.process.kernel.now)

    async def intervene(self, action: Callable[[], T]) -> T:
        """Do something to the process at the next tick; returns when its effect has been written."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def act() -> None:
            try:
                result = action()
            except ValueError as refusal:
                done.set_exception(refusal)
            else:
                done.set_result(result)

        self._asked.put_nowait(act)
        return await done

    async def run(self, tags: LineTags) -> None:
        while True:
            await self._tick(tags)
            await asyncio.sleep(TICK_SECONDS)

    async def _tick(self, tags: LineTags) -> None:
        now = (self.clock.now() - self.origin) // timedelta(microseconds=1)
        # The wall clock may be set back; plant time then stands until it has caught up.
        until = max(now, self.process.kernel.now)
        await self._carry(tags, until)
        if not self._asked.empty():
            asked = [self._asked.get_nowait() for _ in range(self._asked.qsize())]
            for act in asked:
                act()
            await self._carry(tags, until)
        await self._beat_when_due(tags, until)

    async def _carry(self, tags: LineTags, until: int) -> None:
        since_breath = 0
        for instant in self.process.advance(until):
            for written in instant:
                await tags.write(written)
            since_breath += len(instant)
            if since_breath >= WRITES_BETWEEN_BREATHS:
                since_breath = 0
                await self._beat_when_due(tags, self.process.kernel.now)
                await asyncio.sleep(0)

    async def _beat_when_due(self, tags: LineTags, at: int) -> None:
        wall = asyncio.get_running_loop().time()
        if wall >= self._next_beat:
            self._next_beat = wall + HEARTBEAT_SECONDS
            await tags.beat(at)


class _ControlServer(uvicorn.Server):
    """Leaves signals to whoever runs the line, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


async def serve(
    scenario: Path,
    port: int = 0,
    host: str = "127.0.0.1",
    *,
    speed: float = 1.0,
    seed: int | None = None,
    clock: str | None = None,
    on_ready: Callable[[dict[str, Any]], None],
) -> None:
    """Play a scenario until cancelled. `on_ready` gets `endpoint`, `control`, `line` and `seed` once both listen.

    `speed` is plant seconds per wall second, `clock` (WALL_ISO,PLANT_ISO,FACTOR) replaces it. Raises ScenarioError for
    a scenario that cannot be played, ValueError for a clock that cannot be read, OSError when the port is taken.
    """
    plan = load_scenario(scenario)
    seed = secrets.randbits(32) if seed is None else seed
    runner = LineRunner(LineProcess(plan, seed), plant_clock(speed, clock), pace_is_free=clock is None)
    logging.getLogger("asyncua.server").setLevel(logging.ERROR)
    opcua = await _opcua_server(host, port, LineInternalServer(plan.delivery))
    tags = LineTags(opcua, runner.process, runner.origin, runner.clock.now)
    await tags.build()
    async with opcua, _control_side(runner, host) as control_port:
        on_ready({
            "endpoint": f"opc.tcp://{host}:{_port_of(opcua)}/plantwright/line",
            "control": f"http://{host}:{control_port}",
            "line": plan.line,
            "seed": seed,
        })  # fmt: skip
        await runner.run(tags)


@contextlib.asynccontextmanager
async def _control_side(runner: LineRunner, host: str) -> AsyncIterator[int]:
    """The control side on a free port, which it yields once it listens."""
    config = uvicorn.Config(
        control_app(runner), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    control = _ControlServer(config)
    with _free_socket(host) as listening:
        serving = asyncio.create_task(control.serve(sockets=[listening]))
        try:
            await control.listening.wait()
            yield listening.getsockname()[1]
        finally:
            control.should_exit = True
            await serving


async def _opcua_server(host: str, port: int, internal: LineInternalServer) -> Server:
    server = Server(iserver=internal)
    await server.init()
    await server.set_application_uri("urn:plantwright:simulated-line:server")
    server.set_server_name("Plantwright simulated line")
    server.set_endpoint(f"opc.tcp://{host}:{port}/plantwright/line")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    return server


def _port_of(server: Server) -> int:
    if server.bserver is None:
        raise RuntimeError("the OPC UA server has not been started, so it has no port yet")
    return server.bserver.port


def _free_socket(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.bind((host, 0))
    return listening
