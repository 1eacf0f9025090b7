"""Production orders: seeding, status and total upkeep, and the order function imports of API_PRODUCTION_ORDER_2_SRV.

Confirmations and goods movements change orders only through `refresh`.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from simulators.sap.books import Books, clock_text, stamp, today_ms
from simulators.sap.messages import Refusal
from simulators.sap.odata import numc_text
from simulators.sap.seed import SeedComponent, SeedDocument, SeedItem, SeedOperation, SeedOrder

STATUSES = {
    "CRTD": ("I0001", "Created"),
    "REL": ("I0002", "Released"),
    "CNF": ("I0009", "Confirmed"),
    "PCNF": ("I0010", "Partially confirmed"),
    "PDLV": ("I0011", "Partially delivered"),
    "DLV": ("I0012", "Delivered"),
    "PRC": ("I0016", "Pre-costed"),
    "SETC": ("I0028", "Settlement rule created"),
    "LKD": ("I0043", "Locked"),
    "TECO": ("I0045", "Technically complete"),
    "CLSD": ("I0046", "Closed"),
    "DLFL": ("I0076", "Deletion flag"),
    "GMPS": ("I0321", "Goods movement posted"),
}
_FLAGS = {
    "CRTD": "OrderIsCreated",
    "REL": "OrderIsReleased",
    "CNF": "OrderIsConfirmed",
    "PCNF": "OrderIsPartiallyConfirmed",
    "DLV": "OrderIsDelivered",
    "PDLV": "OrderIsPartiallyDelivered",
    "LKD": "OrderIsLocked",
    "TECO": "OrderIsTechnicallyCompleted",
    "CLSD": "OrderIsClosed",
    "DLFL": "OrderIsMarkedForDeletion",
    "PRC": "OrderIsPreCosted",
    "SETC": "SettlementRuleIsCreated",
}
_DERIVED = frozenset({"CNF", "PCNF", "DLV", "PDLV", "GMPS"})


def milli(value: Decimal) -> int:
    return int(value.scaleb(3))


def find_order(books: Books, number: str) -> dict[str, Any]:
    """The order by its number, with or without leading zeros."""
    row = books.one("SELECT * FROM production_order WHERE ManufacturingOrder IN (?, ?)", number, number.lstrip("0"))
    if row is None:
        raise Refusal("CO/017", f"Order {number or '(none given)'} does not exist", target="OrderID")
    return row


def operations_of(books: Books, order: str) -> list[dict[str, Any]]:
    return books.all(
        "SELECT * FROM production_operation WHERE ManufacturingOrder = ?"
        " ORDER BY CAST(ManufacturingOrderSequence AS INTEGER), ManufacturingOrderOperation",
        order,
    )


def control_profile(books: Books, operation: dict[str, Any]) -> tuple[str, bool]:
    """How the operation is confirmed, and whether its confirmation posts the goods receipt."""
    row = books.one(
        "SELECT * FROM control_profile WHERE profile = ? AND plant IN (?, '') ORDER BY plant DESC LIMIT 1",
        operation["OperationControlProfile"],
        operation["ProductionPlant"],
    )
    if row is None:
        raise Refusal("CO/101", f"Control profile {operation['OperationControlProfile']} is not maintained")
    return row["confirmation"], bool(row["automatic_receipt"])


def statuses(books: Books, order: str) -> set[str]:
    rows = books.all("SELECT StatusShortName FROM order_status WHERE ManufacturingOrder = ?", order)
    return {row["StatusShortName"] for row in rows}


def require_status(books: Books, order: str, *, forbidden: tuple[str, ...]) -> None:
    """REL must be there and none of the forbidden; the message is the status management's own."""
    active = statuses(books, order)
    blocking = next((name for name in forbidden if name in active), None)
    if blocking is None and "REL" not in active:
        blocking = "CRTD"
    if blocking:
        raise Refusal("BS/013", f"System status {blocking} is active (ORD {order})", target="OrderID")


def set_statuses(books: Books, order: str, names: set[str]) -> None:
    """Writes the status set, the header's flags, and the flags that operations share with the header."""
    books.execute("DELETE FROM order_status WHERE ManufacturingOrder = ?", order)
    for name in sorted(names):
        code, text = STATUSES[name]
        row = {"ManufacturingOrder": order, "StatusCode": code, "StatusShortName": name, "StatusName": text}
        books.insert("order_status", row)
    flags: dict[str, Any] = {column: "X" if name in names else "" for name, column in _FLAGS.items()}
    books.update("production_order", flags | {"LastChangeDateTime": stamp()}, ManufacturingOrder=order)
    shared = {
        "OperationIsCreated": "X" if "CRTD" in names else "",
        "OperationIsReleased": "X" if "REL" in names else "",
        "OperationIsTechlyCompleted": "X" if "TECO" in names else "",
        "OperationIsClosed": "X" if "CLSD" in names else "",
    }
    books.update("production_operation", shared, ManufacturingOrder=order)


def refresh(books: Books, order: str) -> None:
    """Recomputes confirmed and delivered statuses and the header's yield from operations and items."""
    names = statuses(books, order) - _DERIVED
    confirmable: list[dict[str, Any]] = []
    for operation in operations_of(books, order):
        final, touched = bool(operation["_final"]), operation["_confirmations"] > 0
        flags = {
            "OperationIsConfirmed": "X" if final else "",
            "OperationIsPartiallyConfirmed": "X" if touched and not final else "",
        }
        books.update(
            "production_operation",
            flags,
            OrderInternalBillOfOperations=operation["OrderInternalBillOfOperations"],
            OrderIntBillOfOperationsItem=operation["OrderIntBillOfOperationsItem"],
        )
        if control_profile(books, operation)[0] not in ("none", "external"):
            confirmable.append(operation)
    if confirmable and all(operation["_final"] for operation in confirmable):
        names.add("CNF")
    elif any(operation["_confirmations"] for operation in confirmable):
        names.add("PCNF")
    names |= _delivery_status(books, order)
    if books.one("SELECT 1 FROM material_document_item WHERE ManufacturingOrder = ? LIMIT 1", order):
        names.add("GMPS")
    set_statuses(books, order, names)
    main = [operation for operation in confirmable if operation["ManufacturingOrderSequence"] == "0"] or confirmable
    if main:
        total = main[-1]["OpTotalConfirmedYieldQty"]
        books.update("production_order", {"MfgOrderConfirmedYieldQty": total}, ManufacturingOrder=order)


