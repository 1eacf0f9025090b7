"""`GET /_control/books`: what this Oracle believes, for judges; docs/simulators-oracle.md shows the shape.

The keys are those of the simulated SAP's books wherever the meaning is the same.
"""

import json
import re
from typing import Any

from simulators.oracle.books import ACTIVE, Books
from simulators.oracle.pull import received
from simulators.oracle.values import quantity_text
from simulators.oracle.work_orders import operations_of

_STATES = {"COMPLETE": "yield", "SCRAP": "scrap", "REJECT": "rework"}
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def books_report(books: Books, order: str | None = None) -> dict[str, Any]:
    """All books, or those of one order (by number)."""
    where, values = ("WHERE WorkOrderNumber = ?", (order,)) if order else ("", ())
    headers = books.all(f"SELECT * FROM work_order {where} ORDER BY rowid", *values)
    numbers = {row["WorkOrderId"]: row["WorkOrderNumber"] for row in headers}
    documents = _Documents(books, numbers, everything=order is None)
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


def label(sequence: int | None) -> str:
    """Operation 10 is written as the SAP's books write it: 0010."""
    return "" if sequence is None else f"{sequence:04d}"


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


class _Documents:
    """Operation and resource transactions, and every inventory transaction, in the order in which they were booked."""

    def __init__(self, books: Books, orders: dict[int, str], *, everything: bool) -> None:
        self._books = books
        self._orders = orders
        self._everything = everything
        self._lots: dict[int, list[dict[str, Any]]] = {}
        for lot in books.all("SELECT * FROM inventory_transaction_lot ORDER BY TransactionLotId"):
            self._lots.setdefault(lot["TransactionId"], []).append(lot)

    def report(self) -> list[dict[str, Any]]:
        inventory = self._books.all("SELECT * FROM inventory_transaction WHERE _type <> '' ORDER BY TransactionId")
        movements: dict[int, list[dict[str, Any]]] = {}
        shown: list[tuple[int, dict[str, Any]]] = []
        for row in inventory:
            if not self._everything and row["_work_order"] not in self._orders:
                continue
            lines = self._movements(row)
            if row["_document"]:
                movements.setdefault(row["_document"], []).extend(lines)
            shown.append((row["TransactionId"], self._inventory(row, lines)))
        for row in self._books.all("SELECT * FROM wip_transaction ORDER BY id"):
            if row["work_order"] in self._orders:
                build = self._confirmation if row["kind"] == "operation" else self._charge
                shown.append((row["id"], build(row) | {"goods_movements": movements.get(row["id"], [])}))
        return [document for _, document in sorted(shown, key=lambda pair: pair[0])]

    def _head(self, row: dict[str, Any], kind: str) -> dict[str, Any]:
        return {
            "kind": kind,
            "id": str(row["id"]),
            "order": self._orders[row["work_order"]],
            "operation": label(row["operation"]),
            "unit": row["uom"],
            "key": _key(row["note"]),
            "text": row["note"],
            "reason": row["reason"],
            "final": bool(row["complete"]),
            "reversed": row["reversed_by"] is not None,
            "reversal": row["to_state"] == "READY" or row["from_state"] == "RESOURCE_REVERSE",
            "reverses": None if row["reverses"] is None else str(row["reverses"]),
            "manual": bool(row["manual"]),
            "automatic_of": None,
            "batch_call": str(row["batch"]),
            "source_system": row["source"],
            "posting_date": row["date"][:10],
            "user": row["user"],
            "at": row["at"],
        }

    def _confirmation(self, row: dict[str, Any]) -> dict[str, Any]:
        amounts = dict.fromkeys(_STATES.values(), 0)
        for state, sign in ((row["from_state"], -1), (row["to_state"], 1)):
            if state in _STATES:
                amounts[_STATES[state]] += sign * row["quantity"]
        shown = {name: quantity_text(amount) for name, amount in amounts.items()}
        states = {"from_state": row["from_state"], "to_state": row["to_state"]}
        return self._head(row, "confirmation") | shown | states | {"activities": {}}

    def _charge(self, row: dict[str, Any]) -> dict[str, Any]:
        resource = self._books.one(
            "SELECT * FROM work_order_resource WHERE WorkOrderOperationResourceId = ?", row["resource"]
        )
        slot = str(resource["ResourceSequenceNumber"] // 10) if resource else ""
        sign = -1 if row["from_state"] == "RESOURCE_REVERSE" else 1
        charged = {"activities": {slot: quantity_text(sign * row["quantity"])}}
        return self._head(row, "resource_transaction") | charged

    def _inventory(self, row: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "kind": "material_document",
            "id": str(row["TransactionId"]),
            "order": self._orders.get(row["_work_order"], ""),
            "operation": label(row["_operation"]),
            "confirmation": str(row["_document"]) if row["_document"] else None,
            "type": row["_type"],
            "key": _key(row["SourceReference"]) or _key(row["Reference"]) or _key(row["_text"]),
            "reference": row["Reference"] or "",
            "source_reference": row["SourceReference"] or "",
            "text": row["_text"],
            "reversed": bool(row["_cancelled"]),
            "reversal": row["_type"] in ("MATERIAL_RETURN", "PRODUCT_RETURN"),
            "reverses": None if row["_reverses"] is None else str(row["_reverses"]),
            "manual": bool(row["_manual"]),
            "posting_date": row["TransactionDate"][:10],
            "user": row["CreatedBy"],
            "at": row["CreationDate"],
            "goods_movements": lines,
        }

    def _movements(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        lots = [(lot["LotNumber"], lot["TransactionQuantity"]) for lot in self._lots.get(row["TransactionId"], [])]
        reservation = self._books.one(
            "SELECT * FROM work_order_material WHERE WorkOrderOperationMaterialId = ?", row["_material"]
        )
        return [
            {
                "material_document": str(row["TransactionId"]),
                "item": str(index + 1),
                "movement_type": row["_type"],
                "material": row["Item"],
                "plant": row["Organization"],
                "storage_location": row["SubinventoryCode"],
                "to_storage_location": row["TransferSubinventoryCode"] or "",
                "locator": row["Locator"] or "",
                "batch": lot,
                "serials": json.loads(row["_serials"]),
                "quantity": quantity_text(abs(quantity)),
                "unit": row["TransactionUOM"],
                "order": self._orders.get(row["_work_order"], ""),
                "reservation": reservation["_reservation"] if reservation else "",
                "reservation_item": str(reservation["MaterialSequenceNumber"]) if reservation else "",
                "reason": row["Reason"] or "",
                "cost_centre": row["AccountCombination"] or "",
                "cancelled": bool(row["_cancelled"]),
            }
            for index, (lot, quantity) in enumerate(lots or [("", row["TransactionQuantity"])])
        ]


def _key(text: str | None) -> str | None:
    """The first UUID in a client's reference, so that a judge can look for a posting's key."""
    found = _UUID.search(text or "")
    return found.group(0) if found else None


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
            *("WorkOrderNumber", "AssetNumber", "WorkOrderSystemStatusCode", "ActualStartDate", "ActualCompletionDate"),
        ),
        "failures": _rows(books, "asset_failure_event", "FailureEventNumber", "AssetNumber", "FailureDate"),
        "events": _rows(books, "operational_event", "entity", "type", "time"),
        "capacity": _rows(
            books,
            "work_center_resource_exception",
            "OrganizationCode",
            "WorkCenterCode",
            "StartDate",
            "EndDate",
            "Reason",
        ),
    }
