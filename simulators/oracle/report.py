"""`GET /_control/books`: what this Oracle believes, for judges; docs/simulators-oracle.md shows the shape.

The keys are those of the simulated SAP's books wherever the meaning is the same.
"""

from typing import Any

from simulators.oracle.books import ACTIVE, Books
from simulators.oracle.documents import Documents, label
from simulators.oracle.pull import received
from simulators.oracle.values import quantity_text
from simulators.oracle.work_orders import operations_of


def books_report(books: Books, order: str | None = None) -> dict[str, Any]:
    """All books, or those of one order (by number)."""
    where, values = ("WHERE WorkOrderNumber = ?", (order,)) if order else ("", ())
    headers = books.all(f"SELECT * FROM work_order {where} ORDER BY rowid", *values)
    numbers = {row["WorkOrderId"]: row["WorkOrderNumber"] for row in headers}
    documents = Documents(books, numbers, everything=order is None)
    return {
        "orders": [_order(books, header) for header in headers],
        "documents": documents.report(),
        "stock": _stock(books),
        "holds": _holds(books),
        "cogi": _pull_errors(books, numbers),
        "pending_goods_movements": _pending(books),
        "quality": _quality(books),
        "maintenance": _maintenance(books),
    }


def _order(books: Books, header: dict[str, Any]) -> dict[str, Any]:
    number = header["WorkOrderId"]
    components = books.all(
        "SELECT * FROM work_order_material WHERE WorkOrderId = ?"
        " ORDER BY OperationSequenceNumber, MaterialSequenceNumber",
        number,
    )
    return {
        "order": header["WorkOrderNumber"],
        "plant": header["OrganizationCode"],
        "material": header["ItemNumber"],
        "unit": header["UOMCode"],
        "quantity": quantity_text(header["PlannedStartQuantity"]),
        "status": [header["WorkOrderSystemStatusCode"]],
        "order_status": header["WorkOrderStatusCode"],
        "operations": [_operation(books, row) for row in operations_of(books, number)],
        "components": [_component(row) for row in components],
        "items": [
            {
                "item": "1",
                "material": header["ItemNumber"],
                "planned": quantity_text(header["PlannedStartQuantity"]),
                "received": quantity_text(received(books, header)),
                "unit": header["UOMCode"],
            }
        ],
    }


def _operation(books: Books, row: dict[str, Any]) -> dict[str, Any]:
    resources = books.all(
        "SELECT * FROM work_order_resource WHERE WorkOrderOperationId = ? ORDER BY ResourceSequenceNumber",
        row["WorkOrderOperationId"],
    )
    return {
        "operation": label(row["OperationSequenceNumber"]),
        "sequence": "0",
        "work_centre": row["WorkCenterCode"] or "",
        "planned": quantity_text(row["PlannedQuantity"]),
        "ready": quantity_text(row["ReadyQuantity"]),
        "yield": quantity_text(row["CompletedQuantity"]),
        "scrap": quantity_text(row["ScrappedQuantity"]),
        "rework": quantity_text(row["RejectedQuantity"]),
        "unit": row["UOMCode"],
        "activities": {
            str(one["ResourceSequenceNumber"] // 10): {
                "planned": quantity_text(one["RequiredUsage"]),
                "confirmed": quantity_text(one["ActualResourceUsage"]),
                "unit": one["UOMCode"],
                "resource": one["ResourceCode"],
            }
            for one in resources
        },
        "final": bool(row["_final"]),
    }


def _component(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "reservation": row["_reservation"],
        "item": str(row["MaterialSequenceNumber"]),
        "operation": label(row["OperationSequenceNumber"]),
        "material": row["ItemNumber"],
        "batch": "",
        "required": quantity_text(row["Quantity"]),
        "withdrawn": quantity_text(row["IssuedQuantity"]),
        "unit": row["UOMCode"],
        "supply_type": row["SupplyType"],
        "finally_issued": False,
    }


def _stock(books: Books) -> list[dict[str, Any]]:
    rows = books.all("SELECT * FROM onhand_balance ORDER BY ItemNumber, OrganizationCode, SubinventoryCode, LotNumber")
    return [
        {
            "material": row["ItemNumber"],
            "plant": row["OrganizationCode"],
            "storage_location": row["SubinventoryCode"],
            "locator": row["Locator"],
            "batch": row["LotNumber"],
            "stock_type": "01",
            "material_status": row["MaterialStatusCode"] or "Active",
            "quantity": quantity_text(row["PrimaryQuantity"]),
            "unit": row["PrimaryUOMCode"],
        }
        for row in rows
    ]


