"""Time-ticket confirmations: the rules of the confirmation transaction, and what one books.

The guid of the client (ExternalSystemConfirmation) is stored as it comes and never checked for uniqueness.
"""

import json
from typing import Any

from simulators.sap import cogi, goods
from simulators.sap.backflush import propose
from simulators.sap.books import Books, clock_text, entered_now, instant, now_ms, stamp, today_ms
from simulators.sap.confirmation_rules import (
    Posting,
    activities_of,
    check_over_delivery,
    check_predecessors,
    check_quantities,
    checked_unit,
    confirmable,
    find_operation,
    is_final,
    warn,
    yield_of,
)
from simulators.sap.entity_types import EMPTY_GUID
from simulators.sap.messages import Refusal
from simulators.sap.movements import Line
from simulators.sap.orders import control_profile, find_order, operations_of, refresh, require_status

_DECIDED_HERE = frozenset(
    {"ConfirmationGroup", "ConfirmationCount", "IsReversed", "IsReversal", "ConfirmationEntryDate"}
    | {"ConfirmationEntryTime", "EnteredByUser", "LastChangeDate", "LastChangedByUser", "Material"}
    | {"OrderPlannedTotalQty", "ProductionUnit", "OrderType", "OrderOperationInternalID"}
)
Key = tuple[str, str]


def confirm(posting: Posting, fields: dict[str, Any], lines: list[Line] | None) -> Key:
    """Books one confirmation with all that follows from it; `fields` are stored values by property name.

    `lines` None asks for the standard control (backflush and automatic receipt); a list replaces that proposal.
    """
    books = posting.books
    fields = {name: value for name, value in fields.items() if name not in _DECIDED_HERE}
    order = find_order(books, fields.get("OrderID", ""))
    number = order["ManufacturingOrder"]
    require_status(books, number, forbidden=("CLSD", "TECO", "DLFL", "LKD"))
    fields["OrderID"] = number
    fields["PostingDate"] = today_ms() if fields.get("PostingDate") is None else fields["PostingDate"]
    goods.check_period(books, fields["PostingDate"])
    if fields.get("APIConfHasNoGoodsMovements"):
        if lines:
            raise Refusal("RU/100", "APIConfHasNoGoodsMovements excludes goods movement items", target="OrderID")
        lines = []
    check_quantities(fields)
    if not fields.get("OrderOperation"):
        return _confirm_order(posting, order, fields, lines)
    operation = find_operation(books, number, fields)
    return _confirm_operation(posting, order, operation, fields, lines)


def _confirm_operation(
    posting: Posting, order: dict[str, Any], operation: dict[str, Any], fields: dict[str, Any], lines: list[Line] | None
) -> Key:
    mode, _ = control_profile(posting.books, operation)
    if mode in ("none", "external"):
        name = operation["ManufacturingOrderOperation"]
        text = f"Operation {name}: control profile {operation['OperationControlProfile']} allows no confirmation"
        raise Refusal("RU/102", text, target="OrderOperation")
    fields["ConfirmationUnit"] = checked_unit(operation["OperationUnit"], fields)
    fields["IsFinalConfirmation"] = is_final(operation, fields)
    check_over_delivery(order, operation, fields)
    warn(posting, order, operation, fields)
    open_predecessors = check_predecessors(posting.books, operation, fields, milestone=mode == "milestone")
    group, count = operation["_group"], str(operation["_count"] + 1)
    for predecessor, quantity in open_predecessors:
        _book_automatically(posting, order, predecessor, quantity, fields, f"{group}/{count}")
    return _book(posting, order, operation, fields, lines)


