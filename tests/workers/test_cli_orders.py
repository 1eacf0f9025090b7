"""People's commands against a real Temporal server, a worker process and a simulated SAP process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from signals.ids import intake_workflow_id
from tests.workers.commands import Command, as_a_process, in_this_process
from workers.demo.children import Child
from workers.temporal_server import EmbeddedTemporal

DEFAULTS = Path(__file__).resolve().parents[2] / "workers" / "defaults"
SLOW = 60
NEVER = 10**8
"""Seconds between looks at the ERP: only people's commands take orders in here."""


@dataclass
class Plant:
    """A plant whose ERP runs; its worker starts when a test asks for it."""

    file: Path
    environ: dict[str, str]
    sap: str
    worker: Child

    async def say(self, *arguments: str, command: Command = in_this_process) -> tuple[int, dict[str, Any], str]:
        """Exit code, closing object and stderr of a command."""
        given = [*arguments, "--plant", str(self.file), "--json"]
        code, out, err = await asyncio.wait_for(command(given, self.environ), SLOW)
        lines = out.splitlines()
        assert "Traceback" not in err
        return code, json.loads(lines[-1]) if lines else {}, err

    async def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.request(method, f"{self.sap}/_control/{path}", json=body)
            assert answer.status_code < 300, answer.text


@pytest_asyncio.fixture(loop_scope="session")
async def plant(tmp_path: Path, temporal_server: EmbeddedTemporal) -> AsyncIterator[Plant]:
    environ = {
        **os.environ,
        "TEMPORAL_ADDRESS": temporal_server.address,
        "TEMPORAL_NAMESPACE": temporal_server.namespace,
        "PLANTWRIGHT_HOME": str(tmp_path / "home"),
        "SAP_USER": "U",
        "SAP_PASSWORD": "P",
    }
    file = tmp_path / "plant.toml"
    text = (DEFAULTS / "demo.toml").read_text().replace('id = "demo"', 'id = "commands"')
    file.write_text(text.replace("intake_seconds = 5", f"intake_seconds = {NEVER}"))
    sap = Child("sap", ["simulate", "sap", "--db", str(tmp_path / "sap.sqlite")], environ, tmp_path)
    url = (await sap.start())["url"]
    environ["PLANTWRIGHT_ERP_URL"] = url
    worker = Child("worker", ["worker", "--plant", str(file)], environ, tmp_path)
    try:
        yield Plant(file, environ, url, worker)
    finally:
        await worker.stop()
        await sap.stop()


@pytest.mark.timeout(180)
async def test_an_order_is_started_shown_and_cancelled_and_every_mistake_is_told(
    plant: Plant, temporal_client: Client
) -> None:
    code, _, said = await plant.say("orders", "start", "1000001", command=as_a_process)
    assert (code, "no worker serves plant commands" in said) == (3, True)
    ready = await plant.worker.start()
    assert ready["plant"] == "commands"
    await asyncio.wait_for(_first_look_is_over(temporal_client), SLOW)
    await _with_a_worker(plant)


async def _first_look_is_over(client: Client) -> None:
    """A worker that starts looks at the ERP once; the orders come after that."""
    while True:
        async for look in client.list_workflows("WorkflowType = 'OrderIntake'"):
            if look.id.startswith(intake_workflow_id("commands")) and look.close_time is not None:
                return
        await asyncio.sleep(0.2)


async def _with_a_worker(plant: Plant) -> None:
    seed = json.loads((DEFAULTS / "demo-orders.json").read_text())
    first, second = seed["orders"]
    created = {**second, "order": "1000003", "status": ["CRTD"]}
    elsewhere = {**second, "order": "1000004", "plant": "2020"}
    await plant.control("POST", "orders", {**seed, "orders": [first, second, created, elsewhere]})

    for order, word in (("4711", "4711"), ("1000004", "plant"), ("1000003", "not released")):
        code, _, said = await plant.say("orders", "start", order)
        assert (code, word in said) == (2, True), said
    await plant.control("POST", "faults", {"mode": "down"})
    code, _, said = await plant.say("orders", "start", "1000001")
    assert code == 3, said
    await plant.control("DELETE", "faults")
    assert (await plant.say("orders", "list"))[1]["orders"] == []

    code, started, said = await plant.say("orders", "start", "1000001", command=as_a_process)
    assert (code, started["already_running"]) == (0, False), said
    assert (await plant.say("orders", "start", "1000001"))[1]["already_running"] is True
    code, status, _ = await plant.say("orders", "show", "1000001")
    assert (code, status["order"], status["material"]) == (0, "1000001", "BRACKET-A")
    assert [o["operation"] for o in status["operations"]] == ["0010", "0020", "0030"]

    await _mistakes(plant)

    code, answer, _ = await plant.say("orders", "cancel", "1000001", "--reason", "not needed", "--by", "planner")
    assert (code, answer["accepted"]) == (0, True)
    await asyncio.wait_for(_closed(plant, "1000001"), SLOW)
    code, _, said = await plant.say("orders", "start", "1000001")
    assert (code, "closed" in said) == (2, True)
    code, traced, _ = await plant.say("trace", "1000001")
    assert (code, traced["phase"]) == (0, "closed")
    assert [p["type"] for p in traced["postings"]] == ["complete_order"]


async def _mistakes(plant: Plant) -> None:
    mistakes = (
        (["orders", "show", "4711"], "knows no order 4711"),
        (["orders", "complete", "4711"], "knows no order 4711"),
        (["orders", "cancel", "1000002", "--reason", "r"], "knows no order 1000002"),
        (["trace", "4711"], "knows no order 4711"),
        (["cases", "decide", "nowhere", "adopt", "--reason", "r"], "no case nowhere"),
        (["parked", "decide", "nowhere", "accept", "--reason", "r"], "no parked item nowhere"),
    )
    for arguments, word in mistakes:
        code, _, said = await plant.say(*arguments)
        assert (code, word in said) == (2, True), said
    assert (await plant.say("cases", "list"))[1]["cases"] == []
    assert (await plant.say("parked", "list"))[1]["parked"] == []


async def _closed(plant: Plant, order: str) -> None:
    while True:
        _, listed, _ = await plant.say("orders", "list")
        if next(o for o in listed["orders"] if o["order"] == order)["phase"] == "closed":
            return


@pytest.mark.timeout(60)
async def test_a_process_says_ready_once_and_leaves_with_0_on_sigterm(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers.cli", "simulate", "sap", "--db", str(tmp_path / "sap.sqlite"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    assert json.loads(line.decode().removeprefix("ready "))["url"].startswith("http://127.0.0.1:")
    process.terminate()
    rest, _ = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, rest) == (0, b"")


@pytest.mark.timeout(90)
async def test_the_server_command_serves_temporal_until_it_is_told_to_stop(tmp_path: Path) -> None:
    server = Child("server", ["server", "--data", str(tmp_path), "--port", "0", "--headless"], os.environ, tmp_path)
    ready = await server.start()
    try:
        host, port = ready["address"].split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        assert Path(ready["database"]).is_relative_to(tmp_path)
    finally:
        await server.stop()
