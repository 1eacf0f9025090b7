"""Route cards: time and quantities per operation, explicit or by the automatic rule.

The last operation's quantities in the books come from reports as finished; route cards count for those before it.
"""

from dataclasses import dataclass
from typing import Any

from simulators.dynamics import consumption
from simulators.dynamics.books import Books
from simulators.dynamics.entities_production import JOB_CARD, ROUTE_CARD
from simulators.dynamics.posting import (
    Posting,
    check_period,
    check_quantity,
    insert_journal,
    new_journal,
    operations_of,
    posted_fields,
    require_started,
)
from simulators.dynamics.refusals import Refusal, not_related
from simulators.dynamics.values import MICRO, quantity_words, today

_TEXT = "Route card"


@dataclass(frozen=True)
class Feedback:
    operation: dict[str, Any]
    good: int
    error: int
    hours: int
    task: str
    date: str
    resource: str = ""
    cause: str = "None"
    completed: bool = False
    bom_consumption: bool = False
    report: bool = False


def explicit(posting: Posting, order: dict[str, Any], lines: list[dict[str, Any]]) -> list[Feedback]:
    return [_line(posting, order, fields) for fields in lines]


def _line(posting: Posting, order: dict[str, Any], fields: dict[str, Any]) -> Feedback:
    operation = find_operation(
        posting.books, order, fields["OperationNumber"], fields.get("OperationPriority", "Primary")
    )
    resource = fields.get("OperationsResourceId", "")
    if resource:
        check_resource(posting, resource)
    return Feedback(
        operation,
        fields.get("GoodQuantity", 0),
        fields.get("ErrorQuantity", 0),
        fields.get("Hours", 0),
        fields.get("TaskType", "Process"),
        fields.get("ConsumptionDate") or today(),
        resource,
        fields.get("ErrorCause", "None"),
        fields.get("OperationCompleted") == "Yes",
        fields.get("BOMConsumption") == "Yes",
        fields.get("ReportAsFinished") == "Yes",
    )


def automatic(
    posting: Posting, order: dict[str, Any], rule: str, good: int, error: int, date: str, first: int, last: int
) -> list[Feedback]:
    """Estimated hours of every operation in the range, for the whole quantity, whatever was reported before."""
    if rule == "Never":
        return []
    found: list[Feedback] = []
    for operation in operations_of(posting.books, order):
        if not first <= operation["OperationNumber"] <= last or operation["_feedback"] in ("none", "external"):
            continue
        planned = operation["_planned"] or order["ScheduledQuantity"]
        hours = round(operation["EstimatedProcessTime"] * (good + error) / planned) if planned else 0
        found.append(Feedback(operation, good, error, hours, "Process", date))
    return found


def setup(posting: Posting, order: dict[str, Any], rule: str, date: str) -> list[Feedback]:
    """The setup hours that starting an order takes by the automatic rule."""
    if rule == "Never":
        return []
    return [
        Feedback(operation, 0, 0, operation["EstimatedSetupTime"], "Setup", date)
        for operation in operations_of(posting.books, order)
        if operation["EstimatedSetupTime"] and operation["_feedback"] not in ("none", "external")
    ]


def find_operation(books: Books, order: dict[str, Any], number: int, priority: str = "Primary") -> dict[str, Any]:
    for row in operations_of(books, order):
        if row["OperationNumber"] == number and row["OperationPriority"] == priority:
            return row
    raise not_related(str(number), "Oper. No.", "Production route")


def check_resource(posting: Posting, resource: str) -> None:
    known = posting.books.one(
        'SELECT 1 FROM resource WHERE "dataAreaId" = ? AND "ResourceId" = ?', posting.company, resource
    )
    if known is None:
        raise not_related(resource, "Resource", "Resources")


def is_last(books: Books, order: dict[str, Any], operation: dict[str, Any]) -> bool:
    return operations_of(books, order)[-1]["OperationNumber"] == operation["OperationNumber"]


def post(
    posting: Posting, order: dict[str, Any], feedback: list[Feedback], *, name: str = "Route", posted: bool = True
) -> str:
    """One route card journal of these lines; its number, empty when there is nothing to report."""
    if not feedback:
        return ""
    require_started(order)
    number = new_journal(posting)
    for count, one in enumerate(feedback, 1):
        check(posting, one)
        row = _row(order, one, number, count, name)
        counts = not is_last(posting.books, order, one.operation)
        if posted:
            row["ProductionPickingListJournalNumber"] = consume(posting, order, one)
        insert_journal(posting, ROUTE_CARD, row, posted=posted, counts=counts)
        if posted:
            add_up(posting, order, one)
    return number


