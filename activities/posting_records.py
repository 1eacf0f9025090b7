"""From drafts to ledger records and back: claims, intents as claimed, follow-ups, outcomes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from uuid import UUID

from activities.erp_books import Look
from activities.posting_messages import ErpHealth, PostingDraft
from ledger.port import PostingRecord
from signals.documents import SUPERSEDED, Case, CaseKind, ErpDocument, PostingOutcome, PostingState
from signals.errors import BadInput, ErpBusy, ErpError, ErpUnavailable
from signals.ids import posting_key
from signals.transactions import (
    ConfirmProduction,
    PostingIntent,
    Reverse,
    StartOrder,
    Transaction,
    TransactionType,
)

COVERED = "covered by adopted hand entries"
BOOKED = (PostingState.POSTED, PostingState.ADOPTED)
HEALTH_ORDER: tuple[ErpHealth, ...] = ("up", "busy", "down")


@dataclass(frozen=True)
class Stand:
    """Where one posting stands after an attempt."""

    record: PostingRecord
    next_try_at: datetime | None = None
    erp: ErpHealth = "up"
    verified: bool = False


def outcome_of(record: PostingRecord, next_try_at: datetime | None) -> PostingOutcome:
    """As the workflow sees it: a superseded posting gives its reports back."""
    outcome = record.outcome().model_copy(update={"next_try_at": next_try_at})
    superseded = outcome.state is PostingState.CANCELLED and outcome.error_code == SUPERSEDED
    return outcome.model_copy(update={"report_ids": ()}) if superseded else outcome


def record_of(draft: PostingDraft) -> PostingRecord:
    """The claim a draft asks for."""
    transaction = draft.intent.transaction
    if transaction.plant != draft.plant:
        raise BadInput(
            f"posting {draft.intent.key} is for plant {transaction.plant}, the draft for {draft.plant}",
            subject=str(draft.intent.key),
            hint="settle it by its own plant's worker",
        )
    return PostingRecord(
        key=draft.intent.key,
        plant=draft.plant,
        order=transaction.lane,
        operation=transaction.operation,
        type=transaction.type,
        state=PostingState.CLAIMED,
        transaction=transaction,
        report_ids=draft.intent.report_ids or (claim_id(draft.intent),),
        revision=draft.intent.revision,
    )


def claim_id(intent: PostingIntent) -> str:
    """What a posting without reports claims, so that its effect is claimed once too."""
    transaction = intent.transaction
    match transaction:
        case Reverse(document=document):
            return f"reverse:{transaction.lane}:{document}"
        case ConfirmProduction(order=order, operation=operation):
            return f"final:{order}:{operation}"
        case _ if transaction.type in ONCE_AN_ORDER:
            return f"{ONCE_AN_ORDER[transaction.type]}:{transaction.order}"
        case _:
            return f"{transaction.type.value}:{intent.key}"


ONCE_AN_ORDER = {"complete_order": "complete", "start_order": "start", "close_order": "close"}
"""What an order has once: its claim is named for the order, whoever drafts it."""


def follow_up_record(main: PostingRecord, number: int, transaction: Transaction) -> PostingRecord:
    """The claim of a follow-up: by its main posting and its place, so that it is claimed once."""
    claim = f"follow:{main.key}:{number}"
    key = posting_key(main.plant, main.order, transaction.operation, transaction.type.value, [claim], 0)
    return PostingRecord(
        key=key,
        plant=main.plant,
        order=main.order,
        operation=transaction.operation,
        type=transaction.type,
        state=PostingState.CLAIMED,
        transaction=transaction,
        report_ids=(claim,),
        main_key=main.key,
    )


def start_record(confirmation: PostingRecord) -> PostingRecord:
    """The claim of the order's start, which some ERPs want before the first confirmation."""
    transaction = confirmation.transaction
    assert isinstance(transaction, ConfirmProduction)
    claim = f"start:{transaction.order}"
    start = StartOrder(
        plant=confirmation.plant,
        order=transaction.order,
        posting_date=transaction.posting_date,
        started_at=transaction.started_at or datetime.combine(transaction.posting_date, time(), UTC),
    )
    key = posting_key(confirmation.plant, transaction.order, "", TransactionType.START_ORDER.value, [claim], 0)
    return PostingRecord(
        key=key,
        plant=confirmation.plant,
        order=transaction.order,
        operation="",
        type=TransactionType.START_ORDER,
        state=PostingState.CLAIMED,
        transaction=start,
        report_ids=(claim,),
    )


def intent_of(record: PostingRecord) -> PostingIntent:
    """The intent as it was claimed: what is sent is what the ledger holds, not what a later draft says."""
    return PostingIntent(
        key=record.key, transaction=record.transaction, report_ids=record.report_ids, revision=record.revision
    )


def known_document(record: PostingRecord) -> ErpDocument:
    """What the ledger knows of a posting's document: enough to read it back, and all there is where an ERP cannot."""
    known = ErpDocument(document=record.document, order=record.order, operation=record.operation, key=record.key)
    transaction = record.transaction
    if not isinstance(transaction, ConfirmProduction):
        return known
    quantities = {
        "yield_quantity": transaction.yield_quantity,
        "scrap_quantity": transaction.scrap_quantity,
        "rework_quantity": transaction.rework_quantity,
        "unit": transaction.unit,
        "final": transaction.final,
    }
    return known.model_copy(update=quantities)


def is_reversed(look: Look, number: str) -> bool:
    return any(d.document == number and d.reversed for d in look.documents)


def is_shortfall_of(case: Case, key: UUID) -> bool:
    return case.kind is CaseKind.GOODS_MOVEMENT_SHORTFALL and case.posting_key == key


def stops_completion(case: Case, record: PostingRecord) -> bool:
    """Any open case but those about the completion itself or about a set-up that may work again."""
    return case.posting_key != record.key and case.kind is not CaseKind.ERP_MISCONFIGURED


def health_after(error: ErpError) -> ErpHealth:
    if isinstance(error, ErpBusy):
        return "busy"
    return "down" if isinstance(error, ErpUnavailable) else "up"


def next_period(day: date, today: date) -> date:
    """The first day of the month after; never after today. Periods are months unless the ERP refuses that as well."""
    first = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return min(first, today)
