"""A demo as a visitor starts it, with its console: for the browser's test, and for the pictures in the docs."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Page

from tests.console.browsing import sign_in

ADDRESS = re.compile(r"the demo's own page at (http://[\d.:]+)(/\S+)")
USER = re.compile(r"sign in as (\S+) \(.*\), password (\S+)")
STARTS = "the line starts"


@dataclass
class RunningDemo:
    """Where it is and who may come in. `said` is everything it has told."""

    address: str = ""
    path: str = ""
    passwords: dict[str, str] = field(default_factory=dict[str, str])
    said: list[str] = field(default_factory=list[str])

    async def visit(self, page: Page, user: str) -> None:
        """Sign in and go to the demo's own page."""
        await sign_in(page, self.address, user, self.passwords[user])
        await page.goto(f"{self.address}{self.path}")

    def hear(self, line: str) -> None:
        self.said.append(line)
        if found := ADDRESS.search(line):
            self.address, self.path = found.group(1), found.group(2)
        if found := USER.search(line):
            self.passwords[found.group(1)] = found.group(2)


@asynccontextmanager
async def running_demo(folder: Path, *arguments: str) -> AsyncIterator[RunningDemo]:
    """From the moment its line starts; interrupted at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers.cli", "demo", "--data", str(folder), *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    demo = RunningDemo()
    rest: asyncio.Task[None] | None = None

    async def listen() -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            demo.hear(line.decode())

    try:
        async with asyncio.timeout(240):
            while not demo.said or STARTS not in demo.said[-1]:
                line = await process.stderr.readline()
                assert line, "".join(demo.said)
                demo.hear(line.decode())
        rest = asyncio.create_task(listen())
        yield demo
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        if rest is not None:
            await rest
        await process.wait()
