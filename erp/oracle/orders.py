"""Work orders out of `workOrders` (discrete): one read with operations, materials, resources (reference erp.md 2.2).

Process orders live in `processWorkOrders` and are refused: their co-products and by-products need other transactions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from erp.oracle.client import Item, OracleClient
from erp.oracle.items import ItemControl, Items
from erp.oracle.settings import OracleSettings, Units, operation_number, sequence_number
from erp.oracle.wire import (
    Row,
    UnreadableAnswer,
    amount_of,
    decimal_of,
    every,
    instant_of,
    is_equal,
    is_true,
    text_literal,
    text_of,
)
from erp.port import OrderHead
from signals.base import ZERO
from signals.documents import OperationTotals
from signals.errors import ErpRejected, ErpUnavailable, Reason
from signals.orders import (
    ActivitySlot,
    Component,
    ConfirmationMode,
    ErpOrderStatus,
    Operation,
    OrderOutput,
    ProductionOrder,
)

WORK_ORDERS = "workOrders"
CHILDREN = ("WorkOrderOperation", "WorkOrderMaterial", "WorkOrderResource")
ISSUE, RECEIPT = "MATERIAL_ISSUE", "PRODUCT_COMPLETION"
MOST_SLOTS = 6
_STATUSES = {
    "UNRELEASED": ErpOrderStatus.CREATED,
    "RELEASED": ErpOrderStatus.RELEASED,
    "ON_HOLD": ErpOrderStatus.LOCKED,
    "COMPLETED": ErpOrderStatus.TECHNICALLY_COMPLETE,
    "CLOSED": ErpOrderStatus.CLOSED,
    "CANCELED": ErpOrderStatus.DELETED,
}


@dataclass(frozen=True)
class Resource:
    """A resource of an operation; `slot` is its place in the house's activities, 0 where Oracle charges by itself."""

    sequence: int
    code: str
    slot: int
    usage: Decimal
    unit: str


@dataclass(frozen=True)
class OracleOrder:
    """The order in our terms, its address, and what finding and forecasting need beside it."""

    order: ProductionOrder
    path: str
    header: Row
    operations: tuple[Row, ...]
    materials: tuple[Row, ...]
    resource_rows: tuple[Row, ...] = ()
    resources: dict[str, tuple[Resource, ...]] = field(default_factory=dict[str, tuple[Resource, ...]])
    controls: dict[str, ItemControl] = field(default_factory=dict[str, ItemControl])

    @property
    def last_operation(self) -> str:
        return self.order.operations[-1].operation

    @property
    def unit(self) -> str:
        """Oracle's own code of the order's unit."""
        return text_of(self.header, "UOMCode")

    def operation_row(self, operation: str) -> Row:
        """Raises ErpRejected where the order has no such operation."""
        wanted = sequence_number(operation)
        for row in self.operations:
            if decimal_of(row.get("OperationSequenceNumber")) == wanted:
                return row
        raise ErpRejected(
            f"work order {self.order.order} has no operation {wanted}",
            code="operation_not_found",
            reason=Reason.MASTER_DATA,
        )

    def control(self, item: str) -> ItemControl:
        return self.controls.get(item, ItemControl())


