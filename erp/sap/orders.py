"""Production orders out of API_PRODUCTION_ORDER_2_SRV: one read with operations, components, items.

Process orders are refused: they are confirmed through another service. Field meanings: reference erp.md 1.2.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from erp.port import OrderHead
from erp.sap.client import SapClient
from erp.sap.failures import SapNotFound
from erp.sap.odata import (
    Entity,
    UnreadableAnswer,
    amount_of,
    decimal_of,
    flag_of,
    instant_of,
    key_predicate,
    text_literal,
    text_of,
)
from erp.sap.settings import ORDER_SERVICE, ControlProfileSettings, SapSettings
from signals.documents import OperationTotals
from signals.errors import ErpRejected, ErpUnavailable
from signals.orders import (
    Component,
    ConfirmationMode,
    ErpOrderStatus,
    Operation,
    OrderOutput,
    OutputKind,
    ProductionOrder,
)

ORDER_SET = "A_ProductionOrder_2"
OPERATION_SET = "A_ProductionOrderOperation_2"
COMPONENT_NAVIGATIONS = (
    "to_ProductionOrderComponentExt4",
    "to_ProductionOrderComponentExt",
    "to_ProductionOrderComponent",
)
PROCESS_ORDER = "40"
REMEMBERED_ORDERS = 200
STANDARD_SEQUENCE = "0"
BY_PRODUCT_MOVEMENTS = ("531", "532")
_STATUS_FLAGS = (
    ("OrderIsDeleted", ErpOrderStatus.DELETED),
    ("OrderIsMarkedForDeletion", ErpOrderStatus.DELETED),
    ("OrderIsClosed", ErpOrderStatus.CLOSED),
    ("OrderIsTechnicallyCompleted", ErpOrderStatus.TECHNICALLY_COMPLETE),
    ("OrderIsLocked", ErpOrderStatus.LOCKED),
    ("OrderIsReleased", ErpOrderStatus.RELEASED),
    ("OrderIsPartiallyReleased", ErpOrderStatus.RELEASED),
)


@dataclass(frozen=True)
class SapOrder:
    """The order in our terms, and what the goods-movement forecast needs beside it."""

    order: ProductionOrder
    fixed_reservation_items: frozenset[tuple[str, str]]
    """Components whose quantity does not follow the pieces."""


class Orders:
    """Reads orders of one plant."""

    def __init__(self, client: SapClient, settings: SapSettings, plant_id: str) -> None:
        self._client = client
        self._settings = settings
        self._plant_id = plant_id
        self._zone = ZoneInfo(settings.zone)
        self._components_from = COMPONENT_NAVIGATIONS[0]
        self._milestones: OrderedDict[str, dict[str, frozenset[str]]] = OrderedDict()

    async def released(self, changed_after: str) -> list[OrderHead]:
        """Heads of released orders. The mark has whole seconds, so its own second is read again."""
        heads = await self._heads(changed_after, "OrderIsReleased eq 'X'")
        return [head for head in heads if head.status is ErpOrderStatus.RELEASED]

    async def changed(self, changed_after: str) -> list[OrderHead]:
        """Heads of orders in any status; the mark's own second is read again."""
        return await self._heads(changed_after)

    async def _heads(self, changed_after: str, *more: str) -> list[OrderHead]:
        conditions = [f"ProductionPlant eq {text_literal(self._settings.plant)}", *more]
        if changed_after:
            conditions.append(f"LastChangeDateTime ge {text_literal(changed_after)}")
        rows = await self._client.read_entities(ORDER_SERVICE, ORDER_SET, {"$filter": " and ".join(conditions)})
        heads = [
            OrderHead(
                order=text_of(row, "ManufacturingOrder"),
                status=status_of(row),
                change_mark=text_of(row, "LastChangeDateTime"),
            )
            for row in rows
            if text_of(row, "ManufacturingOrderCategory") != PROCESS_ORDER
        ]
        return sorted((h for h in heads if h.order), key=lambda head: (head.change_mark, head.order))

    async def head(self, order: str) -> Entity:
        """The header alone. Raises ErpRejected `order_not_found`."""
        return await self._entity(order, {})

    async def read(self, order: str) -> SapOrder:
        """The whole order of our plant."""
        entity = await self._with_components(order)
        self._check(entity, order)
        rows = {
            name: await self._client.expanded(ORDER_SERVICE, entity, name)
            for name in ("to_ProductionOrderOperation", self._components_from, "to_ProductionOrderItem")
        }
        try:
            known = self._order(entity, rows)
            self._remember_milestones(known.order)
            return known
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"order {order}: {error}", code="unreadable") from error
        except ValueError as error:
            raise ErpRejected(
                f"order {order} lacks what Plantwright needs of it: {error}", code="order_incomplete"
            ) from error

    async def milestone_predecessors(self, order: str, operation: str) -> frozenset[str]:
        """Operations that a confirmation of this one may confirm along; none where it is no milestone."""
        if order not in self._milestones:
            await self.read(order)
        return self._milestones.get(order, {}).get(operation, frozenset())

    def _remember_milestones(self, order: ProductionOrder) -> None:
        """The routing does not change while an order runs; the oldest are forgotten."""
        self._milestones[order.order] = {
            o.operation: predecessors_to_milestone(order, o)
            for o in order.operations
            if o.confirmation is ConfirmationMode.MILESTONE
        }
        self._milestones.move_to_end(order.order)
        if len(self._milestones) > REMEMBERED_ORDERS:
            self._milestones.popitem(last=False)

    async def totals(self, order: str) -> list[OperationTotals]:
        """Running totals of each operation; scrap and rework where this release of the service shows them."""
        rows = await self._client.read_entities(
            ORDER_SERVICE, OPERATION_SET, {"$filter": f"ManufacturingOrder eq {text_literal(order)}"}
        )
        try:
            return [_totals(row) for row in _main_operations(rows)]
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"totals of order {order}: {error}", code="unreadable") from error

    async def _with_components(self, order: str) -> Entity:
        """The order with its components by the newest navigation this system has; what works is kept."""
        navigations = COMPONENT_NAVIGATIONS[COMPONENT_NAVIGATIONS.index(self._components_from) :]
        for navigation in navigations:
            expand = f"to_ProductionOrderOperation,{navigation},to_ProductionOrderItem"
            try:
                entity = await self._entity(order, {"$expand": expand})
            except ErpRejected as error:
                if error.code == "order_not_found" or navigation == navigations[-1]:
                    raise
                continue
            self._components_from = navigation
            return entity
        raise AssertionError("the last navigation either answers or raises")

    async def _entity(self, order: str, options: dict[str, str]) -> Entity:
        path = ORDER_SET + key_predicate(ManufacturingOrder=order)
        try:
            return await self._client.read_entity(ORDER_SERVICE, path, options)
        except SapNotFound as error:
            raise SapNotFound(
                f"SAP does not know production order {order} ({error})", code="order_not_found"
            ) from error

    def _check(self, entity: Entity, order: str) -> None:
        if text_of(entity, "ManufacturingOrderCategory") == PROCESS_ORDER:
            raise ErpRejected(
                f"order {order} is a process order; Plantwright confirms production orders (category 10) only",
                code="process_order_not_supported",
            )
        plant = text_of(entity, "ProductionPlant") or text_of(entity, "Plant")
        if plant != self._settings.plant:
            raise ErpRejected(
                f"order {order} belongs to plant {plant}, this connection serves plant {self._settings.plant}",
                code="order_of_other_plant",
            )

    def _order(self, entity: Entity, rows: Mapping[str, list[Entity]]) -> SapOrder:
        components = rows[self._components_from]
        items = sorted(
            rows["to_ProductionOrderItem"], key=lambda row: int(decimal_of(row.get("ManufacturingOrderItem")))
        )
        main = items[0] if items else {}
        tolerances = {**entity, **main}
        order = ProductionOrder(
            plant=self._plant_id,
            erp_plant=text_of(entity, "ProductionPlant"),
            order=text_of(entity, "ManufacturingOrder"),
            order_type=text_of(entity, "ManufacturingOrderType"),
            material=text_of(entity, "Material"),
            quantity=amount_of(entity.get("TotalQuantity")),
            unit=text_of(entity, "ProductionUnit"),
            status=status_of(entity),
            batch=text_of(main, "Batch"),
            company_code=text_of(entity, "CompanyCode"),
            scheduled_start=self._instant(entity, "MfgOrderScheduledStart"),
            scheduled_end=self._instant(entity, "MfgOrderScheduledEnd"),
            due=self._instant(entity, "MfgOrderPlannedEnd"),
            over_delivery_percent=_shown_amount(tolerances, "OverdelivTolrtdLmtRatioInPct"),
            under_delivery_percent=_shown_amount(tolerances, "UnderdelivTolrtdLmtRatioInPct"),
            unlimited_over_delivery=flag_of(tolerances.get("UnlimitedOverdeliveryIsAllowed")),
            operations=self._operations(rows["to_ProductionOrderOperation"]),
            components=tuple(_component(row) for row in components if not _is_by_product(row)),
            outputs=(*_outputs(items), *(_by_product(row) for row in components if _is_by_product(row))),
            change_mark=text_of(entity, "LastChangeDateTime"),
        )
        fixed = frozenset(_reservation(row) for row in components if flag_of(row.get("QuantityIsFixed")))
        return SapOrder(order, fixed)

    def _instant(self, entity: Entity, name: str) -> datetime | None:
        return instant_of(entity.get(f"{name}Date"), entity.get(f"{name}Time"), self._zone)

    def _operations(self, rows: list[Entity]) -> tuple[Operation, ...]:
        ordered = _main_operations(rows)
        receipt = _receipt_operation(ordered, self._settings.control_profiles)
        before: dict[str, str] = {}
        operations: list[Operation] = []
        for row in ordered:
            sequence, number = _sequence(row), text_of(row, "ManufacturingOrderOperation")
            operations.append(self._operation(row, before.get(sequence), row is receipt))
            before[sequence] = number
        return tuple(operations)

    def _operation(self, row: Entity, predecessor: str | None, automatic_receipt: bool) -> Operation:
        profile = text_of(row, "OperationControlProfile")
        known = self._settings.control_profiles.get(profile)
        return Operation(
            operation=text_of(row, "ManufacturingOrderOperation"),
            sequence=_sequence(row),
            text=text_of(row, "MfgOrderOperationText"),
            work_centre=text_of(row, "WorkCenter"),
            control_profile=profile,
            confirmation=known.confirmation if known is not None else ConfirmationMode.REQUIRED,
            automatic_receipt=automatic_receipt,
            predecessors=(predecessor,) if predecessor else (),
            planned=amount_of(row.get("OpPlannedTotalQuantity")),
            unit=text_of(row, "OperationUnit"),
            confirmed_yield=amount_of(row.get("OpTotalConfirmedYieldQty")),
        )


