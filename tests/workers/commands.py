"""The command as tests run it: in their own process, or as one of its own where that is the point."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from unittest import mock

from workers.cli import run

REPOSITORY = Path(__file__).resolve().parents[2]
Command = Callable[[Sequence[str], Mapping[str, str]], Awaitable[tuple[int, str, str]]]
"""Runs a command with these variables: exit code, stdout, stderr."""
_one_at_a_time = asyncio.Lock()
"""What a process says and its variables are all its threads' own."""


async def in_this_process(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str, str]:
    """In a thread beside the test's loop: nothing has to be loaded again."""
    out, err = io.StringIO(), io.StringIO()
    async with _one_at_a_time:
        with mock.patch.dict(os.environ, environ), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = await asyncio.to_thread(run, arguments)
    return code, out.getvalue(), err.getvalue()


async def started(arguments: Sequence[str], environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    """The command as a process, under way."""
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers.cli", *arguments,
        cwd=REPOSITORY, env={**os.environ, **environ}, stdin=asyncio.subprocess.DEVNULL, **pipes,
    )  # fmt: skip


async def as_a_process(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str, str]:
    process = await started(arguments, environ)
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
