"""What an operation's move takes with it: pull components, automatic resources, the receipt of the product.

Pull components that are lot or serial controlled are left alone; they are issued by materialTransactions.
"""

from typing import Any

from simulators.oracle import stock
from simulators.oracle.books import Books
from simulators.oracle.errors import NEGATIVE, LineError
from simulators.oracle.posting import Posting
from simulators.oracle.values import now_text

PUSH, OPERATION_PULL, BULK = "PUSH", "OPERATION_PULL", "BULK"


def share(required: int, processed: int, planned: int, *, fixed: bool = False) -> int:
    """Required quantity for the processed part of the planned one, half rounded up; a fixed one is due at once."""
    if fixed:
        return required if processed > 0 else 0
    return (2 * required * processed + planned) // (2 * planned)


def processed(operation: dict[str, Any]) -> int:
    """What has left READY: complete, rejected and scrapped pieces have all consumed their material."""
    return operation["CompletedQuantity"] + operation["ScrappedQuantity"] + operation["RejectedQuantity"]


def follow(
    posting: Posting, order: dict[str, Any], before: dict[str, Any], after: dict[str, Any], document: int, date: str
) -> int:
    """Issues or returns what the change of the operation's quantities means; answers how many components failed."""
    books = posting.books
    failed = 0
    for material in _materials(books, before):
        fixed = material["BasisType"] == "FIXED"
        planned = before["PlannedQuantity"]
        due = share(material["Quantity"], processed(after), planned, fixed=fixed)
        change = due - share(material["Quantity"], processed(before), planned, fixed=fixed)
        if change > 0:
            failed += _issue(posting, order, material, change, document, date)
        elif change < 0:
            _give_back(posting, order, material, -change, document, date)
    _charge(books, before, after)
    return failed


def _materials(books: Books, operation: dict[str, Any]) -> list[dict[str, Any]]:
    return books.all(
        "SELECT m.* FROM work_order_material m JOIN item i ON i.InventoryItemId = m.InventoryItemId"
        " WHERE m.WorkOrderOperationId = ? AND m.SupplyType = ? AND i.lot = 0 AND i.serial = 0"
        " ORDER BY m.MaterialSequenceNumber",
        *(operation["WorkOrderOperationId"], OPERATION_PULL),
    )


def _issue(
    posting: Posting, order: dict[str, Any], material: dict[str, Any], quantity: int, document: int, date: str
) -> int:
    """1 when the component could not be issued and waits in the list of pull errors, which is for people."""
    if posting.fail_pull:
        _list_error(posting, material, quantity, document, date, LineError(NEGATIVE))
        return 1
    try:
        with posting.books.line():
            move_material(posting, order, material, "MATERIAL_ISSUE", quantity, document, date)
    except LineError as error:
        if posting.books.setting("pull_shortage") == "refuse":
            raise
        _list_error(posting, material, quantity, document, date, error)
        return 1
    return 0


def _give_back(
    posting: Posting, order: dict[str, Any], material: dict[str, Any], quantity: int, document: int, date: str
) -> None:
    """What was never issued leaves the list of pull errors; only the rest goes back to stock."""
    books = posting.books
    errors = books.all(
        "SELECT * FROM pull_error WHERE material = ? ORDER BY id DESC", material["WorkOrderOperationMaterialId"]
    )
    for error in errors:
        taken = min(quantity, error["quantity"])
        quantity -= taken
        if taken == error["quantity"]:
            books.execute("DELETE FROM pull_error WHERE id = ?", error["id"])
        elif taken:
            books.update("pull_error", {"quantity": error["quantity"] - taken}, id=error["id"])
    if quantity:
        move_material(posting, order, material, "MATERIAL_RETURN", quantity, document, date)


def move_material(
    posting: Posting,
    order: dict[str, Any],
    material: dict[str, Any],
    kind: str,
    quantity: int,
    document: int | None,
    date: str,
) -> int:
    move = stock.Move(
        type=kind,
        organization=order["OrganizationId"],
        item=stock.find_item(posting.books, item_id=material["InventoryItemId"]),
        quantity=quantity,
        subinventory=material["SupplySubinventory"] or "",
        locator=material["SupplyLocator"] or "",
        date=date,
        work_order=order["WorkOrderId"],
        source=order["WorkOrderNumber"],
        operation=material["OperationSequenceNumber"],
        material=material["WorkOrderOperationMaterialId"],
        document=document,
    )
    number = stock.apply(posting, move)
    count_issued(posting.books, material["WorkOrderOperationMaterialId"], stock.TYPES[kind].sign * -quantity)
    return number


