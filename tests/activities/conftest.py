"""An ERP in memory that fails on command, a clock that only tests move, and a real ledger on SQLite."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from activities.posting import PostingDraft, PostingProcedure, SettleResult
from erp.port import Capability, ErpCapabilities, OrderHead, SendGuard
from ledger.connect import open_ledger
from ledger.port import LedgerPort
from ledger.store import SqlLedger
from signals.base import ZERO
from signals.decisions import PostingMode
from signals.documents import Booking, ErpDocument, GoodsMovement, OperationTotals, Snapshot
from signals.erp_reads import AlternateWorkCentre, Demand, MaterialCost, Probe, StockLine
from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpUnavailable
from signals.ids import posting_key, short_key
from signals.orders import ProductionOrder
from signals.transactions import (
    CompleteOrder,
    ConfirmProduction,
    PostingIntent,
    Reverse,
    Transaction,
    TransactionType,
)

PLANT = "demo"
TIMEOUT, SETTLE, MOVEMENT_WAIT = 10.0, 60.0, 30.0
YES = Capability(supported=True)


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 22, 6, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def reach(self, at: datetime | None) -> None:
        assert at is not None
        self.at = max(self.at, at)


@dataclass
class InWork:
    """A request that is being processed: it holds the order's lock until it commits."""

    commits_at: datetime
    document: ErpDocument


Step = Callable[[PostingIntent], Awaitable[ErpDocument]]


@dataclass
class FakeErp:
    """Books like SAP: whole-order lock, no check for repeated keys, running totals, flags of reversed pairs."""

    clock: Clock
    books: list[ErpDocument] = field(default_factory=list)
    in_work: list[InWork] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    read_failures: list[ErpError] = field(default_factory=list)
    expected: list[GoodsMovement] = field(default_factory=list)
    unlisted: Decimal = ZERO
    forgets_keys: bool = False
    forgets_texts: bool = False
    completed: bool = False
    followed_by: list[Transaction] = field(default_factory=list)
    posts: int = 0
    before_find: Callable[[], None] | None = None
    _numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    capabilities = ErpCapabilities(
        erp="sap",
        transactions=dict.fromkeys(TransactionType, YES),
        find_by_key=YES,
        totals=YES,
        reversal=YES,
        settle_seconds=SETTLE,
    )

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        for booking in [b for b in self.in_work if b.commits_at <= self.clock.now()]:
            self.in_work.remove(booking)
            self._commit(booking.document)
        if self.read_failures:
            raise self.read_failures.pop(0)

    async def documents(self, order: str, operation: str) -> list[ErpDocument]:
        self._read()
        return [d for d in self.books if d.order == order and operation in ("", d.operation)]

    async def totals(self, order: str) -> list[OperationTotals]:
        self._read()
        standing = [d for d in self.books if d.order == order and not d.reversed and not d.reversal]
        operations = sorted({d.operation for d in standing} | {"0010"})
        return [
            OperationTotals(
                operation=o,
                yield_quantity=sum((d.yield_quantity for d in standing if d.operation == o), ZERO) + self.unlisted,
            )
            for o in operations
        ]

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        if self.before_find is not None:
            self.before_find()
        self._read()
        if isinstance(intent.transaction, CompleteOrder):
            return Booking(document=self._completion(intent) if self.completed else None)
        reversal = isinstance(intent.transaction, Reverse)
        for d in self.books:
            ours = d.key == intent.key or (d.key is None and d.text.startswith(short_key(intent.key)))
            if ours and d.reversal == reversal:
                return Booking(document=d)
        return Booking()

    async def changed_orders(self, changed_after: str) -> list[OrderHead]:
        return []

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
        return list(self.followed_by) if isinstance(intent.transaction, ConfirmProduction) else []

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        self._read()
        return next(d for d in self.books if d.document == document.document)

    async def expected_movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        self._read()
        return list(self.expected)

    # --- booking -----------------------------------------------------------------------------------------------------

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        guard()
        self.posts += 1
        self._read_quietly()
        if self.in_work:
            raise ErpBusy("the order is locked", code="HTTP/423")
        step = self.steps.pop(0) if self.steps else self.does_book
        return Booking(document=await step(intent))

    def will(self, *steps: Step) -> None:
        """What happens to the next requests, in turn; after that they are booked."""
        self.steps = list(steps)

    async def does_book(self, intent: PostingIntent) -> ErpDocument:
        return self.book(intent)

    async def book_and_lose_the_answer(self, intent: PostingIntent) -> ErpDocument:
        self.book(intent)
        raise ErpInDoubt("no answer", code="no_answer")

    async def lose_the_request(self, intent: PostingIntent) -> ErpDocument:
        raise ErpInDoubt("no answer", code="no_answer")

    def commit_after(self, seconds: float) -> Step:
        """Holds the order's lock and commits so late, whatever the caller does meanwhile."""

        async def step(intent: PostingIntent) -> ErpDocument:
            self.in_work.append(InWork(self.clock.now() + timedelta(seconds=seconds), self.document_of(intent)))
            self.clock.pass_(TIMEOUT)
            raise ErpInDoubt("no answer in time", code="no_answer")

        return step

    def fail_with(self, error: ErpError) -> Step:
        async def step(intent: PostingIntent) -> ErpDocument:
            raise error

        return step

    def _read_quietly(self) -> None:
        failures, self.read_failures = self.read_failures, []
        self._read()
        self.read_failures = failures

    def book(self, intent: PostingIntent) -> ErpDocument:
        transaction = intent.transaction
        if isinstance(transaction, CompleteOrder):
            self.completed = True
            return self._completion(intent)
        if isinstance(transaction, Reverse):
            return self.reverse(transaction.document, key=intent.key)
        return self._commit(self.document_of(intent))

    def document_of(self, intent: PostingIntent) -> ErpDocument:
        t = intent.transaction
        assert isinstance(t, ConfirmProduction)
        return ErpDocument(
            document=f"{next(self._numbers):04}/1",
            order=t.order,
            operation=t.operation,
            yield_quantity=t.yield_quantity,
            scrap_quantity=t.scrap_quantity,
            unit=t.unit,
            key=None if self.forgets_keys else intent.key,
            text="" if self.forgets_texts else short_key(intent.key),
            entered_by="MES",
            entered_at=self.clock.now(),
            goods_movements=tuple(self.expected),
        )

    def _commit(self, document: ErpDocument) -> ErpDocument:
        self.books.append(document)
        return document

    def _completion(self, intent: PostingIntent) -> ErpDocument:
        order = intent.transaction.order
        return ErpDocument(document=f"TECO/{order}", kind="technical_completion", order=order, key=intent.key)

    def by_hand(self, order: str, yielded: str, *, text: str = "", operation: str = "0010") -> ErpDocument:
        return self._commit(
            ErpDocument(
                document=f"{next(self._numbers):04}/1",
                order=order,
                operation=operation,
                yield_quantity=Decimal(yielded),
                unit="PC",
                text=text,
                entered_by="SHIFTLEAD",
                entered_at=self.clock.now(),
            )
        )

    def reverse(self, number: str, key: UUID | None = None) -> ErpDocument:
        original = next(d for d in self.books if d.document == number)
        self.books[self.books.index(original)] = original.model_copy(update={"reversed": True})
        text = short_key(key) if key is not None else ""
        changes = {"document": f"{next(self._numbers):04}/1", "reversal": True, "key": key, "text": text}
        return self._commit(original.model_copy(update=changes | {"reversed": False}))

    def standing(self, order: str) -> list[ErpDocument]:
        return [d for d in self.books if d.order == order and not d.reversed and not d.reversal]

    # --- not asked here ----------------------------------------------------------------------------------------------

    async def released_orders(self, changed_after: str = "") -> list[OrderHead]:
        raise NotImplementedError

    async def read_order(self, order: str) -> ProductionOrder:
        raise NotImplementedError

    async def aclose(self) -> None:
        return None


