"""The SAP adapter against the simulated SAP, whose own books are the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from domain.plant_erp import ErpConfig
from erp.sap import create_sap
from signals.errors import ErpBusy, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable, Reason
from signals.ids import short_key
from signals.orders import ConfirmationMode, ErpOrderStatus
from signals.transactions import CompleteOrder, ComponentUse, ConfirmProduction, PostingIntent, Reverse
from tests.erp.conftest import book, look

DAY = date(2026, 11, 22)


def confirm(order: str, operation: str = "0010", yielded: str = "10", **changes: Any) -> PostingIntent:
    transaction = ConfirmProduction(
        plant="demo",
        order=order,
        operation=operation,
        posting_date=DAY,
        yield_quantity=Decimal(yielded),
        unit="PC",
        **changes,
    )
    return PostingIntent(key=uuid4(), transaction=transaction, report_ids=("r1",))


def milli(value: str) -> Decimal:
    return Decimal(value).quantize(Decimal("0.001"))


# --- orders ----------------------------------------------------------------------------------------------------------


async def test_an_order_is_read_with_what_its_operations_components_and_profiles_say(erp, order):
    read = await erp.read_order(order)
    assert read.status is ErpOrderStatus.RELEASED
    assert [(o.operation, o.predecessors, o.automatic_receipt) for o in read.operations] == [
        ("0010", (), False),
        ("0020", ("0010",), False),
        ("0030", ("0020",), True),
    ]
    assert [(c.material, c.required, c.unit, c.backflush) for c in read.components] == [
        ("RM-1", Decimal(200), "KG", True),
        ("RM-2", Decimal("33.333"), "L", True),
    ]
    assert [(o.material, o.planned) for o in read.outputs] == [("FG-100", Decimal(100))]
    assert read.change_mark


async def test_an_unknown_order_is_rejected_by_its_own_code(erp):
    with pytest.raises(ErpRejected) as refused:
        await erp.read_order("999999999999")
    assert refused.value.code == "order_not_found"


async def test_an_order_of_another_plant_is_rejected(sap, erp, order_number):
    await sap.seed_order(order_number, plant="2020")
    with pytest.raises(ErpRejected) as refused:
        await erp.read_order(order_number)
    assert refused.value.code == "order_of_other_plant"


async def test_released_orders_are_listed_after_a_change_mark_and_completed_ones_are_not(sap, erp, order):
    heads = {head.order: head for head in await erp.released_orders()}
    assert order in heads
    assert order in {h.order for h in await erp.released_orders(heads[order].change_mark)}
    assert order not in {h.order for h in await erp.released_orders("20991231235959")}
    await book(erp, PostingIntent(key=uuid4(), transaction=_completion(order)))
    assert order not in {h.order for h in await erp.released_orders()}


async def test_an_unmapped_control_profile_is_confirmed_but_never_receives(sap, order):
    bare = sap.adapter(control_profile={})
    operations = (await bare.read_order(order)).operations
    assert {(o.confirmation, o.automatic_receipt) for o in operations} == {(ConfirmationMode.REQUIRED, False)}
    await bare.aclose()


# --- confirming ------------------------------------------------------------------------------------------------------


async def test_a_confirmation_carries_key_text_reason_quantities_and_times(sap, erp, order):
    began, ended = datetime(2026, 11, 22, 5, 30, tzinfo=UTC), datetime(2026, 11, 22, 6, 45, 7, tzinfo=UTC)
    intent = confirm(order, scrap_quantity=Decimal(2), reason="SCRATCH", started_at=began, ended_at=ended)
    document = await book(erp, intent)
    (booked,) = await sap.standing(order)
    assert (booked["yield"], booked["scrap"], booked["reason"]) == ("10", "2", "0042")
    assert booked["key"] == str(intent.key)
    assert booked["text"].startswith(short_key(intent.key))
    assert booked["posting_date"] == DAY.isoformat()
    assert booked["final"] is False
    assert document.document == booked["id"]
    assert document.key == intent.key


async def test_backflush_and_receipt_are_read_back_just_as_they_were_expected(sap, erp, order):
    for operation in ("0010", "0020", "0030"):
        intent = confirm(order, operation, yielded="11", final=operation == "0030")
        expected = await erp.expected_movements(intent)
        document = await erp.read_back(await book(erp, intent))
        assert [(m.material, m.movement_type, milli(str(m.quantity))) for m in document.goods_movements] == [
            (m.material, m.movement_type, milli(str(m.quantity))) for m in expected
        ]
    books = await sap.order(order)
    assert [milli(c["withdrawn"]) for c in books["components"]] == [milli("22"), milli("3.667")]
    assert books["items"][0]["received"] == "11"
    assert [t.yield_quantity for t in await erp.totals(order)] == [Decimal(11)] * 3
    assert [t.final for t in await erp.totals(order)] == [False, False, True]


async def test_a_milestone_is_read_back_with_what_its_predecessors_consumed(sap, erp, order_number):
    operations = [
        {"operation": "0010", "control_profile": "PP01"},
        {"operation": "0020", "control_profile": "PP06"},
    ]
    await sap.seed_order(order_number, operations=operations)
    intent = confirm(order_number, "0020", scrap_quantity=Decimal(1))
    expected = await erp.expected_movements(intent)
    document = await erp.read_back(await book(erp, intent))
    assert {m.material for m in expected} == {"RM-1", "RM-2", "FG-100"}
    assert {(m.material, milli(str(m.quantity))) for m in document.goods_movements} == {
        (m.material, milli(str(m.quantity))) for m in expected
    }


async def test_the_lot_that_was_loaded_is_issued_and_the_rest_of_the_proposal_stays(sap, erp, order_number):
    components = [
        {"material": "RM-LOT", "required": "100", "unit": "PC", "operation": "0030", "batch_managed": True},
        {"material": "RM-1", "required": "200", "unit": "KG", "operation": "0030", "storage_location": "RM01"},
    ]
    await sap.seed_order(order_number, components=components)
    lot = {"material": "RM-LOT", "plant": "1010", "quantity": "500", "unit": "PC", "batch": "COIL-7741"}
    await sap.seed(stock=[lot])
    for operation in ("0010", "0020"):
        await book(erp, confirm(order_number, operation))
    intent = confirm(order_number, "0030", component_lot="COIL-7741")
    document = await erp.read_back(await book(erp, intent))
    moved = {m.material: (m.movement_type, m.quantity, m.batch) for m in document.goods_movements}
    assert moved["RM-LOT"] == ("261", Decimal(10), "COIL-7741")
    assert moved["RM-1"][:2] == ("261", Decimal(20))
    assert moved["FG-100"][:2] == ("101", Decimal(10))


async def test_measured_use_replaces_the_proposed_quantity(sap, erp, order):
    use = ComponentUse(material="RM-1", quantity=Decimal("21.5"), unit="KG", storage_location="RM01")
    intent = confirm(order, components=(use,))
    expected = await erp.expected_movements(intent)
    document = await erp.read_back(await book(erp, intent))
    assert [(m.material, m.quantity) for m in expected] == [("RM-1", Decimal("21.5"))]
    assert [(m.material, m.quantity) for m in document.goods_movements] == [("RM-1", Decimal("21.5"))]


async def test_times_and_dates_are_written_in_the_erps_zone(sap, order):
    berlin = sap.adapter(zone="Europe/Berlin")
    late = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    intent = confirm(order, started_at=late, ended_at=late)
    await book(berlin, intent)
    service = f"{sap.url}/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2"
    url = f"{service}?$filter=OrderID%20eq%20'{order}'&$format=json"
    answer = await sap.control.get(url, auth=("MES_TEST", "only-for-this-test"))
    row = answer.json()["d"]["results"][0]
    assert row["ConfirmedExecutionStartTime"] == "PT00H30M00S"
    assert row["ConfirmedExecutionStartDate"] == f"/Date({int(datetime(2026, 7, 2, tzinfo=UTC).timestamp()) * 1000})/"
    await berlin.aclose()


async def test_a_quantity_that_sap_cannot_hold_is_refused_before_anything_is_sent(sap, erp, order):
    with pytest.raises(ErpRejected) as refused:
        await book(erp, confirm(order, yielded="1.2345"), _never)
    assert (refused.value.code, refused.value.reason) == ("sap-quantity/1", Reason.RULE)
    assert await sap.documents(order) == []


def _never() -> None:
    raise AssertionError("the guard must not be asked: nothing may be sent")


async def test_a_guard_that_refuses_keeps_the_request_from_being_sent(sap, erp, order):
    def too_late() -> None:
        raise ErpUnavailable("deadline passed")

    with pytest.raises(ErpUnavailable):
        await book(erp, confirm(order), too_late)
    assert await sap.documents(order) == []


# --- reversing and completing ----------------------------------------------------------------------------------------


async def test_a_reversal_has_its_own_key_and_takes_the_goods_movements_back(sap, erp, order):
    document = await book(erp, confirm(order))
    intent = PostingIntent(key=uuid4(), transaction=_reversal(order, document.document))
    assert await look(erp, intent) is None
    reversal = await book(erp, intent)
    found = await look(erp, intent)
    assert found is not None
    assert found.document == reversal.document
    assert found.reversal
    assert await sap.standing(order) == []
    assert (await sap.order(order))["components"][0]["withdrawn"] == "0"


async def test_reversing_what_is_reversed_is_refused(erp, order):
    document = await book(erp, confirm(order))
    await book(erp, PostingIntent(key=uuid4(), transaction=_reversal(order, document.document)))
    with pytest.raises(ErpRejected):
        await book(erp, PostingIntent(key=uuid4(), transaction=_reversal(order, document.document)))


async def test_technical_completion_is_found_by_the_orders_status(sap, erp, order):
    intent = PostingIntent(key=uuid4(), transaction=_completion(order))
    assert await look(erp, intent) is None
    await book(erp, intent)
    assert await look(erp, intent) is not None
    assert "TECO" in (await sap.order(order))["status"]


async def test_a_refusal_inside_http_200_is_a_refusal(sap, erp, order_number):
    await sap.seed_order(order_number, status=["CRTD"])
    with pytest.raises(ErpRejected):
        await book(erp, PostingIntent(key=uuid4(), transaction=_completion(order_number)))


def _reversal(order: str, document: str) -> Reverse:
    return Reverse(plant="demo", order=order, operation="0010", document=document, posting_date=DAY)


def _completion(order: str) -> CompleteOrder:
    return CompleteOrder(plant="demo", order=order, posting_date=DAY)


# --- finding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["key_not_searchable", "forget_keys"])
async def test_a_document_is_found_by_list_where_the_key_is_not_searchable_or_forgotten(sap, erp, order, mode):
    await sap.fault(mode, probability=1)
    intent = confirm(order)
    document = await book(erp, intent)
    await sap.by_hand(order=order, operation="0010", **{"yield": "10"})
    found = await look(erp, intent)
    assert found is not None
    assert found.document == document.document
    assert await look(erp, confirm(order)) is None


async def test_all_pages_of_an_operations_documents_are_read(sap, erp, order):
    await sap.settings(page_size=7)
    await sap.by_hand(order=order, operation="0010", count=23, **{"yield": "1"})
    documents = await erp.documents(order, "0010")
    assert len(documents) == len({d.document for d in documents}) == 23
    assert all(d.key is None and d.entered_by == "GUI_USER" for d in documents)


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "options", "error", "booked"),
    [
        ("refuse", {}, ErpInDoubt, 0),
        ("timeout_before_commit", {"seconds": 30}, ErpInDoubt, 0),
        ("timeout_after_commit", {"seconds": 30}, ErpInDoubt, 1),
        ("error_after_commit", {}, ErpInDoubt, 1),
        ("business_error", {}, ErpRejected, 0),
        ("duplicate_answer", {}, ErpInDoubt, 1),
        ("throttle", {"retry_after": 1}, ErpBusy, 0),
        ("down", {"method": "POST"}, ErpInDoubt, 0),
    ],
)
async def test_each_failure_is_classed_by_what_it_leaves_in_the_books(sap, order, mode, options, error, booked):
    erp = sap.adapter(timeout_seconds=0.6)
    intent = confirm(order)
    await erp.documents(order, "0010")
    await sap.fault(mode, calls=1, path="/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV", **options)
    with pytest.raises(error) as raised:
        await book(erp, intent)
    assert type(raised.value) is error
    assert len(await sap.standing(order)) == booked
    await sap.heal()
    if mode != "throttle":
        assert (await look(erp, intent) is not None) == bool(booked)
    await erp.aclose()


async def test_the_business_code_comes_from_inside_the_container(sap, erp, order):
    await sap.fault("business_error", calls=1, code="M7/053")
    with pytest.raises(ErpRejected) as refused:
        await book(erp, confirm(order))
    assert refused.value.code == "M7/053"


async def test_a_closed_posting_period_is_refused_with_its_code(sap, erp, order):
    await sap.settings(open_periods=["2026-10"])
    with pytest.raises(ErpRejected) as refused:
        await book(erp, confirm(order))
    assert refused.value.code == "M7/053"


@pytest.mark.parametrize("answer", ["423", "ME/006"])
async def test_a_locked_order_is_busy_however_sap_says_it(sap, erp, order, answer):
    await sap.settings(lock_answer=answer)
    await sap.fault("slow", calls=1, seconds=1.5)
    slow = asyncio.create_task(_outcome(lambda: book(erp, confirm(order))))
    second = confirm(order)
    await _until_locked(erp, second)
    assert await slow is ErpInDoubt
    assert len(await sap.documents(order)) <= 1


async def _until_locked(erp: Any, intent: PostingIntent) -> None:
    await asyncio.sleep(0.3)
    with pytest.raises(ErpBusy):
        await book(erp, intent)


async def _outcome(call: Callable[[], Any]) -> type[Exception] | None:
    try:
        await call()
    except Exception as error:
        return type(error)
    return None


async def test_a_partial_booking_shows_as_missing_goods_movements(sap, erp, order):
    await sap.fault("partial", calls=1)
    intent = confirm(order)
    document = await erp.read_back(await book(erp, intent))
    assert document.goods_movements == ()
    assert len(await erp.expected_movements(intent)) == 1


async def test_an_erp_that_is_down_is_unavailable_to_reads(sap, erp, order):
    await sap.fault("down", probability=1)
    with pytest.raises(ErpUnavailable):
        await erp.documents(order, "0010")


async def test_a_wrong_password_is_a_matter_of_set_up(sap, order):
    erp = adapter_with(sap, {"SAP_USER": "MES_TEST", "SAP_PASSWORD": "wrong"})
    with pytest.raises(ErpMisconfigured):
        await erp.documents(order, "0010")
    await erp.aclose()


def test_missing_credentials_name_the_variables_that_are_not_set(sap):
    with pytest.raises(ErpMisconfigured, match="SAP_USER and SAP_PASSWORD"):
        adapter_with(sap, {})


def adapter_with(sap: Any, environ: dict[str, str]) -> Any:
    return create_sap(ErpConfig(kind="sap", url=sap.url, plant="1010"), "demo", environ)
