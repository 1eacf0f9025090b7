"""The worker processes of a proof: started, and started again as often as they are killed.

They are forked from one process that has everything imported, so that a restart costs milliseconds, not seconds.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.proof.bench import Bench
from tests.proof.mortal import Death

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", "tests.proof.preloaded"])
_PR_SET_PDEATHSIG = 1


class Crew:
    """`parts` processes of one module's `run`; each part has its own row of deaths."""

    def __init__(self, bench: Bench, module: str) -> None:
        self._bench = bench
        self._log = bench.folder / "workers.log"
        self._module = module
        self.kills: Counter[str] = Counter()
        """Deaths that happened, by their point."""
        self._running: dict[int, ForkServerProcess] = {}

    async def work(self, part: int, ends: Iterator[Death]) -> None:
        """Until a process of this part ends by itself with everything settled."""
        while True:
            death = next(ends, None)
            code = await self._run(part, death)
            if code == 0:
                return
            if code != -signal.SIGKILL:
                raise RuntimeError(f"worker {part} ended with {code}: {self._log.read_text()[-3000:]}")
            self.kills[death.point if death else "by the parent"] += 1

    def kill(self, part: int) -> None:
        """SIGKILL to the process that works on this part now, by its pid."""
        self._running[part].kill()

    async def _run(self, part: int, death: Death | None) -> int | None:
        given = (self._module, self._bench.model_dump_json(), part, death, self._log)
        process = _FORKS.Process(target=_work, args=given, daemon=True)
        await asyncio.to_thread(process.start)
        self._running[part] = process
        try:
            await asyncio.to_thread(process.join)
            return process.exitcode
        finally:
            del self._running[part]
            process.kill()
            process.join()
            process.close()


def _work(module: str, told: str, part: int, death: Death | None, log: Path) -> None:
    """A process from here on: its output goes to the log, and it does not outlive the one that forks."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    asyncio.run(importlib.import_module(module).run(Bench.model_validate_json(told), part, death))


def database(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.db'}"
