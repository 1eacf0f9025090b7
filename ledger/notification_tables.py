"""Tables of notifications: the outbox, and each delivery by each channel."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index
from sqlmodel import Field

from ledger.columns import UtcDateTime
from ledger.tables import LedgerTable


class NotificationRow(LedgerTable, table=True):
    """Somebody was to be told. The payload is the message; what was sent is rendered from it."""

    __table_args__ = (Index(None, "plant", "at"),)

    plant: str = Field(primary_key=True)
    notification_id: str = Field(primary_key=True)
    kind: str
    payload: str
    at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class NotificationDeliveryRow(LedgerTable, table=True):
    """How a notification stands by one channel. While it is `sending`, nobody else tries before `claimed_until`."""

    __table_args__ = (
        ForeignKeyConstraint(["plant", "notification_id"], ["notification.plant", "notification.notification_id"]),
    )

    plant: str = Field(primary_key=True)
    notification_id: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    state: str
    attempts: int = 0
    error: str = ""
    claimed_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
