"""One scene for each kind of booking: a seeded plant, the intent, and what SAP's books show of it, without names.

Two scenes of a kind show the same when the same was booked once in both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from erp.sap import SapErp
from erp.sap.steps import COMPLETION, LOT_POSTING
from signals.bookings import ActivityAmount, ComponentUse, StockKind, TransactionType
from signals.documents import ErpDocument, Snapshot
from signals.orders import OutputKind
from signals.quality import (
    CharacteristicResult,
    DecideInspection,
    Disposition,
    DispositionKind,
    RecordInspection,
    RecordNonconformance,
)
from signals.stock import IssueComponents, MaterialPosition, MoveStock, PlaceHold, ReceiveGoods, ReleaseHold, ScrapStock
from signals.stock import ReturnComponents as Return
from signals.transactions import (
    CloseOrder,
    CompleteOrder,
    ConfirmProduction,
    PostingIntent,
    ReportTime,
    Reverse,
    StartOrder,
    Transaction,
)
from signals.upkeep import AdjustCapacity, CloseDowntime, OpenDowntime

DAY = date(2026, 11, 22)
PLANT, ERP_PLANT = "demo", "1010"
OPTIONS = {
    "hold_reason": "0007",
    "defect_code_group": "QD",
    "defect_codes": {"SCRATCH": "0001"},
    "usage_decision_set": "UD01",
    "usage_decision_codes": {"accept": "01/A", "reject": "01/R", "mixed": "01/A"},
    "capability_field": "YY1_CapabilityGroup_WCT",
}


@dataclass
class Scene:
    """A plant of its own; `tag` is in every name."""

    sap: Any
    erp: SapErp
    tag: str
    intent: PostingIntent = field(init=False)

    async def post(self) -> ErpDocument:
        booking = await self.erp.post(self.intent, lambda: None)
        assert booking.document is not None
        return booking.document

    async def look(self, *, sent: bool = True) -> ErpDocument | None:
        """What SAP shows of the intent, after something was sent or before."""
        before = Snapshot(sent_at=datetime(2026, 11, 22, 12, tzinfo=UTC)) if sent else Snapshot()
        return (await self.erp.find(self.intent, before)).document

    async def effect(self) -> dict[str, Any]:
        return effect_of(await self.sap.books(), self.tag)

    async def act(self, transaction: Transaction) -> ErpDocument:
        """Something that must have happened before."""
        booking = await self.erp.post(intent_of(transaction), lambda: None)
        assert booking.document is not None
        return booking.document

    def reversal(self, document: ErpDocument) -> Scene:
        """The scene in which the posted document is taken back."""
        original = self.intent.transaction
        assert not isinstance(original, Reverse)
        scene = Scene(self.sap, self.erp, self.tag)
        scene.intent = intent_of(
            Reverse(
                plant=PLANT,
                order=original.order,
                operation=getattr(original, "operation", ""),
                posting_date=DAY,
                document=document.document,
                original=original,
                original_key=self.intent.key,
            )
        )
        return scene

    @property
    def material(self) -> str:
        return f"F{self.tag}"

    @property
    def work_centre(self) -> str:
        return f"W{self.tag}"[-8:]

    async def lot(self) -> str:
        """An inspection lot with ten pieces in it."""
        await self.act(self.receipt(quantity=10, stock=StockKind.INSPECTION))
        books = await self.sap.books()
        return next(lot["id"] for lot in books["inspection_lots"] if lot["material"] == self.material)

    def receipt(self, quantity: int = 10, **changes: Any) -> ReceiveGoods:
        fields = {"material": self.material, "storage_location": "FG01"} | changes
        return ReceiveGoods(**common(self.tag), quantity=Decimal(quantity), unit="PC", **fields)


def common(order: str) -> dict[str, Any]:
    return {"plant": PLANT, "order": order, "posting_date": DAY}


def intent_of(transaction: Transaction) -> PostingIntent:
    return PostingIntent(key=uuid4(), transaction=transaction, report_ids=(f"r{uuid4().hex[:6]}",))


async def seed(sap: Any, tag: str, *, inspected: bool = False, **order: Any) -> None:
    """An order with a backflushed, an issued and a by-product line; stock, an asset, a work centre, codes."""
    line = {"unit": "KG", "operation": "0010", "storage_location": "RM01", "backflush": False}
    seeded = {
        "order": tag,
        "plant": ERP_PLANT,
        "material": f"F{tag}",
        "quantity": "100",
        "unit": "PC",
        "storage_location": "FG01",
        "operations": [
            {
                "operation": "0010",
                "work_centre": "PRESS",
                "control_profile": "PP01",
                "activities": {"1": {"planned": "60", "unit": "MIN"}, "2": {"planned": "60", "unit": "MIN"}},
            },
            {"operation": "0020", "work_centre": "PACK", "control_profile": "PP03", "overlap": True},
        ],
        "components": [
            {**line, "material": f"A{tag}", "required": "200", "backflush": True},
            {**line, "material": f"C{tag}", "required": "100"},
            {**line, "material": f"B{tag}", "required": "50", "movement_type": "531"},
        ],
    }
    if inspected:
        seeded["inspection_type"] = "04"
        seeded["inspection_characteristics"] = [
            {"characteristic": "10", "text": "width", "lower": "9", "upper": "11", "unit": "MM", "required": False},
            {"characteristic": "20", "text": "look", "quantitative": False, "required": False},
        ]
    place = {"plant": ERP_PLANT, "unit": "PC", "storage_location": "FG01"}
    raw = {"plant": ERP_PLANT, "storage_location": "RM01", "unit": "KG", "quantity": "1000"}
    await sap.seed(
        orders=[seeded | order],
        stock=[
            {**raw, "material": f"A{tag}"},
            {**raw, "material": f"C{tag}"},
            {**place, "material": f"X{tag}", "quantity": "40"},
            {**place, "material": f"L{tag}", "quantity": "30", "batch": "LOT1"},
            {**place, "material": f"L{tag}", "quantity": "12", "batch": "LOT1", "storage_location": "FG02"},
            {**place, "material": f"S{tag}", "quantity": "3", "serials": ["1", "2", "3"]},
        ],
        control_profiles={ERP_PLANT: {"PP01": {"confirmation": "required"}, "PP03": _RECEIVES}},
        technical_objects=[{"object": f"EQ{tag}"}],
        usage_decision_codes=[{"code": "A", "valuation": "A"}, {"code": "R", "valuation": "R"}],
        work_centres=[
            {"work_centre": f"W{tag}"[-8:], "plant": ERP_PLANT, "capacities": 2, "group": f"G{tag}"},
            {"work_centre": f"V{tag}"[-8:], "plant": ERP_PLANT, "group": f"G{tag}"},
        ],
    )


_RECEIVES = {"confirmation": "required", "automatic_receipt": True}


def effect_of(books: dict[str, Any], tag: str) -> dict[str, Any]:
    """What the books say of everything that has the tag in its name, the name left out."""

    def short(name: str) -> str:
        return name.replace(tag, "")

    order = next((o for o in books["orders"] if o["order"] == tag), {})
    return {
        "stock": {
            (short(row["material"]), row["storage_location"], row["batch"], row["stock_type"]): row["quantity"]
            for row in books["stock"]
            if tag in row["material"] and row["quantity"] != "0"
        },
        "status": sorted({"TECO", "CLSD"} & set(order.get("status", ()))),
        "operations": [
            (o["yield"], o["scrap"], sorted((slot, a["confirmed"]) for slot, a in o["activities"].items()))
            for o in order.get("operations", ())
        ],
        "withdrawn": [c["withdrawn"] for c in order.get("components", ())],
        "received": [i["received"] for i in order.get("items", ())],
        "notifications": [
            (n["type"], n["down"], n["started"], n["ended"], n["phase"])
            for n in books["notifications"]
            if tag in n["object"]
        ],
        "lots": [
            (
                lot["unrestricted"],
                lot["blocked"],
                lot["scrapped"],
                lot["decision"] and lot["decision"]["code"],
                [(r["characteristic"], [v["value"] for v in r["values"]]) for r in lot["results"]],
            )
            for lot in books["inspection_lots"]
            if tag in lot["material"]
        ],
        "defects": [(d["code"], d["quantity"]) for d in books["defects"] if tag in d["material"]],
        "capacity": [
            (i["start"], i["end"], i["capacities"], i["utilisation"])
            for i in books["capacity_intervals"]
            if i["work_centre"] == f"W{tag}"[-8:]
        ],
    }


# --- the scenes ------------------------------------------------------------------------------------------------------


async def start(s: Scene) -> Transaction:
    return StartOrder(**common(s.tag), started_at=datetime(2026, 11, 22, 6, tzinfo=UTC))


async def confirm(s: Scene) -> Transaction:
    activities = (
        ActivityAmount(slot=1, amount=Decimal("12.5"), unit="MIN"),
        ActivityAmount(slot=2, amount=Decimal(7), unit="MIN"),
    )
    return ConfirmProduction(
        **common(s.tag),
        operation="0010",
        yield_quantity=Decimal(10),
        scrap_quantity=Decimal(1),
        unit="PC",
        activities=activities,
    )


async def report_time(s: Scene) -> Transaction:
    return ReportTime(
        **common(s.tag),
        operation="0010",
        activities=(
            ActivityAmount(slot=1, amount=Decimal(30), unit="MIN"),
            ActivityAmount(slot=2, amount=Decimal("2.25"), unit="MIN"),
        ),
    )


def use(s: Scene, quantity: str = "5") -> ComponentUse:
    return ComponentUse(material=f"C{s.tag}", quantity=Decimal(quantity), unit="KG", storage_location="RM01")


async def issue(s: Scene) -> Transaction:
    return IssueComponents(**common(s.tag), operation="0010", lines=(use(s),))


async def give_back(s: Scene) -> Transaction:
    await s.act(IssueComponents(**common(s.tag), operation="0010", lines=(use(s, "8"),)))
    return Return(**common(s.tag), operation="0010", lines=(use(s, "3"),))


async def receive(s: Scene) -> Transaction:
    return s.receipt(quantity=6)


async def receive_blocked(s: Scene) -> Transaction:
    return s.receipt(quantity=6, stock=StockKind.BLOCKED)


async def receive_by_product(s: Scene) -> Transaction:
    return s.receipt(
        quantity=4, item="3", output=OutputKind.BY_PRODUCT, material=f"B{s.tag}", storage_location="RM01"
    ).model_copy(update={"unit": "KG"})


async def move(s: Scene) -> Transaction:
    return MoveStock(
        **common(""),
        material=f"X{s.tag}",
        quantity=Decimal(7),
        unit="PC",
        from_location="FG01",
        to_location="FG02",
    )


def held(s: Scene, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "hold": f"H{s.tag}",
        "material": f"X{s.tag}",
        "quantity": Decimal(9),
        "unit": "PC",
        "position": MaterialPosition.UNRESTRICTED,
        "storage_location": "FG01",
        "reason": "crack",
    }
    return common("") | fields | changes


def held_batch(s: Scene) -> dict[str, Any]:
    return held(s, material=f"L{s.tag}", position=MaterialPosition.BATCH, batch="LOT1")


async def hold(s: Scene) -> Transaction:
    return PlaceHold(**held(s))


async def release(s: Scene) -> Transaction:
    await s.act(PlaceHold(**held(s)))
    return ReleaseHold(**held(s, quantity=Decimal(4)))


async def scrap(s: Scene) -> Transaction:
    await s.act(PlaceHold(**held(s)))
    return ScrapStock(**held(s, quantity=Decimal(4)))


async def scrap_batch(s: Scene) -> Transaction:
    await s.act(PlaceHold(**held_batch(s)))
    return ScrapStock(**held_batch(s) | {"quantity": Decimal(4)})


async def hold_batch(s: Scene) -> Transaction:
    return PlaceHold(**held_batch(s))


async def release_batch(s: Scene) -> Transaction:
    await s.act(PlaceHold(**held_batch(s)))
    return ReleaseHold(**held_batch(s))


async def inspect(s: Scene) -> Transaction:
    return RecordInspection(
        **common(s.tag),
        inspection=f"I{s.tag}",
        inspection_lot=await s.lot(),
        material=s.material,
        results=(CharacteristicResult(characteristic="width", value="10.2", passed=True),),
    )


async def nonconformance(s: Scene) -> Transaction:
    return RecordNonconformance(
        **common(s.tag),
        operation="0010",
        nonconformance=f"N{s.tag}",
        material=s.material,
        quantity=Decimal(2),
        unit="PC",
        defect="SCRATCH",
    )


def decision(s: Scene, lot: str, **changes: Any) -> DecideInspection:
    parts = (
        Disposition(kind=DispositionKind.ACCEPT, quantity=Decimal(8)),
        Disposition(kind=DispositionKind.REJECT, quantity=Decimal(2)),
    )
    fields = {"dispositions": parts} | changes
    return DecideInspection(
        **common(s.tag), inspection=f"I{s.tag}", inspection_lot=lot, material=s.material, unit="PC", **fields
    )


async def decide(s: Scene) -> Transaction:
    return decision(s, await s.lot())


async def post_lot(s: Scene) -> Transaction:
    lot = await s.lot()
    await s.act(decision(s, lot))
    return decision(s, lot, code=LOT_POSTING, dispositions=decision(s, lot).dispositions[:1])


STOPPED, RAN_AGAIN = datetime(2026, 11, 22, 7, 3, tzinfo=UTC), datetime(2026, 11, 22, 9, 41, 7, tzinfo=UTC)


def stop(s: Scene) -> OpenDowntime:
    return OpenDowntime(
        **common(""), stop=f"D{s.tag}", asset=f"EQ{s.tag}", started_at=STOPPED, breakdown=True, text="spindle"
    )


async def open_downtime(s: Scene) -> Transaction:
    return stop(s)


async def close_downtime(s: Scene) -> Transaction:
    notification = (await s.act(stop(s))).document
    return CloseDowntime(
        **common(""),
        stop=f"D{s.tag}",
        asset=f"EQ{s.tag}",
        notification=notification,
        started_at=STOPPED,
        ended_at=RAN_AGAIN,
    )


async def complete_downtime(s: Scene) -> Transaction:
    ending = await close_downtime(s)
    assert isinstance(ending, CloseDowntime)
    await s.act(ending)
    return ending.model_copy(update={"complete": True, "text": COMPLETION})


async def capacity(s: Scene) -> Transaction:
    return AdjustCapacity(
        **common(""),
        change=f"K{s.tag}",
        work_centre=s.work_centre,
        starts_at=datetime(2026, 12, 1, 5, tzinfo=UTC),
        ends_at=datetime(2026, 12, 3, 0, tzinfo=UTC),
        available_percent=Decimal(40),
    )


async def complete(s: Scene) -> Transaction:
    return CompleteOrder(**common(s.tag))


async def close(s: Scene) -> Transaction:
    await s.act(CompleteOrder(**common(s.tag)))
    return CloseOrder(**common(s.tag))


@dataclass(frozen=True)
class Kind:
    """A scene's name, how it is built, and what is said of it."""

    name: str
    type: TransactionType
    build: Callable[[Scene], Any]
    sends: bool = True
    inspected: bool = False
    reversible: bool = True
    keyed: bool = True

    def __str__(self) -> str:
        return self.name


