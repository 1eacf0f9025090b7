"""`plantwright erp tryton up` as people start it: a process that says when it serves and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tryton.conftest import Order
from workers.cli.app import run

SECONDS = 100.0


async def up(data: Path, *more: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    """The running command and what its `ready` line says."""
    command = [sys.executable, "-m", "workers.cli", "erp", "tryton", "up", "--data", str(data), *more]
    environ = {**os.environ, "TRYTON_PASSWORD": "chosen-by-the-plant"}
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environ)
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        line = (await process.stdout.readline()).decode()
    assert line.startswith("ready ")
    return process, json.loads(line.removeprefix("ready "))


def is_alive(pid: int) -> bool:
    """A process that runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def gone(pid: int) -> None:
    """Waits until the process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = await asyncio.to_thread(select.select, [descriptor], [], [], SECONDS)
    finally:
        os.close(descriptor)
    assert ended, f"process {pid} goes on"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's help is Linux's")
async def test_command_serves_seeded_orders_and_takes_tryton_with_it_however_it_ends(tmp_path: Path) -> None:
    orders = tmp_path / "orders.json"
    orders.write_text(Order("4000001").seed().model_dump_json())
    process, first = await up(tmp_path, "--orders", str(orders))
    assert first["orders"] == {"created": ["4000001"], "kept": []} and first["database"] == "plant"
    process.kill()
    await process.wait()
    await gone(first["pid"])

    process, second = await up(tmp_path, "--orders", str(orders))
    assert second["orders"] == {"created": [], "kept": ["4000001"]}
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(SECONDS):
        assert await process.wait() == 0
    assert not is_alive(second["pid"])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "cannot be read"),
        ('{"orders": [{"order": "ABC", "plant": "1", "material": "M", "quantity": 1, "operations": []}]}', "digits"),
        ('{"orders": [{"order": "1"}]}', "orders.0.plant"),
    ],
)
def test_orders_that_cannot_be_used_are_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, told: str
) -> None:
    file = tmp_path / "orders.json"
    file.write_text(content)
    assert run(["erp", "tryton", "up", "--data", str(tmp_path), "--orders", str(file)]) == 2
    assert told in capsys.readouterr().err
