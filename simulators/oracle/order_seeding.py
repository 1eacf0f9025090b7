"""Writes the work orders of a seed: header, operations, components, resources, and the demand behind them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from simulators.oracle import pull, stock
from simulators.oracle.books import Books
from simulators.oracle.masters import STORES, USER, assign, known_item, organization, unit_name, work_centre
from simulators.oracle.seed import (
    SeedComponent,
    SeedDemand,
    SeedOperation,
    SeedOrder,
    SeedReservation,
    SeedResource,
    SeedWorkCentre,
    SeedWorkCentreResource,
)
from simulators.oracle.values import micro, now_text
from simulators.oracle.work_orders import offer_first_operation, status_columns, status_row

_UNLIMITED = Decimal(999_999)
# The last of the SAP seed's statuses that applies decides.
_STATUSES = {
    "CRTD": "ORA_UNRELEASED",
    "REL": "ORA_RELEASED",
    "LKD": "ORA_ON_HOLD",
    "TECO": "ORA_COMPLETED",
    "DLFL": "ORA_CANCELED",
    "CLSD": "ORA_CLOSED",
}


def add_order(books: Books, given: SeedOrder) -> bool:
    plant = organization(books, given.plant)
    table = "process_work_order" if given.category == "process" else "work_order"
    if books.one(f"SELECT 1 FROM {table} WHERE OrganizationId = ? AND WorkOrderNumber = ?", plant, given.order):
        return False
    status = status_row(books, code=given.order_status or _status_code(given))
    number = books.new_id()
    if given.category == "process":
        row = {
            "WorkOrderId": number,
            "WorkOrderNumber": given.order,
            "WorkOrderDescription": given.text or None,
            "OrganizationId": plant,
            "OrganizationCode": given.plant,
            "WorkOrderStatusCode": status["WoStatusCode"],
            "WorkOrderSystemStatusCode": status["WoSystemStatusCode"],
            "WorkMethodCode": "PROCESS_MANUFACTURING",
            "PlannedStartQuantity": micro(given.quantity),
            "UOMCode": given.unit,
            "LastUpdateDate": now_text(),
        }
        books.insert("process_work_order", row)
        return True
    header = _header(books, given, plant, number) | status_columns(status)
    books.insert("work_order", header)
    operations = [
        _operation(books, given, one, header) for one in sorted(given.operations, key=lambda o: int(o.operation))
    ]
    offer_first_operation(books, number, ready=status["WoSystemStatusCode"] != "UNRELEASED")
    sequences: dict[int, int] = {}
    for component in given.components:
        _component(books, given, component, operations, sequences)
    for demand in _demands(given):
        _reserve(books, number, demand, given.unit)
    return True


def peg(books: Books, demand: SeedDemand) -> None:
    """Reserves the output of the item's orders for a demand until it is covered; the rest stays unpegged."""
    left = micro(demand.quantity)
    rows = books.all(
        "SELECT w.*, w.PlannedStartQuantity - (SELECT COALESCE(SUM(r.ReservationQuantity), 0) FROM"
        " work_order_reservation r WHERE r.WorkOrderId = w.WorkOrderId) AS free FROM work_order w"
        " WHERE w.ItemNumber = ? AND w.OrganizationCode = ? ORDER BY w.rowid",
        *(demand.material, demand.plant),
    )
    kind = "Sales Order" if demand.kind == "sales_order" else "Forecast"
    due = None if demand.due is None else datetime.combine(demand.due, datetime.min.time(), UTC)
    for row in rows:
        taken = min(left, row["free"])
        if taken > 0:
            quantity = Decimal(taken).scaleb(-6)
            reservation = SeedReservation(
                demand=demand.element,
                line=demand.item,
                type=kind,
                customer=demand.customer,
                quantity=quantity,
                required=due,
            )
            _reserve(books, row["WorkOrderId"], reservation, demand.unit)
            left -= taken


