"""Confirmations against the simulated Oracle: booked once whatever happens to the answer, found by arithmetic alone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from erp.oracle import OracleErp
from erp.oracle.lines import PARTLY_BOOKED
from signals.documents import Snapshot
from signals.errors import ErpBusy, ErpInDoubt, ErpRejected, Reason
from signals.ids import short_key
from signals.transactions import ActivityAmount, IssueComponents, ReportTime
from tests.oracle.conftest import OracleProcess
from tests.oracle.postings import booked, confirmed, free, intent, lost, reversed_


async def test_one_request_books_yield_scrap_and_rework(oracle: OracleProcess, erp: OracleErp, order: str) -> None:
    wanted = intent(confirmed(order, "5", scrap_quantity=Decimal(2), rework_quantity=Decimal(1), reason="SCRATCH"))
    document = await booked(erp, wanted)
    assert await oracle.operation(order, "0010") == ("5", "2", "1")
    assert (document.yield_quantity, document.scrap_quantity, document.rework_quantity) == (5, 2, 1)
    rows = await oracle.confirmations(order)
    assert len(rows) == 3
    assert len({row["batch_call"] for row in rows}) == 1
    assert all(row["text"].startswith(short_key(wanted.key)) for row in rows)
    assert [row["reason"] for row in rows] == ["", "SCRATCH_ORA", "SCRATCH_ORA"]


@pytest.mark.parametrize("mode", ["timeout_after_commit", "error_after_commit", "duplicate_answer"])
async def test_confirmation_is_posted_once_when_the_answer_is_lost(
    oracle: OracleProcess, erp: OracleErp, order: str, mode: str
) -> None:
    await oracle.fault(mode, calls=1, path="operationTransactions")
    _, found = await lost(erp, intent(confirmed(order, "5", scrap_quantity=Decimal(1))))
    assert found.document is not None
    assert await oracle.operation(order, "0010") == ("5", "1", "0")


@pytest.mark.parametrize("mode", ["timeout_before_commit", "refuse"])
async def test_a_request_that_never_arrived_is_not_there(
    oracle: OracleProcess, erp: OracleErp, order: str, mode: str
) -> None:
    await oracle.fault(mode, calls=1, path="operationTransactions")
    _, found = await lost(erp, intent(confirmed(order)))
    assert found.document is None
    assert not found.unknowable
    assert await oracle.operation(order, "0010") == ("0", "0", "0")


async def test_nothing_is_found_before_anything_was_sent(oracle: OracleProcess, erp: OracleErp, order: str) -> None:
    await oracle.by_hand(order=order, operation="0010", **{"yield": "5"})
    found = await erp.find(intent(confirmed(order, "5")), Snapshot())
    assert found.document is None
    assert not found.unknowable


async def test_a_hand_entry_beside_a_lost_answer_is_unknowable_with_its_figures(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(confirmed(order, "5"))
    before = await erp.snapshot(wanted)
    await oracle.by_hand(order=order, operation="0010", **{"yield": "3"})
    found = await erp.find(wanted, before)
    assert found.document is None
    assert "completed was 0, is 3, with ours alone 5" in found.unknowable


async def test_a_lost_answer_is_judged_by_the_callers_totals_where_no_figures_were_kept(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(confirmed(order, "5"))
    totals = tuple(await erp.totals(order))
    await booked(erp, wanted)
    assert (await erp.find(wanted, Snapshot(totals=totals))).document is not None


async def test_lines_that_were_all_refused_are_a_refusal_and_book_nothing(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    with pytest.raises(ErpRejected) as caught:
        await erp.post(intent(confirmed(order, "5", "0020", scrap_quantity=Decimal(1))), free)
    assert caught.value.code == "WIE_QUANTITY_EXCEEDS_AVAILABLE"
    assert caught.value.reason is Reason.TOLERANCE
    assert await oracle.operation(order, "0020") == ("0", "0", "0")


async def test_a_part_that_oracle_booked_and_a_part_that_it_refused_is_said_and_never_sent_again(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(confirmed(order, "98", scrap_quantity=Decimal(5)))
    before = await erp.snapshot(wanted)
    with pytest.raises(ErpInDoubt, match="booked yield 98 and refused scrap 5") as caught:
        await erp.post(wanted, free)
    assert caught.value.code == PARTLY_BOOKED
    found = await erp.find(wanted, before)
    assert found.unknowable.startswith("exactly a part of this confirmation is booked")
    assert await oracle.operation(order, "0010") == ("98", "0", "0")


async def test_a_closed_period_and_a_locked_operation_have_their_class(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    await oracle.settings(open_periods=["2026-10"])
    with pytest.raises(ErpRejected) as caught:
        await erp.post(intent(confirmed(order)), free)
    assert caught.value.reason is Reason.PERIOD_CLOSED
    await oracle.settings(open_periods=None)
    await oracle.fault("business_error", calls=1, code="WIE_RECORD_LOCKED", path="operationTransactions")
    with pytest.raises(ErpBusy):
        await erp.post(intent(confirmed(order)), free)
    assert await oracle.operation(order, "0010") == ("0", "0", "0")


# --- components and times --------------------------------------------------------------------------------------------


async def test_what_oracle_pulled_is_read_right_after_the_booking(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(confirmed(order, "5", scrap_quantity=Decimal(1)))
    expected = await erp.expected_movements(wanted)
    document = await booked(erp, wanted)
    assert [(m.material, m.quantity) for m in expected] == [("RM-1", Decimal(12))]
    assert [(m.material, m.quantity) for m in document.goods_movements] == [("RM-1", Decimal(12))]
    assert (await erp.read_back(document)).goods_movements == document.goods_movements


async def test_components_that_were_not_pulled_stay_visible_until_somebody_issues_them(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    await oracle.fault("partial", calls=1, path="operationTransactions")
    document = await booked(erp, intent(confirmed(order, "5")))
    assert document.goods_movements == ()
    await booked(erp, intent(confirmed(order, "5")))
    assert (await erp.read_back(document)).goods_movements == ()
    error = next(e for e in (await oracle.books())["cogi"] if e["order"] == order)
    (await oracle.control.post("/_control/cogi", json={"id": error["id"]})).raise_for_status()
    assert [m.quantity for m in (await erp.read_back(document)).goods_movements] == [Decimal(10)]


async def test_a_restarted_worker_reads_a_shortfall_from_the_figures_alone(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    await oracle.fault("partial", calls=1, path="operationTransactions")
    document = await booked(erp, intent(confirmed(order, "5")))
    whole = await booked(erp, intent(confirmed(order, "5")))
    assert len((await erp.read_back(whole)).goods_movements) == 1  # it was seen right after the booking
    restarted = oracle.adapter()
    bare = document.model_copy(update={"goods_movements": ()})
    assert (await restarted.read_back(bare)).goods_movements == ()
    assert (await restarted.read_back(whole)).goods_movements == ()  # too careful: it cannot tell whose it is
    await restarted.aclose()


async def test_lot_controlled_components_and_times_are_postings_of_their_own(
    oracle: OracleProcess, erp: OracleErp, order_number: str
) -> None:
    component = {"material": "RM-LOT", "required": "300", "unit": "KG", "operation": "0010", "batch_managed": True}
    await oracle.seed_order(order_number, components=[component | {"storage_location": "RM01"}])
    lot = {"material": "RM-LOT", "plant": "M1", "storage_location": "RM01", "quantity": "500", "unit": "KG"}
    await oracle.seed(stock=[lot | {"batch": "COIL-1"}])
    wanted = intent(
        confirmed(
            order_number,
            "5",
            component_lot="COIL-1",
            activities=(ActivityAmount(slot=1, amount=Decimal("7.5"), unit="MIN"),),
        )
    )
    assert await erp.expected_movements(wanted) == []
    original = await booked(erp, wanted)
    follow_ups = await erp.follow_ups(wanted)
    assert [type(t) for t in follow_ups] == [IssueComponents, ReportTime]
    assert follow_ups == await erp.follow_ups(wanted)
    for transaction in follow_ups:
        assert await erp.follow_ups(intent(transaction)) == []
        await booked(erp, intent(transaction))
    assert await oracle.issued(order_number, "RM-LOT") == 15
    assert await oracle.on_hand("RM-LOT", "RM01", "COIL-1") == 485
    assert await oracle.usage(order_number, "0010", "1") == Decimal("7.5")

    back = intent(reversed_(original, wanted.transaction))
    await booked(erp, back)
    for transaction in await erp.follow_ups(back):
        await booked(erp, intent(transaction))
    assert await oracle.operation(order_number, "0010") == ("0", "0", "0")
    assert await oracle.issued(order_number, "RM-LOT") == 0
    assert await oracle.on_hand("RM-LOT", "RM01", "COIL-1") == 500
    assert await oracle.usage(order_number, "0010", "1") == 0


async def test_a_lot_nobody_named_is_a_refusal_of_its_own_and_not_silence(
    oracle: OracleProcess, erp: OracleErp, order_number: str
) -> None:
    component = {"material": "RM-LOT", "required": "300", "unit": "KG", "operation": "0010", "batch_managed": True}
    await oracle.seed_order(order_number, components=[component | {"storage_location": "RM01"}])
    issue = (await erp.follow_ups(intent(confirmed(order_number))))[0]
    with pytest.raises(ErpRejected, match="lot controlled"):
        await erp.post(intent(issue), free)


# --- reversal --------------------------------------------------------------------------------------------------------


async def test_a_reversal_takes_pieces_components_and_receipt_back(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    stock_before = await oracle.on_hand("RM-1", "RM01"), await oracle.on_hand("FG-100", "FG01")
    for operation in ("0010", "0020"):
        await booked(erp, intent(confirmed(order, "6", operation)))
    last = confirmed(order, "4", "0030", scrap_quantity=Decimal(1), rework_quantity=Decimal(1))
    document = await booked(erp, intent(last))
    assert await oracle.on_hand("FG-100", "FG01") == stock_before[1] + 4
    reversal = await booked(erp, intent(reversed_(document, last)))
    assert reversal.reversal
    assert await oracle.operation(order, "0030") == ("0", "0", "0")
    assert await oracle.on_hand("FG-100", "FG01") == stock_before[1]


async def test_a_reversal_is_posted_once_when_the_answer_is_lost(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    original = confirmed(order, "5", scrap_quantity=Decimal(1))
    document = await booked(erp, intent(original))
    assert await oracle.issued(order, "RM-1") == 12
    await oracle.fault("timeout_after_commit", calls=1, path="operationTransactions")
    _, found = await lost(erp, intent(reversed_(document, original)))
    assert found.document is not None
    assert found.document.reversal
    assert await oracle.operation(order, "0010") == ("0", "0", "0")
    assert await oracle.issued(order, "RM-1") == 0


async def test_pieces_that_went_on_are_not_reversed_under_the_next_operation(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    original = confirmed(order, "5")
    document = await booked(erp, intent(original))
    await booked(erp, intent(confirmed(order, "5", "0020")))
    with pytest.raises(ErpRejected) as caught:
        await erp.post(intent(reversed_(document, original)), free)
    assert caught.value.reason is Reason.REVERSAL


async def test_a_reversal_of_a_bare_number_is_refused_by_a_rule(erp: OracleErp, order: str) -> None:
    bare = intent(
        reversed_(await booked(erp, intent(confirmed(order))), confirmed(order)).model_copy(update={"original": None})
    )
    assert (await erp.check(bare)).startswith("oracle-reverse-original/1")
    with pytest.raises(ErpRejected, match="oracle-reverse-original/1"):
        await erp.post(bare, free)


async def test_a_final_confirmation_without_quantity_sends_nothing_and_says_so(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    document = await booked(erp, intent(confirmed(order, "0", final=True)))
    assert document.final
    assert document.warnings
    assert await oracle.confirmations(order) == []
