"""Masters that a seed brings into being by naming them: organizations, items, work centres, resources."""

from decimal import Decimal
from typing import Any

from simulators.oracle import stock
from simulators.oracle.books import Books
from simulators.oracle.seed import SeedWorkCentre, SeedWorkCentreResource
from simulators.oracle.values import micro

USER = "SEED"
# Where a seed names no storage location; Oracle has no stock outside a subinventory.
STORES = "STORES"


def organization(books: Books, code: str) -> int:
    row = books.one("SELECT OrganizationId FROM organization WHERE OrganizationCode = ?", code)
    if row is not None:
        return row["OrganizationId"]
    number = books.new_id()
    books.insert("organization", {"OrganizationId": number, "OrganizationCode": code})
    return number


def known_item(books: Books, number: str, unit: str, *, lot: bool = False, serial: bool = False) -> dict[str, Any]:
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


def work_centre(books: Books, given: SeedWorkCentre) -> dict[str, Any]:
    """The work centre with its resources; one that only an operation names has one resource of its own name."""
    plant = organization(books, given.plant)
    row = books.one(
        "SELECT * FROM work_center WHERE OrganizationId = ? AND WorkCenterCode = ?", plant, given.work_centre
    )
    if row is None:
        row = {
            "WorkCenterId": books.new_id(),
            "WorkCenterCode": given.work_centre,
            "WorkCenterName": given.name or given.text or given.work_centre,
            "OrganizationId": plant,
            "OrganizationCode": given.plant,
            "WorkAreaCode": given.area or None,
        }
        books.insert("work_center", row | books.created_by(USER))
        books.execute("INSERT OR IGNORE INTO asset VALUES (?, ?, '')", plant, given.work_centre)
    for resource in given.resources or [_own_resource(given)]:
        assign(books, row, resource, given.utilisation)
    return row


def _own_resource(given: SeedWorkCentre) -> SeedWorkCentreResource:
    return SeedWorkCentreResource(
        code=given.work_centre, resource_class=given.group, quantity=Decimal(given.capacities)
    )


def assign(
    books: Books, centre: dict[str, Any], given: SeedWorkCentreResource, utilisation: int = 100
) -> dict[str, Any]:
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
        "UtilizationPercentage": micro(utilisation),
    }
    known = books.one(
        "SELECT 1 FROM work_center_resource WHERE WorkCenterId = ? AND ResourceId = ?",
        *(centre["WorkCenterId"], resource["ResourceId"]),
    )
    if known is None:
        books.insert("work_center_resource", row)
    return resource


def unit_name(books: Books, code: str) -> str:
    row = books.one("SELECT name FROM uom WHERE code = ?", code)
    return row["name"] if row else code
