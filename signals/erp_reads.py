"""What can be asked of an ERP beside orders: stock, demand pegging, alternate work centres, material cost, changes."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from signals.base import Amount, Code, Message, UtcTime
from signals.bookings import StockKind


class StockLine(Message):
    """On-hand quantity of a material at one place, of one batch and kind."""

    material: Code
    quantity: Decimal
    unit: str = ""
    storage_location: str = ""
    batch: str = ""
    kind: StockKind = StockKind.UNRESTRICTED
    hold: str = Field(default="", description="the ERP's own word for the block: status, disposition code, restriction")
    held_by_place: bool = Field(default=False, description="it lies where held material is put, and belongs elsewhere")


class Demand(Message):
    """Who waits for an order's output (pegging): a sales order, a dependent requirement."""

    source: Code
    kind: str = Field(description="the ERP's own word: sales order, dependent requirement, forecast")
    customer: str = ""
    material: str
    quantity: Amount
    unit: str = ""
    due: UtcTime | None = None


class AlternateWorkCentre(Message):
    """A work centre that could take an operation over."""

    work_centre: Code
    text: str = ""
    free_from: UtcTime | None = None


class MaterialCost(Message):
    """Cost of a material per `per` units, as the ERP values its stock."""

    material: Code
    amount: Amount
    currency: str
    per: Amount = Decimal(1)
    unit: str = ""
    kind: str = Field(default="standard", description="standard or moving average")


class Probe(Message):
    """One thing that `plantwright check --connect` found out about an ERP connection."""

    name: Code
    ok: bool
    message: str
    hint: str = ""
    required: bool = Field(default=True, description="without it nothing can be posted; else it only costs something")
    unreachable: bool = Field(default=False, description="nobody answered at all")
