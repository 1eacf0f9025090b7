"""Where held material is, by the ERP's stock and what the order has delivered."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.hold_places import (
    Origin,
    blocked_receipt,
    brought_home,
    origins_of,
    position_of,
    position_of_batch,
    receipt_outside,
    scrap_place,
    still_there,
)
from signals.bookings import StockKind
from signals.erp_reads import StockLine
from signals.holds import Block, HoldPosting, HoldRecord, HoldScope
from signals.orders import ConfirmationMode, ErpOrderStatus, Operation, OrderOutput, ProductionOrder
from signals.stock import MaterialPosition, PlaceHold, ReleaseHold
from signals.transactions import ConfirmProduction

P, K = MaterialPosition, StockKind
DAY = date(2026, 11, 20)


def hold(quantity: int = 10, *, placed: bool = False, lot: str = "", **scope: Any) -> HoldRecord:
    where = {"plant": "north", "order": "1000017", "operation": "0010", "material": "FRAME", **scope}
    postings = (HoldPosting(what="block", key="k", state="done", quantity=Decimal(quantity)),) if placed else ()
    return HoldRecord(
        hold="h1", plant="north", scope=HoldScope(**where), quantity=Decimal(quantity), inspection_lot=lot,
        postings=postings, opened_at=datetime(2026, 11, 20, tzinfo=UTC),
    )  # fmt: skip


def order(received: int) -> ProductionOrder:
    operations = [
        Operation(operation="0010", work_centre="PRESS", planned=Decimal(100), unit="PC"),
        Operation(operation="0020", planned=Decimal(100), unit="PC", confirmation=ConfirmationMode.NONE),
        Operation(operation="0030", work_centre="PACK", planned=Decimal(100), unit="PC", automatic_receipt=True),
    ]
    output = OrderOutput(material="FRAME", planned=Decimal(100), received=Decimal(received), unit="PC")
    return ProductionOrder(
        plant="north", order="1000017", material="FRAME", quantity=Decimal(100), unit="PC",
        status=ErpOrderStatus.RELEASED, operations=tuple(operations), outputs=(output,),
    )  # fmt: skip


def stock(quantity: int, kind: StockKind = K.UNRESTRICTED, **more: str) -> StockLine:
    return StockLine(material="FRAME", quantity=Decimal(quantity), kind=kind, storage_location="FG01", **more)


def receipt(quantity: int, stock: StockKind = K.UNRESTRICTED, batch: str = "B1") -> ConfirmProduction:
    return ConfirmProduction(
        plant="north", order="1000017", operation="0030", posting_date=DAY, batch=batch,
        yield_quantity=Decimal(quantity), unit="PC", receipt_stock=stock,
    )  # fmt: skip


def test_what_the_order_has_not_delivered_is_in_work_and_other_orders_stock_is_not_held() -> None:
    assert position_of(hold(), order(0), [stock(500)]).position is P.IN_WORK
    assert position_of(hold(), order(0), []).position is P.IN_WORK


def test_no_more_is_blocked_than_the_order_delivered_of_the_scope() -> None:
    located = position_of(hold(10), order(25), [stock(500)], outside=Decimal(19))
    assert (located.position, located.free, located.in_stock) == (P.UNRESTRICTED, 6, 6)


def test_what_lies_blocked_already_counts_unless_another_hold_put_it_there() -> None:
    lines = [stock(20), stock(8, K.BLOCKED)]
    assert position_of(hold(10), order(50), lines).free == 2
    assert position_of(hold(10), order(50), lines, others=Decimal(5)).free == 7


def test_stock_of_no_batch_is_held_by_whatever_word_and_only_a_batch_s_own_word_restricts_the_whole() -> None:
    """Dynamics blocks by a status of the plant's choice, Oracle by a place."""
    located = position_of(hold(10), order(50), [stock(20), stock(8, K.BLOCKED, hold="Blocking")])
    assert (located.free, located.places[0].blocked, located.places[0].restricted) == (2, 8, 0)
    of_a_batch = position_of(hold(8, batch="B1"), order(50), [stock(8, K.BLOCKED, hold="restricted", batch="B1")])
    assert (of_a_batch.position, of_a_batch.places[0].restricted) == (P.BATCH, 8)


def moved(kind: type[PlaceHold] | type[ReleaseHold], quantity: int, place: str) -> PlaceHold | ReleaseHold:
    return kind(
        plant="north", order="", posting_date=DAY, hold="h1", material="FRAME", quantity=Decimal(quantity), unit="PC",
        position=P.UNRESTRICTED, storage_location=place,
    )  # fmt: skip


