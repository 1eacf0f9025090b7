"""Picking lists: what components a production order takes, by flushing principle or by explicit lines."""

import json
from dataclasses import dataclass, replace
from typing import Any

from simulators.dynamics import stock
from simulators.dynamics.books import Books
from simulators.dynamics.entities_production import PICKING
from simulators.dynamics.posting import (
    Posting,
    bom_lines_of,
    check_period,
    check_quantity,
    insert_journal,
    new_journal,
    posted_fields,
    require_started,
    share,
)
from simulators.dynamics.refusals import Refusal
from simulators.dynamics.stock import Place
from simulators.dynamics.values import MICRO, quantity_words, today

_TEXT = "Picking list"


@dataclass(frozen=True)
class Need:
    """One picking list line: quantities in the line's BOM unit, `bom_line` the row it belongs to."""

    bom_line: dict[str, Any]
    quantity: int
    place: Place
    date: str
    scrap: int = 0
    proposal: int = 0
    ended: bool = False
    cause: str = "None"


def flushed(
    books: Books,
    order: dict[str, Any],
    rule: str,
    quantity: int,
    date: str,
    *,
    principle: str,
    operations: tuple[int, int] = (0, 10**9),
) -> list[Need]:
    """What an automatic consumption rule takes for a quantity of the product.

    `FlushingPrincip` takes lines of the principle, `Always` every line, `Never` none; lines that are consumed when
    their operation reports are left to the route card.
    """
    first, last = operations
    needs: list[Need] = []
    for line in bom_lines_of(books, order):
        wanted = rule == "Always" or (rule == "FlushingPrincip" and line["FlushingPrinciple"] == principle)
        if not wanted or line["IsConsumedAtOperationComplete"] == "Yes" or line["IsFullyConsumed"] == "Yes":
            continue
        if first <= line["RouteOperationNumber"] <= last:
            needs += _need(order, line, quantity, date)
    return needs


def at_operation(
    books: Books, order: dict[str, Any], operation: dict[str, Any], quantity: int, date: str
) -> list[Need]:
    """What a route card's BOM consumption takes: the lines that are consumed at their operation."""
    needs: list[Need] = []
    for line in bom_lines_of(books, order):
        at = line["IsConsumedAtOperationComplete"] == "Yes" and line["IsFullyConsumed"] == "No"
        if at and line["RouteOperationNumber"] == operation["OperationNumber"]:
            needs += _need(order, line, quantity, date)
    return needs


def _need(order: dict[str, Any], line: dict[str, Any], quantity: int, date: str) -> list[Need]:
    if line["IsConstantConsumptionReleased"] == "Yes":
        taken = max(0, line["EstimatedBOMLineQuantity"] - line["_consumed"])
    else:
        taken = share(line["EstimatedBOMLineQuantity"], quantity, order["ScheduledQuantity"])
    return [Need(line, taken, place_of(line), date, proposal=taken)] if taken else []


def place_of(line: dict[str, Any]) -> Place:
    return Place(
        line["dataAreaId"],
        line["ItemNumber"],
        line["ConsumptionSiteId"],
        line["ConsumptionWarehouseId"],
        line["ConsumptionWarehouseLocationId"],
        line["ItemBatchNumber"],
        "",
        line["InventoryStatusId"],
    )


def explicit(posting: Posting, order: dict[str, Any], lines: list[dict[str, Any]]) -> list[Need]:
    """The lines of a picking list message; an item that the order does not plan becomes a line of its own."""
    needs: list[Need] = []
    for fields in lines:
        line = _matching(posting, order, fields)
        unit = fields.get("BOMUnitSymbol") or line["BOMLineUnitSymbol"]
        if unit.lower() != line["BOMLineUnitSymbol"].lower():
            raise Refusal("unit", unit=unit, other=line["BOMLineUnitSymbol"], item=line["ItemNumber"])
        quantity = fields.get("ConsumptionBOMQuantity", fields.get("ConsumptionInventoryQuantity", 0))
        scrap = fields.get("ScrapBOMQuantity", 0)
        if not quantity and not scrap and fields.get("IsConsumptionEnded") != "Yes":
            raise Refusal("zero")
        planned = place_of(line)
        place = replace(
            planned,
            site=fields.get("ProductionSiteId") or planned.site,
            warehouse=fields.get("ProductionWarehouseId") or planned.warehouse,
            location=fields.get("ProductionWarehouseLocationId") or planned.location,
            batch=(fields.get("ItemBatchNumber") or planned.batch)[:20],
            license_plate=(fields.get("LicensePlateNumber") or "")[:25],
            status=fields.get("InventoryStatusId") or planned.status,
        )
        ended = fields.get("IsConsumptionEnded") == "Yes"
        date = fields.get("ConsumptionDate") or today()
        proposal = fields.get("ProposalBOMQuantity", 0)
        needs.append(Need(line, quantity, place, date, scrap, proposal, ended, fields.get("ErrorCause", "None")))
    return needs


