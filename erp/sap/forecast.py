"""Which goods movements a confirmation should cause, by the order's own components and its receipt control.

A forecast for the read-back, not a posting: SAP books the movements itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from erp.sap.odata import SMALLEST_QUANTITY, Entity, text_of
from erp.sap.order_rows import SapOrder, predecessors_to_milestone
from erp.sap.settings import Units
from erp.sap.steps import receives_apart
from signals.documents import GoodsMovement
from signals.orders import Component, ConfirmationMode, Operation, OutputKind, ProductionOrder
from signals.transactions import ComponentUse, ConfirmProduction

RECEIPT = "101"


def expected_movements(known: SapOrder, transaction: ConfirmProduction) -> list[GoodsMovement]:
    """Issues in proportion to yield and scrap, and the receipt of the yield where it is automatic.

    Components of fixed quantity are left out: SAP issues them once, with whichever confirmation comes first.
    """
    operation = known.order.find_operation(transaction.operation)
    if operation is None:
        return []
    pieces = transaction.yield_quantity + transaction.scrap_quantity
    movements = _issues(known, operation, pieces, transaction.components)
    if operation.confirmation is ConfirmationMode.MILESTONE:
        along = predecessors_to_milestone(known.order, operation)
        for earlier in known.order.operations:
            if earlier.operation in along and earlier.confirmed_yield == 0:
                movements += _issues(known, earlier, pieces, ())
    return movements + _receipt(known.order, operation, transaction)


def _issues(
    known: SapOrder, operation: Operation, pieces: Decimal, uses: tuple[ComponentUse, ...]
) -> list[GoodsMovement]:
    movements: list[GoodsMovement] = []
    for component in known.order.components:
        if not _is_backflushed(known, component, operation):
            continue
        actual = [use for use in uses if is_use_of(use, component)]
        quantity = (
            sum((use.quantity for use in actual), Decimal(0))
            if actual
            else _rounded(component.required * pieces / operation.planned)
            if operation.planned
            else Decimal(0)
        )
        movements.append(_movement(component.material, component.movement_type, quantity, component.unit))
    unplanned = [use for use in uses if not any(is_use_of(use, c) for c in known.order.components)]
    movements += [_movement(use.material, use.movement_type, use.quantity, use.unit) for use in unplanned]
    return [movement for movement in movements if movement.quantity > 0]


def _is_backflushed(known: SapOrder, component: Component, operation: Operation) -> bool:
    first = known.order.operations[0].operation if known.order.operations else ""
    return (
        component.backflush
        and not component.bulk
        and (component.reservation, component.reservation_item) not in known.fixed_reservation_items
        and (component.operation or first) == operation.operation
    )


def is_use_of(use: ComponentUse, component: Component) -> bool:
    """Whether an actual use means this reservation line."""
    if use.reservation_item:
        same_reservation = not use.reservation or use.reservation == component.reservation
        return same_reservation and use.reservation_item == component.reservation_item
    return use.material == component.material


def _receipt(order: ProductionOrder, operation: Operation, transaction: ConfirmProduction) -> list[GoodsMovement]:
    output = next((o for o in order.outputs if o.kind is OutputKind.MAIN), None)
    if receives_apart(transaction):
        return []  # serial numbers: the receipt is a posting of its own
    if not operation.automatic_receipt or output is None or transaction.yield_quantity == 0:
        return []
    return [_movement(output.material, RECEIPT, transaction.yield_quantity, output.unit)]


def _movement(material: str, movement_type: str, quantity: Decimal, unit: str) -> GoodsMovement:
    return GoodsMovement(material=material, movement_type=movement_type, quantity=quantity, unit=unit)


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(SMALLEST_QUANTITY, ROUND_HALF_UP)


def movements_of_goods(items: Iterable[Entity], units: Units) -> list[GoodsMovement]:
    """A material document moves what its items say."""
    return [
        GoodsMovement(
            material=text_of(item, "Material"),
            movement_type=text_of(item, "GoodsMovementType"),
            quantity=Decimal(text_of(item, "QuantityInEntryUnit")),
            unit=units.ours(text_of(item, "EntryUnit")),
            batch=text_of(item, "Batch"),
            storage_location=text_of(item, "StorageLocation"),
        )
        for item in items
    ]
