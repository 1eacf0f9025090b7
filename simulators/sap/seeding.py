"""Seeding: orders, stock and masters that `POST /_control/orders` puts into the books. What exists is kept."""

import json
from datetime import UTC, datetime
from typing import Any

from simulators.sap.books import Books, clock_text, instant, stamp, today_ms
from simulators.sap.edm import PROCESS, PRODUCTION
from simulators.sap.masters import seed_masters
from simulators.sap.messages import Refusal
from simulators.sap.movements import RESTRICTED
from simulators.sap.odata import numc_text
from simulators.sap.orders import control_profile, milli, operations_of, refresh, set_statuses
from simulators.sap.seed import (
    SeedCharacteristic,
    SeedComponent,
    SeedDocument,
    SeedItem,
    SeedOperation,
    SeedOrder,
    SeedStock,
)


def seed(books: Books, document: SeedDocument) -> dict[str, list[str]]:
    """Orders that exist are kept as they are, so that a repeated seed undoes nothing; stock rows are set."""
    for plant, profiles in document.control_profiles.items():
        for name, profile in profiles.items():
            row = (plant, name, profile.confirmation, int(profile.automatic_receipt))
            books.execute("INSERT OR REPLACE INTO control_profile VALUES (?, ?, ?, ?)", *row)
    seed_masters(books, document)
    created, kept = [], []
    for order in document.orders:
        if books.one("SELECT 1 FROM production_order WHERE ManufacturingOrder = ?", order.order):
            kept.append(order.order)
            continue
        _insert_order(books, order)
        created.append(order.order)
    for stock in document.stock:
        _set_stock(books, stock)
    for number, material in document.materials.items():
        _know_material(books, number, material.unit or "PC", batch_managed=False)
        for column in ("unit", "batch_managed", "negative_stock", "serial_managed", "inspected"):
            value = getattr(material, column)
            if value is not None:
                books.update("material", {column: value}, material=number)
    return {"created": created, "kept": kept}


def _set_stock(books: Books, stock: SeedStock) -> None:
    _know_material(books, stock.material, stock.unit, batch_managed=bool(stock.batch))
    key = (stock.material, stock.plant, stock.storage_location, stock.batch, stock.stock_type)
    books.execute(
        "INSERT OR REPLACE INTO stock (Material, Plant, StorageLocation, Batch, InventoryStockType,"
        " MaterialBaseUnit, MatlWrhsStkQtyInMatlBaseUnit) VALUES (?, ?, ?, ?, ?, ?, ?)",
        *key,
        stock.unit,
        milli(stock.quantity),
    )
    if stock.stock_type == RESTRICTED:
        row = (stock.material, stock.batch, instant())
        books.execute("INSERT OR IGNORE INTO restricted_batch VALUES (?, ?, ?)", *row)
    if stock.serials:
        books.update("material", {"serial_managed": 1}, material=stock.material)
    for serial in stock.serials:
        books.execute(
            "INSERT OR REPLACE INTO serial_number (material, plant, storage_location, batch, stock_type, serial)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *key,
            serial,
        )


def _know_material(books: Books, material: str, unit: str, *, batch_managed: bool) -> None:
    books.execute("INSERT OR IGNORE INTO material (material, unit) VALUES (?, ?)", material, unit)
    if batch_managed:
        books.update("material", {"batch_managed": 1}, material=material)


