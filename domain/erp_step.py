"""A booking that a hold or a stop asks of the ERP, as its workflow carries it."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from domain.state import State
from signals.base import UtcTime
from signals.transactions import Transaction


class ErpStep(State):
    """One booking. Without a transaction a person books it by hand, and its case says what."""

    number: int
    what: str
    key: UUID | None = None
    transaction: Transaction | None = None
    case_id: str = ""
    state: str = Field(default="waiting", description="waiting, done, failed, skipped")
    tried: bool = False
    again: bool = Field(default=False, description="a person decided its case: go on by its key")
    verifying: bool = Field(default=False, description="booked; what must be booked beside it is still to be seen")
    gave_up: bool = Field(default=False, description="the ledger was asked to give it up")
    next_try_at: UtcTime | None = None
    document: str = ""
    message: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "skipped")
