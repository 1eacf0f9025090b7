"""Rows of API_PRODUCTION_ORDER_2_SRV as orders, operations, components and outputs (reference erp.md 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from erp.sap.odata import Entity, amount_of, decimal_of, flag_of, instant_of, text_of
from erp.sap.settings import ControlProfileSettings, SapSettings, Units
from signals.documents import OperationTotals
from signals.orders import (
    Component,
    ConfirmationMode,
    ErpOrderStatus,
    Operation,
    OrderOutput,
    OutputKind,
    ProductionOrder,
)

OPERATIONS, ITEMS = "to_ProductionOrderOperation", "to_ProductionOrderItem"
STANDARD_SEQUENCE = "0"
BY_PRODUCT_MOVEMENTS = ("531", "532")
_STATUS_FLAGS = (
    ("OrderIsDeleted", ErpOrderStatus.DELETED),
    ("OrderIsMarkedForDeletion", ErpOrderStatus.DELETED),
    ("OrderIsClosed", ErpOrderStatus.CLOSED),
    ("OrderIsTechnicallyCompleted", ErpOrderStatus.TECHNICALLY_COMPLETE),
    ("OrderIsLocked", ErpOrderStatus.LOCKED),
    ("OrderIsReleased", ErpOrderStatus.RELEASED),
    ("OrderIsPartiallyReleased", ErpOrderStatus.RELEASED),
)


@dataclass(frozen=True)
class SapOrder:
    """The order in our terms, and what the goods-movement forecast needs beside it."""

    order: ProductionOrder
    fixed_reservation_items: frozenset[tuple[str, str]]
    """Components whose quantity does not follow the pieces."""


class OrderRows:
    """Reads the rows of one plant's orders."""

    def __init__(self, settings: SapSettings, plant_id: str) -> None:
        self._plant_id = plant_id
        self._settings = settings
        self._units = Units(settings.units)
        self._zone = ZoneInfo(settings.zone)

    def order(self, entity: Entity, rows: Mapping[str, list[Entity]], components: list[Entity]) -> SapOrder:
        """Raises UnreadableAnswer, and ValueError for an order that lacks what ours must have."""
        items = sorted(rows[ITEMS], key=lambda row: int(decimal_of(row.get("ManufacturingOrderItem"))))
        main = items[0] if items else {}
        tolerances = {**entity, **main}
        order = ProductionOrder(
            plant=self._plant_id,
            erp_plant=text_of(entity, "ProductionPlant"),
            order=text_of(entity, "ManufacturingOrder"),
            order_type=text_of(entity, "ManufacturingOrderType"),
            material=text_of(entity, "Material"),
            quantity=amount_of(entity.get("TotalQuantity")),
            unit=self._units.ours(text_of(entity, "ProductionUnit")),
            status=status_of(entity),
            batch=text_of(main, "Batch"),
            company_code=text_of(entity, "CompanyCode"),
            scheduled_start=self._instant(entity, "MfgOrderScheduledStart"),
            scheduled_end=self._instant(entity, "MfgOrderScheduledEnd"),
            due=self._instant(entity, "MfgOrderPlannedEnd"),
            over_delivery_percent=_shown_amount(tolerances, "OverdelivTolrtdLmtRatioInPct"),
            under_delivery_percent=_shown_amount(tolerances, "UnderdelivTolrtdLmtRatioInPct"),
            unlimited_over_delivery=flag_of(tolerances.get("UnlimitedOverdeliveryIsAllowed")),
            operations=self._operations(rows[OPERATIONS]),
            components=tuple(_component(row, self._units) for row in components if not _is_by_product(row)),
            outputs=(
                *_outputs(items, self._units),
                *(_by_product(row, self._units) for row in components if _is_by_product(row)),
            ),
            change_mark=text_of(entity, "LastChangeDateTime"),
        )
        fixed = frozenset(_reservation(row) for row in components if flag_of(row.get("QuantityIsFixed")))
        return SapOrder(order, fixed)

    def _instant(self, entity: Entity, name: str) -> datetime | None:
        return instant_of(entity.get(f"{name}Date"), entity.get(f"{name}Time"), self._zone)

    def _operations(self, rows: list[Entity]) -> tuple[Operation, ...]:
        ordered = main_operations(rows)
        receipt = _receipt_operation(ordered, self._settings.control_profiles)
        before: dict[str, str] = {}
        operations: list[Operation] = []
        for row in ordered:
            sequence, number = _sequence(row), text_of(row, "ManufacturingOrderOperation")
            operations.append(self._operation(row, before.get(sequence), row is receipt))
            before[sequence] = number
        return tuple(operations)

    def _operation(self, row: Entity, predecessor: str | None, automatic_receipt: bool) -> Operation:
        profile = text_of(row, "OperationControlProfile")
        known = self._settings.control_profiles.get(profile)
        return Operation(
            operation=text_of(row, "ManufacturingOrderOperation"),
            sequence=_sequence(row),
            text=text_of(row, "MfgOrderOperationText"),
            work_centre=text_of(row, "WorkCenter"),
            control_profile=profile,
            confirmation=known.confirmation if known is not None else ConfirmationMode.REQUIRED,
            automatic_receipt=automatic_receipt,
            predecessors=(predecessor,) if predecessor else (),
            planned=amount_of(row.get("OpPlannedTotalQuantity")),
            unit=self._units.ours(text_of(row, "OperationUnit")),
            confirmed_yield=amount_of(row.get("OpTotalConfirmedYieldQty")),
        )


