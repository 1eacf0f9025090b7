"""Events that an ERP sent us, stored once per event id before the ERP is told that we have them.

Not for machine events. An adapter gets them as `erp.port.ErpEvents` through `workers.erp_events.PlantEvents`.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col, select

from ledger.database import Books, upsert
from ledger.event_tables import ErpEventRow
from signals.base import Code, Message, UtcTime


class StoredEvent(Message):
    """An event as it was received. `at` is the ERP's time of it, or the time of receipt where it gave none."""

    event_id: Code
    kind: str
    order: str = ""
    at: UtcTime
    body: str


class ErpEventBooks(Books):
    """Events of all plants; a plant never sees another one's."""

    async def record_event(self, plant: str, event: StoredEvent) -> bool:
        """Store an event durably. False where this event id is there already: it stays as it was first told."""
        async with self._db.write() as session:
            statement = (
                upsert(session, ErpEventRow)
                .values(
                    plant=plant,
                    event_id=event.event_id,
                    kind=event.kind,
                    order_id=event.order,
                    at=event.at,
                    body=event.body,
                    recorded_at=self._db.now(),
                )
                .on_conflict_do_nothing(index_elements=["plant", "event_id"])
                .returning(col(ErpEventRow.event_id))
            )
            return (await session.execute(statement)).first() is not None

    async def events_of(
        self, plant: str, order: str = "", kind: str = "", since: datetime | None = None
    ) -> list[StoredEvent]:
        """Events by the ERP's time, oldest first; an empty order or kind means any."""
        conditions = [col(ErpEventRow.plant) == plant]
        if order:
            conditions.append(col(ErpEventRow.order_id) == order)
        if kind:
            conditions.append(col(ErpEventRow.kind) == kind)
        if since is not None:
            conditions.append(col(ErpEventRow.at) >= since)
        wanted = select(ErpEventRow).where(*conditions).order_by(col(ErpEventRow.at), col(ErpEventRow.event_id))
        async with self._db.read() as session:
            rows = (await session.scalars(wanted)).all()
        return [
            StoredEvent(event_id=row.event_id, kind=row.kind, order=row.order_id, at=row.at, body=row.body)
            for row in rows
        ]
