"""Changes of production orders: by PATCH with If-Match, and by a person in SAP (`POST /_control/orders/change`).

Every change moves the order's LastChangeDateTime to a stamp later than any earlier one of that order.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from simulators.sap import edm
from simulators.sap.backflush import share
from simulators.sap.books import Books, later_stamp
from simulators.sap.call import Call, require_match
from simulators.sap.confirmation_rules import Posting
from simulators.sap.entity_types import EntityType
from simulators.sap.job import Job, changed, locked
from simulators.sap.messages import Refusal, method_not_allowed
from simulators.sap.odata import Answer, quantity_text
from simulators.sap.orders import control_profile, find_order, milli, operations_of, refresh, set_statuses, statuses
from simulators.sap.payload import parse_body, parse_entity
from simulators.sap.reading import Address, find_entity, parse_keys
from simulators.sap.seed import Positive, Seed, SeedComponent
from simulators.sap.seeding import add_component, schedule

_CHANGEABLE = {
    edm.ORDER.set_name: {
        "TotalQuantity",
        "MfgOrderPlannedStartDate",
        "MfgOrderPlannedStartTime",
        "MfgOrderPlannedEndDate",
        "MfgOrderPlannedEndTime",
        "OrderLongText",
        "ProductionSupervisor",
        "MRPController",
    },
    edm.OPERATION.set_name: {"WorkCenter", "MfgOrderOperationText", "OperationControlProfile"},
    edm.COMPONENT.set_name: {"RequiredQuantity", "StorageLocation", "Batch", "MatlCompIsMarkedForBackflush"},
}
_CHANGEABLE["A_ProductionOrderComponent_3"] = _CHANGEABLE[edm.COMPONENT.set_name]
_BLOCKING = ("CLSD", "TECO", "DLFL", "LKD")


class OrderChange(Seed):
    """What a person changes in one go. `cancel` sets the deletion flag or completes technically."""

    order: str
    quantity: Positive | None = None
    scheduled_start: datetime | None = None
    scheduled_end: datetime | None = None
    lock: bool | None = None
    component: SeedComponent | None = None
    cancel: Literal["DLFL", "TECO"] | None = None
    text: Annotated[str, Field(max_length=1333)] | None = None
    user: Annotated[str, Field(max_length=12)] = "GUI_USER"

    @model_validator(mode="after")
    def _changes_something(self) -> "OrderChange":
        if not self.model_fields_set - {"order", "user"}:
            raise ValueError(
                "name what to change: quantity, scheduled_start, scheduled_end, lock, component, cancel, text"
            )
        return self


def touch(books: Books, order: str) -> str:
    """A stamp later than all that header, operations and components have had; answers it."""
    row = books.one(
        "SELECT MAX(moment) AS latest FROM (SELECT LastChangeDateTime AS moment FROM production_order"
        " WHERE ManufacturingOrder = ?1 UNION ALL SELECT LastChangeDateTime FROM production_operation"
        " WHERE ManufacturingOrder = ?1 UNION ALL SELECT LastChangeDateTime FROM component"
        " WHERE ManufacturingOrder = ?1)",
        order,
    )
    moment = later_stamp(row["latest"] or "" if row else "")
    books.update("production_order", {"LastChangeDateTime": moment}, ManufacturingOrder=order)
    return moment


def change_by_hand(books: Books, change: OrderChange) -> dict[str, Any]:
    """A person's change; the status management refuses what a closed order does not allow."""
    header = find_order(books, change.order)
    order = header["ManufacturingOrder"]
    active = statuses(books, order)
    if "CLSD" in active:
        raise Refusal("BS/013", f"System status CLSD is active (ORD {order})")
    if change.quantity is not None:
        set_quantity(books, header, milli(change.quantity))
    header_changes = schedule(change.scheduled_start, change.scheduled_end)
    header_changes |= {} if change.text is None else {"OrderLongText": change.text}
    if header_changes:
        books.update("production_order", header_changes, ManufacturingOrder=order)
    if change.component is not None:
        add_component(books, header, change.component)
    if change.lock is not None:
        active = active | {"LKD"} if change.lock else active - {"LKD"}
    if change.cancel is not None:
        active = active | {change.cancel}
    set_statuses(books, order, active)
    refresh(books, order)
    moment = touch(books, order)
    return {"order": order, "last_change": moment, "status": sorted(statuses(books, order))}


