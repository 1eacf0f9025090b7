"""One process of the demo: started with a log of its own, known by its `ready` line, ended politely or by SIGKILL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from signals.errors import PlantwrightError
from workers.child_process import dies_with_parent

START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_TAIL_BYTES = 1500


class StageFailed(PlantwrightError):
    """A process of the demo did not start, or ended unasked; the message carries the end of its log."""


class Child:
    """`plantwright ARGUMENTS…` as a child process that dies with this one."""

    def __init__(self, name: str, arguments: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._arguments = list(arguments)
        self._environ = dict(environ)
        self._process: asyncio.subprocess.Process | None = None
        self._draining: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self.running and self._process else None

    async def start(self) -> dict[str, Any]:
        """Returns the addresses of its `ready` line. Raises StageFailed."""
        command = dies_with_parent([sys.executable, "-m", "workers.cli", *self._arguments])
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environ,
                start_new_session=True,  # Ctrl-C reaches the demo, which then ends its children in order
            )
        try:
            ready = await asyncio.wait_for(self._ready(), START_SECONDS)
        except TimeoutError as error:
            await self.kill()
            raise StageFailed(self._failure(f"did not serve within {START_SECONDS:.0f} s")) from error
        except BaseException:
            await self.kill()
            raise
        self._draining = asyncio.create_task(self._drain())
        return ready

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when it takes too long."""
        if self._process is None or not self.running:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            await self.kill()
        await self._drained()

    async def kill(self) -> None:
        """SIGKILL: no last words, no clean-up."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        await self._drained()

    async def _ready(self) -> dict[str, Any]:
        stream = self._stream()
        while line := await stream.readline():
            if line.startswith(b"ready "):
                return dict(json.loads(line[6:]))
        assert self._process is not None
        code = await self._process.wait()
        raise StageFailed(self._failure(f"ended before it served, with exit code {code}"))

    async def _drain(self) -> None:
        while await self._stream().readline():
            pass

    async def _drained(self) -> None:
        if self._draining is not None:
            await self._draining
            self._draining = None

    def _stream(self) -> asyncio.StreamReader:
        assert self._process is not None and self._process.stdout is not None
        return self._process.stdout

    def _failure(self, what: str) -> str:
        return f"{self.name} {what}. End of {self.log}:\n{self.log_tail() or '(empty)'}"

    def log_tail(self) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").strip()
