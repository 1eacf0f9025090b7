"""What maintenance and capacity records fill in and refuse, machine events, and maintenance transactions."""

import json
from typing import Any

from simulators.oracle import stock
from simulators.oracle.books import Books
from simulators.oracle.call import Call, Job
from simulators.oracle.errors import BAD_REQUEST, LineError, Refusal
from simulators.oracle.framework import JSON, Answer, parse_json, require_media
from simulators.oracle.payload import line_values, lots_and_serials
from simulators.oracle.posting import Posting, checked_date
from simulators.oracle.quality import require_organization
from simulators.oracle.values import attributes, datetime_text, now_text
from simulators.oracle.work_orders import TRANSITIONS, status_row

DETAILS = {
    "maintenanceOperationTransactions": "OperationTransactionDetail",
    "maintenanceMaterialTransactions": "MaterialTransactionDetail",
    "maintenanceResourceTransactions": "ResourceTransactionDetail",
}
LINE = attributes(
    "OrganizationCode:s30 WorkOrderNumber:s120 WoOperationSequenceNumber:n OperationSequenceNumber:n"
    " FromDispatchState:s30 ToDispatchState:s30 TransactionQuantity:n TransactionUnitOfMeasure:s25"
    " TransactionUOMCode:s3 TransactionDate:t TransactionTypeCode:s30 InventoryItemNumber:s300"
    " SubinventoryCode:s18 Locator:s800 ResourceCode:s30 ResourceSequenceNumber:n AssetNumber:s80"
    " ReasonCode:s30 TransactionNote:s4000"
)


def complete_status(books: Books, values: dict[str, Any]) -> None:
    if values["WoSystemStatusCode"] not in TRANSITIONS:
        text = f"The system status {values['WoSystemStatusCode']} is not valid; valid are {', '.join(TRANSITIONS)}"
        raise Refusal(BAD_REQUEST, text, path="/WoSystemStatusCode")


def keep_seeded(books: Books, row: dict[str, Any], changes: dict[str, Any]) -> None:
    if row["WoStatusCode"].startswith("ORA_") and changes:
        raise Refusal(BAD_REQUEST, f"The seeded status {row['WoStatusCode']} cannot be changed", path="/WoStatusCode")


def _require_asset(books: Books, values: dict[str, Any]) -> None:
    code = values.get("OrganizationCode")
    known = books.one(
        "SELECT o.OrganizationCode AS code FROM asset a JOIN organization o ON o.OrganizationId = a.organization"
        " WHERE a.number = ? AND ? IN (o.OrganizationCode, '')",
        *(values["AssetNumber"], code or ""),
    )
    if known is None:
        raise Refusal(BAD_REQUEST, f"The asset {values['AssetNumber']} is not valid", path="/AssetNumber")
    values["OrganizationCode"] = known["code"]


def complete_order(books: Books, values: dict[str, Any]) -> None:
    require_organization(books, values["OrganizationCode"])
    _require_asset(books, values)
    status = status_row(books, code=values.get("WorkOrderStatusCode") or "ORA_UNRELEASED")
    values["WorkOrderStatusCode"] = status["WoStatusCode"]
    values["WorkOrderSystemStatusCode"] = status["WoSystemStatusCode"]
    values.setdefault("WorkOrderTypeCode", "CORRECTIVE")
    values.setdefault("PlannedStartDate", now_text())


def change_order(books: Books, row: dict[str, Any], changes: dict[str, Any]) -> None:
    changes.pop("WorkOrderSystemStatusCode", None)
    if changes.get("WorkOrderStatusCode") is None:
        return
    status = status_row(books, code=changes["WorkOrderStatusCode"])
    before, after = row["WorkOrderSystemStatusCode"], status["WoSystemStatusCode"]
    if before != after and after not in TRANSITIONS[before]:
        text = f"Work order {row['WorkOrderNumber']} cannot change from {before} to {after}"
        raise Refusal("WIE_INVALID_STATUS_CHANGE", text, path="/WorkOrderStatusCode")
    changes["WorkOrderSystemStatusCode"] = after
    if after == "COMPLETED" and row["ActualCompletionDate"] is None:
        changes.setdefault("ActualCompletionDate", now_text())


def complete_failure(books: Books, values: dict[str, Any]) -> None:
    _require_asset(books, values)
    number = values.get("WorkOrderNumber")
    if number and books.one("SELECT 1 FROM maintenance_work_order WHERE WorkOrderNumber = ?", number) is None:
        raise Refusal(BAD_REQUEST, f"The maintenance work order {number} is not valid", path="/WorkOrderNumber")


def complete_capacity(books: Books, values: dict[str, Any]) -> None:
    known = books.one(
        "SELECT 1 FROM work_center WHERE OrganizationCode = ? AND WorkCenterCode = ?",
        *(values["OrganizationCode"], values["WorkCenterCode"]),
    )
    if known is None:
        raise Refusal(BAD_REQUEST, f"The work center {values['WorkCenterCode']} is not valid", path="/WorkCenterCode")
    change_capacity(books, {}, values)


