"""The claim, the fence and the outcome of postings (design section 5, steps 1, 3 and 6), each one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from datetime import date, datetime
from uuid import UUID

import structlog
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, select, update

from ledger.database import Books, portions, upsert
from ledger.documents import mark_reversed, put_document, stored_document, use_credit
from ledger.port import ClaimResult, Credit, PostingRecord
from ledger.tables import CreditUseRow, PostingReportRow, PostingRow
from signals.documents import SUPERSEDED, ErpDocument, OperationTotals, PostingState
from signals.errors import BadInput
from signals.transactions import Reverse, Transaction, TransactionType

DONE = frozenset({PostingState.POSTED, PostingState.ADOPTED})
"""The ERP has booked it: nothing changes that back."""

MOVABLE = frozenset({PostingState.CLAIMED, PostingState.REFUSED})
"""Certainly not booked."""

_transactions: TypeAdapter[Transaction] = TypeAdapter(Transaction)
_totals: TypeAdapter[tuple[OperationTotals, ...]] = TypeAdapter(tuple[OperationTotals, ...])
_log = structlog.get_logger(__name__)


class _ReportsTaken(Exception):
    """Leaves the claim's transaction without writing: others hold some of the reports."""


class PostingBooks(Books):
    """Postings of all orders."""

    async def claim(self, record: PostingRecord, credit: Credit | None = None) -> ClaimResult:
        if record.state is PostingState.SENT:
            raise BadInput(f"posting {record.key} cannot be claimed as sent", subject=str(record.key), hint="mark_sent")
        try:
            async with self._db.write() as session:
                return ClaimResult(posting=await _claim(session, record, credit, self._db.now()))
        except _ReportsTaken:
            # What stood in the way is not superseded by this one, so it stands there still.
            async with self._db.read() as session:
                return await _holders(session, record)

    async def posting(self, key: UUID) -> PostingRecord | None:
        async with self._db.read() as session:
            row = await session.get(PostingRow, key)
            return None if row is None else posting_record(row)

    async def mark_sent(
        self,
        key: UUID,
        *,
        token: str,
        deadline: datetime,
        totals_before: tuple[OperationTotals, ...],
        documents_before: tuple[str, ...],
        figures_before: dict[str, str] | None = None,
        sent_at: datetime | None = None,
        rules: tuple[str, ...] = (),
    ) -> bool:
        fence = (
            update(PostingRow)
            .where(col(PostingRow.key) == key, col(PostingRow.state) == PostingState.CLAIMED)
            .values(
                state=PostingState.SENT,
                token=token,
                deadline=deadline,
                attempts=col(PostingRow.attempts) + 1,
                next_try_at=None,
                totals_before=_totals.dump_json(totals_before).decode(),
                documents_before=json.dumps(documents_before),
                figures_before=json.dumps(figures_before or {}),
                sent_at=sent_at,
                rules=json.dumps(rules),
                accepted=False,
                receipt="",
            )
            .returning(col(PostingRow.key))
        )
        try:
            async with self._db.write() as session:
                return await session.scalar(fence) is not None
        except IntegrityError:
            # The index allows one sent posting per order: another one of this order is on its way.
            return False

    async def mark_not_processed(self, key: UUID, *, token: str, next_try_at: datetime | None, message: str) -> bool:
        back = (
            update(PostingRow)
            .where(
                col(PostingRow.key) == key,
                col(PostingRow.state) == PostingState.SENT,
                col(PostingRow.token) == token,
            )
            .values(
                state=PostingState.CLAIMED,
                token="",
                deadline=None,
                accepted=False,
                receipt="",
                next_try_at=next_try_at,
                message=message,
            )
            .returning(col(PostingRow.key))
        )
        async with self._db.write() as session:
            return await session.scalar(back) is not None

    async def mark_accepted(self, key: UUID, *, token: str, receipt: str) -> bool:
        taken = (
            update(PostingRow)
            .where(
                col(PostingRow.key) == key,
                col(PostingRow.state) == PostingState.SENT,
                col(PostingRow.token) == token,
            )
            .values(accepted=True, receipt=receipt)
            .returning(col(PostingRow.key))
        )
        async with self._db.write() as session:
            return await session.scalar(taken) is not None

    async def family(self, key: UUID) -> tuple[PostingRecord, ...]:
        async with self._db.read() as session:
            wanted = select(PostingRow).where((col(PostingRow.key) == key) | (col(PostingRow.main_key) == key))
            rows = await session.scalars(wanted.order_by(col(PostingRow.recorded_at), col(PostingRow.key)))
            records = [posting_record(row) for row in rows]
        return tuple(sorted(records, key=lambda record: record.main_key is not None))

    async def sent_posting(self, plant: str, lane: str) -> PostingRecord | None:
        async with self._db.read() as session:
            row = await session.scalar(
                select(PostingRow).where(
                    PostingRow.plant == plant, PostingRow.order_id == lane, PostingRow.state == PostingState.SENT
                )
            )
            return None if row is None else posting_record(row)

    async def move_posting_date(self, key: UUID, posting_date: date) -> PostingRecord:
        async with self._db.write() as session:
            row = await locked_posting(session, key)
            record = posting_record(row)
            if not isinstance(record.transaction, Reverse) or record.state not in MOVABLE:
                raise BadInput(
                    f"posting {key} is {record.state}; only a reversal that was not booked can change its date",
                    subject=str(key),
                    hint="amend the posting by its case",
                )
            moved = record.transaction.model_copy(update={"posting_date": posting_date, "period_moved": True})
            text = _transactions.dump_json(moved)
            reopen_posting(row)
            row.transaction_json, row.transaction_hash = text.decode(), hashlib.sha256(text).hexdigest()
            return posting_record(row)

    async def mark_outcome(
        self,
        key: UUID,
        *,
        state: PostingState,
        document: ErpDocument | None = None,
        error_code: str = "",
        message: str = "",
        shortfall: tuple[str, ...] = (),
    ) -> PostingRecord:
        if not state.is_settled:
            hint = "mark_sent, mark_not_processed and reopen move a posting that is not settled"
            raise BadInput(f"{state} is no outcome of posting {key}", subject=str(key), hint=hint)
        async with self._db.write() as session:
            row = await locked_posting(session, key)
            if _may_become(PostingState(row.state), state):
                settle(row, state, document.document if document else "", error_code, message)
                row.shortfall = json.dumps(shortfall)
                if state in DONE:
                    await book_document(session, row, document, self._db.now())
            elif row.state in DONE and state in DONE:
                await _refresh(session, row, document, shortfall, self._db.now())
            return posting_record(row)

    async def reopen(self, key: UUID) -> PostingRecord:
        async with self._db.write() as session:
            row = await locked_posting(session, key)
            if row.state not in (PostingState.REFUSED, PostingState.IN_DOUBT):
                raise BadInput(
                    f"posting {key} is {row.state}; only a refused one or one in doubt can be tried again",
                    subject=str(key),
                    hint="look at the posting's state; nothing needs to be done for a claimed or posted one",
                )
            reopen_posting(row)
            return posting_record(row)

    async def note_retry(self, key: UUID, *, next_try_at: datetime, message: str) -> None:
        async with self._db.write() as session:
            row = await locked_posting(session, key)
            if not PostingState(row.state).is_settled:
                row.next_try_at = next_try_at
                row.message = message

    async def known_keys(self, plant: str, order: str) -> set[UUID]:
        async with self._db.read() as session:
            return set(
                await session.scalars(
                    select(PostingRow.key).where(PostingRow.plant == plant, PostingRow.order_id == order)
                )
            )


