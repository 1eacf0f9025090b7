"""Table of shift handovers: the newest report of each shift with its acknowledgement."""

from datetime import datetime

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from ledger.columns import UtcDateTime
from ledger.tables import LedgerTable


class HandoverRow(LedgerTable, table=True):
    """One shift's handover; once it is acknowledged it never changes."""

    __table_args__ = (Index(None, "plant", "ends_at"),)

    plant: str = Field(primary_key=True)
    shift: str = Field(primary_key=True)
    starts_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = Field(sa_type=BigInteger)
    state: str
    acknowledged_by: str = ""
    payload: str = Field(description="the report as JSON")
    recorded_at: datetime = Field(sa_type=UtcDateTime)
