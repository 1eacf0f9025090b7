"""Components, receipts and times beside confirmations: once when the answer is lost, net zero when taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from erp.oracle import OracleErp
from erp.oracle.completed import HIGHEST
from signals.bookings import StockKind
from signals.documents import Snapshot
from signals.errors import ErpRejected, Reason
from signals.orders import OutputKind
from signals.transactions import (
    ActivityAmount,
    ComponentUse,
    IssueComponents,
    ReceiveGoods,
    ReportTime,
    ReturnComponents,
)
from tests.oracle.conftest import OracleProcess
from tests.oracle.postings import DAY, booked, confirmed, free, intent, lost, reversed_


def use(quantity: str, material: str = "RM-1", **more: Any) -> ComponentUse:
    unit = more.pop("unit", "KG")
    return ComponentUse(material=material, quantity=Decimal(quantity), unit=unit, storage_location="RM01", **more)


def issued(order: str, *lines: ComponentUse, operation: str = "0010") -> IssueComponents:
    return IssueComponents(plant="demo", order=order, posting_date=DAY, operation=operation, lines=lines)


def received(order: str, quantity: str, **more: Any) -> ReceiveGoods:
    return ReceiveGoods(
        plant="demo",
        order=order,
        posting_date=DAY,
        material="FG-100",
        quantity=Decimal(quantity),
        unit="PC",
        storage_location=more.pop("storage_location", "FG01"),
        **more,
    )


def time(order: str, minutes: str, slot: int = 1) -> ReportTime:
    return ReportTime(
        plant="demo",
        order=order,
        posting_date=DAY,
        operation="0010",
        activities=(ActivityAmount(slot=slot, amount=Decimal(minutes), unit="MIN"),),
    )


async def test_an_issue_has_oracles_own_number_and_net_zero_after_its_reversal(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    there = await oracle.on_hand("RM-1", "RM01")
    wanted = intent(issued(order, use("7")))
    document = await booked(erp, wanted)
    assert document.document.isdigit()
    assert document.goods_movements[0].material_document == document.document
    assert await oracle.issued(order, "RM-1") == 7
    await booked(erp, intent(reversed_(document, wanted.transaction)))
    assert await oracle.issued(order, "RM-1") == 0
    assert await oracle.on_hand("RM-1", "RM01") == there


async def test_an_issue_of_several_lines_is_posted_once_when_the_answer_is_lost(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    await oracle.fault("timeout_after_commit", calls=1, path="materialTransactions")
    _, found = await lost(erp, intent(issued(order, use("7"), use("2", "EXTRA-1"))))
    assert found.document is None  # the second component is not there: nobody stocks it
    assert "issued to 0010 of RM-1 was 0, is 7" in found.unknowable
    await oracle.seed(
        stock=[{"material": "EXTRA-1", "plant": "M1", "storage_location": "RM01", "quantity": "50", "unit": "KG"}]
    )
    await oracle.fault("timeout_after_commit", calls=1, path="materialTransactions")
    _, found = await lost(erp, intent(issued(order, use("3"), use("2", "EXTRA-1"))))
    assert found.document is not None
    assert await oracle.issued(order, "EXTRA-1") == 2
    assert await oracle.issued(order, "RM-1") == 10


async def test_a_return_is_posted_once_when_the_answer_is_lost(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    await booked(erp, intent(issued(order, use("7"))))
    back = ReturnComponents(plant="demo", order=order, posting_date=DAY, operation="0010", lines=(use("2"),))
    await oracle.fault("error_after_commit", calls=1, path="materialTransactions")
    _, found = await lost(erp, intent(back))
    assert found.document is not None
    assert await oracle.issued(order, "RM-1") == 5


async def test_an_issue_without_an_operation_goes_to_the_components_own(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    await booked(erp, intent(issued(order, use("3", "RM-2", unit="L"), operation="")))
    assert await oracle.issued(order, "RM-2") == 3


async def test_a_measured_use_of_a_pulled_component_books_its_difference(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    for measured, after in (("12.5", "12.5"), ("9", "21.5")):
        wanted = intent(confirmed(order, "5", components=(use(measured),)))
        await booked(erp, wanted)
        for transaction in await erp.follow_ups(wanted):
            await booked(erp, intent(transaction))
        assert await oracle.issued(order, "RM-1") == Decimal(after)


async def test_stock_that_is_missing_is_a_refusal_with_its_class(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    with pytest.raises(ErpRejected) as caught:
        await erp.post(intent(issued(order, use("9999999"))), free)
    assert caught.value.reason is Reason.STOCK_SHORT


# --- receipts --------------------------------------------------------------------------------------------------------


async def order_that_waits_for_its_receipt(oracle: OracleProcess, erp: OracleErp, order: str) -> None:
    await oracle.seed_order(order, storage_location="")
    for operation in ("0010", "0020", "0030"):
        await booked(erp, intent(confirmed(order, "10", operation)))


async def test_a_receipt_is_found_among_the_transactions_since_when_the_answer_is_lost(
    oracle: OracleProcess, erp: OracleErp, order_number: str
) -> None:
    await order_that_waits_for_its_receipt(oracle, erp, order_number)
    there = await oracle.on_hand("FG-100", "FG01")
    await oracle.fault("timeout_after_commit", calls=1, path="materialTransactions")
    wanted = intent(received(order_number, "4"))
    before, found = await lost(erp, wanted)
    assert found.document is not None
    assert found.document.document.isdigit()
    assert await oracle.on_hand("FG-100", "FG01") == there + 4
    unsearchable = before.model_copy(update={"figures": before.figures | {HIGHEST: ""}})
    assert (await erp.find(wanted, unsearchable)).document is not None  # by the balance alone
    await booked(erp, intent(reversed_(found.document, wanted.transaction)))
    assert await oracle.on_hand("FG-100", "FG01") == there


async def test_a_receipt_that_never_arrived_is_not_there(
    oracle: OracleProcess, erp: OracleErp, order_number: str
) -> None:
    await order_that_waits_for_its_receipt(oracle, erp, order_number)
    await oracle.fault("timeout_before_commit", calls=1, path="materialTransactions")
    wanted = intent(received(order_number, "4"))
    _, found = await lost(erp, wanted)
    assert found.document is None
    assert not found.unknowable
    assert (await erp.find(wanted, Snapshot())).document is None


async def test_a_held_scope_is_received_in_the_hold_subinventory(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    there = await oracle.on_hand("FG-100", "HOLD")
    for operation in ("0010", "0020"):
        await booked(erp, intent(confirmed(order, "3", operation)))
    await booked(erp, intent(confirmed(order, "3", "0030", receipt_stock=StockKind.BLOCKED)))
    assert await oracle.on_hand("FG-100", "HOLD") == there + 3


async def test_what_discrete_orders_cannot_receive_is_refused_by_a_rule(oracle: OracleProcess, erp: OracleErp) -> None:
    by_product = intent(received("1", "4", output=OutputKind.BY_PRODUCT))
    assert (await erp.check(by_product)).startswith("oracle-outputs/1")
    inspection = intent(received("1", "4", stock=StockKind.INSPECTION))
    assert (await erp.check(inspection)).startswith("oracle-receipt-stock/1")
    no_place = oracle.adapter(oracle={})
    assert (await no_place.check(intent(received("1", "4", stock=StockKind.BLOCKED)))).startswith("oracle-receipt")
    await no_place.aclose()


# --- time ------------------------------------------------------------------------------------------------------------


async def test_time_is_posted_once_when_the_answer_is_lost_and_net_zero_after_its_reversal(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(time(order, "12"))
    await oracle.fault("timeout_after_commit", calls=1, path="resourceTransactions")
    _, found = await lost(erp, wanted)
    assert found.document is not None
    assert await oracle.usage(order, "0010", "1") == 12
    await oracle.fault("timeout_after_commit", calls=1, path="resourceTransactions")
    _, back = await lost(erp, intent(reversed_(found.document, wanted.transaction)))
    assert back.document is not None
    assert await oracle.usage(order, "0010", "1") == 0


async def test_time_on_an_activity_without_a_resource_is_refused_before_anything_is_sent(
    erp: OracleErp, order: str
) -> None:
    with pytest.raises(ErpRejected) as caught:
        await erp.snapshot(intent(time(order, "12", slot=5)))
    assert caught.value.reason is Reason.MASTER_DATA
