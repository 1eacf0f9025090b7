"""The outbox of notifications: written before anything is sent, and each delivery remembered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import or_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from ledger.database import Books, upsert
from ledger.notification_tables import NotificationDeliveryRow, NotificationRow
from signals.notify import Delivery, DeliveryState, Notification

LONGEST_ERROR = 300
PAGE = 200
OVER = (DeliveryState.DELIVERED.value, DeliveryState.REFUSED.value)


class NotificationBooks(Books):
    """Notifications and their deliveries."""

    async def record_notification(self, notification: Notification, channels: Collection[str]) -> list[Delivery]:
        async with self._db.write() as session:
            row = upsert(session, NotificationRow).values(
                plant=notification.plant,
                notification_id=notification.id,
                kind=notification.kind.value,
                payload=notification.model_dump_json(),
                at=notification.at,
                recorded_at=self._db.now(),
            )
            await session.execute(row.on_conflict_do_nothing())
            for channel in channels:
                delivery = upsert(session, NotificationDeliveryRow).values(
                    plant=notification.plant,
                    notification_id=notification.id,
                    channel=channel,
                    state=DeliveryState.PENDING.value,
                    attempts=0,
                    error="",
                )
                await session.execute(delivery.on_conflict_do_nothing())
            return await _deliveries(session, notification.plant, notification.id)

    async def claim_delivery(self, plant: str, notification: str, channel: str, until: datetime) -> bool:
        row = NotificationDeliveryRow
        free = or_(col(row.claimed_until).is_(None), col(row.claimed_until) <= self._db.now())
        claim = (
            update(row)
            .where(
                col(row.plant) == plant,
                col(row.notification_id) == notification,
                col(row.channel) == channel,
                col(row.state).not_in(OVER),
                free,
            )
            .values(state=DeliveryState.SENDING.value, claimed_until=until, attempts=col(row.attempts) + 1)
            .returning(col(row.channel))
        )
        async with self._db.write() as session:
            return await session.scalar(claim) is not None

    async def note_delivery(
        self, plant: str, notification: str, channel: str, *, delivered: bool, final: bool = False, error: str = ""
    ) -> None:
        async with self._db.write() as session:
            key = (plant, notification, channel)
            row = await session.get_one(NotificationDeliveryRow, key, with_for_update=True)
            if row.state == DeliveryState.DELIVERED:
                return
            row.claimed_until, row.error = None, error[:LONGEST_ERROR]
            if delivered:
                row.state, row.delivered_at, row.error = DeliveryState.DELIVERED.value, self._db.now(), ""
            else:
                row.state = (DeliveryState.REFUSED if final else DeliveryState.PENDING).value

    async def deliveries(self, plant: str, notification: str) -> list[Delivery]:
        async with self._db.read() as session:
            return await _deliveries(session, plant, notification)

    async def notifications(
        self, plant: str, *, roles: Collection[str] = (), user: str = "", limit: int = 50
    ) -> list[Notification]:
        found: list[Notification] = []
        async with self._db.read() as session:
            row = NotificationRow
            wanted = select(row).where(row.plant == plant).order_by(col(row.at).desc(), col(row.notification_id))
            stream = await session.stream_scalars(wanted.execution_options(yield_per=PAGE))
            async for entry in stream:
                told = Notification.model_validate_json(entry.payload)
                if not (roles or user) or set(roles) & set(told.roles) or (user and user in told.users):
                    found.append(told)
                if len(found) >= limit:
                    break
            await stream.close()
        return found


async def _deliveries(session: AsyncSession, plant: str, notification: str) -> list[Delivery]:
    row = NotificationDeliveryRow
    wanted = select(row).where(row.plant == plant, row.notification_id == notification).order_by(col(row.channel))
    return [
        Delivery(
            channel=r.channel,
            state=DeliveryState(r.state),
            attempts=r.attempts,
            error=r.error,
            delivered_at=r.delivered_at,
        )
        for r in await session.scalars(wanted)
    ]
