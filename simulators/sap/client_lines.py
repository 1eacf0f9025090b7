"""Goods movement items that a client sends along with its confirmation, as lines to post."""

from typing import Any

from simulators.sap import edm
from simulators.sap.books import Books
from simulators.sap.messages import Refusal
from simulators.sap.movements import MOVEMENTS, USABILITY, Line
from simulators.sap.payload import parse_entity

_IGNORED = frozenset({"to_ProdnOrderConfBatchCharc"})


def client_line(books: Books, order: dict[str, Any], body: dict[str, Any]) -> Line:
    """What the item leaves out comes from its reservation, or from the order item for a receipt.

    An item that no posting could accept is refused here; a shortage or a missing batch is left to the error list.
    """
    item, _ = parse_entity(edm.CONFIRMATION_ITEM, body, "", ignored=_IGNORED)
    kind = item.get("GoodsMovementType", "")
    if kind not in MOVEMENTS or not MOVEMENTS[kind].for_order:
        raise Refusal("M7/202", f"Movement type {kind or '(none)'} is not allowed here", target="GoodsMovementType")
    if item.get("QuantityInEntryUnit", 0) <= 0:
        raise Refusal("M7/018", "Enter a quantity greater than zero", target="QuantityInEntryUnit")
    number = item.get("OrderID") or order["ManufacturingOrder"]
    if number not in (order["ManufacturingOrder"], order["ManufacturingOrder"].zfill(12)):
        raise Refusal("M7/360", f"Item of order {number} in a confirmation of {order['ManufacturingOrder']}")
    source = _receipt_source(books, order, item) if kind in ("101", "102") else _issue_source(books, order, item)
    material = item.get("Material") or source.get("Material", "")
    if not books.one("SELECT 1 FROM material WHERE material = ?", material):
        raise Refusal("M3/305", f"The material {material or '(none)'} does not exist or is not activated")
    usability = item.get("InventoryUsabilityCode", "")
    if usability and (usability not in USABILITY or not MOVEMENTS[kind].receipt):
        text = f"InventoryUsabilityCode '{usability}' is not possible for movement type {kind}"
        raise Refusal("M7/191", text, target="InventoryUsabilityCode")
    stock_type = USABILITY.get(usability) or source.get("_stock_type", "01")
    return Line(
        movement=kind,
        material=material,
        plant=item.get("Plant") or source.get("Plant") or order["ProductionPlant"],
        quantity=item["QuantityInEntryUnit"],
        unit=item.get("EntryUnit", ""),
        storage_location=item.get("StorageLocation") or source.get("StorageLocation", ""),
        batch=item.get("Batch") or source.get("Batch", ""),
        stock_type="" if stock_type == "01" else stock_type,
        order=order["ManufacturingOrder"],
        order_item=source.get("ManufacturingOrderItem", "0"),
        reservation=source.get("Reservation", "0"),
        reservation_item=source.get("ReservationItem", "0"),
        finally_issued=bool(item.get("ReservationIsFinallyIssued")),
        completely_delivered=bool(item.get("IsCompletelyDelivered")),
        text=item.get("MaterialDocumentItemText", ""),
    )


def _receipt_source(books: Books, order: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    rows = books.all("SELECT * FROM order_item WHERE ManufacturingOrder = ?", order["ManufacturingOrder"])
    wanted = item.get("OrderItem", "0")
    material = item.get("Material", "")
    for row in rows:
        if wanted in ("0", row["ManufacturingOrderItem"]) and material in ("", row["Material"]):
            return row
    raise Refusal("M7/360", f"Material {material} does not match order item {wanted}", target="OrderItem")


def _issue_source(books: Books, order: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    rows = books.all("SELECT * FROM component WHERE ManufacturingOrder = ? ORDER BY _seq", order["ManufacturingOrder"])
    reservation, number = item.get("Reservation", "0"), item.get("ReservationItem", "0")
    if reservation == "0":
        own = [row for row in rows if row["Material"] == item.get("Material", "")]
        exact = [row for row in own if row["Batch"] == item.get("Batch", "")]
        return (exact or own or [{}])[0]
    for row in rows:
        if (row["Reservation"], row["ReservationItem"]) == (reservation, number):
            if item.get("Material", row["Material"]) != row["Material"]:
                raise Refusal("M7/360", f"Material {item['Material']} does not match reservation {reservation}")
            return row
    raise Refusal("M7/001", f"Check table RESB: entry {reservation} {number} does not exist", target="Reservation")
