"""The closing comparison: agreement is said only where machine, Plantwright and ERP agree in everything compared."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from signals.decisions import PostingMode
from workers.demo.books import OwnBooks, Pieces, Place, compare

ORDER, FIRST, LAST = "1000001", "0010", "0020"
KEYS = {"1/1": "6c1a3f0e-0000-5000-8000-000000000001", "1/2": "6c1a3f0e-0000-5000-8000-000000000002",
        "2/1": "6c1a3f0e-0000-5000-8000-000000000003"}  # fmt: skip
STOCK = [{"material": "BLANK", "quantity": 100}]

TRUTH: dict[str, Any] = {
    "orders": [
        {
            "order": ORDER,
            "operations": [
                {"operation": FIRST, "yield": 10, "scrap": 0},
                {"operation": LAST, "yield": 9, "scrap": 1},
            ],
        }
    ]
}


def document(number: str, operation: str, good: int, scrap: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "kind": "confirmation", "id": number, "order": ORDER, "operation": operation, "yield": str(good),
        "scrap": str(scrap), "key": KEYS.get(number), "reversed": False, "reversal": False, "manual": False, **more,
    }  # fmt: skip


BOOKS: dict[str, Any] = {
    "orders": [
        {
            "order": ORDER,
            "material": "BRACKET",
            "operations": [
                {"operation": FIRST, "planned": "10", "yield": "10", "scrap": "0"},
                {"operation": LAST, "planned": "10", "yield": "9", "scrap": "1"},
            ],
            "components": [{"material": "BLANK", "operation": FIRST, "required": "20", "withdrawn": "20"}],
            "items": [{"material": "BRACKET", "received": "9"}],
        }
    ],
    "documents": [document("1/1", FIRST, 6), document("1/2", FIRST, 4), document("2/1", LAST, 9, 1)],
    "stock": [{"material": "BLANK", "quantity": "80"}, {"material": "BRACKET", "quantity": "9"}],
    "cogi": [],
    "pending_goods_movements": [],
}


def own(**changes: Any) -> OwnBooks:
    figures = {Place(ORDER, FIRST): Pieces(Decimal(10)), Place(ORDER, LAST): Pieces(Decimal(9), Decimal(1))}
    said: dict[str, Any] = {
        "counted": figures, "booked": figures, "shadow": {}, "keys": frozenset(KEYS.values()),
        "documents": frozenset(KEYS), "in_doubt": 0, **changes,
    }  # fmt: skip
    return OwnBooks(**said)


@pytest.fixture
def books() -> dict[str, Any]:
    return copy.deepcopy(BOOKS)


def test_books_that_agree_are_said_to_agree(books: dict[str, Any]) -> None:
    compared = compare(TRUTH, own(), books, STOCK, PostingMode.POST)
    assert compared.differences == ()
    assert (compared.missing, compared.duplicate, compared.documents) == (0, 0, 3)
    assert compared.operations[1] == {
        "order": ORDER,
        "operation": LAST,
        "machine": {"yield": "9", "scrap": "1"},
        "plantwright": {"yield": "9", "scrap": "1"},
        "erp": {"yield": "9", "scrap": "1"},
    }


def test_one_missing_and_one_double_are_two_differences_and_not_none(books: dict[str, Any]) -> None:
    operations = books["orders"][0]["operations"]
    operations[0]["yield"], operations[1]["yield"] = "12", "7"
    compared = compare(TRUTH, own(), books, STOCK, PostingMode.POST)
    assert (compared.missing, compared.duplicate) == (2, 2)
    assert not compared.agree


def test_scrap_posted_as_yield_is_missing_and_double(books: dict[str, Any]) -> None:
    books["orders"][0]["operations"][1] |= {"yield": "10", "scrap": "0"}
    compared = compare(TRUTH, own(), books, STOCK, PostingMode.POST)
    assert (compared.missing, compared.duplicate) == (1, 1)


def test_equal_sums_with_the_same_key_twice_do_not_agree(books: dict[str, Any]) -> None:
    books["documents"][1]["key"] = KEYS["1/1"]
    compared = compare(TRUTH, own(), books, STOCK, PostingMode.POST)
    assert any("stands on 2 confirmations" in what for what in compared.differences)


@pytest.mark.parametrize(
    ("key", "word"), [(None, "carries no key"), ("6c1a3f0e-0000-5000-8000-00000000000f", "does not know")]
)
def test_a_confirmation_that_the_ledger_cannot_account_for_does_not_agree(
    books: dict[str, Any], key: str | None, word: str
) -> None:
    books["documents"][0]["key"] = key
    compared = compare(TRUTH, own(), books, STOCK, PostingMode.POST)
    assert any(word in what for what in compared.differences)


def test_keys_are_compared_whatever_their_case(books: dict[str, Any]) -> None:
    books["documents"][0]["key"] = KEYS["1/1"].upper()
    assert compare(TRUTH, own(), books, STOCK, PostingMode.POST).agree


def test_components_that_were_not_withdrawn_do_not_agree_though_the_pieces_do(books: dict[str, Any]) -> None:
    books["orders"][0]["components"][0]["withdrawn"] = "18"
    books["stock"][0]["quantity"] = "82"
    compared = compare(TRUTH, own(), books, STOCK, PostingMode.POST)
    assert (compared.missing, compared.duplicate) == (0, 0)
    assert len(compared.differences) == 2


def test_a_failed_goods_movement_does_not_agree(books: dict[str, Any]) -> None:
    books["cogi"] = [{"confirmation": "1/1", "material": "BLANK", "message": "deficit"}]
    assert not compare(TRUTH, own(), books, STOCK, PostingMode.POST).agree


def test_a_receipt_that_is_short_does_not_agree(books: dict[str, Any]) -> None:
    books["orders"][0]["items"][0]["received"] = "8"
    assert not compare(TRUTH, own(), books, STOCK, PostingMode.POST).agree


def test_a_hand_entry_counts_when_it_was_adopted_and_not_before(books: dict[str, Any]) -> None:
    books["documents"][1] |= {"key": None, "manual": True}
    adopted = own(keys=frozenset({KEYS["1/1"], KEYS["2/1"]}))
    assert compare(TRUTH, adopted, books, STOCK, PostingMode.POST).agree
    undecided = own(documents=frozenset({"1/1", "2/1"}))
    assert not compare(TRUTH, undecided, books, STOCK, PostingMode.POST).agree


def test_what_was_counted_must_agree_too(books: dict[str, Any]) -> None:
    counted = {Place(ORDER, FIRST): Pieces(Decimal(10)), Place(ORDER, LAST): Pieces(Decimal(10))}
    assert not compare(TRUTH, own(counted=counted), books, STOCK, PostingMode.POST).agree


def test_pieces_of_an_order_that_the_machine_never_made_are_double(books: dict[str, Any]) -> None:
    stranger = copy.deepcopy(books["orders"][0]) | {"order": "1000009", "components": [], "items": []}
    books["orders"].append(stranger)
    assert compare(TRUTH, own(), books, STOCK, PostingMode.POST).duplicate == 20


def test_a_piece_the_erp_never_heard_of_is_missing_whoever_counted_it(books: dict[str, Any]) -> None:
    books["orders"] = []
    assert compare(TRUTH, own(), books, STOCK, PostingMode.POST).missing == 20


def test_shadow_agrees_when_the_computed_figures_are_true_and_the_erp_is_untouched(books: dict[str, Any]) -> None:
    untouched = {"orders": books["orders"], "documents": [], "stock": []}
    for operation in untouched["orders"][0]["operations"]:
        operation |= {"yield": "0", "scrap": "0"}
    shadow = own(booked={}, shadow=own().booked)
    compared = compare(TRUTH, shadow, untouched, STOCK, PostingMode.SHADOW)
    assert compared.agree
    assert (compared.missing, compared.documents) == (0, 0)
    touched = untouched | {"documents": [document("1/1", FIRST, 6)]}
    assert not compare(TRUTH, shadow, touched, STOCK, PostingMode.SHADOW).agree
