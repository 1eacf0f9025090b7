"""Starting, reporting as finished and ending a production order, with the journals that follow. Reference 3.3.

The same report twice posts twice: nothing here looks for one that was there before.
"""

from typing import Any

from simulators.dynamics import consumption, events, route_cards, stock
from simulators.dynamics.books import Books
from simulators.dynamics.entities_production import RAF
from simulators.dynamics.posting import (
    Posting,
    bom_lines_of,
    check_period,
    check_quantity,
    find_order,
    insert_journal,
    new_journal,
    operations_of,
    require_started,
    share,
    unposted_journals,
)
from simulators.dynamics.refusals import Refusal, not_related
from simulators.dynamics.stock import Place
from simulators.dynamics.values import MICRO, quantity_words, today

_TEXT = "Report as finished"
Fields = dict[str, Any]


def start(posting: Posting, number: str, fields: Fields) -> None:
    books = posting.books
    order = find_order(books, posting.company, number)
    status = order["ProductionOrderStatus"]
    if status == "Completed":
        raise Refusal("ended", order=number)
    if status not in ("Released", "StartedUp"):
        raise Refusal("status", order=number, status=status, needed="Released")
    date = fields.get("StartedDate") or today()
    check_period(books, date)
    planned, before = order["ScheduledQuantity"], order["StartedQuantity"]
    quantity = fields.get("StartedQuantity", planned - before)
    check_quantity(posting, quantity)
    if not quantity:
        raise Refusal("zero")
    if _beyond(before + quantity, planned, order["_over"]):
        words: dict[str, Any] = {"total": quantity_words(before + quantity), "planned": quantity_words(planned)}
        raise Refusal("start_too_much", order=number, **words)
    _start(posting, order, quantity, date)
    order = find_order(books, posting.company, number)
    rule = fields.get("AutomaticBOMConsumptionRule", "Never")
    consumption.post(posting, order, consumption.flushed(books, order, rule, quantity, date, principle="Start"))
    time_rule = fields.get("AutomaticRouteConsumptionRule", "Never")
    route_cards.post(posting, order, route_cards.setup(posting, order, time_rule, date))


def _start(posting: Posting, order: dict[str, Any], quantity: int, date: str) -> None:
    books = posting.books
    started = order["StartedQuantity"] + quantity
    changes: dict[str, Any] = {"StartedQuantity": started, "StartedDate": date}
    changes["RemainingReportAsFinishedQuantity"] = _remaining(started, order)
    books.change("production_order", order["_id"], changes)
    for line in bom_lines_of(books, order):
        needed = share(line["EstimatedBOMLineQuantity"], quantity, order["ScheduledQuantity"])
        total = line["StartedBOMLineQuantity"] + needed
        books.change("bom_line", line["_id"], {"StartedBOMLineQuantity": total, "StartedInventoryQuantity": total})
    if order["ProductionOrderStatus"] != "StartedUp":
        set_status(books, order, "StartedUp")


def set_status(books: Books, order: dict[str, Any], status: str, **more: Any) -> None:
    """Changes the status and tells it by business event."""
    books.change("production_order", order["_id"], {"ProductionOrderStatus": status, **more})
    changed = find_order(books, order["dataAreaId"], order["ProductionOrderNumber"])
    if status == "Released":
        events.order_event(books, changed, events.RELEASED)
    events.order_event(books, changed, events.STATUS_CHANGED)


def _beyond(total: int, base: int, tolerance: int | None) -> bool:
    """`tolerance` in thousandths of a percent; None: unlimited."""
    return tolerance is not None and total * 100_000 > base * (100_000 + tolerance)


def _remaining(started: int, order: dict[str, Any]) -> int:
    if order["_final"]:
        return 0
    return max(0, started - order["_good"] - order["_error"])


def report_finished(posting: Posting, number: str, lines: list[Fields]) -> None:
    for fields in lines:
        _report(posting, find_order(posting.books, posting.company, number), fields)


def _report(posting: Posting, order: dict[str, Any], fields: Fields) -> None:
    require_started(order)
    item = fields.get("ItemNumber") or order["ItemNumber"]
    main = item.lower() == order["ItemNumber"].lower()
    remaining = max(0, order["StartedQuantity"] - order["_good"] - order["_error"])
    # Left out, the good quantity is what is left to report, not zero.
    good = fields.get("ReportedGoodQuantity", remaining if main else 0)
    error = fields.get("ReportedErrorQuantity", 0)
    ends = fields.get("EndJob") == "Yes"
    check_quantity(posting, good, error)
    if not good and not error and not ends:
        raise Refusal("zero")
    date = fields.get("ReportAsFinishedDate") or today()
    check_period(posting.books, date)
    if main:
        check_total(order, good, error)
    posted = fields.get("PostNow", "Yes") == "Yes"
    picking = _picking(posting, order, fields, good + error, date, posted) if main else ""
    _receive(posting, order, fields, item, good, error, date, posted=posted, picking=picking)
    if not main:
        return
    add_up(posting, order, good, error, date, posted=posted, ends=ends)
    _route(posting, order, fields, good, error, date, posted)
    if posted:
        _end_parts(posting, order, fields)


