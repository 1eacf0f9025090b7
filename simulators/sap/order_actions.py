"""The order function imports of API_PRODUCTION_ORDER_2_SRV: each answers a FunctionMessage, refusals included.

A business refusal is HTTP 200 with SystemMessageType "E", as the original's contract allows; nothing is changed then.
"""

from typing import Any

from simulators.sap.books import Books, today_ms
from simulators.sap.orders import find_order, refresh, set_statuses, statuses


def message(kind: str, number: str, text: str, order: str) -> dict[str, Any]:
    """The complex type FunctionMessage."""
    return {
        "__metadata": {"type": "API_PRODUCTION_ORDER_2_SRV.FunctionMessage"},
        "SystemMessageType": kind,
        "SystemMessageIdentification": "CO",
        "SystemMessageNumber": number,
        "SystemMessageVariable1": order,
        "SystemMessageVariable2": "",
        "SystemMessageVariable3": "",
        "SystemMessageVariable4": "",
        "SystemMessageLongText": text,
    }


def _refused(order: str, text: str) -> dict[str, Any]:
    return message("E", "688", text, order)


def release(books: Books, order: str) -> dict[str, Any]:
    active = statuses(books, order)
    if blocking := {"REL", "TECO", "CLSD", "DLFL", "LKD"} & active:
        return _refused(order, f"Order {order}: release is not allowed, status {sorted(blocking)[0]} is active")
    books.update("production_order", {"MfgOrderActualReleaseDate": today_ms()}, ManufacturingOrder=order)
    set_statuses(books, order, (active - {"CRTD"}) | {"REL"})
    return message("S", "691", f"Release carried out for order {order}", order)


def complete_technically(books: Books, order: str) -> dict[str, Any]:
    active = statuses(books, order)
    if "REL" not in active or {"TECO", "CLSD", "DLFL", "LKD"} & active:
        return _refused(order, f"Order {order}: technical completion is not allowed, status {_line(active)}")
    set_statuses(books, order, active | {"TECO"})
    return message("S", "694", f"Order {order} is technically complete", order)


def close(books: Books, order: str) -> dict[str, Any]:
    active = statuses(books, order)
    if not {"TECO", "DLV"} & active or {"CLSD", "LKD"} & active:
        return _refused(order, f"Order {order}: closing is not allowed, status {_line(active)}")
    if books.one("SELECT 1 FROM cogi WHERE order_id = ?", order):
        return _refused(order, f"Order {order}: closing is not allowed, goods movements with errors exist (COGI)")
    set_statuses(books, order, active | {"CLSD"})
    return message("S", "696", f"Order {order} is closed", order)


def complete_delivery(books: Books, order: str) -> dict[str, Any]:
    active = statuses(books, order)
    if "REL" not in active or {"CLSD", "DLFL", "LKD"} & active:
        return _refused(order, f"Order {order}: completing the delivery is not allowed, status {_line(active)}")
    books.update("order_item", {"IsCompletelyDelivered": 1}, ManufacturingOrder=order)
    refresh(books, order)
    return message("S", "697", f"Delivery of order {order} is complete", order)


def flag_for_deletion(books: Books, order: str) -> dict[str, Any]:
    active = statuses(books, order)
    if "DLFL" in active:
        return _refused(order, f"Order {order} has its deletion flag already")
    set_statuses(books, order, active | {"DLFL"})
    return message("S", "698", f"Deletion flag is set for order {order}", order)


def released_by_mes(books: Books, order: str) -> dict[str, Any]:
    if "REL" not in statuses(books, order):
        return _refused(order, f"Order {order} is not released")
    return message("S", "699", f"Order {order} is with the execution system", order)


def _line(active: set[str]) -> str:
    return " ".join(sorted(active))


ACTIONS = {
    "ReleaseOrder": release,
    "TechlyCmpltOrder": complete_technically,
    "CloseOrder": close,
    "DeliveryCompletedOrder": complete_delivery,
    "DeletionFlagOrder": flag_for_deletion,
    "OrderReleasedByMES": released_by_mes,
}


def run(books: Books, name: str, order: str) -> dict[str, Any]:
    number = find_order(books, order)["ManufacturingOrder"]
    return ACTIONS[name](books, number)