def predecessors_to_milestone(order: ProductionOrder, milestone: Operation) -> frozenset[str]:
    """What a milestone may confirm along: back to the milestone before it, except what is never confirmed so."""
    found: set[str] = set()
    waiting = list(milestone.predecessors)
    while waiting:
        operation = order.find_operation(waiting.pop())
        if operation is None or operation.confirmation is ConfirmationMode.MILESTONE or operation.operation in found:
            continue
        waiting += operation.predecessors
        if operation.confirmation is ConfirmationMode.REQUIRED:
            found.add(operation.operation)
    return frozenset(found)


def status_of(entity: Entity) -> ErpOrderStatus:
    """The most final status whose flag is set."""
    return next((status for flag, status in _STATUS_FLAGS if flag_of(entity.get(flag))), ErpOrderStatus.CREATED)


def main_operations(rows: list[Entity]) -> list[Entity]:
    """Operations without their suboperations, in routing order."""
    main = [row for row in rows if not text_of(row, "ManufacturingOrderSubOperation")]
    return sorted(main, key=lambda row: (_sequence(row), text_of(row, "ManufacturingOrderOperation")))


def _sequence(row: Entity) -> str:
    """Sequence numbers without leading zeros: SAP shows the standard one as 0 or as 000000."""
    return text_of(row, "ManufacturingOrderSequence").lstrip("0") or STANDARD_SEQUENCE


def _receipt_operation(rows: list[Entity], profiles: Mapping[str, ControlProfileSettings]) -> Entity | None:
    """The one operation that receives by itself: the last of the standard sequence whose profile says so."""
    marked = [
        row
        for row in rows
        if _sequence(row) == STANDARD_SEQUENCE
        and (profile := profiles.get(text_of(row, "OperationControlProfile"))) is not None
        and profile.automatic_receipt
    ]
    return marked[-1] if marked else None


def totals_of(row: Entity) -> OperationTotals:
    return OperationTotals(
        operation=text_of(row, "ManufacturingOrderOperation"),
        yield_quantity=amount_of(row.get("OpTotalConfirmedYieldQty")),
        scrap_quantity=_shown_amount(row, "OpTotalConfirmedScrapQty"),
        rework_quantity=_shown_amount(row, "OpTotalConfirmedReworkQty"),
        final=flag_of(row.get("OperationIsConfirmed")),
    )


def _shown_amount(entity: Entity, name: str) -> Decimal | None:
    return amount_of(entity[name]) if entity.get(name) not in (None, "") else None


def _reservation(row: Entity) -> tuple[str, str]:
    return text_of(row, "Reservation"), text_of(row, "ReservationItem")


def _is_by_product(row: Entity) -> bool:
    return text_of(row, "GoodsMovementType") in BY_PRODUCT_MOVEMENTS or decimal_of(row.get("RequiredQuantity")) < 0


def _component(row: Entity, units: Units) -> Component:
    reservation, item = _reservation(row)
    return Component(
        material=text_of(row, "Material"),
        operation=text_of(row, "ManufacturingOrderOperation"),
        reservation=reservation,
        reservation_item=item,
        required=amount_of(row.get("RequiredQuantity")),
        withdrawn=amount_of(row.get("WithdrawnQuantity")),
        unit=units.ours(text_of(row, "BaseUnit")),
        plant=text_of(row, "Plant"),
        storage_location=text_of(row, "StorageLocation"),
        batch=text_of(row, "Batch"),
        movement_type=text_of(row, "GoodsMovementType") or "261",
        backflush=flag_of(row.get("MatlCompIsMarkedForBackflush")),
        bulk=flag_of(row.get("IsBulkMaterialComponent")),
    )


def _by_product(row: Entity, units: Units) -> OrderOutput:
    return OrderOutput(
        item=text_of(row, "ReservationItem"),
        material=text_of(row, "Material"),
        kind=OutputKind.BY_PRODUCT,
        planned=amount_of(row.get("RequiredQuantity")),
        received=amount_of(row.get("WithdrawnQuantity")),
        unit=units.ours(text_of(row, "BaseUnit")),
        storage_location=text_of(row, "StorageLocation"),
        batch=text_of(row, "Batch"),
    )


def _outputs(items: list[Entity], units: Units) -> tuple[OrderOutput, ...]:
    return tuple(
        OrderOutput(
            item=text_of(row, "ManufacturingOrderItem"),
            material=text_of(row, "Material"),
            kind=OutputKind.CO_PRODUCT if position else OutputKind.MAIN,
            planned=amount_of(row.get("MfgOrderItemPlannedTotalQty")),
            received=amount_of(row.get("MfgOrderItemGoodsReceiptQty")),
            unit=units.ours(text_of(row, "ProductionUnit")),
            storage_location=text_of(row, "StorageLocation"),
            batch=text_of(row, "Batch"),
        )
        for position, row in enumerate(items)
    )