def predecessors_to_milestone(order: ProductionOrder, milestone: Operation) -> frozenset[str]:
    """What a milestone may confirm along: back to the milestone before it, except what is never confirmed so."""
    found: set[str] = set()
    waiting = list(milestone.predecessors)
    while waiting:
        operation = order.find_operation(waiting.pop())
        if operation is None or operation.confirmation is ConfirmationMode.MILESTONE or operation.operation in found:
            continue
        waiting += operation.predecessors
        if operation.confirmation is ConfirmationMode.REQUIRED:
            found.add(operation.operation)
    return frozenset(found)


def status_of(entity: Entity) -> ErpOrderStatus:
    """The most final status whose flag is set."""
    return next((status for flag, status in _STATUS_FLAGS if flag_of(entity.get(flag))), ErpOrderStatus.CREATED)


def _main_operations(rows: list[Entity]) -> list[Entity]:
    """Operations without their suboperations, in routing order."""
    main = [row for row in rows if not text_of(row, "ManufacturingOrderSubOperation")]
    return sorted(main, key=lambda row: (_sequence(row), text_of(row, "ManufacturingOrderOperation")))


def _sequence(row: Entity) -> str:
    """Sequence numbers without leading zeros: SAP shows the standard one as 0 or as 000000."""
    return text_of(row, "ManufacturingOrderSequence").lstrip("0") or STANDARD_SEQUENCE


