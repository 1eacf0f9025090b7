"""A simulated Dynamics as a process of its own, our event endpoint that it calls, and an adapter pointed at it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import pytest_asyncio

from domain.plant_erp import ErpConfig
from erp.dynamics import DynamicsErp, create_dynamics
from erp.port import ErpEvents
from ledger.connect import open_ledger
from ledger.erp_events import ErpEventBooks
from signals.documents import Booking, Snapshot
from signals.ids import posting_key
from signals.transactions import ConfirmProduction, PostingIntent, StartOrder, Transaction
from workers.erp_events import PlantEvents, serve_events

CLIENT_ID, CLIENT_SECRET = "0f1e2d3c-0000-4000-8000-0123456789ab", "only-for-this-test"
TENANT = "plantwright.onmicrosoft.com"
ENVIRON = {
    "DYNAMICS_CLIENT_ID": CLIENT_ID,
    "DYNAMICS_CLIENT_SECRET": CLIENT_SECRET,
    "DYNAMICS_TENANT": TENANT,
}
SITE, PLANT, SECRET = "1", "demo", "a-shared-secret"
TODAY = datetime.now(UTC).date()
REPOSITORY = Path(__file__).resolve().parents[2]
Found = TypeVar("Found")

_limits = itertools.count(5000)
"""A limit of its own for each adapter: a budget that one test's throttling closed is not the next one's."""
_keys = itertools.count(1)


def config_for(url: str, options: dict[str, Any] | None = None, **changes: Any) -> ErpConfig:
    own = {
        "company": "USMF",
        "hold_disposition": "Blocked",
        "warehouse": "WH1",
        "pending_seconds": 5,
        "task_types": {"2": "Setup", "3": "Process"},
        "closed_state": "Finished",
    }
    settings: dict[str, Any] = {
        "kind": "dynamics",
        "url": url,
        "plant": SITE,
        "token_url": f"{url}/{TENANT}/oauth2/v2.0/token",
        "timeout_seconds": 2.0,
        "settle_seconds": 1.0,
        "calls_per_second": next(_limits),
        "machine_activity": 1,
        "scrap_reasons": {"SCRATCH": "Machine", "CRACK": "Material"},
        "units": {"KGM": "KG"},
        "dynamics": own | (options or {}),
    }
    return ErpConfig.model_validate(settings | changes)


def order_seed(order: str) -> dict[str, Any]:
    """Three operations. RM-1 is flushed at finish, RM-2 by its route card, RM-3 at the start, LOT-1 is told by hand."""
    return {
        "order": order,
        "plant": SITE,
        "material": "FG-100",
        "quantity": "100",
        "unit": "PC",
        "storage_location": "WH1",
        "operations": [
            {"operation": "0010", "work_centre": "PRESS", "activities": {"1": {"planned": "100", "unit": "MIN"}}},
            {"operation": "0020", "work_centre": "WELD"},
            {"operation": "0030", "work_centre": "INSPECT"},
        ],
        "components": [
            {"material": "RM-1", "required": "200", "unit": "KG", "operation": "0010", "storage_location": "WH1"},
            {
                "material": "RM-2",
                "required": "33.333",
                "unit": "L",
                "operation": "0020",
                "storage_location": "WH1",
                "at_operation": True,
            },
            {
                "material": "RM-3",
                "required": "100",
                "unit": "PC",
                "operation": "0010",
                "storage_location": "WH1",
                "flushing": "Start",
            },
            {
                "material": "LOT-1",
                "required": "100",
                "unit": "PC",
                "operation": "0020",
                "storage_location": "WH1",
                "flushing": "Manual",
                "batch_managed": True,
            },
        ],
    }


STOCK = [
    {"material": "RM-1", "plant": SITE, "storage_location": "WH1", "quantity": "100000", "unit": "KG"},
    {"material": "RM-2", "plant": SITE, "storage_location": "WH1", "quantity": "100000", "unit": "L"},
    {"material": "RM-3", "plant": SITE, "storage_location": "WH1", "quantity": "100000", "unit": "PC"},
    {"material": "LOT-1", "plant": SITE, "storage_location": "WH1", "quantity": "1000", "unit": "PC", "batch": "B1"},
    {"material": "LOT-1", "plant": SITE, "storage_location": "WH1", "quantity": "1000", "unit": "PC", "batch": "B2"},
]
AS_NEW: dict[str, Any] = {
    "business_event_endpoints": [],
    "processing_paused": False,
    "batch_seconds": 0.05,
    "event_retry_seconds": 0.05,
    "event_loss": {"probability": 0},
    "event_duplicates": {"probability": 0},
    "picking_list_version": "new",
    "unknown_members": "ignore",
    "negative_quantities": "refuse",
    "journal_post_action": False,
    "journal_autopost": True,
    "token_seconds": 3599,
    "secret_expired": False,
    "registered_apps": None,
    "unregistered_answer": 401,
    "public_entities": [],
    "open_periods": None,
    "language": "en-us",
    "page_size": 10_000,
    "quality_validation": "person",
    "send_message_body": "",
}


async def until(look: Callable[[], Awaitable[Found]], is_there: Callable[[Found], bool], seconds: float = 15) -> Found:
    """The first look that shows what is waited for; the last one where the time is over."""
    async with asyncio.timeout(seconds):
        while True:
            found = await look()
            if is_there(found):
                return found
            await asyncio.sleep(0.03)


@dataclass
class DynamicsProcess:
    """One running simulator: its address, and its control side that never goes through its services."""

    url: str
    control: httpx.AsyncClient
    made: list[DynamicsErp] = field(default_factory=list)

    def adapter(
        self, options: dict[str, Any] | None = None, events: ErpEvents | None = None, **changes: Any
    ) -> DynamicsErp:
        """An adapter of its own; `options` go into [erp.dynamics], `changes` into [erp]."""
        erp = create_dynamics(config_for(self.url, options, **changes), PLANT, ENVIRON, events=events)
        self.made.append(erp)
        return erp

    async def books(self, order: str = "") -> dict[str, Any]:
        query = {"order": order} if order else {}
        return (await self.control.get("/_control/books", params=query)).raise_for_status().json()

    async def documents(self, order: str, kind: str = "") -> list[dict[str, Any]]:
        return [d for d in (await self.books(order))["documents"] if kind in ("", d["kind"])]

    async def order(self, order: str) -> dict[str, Any]:
        return next(o for o in (await self.books(order))["orders"] if o["order"] == order)

    async def seed(self, **document: Any) -> None:
        answer = await self.control.post("/_control/orders", json=document)
        assert answer.status_code < 300, answer.text

    async def seed_order(self, order: str, **changes: Any) -> None:
        await self.seed(orders=[order_seed(order) | changes], stock=STOCK)

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

    async def messages(self, order: str) -> list[dict[str, Any]]:
        answer = await self.control.get("/_control/messages", params={"order": order})
        return answer.raise_for_status().json()["messages"]

    async def on_message(self, action: str, number: int | None = None) -> None:
        body = {"action": action} | ({"id": number} if number is not None else {})
        answer = await self.control.post("/_control/messages", json=body)
        assert answer.status_code < 300, answer.text

    async def delivered(self, order: str) -> bool:
        """Whether every event about the order's messages that was not lost has reached the endpoint."""
        told = (await self.control.get("/_control/events")).raise_for_status().json()["events"]
        about = [e for e in told if order in json.dumps(e["event"]) and not e["lost"]]
        return all(d["delivered"] for e in about for d in e["deliveries"])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_dynamics(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DynamicsProcess]:
    database = tmp_path_factory.mktemp("dynamics") / "books.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "simulators.dynamics", "--port", "0", "--db", str(database)),
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
            yield DynamicsProcess(url, control)
    finally:
        process.terminate()
        await process.wait()


