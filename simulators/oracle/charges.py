"""resourceTransactions: usage charged to, or taken back from, a resource of an operation."""

from typing import Any

from simulators.oracle.books import Books
from simulators.oracle.errors import LineError
from simulators.oracle.payload import line_values
from simulators.oracle.posting import LockKey, Posting, checked_date
from simulators.oracle.values import MICRO, attributes, now_text
from simulators.oracle.work_orders import find_operation, find_order, refresh, require_status

DETAIL = "ResourceTransactionDetail"
CHARGE, REVERSE = "RESOURCE_CHARGE", "RESOURCE_REVERSE"
LINE = attributes(
    "OrganizationCode:s30 WorkOrderNumber:s120 OperationSequenceNumber:n WoOperationSequenceNumber:n"
    " ResourceSequenceNumber:n ResourceCode:s30 TransactionTypeCode:s30 TransactionQuantity:n"
    " TransactionUnitOfMeasure:s25 TransactionUOMCode:s3 TransactionDate:t ReasonCode:s30 TransactionNote:s4000"
    " EquipmentIdentifier:s80 LaborIdentifier:s30"
)


def read_line(line: dict[str, Any], index: int) -> dict[str, Any]:
    return line_values(line, LINE, f"/{DETAIL}/{index}", frozenset())


def _sequence(values: dict[str, Any]) -> int | None:
    number = values.get("WoOperationSequenceNumber") or values.get("OperationSequenceNumber")
    return None if number is None or number % MICRO else number // MICRO


def lock_key(books: Books, values: dict[str, Any]) -> LockKey | None:
    try:
        order = find_order(books, values.get("OrganizationCode"), values.get("WorkOrderNumber"))
        operation = find_operation(books, order, _sequence(values))
    except LineError:
        return None
    return order["WorkOrderId"], operation["OperationSequenceNumber"]


def post(posting: Posting, values: dict[str, Any], source: str, batch: int) -> int:
    """Books one detail. Raises LineError."""
    books = posting.books
    order = find_order(books, values.get("OrganizationCode"), values.get("WorkOrderNumber"))
    require_status(order, "RELEASED", "COMPLETED")
    operation = find_operation(books, order, _sequence(values))
    kind = values.get("TransactionTypeCode") or ""
    if kind not in (CHARGE, REVERSE):
        text = f"The transaction type {kind or '(none)'} is not valid; valid are {CHARGE}, {REVERSE}."
        raise LineError("WIE_INVALID_TRANSACTION_TYPE", text)
    resource = _resource(books, operation, values)
    quantity = values.get("TransactionQuantity") or 0
    if quantity <= 0:
        raise LineError("WIE_INVALID_TRANSACTION_QUANTITY", "The transaction quantity must be greater than zero.")
    unit = values.get("TransactionUOMCode") or values.get("TransactionUnitOfMeasure") or resource["UOMCode"]
    if unit not in (resource["UOMCode"], resource["UnitOfMeasure"]):
        text = f"The unit of measure {unit} is not valid for resource {resource['ResourceCode']}."
        raise LineError("INV_INVALID_UOM", text)
    usage = resource["ActualResourceUsage"] + (quantity if kind == CHARGE else -quantity)
    if usage < 0:
        text = f"More usage of resource {resource['ResourceCode']} would be reversed than was charged."
        raise LineError("WIE_REVERSAL_EXCEEDS_CHARGE", text)
    date = checked_date(books, values.get("TransactionDate"))
    changes = {"ActualResourceUsage": usage, "LastUpdateDate": now_text()}
    books.update("work_order_resource", changes, WorkOrderOperationResourceId=resource["WorkOrderOperationResourceId"])
    number = books.new_id()
    row = {
        "id": number,
        "kind": "resource",
        "batch": batch,
        "work_order": order["WorkOrderId"],
        "operation": operation["OperationSequenceNumber"],
        "from_state": kind,
        "to_state": "",
        "quantity": quantity,
        "uom": resource["UOMCode"],
        "resource": resource["WorkOrderOperationResourceId"],
        "date": date,
        "reason": values.get("ReasonCode") or "",
        "note": posting.kept(values.get("TransactionNote") or ""),
        "source": source,
        "manual": int(posting.manual),
        "user": posting.user,
        "at": now_text(),
    }
    books.insert("wip_transaction", row | _pair(books, row))
    refresh(books, order["WorkOrderId"], posting.user)
    return number


def _resource(books: Books, operation: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    sequence, code = values.get("ResourceSequenceNumber"), values.get("ResourceCode")
    rows = books.all(
        "SELECT * FROM work_order_resource WHERE WorkOrderOperationId = ? ORDER BY ResourceSequenceNumber",
        operation["WorkOrderOperationId"],
    )
    fitting = [
        row
        for row in rows
        if sequence in (None, row["ResourceSequenceNumber"] * MICRO) and code in (None, row["ResourceCode"])
    ]
    if not fitting or (sequence is None and code is None):
        text = (
            f"The resource {code or sequence or '(none)'} is not assigned to operation"
            f" {operation['OperationSequenceNumber']}."
        )
        raise LineError("WIE_INVALID_RESOURCE", text)
    return fitting[0]


def _pair(books: Books, row: dict[str, Any]) -> dict[str, Any]:
    """The books' own pairing: a reversal meets the latest standing charge of exactly its quantity."""
    if row["from_state"] != REVERSE:
        return {}
    original = books.one(
        "SELECT id FROM wip_transaction WHERE kind = 'resource' AND resource = ? AND from_state = ? AND quantity = ?"
        " AND reversed_by IS NULL ORDER BY id DESC LIMIT 1",
        *(row["resource"], CHARGE, row["quantity"]),
    )
    if original is None:
        return {}
    books.update("wip_transaction", {"reversed_by": row["id"]}, id=original["id"])
    return {"reverses": original["id"]}
