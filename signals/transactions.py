"""ERP transactions, a discriminated union: what Plantwright asks an ERP to book, in no ERP's dialect.

Canonical operations of reference erp.md section 4. Quantities are in the order's unit, already rounded to what
the unit allows; times are UTC, `posting_date` is the plant's business date that decides the period.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from signals.base import ZERO, Amount, Code, Message, UtcTime
from signals.documents import Credit


class TransactionType(StrEnum):
    """The kinds of posting; part of the posting key."""

    CONFIRM_PRODUCTION = "confirm_production"
    REVERSE = "reverse"
    COMPLETE_ORDER = "complete_order"


class TransactionBase(Message):
    """What every transaction carries."""

    plant: Code
    order: Code
    posting_date: date


class ComponentUse(Message):
    """Actual use of a component in this confirmation; given only where the plant measures it."""

    material: Code
    quantity: Amount
    unit: Code
    reservation: str = ""
    reservation_item: str = ""
    storage_location: str = ""
    batch: str = ""
    movement_type: str = "261"


class ActivityAmount(Message):
    """Time booked on an activity slot of the work centre (machine, labour)."""

    slot: int = Field(ge=1, le=6)
    amount: Amount
    unit: Code


class ConfirmProduction(TransactionBase):
    """Confirmation of an operation with backflush: yield, scrap (one reason), rework, activities."""

    type: Literal[TransactionType.CONFIRM_PRODUCTION] = TransactionType.CONFIRM_PRODUCTION
    operation: Code
    sequence: str = "0"
    work_centre: str = ""
    batch: str = ""
    yield_quantity: Amount = ZERO
    scrap_quantity: Amount = ZERO
    rework_quantity: Amount = ZERO
    unit: Code
    reason: str = ""
    person: str = ""
    shift: str = ""
    final: bool = False
    started_at: UtcTime | None = None
    ended_at: UtcTime | None = None
    activities: tuple[ActivityAmount, ...] = ()
    components: tuple[ComponentUse, ...] = Field(
        default=(), description="actual uses (a loaded lot, a scale); empty lets the ERP backflush by its proposal"
    )
    component_lot: str = Field(default="", description="lot loaded at the station, for batch-managed components")
    component_material: str = Field(default="", description="material of that lot, where the plant file names it")

    @model_validator(mode="after")
    def _says_something(self) -> ConfirmProduction:
        if not self.final and self.yield_quantity + self.scrap_quantity + self.rework_quantity == 0:
            raise ValueError(f"order {self.order} operation {self.operation}: an empty confirmation must be final")
        return self


class Reverse(TransactionBase):
    """Reversal of a document; a new intent with its own key that names the original."""

    type: Literal[TransactionType.REVERSE] = TransactionType.REVERSE
    operation: str = ""
    document: Code
    text: str = ""


class CompleteOrder(TransactionBase):
    """Technical completion (SAP TECO); the financial close belongs to finance."""

    type: Literal[TransactionType.COMPLETE_ORDER] = TransactionType.COMPLETE_ORDER
    operation: str = ""


Transaction = Annotated[ConfirmProduction | Reverse | CompleteOrder, Field(discriminator="type")]


class PostingIntent(Message):
    """A transaction with the key under which it may have its effect once."""

    key: UUID
    transaction: Transaction
    report_ids: tuple[str, ...] = ()
    revision: int = 0
    credit: Credit | None = Field(
        default=None, description="taken off an adopted hand entry, in the claim's transaction"
    )
    covered: bool = Field(default=False, description="the credit covers all of it: claimed as adopted, nothing is sent")