def change_capacity(books: Books, row: dict[str, Any], changes: dict[str, Any]) -> None:
    merged = row | changes
    if merged["EndDate"] < merged["StartDate"]:
        raise Refusal(BAD_REQUEST, "EndDate cannot be before StartDate", path="/EndDate")


def complete_override(books: Books, values: dict[str, Any]) -> None:
    exception = books.one(
        "SELECT * FROM work_center_resource_exception WHERE WorkCenterResourceExceptionId = ?",
        values.get("WorkCenterResourceExceptionId"),
    )
    known = exception and books.one(
        "SELECT 1 FROM work_center_resource WHERE OrganizationCode = ? AND WorkCenterCode = ? AND ResourceCode = ?",
        *(exception["OrganizationCode"], exception["WorkCenterCode"], values["ResourceCode"]),
    )
    if not known:
        text = f"The resource {values['ResourceCode']} does not belong to the work center"
        raise Refusal(BAD_REQUEST, text, path="/ResourceCode")
    if values["UnitsAvailable"] < 0:
        raise Refusal(BAD_REQUEST, "UnitsAvailable cannot be negative", path="/UnitsAvailable")


_EVENT = attributes("entityCode:s80 eventTypeCode:s80 eventTime:t")


def record_event(call: Call) -> Job:
    """`POST /api/scm-core/operational-data/v1/events`: 200, or 400 for what is no event."""
    require_media(call.media, (JSON,))
    body = parse_json(call.raw)
    for name in (*_EVENT, "data"):
        if body.get(name) in (None, ""):
            raise Refusal(BAD_REQUEST, f"{name} is required", path=f"/{name}")
    try:
        moment = datetime_text(body["eventTime"])
    except ValueError:
        raise Refusal(BAD_REQUEST, f"eventTime {body['eventTime']!r} is not valid", path="/eventTime") from None

    def work(posting: Posting) -> Answer:
        row = {
            "entity": str(body["entityCode"]),
            "type": str(body["eventTypeCode"]),
            "time": moment,
            "body": json.dumps(body["data"], default=str),
            "user": posting.user,
            "at": now_text(),
        }
        posting.books.insert("operational_event", row)
        return Answer(200, {"status": "SUCCESS"}, JSON)

    return Job(work)


class MaintenanceLine:
    """One detail of a maintenance transaction; a material line moves stock, the others are only recorded."""

    def __init__(self, line: dict[str, Any], detail: str, index: int) -> None:
        path = f"/{detail}/{index}"
        children = frozenset({"TransactionLot", "TransactionSerial"})
        self.values = line_values(line, LINE, path, children)
        self.lots, self.serials = lots_and_serials(line, path)
        self.detail = detail


def post(posting: Posting, line: MaintenanceLine) -> int:
    books, values = posting.books, line.values
    order = books.one(
        "SELECT * FROM maintenance_work_order WHERE WorkOrderNumber = ? AND OrganizationCode = ?",
        *(values.get("WorkOrderNumber"), values.get("OrganizationCode")),
    )
    if order is None:
        text = f"The maintenance work order {values.get('WorkOrderNumber') or '(none)'} is not valid."
        raise LineError("WIE_INVALID_WORK_ORDER", text)
    if order["WorkOrderSystemStatusCode"] not in ("RELEASED", "COMPLETED"):
        text = f"Transactions are not allowed in status {order['WorkOrderSystemStatusCode']}."
        raise LineError("WIE_INVALID_WORK_ORDER_STATUS", text)
    date = checked_date(books, values.get("TransactionDate"))
    number = books.new_id()
    if line.detail == DETAILS["maintenanceMaterialTransactions"]:
        number = _move_material(posting, order, line, date)
    row = {
        "id": number,
        "kind": line.detail,
        "number": order["WorkOrderNumber"],
        "body": json.dumps(values, default=str),
        "user": posting.user,
        "at": now_text(),
    }
    books.insert("maintenance_transaction", row)
    return number


def _move_material(posting: Posting, order: dict[str, Any], line: MaintenanceLine, date: str) -> int:
    books, values = posting.books, line.values
    kind = values.get("TransactionTypeCode") or ""
    if kind not in ("MATERIAL_ISSUE", "MATERIAL_RETURN"):
        text = f"The transaction type {kind or '(none)'} is not valid; valid are MATERIAL_ISSUE, MATERIAL_RETURN."
        raise LineError("WIE_INVALID_TRANSACTION_TYPE", text)
    plant = books.one("SELECT * FROM organization WHERE OrganizationCode = ?", order["OrganizationCode"])
    item = stock.find_item(books, number=values.get("InventoryItemNumber"))
    stock.check_unit(books, item, values.get("TransactionUnitOfMeasure"), values.get("TransactionUOMCode"))
    move = stock.Move(
        type=kind,
        organization=plant["OrganizationId"] if plant else 0,
        item=item,
        quantity=values.get("TransactionQuantity") or 0,
        subinventory=values.get("SubinventoryCode") or "",
        locator=values.get("Locator") or "",
        date=date,
        lots=line.lots,
        serials=line.serials,
        reason=values.get("ReasonCode") or "",
        text=values.get("TransactionNote") or "",
        account=order["AccountCombination"] or "",
        source=order["WorkOrderNumber"],
    )
    return stock.apply(posting, move)
