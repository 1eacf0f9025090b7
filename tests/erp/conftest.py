"""A simulated SAP as a process of its own, its control side, and an adapter pointed at it."""

from __future__ import annotations

import asyncio
import itertools
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

from domain.plant_erp import ControlProfile, ErpConfig
from erp.port import CallBudget, SendGuard
from erp.sap import SapErp, create_sap
from signals.documents import ErpDocument
from signals.orders import ConfirmationMode
from signals.transactions import PostingIntent

USER, PASSWORD = "MES_TEST", "only-for-this-test"
ERP_PLANT = "1010"
ENVIRON = {"SAP_USER": USER, "SAP_PASSWORD": PASSWORD}
PROFILES = {
    "PP01": ControlProfile(),
    "PP03": ControlProfile(automatic_receipt=True),
    "PP05": ControlProfile(confirmation=ConfirmationMode.MILESTONE),
    "PP06": ControlProfile(confirmation=ConfirmationMode.MILESTONE, automatic_receipt=True),
}
_limits = itertools.count(1000)
"""A limit of its own for each adapter: a budget that one test's throttling closed is not the next one's."""
REPOSITORY = Path(__file__).resolve().parents[2]


def config_for(url: str, **changes: Any) -> ErpConfig:
    settings: dict[str, Any] = {
        "kind": "sap",
        "url": url,
        "plant": ERP_PLANT,
        "timeout_seconds": 1.0,
        "settle_seconds": 2.0,
        "calls_per_second": next(_limits),
        "control_profile": PROFILES,
        "scrap_reasons": {"SCRATCH": "0042"},
    }
    return ErpConfig.model_validate(settings | changes)


def order_seed(order: str) -> dict[str, Any]:
    """Three operations, the last one receives; each consumes one component in proportion."""
    return {
        "order": order,
        "plant": ERP_PLANT,
        "material": "FG-100",
        "quantity": "100",
        "unit": "PC",
        "storage_location": "FG01",
        "operations": [
            {"operation": "0010", "work_centre": "PRESS", "control_profile": "PP01"},
            {"operation": "0020", "work_centre": "WELD", "control_profile": "PP01"},
            {"operation": "0030", "work_centre": "INSPECT", "control_profile": "PP03"},
        ],
        "components": [
            {"material": "RM-1", "required": "200", "unit": "KG", "operation": "0010", "storage_location": "RM01"},
            {"material": "RM-2", "required": "33.333", "unit": "L", "operation": "0020", "storage_location": "RM01"},
        ],
    }


STOCK = [
    {"material": "RM-1", "plant": ERP_PLANT, "storage_location": "RM01", "quantity": "100000", "unit": "KG"},
    {"material": "RM-2", "plant": ERP_PLANT, "storage_location": "RM01", "quantity": "100000", "unit": "L"},
]
CONTROL_PROFILES = {
    ERP_PLANT: {
        "PP01": {"confirmation": "required"},
        "PP03": {"confirmation": "required", "automatic_receipt": True},
        "PP05": {"confirmation": "milestone"},
        "PP06": {"confirmation": "milestone", "automatic_receipt": True},
    }
}


def go() -> None:
    """A guard that lets the request go."""


async def book(erp: SapErp, intent: PostingIntent, guard: SendGuard = go) -> ErpDocument:
    """Post, and the document that came of it."""
    document = (await erp.post(intent, guard)).document
    assert document is not None
    return document


async def look(erp: SapErp, intent: PostingIntent) -> ErpDocument | None:
    """What the books show of the intent."""
    return (await erp.find(intent, await erp.snapshot(intent))).document


@dataclass
class SapProcess:
    """One running simulator: its address, and its control side that never goes through the OData API."""

    url: str
    control: httpx.AsyncClient

    async def books(self) -> dict[str, Any]:
        return (await self.control.get("/_control/books")).raise_for_status().json()

    async def documents(self, order: str) -> list[dict[str, Any]]:
        """Confirmations that the ERP believes in, reversed ones and reversals included."""
        books = await self.books()
        return [d for d in books["documents"] if d["kind"] == "confirmation" and d["order"] == order]

    async def standing(self, order: str) -> list[dict[str, Any]]:
        return [d for d in await self.documents(order) if not d["reversed"] and not d["reversal"]]

    async def order(self, order: str) -> dict[str, Any]:
        return next(o for o in (await self.books())["orders"] if o["order"] == order)

    async def seed(self, **document: Any) -> None:
        answer = await self.control.post("/_control/orders", json=document)
        assert answer.status_code < 300, answer.text

    async def seed_order(self, order: str, **changes: Any) -> None:
        """A released order with stock for it."""
        await self.seed(orders=[order_seed(order) | changes], stock=STOCK, control_profiles=CONTROL_PROFILES)

    def adapter(self, *, budget: CallBudget | None = None, **changes: Any) -> SapErp:
        """An adapter of its own; `changes` go into the [erp] table."""
        return create_sap(config_for(self.url, **changes), "demo", ENVIRON, budget=budget)

    async def fault(self, mode: str, **options: Any) -> None:
        """Options that are None are left out."""
        named = {name: value for name, value in options.items() if value is not None}
        answer = await self.control.post("/_control/faults", json={"mode": mode, **named})
        assert answer.status_code < 300, answer.text

    async def heal(self) -> None:
        (await self.control.delete("/_control/faults")).raise_for_status()

    async def settings(self, **change: Any) -> None:
        answer = await self.control.post("/_control/settings", json=change)
        assert answer.status_code < 300, answer.text

    async def by_hand(self, **entry: Any) -> None:
        answer = await self.control.post("/_control/manual", json=entry)
        assert answer.status_code < 300, answer.text


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_sap(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SapProcess]:
    database = tmp_path_factory.mktemp("sap") / "books.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulators.sap",
        "--port",
        "0",
        "--db",
        str(database),
        cwd=REPOSITORY,
        env={**os.environ, **ENVIRON},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert line.startswith("ready "), line
        url = json.loads(line.removeprefix("ready "))["url"]
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as control:
            yield SapProcess(url, control)
    finally:
        process.terminate()
        await process.wait()


@pytest_asyncio.fixture
async def sap(running_sap: SapProcess) -> AsyncIterator[SapProcess]:
    """The simulator, healthy at the start and at the end of a test."""
    yield running_sap
    await running_sap.heal()
    await running_sap.settings(
        lock_answer="423",
        posting_seconds=0,
        goods_movement_delay_seconds=0,
        open_periods=None,
        page_size=100,
        repeatability=False,
        repeatability_seconds=3600,
        client="100",
        time_zone="UTC",
        inactive_services=[],
        forbidden_services=[],
    )


@pytest_asyncio.fixture
async def erp(sap: SapProcess) -> AsyncIterator[SapErp]:
    adapter = sap.adapter()
    yield adapter
    await adapter.aclose()


_numbers = itertools.count(4_000_001)


@pytest.fixture
def order_number() -> str:
    """An order nobody else in the run uses."""
    return str(next(_numbers))


@pytest_asyncio.fixture
async def order(sap: SapProcess, order_number: str) -> str:
    """A released order with stock for it."""
    await sap.seed_order(order_number)
    return order_number
