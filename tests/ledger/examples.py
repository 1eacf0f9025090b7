"""Examples that the ledger's tests write into it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from ledger.port import LineRecord, PostingRecord
from signals.documents import Case, CaseAction, CaseKind, ErpDocument, PostingState
from signals.events import CountEvent, SequencedEvent
from signals.ids import posting_key
from signals.orders import ErpOrderStatus, Operation, ProductionOrder
from signals.reports import Evidence, LineMessage, OperationEnd, ProductionReport, ReportBucket, SourceRange
from signals.transactions import CompleteOrder, ConfirmProduction, Reverse, TransactionType

PLANT = "north"
LINE = "line-1"
ORDER = "1000017"
START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


def order(number: str = ORDER, **changes: Any) -> ProductionOrder:
    return ProductionOrder(
        plant=PLANT,
        order=number,
        material="FRAME",
        quantity=Decimal(100),
        unit="PC",
        status=ErpOrderStatus.RELEASED,
        operations=(Operation(operation="0010", planned=Decimal(100), unit="PC"),),
    ).model_copy(update=changes)


def report(
    name: str,
    number: int,
    *,
    events: tuple[str, ...] = (),
    ranges: tuple[tuple[int, int], ...] = (),
    yielded: str = "0",
    scrapped: str = "0",
    reason: str = "",
    operation: str = "0010",
    order_id: str = ORDER,
    line: str = LINE,
) -> LineMessage:
    at = START + timedelta(seconds=number)
    return LineMessage(
        report=ProductionReport(
            report_id=name,
            plant=PLANT,
            line=line,
            number=number,
            bucket=ReportBucket(order=order_id, operation=operation, reason=reason, posting_date=date(2026, 11, 20)),
            yield_quantity=Decimal(yielded),
            scrap_quantity=Decimal(scrapped),
            unit="PC",
            first_at=at,
            last_at=at,
            ranges=tuple(SourceRange(source="edge", first_seq=first, last_seq=last) for first, last in ranges),
            evidence=(Evidence(rule="counter-increment/1", event_ids=events),) if events else (),
        )
    )


def operation_end(number: int, operation: str = "0010") -> LineMessage:
    return LineMessage(
        operation_end=OperationEnd(
            plant=PLANT,
            line=LINE,
            number=number,
            order=ORDER,
            operation=operation,
            ended_at=START,
            watermark=START,
        )
    )


def event(seq: int, name: str) -> tuple[str, SequencedEvent]:
    count = CountEvent(
        event_id=name, at=START + timedelta(seconds=seq), equipment="press", tag="Good", counter="good", total=seq
    )
    return ("edge", SequencedEvent(seq=seq, event=count))


def record(revision: int, *messages: LineMessage, line: str = LINE, **parts: Any) -> LineRecord:
    return LineRecord(
        plant=PLANT, line=line, revision=revision, checkpoint=f"state {revision}", messages=messages, **parts
    )


def posting(
    *reports: str,
    yielded: str = "10",
    scrapped: str = "0",
    operation: str = "0010",
    order_id: str = ORDER,
    revision: int = 0,
    final: bool = False,
    **changes: Any,
) -> PostingRecord:
    kind = TransactionType.CONFIRM_PRODUCTION
    return PostingRecord(
        key=posting_key(PLANT, order_id, operation, kind, reports, revision),
        plant=PLANT,
        order=order_id,
        operation=operation,
        type=kind,
        state=PostingState.CLAIMED,
        transaction=ConfirmProduction(
            plant=PLANT,
            order=order_id,
            posting_date=date(2026, 11, 20),
            operation=operation,
            yield_quantity=Decimal(yielded),
            scrap_quantity=Decimal(scrapped),
            unit="PC",
            final=final,
        ),
        report_ids=reports,
        revision=revision,
    ).model_copy(update=changes)


def reversal(document_number: str, operation: str = "0010") -> PostingRecord:
    kind = TransactionType.REVERSE
    claim = f"reverse:{document_number}"
    return PostingRecord(
        key=posting_key(PLANT, ORDER, operation, kind, [claim], 0),
        plant=PLANT,
        order=ORDER,
        operation=operation,
        type=kind,
        state=PostingState.CLAIMED,
        transaction=Reverse(
            plant=PLANT, order=ORDER, posting_date=date(2026, 11, 20), operation=operation, document=document_number
        ),
        report_ids=(claim,),
    )


def completion(order_id: str) -> PostingRecord:
    kind = TransactionType.COMPLETE_ORDER
    claim = f"complete:{order_id}"
    return PostingRecord(
        key=posting_key(PLANT, order_id, "", kind, [claim], 0),
        plant=PLANT,
        order=order_id,
        operation="",
        type=kind,
        state=PostingState.CLAIMED,
        transaction=CompleteOrder(plant=PLANT, order=order_id, posting_date=date(2026, 11, 20)),
        report_ids=(claim,),
    )


def document(number: str, yielded: str = "10", *, operation: str = "0010", **changes: Any) -> ErpDocument:
    return ErpDocument(
        document=number, order=ORDER, operation=operation, yield_quantity=Decimal(yielded), unit="PC"
    ).model_copy(update=changes)


def hand_entry(number: str = "77/1", yielded: str = "5", **changes: Any) -> Case:
    return Case(
        case_id=f"case-{number}",
        plant=PLANT,
        order=ORDER,
        operation="0010",
        kind=CaseKind.MANUAL_ENTRY,
        owner_role="supervisor",
        summary="somebody confirmed by hand",
        document=number,
        yield_quantity=Decimal(yielded),
        unit="PC",
        allowed=(CaseAction.ADOPT, CaseAction.POST, CaseAction.REVERSE),
    ).model_copy(update=changes)


def trouble(claimed: PostingRecord, kind: CaseKind = CaseKind.ERP_IN_DOUBT, **changes: Any) -> Case:
    return Case(
        case_id=f"case-{claimed.key}",
        plant=PLANT,
        order=claimed.order,
        operation=claimed.operation,
        kind=kind,
        owner_role="integration ops",
        summary="nobody knows whether it was booked",
        posting_key=claimed.key,
        allowed=(CaseAction.ADOPT, CaseAction.RETRY, CaseAction.SKIP),
    ).model_copy(update=changes)