def _matching(posting: Posting, order: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """By line number or lot where given, else the first line of the item, at its operation where one is named."""
    item = fields["ItemNumber"].lower()
    rows = [row for row in bom_lines_of(posting.books, order) if row["ItemNumber"].lower() == item]
    for name, column in (("LineNumber", "LineNumber"), ("InventoryLotId", "InventoryLotId")):
        if fields.get(name):
            rows = [row for row in rows if row[column] == fields[name]]
            if not rows:
                text = f"Item {fields['ItemNumber']} has no production BOM line with {name} {fields[name]}."
                raise Refusal("related", text=text)
    operation = fields.get("OperationNumber")
    at = [row for row in rows if row["RouteOperationNumber"] == operation] if operation else rows
    if at:
        return at[0]
    if rows and not operation:
        return rows[0]
    return _unplanned(posting, order, fields)


def _unplanned(posting: Posting, order: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    books = posting.books
    item = stock.item_of(books, posting.company, fields["ItemNumber"])
    last = max((row["LineNumber"] for row in bom_lines_of(books, order)), default=0)
    row = {
        "dataAreaId": order["dataAreaId"],
        "ProductionOrderNumber": order["ProductionOrderNumber"],
        "LineNumber": last + MICRO,
        "ItemNumber": item["ItemNumber"],
        "BOMLineUnitSymbol": item["InventoryUnitSymbol"],
        "RouteOperationNumber": fields.get("OperationNumber") or 0,
        "ConsumptionSiteId": order["ProductionSiteId"],
        "ConsumptionWarehouseId": order["ProductionWarehouseId"],
        "InventoryLotId": books.sequence(posting.company, "lot", "L{:07d}"),
    }
    books.insert("bom_line", row)
    found = books.one("SELECT * FROM bom_line WHERE _id = last_insert_rowid()")
    assert found is not None
    return found


def post(posting: Posting, order: dict[str, Any], needs: list[Need], *, name: str = "Pick", posted: bool = True) -> str:
    """One picking list journal of these lines; its number, empty when there is nothing to pick.

    With the fault `partial` the journal stays as it was before posting, with the reason in the notes.
    """
    if not needs:
        return ""
    require_started(order)
    number = new_journal(posting)
    stays_open = posting.fail_picking and posted
    for count, need in enumerate(needs, 1):
        check_quantity(posting, need.quantity, need.scrap)
        check_period(posting.books, need.date)
        moved = _move(posting, need) if posted and not stays_open else []
        row = _row(order, need, number, count, name)
        insert_journal(posting, PICKING, row, posted=posted and not stays_open, stock=moved, counts=True)
        if posted and not stays_open:
            _consume(posting.books, need)
    if stays_open:
        first = needs[0]
        words: dict[str, Any] = {"quantity": quantity_words(first.quantity), "available": quantity_words(0)}
        posting.notes += [first.place.words(), posting.say("stock", **words)]
    return number


def _row(order: dict[str, Any], need: Need, number: str, count: int, name: str) -> dict[str, Any]:
    return {
        "JournalNumber": number,
        "JournalLineNumber": count * MICRO,
        "JournalName": name,
        "JournalDescription": _TEXT,
        "ProductionOrderNumber": order["ProductionOrderNumber"],
        "DefaultDimensionDisplayValue": order["DefaultLedgerDimensionDisplayValue"],
        "ConsumptionDate": need.date,
        "ItemNumber": need.bom_line["ItemNumber"],
        "OperationNumber": need.bom_line["RouteOperationNumber"],
        "PositionNumber": need.bom_line["PositionNumber"],
        "ConsumptionBOMQuantity": need.quantity,
        "ConsumptionInventoryQuantity": need.quantity,
        "ProposalBOMQuantity": need.proposal,
        "ProposalInventoryQuantity": need.proposal,
        "ScrapBOMQuantity": need.scrap,
        "BOMUnitSymbol": need.bom_line["BOMLineUnitSymbol"],
        "IsConsumptionEnded": "Yes" if need.ended else "No",
        "IsConsumptionReturned": "Yes" if need.quantity < 0 else "No",
        "ErrorCause": need.cause,
        "InventoryLotId": need.bom_line["InventoryLotId"],
        "ProductionSiteId": need.place.site,
        "WarehouseId": need.place.warehouse,
        "WarehouseLocationId": need.place.location,
        "ItemBatchNumber": need.place.batch,
        "LicensePlateNumber": need.place.license_plate,
        "InventoryStatusId": need.place.status,
        "_bom_line": need.bom_line["_id"],
    }


def _move(posting: Posting, need: Need) -> list[dict[str, Any]]:
    quantity = need.quantity + need.scrap
    if not quantity:
        return []
    books = posting.books
    status = need.place.status or stock.AVAILABLE
    if stock.require_status(books, status):
        raise Refusal("blocking_status", status=status)
    place = stock.complete(books, need.place, receipt=quantity < 0)
    if quantity > 0:
        return stock.issue(books, place, quantity, production=True)
    line = books.one("SELECT _consumed FROM bom_line WHERE _id = ?", need.bom_line["_id"])
    done = line["_consumed"] if line else 0
    if -quantity > done:
        words: dict[str, Any] = {"done": quantity_words(done), "quantity": quantity_words(-quantity)}
        raise Refusal("return", item=place.item, **words)
    return stock.receive(books, place, -quantity)


def _consume(books: Books, need: Need) -> None:
    """Read again: one journal may take twice from one line."""
    row = books.one("SELECT * FROM bom_line WHERE _id = ?", need.bom_line["_id"])
    assert row is not None
    consumed = row["_consumed"] + need.quantity + need.scrap
    ended = need.ended or row["IsFullyConsumed"] == "Yes"
    set_consumed(books, row, consumed, ended=ended)


def set_consumed(books: Books, row: dict[str, Any], consumed: int, *, ended: bool) -> None:
    remaining = 0 if ended else max(0, row["EstimatedBOMLineQuantity"] - consumed)
    changes: dict[str, Any] = {
        "_consumed": consumed,
        "RemainingBOMLineQuantity": remaining,
        "RemainingInventoryQuantity": remaining,
        "IsFullyConsumed": "Yes" if ended else "No",
        "LineRemainderStatus": "Completed" if remaining == 0 else "Material",
    }
    books.change("bom_line", row["_id"], changes)


def post_existing(posting: Posting, order: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """A person posts a picking list journal that was only created: the same rules, the same effects."""
    require_started(order)
    lines = {line["_id"]: line for line in bom_lines_of(posting.books, order)}
    for row in rows:
        fields = {"ItemNumber": row["ItemNumber"], "OperationNumber": row["OperationNumber"]}
        line = lines.get(row["_bom_line"] or 0) or _matching(posting, order, fields)
        planned = place_of(line)
        place = replace(
            planned,
            site=row["ProductionSiteId"] or planned.site,
            warehouse=row["WarehouseId"] or planned.warehouse,
            location=row["WarehouseLocationId"] or planned.location,
            batch=row["ItemBatchNumber"] or planned.batch,
            license_plate=row["LicensePlateNumber"],
            status=row["InventoryStatusId"] or planned.status,
        )
        quantity = row["ConsumptionBOMQuantity"] or row["ConsumptionInventoryQuantity"]
        ended = row["IsConsumptionEnded"] == "Yes"
        need = Need(line, quantity, place, row["ConsumptionDate"], row["ScrapBOMQuantity"], ended=ended)
        check_quantity(posting, need.quantity, need.scrap)
        check_period(posting.books, need.date)
        changes = posted_fields(posting) | {"_bom_line": line["_id"], "_counts": 1}
        changes["_stock"] = json.dumps(_move(posting, need))
        posting.books.change("picking_journal", row["_id"], changes)
        _consume(posting.books, need)
