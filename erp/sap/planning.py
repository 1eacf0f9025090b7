"""What planning and costing ask of SAP: who waits for an order, which work centre could take over, what material costs.

API_MRP_MATERIALS_SRV_01, API_PRODUCT_SRV and the work-centre service (V4). Reading only.
"""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

from erp.sap.client import SapClient
from erp.sap.odata import Entity, UnreadableAnswer, amount_of, decimal_of, instant_of, text_literal, text_of
from erp.sap.orders import Orders
from erp.sap.settings import PLANNING_SERVICE, PRODUCT_SERVICE, WORK_CENTRE_SERVICE, SapSettings, Units
from signals.erp_reads import AlternateWorkCentre, Demand, MaterialCost
from signals.errors import ErpRejected, ErpUnavailable, Reason

SUPPLY_DEMAND_SET = "SupplyDemandItems"
VALUATION_SET = "A_ProductValuation"
MOVING_AVERAGE = "V"


class Planning:
    """Planning data of one plant."""

    def __init__(self, client: SapClient, settings: SapSettings, orders: Orders) -> None:
        self._client = client
        self._plant = settings.plant
        self._capability = settings.sap.capability_field
        self._units = Units(settings.units)
        self._zone = ZoneInfo(settings.zone)
        self._orders = orders

    async def pegging(self, order: str) -> list[Demand]:
        """Open demands of the order's material, earliest first; those of its own sales order alone, if it has one."""
        head = await self._orders.head(order)
        condition = f"Material eq {text_literal(text_of(head, 'Material'))} and MRPPlant eq {text_literal(self._plant)}"
        rows = await self._client.read_entities(PLANNING_SERVICE, SUPPLY_DEMAND_SET, {"$filter": condition})
        try:
            demands = [row for row in rows if decimal_of(row.get("MRPElementOpenQuantity")) < 0]
            sales_order = text_of(head, "SalesOrder").lstrip("0")
            own = [row for row in demands if sales_order and text_of(row, "MRPElement").lstrip("0") == sales_order]
            found = [self._demand(row) for row in own or demands]
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"pegging of order {order}: {error}", code="unreadable") from error
        return sorted(found, key=lambda demand: demand.due.timestamp() if demand.due else 0.0)

    def _demand(self, row: Entity) -> Demand:
        return Demand(
            source=text_of(row, "MRPElement") or text_of(row, "MRPElementCategory"),
            kind=text_of(row, "MRPElementCategoryName") or text_of(row, "MRPElementCategory"),
            customer=text_of(row, "Customer"),
            material=text_of(row, "Material"),
            quantity=amount_of(row.get("MRPElementOpenQuantity")),
            unit=self._units.ours(text_of(row, "MaterialBaseUnit")),
            due=instant_of(row.get("MRPElementAvailyOrRqmtDate"), None, self._zone),
        )

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        """Work centres of the plant with the same value in the custom field that `[erp.sap] capability_field` names."""
        if not self._capability:
            raise ErpRejected(
                "SAP keeps no alternates of a work centre; name the custom field that interchangeable ones have in "
                "common as capability_field in [erp.sap]",
                code="not_supported",
                reason=Reason.NOT_SUPPORTED,
            )
        condition = f"Plant eq {text_literal(self._plant)}"
        rows = await self._client.read_entities(WORK_CENTRE_SERVICE, "WorkCenter", {"$filter": condition})
        own = next((row for row in rows if text_of(row, "WorkCenter") == work_centre), {})
        capability = text_of(own, self._capability)
        others = [
            row
            for row in rows
            if capability and text_of(row, self._capability) == capability and text_of(row, "WorkCenter") != work_centre
        ]
        return [
            AlternateWorkCentre(work_centre=text_of(row, "WorkCenter"), text=text_of(row, "WorkCenterText"))
            for row in others
            if row.get("WorkCenterIsLocked") is not True
        ]

    async def material_cost(self, material: str) -> MaterialCost | None:
        """The plant's valuation: standard price or moving average, by the material's price control."""
        condition = f"Product eq {text_literal(material)} and ValuationArea eq {text_literal(self._plant)}"
        rows = await self._client.read_entities(PRODUCT_SERVICE, VALUATION_SET, {"$filter": condition})
        row = next((r for r in rows if not text_of(r, "ValuationType")), None)
        if row is None:
            return None
        moving = text_of(row, "InventoryValuationProcedure") == MOVING_AVERAGE
        try:
            return MaterialCost(
                material=material,
                amount=amount_of(row.get("MovingAveragePrice" if moving else "StandardPrice")),
                currency=text_of(row, "Currency"),
                per=amount_of(row.get("PriceUnitQty")) or Decimal(1),
                unit=self._units.ours(text_of(row, "BaseUnit")),
                kind="moving average" if moving else "standard",
            )
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"cost of {material}: {error}", code="unreadable") from error
