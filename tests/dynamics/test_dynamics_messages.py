"""Confirmations and what goes with them through the message queue, against a simulated Dynamics: once, and proved."""

from __future__ import annotations

from decimal import Decimal

import pytest

from erp.dynamics import DynamicsErp
from signals.documents import Snapshot
from signals.errors import ErpInDoubt, ErpRejected
from signals.ids import short_key
from signals.orders import ErpOrderStatus, OutputKind
from signals.transactions import (
    ActivityAmount,
    CloseOrder,
    CompleteOrder,
    ComponentUse,
    IssueComponents,
    ReceiveGoods,
    ReportTime,
    ReturnComponents,
)
from tests.dynamics.conftest import (
    PLANT,
    TODAY,
    DynamicsProcess,
    before_sending,
    booked,
    confirmation,
    free,
    intent_for,
    send,
    settled,
    start_of,
    until,
)

MACHINE = ActivityAmount(slot=1, amount=Decimal(90), unit="MIN")
SET_UP = ActivityAmount(slot=2, amount=Decimal("0.5"), unit="H")


async def test_the_order_is_read_in_the_house_s_words(erp: DynamicsErp, order: str) -> None:
    read = await erp.read_order(order)
    assert [o.operation for o in read.operations] == ["0010", "0020", "0030"]
    assert [o.predecessors for o in read.operations] == [(), ("0010",), ("0020",)]
    assert [o.automatic_receipt for o in read.operations] == [False, False, True]
    assert (read.status, read.unit, read.quantity, read.erp_plant) == (ErpOrderStatus.RELEASED, "PC", 100, "1")
    steel = next(c for c in read.components if c.material == "RM-1")
    assert (steel.unit, steel.operation, steel.backflush) == ("KGM", "0010", True)


async def test_an_order_that_needs_a_start_is_started_once(
    erp: DynamicsErp, dynamics: DynamicsProcess, order: str
) -> None:
    intent = start_of(order)
    assert (await erp.find(intent, Snapshot())).document is None
    await booked(erp, intent)
    assert (await erp.find(intent, Snapshot())).document is not None
    assert (await dynamics.order(order))["started"] == "100"
    assert {m["type"] for m in await dynamics.messages(order)} == {"ProdProductionOrderStart"}


async def test_an_operation_before_the_last_is_a_route_card_with_its_quantities_and_hours(
    erp: DynamicsErp, dynamics: DynamicsProcess, started: str
) -> None:
    intent = confirmation(started, "0010", "5", "2", reason="SCRATCH", activities=(MACHINE, SET_UP))
    booking = await booked(erp, intent)
    assert booking.document is not None
    assert booking.document.document.startswith("ROUTE/")
    operation = (await dynamics.order(started))["operations"][0]
    assert (operation["yield"], operation["scrap"]) == ("5", "2")
    assert operation["activities"]["process"]["confirmed"] == "1.5"
    assert operation["activities"]["setup"]["confirmed"] == "0.5"
    assert await erp.follow_ups(intent) == []


async def test_the_last_operation_is_a_report_as_finished_with_its_consumption(
    erp: DynamicsErp, dynamics: DynamicsProcess, started: str
) -> None:
    intent = confirmation(started, "0030", "4", "1", reason="CRACK")
    expected = await erp.expected_movements(intent)
    booking = await booked(erp, intent)
    assert booking.document is not None
    shown = await erp.read_back(booking.document)
    told = {(m.material, m.movement_type, m.quantity) for m in expected}
    assert told == {("RM-1", "261", Decimal("10.000")), ("FG-100", "101", Decimal(4))}
    assert {(m.material, m.movement_type, m.quantity) for m in shown.goods_movements} == told
    operations = (await dynamics.order(started))["operations"]
    assert [(o["yield"], o["scrap"]) for o in operations] == [("0", "0"), ("0", "0"), ("4", "1")]