@pytest_asyncio.fixture
async def dynamics(running_dynamics: DynamicsProcess) -> AsyncIterator[DynamicsProcess]:
    """The simulator, as new at the start of a test but for its books."""
    await running_dynamics.heal()
    await running_dynamics.settings(**AS_NEW)
    yield running_dynamics
    await running_dynamics.heal()
    await running_dynamics.settings(**AS_NEW)
    for erp in running_dynamics.made:
        await erp.aclose()
    running_dynamics.made.clear()


@dataclass
class Endpoint:
    """Our event endpoint as it runs, and the plant's events behind it."""

    url: str
    books: ErpEventBooks
    events: PlantEvents


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_endpoint(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Endpoint]:
    ledger = await open_ledger(f"sqlite:///{tmp_path_factory.mktemp('events') / 'ledger.db'}")
    books = ErpEventBooks(ledger._db)
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_events(books, [PLANT], SECRET, 0, on_ready=address.set_result))
    try:
        url = await asyncio.wait_for(address, 10)
        yield Endpoint(url, books, PlantEvents(books, PLANT))
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await ledger.close()


@pytest_asyncio.fixture
async def endpoint(running_endpoint: Endpoint, dynamics: DynamicsProcess) -> Endpoint:
    """The endpoint, subscribed to the simulator's business events."""
    await dynamics.settings(
        business_event_endpoints=[f"{running_endpoint.url}/{PLANT}"],
        business_event_secret=SECRET,
        business_event_secret_header="x-plantwright-secret",
    )
    return running_endpoint


