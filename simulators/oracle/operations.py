"""operationTransactions: quantity moves between the dispatch states of one operation, and what follows from them.

No reference is checked for uniqueness, and nothing of a transaction can be read back through the API.
"""

from dataclasses import dataclass
from typing import Any

from simulators.oracle import materials, pull
from simulators.oracle.books import Books
from simulators.oracle.errors import LineError
from simulators.oracle.payload import line_values, lots_and_serials
from simulators.oracle.posting import LockKey, Posting, checked_date
from simulators.oracle.stock import check_unit, find_item
from simulators.oracle.values import MICRO, attributes, now_text, quantity_text
from simulators.oracle.work_orders import find_operation, find_order, refresh, require_status

DETAIL = "OperationTransactionDetail"
LINE = attributes(
    "OrganizationCode:s30 WorkOrderNumber:s120 WoOperationSequenceNumber:n TransactionQuantity:n"
    " TransactionUnitOfMeasure:s25 TransactionUOMCode:s3 TransactionDate:t FromDispatchState:s30 ToDispatchState:s30"
    " ComplSubinventoryCode:s18 CompletionLocator:s800 ReasonCode:s30 TransactionNote:s4000 CompleteOperationFlag:b"
    " InspectionEventId:i ExternalSystemPackingUnit:s150 CountryOfOriginCode:s2"
)
_CHILDREN = frozenset({"TransactionLot", "TransactionSerial", materials.DETAIL})
_COLUMN = {
    "READY": "ReadyQuantity",
    "COMPLETE": "CompletedQuantity",
    "REJECT": "RejectedQuantity",
    "SCRAP": "ScrappedQuantity",
}


@dataclass(frozen=True)
class OperationLine:
    """One detail of a batch, its shape already checked."""

    values: dict[str, Any]
    lots: tuple[tuple[str, int], ...]
    serials: tuple[str, ...]
    components: tuple[materials.MaterialLine, ...] = ()

    @property
    def sequence(self) -> int | None:
        number = self.values.get("WoOperationSequenceNumber")
        return None if number is None or number % MICRO else number // MICRO


def read_line(line: dict[str, Any], index: int) -> OperationLine:
    path = f"/{DETAIL}/{index}"
    lots, serials = lots_and_serials(line, path)
    components = tuple(
        materials.read_line(component, number) for number, component in enumerate(line.get(materials.DETAIL) or [])
    )
    return OperationLine(line_values(line, LINE, path, _CHILDREN), lots, serials, components)


def lock_key(books: Books, line: OperationLine) -> LockKey | None:
    try:
        order = find_order(books, line.values.get("OrganizationCode"), line.values.get("WorkOrderNumber"))
        find_operation(books, order, line.sequence)
    except LineError:
        return None
    return order["WorkOrderId"], line.sequence


def post(posting: Posting, line: OperationLine, source: str, batch: int) -> int:
    """Books one detail; the number of its transaction, which the API never tells. Raises LineError."""
    books, values = posting.books, line.values
    order = find_order(books, values.get("OrganizationCode"), values.get("WorkOrderNumber"))
    origin, target = _states(values)
    backwards = target == "READY"
    require_status(order, "RELEASED", *(("COMPLETED",) if backwards else ()))
    before = find_operation(books, order, line.sequence)
    quantity = values.get("TransactionQuantity") or 0
    if quantity <= 0:
        raise LineError("WIE_INVALID_TRANSACTION_QUANTITY", "The transaction quantity must be greater than zero.")
    item = find_item(books, item_id=order["InventoryItemId"])
    check_unit(books, item, values.get("TransactionUnitOfMeasure"), values.get("TransactionUOMCode"))
    date = checked_date(books, values.get("TransactionDate"))
    following = _following(books, before)
    _check_available(books, order, before, following, origin, target, quantity)
    document = _insert(posting, order, before, values, batch, source, date)
    after = _move(
        books, before, following, origin, target, quantity, complete=bool(values.get("CompleteOperationFlag"))
    )
    pull.follow(posting, order, before, after, document, date)
    if following is None:
        _into_or_out_of_stock(posting, order, before, after, line, document, date)
    elif line.lots or line.serials:
        raise LineError("WIE_LOTS_AT_LAST_OPERATION", "Lots and serials belong to the last operation.")
    for component in line.components:
        materials.post(posting, component, default=(order, before), document=document)
    refresh(books, order["WorkOrderId"], posting.user)
    return document


def _states(values: dict[str, Any]) -> tuple[str, str]:
    origin, target = values.get("FromDispatchState") or "", values.get("ToDispatchState") or ""
    for state in (origin, target):
        if state not in _COLUMN:
            text = f"The dispatch state {state or '(none)'} is not valid; valid are {', '.join(_COLUMN)}."
            raise LineError("WIE_INVALID_DISPATCH_STATE", text)
    if origin == target:
        raise LineError("WIE_INVALID_DISPATCH_STATE", f"The quantity is in dispatch state {origin} already.")
    return origin, target


def _following(books: Books, operation: dict[str, Any]) -> dict[str, Any] | None:
    return books.one(
        "SELECT * FROM work_order_operation WHERE WorkOrderId = ? AND OperationSequenceNumber > ?"
        " ORDER BY OperationSequenceNumber LIMIT 1",
        *(operation["WorkOrderId"], operation["OperationSequenceNumber"]),
    )


