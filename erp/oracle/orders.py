"""Work orders out of `workOrders` (discrete): one read with operations, materials, resources (reference erp.md 2.2).

Process orders live in `processWorkOrders` and are refused: their co-products and by-products need other transactions.
"""

from __future__ import annotations

from erp.oracle.client import Item, OracleClient
from erp.oracle.items import ItemControl, Items
from erp.oracle.order_rows import (
    ISSUE,
    OracleOrder,
    Resource,
    confirmation_mode,
    in_routing_order,
    is_count_point,
    is_pull,
    receives_by_itself,
    sequence_of,
    shown_amount,
    slot_of,
    status_of,
    totals_of,
)
from erp.oracle.settings import OracleSettings, Units, operation_number
from erp.oracle.wire import (
    Row,
    UnreadableAnswer,
    amount_of,
    decimal_of,
    every,
    instant_of,
    is_equal,
    text_literal,
    text_of,
)
from erp.port import OrderHead
from signals.documents import OperationTotals
from signals.errors import ErpRejected, ErpUnavailable, Reason
from signals.orders import (
    Component,
    ErpOrderStatus,
    Operation,
    OrderOutput,
    ProductionOrder,
)

WORK_ORDERS = "workOrders"
CHILDREN = ("WorkOrderOperation", "WorkOrderMaterial", "WorkOrderResource")
MOST_SLOTS = 6


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
            return [totals_of(operation, row) for operation in in_routing_order(operations)]
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
        ordered = in_routing_order(operations)
        item, unit = text_of(row, "ItemNumber"), self._units.ours(text_of(row, "UOMCode"))
        usages = {operation_number(sequence_of(o)): self._resources(o, resources) for o in ordered}
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
            over_delivery_percent=shown_amount(row, "OvercompletionTolerancePercent"),
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
        counts = [is_count_point(row) for row in rows]
        operations: list[Operation] = []
        for row, counted in zip(rows, counts, strict=True):
            number = operation_number(sequence_of(row))
            operations.append(
                Operation(
                    operation=number,
                    text=text_of(row, "OperationName"),
                    work_centre=text_of(row, "WorkCenterCode") or text_of(row, "WorkCenterName"),
                    confirmation=confirmation_mode(counted, all(counts)),
                    automatic_receipt=row is rows[-1] and receives_by_itself(header),
                    predecessors=(operations[-1].operation,) if operations else (),
                    planned=planned,
                    unit=unit,
                    confirmed_yield=amount_of(row.get("CompletedQuantity")),
                    activities=tuple(slot_of(resource, self._units) for resource in usages[number] if resource.slot),
                )
            )
        return tuple(operations)

    def _resources(self, operation: Row, rows: list[Row]) -> tuple[Resource, ...]:
        """By sequence. A resource that Oracle charges automatically keeps its place and has no slot."""
        mine = [row for row in rows if decimal_of(row.get("OperationSequenceNumber")) == sequence_of(operation)]
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
