"""Writes a seed into the books: organizations, items, work centres, work orders, stock. A known order is kept."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from simulators.oracle import pull, stock
from simulators.oracle.books import Books
from simulators.oracle.seed import (
    SeedComponent,
    SeedDocument,
    SeedMaterial,
    SeedOperation,
    SeedOrder,
    SeedReservation,
    SeedResource,
    SeedStock,
    SeedSubinventory,
    SeedWorkCentre,
    SeedWorkCentreResource,
)
from simulators.oracle.values import micro, now_text
from simulators.oracle.work_orders import offer_first_operation, status_columns, status_row

USER = "SEED"
# Where a seed names no storage location; Oracle has no stock outside a subinventory.
STORES = "STORES"
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


def seed(books: Books, document: SeedDocument) -> dict[str, list[str]]:
    """Names what was created and what was kept as it was; raises ValueError with a teaching message."""
    for code, name in document.units.items():
        books.execute("INSERT OR REPLACE INTO uom VALUES (?, ?)", code, name)
    for status in document.statuses:
        if books.one("SELECT 1 FROM work_order_status WHERE WoStatusCode = ?", status.code) is None:
            books.add_order_status(status.code, status.name, status.system_status, USER)
    for one in document.material_statuses:
        _material_status(books, one.status, one.description, " ".join(one.disallowed))
    for number, material in document.materials.items():
        _change_item(books, _item(books, number, material.unit or "PC"), material)
    for subinventory in document.subinventories:
        _subinventory(books, subinventory)
    for centre in document.work_centres:
        _work_centre(books, centre)
    for asset in document.assets:
        plant = organization(books, asset.plant)
        books.execute("INSERT OR REPLACE INTO asset VALUES (?, ?, ?)", plant, asset.asset, asset.account)
    answer: dict[str, list[str]] = {"created": [], "kept": []}
    for order in document.orders:
        answer["created" if _order(books, order) else "kept"].append(order.order)
    for row in document.stock:
        _stock(books, row)
    for exception in document.production_exceptions:
        number = books.new_id()
        row = {
            "ProductionExceptionId": number,
            "ExceptionNumber": str(number)[-6:],
            "OrganizationCode": exception.plant,
            "ExceptionTypeCode": exception.type,
            "Severity": exception.severity,
            "StatusCode": "OPEN",
            "WorkCenterCode": exception.work_centre or None,
            "WorkOrderNumber": exception.order or None,
            "OperationSequenceNumber": int(exception.operation) if exception.operation else None,
            "Description": exception.text,
            "ReportedDate": now_text(),
        }
        books.insert("production_exception", row | books.created_by(USER))
    return answer


def organization(books: Books, code: str) -> int:
    row = books.one("SELECT OrganizationId FROM organization WHERE OrganizationCode = ?", code)
    if row is not None:
        return row["OrganizationId"]
    number = books.new_id()
    books.insert("organization", {"OrganizationId": number, "OrganizationCode": code})
    return number


def _item(books: Books, number: str, unit: str, *, lot: bool = False, serial: bool = False) -> dict[str, Any]:
    """The item by its number; it becomes known by being used, and lot controlled by a lot anywhere."""
    books.execute("INSERT OR IGNORE INTO uom VALUES (?, ?)", unit, unit)
    row = books.one("SELECT * FROM item WHERE ItemNumber = ?", number)
    if row is None:
        books.insert("item", {"InventoryItemId": books.new_id(), "ItemNumber": number, "uom": unit})
    if lot:
        books.update("item", {"lot": 1}, ItemNumber=number)
    if serial:
        books.update("item", {"serial": 1}, ItemNumber=number)
    return stock.find_item(books, number=number)


def _change_item(books: Books, item: dict[str, Any], material: SeedMaterial) -> None:
    changes = {
        "uom": material.unit,
        "description": material.description,
        "lot": material.batch_managed,
        "serial": material.serial_managed,
        "negative": material.negative_stock,
        "standard_cost": None if material.standard_cost is None else micro(material.standard_cost),
    }
    known = {name: value for name, value in changes.items() if value is not None}
    if known:
        books.update("item", known, InventoryItemId=item["InventoryItemId"])


def _material_status(books: Books, name: str, description: str, disallowed: str) -> None:
    row = books.one("SELECT MaterialStatusId AS n FROM material_status WHERE StatusCode = ?", name)
    last = books.one("SELECT MAX(MaterialStatusId) AS n FROM material_status")
    number = row["n"] if row else (last["n"] if last else 0) + 1
    books.execute(
        "INSERT OR REPLACE INTO material_status VALUES (?, ?, ?, ?, ?, ?)",
        *(number, name, description, int(not disallowed), int(not disallowed), disallowed),
    )


def _subinventory(books: Books, given: SeedSubinventory) -> None:
    row = books.one("SELECT MaterialStatusId AS n FROM material_status WHERE StatusCode = ?", given.material_status)
    if row is None:
        raise ValueError(f"subinventory {given.subinventory}: there is no material status {given.material_status}")
    books.execute(
        "INSERT OR REPLACE INTO subinventory VALUES (?, ?, ?, ?)",
        *(organization(books, given.plant), given.subinventory, row["n"], int(given.hold)),
    )


def _work_centre(books: Books, given: SeedWorkCentre) -> dict[str, Any]:
    """The work centre with its resources; one that only an operation names has one resource of its own name."""
    plant = organization(books, given.plant)
    row = books.one(
        "SELECT * FROM work_center WHERE OrganizationId = ? AND WorkCenterCode = ?", plant, given.work_centre
    )
    if row is None:
        row = {
            "WorkCenterId": books.new_id(),
            "WorkCenterCode": given.work_centre,
            "WorkCenterName": given.name or given.work_centre,
            "OrganizationId": plant,
            "OrganizationCode": given.plant,
            "WorkAreaCode": given.area or None,
        }
        books.insert("work_center", row | books.created_by(USER))
        books.execute("INSERT OR IGNORE INTO asset VALUES (?, ?, '')", plant, given.work_centre)
    for resource in given.resources or [SeedWorkCentreResource(code=given.work_centre)]:
        _assign(books, row, resource)
    return row


def _assign(books: Books, centre: dict[str, Any], given: SeedWorkCentreResource) -> dict[str, Any]:
    resource = books.one(
        "SELECT * FROM production_resource WHERE OrganizationId = ? AND ResourceCode = ?",
        *(centre["OrganizationId"], given.code),
    )
    if resource is None:
        resource = {
            "ResourceId": books.new_id(),
            "ResourceCode": given.code,
            "ResourceName": given.name or given.code,
            "ResourceType": given.type,
            "ResourceClassCode": given.resource_class or None,
            "OrganizationId": centre["OrganizationId"],
            "OrganizationCode": centre["OrganizationCode"],
            "UOMCode": given.unit,
        }
        books.insert("production_resource", resource | books.created_by(USER))
    row = {
        "ResourceId": resource["ResourceId"],
        "ResourceCode": given.code,
        "ResourceType": resource["ResourceType"],
        "ResourceClassCode": resource["ResourceClassCode"],
        "WorkCenterId": centre["WorkCenterId"],
        "WorkCenterCode": centre["WorkCenterCode"],
        "OrganizationId": centre["OrganizationId"],
        "OrganizationCode": centre["OrganizationCode"],
        "ResourceQuantity": micro(given.quantity),
        "Available24HoursFlag": 0,
        "EfficiencyPercentage": micro(100),
        "UtilizationPercentage": micro(100),
    }
    known = books.one(
        "SELECT 1 FROM work_center_resource WHERE WorkCenterId = ? AND ResourceId = ?",
        *(centre["WorkCenterId"], resource["ResourceId"]),
    )
    if known is None:
        books.insert("work_center_resource", row)
    return resource


def _stock(books: Books, given: SeedStock) -> None:
    """A stock row is set to the quantity given."""
    plant = organization(books, given.plant)
    item = _item(books, given.material, given.unit, lot=bool(given.batch), serial=bool(given.serials))
    if given.unit != item["uom"]:
        raise ValueError(f"stock of {given.material}: its unit is {item['uom']}, not {given.unit}")
    if item["serial"] and len(set(given.serials)) != given.quantity:
        raise ValueError(f"stock of {given.material}: a serial controlled item needs {given.quantity} serials")
    place = given.storage_location or STORES
    stock.ensure_subinventory(books, plant, place)
    if given.batch:
        stock.ensure_lot(books, plant, item, given.batch, USER)
    stock.set_on_hand(books, plant, item["InventoryItemId"], place, given.locator, given.batch, micro(given.quantity))
    for serial in given.serials:
        books.execute(
            "INSERT OR REPLACE INTO item_serial VALUES (?, ?, ?, ?, ?, 1)",
            *(item["InventoryItemId"], serial, plant, place, given.batch),
        )


def _order(books: Books, given: SeedOrder) -> bool:
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
        row = {
            "ReservationId": books.new_id(),
            "WorkOrderId": number,
            "DemandSourceType": demand.type,
            "DemandOrderNumber": demand.demand,
            "DemandOrderLineNumber": demand.line,
            "CustomerName": demand.customer or None,
            "ReservationQuantity": micro(demand.quantity),
            "UOMCode": given.unit,
            "RequirementDate": _moment(demand.required),
        }
        books.insert("work_order_reservation", row)
    return True


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
    item = _item(books, given.material, given.unit, lot=bool(batch))
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
        "UnitOfMeasure": _unit_name(books, given.unit),
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
        ) or _work_centre(books, SeedWorkCentre(work_centre=given.work_centre, plant=order.plant))
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
        resource_id = _assign(books, centre, assigned)["ResourceId"]
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
        "UnitOfMeasure": _unit_name(books, given.unit),
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
    item = _item(
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
        "UnitOfMeasure": _unit_name(books, given.unit),
        "SupplyType": supply,
        "SupplySubinventory": given.storage_location or STORES,
        "BasisType": "FIXED" if given.fixed else "VARIABLE",
        "LastUpdateDate": now_text(),
        "_reservation": given.reservation or str(number),
    }
    books.insert("work_order_material", row)


def _unit_name(books: Books, code: str) -> str:
    row = books.one("SELECT name FROM uom WHERE code = ?", code)
    return row["name"] if row else code


def _moment(given: datetime | None) -> str | None:
    if given is None:
        return None
    aware = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return aware.isoformat(timespec="milliseconds")
