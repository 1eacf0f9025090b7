"""Transactions about machines: a stop told to maintenance, its end, capacity (reference erp.md 1.6, 2.6, 3.6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from signals.base import Code, UtcTime
from signals.bookings import TransactionBase, TransactionType

Percent = Annotated[Decimal, Field(ge=0, le=100)]


class OpenDowntime(TransactionBase):
    """Tell maintenance of a stop (SAP notification, Oracle maintenance work order, Dynamics maintenance request)."""

    type: Literal[TransactionType.OPEN_DOWNTIME] = TransactionType.OPEN_DOWNTIME
    order: str = ""
    operation: str = ""
    stop: Code = Field(description="Plantwright's stop")
    asset: Code = Field(description="technical object, asset number")
    work_centre: str = ""
    started_at: UtcTime
    breakdown: bool = False
    reason: str = ""
    text: str = ""

    @property
    def subject(self) -> str:
        return f"asset:{self.asset}"


class CloseDowntime(TransactionBase):
    """The malfunction's end; completing the work is maintenance's own step unless `complete` says so."""

    type: Literal[TransactionType.CLOSE_DOWNTIME] = TransactionType.CLOSE_DOWNTIME
    order: str = ""
    operation: str = ""
    stop: Code
    asset: Code
    notification: Code = Field(description="the document that opened it")
    started_at: UtcTime
    ended_at: UtcTime
    complete: bool = False
    text: str = ""

    @property
    def subject(self) -> str:
        return f"asset:{self.asset}"

    @model_validator(mode="after")
    def _ends_after_start(self) -> CloseDowntime:
        if self.ended_at < self.started_at:
            raise ValueError(f"stop {self.stop}: it ends before it starts")
        return self


class AdjustCapacity(TransactionBase):
    """A work centre has less (or more) capacity for a time. Planning master data: only behind an approval."""

    type: Literal[TransactionType.ADJUST_CAPACITY] = TransactionType.ADJUST_CAPACITY
    order: str = ""
    operation: str = ""
    change: Code = Field(description="Plantwright's capacity change")
    work_centre: Code
    resource: str = ""
    starts_at: UtcTime
    ends_at: UtcTime
    available_percent: Percent
    text: str = ""

    @property
    def subject(self) -> str:
        return f"capacity:{self.work_centre}"

    @model_validator(mode="after")
    def _ends_after_start(self) -> AdjustCapacity:
        if self.ends_at <= self.starts_at:
            raise ValueError(f"capacity change {self.change}: it must end after it starts")
        return self
