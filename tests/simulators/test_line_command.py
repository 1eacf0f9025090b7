"""The simulated line as a process of its own: what it says, and how it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import httpx
from asyncua.client.client import Client

ROOT = Path(__file__).parents[2]
LINE = """
line = "L1"
[[station]]
name = "press"
operation = "0010"
cycle_seconds = 2
"""


async def run_as_process(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators.line", *arguments,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_as_a_process_it_says_ready_and_ends_quietly_on_sigterm(tmp_path: Path):
    scenario = tmp_path / "line.toml"
    scenario.write_text(LINE, encoding="utf-8")
    process = await run_as_process("--scenario", str(scenario), "--port", "0", "--speed", "2", "--seed", "1")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        word, _, addresses = (await process.stdout.readline()).decode().partition(" ")
        assert word == "ready"
        ready = json.loads(addresses)
        async with Client(ready["endpoint"]) as client:
            assert "urn:plantwright:simulated-line" in await client.get_namespace_array()
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{ready['control']}/_control/truth")).json()["line"] == "L1"
        process.send_signal(signal.SIGTERM)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_as_a_process_it_refuses_a_bad_scenario_with_exit_2(tmp_path: Path):
    process = await run_as_process("--scenario", str(tmp_path / "absent.toml"))
    async with asyncio.timeout(60):
        _, err = await process.communicate()
    assert process.returncode == 2
    assert b"cannot be read" in err
    assert b"Traceback" not in err
