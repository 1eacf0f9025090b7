"""The simulated ERP of a replay: a process of its own, seeded with the profile's orders, asked for its books."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from workers.child_process import dies_with_parent
from workers.profile import OrderTemplate, ReplayProfile

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
    """A simulated SAP as a child process; its control side is asked beside its OData services."""

    def __init__(self, db: Path) -> None:
        self._db = db
        self.environ = {"SAP_USER": "REPLAY", "SAP_PASSWORD": secrets.token_urlsafe(12)}
        self.url = ""
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[bytes] | None = None

    async def __aenter__(self) -> ReplayErp:
        command = [sys.executable, "-m", "simulators.sap", "--port", "0", "--db", str(self._db)]
        self._process = await asyncio.create_subprocess_exec(
            *dies_with_parent(command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=os.environ | self.environ,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            line = (await self._process.stdout.readline()).decode()
        if not line.startswith("ready "):
            raise RuntimeError(f"the simulated SAP did not start; it said {line!r}")
        self.url = json.loads(line.removeprefix("ready "))["url"]
        self._drain = asyncio.create_task(self._process.stdout.read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
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
        if not seed["orders"]:
            return
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            answer = await client.post("/_control/orders", json=seed)
            if answer.is_error:
                raise RuntimeError(f"the simulated SAP refused its orders: {answer.text}")

    async def books(self) -> dict[str, Any]:
        """What the ERP believes."""
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as client:
            answer = await client.get("/_control/books")
            answer.raise_for_status()
            return answer.json()
