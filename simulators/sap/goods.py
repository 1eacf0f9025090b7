"""Goods movements: what each movement type does to stock, components and order items.

Knows nothing of HTTP or confirmations; a line that cannot be posted raises a Refusal before it changes anything.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from simulators.sap import batch_status, serials, stock
from simulators.sap.books import Books
from simulators.sap.messages import PERIOD_CLOSED, Refusal
from simulators.sap.movements import BLOCKED, INSPECTION, MOVEMENTS, STATUS_MOVEMENTS, Line, Movement
from simulators.sap.odata import quantity_text as _text
from simulators.sap.orders import find_order, require_status

_LOT_MOVEMENTS = frozenset({"321", "322", "349", "350", "553"})


def check_period(books: Books, posting_date: int) -> None:
    """M7/053 when the month of the posting date is not among the open periods."""
    periods = books.setting("open_periods")
    month = datetime.fromtimestamp(posting_date / 1000, UTC).strftime("%Y-%m")
    if periods is None or month in periods:
        return
    allowed = ", ".join(periods) or "none"
    raise Refusal(PERIOD_CLOSED, f"Posting only possible in open periods ({allowed}), not in {month}")


def post(books: Books, line: Line) -> list[Line]:
    """Posts one requested line; a change of a batch's status becomes as many lines as the batch has places."""
    if line.movement in STATUS_MOVEMENTS:
        return batch_status.change(books, _with_master(books, line))
    return [apply(books, line)]


def apply(books: Books, line: Line) -> Line:
    """Changes stock, component and item for one line; answers the line as posted. Refuses before the first change."""
    movement = MOVEMENTS.get(line.movement)
    if movement is None:
        raise Refusal("M7/202", f"Movement type {line.movement or '(none)'} is not provided for")
    line = _with_master(books, line)
    if movement.for_order:
        line = _with_order(books, line)
    _check_route(books, line)
    source, target = _stock_types(movement, line)
    if source:
        source = stock.source_type(books, line, source)
        stock.require_available(books, line, source)
    target = stock.target_type(books, line, target)
    serials.check(books, line, source, target)
    if source:
        stock.take(books, line, source)
    if target:
        stock.put(books, stock.moved_to(line), target)
    serials.move(books, line, target)
    if movement.for_order:
        _count_for_order(books, line)
    return line


def _check_route(books: Books, line: Line) -> None:
    """Where material is decides how it is held: a lot's stock by its decision, a batch by restricting it as a whole."""
    if line.reverses is not None or line.lot:
        return
    material = books.one("SELECT * FROM material WHERE material = ?", line.material) or {}
    by_hand = line.movement in _LOT_MOVEMENTS or (line.movement == "102" and line.stock_type == INSPECTION)
    if by_hand and material.get("inspected"):
        text = f"Stock of material {line.material} leaves inspection only by the usage decision of its inspection lot"
        raise Refusal("QA/200", text, target="GoodsMovementType")
    if line.movement == "344" and material.get("batch_managed") and books.setting("batch_hold_route") == "status":
        text = f"Material {line.material} is handled in batches: restrict batch {line.batch} by 342"
        raise Refusal("M7/190", text, target="GoodsMovementType")


def _with_master(books: Books, line: Line) -> Line:
    material = books.one("SELECT * FROM material WHERE material = ?", line.material)
    if material is None:
        raise Refusal("M3/305", f"The material {line.material or '(none)'} does not exist or is not activated")
    if not line.plant:
        raise Refusal("M7/018", "Enter Plant")
    if line.quantity <= 0:
        raise Refusal("M7/018", f"Enter a quantity greater than zero for {line.material}")
    if line.unit and line.unit != material["unit"]:
        raise Refusal("BM/302", f"Unit {line.unit} is not defined for material {line.material} ({material['unit']})")
    if material["batch_managed"] and not line.batch:
        raise Refusal("M7/018", f"Enter Batch for material {line.material}")
    if line.movement in ("311", "312") and not line.other_location:
        raise Refusal("M7/018", "Enter the receiving storage location")
    return replace(line, unit=material["unit"])


