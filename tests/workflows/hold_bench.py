"""A plant with an ERP in memory that keeps stock by kind: what holds do to it is read from its books."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from temporalio.client import Client, WorkflowHandle

from domain.plant import PlantConfig
from erp.port import SendGuard
from ledger.port import LedgerPort
from signals.base import ZERO
from signals.bookings import StockKind
from signals.decisions import Answer
from signals.documents import Booking, ErpDocument, Snapshot
from signals.erp_reads import StockLine
from signals.errors import ErpRejected, Reason
from signals.holds import (
    CosignHold,
    DecideHold,
    HoldAct,
    HoldCause,
    HoldDisposition,
    HoldDispositionKind,
    HoldReason,
    HoldRecord,
    HoldScope,
    HoldTrigger,
    InspectionOutcome,
)
from signals.ids import exception_workflow_id, hold_workflow_id, plant_task_queue
from signals.orders import ErpOrderStatus, Operation, OrderOutput, ProductionOrder
from signals.people import Actor
from signals.stock import PlaceHold, ReleaseHold, ScrapStock
from signals.transactions import PostingIntent
from tests.workflows.bench import Bench, eventually, plant_config
from tests.workflows.memory_erp import YES, MemoryErp
from workers.holds import act_on_hold, start_or_tell, tell_inspection
from workflows.common import TASK_TIMEOUT
from workflows.hold_messages import HoldInput

MATERIAL = "HOUSING-1"
ORDER = "1000042"
PLACE = "FG01"
K = HoldDispositionKind

_numbers = itertools.count(1)


@dataclass
class StockErp(MemoryErp):
    """Blocked stock by 344/343, scrap by 555; quantities per storage location and kind."""

    on_hand: dict[tuple[str, StockKind], Decimal] = field(default_factory=dict)
    movements: list[tuple[str, Decimal]] = field(default_factory=list)
    refuses: set[type] = field(default_factory=set)

    capabilities = MemoryErp.capabilities.model_copy(update={"reads": {"order_changes": YES, "stock": YES}})

    def put(self, quantity: int, kind: StockKind = StockKind.UNRESTRICTED, place: str = PLACE) -> None:
        self.on_hand[place, kind] = self.on_hand.get((place, kind), ZERO) + quantity

    def amount(self, kind: StockKind, place: str = PLACE) -> Decimal:
        return self.on_hand.get((place, kind), ZERO)

    async def stock(self, material: str, batch: str = "") -> list[StockLine]:
        await self._call("stock")
        return [
            StockLine(material=material, quantity=quantity, unit="PC", storage_location=place, kind=kind)
            for (place, kind), quantity in self.on_hand.items()
            if quantity
        ]

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        if not self.away and type(intent.transaction) in self.refuses:
            await self._call("post")
            raise ErpRejected("Posting only possible in open periods", code="M7/053", reason=Reason.PERIOD_CLOSED)
        return await super().post(intent, guard)

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        mine = [d for d in self.books if d.key == intent.key]
        if isinstance(intent.transaction, PlaceHold | ReleaseHold | ScrapStock):
            await self._call("find")
            return Booking(document=mine[0] if mine else None)
        return await super().find(intent, before)

    def _book(self, intent: PostingIntent) -> ErpDocument:
        t = intent.transaction
        if not isinstance(t, PlaceHold | ReleaseHold | ScrapStock):
            return super()._book(intent)
        source = StockKind.UNRESTRICTED if isinstance(t, PlaceHold) else StockKind.BLOCKED
        assert self.amount(source, t.storage_location) >= t.quantity, "the ERP would run a deficit"
        self.on_hand[t.storage_location, source] -= t.quantity
        if not isinstance(t, ScrapStock):
            target = StockKind.BLOCKED if isinstance(t, PlaceHold) else StockKind.UNRESTRICTED
            self.put(int(t.quantity), target, t.storage_location)
        self.movements.append((t.type.value, t.quantity))
        made = ErpDocument(document=f"4900{self._number()}", kind="goods_movement", order="", key=intent.key)
        self.books.append(made)
        return made


@dataclass
class HoldBench(Bench):
    """What tests do with holds."""

    hold: str = ""

    @property
    def stock_erp(self) -> StockErp:
        assert isinstance(self.erp, StockErp)
        return self.erp

    def delivered(self, quantity: int, planned: int = 20) -> None:
        """An order of two operations has delivered so much to free stock."""
        operations = tuple(Operation(operation=o, planned=Decimal(planned), unit="PC") for o in ("0010", "0020"))
        output = OrderOutput(
            material=MATERIAL, planned=Decimal(planned), received=Decimal(quantity), unit="PC", storage_location=PLACE
        )
        self.erp.orders[ORDER] = ProductionOrder(
            plant=self.id, order=ORDER, material=MATERIAL, quantity=Decimal(planned), unit="PC",
            status=ErpOrderStatus.RELEASED, operations=operations, outputs=(output,),
        )  # fmt: skip
        if quantity:
            self.stock_erp.put(quantity)

    def trigger(self, quantity: int = 10, name: str = "", *, role: str = "quality engineer", opened_by: str = "",
                cause: HoldCause = HoldCause.LIMIT, **scope: Any) -> HoldTrigger:  # fmt: skip
        number = name or f"t{next(_numbers)}"
        where: dict[str, Any] = {"order": ORDER, "operation": "0010", "material": MATERIAL, **scope}
        reason = HoldReason(
            reason=f"r-{number}", cause=cause, rule="press-force/1", text="force above its limit", release_role=role,
            found_at=datetime.now(UTC),
        )  # fmt: skip
        return HoldTrigger(
            trigger=number, scope=HoldScope(plant=self.id, **where), reason=reason, quantity=Decimal(quantity),
            opened_by=opened_by, at=datetime.now(UTC),
        )  # fmt: skip

    async def open(self, trigger: HoldTrigger, *, history_limit: int = 0) -> str:
        """As a client opens it; with a limit its runs are that short."""
        if history_limit:
            hold = (await self.ledger.open_hold(trigger)).hold
            await self.client.start_workflow(
                "QualityHold", HoldInput(plant=self.id, hold=hold, history_limit=history_limit),
                id=hold_workflow_id(self.id, hold), task_queue=plant_task_queue(self.id), task_timeout=TASK_TIMEOUT,
            )  # fmt: skip
        self.hold = await start_or_tell(self.client, self.ledger, trigger)
        self.workflows.add(hold_workflow_id(self.id, self.hold))
        return self.hold

    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(hold_workflow_id(self.id, self.hold), result_type=HoldRecord)

    async def record(self) -> HoldRecord:
        found = await self.ledger.hold(self.id, self.hold)
        assert found is not None
        return found

    async def until_hold(self, what: Any, seconds: float = 60) -> HoldRecord:
        """Ask the ledger until the hold is so; that is where people look."""
        return await eventually(self.record, what, seconds)

    async def ended(self, seconds: float = 60) -> HoldRecord:
        record = await self.until_hold(lambda r: r.state.is_over, seconds)
        await self.handle().result(rpc_timeout=timedelta(seconds=seconds))
        return record

    def actor(self, user: str, role: str) -> Actor:
        return Actor(user=user, role=role, plant=self.id)

    async def act(self, act: HoldAct) -> Answer:
        return await act_on_hold(self.client, self.ledger, self.id, self.hold, act, now=datetime.now(UTC))

    def decision(self, *parts: tuple[HoldDispositionKind, int], user: str = "inspector-1",
                 role: str = "quality engineer", **fields: Any) -> DecideHold:  # fmt: skip
        dispositions = tuple(HoldDisposition(kind=kind, quantity=Decimal(q)) for kind, q in parts)
        fields = {"action_id": f"d{next(_numbers)}", **fields}
        return DecideHold(actor=self.actor(user, role), dispositions=dispositions, **fields)

    def second(self, first: DecideHold, user: str = "manager-1", role: str = "quality manager",
               **fields: Any) -> CosignHold:  # fmt: skip
        fields = {"action_id": f"c{next(_numbers)}", **fields}
        return CosignHold(actor=self.actor(user, role), decision=first.action_id, **fields)

    async def decide(self, *parts: tuple[HoldDispositionKind, int], **fields: Any) -> DecideHold:
        """Decided and, where that is wanted, signed by a second person."""
        act = self.decision(*parts, **fields)
        answer = await self.act(act)
        assert answer.accepted, answer.message
        if "second signature" in answer.message:
            answer = await self.act(self.second(act))
            assert answer.accepted, answer.message
        return act

    async def inspected(self, name: str, *, passed: bool, serial: str = "") -> None:
        outcome = InspectionOutcome(
            inspection=name, material=MATERIAL, serial=serial, order=ORDER, passed=passed, at=datetime.now(UTC)
        )
        assert await tell_inspection(self.client, self.id, self.hold, outcome)

    def note_exception(self, key: str) -> None:
        self.workflows.add(exception_workflow_id(self.id, key))


def hold_plant(name: str = "", *, minutes: float = 60, **quality: Any) -> PlantConfig:
    """A plant without signatures; `minutes` is the time for a decision."""
    plant = plant_config(name=name)
    fields = plant.quality.model_copy(update={"signatures": "off", "decide_within_minutes": minutes, **quality})
    return plant.model_copy(update={"quality": fields})


@asynccontextmanager
async def hold_bench(
    client: Client, ledger: LedgerPort, *, erp: StockErp | None = None, replay: bool = True, **quality: Any
) -> AsyncIterator[HoldBench]:
    """A bench for holds whose workers poll; histories are replayed after a test that passed."""
    bench = HoldBench(client, ledger, hold_plant(**quality), erp=erp or StockErp())
    try:
        async with bench.working():
            yield bench
        if replay:
            assert await bench.replay()
    finally:
        await bench.end()
