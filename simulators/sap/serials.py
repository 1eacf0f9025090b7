"""Serial numbers of goods movements: where each piece lies, and which order consumed it."""

from typing import Any

from simulators.sap.books import Books
from simulators.sap.messages import Refusal
from simulators.sap.movements import Line
from simulators.sap.stock import moved_to


def check(books: Books, line: Line, source: str, target: str) -> None:
    """One number per piece, each of them where the movement takes it from, none of them in stock where it only adds."""
    material = books.one("SELECT serial_managed FROM material WHERE material = ?", line.material)
    if material is None or not material["serial_managed"]:
        if line.serials:
            raise Refusal("IO/101", f"Material {line.material} is not serialized", target="to_SerialNumbers")
        return
    if len(set(line.serials)) * 1000 != line.quantity or len(set(line.serials)) != len(line.serials):
        text = f"Maintain serial numbers for the total quantity of material {line.material}"
        raise Refusal("M7/175", text, target="to_SerialNumbers")
    for serial in line.serials:
        row = _find(books, line.material, serial)
        if source:
            _require_in_stock(row, line, serial, source)
        elif row is not None and row["stock_type"]:
            raise Refusal("IO/230", f"Serial number {serial} of material {line.material} is in stock already")
        elif line.movement == "262" and (row is None or row["order_id"] != line.order):
            raise Refusal("IO/232", f"Serial number {serial} was not issued to order {line.order}")


def _find(books: Books, material: str, serial: str) -> dict[str, Any] | None:
    return books.one("SELECT * FROM serial_number WHERE material = ? AND serial = ?", material, serial)


def _require_in_stock(row: dict[str, Any] | None, line: Line, serial: str, source: str) -> None:
    place = (line.plant, line.storage_location, line.batch, source)
    if row is None or (row["plant"], row["storage_location"], row["batch"], row["stock_type"]) != place:
        where = " ".join(part for part in place if part)
        raise Refusal("IO/231", f"Serial number {serial} of material {line.material} is not in stock at {where}")


def move(books: Books, line: Line, target: str) -> None:
    """`target` "" means that the piece has left stock, for the line's order if it has one."""
    there = moved_to(line)
    for serial in line.serials:
        row = {
            "material": line.material,
            "serial": serial,
            "plant": there.plant if target else "",
            "storage_location": there.storage_location if target else "",
            "batch": line.batch,
            "stock_type": target,
            "order_id": "" if target else line.order,
        }
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        books.execute(f"INSERT OR REPLACE INTO serial_number ({names}) VALUES ({marks})", *row.values())


def record(books: Books, line: Line, key: tuple[str, str, str]) -> None:
    for serial in line.serials:
        row = dict(zip(("MaterialDocumentYear", "MaterialDocument", "MaterialDocumentItem"), key, strict=True))
        books.insert("serial_movement", row | {"Material": line.material, "SerialNumber": serial})


def recorded(books: Books, row: dict[str, Any]) -> tuple[str, ...]:
    """The serial numbers of a recorded document item."""
    found = books.all(
        "SELECT SerialNumber FROM serial_movement WHERE MaterialDocumentYear = ? AND MaterialDocument = ?"
        " AND MaterialDocumentItem = ? ORDER BY SerialNumber",
        row["MaterialDocumentYear"],
        row["MaterialDocument"],
        row["MaterialDocumentItem"],
    )
    return tuple(one["SerialNumber"] for one in found)
