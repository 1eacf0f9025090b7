"""`GET /_control/books`: what this SAP believes, for judges; docs/simulators-sap.md shows the shape."""

import json
from datetime import UTC, datetime
from typing import Any

from simulators.sap.books import Books
from simulators.sap.confirmation_rules import activities_of
from simulators.sap.edm import PROCESS
from simulators.sap.entity_types import EMPTY_GUID
from simulators.sap.odata import quantity_text
from simulators.sap.orders import operations_of
from simulators.sap.report_services import services_report


def books_report(books: Books, order: str | None = None) -> dict[str, Any]:
    """All books, or those of one order."""
    where, values = ("WHERE ManufacturingOrder = ?", (order,)) if order else ("", ())
    headers = books.all(f"SELECT * FROM production_order {where} ORDER BY rowid", *values)
    stock = books.all("SELECT * FROM stock ORDER BY Material, Plant, StorageLocation, Batch, InventoryStockType")
    rows = [_stock(row) for row in stock]
    return {
        "orders": [_order(books, header) for header in headers],
        "documents": sorted(_documents(books, order), key=lambda document: document["at"]),
        "stock": rows,
        "holds": [row for row in rows if row["stock_type"] in ("07", "08") and row["quantity"] != "0"],
        **services_report(books, order),
        "cogi": _cogi(books, order),
        "pending_goods_movements": _pending(books),
    }


def _order(books: Books, header: dict[str, Any]) -> dict[str, Any]:
    number = header["ManufacturingOrder"]
    status = books.all(
        "SELECT StatusShortName AS name FROM order_status WHERE ManufacturingOrder = ? ORDER BY StatusCode", number
    )
    components = books.all("SELECT * FROM component WHERE ManufacturingOrder = ? ORDER BY _seq", number)
    items = books.all("SELECT * FROM order_item WHERE ManufacturingOrder = ? ORDER BY rowid", number)
    return {
        "order": number,
        "plant": header["ProductionPlant"],
        "category": "process" if header["ManufacturingOrderCategory"] == PROCESS else "production",
        "type": header["ManufacturingOrderType"],
        "material": header["Material"],
        "unit": header["ProductionUnit"],
        "quantity": quantity_text(header["TotalQuantity"]),
        "status": [row["name"] for row in status],
        "operations": [_operation(row) for row in operations_of(books, number)],
        "components": [_component(row) for row in components],
        "items": [_item(row) for row in items],
    }


def _operation(row: dict[str, Any]) -> dict[str, Any]:
    activities = {
        slot: {
            "planned": quantity_text(activity["planned"]),
            "confirmed": quantity_text(activity["confirmed"]),
            "unit": activity["unit"],
        }
        for slot, activity in activities_of(row).items()
    }
    return {
        "operation": row["ManufacturingOrderOperation"],
        "sequence": row["ManufacturingOrderSequence"],
        "work_centre": row["WorkCenter"],
        "control_profile": row["OperationControlProfile"],
        "planned": quantity_text(row["OpPlannedTotalQuantity"]),
        "yield": quantity_text(row["OpTotalConfirmedYieldQty"]),
        "scrap": quantity_text(row["_scrap"]),
        "rework": quantity_text(row["_rework"]),
        "unit": row["OperationUnit"],
        "activities": activities,
        "final": bool(row["_final"]),
    }


def _component(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "reservation": row["Reservation"],
        "item": row["ReservationItem"],
        "operation": row["ManufacturingOrderOperation"],
        "material": row["Material"],
        "batch": row["Batch"],
        "required": quantity_text(row["RequiredQuantity"]),
        "withdrawn": quantity_text(row["WithdrawnQuantity"]),
        "unit": row["BaseUnit"],
        "finally_issued": bool(row["ReservationIsFinallyIssued"]),
    }


def _item(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "item": row["ManufacturingOrderItem"],
        "material": row["Material"],
        "planned": quantity_text(row["MfgOrderItemPlannedTotalQty"]),
        "received": quantity_text(row["MfgOrderItemGoodsReceiptQty"]),
        "unit": row["ProductionUnit"],
    }


def _stock(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "material": row["Material"],
        "plant": row["Plant"],
        "storage_location": row["StorageLocation"],
        "batch": row["Batch"],
        "stock_type": row["InventoryStockType"],
        "quantity": quantity_text(row["MatlWrhsStkQtyInMatlBaseUnit"]),
        "unit": row["MaterialBaseUnit"],
    }


def _documents(books: Books, order: str | None) -> list[dict[str, Any]]:
    where, values = ("WHERE OrderID = ?", (order,)) if order else ("", ())
    confirmations = books.all(f"SELECT * FROM confirmation {where} ORDER BY rowid", *values)
    serials = _serials(books)
    lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
    by_document: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in books.all("SELECT * FROM material_document_item ORDER BY rowid"):
        by_document.setdefault((row["MaterialDocumentYear"], row["MaterialDocument"]), []).append(row)
        if row["_group"]:
            lines.setdefault((row["_group"], row["_count"]), []).append(_movement(row, serials))
    shown = [_confirmation(row, lines) for row in confirmations]
    for header in books.all("SELECT * FROM material_document ORDER BY rowid"):
        rows = by_document.get((header["MaterialDocumentYear"], header["MaterialDocument"]), [])
        if order is None or any(row["ManufacturingOrder"] == order for row in rows):
            shown.append(_material_document(header, rows, serials))
    return shown


