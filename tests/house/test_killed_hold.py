"""The worker's process dies between any two steps of a hold; SAP's books end as if nothing had happened.

Real processes: simulated SAP, worker, and the command line as the people. Killed without warning, at each step once.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from ledger.connect import open_ledger
from ledger.port import LedgerPort
from signals.holds import HoldRecord, HoldState
from signals.ids import hold_workflow_id
from tests.workflows.bench import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
MATERIAL, PLACE, ERP_PLANT = "HELD-1", "FG01", "1010"
SLOW = 60

PLANT = """
schema = 1
[plant]
id = "{name}"
[quality]
signatures = "off"
[[line]]
id = "line1"
[[line.station]]
id = "press"
operation = "0010"
[[line.station.tag]]
name = "Order"
kind = "order"
[erp]
kind = "sap"
url = "{url}"
plant = "1010"
timeout_seconds = 3
settle_seconds = 2
[posting]
retry_seconds = [1]
"""


@dataclass
class House:
    folder: Path
    file: Path
    environ: dict[str, str]
    name: str
    books: httpx.AsyncClient
    ledger: LedgerPort
    started: list[asyncio.subprocess.Process] = field(default_factory=list[asyncio.subprocess.Process])

    async def start(self, *arguments: str, ready: bool = True) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "workers.cli", *arguments, env=self.environ, cwd=REPOSITORY,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self.started.append(process)
        if ready:
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), SLOW)
            assert line.startswith(b"ready "), line
        return process

    async def worker(self) -> asyncio.subprocess.Process:
        return await self.start("worker", "--plant", str(self.file))

    async def say(self, *arguments: str) -> dict[str, Any]:
        """A command as a person types it; its closing object."""
        process = await self.start(*arguments, "--plant", str(self.file), "--json", ready=False)
        out, _ = await asyncio.wait_for(process.communicate(), SLOW)
        assert process.returncode == 0, (arguments, out)
        return json.loads(out.decode().splitlines()[-1])

    async def stock(self) -> dict[str, str]:
        rows = (await self.books.get("/_control/books")).raise_for_status().json()["stock"]
        return {r["stock_type"]: r["quantity"] for r in rows if r["material"] == MATERIAL and float(r["quantity"])}

    async def until(self, hold: str, what: Callable[[HoldRecord], object]) -> HoldRecord:
        async def ask() -> HoldRecord | None:
            return await self.ledger.hold(self.name, hold)

        found = await eventually(ask, lambda r: r is not None and what(r), SLOW)
        assert found is not None
        return found


@asynccontextmanager
async def house(folder: Path, temporal_server: Any) -> AsyncIterator[House]:
    name = f"killed{os.getpid()}"
    environ = {
        **os.environ, "TEMPORAL_ADDRESS": temporal_server.address, "TEMPORAL_NAMESPACE": temporal_server.namespace,
        "PLANTWRIGHT_HOME": str(folder), "PLANTWRIGHT_LEDGER_URL": f"sqlite:///{folder / 'ledger.db'}",
        "SAP_USER": "MES_TEST", "SAP_PASSWORD": "only-for-this-test",
    }  # fmt: skip
    sap = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators.sap", "--port", "0", "--db", str(folder / "sap.db"), cwd=REPOSITORY,
        env=environ, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert sap.stdout is not None
    ledger = await open_ledger(environ["PLANTWRIGHT_LEDGER_URL"])
    place: House | None = None
    try:
        url = json.loads((await asyncio.wait_for(sap.stdout.readline(), SLOW)).decode().removeprefix("ready "))["url"]
        file = folder / "plant.toml"
        file.write_text(PLANT.format(name=name, url=url))
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as books:
            row = {"material": MATERIAL, "plant": ERP_PLANT, "storage_location": PLACE, "quantity": "40", "unit": "PC"}
            (await books.post("/_control/orders", json={"stock": [row]})).raise_for_status()
            place = House(folder, file, environ, name, books, ledger)
            yield place
    finally:
        for process in [*(place.started if place else []), sap]:
            if process.returncode is None:
                process.kill()
                await process.wait()
        await ledger.close()


@pytest.mark.proof
@pytest.mark.timeout(400)
async def test_a_worker_killed_between_any_two_steps_changes_nothing_in_the_books(
    tmp_path: Path, temporal_server: Any, temporal_client: Client
) -> None:
    async with house(tmp_path, temporal_server) as place:
        opened = await place.say(
            "holds", "open", "--material", MATERIAL, "--quantity", "10", "--location", PLACE, "--why", "crack",
            "--by", "supervisor-1", "--role", "supervisor",
        )  # fmt: skip
        hold = opened["hold"]
        who = ("--by", "inspector-1", "--role", "quality engineer")
        steps: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: place.until(hold, lambda r: r.history),
            lambda: place.until(hold, lambda r: r.postings),
            lambda: place.until(hold, lambda r: r.erp == "blocked"),
            lambda: place.say("holds", "segregate", hold, "--counted", "10", "--location", "cage", *who),
            lambda: place.say("holds", "decide", hold, "--release", "6", "--scrap", "4", *who),
            lambda: place.say("holds", "cosign", hold, "--by", "manager-1", "--role", "quality manager"),
            lambda: place.until(hold, lambda r: any(p.what == "scrap" for p in r.postings) or r.state.is_over),
            lambda: place.until(hold, lambda r: any(p.what == "release" for p in r.postings) or r.state.is_over),
            lambda: place.until(hold, lambda r: r.state.is_over),
        )
        for step in steps:
            worker = await place.worker()
            await step()
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
        await place.worker()
        await temporal_client.get_workflow_handle(hold_workflow_id(place.name, hold)).result()
        record = await place.until(hold, lambda r: r.state.is_over)
        assert record.state is HoldState.CLOSED
        assert {kind: float(q) for kind, q in (await place.stock()).items()} == {"01": 36}
        assert [e.number for e in record.history] == list(range(1, len(record.history) + 1))
        assert [(p.what, p.state) for p in record.postings] == [
            ("block", "done"), ("scrap", "done"), ("release", "done"),
        ]  # fmt: skip
        assert await place.ledger.blocks(place.name) == []