async def _claim(session: AsyncSession, record: PostingRecord, credit: Credit | None, now: datetime) -> PostingRecord:
    statement = upsert(session, PostingRow).values(_columns(record, now))
    inserted = await session.scalar(statement.on_conflict_do_nothing().returning(col(PostingRow.key)))
    if inserted is None:
        row = await session.get(PostingRow, record.key)
        assert row is not None
        return posting_record(row)
    # Sorted, so that two claims of the same reports meet at the first one and cannot block each other.
    reports = sorted(set(record.report_ids))
    if reports:
        await _supersede(session, record, reports)
        claims = upsert(session, PostingReportRow).on_conflict_do_nothing()
        rows = [
            {
                "plant": record.plant,
                "report_id": report,
                "transaction_type": record.type,
                "key": record.key,
            }
            for report in reports
        ]
        taken = await session.scalars(claims.returning(col(PostingReportRow.report_id)), rows)
        if len(taken.all()) < len(reports):
            raise _ReportsTaken
    if credit is not None:
        await use_credit(session, record.plant, record.order, record.key, credit)
    return record


async def _supersede(session: AsyncSession, record: PostingRecord, reports: list[str]) -> None:
    """A later revision takes reports over from an earlier one that is not on its way."""
    claims = PostingReportRow
    for lot in portions(reports):
        held = select(claims.key).where(
            col(claims.plant) == record.plant,
            col(claims.report_id).in_(lot),
            col(claims.transaction_type) == record.type,
        )
        earlier = and_(col(PostingRow.key).in_(held), col(PostingRow.revision) < record.revision)
        await _give_up(session, earlier, f"its reports are posted as revision {record.revision}")


