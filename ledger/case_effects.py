"""What a person's decision on a case does to postings and documents, inside the decision's own transaction."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from domain.exception_rules import amend_fault
from ledger.documents import put_document
from ledger.postings import (
    DONE,
    book_document,
    locked_posting,
    posting_record,
    postings_of,
    release_claims,
    reopen_posting,
    settle,
)
from ledger.tables import ExceptionCaseRow, PostingAmendmentRow, PostingRow, ProductionOrderRow
from signals.base import ZERO
from signals.decisions import DecideCase
from signals.documents import Case, CaseAction, CaseKind, ErpDocument, PostingState
from signals.errors import BadInput
from signals.exceptions import Amendment
from signals.orders import ProductionOrder
from signals.transactions import ConfirmProduction, Reverse, Transaction

POSTING_CASES = frozenset(
    {
        CaseKind.ERP_REJECTED,
        CaseKind.ERP_IN_DOUBT,
        CaseKind.ERP_MISCONFIGURED,
        CaseKind.ERP_PENDING,
        CaseKind.REVERSAL_BY_PERSON,
        CaseKind.HELD_MATERIAL,
    }
)
"""Kinds whose decision settles the posting they are about."""

TRIED_AGAIN = (CaseAction.RETRY, CaseAction.AMEND)

_transactions: TypeAdapter[Transaction] = TypeAdapter(Transaction)


async def is_back(session: AsyncSession, row: ExceptionCaseRow) -> bool:
    """The same trouble again: its cause had gone, or somebody had it tried again and it is still not booked.

    What a person has otherwise decided stays decided.
    """
    if row.is_open:
        return False
    if row.action == "":
        return True
    key = Case.model_validate_json(row.payload).posting_key
    if row.action not in TRIED_AGAIN or key is None:
        return False
    posting = await session.get(PostingRow, key)
    return posting is not None and not _is_over(posting)


def _is_over(posting: PostingRow) -> bool:
    return posting.state in DONE or posting.state in (PostingState.CANCELLED, PostingState.SHADOW)


async def check_undecided(session: AsyncSession, row: ExceptionCaseRow, case: Case) -> None:
    """BadInput when another decision is in force, or the case's cause has gone."""
    if row.is_open and row.action == "":
        return
    if row.is_open and row.action == CaseAction.REVERSE and await _reversal_failed(session, case):
        return
    state = f"was decided already: {row.action}" if row.action else f"is closed: {row.note}"
    raise BadInput(f"case {case.case_id} {state}", subject=case.case_id, hint="look for a newer case of the order")


async def _reversal_failed(session: AsyncSession, case: Case) -> bool:
    """Whether the decided reversal was tried and given up, so that a person may choose otherwise."""
    attempts = [
        posting.state
        for posting in map(posting_record, await postings_of(session, case.plant, case.order))
        if isinstance(posting.transaction, Reverse) and posting.transaction.document == case.document
    ]
    gone = (PostingState.REFUSED, PostingState.CANCELLED)
    return bool(attempts) and all(state in gone for state in attempts)


async def take_effect(session: AsyncSession, plant: str, case: Case, decision: DecideCase, now: datetime) -> None:
    """Change what the decision changes. Raises BadInput where the facts are against it; nothing is changed then."""
    if case.kind is CaseKind.MANUAL_ENTRY:
        await _settle_hand_entry(session, plant, case, decision, now)
    elif case.kind in POSTING_CASES and case.posting_key is not None:
        row = await locked_posting(session, case.posting_key)
        await _settle_posting(session, row, case, decision, now)


async def _settle_hand_entry(
    session: AsyncSession, plant: str, case: Case, decision: DecideCase, now: datetime
) -> None:
    if decision.action not in (CaseAction.ADOPT, CaseAction.POST):
        return
    adopted = decision.action is CaseAction.ADOPT
    entry = _entered_document(case)
    credited = entry.yield_quantity if decision.quantity is None else decision.quantity
    if credited > entry.yield_quantity:
        raise BadInput(
            f"case {case.case_id}: {credited} of a hand entry of {entry.yield_quantity} cannot be adopted",
            subject=case.case_id,
            hint="leave the quantity out to adopt the whole entry",
        )
    await put_document(
        session,
        plant,
        entry,
        now,
        counted=adopted,
        credit=(credited, entry.scrap_quantity, entry.rework_quantity) if adopted else (ZERO, ZERO, ZERO),
    )
    if adopted:
        # What was claimed before the entry was known says too much now; it is drafted anew, less the credit.
        message = f"drafted anew: hand entry {case.document} was adopted"
        await release_claims(session, plant, case.order, case.operation, message)


async def _settle_posting(
    session: AsyncSession, row: PostingRow, case: Case, decision: DecideCase, now: datetime
) -> None:
    action = decision.action
    if action is CaseAction.ACCEPT:
        return
    waits_in_the_erp = case.kind is CaseKind.ERP_PENDING and row.accepted
    if row.state == PostingState.SENT and not waits_in_the_erp:
        raise BadInput(
            f"posting {row.key} is on its way to the ERP until {row.deadline}",
            subject=case.case_id,
            hint="decide again when its outcome is known",
        )
    if action is CaseAction.RETRY:
        if not _is_over(row):
            reopen_posting(row)
        return
    if row.state in DONE:
        raise BadInput(
            f"posting {row.key} has been booked as document {row.document or '(without a number)'} since",
            subject=case.case_id,
            hint="close the case; to take the document back, reverse it",
        )
    if action is CaseAction.SKIP:
        settle(row, PostingState.CANCELLED, "", row.error_code, f"skipped by {decision.by}: {decision.reason}")
    elif action is CaseAction.AMEND:
        await _amend(session, row, case, decision, now)
    elif action is CaseAction.ADOPT:
        await _adopt(session, row, case, decision, now)
    elif action is CaseAction.COMPENSATE and decision.document:
        # A person found it in the ERP: it stands, and is reversed like everything else of its family.
        await _adopt(session, row, case, decision, now)


