"""Stock rows by place, batch and stock type: what may be taken, and where what is put ends up.

Stock of a restricted batch that would be unrestricted is restricted-use stock (type 08) instead.
"""

from dataclasses import replace

from simulators.sap.books import Books
from simulators.sap.messages import DEFICIT, Refusal
from simulators.sap.movements import RESTRICTED, UNRESTRICTED, Line
from simulators.sap.odata import quantity_text

# Scrapping and undoing a receipt are what a restricted batch still allows.
_FROM_RESTRICTED = frozenset({"102", "341", "532", "551", "562"})
_PLACE = "Material = ? AND Plant = ? AND StorageLocation = ? AND Batch = ? AND InventoryStockType = ?"


def is_restricted(books: Books, material: str, batch: str) -> bool:
    row = books.one("SELECT 1 FROM restricted_batch WHERE material = ? AND batch = ?", material, batch)
    return row is not None


def source_type(books: Books, line: Line, stock_type: str) -> str:
    """Where the movement takes from; refused where the batch is restricted and the movement needs it free."""
    if stock_type != UNRESTRICTED or not line.batch or not is_restricted(books, line.material, line.batch):
        return stock_type
    if line.movement not in _FROM_RESTRICTED and line.reverses is None:
        text = (
            f"Batch {line.batch} of material {line.material} is restricted: movement type {line.movement} not allowed"
        )
        raise Refusal("M7/187", text, target="Batch")
    return RESTRICTED


def target_type(books: Books, line: Line, stock_type: str) -> str:
    restricted = stock_type == UNRESTRICTED and line.batch and is_restricted(books, line.material, line.batch)
    return RESTRICTED if restricted else stock_type


def available(books: Books, line: Line, stock_type: str) -> int:
    row = books.one(
        f"SELECT MatlWrhsStkQtyInMatlBaseUnit AS quantity FROM stock WHERE {_PLACE}", *_key(line, stock_type)
    )
    return row["quantity"] if row else 0


def require_available(books: Books, line: Line, stock_type: str) -> None:
    short = line.quantity - available(books, line, stock_type)
    if short <= 0 or _may_go_negative(books, line.material):
        return
    where = f"{line.plant} {line.storage_location} {line.batch}".rstrip()
    text = f"Deficit of stock type {stock_type} {quantity_text(short)} {line.unit} : {line.material} {where}"
    raise Refusal(DEFICIT, text, target="QuantityInEntryUnit")


def take(books: Books, line: Line, stock_type: str) -> None:
    _add(books, line, stock_type, -line.quantity)


def put(books: Books, line: Line, stock_type: str) -> None:
    _add(books, line, stock_type, line.quantity)


def moved_to(line: Line) -> Line:
    """The line at its receiving storage location."""
    return replace(line, storage_location=line.other_location or line.storage_location)


def _key(line: Line, stock_type: str) -> tuple[str, str, str, str, str]:
    return line.material, line.plant, line.storage_location, line.batch, stock_type


def _may_go_negative(books: Books, material: str) -> bool:
    row = books.one("SELECT negative_stock FROM material WHERE material = ?", material)
    return bool(books.setting("negative_stock") or (row and row["negative_stock"]))


def _add(books: Books, line: Line, stock_type: str, quantity: int) -> None:
    key = _key(line, stock_type)
    changed = books.execute(
        "UPDATE stock SET MatlWrhsStkQtyInMatlBaseUnit = MatlWrhsStkQtyInMatlBaseUnit + ?, MaterialBaseUnit = ?"
        f" WHERE {_PLACE}",
        quantity,
        line.unit,
        *key,
    )
    if changed:
        return
    names = ("Material", "Plant", "StorageLocation", "Batch", "InventoryStockType")
    row = dict(zip(names, key, strict=True))
    books.insert("stock", row | {"MaterialBaseUnit": line.unit, "MatlWrhsStkQtyInMatlBaseUnit": quantity})
