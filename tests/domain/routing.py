"""Production orders and Line messages for the tests of what an order decides."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.order_book import OrderBook
from domain.order_state import OrderSettings, OrderState
from signals.documents import Case, CaseAction, CaseKind, Credit, OperationTotals, PostingOutcome, PostingState
from signals.orders import ErpOrderStatus, Operation, ProductionOrder
from signals.reports import HandOver, LineMessage, OperationEnd, ProductionReport, ReportBucket
from signals.transactions import ConfirmProduction, PostingIntent

PLANT, ORDER = "north", "1000017"
START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
TODAY = date(2026, 3, 9)


def operation(number: str, planned: int = 10, **changes: Any) -> Operation:
    return Operation(operation=number, planned=Decimal(planned), unit="PC").model_copy(update=changes)


def order(*operations: Operation, **changes: Any) -> ProductionOrder:
    return ProductionOrder(
        plant=PLANT,
        order=ORDER,
        material="FRAME",
        quantity=Decimal(10),
        unit="PC",
        status=ErpOrderStatus.RELEASED,
        operations=operations or (operation("0010"), operation("0020")),
    ).model_copy(update=changes)


def loaded(given: ProductionOrder | None = None, messages: tuple[LineMessage, ...] = (), **settings: Any) -> OrderBook:
    """A book that has loaded its order."""
    book = OrderBook(OrderState(plant=PLANT, order_id=ORDER))
    book.load(
        given or order(),
        OrderSettings().model_copy(update=settings),
        messages,
        settled=frozenset(),
        totals=(),
        credits=(),
        cases=(),
        finals=frozenset(),
    )
    return book


class Line:
    """Numbers what it says, as a Line does."""

    def __init__(self, name: str = "line-1") -> None:
        self.name = name
        self.sent: list[LineMessage] = []

    def _note(self, message: LineMessage) -> LineMessage:
        self.sent.append(message)
        return message

    @property
    def _next(self) -> int:
        return len(self.sent) + 1

    def report(
        self,
        op: str = "0010",
        good: int | str = 0,
        scrap: int | str = 0,
        *,
        at: float | None = None,
        unit: str = "PC",
        seconds: int = 0,
        **bucket: Any,
    ) -> LineMessage:
        number = self._next
        when = START + timedelta(seconds=number if at is None else at)
        key = {"order": ORDER, "operation": op, "shift": "2026-03-02/early", "posting_date": date(2026, 3, 2)} | bucket
        report = ProductionReport(
            report_id=f"{self.name}-{number}",
            plant=PLANT,
            line=self.name,
            number=number,
            bucket=ReportBucket(**key),
            yield_quantity=Decimal(good),
            scrap_quantity=Decimal(scrap),
            unit=unit,
            first_at=when,
            last_at=when,
            machine_seconds=Decimal(seconds),
        )
        return self._note(LineMessage(report=report))

    def end(
        self, op: str = "0010", *, at: float | None = None, in_line: int = 0, second: str = "agrees"
    ) -> LineMessage:
        number = self._next
        when = START + timedelta(seconds=number if at is None else at)
        end = OperationEnd(
            plant=PLANT,
            line=self.name,
            number=number,
            order=ORDER,
            operation=op,
            ended_at=when,
            watermark=when,
            in_line=in_line,
            second_evidence=second,
        )
        return self._note(LineMessage(operation_end=end))

    def hand_over(self) -> LineMessage:
        return self._note(LineMessage(hand_over=HandOver(plant=PLANT, line=self.name, number=self._next, order=ORDER)))


def confirmation(intent: PostingIntent | None) -> ConfirmProduction:
    assert intent is not None and isinstance(intent.transaction, ConfirmProduction)
    return intent.transaction


def posted(intent: PostingIntent) -> PostingOutcome:
    t = confirmation(intent)
    return PostingOutcome(
        key=intent.key,
        operation=t.operation,
        state=PostingState.POSTED,
        document="200/1",
        yield_quantity=t.yield_quantity,
        scrap_quantity=t.scrap_quantity,
        rework_quantity=t.rework_quantity,
        final=t.final,
        report_ids=intent.report_ids,
    )


def settle(book: OrderBook, intent: PostingIntent | None) -> ConfirmProduction:
    """The ERP booked it: what the workflow then tells the book."""
    assert intent is not None
    t = confirmation(intent)
    had = book.state.operations[t.operation]
    book.settled(intent, posted(intent))
    book.use_credit(intent)
    adds = Decimal(0) if intent.covered else Decimal(1)
    total = OperationTotals(
        operation=t.operation,
        yield_quantity=had.posted_yield + adds * t.yield_quantity,
        scrap_quantity=had.posted_scrap + adds * t.scrap_quantity,
        rework_quantity=had.posted_rework + adds * t.rework_quantity,
    )
    book.take_totals((total,))
    return t


def case(kind: CaseKind, op: str, action: CaseAction = CaseAction.RETRY, name: str = "c1") -> Case:
    return Case(
        case_id=name,
        plant=PLANT,
        order=ORDER,
        operation=op,
        kind=kind,
        owner_role="integration_ops",
        summary=kind.value,
        allowed=(action,),
    )


def credit(op: str, good: int = 0, scrap: int = 0) -> Credit:
    return Credit(operation=op, yield_quantity=Decimal(good), scrap_quantity=Decimal(scrap))


class Books:
    """What ledger and ERP remember of one order: messages, claims, documents and hand entries. Judges every posting."""

    def __init__(self) -> None:
        self.messages: list[LineMessage] = []
        self.intents: dict[object, PostingIntent] = {}
        self.states: dict[object, PostingState] = {}
        self.posted: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
        self.adopted: dict[str, Decimal] = defaultdict(Decimal)
        self.finals: set[str] = set()

    def credit(self, op: str) -> Credit:
        used = sum(
            (
                i.credit.yield_quantity
                for k, i in self.intents.items()
                if i.credit and i.credit.operation == op and self.states[k] is not PostingState.CANCELLED
            ),
            Decimal(0),
        )
        assert used <= self.adopted[op], f"operation {op}: an adopted hand entry was taken off twice"
        return Credit(operation=op, yield_quantity=self.adopted[op] - used)

    def adopt(self, op: str, quantity: int) -> None:
        """Somebody booked by hand, and a person adopted it; unsent claims of the operation are given up."""
        self.adopted[op] += quantity
        self.posted[op] = [self.posted[op][0] + quantity, *self.posted[op][1:]]
        for key, intent in self.intents.items():
            if intent.transaction.operation == op and self.states[key] is PostingState.CLAIMED:
                self.states[key] = PostingState.CANCELLED

    def totals(self) -> tuple[OperationTotals, ...]:
        return tuple(
            OperationTotals(operation=op, yield_quantity=q[0], scrap_quantity=q[1], rework_quantity=q[2])
            for op, q in self.posted.items()
        )

    def claim(self, intent: PostingIntent) -> list[PostingIntent]:
        """The postings to settle for a draft: itself, or those that hold its reports already."""
        if intent.key in self.intents:
            return [self.intents[intent.key]]
        mine = set(intent.report_ids)
        holders = [
            other
            for key, other in self.intents.items()
            if mine & set(other.report_ids)
            and (self.states[key] is not PostingState.CANCELLED or other.revision == intent.revision)
        ]
        if holders:
            return holders
        state = PostingState.ADOPTED if intent.covered else PostingState.CLAIMED
        self.intents[intent.key], self.states[intent.key] = intent, state
        self.credit(intent.transaction.operation)
        return [intent]

    def post(self, intent: PostingIntent) -> PostingOutcome:
        """Book a claimed posting once, and say how it stands."""
        state = self.states[intent.key]
        if state is PostingState.CANCELLED:
            return posted(intent).model_copy(update={"state": state, "report_ids": ()})
        t = confirmation(intent)
        if state is PostingState.CLAIMED:
            self.states[intent.key] = PostingState.POSTED
            assert t.operation not in self.finals or not t.final, f"operation {t.operation}: final twice"
            if t.final:
                self.finals.add(t.operation)
            adds = (t.yield_quantity, t.scrap_quantity, t.rework_quantity)
            self.posted[t.operation] = [a + b for a, b in zip(self.posted[t.operation], adds, strict=True)]
        return posted(intent).model_copy(update={"state": self.states[intent.key]})

    def load(self, book: OrderBook, given: ProductionOrder, settings: OrderSettings) -> None:
        done = [i for k, i in self.intents.items() if self.states[k] in (PostingState.POSTED, PostingState.ADOPTED)]
        book.load(
            given,
            settings,
            tuple(self.messages),
            settled=frozenset(r for i in done for r in i.report_ids),
            totals=self.totals(),
            credits=tuple(self.credit(o.operation) for o in given.operations),
            cases=(),
            finals=frozenset(self.finals),
            unsettled=tuple(
                i.model_copy(update={"credit": None})
                for k, i in self.intents.items()
                if self.states[k] is PostingState.CLAIMED
            ),
        )
