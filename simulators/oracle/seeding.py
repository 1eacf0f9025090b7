"""Writes a seed into the books: organizations, items, work centres, work orders, stock. A known order is kept."""

from typing import Any

from simulators.oracle import stock
from simulators.oracle.books import Books
from simulators.oracle.masters import STORES, USER, known_item, organization, work_centre
from simulators.oracle.order_seeding import add_order, peg
from simulators.oracle.seed import (
    SeedDocument,
    SeedException,
    SeedMaterial,
    SeedStock,
    SeedSubinventory,
    SeedValuation,
)
from simulators.oracle.values import micro, now_text


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
        _change_item(books, known_item(books, number, material.unit or "PC"), material)
    for subinventory in document.subinventories:
        _subinventory(books, subinventory)
    for centre in document.work_centres:
        work_centre(books, centre)
    for asset in document.assets:
        plant = organization(books, asset.plant)
        books.execute("INSERT OR REPLACE INTO asset VALUES (?, ?, ?)", plant, asset.asset, asset.account)
    answer: dict[str, list[str]] = {"created": [], "kept": []}
    for order in document.orders:
        answer["created" if add_order(books, order) else "kept"].append(order.order)
    for row in document.stock:
        _stock(books, row)
    for valuation in document.valuations:
        _valuation(books, valuation)
    for demand in document.demands:
        peg(books, demand)
    for technical in document.technical_objects:
        for plant in books.all("SELECT OrganizationId AS n FROM organization"):
            books.execute("INSERT OR IGNORE INTO asset VALUES (?, ?, '')", plant["n"], technical.object)
    for exception in document.production_exceptions:
        _exception(books, exception)
    return answer


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


def _stock(books: Books, given: SeedStock) -> None:
    """A stock row is set to the quantity given."""
    plant = organization(books, given.plant)
    item = known_item(books, given.material, given.unit, lot=bool(given.batch), serial=bool(given.serials))
    if given.unit != item["uom"]:
        raise ValueError(f"stock of {given.material}: its unit is {item['uom']}, not {given.unit}")
    if item["lot"] and not given.batch:
        raise ValueError(f"stock of {given.material}: a lot controlled item lies in lots; give a batch")
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


def _valuation(books: Books, given: SeedValuation) -> None:
    price = given.standard_price if given.price_control == "S" else given.moving_price
    cost = int(price.scaleb(6) / given.price_unit)
    books.update("item", {"standard_cost": cost}, ItemNumber=given.material)


def _exception(books: Books, given: SeedException) -> None:
    number = books.new_id()
    row = {
        "ProductionExceptionId": number,
        "ExceptionNumber": str(number)[-6:],
        "OrganizationCode": given.plant,
        "ExceptionTypeCode": given.type,
        "Severity": given.severity,
        "StatusCode": "OPEN",
        "WorkCenterCode": given.work_centre or None,
        "WorkOrderNumber": given.order or None,
        "OperationSequenceNumber": int(given.operation) if given.operation else None,
        "Description": given.text,
        "ReportedDate": now_text(),
    }
    books.insert("production_exception", row | books.created_by(USER))