def _reserve(books: Books, order: int, demand: SeedReservation, unit: str) -> None:
    row = {
        "ReservationId": books.new_id(),
        "WorkOrderId": order,
        "DemandSourceType": demand.type,
        "DemandOrderNumber": demand.demand,
        "DemandOrderLineNumber": demand.line,
        "CustomerName": demand.customer or None,
        "ReservationQuantity": micro(demand.quantity),
        "UOMCode": unit,
        "RequirementDate": _moment(demand.required),
    }
    books.insert("work_order_reservation", row)


def _demands(given: SeedOrder) -> list[SeedReservation]:
    """The order's own reservations, and the sales order that a seed of the simulated SAP may name."""
    if not given.sales_order:
        return given.reservations
    number, line = given.sales_order, given.sales_order_item
    return [SeedReservation(demand=number, line=line, quantity=given.quantity), *given.reservations]


def _status_code(given: SeedOrder) -> str:
    return next((code for name, code in reversed(_STATUSES.items()) if name in given.status), "ORA_UNRELEASED")


def _header(books: Books, given: SeedOrder, plant: int, number: int) -> dict[str, Any]:
    place = given.items[0] if given.items else None
    batch = given.batch or (place.batch if place else "") or ""
    item = known_item(books, given.material, given.unit, lot=bool(batch))
    if given.unit != item["uom"]:
        raise ValueError(f"order {given.order}: the unit of {given.material} is {item['uom']}, not {given.unit}")
    tolerance = _UNLIMITED if given.unlimited_over_delivery else given.over_delivery_tolerance
    location = given.storage_location or (place.storage_location if place else "") or None
    if location:
        stock.ensure_subinventory(books, plant, location)
    return {
        "WorkOrderId": number,
        "WorkOrderNumber": given.order,
        "WorkOrderDescription": given.text or None,
        "OrganizationId": plant,
        "OrganizationCode": given.plant,
        "OrganizationName": given.plant,
        "WorkOrderType": "ORA_STANDARD",
        "WorkOrderSubType": given.type or None,
        "WorkMethodCode": "DISCRETE_MANUFACTURING",
        "InventoryItemId": item["InventoryItemId"],
        "ItemNumber": given.material,
        "PlannedStartQuantity": micro(given.quantity),
        "CompletedQuantity": 0,
        "ScrappedQuantity": 0,
        "RejectedQuantity": 0,
        "UOMCode": given.unit,
        "UnitOfMeasure": unit_name(books, given.unit),
        "PlannedStartDate": _moment(given.scheduled_start),
        "PlannedCompletionDate": _moment(given.scheduled_end),
        "ComplSubinventoryCode": location,
        "SerialTrackingFlag": item["serial"],
        "OvercompletionTolerancePercent": micro(tolerance),
        "_batch": batch,
    } | books.created_by(USER)


def _operation(books: Books, order: SeedOrder, given: SeedOperation, header: dict[str, Any]) -> dict[str, Any]:
    centre = None
    if given.work_centre:
        centre = books.one(
            "SELECT * FROM work_center WHERE OrganizationId = ? AND WorkCenterCode = ?",
            *(header["OrganizationId"], given.work_centre),
        ) or work_centre(books, SeedWorkCentre(work_centre=given.work_centre, plant=order.plant))
    row = {
        "WorkOrderOperationId": books.new_id(),
        "WorkOrderId": header["WorkOrderId"],
        "OperationSequenceNumber": int(given.operation),
        "OperationName": given.text or given.work_centre or given.operation,
        "WorkCenterId": centre["WorkCenterId"] if centre else None,
        "WorkCenterCode": centre["WorkCenterCode"] if centre else None,
        "WorkCenterName": centre["WorkCenterName"] if centre else None,
        "WorkAreaCode": centre["WorkAreaCode"] if centre else None,
        "CountPointOperationFlag": 1,
        "PlannedStartDate": header["PlannedStartDate"],
        "PlannedCompletionDate": header["PlannedCompletionDate"],
        "PlannedQuantity": micro(given.planned or order.quantity),
        "ReadyQuantity": 0,
        "CompletedQuantity": 0,
        "ScrappedQuantity": 0,
        "RejectedQuantity": 0,
        "UnitOfMeasure": header["UnitOfMeasure"],
        "UOMCode": header["UOMCode"],
        "LastUpdateDate": now_text(),
    }
    books.insert("work_order_operation", row)
    resources = [
        SeedResource(
            code=given.work_centre if slot == "1" and given.work_centre else f"{given.work_centre or 'ACT'}-{slot}",
            type="EQUIPMENT" if slot == "1" else "LABOR",
            usage=activity.planned,
            unit=activity.unit,
        )
        for slot, activity in sorted(given.activities.items(), key=lambda pair: int(pair[0]))
    ]
    slots = [int(slot) for slot in sorted(given.activities, key=int)]
    for number, resource in enumerate([*resources, *given.resources]):
        slot = slots[number] if number < len(slots) else max(slots, default=0) + 1 + number - len(slots)
        _resource(books, row, resource, slot * 10, centre)
    return row


