"""Temporal's dev server as a child process: on its own ports and database file, restartable with everything in it.

For the demo, the tests and small plants. Production runs against a cluster (docker-compose.yml shows one).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from temporalio.client import Client
from temporalio.service import RPCError

from workers.child_process import dies_with_parent
from workers.server_ports import PortTakenError, ServerPorts, filled_in, taken_port
from workers.temporal_binary import Progress, TemporalBinary, obtain_temporal_binary, to_stderr
from workers.temporal_namespace import NAMESPACE, RETENTION, SEARCH_ATTRIBUTES, NamespaceNotReady, ensure_namespace

LOG_TAIL_BYTES = 4000
START_ATTEMPTS = 3
POLL_SECONDS = 0.05


class EmbeddedTemporalError(RuntimeError):
    """The server did not start or ended unasked; the message carries the end of its log."""


class _EndedEarlyError(EmbeddedTemporalError):
    """The process ended before it served."""


@dataclass(frozen=True)
class ServerOptions:
    """What may differ between the demo, the tests and `plantwright server`."""

    namespace: str = NAMESPACE
    retention: timedelta = RETENTION
    ip: str = "127.0.0.1"
    ports: ServerPorts = field(default_factory=ServerPorts)
    headless: bool = False
    log_level: str = "warn"
    dynamic_config: Mapping[str, Any] = field(default_factory=dict)
    start_seconds: float = 60.0
    stop_seconds: float = 10.0


class EmbeddedTemporal:
    """A dev server whose state lives in `directory`: `temporal.sqlite` and `temporal.log`.

    As an async context manager it serves inside the block. `restart()` and `kill()` then `start()` keep the addresses
    and all open workflows. The server dies with this process, also when that is killed (Linux).
    """

    def __init__(
        self,
        directory: Path,
        options: ServerOptions | None = None,
        *,
        binary: TemporalBinary | None = None,
        progress: Progress = to_stderr,
    ) -> None:
        self.options = options or ServerOptions()
        self.database = directory / "temporal.sqlite"
        self.log = directory / "temporal.log"
        self._binary = binary
        self._progress = progress
        self._ports: ServerPorts | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> EmbeddedTemporal:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def address(self) -> str:
        """Host and port of the gRPC frontend."""
        return f"{self.options.ip}:{self._known_ports.frontend}"

    @property
    def ui_url(self) -> str | None:
        """The web UI, opened at our namespace; None when headless."""
        if self.options.headless:
            return None
        return f"http://{self.options.ip}:{self._known_ports.ui}/namespaces/{self.options.namespace}"

    @property
    def namespace(self) -> str:
        return self.options.namespace

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def version(self) -> str:
        """The server's version, for example 1.29.1."""
        if self._binary is None:
            raise EmbeddedTemporalError("the Temporal server was not started yet; call start() first")
        return self._binary.version

    @property
    def _known_ports(self) -> ServerPorts:
        if self._ports is None:
            raise EmbeddedTemporalError("the Temporal server was not started yet; call start() first")
        return self._ports

    async def start(self) -> None:
        """Returns when workflows with our search attributes can start. Does nothing when it runs already.

        Raises EmbeddedTemporalError, or TemporalBinaryMissing.
        """
        if self.running:
            return
        if self._binary is None:
            self._binary = await obtain_temporal_binary(self._progress)
        _make_directory(self.database.parent)
        for attempt in range(1, START_ATTEMPTS + 1):
            ports, chosen_now = self._ports or self._choose_ports(), self._ports is None
            try:
                await self._start_on(ports)
            except _EndedEarlyError:
                # Somebody else may have taken a port between our look and the server's bind.
                if chosen_now and attempt < START_ATTEMPTS and taken_port(self.options.ip, ports):
                    continue
                raise
            self._ports = ports
            return

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when it takes longer than `stop_seconds`."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.options.stop_seconds)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, as a power cut would do it."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()

    async def restart(self) -> None:
        """Stops and starts again on the same file and addresses; open workflows go on."""
        await self.stop()
        await self.start()

    async def wait(self) -> int:
        """Waits until the process ends, whoever ended it; its exit code."""
        if self._process is None:
            raise EmbeddedTemporalError("the Temporal server was not started yet; call start() first")
        return await self._process.wait()

    def log_tail(self) -> str:
        """The end of the server's log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").strip()

    def _choose_ports(self) -> ServerPorts:
        try:
            return filled_in(self.options.ip, self.options.ports)
        except PortTakenError as taken:
            raise EmbeddedTemporalError(f"the Temporal server cannot start: {taken}") from taken

    async def _start_on(self, ports: ServerPorts) -> None:
        command = dies_with_parent(self._command(ports))
        with _opened_for_append(self.log) as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C ends us first, and we end the server when the workers have drained
            )
        try:
            await self._serving(ports)
        except BaseException:
            await self.kill()
            raise

    async def _serving(self, ports: ServerPorts) -> None:
        """Returns when it serves, raises when the process ends first or time is up."""
        limit = self.options.start_seconds
        ended = asyncio.ensure_future(self.wait())
        ready = asyncio.ensure_future(self._ready(ports.frontend))
        try:
            done, _ = await asyncio.wait({ended, ready}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            ready.cancel()
            await asyncio.gather(ended, ready, return_exceptions=True)
        # Another server may answer on this port while ours dies of not getting it.
        if ended in done or not self.running:
            raise _EndedEarlyError(self._failure("ended before it served"))
        if ready not in done:
            raise EmbeddedTemporalError(self._failure(f"did not serve within {limit:.0f} s"))
        ready.result()

    async def _ready(self, port: int) -> None:
        while True:
            try:
                await _answers(self.options.ip, port)
                client = await Client.connect(f"{self.options.ip}:{port}", namespace=self.options.namespace)
                await ensure_namespace(client, self.options.retention, timeout_seconds=self.options.start_seconds)
                return
            except NamespaceNotReady as wrong:
                raise EmbeddedTemporalError(self._failure(f"is not usable: {wrong}")) from wrong
            except (OSError, RPCError, RuntimeError):
                await asyncio.sleep(POLL_SECONDS)

    def _command(self, ports: ServerPorts) -> list[str]:
        assert self._binary is not None
        options = self.options
        command = [str(self._binary.path), "server", "start-dev", "--ip", options.ip, "--color", "never"]
        command += ["--port", str(ports.frontend), "--http-port", str(ports.http)]
        command += ["--metrics-port", str(ports.metrics), "--log-level", options.log_level]
        command += ["--headless"] if options.headless else ["--ui-port", str(ports.ui)]
        command += ["--db-filename", str(self.database), "--sqlite-pragma", "journal_mode=wal"]
        command += ["--namespace", options.namespace]
        for name, kind in SEARCH_ATTRIBUTES.items():
            command += ["--search-attribute", f"{name}={kind}"]
        for key, setting in options.dynamic_config.items():
            command += ["--dynamic-config-value", f"{key}={json.dumps(setting)}"]
        return command

    def _failure(self, what: str) -> str:
        code = self._process.returncode if self._process else None
        left = f" with exit code {code}" if code is not None else ""
        return (
            f"the Temporal server {what}{left}. Its file is {self.database}; if another process has it open, end that "
            f"one or choose another folder. End of {self.log}:\n{self.log_tail() or '(empty)'}"
        )


async def serve(
    directory: Path,
    options: ServerOptions | None = None,
    *,
    on_ready: Callable[[dict[str, Any]], None],
    progress: Progress = to_stderr,
) -> None:
    """`plantwright server`: serves until cancelled. Raises EmbeddedTemporalError when the server ends by itself."""
    async with EmbeddedTemporal(directory, options, progress=progress) as server:
        on_ready(
            {
                "address": server.address,
                "namespace": server.namespace,
                "ui": server.ui_url,
                "version": server.version,
                "pid": server.pid,
                "database": str(server.database),
            }
        )
        code = await server.wait()
        raise EmbeddedTemporalError(
            f"the Temporal server ended by itself with exit code {code}; start it again, everything it had accepted is "
            f"in {server.database}. End of {server.log}:\n{server.log_tail()}"
        )


async def _answers(ip: str, port: int) -> None:
    _, writer = await asyncio.open_connection(ip, port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise EmbeddedTemporalError(
            f"the folder {directory} for the Temporal server cannot be made: {refused.strerror}; choose another"
        ) from refused


def _opened_for_append(log: Path) -> BinaryIO:
    return log.open("ab")
