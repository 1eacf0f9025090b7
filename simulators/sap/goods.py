"""Goods movements: what each movement type does to stock, components and order items, and the documents that record it.

Knows nothing of HTTP or confirmations; a line that cannot be posted raises a Refusal before it changes anything.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from simulators.sap.books import Books, clock_text, instant, today_ms
from simulators.sap.messages import DEFICIT, PERIOD_CLOSED, Refusal
from simulators.sap.odata import quantity_text
from simulators.sap.orders import find_order, require_status

UNRESTRICTED, INSPECTION, BLOCKED = "01", "02", "07"


@dataclass(frozen=True)
class Movement:
    """`source` and `target` are stock types, "" outside the plant; `codes` are the allowed GoodsMovementCodes."""

    source: str
    target: str
    reverse: str
    codes: tuple[str, ...]
    receipt: bool = False
    for_order: bool = False


MOVEMENTS = {
    "101": Movement("", UNRESTRICTED, "102", ("02",), receipt=True, for_order=True),
    "102": Movement(UNRESTRICTED, "", "101", ("02", "06"), receipt=True, for_order=True),
    "201": Movement(UNRESTRICTED, "", "202", ("03",)),
    "202": Movement("", UNRESTRICTED, "201", ("03", "06")),
    "261": Movement(UNRESTRICTED, "", "262", ("03",), for_order=True),
    "262": Movement("", UNRESTRICTED, "261", ("06",), for_order=True),
    "311": Movement(UNRESTRICTED, UNRESTRICTED, "312", ("04",)),
    "312": Movement(UNRESTRICTED, UNRESTRICTED, "311", ("04",)),
    "321": Movement(INSPECTION, UNRESTRICTED, "322", ("04",)),
    "322": Movement(UNRESTRICTED, INSPECTION, "321", ("04",)),
    "343": Movement(BLOCKED, UNRESTRICTED, "344", ("04",)),
    "344": Movement(UNRESTRICTED, BLOCKED, "343", ("04",)),
    "349": Movement(BLOCKED, INSPECTION, "350", ("04",)),
    "350": Movement(INSPECTION, BLOCKED, "349", ("04",)),
    "531": Movement("", UNRESTRICTED, "532", ("05",), receipt=True, for_order=True),
    "532": Movement(UNRESTRICTED, "", "531", ("05", "06"), receipt=True, for_order=True),
    "551": Movement(UNRESTRICTED, "", "552", ("03",)),
    "552": Movement("", UNRESTRICTED, "551", ("03", "06")),
    "553": Movement(INSPECTION, "", "554", ("03",)),
    "554": Movement("", INSPECTION, "553", ("03", "06")),
    "555": Movement(BLOCKED, "", "556", ("03",)),
    "556": Movement("", BLOCKED, "555", ("03", "06")),
    "561": Movement("", UNRESTRICTED, "562", ("05",)),
    "562": Movement(UNRESTRICTED, "", "561", ("05", "06")),
}


@dataclass(frozen=True)
class Line:
    """One goods movement to post, in the material's base unit."""

    movement: str
    material: str
    plant: str
    quantity: int
    unit: str
    storage_location: str = ""
    batch: str = ""
    stock_type: str = ""
    order: str = ""
    order_item: str = "0"
    reservation: str = "0"
    reservation_item: str = "0"
    finally_issued: bool = False
    completely_delivered: bool = False
    other_location: str = ""
    reason: str = "0"
    cost_centre: str = ""
    account: str = ""
    text: str = ""
    reverses: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Header:
    posting_date: int
    document_date: int | None = None
    code: str = ""
    reference: str = ""
    text: str = ""
    user: str = ""
    manual: bool = False
    confirmation: tuple[str, str] | None = None


def check_period(books: Books, posting_date: int) -> None:
    """M7/053 when the month of the posting date is not among the open periods."""
    periods = books.setting("open_periods")
    month = datetime.fromtimestamp(posting_date / 1000, UTC).strftime("%Y-%m")
    if periods is None or month in periods:
        return
    allowed = ", ".join(periods) or "none"
    raise Refusal(PERIOD_CLOSED, f"Posting only possible in open periods ({allowed}), not in {month}")


