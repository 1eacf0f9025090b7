"""What may be created, changed and deleted through OData in inventory and quality. Reference 3.4 and 3.5."""

from collections.abc import Callable

from simulators.common.database import instant
from simulators.dynamics import inventory_journals, quality, stock
from simulators.dynamics.edm import EMPTY_INSTANT
from simulators.dynamics.refusals import Refusal, not_related
from simulators.dynamics.values import MICRO, quantity_words
from simulators.dynamics.writing import Context, Row, Rules

_JOURNAL_NAMES = {"transfer": "ITrf", "movement": "IMov"}


def _create_header(kind: str) -> Callable[[Context, Row], Row]:
    def create(context: Context, row: Row) -> Row:
        number = row["JournalNumber"] or context.books.sequence(context.company, "inventory_journal", "{:05d}")
        own: Row = {"JournalNumber": number, "JournalNameId": row["JournalNameId"] or _JOURNAL_NAMES[kind]}
        own |= {"IsPosted": "No", "PostedDateTime": EMPTY_INSTANT, "PostedUserId": ""}
        return row | own | {"_at": instant(), "_user": context.user, "_stuck": int(context.partial)}

    return create


def _change_header(_: Context, row: Row, changes: Row) -> Row:
    _require_open(row)
    for name in ("IsPosted", "PostedDateTime", "PostedUserId"):
        if name in changes and changes[name] != row[name]:
            raise Refusal("read_only", field=name)
    return changes | {"_error": ""}


def _remove_header(kind: str) -> Callable[[Context, Row], None]:
    def remove(context: Context, row: Row) -> None:
        _require_open(row)
        context.books.execute(
            f'DELETE FROM {inventory_journals.TABLES[kind][1]} WHERE "dataAreaId" = ? AND "JournalNumber" = ?',
            row["dataAreaId"],
            row["JournalNumber"],
        )

    return remove


def _require_open(row: Row) -> None:
    if row["IsPosted"] == "Yes":
        raise Refusal("posted", journal=row["JournalNumber"])


def _touch(context: Context, kind: str, number: str) -> list[Row]:
    """The journal must be open; what kept it from being posted is looked at again. Its lines."""
    if not number:
        raise Refusal("filled", field="Journal")
    journal = inventory_journals.find(context.books, kind, context.company, number)
    _require_open(journal.header)
    context.books.update(inventory_journals.TABLES[kind][0], {"_error": ""}, _id=journal.header["_id"])
    return journal.lines


def _create_line(kind: str) -> Callable[[Context, Row], Row]:
    def create(context: Context, row: Row) -> Row:
        lines = _touch(context, kind, row["JournalNumber"])
        item = stock.item_of(context.books, context.company, row["ItemNumber"])
        last = max((line["LineNumber"] for line in lines), default=0)
        own = {"ItemNumber": item["ItemNumber"], "LineNumber": row["LineNumber"] or last + MICRO}
        return row | own | {"JournalNameId": row["JournalNameId"] or _JOURNAL_NAMES[kind]}

    return create


def _change_line(kind: str) -> Callable[[Context, Row, Row], Row]:
    def change(context: Context, row: Row, changes: Row) -> Row:
        _touch(context, kind, row["JournalNumber"])
        return changes

    return change


def _remove_line(kind: str) -> Callable[[Context, Row], None]:
    def remove(context: Context, row: Row) -> None:
        _touch(context, kind, row["JournalNumber"])

    return remove


def create_batch(context: Context, row: Row) -> Row:
    """Only an item with batch tracking has batches, so this is where a code on any other item ends."""
    item = stock.item_of(context.books, context.company, row["ItemNumber"])
    if not item["_batch_managed"]:
        raise Refusal("not_active", name="Batch number", item=item["ItemNumber"])
    if not row["BatchNumber"]:
        raise Refusal("filled", field="Batch number")
    code = row["BatchDispositionCode"] or stock.AVAILABLE
    quality.require_code(context.books, context.company, code)
    return row | {"BatchDispositionCode": code}


