"""Production orders as ERP systems release them, in ISA-95 and SAP terms; what design section 2 says an order must say.

Source of fields: SAP API_PRODUCTION_ORDER_2_SRV (reference erp.md 1.2); other ERPs map onto it.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from signals.base import ZERO, Amount, Code, Message, UtcTime


class OrderPhase(StrEnum):
    """Plantwright's own lifecycle of an order."""

    RELEASED = "released"
    READY = "ready"
    RUNNING = "running"
    HELD = "held"
    COMPLETED = "completed"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class ErpOrderStatus(StrEnum):
    """What the ERP says of the order."""

    CREATED = "created"
    RELEASED = "released"
    TECHNICALLY_COMPLETE = "technically_complete"
    CLOSED = "closed"
    DELETED = "deleted"
    LOCKED = "locked"


class ConfirmationMode(StrEnum):
    """Whether an operation is confirmed (SAP control profile): milestones confirm their predecessors."""

    REQUIRED = "required"
    MILESTONE = "milestone"
    NONE = "none"
    EXTERNAL = "external"


class OutputKind(StrEnum):
    MAIN = "main"
    CO_PRODUCT = "co_product"
    BY_PRODUCT = "by_product"


class ActivitySlot(Message):
    """One activity of an operation (machine, labour, setup) with its planned duration per base quantity."""

    slot: int = Field(ge=1, le=6)
    name: str
    unit: str
    planned: Amount | None = None


class Operation(Message):
    """One operation of the order's routing."""

    operation: Code = Field(description="number as the ERP writes it, for example 0010")
    sequence: str = "0"
    text: str = ""
    work_centre: str = ""
    control_profile: str = ""
    confirmation: ConfirmationMode = ConfirmationMode.REQUIRED
    automatic_receipt: bool = False
    predecessors: tuple[str, ...] = ()
    overlap: bool = Field(default=False, description="may be confirmed beyond the predecessor's posted yield")
    planned: Amount
    unit: Code
    confirmed_yield: Amount = ZERO
    standard_seconds: Amount | None = Field(default=None, description="standard time per piece")
    activities: tuple[ActivitySlot, ...] = ()


class Component(Message):
    """A material to be consumed, with its reservation."""

    material: Code
    operation: str = ""
    reservation: str = ""
    reservation_item: str = ""
    required: Amount
    withdrawn: Amount = ZERO
    unit: Code
    plant: str = ""
    storage_location: str = ""
    batch: str = ""
    movement_type: str = "261"
    backflush: bool = False
    bulk: bool = False


class OrderOutput(Message):
    """A material the order delivers."""

    item: str = "1"
    material: Code
    kind: OutputKind = OutputKind.MAIN
    planned: Amount
    received: Amount = ZERO
    unit: Code
    storage_location: str = ""
    batch: str = ""


class ProductionOrder(Message):
    """A production order as read from the ERP."""

    plant: Code = Field(description="Plantwright's plant id")
    erp_plant: str = ""
    order: Code
    order_type: str = ""
    material: Code
    quantity: Amount
    unit: Code
    status: ErpOrderStatus
    batch: str = ""
    cost_centre: str = ""
    company_code: str = ""
    scheduled_start: UtcTime | None = None
    scheduled_end: UtcTime | None = None
    due: UtcTime | None = None
    over_delivery_percent: Amount | None = Field(default=None, description="None means the ERP did not say")
    under_delivery_percent: Amount | None = None
    unlimited_over_delivery: bool = False
    serial_profile: str = ""
    inspection_type: str = ""
    operations: tuple[Operation, ...]
    components: tuple[Component, ...] = ()
    outputs: tuple[OrderOutput, ...] = ()
    change_mark: str = Field(default="", description="the ERP's change stamp (SAP LastChangeDateTime)")

    def find_operation(self, number: str) -> Operation | None:
        """The operation with this number, or None."""
        return next((o for o in self.operations if o.operation == number), None)


class OrderChange(Message):
    """The ERP changed an order: the ledger holds the new data already, this tells the order's process to look."""

    plant: Code
    order: Code
    status: ErpOrderStatus
    changes: tuple[str, ...] = Field(default=(), description="as sentences, for people")
    change_mark: str = ""
