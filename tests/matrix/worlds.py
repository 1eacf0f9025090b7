"""The worlds of the matrix: each ERP's simulator as a process, its adapter, and its scenes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from domain.plant_erp import ErpConfig
from erp.budget import LocalBudget
from erp.factory import create_erp
from erp.port import ErpEvents, ErpPort
from tests.matrix import scenes_dynamics, scenes_oracle, scenes_sap
from tests.matrix.harness import Scene

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "only-for-this-test"
TENANT = "plantwright.onmicrosoft.com"
ENVIRON = {
    "SAP_USER": "MES",
    "SAP_PASSWORD": SECRET,
    "ORACLE_USER": "MES",
    "ORACLE_PASSWORD": SECRET,
    "DYNAMICS_TENANT": TENANT,
    "DYNAMICS_CLIENT_ID": "0f1e2d3c-0000-4000-8000-0123456789ab",
    "DYNAMICS_CLIENT_SECRET": SECRET,
}
WORLDS = ("sap", "oracle", "dynamics")
SCENES: Mapping[str, tuple[Scene, ...]] = {
    "sap": scenes_sap.SCENES,
    "oracle": scenes_oracle.SCENES,
    "dynamics": scenes_dynamics.SCENES,
}
AS_NEW: Mapping[str, dict[str, Any]] = {
    "sap": scenes_sap.SETTINGS,
    "oracle": scenes_oracle.SETTINGS,
    "dynamics": scenes_dynamics.SETTINGS,
}
CONFIGS: Mapping[str, dict[str, Any]] = {
    "sap": scenes_sap.CONFIG,
    "oracle": scenes_oracle.CONFIG,
    "dynamics": scenes_dynamics.CONFIG,
}
UNLIMITED = 10_000.0
PATIENT = 20.0


class Simulator:
    """One simulated ERP in a process of its own, and its control side."""

    def __init__(self, name: str, url: str, control: httpx.AsyncClient) -> None:
        self.name = name
        self.url = url
        self.control = control

    async def books(self) -> dict[str, Any]:
        return (await self.control.get("/_control/books")).raise_for_status().json()

    async def ask(self, what: str, body: Any) -> Any:
        answer = await self.control.post(f"/_control/{what}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def seed(self, **document: Any) -> None:
        await self.ask("orders", document)

    async def heal(self, **changes: Any) -> None:
        (await self.control.delete("/_control/faults")).raise_for_status()
        await self.ask("settings", AS_NEW[self.name] | changes)


@asynccontextmanager
async def simulator(name: str, folder: Path) -> AsyncIterator[Simulator]:
    """The simulated ERP, started and stopped."""
    command = [sys.executable, "-m", f"simulators.{name}", "--port", "0", "--db", str(folder / f"{name}.db")]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, env={**os.environ, **ENVIRON}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert line.startswith("ready "), line
        url = json.loads(line.removeprefix("ready "))["url"]
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as control:
            yield Simulator(name, url, control)
    finally:
        process.terminate()
        await process.wait()


class ImpatientAtOnce(httpx.AsyncHTTPTransport):
    """A client whose patience ends as soon as the simulator hangs: no test waits for it, no slow machine wears it out.

    A simulator that hangs answers 504 when its own patience is over, which a fault puts at almost nothing.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if response.status_code != 504:
            return response
        await response.aclose()
        raise httpx.ReadTimeout("the simulator hangs", request=request)


class SimulatedWorld:
    """`harness.World` over a simulator. `patience`: the seconds a real client waits; None: it gives up at a hang."""

    def __init__(self, simulator: Simulator, events: ErpEvents | None = None, patience: float | None = None) -> None:
        self.name = simulator.name
        self.simulator = simulator
        self.budget = LocalBudget(UNLIMITED)
        self.events = events
        self._patience = patience
        settings = {
            "kind": self.name,
            "url": simulator.url,
            "timeout_seconds": patience or PATIENT,
            "settle_seconds": 60,
            "calls_per_second": UNLIMITED,
        }
        if self.name == "dynamics":
            settings["token_url"] = f"{simulator.url}/{TENANT}/oauth2/v2.0/token"
        config = ErpConfig.model_validate(settings | CONFIGS[self.name])
        transport = None if patience else ImpatientAtOnce()
        self.erp: ErpPort = create_erp(config, "demo", ENVIRON, transport=transport, budget=self.budget, events=events)

    def with_patience(self, seconds: float) -> SimulatedWorld:
        """The same ERP by an adapter of its own that waits, as in production."""
        return SimulatedWorld(self.simulator, self.events, seconds)

    async def books(self) -> dict[str, Any]:
        return await self.simulator.books()

    async def fault(self, **fault: Any) -> None:
        await self.simulator.ask("faults", fault)

    async def heal(self) -> None:
        # Dynamics works its queue off when a case asks for it, at its own pace only for a client that waits.
        queued = {"processing_paused": self._patience is None} if self.name == "dynamics" else {}
        await self.simulator.heal(**queued)
        self.budget.pace = type(self.budget.pace)()

    async def quiet(self) -> None:
        """Dynamics works its queue off and tells of it; the others answer when they are done."""
        # What the budget learned of throttles and silence is in real time; a case has a clock of its own.
        self.budget.pace = type(self.budget.pace)()
        if self.name != "dynamics":
            return
        async with asyncio.timeout(20):
            while (await self._finish())["undelivered"]:  # noqa: ASYNC110 - an endpoint that refuses is asked again
                await asyncio.sleep(0.02)

    async def person_clears_the_way(self) -> None:
        """Before a refused posting is tried again: a failed message blocks its order until somebody cancels it."""
        if self.name != "dynamics":
            return
        for number in (await self._finish())["failed"]:
            await self.simulator.ask("messages", {"id": number, "action": "cancel"})

    async def person_finishes(self, tag: str) -> None:
        """Journals of the case that were made and stayed unposted: no call posts them (reference erp.md 3.3, 3.4)."""
        if self.name != "dynamics":
            return
        for document in (await self.books())["documents"]:
            if not document["posted"] and tag in str(document):
                action = "post_transfer" if document["kind"] == "transfer_journal" else "post_journal"
                await self.simulator.ask("manual", {"action": action, "journal": document["journal"]})

    async def _finish(self) -> dict[str, Any]:
        return await self.simulator.ask("messages", {"action": "finish"})
