"""Puts a seed document into the books: products, stock, orders with operations, BOM lines, jobs and reservations."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from simulators.dynamics import events, stock
from simulators.dynamics.books import Books
from simulators.dynamics.posting import find_order, share
from simulators.dynamics.seed import SeedComponent, SeedDocument, SeedOperation, SeedOrder, SeedStock
from simulators.dynamics.values import MICRO, day, micro, today

_STATUS = {"CRTD": "Created", "REL": "Released", "TECO": "ReportedFinished", "CLSD": "Completed"}
_STOCK_STATUS = {"01": "Available", "02": "Inspection", "07": "Blocking"}
_ORDER_OF_STATUS = ("Created", "CostEstimated", "Scheduled", "Released", "StartedUp", "ReportedFinished", "Completed")
_SECONDS = {"S": 1, "SEC": 1, "MIN": 60, "H": 3600, "HUR": 3600}
_PROFILES = {"PP01": "required", "PP02": "external", "PP03": "milestone", "PP04": "none", "PP11": "required"}


def apply(books: Books, document: SeedDocument) -> dict[str, list[str]]:
    """Call it in a transaction. An order that exists is kept as it is; a stock row is set to the quantity given."""
    company = str(books.setting("default_company"))
    _masters(books, company, document)
    for row in document.stock:
        _set_stock(books, row.company or company, row)
    created: list[str] = []
    kept: list[str] = []
    for order in document.orders:
        own = (order.company or company).lower()
        known = books.one(
            'SELECT 1 FROM production_order WHERE "dataAreaId" = ? AND "ProductionOrderNumber" = ?', own, order.order
        )
        (kept if known else created).append(order.order)
        if not known:
            _create(books, own, order, document)
    return {"created": created, "kept": kept}


def _masters(books: Books, company: str, document: SeedDocument) -> None:
    for name, status in document.inventory_statuses.items():
        books.execute("INSERT OR REPLACE INTO inventory_status VALUES (?, ?)", name, int(status.blocking))
    for name, warehouse in document.warehouses.items():
        mandatory = int(warehouse.location_mandatory)
        books.execute("INSERT OR REPLACE INTO warehouse VALUES (?, ?, ?)", company, name, mandatory)
    for code, disposition in document.disposition_codes.items():
        row: dict[str, Any] = {"dataAreaId": company, "DispositionCode": code, "Description": disposition.text}
        row["DispositionStatus"] = "Available" if disposition.available else "Unavailable"
        row["IsProductionPickingBlocked"] = "Yes" if disposition.production_picking_blocked else "No"
        books.execute('DELETE FROM disposition_code WHERE "DispositionCode" = ?', code)
        books.insert("disposition_code", row)
    for code, name in document.stop_types.items():
        books.execute('DELETE FROM stop_type WHERE "ProductionStopTypeId" = ?', code)
        books.insert("stop_type", {"dataAreaId": company, "ProductionStopTypeId": code, "Name": name})
    for name, material in document.materials.items():
        know_item(books, company, name, material.unit or "PC")
        changes: dict[str, Any] = {}
        if material.unit is not None:
            changes |= {"InventoryUnitSymbol": material.unit, "BOMUnitSymbol": material.unit}
        if material.batch_managed is not None:
            changes |= _batch_managed(material.batch_managed)
        if material.negative_stock is not None:
            changes["_negative"] = int(material.negative_stock)
        if material.unit_cost is not None:
            changes["UnitCost"] = micro(material.unit_cost)
        if material.text is not None:
            changes["ProductName"] = material.text
        if changes:
            books.update("item", changes, dataAreaId=company, ItemNumber=name)


def _batch_managed(yes: bool) -> dict[str, Any]:
    return {"_batch_managed": int(yes), "TrackingDimensionGroupName": "BatchNum" if yes else "None"}


def know_item(books: Books, company: str, item: str, unit: str, *, batch_managed: bool = False) -> None:
    """Items become known by being used; one with a batch anywhere is batch-managed."""
    books.add_company(company)
    row = {"dataAreaId": company.lower(), "ItemNumber": item, "ProductName": item}
    row |= {"InventoryUnitSymbol": unit, "BOMUnitSymbol": unit, "TrackingDimensionGroupName": "None"}
    known = books.one('SELECT _id FROM item WHERE "dataAreaId" = ? AND "ItemNumber" = ?', company, item)
    if known is None:
        books.insert("item", row)
    if batch_managed:
        books.update("item", _batch_managed(True), dataAreaId=company.lower(), ItemNumber=item)


def _set_stock(books: Books, company: str, seeded: SeedStock) -> None:
    know_item(books, company, seeded.material, seeded.unit, batch_managed=bool(seeded.batch))
    place = stock.Place(
        company.lower(),
        seeded.material,
        seeded.plant,
        seeded.storage_location or seeded.plant,
        seeded.location,
        seeded.batch,
        seeded.license_plate,
        seeded.status or _STOCK_STATUS[seeded.stock_type],
    )
    books.execute("INSERT OR IGNORE INTO inventory_status VALUES (?, 0)", place.status)
    line = stock.receive(books, place, 0)[0]
    if place.batch:
        stock.complete(books, place, receipt=True)
    where = {name: value for name, value in line.items() if name != "quantity"}
    books.update("stock", {"quantity": micro(seeded.quantity)}, **where)


def _create(books: Books, company: str, order: SeedOrder, document: SeedDocument) -> None:
    main = order.items[0] if order.items else None
    batch = order.batch or (main.batch if main and main.batch else "")
    know_item(books, company, order.material, order.unit, batch_managed=bool(batch))
    names = [_STATUS.get(name, name) for name in order.status]
    status = max(names, key=_ORDER_OF_STATUS.index) if names else "Created"
    quantity = micro(order.quantity)
    started = quantity if _ORDER_OF_STATUS.index(status) >= _ORDER_OF_STATUS.index("StartedUp") else 0
    warehouse = order.storage_location or (main.storage_location if main and main.storage_location else "")
    books.insert(
        "production_order",
        {
            "dataAreaId": company,
            "ProductionOrderNumber": order.order,
            "ProductionOrderName": order.text or order.material,
            "ItemNumber": order.material,
            "ProductionOrderStatus": status,
            "ScheduledQuantity": quantity,
            "EstimatedQuantity": quantity,
            "StartedQuantity": started,
            "RemainingReportAsFinishedQuantity": started or quantity,
            "ItemBatchNumber": batch,
            "InventoryLotId": lot(books, company),
            "InventoryStatusId": order.inventory_status,
            "ProductionSiteId": order.plant,
            "ProductionWarehouseId": warehouse or order.plant,
            "ProductionWarehouseLocationId": order.location,
            "DefaultLedgerDimensionDisplayValue": order.dimension or order.profit_center,
            "DemandSalesOrderNumber": order.demand_sales_order,
            "DemandProductionOrderNumber": order.demand_order,
            "ParentProductionOrderNumber": order.order,
            "SourceBOMId": f"{order.material}BOM"[:20],
            "SourceRouteId": f"{order.material}RTE"[:20],
            "ProductionOrderLedgerPostingRule": "ItemCategory",
            "AreRouteJobsGenerated": "Yes",
            "_over": None if order.unlimited_over_delivery else int(order.over_delivery_tolerance * 1000),
            "_under": int(order.under_delivery_tolerance * 1000),
            "_unit": order.unit,
            "_type": order.type,
            "_final": int(status in ("ReportedFinished", "Completed")),
        }
        | _schedule(order)
        | _status_dates(status),
    )
    numbers = [_operation(books, company, order, operation, document) for operation in order.operations]
    _link(books, company, order.order)
    for position, component in enumerate(order.components, 1):
        _component(books, company, order, component, position, min(numbers), warehouse, started)
    _outputs(books, company, order)
    if status in ("Released", "StartedUp"):
        row = find_order(books, company, order.order)
        events.order_event(books, row, events.RELEASED)
        events.order_event(books, row, events.STATUS_CHANGED)


def lot(books: Books, company: str) -> str:
    return books.sequence(company, "lot", "L{:07d}")


def _schedule(order: SeedOrder) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, moment in (("Start", order.scheduled_start), ("End", order.scheduled_end)):
        if moment is not None:
            row |= {f"Scheduled{name}Date": day(_utc(moment).date()), f"Scheduled{name}Time": _seconds(moment)}
    if order.scheduled_end is not None:
        row |= {"DeliveryDate": row["ScheduledEndDate"], "DeliveryTime": row["ScheduledEndTime"]}
    return row


def _status_dates(status: str) -> dict[str, Any]:
    reached = _ORDER_OF_STATUS.index(status)
    dates = {"Released": "ReleasedDate", "StartedUp": "StartedDate", "ReportedFinished": "ReportedAsFinishedDate"}
    dates |= {"CostEstimated": "EstimatedDate", "Scheduled": "ScheduledDate", "Completed": "EndedDate"}
    return {column: today() for name, column in dates.items() if _ORDER_OF_STATUS.index(name) <= reached}


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _seconds(moment: datetime) -> int:
    own = _utc(moment)
    return own.hour * 3600 + own.minute * 60 + own.second


def _hours(operation: SeedOperation, slot: str) -> int:
    activity = operation.activities.get(slot)
    if activity is None:
        return 0
    return int((activity.planned * _SECONDS[activity.unit] * MICRO / Decimal(3600)).to_integral_value())


def _operation(books: Books, company: str, order: SeedOrder, operation: SeedOperation, document: SeedDocument) -> int:
    number = int(operation.operation)
    planned = micro(operation.planned or order.quantity)
    process, setup = _hours(operation, "1"), _hours(operation, "2")
    resource = operation.work_centre
    if resource:
        row = {"dataAreaId": company, "ResourceId": resource, "ResourceName": resource, "Capacity": MICRO}
        books.execute(
            'INSERT OR IGNORE INTO resource ("dataAreaId", "ResourceId", "ResourceName", "Capacity",'
            ' "EfficiencyPercentage") VALUES (?, ?, ?, ?, ?)',
            *row.values(),
            100 * MICRO,
        )
    job = books.sequence(company, "job", "J{:06d}")
    schedule = _operation_schedule(order)
    common = {"dataAreaId": company, "ProductionOrderNumber": order.order, "OperationNumber": number}
    books.insert(
        "route_operation",
        common
        | {
            "OperationId": operation.operation_id or operation.work_centre[:10] or operation.operation,
            "RouteOperationSequence": number,
            "RouteGroupId": operation.control_profile,
            "CostingOperationResourceId": resource,
            "ResourceQuantity": 1,
            "LoadPercentage": 100 * MICRO,
            "ProcessTime": process,
            "ProcessQuantity": planned,
            "SetupTime": setup,
            "OperationsTimeToHourConversionFactor": MICRO,
            "EstimatedProcessTime": process,
            "EstimatedSetupTime": setup,
            "EstimatedOperationQuantity": planned,
            "ProcessCostCategoryId": operation.cost_category,
            "ProcessProductionJobId": job,
            "_planned": planned,
            "_unit": operation.unit or order.unit,
            "_profile": operation.control_profile,
            "_name": operation.text,
            "_feedback": _feedback(order.plant, operation.control_profile, document),
        }
        | {name.replace("Start", "From"): value for name, value in schedule.items()},
    )
    dates = {name.replace("Start", "From"): value for name, value in schedule.items()}
    books.insert(
        "route_job",
        common
        | {"JobId": job, "RouteJobType": "Process", "OperationsResourceId": resource, "JobSequence": number}
        | {"ScheduledJobDurationHours": process, "CalculatedJobDurationHours": process, "PrimaryJobNumber": number}
        | dates,
    )
    reservation = {"dataAreaId": company, "ReservationId": job, "OperationsResourceId": resource}
    reservation |= {"ReferenceNumber": order.order, "OperationNumber": number, "ReservedHours": process}
    reservation |= {"ReservationDate": dates.get("ScheduledFromDate", today())}
    reservation |= {"StartTime": dates.get("ScheduledFromTime", 0), "EndTime": dates.get("ScheduledEndTime", 0)}
    books.insert("capacity_reservation", reservation)
    return number


def _operation_schedule(order: SeedOrder) -> dict[str, Any]:
    return {name: value for name, value in _schedule(order).items() if name.startswith("Scheduled")}


def _feedback(plant: str, profile: str, document: SeedDocument) -> str:
    for place in (plant, ""):
        if profile in document.control_profiles.get(place, {}):
            return document.control_profiles[place][profile].confirmation
    return _PROFILES.get(profile, "required")


def _link(books: Books, company: str, order: str) -> None:
    rows = books.all(
        'SELECT _id, "OperationNumber" AS number FROM route_operation WHERE "dataAreaId" = ?'
        ' AND "ProductionOrderNumber" = ? ORDER BY "OperationNumber"',
        company,
        order,
    )
    for row, following in pairwise(rows):
        books.update("route_operation", {"NextOperationNumber": following["number"]}, _id=row["_id"])


def _component(
    books: Books,
    company: str,
    order: SeedOrder,
    component: SeedComponent,
    position: int,
    first: int,
    warehouse: str,
    started: int,
) -> None:
    tracked = component.batch_managed or bool(component.batch)
    know_item(books, company, component.material, component.unit, batch_managed=tracked)
    required, quantity = micro(component.required), micro(order.quantity)
    issued = component.movement_type == "261" and not component.bulk
    flushing = component.flushing or ("Finish" if component.backflush and issued else "Manual")
    books.insert(
        "bom_line",
        {
            "dataAreaId": company,
            "ProductionOrderNumber": order.order,
            "LineNumber": int(component.item or position) * MICRO,
            "ItemNumber": component.material,
            "BOMLineQuantity": required,
            "BOMLineQuantityDenominator": quantity,
            "BOMLineUnitSymbol": component.unit,
            "EstimatedBOMLineQuantity": required,
            "EstimatedInventoryQuantity": required,
            "StartedBOMLineQuantity": share(required, started, quantity),
            "StartedInventoryQuantity": share(required, started, quantity),
            "RemainingBOMLineQuantity": required,
            "RemainingInventoryQuantity": required,
            "FlushingPrinciple": flushing,
            "IsConsumedAtOperationComplete": "Yes" if component.at_operation else "No",
            "IsConstantConsumptionReleased": "Yes" if component.fixed else "No",
            "RouteOperationNumber": int(component.operation or first),
            "PositionNumber": str(position),
            "ConsumptionSiteId": component.plant or order.plant,
            "ConsumptionWarehouseId": component.storage_location or warehouse or order.plant,
            "ConsumptionWarehouseLocationId": component.location,
            "ItemBatchNumber": component.batch,
            "InventoryStatusId": component.status,
            "InventoryLotId": component.reservation or lot(books, company),
        },
    )


def _outputs(books: Books, company: str, order: SeedOrder) -> None:
    main = order.items[0] if order.items else None
    row: dict[str, Any] = {"company": company, "order_id": order.order, "item": 1, "material": order.material}
    planned = micro((main.planned if main else None) or order.quantity)
    books.insert("order_item", row | {"kind": "MainItem", "planned": planned, "unit": order.unit})
    for number, item in enumerate((order.items or [])[1:], 2):
        material, unit = item.material or order.material, item.unit or order.unit
        know_item(books, company, material, unit, batch_managed=bool(item.batch))
        own = {"item": number, "material": material, "kind": item.production_type, "unit": unit}
        books.insert("order_item", row | own | {"planned": micro(item.planned or order.quantity)})