async def test_what_is_consumed_at_an_operation_goes_with_its_route_card(
    erp: DynamicsErp, dynamics: DynamicsProcess, started: str
) -> None:
    intent = confirmation(started, "0020", "10")
    expected = await erp.expected_movements(intent)
    booking = await booked(erp, intent)
    assert booking.document is not None
    shown = await erp.read_back(booking.document)
    assert [(m.material, m.quantity) for m in expected] == [("RM-2", Decimal("3.333"))]
    assert [(m.material, m.quantity) for m in shown.goods_movements] == [("RM-2", Decimal("3.333"))]


async def test_a_failed_picking_list_is_a_shortfall_and_not_a_second_report(
    erp: DynamicsErp, dynamics: DynamicsProcess, started: str
) -> None:
    await dynamics.fault("partial", path="/api/services", calls=1)
    intent = confirmation(started, "0030", "4")
    booking = await booked(erp, intent)
    assert booking.document is not None
    shown = await erp.read_back(booking.document)
    assert [m.movement_type for m in shown.goods_movements] == ["101"]
    assert [m.material for m in await erp.expected_movements(intent)] == ["RM-1", "FG-100"]


async def test_totals_are_the_sum_of_the_documents(erp: DynamicsErp, dynamics: DynamicsProcess, started: str) -> None:
    await booked(erp, confirmation(started, "0010", "5", "1"))
    await booked(erp, confirmation(started, "0030", "4", "1"))
    await dynamics.by_hand(order=started, operation="0010", **{"yield": "3"})
    totals = {t.operation: t for t in await erp.totals(started)}
    assert (totals["0010"].yield_quantity, totals["0010"].scrap_quantity) == (8, 1)
    assert (totals["0030"].yield_quantity, totals["0030"].scrap_quantity) == (4, 1)
    for operation in ("0010", "0020", "0030"):
        listed = await erp.documents(started, operation)
        assert sum(d.yield_quantity for d in listed) == totals[operation].yield_quantity


async def test_a_hand_entry_is_seen_and_a_negative_one_takes_back_what_it_equals(
    erp: DynamicsErp, dynamics: DynamicsProcess, started: str
) -> None:
    await dynamics.by_hand(order=started, operation="0030", **{"yield": "3"})
    await dynamics.by_hand(order=started, operation="0030", **{"yield": "2"})
    await dynamics.by_hand(order=started, operation="0030", **{"yield": "-3"})
    listed = await erp.documents(started, "0030")
    assert [(d.yield_quantity, d.reversed, d.reversal) for d in listed] == [
        (3, True, False),
        (2, False, False),
        (3, False, True),
    ]
    assert {d.key for d in listed} == {None}
    assert next(t for t in await erp.totals(started) if t.operation == "0030").yield_quantity == 2


async def test_measured_times_of_the_last_operation_follow_as_a_route_card(
    erp: DynamicsErp, dynamics: DynamicsProcess, started: str
) -> None:
    intent = confirmation(started, "0030", "4", activities=(MACHINE,))
    await booked(erp, intent)
    (follow_up,) = await erp.follow_ups(intent)
    assert isinstance(follow_up, ReportTime)
    await booked(erp, intent_for(follow_up))
    operation = (await dynamics.order(started))["operations"][2]
    assert operation["activities"]["process"]["confirmed"] == "1.5"
    assert operation["yield"] == "4"
    assert [d.yield_quantity for d in await erp.documents(started, "0030")] == [4]


async def test_a_loaded_lot_follows_as_a_picking_list(
    erp: DynamicsErp, dynamics: DynamicsProcess, started: str
) -> None:
    intent = confirmation(started, "0020", "7", component_lot="B2", component_material="LOT-1")
    assert await erp.check(intent) == ""
    await booked(erp, intent)
    (follow_up,) = await erp.follow_ups(intent)
    assert isinstance(follow_up, IssueComponents)
    issue = intent_for(follow_up)
    booking = await booked(erp, issue)
    assert booking.document is not None
    shown = await erp.read_back(booking.document)
    assert [(m.material, m.batch, m.quantity) for m in shown.goods_movements] == [("LOT-1", "B2", 7)]
    assert await erp.expected_movements(issue)
    assert await erp.follow_ups(intent) == [follow_up]


