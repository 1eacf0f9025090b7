"""What all ERP transactions are made of: their types, the common base, uses of components, amounts of activities."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import Field

from signals.base import Amount, Code, Message


class TransactionType(StrEnum):
    """The kinds of posting; part of the posting key."""

    START_ORDER = "start_order"
    CONFIRM_PRODUCTION = "confirm_production"
    ISSUE_COMPONENTS = "issue_components"
    RETURN_COMPONENTS = "return_components"
    RECEIVE_GOODS = "receive_goods"
    REPORT_TIME = "report_time"
    MOVE_STOCK = "move_stock"
    PLACE_HOLD = "place_hold"
    RELEASE_HOLD = "release_hold"
    SCRAP_STOCK = "scrap_stock"
    RECORD_INSPECTION = "record_inspection"
    RECORD_NONCONFORMANCE = "record_nonconformance"
    DECIDE_INSPECTION = "decide_inspection"
    OPEN_DOWNTIME = "open_downtime"
    CLOSE_DOWNTIME = "close_downtime"
    ADJUST_CAPACITY = "adjust_capacity"
    COMPLETE_ORDER = "complete_order"
    CLOSE_ORDER = "close_order"
    REVERSE = "reverse"


class StockKind(StrEnum):
    """What may be done with a stock (SAP stock types 01, 02, 07; the others by analogy)."""

    UNRESTRICTED = "unrestricted"
    INSPECTION = "inspection"
    BLOCKED = "blocked"


class TransactionBase(Message):
    """What every transaction carries. `order` is empty for what belongs to no order."""

    plant: Code
    order: str
    posting_date: date

    @property
    def subject(self) -> str:
        """What the transaction is about where it belongs to no order."""
        return ""

    @property
    def lane(self) -> str:
        """One posting of a lane is in flight at a time: the order (ERPs lock it whole), else the subject."""
        return self.order or self.subject


class ComponentUse(Message):
    """Actual use of a component, where the plant measures it or knows the lot."""

    material: Code
    quantity: Amount
    unit: Code
    reservation: str = ""
    reservation_item: str = ""
    storage_location: str = ""
    batch: str = ""
    movement_type: str = "261"
    serials: tuple[str, ...] = ()


class ActivityAmount(Message):
    """Time booked on an activity slot of the work centre (machine, labour)."""

    slot: int = Field(ge=1, le=6)
    amount: Amount
    unit: Code