def _confirmation(row: dict[str, Any], lines: dict[tuple[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    key = (row["ConfirmationGroup"], row["ConfirmationCount"])
    sign = -1 if row["IsReversal"] else 1
    guid = row["ExternalSystemConfirmation"]
    return {
        "kind": "confirmation",
        "id": "/".join(key),
        "order": row["OrderID"],
        "operation": row["OrderOperation"],
        "yield": quantity_text(sign * row["ConfirmationYieldQuantity"]),
        "scrap": quantity_text(sign * row["ConfirmationScrapQuantity"]),
        "rework": quantity_text(sign * row["ConfirmationReworkQuantity"]),
        "unit": row["ConfirmationUnit"],
        "activities": {
            str(slot): quantity_text(sign * row[f"OpConfirmedWorkQuantity{slot}"])
            for slot in range(1, 7)
            if row[f"OpConfirmedWorkQuantity{slot}"]
        },
        "key": None if guid == EMPTY_GUID else guid,
        "text": row["ConfirmationText"],
        "final": bool(row["IsFinalConfirmation"]),
        "reversed": bool(row["IsReversed"]),
        "reversal": bool(row["IsReversal"]),
        "reverses": row["_reverses"] or None,
        "manual": bool(row["_manual"]),
        "automatic_of": row["_automatic_of"] or None,
        "posting_date": _date(row["PostingDate"]),
        "reason": row["VarianceReasonCode"],
        "user": row["EnteredByUser"],
        "at": row["_at"],
        "goods_movements": lines.get(key, []),
    }


def _material_document(
    header: dict[str, Any], rows: list[dict[str, Any]], serials: dict[tuple[str, str, str], list[str]]
) -> dict[str, Any]:
    movements = [_movement(row, serials) for row in rows]
    first = rows[0]
    return {
        "kind": "material_document",
        "id": f"{header['MaterialDocumentYear']}/{header['MaterialDocument']}",
        "order": first["ManufacturingOrder"],
        "confirmation": f"{first['_group']}/{first['_count']}" if first["_group"] else None,
        "key": header["ReferenceDocument"] or None,
        "text": header["MaterialDocumentHeaderText"],
        "reversed": all(row["GoodsMovementIsCancelled"] for row in rows),
        "reversal": bool(first["ReversedMaterialDocument"]),
        "manual": bool(header["_manual"]),
        "posting_date": _date(header["PostingDate"]),
        "user": header["CreatedByUser"],
        "at": header["_at"],
        "goods_movements": movements,
    }


def _serials(books: Books) -> dict[tuple[str, str, str], list[str]]:
    """By year, number and item of the material document."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in books.all("SELECT * FROM serial_movement ORDER BY SerialNumber"):
        key = (row["MaterialDocumentYear"], row["MaterialDocument"], row["MaterialDocumentItem"])
        found.setdefault(key, []).append(row["SerialNumber"])
    return found


def _movement(row: dict[str, Any], serials: dict[tuple[str, str, str], list[str]]) -> dict[str, Any]:
    key = (row["MaterialDocumentYear"], row["MaterialDocument"], row["MaterialDocumentItem"])
    return {
        "material_document": row["MaterialDocument"],
        "item": row["MaterialDocumentItem"],
        "year": row["MaterialDocumentYear"],
        "movement_type": row["GoodsMovementType"],
        "material": row["Material"],
        "plant": row["Plant"],
        "storage_location": row["StorageLocation"],
        "batch": row["Batch"],
        "stock_type": row["InventoryStockType"],
        "quantity": quantity_text(row["QuantityInBaseUnit"]),
        "unit": row["MaterialBaseUnit"],
        "order": row["ManufacturingOrder"],
        "reservation": row["Reservation"],
        "reservation_item": row["ReservationItem"],
        "reason": row["GoodsMovementReasonCode"],
        "cost_centre": row["CostCenter"],
        "text": row["MaterialDocumentItemText"],
        "cancelled": bool(row["GoodsMovementIsCancelled"]),
        "serials": serials.get(key, []),
        "inspection_lot": row["_lot"] or None,
    }


def _cogi(books: Books, order: str | None) -> list[dict[str, Any]]:
    where, values = ("WHERE order_id = ?", (order,)) if order else ("", ())
    shown: list[dict[str, Any]] = []
    for row in books.all(f"SELECT * FROM cogi {where} ORDER BY id", *values):
        line = json.loads(row["line"])
        shown.append(
            {
                "id": row["id"],
                "order": row["order_id"],
                "operation": row["operation"],
                "confirmation": row["confirmation"],
                "movement_type": line["movement"],
                "material": line["material"],
                "plant": line["plant"],
                "storage_location": line["storage_location"],
                "batch": line["batch"],
                "quantity": quantity_text(line["quantity"]),
                "unit": line["unit"],
                "reservation": line["reservation"],
                "item": line["reservation_item"],
                "code": row["code"],
                "message": row["message"],
                "at": row["at"],
            }
        )
    return shown


def _pending(books: Books) -> list[dict[str, Any]]:
    return [
        {"confirmation": row["confirmation"], "due": datetime.fromtimestamp(row["due"], UTC).isoformat()}
        for row in books.all("SELECT confirmation, due FROM pending_goods ORDER BY id")
    ]


def _date(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
