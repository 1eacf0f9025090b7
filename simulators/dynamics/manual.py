"""What a person does in the screens of D365: the same rules, no queue, no network, also while the service is down.

`POST /_control/manual` takes the simulated SAP's shape for a report; `action` names the other screens.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from simulators.dynamics import inventory_journals, production, quality, unposted
from simulators.dynamics.books import Books
from simulators.dynamics.posting import Posting, find_order, operations_of
from simulators.dynamics.refusals import Refusal
from simulators.dynamics.seed import Company, Quantity, Seed, Unit
from simulators.dynamics.values import day, micro

Signed = Annotated[Decimal, Field(max_digits=13, decimal_places=3)]
Action = Literal[
    "report", "release", "start", "end", "pick", "post_journal", "delete_journal", "post_transfer", "post_movement",
    "validate_quality_order",
]  # fmt: skip


class ManualEntry(Seed):
    """`report`: at the last operation a report as finished, before it a route card; quantities may be negative.

    `journal` names the journal or quality order of the actions that take one; `count` repeats a report.
    """

    action: Action = "report"
    order: str = ""
    operation: Annotated[str, Field(pattern=r"^\d{0,4}$")] = ""
    sequence: str = "0"
    yield_: Annotated[Signed, Field(alias="yield")] = Decimal(0)
    scrap: Signed = Decimal(0)
    rework: Quantity = Decimal(0)
    hours: Annotated[Decimal, Field(max_digits=13, decimal_places=6)] = Decimal(0)
    quantity: Signed | None = None
    material: str = ""
    unit: Unit | None = None
    batch: Annotated[str, Field(max_length=20)] = ""
    text: Annotated[str, Field(max_length=60)] = ""
    reason: str = ""
    final: bool = False
    clear_reservations: bool = False
    goods_movements: bool = True
    posting_date: date | None = None
    journal: str = ""
    company: Company | None = None
    user: Annotated[str, Field(max_length=20)] = "PERSON"
    count: Annotated[int, Field(ge=1, le=10_000)] = 1


def perform(books: Books, entry: ManualEntry) -> list[str]:
    """Call it in a transaction. The documents it made. Raises Refusal, and ValueError for what no screen takes."""
    company = (entry.company or str(books.setting("default_company"))).lower()
    posting = Posting(books, company, entry.user, manual=True, negative=True, text=entry.text)
    match entry.action:
        case "report":
            _report(posting, entry)
        case "release":
            _release(posting, entry.order)
        case "start":
            fields = {} if entry.quantity is None else {"StartedQuantity": micro(entry.quantity)}
            production.start(posting, entry.order, fields)
        case "end":
            production.end(posting, entry.order, {})
        case "pick":
            _pick(posting, entry)
        case "post_journal":
            unposted.post(posting, entry.journal)
        case "delete_journal":
            unposted.delete(posting, entry.journal)
        case "post_transfer" | "post_movement":
            kind = entry.action.removeprefix("post_")
            journal = inventory_journals.find(books, kind, company, entry.journal)
            inventory_journals.post(books, journal, user=entry.user, manual=True)
        case "validate_quality_order":
            quality.validate(books, company, entry.journal, entry.user)
    return posting.journals


def _release(posting: Posting, number: str) -> None:
    order = find_order(posting.books, posting.company, number)
    if order["ProductionOrderStatus"] not in ("Created", "CostEstimated", "Scheduled"):
        status = order["ProductionOrderStatus"]
        raise Refusal("status", order=number, status=status, needed="Scheduled")
    production.set_status(posting.books, order, "Released", ReleasedDate=production.today())


def _report(posting: Posting, entry: ManualEntry) -> None:
    if entry.rework:
        raise ValueError("rework: D365 knows good and error quantities only; leave it out")
    order = find_order(posting.books, posting.company, entry.order)
    if entry.unit and entry.unit.lower() != order["_unit"].lower():
        raise Refusal("unit", unit=entry.unit, other=order["_unit"], item=order["ItemNumber"])
    operations = operations_of(posting.books, order)
    last = operations[-1]["OperationNumber"] if operations else 0
    if not entry.operation or int(entry.operation) == last:
        production.report_finished(posting, entry.order, [_report_line(entry)])
    else:
        production.route_card(posting, entry.order, {}, [_route_line(entry)])


def _report_line(entry: ManualEntry) -> dict[str, Any]:
    """A report of the whole order also takes the planned times; one of the last operation leaves the others alone."""
    fields: dict[str, Any] = {
        "ReportedGoodQuantity": micro(entry.yield_),
        "ReportedErrorQuantity": micro(entry.scrap),
        "ErrorCause": entry.reason or "None",
        "EndJob": "Yes" if entry.final else "No",
        "EndPickingList": "Yes" if entry.clear_reservations else "No",
        "AutomaticBOMConsumptionRule": "FlushingPrincip" if entry.goods_movements else "Never",
        "AutomaticRouteConsumptionRule": "Never" if entry.operation else "Always",
    }
    if entry.batch:
        fields["ItemBatchNumber"] = entry.batch
    if entry.posting_date:
        fields["ReportAsFinishedDate"] = day(entry.posting_date)
    return fields


def _route_line(entry: ManualEntry) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "OperationNumber": int(entry.operation),
        "GoodQuantity": micro(entry.yield_),
        "ErrorQuantity": micro(entry.scrap),
        "Hours": micro(entry.hours),
        "ErrorCause": entry.reason or "None",
        "OperationCompleted": "Yes" if entry.final else "No",
        "BOMConsumption": "Yes" if entry.goods_movements else "No",
    }
    if entry.posting_date:
        fields["ConsumptionDate"] = day(entry.posting_date)
    return fields


def _pick(posting: Posting, entry: ManualEntry) -> None:
    fields: dict[str, Any] = {
        "ItemNumber": entry.material,
        "ConsumptionBOMQuantity": micro(entry.quantity or Decimal(0)),
        "ItemBatchNumber": entry.batch,
    }
    if entry.operation:
        fields["OperationNumber"] = int(entry.operation)
    if entry.posting_date:
        fields["ConsumptionDate"] = day(entry.posting_date)
    production.pick(posting, entry.order, {}, [fields])
