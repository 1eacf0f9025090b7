"""Tables about ERPs themselves: what they tell us, how fast they are called. Machine events: ledger/tables.py."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field

from ledger.columns import UtcDateTime
from ledger.tables import LedgerTable


class ErpEventRow(LedgerTable, table=True):
    """An event that an ERP sent; its own id dedupes it within the plant, `at` is the ERP's time of it."""

    __table_args__ = (Index(None, "plant", "order_id", "kind", "at"), Index(None, "plant", "kind", "at"))

    plant: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    kind: str
    order_id: str = Field(description="empty where the event names no order")
    at: datetime = Field(sa_type=UtcDateTime)
    body: str = Field(description="the ERP's JSON as it came")
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class ErpMarkRow(LedgerTable, table=True):
    """How far the ERP's changes have been read, by the ERP's own clock."""

    plant: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    mark: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class ErpPaceRow(LedgerTable, table=True):
    """How fast a plant's workers call an ERP together, and whether its circuit is open."""

    plant: str = Field(primary_key=True)
    erp: str = Field(primary_key=True)
    pace: str = Field(description="JSON of erp.budget.Pace")
    recorded_at: datetime = Field(sa_type=UtcDateTime)
