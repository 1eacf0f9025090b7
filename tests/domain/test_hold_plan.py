"""What the ERP is asked for a hold, by where the material is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.hold_plan import Located, Planned, StockPlace, plan_block, plan_dispositions, plan_late
from signals.holds import HoldDisposition, HoldDispositionKind, HoldRecord, HoldScope
from signals.quality import DecideInspection, DispositionKind
from signals.stock import MaterialPosition, PlaceHold, ReleaseHold, ScrapStock
from signals.transactions import ConfirmProduction

K, P = HoldDispositionKind, MaterialPosition
DAY = date(2026, 11, 20)


def record(quantity: int = 10, **scope: Any) -> HoldRecord:
    where = {"order": "1000017", "operation": "0010", "material": "FRAME", **scope}
    return HoldRecord(
        hold="h1", plant="north", scope=HoldScope(plant="north", **where), quantity=Decimal(quantity),
        opened_at=datetime(2026, 11, 20, tzinfo=UTC),
    )  # fmt: skip


def place(name: str = "FG01", **amounts: int) -> StockPlace:
    return StockPlace(storage_location=name, **{k: Decimal(v) for k, v in amounts.items()})  # type: ignore[arg-type]


def at(position: MaterialPosition, *places: StockPlace, **fields: Any) -> Located:
    return Located(position=position, places=places, **fields)


def parts(*given: tuple[HoldDispositionKind, int]) -> tuple[HoldDisposition, ...]:
    return tuple(HoldDisposition(kind=kind, quantity=Decimal(quantity)) for kind, quantity in given)


def said(steps: list[Planned]) -> list[tuple[str, Decimal]]:
    return [(s.transaction.type.value if s.transaction else "by hand", s.quantity) for s in steps]


def test_free_stock_is_blocked_where_it_lies_and_what_is_in_work_has_nothing_to_block() -> None:
    steps = plan_block(record(), at(P.UNRESTRICTED, place(free=6), place("FG02", free=4, blocked=1)), DAY)
    assert [(s.transaction.storage_location, s.quantity) for s in steps if isinstance(s.transaction, PlaceHold)] == [
        ("FG01", 6), ("FG02", 4),
    ]  # fmt: skip
    assert plan_block(record(), at(P.IN_WORK), DAY) == plan_block(record(), at(P.CONSUMED), DAY) == []


def test_a_batch_is_restricted_by_one_posting_wherever_it_lies() -> None:
    [step] = plan_block(record(batch="B1"), at(P.BATCH, place(free=6), place("FG02", free=4)), DAY)
    assert isinstance(step.transaction, PlaceHold) and step.transaction.position is P.BATCH


def test_stock_in_inspection_is_held_by_its_lot_and_leaves_by_the_lots_decision_only() -> None:
    lot = at(P.IN_INSPECTION, inspection_lot="890000001")
    [step] = plan_block(record(), lot, DAY)
    assert isinstance(step.transaction, PlaceHold) and step.transaction.inspection_lot == "890000001"
    [decided] = plan_dispositions(record(), lot, parts((K.RELEASE, 7), (K.SCRAP, 2), (K.REPAIR, 1)), DAY)
    assert isinstance(decided.transaction, DecideInspection)
    assert {d.kind: d.quantity for d in decided.transaction.dispositions} == {
        DispositionKind.ACCEPT: 7, DispositionKind.SCRAP: 2, DispositionKind.REWORK: 1,
    }  # fmt: skip


def test_without_the_lots_number_a_person_decides_it() -> None:
    assert plan_block(record(), at(P.IN_INSPECTION), DAY) == []
    [step] = plan_dispositions(record(), at(P.IN_INSPECTION), parts((K.SCRAP, 10)), DAY)
    assert step.transaction is None and "10 scrap" in step.by_hand


def test_scrap_is_booked_before_anything_is_freed_and_reworked_pieces_stay_blocked() -> None:
    steps = plan_dispositions(
        record(), at(P.UNRESTRICTED, place(blocked=10)), parts((K.RELEASE, 5), (K.REWORK, 3), (K.SCRAP, 2)), DAY
    )
    assert said(steps) == [("scrap_stock", 2), ("release_hold", 5)]


def test_what_is_in_work_is_scrapped_at_the_next_operation_or_else_by_a_person() -> None:
    [step] = plan_dispositions(record(), at(P.IN_WORK, scrap_operation="0020"), parts((K.SCRAP, 10)), DAY)
    assert isinstance(step.transaction, ConfirmProduction)
    assert (step.transaction.operation, step.transaction.scrap_quantity) == ("0020", 10)
    [hand] = plan_dispositions(record(), at(P.IN_WORK), parts((K.SCRAP, 10)), DAY)
    assert hand.transaction is None and "correct their confirmation" in hand.by_hand
    assert plan_dispositions(record(), at(P.IN_WORK), parts((K.RELEASE, 10)), DAY) == []


def test_a_return_is_told_to_a_person_because_no_booking_for_it_exists() -> None:
    [step] = plan_dispositions(record(), at(P.UNRESTRICTED, place(blocked=10)), parts((K.RETURN, 10)), DAY)
    assert step.transaction is None and "returned" in step.by_hand


def test_a_batch_is_freed_only_when_nothing_of_it_is_left_to_come_back() -> None:
    batch = at(P.BATCH, place(restricted=8))
    assert said(plan_dispositions(record(8, batch="B1"), batch, parts((K.RELEASE, 5), (K.REWORK, 3)), DAY)) == []
    steps = plan_dispositions(record(8, batch="B1"), batch, parts((K.RELEASE, 5), (K.SCRAP, 3)), DAY)
    assert said(steps) == [("scrap_stock", 3), ("release_hold", 5)]
    assert isinstance(steps[0].transaction, ScrapStock) and steps[0].transaction.position is P.BATCH


def test_pieces_that_were_received_as_blocked_along_with_the_held_ones_are_freed_when_the_hold_ends() -> None:
    located = at(P.UNRESTRICTED, place(blocked=17), own=Decimal(17), batchless=True)
    steps = plan_dispositions(record(3, batch="B1"), located, parts((K.RELEASE, 2), (K.SCRAP, 1)), DAY)
    assert said(steps) == [("scrap_stock", 1), ("release_hold", 2), ("release_hold", 14)]
    assert {t.batch for s in steps if isinstance(t := s.transaction, ScrapStock | ReleaseHold)} == {""}
    assert said(plan_dispositions(record(3), located, parts((K.RELEASE, 2), (K.REWORK, 1)), DAY)) == [
        ("release_hold", 2)
    ]


def test_stock_that_somebody_else_has_blocked_is_not_freed_with_the_hold() -> None:
    located = at(P.UNRESTRICTED, place(blocked=9), own=Decimal(5))
    assert said(plan_dispositions(record(3), located, parts((K.RELEASE, 3)), DAY)) == [
        ("release_hold", 3), ("release_hold", 2),
    ]  # fmt: skip


amounts = st.integers(0, 6)


@given(amounts, amounts, amounts, amounts, st.lists(st.tuples(st.sampled_from(list(K)), amounts), min_size=1))
def test_no_more_is_freed_or_scrapped_than_is_blocked_and_what_is_not_released_never_becomes_free(
    free: int, blocked: int, free2: int, blocked2: int, wanted: list[tuple[HoldDispositionKind, int]]
) -> None:
    """Played against books of one kind of stock each: the ERP never runs a deficit."""
    books = {("FG01", "free"): free, ("FG01", "blocked"): blocked}
    books |= {("FG02", "free"): free2, ("FG02", "blocked"): blocked2}
    before = dict(books)
    held = sum(q for _, q in wanted)
    located = at(P.UNRESTRICTED, place(free=free, blocked=blocked), place("FG02", free=free2, blocked=blocked2))
    for step in plan_dispositions(record(held), located, parts(*wanted), DAY):
        t = step.transaction
        if isinstance(t, PlaceHold | ReleaseHold | ScrapStock):
            source, target = ("free", "blocked") if isinstance(t, PlaceHold) else ("blocked", "free")
            books[t.storage_location, source] -= int(t.quantity)
            assert books[t.storage_location, source] >= 0
            if not isinstance(t, ScrapStock):
                books[t.storage_location, target] += int(t.quantity)
    stock = free + blocked + free2 + blocked2
    released = sum(q for kind, q in wanted if kind is K.RELEASE)
    scrapped = sum(q for kind, q in wanted if kind is K.SCRAP)
    assert stock - sum(books.values()) == min(scrapped, stock)
    freed = sum(books[p, "free"] - before[p, "free"] for p in ("FG01", "FG02"))
    assert freed <= released


@pytest.mark.parametrize("serials", [(), ("S1", "S2")])
def test_a_posting_names_serials_only_where_it_is_about_all_of_them(serials: tuple[str, ...]) -> None:
    [step] = plan_block(record(2, serials=("S1", "S2")), at(P.UNRESTRICTED, place(free=2 if serials else 1)), DAY)
    assert isinstance(step.transaction, PlaceHold) and step.transaction.serials == serials


def test_a_receipt_on_its_way_is_freed_where_it_came_to_lie_and_no_more_than_that() -> None:
    located = at(P.UNRESTRICTED, place(free=2, blocked=3), place("FG02", blocked=9))
    steps = plan_late(record(), located, Decimal(5), DAY)
    assert [(s.transaction.storage_location, s.quantity) for s in steps if isinstance(s.transaction, ReleaseHold)] == [
        ("FG01", 3), ("FG02", 2),
    ]  # fmt: skip
    assert plan_late(record(), located, Decimal(0), DAY) == []
