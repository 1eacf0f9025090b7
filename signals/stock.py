"""Transactions on stock: component issue and return, receipt, movement, hold and release (reference erp.md 4, 4.2)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from signals.base import Amount, Code
from signals.bookings import ComponentUse, StockKind, TransactionBase, TransactionType
from signals.orders import OutputKind


class MaterialPosition(StrEnum):
    """Where material is decides how it can be held (reference erp.md 4.2)."""

    IN_WORK = "in_work"
    UNRESTRICTED = "unrestricted"
    BATCH = "batch"
    IN_INSPECTION = "in_inspection"
    CONSUMED = "consumed"


class IssueComponents(TransactionBase):
    """Components issued to an operation beside the backflush: actual lots, serials, measured quantities."""

    type: Literal[TransactionType.ISSUE_COMPONENTS] = TransactionType.ISSUE_COMPONENTS
    order: Code
    operation: str = ""
    lines: tuple[ComponentUse, ...] = Field(min_length=1)


class ReturnComponents(TransactionBase):
    """Components counted back from the order to stock."""

    type: Literal[TransactionType.RETURN_COMPONENTS] = TransactionType.RETURN_COMPONENTS
    order: Code
    operation: str = ""
    lines: tuple[ComponentUse, ...] = Field(min_length=1)


class ReceiveGoods(TransactionBase):
    """Goods receipt from an order: main product, co-product or by-product; with serial numbers where serialised."""

    type: Literal[TransactionType.RECEIVE_GOODS] = TransactionType.RECEIVE_GOODS
    order: Code
    operation: str = ""
    item: str = "1"
    output: OutputKind = OutputKind.MAIN
    material: Code
    quantity: Amount
    unit: Code
    storage_location: str = ""
    batch: str = ""
    serials: tuple[str, ...] = ()
    stock: StockKind = StockKind.UNRESTRICTED


class MoveStock(TransactionBase):
    """Stock or WIP moved between storage locations or stock kinds of the plant. A hold is `PlaceHold`, never this."""

    type: Literal[TransactionType.MOVE_STOCK] = TransactionType.MOVE_STOCK
    order: str = ""
    operation: str = ""
    material: Code
    quantity: Amount
    unit: Code
    from_location: Code
    to_location: Code
    batch: str = ""
    serials: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        return f"stock:{self.material}"


class _Hold(TransactionBase):
    order: str = ""
    operation: str = ""
    hold: Code = Field(description="Plantwright's hold")
    material: Code
    quantity: Amount
    unit: Code
    position: MaterialPosition
    storage_location: str = ""
    batch: str = ""
    serials: tuple[str, ...] = ()
    inspection_lot: str = Field(default="", description="the ERP's lot, for material in inspection")
    reason: str = ""

    @property
    def subject(self) -> str:
        return f"stock:{self.material}"

    @model_validator(mode="after")
    def _batch_is_named(self) -> _Hold:
        if self.position is MaterialPosition.BATCH and not self.batch:
            raise ValueError(f"hold {self.hold}: position `batch` needs the batch")
        return self


class PlaceHold(_Hold):
    """Block material in the ERP by the route that its position asks for."""

    type: Literal[TransactionType.PLACE_HOLD] = TransactionType.PLACE_HOLD


class ReleaseHold(_Hold):
    """Take the block of a hold back: the released quantity becomes usable."""

    type: Literal[TransactionType.RELEASE_HOLD] = TransactionType.RELEASE_HOLD
    placed: str = Field(default="", description="document of the placing, where there is one")


class ScrapStock(_Hold):
    """Held stock is written off: from blocked stock, or out of a restricted batch (SAP 555, 551).

    Scrap that is still in work is a confirmation, scrap of an inspection lot its decision.
    """

    type: Literal[TransactionType.SCRAP_STOCK] = TransactionType.SCRAP_STOCK