def check(posting: Posting, one: Feedback) -> None:
    if one.operation["_feedback"] in ("none", "external"):
        raise Refusal("no_feedback", operation=one.operation["OperationNumber"])
    check_quantity(posting, one.good, one.error)
    if one.hours < 0 and not posting.negative:
        raise Refusal("negative", quantity=quantity_words(one.hours))
    if not (one.good or one.error or one.hours or one.completed):
        raise Refusal("zero")
    check_period(posting.books, one.date)
    if one.operation["IsOperationCompleted"] == "Yes":
        posting.notes.append(f"Operation {one.operation['OperationNumber']} has already been completed.")


def consume(posting: Posting, order: dict[str, Any], one: Feedback) -> str:
    if not one.bom_consumption:
        return ""
    needs = consumption.at_operation(posting.books, order, one.operation, one.good + one.error, one.date)
    return consumption.post(posting, order, needs)


def add_up(posting: Posting, order: dict[str, Any], one: Feedback) -> None:
    row = posting.books.one("SELECT * FROM route_operation WHERE _id = ?", one.operation["_id"])
    assert row is not None
    changes: dict[str, Any] = {"IsOperationStarted": "Yes"}
    if not is_last(posting.books, order, row):
        changes |= {"_yield": row["_yield"] + one.good, "_scrap": row["_scrap"] + one.error}
        planned = row["_planned"] or order["ScheduledQuantity"]
        done = max(0, row["_yield"] + one.good + row["_scrap"] + one.error)
        changes["ProcessCompletionPercentage"] = min(100 * MICRO, done * 100 * MICRO // planned)
    column = "_setup_hours" if one.task == "Setup" else "_process_hours"
    changes[column] = row[column] + one.hours
    if one.completed:
        changes |= {"IsOperationCompleted": "Yes", "RouteOperationRemainderStatus": "Completed"}
    posting.books.change("route_operation", row["_id"], changes)
    if one.completed:
        where = '"dataAreaId" = ? AND "ProductionOrderNumber" = ? AND "OperationNumber" = ?'
        posting.books.execute(
            "UPDATE route_job SET \"JobStatus\" = 'Completed', \"IsJobEnded\" = 'Yes', _version = _version + 1"
            f" WHERE {where}",
            row["dataAreaId"],
            row["ProductionOrderNumber"],
            row["OperationNumber"],
        )


def _row(order: dict[str, Any], one: Feedback, number: str, count: int, name: str) -> dict[str, Any]:
    return {
        "JournalNumber": number,
        "JournalLineNumber": count * MICRO,
        "JournalName": name,
        "JournalDescription": _TEXT,
        "ProductionOrderNumber": order["ProductionOrderNumber"],
        "DefaultDimensionDisplayValue": order["DefaultLedgerDimensionDisplayValue"],
        "ConsumptionDate": one.date,
        "OperationsResourceId": one.resource or one.operation["CostingOperationResourceId"],
        "RouteOperationNumber": one.operation["OperationNumber"],
        "RouteOperationPriority": one.operation["OperationPriority"],
        "RouteOperationId": one.operation["OperationId"],
        "RouteJobType": one.task,
        "RegisteredHours": one.hours,
        "ReportedGoodInventoryQuantity": one.good,
        "ReportedErrorInventoryQuantity": one.error,
        "ErrorCause": one.cause,
        "IsOperationCompleted": "Yes" if one.completed else "No",
        "WillRouteCardPostingAutomaticallyPostPickingList": "Yes" if one.bom_consumption else "No",
        "WillLastOperationEndingExecuteReportAsFinished": "Yes" if one.report else "No",
        "ProductionSiteId": order["ProductionSiteId"],
        "WarehouseId": order["ProductionWarehouseId"],
    }


def post_existing(posting: Posting, order: dict[str, Any], rows: list[dict[str, Any]], *, jobs: bool) -> None:
    """A person posts a route card or job card journal that was only created."""
    require_started(order)
    for row in rows:
        operation = find_operation(posting.books, order, row["RouteOperationNumber"], row["RouteOperationPriority"])
        one = Feedback(
            operation,
            row["ReportedGoodInventoryQuantity"],
            row["ReportedErrorInventoryQuantity"],
            row["RegisteredHours"],
            row["RouteJobType"],
            row["ConsumptionDate"],
            row["OperationsResourceId"],
            row["ErrorCause"],
            row["IsOperationCompleted"] == "Yes",
            row["WillRouteCardPostingAutomaticallyPostPickingList"] == "Yes",
        )
        check(posting, one)
        picking = consume(posting, order, one)
        counts = int(not is_last(posting.books, order, operation))
        entity = JOB_CARD if jobs else ROUTE_CARD
        name = "PickingListJournalNumber" if jobs else "ProductionPickingListJournalNumber"
        posting.books.change(entity.table, row["_id"], posted_fields(posting) | {name: picking, "_counts": counts})
        add_up(posting, order, one)