class Orders:
    """Reads work orders of one organization."""

    def __init__(self, client: OracleClient, settings: OracleSettings, plant_id: str, items: Items) -> None:
        self._client = client
        self._settings = settings
        self._plant_id = plant_id
        self._units = Units(settings.units)
        self._items = items

    # --- lists -------------------------------------------------------------------------------------------------------

    async def released(self, changed_after: str) -> list[OrderHead]:
        heads = await self._heads(changed_after, is_equal("WorkOrderSystemStatusCode", "RELEASED"))
        return [head for head in heads if head.status is ErpOrderStatus.RELEASED]

    async def changed(self, changed_after: str) -> list[OrderHead]:
        return await self._heads(changed_after)

    async def _heads(self, changed_after: str, *more: str) -> list[OrderHead]:
        """The mark is Oracle's LastUpdateDate as it writes it; its own instant is read again."""
        since = f"LastUpdateDate >= {text_literal(changed_after)}" if changed_after else ""
        condition = every(is_equal("OrganizationCode", self._settings.plant), *more, since)
        rows = await self._client.items(WORK_ORDERS, {"q": condition, "onlyData": "true"})
        heads = [
            OrderHead(
                order=text_of(row, "WorkOrderNumber"),
                status=status_of(row),
                change_mark=text_of(row, "LastUpdateDate"),
            )
            for row in rows
            if text_of(row, "WorkOrderNumber")
        ]
        return sorted(heads, key=lambda head: (head.change_mark, head.order))

    # --- one order ---------------------------------------------------------------------------------------------------

    async def header(self, order: str) -> Row:
        """The header row alone, with its links. Raises ErpRejected `order_not_found`."""
        return await self._row(order, {})

    async def head_item(self, order: str) -> Item:
        """The header with the ETag that a change of it must name."""
        row = await self.header(order)
        return await self._client.item(f"{WORK_ORDERS}/{text_of(row, 'WorkOrderId')}")

    async def read(self, order: str) -> OracleOrder:
        """The whole order of our organization."""
        row = await self._row(order, {"expand": ",".join(CHILDREN), "onlyData": "true"})
        path = f"{WORK_ORDERS}/{text_of(row, 'WorkOrderId')}"
        operations, materials, resources = [await self._client.children(path, row, name) for name in CHILDREN]
        names = [text_of(row, "ItemNumber"), *(text_of(material, "ItemNumber") for material in materials)]
        controls = await self._items.control(name for name in names if name)
        try:
            return self._order(row, path, operations, materials, resources, controls)
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"work order {order}: {error}", code="unreadable") from error
        except ValueError as error:
            raise ErpRejected(
                f"work order {order} lacks what Plantwright needs of it: {error}",
                code="order_incomplete",
                reason=Reason.MASTER_DATA,
            ) from error

    async def totals(self, order: str) -> list[OperationTotals]:
        row = await self._row(order, {"expand": CHILDREN[0], "onlyData": "true"})
        path = f"{WORK_ORDERS}/{text_of(row, 'WorkOrderId')}"
        operations = await self._client.children(path, row, CHILDREN[0])
        try:
            return [_totals(operation, row) for operation in _in_routing_order(operations)]
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"totals of work order {order}: {error}", code="unreadable") from error

    async def _row(self, order: str, options: dict[str, str]) -> Row:
        condition = every(is_equal("OrganizationCode", self._settings.plant), is_equal("WorkOrderNumber", order))
        row = await self._client.first(WORK_ORDERS, {"q": condition, **options})
        if row is None:
            raise await self._unknown(order, condition)
        return row

    async def _unknown(self, order: str, condition: str) -> ErpRejected:
        """A process order is named as what it is."""
        try:
            is_process = await self._client.first("processWorkOrders", {"q": condition, "onlyData": "true"}) is not None
        except ErpRejected:
            is_process = False
        if is_process:
            return ErpRejected(
                f"order {order} is a process order; Plantwright books discrete work orders only",
                code="process_order_not_supported",
                reason=Reason.NOT_SUPPORTED,
            )
        return ErpRejected(
            f"Oracle does not know work order {order} in organization {self._settings.plant}",
            code="order_not_found",
            reason=Reason.MASTER_DATA,
        )

    # --- mapping -----------------------------------------------------------------------------------------------------

    def _order(
        self,
        row: Row,
        path: str,
        operations: list[Row],
        materials: list[Row],
        resources: list[Row],
        controls: dict[str, ItemControl],
    ) -> OracleOrder:
        ordered = _in_routing_order(operations)
        item, unit = text_of(row, "ItemNumber"), self._units.ours(text_of(row, "UOMCode"))
        usages = {operation_number(_sequence(o)): self._resources(o, resources) for o in ordered}
        order = ProductionOrder(
            plant=self._plant_id,
            erp_plant=text_of(row, "OrganizationCode"),
            order=text_of(row, "WorkOrderNumber"),
            order_type=text_of(row, "WorkOrderType"),
            material=item,
            quantity=amount_of(row.get("PlannedStartQuantity")),
            unit=unit,
            status=status_of(row),
            scheduled_start=instant_of(row.get("PlannedStartDate")),
            scheduled_end=instant_of(row.get("PlannedCompletionDate")),
            due=instant_of(row.get("PlannedCompletionDate")),
            over_delivery_percent=_shown(row, "OvercompletionTolerancePercent"),
            serial_profile="serialised" if controls.get(item, ItemControl()).serial else "",
            operations=self._operations(row, ordered, usages, unit),
            components=tuple(self._component(material) for material in materials),
            outputs=(
                OrderOutput(
                    material=item,
                    planned=amount_of(row.get("PlannedStartQuantity")),
                    received=amount_of(row.get("CompletedQuantity")),
                    unit=unit,
                    storage_location=text_of(row, "ComplSubinventoryCode"),
                ),
            ),
            change_mark=text_of(row, "LastUpdateDate"),
        )
        return OracleOrder(order, path, row, tuple(ordered), tuple(materials), tuple(resources), usages, controls)

    def _operations(
        self, header: Row, rows: list[Row], usages: dict[str, tuple[Resource, ...]], unit: str
    ) -> tuple[Operation, ...]:
        planned = amount_of(header.get("PlannedStartQuantity"))
        counts = [_is_count_point(row) for row in rows]
        operations: list[Operation] = []
        for row, counted in zip(rows, counts, strict=True):
            number = operation_number(_sequence(row))
            operations.append(
                Operation(
                    operation=number,
                    text=text_of(row, "OperationName"),
                    work_centre=text_of(row, "WorkCenterCode") or text_of(row, "WorkCenterName"),
                    confirmation=_confirmation(counted, all(counts)),
                    automatic_receipt=row is rows[-1] and _receives_by_itself(header),
                    predecessors=(operations[-1].operation,) if operations else (),
                    planned=planned,
                    unit=unit,
                    confirmed_yield=amount_of(row.get("CompletedQuantity")),
                    activities=tuple(_slot(resource, self._units) for resource in usages[number] if resource.slot),
                )
            )
        return tuple(operations)

    def _resources(self, operation: Row, rows: list[Row]) -> tuple[Resource, ...]:
        """By sequence. A resource that Oracle charges automatically keeps its place and has no slot."""
        mine = [row for row in rows if decimal_of(row.get("OperationSequenceNumber")) == _sequence(operation)]
        mine.sort(key=lambda row: decimal_of(row.get("ResourceSequenceNumber")))
        return tuple(
            Resource(
                sequence=int(decimal_of(row.get("ResourceSequenceNumber"))),
                code=text_of(row, "ResourceCode"),
                slot=0 if "AUTO" in text_of(row, "ChargeType").upper() or place > MOST_SLOTS else place,
                usage=amount_of(row.get("RequiredUsage")),
                unit=text_of(row, "UOMCode"),
            )
            for place, row in enumerate(mine, start=1)
        )

    def _component(self, row: Row) -> Component:
        return Component(
            material=text_of(row, "ItemNumber"),
            operation=operation_number(row.get("OperationSequenceNumber")),
            reservation_item=text_of(row, "MaterialSequenceNumber"),
            required=amount_of(row.get("Quantity")),
            withdrawn=amount_of(row.get("IssuedQuantity")),
            unit=self._units.ours(text_of(row, "UOMCode")),
            plant=self._settings.plant,
            storage_location=text_of(row, "SupplySubinventory"),
            movement_type=ISSUE,
            backflush=is_pull(row),
            bulk="BULK" in text_of(row, "SupplyType").upper(),
        )


