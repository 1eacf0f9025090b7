"""A real Tryton, set up once and shared; every test has an order with materials of its own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.plant_erp import ErpConfig
from erp.budget import LocalBudget
from erp.tryton.adapter import TrytonErp, create_tryton
from signals.documents import ErpDocument, Snapshot
from signals.errors import ErpInDoubt, ErpUnavailable
from signals.transactions import ConfirmProduction, PostingIntent, Transaction
from tests.tryton.wire_faults import FaultyWire
from workers.tryton_orders_file import SeedFile
from workers.tryton_server import TrytonServer

PLANT = "1010"
TODAY = date(2026, 3, 2)
ATTEMPTS = 6
POOL = 40
"""Orders that are seeded at once, one for each test that asks; more are seeded one by one."""
_numbers = itertools.count(8004711)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test also waits for Tryton's installation and set-up."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(480))


def say_nothing(_: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="session")
async def tryton(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TrytonServer]:
    """One Tryton for the session. A test that kills it starts it again."""
    async with TrytonServer(tmp_path_factory.mktemp("tryton"), progress=say_nothing) as server:
        yield server


@pytest.fixture
async def running(tryton: TrytonServer) -> TrytonServer:
    """The shared Tryton, also after a test that killed it and failed."""
    await tryton.start()
    return tryton


class Order:
    """A seeded order: 40 pieces by three operations, one blank for the first, two nuts for the second."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.made, self.blank, self.nut = f"BRACKET-{number}", f"BLANK-{number}", f"NUT-{number}"

    def seed(self, blanks: int = 500) -> SeedFile:
        operations = [
            {"operation": "0010", "text": "Press", "work_centre": "PRESS01"},
            {"operation": "0020", "text": "Weld", "work_centre": "WELD01"},
            {"operation": "0030", "text": "Inspect", "work_centre": "INSP01"},
        ]
        components = [
            {"material": self.blank, "required": 40, "unit": "PC", "operation": "0010", "storage_location": "RM01"},
            {"material": self.nut, "required": 80, "unit": "PC", "operation": "0020", "storage_location": "RM01"},
        ]
        stock = {self.blank: blanks, self.nut: 5000}
        return SeedFile.of(
            {
                "orders": [
                    {
                        "order": self.number, "plant": PLANT, "material": self.made, "quantity": 40, "unit": "PC",
                        "storage_location": "FG01", "operations": operations, "components": components,
                    }
                ],
                "stock": [
                    {"material": m, "plant": PLANT, "storage_location": "RM01", "quantity": q, "unit": "PC"}
                    for m, q in stock.items()
                ],
            }
        )  # fmt: skip

    def confirm(self, operation: str, good: int, scrap: int = 0, **more: Any) -> PostingIntent:
        """A confirmation under a new key."""
        return posting(
            ConfirmProduction(
                plant="demo",
                order=self.number,
                posting_date=TODAY,
                operation=operation,
                yield_quantity=Decimal(good),
                scrap_quantity=Decimal(scrap),
                unit="PC",
                **more,
            )
        )


def posting(transaction: Transaction) -> PostingIntent:
    return PostingIntent(key=uuid4(), transaction=transaction)


@pytest.fixture(scope="session")
async def pool(tryton: TrytonServer) -> list[Order]:
    """Orders that nobody has touched."""
    made = [Order(str(next(_numbers))) for _ in range(POOL)]
    seeds = [order.seed() for order in made]
    orders = tuple(one for seed in seeds for one in seed.orders)
    await tryton.seed(SeedFile(orders=orders, stock=tuple(row for seed in seeds for row in seed.stock)))
    return made


@pytest.fixture
async def order(running: TrytonServer, pool: list[Order]) -> Order:
    if pool:
        return pool.pop()
    order = Order(str(next(_numbers)))
    await running.seed(order.seed())
    return order


class Books:
    """What Tryton's own records say of one order, read past the adapter."""

    def __init__(self, content: dict[str, Any], order: Order) -> None:
        self.content, self._order = content, order
        (self.order,) = content["orders"]

    @property
    def state(self) -> str:
        return self.order["state"]

    def operation(self, number: str) -> dict[str, Any]:
        return next(o for o in self.order["operations"] if o["operation"] == number)

    def withdrawn(self, material: str) -> Decimal:
        return next(Decimal(c["withdrawn"]) for c in self.order["components"] if c["material"] == material)

    def stock(self, material: str) -> Decimal:
        rows = [Decimal(r["quantity"]) for r in self.content["stock"] if r["material"] == material]
        return sum(rows, Decimal(0))

    @property
    def received(self) -> Decimal:
        return Decimal(self.order["items"][0]["received"])

    @property
    def standing(self) -> list[dict[str, Any]]:
        return [d for d in self.content["documents"] if not d["reversed"] and not d["reversal"]]


@pytest.fixture
def books(running: TrytonServer, order: Order) -> Callable[[], Any]:
    """Reads the order's books."""

    async def read() -> Books:
        return Books(await running.books(order.number), order)

    return read


@pytest.fixture
async def connect(running: TrytonServer) -> AsyncIterator[Callable[..., TrytonErp]]:
    """Makes adapters, over a faulty wire where one is given; all are closed at the end."""
    made: list[TrytonErp] = []

    def make(wire: httpx.AsyncBaseTransport | None = None, **changes: Any) -> TrytonErp:
        values = {"kind": "tryton", "url": running.url, "plant": PLANT, "timeout_seconds": 20, **changes}
        erp = create_tryton(ErpConfig(**values), "demo", running.credentials, transport=wire, budget=LocalBudget(500))
        made.append(erp)
        return erp

    yield make
    for erp in made:
        await erp.aclose()


@pytest.fixture
def erp(connect: Callable[..., TrytonErp]) -> TrytonErp:
    return connect()


@pytest.fixture
def wire() -> FaultyWire:
    return FaultyWire()


def no_deadline() -> None:
    """A guard that never stops a posting."""


async def post(erp: TrytonErp, intent: PostingIntent) -> ErpDocument:
    booking = await erp.post(intent, no_deadline)
    assert booking.document is not None
    return booking.document


async def deliver(erp: TrytonErp, intent: PostingIntent, server: TrytonServer | None = None) -> ErpDocument:
    """As the posting procedure does it: look first, post where nothing is found, and again after every failure."""
    for _ in range(ATTEMPTS):
        if server is not None:
            await server.start()
        try:
            found = (await erp.find(intent, Snapshot())).document
            return found or await post(erp, intent)
        except (ErpInDoubt, ErpUnavailable):
            continue
    raise AssertionError("not delivered")
