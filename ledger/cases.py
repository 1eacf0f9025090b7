"""Cases and what a person's decision on one does to the ledger; acting on the ERP is the workflow's business."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from ledger.database import Books, upsert
from ledger.documents import put_document
from ledger.parking import already_recorded, record_decision
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
from ledger.tables import ExceptionCaseRow, PostingRow
from signals.base import ZERO
from signals.decisions import DecideCase
from signals.documents import Case, CaseAction, CaseKind, ErpDocument, PostingState
from signals.errors import BadInput
from signals.transactions import ConfirmProduction, Reverse

POSTING_CASES = frozenset({CaseKind.ERP_REJECTED, CaseKind.ERP_IN_DOUBT, CaseKind.ERP_MISCONFIGURED})
"""Kinds whose decision settles the posting they are about."""


class CaseBooks(Books):
    """Everything only a person can settle."""

    async def open_case(self, case: Case) -> Case:
        async with self._db.write() as session:
            now = self._db.now()
            opened = case if case.opened_at else case.model_copy(update={"opened_at": now})
            statement = upsert(session, ExceptionCaseRow).values(
                plant=case.plant,
                case_id=case.case_id,
                order_id=case.order,
                is_open=True,
                action="",
                note="",
                payload=opened.model_dump_json(),
                recorded_at=now,
            )
            inserted = statement.on_conflict_do_nothing().returning(col(ExceptionCaseRow.case_id))
            if await session.scalar(inserted) is not None:
                return opened
            row = await _locked_case(session, case.plant, case.case_id)
            if await _is_back(session, row):
                row.is_open, row.action, row.note = True, "", ""
                row.payload = opened.model_dump_json()
            return Case.model_validate_json(row.payload)

    async def cases(self, plant: str, *, order: str = "", open_only: bool = True) -> list[Case]:
        async with self._db.read() as session:
            return await cases_of(session, plant, order, open_only=open_only)

    async def decide_case(self, plant: str, decision: DecideCase) -> Case:
        async with self._db.write() as session:
            row = await _locked_case(session, plant, decision.case_id)
            case = Case.model_validate_json(row.payload)
            if await already_recorded(session, plant, decision):
                return case
            if decision.action not in case.allowed:
                allowed = ", ".join(case.allowed)
                raise BadInput(
                    f"case {case.case_id} ({case.kind}) cannot be settled by {decision.action}",
                    subject=case.case_id,
                    hint=f"allowed here: {allowed}",
                )
            if row.action != decision.action:
                await _check_undecided(session, row, case)
                await _take_effect(session, plant, case, decision, self._db.now())
            row.action = decision.action
            # The reversal itself is still to be posted; the workflow closes the case after it.
            row.is_open = decision.action is CaseAction.REVERSE
            record_decision(session, plant, decision, self._db.now())
            return case

    async def close_case(self, plant: str, case_id: str, note: str) -> None:
        async with self._db.write() as session:
            row = await _locked_case(session, plant, case_id)
            if row.is_open:
                row.is_open, row.note = False, note


async def cases_of(session: AsyncSession, plant: str, order: str = "", *, open_only: bool = True) -> list[Case]:
    """Cases by the time they were opened; an empty `order` means all of the plant."""
    wanted = select(ExceptionCaseRow).where(ExceptionCaseRow.plant == plant)
    if order:
        wanted = wanted.where(ExceptionCaseRow.order_id == order)
    if open_only:
        wanted = wanted.where(col(ExceptionCaseRow.is_open).is_(True))
    rows = await session.scalars(wanted.order_by(col(ExceptionCaseRow.recorded_at), col(ExceptionCaseRow.case_id)))
    return [Case.model_validate_json(row.payload) for row in rows]


async def _locked_case(session: AsyncSession, plant: str, case_id: str) -> ExceptionCaseRow:
    row = await session.get(ExceptionCaseRow, (plant, case_id), with_for_update=True)
    if row is None:
        hint = "list the open cases; an id is only known in the plant it was opened in"
        raise BadInput(f"plant {plant} has no case {case_id}", subject=case_id, hint=hint)
    return row


async def _is_back(session: AsyncSession, row: ExceptionCaseRow) -> bool:
    """The same trouble again: its cause had gone, or somebody had it tried again and it is still not booked.

    What a person has otherwise decided stays decided.
    """
    if row.is_open:
        return False
    if row.action == "":
        return True
    key = Case.model_validate_json(row.payload).posting_key
    if row.action != CaseAction.RETRY or key is None:
        return False
    posting = await session.get(PostingRow, key)
    return posting is not None and not _is_over(posting)


def _is_over(posting: PostingRow) -> bool:
    return posting.state in DONE or posting.state in (PostingState.CANCELLED, PostingState.SHADOW)


async def _check_undecided(session: AsyncSession, row: ExceptionCaseRow, case: Case) -> None:
    """BadInput when another decision is in force, or the case's cause has gone."""
    if row.is_open and row.action == "":
        return
    if row.is_open and await _reversal_failed(session, case):
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


async def _take_effect(session: AsyncSession, plant: str, case: Case, decision: DecideCase, now: datetime) -> None:
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
    if decision.action is CaseAction.ACCEPT:
        return
    if row.state == PostingState.SENT:
        raise BadInput(
            f"posting {row.key} is on its way to the ERP until {row.deadline}",
            subject=case.case_id,
            hint="decide again when its outcome is known",
        )
    if decision.action is CaseAction.RETRY:
        if not _is_over(row):
            reopen_posting(row)
        return
    if row.state in DONE:
        raise BadInput(
            f"posting {row.key} has been booked as document {row.document or '(without a number)'} since",
            subject=case.case_id,
            hint="close the case; to take the document back, reverse it",
        )
    if decision.action is CaseAction.SKIP:
        settle(row, PostingState.CANCELLED, "", row.error_code, f"skipped by {decision.by}: {decision.reason}")
    elif decision.action is CaseAction.ADOPT:
        note = f"adopted by {decision.by}: {decision.reason}"
        settle(row, PostingState.ADOPTED, case.document, row.error_code, note)
        await book_document(session, row, _candidate(row, case) if case.document else None, now)


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


def _candidate(row: PostingRow, case: Case) -> ErpDocument:
    """The document a person found to be the posting's: with the case's quantities, else with those we asked for."""
    quantities = (case.yield_quantity, case.scrap_quantity, case.rework_quantity)
    transaction = posting_record(row).transaction
    if isinstance(transaction, ConfirmProduction) and not any(quantities):
        quantities = (transaction.yield_quantity, transaction.scrap_quantity, transaction.rework_quantity)
    return ErpDocument(
        document=case.document,
        order=row.order_id,
        operation=row.operation,
        yield_quantity=quantities[0],
        scrap_quantity=quantities[1],
        rework_quantity=quantities[2],
        unit=case.unit or getattr(transaction, "unit", ""),
        key=row.key,
        text=case.summary,
    )
