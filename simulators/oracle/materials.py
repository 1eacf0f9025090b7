"""materialTransactions: issues and returns of components, completions and returns of the product; lots and serials.

Each line answers its InvTransactionId, the only handle by which it can be read back (inventoryCompletedTransactions).
"""

from dataclasses import dataclass
from typing import Any

from simulators.oracle import pull, stock
from simulators.oracle.books import Books
from simulators.oracle.errors import LineError
from simulators.oracle.payload import line_values, lots_and_serials
from simulators.oracle.posting import LockKey, Posting, checked_date
from simulators.oracle.values import MICRO, attributes, now_text, quantity_text
from simulators.oracle.work_orders import find_operation, find_order, operations_of, refresh, require_status

DETAIL = "MaterialTransactionDetail"
LINE = attributes(
    "OrganizationCode:s30 WorkOrderNumber:s120 WoOperationSequenceNumber:n MaterialSequenceNumber:n"
    " InventoryItemNumber:s300 TransactionTypeCode:s30 OutputTypeCode:s30 TransactionQuantity:n"
    " TransactionUnitOfMeasure:s25 TransactionUOMCode:s3 TransactionDate:t SubinventoryCode:s18 Locator:s800"
    " ReasonCode:s30 TransactionNote:s4000"
)
_CHILDREN = frozenset({"TransactionLot", "TransactionSerial"})
_COMPONENT = ("MATERIAL_ISSUE", "MATERIAL_RETURN")
_PRODUCT = ("PRODUCT_COMPLETION", "PRODUCT_RETURN")


@dataclass(frozen=True)
class MaterialLine:
    """One detail of a batch, its shape already checked."""

    values: dict[str, Any]
    lots: tuple[tuple[str, int], ...]
    serials: tuple[str, ...]

    @property
    def sequence(self) -> int | None:
        number = self.values.get("WoOperationSequenceNumber")
        return None if number is None or number % MICRO else number // MICRO


def read_line(line: dict[str, Any], index: int) -> MaterialLine:
    path = f"/{DETAIL}/{index}"
    lots, serials = lots_and_serials(line, path)
    return MaterialLine(line_values(line, LINE, path, _CHILDREN), lots, serials)


def lock_key(books: Books, line: MaterialLine) -> LockKey | None:
    try:
        order = find_order(books, line.values.get("OrganizationCode"), line.values.get("WorkOrderNumber"))
        operation = _operation(books, order, line)
    except LineError:
        return None
    return order["WorkOrderId"], operation["OperationSequenceNumber"]


def post(
    posting: Posting,
    line: MaterialLine,
    *,
    default: tuple[dict[str, Any], dict[str, Any]] | None = None,
    document: int | None = None,
) -> int:
    """Books one detail; its InvTransactionId. `default` is the order and operation of an enclosing transaction."""
    books, values = posting.books, line.values
    if default is None:
        order = find_order(books, values.get("OrganizationCode"), values.get("WorkOrderNumber"))
        operation = _operation(books, order, line)
    else:
        order, operation = default
    require_status(order, "RELEASED", "COMPLETED")
    kind = values.get("TransactionTypeCode") or ""
    if kind not in (*_COMPONENT, *_PRODUCT):
        text = f"The transaction type {kind or '(none)'} is not valid for a work order; valid are "
        raise LineError("WIE_INVALID_TRANSACTION_TYPE", text + ", ".join((*_COMPONENT, *_PRODUCT)) + ".")
    item = stock.find_item(books, number=values.get("InventoryItemNumber"))
    stock.check_unit(books, item, values.get("TransactionUnitOfMeasure"), values.get("TransactionUOMCode"))
    material = None
    if kind in _PRODUCT:
        _check_product(books, order, item, kind, values.get("TransactionQuantity") or 0)
    else:
        material = _component(posting, order, operation, item, values)
    place = (material or {}).get("SupplySubinventory") or ("" if material else order["ComplSubinventoryCode"]) or ""
    move = stock.Move(
        type=kind,
        organization=order["OrganizationId"],
        item=item,
        quantity=values.get("TransactionQuantity") or 0,
        subinventory=values.get("SubinventoryCode") or place,
        locator=values.get("Locator") or "",
        date=checked_date(books, values.get("TransactionDate")),
        lots=line.lots,
        serials=line.serials,
        reason=values.get("ReasonCode") or "",
        text=values.get("TransactionNote") or "",
        work_order=order["WorkOrderId"],
        source=order["WorkOrderNumber"],
        operation=operation["OperationSequenceNumber"],
        material=material["WorkOrderOperationMaterialId"] if material else None,
        document=document,
    )
    number = stock.apply(posting, move)
    if material is not None:
        change = move.quantity if kind == "MATERIAL_ISSUE" else -move.quantity
        pull.count_issued(books, material["WorkOrderOperationMaterialId"], change)
    refresh(books, order["WorkOrderId"], posting.user)
    return number