async def test_components_are_returned_only_where_that_was_proved(
    dynamics: DynamicsProcess, erp: DynamicsErp, started: str
) -> None:
    line = ComponentUse(material="LOT-1", quantity=Decimal(3), unit="PC", batch="B1")
    taken = IssueComponents(plant=PLANT, order=started, operation="0020", posting_date=TODAY, lines=(line,))
    await booked(erp, intent_for(taken))
    back = ReturnComponents(plant=PLANT, order=started, operation="0020", posting_date=TODAY, lines=(line,))
    assert not erp.capabilities.can(back.type).supported
    with pytest.raises(ErpRejected, match="negative"):
        await erp.post(intent_for(back), free)
    await dynamics.settings(negative_quantities="accept")
    proved = dynamics.adapter({"negative_quantities": True})
    booking = await booked(proved, intent_for(back))
    assert booking.document is not None
    shown = await proved.read_back(booking.document)
    assert [(m.movement_type, m.quantity) for m in shown.goods_movements] == [("262", 3)]


async def test_a_co_product_is_received_by_itself_and_is_no_yield(
    erp: DynamicsErp, dynamics: DynamicsProcess, order_number: str
) -> None:
    items = [{"material": "FG-100"}, {"material": "CO-1", "planned": "50", "storage_location": "WH1"}]
    await dynamics.seed_order(order_number, items=items)
    await dynamics.by_hand(action="start", order=order_number)
    received = ReceiveGoods(
        plant=PLANT,
        order=order_number,
        posting_date=TODAY,
        output=OutputKind.CO_PRODUCT,
        material="CO-1",
        quantity=Decimal(6),
        unit="PC",
    )
    await booked(erp, intent_for(received))
    items_now = {i["material"]: i["received"] for i in (await dynamics.order(order_number))["items"]}
    assert items_now == {"FG-100": "0", "CO-1": "6"}
    assert await erp.documents(order_number, "0030") == []


async def test_a_final_report_ends_the_job_and_completes_the_order(
    erp: DynamicsErp, dynamics: DynamicsProcess, started: str
) -> None:
    await booked(erp, confirmation(started, "0030", "4", final=True))
    assert (await dynamics.order(started))["status"] == ["ReportedFinished"]
    complete = intent_for(CompleteOrder(plant=PLANT, order=started, posting_date=TODAY))
    assert (await erp.find(complete, Snapshot())).document is not None


async def test_an_order_is_completed_by_a_report_of_nothing_and_then_ended_for_good(
    erp: DynamicsErp, dynamics: DynamicsProcess, started: str
) -> None:
    await booked(erp, confirmation(started, "0030", "4"))
    await booked(erp, intent_for(CompleteOrder(plant=PLANT, order=started, posting_date=TODAY)))
    await booked(erp, intent_for(CloseOrder(plant=PLANT, order=started, posting_date=TODAY)))
    assert (await dynamics.order(started))["status"] == ["Completed"]
    assert (await erp.read_order(started)).status is ErpOrderStatus.CLOSED


@pytest.mark.parametrize("operation", ["0010", "0030"])
async def test_a_confirmation_is_booked_once_when_the_answer_is_lost(
    dynamics: DynamicsProcess, erp: DynamicsErp, started: str, operation: str
) -> None:
    intent = confirmation(started, operation, "5")
    before = await before_sending(erp, intent)
    await dynamics.fault("timeout_after_commit", path="/api/services", calls=1, seconds=5)
    with pytest.raises(ErpInDoubt):
        await erp.post(intent, free)
    booking = await until(lambda: erp.find(intent, before), lambda b: b.document is not None)
    assert booking.document is not None
    assert booking.document.key == intent.key
    assert len(await erp.documents(started, operation)) == 1


