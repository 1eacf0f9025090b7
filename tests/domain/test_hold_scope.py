"""What a hold covers, and what may be posted under it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.hold_scope import blocked_form, covers, scope_key, standing, widened
from signals.bookings import ActivityAmount, ComponentUse, StockKind
from signals.holds import Block, HoldCause, HoldReason, HoldScope, HoldTrigger
from signals.quality import DecideInspection, Disposition, DispositionKind
from signals.stock import (
    IssueComponents,
    MaterialPosition,
    MoveStock,
    PlaceHold,
    ReceiveGoods,
    ReleaseHold,
    ReturnComponents,
)
from signals.transactions import ConfirmProduction, ReportTime, Reverse, Transaction

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BOX = {"plant": "north", "posting_date": DAY}
SCOPE = HoldScope(plant="north", line="line-1", order="1000017", operation="0020", material="FRAME")


def block(hold: str = "h1", *, separated: bool = False, **changes: Any) -> Block:
    return Block(hold=hold, scope=SCOPE.model_copy(update=changes), separated=separated)


def asked(scope: HoldScope, **marks: Any) -> bool:
    return covers(scope, **{"order": "", "operation": "", "material": "", "batch": "", **marks})


def confirm(**changes: Any) -> ConfirmProduction:
    body = {**BOX, "order": "1000017", "operation": "0020", "yield_quantity": Decimal(5), "unit": "PC", **changes}
    return ConfirmProduction.model_validate(body)


def issue(material: str = "FRAME", **line: Any) -> IssueComponents:
    use = ComponentUse(material=material, quantity=Decimal(1), unit="PC", **line)
    return IssueComponents(**BOX, order="2000001", lines=(use,))


def release(hold: str) -> ReleaseHold:
    return ReleaseHold(
        **BOX, order="1000017", hold=hold, material="FRAME", quantity=Decimal(5), unit="PC",
        position=MaterialPosition.UNRESTRICTED,
    )  # fmt: skip


def test_one_contradiction_takes_material_out_of_the_scope_and_what_is_unknown_is_held() -> None:
    assert asked(SCOPE, order="1000017") and asked(SCOPE, material="FRAME")
    assert not asked(SCOPE, order="1000018", material="FRAME")
    assert not asked(SCOPE), "it shares nothing with the scope"
    batch = SCOPE.model_copy(update={"batch": "B1"})
    assert asked(batch, material="FRAME") and not asked(batch, material="FRAME", batch="B2")
    serials = SCOPE.model_copy(update={"serials": ("S1", "S2")})
    assert asked(serials, serials=("S2", "S9")) and not asked(serials, material="FRAME", serials=("S9",))


def test_pieces_of_a_held_operation_are_held_at_later_operations_and_not_at_earlier_ones() -> None:
    assert asked(SCOPE, order="1000017", operation="0030")
    assert not asked(SCOPE, order="1000017", operation="0010")


@pytest.mark.parametrize(("minutes", "held"), [(-1, False), (0, True), (10, True), (11, False)])
def test_a_window_holds_what_was_made_between_the_last_good_and_the_first_good_check(minutes: int, held: bool) -> None:
    scope = SCOPE.model_copy(update={"since": NOON, "until": NOON + timedelta(minutes=10)})
    assert asked(scope, order="1000017", operation="0020", at=NOON + timedelta(minutes=minutes)) is held


def test_an_open_window_goes_on_holding() -> None:
    scope = SCOPE.model_copy(update={"since": NOON})
    assert asked(scope, order="1000017", at=NOON + timedelta(days=3))
    assert not asked(scope, order="1000017", at=NOON - timedelta(seconds=1))


def test_confirmations_go_on_and_only_receipts_of_the_scope_go_to_blocked_stock() -> None:
    held = blocked_form(confirm(), [block()])
    assert isinstance(held, ConfirmProduction) and held.receipt_stock is StockKind.BLOCKED
    assert held.model_copy(update={"receipt_stock": StockKind.UNRESTRICTED}) == confirm()
    for other in (confirm(order="1000018"), confirm(operation="0010"), confirm(yield_quantity=0, scrap_quantity=1)):
        assert blocked_form(other, [block()]) == other
    assert blocked_form(confirm(batch="B2"), [block(batch="B1")]) == confirm(batch="B2")


def test_a_hold_on_a_component_does_not_hold_the_orders_own_receipt() -> None:
    component = Block(hold="h2", scope=HoldScope(plant="north", material="BOLT", batch="L7"))
    assert blocked_form(confirm(), [component]) == confirm()
    assert blocked_form(confirm(), [component], material="FRAME") == confirm()
    assert isinstance(blocked_form(issue("BOLT", batch="L7"), [component]), str)
    assert blocked_form(issue("BOLT", batch="L8"), [component]) == issue("BOLT", batch="L8")


def test_separate_receipts_go_to_blocked_stock_and_those_to_inspection_stay_there() -> None:
    body: dict[str, Any] = {**BOX, "order": "1000017", "material": "FRAME", "quantity": Decimal(2), "unit": "PC"}
    free = blocked_form(ReceiveGoods(**body), [block()])
    assert isinstance(free, ReceiveGoods) and free.stock is StockKind.BLOCKED
    inspected = ReceiveGoods(**body, stock=StockKind.INSPECTION)
    assert blocked_form(inspected, [block()]) == inspected


def test_issue_move_and_return_to_free_stock_of_held_material_are_refused_and_name_the_hold() -> None:
    move = MoveStock(**BOX, material="FRAME", quantity=Decimal(1), unit="PC", from_location="A", to_location="B")
    back = ReturnComponents(**BOX, order="2000001", lines=issue().lines)
    for transaction in (issue(), move, back):
        said = blocked_form(transaction, [block()])
        assert isinstance(said, str) and "h1" in said and "FRAME" in said


def test_once_the_erp_keeps_held_stock_apart_other_stock_of_the_material_may_be_used() -> None:
    assert blocked_form(issue(), [block(separated=True)]) == issue()
    named = issue(batch="B1")
    assert isinstance(blocked_form(named, [block(batch="B1", separated=True)]), str)


def test_a_hold_lets_its_own_release_out_and_no_other_holds_one() -> None:
    assert blocked_form(release("h1"), [block("h1")]) == release("h1")
    assert isinstance(blocked_form(release("h1"), [block("h1"), block("h2", separated=True)]), str)
    decided = DecideInspection(
        **BOX, inspection="h1", inspection_lot="890000001", material="FRAME", unit="PC", order="1000017",
        dispositions=(Disposition(kind=DispositionKind.ACCEPT, quantity=Decimal(1)),),
    )  # fmt: skip
    assert blocked_form(decided, [block("h1")]) == decided
    assert isinstance(blocked_form(decided, [block("h2")]), str)


def test_a_placed_hold_is_not_undone_by_a_reversal_while_it_stands() -> None:
    placed = PlaceHold.model_validate({**release("h1").model_dump(exclude={"type", "placed"})})
    undo = Reverse(**BOX, order="1000017", document="4900000001", original=placed)
    assert isinstance(blocked_form(undo, [block("h1")]), str)
    assert blocked_form(undo, [block("h1").model_copy(update={"active": False})]) == undo


def test_time_is_booked_as_ever() -> None:
    time: Transaction = ReportTime(
        **BOX, order="1000017", operation="0020",
        activities=(ActivityAmount(slot=1, amount=Decimal(3), unit="MIN"),),
    )  # fmt: skip
    assert blocked_form(time, [block()]) == time


def test_scopes_of_one_line_order_operation_batch_and_material_are_one_hold() -> None:
    assert scope_key(SCOPE) == scope_key(SCOPE.model_copy(update={"serials": ("S1",), "since": NOON, "station": "x"}))
    assert scope_key(SCOPE) != scope_key(SCOPE.model_copy(update={"batch": "B1"}))


_scopes = st.builds(
    lambda serials, since, until: SCOPE.model_copy(
        update={
            "serials": tuple(serials),
            "since": None if since is None else NOON + timedelta(minutes=since),
            "until": None if until is None else NOON + timedelta(minutes=until),
        }
    ),
    st.lists(st.sampled_from(["S1", "S2", "S3"]), unique=True),
    st.none() | st.integers(-9, 0),
    st.none() | st.integers(0, 9),
)


@given(_scopes, _scopes, st.sampled_from(["", "S1", "S2", "S9"]), st.integers(-12, 12))
def test_a_widened_scope_covers_whatever_either_of_the_two_covers(
    one: HoldScope, other: HoldScope, serial: str, minute: int
) -> None:
    marks = {"order": "1000017", "serials": (serial,) if serial else (), "at": NOON + timedelta(minutes=minute)}
    if asked(one, **marks) or asked(other, **marks):
        assert asked(widened(one, other), **marks)


def told(name: str, quantity: int, continues: str = "", **scope: Any) -> HoldTrigger:
    reason = HoldReason(reason=f"r-{continues or name}", cause=HoldCause.LIMIT, text=name, found_at=NOON)
    return HoldTrigger(
        trigger=name, continues=continues, scope=SCOPE.model_copy(update=scope), reason=reason,
        quantity=Decimal(quantity), at=NOON,
    )  # fmt: skip


def test_the_quantity_of_named_pieces_is_their_number() -> None:
    assert standing([told("t1", 1, serials=("S1", "S2")), told("t2", 1, serials=("S2",))]).quantity == 2


def test_a_deviation_that_goes_on_replaces_what_it_said_before_and_its_end_narrows_the_scope() -> None:
    end = NOON + timedelta(minutes=5)
    now = standing([told("t1", 3, since=NOON), told("t2", 9, "t1", since=NOON), told("t3", 7, "t1", until=end)])
    assert (now.quantity, now.scope.until, [r.text for r in now.reasons]) == (7, end, ["t3"])


def test_pieces_of_deviations_apart_are_added_up_and_those_of_one_time_are_counted_once() -> None:
    early = told("t1", 3, since=NOON, until=NOON + timedelta(minutes=1))
    late = told("t2", 4, since=NOON + timedelta(minutes=2), until=NOON + timedelta(minutes=3))
    both = told("t3", 5, since=NOON, until=NOON + timedelta(minutes=9))
    assert standing([early, late]).quantity == 7 and len(standing([early, late]).reasons) == 2
    assert standing([early, both]).quantity == 5