def _insert_order(books: Books, order: SeedOrder) -> None:
    routing = str(books.next_number("routing", 1))
    category = PROCESS if order.category == "process" else PRODUCTION
    own = {"ManufacturingOrder": order.order, "ManufacturingOrderCategory": category}
    own["ManufacturingOrderType"] = order.type
    released = "REL" in order.status or bool({"TECO", "CLSD"} & set(order.status))
    header = own | {
        "MfgOrderCreationDate": today_ms(),
        "MfgOrderCreationTime": clock_text(),
        "LastChangeDateTime": stamp(),
        "Material": order.material,
        "StorageLocation": order.storage_location,
        "OrderInternalBillOfOperations": routing,
        "ProductionPlant": order.plant,
        "Plant": order.plant,
        "MRPArea": order.plant,
        "CompanyCode": order.company_code or order.plant,
        "ProfitCenter": order.profit_center,
        "MfgOrderActualReleaseDate": today_ms() if released else None,
        "ProductionUnit": order.unit,
        "TotalQuantity": milli(order.quantity),
        "OrderLongText": order.text,
        "SalesOrder": order.sales_order,
        "SalesOrderItem": numc_text(order.sales_order_item),
        "_over": None if order.unlimited_over_delivery else milli(order.over_delivery_tolerance),
        "_under": milli(order.under_delivery_tolerance),
        "_group": str(books.next_number("confirmation_group", 1)),
        "_inspection": order.inspection_type,
        "_characteristics": json.dumps([_characteristic(order, one) for one in order.inspection_characteristics]),
    }
    header |= schedule(order.scheduled_start, order.scheduled_end)
    books.insert("production_order", header)
    _know_material(books, order.material, order.unit, batch_managed=bool(order.batch))
    for number, operation in enumerate(order.operations, 1):
        _insert_operation(books, order, operation, own | {"OrderInternalBillOfOperations": routing}, number)
    _insert_components(books, order, own | {"OrderInternalBillOfOperations": routing})
    for number, item in enumerate(order.items or [SeedItem()], 1):
        _insert_item(books, order, item, own, number)
        if order.inspection_type:
            books.update("material", {"inspected": 1}, material=item.material or order.material)
    names = set(order.status) | {"PRC", "SETC"}
    set_statuses(books, order.order, (names | {"REL"}) - {"CRTD"} if released else names | {"CRTD"})
    refresh(books, order.order)


def _characteristic(order: SeedOrder, one: SeedCharacteristic) -> dict[str, Any]:
    """As the order's lots get it."""
    operation = one.operation or order.operations[-1].operation
    numbers = [own.operation for own in order.operations]
    if operation not in numbers:
        raise Refusal("CO/017", f"Characteristic {one.characteristic}: operation {operation} is not in {order.order}")
    limits = (("TargetValue", one.target), ("LowerLimit", one.lower), ("UpperLimit", one.upper))
    row: dict[str, Any] = {
        "InspPlanOperationInternalID": str(numbers.index(operation) + 1),
        "InspectionCharacteristic": numc_text(one.characteristic),
        "InspectionCharacteristicText": one.text,
        "InspectionOperation": operation,
        "InspSpecIsQuantitative": "X" if one.quantitative else "",
        "InspectionSpecificationUnit": one.unit,
        "InspSpecIsRequired": "X" if one.required else "",
    }
    for name, value in limits:
        row[f"InspSpec{name}"] = float(value or 0)
        row[f"InspSpecHas{name}"] = "" if value is None else "X"
    return row


def schedule(start: datetime | None, end: datetime | None) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for end_name, moment in (("Start", start), ("End", end)):
        if moment is None:
            continue
        local = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        day = datetime(local.year, local.month, local.day, tzinfo=UTC)
        for kind in ("Scheduled", "Planned"):
            columns[f"MfgOrder{kind}{end_name}Date"] = int(day.timestamp() * 1000)
            columns[f"MfgOrder{kind}{end_name}Time"] = local.strftime("PT%HH%MM%SS")
    return columns


def _insert_operation(
    books: Books, order: SeedOrder, operation: SeedOperation, own: dict[str, Any], number: int
) -> None:
    activities = {
        slot: {"planned": milli(activity.planned), "confirmed": 0, "unit": activity.unit}
        for slot, activity in operation.activities.items()
    }
    row = own | {
        "OrderIntBillOfOperationsItem": str(number),
        "ManufacturingOrderSequence": numc_text(operation.sequence),
        "ManufacturingOrderOperation": operation.operation,
        "MfgOrderOperationText": operation.text,
        "ProductionPlant": order.plant,
        "WorkCenter": operation.work_centre,
        "WorkCenterTypeCode": "A",
        "OperationControlProfile": operation.control_profile,
        "OperationUnit": operation.unit or order.unit,
        "OpPlannedTotalQuantity": milli(operation.planned or order.quantity),
        "LastChangeDateTime": stamp(),
        "_group": str(books.next_number("confirmation_group", 1)),
        "_overlap": operation.overlap,
        "_activities": json.dumps(activities),
    }
    control_profile(books, row)
    books.insert("production_operation", row)


