"""Production orders: finding them, upkeep of their statuses and totals.

Confirmations and goods movements change orders only through `refresh`.
"""

from decimal import Decimal
from typing import Any

from simulators.sap.books import Books, later_stamp, stamp
from simulators.sap.edm import PROCESS
from simulators.sap.messages import Refusal

STATUSES = {
    "CRTD": ("I0001", "Created"),
    "REL": ("I0002", "Released"),
    "CNF": ("I0009", "Confirmed"),
    "PCNF": ("I0010", "Partially confirmed"),
    "PDLV": ("I0011", "Partially delivered"),
    "DLV": ("I0012", "Delivered"),
    "PRC": ("I0016", "Pre-costed"),
    "SETC": ("I0028", "Settlement rule created"),
    "LKD": ("I0043", "Locked"),
    "TECO": ("I0045", "Technically complete"),
    "CLSD": ("I0046", "Closed"),
    "DLFL": ("I0076", "Deletion flag"),
    "GMPS": ("I0321", "Goods movement posted"),
}
_FLAGS = {
    "CRTD": "OrderIsCreated",
    "REL": "OrderIsReleased",
    "CNF": "OrderIsConfirmed",
    "PCNF": "OrderIsPartiallyConfirmed",
    "DLV": "OrderIsDelivered",
    "PDLV": "OrderIsPartiallyDelivered",
    "LKD": "OrderIsLocked",
    "TECO": "OrderIsTechnicallyCompleted",
    "CLSD": "OrderIsClosed",
    "DLFL": "OrderIsMarkedForDeletion",
    "PRC": "OrderIsPreCosted",
    "SETC": "SettlementRuleIsCreated",
}
_DERIVED = frozenset({"CNF", "PCNF", "DLV", "PDLV", "GMPS"})


def milli(value: Decimal) -> int:
    return int(value.scaleb(3))


def find_order(books: Books, number: str) -> dict[str, Any]:
    """The production order by its number, with or without leading zeros."""
    row = _any_order(books, number)
    if row is None:
        raise Refusal("CO/017", f"Order {number or '(none given)'} does not exist", target="OrderID")
    _refuse_process(row)
    return row


def _any_order(books: Books, number: str) -> dict[str, Any] | None:
    return books.one("SELECT * FROM production_order WHERE ManufacturingOrder IN (?, ?)", number, number.lstrip("0"))


def refuse_process_order(books: Books, number: str) -> None:
    """Transactions of production orders know a process order by name only, to refuse it."""
    if row := _any_order(books, number):
        _refuse_process(row)


def _refuse_process(row: dict[str, Any]) -> None:
    if row["ManufacturingOrderCategory"] == PROCESS:
        text = f"Order {row['ManufacturingOrder']} is a process order (category {PROCESS}), not a production order"
        raise Refusal("CO/151", text, target="ManufacturingOrder")


def operations_of(books: Books, order: str) -> list[dict[str, Any]]:
    return books.all(
        "SELECT * FROM production_operation WHERE ManufacturingOrder = ?"
        " ORDER BY CAST(ManufacturingOrderSequence AS INTEGER), ManufacturingOrderOperation",
        order,
    )


def control_profile(books: Books, operation: dict[str, Any]) -> tuple[str, bool]:
    """How the operation is confirmed, and whether its confirmation posts the goods receipt."""
    row = books.one(
        "SELECT * FROM control_profile WHERE profile = ? AND plant IN (?, '') ORDER BY plant DESC LIMIT 1",
        operation["OperationControlProfile"],
        operation["ProductionPlant"],
    )
    if row is None:
        raise Refusal("CO/101", f"Control profile {operation['OperationControlProfile']} is not maintained")
    return row["confirmation"], bool(row["automatic_receipt"])


def statuses(books: Books, order: str) -> set[str]:
    rows = books.all("SELECT StatusShortName FROM order_status WHERE ManufacturingOrder = ?", order)
    return {row["StatusShortName"] for row in rows}


