"""The simulated ERP of a replay: a process of its own, seeded with the profile's orders, asked for its books."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from domain.plant_erp import ErpConfig
from workers.child_process import dies_with_parent
from workers.profile import OrderTemplate, ReplayProfile
from workers.simulated_erp import ErpControl

START_SECONDS = 30.0
ERP_PLANT = "1010"
PROFILE = "PP02"


def orders_seed(profile: ReplayProfile) -> dict[str, Any]:
    """Orders, stock and control profiles for `POST /_control/orders`, one order per order number of the profile."""
    by_order: dict[str, list[OrderTemplate]] = {}
    for template in profile.orders:
        by_order.setdefault(template.order, []).append(template)
    orders = [_order(name, sorted(t, key=lambda o: o.routing_operation)) for name, t in sorted(by_order.items())]
    needed = {(c.material, c.unit, c.storage_location) for t in profile.orders for c in t.components}
    stock = [
        {"material": m, "plant": ERP_PLANT, "storage_location": s or "RM01", "quantity": "1000000", "unit": u}
        for m, u, s in sorted(needed)
    ]
    profiles = {PROFILE: {"confirmation": "required", "automatic_receipt": True}, "PP01": {"confirmation": "required"}}
    return {"orders": orders, "stock": stock, "control_profiles": {ERP_PLANT: profiles}}


def _order(name: str, templates: list[OrderTemplate]) -> dict[str, Any]:
    last = templates[-1]
    return {
        "order": name,
        "plant": ERP_PLANT,
        "material": last.material,
        "quantity": str(last.quantity),
        "unit": last.unit,
        "storage_location": "FG01",
        "operations": [
            {
                "operation": t.routing_operation,
                "text": t.text,
                "work_centre": t.work_centre,
                "control_profile": PROFILE if t is last else "PP01",
                "unit": t.unit,
            }
            for t in templates
        ],
        "components": [
            {
                "material": c.material,
                "required": str(c.per_piece * t.quantity),
                "unit": c.unit,
                "operation": t.routing_operation,
                "storage_location": c.storage_location or "RM01",
            }
            for t in templates
            for c in t.components
        ],
    }


class ReplayErp:
    """A simulated ERP as a child process, with its control side."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.control = ErpControl(kind)
        self._kind = kind
        self._db = folder / f"{kind}.sqlite"
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """The secrets that the adapter needs."""
        return self.control.environ

    @property
    def config(self) -> ErpConfig:
        """The plant's `[erp]` table."""
        return ErpConfig.model_validate(
            {
                "kind": self._kind,
                "url": self.control.url,
                "token_url": self.control.token_url,
                "plant": ERP_PLANT,
                "timeout_seconds": 10,
                "settle_seconds": 5,
                "calls_per_second": 200,
            }
        )

    async def __aenter__(self) -> ReplayErp:
        command = [sys.executable, "-m", f"simulators.{self._kind}", "--port", "0", "--db", str(self._db)]
        self._process = await asyncio.create_subprocess_exec(
            *dies_with_parent(command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=os.environ | self.environ,
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = (await self._process.stdout.readline()).decode()
            if not line.startswith("ready "):
                raise RuntimeError(f"the simulated {self._kind} did not start; it said {line!r}")
        except BaseException:
            await self._stop()
            raise
        self.control.url = json.loads(line.removeprefix("ready "))["url"]
        self._drain = asyncio.create_task(self._process.stdout.read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        await self.control.aclose()
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._drain is not None:
            await self._drain

    async def seed(self, seed: dict[str, Any]) -> None:
        """Put orders and stock into its books; nothing to do for a profile without orders."""
        if seed["orders"]:
            await self.control.seed(seed)

    async def books(self) -> dict[str, Any]:
        """What the ERP believes."""
        return await self.control.books()