def count_issued(books: Books, material: int, change: int) -> None:
    """Raises LineError when more would be returned than was issued."""
    row = books.one("SELECT * FROM work_order_material WHERE WorkOrderOperationMaterialId = ?", material)
    if row is None:
        return
    if row["IssuedQuantity"] + change < 0:
        text = f"More of item {row['ItemNumber']} would be returned than was issued."
        raise LineError("WIE_RETURN_EXCEEDS_ISSUED", text)
    changes = {"IssuedQuantity": row["IssuedQuantity"] + change, "LastUpdateDate": now_text()}
    books.update("work_order_material", changes, WorkOrderOperationMaterialId=material)


def _list_error(
    posting: Posting, material: dict[str, Any], quantity: int, document: int, date: str, error: LineError
) -> None:
    row = {
        "document": document,
        "work_order": material["WorkOrderId"],
        "operation": material["OperationSequenceNumber"],
        "material": material["WorkOrderOperationMaterialId"],
        "quantity": quantity,
        "date": date,
        "name": error.name,
        "text": error.text,
        "at": now_text(),
    }
    posting.books.insert("pull_error", row)


def retry_error(posting: Posting, number: int, *, subinventory: str | None, drop: bool) -> None:
    """A person works off one line of the list: issues it now, from another place if need be, or drops it."""
    books = posting.books
    error = books.one("SELECT * FROM pull_error WHERE id = ?", number)
    if error is None:
        raise LineError("WIE_INVALID_PULL_ERROR", f"There is no pull error {number}.")
    if not drop:
        order = books.one("SELECT * FROM work_order WHERE WorkOrderId = ?", error["work_order"])
        material = books.one(
            "SELECT * FROM work_order_material WHERE WorkOrderOperationMaterialId = ?", error["material"]
        )
        assert order is not None
        assert material is not None
        if subinventory is not None:
            material["SupplySubinventory"] = subinventory
        move_material(posting, order, material, "MATERIAL_ISSUE", error["quantity"], error["document"], error["date"])
    books.execute("DELETE FROM pull_error WHERE id = ?", number)


def _charge(books: Books, before: dict[str, Any], after: dict[str, Any]) -> None:
    rows = books.all(
        "SELECT * FROM work_order_resource WHERE WorkOrderOperationId = ? AND ChargeType = 'AUTOMATIC'",
        before["WorkOrderOperationId"],
    )
    for row in rows:
        due = share(row["RequiredUsage"], processed(after), before["PlannedQuantity"])
        change = due - share(row["RequiredUsage"], processed(before), before["PlannedQuantity"])
        changes = {"ActualResourceUsage": row["ActualResourceUsage"] + change, "LastUpdateDate": now_text()}
        books.update("work_order_resource", changes, WorkOrderOperationResourceId=row["WorkOrderOperationResourceId"])


def receive(posting: Posting, order: dict[str, Any], kind: str, quantity: int, move: dict[str, Any]) -> int:
    """The product's completion into stock, or its return; `move` holds place, date, lots, serials and document."""
    return stock.apply(
        posting,
        stock.Move(
            type=kind,
            organization=order["OrganizationId"],
            item=stock.find_item(posting.books, item_id=order["InventoryItemId"]),
            quantity=quantity,
            work_order=order["WorkOrderId"],
            source=order["WorkOrderNumber"],
            **move,
        ),
    )


def received(books: Books, order: dict[str, Any]) -> int:
    """What has come into stock from the order, less what went back."""
    row = books.one(
        "SELECT COALESCE(SUM(TransactionQuantity), 0) AS total FROM inventory_transaction"
        " WHERE _work_order = ? AND InventoryItemId = ? AND _type IN ('PRODUCT_COMPLETION', 'PRODUCT_RETURN')",
        *(order["WorkOrderId"], order["InventoryItemId"]),
    )
    return int(row["total"]) if row else 0