@pytest.fixture
def erp(dynamics: DynamicsProcess) -> DynamicsErp:
    """An adapter that gets no events."""
    return dynamics.adapter()


@pytest.fixture
def hearing(dynamics: DynamicsProcess, endpoint: Endpoint) -> DynamicsErp:
    """An adapter that gets events."""
    return dynamics.adapter(events=endpoint.events)


_numbers = itertools.count(1)


@pytest.fixture
def order_number() -> str:
    return f"PW{os.getpid() % 10000:04d}{next(_numbers):05d}"


@pytest_asyncio.fixture
async def order(dynamics: DynamicsProcess, order_number: str) -> str:
    """A released order with stock for it."""
    await dynamics.seed_order(order_number)
    return order_number


@pytest_asyncio.fixture
async def started(dynamics: DynamicsProcess, order: str) -> str:
    """An order that a person has started."""
    await dynamics.by_hand(action="start", order=order)
    return order


# --- postings --------------------------------------------------------------------------------------------------------


def intent_for(transaction: Transaction) -> PostingIntent:
    """An intent with a key nobody else in the run has."""
    subject = transaction.order or transaction.lane
    key = posting_key(PLANT, subject, transaction.operation, transaction.type.value, [f"r{next(_keys)}"], 0)
    return PostingIntent(key=key, transaction=transaction)


def confirmation(order: str, operation: str = "0030", good: str = "5", scrap: str = "0", **more: Any) -> PostingIntent:
    fields: dict[str, Any] = {
        "plant": PLANT,
        "order": order,
        "operation": operation,
        "posting_date": TODAY,
        "yield_quantity": Decimal(good),
        "scrap_quantity": Decimal(scrap),
        "unit": "PC",
        "ended_at": datetime.now(UTC),
    }
    return intent_for(ConfirmProduction(**(fields | more)))


def start_of(order: str, day: date = TODAY) -> PostingIntent:
    return intent_for(StartOrder(plant=PLANT, order=order, posting_date=day, started_at=datetime.now(UTC)))


def free() -> None:
    """A guard that lets everything pass."""


async def before_sending(erp: DynamicsErp, intent: PostingIntent) -> Snapshot:
    """What the procedure writes down before bytes leave."""
    snapshot = await erp.snapshot(intent)
    return snapshot.model_copy(update={"sent_at": datetime.now(UTC)})


async def send(erp: DynamicsErp, intent: PostingIntent) -> Snapshot:
    """Send a message that Dynamics accepts."""
    before = await before_sending(erp, intent)
    booking = await erp.post(intent, free)
    assert booking.pending
    return before.model_copy(update={"accepted": True, "receipt": booking.receipt})


async def settled(erp: DynamicsErp, intent: PostingIntent, before: Snapshot) -> Booking:
    """Until the books, the journals or the events say something final of it."""
    return await until(lambda: erp.find(intent, before), lambda b: bool(b.document or b.refused or b.unknowable))


async def booked(erp: DynamicsErp, intent: PostingIntent) -> Booking:
    """Send it and wait for it to show."""
    booking = await settled(erp, intent, await send(erp, intent))
    assert booking.document is not None, booking
    return booking
