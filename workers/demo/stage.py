"""All processes of the demo: Temporal with its UI, an ERP, a simulated line, plant worker and edge gateway."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client

from domain.clock import PlantClock
from domain.plant import PlantConfig
from ledger.connect import open_ledger
from ledger.store import SqlLedger
from signals.decisions import PostingMode
from workers.client import connect_temporal
from workers.console_desk import ConsoleDesk
from workers.demo.children import START_SECONDS, Child, StageFailed
from workers.demo.controls import Controls
from workers.demo.erps import erp_for_stage
from workers.demo.people import DemoPeople
from workers.people import People
from workers.plant_file import load_plant
from workers.settings import LEDGER_FILE
from workers.signing_key import load_signing_key
from workers.temporal_server import EmbeddedTemporal

DEFAULTS = files("workers") / "defaults"
PLANT, ORDERS, SCENARIO = "demo.toml", "demo-orders.json", "demo-line.toml"


class Stage:
    """Opened with `set_up`, struck with `strike`. Everything it keeps is in `folder`."""

    plant: PlantConfig
    controls: Controls
    ledger: SqlLedger
    people: DemoPeople
    desk: ConsoleDesk
    clock: PlantClock
    worker: Child
    edge: Child

    def __init__(
        self,
        folder: Path,
        *,
        mode: PostingMode,
        seed: int,
        speed: float,
        say: Callable[[str], None],
        erp: str = "sap",
    ) -> None:
        self.folder = folder
        self.erp = erp_for_stage(erp, folder)
        self.mode = mode
        self.seed_data: dict[str, Any] = json.loads((DEFAULTS / ORDERS).read_text(encoding="utf-8"))
        self.addresses: dict[str, str] = {}
        self._seed = seed
        self.speed = speed
        self._say = say
        self._children: list[Child] = []
        self.temporal = EmbeddedTemporal(folder, progress=say)
        self._environ = dict(os.environ)
        self._client: Client | None = None

    @property
    def plant_id(self) -> str:
        return self.plant.plant.id

    @property
    def orders(self) -> list[str]:
        return [str(order["order"]) for order in self.seed_data["orders"]]

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which the demo's own commands find everything."""
        return dict(self._environ)

    async def set_up(self) -> None:
        """Start everything, in an order in which nobody waits for somebody who is not there. Raises StageFailed."""
        for name in (PLANT, SCENARIO):
            (self.folder / name).write_text((DEFAULTS / name).read_text(encoding="utf-8"), encoding="utf-8")
        self._say("starting the Temporal server")
        await self.temporal.start()
        now = datetime.now(UTC)
        self.clock = PlantClock(wall_epoch=now, plant_epoch=now, factor=self.speed)
        self._environ |= self._surroundings(self.clock)
        self._environ |= self.erp.environ
        self._say(f"starting the {self.erp.title} and the simulated line")
        line = self._child("line", "simulate", "line", "--scenario", str(self.folder / SCENARIO), "--port", "0",
                           "--seed", str(self._seed), "--clock", self.clock.text())  # fmt: skip
        at_erp, at_line = await asyncio.gather(self.erp.start(self._child), line.start())
        self.controls = Controls(at_line["control"], self.erp)
        self._environ |= {**self.erp.environ, "PLANTWRIGHT_OPCUA_ENDPOINT": at_line["endpoint"]}
        self.plant = load_plant(self.folder / PLANT, self._environ)
        await self.erp.seed(self.seed_data, self.plant.erp.zone)
        self._environ |= self.erp.environ
        self.ledger = await open_ledger(self._environ["PLANTWRIGHT_LEDGER_URL"])
        self.desk = ConsoleDesk(
            self.client, self.ledger, {self.plant_id: self.plant}, self.now,
            People(self.ledger, lambda: load_signing_key(self._environ, self.folder)),
        )  # fmt: skip
        self.people = DemoPeople(self.ledger, self.plant_id, self.folder, self._environ, self.desk)
        await self.people.hire()
        self._say("starting the plant worker and the edge gateway")
        common = ("--plant", str(self.folder / PLANT), "--data", str(self.folder))
        self.worker = self._child("worker", "worker", *common, *self.erp.worker_options)
        self.edge = self._child("edge", "edge", *common, "--health-port", "0")
        _, at_edge = await asyncio.gather(self.worker.start(), self.edge.start())
        await self._edge_is_live(at_edge["health"])
        self.addresses = {
            "Temporal UI": self.temporal.ui_url or "",
            "Temporal": self.temporal.address,
            "ERP": at_erp,
            "OPC UA": at_line["endpoint"],
            "folder": str(self.folder),
        }
        self._leave_environment()

    def now(self) -> datetime:
        """Plant time."""
        return self.clock.plant_time(datetime.now(UTC))

    async def client(self) -> Client:
        """The demo's own connection to Temporal, made at its first use."""
        if self._client is None:
            self._client = await connect_temporal(self._environ)
        return self._client

    async def strike(self) -> None:
        """End everything, the last ones first."""
        for child in reversed(self._children):
            await child.stop()
        if hasattr(self, "controls"):
            await self.controls.aclose()
        await self.erp.stop()
        if hasattr(self, "ledger"):
            await self.ledger.close()
        await self.temporal.stop()

    def fallen(self) -> str:
        """Names a process that ended unasked; empty when all that should run do."""
        for child in self._children:
            if not child.running and child is not self.worker:
                return f"{child.name} ended by itself. End of {child.log}:\n{child.log_tail()}"
        return "" if self.temporal.running else f"the Temporal server ended by itself:\n{self.temporal.log_tail()}"

    def _child(self, name: str, *arguments: str) -> Child:
        child = Child(name, arguments, self._environ, self.folder)
        self._children.append(child)
        return child

    def _surroundings(self, clock: PlantClock) -> dict[str, str]:
        local = ",".join(filter(None, (os.environ.get("NO_PROXY", ""), "127.0.0.1", "localhost")))
        return {
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": self.temporal.namespace,
            "PLANTWRIGHT_HOME": str(self.folder),
            "PLANTWRIGHT_LEDGER_URL": f"sqlite:///{self.folder / LEDGER_FILE}",
            "PLANTWRIGHT_CLOCK": clock.text(),
            "PLANTWRIGHT_POSTING_MODE": self.mode.value,
            "NO_PROXY": local,
            "no_proxy": local,
        }

    def _leave_environment(self) -> None:
        """`. FOLDER/environment` lets a second terminal use the same commands on this demo."""
        names = ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "PLANTWRIGHT_HOME", "PLANTWRIGHT_LEDGER_URL",
                 "PLANTWRIGHT_CLOCK", "PLANTWRIGHT_POSTING_MODE", "PLANTWRIGHT_OPCUA_ENDPOINT",
                 *self.erp.environ)  # fmt: skip
        text = "".join(f"export {name}='{self._environ[name]}'\n" for name in names)
        descriptor = os.open(self.folder / "environment", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)

    async def _edge_is_live(self, health: str) -> None:
        """The line may only start when somebody is listening: what was never seen cannot be counted."""
        said: dict[str, Any] = {"lines": {}}
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            for _ in range(int(START_SECONDS * 5)):
                said = (await http.get(health)).json()
                if all(line["session"] == "live" for line in said["lines"].values()):
                    return
                await asyncio.sleep(0.2)
        troubles = "; ".join(f"{name}: {line['session_error']}" for name, line in said["lines"].items())
        raise StageFailed(
            f"the edge gateway does not read the line ({troubles}). End of its log:\n{self.edge.log_tail()}"
        )
