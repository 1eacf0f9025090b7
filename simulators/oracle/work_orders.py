"""Work orders: finding them, their statuses and transitions, and the totals that transactions leave on them."""

from typing import Any

from simulators.oracle.books import Books
from simulators.oracle.errors import BAD_REQUEST, LineError, Refusal
from simulators.oracle.values import now_text

TRANSITIONS = {
    "UNRELEASED": ("RELEASED", "ON_HOLD", "CANCELED"),
    "RELEASED": ("UNRELEASED", "ON_HOLD", "COMPLETED", "CLOSED", "CANCELED"),
    "ON_HOLD": ("UNRELEASED", "RELEASED", "COMPLETED", "CLOSED", "CANCELED"),
    "COMPLETED": ("RELEASED", "ON_HOLD", "CLOSED"),
    "CANCELED": ("RELEASED", "CLOSED"),
    "CLOSED": (),
}


def find_order(books: Books, organization: Any, number: Any) -> dict[str, Any]:
    """The work order of a line; raises LineError when organization or number are unknown."""
    known = books.one("SELECT * FROM organization WHERE OrganizationCode = ?", str(organization or ""))
    if known is None:
        raise LineError("WIE_INVALID_ORGANIZATION", f"The organization {organization or '(none)'} is not valid.")
    row = books.one(
        "SELECT * FROM work_order WHERE OrganizationId = ? AND WorkOrderNumber = ?",
        known["OrganizationId"],
        str(number or ""),
    )
    if row is None:
        raise LineError("WIE_INVALID_WORK_ORDER", f"The work order {number or '(none)'} is not valid.")
    return row


def find_operation(books: Books, order: dict[str, Any], sequence: Any) -> dict[str, Any]:
    try:
        wanted = int(sequence)
    except (TypeError, ValueError, ArithmeticError):
        wanted = -1
    row = books.one(
        "SELECT * FROM work_order_operation WHERE WorkOrderId = ? AND OperationSequenceNumber = ?",
        order["WorkOrderId"],
        wanted,
    )
    if row is None:
        text = f"The operation {sequence} does not exist in work order {order['WorkOrderNumber']}."
        raise LineError("WIE_INVALID_OPERATION", text)
    return row


def operations_of(books: Books, order: int) -> list[dict[str, Any]]:
    return books.all("SELECT * FROM work_order_operation WHERE WorkOrderId = ? ORDER BY OperationSequenceNumber", order)


def require_status(order: dict[str, Any], *allowed: str) -> None:
    if order["WorkOrderSystemStatusCode"] not in allowed:
        text = (
            f"Transactions are not allowed for work order {order['WorkOrderNumber']} in status"
            f" {order['WorkOrderStatusName']}."
        )
        raise LineError("WIE_INVALID_WORK_ORDER_STATUS", text)


def status_row(books: Books, *, code: Any = None, number: Any = None) -> dict[str, Any]:
    column, value = ("WoStatusId", number) if number is not None else ("WoStatusCode", code)
    row = books.one(f"SELECT * FROM work_order_status WHERE {column} = ?", value)
    if row is None:
        raise Refusal(BAD_REQUEST, f"The work order status {value} is not valid", path="/WorkOrderStatusCode")
    return row


def status_columns(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "WorkOrderStatusId": row["WoStatusId"],
        "WorkOrderStatusCode": row["WoStatusCode"],
        "WorkOrderStatusName": row["WoStatusName"],
        "WorkOrderSystemStatusCode": row["WoSystemStatusCode"],
    }


