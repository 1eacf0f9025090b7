"""Stock by site, warehouse, location, batch, license plate and status: receipts, issues, what is available.

Every change is written down as a movement line that the journal keeps, so that the books can be added up.
"""

from dataclasses import dataclass, replace
from typing import Any

from simulators.dynamics.books import Books
from simulators.dynamics.refusals import Refusal, infolog, not_related
from simulators.dynamics.values import quantity_words

AVAILABLE = "Available"


@dataclass(frozen=True)
class Place:
    """Where stock lies. An empty batch, location or plate in an issue means: whichever there is."""

    company: str
    item: str
    site: str
    warehouse: str
    location: str = ""
    batch: str = ""
    license_plate: str = ""
    status: str = ""

    def words(self) -> str:
        named = (
            ("Site", self.site),
            ("Warehouse", self.warehouse),
            ("Location", self.location),
            ("Batch number", self.batch),
            ("License plate", self.license_plate),
            ("Inventory status", self.status),
        )
        dimensions = ", ".join(f"{name}={value}" for name, value in named if value)
        return f"Item number: {self.item}, Inventory dimensions: {dimensions}"


def item_of(books: Books, company: str, item: str) -> dict[str, Any]:
    row = books.one('SELECT * FROM item WHERE "dataAreaId" = ? AND "ItemNumber" = ?', company, item)
    if row is None:
        raise not_related(item, "Item number", "Released products")
    return row


def require_status(books: Books, status: str) -> bool:
    """Whether the status is a blocking one. Raises Refusal where it does not exist."""
    row = books.one("SELECT blocking FROM inventory_status WHERE status = ?", status)
    if row is None:
        raise not_related(status, "Inventory status", "Inventory statuses")
    return bool(row["blocking"])


def complete(books: Books, place: Place, *, receipt: bool) -> Place:
    """Checks the dimensions that must be there and the batch dimension that must not. Raises Refusal."""
    item = item_of(books, place.company, place.item)
    if not place.site:
        raise Refusal("site", before=(place.words(),))
    if not place.warehouse:
        raise Refusal("dimension", name="Warehouse", before=(place.words(),))
    row = books.one(
        "SELECT location_mandatory FROM warehouse WHERE company = ? AND warehouse = ?", place.company, place.warehouse
    )
    if row and row["location_mandatory"] and not place.location:
        raise Refusal("dimension", name="Location", before=(place.words(),))
    if item["_batch_managed"] and not place.batch:
        raise Refusal("dimension", name="Batch number", before=(place.words(),))
    if place.batch and not item["_batch_managed"]:
        raise Refusal("not_active", name="Batch number", item=place.item)
    if receipt and place.batch:
        _know_batch(books, place)
    return place


def _know_batch(books: Books, place: Place) -> None:
    known = books.one(
        'SELECT 1 FROM item_batch WHERE "dataAreaId" = ? AND "ItemNumber" = ? AND "BatchNumber" = ?',
        place.company,
        place.item,
        place.batch,
    )
    if known is None:
        row = {"dataAreaId": place.company, "ItemNumber": place.item, "BatchNumber": place.batch}
        books.insert("item_batch", row | {"BatchDispositionCode": AVAILABLE})


def receive(books: Books, place: Place, quantity: int) -> list[dict[str, Any]]:
    place = replace(place, status=place.status or AVAILABLE)
    changed = books.execute(
        "UPDATE stock SET quantity = quantity + ? WHERE company = ? AND item = ? AND site = ? AND warehouse = ?"
        " AND location = ? AND batch = ? AND license_plate = ? AND status = ?",
        quantity,
        *_columns(place).values(),
    )
    if not changed:
        books.insert("stock", _columns(place) | {"quantity": quantity})
    return [_columns(place) | {"quantity": quantity}]


