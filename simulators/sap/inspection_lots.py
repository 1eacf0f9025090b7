"""Inspection lots as the books keep them: made by goods receipts, with the characteristics of their order, and what is
still to be posted of them. Decisions and stock postings are in inspection.py.
"""

import json
from typing import Any

from simulators.sap.books import Books, instant, later_instant, today_ms
from simulators.sap.edm_quality import LOT
from simulators.sap.messages import BUSINESS_CONTAINER, Refusal, not_found
from simulators.sap.movements import Line

ORDER_ORIGIN, MANUAL_ORIGIN = "04", "89"


def quality_refusal(number: str, text: str, target: str = "") -> Refusal:
    return Refusal(f"QA/{number}", text, container=BUSINESS_CONTAINER, target=target)


def find_lot(books: Books, number: str) -> dict[str, Any]:
    row = books.one("SELECT * FROM inspection_lot WHERE InspectionLot IN (?, ?)", number, number.lstrip("0"))
    if row is None:
        raise not_found(LOT.set_name)
    return row


def named_lot(books: Books, number: str) -> dict[str, Any]:
    """The lot that a body names: a wrong number is a business error there, not a missing resource."""
    if not books.one("SELECT 1 FROM inspection_lot WHERE InspectionLot IN (?, ?)", number, number.lstrip("0")):
        raise quality_refusal("206", f"Inspection lot {number or '(none)'} does not exist", "InspectionLot")
    return find_lot(books, number)


def change_lot(books: Books, lot: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Every change moves ChangedDateTime, and with it the ETag."""
    moved = {"ChangedDateTime": later_instant(lot["ChangedDateTime"])}
    books.update("inspection_lot", changes | moved, InspectionLot=lot["InspectionLot"])
    return find_lot(books, lot["InspectionLot"])


def require_open(lot: dict[str, Any]) -> None:
    """Neither cancelled nor decided."""
    if lot["InspectionLotIsCancelled"]:
        raise quality_refusal("201", f"Inspection lot {lot['InspectionLot']} is cancelled", "InspectionLot")
    if lot["InspectionLotHasUsageDecision"]:
        text = f"The usage decision for inspection lot {lot['InspectionLot']} has been made"
        raise quality_refusal("202", text, "InspectionLot")


def create(books: Books, user: str, fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` are stored values; the order's characteristics become those of the lot."""
    number = str(books.next_number("inspection_lot", 40000000001))
    row = {
        "InspectionLotStartDate": today_ms(),
        "CreationDate": today_ms(),
        "CreatedByUser": user,
        **fields,
        "InspectionLot": number,
        "ChangedDateTime": later_instant(None),
        "_at": instant(),
    }
    books.insert("inspection_lot", row)
    _copy_characteristics(books, number, fields.get("ManufacturingOrder", ""))
    return find_lot(books, number)


def _copy_characteristics(books: Books, lot: str, order: str) -> None:
    source = books.one("SELECT _characteristics FROM production_order WHERE ManufacturingOrder = ?", order)
    for row in json.loads(source["_characteristics"]) if source else []:
        own = row | {"InspectionLot": lot, "ChangedDateTime": later_instant(None)}
        books.insert("inspection_characteristic", own)


def create_for_receipt(books: Books, line: Line, key: tuple[str, str, str], user: str) -> str:
    """The lot of one receipt line (key: year, document, item); all of its quantity is to be posted by the decision."""
    lot = create(
        books,
        user,
        {
            "Material": line.material,
            "Plant": line.plant,
            "Batch": line.batch,
            "InspectionLotStorageLocation": line.storage_location,
            "InspectionLotType": line.inspection,
            "InspectionLotOrigin": ORDER_ORIGIN,
            "InspectionLotObjectText": f"Goods receipt for order {line.order}",
            "ManufacturingOrder": line.order,
            "InspectionLotQuantity": line.quantity,
            "InspectionLotQuantityUnit": line.unit,
            "InspLotQtyToBePosted": line.quantity,
            "MaterialDocumentYear": key[0],
            "MaterialDocument": key[1],
            "MaterialDocumentItem": key[2],
        },
    )
    return lot["InspectionLot"]


def require_cancellable(books: Books, number: str) -> None:
    lot = find_lot(books, number)
    require_open(lot)


def cancel(books: Books, number: str) -> None:
    """Its receipt was taken back."""
    change_lot(books, find_lot(books, number), {"InspectionLotIsCancelled": "X", "InspLotQtyToBePosted": 0})