T = TransactionType
KINDS = (
    Kind("start", T.START_ORDER, start, sends=False, reversible=False, keyed=False),
    Kind("confirmation", T.CONFIRM_PRODUCTION, confirm),
    Kind("time", T.REPORT_TIME, report_time),
    Kind("issue", T.ISSUE_COMPONENTS, issue),
    Kind("return", T.RETURN_COMPONENTS, give_back),
    Kind("receipt", T.RECEIVE_GOODS, receive),
    Kind("blocked_receipt", T.RECEIVE_GOODS, receive_blocked),
    Kind("by_product", T.RECEIVE_GOODS, receive_by_product),
    Kind("transfer", T.MOVE_STOCK, move),
    Kind("hold", T.PLACE_HOLD, hold),
    Kind("release", T.RELEASE_HOLD, release),
    Kind("scrap", T.SCRAP_STOCK, scrap),
    Kind("batch_scrap", T.SCRAP_STOCK, scrap_batch),
    Kind("batch_hold", T.PLACE_HOLD, hold_batch),
    Kind("batch_release", T.RELEASE_HOLD, release_batch),
    Kind("inspection", T.RECORD_INSPECTION, inspect, inspected=True, reversible=False),
    Kind("nonconformance", T.RECORD_NONCONFORMANCE, nonconformance),
    Kind("decision", T.DECIDE_INSPECTION, decide, inspected=True, reversible=False, keyed=False),
    Kind("lot_posting", T.DECIDE_INSPECTION, post_lot, inspected=True, reversible=False),
    Kind("downtime", T.OPEN_DOWNTIME, open_downtime, reversible=False),
    Kind("downtime_end", T.CLOSE_DOWNTIME, close_downtime, reversible=False, keyed=False),
    Kind("downtime_completed", T.CLOSE_DOWNTIME, complete_downtime, reversible=False, keyed=False),
    Kind("capacity", T.ADJUST_CAPACITY, capacity, keyed=False),
    Kind("completion", T.COMPLETE_ORDER, complete, reversible=False, keyed=False),
    Kind("close", T.CLOSE_ORDER, close, reversible=False, keyed=False),
)
SENDING = tuple(kind for kind in KINDS if kind.sends)


async def stage(sap: Any, erp: SapErp, tag: str, kind: Kind) -> Scene:
    """The scene, ready to be posted."""
    await seed(sap, tag, inspected=kind.inspected)
    scene = Scene(sap, erp, tag)
    scene.intent = intent_of(await kind.build(scene))
    return scene


async def outcome(call: Any) -> type[Exception] | None:
    """The class of what it raised."""
    try:
        await call
    except asyncio.CancelledError:
        raise
    except Exception as error:
        return type(error)
    return None
