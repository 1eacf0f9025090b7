"""What may be amended in a refused posting and what not, and who is master of each field."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.exception_rules import amend_fault, read_amended, with_changes
from domain.ownership import ORDERS, TRANSACTIONS, Master, contradiction, masters_of, refused_write
from signals.bookings import ComponentUse, TransactionType
from signals.errors import BadInput
from signals.orders import ErpOrderStatus, Operation, ProductionOrder
from signals.stock import IssueComponents
from signals.transactions import ConfirmProduction, ReportTime, Reverse

DAY = date(2026, 11, 20)
CONFIRMATION = ConfirmProduction(
    plant="north", order="1", operation="0010", posting_date=DAY, yield_quantity=Decimal(8), scrap_quantity=Decimal(2),
    unit="PC", reason="burr", ended_at=datetime(2026, 11, 20, 6, 0, tzinfo=UTC), serials=("a", "b"),
)  # fmt: skip
ISSUE = IssueComponents(
    plant="north", order="1", operation="0010", posting_date=DAY,
    lines=(ComponentUse(material="SHEET", quantity=Decimal(8), unit="PC", batch="L1", reservation="9"),),
)  # fmt: skip
ORDER = ProductionOrder(
    plant="north", order="1", material="FRAME", quantity=Decimal(10), unit="PC", status=ErpOrderStatus.RELEASED,
    operations=(Operation(operation="0010", planned=Decimal(10), unit="PC"),),
)  # fmt: skip

pieces = st.integers(min_value=0, max_value=20).map(Decimal)


@pytest.mark.parametrize(
    "changes",
    [
        {"yield_quantity": "5"},
        {"yield_quantity": "5", "scrap_quantity": "5", "reason": "scratch"},
        {"posting_date": "2026-12-01"},
        {"batch": "B-2", "component_lot": "L-2"},
        {"receipt_stock": "blocked"},
        {"components": '[{"material": "SHEET", "quantity": "7", "unit": "PC"}]'},
    ],
)
def test_what_plantwright_is_master_of_may_be_corrected(changes: dict[str, str]):
    assert amend_fault(CONFIRMATION, with_changes(CONFIRMATION, changes), ORDER) == ""


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"order": "2"}, "amend-identity/1"),
        ({"operation": "0020"}, "amend-identity/1"),
        ({"plant": "south"}, "amend-identity/1"),
        ({"unit": "KG"}, "amend-master/1"),
        ({"ended_at": "2026-11-20T05:00:00Z"}, "amend-master/1"),
        ({"serials": '["a"]'}, "amend-master/1"),
        ({"yield_quantity": "9"}, "amend-quantity/1"),
        ({"yield_quantity": "0", "scrap_quantity": "0", "final": "true"}, "amend-quantity/1"),
        ({"final": "true"}, "amend-final/1"),
        ({"posting_date": "2026-11-18"}, "amend-date/1"),
        ({"posting_date": "2027-11-20"}, "amend-date/1"),
        ({"yield_quantity": "8"}, "amend-change/1"),
    ],
)
def test_a_rule_names_itself_where_an_amendment_goes_too_far(changes: dict[str, str], rule: str):
    assert amend_fault(CONFIRMATION, with_changes(CONFIRMATION, changes), ORDER).startswith(f"{rule}: ")


def test_lines_keep_what_the_erp_says_and_take_what_was_really_used():
    assert amend_fault(ISSUE, with_changes(ISSUE, {"lines.0.quantity": "7.5", "lines.0.batch": "L2"})) == ""
    assert amend_fault(ISSUE, with_changes(ISSUE, {"lines.0.unit": "KG"})).startswith("amend-master/1")
    assert amend_fault(ISSUE, with_changes(ISSUE, {"lines.0.material": "TUBE"})).startswith("amend-master/1")
    assert amend_fault(ISSUE, with_changes(ISSUE, {"lines.0.quantity": "0"})).startswith("amend-lines/1")


def test_another_kind_of_posting_and_a_reversal_are_no_amendments():
    other = ReportTime.model_validate(
        {"plant": "north", "order": "1", "operation": "0010", "posting_date": DAY,
         "activities": [{"slot": 1, "amount": "5", "unit": "MIN"}]}
    )  # fmt: skip
    assert amend_fault(CONFIRMATION, other).startswith("amend-identity/1")
    with pytest.raises(BadInput, match="reversal"):
        with_changes(Reverse(plant="north", order="1", posting_date=DAY, document="7/1"), {"text": "x"})


def test_a_second_amendment_may_return_to_the_original_but_must_change_something():
    less = with_changes(CONFIRMATION, {"yield_quantity": "5"})
    assert amend_fault(CONFIRMATION, CONFIRMATION, current=less) == ""
    assert amend_fault(CONFIRMATION, less, current=less).startswith("amend-change/1")


@given(good=pieces, scrap=pieces, rework=pieces)
def test_no_amendment_ever_adds_pieces_that_nobody_verified(good: Decimal, scrap: Decimal, rework: Decimal):
    changed = {"yield_quantity": good, "scrap_quantity": scrap, "rework_quantity": rework}
    fault = amend_fault(CONFIRMATION, CONFIRMATION.model_copy(update=changed), ORDER)
    if fault == "":
        assert 0 < good + scrap + rework <= 10
    else:
        assert good + scrap + rework > 10 or good + scrap + rework == 0 or (good, scrap, rework) == (8, 2, 0), fault


@pytest.mark.parametrize("text", ["colour=red", "lines.4.quantity=1", "yield_quantity=many", "yield_quantity=-1"])
def test_a_change_that_cannot_be_read_names_its_field(text: str):
    name, value = text.split("=")
    with pytest.raises(BadInput) as refused:
        with_changes(CONFIRMATION, {name: value})
    assert name.split(".")[0] in str(refused.value)
    with pytest.raises(BadInput, match="type"):
        read_amended({"order": "1"})


# --- ownership -------------------------------------------------------------------------------------------------------


def test_every_field_of_every_message_has_one_master():
    for model in (*ORDERS, *TRANSACTIONS, ComponentUse):
        assert set(masters_of(model)) == set(model.model_fields)
    assert {t.model_fields["type"].default for t in TRANSACTIONS} == set(TransactionType)


def test_a_write_against_the_master_is_refused_and_names_it():
    assert refused_write(Master.PLANTWRIGHT, CONFIRMATION, CONFIRMATION.model_copy(update={"batch": "B"})) == ""
    said = refused_write(Master.PLANTWRIGHT, ORDER, ORDER.model_copy(update={"quantity": Decimal(11)}))
    assert said == "quantity is the ERP's: Plantwright does not write it; correct it there"
    assert "plant file's" in refused_write(Master.ERP, ORDER, ORDER.model_copy(update={"plant": "south"}))
    later = CONFIRMATION.model_copy(update={"ended_at": datetime.now(UTC) + timedelta(days=1)})
    assert "the machine's" in refused_write(Master.PLANTWRIGHT, CONFIRMATION, later)


def test_a_posting_that_contradicts_its_order_is_told():
    assert contradiction(ORDER, CONFIRMATION) == contradiction(None, CONFIRMATION) == ""
    assert "unit" in contradiction(ORDER, CONFIRMATION.model_copy(update={"unit": "KG"}))
    assert "no operation" in contradiction(ORDER, CONFIRMATION.model_copy(update={"operation": "0099"}))