def _book_automatically(
    posting: Posting,
    order: dict[str, Any],
    operation: dict[str, Any],
    quantity: int,
    cause: dict[str, Any],
    automatic_of: str,
    *,
    lines: list[Line] | None = None,
    scrap: int = 0,
) -> Key:
    fields = {
        "OrderID": order["ManufacturingOrder"],
        "Sequence": operation["ManufacturingOrderSequence"],
        "OrderOperation": operation["ManufacturingOrderOperation"],
        "ConfirmationYieldQuantity": quantity,
        "ConfirmationScrapQuantity": scrap,
        "ConfirmationUnit": operation["OperationUnit"],
        "IsFinalConfirmation": cause["IsFinalConfirmation"],
        "OpenReservationsIsCleared": cause.get("OpenReservationsIsCleared", 0),
        "PostingDate": cause["PostingDate"],
    }
    if cause.get("APIConfHasNoGoodsMovements"):
        lines = []
    return _book(posting, order, operation, fields, lines, automatic_of=automatic_of)


def _confirm_order(posting: Posting, order: dict[str, Any], fields: dict[str, Any], lines: list[Line] | None) -> Key:
    """An order-level confirmation: its own record, and an automatic one for every operation still short of it."""
    books = posting.books
    fields["ConfirmationUnit"] = checked_unit(order["ProductionUnit"], fields)
    fields["IsFinalConfirmation"] = bool(
        fields.get("FinalConfirmationType") == "X" or fields.get("IsFinalConfirmation")
    )
    operations = [row for row in operations_of(books, order["ManufacturingOrder"]) if confirmable(books, row)]
    if not operations:
        raise Refusal("RU/102", f"Order {order['ManufacturingOrder']} has no operation to confirm")
    entered, scrap = fields.get("ConfirmationYieldQuantity", 0), fields.get("ConfirmationScrapQuantity", 0)
    last = operations[-1]
    reach = yield_of(last) + last["_scrap"] + entered + scrap
    group, count = order["_group"], str(order["_count"] + 1)
    books.update("production_order", {"_count": order["_count"] + 1}, ManufacturingOrder=order["ManufacturingOrder"])
    check_over_delivery(order, last, fields)
    _insert(posting, order, None, fields, (group, count), automatic_of="")
    for operation in operations:
        own = None if lines is None else []
        missing = entered if operation is last else max(0, reach - yield_of(operation))
        own_scrap = scrap if operation is last else 0
        cause = f"{group}/{count}"
        _book_automatically(posting, order, operation, missing, fields, cause, lines=own, scrap=own_scrap)
    if lines:
        _post_goods(posting, lines, (group, count), fields["PostingDate"])
        refresh(books, order["ManufacturingOrder"])
    return group, count


def _book(
    posting: Posting,
    order: dict[str, Any],
    operation: dict[str, Any],
    fields: dict[str, Any],
    lines: list[Line] | None,
    *,
    automatic_of: str = "",
) -> Key:
    """Writes the record, adds up the operation, clears reservations, posts the goods movements, sets the statuses."""
    books = posting.books
    key = (operation["_group"], str(operation["_count"] + 1))
    if lines is None:
        lines = propose(
            books,
            order,
            operation,
            good=fields.get("ConfirmationYieldQuantity", 0),
            scrap=fields.get("ConfirmationScrapQuantity", 0),
        )
    _insert(posting, order, operation, fields, key, automatic_of=automatic_of)
    add_up(books, operation, fields, sign=1)
    _post_goods(posting, lines, key, fields["PostingDate"])
    if fields["IsFinalConfirmation"] and fields.get("OpenReservationsIsCleared"):
        clear_reservations(books, operation, cleared=True)
    refresh(books, order["ManufacturingOrder"])
    return key


def _post_goods(posting: Posting, lines: list[Line], key: Key, posting_date: int) -> None:
    if not lines:
        return
    failed = cogi.post_for_confirmation(
        posting.books, lines, key, posting_date, fail=posting.spoil(), user=posting.user
    )
    if failed:
        posting.warn("RU/505", f"{failed} goods movement(s) with errors were stored in the error list (COGI)")