def _with_order(books: Books, line: Line) -> Line:
    """Fills the order item of receipts and the reservation of issues; checks that both fit the order."""
    header = find_order(books, line.order)
    order = header["ManufacturingOrder"]
    require_status(books, order, forbidden=("CLSD", "LKD", "DLFL"))
    line = replace(line, order=order)
    if line.movement == "101" and header["_inspection"] and line.reverses is None and line.stock_type != BLOCKED:
        line = replace(line, stock_type=INSPECTION, inspection=header["_inspection"])
    if line.movement in ("101", "102"):
        return _with_item(books, line)
    return _with_reservation(books, line)


def _with_item(books: Books, line: Line) -> Line:
    items = books.all("SELECT * FROM order_item WHERE ManufacturingOrder = ?", line.order)
    wanted = [item for item in items if line.order_item in ("0", item["ManufacturingOrderItem"])]
    item = next((item for item in wanted if item["Material"] == line.material), None)
    if item is None:
        raise Refusal("M7/360", f"Material {line.material} does not match order {line.order} item {line.order_item}")
    if line.movement == "101" and line.reverses is None:
        _check_receipt(books, line, item)
    if line.movement == "102" and item["MfgOrderItemGoodsReceiptQty"] < line.quantity:
        raise Refusal("M7/022", f"Order {line.order}: only {_text(item['MfgOrderItemGoodsReceiptQty'])} were received")
    return replace(line, order_item=item["ManufacturingOrderItem"])


def _check_receipt(books: Books, line: Line, item: dict[str, Any]) -> None:
    over = find_order(books, line.order)["_over"]
    total = item["MfgOrderItemGoodsReceiptQty"] + line.quantity
    if over is not None and total * 100_000 > item["MfgOrderItemPlannedTotalQty"] * (100_000 + over):
        exceeded = _text(total - item["MfgOrderItemPlannedTotalQty"])
        raise Refusal("M7/022", f"Order {line.order}: quantity exceeded by {exceeded} {line.unit}")


def _with_reservation(books: Books, line: Line) -> Line:
    if line.reservation != "0":
        component = books.one(
            "SELECT * FROM component WHERE Reservation = ? AND ReservationItem = ? AND ManufacturingOrder = ?",
            line.reservation,
            line.reservation_item,
            line.order,
        )
        if component is None:
            where = f"{line.reservation} {line.reservation_item}"
            raise Refusal("M7/001", f"Check table RESB: entry {where} does not exist for order {line.order}")
        if component["Material"] != line.material:
            raise Refusal("M7/360", f"Material {line.material} does not match reservation {line.reservation}")
        return line
    component = books.one(
        "SELECT * FROM component WHERE ManufacturingOrder = ? AND Material = ? ORDER BY Batch = ? DESC, _seq LIMIT 1",
        line.order,
        line.material,
        line.batch,
    )
    if component is None:
        return line
    return replace(line, reservation=component["Reservation"], reservation_item=component["ReservationItem"])


def _stock_types(movement: Movement, line: Line) -> tuple[str, str]:
    """A receipt (and its reversal) may name another stock type than unrestricted; the other types may not."""
    if movement.receipt and line.stock_type:
        return (line.stock_type, "") if movement.source else ("", line.stock_type)
    return movement.source, movement.target


def _count_for_order(books: Books, line: Line) -> None:
    forward = line.movement in ("101", "261", "531")
    signed = line.quantity if forward else -line.quantity
    if line.movement in ("101", "102"):
        books.execute(
            "UPDATE order_item SET MfgOrderItemGoodsReceiptQty = MfgOrderItemGoodsReceiptQty + ?,"
            " IsCompletelyDelivered = CASE WHEN ? THEN MAX(IsCompletelyDelivered, ?) ELSE 0 END"
            " WHERE ManufacturingOrder = ? AND ManufacturingOrderItem = ?",
            signed,
            int(forward),
            int(line.completely_delivered),
            line.order,
            line.order_item,
        )
        return
    books.execute(
        "UPDATE component SET WithdrawnQuantity = WithdrawnQuantity + ?,"
        " ReservationIsFinallyIssued = MAX(ReservationIsFinallyIssued, ?)"
        " WHERE Reservation = ? AND ReservationItem = ?",
        signed,
        int(line.finally_issued and forward),
        line.reservation,
        line.reservation_item,
    )
