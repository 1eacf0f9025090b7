"""Production orders in the house's words, and which of them are released or changed. Reading only."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from erp.dynamics.client import DynamicsClient
from erp.dynamics.failures import DynamicsNotFound
from erp.dynamics.forecast import AUTOMATIC
from erp.dynamics.journals import Journals
from erp.dynamics.odata import (
    Entity,
    UnreadableAnswer,
    any_of,
    decimal_of,
    enum_literal,
    equal,
    instant_at,
    instant_of,
    int_of,
    text_of,
)
from erp.dynamics.plan import BomLine, OrderPlan, Plans
from erp.dynamics.settings import HEADERS, DynamicsSettings, Units, operation_text, place_text
from erp.port import ErpEvents, OrderHead
from signals.documents import OperationTotals
from signals.erp_reads import Demand
from signals.errors import ErpRejected, ErpUnavailable
from signals.orders import (
    Component,
    ConfirmationMode,
    ErpOrderStatus,
    Operation,
    OrderOutput,
    ProductionOrder,
)

OPEN = ("Released", "StartedUp")
STATUS = {
    "Created": ErpOrderStatus.CREATED,
    "CostEstimated": ErpOrderStatus.CREATED,
    "Scheduled": ErpOrderStatus.CREATED,
    "Released": ErpOrderStatus.RELEASED,
    "StartedUp": ErpOrderStatus.RELEASED,
    "ReportedFinished": ErpOrderStatus.TECHNICALLY_COMPLETE,
    "Completed": ErpOrderStatus.CLOSED,
}
OVERLAP = timedelta(minutes=15)
"""Events may be delivered late; what changed before the mark by less than this is told again."""
_SECONDS = 3600
_DEMANDS = (
    ("DemandSalesOrderNumber", "sales order"),
    ("DemandProductionOrderNumber", "production order"),
    ("DemandTransferOrderNumber", "transfer order"),
)


class Orders:
    """Orders of one company and site."""

    def __init__(
        self,
        client: DynamicsClient,
        settings: DynamicsSettings,
        plant_id: str,
        plans: Plans,
        journals: Journals,
        events: ErpEvents | None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._plant_id = plant_id
        self._plans = plans
        self._journals = journals
        self._events = events
        self._units = Units(settings.units)
        self._zone = ZoneInfo(settings.zone)

    async def released(self) -> list[OrderHead]:
        """All released and started orders: the entity has no time of change that a mark could be compared with."""
        wanted = any_of([f"ProductionOrderStatus eq {enum_literal('ProdStatus', status)}" for status in OPEN])
        return [_head(row) for row in await self._heads(wanted)]

    async def changed(self, changed_after: str) -> list[OrderHead]:
        """Orders that events named since the mark (the ERP's clock), read again; and what is open in OData now.

        Without events a change of an open order shows by its status only, and an order that left the open statuses
        does not show at all.
        """
        open_now = {head.order: head for head in await self.released()}
        heads: dict[str, OrderHead] = {}
        for order, at in (await self._told(changed_after)).items():
            if order in open_now:
                heads[order] = open_now[order].model_copy(update={"change_mark": at.isoformat()})
                continue
            try:
                row = await self._plans.header(order)
            except (DynamicsNotFound, ErpRejected):
                continue
            if text_of(row, "ProductionSiteId") == self._settings.plant:
                heads[order] = _head(row, at.isoformat())
        return sorted((open_now | heads).values(), key=lambda head: (head.change_mark, head.order))

    async def _told(self, changed_after: str) -> dict[str, datetime]:
        """Orders that events of any kind named, with the newest event's time."""
        if self._events is None:
            return {}
        mark = instant_of(changed_after)
        events = await self._events.events_of("", "", mark - OVERLAP if mark is not None else None)
        return {event.order: event.at for event in events if event.order and event.at is not None}

    async def _heads(self, *conditions: str) -> list[Entity]:
        site = equal("ProductionSiteId", self._settings.plant)
        rows = await self._client.read_entities(HEADERS, site, *conditions, orderby="ProductionOrderNumber")
        return [row for row in rows if text_of(row, "ProductionOrderNumber")]

    async def pegging(self, order: str) -> list[Demand]:
        """Fixed pegs only: what the order was made for, as its header says."""
        plan = await self._plans.fresh(order)
        return [
            Demand(
                source=source,
                kind=kind,
                material=plan.item,
                quantity=plan.scheduled,
                unit=self._units.ours(plan.unit),
                due=self._due(plan.header),
            )
            for name, kind in _DEMANDS
            if (source := text_of(plan.header, name))
        ]

    async def totals(self, order: str) -> list[OperationTotals]:
        """By the posted journals; whether an operation is complete by the route."""
        plan = await self._plans.of(order)
        return await self._journals.totals(plan, await self._plans.route(order))

    async def read(self, order: str) -> ProductionOrder:
        """The whole order. Raises ErpRejected: order_not_found, order_of_other_plant, process_order_not_supported."""
        plan = await self._plans.fresh(order)
        totals = {t.operation: t for t in await self._journals.totals(plan, plan.route)}
        try:
            return self._order(plan, totals)
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"order {order}: {error}", code="unreadable") from error
        except ValueError as error:
            raise ErpRejected(
                f"order {order} lacks what Plantwright needs of it: {error}", code="order_incomplete"
            ) from error

    def _order(self, plan: OrderPlan, totals: dict[str, OperationTotals]) -> ProductionOrder:
        head, unit = plan.header, self._units.ours(plan.unit)
        last = totals[operation_text(plan.last)]
        return ProductionOrder(
            plant=self._plant_id,
            erp_plant=text_of(head, "ProductionSiteId"),
            order=plan.order,
            order_type=text_of(head, "ProductionGroupId"),
            material=plan.item,
            quantity=plan.scheduled,
            unit=unit,
            status=status_of(head),
            batch=text_of(head, "ItemBatchNumber"),
            cost_centre=text_of(head, "DefaultLedgerDimensionDisplayValue"),
            company_code=text_of(head, "dataAreaId").upper(),
            scheduled_start=self._instant(head, "ScheduledStart"),
            scheduled_end=self._instant(head, "ScheduledEnd"),
            due=self._due(head),
            operations=self._operations(plan, totals),
            components=tuple(self._component(line, plan) for line in plan.bom if line.estimated >= 0),
            outputs=(
                OrderOutput(
                    material=plan.item,
                    planned=plan.scheduled,
                    received=last.yield_quantity,
                    unit=unit,
                    storage_location=place_text(
                        text_of(head, "ProductionWarehouseId"), text_of(head, "ProductionWarehouseLocationId")
                    ),
                    batch=text_of(head, "ItemBatchNumber"),
                ),
            ),
            change_mark=_mark(head),
        )

    def _operations(self, plan: OrderPlan, totals: dict[str, OperationTotals]) -> tuple[Operation, ...]:
        before: dict[int, list[int]] = {}
        numbers = plan.operations
        for position, row in enumerate(plan.route[:-1]):
            following = int_of(row.get("NextOperationNumber")) or numbers[position + 1]
            before.setdefault(following, []).append(numbers[position])
        return tuple(self._operation(row, plan, before, totals) for row in plan.route)

    def _operation(
        self, row: Entity, plan: OrderPlan, before: dict[int, list[int]], totals: dict[str, OperationTotals]
    ) -> Operation:
        number = int_of(row.get("OperationNumber"))
        profile = text_of(row, "RouteGroupId")
        known = self._settings.control_profiles.get(profile)
        return Operation(
            operation=operation_text(number),
            text=text_of(row, "OperationId"),
            work_centre=text_of(row, "CostingOperationResourceId"),
            control_profile=profile,
            confirmation=known.confirmation if known is not None else ConfirmationMode.REQUIRED,
            automatic_receipt=plan.is_last(number),
            predecessors=tuple(operation_text(earlier) for earlier in before.get(number, [])),
            planned=plan.scheduled,
            unit=self._units.ours(plan.unit),
            confirmed_yield=totals[operation_text(number)].yield_quantity,
            standard_seconds=_standard_seconds(row),
        )

    def _component(self, line: BomLine, plan: OrderPlan) -> Component:
        return Component(
            material=line.item,
            operation=operation_text(line.operation or plan.operations[0]),
            reservation=line.lot,
            reservation_item=f"{line.number:f}",
            required=line.estimated,
            withdrawn=max(line.estimated - line.remaining, Decimal(0)),
            unit=self._units.ours(line.unit),
            plant=self._settings.plant,
            storage_location=place_text(line.warehouse, line.location),
            batch=line.batch,
            backflush=line.principle in AUTOMATIC,
        )

    def _instant(self, row: Entity, name: str) -> datetime | None:
        return instant_at(row.get(f"{name}Date"), row.get(f"{name}Time"), self._zone)

    def _due(self, row: Entity) -> datetime | None:
        return self._instant(row, "Delivery")


def status_of(row: Entity) -> ErpOrderStatus:
    """ProdStatus in the house's words; one that nobody knows counts as not released."""
    return STATUS.get(text_of(row, "ProductionOrderStatus"), ErpOrderStatus.CREATED)


def _head(row: Entity, mark: str = "") -> OrderHead:
    return OrderHead(order=text_of(row, "ProductionOrderNumber"), status=status_of(row), change_mark=mark or _mark(row))


def _mark(row: Entity) -> str:
    """A time of change, where the tenant's entity has been given one."""
    at = instant_of(row.get("ModifiedDateTime"))
    return at.isoformat() if at is not None else ""


def _standard_seconds(row: Entity) -> Decimal | None:
    """Run time per piece: hours (or what the factor makes of them) per ProcessQuantity pieces."""
    hours = decimal_of(row.get("ProcessTime"))
    pieces = decimal_of(row.get("ProcessQuantity"))
    if not hours or not pieces:
        return None
    factor = decimal_of(row.get("OperationsTimeToHourConversionFactor")) or Decimal(1)
    return (hours * factor * _SECONDS / pieces).quantize(Decimal("0.000001"))