def require_status(books: Books, order: str, *, forbidden: tuple[str, ...]) -> None:
    """REL must be there and none of the forbidden; the message is the status management's own."""
    active = statuses(books, order)
    blocking = next((name for name in forbidden if name in active), None)
    if blocking is None and "REL" not in active:
        blocking = "CRTD"
    if blocking:
        raise Refusal("BS/013", f"System status {blocking} is active (ORD {order})", target="OrderID")


def set_statuses(books: Books, order: str, names: set[str]) -> None:
    """Writes the status set, the header's flags, and the flags that operations share with the header.

    Another set of statuses is a change of the order and moves its stamp; the same one never moves it back.
    """
    before = statuses(books, order)
    header = _any_order(books, order)
    earlier = header["LastChangeDateTime"] if header else ""
    moment = max(stamp(), earlier) if names == before else later_stamp(earlier)
    books.execute("DELETE FROM order_status WHERE ManufacturingOrder = ?", order)
    for name in sorted(names):
        code, text = STATUSES[name]
        row = {"ManufacturingOrder": order, "StatusCode": code, "StatusShortName": name, "StatusName": text}
        books.insert("order_status", row)
    flags: dict[str, Any] = {column: "X" if name in names else "" for name, column in _FLAGS.items()}
    books.update("production_order", flags | {"LastChangeDateTime": moment}, ManufacturingOrder=order)
    shared = {
        "OperationIsCreated": "X" if "CRTD" in names else "",
        "OperationIsReleased": "X" if "REL" in names else "",
        "OperationIsTechlyCompleted": "X" if "TECO" in names else "",
        "OperationIsClosed": "X" if "CLSD" in names else "",
    }
    books.update("production_operation", shared, ManufacturingOrder=order)


def refresh(books: Books, order: str) -> None:
    """Recomputes confirmed and delivered statuses and the header's yield from operations and items."""
    names = statuses(books, order) - _DERIVED
    confirmable: list[dict[str, Any]] = []
    for operation in operations_of(books, order):
        final, touched = bool(operation["_final"]), operation["_confirmations"] > 0
        flags = {
            "OperationIsConfirmed": "X" if final else "",
            "OperationIsPartiallyConfirmed": "X" if touched and not final else "",
        }
        books.update(
            "production_operation",
            flags,
            OrderInternalBillOfOperations=operation["OrderInternalBillOfOperations"],
            OrderIntBillOfOperationsItem=operation["OrderIntBillOfOperationsItem"],
        )
        if control_profile(books, operation)[0] not in ("none", "external"):
            confirmable.append(operation)
    if confirmable and all(operation["_final"] for operation in confirmable):
        names.add("CNF")
    elif any(operation["_confirmations"] for operation in confirmable):
        names.add("PCNF")
    names |= _delivery_status(books, order)
    if books.one("SELECT 1 FROM material_document_item WHERE ManufacturingOrder = ? LIMIT 1", order):
        names.add("GMPS")
    set_statuses(books, order, names)
    main = [operation for operation in confirmable if operation["ManufacturingOrderSequence"] == "0"] or confirmable
    if main:
        total = main[-1]["OpTotalConfirmedYieldQty"]
        books.update("production_order", {"MfgOrderConfirmedYieldQty": total}, ManufacturingOrder=order)


def _delivery_status(books: Books, order: str) -> set[str]:
    header = _any_order(books, order) or {"_under": 0}
    items = books.all("SELECT * FROM order_item WHERE ManufacturingOrder = ?", order)
    delivered = True
    for item in items:
        needed = item["MfgOrderItemPlannedTotalQty"] * (100_000 - header["_under"])
        enough = item["MfgOrderItemGoodsReceiptQty"] * 100_000 >= needed and item["MfgOrderItemGoodsReceiptQty"] > 0
        delivered = delivered and (enough or bool(item["IsCompletelyDelivered"]))
    if items and delivered:
        return {"DLV"}
    return {"PDLV"} if any(item["MfgOrderItemGoodsReceiptQty"] > 0 for item in items) else set()