def set_status(books: Books, order: dict[str, Any], wanted: dict[str, Any], user: str) -> None:
    """Changes the status where the transition is allowed; a released order offers its first operation's quantity."""
    before, after = order["WorkOrderSystemStatusCode"], wanted["WoSystemStatusCode"]
    if before == after and order["WorkOrderStatusCode"] == wanted["WoStatusCode"]:
        return
    if before != after and after not in TRANSITIONS[before]:
        text = f"Work order {order['WorkOrderNumber']} cannot change from {order['WorkOrderStatusName']} to "
        raise Refusal("WIE_INVALID_STATUS_CHANGE", text + wanted["WoStatusName"], path="/WorkOrderStatusCode")
    if after == "UNRELEASED" and has_transactions(books, order["WorkOrderId"]):
        text = f"Work order {order['WorkOrderNumber']} has transactions and cannot be unreleased"
        raise Refusal("WIE_INVALID_STATUS_CHANGE", text, path="/WorkOrderStatusCode")
    changes: dict[str, Any] = status_columns(wanted) | {"LastUpdateDate": now_text(), "LastUpdatedBy": user}
    if after == "COMPLETED":
        changes["ActualCompletionDate"] = now_text()
    if after == "RELEASED":
        changes["ActualCompletionDate"] = None
    books.update("work_order", changes, WorkOrderId=order["WorkOrderId"])
    offer_first_operation(books, order["WorkOrderId"], ready=after != "UNRELEASED")


def offer_first_operation(books: Books, order: int, *, ready: bool) -> None:
    """READY at the first operation is what nobody has moved yet; an unreleased order offers nothing."""
    first = operations_of(books, order)[0]
    if has_transactions(books, order):
        return
    changes = {"ReadyQuantity": first["PlannedQuantity"] if ready else 0, "LastUpdateDate": now_text()}
    books.update("work_order_operation", changes, WorkOrderOperationId=first["WorkOrderOperationId"])


def has_transactions(books: Books, order: int) -> bool:
    if books.one("SELECT 1 FROM wip_transaction WHERE work_order = ? LIMIT 1", order):
        return True
    return books.one("SELECT 1 FROM inventory_transaction WHERE _work_order = ? LIMIT 1", order) is not None


def refresh(books: Books, order: int, user: str) -> None:
    """The header's totals from its operations; with `auto_complete` the status follows the quantity."""
    rows = operations_of(books, order)
    header = books.one("SELECT * FROM work_order WHERE WorkOrderId = ?", order)
    if header is None:
        return
    changes: dict[str, Any] = {
        "CompletedQuantity": rows[-1]["CompletedQuantity"],
        "ScrappedQuantity": sum(row["ScrappedQuantity"] for row in rows),
        "RejectedQuantity": sum(row["RejectedQuantity"] for row in rows),
        "LastUpdateDate": now_text(),
        "LastUpdatedBy": user,
    }
    if header["ActualStartDate"] is None:
        changes["ActualStartDate"] = now_text()
    books.update("work_order", changes, WorkOrderId=order)
    if not books.setting("auto_complete"):
        return
    done = changes["CompletedQuantity"] >= header["PlannedStartQuantity"]
    if done and header["WorkOrderSystemStatusCode"] == "RELEASED":
        set_status(books, header, status_row(books, code="ORA_COMPLETED"), user)
    elif not done and header["WorkOrderSystemStatusCode"] == "COMPLETED":
        set_status(books, header, status_row(books, code="ORA_RELEASED"), user)


def patch_order(books: Books, order: dict[str, Any], changes: dict[str, Any], user: str) -> None:
    """PATCH workOrders/{id}; `changes` are stored values by attribute name."""
    changes = dict(changes)
    number, code = changes.pop("WorkOrderStatusId", None), changes.pop("WorkOrderStatusCode", None)
    if changes:
        if order["WorkOrderSystemStatusCode"] in ("CLOSED", "CANCELED"):
            text = f"Work order {order['WorkOrderNumber']} in status {order['WorkOrderStatusName']} cannot be changed"
            raise Refusal("WIE_INVALID_WORK_ORDER_STATUS", text)
        stamp = {"LastUpdateDate": now_text(), "LastUpdatedBy": user}
        books.update("work_order", changes | stamp, WorkOrderId=order["WorkOrderId"])
    if code is not None or number is not None:
        set_status(books, order, status_row(books, code=code, number=number if code is None else None), user)
