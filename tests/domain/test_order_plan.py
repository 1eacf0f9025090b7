"""What an order posts next: one bucket, never beyond the predecessor, final only when final is true."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.order_book import OrderBook
from domain.order_plan import (
    completion_intent,
    everything_final,
    evidence_trouble,
    is_ready_for_final,
    next_intent,
    predecessors_of,
    reversal_intent,
)
from signals.decisions import PostingMode
from signals.documents import CaseKind
from signals.orders import ConfirmationMode
from signals.transactions import Reverse
from tests.domain.routing import (
    ORDER,
    TODAY,
    Line,
    case,
    confirmation,
    credit,
    loaded,
    operation,
    order,
    settle,
)

# --- one bucket ------------------------------------------------------------------------------------------------

KEYS = ("batch", "component_lot", "reason", "reason_origin", "person", "shift", "posting_date")


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(0, 2), st.sampled_from(KEYS), st.sampled_from(["X", "Y"])),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 20),
)
def test_a_posting_never_mixes_buckets_and_all_reports_get_posted(
    made: list[tuple[int, int, str, str]], most: int
) -> None:
    line = Line()
    book = loaded(order(operation("0010", 1000)), max_quantity=most)
    for good, scrap, key, value in made:
        changed: dict[str, Any] = {key: value}
        if key == "posting_date":
            changed = {key: date(2026, 3, 2 if value == "X" else 3)}
        book.receive(line.report(good=good, scrap=scrap, **changed))
    buckets = {m.report.report_id: m.report.bucket for m in line.sent if m.report}
    sizes = {m.report.report_id: m.report.yield_quantity + m.report.scrap_quantity for m in line.sent if m.report}
    taken: list[str] = []
    while (intent := next_intent(book.state, TODAY)) is not None:
        t = confirmation(intent)
        bucket = buckets[intent.report_ids[0]]
        assert all(buckets[r] == bucket for r in intent.report_ids)
        assert (t.batch, t.component_lot, t.reason) == (bucket.batch, bucket.component_lot, bucket.reason)
        assert (t.person, t.shift, t.posting_date) == (bucket.person, bucket.shift, bucket.posting_date)
        assert len(intent.report_ids) == 1 or sum(sizes[r] for r in intent.report_ids) <= most
        taken += intent.report_ids
        settle(book, intent)
    assert sorted(taken) == sorted(buckets)


def test_the_posting_date_of_an_empty_final_is_that_of_the_last_production() -> None:
    line = Line()
    book = loaded(order(operation("0010", 5)))
    book.receive(line.report(good=5, posting_date=date(2026, 3, 4)))
    settle(book, next_intent(book.state, TODAY))
    book.receive(line.end())
    final = confirmation(next_intent(book.state, TODAY))
    assert (final.final, final.posting_date, final.yield_quantity) == (True, date(2026, 3, 4), 0)


def test_times_and_machine_minutes_come_from_the_reports() -> None:
    line = Line()
    book = loaded(order(operation("0010", 50)), machine_activity=2)
    book.receive(line.report(good=2, seconds=90))
    book.receive(line.report(good=1, seconds=45))
    t = confirmation(next_intent(book.state, TODAY))
    assert [(a.slot, a.amount, a.unit) for a in t.activities] == [(2, Decimal("2.250"), "MIN")]
    assert t.started_at is not None and t.ended_at is not None and t.started_at < t.ended_at


# --- keys ------------------------------------------------------------------------------------------------------


@given(st.permutations([3, 4, 5]))
def test_a_key_follows_from_its_reports_whatever_order_they_came_in(goods: list[int]) -> None:
    keys = set()
    for sequence in (goods, sorted(goods)):
        line = Line()
        sent = {good: line.report(good=good) for good in (3, 4, 5)}
        book = loaded(order(operation("0010", 100)))
        book.load(
            order(operation("0010", 100)),
            book.state.settings,
            tuple(sent[good] for good in sequence),
            settled=frozenset(),
            totals=(),
            credits=(),
            cases=(),
            finals=frozenset(),
        )
        intent = next_intent(book.state, TODAY)
        assert intent is not None
        keys.add(intent.key)
    assert len(keys) == 1


def test_a_key_changes_with_reports_revision_and_finality() -> None:
    def key(*goods: int, revision: int = 0, end: bool = False) -> object:
        line = Line()
        book = loaded(order(operation("0010", 5)))
        for good in goods:
            book.receive(line.report(good=good))
        if end:
            book.receive(line.end())
        book.state.operations["0010"].revision = revision
        intent = next_intent(book.state, TODAY)
        assert intent is not None
        return intent.key

    assert len({key(5), key(2, 3), key(5, revision=1), key(5, end=True)}) == 4
    assert key(5, end=True) == key(5, end=True)


# --- predecessors ----------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(["0010", "0020"]), st.integers(0, 4), st.integers(0, 2)), max_size=20))
def test_an_operation_never_posts_more_than_its_predecessor_yielded(made: list[tuple[str, int, int]]) -> None:
    line = Line()
    book = loaded(order(operation("0010", 1000), operation("0020", 1000)), max_quantity=5)
    for op, good, scrap in made:
        if good + scrap:
            book.receive(line.report(op, good, scrap))
        while (intent := next_intent(book.state, TODAY)) is not None:
            settle(book, intent)
            first, second = book.state.operations["0010"], book.state.operations["0020"]
            assert second.posted_total <= first.posted_yield
    assert book.state.operations["0010"].posted_total == book.state.operations["0010"].reported_total


@pytest.mark.parametrize("how", ["overlap", "shadow"])
def test_overlap_and_shadow_do_not_wait_for_the_predecessor(how: str) -> None:
    line = Line()
    given_ = order(operation("0010"), operation("0020", overlap=how == "overlap"))
    book = loaded(given_, mode=PostingMode.SHADOW if how == "shadow" else PostingMode.POST)
    book.receive(line.report("0020", 4))
    assert confirmation(next_intent(book.state, TODAY)).operation == "0020"


def numbers(
    *operations: str, of: str, named: dict[str, tuple[str, ...]], modes: dict[str, ConfirmationMode]
) -> list[str]:
    routing = order(
        *(
            operation(n, predecessors=named.get(n, ()), confirmation=modes.get(n, ConfirmationMode.REQUIRED))
            for n in operations
        )
    )
    found = routing.find_operation(of)
    assert found is not None
    return [o.operation for o in predecessors_of(routing, found)]


def test_predecessors_are_found_as_the_order_says_or_by_its_routing() -> None:
    none = ConfirmationMode.NONE
    assert numbers("0010", "0020", "0030", of="0030", named={}, modes={}) == ["0020"]
    assert numbers("0010", "0020", of="0010", named={}, modes={}) == []
    assert numbers("0030", "0010", "0020", of="0030", named={}, modes={}) == ["0020"]
    assert numbers("5", "10", "100", of="100", named={}, modes={}) == ["10"]
    assert numbers("0010", "0020", "0030", of="0030", named={}, modes={"0020": none}) == ["0010"]
    assert numbers("0010", "0020", "0030", of="0030", named={"0030": ("0010", "0020")}, modes={}) == ["0010", "0020"]
    skipping = {"0030": ("0020",), "0020": ("0010",)}
    assert numbers("0010", "0020", "0030", of="0030", named=skipping, modes={"0020": none}) == ["0010"]
    circle = {"0010": ("0020",), "0020": ("0010",)}
    assert numbers("0010", "0020", of="0010", named=circle, modes={"0020": none}) == ["0010"]


def test_an_assembly_is_limited_by_the_scarcest_of_its_predecessors() -> None:
    line = Line()
    join = operation("0030", predecessors=("0010", "0020"))
    book = loaded(order(operation("0010"), operation("0020", predecessors=("9999",)), join))
    for op, good in (("0010", 5), ("0020", 2)):
        book.receive(line.report(op, good))
        settle(book, next_intent(book.state, TODAY))
    book.receive(line.report("0030", 3))
    assert next_intent(book.state, TODAY) is None
    book.receive(line.report("0020", 1))
    settle(book, next_intent(book.state, TODAY))
    assert confirmation(next_intent(book.state, TODAY)).yield_quantity == 3


def test_parallel_sequences_do_not_limit_each_other() -> None:
    line = Line()
    book = loaded(order(operation("0010"), operation("0020", sequence="1")))
    book.receive(line.report("0020", 4))
    assert confirmation(next_intent(book.state, TODAY)).operation == "0020"


# --- credit ----------------------------------------------------------------------------------------------------


def test_an_adopted_hand_entry_reduces_what_is_posted_exactly_once() -> None:
    line = Line()
    book = loaded(order(operation("0010", 100)), max_quantity=6)
    for _ in range(4):
        book.receive(line.report(good=4))
    book.state.operations["0010"].credit = credit("0010", good=6)
    amounts: list[tuple[Decimal, bool]] = []
    while (intent := next_intent(book.state, TODAY)) is not None:
        t = settle(book, intent)
        amounts.append((t.yield_quantity, intent.covered))
    assert amounts == [(4, True), (2, False), (4, False), (4, False)]


def test_a_covered_claim_says_what_its_reports_say() -> None:
    line = Line()
    book = loaded(order(operation("0010", 100)))
    book.receive(line.report(good=3, scrap=2))
    book.state.operations["0010"].credit = credit("0010", good=9, scrap=2)
    intent = next_intent(book.state, TODAY)
    assert intent is not None and intent.covered and intent.credit is not None
    assert (confirmation(intent).yield_quantity, confirmation(intent).scrap_quantity) == (3, 2)
    assert (intent.credit.yield_quantity, intent.credit.scrap_quantity) == (3, 2)


def test_a_final_that_a_hand_entry_covers_is_still_sent_and_adds_nothing() -> None:
    line = Line()
    book = loaded(order(operation("0010", 5)))
    book.receive(line.report(good=5))
    book.receive(line.end())
    book.state.operations["0010"].credit = credit("0010", good=5)
    intent = next_intent(book.state, TODAY)
    assert intent is not None and not intent.covered
    assert (confirmation(intent).final, confirmation(intent).yield_quantity) == (True, 0)


def test_a_hand_entry_counts_once_against_the_predecessors_yield() -> None:
    """Ten pieces came through, ten were booked by hand at the second operation: their reports still fit."""
    line = Line()
    book = loaded(order(operation("0010", 50), operation("0020", 50)))
    book.receive(line.report("0010", 10))
    settle(book, next_intent(book.state, TODAY))
    second = book.state.operations["0020"]
    second.credit, second.posted_yield = credit("0020", good=10), Decimal(10)
    book.receive(line.report("0020", 10))
    intent = next_intent(book.state, TODAY)
    assert intent is not None and intent.covered


# --- final -----------------------------------------------------------------------------------------------------


def ready(number: str, book: OrderBook) -> bool:
    state = book.state
    assert state.order is not None
    found = state.order.find_operation(number)
    assert found is not None
    return is_ready_for_final(state, state.order, found, state.operations[number])


def test_the_last_posting_of_an_ended_operation_is_its_final_confirmation() -> None:
    line = Line()
    book = loaded(order(operation("0010", 10)))
    book.receive(line.report(good=6, batch="X"))
    book.receive(line.report(good=3, scrap=1, batch="Y"))
    assert not confirmation(next_intent(book.state, TODAY)).final
    book.receive(line.end())
    first = settle(book, next_intent(book.state, TODAY))
    last = settle(book, next_intent(book.state, TODAY))
    assert (first.final, last.final) == (False, True)
    assert next_intent(book.state, TODAY) is None
    assert everything_final(book.state)


@pytest.mark.parametrize("missing", ["end", "pieces", "evidence", "inside", "predecessor"])
def test_final_waits_for(missing: str) -> None:
    line = Line()
    book = loaded(order(operation("0010", 10), operation("0020", 10)))
    for op in ("0010", "0020"):
        book.receive(line.report(op, 9 if missing == "pieces" and op == "0010" else 10))
        late = missing == "predecessor" and op == "0010"
        if missing != "end" and not late:
            inside = 1 if missing == "inside" else 0
            book.receive(line.end(op, in_line=inside, second="unavailable" if missing == "evidence" else "agrees"))
        while (intent := next_intent(book.state, TODAY)) is not None:
            assert not confirmation(intent).final
            settle(book, intent)
    assert not ready("0010", book) and not ready("0020", book)
    trouble = missing in ("evidence", "inside")
    assert bool(evidence_trouble(book.state.operations["0010"])) is trouble


def test_a_predecessor_is_final_before_its_successor() -> None:
    line = Line()
    book = loaded(order(operation("0010", 10), operation("0020", 10)))
    for op, good, scrap in (("0010", 8, 2), ("0020", 8, 0)):
        book.receive(line.report(op, good, scrap))
        book.receive(line.end(op))
    finals = []
    while (intent := next_intent(book.state, TODAY)) is not None:
        finals.append(settle(book, intent))
    assert [(t.operation, t.yield_quantity, t.final) for t in finals] == [("0010", 8, True), ("0020", 8, True)]


def test_a_person_ends_an_order_short_and_every_operation_becomes_final() -> None:
    line = Line()
    book = loaded(order(operation("0010", 10), operation("0020", 10)))
    book.receive(line.report("0010", 4))
    book.state.complete_requested = True
    book.state.handing_over.append("line-1")
    assert not confirmation(next_intent(book.state, TODAY)).final
    book.receive(line.hand_over())
    posted = []
    while (intent := next_intent(book.state, TODAY)) is not None:
        posted.append(settle(book, intent))
    assert [(t.operation, t.yield_quantity, t.final) for t in posted] == [("0010", 4, True), ("0020", 0, True)]
    assert everything_final(book.state)


def test_cancelling_closes_short_what_was_touched_and_leaves_the_rest_alone() -> None:
    line = Line()
    book = loaded(order(operation("0010", 10), operation("0020", 10)))
    book.receive(line.report("0010", 4))
    book.state.cancel_requested = True
    posted = []
    while (intent := next_intent(book.state, TODAY)) is not None:
        posted.append(settle(book, intent))
    assert [(t.operation, t.yield_quantity, t.final) for t in posted] == [("0010", 4, True)]
    assert everything_final(book.state)


def test_cancelling_an_untouched_order_posts_nothing() -> None:
    book = loaded()
    book.state.cancel_requested = True
    assert next_intent(book.state, TODAY) is None
    assert everything_final(book.state)


def test_an_order_with_nothing_to_confirm_ends_when_a_person_says_so() -> None:
    book = loaded(order(operation("0010", confirmation=ConfirmationMode.NONE)))
    assert not everything_final(book.state)
    book.state.complete_requested = True
    assert everything_final(book.state)


# --- cases -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(CaseKind))
def test_a_case_blocks_its_own_operation_only(kind: CaseKind) -> None:
    line = Line()
    book = loaded(order(operation("0010"), operation("0020", overlap=True)))
    book.receive(line.report("0010", 3))
    book.receive(line.report("0020", 2))
    book.open(case(kind, "0010"))
    expected = "0010" if kind is CaseKind.GOODS_MOVEMENT_SHORTFALL else "0020"
    assert confirmation(next_intent(book.state, TODAY)).operation == expected
    assert book.is_completion_blocked()


def test_what_waits_for_approval_holds_back_its_operation_until_approved() -> None:
    line = Line()
    book = loaded(order(operation("0010"), operation("0020", overlap=True)))
    book.receive(line.report("0010", 3))
    first = next_intent(book.state, TODAY)
    assert first is not None
    book.put_aside(first, approval=True)
    book.receive(line.report("0020", 2))
    assert confirmation(next_intent(book.state, TODAY)).operation == "0020"
    assert book.status().waiting_approval == (str(first.key),)
    book.state.approved.append(str(first.key))
    assert next_intent(book.state, TODAY) == first


def test_one_posting_is_in_flight_per_order() -> None:
    line = Line()
    book = loaded(order(operation("0010"), operation("0020", overlap=True)))
    book.receive(line.report("0010", 3))
    flying = next_intent(book.state, TODAY)
    book.state.current = flying
    book.receive(line.report("0010", 1))
    book.receive(line.report("0020", 1))
    assert next_intent(book.state, TODAY) is flying


# --- other postings --------------------------------------------------------------------------------------------


def test_completion_and_reversal_have_keys_of_their_own_that_do_not_change() -> None:
    book = loaded()
    wrong = case(CaseKind.MANUAL_ENTRY, "0010").model_copy(update={"document": "207/1"})
    other = wrong.model_copy(update={"document": "207/2"})
    keys = [
        completion_intent(book.state, TODAY).key,
        completion_intent(book.state, date(2027, 1, 1)).key,
        reversal_intent(book.state, wrong, TODAY).key,
        reversal_intent(book.state, other, TODAY).key,
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    reversal = reversal_intent(book.state, wrong, TODAY).transaction
    assert isinstance(reversal, Reverse)
    assert (reversal.order, reversal.operation, reversal.document) == (ORDER, "0010", "207/1")