async def release_claims(session: AsyncSession, plant: str, order: str, operation: str, message: str) -> None:
    """A decision changed what an operation's confirmations must say: those not on their way give their reports up."""
    of_operation = and_(
        col(PostingRow.plant) == plant,
        col(PostingRow.order_id) == order,
        col(PostingRow.operation) == operation,
        col(PostingRow.transaction_type) == TransactionType.CONFIRM_PRODUCTION,
    )
    await _give_up(session, of_operation, message)


async def _give_up(session: AsyncSession, which: ColumnElement[bool], message: str) -> None:
    """Only `claimed` ones: the ERP certainly has not booked them, and the fence refuses them from now on."""
    retired = (
        update(PostingRow)
        .where(which, col(PostingRow.state) == PostingState.CLAIMED)
        .values(state=PostingState.CANCELLED, error_code=SUPERSEDED, message=message, next_try_at=None)
        .returning(col(PostingRow.key))
    )
    keys = list(await session.scalars(retired))
    for table in (PostingReportRow, CreditUseRow):
        await session.execute(delete(table).where(col(table.key).in_(keys)))


def _columns(record: PostingRecord, now: datetime) -> dict[str, object]:
    transaction = _transactions.dump_json(record.transaction)
    return {
        "key": record.key,
        "plant": record.plant,
        "order_id": record.order,
        "operation": record.operation,
        "transaction_type": record.type,
        "state": record.state,
        "transaction_json": transaction.decode(),
        "transaction_hash": hashlib.sha256(transaction).hexdigest(),
        "report_ids": json.dumps(record.report_ids),
        "revision": record.revision,
        "token": record.token,
        "deadline": record.deadline,
        "attempts": record.attempts,
        "next_try_at": record.next_try_at,
        "totals_before": _totals.dump_json(record.totals_before).decode(),
        "documents_before": json.dumps(record.documents_before),
        "document": record.document,
        "error_code": record.error_code,
        "message": record.message,
        "shortfall": json.dumps(record.shortfall),
        "figures_before": json.dumps(record.figures_before),
        "sent_at": record.sent_at,
        "accepted": record.accepted,
        "receipt": record.receipt,
        "rules": json.dumps(record.rules),
        "main_key": record.main_key,
        "recorded_at": now,
    }


async def _holders(session: AsyncSession, record: PostingRecord) -> ClaimResult:
    held: dict[str, UUID] = {}
    row = PostingReportRow
    for lot in portions(record.report_ids):
        wanted = select(row.report_id, row.key).where(
            col(row.plant) == record.plant,
            col(row.report_id).in_(lot),
            col(row.transaction_type) == record.type,
        )
        held |= {report: key for report, key in (await session.execute(wanted)).all()}
    postings = [await session.get_one(PostingRow, key) for key in dict.fromkeys(held.values())]
    return ClaimResult(
        others=tuple(posting_record(posting) for posting in postings),
        rest=tuple(report for report in record.report_ids if report not in held),
    )


async def locked_posting(session: AsyncSession, key: UUID) -> PostingRow:
    """The posting, locked until the transaction ends. BadInput where the ledger does not know it."""
    row = await session.get(PostingRow, key, with_for_update=True)
    if row is None:
        raise BadInput(f"the ledger knows no posting {key}", subject=str(key), hint="claim it first")
    return row