def set_quantity(books: Books, header: dict[str, Any], quantity: int) -> None:
    """Operations, items and variable components follow in proportion. Never below what is confirmed."""
    order, planned = header["ManufacturingOrder"], header["TotalQuantity"]
    for operation in operations_of(books, order):
        if operation["OpTotalConfirmedYieldQty"] > quantity:
            done = quantity_text(operation["OpTotalConfirmedYieldQty"])
            text = f"Order {order}: operation {operation['ManufacturingOrderOperation']} has confirmed {done} already"
            raise Refusal("CO/152", text, target="TotalQuantity")
    books.update("production_order", {"TotalQuantity": quantity}, ManufacturingOrder=order)
    for table, column, condition in (
        ("production_operation", "OpPlannedTotalQuantity", "1 = 1"),
        ("order_item", "MfgOrderItemPlannedTotalQty", "1 = 1"),
        ("component", "RequiredQuantity", "QuantityIsFixed = 0"),
    ):
        for row in books.all(f"SELECT rowid, * FROM {table} WHERE ManufacturingOrder = ? AND {condition}", order):
            books.update(table, {column: share(row[column], quantity, planned)}, rowid=row["rowid"])


def find_job(books: Books, call: Call, address: Address) -> Job | None:
    """PATCH of header, operation and component; None for what is no change."""
    if call.method != "PATCH" or len(address.segments) != 1 or address.segments[0].predicate is None:
        return None
    entity = next((own for own in edm.ENTITIES if own.set_name == address.segments[0].name), None)
    if entity is None or entity.set_name not in _CHANGEABLE:
        raise method_not_allowed(call.method, address.segments[0].name)
    row = find_entity(books, entity, parse_keys(entity, address.segments[0].predicate))
    values, _ = parse_entity(entity, parse_body(call), "")
    keys = {key: row[key] for key in entity.keys}
    orders = locked(books, row["ManufacturingOrder"])
    return Job(orders, lambda posting: _change(posting, call, entity, keys, values))


def _change(posting: Posting, call: Call, entity: EntityType, keys: dict[str, Any], values: dict[str, Any]) -> Answer:
    books = posting.books
    row = find_entity(books, entity, keys)
    require_match(call, entity, row)
    order = row["ManufacturingOrder"]
    if blocking := next((name for name in _BLOCKING if name in statuses(books, order)), None):
        raise Refusal("BS/013", f"System status {blocking} is active (ORD {order})", target="ManufacturingOrder")
    for name, value in values.items():
        if name not in _CHANGEABLE[entity.set_name] and value != row[name]:
            raise Refusal("CO/153", f"Property {name} of {entity.set_name} cannot be changed", target=name)
    changes = {name: value for name, value in values.items() if name in _CHANGEABLE[entity.set_name]}
    _check(books, entity, row | changes)
    if entity is edm.ORDER and "TotalQuantity" in changes:
        set_quantity(books, row, changes.pop("TotalQuantity"))
    moment = touch(books, order)
    books.update(entity.table, changes | {"LastChangeDateTime": moment}, **keys)
    refresh(books, order)
    return changed(entity, find_entity(books, entity, keys), posting)


def _check(books: Books, entity: EntityType, row: dict[str, Any]) -> None:
    if entity is edm.OPERATION:
        control_profile(books, row)
        known = books.one("SELECT 1 FROM work_centre LIMIT 1")
        centre = (row["WorkCenter"], row["ProductionPlant"])
        if known and not books.one("SELECT 1 FROM work_centre WHERE WorkCenter = ? AND Plant = ?", *centre):
            raise Refusal("CR/031", f"Work center {centre[0]} does not exist in plant {centre[1]}", target="WorkCenter")
    quantity = row.get("TotalQuantity", row.get("RequiredQuantity", 1))
    if Decimal(quantity) <= 0:
        raise Refusal("CO/154", "Enter a quantity greater than zero")