def _insert(
    posting: Posting,
    order: dict[str, Any],
    operation: dict[str, Any] | None,
    fields: dict[str, Any],
    key: Key,
    *,
    automatic_of: str,
) -> None:
    final = bool(fields["IsFinalConfirmation"])
    row = fields | {
        "ConfirmationGroup": key[0],
        "ConfirmationCount": key[1],
        "OrderType": order["ManufacturingOrderType"],
        "Material": order["Material"],
        "OrderPlannedTotalQty": order["TotalQuantity"],
        "ProductionUnit": order["ProductionUnit"],
        "IsFinalConfirmation": final,
        "FinalConfirmationType": "X" if final else "",
        "OrderConfirmationRecordType": fields.get("OrderConfirmationRecordType") or ("L40" if final else "L20"),
        **entered_now(posting.books),
        "EnteredByUser": posting.user,
        "_manual": posting.manual,
        "_automatic_of": automatic_of,
        "_at": instant(),
    }
    row["Plant"] = fields.get("Plant") or order["ProductionPlant"]
    if operation is not None:
        row["OrderOperationInternalID"] = operation["OrderIntBillOfOperationsItem"]
        row["WorkCenter"] = fields.get("WorkCenter") or operation["WorkCenter"]
        row["WorkCenterTypeCode"] = "A"
    if posting.forget_keys:
        row["ExternalSystemConfirmation"] = EMPTY_GUID
    posting.books.insert("confirmation", row)


def add_up(books: Books, operation: dict[str, Any], fields: dict[str, Any], *, sign: int) -> None:
    activities = activities_of(operation)
    for slot in map(str, range(1, 7)):
        quantity = fields.get(f"OpConfirmedWorkQuantity{slot}", 0)
        if not quantity:
            continue
        unit = fields.get(f"OpWorkQuantityUnit{slot}") or "MIN"
        activity = activities.setdefault(slot, {"planned": 0, "confirmed": 0, "unit": unit})
        if sign > 0 and unit != activity["unit"]:
            text = f"Activity {slot} is planned in {activity['unit']}, not in {unit}"
            raise Refusal("RU/103", text, target=f"OpWorkQuantityUnit{slot}")
        activity["confirmed"] += sign * quantity
    changes: dict[str, Any] = {
        "OpTotalConfirmedYieldQty": yield_of(operation) + sign * fields.get("ConfirmationYieldQuantity", 0),
        "_scrap": operation["_scrap"] + sign * fields.get("ConfirmationScrapQuantity", 0),
        "_rework": operation["_rework"] + sign * fields.get("ConfirmationReworkQuantity", 0),
        "_confirmations": operation["_confirmations"] + sign,
        "_count": operation["_count"] + 1,
        "_activities": json.dumps(activities),
        "LastChangeDateTime": max(stamp(), operation["LastChangeDateTime"]),
    }
    finals = books.one(
        "SELECT 1 FROM confirmation WHERE ConfirmationGroup = ? AND IsFinalConfirmation = 1 AND IsReversed = 0"
        " AND IsReversal = 0 LIMIT 1",
        operation["_group"],
    )
    changes["_final"] = int(finals is not None)
    if sign > 0 and operation["OpActualExecutionStartDate"] is None:
        changes |= {"OpActualExecutionStartDate": today_ms(), "OpActualExecutionStartTime": clock_text()}
    if changes["_final"]:
        changes |= {"OpActualExecutionEndDate": now_ms() // 86_400_000 * 86_400_000}
    books.update("production_operation", changes, _group=operation["_group"])


def clear_reservations(books: Books, operation: dict[str, Any], *, cleared: bool) -> None:
    books.update(
        "component",
        {"ReservationIsFinallyIssued": int(cleared)},
        ManufacturingOrder=operation["ManufacturingOrder"],
        ManufacturingOrderSequence=operation["ManufacturingOrderSequence"],
        ManufacturingOrderOperation=operation["ManufacturingOrderOperation"],
    )


def find_confirmation(books: Books, group: str, count: str) -> dict[str, Any]:
    row = books.one(
        "SELECT * FROM confirmation WHERE ConfirmationGroup = ? AND ConfirmationCount = ?",
        group.lstrip("0") or "0",
        count.lstrip("0") or "0",
    )
    if row is None:
        raise Refusal("RU/109", f"Confirmation {group}/{count} does not exist", target="ConfirmationGroup")
    return row
