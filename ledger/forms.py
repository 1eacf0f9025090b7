"""The form in which a claimed posting goes out, changed by Plantwright itself: a receipt of held material, blocked.

The payload as it was claimed stays beside it like one that a person amended; the posting's key never changes.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from pydantic import TypeAdapter
from sqlmodel import col, select

from ledger.database import Books
from ledger.port import PostingRecord
from ledger.postings import locked_posting, posting_record
from ledger.tables import PostingAmendmentRow
from signals.documents import PostingState
from signals.transactions import Transaction

BY_HOUSE = "plantwright"
"""Who changed a payload where no person did."""

_transactions: TypeAdapter[Transaction] = TypeAdapter(Transaction)


class FormBooks(Books):
    """Forms of claimed postings."""

    async def change_form(self, key: UUID, transaction: Transaction, *, reason: str) -> PostingRecord | None:
        async with self._db.write() as session:
            row = await locked_posting(session, key)
            if row.state != PostingState.CLAIMED:
                return None
            text = _transactions.dump_json(transaction).decode()
            if text == row.transaction_json:
                return posting_record(row)
            numbers = select(PostingAmendmentRow.number).where(col(PostingAmendmentRow.key) == key)
            number = max(await session.scalars(numbers), default=0) + 1
            session.add(
                PostingAmendmentRow(
                    key=row.key,
                    number=number,
                    plant=row.plant,
                    order_id=row.order_id,
                    case_id="",
                    decision_id=f"form:{key}:{number}",
                    decided_by=BY_HOUSE,
                    role="",
                    reason=reason,
                    before_json=row.transaction_json,
                    after_json=text,
                    recorded_at=self._db.now(),
                )
            )
            row.transaction_json, row.transaction_hash = text, hashlib.sha256(text.encode()).hexdigest()
            return posting_record(row)

    async def form_before(self, key: UUID) -> Transaction | None:
        async with self._db.read() as session:
            row = PostingAmendmentRow
            wanted = select(row).where(col(row.key) == key).order_by(col(row.number).desc())
            kept: str | None = None
            for change in await session.scalars(wanted):
                if change.decided_by != BY_HOUSE:
                    break
                kept = change.before_json
            return None if kept is None else _transactions.validate_json(kept)