def _receipt_operation(rows: list[Entity], profiles: Mapping[str, ControlProfileSettings]) -> Entity | None:
    """The one operation that receives by itself: the last of the standard sequence whose profile says so."""
    marked = [
        row
        for row in rows
        if _sequence(row) == STANDARD_SEQUENCE
        and (profile := profiles.get(text_of(row, "OperationControlProfile"))) is not None
        and profile.automatic_receipt
    ]
    return marked[-1] if marked else None


def _totals(row: Entity) -> OperationTotals:
    return OperationTotals(
        operation=text_of(row, "ManufacturingOrderOperation"),
        yield_quantity=amount_of(row.get("OpTotalConfirmedYieldQty")),
        scrap_quantity=_shown_amount(row, "OpTotalConfirmedScrapQty"),
        rework_quantity=_shown_amount(row, "OpTotalConfirmedReworkQty"),
        final=flag_of(row.get("OperationIsConfirmed")),
    )


def _shown_amount(entity: Entity, name: str) -> Decimal | None:
    return amount_of(entity[name]) if entity.get(name) not in (None, "") else None


def _reservation(row: Entity) -> tuple[str, str]:
    return text_of(row, "Reservation"), text_of(row, "ReservationItem")


def _is_by_product(row: Entity) -> bool:
    return text_of(row, "GoodsMovementType") in BY_PRODUCT_MOVEMENTS or decimal_of(row.get("RequiredQuantity")) < 0