def check_total(order: dict[str, Any], good: int, error: int) -> None:
    total, started = order["_good"] + good, order["StartedQuantity"]
    if good > 0 and _beyond(total, started, order["_over"]):
        words: dict[str, Any] = {"total": quantity_words(total), "started": quantity_words(started)}
        raise Refusal("too_much", order=order["ProductionOrderNumber"], **words)
    for done, change in ((order["_good"], good), (order["_error"], error)):
        if done + change < 0:
            words: dict[str, Any] = {"done": quantity_words(done), "quantity": quantity_words(-change)}
            raise Refusal("return", item=order["ItemNumber"], **words)


def _range(fields: Fields) -> tuple[int, int]:
    return fields.get("FromOperationNumber") or 0, fields.get("ToOperationNumber") or 10**9


def _picking(posting: Posting, order: dict[str, Any], fields: Fields, quantity: int, date: str, posted: bool) -> str:
    rule = fields.get("AutomaticBOMConsumptionRule", "FlushingPrincip")
    needs = consumption.flushed(
        posting.books, order, rule, quantity, date, principle="Finish", operations=_range(fields)
    )
    return consumption.post(posting, order, needs, name=fields.get("PickingListJournalNameId") or "Pick", posted=posted)


def _route(
    posting: Posting, order: dict[str, Any], fields: Fields, good: int, error: int, date: str, posted: bool
) -> None:
    rule = fields.get("AutomaticRouteConsumptionRule", "Always")
    if good or error:
        feedback = route_cards.automatic(posting, order, rule, good, error, date, *_range(fields))
        name = fields.get("RouteCardJournalNameId") or "Route"
        route_cards.post(posting, order, feedback, name=name, posted=posted)


def _receive(
    posting: Posting,
    order: dict[str, Any],
    fields: Fields,
    item: str,
    good: int,
    error: int,
    date: str,
    *,
    posted: bool,
    picking: str,
) -> None:
    place = receipt_place(order, fields, item)
    kind = fields.get("ProductionType") or "MainItem"
    _check_output(posting.books, order, item, kind)
    number = new_journal(posting)
    moved = move(posting, place, good) if posted else []
    row = {
        "JournalNumber": number,
        "JournalLineNumber": MICRO,
        "JournalName": fields.get("JournalNameId") or "RAF",
        "JournalDescription": _TEXT,
        "ProductionOrderNumber": order["ProductionOrderNumber"],
        "DefaultDimensionDisplayValue": order["DefaultLedgerDimensionDisplayValue"],
        "ReportAsFinishedDate": date,
        "ItemNumber": item,
        "InventoryLotId": order["InventoryLotId"],
        "ProductionType": kind,
        "ReportedGoodInventoryQuantity": good,
        "ReportedErrorInventoryQuantity": error,
        "ErrorCause": fields.get("ErrorCause", "None"),
        "IsLastReportAsFinished": fields.get("EndJob", "No"),
        "IsReceiptReturned": "Yes" if good < 0 else "No",
        "WillAsFinishedPostingAcceptQuantityError": fields.get("AcceptError", "No"),
        "WillReportAsFinishedPostingAutomaticallyPostPickingList": "Yes" if picking else "No",
        "ProductionPickingListJournalNumber": picking,
        "ReceivedInventoryStatusId": place.status,
        "ProductionSiteId": place.site,
        "WarehouseId": place.warehouse,
        "WarehouseLocationId": place.location,
        "ItemBatchNumber": place.batch,
        "LicensePlateNumber": place.license_plate,
        "ItemSerialNumber": fields.get("ProductSerialNumber", "")[:20],
    }
    insert_journal(posting, RAF, row, posted=posted, stock=moved, counts=item.lower() == order["ItemNumber"].lower())
    if posted:
        count_received(posting.books, order, item, good)


def receipt_place(order: dict[str, Any], fields: Fields, item: str) -> Place:
    main = item.lower() == order["ItemNumber"].lower()
    return Place(
        order["dataAreaId"],
        item,
        fields.get("ProductionSiteId") or order["ProductionSiteId"],
        fields.get("ProductionWarehouseId") or order["ProductionWarehouseId"],
        fields.get("ProductionWarehouseLocationId") or order["ProductionWarehouseLocationId"],
        (fields.get("ItemBatchNumber") or (order["ItemBatchNumber"] if main else ""))[:20],
        (fields.get("LicensePlateNumber") or order["LicensePlateNumber"])[:25],
        fields.get("InventoryStatusId") or order["InventoryStatusId"] or stock.AVAILABLE,
    )


def _check_output(books: Books, order: dict[str, Any], item: str, kind: str) -> None:
    if item.lower() == order["ItemNumber"].lower():
        return
    known = books.one(
        "SELECT kind FROM order_item WHERE company = ? AND order_id = ? AND material = ?",
        order["dataAreaId"],
        order["ProductionOrderNumber"],
        item,
    )
    if known is None or kind not in ("Co_Product", "By_Product"):
        raise not_related(item, "Item number", "Production order outputs")