def _check_available(
    books: Books,
    order: dict[str, Any],
    operation: dict[str, Any],
    following: dict[str, Any] | None,
    origin: str,
    target: str,
    quantity: int,
) -> None:
    available = operation[_COLUMN[origin]]
    if origin == "COMPLETE" and following is not None:
        available = min(available, following["ReadyQuantity"])
    if origin == "READY" and target == "COMPLETE" and _is_first(books, operation):
        available += _allowance(books, order, operation)
    if quantity > available:
        text = (
            f"The transaction quantity {quantity_text(quantity)} exceeds the quantity {quantity_text(available)}"
            f" available in dispatch state {origin} of operation {operation['OperationSequenceNumber']}."
        )
        raise LineError("WIE_QUANTITY_EXCEEDS_AVAILABLE", text)


def _is_first(books: Books, operation: dict[str, Any]) -> bool:
    earlier = "SELECT 1 FROM work_order_operation WHERE WorkOrderId = ? AND OperationSequenceNumber < ?"
    return books.one(earlier, operation["WorkOrderId"], operation["OperationSequenceNumber"]) is None


def _allowance(books: Books, order: dict[str, Any], operation: dict[str, Any]) -> int:
    """With the setting `overcompletion` the first operation may complete more than planned, up to the tolerance."""
    if not books.setting("overcompletion"):
        return 0
    most = (
        operation["PlannedQuantity"] * (100 * MICRO + (order["OvercompletionTolerancePercent"] or 0)) // (100 * MICRO)
    )
    return max(0, most - pull.processed(operation) - operation["ReadyQuantity"])


def _move(
    books: Books,
    operation: dict[str, Any],
    following: dict[str, Any] | None,
    origin: str,
    target: str,
    quantity: int,
    *,
    complete: bool,
) -> dict[str, Any]:
    """The operation after the move; what it completes the next one has READY."""
    at = now_text()
    after = operation | {_COLUMN[target]: operation[_COLUMN[target]] + quantity}
    after[_COLUMN[origin]] = max(0, operation[_COLUMN[origin]] - quantity)
    changes = {column: after[column] for column in _COLUMN.values()}
    changes |= {"LastUpdateDate": at, "_final": int(complete or (bool(operation["_final"]) and target != "READY"))}
    if operation["ActualStartDate"] is None:
        changes["ActualStartDate"] = at
    done = pull.processed(after) >= operation["PlannedQuantity"]
    changes["ActualCompletionDate"] = (operation["ActualCompletionDate"] or at) if done or complete else None
    books.update("work_order_operation", changes, WorkOrderOperationId=operation["WorkOrderOperationId"])
    passed_on = after["CompletedQuantity"] - operation["CompletedQuantity"]
    if following is not None and passed_on:
        ready = following["ReadyQuantity"] + passed_on
        books.update(
            "work_order_operation",
            {"ReadyQuantity": ready, "LastUpdateDate": at},
            WorkOrderOperationId=following["WorkOrderOperationId"],
        )
    return after


def _into_or_out_of_stock(
    posting: Posting,
    order: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
    line: OperationLine,
    document: int,
    date: str,
) -> None:
    """Without any completion subinventory the product waits at the operation for a PRODUCT_COMPLETION."""
    change = after["CompletedQuantity"] - before["CompletedQuantity"]
    place = line.values.get("ComplSubinventoryCode") or order["ComplSubinventoryCode"] or ""
    move = {
        "subinventory": place,
        "locator": line.values.get("CompletionLocator") or order["CompletionLocator"] or "",
        "date": date,
        "document": document,
        "lots": line.lots,
        "serials": line.serials,
    }
    if change > 0 and place:
        pull.receive(posting, order, "PRODUCT_COMPLETION", change, move)
    elif change < 0:
        back = pull.received(posting.books, order) - after["CompletedQuantity"]
        if back > 0:
            pull.receive(posting, order, "PRODUCT_RETURN", back, move)


def _insert(
    posting: Posting,
    order: dict[str, Any],
    operation: dict[str, Any],
    values: dict[str, Any],
    batch: int,
    source: str,
    date: str,
) -> int:
    books, number = posting.books, posting.books.new_id()
    origin, target = values["FromDispatchState"], values["ToDispatchState"]
    original = _original(books, operation, origin, target, values["TransactionQuantity"])
    row = {
        "id": number,
        "kind": "operation",
        "batch": batch,
        "work_order": order["WorkOrderId"],
        "operation": operation["OperationSequenceNumber"],
        "from_state": origin,
        "to_state": target,
        "quantity": values["TransactionQuantity"],
        "uom": order["UOMCode"],
        "date": date,
        "reason": values.get("ReasonCode") or "",
        "note": posting.kept(values.get("TransactionNote") or ""),
        "source": source,
        "complete": int(bool(values.get("CompleteOperationFlag"))),
        "manual": int(posting.manual),
        "user": posting.user,
        "at": now_text(),
        "reverses": original,
    }
    books.insert("wip_transaction", row)
    if original is not None:
        books.update("wip_transaction", {"reversed_by": number}, id=original)
    return number


def _original(books: Books, operation: dict[str, Any], origin: str, target: str, quantity: int) -> int | None:
    """The books' own pairing: the latest standing move of exactly this quantity, the other way round."""
    if origin == "READY":
        return None
    row = books.one(
        "SELECT id FROM wip_transaction WHERE kind = 'operation' AND work_order = ? AND operation = ?"
        " AND from_state = ? AND to_state = ? AND quantity = ? AND reversed_by IS NULL AND reverses IS NULL"
        " ORDER BY id DESC LIMIT 1",
        *(operation["WorkOrderId"], operation["OperationSequenceNumber"], target, origin, quantity),
    )
    return row["id"] if row else None


def following_exists(books: Books, order: int, sequence: int) -> bool:
    later = "SELECT 1 FROM work_order_operation WHERE WorkOrderId = ? AND OperationSequenceNumber > ?"
    return books.one(later, order, sequence) is not None
