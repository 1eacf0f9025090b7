"""What an order plans: its item, its operations, its bill of material lines. Read once for building messages.

Routing and bill of material do not change while an order runs; what changes (counters, journals) is never kept here.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from erp.dynamics.client import DynamicsClient
from erp.dynamics.failures import DynamicsNotFound, EntityNotPublic
from erp.dynamics.odata import Entity, UnreadableAnswer, decimal_of, equal, int_of, text_of, yes
from erp.dynamics.settings import BATCH_ORDERS, BOM_LINES, HEADERS, OPERATIONS, PRODUCTS, DynamicsSettings
from signals.errors import ErpMisconfigured, ErpRejected, ErpUnavailable, Reason

REMEMBERED = 500
SMALLEST = Decimal("0.001")
FINISH, START = "Finish", "Start"


@dataclass(frozen=True)
class BomLine:
    """A component of the order. `at_operation`: consumed by its operation's route card, not by the report as finished.

    `constant`: taken once, whatever the quantity made.
    """

    number: Decimal
    item: str
    operation: int
    estimated: Decimal
    remaining: Decimal
    unit: str
    principle: str
    at_operation: bool
    constant: bool
    ended: bool
    lot: str
    batch: str
    warehouse: str
    location: str

    def share(self, pieces: Decimal, scheduled: Decimal) -> Decimal:
        """What `pieces` of the product need of it."""
        if not scheduled:
            return Decimal(0)
        return (self.estimated * pieces / scheduled).quantize(SMALLEST, ROUND_HALF_UP)

    def goes_with(self, rule: str) -> bool:
        return self.principle == rule and not self.constant and not self.ended


@dataclass(frozen=True)
class OrderPlan:
    """The order as far as messages and forecasts need it; units are Dynamics's own."""

    header: Entity
    route: tuple[Entity, ...]
    bom: tuple[BomLine, ...]
    unit: str

    @property
    def order(self) -> str:
        return text_of(self.header, "ProductionOrderNumber")

    @property
    def item(self) -> str:
        return text_of(self.header, "ItemNumber")

    @property
    def batch(self) -> str:
        """The batch the order is planned for: its item is batch-managed then, and refuses one otherwise."""
        return text_of(self.header, "ItemBatchNumber")

    @property
    def scheduled(self) -> Decimal:
        return decimal_of(self.header.get("ScheduledQuantity"))

    @property
    def operations(self) -> tuple[int, ...]:
        return tuple(int_of(row.get("OperationNumber")) for row in self.route)

    @property
    def last(self) -> int:
        """The operation whose confirmation is the report as finished."""
        return self.operations[-1] if self.route else 0

    def is_last(self, operation: int) -> bool:
        return operation == self.last

    def before_last(self, line: BomLine) -> bool:
        """Flushed at finish and planned at another operation than the last: a limited range would miss it."""
        return line.principle == FINISH and not line.at_operation and line.operation != self.last


class Plans:
    """Reads orders of one company and site."""

    def __init__(self, client: DynamicsClient, settings: DynamicsSettings) -> None:
        self._client = client
        self._settings = settings
        self._known: OrderedDict[str, OrderPlan] = OrderedDict()
        self._units: dict[str, str] = {}

    async def of(self, order: str) -> OrderPlan:
        """The plan as it was first read."""
        return self._known.get(order) or await self.fresh(order)

    async def fresh(self, order: str) -> OrderPlan:
        """The plan as it stands now. Raises ErpRejected: order_not_found, process_order_not_supported, …"""
        header = await self.header(order)
        self._check_site(header, order)
        route = await self.route(order)
        bom = await self.bom(order)
        unit = await self._unit_of(text_of(header, "ItemNumber"))
        plan = OrderPlan(header, route, bom, unit)
        if not plan.route:
            raise ErpRejected(f"order {order} has no route; Plantwright reports by operation", code="order_incomplete")
        self._known[order] = plan
        self._known.move_to_end(order)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return plan

    async def route(self, order: str) -> tuple[Entity, ...]:
        """The primary operations in their order, as they stand now."""
        rows = await self._client.read_entities(OPERATIONS, equal("ProductionOrderNumber", order))
        primary = [row for row in rows if text_of(row, "OperationPriority") in ("", "Primary")]
        try:
            return tuple(sorted(primary, key=lambda row: int_of(row.get("OperationNumber"))))
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"route of order {order}: {error}", code="unreadable") from error

    async def bom(self, order: str) -> tuple[BomLine, ...]:
        """The bill of material lines as they stand now."""
        rows = await self._client.read_entities(BOM_LINES, equal("ProductionOrderNumber", order))
        try:
            return tuple(sorted((_line(row) for row in rows), key=lambda line: line.number))
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"components of order {order}: {error}", code="unreadable") from error

    async def with_bom_of_now(self, order: str) -> OrderPlan:
        """The plan with its bill of material read again: what is fully consumed is consumed no more."""
        return replace(await self.of(order), bom=await self.bom(order))

    def _check_site(self, header: Entity, order: str) -> None:
        site = text_of(header, "ProductionSiteId")
        if site != self._settings.plant:
            raise ErpRejected(
                f"order {order} belongs to site {site}, this connection serves site {self._settings.plant}",
                code="order_of_other_plant",
                reason=Reason.MASTER_DATA,
            )

    async def header(self, order: str) -> Entity:
        """The header alone. Raises ErpRejected `order_not_found` or `process_order_not_supported`."""
        try:
            return await self._client.read_entity(HEADERS, ProductionOrderNumber=order)
        except DynamicsNotFound as error:
            if await self._is_batch_order(order):
                raise ErpRejected(
                    f"order {order} is a batch order (formula); Plantwright confirms production orders only",
                    code="process_order_not_supported",
                    reason=Reason.NOT_SUPPORTED,
                ) from error
            raise DynamicsNotFound(
                f"Dynamics does not know production order {order} in company {self._client.company}",
                code="order_not_found",
                reason=Reason.MASTER_DATA,
            ) from error

    async def _is_batch_order(self, order: str) -> bool:
        try:
            await self._client.read_entity(BATCH_ORDERS, BatchOrderNumber=order)
        except (ErpRejected, EntityNotPublic):
            return False
        return True

    async def _unit_of(self, item: str) -> str:
        """The item's inventory unit; the plant file's where the environment does not show products."""
        if item not in self._units:
            try:
                product = await self._client.read_entity(PRODUCTS, ItemNumber=item)
                unit = text_of(product, "InventoryUnitSymbol")
            except (ErpRejected, ErpMisconfigured):
                unit = ""  # not public, or not for this user: the plant file says it
            self._units[item] = unit or self._settings.dynamics.unit
        return self._units[item]


def _line(row: Entity) -> BomLine:
    return BomLine(
        number=decimal_of(row.get("LineNumber")),
        item=text_of(row, "ItemNumber"),
        operation=int_of(row.get("RouteOperationNumber")),
        estimated=decimal_of(row.get("EstimatedBOMLineQuantity")),
        remaining=decimal_of(row.get("RemainingBOMLineQuantity")),
        unit=text_of(row, "BOMLineUnitSymbol"),
        principle=text_of(row, "FlushingPrinciple"),
        at_operation=yes(row, "IsConsumedAtOperationComplete"),
        constant=yes(row, "IsConstantConsumptionReleased"),
        ended=yes(row, "IsFullyConsumed"),
        lot=text_of(row, "InventoryLotId"),
        batch=text_of(row, "ItemBatchNumber"),
        warehouse=text_of(row, "ConsumptionWarehouseId"),
        location=text_of(row, "ConsumptionWarehouseLocationId"),
    )
