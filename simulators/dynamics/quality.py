"""Quality orders: the quantity they block, results, validation; and which hold a batch code or a status may make.

Reference 3.5: creating one blocks the stated quantity; the call that validates one was not found, a person does it.
"""

from typing import Any

from simulators.common.database import instant
from simulators.dynamics import stock
from simulators.dynamics.books import Books
from simulators.dynamics.edm import EMPTY_INSTANT
from simulators.dynamics.posting import find_order
from simulators.dynamics.refusals import Refusal, not_related
from simulators.dynamics.stock import Place
from simulators.dynamics.values import now, quantity_words


def require_code(books: Books, company: str, code: str) -> None:
    known = books.one('SELECT 1 FROM disposition_code WHERE "dataAreaId" = ? AND "DispositionCode" = ?', company, code)
    if known is None:
        raise not_related(code, "Batch disposition code", "Batch disposition master")


def complete(books: Books, company: str, row: dict[str, Any], user: str) -> dict[str, Any]:
    """A new quality order with what the server decides. Raises Refusal."""
    if not row["ItemNumber"] and row["ProductionOrderNumber"]:
        row = row | {"ItemNumber": find_order(books, company, row["ProductionOrderNumber"])["ItemNumber"]}
    if not row["ItemNumber"]:
        raise Refusal("filled", field="Item number")
    item = stock.item_of(books, company, row["ItemNumber"])
    kind = row["QualityOrderPolicyType"]
    if kind in ("Production", "RouteOpr"):
        if not row["ProductionOrderNumber"]:
            raise Refusal("filled", field="Production")
        find_order(books, company, row["ProductionOrderNumber"])
    if kind == "RouteOpr" and not row["ProductionOrderRouteOperationNumber"]:
        raise Refusal("filled", field="Oper. No.")
    if row["InventoryQuantity"] <= 0:
        raise Refusal("filled", field="Quantity")
    for field in ("PassedBatchDispositionCode", "FailedBatchDispositionCode"):
        if row[field] and not item["_batch_managed"]:
            raise Refusal("not_active", name="Batch number", item=item["ItemNumber"])
        if row[field]:
            require_code(books, company, row[field])
    for field in ("PassedInventoryStatusId", "FailedOrderInventoryStatusId"):
        if row[field]:
            stock.require_status(books, row[field])
    if row["ItemBatchNumber"] and not item["_batch_managed"]:
        raise Refusal("not_active", name="Batch number", item=item["ItemNumber"])
    number = row["QualityOrderNumber"] or books.sequence(company, "quality_order", "QO-{:06d}")
    own = {"QualityOrderNumber": number, "QualityOrderStatus": "Open", "ProductName": item["ProductName"]}
    own |= {"ItemNumber": item["ItemNumber"], "ValidatedDateTime": EMPTY_INSTANT, "ValidatingPersonnelNumber": ""}
    return row | own | {"_at": instant(), "_user": user}


def block(books: Books, company: str, row: dict[str, Any]) -> None:
    """Blocks the quantity in stock; at a route operation the pieces are not in stock yet and nothing is blocked."""
    if row["QualityOrderPolicyType"] == "RouteOpr":
        return
    place = Place(
        company,
        row["ItemNumber"],
        row["InventorySiteId"],
        row["WarehouseId"],
        row["WarehouseLocationId"],
        row["ItemBatchNumber"],
        row["LicensePlateNumber"],
        row["InventoryStatusId"] or stock.AVAILABLE,
    )
    rows = stock.available(books, place)
    free, left = sum(part for _, part in rows), row["InventoryQuantity"]
    if free < left:
        words = {"quantity": quantity_words(left), "available": quantity_words(free)}
        raise Refusal("block", before=(place.words(),), **dict[str, Any](words))
    for found, part in rows:
        taken = min(left, part)
        if taken:
            own = {"company": company, "quality_order": row["QualityOrderNumber"], "stock_id": found["_id"]}
            books.insert("blocking", own | {"quantity": taken})
            left -= taken


def unblock(books: Books, company: str, number: str) -> list[dict[str, Any]]:
    """Lifts the blocking; the stock rows it lay on, each with its part."""
    rows = books.all(
        "SELECT b.quantity AS part, s.* FROM blocking b JOIN stock s ON s._id = b.stock_id"
        " WHERE b.company = ? AND b.quality_order = ? ORDER BY b._id",
        company,
        number,
    )
    books.execute("DELETE FROM blocking WHERE company = ? AND quality_order = ?", company, number)
    return rows


def validate(books: Books, company: str, number: str, user: str, status: str = "") -> None:
    """Fail when a result failed, else Pass; the codes and statuses the order names for that come into force."""
    order = books.one(
        'SELECT * FROM quality_order WHERE "dataAreaId" = ? AND "QualityOrderNumber" = ?', company, number
    )
    if order is None:
        raise not_related(number, "Quality order", "Quality orders")
    if order["QualityOrderStatus"] != "Open":
        raise Refusal("read_only", field="QualityOrderStatus")
    failed = books.one(
        'SELECT 1 FROM quality_result WHERE "dataAreaId" = ? AND "QualityOrderNumber" = ? AND "TestResult" = \'Fail\'',
        company,
        number,
    )
    status = status or ("Fail" if failed else "Pass")
    for row in unblock(books, company, number):
        _to_status(books, row, order["PassedInventoryStatusId" if status == "Pass" else "FailedOrderInventoryStatusId"])
    code = order["PassedBatchDispositionCode" if status == "Pass" else "FailedBatchDispositionCode"]
    if code and order["ItemBatchNumber"]:
        books.execute(
            'UPDATE item_batch SET "BatchDispositionCode" = ?, _version = _version + 1'
            ' WHERE "dataAreaId" = ? AND "ItemNumber" = ? AND "BatchNumber" = ?',
            code,
            company,
            order["ItemNumber"],
            order["ItemBatchNumber"],
        )
    changes = {"QualityOrderStatus": status, "ValidatedDateTime": now(), "ValidatingPersonnelNumber": user}
    books.change("quality_order", order["_id"], changes)


def _to_status(books: Books, row: dict[str, Any], status: str) -> None:
    if not status or status.lower() == row["status"].lower():
        return
    names = ("company", "item", "site", "warehouse", "location", "batch", "license_plate")
    place = {name: row[name] for name in names}
    stock.receive(books, Place(**place, status=row["status"]), -row["part"])
    stock.receive(books, Place(**place, status=status), row["part"])
