"""The order's book: takes what a Line says once, keeps what does not fit as a case, and ends with equal books."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from domain.order_book import OrderBook, is_confirmation
from domain.order_plan import completion_intent, everything_final, next_intent
from domain.order_state import OrderState
from signals.documents import Case, CaseAction, CaseKind, OperationTotals
from signals.orders import ConfirmationMode, OrderPhase
from signals.transactions import PostingIntent
from tests.domain.routing import (
    ORDER,
    PLANT,
    START,
    TODAY,
    Line,
    case,
    confirmation,
    credit,
    loaded,
    operation,
    order,
    posted,
    settle,
)

# --- from the line ---------------------------------------------------------------------------------------------


def test_repeated_messages_are_ignored() -> None:
    line, book = Line(), loaded()
    messages = [line.report(good=2), line.end(), line.report(good=1)]
    for message in [*messages, *messages, messages[0]]:
        book.receive(message)
    assert book.state.operations["0010"].reported_yield == 3
    assert [r.number for r in book.state.pending] == [1, 3]
    assert not book.state.reload


def test_a_missing_number_asks_for_a_reload_and_changes_nothing() -> None:
    line, book = Line(), loaded()
    line.report(good=2)
    late = line.report(good=5)
    book.receive(late)
    assert book.state.reload
    assert (book.state.pending, book.state.high_water) == ([], {})
    settings_ = book.state.settings
    book.load(order(), settings_, tuple(line.sent), frozenset(), (), (), (), frozenset())
    assert not book.state.reload
    assert book.state.operations["0010"].reported_yield == 7


def test_numbers_count_per_line() -> None:
    book = loaded()
    for name in ("line-1", "line-2"):
        line = Line(name)
        book.receive(line.report(good=2))
    assert book.state.high_water == {"line-1": 1, "line-2": 1}
    assert book.state.operations["0010"].reported_yield == 4


def test_a_message_before_the_order_is_known_waits_for_it() -> None:
    book = OrderBook(OrderState(plant=PLANT, order_id=ORDER))
    book.state.reload = False
    book.receive(Line().report(good=2))
    assert book.state.reload
    assert (book.state.cases, book.state.high_water) == ([], {})


def test_the_first_report_starts_the_order() -> None:
    book = loaded()
    assert book.state.phase is OrderPhase.RELEASED
    book.receive(Line().report(good=1))
    assert book.state.phase is OrderPhase.RUNNING


@pytest.mark.parametrize(
    ("kind", "op", "unit"),
    [(CaseKind.UNKNOWN_OPERATION, "0099", "PC"), (CaseKind.UNIT_MISMATCH, "0010", "KG")],
)
def test_a_report_that_does_not_fit_is_a_case_and_never_posted(kind: CaseKind, op: str, unit: str) -> None:
    line, book = Line(), loaded()
    book.receive(line.report(op, good=3, scrap=1, unit=unit))
    (found,) = book.state.cases
    assert (found.kind, found.operation, found.yield_quantity, found.scrap_quantity) == (kind, op, 3, 1)
    assert next_intent(book.state, TODAY) is None
    assert book.state.pending == []
    book.apply_decision(found, CaseAction.SKIP)
    book.receive(line.report(good=2))
    assert confirmation(next_intent(book.state, TODAY)).yield_quantity == 2


@pytest.mark.parametrize(
    ("planned", "percent", "configured", "made", "beyond"),
    [(10, None, 0, 11, True), (10, None, 20, 12, False), (10, 10, 0, 11, False), (10, 10, 50, 12, True)],
)
def test_yield_beyond_tolerance_waits_for_a_person(
    planned: int, percent: int | None, configured: int, made: int, beyond: bool
) -> None:
    line = Line()
    tolerance = None if percent is None else Decimal(percent)
    given_ = order(operation("0010", planned), over_delivery_percent=tolerance)
    book = loaded(given_, over_delivery_percent=Decimal(configured))
    book.receive(line.report(good=made))
    assert ([c.kind for c in book.state.cases] == [CaseKind.BEYOND_TOLERANCE]) is beyond
    assert (next_intent(book.state, TODAY) is None) is beyond
    if beyond:
        book.apply_decision(book.state.cases[0], CaseAction.ACCEPT)
        assert confirmation(next_intent(book.state, TODAY)).yield_quantity == made
        book.receive(line.report(good=1))
        assert book.state.cases == []


def test_unlimited_over_delivery_is_never_questioned() -> None:
    book = loaded(order(operation("0010", 10), unlimited_over_delivery=True))
    book.receive(Line().report(good=500))
    assert book.state.cases == []


@pytest.mark.parametrize("mode", [ConfirmationMode.NONE, ConfirmationMode.EXTERNAL])
def test_an_operation_that_the_erp_does_not_confirm_is_counted_and_holds_nothing_up(mode: ConfirmationMode) -> None:
    line = Line()
    book = loaded(order(operation("0010", confirmation=mode), operation("0020", 3)))
    book.receive(line.report("0010", 30))
    book.receive(line.report("0020", 3))
    book.receive(line.end("0020"))
    settle(book, next_intent(book.state, TODAY))
    assert book.state.operations["0010"].reported_yield == 30
    assert (book.state.cases, next_intent(book.state, TODAY)) == ([], None)
    assert everything_final(book.state)


# --- ends ------------------------------------------------------------------------------------------------------


def test_production_after_an_end_takes_the_end_back() -> None:
    line, book = Line(), loaded(order(operation("0010", 10)))
    book.receive(line.report(good=6, at=1))
    book.receive(line.end(at=2))
    book.receive(line.report(good=4, at=3))
    assert not confirmation(next_intent(book.state, TODAY)).final
    book.receive(line.end(at=4))
    assert confirmation(next_intent(book.state, TODAY)).final


def test_a_parked_piece_accepted_after_the_end_does_not_take_it_back() -> None:
    line, book = Line(), loaded(order(operation("0010", 10)))
    book.receive(line.report(good=9, at=5))
    book.receive(line.end(at=6))
    book.receive(line.report(good=1, at=3))
    assert confirmation(next_intent(book.state, TODAY)).final


def test_the_end_of_one_line_does_not_end_what_another_line_still_makes() -> None:
    one, other, book = Line("line-1"), Line("line-2"), loaded(order(operation("0010", 10)))
    book.receive(one.report(good=5, at=1))
    book.receive(one.end(at=2))
    book.receive(other.report(good=5, at=4))
    assert not book.state.operations["0010"].ended
    book.receive(other.end(at=5))
    assert book.state.operations["0010"].ended


@pytest.mark.parametrize(("inside", "second"), [(2, "agrees"), (-1, "agrees"), (0, "unavailable"), (0, "differs: x")])
def test_doubtful_evidence_asks_a_person_before_final(inside: int, second: str) -> None:
    line, book = Line(), loaded(order(operation("0010", 10)))
    book.receive(line.report(good=10))
    book.receive(line.end(in_line=inside, second=second))
    (found,) = book.state.cases
    assert (found.kind, found.allowed) == (CaseKind.SECOND_EVIDENCE, (CaseAction.ACCEPT,))
    assert next_intent(book.state, TODAY) is None
    book.apply_decision(found, CaseAction.ACCEPT)
    assert confirmation(next_intent(book.state, TODAY)).final


def test_doubtful_evidence_of_an_operation_that_fills_up_later_is_asked_then() -> None:
    line, book = Line(), loaded(order(operation("0010", 10)))
    book.receive(line.report(good=9, at=5))
    book.receive(line.end(at=6, in_line=1))
    assert book.state.cases == []
    book.receive(line.report(good=1, at=4))
    assert [c.kind for c in book.state.cases] == [CaseKind.SECOND_EVIDENCE]


def test_pieces_left_in_the_station_add_up_over_its_passes() -> None:
    line, book = Line(), loaded(order(operation("0010", 10)))
    book.receive(line.report(good=5, at=1))
    book.receive(line.end(at=2, in_line=1))
    book.receive(line.report(good=5, at=3))
    book.receive(line.end(at=4, in_line=-1))
    assert confirmation(next_intent(book.state, TODAY)).final


def test_more_pieces_than_the_predecessor_ever_delivered_is_a_case_not_an_endless_wait() -> None:
    line, book = Line(), loaded(order(operation("0010", 5), operation("0020", 5)))
    book.receive(line.report("0010", 5))
    book.receive(line.end("0010"))
    book.receive(line.report("0020", 3, scrap=3))
    assert book.state.cases == []
    settle(book, next_intent(book.state, TODAY))
    assert next_intent(book.state, TODAY) is None
    (found,) = book.state.cases
    assert (found.kind, found.operation) == (CaseKind.BEYOND_TOLERANCE, "0020")
    book.apply_decision(found, CaseAction.ACCEPT)
    assert not book.state.operations["0020"].over_accepted
    assert settle(book, next_intent(book.state, TODAY)).scrap_quantity == 3


# --- loading ---------------------------------------------------------------------------------------------------


def reload(book: OrderBook, line: Line, **changes: object) -> None:
    given_ = {
        "order": book.state.order,
        "settings": book.state.settings,
        "messages": tuple(line.sent),
        "settled": frozenset(),
        "totals": (),
        "credits": (),
        "cases": (),
        "finals": frozenset(),
    }
    book.load(**(given_ | changes))  # type: ignore[arg-type]


def test_loading_twice_changes_nothing() -> None:
    line, book = Line(), loaded()
    for good in (1, 2, 3):
        line.report(good=good)
    trouble = case(CaseKind.ERP_REJECTED, "0020")
    ledger = {"settled": frozenset({"line-1-2"}), "cases": (trouble,), "credits": (credit("0010", 1),)}
    reload(book, line, **ledger)
    before = book.state.model_dump_json()
    reload(book, line, **ledger)
    assert book.state.model_dump_json() == before
    assert [r.number for r in book.state.pending] == [1, 3]


def test_a_reload_does_not_take_a_credit_off_twice() -> None:
    """The claim has taken it off in the ledger; the posting on its way takes it off here when it is settled."""
    line, book = Line(), loaded(order(operation("0010", 100)))
    book.receive(line.report(good=3))
    book.state.operations["0010"].credit = credit("0010", good=5)
    intent = next_intent(book.state, TODAY)
    assert intent is not None
    book.state.current = intent
    reload(book, line, credits=(credit("0010", good=2),))
    book.state.current = None
    settle(book, intent)
    left = book.state.operations["0010"].credit
    assert left is not None and left.yield_quantity == 2


def test_a_credit_never_becomes_a_debt() -> None:
    line, book = Line(), loaded(order(operation("0010", 100)))
    book.receive(line.report(good=3))
    book.state.operations["0010"].credit = credit("0010", good=3)
    intent = next_intent(book.state, TODAY)
    book.state.operations["0010"].credit = credit("0010", good=0)
    settle(book, intent)
    book.receive(line.report(good=4))
    assert confirmation(next_intent(book.state, TODAY)).yield_quantity == 4


def test_what_a_person_decided_is_not_asked_again_after_a_reset() -> None:
    line, book = Line(), loaded(order(operation("0010", 5)))
    book.receive(line.report("0099", good=1))
    book.receive(line.report(good=7))
    decided = tuple(book.state.cases)
    assert {c.kind for c in decided} == {CaseKind.UNKNOWN_OPERATION, CaseKind.BEYOND_TOLERANCE}
    again = OrderBook(OrderState(plant=PLANT, order_id=ORDER))
    again.state.order, again.state.settings = book.state.order, book.state.settings
    reload(again, line, closed_cases=decided)
    assert again.state.cases == []
    assert confirmation(next_intent(again.state, TODAY)).yield_quantity == 7


# --- answers of postings ---------------------------------------------------------------------------------------


def test_a_settled_posting_takes_its_reports_and_no_others() -> None:
    line, book = Line(), loaded()
    book.receive(line.report(good=2))
    intent = next_intent(book.state, TODAY)
    assert intent is not None
    book.receive(line.report(good=1))
    book.settled(intent, posted(intent))
    assert [r.number for r in book.state.pending] == [2]
    assert book.state.postings == 1


def test_reports_that_another_posting_holds_are_taken_by_it() -> None:
    line, book = Line(), loaded()
    book.receive(line.report(good=2))
    other = next_intent(book.state, TODAY)
    book.receive(line.report(good=1))
    intent = next_intent(book.state, TODAY)
    assert intent is not None and other is not None and other.key != intent.key
    book.settled(intent, posted(other))
    rest = next_intent(book.state, TODAY)
    assert rest is not None and rest.report_ids == ("line-1-2",)
    assert book.state.reload


def test_a_claim_of_an_earlier_run_goes_on_as_it_was_claimed() -> None:
    """Its reports are neither drafted in another cut nor judged against the predecessor a second time."""
    line, book = Line(), loaded(max_quantity=3)
    for _ in range(3):
        line.report(good=1)
    reload(book, line)
    claimed = next_intent(book.state, TODAY)
    again = loaded(max_quantity=100)
    reload(again, line, unsettled=(claimed,))
    assert next_intent(again.state, TODAY) == claimed
    assert claimed is not None
    settle(again, claimed)
    assert next_intent(again.state, TODAY) is None


def test_a_posting_put_aside_is_tried_again_when_its_case_is_gone() -> None:
    line, book = Line(), loaded()
    book.receive(line.report(good=2))
    intent = next_intent(book.state, TODAY)
    assert intent is not None
    trouble = case(CaseKind.ERP_REJECTED, "0010")
    book.open(trouble)
    book.put_aside(intent)
    book.receive(line.report(good=3))
    assert next_intent(book.state, TODAY) is None
    book.apply_decision(trouble, CaseAction.RETRY)
    assert next_intent(book.state, TODAY) == intent
    book.settled(intent, posted(intent))
    assert book.state.operations["0010"].waiting is None


def test_a_released_claim_is_drafted_under_a_new_key() -> None:
    line, book = Line(), loaded()
    book.receive(line.report(good=2))
    first = next_intent(book.state, TODAY)
    assert first is not None
    book.redraft(first)
    second = next_intent(book.state, TODAY)
    assert second is not None
    assert (second.report_ids, second.revision) == (first.report_ids, 1)
    assert second.key != first.key


def test_adopting_a_hand_entry_drafts_the_waiting_posting_anew_with_the_credit() -> None:
    line, book = Line(), loaded()
    book.receive(line.report(good=5))
    intent = next_intent(book.state, TODAY)
    assert intent is not None
    entry = case(CaseKind.MANUAL_ENTRY, "0010", CaseAction.ADOPT)
    book.open(entry)
    book.put_aside(intent)
    book.state.operations["0010"].credit = credit("0010", good=2)
    book.apply_decision(entry, CaseAction.ADOPT)
    again = next_intent(book.state, TODAY)
    assert again is not None and again.key != intent.key
    assert confirmation(again).yield_quantity == 3


def test_a_case_with_a_reversal_stays_open_until_the_reversal_is_posted() -> None:
    book = loaded()
    entry = case(CaseKind.MANUAL_ENTRY, "0010", CaseAction.REVERSE)
    book.open(entry)
    book.apply_decision(entry, CaseAction.REVERSE)
    assert book.case(entry.case_id) == entry
    book.close(entry.case_id)
    assert book.case(entry.case_id) is None


def test_the_same_case_is_noted_once() -> None:
    book = loaded()
    for _ in range(3):
        book.open(case(CaseKind.TOTALS_DIFFER, "0010"))
    assert len(book.state.cases) == 1


def test_unseen_goods_movements_block_completion_only() -> None:
    line, book = Line(), loaded(goods_movement_wait_seconds=30)
    book.receive(line.report(good=2))
    intent = next_intent(book.state, TODAY)
    assert intent is not None and is_confirmation(intent)
    settle(book, intent)
    book.watch_movements(intent, "200/1", START)
    (check,) = book.state.verify
    assert (check.due_at, check.give_up_at) == (START, START + timedelta(seconds=30))
    assert book.is_completion_blocked()
    book.receive(line.report(good=1))
    assert next_intent(book.state, TODAY) is not None


def test_the_ledgers_totals_replace_what_was_believed_posted() -> None:
    book = loaded()
    totals = OperationTotals(operation="0010", yield_quantity=Decimal(7), scrap_quantity=Decimal(1))
    book.take_totals((totals, totals.model_copy(update={"operation": "0099"})))
    first = book.state.operations["0010"]
    assert (first.posted_yield, first.posted_scrap, first.posted_rework) == (7, 1, 0)


def test_status_says_what_each_operation_waits_for() -> None:
    line, book = Line(), loaded(order(operation("0010"), operation("0020"), operation("0030")))
    book.receive(line.report("0010", good=2))
    book.open(case(CaseKind.ERP_REJECTED, "0020"))
    status = book.status()
    assert [o.waits_for for o in status.operations] == ["erp", "case c1 (erp_rejected)", "line"]
    assert (status.pending_reports, len(status.cases)) == (1, 1)
    assert not book.untouched()
    assert loaded().untouched()


def test_a_completed_orders_posting_has_no_operation_and_settles_nothing_else() -> None:
    line, book = Line(), loaded()
    book.receive(line.report(good=1))
    done = completion_intent(book.state, TODAY)
    outcome = posted(settled_of(book)).model_copy(
        update={"key": done.key, "operation": "", "report_ids": done.report_ids, "final": False}
    )
    book.settled(done, outcome)
    assert len(book.state.pending) == 1
    assert not is_confirmation(done)


def settled_of(book: OrderBook) -> PostingIntent:
    intent = next_intent(book.state, TODAY)
    assert intent is not None
    return intent


def test_a_decision_on_an_unknown_operation_only_closes_its_case() -> None:
    book = loaded()
    stray: Case = case(CaseKind.UNKNOWN_OPERATION, "0099", CaseAction.SKIP)
    book.open(stray)
    book.apply_decision(stray, CaseAction.SKIP)
    assert book.state.cases == []
