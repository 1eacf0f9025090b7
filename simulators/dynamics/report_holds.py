"""The parts of the books that are not production: holds, inventory journals, maintenance requests, calendars."""

import json
from typing import Any

from simulators.dynamics.books import Books
from simulators.dynamics.values import is_empty_date, text_of


def holds(books: Books) -> list[dict[str, Any]]:
    """All that restricts use: open quality orders, batches with an unavailable code, stock of a blocking status."""
    return [*_quality_orders(books), *_batches(books), *_blocking(books)]


def _hold(kind: str, number: str, item: str, batch: str, code: str, quantity: str, **more: Any) -> dict[str, Any]:
    row = {"kind": kind, "id": number, "material": item, "batch": batch, "code": code, "quantity": quantity}
    return {"plant": "", "storage_location": "", "order": "", "unit": ""} | row | more


def _quality_orders(books: Books) -> list[dict[str, Any]]:
    rows = books.all("SELECT * FROM quality_order WHERE \"QualityOrderStatus\" = 'Open' ORDER BY _id")
    return [
        _hold(
            "quality_order",
            row["QualityOrderNumber"],
            row["ItemNumber"],
            row["ItemBatchNumber"],
            row["QualityOrderPolicyType"],
            text_of(row["InventoryQuantity"]),
            plant=row["InventorySiteId"],
            storage_location=row["WarehouseId"],
            order=row["ProductionOrderNumber"],
        )
        for row in rows
    ]


def _batches(books: Books) -> list[dict[str, Any]]:
    rows = books.all(
        'SELECT b.*, (SELECT COALESCE(SUM(quantity), 0) FROM stock s WHERE s.company = b."dataAreaId"'
        ' AND s.item = b."ItemNumber" AND s.batch = b."BatchNumber") AS quantity FROM item_batch b'
        ' JOIN disposition_code d ON d."dataAreaId" = b."dataAreaId" AND d."DispositionCode" = b."BatchDispositionCode"'
        " WHERE d.\"DispositionStatus\" = 'Unavailable' ORDER BY b._id"
    )
    return [
        _hold(
            "batch_disposition",
            f"{row['ItemNumber']}/{row['BatchNumber']}",
            row["ItemNumber"],
            row["BatchNumber"],
            row["BatchDispositionCode"],
            text_of(row["quantity"]),
        )
        for row in rows
    ]


def _blocking(books: Books) -> list[dict[str, Any]]:
    rows = books.all(
        "SELECT s.* FROM stock s JOIN inventory_status t ON t.status = s.status"
        " WHERE t.blocking = 1 AND s.quantity <> 0 ORDER BY s._id"
    )
    return [
        _hold(
            "inventory_status",
            str(row["_id"]),
            row["item"],
            row["batch"],
            row["status"],
            text_of(row["quantity"]),
            plant=row["site"],
            storage_location=row["warehouse"],
        )
        for row in rows
    ]


def inventory_documents(books: Books) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    for kind in ("transfer", "movement"):
        lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in books.all(f"SELECT * FROM {kind}_line ORDER BY _id"):
            lines.setdefault((row["dataAreaId"], row["JournalNumber"]), []).append(row)
        for header in books.all(f"SELECT * FROM {kind}_header ORDER BY _id"):
            rows = lines.get((header["dataAreaId"], header["JournalNumber"]), [])
            shown.append(_inventory(kind, header, rows))
    return shown


def _inventory(kind: str, header: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    dates = [row["TransactionDate"] for row in rows if not is_empty_date(row["TransactionDate"])]
    return {
        "kind": f"{kind}_journal",
        "id": f"{kind[0].upper()}/{header['JournalNumber']}",
        "journal": header["JournalNumber"],
        "order": "",
        "operation": "",
        "posted": header["IsPosted"] == "Yes",
        "voucher": header["_voucher"] or None,
        "error": header["_error"],
        "key": header["Description"] or None,
        "text": header["Description"],
        "reversed": False,
        "reversal": False,
        "manual": bool(header["_manual"]),
        "posting_date": dates[0][:10] if dates else None,
        "user": header["PostedUserId"] or header["_user"],
        "at": header["_at"],
        "lines": [{"material": row["ItemNumber"], "quantity": text_of(row["InventoryQuantity"])} for row in rows],
        "goods_movements": [_line(kind, row, moved) for row in rows for moved in json.loads(row["_stock"])],
    }


def _line(kind: str, row: dict[str, Any], moved: dict[str, Any]) -> dict[str, Any]:
    return {
        "material_document": row["JournalNumber"],
        "item": text_of(row["LineNumber"]),
        "movement_type": f"{kind}_{'in' if moved['quantity'] > 0 else 'out'}",
        "material": moved["item"],
        "plant": moved["site"],
        "storage_location": moved["warehouse"],
        "location": moved["location"],
        "batch": moved["batch"],
        "license_plate": moved["license_plate"],
        "status": moved["status"],
        "quantity": text_of(abs(moved["quantity"])),
        "cost_centre": row["DefaultLedgerDimensionDisplayValue"],
    }


def maintenance(books: Books) -> list[dict[str, Any]]:
    return [
        {
            "request": row["RequestId"],
            "type": row["RequestTypeId"],
            "text": row["Description"],
            "notes": row["Notes"],
            "asset": row["MaintenanceAssetId"],
            "stop_from": None if is_empty_date(row["ProductionStopFrom"]) else row["ProductionStopFrom"],
            "start": None if is_empty_date(row["ActualStart"]) else row["ActualStart"],
            "end": None if is_empty_date(row["ActualEnd"]) else row["ActualEnd"],
            "state": row["RequestLifecycleStateId"],
            "active": row["IsRequestActive"] == "Yes",
            "user": row["_user"],
            "at": row["_at"],
        }
        for row in books.all("SELECT * FROM maintenance_request ORDER BY _id")
    ]


def capacity(books: Books) -> list[dict[str, Any]]:
    """Intervals of work calendars; start and end are seconds of the day."""
    return [
        {
            "calendar": row["WorkCalendarId"],
            "date": row["WorkCalendarDate"][:10],
            "start": row["StartTime"],
            "end": row["EndTime"],
            "percent": text_of(row["EfficiencyPercentage"]),
        }
        for row in books.all("SELECT * FROM calendar_interval ORDER BY _id")
    ]
