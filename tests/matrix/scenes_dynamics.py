"""Dynamics' scenes: every transaction that its adapter supports, on an order and materials of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from signals.bookings import ActivityAmount, ComponentUse, TransactionType
from signals.documents import Booking, ErpDocument
from signals.quality import CharacteristicResult
from signals.stock import MaterialPosition
from signals.transactions import (
    AdjustCapacity,
    CloseDowntime,
    CloseOrder,
    ConfirmProduction,
    IssueComponents,
    MoveStock,
    OpenDowntime,
    PlaceHold,
    PostingIntent,
    RecordInspection,
    RecordNonconformance,
    ReleaseHold,
    ReportTime,
    StartOrder,
    Transaction,
)
from tests.matrix.harness import Scene

SITE, WAREHOUSE, CALENDAR = "1", "WH1", "MATRIX"
CONFIG: dict[str, Any] = {
    "plant": SITE,
    "machine_activity": 1,
    "dynamics": {
        "company": "USMF",
        "hold_disposition": "Blocked",
        "warehouse": WAREHOUSE,
        "pending_seconds": 300,
        "calendars": {"PRESS": CALENDAR},
        "nonconformance_entity": "InventNonConformance",
        "closed_state": "Finished",
    },
}
SETTINGS: dict[str, Any] = {
    "processing_paused": False,
    "batch_seconds": 0.02,
    "event_retry_seconds": 0.05,
    "event_loss": {"probability": 0},
    "event_duplicates": {"probability": 0},
    "picking_list_version": "new",
    "journal_post_action": False,
    "journal_autopost": True,
    "public_entities": ["InventNonConformance"],
    "open_periods": None,
}


def today() -> date:
    return datetime.now(UTC).date()


async def seed(world: Any, tag: str) -> None:
    """An order with a flushed and a picked component; stock of both, of material to move and of a batch."""
    component = {"unit": "KG", "operation": "0010", "storage_location": WAREHOUSE}
    order = {
        "order": tag,
        "plant": SITE,
        "material": f"F{tag}",
        "quantity": "100",
        "unit": "PC",
        "storage_location": WAREHOUSE,
        "operations": [
            {"operation": "0010", "work_centre": "PRESS", "activities": {"1": {"planned": "100", "unit": "MIN"}}},
            {"operation": "0020", "work_centre": "PACK"},
        ],
        "components": [
            {**component, "material": f"A{tag}", "required": "200"},
            {**component, "material": f"C{tag}", "required": "100", "flushing": "Manual"},
        ],
    }
    raw = {"plant": SITE, "storage_location": WAREHOUSE, "unit": "KG"}
    await world.simulator.seed(
        orders=[order],
        stock=[
            {**raw, "material": f"A{tag}", "quantity": "1000"},
            {**raw, "material": f"C{tag}", "quantity": "1000"},
            {**raw, "material": f"X{tag}", "quantity": "100"},
            {**raw, "material": f"L{tag}", "quantity": "30", "batch": f"LOT{tag}"},
        ],
    )


def common(order: str) -> dict[str, Any]:
    return {"plant": "demo", "order": order, "posting_date": today()}


async def act(world: Any, transaction: Transaction) -> ErpDocument:
    """Something that must have happened before."""
    intent = PostingIntent(key=uuid4(), transaction=transaction)
    before = (await world.erp.snapshot(intent)).model_copy(update={"sent_at": datetime.now(UTC)})
    booking: Booking = await world.erp.post(intent, lambda: None)
    if booking.document is None:
        await world.quiet()
        booking = await world.erp.find(intent, before.model_copy(update={"accepted": True}))
    assert booking.document is not None, booking
    return booking.document


async def begin(world: Any, tag: str) -> None:
    """A person has started the order."""
    await world.simulator.ask("manual", {"action": "start", "order": tag})


def confirmed(tag: str, **changes: Any) -> ConfirmProduction:
    fields = {
        "operation": "0010",
        "yield_quantity": Decimal(5),
        "unit": "PC",
        "ended_at": datetime.now(UTC),
    }
    return ConfirmProduction(**common(tag), **(fields | changes))


async def confirm(world: Any, tag: str) -> Transaction:
    return confirmed(tag)


async def scrap(world: Any, tag: str) -> Transaction:
    return confirmed(tag, yield_quantity=Decimal(0), scrap_quantity=Decimal(2))


async def timed(world: Any, tag: str) -> Transaction:
    amounts = (ActivityAmount(slot=1, amount=Decimal(4), unit="MIN"),)
    return confirmed(tag, scrap_quantity=Decimal(1), activities=amounts)


async def finish(world: Any, tag: str) -> Transaction:
    return confirmed(tag, operation="0020")


async def start(world: Any, tag: str) -> Transaction:
    return StartOrder(**common(tag), started_at=datetime.now(UTC))


async def issue(world: Any, tag: str) -> Transaction:
    await begin(world, tag)
    line = ComponentUse(material=f"C{tag}", quantity=Decimal(5), unit="KG", storage_location=WAREHOUSE)
    return IssueComponents(**common(tag), operation="0010", lines=(line,))


async def time(world: Any, tag: str) -> Transaction:
    await begin(world, tag)
    amounts = (ActivityAmount(slot=1, amount=Decimal(30), unit="MIN"),)
    return ReportTime(**common(tag), operation="0010", activities=amounts)


async def move(world: Any, tag: str) -> Transaction:
    return MoveStock(
        **common(""),
        material=f"X{tag}",
        quantity=Decimal(7),
        unit="KG",
        from_location=WAREHOUSE,
        to_location="WH2",
    )


def held(tag: str, kind: type, **changes: Any) -> Any:
    fields = {
        "hold": f"H{tag}",
        "material": f"X{tag}",
        "quantity": Decimal(9),
        "unit": "KG",
        "position": MaterialPosition.UNRESTRICTED,
        "storage_location": WAREHOUSE,
    }
    return kind(**common(""), **(fields | changes))


def held_batch(tag: str, kind: type) -> Any:
    batch = {"material": f"L{tag}", "batch": f"LOT{tag}", "position": MaterialPosition.BATCH, "quantity": Decimal(30)}
    return held(tag, kind, **batch)


async def hold(world: Any, tag: str) -> Transaction:
    return held(tag, PlaceHold)


async def release(world: Any, tag: str) -> Transaction:
    await act(world, held(tag, PlaceHold))
    return held(tag, ReleaseHold, quantity=Decimal(4))


async def hold_batch(world: Any, tag: str) -> Transaction:
    return held_batch(tag, PlaceHold)


async def release_batch(world: Any, tag: str) -> Transaction:
    await act(world, held_batch(tag, PlaceHold))
    return held_batch(tag, ReleaseHold)


async def inspect(world: Any, tag: str) -> Transaction:
    body = {
        "QualityOrderPolicyType": "Inventory",
        "ItemNumber": f"X{tag}",
        "InventoryQuantity": 5,
        "InventorySiteId": SITE,
        "WarehouseId": WAREHOUSE,
    }
    made = await world.erp._client.create("QualityOrderHeaders", body, lambda: None)
    results = (CharacteristicResult(characteristic="10/DIAMETER", value="9.98", passed=True),)
    number = made["QualityOrderNumber"]
    return RecordInspection(
        **common(""), inspection=f"I{tag}", inspection_lot=number, material=f"X{tag}", results=results
    )


async def nonconformance(world: Any, tag: str) -> Transaction:
    return RecordNonconformance(
        **common(""),
        nonconformance=f"N{tag}",
        material=f"X{tag}",
        quantity=Decimal(2),
        unit="KG",
        defect="SCRATCH",
        text=f"crack {tag}",
    )


def opened(tag: str) -> OpenDowntime:
    began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    return OpenDowntime(**common(""), stop=f"S{tag}", asset=f"EQ{tag}", started_at=began, breakdown=True, text="jam")


async def open_downtime(world: Any, tag: str) -> Transaction:
    return opened(tag)


async def close_downtime(world: Any, tag: str) -> Transaction:
    stop = opened(tag)
    number = (await act(world, stop)).document
    return CloseDowntime(
        **common(""),
        stop=f"S{tag}",
        asset=f"EQ{tag}",
        notification=number,
        started_at=stop.started_at,
        ended_at=stop.started_at + timedelta(minutes=30),
    )


async def capacity(world: Any, tag: str) -> Transaction:
    day = datetime(2027, 1, 1, 6, tzinfo=UTC) + timedelta(days=int(tag) % 9000)
    body = {"WorkCalendarId": CALENDAR, "CalendarDate": f"{day:%Y-%m-%d}T12:00:00Z"}
    await world.erp._client.create("WorkCalendarDays", body, lambda: None)
    return AdjustCapacity(
        **common(""),
        change=f"K{tag}",
        work_centre="PRESS",
        starts_at=day,
        ends_at=day + timedelta(hours=8),
        available_percent=Decimal(50),
    )


async def close(world: Any, tag: str) -> Transaction:
    """A person has reported all of it as finished."""
    await begin(world, tag)
    for operation in ("0010", "0020"):
        entry = {"order": tag, "operation": operation, "yield": "100", "final": True}
        await world.simulator.ask("manual", entry)
    return CloseOrder(**common(tag))


def _scene(name: str, kind: TransactionType, make: Callable[[Any, str], Awaitable[Transaction]]) -> Scene:
    async def build(world: Any, tag: str) -> Transaction:
        await seed(world, tag)
        return await make(world, tag)

    return Scene(name, kind, build)


T = TransactionType
SCENES = (
    _scene("start", T.START_ORDER, start),
    _scene("confirmation", T.CONFIRM_PRODUCTION, confirm),
    _scene("scrap", T.CONFIRM_PRODUCTION, scrap),
    _scene("timed", T.CONFIRM_PRODUCTION, timed),
    _scene("finish", T.CONFIRM_PRODUCTION, finish),
    _scene("issue", T.ISSUE_COMPONENTS, issue),
    _scene("time", T.REPORT_TIME, time),
    _scene("transfer", T.MOVE_STOCK, move),
    _scene("hold", T.PLACE_HOLD, hold),
    _scene("release", T.RELEASE_HOLD, release),
    _scene("batch_hold", T.PLACE_HOLD, hold_batch),
    _scene("batch_release", T.RELEASE_HOLD, release_batch),
    _scene("inspection", T.RECORD_INSPECTION, inspect),
    _scene("nonconformance", T.RECORD_NONCONFORMANCE, nonconformance),
    _scene("downtime", T.OPEN_DOWNTIME, open_downtime),
    _scene("downtime_end", T.CLOSE_DOWNTIME, close_downtime),
    _scene("capacity", T.ADJUST_CAPACITY, capacity),
    _scene("close", T.CLOSE_ORDER, close),
)
