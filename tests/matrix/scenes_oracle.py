"""Oracle's scenes: every transaction that its adapter supports, on an order and materials of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from signals.bookings import ActivityAmount, ComponentUse, TransactionType
from signals.documents import ErpDocument
from signals.quality import CharacteristicResult, Disposition, DispositionKind
from signals.stock import MaterialPosition
from signals.transactions import (
    AdjustCapacity,
    CloseDowntime,
    CloseOrder,
    CompleteOrder,
    ConfirmProduction,
    DecideInspection,
    IssueComponents,
    MoveStock,
    OpenDowntime,
    PlaceHold,
    PostingIntent,
    ReceiveGoods,
    RecordInspection,
    RecordNonconformance,
    ReleaseHold,
    ReportTime,
    ReturnComponents,
    StartOrder,
    Transaction,
)
from tests.matrix.harness import Scene

DAY, NOON = date(2026, 11, 22), datetime(2026, 11, 22, 12, tzinfo=UTC)
ORGANIZATION = "M1"
CONFIG: dict[str, Any] = {"plant": ORGANIZATION, "oracle": {"hold_subinventory": "HOLD"}}
SETTINGS: dict[str, Any] = {
    "posting_seconds": 0,
    "lock_answer": "line",
    "source_systems": ["PLANTWRIGHT"],
    "open_periods": None,
    "pull_shortage": "pending",
    "reference_searchable": True,
    "background_seconds": None,
}


async def seed(world: Any, tag: str, **changes: Any) -> None:
    """An order with a pulled, a pushed and a lot-controlled component; stock of all, and of material to move."""
    component = {"unit": "KG", "operation": "0010", "storage_location": "RM01"}
    order = {
        "order": tag,
        "plant": ORGANIZATION,
        "material": f"F{tag}",
        "quantity": "100",
        "unit": "PC",
        "storage_location": "FG01",
        "operations": [
            {
                "operation": "0010",
                "work_centre": f"W{tag}",
                "resources": [{"code": f"W{tag}", "usage": "50", "unit": "MIN"}],
            },
            {"operation": "0020", "work_centre": f"W{tag}"},
        ],
        "components": [
            {**component, "material": f"A{tag}", "required": "200"},
            {**component, "material": f"C{tag}", "required": "100", "backflush": False},
        ],
    }
    raw = {"plant": ORGANIZATION, "storage_location": "RM01", "unit": "KG"}
    await world.simulator.seed(
        orders=[order | changes],
        stock=[
            {**raw, "material": f"A{tag}", "quantity": "1000"},
            {**raw, "material": f"C{tag}", "quantity": "1000"},
            {**raw, "material": f"X{tag}", "quantity": "100"},
            {**raw, "material": f"L{tag}", "quantity": "30", "batch": f"LOT{tag}"},
        ],
    )


def common(order: str) -> dict[str, Any]:
    return {"plant": "demo", "order": order, "posting_date": DAY}


async def act(world: Any, transaction: Transaction) -> ErpDocument:
    """Something that must have happened before."""
    intent = PostingIntent(key=uuid4(), transaction=transaction)
    before = await world.erp.snapshot(intent)
    booking = await world.erp.post(intent, lambda: None)
    if booking.document is None:
        booking = await world.erp.find(intent, before)
    assert booking.document is not None, booking
    return booking.document


def use(tag: str, quantity: str) -> ComponentUse:
    return ComponentUse(material=f"C{tag}", quantity=Decimal(quantity), unit="KG", storage_location="RM01")


def held(tag: str, kind: type, **changes: Any) -> Any:
    fields = {
        "hold": f"H{tag}",
        "material": f"X{tag}",
        "quantity": Decimal(9),
        "unit": "KG",
        "position": MaterialPosition.UNRESTRICTED,
        "storage_location": "RM01",
    }
    return kind(**common(""), **(fields | changes))


def held_lot(tag: str, kind: type) -> Any:
    lot = {"material": f"L{tag}", "batch": f"LOT{tag}", "position": MaterialPosition.BATCH, "quantity": Decimal(30)}
    return held(tag, kind, **lot)


def confirmed(tag: str, **changes: Any) -> ConfirmProduction:
    fields = {"operation": "0010", "yield_quantity": Decimal(5), "unit": "PC"}
    return ConfirmProduction(**common(tag), **(fields | changes))


def opened(tag: str) -> OpenDowntime:
    return OpenDowntime(**common(""), stop=f"S{tag}", asset=f"W{tag}", started_at=NOON, breakdown=True, text="jam")


def inspected(tag: str) -> RecordInspection:
    result = CharacteristicResult(characteristic="Length", value="12.03", unit="MM", passed=True, measured_at=NOON)
    return RecordInspection(
        **common(tag),
        operation="0010",
        inspection=f"I{tag}",
        material=f"F{tag}",
        quantity=Decimal(3),
        unit="PC",
        results=(result,),
    )


async def confirm(world: Any, tag: str) -> Transaction:
    return confirmed(tag)


async def scrap(world: Any, tag: str) -> Transaction:
    return confirmed(tag, yield_quantity=Decimal(0), scrap_quantity=Decimal(2))


async def rework(world: Any, tag: str) -> Transaction:
    return confirmed(tag, yield_quantity=Decimal(0), rework_quantity=Decimal(2))


async def mixed(world: Any, tag: str) -> Transaction:
    amounts = (ActivityAmount(slot=1, amount=Decimal(4), unit="MIN"),)
    return confirmed(tag, scrap_quantity=Decimal(1), rework_quantity=Decimal(1), activities=amounts)


async def start(world: Any, tag: str) -> Transaction:
    await seed(world, f"{tag}9", status=["CRTD"])
    return StartOrder(**common(f"{tag}9"), started_at=NOON)


async def issue(world: Any, tag: str) -> Transaction:
    return IssueComponents(**common(tag), operation="0010", lines=(use(tag, "5"),))


async def give_back(world: Any, tag: str) -> Transaction:
    await act(world, IssueComponents(**common(tag), operation="0010", lines=(use(tag, "8"),)))
    return ReturnComponents(**common(tag), operation="0010", lines=(use(tag, "3"),))


async def receive(world: Any, tag: str) -> Transaction:
    """An order that names no completion subinventory receives by a transaction of its own."""
    one = [{"operation": "0010", "work_centre": f"W{tag}"}]
    await seed(world, f"{tag}8", operations=one, storage_location="", components=[])
    await act(world, confirmed(f"{tag}8", yield_quantity=Decimal(6)))
    return ReceiveGoods(
        **common(f"{tag}8"), material=f"F{tag}8", quantity=Decimal(6), unit="PC", storage_location="FG01"
    )


async def time(world: Any, tag: str) -> Transaction:
    amounts = (ActivityAmount(slot=1, amount=Decimal(30), unit="MIN"),)
    return ReportTime(**common(tag), operation="0010", activities=amounts)


async def move(world: Any, tag: str) -> Transaction:
    return MoveStock(
        **common(""),
        material=f"X{tag}",
        quantity=Decimal(7),
        unit="KG",
        from_location="RM01",
        to_location="LINE",
    )


async def hold(world: Any, tag: str) -> Transaction:
    return held(tag, PlaceHold)


async def release(world: Any, tag: str) -> Transaction:
    await act(world, held(tag, PlaceHold))
    return held(tag, ReleaseHold, quantity=Decimal(4))


async def hold_lot(world: Any, tag: str) -> Transaction:
    return held_lot(tag, PlaceHold)


async def release_lot(world: Any, tag: str) -> Transaction:
    await act(world, held_lot(tag, PlaceHold))
    return held_lot(tag, ReleaseHold)


async def inspect(world: Any, tag: str) -> Transaction:
    return inspected(tag)


async def decide(world: Any, tag: str) -> Transaction:
    event = (await act(world, inspected(tag))).document
    parts = (Disposition(kind=DispositionKind.REJECT, quantity=Decimal(3)),)
    return DecideInspection(
        **common(tag),
        inspection=f"I{tag}",
        inspection_lot=event,
        material=f"F{tag}",
        unit="PC",
        dispositions=parts,
    )


async def nonconformance(world: Any, tag: str) -> Transaction:
    return RecordNonconformance(
        **common(""), nonconformance=f"N{tag}", material=f"F{tag}", quantity=Decimal(2), unit="PC", text=f"crack {tag}"
    )


async def open_downtime(world: Any, tag: str) -> Transaction:
    return opened(tag)


async def close_downtime(world: Any, tag: str) -> Transaction:
    number = (await act(world, opened(tag))).document
    return CloseDowntime(
        **common(""),
        stop=f"S{tag}",
        asset=f"W{tag}",
        notification=number,
        started_at=NOON,
        ended_at=NOON + timedelta(minutes=30),
    )


async def capacity(world: Any, tag: str) -> Transaction:
    return AdjustCapacity(
        **common(""),
        change=f"K{tag}",
        work_centre=f"W{tag}",
        starts_at=NOON,
        ends_at=NOON + timedelta(hours=4),
        available_percent=Decimal(50),
    )


async def complete(world: Any, tag: str) -> Transaction:
    return CompleteOrder(**common(tag))


async def close(world: Any, tag: str) -> Transaction:
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
    _scene("reject", T.CONFIRM_PRODUCTION, rework),
    _scene("mixed", T.CONFIRM_PRODUCTION, mixed),
    _scene("issue", T.ISSUE_COMPONENTS, issue),
    _scene("return", T.RETURN_COMPONENTS, give_back),
    _scene("receipt", T.RECEIVE_GOODS, receive),
    _scene("time", T.REPORT_TIME, time),
    _scene("transfer", T.MOVE_STOCK, move),
    _scene("hold", T.PLACE_HOLD, hold),
    _scene("release", T.RELEASE_HOLD, release),
    _scene("lot_hold", T.PLACE_HOLD, hold_lot),
    _scene("lot_release", T.RELEASE_HOLD, release_lot),
    _scene("inspection", T.RECORD_INSPECTION, inspect),
    _scene("decision", T.DECIDE_INSPECTION, decide),
    _scene("nonconformance", T.RECORD_NONCONFORMANCE, nonconformance),
    _scene("downtime", T.OPEN_DOWNTIME, open_downtime),
    _scene("downtime_end", T.CLOSE_DOWNTIME, close_downtime),
    _scene("capacity", T.ADJUST_CAPACITY, capacity),
    _scene("completion", T.COMPLETE_ORDER, complete),
    _scene("close", T.CLOSE_ORDER, close),
)
