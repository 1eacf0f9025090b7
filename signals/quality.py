"""Transactions of quality: inspection results per characteristic, nonconformance, inspection decision."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from signals.base import Amount, Code, Message, UtcTime
from signals.bookings import TransactionBase, TransactionType


class CharacteristicResult(Message):
    """One characteristic of one piece or sample, as measured. `value` is decimal text, or a code for attributes."""

    characteristic: Code
    value: str
    unit: str = ""
    lower: str = ""
    upper: str = ""
    passed: bool
    measured_at: UtcTime | None = None


class RecordInspection(TransactionBase):
    """Results of an inspection, per characteristic."""

    type: Literal[TransactionType.RECORD_INSPECTION] = TransactionType.RECORD_INSPECTION
    order: str = ""
    operation: str = ""
    inspection: Code = Field(description="Plantwright's inspection")
    inspection_lot: str = Field(default="", description="SAP lot, Oracle inspection event, Dynamics quality order")
    material: Code
    quantity: Amount | None = None
    unit: str = ""
    batch: str = ""
    serial: str = ""
    results: tuple[CharacteristicResult, ...] = Field(min_length=1)

    @property
    def subject(self) -> str:
        return f"inspection:{self.inspection_lot or self.inspection}"


class RecordNonconformance(TransactionBase):
    """A defect with the quantity it concerns (SAP defect, Oracle quality issue, Dynamics nonconformance)."""

    type: Literal[TransactionType.RECORD_NONCONFORMANCE] = TransactionType.RECORD_NONCONFORMANCE
    order: str = ""
    operation: str = ""
    nonconformance: Code = Field(description="Plantwright's nonconformance")
    material: Code
    quantity: Amount
    unit: Code
    batch: str = ""
    serials: tuple[str, ...] = ()
    defect: str = Field(default="", description="the plant's defect code; the plant file maps it")
    severity: Literal["low", "medium", "high"] = "medium"
    work_centre: str = ""
    inspection_lot: str = ""
    text: str = ""

    @property
    def subject(self) -> str:
        return f"nonconformance:{self.nonconformance}"


class DispositionKind(StrEnum):
    """What becomes of inspected or held quantity."""

    ACCEPT = "accept"
    REJECT = "reject"
    REWORK = "rework"
    SCRAP = "scrap"
    RETURN = "return"


class Disposition(Message):
    """A quantity and what becomes of it."""

    kind: DispositionKind
    quantity: Amount
    storage_location: str = ""


class DecideInspection(TransactionBase):
    """The decision on an inspection lot: usage decision with stock postings (SAP), disposition (Oracle, Dynamics)."""

    type: Literal[TransactionType.DECIDE_INSPECTION] = TransactionType.DECIDE_INSPECTION
    order: str = ""
    operation: str = ""
    inspection: Code = Field(description="Plantwright's inspection")
    inspection_lot: Code
    material: Code
    unit: Code
    batch: str = ""
    dispositions: tuple[Disposition, ...] = Field(min_length=1)
    code: str = Field(default="", description="the plant's decision code; the plant file maps it")
    text: str = ""

    @property
    def subject(self) -> str:
        return f"inspection:{self.inspection_lot}"