def _component(row: Entity) -> Component:
    reservation, item = _reservation(row)
    return Component(
        material=text_of(row, "Material"),
        operation=text_of(row, "ManufacturingOrderOperation"),
        reservation=reservation,
        reservation_item=item,
        required=amount_of(row.get("RequiredQuantity")),
        withdrawn=amount_of(row.get("WithdrawnQuantity")),
        unit=text_of(row, "BaseUnit"),
        plant=text_of(row, "Plant"),
        storage_location=text_of(row, "StorageLocation"),
        batch=text_of(row, "Batch"),
        movement_type=text_of(row, "GoodsMovementType") or "261",
        backflush=flag_of(row.get("MatlCompIsMarkedForBackflush")),
        bulk=flag_of(row.get("IsBulkMaterialComponent")),
    )


def _by_product(row: Entity) -> OrderOutput:
    return OrderOutput(
        item=text_of(row, "ReservationItem"),
        material=text_of(row, "Material"),
        kind=OutputKind.BY_PRODUCT,
        planned=amount_of(row.get("RequiredQuantity")),
        received=amount_of(row.get("WithdrawnQuantity")),
        unit=text_of(row, "BaseUnit"),
        storage_location=text_of(row, "StorageLocation"),
        batch=text_of(row, "Batch"),
    )


def _outputs(items: list[Entity]) -> tuple[OrderOutput, ...]:
    return tuple(
        OrderOutput(
            item=text_of(row, "ManufacturingOrderItem"),
            material=text_of(row, "Material"),
            kind=OutputKind.CO_PRODUCT if position else OutputKind.MAIN,
            planned=amount_of(row.get("MfgOrderItemPlannedTotalQty")),
            received=amount_of(row.get("MfgOrderItemGoodsReceiptQty")),
            unit=text_of(row, "ProductionUnit"),
            storage_location=text_of(row, "StorageLocation"),
            batch=text_of(row, "Batch"),
        )
        for position, row in enumerate(items)
    )