def _delivery_status(books: Books, order: str) -> set[str]:
    header = find_order(books, order)
    items = books.all("SELECT * FROM order_item WHERE ManufacturingOrder = ?", order)
    delivered = True
    for item in items:
        needed = item["MfgOrderItemPlannedTotalQty"] * (100_000 - header["_under"])
        enough = item["MfgOrderItemGoodsReceiptQty"] * 100_000 >= needed and item["MfgOrderItemGoodsReceiptQty"] > 0
        delivered = delivered and (enough or bool(item["IsCompletelyDelivered"]))
    if items and delivered:
        return {"DLV"}
    return {"PDLV"} if any(item["MfgOrderItemGoodsReceiptQty"] > 0 for item in items) else set()


def seed(books: Books, document: SeedDocument) -> dict[str, list[str]]:
    """Orders that exist are kept as they are, so that a repeated seed undoes nothing; stock rows are set."""
    for plant, profiles in document.control_profiles.items():
        for name, profile in profiles.items():
            row = (plant, name, profile.confirmation, int(profile.automatic_receipt))
            books.execute("INSERT OR REPLACE INTO control_profile VALUES (?, ?, ?, ?)", *row)
    created, kept = [], []
    for order in document.orders:
        if books.one("SELECT 1 FROM production_order WHERE ManufacturingOrder = ?", order.order):
            kept.append(order.order)
            continue
        _insert_order(books, order)
        created.append(order.order)
    for stock in document.stock:
        _know_material(books, stock.material, stock.unit, batch_managed=bool(stock.batch))
        key = (stock.material, stock.plant, stock.storage_location, stock.batch, stock.stock_type)
        books.execute(
            "INSERT OR REPLACE INTO stock (Material, Plant, StorageLocation, Batch, InventoryStockType,"
            " MaterialBaseUnit, MatlWrhsStkQtyInMatlBaseUnit) VALUES (?, ?, ?, ?, ?, ?, ?)",
            *key,
            stock.unit,
            milli(stock.quantity),
        )
    for number, material in document.materials.items():
        _know_material(books, number, material.unit or "PC", batch_managed=False)
        for column in ("unit", "batch_managed", "negative_stock"):
            value = getattr(material, column)
            if value is not None:
                books.update("material", {column: value}, material=number)
    return {"created": created, "kept": kept}


def _know_material(books: Books, material: str, unit: str, *, batch_managed: bool) -> None:
    books.execute("INSERT OR IGNORE INTO material (material, unit) VALUES (?, ?)", material, unit)
    if batch_managed:
        books.update("material", {"batch_managed": 1}, material=material)


def _insert_order(books: Books, order: SeedOrder) -> None:
    routing = str(books.next_number("routing", 1))
    own = {"ManufacturingOrder": order.order, "ManufacturingOrderCategory": "10", "ManufacturingOrderType": order.type}
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
        "_over": None if order.unlimited_over_delivery else milli(order.over_delivery_tolerance),
        "_under": milli(order.under_delivery_tolerance),
        "_group": str(books.next_number("confirmation_group", 1)),
    }
    header |= _schedule(order)
    books.insert("production_order", header)
    _know_material(books, order.material, order.unit, batch_managed=bool(order.batch))
    for number, operation in enumerate(order.operations, 1):
        _insert_operation(books, order, operation, own | {"OrderInternalBillOfOperations": routing}, number)
    _insert_components(books, order, own | {"OrderInternalBillOfOperations": routing})
    for number, item in enumerate(order.items or [SeedItem()], 1):
        _insert_item(books, order, item, own, number)
    names = set(order.status) | {"PRC", "SETC"}
    set_statuses(books, order.order, (names | {"REL"}) - {"CRTD"} if released else names | {"CRTD"})
    refresh(books, order.order)


def _schedule(order: SeedOrder) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for end, moment in (("Start", order.scheduled_start), ("End", order.scheduled_end)):
        if moment is None:
            continue
        local = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        day = datetime(local.year, local.month, local.day, tzinfo=UTC)
        for kind in ("Scheduled", "Planned"):
            columns[f"MfgOrder{kind}{end}Date"] = int(day.timestamp() * 1000)
            columns[f"MfgOrder{kind}{end}Time"] = local.strftime("PT%HH%MM%SS")
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
        row = own | _component_row(order, component, operation) | {"BOMItem": str(number), "_seq": number}
        row["Reservation"] = numc_text(component.reservation or default_reservation)
        row["ReservationItem"] = numc_text(component.item or str(number))
        row["BillOfMaterialItemNumber"] = f"{number * 10:04d}"
        books.insert("component", row)
        batch_managed = component.batch_managed or bool(component.batch)
        _know_material(books, component.material, component.unit, batch_managed=batch_managed)


def _component_row(order: SeedOrder, component: SeedComponent, operation: str) -> dict[str, Any]:
    return {
        "ManufacturingOrderSequence": numc_text(component.sequence),
        "ManufacturingOrderOperation": operation,
        "Material": component.material,
        "Plant": component.plant or order.plant,
        "ProductionPlant": order.plant,
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
