"""Rows of work orders in our terms: statuses, supply types, count points, totals. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from erp.oracle.items import ItemControl
from erp.oracle.settings import Units, operation_number, sequence_number
from erp.oracle.wire import Row, amount_of, decimal_of, is_true, text_of
from signals.base import ZERO
from signals.documents import OperationTotals
from signals.errors import ErpRejected, Reason
from signals.orders import ActivitySlot, ConfirmationMode, ErpOrderStatus, ProductionOrder

ISSUE = "MATERIAL_ISSUE"
_STATUSES = {
    "UNRELEASED": ErpOrderStatus.CREATED,
    "RELEASED": ErpOrderStatus.RELEASED,
    "ON_HOLD": ErpOrderStatus.LOCKED,
    "COMPLETED": ErpOrderStatus.TECHNICALLY_COMPLETE,
    "CLOSED": ErpOrderStatus.CLOSED,
    "CANCELED": ErpOrderStatus.DELETED,
}


@dataclass(frozen=True)
class Resource:
    """A resource of an operation; `slot` is its place in the house's activities, 0 where Oracle charges by itself."""

    sequence: int
    code: str
    slot: int
    usage: Decimal
    unit: str


@dataclass(frozen=True)
class OracleOrder:
    """The order in our terms, its address, and what finding and forecasting need beside it."""

    order: ProductionOrder
    path: str
    header: Row
    operations: tuple[Row, ...]
    materials: tuple[Row, ...]
    resource_rows: tuple[Row, ...] = ()
    resources: dict[str, tuple[Resource, ...]] = field(default_factory=dict[str, tuple[Resource, ...]])
    controls: dict[str, ItemControl] = field(default_factory=dict[str, ItemControl])

    @property
    def last_operation(self) -> str:
        return self.order.operations[-1].operation

    @property
    def unit(self) -> str:
        """Oracle's own code of the order's unit."""
        return text_of(self.header, "UOMCode")

    def operation_row(self, operation: str) -> Row:
        """Raises ErpRejected where the order has no such operation."""
        wanted = sequence_number(operation)
        for row in self.operations:
            if decimal_of(row.get("OperationSequenceNumber")) == wanted:
                return row
        raise ErpRejected(
            f"work order {self.order.order} has no operation {wanted}",
            code="operation_not_found",
            reason=Reason.MASTER_DATA,
        )

    def control(self, item: str) -> ItemControl:
        return self.controls.get(item, ItemControl())


def status_of(row: Row) -> ErpOrderStatus:
    """By the system status; user-defined statuses map to one (reference erp.md 2.2, two code families)."""
    code = text_of(row, "WorkOrderSystemStatusCode") or text_of(row, "WorkOrderStatusCode")
    return _STATUSES.get(code.upper().removeprefix("ORA_"), ErpOrderStatus.CREATED)


def is_pull(row: Row) -> bool:
    """Operation pull and assembly pull are issued by Oracle with the operation's transaction."""
    return "PULL" in text_of(row, "SupplyType").upper()


def is_fixed(row: Row) -> bool:
    """A quantity that does not follow the pieces."""
    return "FIX" in text_of(row, "BasisType").upper()


def slot_of(resource: Resource, units: Units) -> ActivitySlot:
    return ActivitySlot(slot=resource.slot, name=resource.code, unit=units.ours(resource.unit), planned=resource.usage)


def sequence_of(row: Row) -> Decimal:
    return decimal_of(row.get("OperationSequenceNumber"))


def in_routing_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=sequence_of)


def is_count_point(row: Row) -> bool:
    return row.get("CountPointOperationFlag") is None or is_true(row.get("CountPointOperationFlag"))


def confirmation_mode(counted: bool, all_counted: bool) -> ConfirmationMode:
    """Where some operations are no count points, Oracle transacts those with the next count point."""
    if all_counted:
        return ConfirmationMode.REQUIRED
    return ConfirmationMode.MILESTONE if counted else ConfirmationMode.NONE


def receives_by_itself(header: Row) -> bool:
    """The last operation puts the product into the completion subinventory; without one it waits for a receipt."""
    return "ComplSubinventoryCode" not in header or bool(text_of(header, "ComplSubinventoryCode"))


def shown_amount(row: Row, name: str) -> Decimal | None:
    return amount_of(row[name]) if row.get(name) not in (None, "") else None


def totals_of(row: Row, header: Row) -> OperationTotals:
    completed, scrapped, rejected = [
        amount_of(row.get(name)) for name in ("CompletedQuantity", "ScrappedQuantity", "RejectedQuantity")
    ]
    planned = amount_of(header.get("PlannedStartQuantity"))
    return OperationTotals(
        operation=operation_number(sequence_of(row)),
        yield_quantity=completed,
        scrap_quantity=scrapped,
        rework_quantity=rejected,
        final=planned > ZERO and completed + scrapped + rejected >= planned,
    )
