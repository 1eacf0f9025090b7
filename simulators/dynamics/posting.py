"""What one posting runs with, and what all production journals share: numbers, vouchers, periods, quantities."""

import json
from dataclasses import dataclass, field
from typing import Any

from simulators.common.database import instant
from simulators.dynamics.books import Books
from simulators.dynamics.edm import EntityType
from simulators.dynamics.entities_production import JOURNALS, PICKING
from simulators.dynamics.refusals import Refusal, infolog, not_related
from simulators.dynamics.values import MICRO, now, quantity_words, text_of

_STARTED = ("StartedUp", "ReportedFinished")


@dataclass
class Posting:
    """`fail_picking`: the fault `partial`, picking lists that follow stay unposted. `negative`: quantities below zero
    are allowed. `text` is what a person writes into the journals, `notes` become warnings of the infolog.
    """

    books: Books
    company: str
    user: str
    manual: bool = False
    message: int | None = None
    fail_picking: bool = False
    negative: bool = False
    text: str = ""
    notes: list[str] = field(default_factory=list[str])
    journals: list[str] = field(default_factory=list[str])

    def say(self, name: str, /, **values: Any) -> str:
        return infolog(name, str(self.books.setting("language")), **values)


def find_order(books: Books, company: str, number: str) -> dict[str, Any]:
    row = books.one(
        'SELECT * FROM production_order WHERE "dataAreaId" = ? AND "ProductionOrderNumber" = ?', company, number
    )
    if row is None:
        raise not_related(number, "Production", "Production orders")
    return row


def operations_of(books: Books, order: dict[str, Any]) -> list[dict[str, Any]]:
    return books.all(
        'SELECT * FROM route_operation WHERE "dataAreaId" = ? AND "ProductionOrderNumber" = ?'
        ' ORDER BY "OperationNumber"',
        order["dataAreaId"],
        order["ProductionOrderNumber"],
    )


def bom_lines_of(books: Books, order: dict[str, Any]) -> list[dict[str, Any]]:
    return books.all(
        'SELECT * FROM bom_line WHERE "dataAreaId" = ? AND "ProductionOrderNumber" = ? ORDER BY "LineNumber"',
        order["dataAreaId"],
        order["ProductionOrderNumber"],
    )


def require_started(order: dict[str, Any]) -> None:
    status, number = order["ProductionOrderStatus"], order["ProductionOrderNumber"]
    if status == "Completed":
        raise Refusal("ended", order=number)
    if status not in _STARTED:
        raise Refusal("status", order=number, status=status, needed="StartedUp")


def check_period(books: Books, date: str) -> None:
    open_periods = books.setting("open_periods")
    if open_periods is not None and date[:7] not in open_periods:
        raise Refusal("period", date=date[:10])


def check_quantity(posting: Posting, *quantities: int) -> None:
    """Three decimals at most, and below zero only where the setting or a person allows it."""
    for quantity in quantities:
        if quantity % (MICRO // 1000):
            raise Refusal("decimals", quantity=quantity_words(quantity))
        if quantity < 0 and not posting.negative:
            raise Refusal("negative", quantity=quantity_words(quantity))


def share(required: int, processed: int, planned: int) -> int:
    """The part of a required quantity that a processed one needs, half rounded up to three decimals."""
    sign, size = (-1, -processed) if processed < 0 else (1, processed)
    thousandth = MICRO // 1000
    return sign * ((2 * required * size + planned * thousandth) // (2 * planned * thousandth)) * thousandth


def new_journal(posting: Posting) -> str:
    """Production journals of all kinds share one number sequence per company."""
    return posting.books.sequence(posting.company, "production_journal", "{:06d}")


def voucher(posting: Posting) -> str:
    return posting.books.sequence(posting.company, "production_voucher", "PRO-{:06d}")


def insert_journal(
    posting: Posting,
    entity: EntityType,
    row: dict[str, Any],
    *,
    posted: bool,
    stock: list[dict[str, Any]] | None = None,
    counts: bool = False,
) -> None:
    """Writes one journal line; a posted one gets voucher, time and user, and says what stock it moved."""
    own: dict[str, Any] = {
        "dataAreaId": posting.company.lower(),
        "_manual": int(posting.manual),
        "_message": posting.message,
        "_at": instant(),
        "_user": posting.user,
        "_stock": json.dumps(stock or []),
        "_counts": int(counts),
    }
    if posting.text:
        own["JournalDescription"] = posting.text[:60]
    if posted:
        own |= posted_fields(posting)
    posting.books.insert(entity.table, row | own)
    own_id = document_id(entity, row)
    if own_id not in posting.journals:
        posting.journals.append(own_id)


def document_id(entity: EntityType, row: dict[str, Any]) -> str:
    """A picking list is one document, of the other journals every line is: they may name different operations."""
    number = row["JournalNumber"]
    return number if entity is PICKING else f"{number}/{text_of(row['JournalLineNumber'])}"


def posted_fields(posting: Posting) -> dict[str, Any]:
    return {
        "IsPosted": "Yes",
        "PostedDateTime": now(),
        "PostedUserId": posting.user,
        "VoucherNumber": voucher(posting),
    }


def unposted_journals(books: Books, order: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for journal in JOURNALS:
        rows = books.all(
            f'SELECT "JournalNumber" AS number FROM {journal.table} WHERE "dataAreaId" = ?'
            ' AND "ProductionOrderNumber" = ? AND "IsPosted" = \'No\'',
            order["dataAreaId"],
            order["ProductionOrderNumber"],
        )
        found += [row["number"] for row in rows]
    return found
