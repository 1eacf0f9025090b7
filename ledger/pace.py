"""Where a plant stands with its ERP, shared by all its workers: one row per plant and ERP, changed one at a time.

What the row says is the caller's (`erp.budget.Pace` as JSON); here it is only kept and shown.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import col, func, select, update

from ledger.database import Books, upsert
from ledger.event_tables import ErpMarkRow, ErpPaceRow
from ledger.port import Backlog
from ledger.tables import PostingRow
from signals.documents import PostingState

WAITING = (PostingState.CLAIMED, PostingState.SENT)


class PaceBooks(Books):
    """Pace and backlog of plants."""

    async def change_pace(self, plant: str, erp: str, change: Callable[[str], str]) -> str:
        """Give the row's text to `change` and store what it returns, in one transaction. An error changes nothing."""
        async with self._db.write() as session:
            insert = upsert(session, ErpPaceRow).values(plant=plant, erp=erp, pace="", recorded_at=self._db.now())
            await session.execute(insert.on_conflict_do_nothing())
            row = await session.get_one(ErpPaceRow, (plant, erp), with_for_update=True)
            changed = change(row.pace)
            await session.execute(
                update(ErpPaceRow)
                .where(col(ErpPaceRow.plant) == plant, col(ErpPaceRow.erp) == erp)
                .values(pace=changed, recorded_at=self._db.now())
            )
            return changed

    async def pace(self, plant: str, erp: str) -> str:
        """The row's text; empty where nobody has called yet."""
        async with self._db.read() as session:
            row = await session.get(ErpPaceRow, (plant, erp))
            return "" if row is None else row.pace

    async def mark(self, plant: str, name: str) -> str:
        """How far changes have been read; empty where nobody has yet."""
        async with self._db.read() as session:
            row = await session.get(ErpMarkRow, (plant, name))
            return "" if row is None else row.mark

    async def set_mark(self, plant: str, name: str, mark: str) -> None:
        """Never backwards: marks are the ERP's own, ordered as text."""
        async with self._db.write() as session:
            values = {"mark": mark, "recorded_at": self._db.now()}
            insert = upsert(session, ErpMarkRow).values(plant=plant, name=name, **values)
            await session.execute(
                insert.on_conflict_do_update(
                    index_elements=["plant", "name"], set_=values, where=col(ErpMarkRow.mark) < mark
                )
            )

    async def backlog(self, plant: str) -> Backlog:
        """Postings that are claimed or on their way, and since when the oldest of them waits."""
        wanted = select(func.count(), func.min(PostingRow.recorded_at)).where(
            PostingRow.plant == plant, col(PostingRow.state).in_(WAITING)
        )
        async with self._db.read() as session:
            count, oldest = (await session.execute(wanted)).one()
        return Backlog(postings=count, oldest=datetime.fromisoformat(oldest) if isinstance(oldest, str) else oldest)