def apply(books: Books, line: Line) -> Line:
    """Changes stock, component and item for one line; answers the line as posted. Refuses before the first change."""
    movement = MOVEMENTS.get(line.movement)
    if movement is None:
        raise Refusal("M7/202", f"Movement type {line.movement or '(none)'} is not provided for")
    line = _with_master(books, line)
    if movement.for_order:
        line = _with_order(books, line)
    source, target = _stock_types(movement, line)
    if source:
        _take(books, line, source)
    if target:
        _put(books, replace(line, storage_location=line.other_location or line.storage_location), target)
    if movement.for_order:
        _count_for_order(books, line)
    return line


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
    order = find_order(books, line.order)["ManufacturingOrder"]
    require_status(books, order, forbidden=("CLSD", "LKD", "DLFL"))
    line = replace(line, order=order)
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


def _take(books: Books, line: Line, stock_type: str) -> None:
    key = (line.material, line.plant, line.storage_location, line.batch, stock_type)
    row = books.one(
        "SELECT MatlWrhsStkQtyInMatlBaseUnit AS quantity FROM stock WHERE Material = ? AND Plant = ?"
        " AND StorageLocation = ? AND Batch = ? AND InventoryStockType = ?",
        *key,
    )
    available = row["quantity"] if row else 0
    if available < line.quantity and not _may_go_negative(books, line.material):
        short = _text(line.quantity - available)
        where = f"{line.plant} {line.storage_location} {line.batch}".rstrip()
        text = f"Deficit of stock type {stock_type} {short} {line.unit} : {line.material} {where}"
        raise Refusal(DEFICIT, text, target="QuantityInEntryUnit")
    _add(books, key, line.unit, -line.quantity)


def _may_go_negative(books: Books, material: str) -> bool:
    row = books.one("SELECT negative_stock FROM material WHERE material = ?", material)
    return bool(books.setting("negative_stock") or (row and row["negative_stock"]))


def _put(books: Books, line: Line, stock_type: str) -> None:
    key = (line.material, line.plant, line.storage_location, line.batch, stock_type)
    _add(books, key, line.unit, line.quantity)


def _add(books: Books, key: tuple[str, str, str, str, str], unit: str, quantity: int) -> None:
    changed = books.execute(
        "UPDATE stock SET MatlWrhsStkQtyInMatlBaseUnit = MatlWrhsStkQtyInMatlBaseUnit + ? WHERE Material = ?"
        " AND Plant = ? AND StorageLocation = ? AND Batch = ? AND InventoryStockType = ?",
        quantity,
        *key,
    )
    if changed:
        return
    names = ("Material", "Plant", "StorageLocation", "Batch", "InventoryStockType")
    row = dict(zip(names, key, strict=True))
    books.insert("stock", row | {"MaterialBaseUnit": unit, "MatlWrhsStkQtyInMatlBaseUnit": quantity})


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


def record(books: Books, header: Header, lines: list[Line]) -> tuple[str, str]:
    """Writes one material document for lines that `apply` has posted; answers its year and number."""
    receipt = MOVEMENTS[lines[0].movement].receipt
    number = str(books.next_number("receipt" if receipt else "issue", 5000000000 if receipt else 4900000000))
    year = str(datetime.fromtimestamp(header.posting_date / 1000, UTC).year)
    row = {
        "MaterialDocumentYear": year,
        "MaterialDocument": number,
        "InventoryTransactionType": "WF" if receipt else "WA",
        "DocumentDate": today_ms() if header.document_date is None else header.document_date,
        "PostingDate": header.posting_date,
        "CreationDate": today_ms(),
        "CreationTime": clock_text(),
        "CreatedByUser": header.user,
        "MaterialDocumentHeaderText": header.text,
        "ReferenceDocument": header.reference,
        "GoodsMovementCode": header.code,
        "_at": instant(),
        "_manual": header.manual,
    }
    books.insert("material_document", row)
    for position, line in enumerate(lines, 1):
        _record_item(books, header, line, (year, number, str(position)))
    return year, number


