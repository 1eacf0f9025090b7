"""Inventory transfer and movement journals: what posting does, by the unattended batch job, an action or a person.

A journal without lines is left alone; one that cannot be posted stays unposted with the reason in the books.
"""

import json
from dataclasses import dataclass
from typing import Any

from simulators.common.database import instant
from simulators.dynamics import stock
from simulators.dynamics.books import Books
from simulators.dynamics.posting import check_period
from simulators.dynamics.refusals import Refusal, not_related
from simulators.dynamics.stock import Place
from simulators.dynamics.values import is_empty_date, now, quantity_words, today

TABLES = {"transfer": ("transfer_header", "transfer_line"), "movement": ("movement_header", "movement_line")}


@dataclass(frozen=True)
class Journal:
    kind: str
    header: dict[str, Any]
    lines: list[dict[str, Any]]


def find(books: Books, kind: str, company: str, number: str) -> Journal:
    header_table, line_table = TABLES[kind]
    header = books.one(f'SELECT * FROM {header_table} WHERE "dataAreaId" = ? AND "JournalNumber" = ?', company, number)
    if header is None:
        raise not_related(number, "Journal", "Inventory journals")
    return Journal(kind, header, _lines(books, line_table, header))


def _lines(books: Books, table: str, header: dict[str, Any]) -> list[dict[str, Any]]:
    return books.all(
        f'SELECT * FROM {table} WHERE "dataAreaId" = ? AND "JournalNumber" = ? ORDER BY "LineNumber"',
        header["dataAreaId"],
        header["JournalNumber"],
    )


def post_waiting(books: Books) -> None:
    """Each journal in a transaction of its own; one that has failed is tried again when it changes, not before."""
    for kind, (header_table, line_table) in TABLES.items():
        waiting = books.all(
            f"SELECT * FROM {header_table} WHERE \"IsPosted\" = 'No' AND _stuck = 0 AND _error = '' ORDER BY _id"
        )
        for header in waiting:
            lines = _lines(books, line_table, header)
            if not lines:
                continue
            try:
                with books.transaction():
                    post(books, Journal(kind, header, lines), user="BATCH")
            except Refusal as refusal:
                with books.transaction():
                    text = "; ".join(refusal.lines(str(books.setting("language"))))
                    books.update(header_table, {"_error": text}, _id=header["_id"])


def post(books: Books, journal: Journal, *, user: str, manual: bool = False) -> str:
    """All lines or none; the voucher. Raises Refusal."""
    header = journal.header
    if header["IsPosted"] == "Yes":
        raise Refusal("posted", journal=header["JournalNumber"])
    if not journal.lines:
        raise Refusal("filled", field="Journal lines")
    for line in journal.lines:
        date = today() if is_empty_date(line["TransactionDate"]) else line["TransactionDate"]
        check_period(books, date)
        moved = _transfer(books, line) if journal.kind == "transfer" else _movement(books, line)
        changes = {"_stock": json.dumps(moved), "TransactionDate": date}
        books.change(TABLES[journal.kind][1], line["_id"], changes)
    number = books.sequence(header["dataAreaId"], "inventory_voucher", "INV-{:06d}")
    changes = {"IsPosted": "Yes", "PostedDateTime": now(), "PostedUserId": user, "_voucher": number, "_error": ""}
    books.change(TABLES[journal.kind][0], header["_id"], changes | {"_at": instant(), "_manual": int(manual)})
    return number


def _transfer(books: Books, line: dict[str, Any]) -> list[dict[str, Any]]:
    quantity = line["InventoryQuantity"]
    if quantity < 0:
        raise Refusal("negative", quantity=quantity_words(quantity))
    if not quantity:
        raise Refusal("zero")
    source = stock.complete(books, _place(line, "Source"), receipt=False)
    destination = _place(line, "Destination")
    for place in (source, destination):
        stock.require_status(books, place.status)
    destination = stock.complete(books, destination, receipt=True)
    taken = stock.issue(books, source, quantity, production=False)
    return taken + stock.receive(books, destination, quantity)


def _place(line: dict[str, Any], side: str) -> Place:
    """A destination takes from the source what it does not say itself."""

    def dimension(name: str) -> str:
        return line[f"{side}{name}"] or line[f"Source{name}"]

    return Place(
        line["dataAreaId"],
        line["ItemNumber"],
        dimension("InventorySiteId"),
        dimension("WarehouseId"),
        dimension("WarehouseLocationId"),
        dimension("ItemBatchNumber"),
        dimension("LicensePlateNumber"),
        dimension("InventoryStatusId") or stock.AVAILABLE,
    )


def _movement(books: Books, line: dict[str, Any]) -> list[dict[str, Any]]:
    """Positive quantities come in, negative ones go out."""
    quantity = line["InventoryQuantity"]
    if not quantity:
        raise Refusal("zero")
    place = Place(
        line["dataAreaId"],
        line["ItemNumber"],
        line["InventorySiteId"],
        line["InventoryWarehouseId"],
        line["WarehouseLocationId"],
        line["ItemBatchNumber"],
        line["LicensePlateNumber"],
        line["InventoryStatusId"] or stock.AVAILABLE,
    )
    stock.require_status(books, place.status)
    place = stock.complete(books, place, receipt=quantity > 0)
    if quantity > 0:
        return stock.receive(books, place, quantity)
    return stock.issue(books, place, -quantity, production=False)