def _insert_components(books: Books, order: SeedOrder, own: dict[str, Any]) -> None:
    if not order.components:
        return
    default_reservation = str(books.next_number("reservation", 1))
    known = {(numc_text(operation.sequence), operation.operation) for operation in order.operations}
    for number, component in enumerate(order.components, 1):
        operation = component.operation or order.operations[0].operation
        if (numc_text(component.sequence), operation) not in known:
            raise Refusal("CO/017", f"Component {component.material}: operation {operation} is not in {order.order}")
        _insert_component(books, order.plant, component, operation, own, default_reservation, number)


def add_component(books: Books, header: dict[str, Any], component: SeedComponent) -> None:
    """One more component of an order that exists; its reservation goes on."""
    order = header["ManufacturingOrder"]
    operations = operations_of(books, order)
    operation = component.operation or operations[0]["ManufacturingOrderOperation"]
    if operation not in {row["ManufacturingOrderOperation"] for row in operations}:
        raise Refusal("CO/017", f"Component {component.material}: operation {operation} is not in {order}")
    rows = books.all("SELECT * FROM component WHERE ManufacturingOrder = ? ORDER BY _seq", order)
    reservation = rows[-1]["Reservation"] if rows else str(books.next_number("reservation", 1))
    names = ("ManufacturingOrder", "ManufacturingOrderCategory", "ManufacturingOrderType")
    own = {name: header[name] for name in (*names, "OrderInternalBillOfOperations")}
    taken = [int(row["ReservationItem"]) for row in rows if row["Reservation"] == reservation]
    number = max([len(rows), *taken]) + 1
    _insert_component(books, header["ProductionPlant"], component, operation, own, reservation, number)


def _insert_component(
    books: Books,
    plant: str,
    component: SeedComponent,
    operation: str,
    own: dict[str, Any],
    reservation: str,
    number: int,
) -> None:
    row = own | _component_row(plant, component, operation) | {"BOMItem": str(number), "_seq": number}
    row["Reservation"] = numc_text(component.reservation or reservation)
    row["ReservationItem"] = numc_text(component.item or str(number))
    row["BillOfMaterialItemNumber"] = f"{number * 10:04d}"
    if books.one(
        "SELECT 1 FROM component WHERE Reservation = ? AND ReservationItem = ?",
        row["Reservation"],
        row["ReservationItem"],
    ):
        raise Refusal("CO/155", f"Reservation {row['Reservation']} has an item {row['ReservationItem']} already")
    books.insert("component", row)
    batch_managed = component.batch_managed or bool(component.batch)
    _know_material(books, component.material, component.unit, batch_managed=batch_managed)


def _component_row(plant: str, component: SeedComponent, operation: str) -> dict[str, Any]:
    return {
        "ManufacturingOrderSequence": numc_text(component.sequence),
        "ManufacturingOrderOperation": operation,
        "Material": component.material,
        "Plant": component.plant or plant,
        "ProductionPlant": plant,
        "IsBulkMaterialComponent": component.bulk,
        "MatlCompIsMarkedForBackflush": component.backflush,
        "BOMItemCategory": "L",
        "StorageLocation": component.storage_location,
        "Batch": component.batch,
        "GoodsMovementType": component.movement_type,
        "QuantityIsFixed": component.fixed,
        "BaseUnit": component.unit,
        "RequiredQuantity": milli(component.required),
        "ConfirmedAvailableQuantity": milli(component.required),
        "LastChangeDateTime": stamp(),
    }


def _insert_item(books: Books, order: SeedOrder, item: SeedItem, own: dict[str, Any], number: int) -> None:
    row = own | {
        "ManufacturingOrderItem": numc_text(item.item or str(number)),
        "Material": item.material or order.material,
        "ProductionPlant": order.plant,
        "Plant": order.plant,
        "MRPArea": order.plant,
        "StorageLocation": order.storage_location if item.storage_location is None else item.storage_location,
        "Batch": order.batch if item.batch is None else item.batch,
        "ProductionUnit": item.unit or order.unit,
        "MfgOrderItemPlannedTotalQty": milli(item.planned or order.quantity),
        "_stock_type": item.stock_type,
    }
    books.insert("order_item", row)
    _know_material(books, row["Material"], row["ProductionUnit"], batch_managed=bool(row["Batch"]))
