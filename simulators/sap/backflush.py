"""The standard goods movement proposal of a confirmation: backflushed components and the automatic goods receipt."""

from typing import Any

from simulators.sap.books import Books
from simulators.sap.movements import Line
from simulators.sap.orders import control_profile


def share(required: int, processed: int, planned: int) -> int:
    """Required quantity for the processed part of the planned one, in thousandths, half rounded up."""
    return (2 * required * processed + planned) // (2 * planned)


def propose(
    books: Books, order: dict[str, Any], operation: dict[str, Any], *, good: int, scrap: int, everything: bool = False
) -> list[Line]:
    """Components in proportion to yield plus scrap (rework has consumed nothing new), then the receipt of the yield.

    `everything` also proposes components that are not backflushed, as the proposal screen shows them.
    """
    rows = books.all(
        "SELECT * FROM component WHERE ManufacturingOrder = ? AND ManufacturingOrderOperation = ?"
        " AND ManufacturingOrderSequence = ? AND IsBulkMaterialComponent = 0 ORDER BY _seq",
        order["ManufacturingOrder"],
        operation["ManufacturingOrderOperation"],
        operation["ManufacturingOrderSequence"],
    )
    lines: list[Line] = []
    for row in rows:
        quantity = _component_quantity(row, operation, good + scrap)
        if quantity > 0 and (row["MatlCompIsMarkedForBackflush"] or everything):
            lines.append(_component_line(row, quantity))
    if good > 0 and control_profile(books, operation)[1]:
        lines += _receipt(books, order, good)
    return lines


def _component_quantity(row: dict[str, Any], operation: dict[str, Any], processed: int) -> int:
    if row["ReservationIsFinallyIssued"] or processed <= 0:
        return 0
    if row["QuantityIsFixed"]:
        return row["RequiredQuantity"] - row["WithdrawnQuantity"]
    return share(row["RequiredQuantity"], processed, operation["OpPlannedTotalQuantity"])


def _component_line(row: dict[str, Any], quantity: int) -> Line:
    return Line(
        movement=row["GoodsMovementType"],
        material=row["Material"],
        plant=row["Plant"],
        quantity=quantity,
        unit=row["BaseUnit"],
        storage_location=row["StorageLocation"],
        batch=row["Batch"],
        order=row["ManufacturingOrder"],
        reservation=row["Reservation"],
        reservation_item=row["ReservationItem"],
    )


def _receipt(books: Books, order: dict[str, Any], good: int) -> list[Line]:
    """The main item is received as confirmed, co-products in proportion to their own planned quantity."""
    items = books.all(
        "SELECT * FROM order_item WHERE ManufacturingOrder = ? ORDER BY CAST(ManufacturingOrderItem AS INTEGER)",
        order["ManufacturingOrder"],
    )
    return [
        Line(
            movement="101",
            material=item["Material"],
            plant=item["Plant"],
            quantity=quantity,
            unit=item["ProductionUnit"],
            storage_location=item["StorageLocation"],
            batch=item["Batch"],
            stock_type="" if item["_stock_type"] == "01" else item["_stock_type"],
            order=order["ManufacturingOrder"],
            order_item=item["ManufacturingOrderItem"],
        )
        for item in items
        if (quantity := share(item["MfgOrderItemPlannedTotalQty"], good, order["TotalQuantity"])) > 0
    ]