def _may_become(now: PostingState, then: PostingState) -> bool:
    """Booked and shadow postings are final; a cancelled one only gives way to what the ERP turns out to have booked."""
    if now in DONE or now is PostingState.SHADOW:
        return False
    return now is not PostingState.CANCELLED or then in DONE


def settle(row: PostingRow, state: PostingState, document: str, error_code: str, message: str) -> None:
    """Write the outcome; the token is kept as evidence of who sent it."""
    row.state = state
    row.document = document
    row.error_code = error_code
    row.message = message
    row.next_try_at = None


def reopen_posting(row: PostingRow) -> None:
    """To be tried again from the beginning: as claimed as on its first day, but with its attempts."""
    settle(row, PostingState.CLAIMED, "", "", "")
    row.token = ""
    row.deadline = None
    row.accepted, row.receipt = False, ""


async def book_document(session: AsyncSession, row: PostingRow, document: ErpDocument | None, now: datetime) -> None:
    """Store a booked posting's document, and let a reversal take its original out of the totals."""
    transaction = _transactions.validate_json(row.transaction_json)
    if isinstance(transaction, Reverse):
        await mark_reversed(session, row.plant, row.order_id, transaction.document)
    if document is None:
        return
    await put_document(
        session,
        row.plant,
        document.model_copy(
            update={
                "order": row.order_id,
                "operation": document.operation or row.operation,
                "key": document.key or row.key,
            }
        ),
        now,
        posting_key=row.key,
        counted=transaction.type is TransactionType.CONFIRM_PRODUCTION,
        final=bool(getattr(transaction, "final", False)),
    )


async def _refresh(
    session: AsyncSession, row: PostingRow, document: ErpDocument | None, shortfall: tuple[str, ...], now: datetime
) -> None:
    """Read-back of a booked posting: movements that came late. A repeat of the first answer takes nothing away."""
    if document is None:
        if shortfall:
            row.shortfall = json.dumps(shortfall)
        return
    if row.document and document.document != row.document:
        _log.warning(
            "a second document for one posting is not adopted",
            key=str(row.key),
            order=row.order_id,
            document=row.document,
            second=document.document,
        )
        return
    stored = await stored_document(session, row.plant, row.order_id, document.document)
    if stored is not None and len(stored.goods_movements) > len(document.goods_movements):
        return
    row.document = document.document
    row.shortfall = json.dumps(shortfall)
    reversed_since = document.reversed or (stored is not None and stored.reversed)
    await book_document(session, row, document.model_copy(update={"reversed": reversed_since}), now)


async def postings_of(session: AsyncSession, plant: str, order: str = "") -> list[PostingRow]:
    """Postings by the time they were claimed; an empty `order` means all of the plant."""
    wanted = select(PostingRow).where(PostingRow.plant == plant)
    if order:
        wanted = wanted.where(PostingRow.order_id == order)
    return list(await session.scalars(wanted.order_by(col(PostingRow.recorded_at), col(PostingRow.key))))


def unsettled_first(postings: Iterable[PostingRecord], in_cases: Collection[UUID]) -> list[PostingRecord]:
    """What needs the workflow first: unsettled postings, then those that cases are about."""
    return sorted(postings, key=lambda posting: (posting.state.is_settled, posting.key not in in_cases))


def posting_record(row: PostingRow) -> PostingRecord:
    """The row as the message others read."""
    return PostingRecord(
        key=row.key,
        plant=row.plant,
        order=row.order_id,
        operation=row.operation,
        type=TransactionType(row.transaction_type),
        state=PostingState(row.state),
        transaction=_transactions.validate_json(row.transaction_json),
        report_ids=tuple(json.loads(row.report_ids)),
        revision=row.revision,
        token=row.token,
        deadline=row.deadline,
        attempts=row.attempts,
        next_try_at=row.next_try_at,
        totals_before=_totals.validate_json(row.totals_before),
        documents_before=tuple(json.loads(row.documents_before)),
        document=row.document,
        error_code=row.error_code,
        message=row.message,
        shortfall=tuple(json.loads(row.shortfall)),
        figures_before=json.loads(row.figures_before),
        sent_at=row.sent_at,
        accepted=row.accepted,
        receipt=row.receipt,
        rules=tuple(json.loads(row.rules)),
        main_key=row.main_key,
    )