def test_what_an_erp_holds_in_a_place_of_its_own_belongs_where_the_hold_took_it_from() -> None:
    booked = [moved(PlaceHold, 10, "FG01"), moved(PlaceHold, 6, "FG02"), moved(ReleaseHold, 4, "FG01")]
    origins = origins_of(booked, Origin("FG03", Decimal(5)))
    assert origins == (("FG01", 6), ("FG02", 6), ("FG03", 5))
    aside = StockLine(
        material="FRAME", quantity=Decimal(20), storage_location="HOLD", kind=K.BLOCKED, hold="HOLD", held_by_place=True
    )
    lines = brought_home([aside, stock(50)], origins)
    assert [(x.storage_location, x.quantity, x.kind) for x in lines] == [
        ("FG01", 6, K.BLOCKED), ("FG02", 6, K.BLOCKED), ("FG03", 5, K.BLOCKED), ("HOLD", 3, K.BLOCKED),
        ("FG01", 50, K.UNRESTRICTED),
    ]  # fmt: skip
    located = position_of(hold(17, order=""), None, [aside, stock(50)], Decimal(3), origins=origins)
    assert {p.storage_location: p.blocked for p in located.places} == {"FG01": 6, "FG02": 6, "FG03": 5}


def test_a_batch_whose_stock_cannot_be_read_is_restricted_as_it_was_booked() -> None:
    assert position_of_batch(hold(10, batch="B1"), order(0)).position is P.IN_WORK
    for placed, restricted in ((False, 0), (True, 10)):
        located = position_of_batch(hold(10, placed=placed, batch="B1"), order(10))
        assert (located.position, located.places[0].restricted) == (P.BATCH, restricted)
    assert position_of_batch(hold(0, batch="B1"), None).position is P.IN_WORK, "nobody knows how much"


def test_what_was_blocked_and_is_there_no_more_is_consumed() -> None:
    assert position_of(hold(placed=True), order(10), []).position is P.CONSUMED
    assert position_of(hold(placed=False), order(10), []).position is P.IN_WORK


def test_a_batch_is_held_as_a_batch_and_a_lot_by_its_lot() -> None:
    assert position_of(hold(batch="B1"), order(10), [stock(10, batch="B1")]).position is P.BATCH
    assert position_of(hold(batch="B1"), order(10), [stock(9, K.BLOCKED, batch="B1")]).position is P.UNRESTRICTED
    lot = position_of(hold(lot="890000001"), order(10), [stock(10, K.INSPECTION)])
    assert (lot.position, lot.inspection_lot) == (P.IN_INSPECTION, "890000001")


def test_where_stock_cannot_be_read_only_what_the_trigger_says_is_known() -> None:
    assert position_of(hold(), None, [], readable=False).position is P.IN_WORK
    located = position_of(hold(order="", operation=""), None, [], readable=False)
    assert (located.position, located.free) == (P.UNRESTRICTED, 10)


def test_receipts_are_told_apart_by_the_blocks_scope() -> None:
    block = Block(hold="h1", scope=HoldScope(plant="north", order="1000017", operation="0010", batch="B1"))
    assert blocked_receipt(receipt(5, K.BLOCKED), block, "FRAME") == 5
    assert blocked_receipt(receipt(5, K.BLOCKED, batch="B2"), block, "FRAME") == 0
    assert blocked_receipt(receipt(5), block, "FRAME") == 0
    assert receipt_outside(receipt(5, batch="B2"), block, order(5), "FRAME") == 5
    assert receipt_outside(receipt(5), block, order(5), "FRAME") == 0


def test_what_is_still_in_blocked_stock_is_what_went_in_less_what_came_out() -> None:
    steps = [("block", 10, "done"), ("release", 4, "done"), ("return", 1, "done"), ("scrap_in_work", 9, "done"),
             ("scrap", 2, "failed")]  # fmt: skip
    postings = tuple(
        HoldPosting(what=what, key=f"k{n}", state=state, quantity=Decimal(q))
        for n, (what, q, state) in enumerate(steps)
    )
    record = hold().model_copy(update={"postings": postings, "position": P.UNRESTRICTED})
    assert still_there(record, Decimal(3)) == 8
    assert still_there(record.model_copy(update={"position": P.BATCH}), Decimal(3)) == 0


def test_scrap_in_work_posts_at_the_next_operation_that_is_confirmed() -> None:
    assert scrap_place(hold(), order(0))["scrap_operation"] == "0030"
    assert scrap_place(hold(operation="0030"), order(0)) == {}


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 40), st.integers(0, 60), st.integers(1, 40))
def test_never_more_is_held_than_the_hold_says_or_than_lies_there(
    free: int, blocked: int, others: int, received: int, quantity: int
) -> None:
    lines = [line for line in (stock(free), stock(blocked, K.BLOCKED)) if line.quantity]
    located = position_of(hold(quantity), order(received), lines, others=Decimal(others))
    assert located.in_stock <= min(quantity, free + blocked)
    assert located.free <= free
