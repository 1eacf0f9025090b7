"""Restricting a batch (342) and freeing it (341): its unrestricted stock becomes restricted-use stock, and back,
wherever it lies. The quantity of the request only has to be there; all of the batch moves.
"""

from dataclasses import replace

from simulators.sap.books import Books, instant
from simulators.sap.messages import Refusal
from simulators.sap.movements import RESTRICTED, UNRESTRICTED, Line
from simulators.sap.stock import is_restricted, put, require_available, take


def change(books: Books, line: Line) -> list[Line]:
    """Posts the change of status; answers one line per place whose stock moved. Refuses before the first change."""
    restrict = line.movement == "342"
    source, target = (UNRESTRICTED, RESTRICTED) if restrict else (RESTRICTED, UNRESTRICTED)
    _check(books, line, restrict=restrict)
    places = books.all(
        "SELECT * FROM stock WHERE Material = ? AND Batch = ? AND InventoryStockType = ?"
        " AND MatlWrhsStkQtyInMatlBaseUnit > 0 ORDER BY Plant, StorageLocation",
        line.material,
        line.batch,
        source,
    )
    if line.reverses is None:
        require_available(books, line, source)
    moved = [
        replace(
            line,
            plant=row["Plant"],
            storage_location=row["StorageLocation"],
            quantity=row["MatlWrhsStkQtyInMatlBaseUnit"],
            serials=_serials(books, row),
        )
        for row in places
    ]
    if not moved:
        raise Refusal("M7/021", f"Batch {line.batch} of material {line.material} has no stock", target="Batch")
    if restrict:
        books.insert("restricted_batch", {"material": line.material, "batch": line.batch, "at": instant()})
    else:
        books.execute("DELETE FROM restricted_batch WHERE material = ? AND batch = ?", line.material, line.batch)
    for place in moved:
        take(books, place, source)
        put(books, place, target)
    books.execute(
        "UPDATE serial_number SET stock_type = ? WHERE material = ? AND batch = ? AND stock_type = ?",
        target,
        line.material,
        line.batch,
        source,
    )
    return moved


def _check(books: Books, line: Line, *, restrict: bool) -> None:
    material = books.one("SELECT batch_managed FROM material WHERE material = ?", line.material)
    if material is None or not material["batch_managed"]:
        text = f"Material {line.material} is not handled in batches: block its stock by 344"
        raise Refusal("M7/188", text, target="GoodsMovementType")
    if is_restricted(books, line.material, line.batch) == restrict:
        state = "restricted already" if restrict else "not restricted"
        raise Refusal("M7/189", f"Batch {line.batch} of material {line.material} is {state}", target="Batch")


def _serials(books: Books, row: dict[str, object]) -> tuple[str, ...]:
    found = books.all(
        "SELECT serial FROM serial_number WHERE material = ? AND batch = ? AND plant = ? AND storage_location = ?"
        " AND stock_type = ? ORDER BY serial",
        row["Material"],
        row["Batch"],
        row["Plant"],
        row["StorageLocation"],
        row["InventoryStockType"],
    )
    return tuple(one["serial"] for one in found)
