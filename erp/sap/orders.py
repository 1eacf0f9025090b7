"""Production orders out of API_PRODUCTION_ORDER_2_SRV: one read with operations, components, items.

Process orders are refused: they are confirmed through another service. Field meanings: reference erp.md 1.2.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from erp.port import OrderHead
from erp.sap.client import SapClient
from erp.sap.failures import SapNotFound, refused
from erp.sap.odata import Entity, UnreadableAnswer, key_predicate, text_literal, text_of
from erp.sap.order_rows import (
    ITEMS,
    OPERATIONS,
    OrderRows,
    SapOrder,
    main_operations,
    predecessors_to_milestone,
    status_of,
    totals_of,
)
from erp.sap.settings import ORDER_SERVICE, PROCESS_ORDER_SERVICE, SapSettings
from signals.documents import OperationTotals
from signals.errors import ErpError, ErpRejected, ErpUnavailable, Reason
from signals.orders import ConfirmationMode, ErpOrderStatus, ProductionOrder

ORDER_SET = "A_ProductionOrder_2"
OPERATION_SET = "A_ProductionOrderOperation_2"
PROCESS_ORDER_SET = "A_ProcessOrder_2"
COMPONENT_NAVIGATIONS = (
    "to_ProductionOrderComponentExt4",
    "to_ProductionOrderComponentExt",
    "to_ProductionOrderComponent",
)
PROCESS_ORDER = "40"
PROCESS_ORDER_CODE = "process_order_not_supported"
REMEMBERED_ORDERS = 200
FRESH_SECONDS = 1.0
"""An order that was read for a posting so short a time ago answers the totals of the same look."""


class Orders:
    """Reads orders of one plant."""

    def __init__(
        self, client: SapClient, settings: SapSettings, plant_id: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._settings = settings
        self._rows = OrderRows(settings, plant_id)
        self._clock = clock
        self._components_from = COMPONENT_NAVIGATIONS[0]
        self._known: OrderedDict[str, ProductionOrder] = OrderedDict()
        self._fresh: dict[str, tuple[float, list[OperationTotals]]] = {}

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
        known, _ = await self._read(order)
        return known

    async def read_for_posting(self, order: str) -> SapOrder:
        """The whole order; its operations' totals answer the next question for them, within FRESH_SECONDS, once."""
        asked_at = self._clock()
        known, operations = await self._read(order)
        self._fresh = {o: read for o, read in self._fresh.items() if asked_at - read[0] <= FRESH_SECONDS}
        self._fresh[order] = (asked_at, _totals_of(order, operations))
        return known

    async def _read(self, order: str) -> tuple[SapOrder, list[Entity]]:
        entity = await self._with_components(order)
        self._check(entity, order)
        rows = {name: await self._client.expanded(ORDER_SERVICE, entity, name) for name in (OPERATIONS, ITEMS)}
        components = await self._client.expanded(ORDER_SERVICE, entity, self._components_from)
        try:
            known = self._rows.order(entity, rows, components)
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"order {order}: {error}", code="unreadable") from error
        except ValueError as error:
            raise refused(f"order {order} lacks what Plantwright needs of it: {error}", "order_incomplete") from error
        self._remember(known.order)
        return known, rows[OPERATIONS]

    async def routing(self, order: str) -> ProductionOrder:
        """The order as it was last read: for what does not change while it runs."""
        return self._known.get(order) or (await self.read(order)).order

    async def milestone_predecessors(self, order: str, operation: str) -> frozenset[str]:
        """Operations that a confirmation of this one may confirm along; none where it is no milestone."""
        routing = await self.routing(order)
        found = routing.find_operation(operation)
        if found is None or found.confirmation is not ConfirmationMode.MILESTONE:
            return frozenset()
        return predecessors_to_milestone(routing, found)

    def _remember(self, order: ProductionOrder) -> None:
        """The oldest are forgotten."""
        self._known[order.order] = order
        self._known.move_to_end(order.order)
        if len(self._known) > REMEMBERED_ORDERS:
            self._known.popitem(last=False)

    def forget_fresh(self, order: str) -> None:
        """Something is being booked on it: what was read before that is history."""
        self._fresh.pop(order, None)

    async def totals(self, order: str) -> list[OperationTotals]:
        """Running totals of each operation; scrap and rework where this release of the service shows them."""
        read_at, totals = self._fresh.pop(order, (float("-inf"), []))
        if self._clock() - read_at <= FRESH_SECONDS:
            return totals
        rows = await self._client.read_entities(
            ORDER_SERVICE, OPERATION_SET, {"$filter": f"ManufacturingOrder eq {text_literal(order)}"}
        )
        return _totals_of(order, rows)

    async def reservation_of(self, order: str, item: str) -> str:
        """Number of the order's reservation that has this item; empty where there is none."""
        entity = await self._with_components(order)
        components = await self._client.expanded(ORDER_SERVICE, entity, self._components_from)
        found = [row for row in components if text_of(row, "ReservationItem").lstrip("0") == item.lstrip("0")]
        return text_of(found[0], "Reservation") if found else ""

    async def _with_components(self, order: str) -> Entity:
        """The order with its components by the newest navigation this system has; what works is kept."""
        navigations = COMPONENT_NAVIGATIONS[COMPONENT_NAVIGATIONS.index(self._components_from) :]
        for navigation in navigations:
            expand = f"to_ProductionOrderOperation,{navigation},to_ProductionOrderItem"
            try:
                entity = await self._entity(order, {"$expand": expand})
            except ErpRejected as error:
                if isinstance(error, SapNotFound) or error.code == PROCESS_ORDER_CODE:
                    raise
                if navigation == navigations[-1]:
                    await self._refuse_process_order(order)
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
            await self._refuse_process_order(order)
            raise SapNotFound(
                f"SAP does not know production order {order} ({error})",
                code="order_not_found",
                reason=Reason.MASTER_DATA,
            ) from error

    async def _refuse_process_order(self, order: str) -> None:
        """The production order service does not show process orders; their own does, where it is activated."""
        try:
            await self._client.read_entity(
                PROCESS_ORDER_SERVICE, PROCESS_ORDER_SET + key_predicate(ManufacturingOrder=order)
            )
        except ErpError:
            return
        raise _process_order(order)

    def _check(self, entity: Entity, order: str) -> None:
        if text_of(entity, "ManufacturingOrderCategory") == PROCESS_ORDER:
            raise _process_order(order)
        plant = text_of(entity, "ProductionPlant") or text_of(entity, "Plant")
        if plant != self._settings.plant:
            raise refused(
                f"order {order} belongs to plant {plant}, this connection serves plant {self._settings.plant}",
                "order_of_other_plant",
            )


def _process_order(order: str) -> ErpRejected:
    return refused(
        f"order {order} is a process order; Plantwright confirms production orders (category 10) only",
        PROCESS_ORDER_CODE,
    )


def _totals_of(order: str, rows: list[Entity]) -> list[OperationTotals]:
    try:
        return [totals_of(row) for row in main_operations(rows)]
    except UnreadableAnswer as error:
        raise ErpUnavailable(f"totals of order {order}: {error}", code="unreadable") from error
