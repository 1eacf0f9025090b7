"""A person reports production in Oracle's own screen: the same rules, no API, each entry one transaction."""

from datetime import UTC, datetime
from typing import Any

from simulators.oracle import charges, operations
from simulators.oracle.books import Books
from simulators.oracle.entries import ManualEntry
from simulators.oracle.errors import LineError
from simulators.oracle.posting import LockKey, Posting
from simulators.oracle.values import MICRO, micro


def order_of(books: Books, number: str) -> dict[str, Any]:
    row = books.one("SELECT * FROM work_order WHERE WorkOrderNumber = ?", number)
    if row is None:
        raise LineError("WIE_INVALID_WORK_ORDER", f"The work order {number} is not valid.")
    return row


def lock_key(books: Books, entry: ManualEntry) -> LockKey:
    return order_of(books, entry.order)["WorkOrderId"], int(entry.operation)


def enter(posting: Posting, entry: ManualEntry) -> list[str]:
    """The numbers of the transactions that one entry makes: one for each state that takes a quantity."""
    order, batch = order_of(posting.books, entry.order), posting.books.new_id()
    documents: list[str] = []
    for origin, target, quantity in _moves(entry):
        values = {
            "OrganizationCode": order["OrganizationCode"],
            "WorkOrderNumber": order["WorkOrderNumber"],
            "WoOperationSequenceNumber": int(entry.operation) * MICRO,
            "FromDispatchState": origin,
            "ToDispatchState": target,
            "TransactionQuantity": quantity,
            "TransactionUOMCode": entry.unit,
            "TransactionDate": _date(entry),
            "ReasonCode": entry.reason,
            "TransactionNote": entry.text,
            "ComplSubinventoryCode": entry.storage_location,
            "CompleteOperationFlag": int(entry.final),
        }
        last = not operations.following_exists(posting.books, order["WorkOrderId"], int(entry.operation))
        received = last and "COMPLETE" in (origin, target)
        lots = ((entry.batch, quantity),) if entry.batch and received else ()
        line = operations.OperationLine(values, lots, tuple(entry.serials) if received else ())
        documents.append(str(operations.post(posting, line, "WIE", batch)))
    for slot, usage in entry.activities.items():
        values = {
            "OrganizationCode": order["OrganizationCode"],
            "WorkOrderNumber": order["WorkOrderNumber"],
            "OperationSequenceNumber": int(entry.operation) * MICRO,
            "ResourceSequenceNumber": int(slot) * 10 * MICRO,
            "TransactionTypeCode": charges.CHARGE,
            "TransactionQuantity": micro(usage),
            "TransactionDate": _date(entry),
            "TransactionNote": entry.text,
        }
        documents.append(str(charges.post(posting, values, "WIE", batch)))
    if not documents:
        raise LineError("WIE_INVALID_TRANSACTION_QUANTITY", "Enter a quantity.")
    return documents


def _moves(entry: ManualEntry) -> list[tuple[str, str, int]]:
    if entry.to_state is not None and entry.quantity is not None:
        return [(entry.from_state, entry.to_state, micro(entry.quantity))]
    wanted = (("COMPLETE", entry.yield_), ("SCRAP", entry.scrap), ("REJECT", entry.rework))
    return [("READY", state, micro(quantity)) for state, quantity in wanted if quantity]


def _date(entry: ManualEntry) -> str | None:
    if entry.posting_date is None:
        return None
    return datetime.combine(entry.posting_date, datetime.min.time(), UTC).isoformat()
