"""An order from its first report to its final confirmations, cut off anywhere: in the end the books agree."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.order_book import OrderBook
from domain.order_plan import everything_final, next_intent
from domain.order_state import OrderState
from signals.documents import CaseAction, CaseKind, PostingState
from signals.transactions import PostingIntent
from tests.domain.routing import (
    ORDER,
    PLANT,
    TODAY,
    Books,
    Line,
    case,
    confirmation,
    operation,
    order,
)

# --- the whole way ---------------------------------------------------------------------------------------------

REPORTS = st.lists(
    st.tuples(
        st.sampled_from(["0010", "0020"]),
        st.integers(0, 6),
        st.integers(0, 2),
        st.sampled_from(["", "R1"]),
        st.sampled_from(["early", "late"]),
    ),
    max_size=14,
)
INTERRUPTIONS = st.lists(
    st.sampled_from(["post", "later", "crash", "json", "reset", "repeat", "lose", "adopt"]), min_size=10, max_size=60
)


class Process:
    """The order's workflow in small: delivers, drafts, claims, posts; may be cut off anywhere."""

    def __init__(self, line: Line, most: int) -> None:
        self.line, self.books, self.delivered = line, Books(), 0
        self.order = order(operation("0010", 1000), operation("0020", 1000), unlimited_over_delivery=True)
        self.most = most
        self.reset()

    def reset(self) -> None:
        self.book = OrderBook(OrderState(plant=PLANT, order_id=ORDER))
        settings_ = self.book.state.settings.model_copy(update={"max_quantity": self.most})
        self.books.load(self.book, self.order, settings_)

    def deliver(self, message_lost: bool = False) -> None:
        """The ledger has a message before the order may hear of it."""
        if self.delivered < len(self.line.sent):
            message = self.line.sent[self.delivered]
            self.books.messages.append(message)
            self.delivered += 1
            if not message_lost:
                self.book.receive(message)
        if self.book.state.reload:
            self.books.load(self.book, self.order, self.book.state.settings)

    def post(self, *, until_claimed: bool = False, answered: bool = True) -> None:
        state = self.book.state
        intent = next_intent(state, TODAY)
        if intent is None or state.reload:
            return
        self._judge(intent)
        state.current = intent
        claimed = self.books.claim(intent)
        if until_claimed:
            return
        for one in claimed:
            outcome = self.books.post(one)
            if not answered:
                continue
            state.current = None
            if outcome.state is PostingState.CANCELLED:
                self.book.redraft(intent)
                continue
            self.book.settled(intent, outcome)
            if outcome.key == intent.key:
                self.book.use_credit(intent)
        self.book.take_totals(self.books.totals())

    def _judge(self, intent: PostingIntent) -> None:
        t = confirmation(intent)
        adds = Decimal(0) if intent.covered else t.yield_quantity + t.scrap_quantity
        if t.operation == "0020" and adds and intent.key not in self.books.intents:
            assert sum(self.books.posted["0020"]) + adds <= self.books.posted["0010"][0]

    def adopt(self, op: str) -> None:
        """Somebody posts by hand part of what the line has reported, a person adopts it."""
        heard = sum(
            m.report.yield_quantity for m in self.books.messages if m.report and m.report.bucket.operation == op
        )
        quantity = int(min(2, heard - self.books.posted[op][0]))
        if quantity <= 0 or op in self.books.finals:
            return
        intent = self.book.state.current
        if intent is not None and intent.transaction.operation == op:
            self.book.state.current = None
            self.book.put_aside(intent)
        self.books.adopt(op, quantity)
        entry = case(CaseKind.MANUAL_ENTRY, op, CaseAction.ADOPT)
        self.book.open(entry)
        self.book.take_totals(self.books.totals())
        self.book.state.operations[op].credit = self.books.credit(op)
        self.book.apply_decision(entry, CaseAction.ADOPT)


@settings(max_examples=150, deadline=None)
@given(REPORTS, INTERRUPTIONS, st.integers(1, 12))
def test_books_agree_in_the_end_whatever_came_between(
    made: list[tuple[str, int, int, str, str]], interruptions: list[str], most: int
) -> None:
    line, through = Line(), 0
    for op, good, scrap, reason, shift in made:
        if op == "0020":
            good, scrap = min(good, through), min(scrap, max(through - good, 0))
            through -= good + scrap
        else:
            through += good
        if good + scrap:
            line.report(op, good, scrap, reason=reason if scrap else "", shift=shift)
    process = Process(line, most)
    for n, what in enumerate(interruptions):
        match what:
            case "post":
                process.deliver()
                process.post()
            case "later":
                process.deliver()
                process.post(until_claimed=True)
            case "crash":
                process.post(answered=False)
            case "json":
                process.book = OrderBook(OrderState.model_validate_json(process.book.state.model_dump_json()))
            case "reset":
                process.reset()
            case "repeat":
                for message in process.books.messages[-2:]:
                    process.book.receive(message)
            case "lose":
                process.deliver(message_lost=True)
            case _:
                process.adopt(("0010", "0020")[n % 2])
    while process.delivered < len(line.sent):
        process.deliver()
    process.reset()
    process.book.state.complete_requested = True
    for _ in range(80):
        process.deliver()
        process.post()
    truth = {op: [Decimal(0), Decimal(0)] for op in ("0010", "0020")}
    for message in line.sent:
        assert message.report is not None
        truth[message.report.bucket.operation][0] += message.report.yield_quantity
        truth[message.report.bucket.operation][1] += message.report.scrap_quantity
    assert {op: process.books.posted[op][:2] for op in truth} == truth
    assert process.books.finals == {"0010", "0020"}
    assert everything_final(process.book.state)
    assert all(o.posted_total == o.reported_total for o in process.book.state.operations.values())
