"""What may be created, changed and deleted through OData in production control: orders and unposted journals."""

from typing import Any

from simulators.common.database import instant
from simulators.dynamics import route_cards, seeding, stock
from simulators.dynamics.books import Books
from simulators.dynamics.edm import EMPTY_INSTANT
from simulators.dynamics.entities_production import JOB_CARD, PICKING, RAF, ROUTE_CARD
from simulators.dynamics.posting import find_order
from simulators.dynamics.refusals import Refusal, not_related
from simulators.dynamics.values import MICRO, is_empty_date, quantity_words, today
from simulators.dynamics.writing import Context, Row, Rules

_UNPOSTED: Row = {"IsPosted": "No", "PostedDateTime": EMPTY_INSTANT, "VoucherNumber": "", "PostedUserId": ""}
_HEADER_FIXED = (
    "ProductionOrderStatus", "ProductionOrderRemainderStatus", "StartedQuantity", "EstimatedQuantity", "InventoryLotId",
    "RemainingReportAsFinishedQuantity", "StartedDate", "ReportedAsFinishedDate", "EndedDate", "ReleasedDate",
)  # fmt: skip
_EARLY = ("Created", "CostEstimated", "Scheduled", "Released")


def _require_free(context: Context, order: str) -> None:
    if context.conflicts(context.company, order):
        raise Refusal("conflict")


def create_order(context: Context, row: Row) -> Row:
    """An item is enough; the number, the status and most of the rest are the server's."""
    if not row["ItemNumber"]:
        raise Refusal("filled", field="Item number")
    item = stock.item_of(context.books, context.company, row["ItemNumber"])
    number = row["ProductionOrderNumber"] or context.books.sequence(context.company, "production", "P{:06d}")
    quantity = row["ScheduledQuantity"] or MICRO
    _require_positive(quantity)
    return row | {
        "ProductionOrderNumber": number,
        "ProductionOrderName": row["ProductionOrderName"] or item["ProductName"],
        "ProductionOrderStatus": "Created",
        "ProductionOrderRemainderStatus": "None",
        "ScheduledQuantity": quantity,
        "StartedQuantity": 0,
        "EstimatedQuantity": 0,
        "RemainingReportAsFinishedQuantity": quantity,
        "InventoryLotId": seeding.lot(context.books, context.company),
        "ParentProductionOrderNumber": number,
        "_unit": item["InventoryUnitSymbol"],
        "_over": 0,
    }


def _require_positive(quantity: int) -> None:
    if quantity <= 0:
        raise Refusal("negative", quantity=quantity_words(quantity))


def change_order(context: Context, row: Row, changes: Row) -> Row:
    _require_free(context, row["ProductionOrderNumber"])
    if row["ProductionOrderStatus"] == "Completed":
        raise Refusal("ended", order=row["ProductionOrderNumber"])
    for name in _HEADER_FIXED:
        if name in changes and changes[name] != row[name]:
            raise Refusal("read_only", field=name)
    quantity = changes.get("ScheduledQuantity")
    if quantity is not None and quantity != row["ScheduledQuantity"]:
        if row["ProductionOrderStatus"] not in _EARLY:
            raise Refusal("read_only", field="ScheduledQuantity")
        _require_positive(quantity)
        changes["RemainingReportAsFinishedQuantity"] = quantity
    return changes


def remove_order(context: Context, row: Row) -> None:
    if row["ProductionOrderStatus"] != "Created":
        number, status = row["ProductionOrderNumber"], row["ProductionOrderStatus"]
        raise Refusal("status", order=number, status=status, needed="Created")


def _create_journal(table: str, date: str) -> Any:
    def create(context: Context, row: Row) -> Row:
        if not row["ProductionOrderNumber"]:
            raise Refusal("filled", field="Production")
        if not row["JournalName"]:
            raise Refusal("filled", field="Journal name")
        order = find_order(context.books, context.company, row["ProductionOrderNumber"])
        _require_free(context, order["ProductionOrderNumber"])
        if order["ProductionOrderStatus"] == "Completed":
            raise Refusal("ended", order=order["ProductionOrderNumber"])
        _check_operation(context, order, row)
        number, line = _place(context.books, table, context.company, row)
        own = _UNPOSTED | {"JournalNumber": number, "JournalLineNumber": line, "_at": instant(), "_user": context.user}
        if is_empty_date(row[date]):
            own[date] = today()
        if "ItemNumber" in row:
            item = row["ItemNumber"] or (order["ItemNumber"] if table == RAF.table else "")
            if not item:
                raise Refusal("filled", field="Item number")
            own["ItemNumber"] = stock.item_of(context.books, context.company, item)["ItemNumber"]
        return row | own

    return create


def _check_operation(context: Context, order: Row, row: Row) -> None:
    number = row.get("RouteOperationNumber")
    if number is None:
        return
    if not number:
        raise Refusal("filled", field="Oper. No.")
    route_cards.find_operation(context.books, order, number, row["RouteOperationPriority"])
    if row["OperationsResourceId"]:
        resource = row["OperationsResourceId"]
        where = 'SELECT 1 FROM resource WHERE "dataAreaId" = ? AND "ResourceId" = ?'
        if context.books.one(where, context.company, resource) is None:
            raise not_related(resource, "Resource", "Resources")


def _place(books: Books, table: str, company: str, row: Row) -> tuple[str, int]:
    """A new journal with its first line, or the next line of one that exists and is not posted."""
    number = row["JournalNumber"]
    if not number:
        return books.sequence(company, "production_journal", "{:06d}"), MICRO
    known = books.one(
        f'SELECT MAX("JournalLineNumber") AS line, MAX("IsPosted") AS posted FROM {table}'
        ' WHERE "dataAreaId" = ? AND "JournalNumber" = ?',
        company,
        number,
    )
    if known is None or known["line"] is None:
        raise not_related(number, "Journal", "Production journals")
    if known["posted"] == "Yes":
        raise Refusal("posted", journal=number)
    return number, row["JournalLineNumber"] or known["line"] + MICRO


def _change_journal(context: Context, row: Row, changes: Row) -> Row:
    _require_free(context, row["ProductionOrderNumber"])
    if row["IsPosted"] == "Yes":
        raise Refusal("posted", journal=row["JournalNumber"])
    for name, value in _UNPOSTED.items():
        if changes.get(name, value) != value:
            raise Refusal("read_only", field=name)
    return changes


def _remove_journal(context: Context, row: Row) -> None:
    _require_free(context, row["ProductionOrderNumber"])
    if row["IsPosted"] == "Yes":
        raise Refusal("posted", journal=row["JournalNumber"])


def _journal(table: str, date: str) -> Rules:
    return Rules(_create_journal(table, date), _change_journal, _remove_journal)


RULES: dict[str, Rules] = {
    "ProductionOrderHeaders": Rules(create_order, change_order, remove_order),
    RAF.set_name: _journal(RAF.table, "ReportAsFinishedDate"),
    PICKING.set_name: _journal(PICKING.table, "ConsumptionDate"),
    ROUTE_CARD.set_name: _journal(ROUTE_CARD.table, "ConsumptionDate"),
    JOB_CARD.set_name: _journal(JOB_CARD.table, "ConsumptionDate"),
}
