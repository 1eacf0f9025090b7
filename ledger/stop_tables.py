"""Tables of stops: the newest fact with the record, and the history."""

from datetime import datetime

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from ledger.columns import UtcDateTime
from ledger.tables import LedgerTable


class DowntimeRow(LedgerTable, table=True):
    """A stop of a line: what the Line says of it, and what its workflow has made of it (empty before that starts)."""

    __table_args__ = (
        Index(None, "plant", "is_open", "due_at"),
        Index(None, "plant", "started_at"),
    )

    plant: str = Field(primary_key=True)
    line: str = Field(primary_key=True)
    stop: str = Field(primary_key=True)
    is_open: bool
    micro: bool
    classified: bool
    started_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    fact_version: int = Field(sa_type=BigInteger)
    fact: str = Field(description="the Line's newest fact as JSON")
    revision: int = Field(sa_type=BigInteger)
    payload: str = Field(description="the workflow's record as JSON, without its history")
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class DowntimeEventRow(LedgerTable, table=True):
    """One entry of a stop's history."""

    plant: str = Field(primary_key=True)
    line: str = Field(primary_key=True)
    stop: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    what: str
    by: str
    payload: str