def issue(books: Books, place: Place, quantity: int, *, production: bool) -> list[dict[str, Any]]:
    """Takes from what fits, oldest row first; short stock is refused unless the item may go negative.

    `production`: batches whose disposition code blocks production picking are out of reach.
    """
    rows = _fitting(books, place)
    if production:
        rows = [row for row in rows if not _production_blocked(books, row)] or _refuse_blocked(books, place, rows)
    free = {row["_id"]: max(0, row["quantity"] - row["blocked"]) for row in rows}
    available = sum(free.values())
    item = item_of(books, place.company, place.item)
    negative = bool(item["_negative"]) or bool(books.setting("negative_stock"))
    if available < quantity and not negative:
        words: dict[str, Any] = {"quantity": quantity_words(quantity), "available": quantity_words(available)}
        raise Refusal("stock", before=(place.words(),), **words)
    taken: list[dict[str, Any]] = []
    left = quantity
    for row in rows:
        if part := min(left, free[row["_id"]]):
            taken.append(_take(books, row, part))
            left -= part
    if left:
        row = rows[0] if rows else None
        if row is None:
            return taken + [line | {"quantity": -left} for line in receive(books, place, -left)]
        taken.append(_take(books, row, left))
    return taken


def _take(books: Books, row: dict[str, Any], quantity: int) -> dict[str, Any]:
    books.execute("UPDATE stock SET quantity = quantity - ? WHERE _id = ?", quantity, row["_id"])
    names = ("company", "item", "site", "warehouse", "location", "batch", "license_plate", "status")
    return {name: row[name] for name in names} | {"quantity": -quantity}


def _fitting(books: Books, place: Place) -> list[dict[str, Any]]:
    wanted = {name: value for name, value in _columns(place).items() if value}
    wanted["status"] = place.status or AVAILABLE
    where = " AND ".join(f"s.{name} = ?" for name in wanted)
    return books.all(
        "SELECT s.*, COALESCE((SELECT SUM(b.quantity) FROM blocking b WHERE b.stock_id = s._id), 0) AS blocked"
        f" FROM stock s WHERE {where} ORDER BY s._id",
        *wanted.values(),
    )


def available(books: Books, place: Place) -> list[tuple[dict[str, Any], int]]:
    """The rows that fit, each with its quantity free of blocking."""
    return [(row, max(0, row["quantity"] - row["blocked"])) for row in _fitting(books, place)]


def _disposition(books: Books, row: dict[str, Any]) -> dict[str, Any] | None:
    return books.one(
        'SELECT d.* FROM item_batch b JOIN disposition_code d ON d."dataAreaId" = b."dataAreaId"'
        ' AND d."DispositionCode" = b."BatchDispositionCode"'
        ' WHERE b."dataAreaId" = ? AND b."ItemNumber" = ? AND b."BatchNumber" = ?',
        row["company"],
        row["item"],
        row["batch"],
    )


def _production_blocked(books: Books, row: dict[str, Any]) -> bool:
    code = _disposition(books, row) if row["batch"] else None
    return code is not None and code["IsProductionPickingBlocked"] == "Yes"


def _refuse_blocked(books: Books, place: Place, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All that fits is blocked by its code: say so; nothing fits at all: the usual shortage follows."""
    if rows:
        code = _disposition(books, rows[0])
        assert code is not None
        raise Refusal("disposition", batch=rows[0]["batch"], item=place.item, code=code["DispositionCode"])
    return []


def undo(books: Books, line: dict[str, Any]) -> dict[str, Any]:
    """Takes one movement back where it was made. Raises Refusal when the stock is no longer there."""
    place = Place(**{name: value for name, value in line.items() if name != "quantity"})
    if line["quantity"] > 0:
        free = sum(part for row, part in available(books, place) if _same(row, place))
        if free < line["quantity"] and not item_of(books, place.company, place.item)["_negative"]:
            words = {"quantity": quantity_words(line["quantity"]), "available": quantity_words(free)}
            raise Refusal("stock", text=infolog("stock", **words), before=(place.words(),))
    return receive(books, place, -line["quantity"])[0]


def _same(row: dict[str, Any], place: Place) -> bool:
    return all(row[name].lower() == value.lower() for name, value in _columns(place).items())


def _columns(place: Place) -> dict[str, Any]:
    return {
        "company": place.company.lower(),
        "item": place.item,
        "site": place.site,
        "warehouse": place.warehouse,
        "location": place.location,
        "batch": place.batch,
        "license_plate": place.license_plate,
        "status": place.status,
    }
