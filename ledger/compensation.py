"""What taking back needs of the ledger: an order's postings, giving up what was never sent, orders declared void."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlmodel import col, select

from ledger.cases import open_cases_about
from ledger.database import Books, upsert
from ledger.port import PostingRecord
from ledger.postings import DONE, posting_record, postings_of, settle
from ledger.tables import ExceptionCaseRow, PostingRow, VoidOrderRow
from signals.decisions import VoidOrder
from signals.documents import CaseKind, PostingState

NEVER_SENT = (PostingState.CLAIMED, PostingState.REFUSED)
"""The ERP certainly has not booked it, and once cancelled the fence keeps it so."""


class CompensationBooks(Books):
    """Reversing in good order."""

    async def order_postings(self, plant: str, order: str) -> list[PostingRecord]:
        async with self._db.read() as session:
            return [posting_record(row) for row in await postings_of(session, plant, order)]

    async def give_up_postings(self, plant: str, keys: Collection[UUID], message: str) -> None:
        async with self._db.write() as session:
            wanted = select(PostingRow).where(
                col(PostingRow.key).in_(list(keys)), col(PostingRow.state).in_(NEVER_SENT)
            )
            rows = list(await session.scalars(wanted.with_for_update()))
            for row in rows:
                settle(row, PostingState.CANCELLED, "", row.error_code, message)
            for case in await open_cases_about(session, [row.key for row in rows]):
                case.is_open, case.note, case.closed_at = False, message, self._db.now()

    async def finish_compensation(self, plant: str, case_id: str, message: str) -> None:
        async with self._db.write() as session:
            case = await session.get(ExceptionCaseRow, (plant, case_id), with_for_update=True)
            if case is None or case.posting_key is None:
                return
            posting = await session.get(PostingRow, case.posting_key, with_for_update=True)
            if posting is not None and posting.state not in DONE and posting.state != PostingState.SENT:
                settle(posting, PostingState.CANCELLED, "", posting.error_code, message)
            if case.is_open:
                case.is_open, case.note, case.closed_at = False, message, self._db.now()

    async def declare_void(self, plant: str, order: str, request: VoidOrder) -> VoidOrder:
        async with self._db.write() as session:
            statement = upsert(session, VoidOrderRow).values(
                plant=plant,
                order_id=order,
                decision_id=request.decision_id,
                payload=request.model_dump_json(),
                recorded_at=self._db.now(),
            )
            await session.execute(statement.on_conflict_do_nothing())
            row = await session.get_one(VoidOrderRow, (plant, order))
            return VoidOrder.model_validate_json(row.payload)

    async def void_of(self, plant: str, order: str) -> VoidOrder | None:
        async with self._db.read() as session:
            row = await session.get(VoidOrderRow, (plant, order))
            return None if row is None else VoidOrder.model_validate_json(row.payload)

    async def close_void_cases(self, plant: str, order: str, message: str) -> None:
        """What a void order's cases asked has no object any more; those about a posting or the ERP's totals stay."""
        async with self._db.write() as session:
            wanted = select(ExceptionCaseRow).where(
                ExceptionCaseRow.plant == plant,
                ExceptionCaseRow.order_id == order,
                col(ExceptionCaseRow.is_open).is_(True),
                col(ExceptionCaseRow.posting_key).is_(None),
                ExceptionCaseRow.kind != CaseKind.TOTALS_DIFFER,
            )
            for case in await session.scalars(wanted):
                case.is_open, case.note, case.closed_at = False, message, self._db.now()