def _record_item(books: Books, header: Header, line: Line, key: tuple[str, str, str]) -> None:
    group, count = header.confirmation or ("", "")
    reversed_year, reversed_document, reversed_item = line.reverses or ("", "", "0")
    order = books.one(
        "SELECT ManufacturingOrderType AS kind FROM production_order WHERE ManufacturingOrder = ?", line.order
    )
    books.insert(
        "material_document_item",
        {
            "MaterialDocumentYear": key[0],
            "MaterialDocument": key[1],
            "MaterialDocumentItem": key[2],
            "Material": line.material,
            "Plant": line.plant,
            "StorageLocation": line.storage_location,
            "Batch": line.batch,
            "GoodsMovementType": line.movement,
            "InventoryStockType": line.stock_type,
            "GoodsMovementRefDocType": "F" if line.movement in ("101", "102") else "",
            "IsCompletelyDelivered": line.completely_delivered,
            "MaterialDocumentItemText": line.text,
            "CostCenter": line.cost_centre,
            "GLAccount": line.account,
            "GoodsMovementReasonCode": line.reason,
            "Reservation": line.reservation,
            "ReservationItem": line.reservation_item,
            "ReservationIsFinallyIssued": line.finally_issued,
            "ManufacturingOrder": line.order,
            "ManufacturingOrderItem": line.order_item,
            "MaterialBaseUnit": line.unit,
            "QuantityInBaseUnit": line.quantity,
            "EntryUnit": line.unit,
            "QuantityInEntryUnit": line.quantity,
            "IssuingOrReceivingStorageLoc": line.other_location,
            "ReversedMaterialDocumentYear": reversed_year,
            "ReversedMaterialDocument": reversed_document,
            "ReversedMaterialDocumentItem": reversed_item,
            "_group": group,
            "_count": count,
            "_order_type": order["kind"] if order else "",
        },
    )


def reversal(row: dict[str, Any]) -> Line:
    """The line that undoes a recorded one."""
    swapped = row["GoodsMovementType"] in ("311", "312")
    return Line(
        movement=MOVEMENTS[row["GoodsMovementType"]].reverse,
        material=row["Material"],
        plant=row["Plant"],
        quantity=row["QuantityInBaseUnit"],
        unit=row["MaterialBaseUnit"],
        storage_location=row["IssuingOrReceivingStorageLoc"] if swapped else row["StorageLocation"],
        other_location=row["StorageLocation"] if swapped else "",
        batch=row["Batch"],
        stock_type=row["InventoryStockType"],
        order=row["ManufacturingOrder"],
        order_item=row["ManufacturingOrderItem"],
        reservation=row["Reservation"],
        reservation_item=row["ReservationItem"],
        reason=row["GoodsMovementReasonCode"],
        cost_centre=row["CostCenter"],
        account=row["GLAccount"],
        reverses=(row["MaterialDocumentYear"], row["MaterialDocument"], row["MaterialDocumentItem"]),
    )


def reverse_rows(books: Books, header: Header, rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Reverses recorded lines, one new document per old one, and marks the old lines as cancelled."""
    documents: list[tuple[str, str]] = []
    keys = dict.fromkeys((row["MaterialDocumentYear"], row["MaterialDocument"]) for row in rows)
    for key in keys:
        own = [row for row in rows if (row["MaterialDocumentYear"], row["MaterialDocument"]) == key]
        documents.append(record(books, header, [apply(books, reversal(row)) for row in own]))
        for row in own:
            books.update(
                "material_document_item",
                {"GoodsMovementIsCancelled": 1},
                MaterialDocumentYear=key[0],
                MaterialDocument=key[1],
                MaterialDocumentItem=row["MaterialDocumentItem"],
            )
    return documents


def _text(quantity: int) -> str:
    return quantity_text(quantity)
