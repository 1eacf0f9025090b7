"""What people's entries on the control side look like: production reported by hand, pull errors worked off."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulators.oracle.seed import Lot, OperationLabel, Place, Positive, Quantity, Seed, Slot, Unit


class ManualEntry(Seed):
    """What a person reports in Report Production; `count` repeats it."""

    order: str
    operation: OperationLabel
    sequence: Literal["0"] = "0"
    yield_: Annotated[Quantity, Field(alias="yield")] = Decimal(0)
    scrap: Quantity = Decimal(0)
    rework: Quantity = Decimal(0)
    unit: Unit | None = None
    text: Annotated[str, Field(max_length=240)] = ""
    reason: Annotated[str, Field(max_length=30)] = ""
    final: bool = False
    clear_reservations: Literal[False] = False
    goods_movements: Literal[True] = True
    posting_date: date | None = None
    activities: dict[Slot, Quantity] = Field(default_factory=dict[str, Decimal])
    batch: Lot = ""
    serials: list[str] = Field(default_factory=list[str])
    storage_location: Place = ""
    from_state: Literal["READY", "COMPLETE", "REJECT", "SCRAP"] = "READY"
    to_state: Literal["READY", "COMPLETE", "REJECT", "SCRAP"] | None = None
    quantity: Positive | None = None
    user: Annotated[str, Field(max_length=64)] = "SHOP_FLOOR_USER"
    count: Annotated[int, Field(ge=1, le=10000)] = 1

    @model_validator(mode="after")
    def _moves_something(self) -> "ManualEntry":
        if (self.to_state is None) != (self.quantity is None):
            raise ValueError("to_state and quantity belong together")
        if self.to_state is None and self.from_state != "READY":
            raise ValueError("from_state needs to_state and quantity")
        return self


class PullErrorEntry(Seed):
    """`drop` deletes the line instead of issuing it."""

    id: int
    storage_location: Place | None = None
    drop: bool = False