def status_of(row: Row) -> ErpOrderStatus:
    """By the system status; user-defined statuses map to one (reference erp.md 2.2, two code families)."""
    code = text_of(row, "WorkOrderSystemStatusCode") or text_of(row, "WorkOrderStatusCode")
    return _STATUSES.get(code.upper().removeprefix("ORA_"), ErpOrderStatus.CREATED)


def is_pull(row: Row) -> bool:
    """Operation pull and assembly pull are issued by Oracle with the operation's transaction."""
    return "PULL" in text_of(row, "SupplyType").upper()


def is_fixed(row: Row) -> bool:
    """A quantity that does not follow the pieces."""
    return "FIX" in text_of(row, "BasisType").upper()


def _slot(resource: Resource, units: Units) -> ActivitySlot:
    return ActivitySlot(slot=resource.slot, name=resource.code, unit=units.ours(resource.unit), planned=resource.usage)


def _sequence(row: Row) -> Decimal:
    return decimal_of(row.get("OperationSequenceNumber"))


def _in_routing_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=_sequence)


def _is_count_point(row: Row) -> bool:
    return row.get("CountPointOperationFlag") is None or is_true(row.get("CountPointOperationFlag"))


def _confirmation(counted: bool, all_counted: bool) -> ConfirmationMode:
    """Where some operations are no count points, Oracle transacts those with the next count point."""
    if all_counted:
        return ConfirmationMode.REQUIRED
    return ConfirmationMode.MILESTONE if counted else ConfirmationMode.NONE


def _receives_by_itself(header: Row) -> bool:
    """The last operation puts the product into the completion subinventory; without one it waits for a receipt."""
    return "ComplSubinventoryCode" not in header or bool(text_of(header, "ComplSubinventoryCode"))


def _shown(row: Row, name: str) -> Decimal | None:
    return amount_of(row[name]) if row.get(name) not in (None, "") else None


def _totals(row: Row, header: Row) -> OperationTotals:
    completed, scrapped, rejected = [
        amount_of(row.get(name)) for name in ("CompletedQuantity", "ScrappedQuantity", "RejectedQuantity")
    ]
    planned = amount_of(header.get("PlannedStartQuantity"))
    return OperationTotals(
        operation=operation_number(_sequence(row)),
        yield_quantity=completed,
        scrap_quantity=scrapped,
        rework_quantity=rejected,
        final=planned > ZERO and completed + scrapped + rejected >= planned,
    )
