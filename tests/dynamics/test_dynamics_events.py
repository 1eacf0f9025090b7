"""What business events prove of a message: processed, failed, cancelled; lost ones and doubled ones change nothing."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest

from erp.dynamics import DynamicsErp
from signals.documents import Booking, Snapshot
from signals.errors import ErpInDoubt, Reason
from signals.transactions import ComponentUse, IssueComponents, PostingIntent
from tests.dynamics.conftest import (
    PLANT,
    SECRET,
    TODAY,
    DynamicsProcess,
    Endpoint,
    before_sending,
    booked,
    confirmation,
    free,
    intent_for,
    send,
    settled,
    until,
)

PROCESSED = "SysMessageProcessorMessageProcessedBusinessEvent"


async def test_the_processed_event_and_its_journal_prove_a_booking_that_a_hand_entry_would_blur(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    intent = confirmation(started, "0030", "5")
    before = await send(hearing, intent)
    await until(lambda: endpoint.events.events_of(started, PROCESSED), lambda found: len(found) == 1)
    await dynamics.by_hand(order=started, operation="0030", **{"yield": "2"})
    booking = await hearing.find(intent, before)
    assert booking.document is not None
    assert booking.document.yield_quantity == 5


async def test_two_journals_alike_stay_candidates_even_with_an_event(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    intent = confirmation(started, "0030", "5")
    before = await send(hearing, intent)
    await dynamics.by_hand(order=started, operation="0030", **{"yield": "5"})
    await until(lambda: endpoint.events.events_of(started, PROCESSED), lambda found: len(found) == 1)
    booking = await until(lambda: hearing.find(intent, before), lambda b: bool(b.candidates))
    assert booking.document is None
    assert booking.unknowable.startswith("its event says that it was booked")


async def test_a_lost_event_leaves_the_journals_to_prove_it(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    await dynamics.settings(event_loss={"probability": 1})
    intent = confirmation(started, "0010", "5")
    booking = await booked(hearing, intent)
    assert booking.document is not None
    assert list(await endpoint.events.events_of(started, PROCESSED)) == []


async def test_a_doubled_event_is_stored_once(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    await dynamics.settings(event_duplicates={"probability": 1})
    await booked(hearing, confirmation(started, "0010", "5"))
    await until(lambda: dynamics.delivered(started), bool)
    assert len(await endpoint.events.events_of(started, PROCESSED)) == 1


async def test_a_message_that_failed_three_times_is_refused_with_its_infolog_and_blocks_the_order(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    short = IssueComponents(
        plant=PLANT,
        order=started,
        operation="0020",
        posting_date=TODAY,
        lines=(ComponentUse(material="LOT-1", quantity=Decimal(5000), unit="PC", batch="B1"),),
    )
    intent = intent_for(short)
    booking = await settled(hearing, intent, await send(hearing, intent))
    assert (booking.code, booking.reason) == ("infolog/stock", Reason.STOCK_SHORT)
    assert "cannot be picked because only" in booking.refused
    assert "blocks every later message" in booking.refused
    (message,) = await dynamics.messages(started)
    assert (message["state"], message["attempts"]) == ("Failed", 3)

    later = confirmation(started, "0010", "5")
    before = await send(hearing, later)
    waiting = await hearing.find(later, before)
    assert waiting.pending
    assert "requeue or cancel" in waiting.receipt

    await dynamics.on_message("cancel", message["id"])
    after = await settled(hearing, later, before)
    assert after.document is not None


async def test_an_unknown_language_is_a_refusal_with_its_text(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    await dynamics.fault("business_error", path="/api/services", calls=1, code="Kirjauskausi on suljettu.")
    intent = confirmation(started, "0010", "5")
    booking = await settled(hearing, intent, await send(hearing, intent))
    assert (booking.code, booking.reason) == ("infolog/other", Reason.OTHER)
    assert "Kirjauskausi on suljettu" in booking.refused


async def test_a_requeued_message_is_found_processed_after_it_had_failed(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    await dynamics.fault("business_error", path="/api/services", calls=1, code="Something passing.")
    intent = confirmation(started, "0010", "5")
    before = await send(hearing, intent)
    refused = await settled(hearing, intent, before)
    assert refused.refused
    (message,) = await dynamics.messages(started)
    await dynamics.on_message("requeue", message["id"])
    booking = await until(lambda: hearing.find(intent, before), lambda b: b.document is not None)
    assert booking.document is not None


async def test_a_cancelled_message_that_says_so_is_refused(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    await dynamics.settings(processing_paused=True)
    intent = confirmation(started, "0010", "5")
    before = await send(hearing, intent)
    (message,) = await dynamics.messages(started)
    await _tell(endpoint, started, message, "Canceled")
    booking = await hearing.find(intent, before)
    assert (booking.code, booking.document) == ("message_cancelled", None)


async def test_an_event_is_used_for_one_posting_only(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    """Two route cards of one content: the event of the first must not settle the second."""
    first, second = confirmation(started, "0010", "5"), confirmation(started, "0010", "5")
    await booked(hearing, first)
    await until(lambda: endpoint.events.events_of(started, PROCESSED), lambda found: len(found) == 1)
    await dynamics.settings(processing_paused=True)
    before = await send(hearing, second)
    assert (await hearing.find(second, before)).pending
    await dynamics.on_message("process")
    booking = await settled(hearing, second, before)
    assert booking.document is not None
    assert len(await hearing.documents(started, "0010")) == 2


async def test_the_failure_of_an_earlier_equal_posting_is_not_the_next_one_s(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    await dynamics.fault("business_error", path="/api/services", calls=1, code="Something passing.")
    first, second = confirmation(started, "0010", "5"), confirmation(started, "0010", "5")
    assert (await settled(hearing, first, await send(hearing, first))).refused
    (message,) = await dynamics.messages(started)
    await dynamics.on_message("cancel", message["id"])
    await dynamics.settings(processing_paused=True)
    before = await send(hearing, second)
    waiting = await hearing.find(second, before)
    assert (waiting.refused, waiting.pending) == ("", True)
    await dynamics.on_message("process")
    assert (await settled(hearing, second, before)).document is not None


async def test_a_late_event_of_an_equal_posting_does_not_settle_the_next_one(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    await dynamics.settings(event_loss={"probability": 1})
    first, second = confirmation(started, "0010", "5"), confirmation(started, "0010", "5")
    await booked(hearing, first)
    await dynamics.settings(event_loss={"probability": 0}, processing_paused=True)
    before = await send(hearing, second)
    messages = await dynamics.messages(started)
    await _tell(endpoint, started, messages[0], "Processed")
    booking = await hearing.find(second, before)
    assert booking.document is None
    assert booking.pending


async def test_a_correlation_member_that_survives_tells_two_equal_postings_apart(
    dynamics: DynamicsProcess, endpoint: Endpoint, started: str
) -> None:
    erp = dynamics.adapter({"correlation_member": "PlantwrightKey"}, events=endpoint.events)
    await dynamics.settings(processing_paused=True)
    first, second = confirmation(started, "0010", "5"), confirmation(started, "0010", "5")
    before = await before_sending(erp, second)
    await send(erp, first)
    messages = await dynamics.messages(started)
    await _tell(endpoint, started, messages[0], "Failed")
    assert not (await erp.find(second, before)).refused
    assert (await erp.find(first, before)).refused


async def test_a_correlation_member_that_does_not_survive_costs_nothing(
    dynamics: DynamicsProcess, endpoint: Endpoint, started: str
) -> None:
    erp = dynamics.adapter({"correlation_member": "PlantwrightKey"}, events=endpoint.events)
    await dynamics.fault("forget_keys", path="/api/services", calls=1)
    intent = confirmation(started, "0030", "5")
    before = await send(erp, intent)
    await until(lambda: endpoint.events.events_of(started, PROCESSED), lambda found: len(found) == 1)
    await dynamics.by_hand(order=started, operation="0030", **{"yield": "1"})
    assert (await erp.find(intent, before)).document is not None


async def test_another_queue_or_company_s_event_is_not_ours(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    await dynamics.settings(processing_paused=True)
    intent = confirmation(started, "0010", "5")
    before = await send(hearing, intent)
    (message,) = await dynamics.messages(started)
    await _tell(endpoint, started, message | {"company": "DEMF"}, "Failed")
    await _tell(endpoint, started, message | {"queue": "Other"}, "Failed")
    assert (await hearing.find(intent, before)).pending


async def test_changed_orders_are_those_that_events_named_and_what_is_open(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, started: str
) -> None:
    await dynamics.by_hand(order=started, operation="0030", final=True, **{"yield": "1"})
    await until(
        lambda: endpoint.events.events_of(started, "ProductionOrderStatusChangedBusinessEvent"),
        lambda found: len(found) >= 1,
    )
    heads = {head.order: head for head in await hearing.changed_orders("")}
    assert heads[started].change_mark
    later = await hearing.changed_orders("2999-01-01T00:00:00+00:00")
    assert started not in {head.order for head in later}


async def test_many_orders_side_by_side_are_each_booked_once(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, order_number: str
) -> None:
    """Every other answer is lost, events are lost and doubled; the books hold each report once."""
    orders = [f"{order_number}X{n}" for n in range(6)]
    for order in orders:
        await dynamics.seed_order(order)
        await dynamics.by_hand(action="start", order=order)
    await dynamics.settings(
        event_loss={"probability": 0.4, "seed": 5}, event_duplicates={"probability": 0.4, "seed": 6}
    )
    await dynamics.fault("error_after_commit", path="/api/services", probability=0.5, seed=11)

    async def one(order: str) -> Booking:
        for operation in ("0010", "0020", "0030"):
            intent = confirmation(order, operation, "3", "1")
            booking = await settled(hearing, intent, await _send_somehow(hearing, intent))
            assert booking.document is not None, booking
        return booking

    await asyncio.gather(*(one(order) for order in orders))
    for order in orders:
        operations = (await dynamics.order(order))["operations"]
        assert [(o["yield"], o["scrap"]) for o in operations] == [("3", "1")] * 3


async def _send_somehow(erp: DynamicsErp, intent: PostingIntent) -> Snapshot:
    before = await before_sending(erp, intent)
    try:
        await erp.post(intent, free)
    except ErpInDoubt:
        # Nothing shows it was accepted; until the message is processed, unknowable would be the honest answer.
        async def seen() -> Booking:
            return await erp.find(intent, before)

        await until(seen, lambda b: b.document is not None)
    return before.model_copy(update={"accepted": True})


async def _tell(endpoint: Endpoint, order: str, message: dict[str, Any], state: str) -> None:
    """An event about a message, as Dynamics would send it."""
    body = {
        "BusinessEventId": PROCESSED,
        "BusinessEventLegalEntity": message["company"],
        "EventId": f"{order}-{message['id']}-{state}-{message['company']}-{message['queue']}",
        "EventTime": "",
        "MessageContent": message["content"],
        "MessageInfolog": "",
        "MessageQueue": message["queue"],
        "MessageSourceCompanyId": message["company"],
        "MessageState": state,
        "MessageType": message["type"],
    }
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{endpoint.url}/{PLANT}", json=body, headers={"x-plantwright-secret": SECRET})
    assert answer.status_code == 200, answer.text


pytestmark = pytest.mark.timeout(90)