def move(posting: Posting, place: Place, good: int) -> list[dict[str, Any]]:
    """Receives the good quantity, or takes it out again when it is negative."""
    if not good:
        return []
    books = posting.books
    if stock.require_status(books, place.status) and not books.setting("receive_into_blocking_status"):
        raise Refusal("blocking_status", status=place.status)
    place = stock.complete(books, place, receipt=good > 0)
    return stock.receive(books, place, good) if good > 0 else stock.issue(books, place, -good, production=False)


def count_received(books: Books, order: dict[str, Any], item: str, good: int) -> None:
    books.execute(
        "UPDATE order_item SET received = received + ? WHERE company = ? AND order_id = ? AND material = ?",
        good,
        order["dataAreaId"],
        order["ProductionOrderNumber"],
        item,
    )


def add_up(
    posting: Posting, order: dict[str, Any], good: int, error: int, date: str, *, posted: bool, ends: bool
) -> None:
    """The order's and its last operation's totals; only posted journals count."""
    if not posted:
        return
    books = posting.books
    own = dict(order) | {"_good": order["_good"] + good, "_error": order["_error"] + error}
    own["_final"] = int(bool(order["_final"]) or ends)
    changes: dict[str, Any] = {name: own[name] for name in ("_good", "_error", "_final")}
    changes |= {
        "ReportedAsFinishedDate": date,
        "RemainingReportAsFinishedQuantity": _remaining(order["StartedQuantity"], own),
        "ProductionOrderRemainderStatus": "ReportedFinished" if own["_final"] else "Route",
    }
    books.change("production_order", order["_id"], changes)
    if operations := operations_of(books, order):
        last = operations[-1]
        counted: dict[str, Any] = {"_yield": last["_yield"] + good, "_scrap": last["_scrap"] + error}
        counted["IsOperationStarted"] = "Yes"
        if ends:
            counted |= {"IsOperationCompleted": "Yes", "RouteOperationRemainderStatus": "Completed"}
        books.change("route_operation", last["_id"], counted)
    if ends and order["ProductionOrderStatus"] != "ReportedFinished":
        set_status(books, find_order(books, order["dataAreaId"], order["ProductionOrderNumber"]), "ReportedFinished")


def _end_parts(posting: Posting, order: dict[str, Any], fields: Fields) -> None:
    books = posting.books
    if fields.get("EndPickingList") == "Yes":
        for line in bom_lines_of(books, order):
            consumption.set_consumed(books, line, line["_consumed"], ended=True)
    if fields.get("EndRouteCard") == "Yes":
        for operation in operations_of(books, order):
            changes = {"IsOperationCompleted": "Yes", "RouteOperationRemainderStatus": "Completed"}
            books.change("route_operation", operation["_id"], changes)


def pick(posting: Posting, number: str, fields: Fields, lines: list[Fields]) -> None:
    order = find_order(posting.books, posting.company, number)
    require_started(order)
    needs = consumption.explicit(posting, order, lines)
    consumption.post(posting, order, needs, name=fields.get("JournalNameId") or "Pick")


def route_card(posting: Posting, number: str, fields: Fields, lines: list[Fields]) -> None:
    order = find_order(posting.books, posting.company, number)
    require_started(order)
    feedback = route_cards.explicit(posting, order, lines)
    route_cards.post(posting, order, feedback, name=fields.get("JournalNameId") or "Route")
    for one in feedback:
        if one.report and route_cards.is_last(posting.books, order, one.operation):
            report = {"ReportedGoodQuantity": one.good, "ReportedErrorQuantity": one.error, "ErrorCause": one.cause}
            rules = {"AutomaticRouteConsumptionRule": "Never", "ReportAsFinishedDate": one.date}
            report_finished(posting, number, [report | rules])


def end(posting: Posting, number: str, fields: Fields) -> None:
    """Final: nothing leads back from here."""
    books = posting.books
    order = find_order(books, posting.company, number)
    if order["ProductionOrderStatus"] == "Completed":
        raise Refusal("ended", order=number)
    if fields.get("AutoReportAsFinished") == "Yes" and order["ProductionOrderStatus"] == "StartedUp":
        rest = max(0, order["StartedQuantity"] - order["_good"] - order["_error"])
        report_finished(posting, number, [{"ReportedGoodQuantity": rest, "EndJob": "Yes"}])
        order = find_order(books, posting.company, number)
    if order["ProductionOrderStatus"] != "ReportedFinished":
        status = order["ProductionOrderStatus"]
        raise Refusal("status", order=number, status=status, needed="ReportedFinished")
    if waiting := unposted_journals(books, order):
        raise Refusal("unposted", journal=waiting[0], order=number)
    date = fields.get("EndedDate") or today()
    check_period(books, date)
    set_status(
        books,
        order,
        "Completed",
        EndedDate=date,
        ProductionOrderRemainderStatus="Completed",
        RemainingReportAsFinishedQuantity=0,
    )