def change_batch(context: Context, row: Row, changes: Row) -> Row:
    code = changes.get("BatchDispositionCode")
    if code:
        quality.require_code(context.books, row["dataAreaId"], code)
    return changes


def remove_batch(context: Context, row: Row) -> None:
    lying = context.books.one(
        "SELECT SUM(quantity) AS quantity FROM stock WHERE company = ? AND item = ? AND batch = ? AND quantity <> 0",
        row["dataAreaId"],
        row["ItemNumber"],
        row["BatchNumber"],
    )
    if lying and lying["quantity"]:
        text = f"Batch {row['BatchNumber']} has {quantity_words(lying['quantity'])} on hand and cannot be deleted."
        raise Refusal("exists", text=text)


def create_quality_order(context: Context, row: Row) -> Row:
    return quality.complete(context.books, context.company, row, context.user)


def block_for(context: Context, row: Row) -> None:
    quality.block(context.books, context.company, row)


def change_quality_order(context: Context, row: Row, changes: Row) -> Row:
    status = changes.pop("QualityOrderStatus", row["QualityOrderStatus"])
    if changes.get("InventoryQuantity", row["InventoryQuantity"]) != row["InventoryQuantity"]:
        raise Refusal("read_only", field="InventoryQuantity")
    if status == row["QualityOrderStatus"]:
        return changes
    if context.books.setting("quality_validation") != "patch":
        raise Refusal("read_only", field="QualityOrderStatus")
    quality.validate(context.books, row["dataAreaId"], row["QualityOrderNumber"], context.user, status)
    return changes


def remove_quality_order(context: Context, row: Row) -> None:
    if row["QualityOrderStatus"] != "Open":
        raise Refusal("read_only", field="QualityOrderStatus")
    quality.unblock(context.books, row["dataAreaId"], row["QualityOrderNumber"])


def create_result(context: Context, row: Row) -> Row:
    number = row["QualityOrderNumber"]
    order = context.books.one(
        'SELECT * FROM quality_order WHERE "dataAreaId" = ? AND "QualityOrderNumber" = ?', context.company, number
    )
    if order is None:
        raise not_related(number, "Quality order", "Quality orders")
    if order["QualityOrderStatus"] != "Open":
        raise Refusal("read_only", field="QualityOrderStatus")
    last = context.books.one(
        'SELECT MAX("ResultLineNumber") AS line FROM quality_result WHERE "dataAreaId" = ?'
        ' AND "QualityOrderNumber" = ? AND "QualityOrderSequenceNumber" = ?',
        context.company,
        number,
        row["QualityOrderSequenceNumber"] or 1,
    )
    line = row["ResultLineNumber"] or ((last["line"] if last else 0) or 0) + MICRO
    return row | {
        "QualityOrderSequenceNumber": row["QualityOrderSequenceNumber"] or 1,
        "ResultLineNumber": line,
    }


def create_nonconformance(context: Context, row: Row) -> Row:
    if row["ItemId"]:
        stock.item_of(context.books, context.company, row["ItemId"])
    number = row["InventNonConformanceId"] or context.books.sequence(context.company, "nonconformance", "NC-{:06d}")
    return row | {"InventNonConformanceId": number, "Approval": "New", "Closed": "No"}


def _header(kind: str) -> Rules:
    return Rules(_create_header(kind), _change_header, _remove_header(kind))


def _line(kind: str) -> Rules:
    return Rules(_create_line(kind), _change_line(kind), _remove_line(kind))


RULES: dict[str, Rules] = {
    "InventoryTransferJournalHeaders": _header("transfer"),
    "InventoryTransferJournalEntries": _line("transfer"),
    "InventoryMovementJournalHeaders": _header("movement"),
    "InventoryMovementJournalEntries": _line("movement"),
    "ItemBatches": Rules(create_batch, change_batch, remove_batch),
    "QualityOrderHeaders": Rules(create_quality_order, change_quality_order, remove_quality_order, block_for),
    "QualityOrderLineResults": Rules(create_result),
    "InventNonConformance": Rules(create_nonconformance),
}
