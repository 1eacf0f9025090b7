"""Tables of inspection results."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field

from ledger.columns import UtcDateTime
from ledger.tables import LedgerTable


class InspectionResultRow(LedgerTable, table=True):
    """What one inspection says of one piece. It never changes: another look is another inspection."""

    __table_args__ = (
        Index(None, "plant", "material", "serial"),
        Index(None, "plant", "serial"),
        Index(None, "plant", "batch"),
        Index(None, "plant", "document"),
    )

    plant: str = Field(primary_key=True)
    inspection: str = Field(primary_key=True)
    document: str = Field(description="what it came in; a file's identity is its content")
    kind: str
    material: str
    serial: str = ""
    batch: str = ""
    order_id: str = ""
    verdict: str = Field(description="passed, failed, or disputed where the document contradicts itself")
    payload: str
    at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
