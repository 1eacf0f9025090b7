"""The cases that posting to an ERP can open. Class, owner, actions and runbook are the error catalogue's."""

from __future__ import annotations

from datetime import datetime

from activities.erp_books import Quantities, quantities_of
from domain.error_catalogue import Verdict, actions_for, consequence_of_skip, judge
from ledger.port import PostingRecord
from signals.documents import Case, CaseAction, CaseKind, ErpDocument
from signals.errors import ErpError
from signals.ids import case_id
from signals.transactions import ConfirmProduction, Reverse

BLOCKS_COMPLETION_ONLY = (CaseKind.GOODS_MOVEMENT_SHORTFALL,)
NEVER_BLOCKS_A_RETRY = (CaseKind.ERP_MISCONFIGURED,)


def blocks_posting(case: Case, record: PostingRecord) -> bool:
    """Whether an open case stops this confirmation: one of its operation that is not about itself."""
    return (
        case.operation == record.operation
        and case.posting_key != record.key
        and case.kind not in BLOCKS_COMPLETION_ONLY
        and case.kind not in NEVER_BLOCKS_A_RETRY
    )


def manual_entry(record: PostingRecord, document: ErpDocument, why: str = "") -> Case:
    who = f" by {document.entered_by}" if document.entered_by else ""
    summary = why or (
        f"document {document.document} was entered{who} in the ERP itself: adopt it as part of what the machines "
        "counted, post ours beside it, or reverse it"
    )
    case = _case(record, CaseKind.MANUAL_ENTRY, document.document, summary, operation=document.operation)
    return case.model_copy(update=_of_document(document))


def second_document(record: PostingRecord, document: ErpDocument, first: str) -> Case:
    return manual_entry(
        record,
        document,
        f"document {document.document} carries the key of a posting that was booked as {first}: reverse one of them",
    )


def totals_differ(record: PostingRecord, drift: Quantities) -> Case:
    parts = " / ".join(f"{value:+f}" for value in drift)
    return _case(
        record,
        CaseKind.TOTALS_DIFFER,
        f"{record.operation}:{parts}",
        f"the ERP's totals of operation {record.operation} differ from the sum of its documents by {parts} "
        "(yield / scrap / rework); look for bookings that are not listed, then accept",
    )


def reversed_by_hand(record: PostingRecord, document: ErpDocument) -> Case:
    case = _case(
        record,
        CaseKind.TOTALS_DIFFER,
        f"reversed:{document.document}",
        f"our document {document.document} was reversed in the ERP itself; its pieces are confirmed no more. "
        "Enter them again in the ERP and adopt that entry, or accept the reversal",
        operation=document.operation,
    )
    return case.model_copy(update=_of_document(document))


def rejected(record: PostingRecord, error: ErpError, *, erp: str = "") -> Case:
    verdict = judge(CaseKind.ERP_REJECTED, code=error.code, reason=error.reason, erp=erp, answer=str(error))
    return _about_posting(
        record,
        CaseKind.ERP_REJECTED,
        f"the ERP refused the posting ({error.code or 'no code'}): {verdict.trouble.means}",
        verdict,
    ).model_copy(update={"error_code": error.code, "erp_answer": str(error)})


def misconfigured(record: PostingRecord, error: ErpError, *, erp: str = "") -> Case:
    verdict = judge(CaseKind.ERP_MISCONFIGURED, code=error.code, erp=erp, answer=str(error))
    return _about_posting(
        record,
        CaseKind.ERP_MISCONFIGURED,
        "the connection to the ERP does not work until its set-up is changed; nothing was booked and nothing is lost",
        verdict,
    ).model_copy(update={"error_code": error.code, "erp_answer": str(error)})


def in_doubt(record: PostingRecord, candidates: list[ErpDocument], why: str) -> Case:
    case = _about_posting(record, CaseKind.ERP_IN_DOUBT, f"nobody knows whether the posting was booked: {why}")
    return case.model_copy(update={"document": candidates[0].document if len(candidates) == 1 else ""})


def reversal_by_person(record: PostingRecord, why: str) -> Case:
    document = record.transaction.document if isinstance(record.transaction, Reverse) else ""
    return _about_posting(
        record,
        CaseKind.REVERSAL_BY_PERSON,
        f"document {document} can only be reversed by a person in the ERP: {why}. Do it there, then adopt; or skip",
    ).model_copy(update={"document": document, "error_code": "reversal_by_person"})


def pending(record: PostingRecord, since: datetime) -> Case:
    return _about_posting(
        record,
        CaseKind.ERP_PENDING,
        f"the ERP accepted the posting at {since.isoformat()} and has not processed it since: look at its message "
        "queue. It closes by itself when the posting shows",
    )


def partly_booked(record: PostingRecord, document: ErpDocument) -> Case:
    return _case(
        record,
        CaseKind.PARTLY_BOOKED,
        document.document,
        f"document {document.document} is booked, but {'; '.join(document.incomplete)}. "
        "Complete it in the ERP, then accept",
    ).model_copy(update={"document": document.document, "posting_key": record.key, "completion_only": True})


def held_material(record: PostingRecord, why: str) -> Case:
    return _about_posting(record, CaseKind.HELD_MATERIAL, f"{why}; it goes out by itself when the hold is over")


def shortfall(record: PostingRecord, document: str, missing: tuple[str, ...]) -> Case:
    return _case(
        record,
        CaseKind.GOODS_MOVEMENT_SHORTFALL,
        document,
        f"document {document} is confirmed, but goods movements are missing: {'; '.join(missing)}. "
        "Reprocess them in the ERP's error list (SAP: COGI), then accept",
    ).model_copy(update={"document": document, "posting_key": record.key})


def _about_posting(record: PostingRecord, kind: CaseKind, summary: str, verdict: Verdict | None = None) -> Case:
    found = verdict or judge(kind)
    transaction = record.transaction
    allowed = actions_for(found.trouble, transaction)
    consequence = consequence_of_skip(found.trouble, transaction) if CaseAction.SKIP in allowed else ""
    case = _case(record, kind, str(record.key), summary, verdict=found).model_copy(
        update={"posting_key": record.key, "allowed": allowed, "consequence": consequence}
    )
    if not isinstance(transaction, ConfirmProduction):
        return case
    yielded, scrapped, reworked = quantities_of(transaction)
    return case.model_copy(
        update={
            "yield_quantity": yielded,
            "scrap_quantity": scrapped,
            "rework_quantity": reworked,
            "unit": transaction.unit,
        }
    )


def _of_document(document: ErpDocument) -> dict[str, object]:
    return {
        "document": document.document,
        "yield_quantity": document.yield_quantity,
        "scrap_quantity": document.scrap_quantity,
        "rework_quantity": document.rework_quantity,
        "unit": document.unit,
    }


def _case(
    record: PostingRecord,
    kind: CaseKind,
    subject: str,
    summary: str,
    *,
    operation: str = "",
    verdict: Verdict | None = None,
) -> Case:
    found = verdict or judge(kind)
    return Case(
        case_id=case_id(record.plant, record.order, kind.value, subject),
        plant=record.plant,
        order=record.order,
        operation=operation or record.operation,
        kind=kind,
        owner_role=found.owner.value,
        summary=summary,
        allowed=found.trouble.actions,
        error_class=found.trouble.name,
        runbook=found.runbook,
    )