def _operation(books: Books, order: dict[str, Any], line: MaterialLine) -> dict[str, Any]:
    """Products belong to the last operation, whatever is named."""
    if line.values.get("TransactionTypeCode") in _PRODUCT:
        return operations_of(books, order["WorkOrderId"])[-1]
    return find_operation(books, order, line.sequence)


def _check_product(books: Books, order: dict[str, Any], item: dict[str, Any], kind: str, quantity: int) -> None:
    if item["InventoryItemId"] != order["InventoryItemId"]:
        text = f"The item {item['ItemNumber']} is not the product of work order {order['WorkOrderNumber']}."
        raise LineError("WIE_INVALID_PRODUCT", text)
    there = pull.received(books, order)
    last = operations_of(books, order["WorkOrderId"])[-1]
    most = last["CompletedQuantity"] - there if kind == "PRODUCT_COMPLETION" else there
    if quantity > most:
        text = f"Only {quantity_text(most)} of work order {order['WorkOrderNumber']} can be transacted by {kind}."
        raise LineError("WIE_QUANTITY_EXCEEDS_AVAILABLE", text)


def _component(
    posting: Posting, order: dict[str, Any], operation: dict[str, Any], item: dict[str, Any], values: dict[str, Any]
) -> dict[str, Any]:
    """The component's row; an issue of something that the work definition does not know adds one."""
    books = posting.books
    wanted = values.get("MaterialSequenceNumber")
    row = books.one(
        "SELECT * FROM work_order_material WHERE WorkOrderOperationId = ? AND InventoryItemId = ?"
        " AND (? IS NULL OR MaterialSequenceNumber = ?) ORDER BY MaterialSequenceNumber LIMIT 1",
        *(operation["WorkOrderOperationId"], item["InventoryItemId"], wanted, (wanted or 0) // MICRO),
    )
    if row is not None:
        return row
    if values.get("TransactionTypeCode") == "MATERIAL_RETURN" or wanted is not None:
        text = f"The item {item['ItemNumber']} is no component of operation {operation['OperationSequenceNumber']}."
        raise LineError("WIE_INVALID_COMPONENT", text)
    last = books.one(
        "SELECT MAX(MaterialSequenceNumber) AS n FROM work_order_material WHERE WorkOrderOperationId = ?",
        operation["WorkOrderOperationId"],
    )
    row = {
        "WorkOrderOperationMaterialId": books.new_id(),
        "WorkOrderId": order["WorkOrderId"],
        "WorkOrderOperationId": operation["WorkOrderOperationId"],
        "OperationSequenceNumber": operation["OperationSequenceNumber"],
        "MaterialSequenceNumber": ((last["n"] if last else 0) or 0) + 10,
        "InventoryItemId": item["InventoryItemId"],
        "ItemNumber": item["ItemNumber"],
        "Quantity": 0,
        "QuantityPerProduct": 0,
        "IssuedQuantity": 0,
        "UOMCode": item["uom"],
        "UnitOfMeasure": item["uom"],
        "SupplyType": pull.PUSH,
        "SupplySubinventory": values.get("SubinventoryCode"),
        "BasisType": "VARIABLE",
        "LastUpdateDate": now_text(),
    }
    books.insert("work_order_material", row)
    return row
