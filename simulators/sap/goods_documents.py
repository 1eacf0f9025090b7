"""Material documents as the books keep them: recording lines that goods.py has posted, and reversing recorded ones."""

from datetime import UTC, datetime
from typing import Any

from simulators.sap import goods, inspection_lots, serials
from simulators.sap.books import Books, clock_text, instant, today_ms
from simulators.sap.movements import BLOCKED, INSPECTION, MOVEMENTS, STATUS_MOVEMENTS, Header, Line


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
    lot = line.lot
    if line.inspection:
        lot = inspection_lots.create_for_receipt(books, line, key, header.user)
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
            "InventoryUsabilityCode": {INSPECTION: "X", BLOCKED: "S"}.get(line.stock_type, ""),
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
            "_lot": lot,
        },
    )
    serials.record(books, line, key)


def reversal(books: Books, row: dict[str, Any]) -> Line:
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
        serials=serials.recorded(books, row),
        lot=row["_lot"],
    )


def reverse_rows(books: Books, header: Header, rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Reverses recorded lines, one new document per old one, and marks the old lines as cancelled."""
    documents: list[tuple[str, str]] = []
    keys = dict.fromkeys((row["MaterialDocumentYear"], row["MaterialDocument"]) for row in rows)
    for key in keys:
        own = [row for row in rows if (row["MaterialDocumentYear"], row["MaterialDocument"]) == key]
        documents.append(record(books, header, _undo(books, own)))
        for row in own:
            books.update(
                "material_document_item",
                {"GoodsMovementIsCancelled": 1},
                MaterialDocumentYear=key[0],
                MaterialDocument=key[1],
                MaterialDocumentItem=row["MaterialDocumentItem"],
            )
    return documents


def _undo(books: Books, rows: list[dict[str, Any]]) -> list[Line]:
    """Posts the opposite of recorded lines; a batch's status changes back once, a receipt takes its lot along."""
    lines: list[Line] = []
    changed: set[tuple[str, str]] = set()
    for row in rows:
        batch = (row["Material"], row["Batch"])
        if row["GoodsMovementType"] in STATUS_MOVEMENTS:
            if batch not in changed:
                lines += goods.post(books, reversal(books, row))
            changed.add(batch)
            continue
        if row["_lot"]:
            inspection_lots.require_cancellable(books, row["_lot"])
        lines += goods.post(books, reversal(books, row))
        if row["_lot"]:
            inspection_lots.cancel(books, row["_lot"])
    return lines
