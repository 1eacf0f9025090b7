"""From drafts to ledger records and back: claims, intents as claimed, outcomes. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from activities.erp_books import Look
from activities.posting_messages import ErpHealth, PostingDraft
from ledger.port import PostingRecord
from signals.documents import SUPERSEDED, Case, CaseKind, ErpDocument, PostingOutcome, PostingState
from signals.errors import BadInput, ErpBusy, ErpError, ErpUnavailable
from signals.transactions import CompleteOrder, ConfirmProduction, PostingIntent, Reverse

COVERED = "covered by adopted hand entries"
HEALTH_ORDER: tuple[ErpHealth, ...] = ("up", "busy", "down")


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
        order=transaction.order,
        operation=transaction.operation,
        type=transaction.type,
        state=PostingState.CLAIMED,
        transaction=transaction,
        report_ids=draft.intent.report_ids or (claim_id(draft.intent),),
        revision=draft.intent.revision,
    )


def claim_id(intent: PostingIntent) -> str:
    """What a posting without reports claims, so that its effect is claimed once too."""
    match intent.transaction:
        case CompleteOrder(order=order):
            return f"complete:{order}"
        case Reverse(order=order, document=document):
            return f"reverse:{order}:{document}"
        case ConfirmProduction(order=order, operation=operation):
            return f"final:{order}:{operation}"


def intent_of(record: PostingRecord) -> PostingIntent:
    """The intent as it was claimed: what is sent is what the ledger holds, not what a later draft says."""
    return PostingIntent(
        key=record.key, transaction=record.transaction, report_ids=record.report_ids, revision=record.revision
    )


def known_document(record: PostingRecord) -> ErpDocument:
    """What the ledger knows of a posting's document: enough to read it back."""
    return ErpDocument(document=record.document, order=record.order, operation=record.operation, key=record.key)


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
