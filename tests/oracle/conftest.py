"""A simulated Oracle as a process of its own, its control side, and an adapter pointed at it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from domain.plant_erp import ErpConfig
from erp.oracle import OracleErp, create_oracle

USER, PASSWORD = "MES_TEST", "only-for-this-test"
ORGANIZATION = "M1"
ENVIRON = {
    "ORACLE_USER": USER,
    "ORACLE_PASSWORD": PASSWORD,
    "ORACLE_CLIENT_ID": "mes-client",
    "ORACLE_CLIENT_SECRET": "only-for-this-test-too",
}
REPOSITORY = Path(__file__).resolve().parents[2]
_limits = itertools.count(1000)
"""A limit of its own for each adapter: a budget that one test's throttling closed is not the next one's."""
_numbers = itertools.count(4_000_001)

SETTINGS = {
    "posting_seconds": 0,
    "lock_answer": "line",
    "source_systems": ["PLANTWRIGHT"],
    "open_periods": None,
    "pull_shortage": "pending",
    "reference_searchable": True,
    "background_seconds": None,
    "token_seconds": 3600,
    "page_size": 25,
    "forbidden_resources": [],
}
"""What the simulator is set back to after each test."""


def config_for(url: str, **changes: Any) -> ErpConfig:
    settings: dict[str, Any] = {
        "kind": "oracle",
        "url": url,
        "plant": ORGANIZATION,
        "timeout_seconds": 1.0,
        "settle_seconds": 2.0,
        "calls_per_second": next(_limits),
        "scrap_reasons": {"SCRATCH": "SCRATCH_ORA"},
        "units": {"PC": "EA"},
        "oracle": {"hold_subinventory": "HOLD"},
    }
    return ErpConfig.model_validate(settings | changes)


def order_seed(order: str) -> dict[str, Any]:
    """Three operations, the last one receives; each of the first two consumes one component in proportion."""
    return {
        "order": order,
        "plant": ORGANIZATION,
        "material": "FG-100",
        "quantity": "100",
        "unit": "EA",
        "storage_location": "FG01",
        "sales_order": "SO-1",
        "operations": [
            {
                "operation": "0010",
                "work_centre": "PRESS",
                "resources": [{"code": "PRESS", "usage": "50", "unit": "MIN"}, {"code": "CREW", "type": "LABOR"}],
            },
            {"operation": "0020", "work_centre": "WELD"},
            {"operation": "0030", "work_centre": "INSPECT"},
        ],
        "components": [
            {"material": "RM-1", "required": "200", "unit": "KG", "operation": "0010", "storage_location": "RM01"},
            {"material": "RM-2", "required": "33.333", "unit": "L", "operation": "0020", "storage_location": "RM01"},
        ],
    }


STOCK = [
    {"material": "RM-1", "plant": ORGANIZATION, "storage_location": "RM01", "quantity": "100000", "unit": "KG"},
    {"material": "RM-2", "plant": ORGANIZATION, "storage_location": "RM01", "quantity": "100000", "unit": "L"},
]


@dataclass
class OracleProcess:
    """One running simulator: its address, and its control side that never goes through the REST API."""

    url: str
    control: httpx.AsyncClient

    async def books(self) -> dict[str, Any]:
        return (await self.control.get("/_control/books")).raise_for_status().json()

    async def order(self, order: str) -> dict[str, Any]:
        return next(o for o in (await self.books())["orders"] if o["order"] == order)

    async def operation(self, order: str, operation: str) -> tuple[str, str, str]:
        """Yield, scrap and rework as the books have them."""
        row = next(o for o in (await self.order(order))["operations"] if o["operation"] == operation)
        return row["yield"], row["scrap"], row["rework"]

    async def issued(self, order: str, material: str) -> Decimal:
        rows = (await self.order(order))["components"]
        return Decimal(next(c for c in rows if c["material"] == material)["withdrawn"])

    async def usage(self, order: str, operation: str, slot: str) -> Decimal:
        row = next(o for o in (await self.order(order))["operations"] if o["operation"] == operation)
        return Decimal(row["activities"][slot]["confirmed"])

    async def on_hand(self, material: str, place: str, lot: str = "") -> Decimal:
        rows = (await self.books())["stock"]
        mine = [r for r in rows if (r["material"], r["storage_location"], r["batch"]) == (material, place, lot)]
        return sum((Decimal(row["quantity"]) for row in mine), Decimal(0))

    async def confirmations(self, order: str) -> list[dict[str, Any]]:
        return [d for d in (await self.books())["documents"] if d["kind"] == "confirmation" and d["order"] == order]

    async def seed(self, **document: Any) -> None:
        answer = await self.control.post("/_control/orders", json=document)
        assert answer.status_code < 300, answer.text

    async def seed_order(self, order: str, **changes: Any) -> None:
        """A released order with stock for it."""
        await self.seed(orders=[order_seed(order) | changes], stock=STOCK)

    def adapter(self, **changes: Any) -> OracleErp:
        """An adapter of its own; `changes` go into the [erp] table."""
        return create_oracle(config_for(self.url, **changes), "demo", ENVIRON)

    async def fault(self, mode: str, **options: Any) -> None:
        answer = await self.control.post("/_control/faults", json={"mode": mode, **options})
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
async def running_oracle(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OracleProcess]:
    database = tmp_path_factory.mktemp("oracle") / "books.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulators.oracle",
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
            yield OracleProcess(url, control)
    finally:
        process.terminate()
        await process.wait()


@pytest_asyncio.fixture
async def oracle(running_oracle: OracleProcess) -> AsyncIterator[OracleProcess]:
    """The simulator, healthy at the start and at the end of a test."""
    yield running_oracle
    await running_oracle.heal()
    await running_oracle.settings(**SETTINGS)


@pytest_asyncio.fixture
async def erp(oracle: OracleProcess) -> AsyncIterator[OracleErp]:
    adapter = oracle.adapter()
    yield adapter
    await adapter.aclose()


@pytest.fixture
def order_number() -> str:
    """An order nobody else in the run uses."""
    return str(next(_numbers))


@pytest_asyncio.fixture
async def order(oracle: OracleProcess, order_number: str) -> str:
    """A released order with stock for it."""
    await oracle.seed_order(order_number)
    return order_number
