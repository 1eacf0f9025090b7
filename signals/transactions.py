"""ERP transactions, a discriminated union: what Plantwright asks an ERP to book, in no ERP's dialect.

Canonical operations of reference erp.md section 4. Quantities are in the order's unit (or the one that stands beside
them), already rounded to what the unit allows; times are UTC, `posting_date` is the plant's business date that decides
the period. Operation numbers are written with four digits, as SAP does (0010); adapters translate. Transactions on
stock, quality and machines are in `signals.stock`, `signals.quality` and `signals.upkeep`.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from signals.base import ZERO, Amount, Code, Message, UtcTime
from signals.bookings import ActivityAmount, ComponentUse, StockKind, TransactionBase, TransactionType
from signals.documents import Credit
from signals.quality import DecideInspection, RecordInspection, RecordNonconformance
from signals.stock import (
    IssueComponents,
    MoveStock,
    PlaceHold,
    ReceiveGoods,
    ReleaseHold,
    ReturnComponents,
    ScrapStock,
)
from signals.upkeep import AdjustCapacity, CloseDowntime, OpenDowntime

__all__ = [
    "ActivityAmount",
    "AdjustCapacity",
    "Bookable",
    "CloseDowntime",
    "CloseOrder",
    "CompleteOrder",
    "ComponentUse",
    "ConfirmProduction",
    "DecideInspection",
    "IssueComponents",
    "MoveStock",
    "OpenDowntime",
    "PlaceHold",
    "PostingIntent",
    "ReceiveGoods",
    "RecordInspection",
    "RecordNonconformance",
    "ReleaseHold",
    "ReportTime",
    "ReturnComponents",
    "Reverse",
    "ScrapStock",
    "StartOrder",
    "StockKind",
    "Transaction",
    "TransactionBase",
    "TransactionType",
]


class StartOrder(TransactionBase):
    """Production has begun. Where the ERP has no start posting, the order must be released and nothing is sent."""

    type: Literal[TransactionType.START_ORDER] = TransactionType.START_ORDER
    order: Code
    operation: str = ""
    started_at: UtcTime
    quantity: Amount | None = Field(default=None, description="None starts the whole order")
    unit: str = ""


class ConfirmProduction(TransactionBase):
    """Confirmation of an operation with backflush: yield, scrap (one reason), rework, activities.

    Pieces that are rejected but not lost (Oracle REJECT) are rework.
    """

    type: Literal[TransactionType.CONFIRM_PRODUCTION] = TransactionType.CONFIRM_PRODUCTION
    order: Code
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
    serials: tuple[str, ...] = Field(default=(), description="serial numbers of the good pieces, for serialised output")
    receipt_stock: StockKind = Field(
        default=StockKind.UNRESTRICTED, description="where an automatic receipt goes: a held scope goes to blocked"
    )

    @model_validator(mode="after")
    def _says_something(self) -> ConfirmProduction:
        if not self.final and self.yield_quantity + self.scrap_quantity + self.rework_quantity == 0:
            raise ValueError(f"order {self.order} operation {self.operation}: an empty confirmation must be final")
        return self


class ReportTime(TransactionBase):
    """Machine and labour time of an operation, booked apart from quantities."""

    type: Literal[TransactionType.REPORT_TIME] = TransactionType.REPORT_TIME
    order: Code
    operation: Code
    sequence: str = "0"
    work_centre: str = ""
    activities: tuple[ActivityAmount, ...] = Field(min_length=1)
    person: str = ""
    started_at: UtcTime | None = None
    ended_at: UtcTime | None = None


class CompleteOrder(TransactionBase):
    """Technical completion (SAP TECO); the financial close belongs to finance."""

    type: Literal[TransactionType.COMPLETE_ORDER] = TransactionType.COMPLETE_ORDER
    order: Code
    operation: str = ""


class CloseOrder(TransactionBase):
    """The financial close (SAP CLSD, Oracle Close, Dynamics End): final, finance's decision, off by default."""

    type: Literal[TransactionType.CLOSE_ORDER] = TransactionType.CLOSE_ORDER
    order: Code
    operation: str = ""


Bookable = Annotated[
    StartOrder
    | ConfirmProduction
    | IssueComponents
    | ReturnComponents
    | ReceiveGoods
    | ReportTime
    | MoveStock
    | PlaceHold
    | ReleaseHold
    | ScrapStock
    | RecordInspection
    | RecordNonconformance
    | DecideInspection
    | OpenDowntime
    | CloseDowntime
    | AdjustCapacity
    | CompleteOrder
    | CloseOrder,
    Field(discriminator="type"),
]
"""Everything but a reversal: what a reversal can name as its original."""


class Reverse(TransactionBase):
    """Reversal of a document; a new intent with its own key that names the original.

    `original` is what was booked: ERPs without a reversal call mirror it (Oracle COMPLETE to READY). A material
    document that hangs on a confirmation is reversed through the confirmation: `document` then names that.
    """

    type: Literal[TransactionType.REVERSE] = TransactionType.REVERSE
    order: str = ""
    operation: str = ""
    document: Code
    text: str = ""
    original: Bookable | None = Field(default=None, description="None where only the document's number is known")
    original_key: UUID | None = None
    period_moved: bool = Field(
        default=False, description="the original's period is closed: booked into the next open one, and flagged"
    )

    @property
    def subject(self) -> str:
        return self.original.lane if self.original is not None else f"document:{self.document}"

    @property
    def original_type(self) -> TransactionType:
        """What kind of posting is taken back; a bare number is a confirmation's."""
        return self.original.type if self.original is not None else TransactionType.CONFIRM_PRODUCTION


Transaction = Annotated[
    StartOrder
    | ConfirmProduction
    | IssueComponents
    | ReturnComponents
    | ReceiveGoods
    | ReportTime
    | MoveStock
    | PlaceHold
    | ReleaseHold
    | ScrapStock
    | RecordInspection
    | RecordNonconformance
    | DecideInspection
    | OpenDowntime
    | CloseDowntime
    | AdjustCapacity
    | CompleteOrder
    | CloseOrder
    | Reverse,
    Field(discriminator="type"),
]


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
