"""Messages: frozen, exact, in UTC; what is illegal does not construct, and what is sent arrives the same."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from signals import decisions, documents, events, orders, reports, status, transactions
from signals.base import Message, Quantity
from signals.documents import ErpDocument, PostingState
from signals.events import EventBatch, MachineEvent, SequencedEvent
from signals.orders import ErpOrderStatus, Operation, ProductionOrder
from signals.packml import MachineState
from signals.reports import HandOver, LineMessage, OperationEnd, ProductionReport, ReportBucket
from signals.transactions import ComponentUse, ConfirmProduction, PostingIntent, Transaction, TransactionType

AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
KEY = UUID("12345678-1234-5678-1234-567812345678")
MODULES = (decisions, documents, events, orders, reports, status, transactions)

any_event: TypeAdapter[MachineEvent] = TypeAdapter(MachineEvent)
any_transaction: TypeAdapter[Transaction] = TypeAdapter(Transaction)

EVENTS: dict[str, dict[str, Any]] = {
    "state": {"state": MachineState.EXECUTE, "raw": "RUN"},
    "count": {"counter": "Good", "total": -5, "overflow": True},
    "measurement": {"characteristic": "Force", "value": "12.50", "unit": "kN"},
    "alarm": {"code": "E7", "active": True, "severity": 900},
    "order": {"aspect": "batch", "value": ""},
    "reason": {"aspect": "origin", "value": "PRESS"},
    "operator": {"operator": "P1"},
    "program": {"aspect": "name", "value": "PLATE"},
    "gap": {"reason": "lost session", "gap_from": AT - timedelta(minutes=3)},
    "material_loaded": {"material": "STEEL", "lot": "L1", "quantity": Decimal("5.5"), "unit": "KG"},
    "material_consumed": {"material": "STEEL", "total": Decimal("0.125"), "unit": "KG"},
    "piece": {"serial": "S1"},
}

STOCK = {"material": "M", "quantity": "1.5", "unit": "KG"}
HOLD = {"hold": "H1", **STOCK, "position": "batch", "batch": "B1", "serials": ("S1",)}
OTHERS: dict[str, dict[str, Any]] = {
    "start_order": {"started_at": AT},
    "issue_components": {"lines": [STOCK]},
    "return_components": {"lines": [{**STOCK, "batch": "B1"}]},
    "receive_goods": {**STOCK, "output": "co_product", "stock": "blocked"},
    "report_time": {"operation": "0010", "activities": [{"slot": 1, "amount": "2", "unit": "MIN"}]},
    "move_stock": {**STOCK, "from_location": "A", "to_location": "B"},
    "place_hold": HOLD,
    "release_hold": {**HOLD, "placed": "49/1"},
    "scrap_stock": HOLD,
    "record_inspection": {
        "inspection": "I1",
        "material": "M",
        "results": [{"characteristic": "Bore", "value": "12.01", "passed": False}],
    },
    "record_nonconformance": {"nonconformance": "N1", **STOCK},
    "decide_inspection": {
        "inspection": "I1",
        "inspection_lot": "10/1",
        "material": "M",
        "unit": "KG",
        "dispositions": [{"kind": "reject", "quantity": "1"}],
    },
    "open_downtime": {"stop": "D1", "asset": "E1", "started_at": AT},
    "close_downtime": {"stop": "D1", "asset": "E1", "notification": "9/1", "started_at": AT, "ended_at": AT},
    "adjust_capacity": {
        "change": "C1",
        "work_centre": "PRESS",
        "starts_at": AT,
        "ends_at": AT + timedelta(hours=1),
        "available_percent": "50",
    },
    "complete_order": {},
    "close_order": {},
    "reverse": {"document": "200/1"},
}


def bucket(**changes: Any) -> ReportBucket:
    given_ = {"order": "4711", "operation": "0010", "posting_date": date(2026, 3, 2)}
    return ReportBucket(**(given_ | changes))


def report(**changes: Any) -> ProductionReport:
    given_: dict[str, Any] = {
        "report_id": "r1",
        "plant": "north",
        "line": "line-1",
        "number": 1,
        "bucket": bucket(),
        "yield_quantity": Decimal("2.500"),
        "unit": "PC",
        "first_at": AT,
        "last_at": AT,
    }
    return ProductionReport(**(given_ | changes))


def confirm(**changes: Any) -> ConfirmProduction:
    given_: dict[str, Any] = {
        "plant": "north",
        "order": "4711",
        "posting_date": date(2026, 3, 2),
        "operation": "0010",
        "yield_quantity": Decimal(1),
        "unit": "PC",
    }
    return ConfirmProduction(**(given_ | changes))


def all_messages() -> list[type[Message]]:
    found = {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Message)
    }
    return sorted(found, key=lambda m: m.__name__)


@pytest.mark.parametrize("model", all_messages(), ids=lambda m: m.__name__)
def test_every_message_is_frozen_and_refuses_fields_it_does_not_know(model: type[BaseModel]) -> None:
    assert model.model_config.get("frozen") is True
    assert model.model_config.get("extra") == "forbid"


@pytest.mark.parametrize("kind", sorted(EVENTS))
def test_an_event_arrives_as_the_kind_it_was_sent(kind: str) -> None:
    sent = any_event.validate_python(
        {"kind": kind, "event_id": "e1", "at": AT, "equipment": "press", "tag": "T"} | EVENTS[kind]
    )
    assert any_event.validate_json(any_event.dump_json(sent)) == sent
    assert sent.kind == kind


def test_there_is_an_example_of_every_kind_of_event() -> None:
    declared = {
        m.model_fields["kind"].default for m in all_messages() if "kind" in m.model_fields and "tag" in m.model_fields
    }
    assert declared == set(EVENTS)


def test_an_event_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="kind"):
        any_event.validate_python({"kind": "rumour", "event_id": "e", "at": AT, "equipment": "x", "tag": "t"})


@given(st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001
def test_times_are_kept_in_utc_and_naive_ones_refused(at: datetime, hours: int) -> None:
    aware = at.replace(tzinfo=timezone(timedelta(hours=hours)))
    gap = events.GapEvent(event_id="e", at=aware, equipment="x", tag="t", reason="r")
    assert gap.at == aware and gap.at.utcoffset() == timedelta(0)
    with pytest.raises(ValidationError, match="needs its zone"):
        events.GapEvent(event_id="e", at=at, equipment="x", tag="t", reason="r")


@given(st.decimals(0, 999_999_999, places=6))
def test_amounts_stay_exact_over_the_wire(value: Decimal) -> None:
    sent = Quantity(value=value, unit="KG")
    assert Quantity.model_validate_json(sent.model_dump_json()).value == value


@pytest.mark.parametrize("value", ["-1", "NaN", "Infinity", "0.0000001", "12345678901.123456"])
def test_an_amount_that_no_book_can_hold_is_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        Quantity(value=Decimal(value), unit="PC")


@pytest.mark.parametrize("changes", [{"order": ""}, {"operation": ""}, {"order": "x" * 81}])
def test_a_bucket_needs_its_order_and_operation(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        bucket(**changes)


def test_a_report_whose_window_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValidationError, match="ends before it starts"):
        report(last_at=AT - timedelta(seconds=1))
    with pytest.raises(ValidationError):
        report(number=0)


def test_a_line_message_says_which_order_line_and_number_it_is() -> None:
    end = OperationEnd(
        plant="north", line="line-1", number=4, order="4711", operation="0010", ended_at=AT, watermark=AT
    )
    handed = HandOver(plant="north", line="line-1", number=5, order="4711")
    for content, message in (
        (report(), LineMessage(report=report())),
        (end, LineMessage(operation_end=end)),
        (handed, LineMessage(hand_over=handed)),
    ):
        again = LineMessage.model_validate_json(message.model_dump_json())
        assert again.content == content
        assert (again.order, again.line, again.number) == ("4711", "line-1", content.number)


def test_a_line_message_without_content_is_an_error() -> None:
    with pytest.raises(ValueError, match="without content"):
        _ = LineMessage().content


def test_an_empty_confirmation_must_be_final() -> None:
    with pytest.raises(ValidationError, match="must be final"):
        confirm(yield_quantity=Decimal(0))
    assert confirm(yield_quantity=Decimal(0), final=True).final
    assert confirm(yield_quantity=Decimal(0), scrap_quantity=Decimal(1)).scrap_quantity == 1


def test_a_transaction_arrives_as_the_type_it_was_sent() -> None:
    common = {"plant": "north", "order": "4711", "posting_date": "2026-03-02"}
    sent: list[Transaction] = [confirm(components=(ComponentUse(material="M", quantity=Decimal("0.5"), unit="KG"),))]
    sent += [any_transaction.validate_python({"type": t, **common, **fields}) for t, fields in OTHERS.items()]
    assert {t.type for t in sent} == set(TransactionType)
    for transaction in sent:
        assert any_transaction.validate_json(any_transaction.dump_json(transaction)) == transaction
        intent = PostingIntent(key=KEY, transaction=transaction, report_ids=("r1",))
        assert PostingIntent.model_validate_json(intent.model_dump_json()) == intent


@pytest.mark.parametrize("state", list(PostingState))
def test_only_claimed_and_sent_postings_are_still_on_their_way(state: PostingState) -> None:
    assert state.is_settled is (state not in (PostingState.CLAIMED, PostingState.SENT))


def test_a_batch_arrives_with_its_events_and_an_empty_one_names_the_next_number() -> None:
    event = events.CountEvent(event_id="e", at=AT, equipment="press", tag="Good", counter="Good", total=1 << 62)
    batch = EventBatch(source="s", first_seq=7, last_seq=7, watermark=AT, events=(SequencedEvent(seq=7, event=event),))
    assert EventBatch.model_validate_json(batch.model_dump_json()) == batch
    empty = EventBatch(source="s", first_seq=1, last_seq=0)
    assert empty.events == ()
    with pytest.raises(ValidationError):
        SequencedEvent(seq=0, event=event)


def test_a_document_without_a_key_was_entered_by_hand() -> None:
    document = ErpDocument(document="207/1", order="4711")
    assert document.key is None
    with pytest.raises(ValidationError):
        document.key = KEY  # type: ignore[misc]


def test_an_order_finds_its_operation_by_number() -> None:
    order = ProductionOrder(
        plant="north",
        order="4711",
        material="FRAME",
        quantity=Decimal(5),
        unit="PC",
        status=ErpOrderStatus.RELEASED,
        operations=(Operation(operation="0010", planned=Decimal(5), unit="PC"),),
    )
    found = order.find_operation("0010")
    assert found is not None and found.planned == 5
    assert order.find_operation("10") is None
    assert ProductionOrder.model_validate_json(order.model_dump_json()) == order