def _holds(books: Books) -> list[dict[str, Any]]:
    """Lots whose status is not Active, and what lies in a hold subinventory."""
    lots = books.all("SELECT * FROM item_lot WHERE MaterialStatusId <> ? ORDER BY ItemNumber, LotNumber", ACTIVE)
    held = [
        {
            "kind": "lot",
            "material": lot["ItemNumber"],
            "plant": lot["OrganizationCode"],
            "storage_location": "",
            "batch": lot["LotNumber"],
            "material_status": lot["MaterialStatusCode"],
            "quantity": quantity_text(_total(books, lot)),
        }
        for lot in lots
    ]
    rows = books.all(
        "SELECT v.* FROM onhand_balance v JOIN subinventory b ON b.organization = v.OrganizationId"
        " AND b.code = v.SubinventoryCode WHERE b.hold = 1 AND v.PrimaryQuantity <> 0 ORDER BY v.ItemNumber"
    )
    places = [
        {
            "kind": "subinventory",
            "material": row["ItemNumber"],
            "plant": row["OrganizationCode"],
            "storage_location": row["SubinventoryCode"],
            "batch": row["LotNumber"],
            "material_status": row["MaterialStatusCode"] or "",
            "quantity": quantity_text(row["PrimaryQuantity"]),
        }
        for row in rows
    ]
    return held + places


def _total(books: Books, lot: dict[str, Any]) -> int:
    row = books.one(
        "SELECT COALESCE(SUM(quantity), 0) AS n FROM onhand WHERE organization = ? AND item = ? AND lot = ?",
        *(lot["OrganizationId"], lot["InventoryItemId"], lot["LotNumber"]),
    )
    return int(row["n"]) if row else 0


def _pull_errors(books: Books, orders: dict[int, str]) -> list[dict[str, Any]]:
    rows = books.all(
        "SELECT e.*, m.ItemNumber, m.UOMCode, m.SupplySubinventory, m.MaterialSequenceNumber, m._reservation"
        " FROM pull_error e JOIN work_order_material m ON m.WorkOrderOperationMaterialId = e.material ORDER BY e.id"
    )
    return [
        {
            "id": row["id"],
            "order": orders[row["work_order"]],
            "operation": label(row["operation"]),
            "confirmation": str(row["document"]),
            "movement_type": "MATERIAL_ISSUE",
            "material": row["ItemNumber"],
            "storage_location": row["SupplySubinventory"] or "",
            "batch": "",
            "quantity": quantity_text(row["quantity"]),
            "unit": row["UOMCode"],
            "reservation": row["_reservation"],
            "item": str(row["MaterialSequenceNumber"]),
            "code": row["name"],
            "message": row["text"],
            "at": row["at"],
        }
        for row in rows
        if row["work_order"] in orders
    ]


def _pending(books: Books) -> list[dict[str, Any]]:
    """Staged transactions that are not processed, the ones in error included."""
    return [
        {
            "interface": str(row["TransactionInterfaceId"]),
            "header": str(row["TransactionHeaderId"]),
            "confirmation": row["TransactionReference"] or "",
            "status": row["ProcessStatus"],
            "error": row["ErrorCode"] or "",
        }
        for row in books.all("SELECT * FROM staged_transaction ORDER BY TransactionInterfaceId")
    ]


def _rows(books: Books, table: str, *names: str) -> list[dict[str, Any]]:
    return [{name: row[name] for name in names} for row in books.all(f"SELECT * FROM {table} ORDER BY rowid")]


def _quality(books: Books) -> dict[str, Any]:
    issues = _rows(books, "quality_issue", *("IssueNumber", "Name", "QualityTypeCode", "OrganizationCode", "LotNumber"))
    return {
        "issues": issues,
        "actions": _rows(books, "quality_action", "ActionNumber", "Name", "IssueNumber", "StatusTypeCode"),
        "inspections": _rows(
            books, "inspection_event", *("InspectionEventNumber", "ItemNumber", "LotNumber", "EventDisposition")
        ),
    }


def _maintenance(books: Books) -> dict[str, Any]:
    return {
        "orders": _rows(
            books,
            "maintenance_work_order",
            *("WorkOrderNumber", "WorkOrderDescription", "AssetNumber", "WorkOrderSystemStatusCode"),
            *("PlannedStartDate", "ActualStartDate", "ActualCompletionDate"),
        ),
        "failures": _rows(books, "asset_failure_event", "FailureEventNumber", "AssetNumber", "FailureDate"),
        "events": _rows(books, "operational_event", "entity", "type", "time"),
        "capacity": _capacity(books),
    }


def _capacity(books: Books) -> list[dict[str, Any]]:
    """Resource exceptions, each with the units of its resources."""
    names = ("OrganizationCode", "WorkCenterCode", "StartDate", "EndDate", "ExceptionStartTime", "ExceptionEndTime")
    shown: list[dict[str, Any]] = []
    for row in books.all("SELECT * FROM work_center_resource_exception ORDER BY rowid"):
        units = books.all(
            "SELECT * FROM availability_override WHERE WorkCenterResourceExceptionId = ? ORDER BY rowid",
            row["WorkCenterResourceExceptionId"],
        )
        resources = [{"resource": u["ResourceCode"], "units": quantity_text(u["UnitsAvailable"])} for u in units]
        shown.append({name: row[name] for name in (*names, "Reason")} | {"resources": resources})
    return shown