async def _adopt(session: AsyncSession, row: PostingRow, case: Case, decision: DecideCase, now: datetime) -> None:
    """The posting has its effect, by the document that the person or the case names."""
    reversal = isinstance(posting_record(row).transaction, Reverse)
    # A case about a reversal names the document that was to be reversed, which is not the reversal's own.
    number = decision.document or ("" if reversal else case.document)
    note = f"adopted by {decision.by}: {decision.reason}"
    settle(row, PostingState.ADOPTED, number, row.error_code, note)
    document = _candidate(row, case, number) if number else None
    await book_document(session, row, document and document.model_copy(update={"reversal": reversal}), now)


async def _amend(session: AsyncSession, row: PostingRow, case: Case, decision: DecideCase, now: datetime) -> None:
    """Replace the payload under the same key, where the ERP certainly has not booked it (refused, never in doubt)."""
    if decision.amended is None:
        hint = "say what to book instead: --set FIELD=VALUE, or --file"
        raise BadInput(f"case {case.case_id}: an amendment without a change", subject=case.case_id, hint=hint)
    if row.state != PostingState.REFUSED or await _was_in_doubt(session, row):
        raise BadInput(
            f"posting {row.key} is {row.state}: only what the ERP certainly has not booked can be amended",
            subject=case.case_id,
            hint="find out in the ERP what became of it; then adopt, retry as it is, or skip",
        )
    earlier = await amendments_of(session, row.plant, key=row.key)
    current = posting_record(row).transaction
    original = earlier[0].before if earlier else current
    fault = amend_fault(original, decision.amended, await _order(session, row), current=current)
    if fault:
        hint = "`plantwright exceptions show` has the original"
        raise BadInput(f"case {case.case_id}: {fault}", subject=case.case_id, hint=hint)
    text = _transactions.dump_json(decision.amended).decode()
    session.add(
        PostingAmendmentRow(
            key=row.key,
            number=len(earlier) + 1,
            plant=row.plant,
            order_id=row.order_id,
            case_id=case.case_id,
            decision_id=decision.decision_id,
            decided_by=decision.by,
            role=decision.role,
            reason=decision.reason,
            before_json=row.transaction_json,
            after_json=text,
            recorded_at=now,
        )
    )
    row.transaction_json, row.transaction_hash = text, hashlib.sha256(text.encode()).hexdigest()
    reopen_posting(row)


async def _was_in_doubt(session: AsyncSession, row: PostingRow) -> bool:
    """Its first request may have been booked after all; then another payload under its key would be a lie."""
    doubt = select(ExceptionCaseRow.case_id).where(
        ExceptionCaseRow.posting_key == row.key, ExceptionCaseRow.kind == CaseKind.ERP_IN_DOUBT
    )
    return await session.scalar(doubt) is not None


async def _order(session: AsyncSession, row: PostingRow) -> ProductionOrder | None:
    stored = await session.get(ProductionOrderRow, (row.plant, row.order_id))
    return None if stored is None or stored.payload is None else ProductionOrder.model_validate_json(stored.payload)


async def amendments_of(
    session: AsyncSession, plant: str, *, order: str = "", key: UUID | None = None
) -> list[Amendment]:
    """Amendments of a posting or of an order, oldest first."""
    row = PostingAmendmentRow
    wanted = select(row).where(row.plant == plant)
    if key is not None:
        wanted = wanted.where(row.key == key)
    if order:
        wanted = wanted.where(row.order_id == order)
    rows = await session.scalars(wanted.order_by(col(row.recorded_at), col(row.key), col(row.number)))
    return [
        Amendment(
            key=r.key,
            number=r.number,
            before=_transactions.validate_json(r.before_json),
            after=_transactions.validate_json(r.after_json),
            case_id=r.case_id,
            decision_id=r.decision_id,
            by=r.decided_by,
            role=r.role,
            reason=r.reason,
            at=r.recorded_at,
        )
        for r in rows
    ]


def _entered_document(case: Case) -> ErpDocument:
    """The hand entry as a document of its own, without a key of ours."""
    if not case.document:
        raise BadInput(f"case {case.case_id} names no document to take over", subject=case.case_id, hint="reverse it")
    return ErpDocument(
        document=case.document,
        order=case.order,
        operation=case.operation,
        yield_quantity=case.yield_quantity,
        scrap_quantity=case.scrap_quantity,
        rework_quantity=case.rework_quantity,
        unit=case.unit,
        text=case.summary,
    )


def _candidate(row: PostingRow, case: Case, number: str) -> ErpDocument:
    """The document a person found to be the posting's: with the case's quantities, else with those we asked for."""
    quantities = (case.yield_quantity, case.scrap_quantity, case.rework_quantity)
    transaction = posting_record(row).transaction
    if isinstance(transaction, ConfirmProduction) and not any(quantities):
        quantities = (transaction.yield_quantity, transaction.scrap_quantity, transaction.rework_quantity)
    return ErpDocument(
        document=number,
        order=row.order_id,
        operation=row.operation,
        yield_quantity=quantities[0],
        scrap_quantity=quantities[1],
        rework_quantity=quantities[2],
        unit=case.unit or getattr(transaction, "unit", ""),
        key=row.key,
        text=case.summary,
    )