def _resource(
    books: Books, operation: dict[str, Any], given: SeedResource, sequence: int, centre: dict[str, Any] | None
) -> None:
    resource_id = None
    if centre:
        assigned = SeedWorkCentreResource(code=given.code, type=given.type, unit=given.unit)
        resource_id = assign(books, centre, assigned)["ResourceId"]
    row = {
        "WorkOrderOperationResourceId": books.new_id(),
        "WorkOrderId": operation["WorkOrderId"],
        "WorkOrderOperationId": operation["WorkOrderOperationId"],
        "OperationSequenceNumber": operation["OperationSequenceNumber"],
        "ResourceSequenceNumber": sequence,
        "ResourceId": resource_id,
        "ResourceCode": given.code,
        "ResourceType": given.type,
        "ChargeType": given.charge,
        "RequiredUsage": micro(given.usage),
        "ActualResourceUsage": 0,
        "UOMCode": given.unit,
        "UnitOfMeasure": unit_name(books, given.unit),
        "LastUpdateDate": now_text(),
    }
    books.insert("work_order_resource", row)


def _component(
    books: Books,
    order: SeedOrder,
    given: SeedComponent,
    operations: list[dict[str, Any]],
    sequences: dict[int, int],
) -> None:
    wanted = int(given.operation) if given.operation else operations[0]["OperationSequenceNumber"]
    operation = next(row for row in operations if row["OperationSequenceNumber"] == wanted)
    sequences[wanted] = int(given.item) if given.item else sequences.get(wanted, 0) + 10
    item = known_item(
        books,
        given.material,
        given.unit,
        lot=given.batch_managed or bool(given.batch),
        serial=given.serial_managed,
    )
    if given.unit != item["uom"]:
        raise ValueError(f"component {given.material}: its unit is {item['uom']}, not {given.unit}")
    if given.batch:
        stock.ensure_lot(books, organization(books, order.plant), item, given.batch, USER)
    supply = pull.BULK if given.bulk else pull.OPERATION_PULL if given.backflush else pull.PUSH
    number = books.new_id()
    row = {
        "WorkOrderOperationMaterialId": number,
        "WorkOrderId": operation["WorkOrderId"],
        "WorkOrderOperationId": operation["WorkOrderOperationId"],
        "OperationSequenceNumber": wanted,
        "MaterialSequenceNumber": sequences[wanted],
        "InventoryItemId": item["InventoryItemId"],
        "ItemNumber": given.material,
        "Quantity": micro(given.required),
        "QuantityPerProduct": int(micro(given.required) * 1_000_000 / operation["PlannedQuantity"]),
        "IssuedQuantity": 0,
        "UOMCode": given.unit,
        "UnitOfMeasure": unit_name(books, given.unit),
        "SupplyType": supply,
        "SupplySubinventory": given.storage_location or STORES,
        "BasisType": "FIXED" if given.fixed else "VARIABLE",
        "LastUpdateDate": now_text(),
        "_reservation": given.reservation or str(number),
    }
    books.insert("work_order_material", row)


def _moment(given: datetime | None) -> str | None:
    if given is None:
        return None
    aware = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return aware.isoformat(timespec="milliseconds")