async def test_an_error_after_the_message_was_queued_is_a_doubt_and_no_refusal(
    dynamics: DynamicsProcess, erp: DynamicsErp, started: str
) -> None:
    intent = confirmation(started, "0010", "5")
    before = await before_sending(erp, intent)
    await dynamics.fault("error_after_commit", path="/api/services", calls=1)
    with pytest.raises(ErpInDoubt):
        await erp.post(intent, free)
    await until(lambda: erp.find(intent, before), lambda b: b.document is not None)


async def test_a_queued_message_of_a_lost_answer_is_invisible_and_never_taken_for_absent(
    dynamics: DynamicsProcess, erp: DynamicsErp, started: str
) -> None:
    await dynamics.settings(processing_paused=True)
    intent = confirmation(started, "0010", "5")
    before = await before_sending(erp, intent)
    await dynamics.fault("timeout_after_commit", path="/api/services", calls=1, seconds=5)
    with pytest.raises(ErpInDoubt):
        await erp.post(intent, free)
    booking = await erp.find(intent, before)
    assert booking.document is None
    assert "cannot be read" in booking.unknowable


async def test_before_anything_was_sent_nothing_is_found(
    erp: DynamicsErp, dynamics: DynamicsProcess, started: str
) -> None:
    await dynamics.by_hand(order=started, operation="0010", **{"yield": "5"})
    booking = await erp.find(confirmation(started, "0010", "5"), Snapshot())
    assert (booking.document, booking.pending, booking.unknowable, booking.candidates) == (None, False, "", ())


async def test_an_accepted_message_is_pending_until_its_journal_shows(
    dynamics: DynamicsProcess, erp: DynamicsErp, started: str
) -> None:
    await dynamics.settings(processing_paused=True, send_message_body='{"whatever": 1}')
    intent = confirmation(started, "0010", "5")
    before = await send(erp, intent)
    assert "whatever" in before.receipt
    assert (await erp.find(intent, before)).pending
    await dynamics.on_message("process")
    assert (await erp.find(intent, before)).document is not None


async def test_a_hand_entry_with_the_same_quantities_makes_candidates_and_no_guess(
    dynamics: DynamicsProcess, erp: DynamicsErp, started: str
) -> None:
    intent = confirmation(started, "0010", "5")
    before = await send(erp, intent)
    await until(lambda: erp.find(intent, before), lambda b: b.document is not None)
    await dynamics.by_hand(order=started, operation="0010", **{"yield": "5"})
    booking = await erp.find(intent, before)
    assert booking.document is None
    assert len(booking.candidates) == 2
    assert "somebody else" in booking.unknowable


async def test_somebody_who_books_at_the_same_time_leaves_a_candidate_only(
    dynamics: DynamicsProcess, erp: DynamicsErp, started: str
) -> None:
    intent = confirmation(started, "0010", "5")
    before = await send(erp, intent)
    await dynamics.by_hand(order=started, operation="0010", **{"yield": "2"})
    booking = await until(lambda: erp.find(intent, before), lambda b: bool(b.candidates))
    assert booking.document is None
    assert booking.unknowable


async def test_a_journal_that_was_there_before_is_never_taken_for_ours(
    dynamics: DynamicsProcess, erp: DynamicsErp, started: str
) -> None:
    await dynamics.by_hand(order=started, operation="0030", **{"yield": "5"})
    await dynamics.settings(processing_paused=True)
    intent = confirmation(started, "0030", "5")
    before = await send(erp, intent)
    assert (await erp.find(intent, before)).pending
    await dynamics.on_message("process")
    booking = await settled(erp, intent, before)
    assert booking.document is not None
    assert len(await erp.documents(started, "0030")) == 2


async def test_a_license_plate_of_its_own_makes_a_report_recognisable_in_the_books(
    dynamics: DynamicsProcess, started: str
) -> None:
    erp = dynamics.adapter({"license_plates": True})
    intent = confirmation(started, "0030", "5")
    await booked(erp, intent)
    (document,) = await erp.documents(started, "0030")
    assert document.text == short_key(intent.key)
