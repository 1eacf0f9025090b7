"""Journals that were only created, through OData or by a message with PostNow No: what a person does with them.

No public action of the service posts them; posting follows the same rules as a message.
"""

import json
from typing import Any

from simulators.dynamics import consumption, production, route_cards
from simulators.dynamics.entities_production import JOURNALS
from simulators.dynamics.posting import (
    Posting,
    check_period,
    check_quantity,
    find_order,
    posted_fields,
    require_started,
)
from simulators.dynamics.refusals import Refusal, not_related


def find_journal(posting: Posting, number: str) -> tuple[str, list[dict[str, Any]]]:
    """The table and the lines of a production journal. Raises Refusal when there is none, or it has been posted."""
    for journal in JOURNALS:
        rows = posting.books.all(
            f'SELECT * FROM {journal.table} WHERE "dataAreaId" = ? AND "JournalNumber" = ?'
            ' ORDER BY "JournalLineNumber"',
            posting.company,
            number,
        )
        if rows:
            if rows[0]["IsPosted"] == "Yes":
                raise Refusal("posted", journal=number)
            return journal.table, rows
    raise not_related(number, "Journal", "Production journals")


def post(posting: Posting, number: str) -> None:
    table, rows = find_journal(posting, number)
    order = find_order(posting.books, posting.company, rows[0]["ProductionOrderNumber"])
    match table:
        case "raf_journal":
            report_as_finished(posting, order, rows)
        case "picking_journal":
            consumption.post_existing(posting, order, rows)
        case _:
            route_cards.post_existing(posting, order, rows, jobs=table == "job_journal")
    posting.journals.append(number)


def delete(posting: Posting, number: str) -> None:
    table, _ = find_journal(posting, number)
    posting.books.execute(
        f'DELETE FROM {table} WHERE "dataAreaId" = ? AND "JournalNumber" = ?', posting.company, number
    )


def report_as_finished(posting: Posting, order: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """A person posts a report-as-finished journal that was only created."""
    for row in rows:
        current = find_order(posting.books, posting.company, order["ProductionOrderNumber"])
        require_started(current)
        good, error = row["ReportedGoodInventoryQuantity"], row["ReportedErrorInventoryQuantity"]
        check_quantity(posting, good, error)
        check_period(posting.books, row["ReportAsFinishedDate"])
        item = row["ItemNumber"] or current["ItemNumber"]
        main = item.lower() == current["ItemNumber"].lower()
        if main:
            production.check_total(current, good, error)
        names = {
            "ProductionSiteId": row["ProductionSiteId"],
            "ProductionWarehouseId": row["WarehouseId"],
            "ProductionWarehouseLocationId": row["WarehouseLocationId"],
            "ItemBatchNumber": row["ItemBatchNumber"],
            "LicensePlateNumber": row["LicensePlateNumber"],
            "InventoryStatusId": row["ReceivedInventoryStatusId"],
        }
        place = production.receipt_place(current, names, item)
        moved = production.move(posting, place, good)
        changes = posted_fields(posting) | {"_counts": int(main), "ItemNumber": item}
        posting.books.change("raf_journal", row["_id"], changes | {"_stock": json.dumps(moved)})
        production.count_received(posting.books, current, item, good)
        if main:
            ends = row["IsLastReportAsFinished"] == "Yes"
            production.add_up(posting, current, good, error, row["ReportAsFinishedDate"], posted=True, ends=ends)
        automatic = row["WillReportAsFinishedPostingAutomaticallyPostPickingList"] == "Yes"
        if automatic and not row["ProductionPickingListJournalNumber"]:
            needs = consumption.flushed(
                posting.books,
                current,
                "FlushingPrincip",
                good + error,
                row["ReportAsFinishedDate"],
                principle="Finish",
            )
            consumption.post(posting, current, needs)
