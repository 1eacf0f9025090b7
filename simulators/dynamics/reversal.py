"""The order's status reset by a person: everything reported, picked and registered for the whole order is undone.

No service call does this. Posted journals stay; each gets a counter-journal with negative quantities. Reference 3.9.
"""

import json
from typing import Any

from simulators.dynamics import production, stock
from simulators.dynamics.books import Books
from simulators.dynamics.edm import EMPTY_DATE, EntityType
from simulators.dynamics.entities_production import JOB_CARD, JOURNALS, PICKING, RAF, ROUTE_CARD
from simulators.dynamics.posting import (
    Posting,
    bom_lines_of,
    document_id,
    find_order,
    insert_journal,
    new_journal,
    operations_of,
    require_started,
)

TARGETS = ("Created", "CostEstimated", "Scheduled", "Released")
_SIGNED = {
    RAF.set_name: ("ReportedGoodInventoryQuantity", "ReportedErrorInventoryQuantity"),
    PICKING.set_name: ("ConsumptionBOMQuantity", "ConsumptionInventoryQuantity", "ScrapBOMQuantity"),
    ROUTE_CARD.set_name: (
        "ReportedGoodInventoryQuantity",
        "ReportedErrorInventoryQuantity",
        "RegisteredHours",
    ),
    JOB_CARD.set_name: ("ReportedGoodInventoryQuantity", "ReportedErrorInventoryQuantity", "RegisteredHours"),
}


def reset(posting: Posting, number: str, to: str) -> list[str]:
    """The counter-journals made. Unposted journals of the order go. Raises Refusal, `Completed` among the reasons."""
    books = posting.books
    order = find_order(books, posting.company, number)
    require_started(order)
    for journal in JOURNALS:
        _counter_all(posting, order, journal)
        books.execute(
            f'DELETE FROM {journal.table} WHERE "dataAreaId" = ? AND "ProductionOrderNumber" = ?'
            " AND \"IsPosted\" = 'No'",
            order["dataAreaId"],
            number,
        )
    _clear(books, order)
    none = {"StartedDate": EMPTY_DATE, "ReportedAsFinishedDate": EMPTY_DATE, "StartedQuantity": 0}
    none |= {"ReleasedDate": EMPTY_DATE} if to != "Released" else {}
    zero = {"_good": 0, "_error": 0, "_final": 0, "ProductionOrderRemainderStatus": "None"}
    rest = {"RemainingReportAsFinishedQuantity": order["ScheduledQuantity"]}
    production.set_status(books, order, to, **none, **zero, **rest)
    return posting.journals


def _counter_all(posting: Posting, order: dict[str, Any], journal: EntityType) -> None:
    rows = posting.books.all(
        f'SELECT * FROM {journal.table} WHERE "dataAreaId" = ? AND "ProductionOrderNumber" = ?'
        " AND \"IsPosted\" = 'Yes' AND _reversed = 0 AND _reverses = '' ORDER BY _id DESC",
        order["dataAreaId"],
        order["ProductionOrderNumber"],
    )
    numbers: dict[str, str] = {}
    for row in rows:
        moved = [stock.undo(posting.books, line) for line in json.loads(row["_stock"])]
        number = numbers.setdefault(row["JournalNumber"], "") or new_journal(posting)
        numbers[row["JournalNumber"]] = number
        own = {prop: row[prop] for prop in journal.properties}
        own |= {name: -row[name] for name in _SIGNED[journal.set_name]}
        own.pop("dataAreaId")
        own |= {"JournalNumber": number, "_reverses": document_id(journal, row)}
        own |= {"IsReceiptReturned": "Yes"} if journal is RAF else {}
        own |= {"IsConsumptionReturned": "Yes"} if journal is PICKING else {}
        for name in ("IsPosted", "PostedDateTime", "PostedUserId", "VoucherNumber"):
            own.pop(name)
        insert_journal(posting, journal, own, posted=True, stock=moved, counts=bool(row["_counts"]))
        posting.books.update(journal.table, {"_reversed": 1}, _id=row["_id"])


def _clear(books: Books, order: dict[str, Any]) -> None:
    for operation in operations_of(books, order):
        changes: dict[str, Any] = {"_yield": 0, "_scrap": 0, "_setup_hours": 0, "_process_hours": 0}
        changes |= {"IsOperationStarted": "No", "IsOperationCompleted": "No", "RouteOperationRemainderStatus": "None"}
        books.change("route_operation", operation["_id"], changes | {"ProcessCompletionPercentage": 0})
    for line in bom_lines_of(books, order):
        required = line["EstimatedBOMLineQuantity"]
        changes = {"_consumed": 0, "IsFullyConsumed": "No", "RemainingBOMLineQuantity": required}
        changes |= {"RemainingInventoryQuantity": required, "LineRemainderStatus": "None"}
        changes |= {"StartedBOMLineQuantity": 0, "StartedInventoryQuantity": 0}
        books.change("bom_line", line["_id"], changes)
    books.execute(
        "UPDATE order_item SET received = 0 WHERE company = ? AND order_id = ?",
        order["dataAreaId"],
        order["ProductionOrderNumber"],
    )