# --- the bench -------------------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """One order, its ERP, its ledger, and as many workers as a test wants."""

    order: str
    clock: Clock
    erp: FakeErp
    ledger: LedgerPort
    _tokens: itertools.count = field(default_factory=lambda: itertools.count(1))

    def worker(self, erp: Any = None) -> PostingProcedure:
        return PostingProcedure(
            erp or self.erp,
            self.ledger,
            now=self.clock.now,
            new_token=lambda: f"token-{next(self._tokens)}",
            timeout_seconds=TIMEOUT,
            settle_seconds=SETTLE,
            retry_seconds=(1, 2, 5),
            goods_movement_wait_seconds=MOVEMENT_WAIT,
        )

    def draft(
        self,
        *reports: str,
        yielded: str = "10",
        revision: int = 0,
        mode: PostingMode = PostingMode.POST,
        approved: bool = False,
        operation: str = "0010",
        **intent: Any,
    ) -> PostingDraft:
        reports = reports or ("r1",)
        transaction = ConfirmProduction(
            plant=PLANT,
            order=self.order,
            operation=operation,
            posting_date=date(2026, 11, 22),
            yield_quantity=Decimal(yielded),
            unit="PC",
        )
        named = tuple(f"{self.order}:{r}" for r in reports)
        key = posting_key(PLANT, self.order, operation, transaction.type.value, named, revision)
        return PostingDraft(
            plant=PLANT,
            intent=PostingIntent(key=key, transaction=transaction, report_ids=named, revision=revision, **intent),
            mode=mode,
            approved=approved,
        )

    def reversal(self, document: str) -> PostingDraft:
        transaction = Reverse(
            plant=PLANT, order=self.order, operation="0010", document=document, posting_date=date(2026, 11, 22)
        )
        key = posting_key(PLANT, self.order, "0010", transaction.type.value, [document], 0)
        return PostingDraft(plant=PLANT, intent=PostingIntent(key=key, transaction=transaction))

    def completion(self) -> PostingDraft:
        transaction = CompleteOrder(plant=PLANT, order=self.order, posting_date=date(2026, 11, 22))
        key = posting_key(PLANT, self.order, "", transaction.type.value, [], 0)
        return PostingDraft(plant=PLANT, intent=PostingIntent(key=key, transaction=transaction))

    async def until_settled(self, draft: PostingDraft, erp: Any = None, *, limit: int = 60) -> SettleResult:
        """Do as the workflow does: wait for `next_try_at`, ask again; every attempt by a fresh worker."""
        for _ in range(limit):
            result = await self.worker(erp).settle(draft)
            if result.next_try_at is None:
                return result
            self.clock.reach(result.next_try_at)
        raise AssertionError(f"not settled after {limit} attempts: {result}")

    def standing(self) -> list[ErpDocument]:
        return self.erp.standing(self.order)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_ledger(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SqlLedger]:
    """One SQLite ledger for the run; every test has an order of its own in it."""
    ledger = await open_ledger(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    yield ledger
    await ledger.close()


_orders = itertools.count(7_000_001)


@pytest.fixture
def bench(shared_ledger: LedgerPort) -> Bench:
    clock = Clock()
    return Bench(str(next(_orders)), clock, FakeErp(clock), shared_ledger)


@pytest.fixture
def down() -> ErpUnavailable:
    return ErpUnavailable("no connection", code="no_connection")
