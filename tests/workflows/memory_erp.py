"""An ERP in memory for tests of workflows: orders, documents, running totals, and a switch that makes it go away.

Fast and obedient: awkward ERPs are the simulators' part, and the posting procedure has tests of its own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from erp.port import Capability, ErpCapabilities, OrderHead, SendGuard
from signals.base import ZERO
from signals.documents import Booking, ErpDocument, GoodsMovement, OperationTotals, Snapshot
from signals.erp_reads import AlternateWorkCentre, Demand, MaterialCost, Probe, StockLine
from signals.errors import ErpInDoubt, ErpRejected, ErpUnavailable
from signals.ids import short_key
from signals.orders import ErpOrderStatus, ProductionOrder
from signals.transactions import (
    CompleteOrder,
    ConfirmProduction,
    PostingIntent,
    Reverse,
    Transaction,
    TransactionType,
)

YES = Capability(supported=True)


@dataclass
class MemoryErp:
    """One plant's ERP with books of its own."""

    orders: dict[str, ProductionOrder] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    """Released orders that cannot be read: order to the ERP's reason."""
    books: list[ErpDocument] = field(default_factory=list)
    completed: set[str] = field(default_factory=set)
    away: bool = False
    lost_answers: int = 0
    """So many of the next bookings are committed without an answer."""
    calls: Counter[str] = field(default_factory=Counter)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    capabilities = ErpCapabilities(
        erp="sap",
        transactions=dict.fromkeys(TransactionType, YES),
        find_by_key=YES,
        totals=YES,
        reversal=YES,
        settle_seconds=1,
        reads={"order_changes": YES},
    )

    # --- what tests ask and do -----------------------------------------------------------------------------
    async def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until a call or a booking has made the condition true."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    def standing(self, order: str, operation: str = "") -> list[ErpDocument]:
        """Confirmations that count: neither reversed nor reversals."""
        return [
            d
            for d in self.books
            if d.order == order and operation in ("", d.operation) and not d.reversed and not d.reversal
        ]

    def booked(self, order: str, operation: str) -> tuple[Decimal, Decimal]:
        """Yield and scrap of an operation."""
        found = self.standing(order, operation)
        return sum((d.yield_quantity for d in found), ZERO), sum((d.scrap_quantity for d in found), ZERO)

    def change(self, order: str, planned: Decimal | None = None, **changes: object) -> None:
        """Somebody changes the order in the ERP; `planned` is what its operations are to make now."""
        known = self.orders[order]
        if planned is not None:
            changes["operations"] = tuple(o.model_copy(update={"planned": planned}) for o in known.operations)
        changes["change_mark"] = f"{next(self._numbers):08}"
        self.orders[order] = known.model_copy(update=changes)

    def by_hand(self, order: str, operation: str, good: int) -> ErpDocument:
        """Somebody confirms in the ERP's own screen."""
        document = ErpDocument(
            document=self._number(),
            order=order,
            operation=operation,
            yield_quantity=Decimal(good),
            unit="PC",
            entered_by="SHIFTLEAD",
        )
        self.books.append(document)
        return document

    # --- reading -------------------------------------------------------------------------------------------
    async def released_orders(self, changed_after: str = "") -> list[OrderHead]:
        await self._call("released_orders")
        names = sorted({*self.orders, *self.unreadable} - self.completed)
        return [OrderHead(order=name, status=ErpOrderStatus.RELEASED) for name in names]

    async def read_order(self, order: str) -> ProductionOrder:
        await self._call("read_order")
        if order in self.unreadable:
            raise ErpRejected(self.unreadable[order], code="order_incomplete")
        if order not in self.orders:
            raise ErpRejected(f"order {order} does not exist", code="order_not_found")
        return self.orders[order]

    async def totals(self, order: str) -> list[OperationTotals]:
        await self._call("totals")
        sums = {o.operation: self.booked(order, o.operation) for o in self.orders[order].operations}
        return [OperationTotals(operation=o, yield_quantity=y, scrap_quantity=s) for o, (y, s) in sums.items()]

    async def documents(self, order: str, operation: str) -> list[ErpDocument]:
        await self._call("documents")
        return [d for d in self.books if d.order == order and operation in ("", d.operation)]

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        await self._call("find")
        if isinstance(intent.transaction, CompleteOrder):
            return Booking(document=self._completion(intent) if intent.transaction.order in self.completed else None)
        reversal = isinstance(intent.transaction, Reverse)
        return Booking(document=next((d for d in self.books if d.key == intent.key and d.reversal == reversal), None))

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        await self._call("read_back")
        return next(d for d in self.books if d.document == document.document)

    async def expected_movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        await self._call("expected_movements")
        return []

    async def changed_orders(self, changed_after: str) -> list[OrderHead]:
        await self._call("changed_orders")
        heads = [
            OrderHead(order=name, status=order.status, change_mark=order.change_mark)
            for name, order in self.orders.items()
            if order.change_mark >= changed_after
        ]
        return sorted(heads, key=lambda head: head.change_mark)

    async def stock(self, material: str, batch: str = "") -> list[StockLine]:
        return []

    async def pegging(self, order: str) -> list[Demand]:
        return []

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        return []

    async def material_cost(self, material: str) -> MaterialCost | None:
        return None

    async def probe(self) -> list[Probe]:
        return []

    async def check(self, intent: PostingIntent) -> str:
        return ""

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        return Snapshot()

    async def follow_ups(self, intent: PostingIntent) -> list[Transaction]:
        return []

    # --- booking -------------------------------------------------------------------------------------------
    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        await self._call("post")
        guard()
        document = self._book(intent)
        async with self._changed:
            self._changed.notify_all()
        if self.lost_answers:
            self.lost_answers -= 1
            raise ErpInDoubt("the connection broke before the answer", code="no_answer")
        return Booking(document=document)

    async def aclose(self) -> None:
        return None

    async def _call(self, name: str) -> None:
        self.calls[name] += 1
        async with self._changed:
            self._changed.notify_all()
        if self.away:
            raise ErpUnavailable("no connection", code="no_connection")

    def _book(self, intent: PostingIntent) -> ErpDocument:
        transaction = intent.transaction
        if isinstance(transaction, CompleteOrder):
            self.completed.add(transaction.order)
            return self._completion(intent)
        document = self._reversal(intent) if isinstance(transaction, Reverse) else self._confirmation(intent)
        self.books.append(document)
        return document

    def _confirmation(self, intent: PostingIntent) -> ErpDocument:
        t = intent.transaction
        assert isinstance(t, ConfirmProduction)
        return ErpDocument(
            document=self._number(),
            order=t.order,
            operation=t.operation,
            yield_quantity=t.yield_quantity,
            scrap_quantity=t.scrap_quantity,
            unit=t.unit,
            key=intent.key,
            text=short_key(intent.key),
            final=t.final,
            entered_by="MES",
        )

    def _reversal(self, intent: PostingIntent) -> ErpDocument:
        t = intent.transaction
        assert isinstance(t, Reverse)
        original = next(d for d in self.books if d.document == t.document)
        self.books[self.books.index(original)] = original.model_copy(update={"reversed": True})
        changes = {"document": self._number(), "reversal": True, "key": intent.key, "text": short_key(intent.key)}
        return original.model_copy(update=changes)

    def _completion(self, intent: PostingIntent) -> ErpDocument:
        order = intent.transaction.order
        return ErpDocument(document=f"TECO/{order}", kind="technical_completion", order=order, key=intent.key)

    def _number(self) -> str:
        return f"{next(self._numbers):08}/1"
