"""What else can be asked of Oracle: stock, pegging, alternate work centres. Costs have no resource in the reference."""

from __future__ import annotations

from erp.oracle.client import OracleClient
from erp.oracle.completed import ONHAND
from erp.oracle.orders import WORK_ORDERS, Orders
from erp.oracle.settings import OracleSettings, Units
from erp.oracle.wire import Row, UnreadableAnswer, amount_of, decimal_of, every, instant_of, is_equal, plain, text_of
from signals.bookings import StockKind
from signals.erp_reads import AlternateWorkCentre, Demand, StockLine
from signals.errors import ErpUnavailable

RESERVATIONS = "WorkOrderReservation"
CENTRES = "workCenters"
MOST_CENTRES = 100


class Reads:
    """Questions beside orders, of one organization."""

    def __init__(self, client: OracleClient, orders: Orders, settings: OracleSettings) -> None:
        self._client = client
        self._orders = orders
        self._settings = settings
        self._units = Units(settings.units)

    async def stock(self, material: str, batch: str) -> list[StockLine]:
        """On-hand balances; a lot's material status says whether it is held."""
        condition = every(
            is_equal("OrganizationCode", self._settings.plant),
            is_equal("ItemNumber", material),
            is_equal("LotNumber", batch) if batch else "",
        )
        rows = await self._client.items(ONHAND, {"q": condition, "onlyData": "true"})
        try:
            return [self._line(row, material) for row in rows if decimal_of(row.get("PrimaryQuantity"))]
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"stock of {material}: {error}", code="unreadable") from error

    def _line(self, row: Row, material: str) -> StockLine:
        choices = self._settings.oracle
        status, place = text_of(row, "MaterialStatusCode"), text_of(row, "SubinventoryCode")
        in_hold_place = bool(choices.hold_subinventory) and place == choices.hold_subinventory
        is_held = status == choices.hold_status or in_hold_place
        return StockLine(
            material=material,
            quantity=plain(decimal_of(row.get("PrimaryQuantity"))),
            unit=self._units.ours(text_of(row, "PrimaryUOMCode")),
            storage_location=place,
            batch=text_of(row, "LotNumber"),
            kind=StockKind.BLOCKED if is_held else StockKind.UNRESTRICTED,
            hold=status if status != choices.free_status else place if in_hold_place else "",
            held_by_place=in_hold_place,
        )

    async def pegging(self, order: str) -> list[Demand]:
        """Reservations of the order's output."""
        header = await self._orders.header(order)
        path = f"{WORK_ORDERS}/{text_of(header, 'WorkOrderId')}/child/{RESERVATIONS}"
        rows = await self._client.items(path, {"onlyData": "true"})
        try:
            return [
                Demand(
                    source=f"{text_of(row, 'DemandOrderNumber')}/{text_of(row, 'DemandOrderLineNumber')}".strip("/"),
                    kind=text_of(row, "DemandSourceType"),
                    customer=text_of(row, "CustomerName"),
                    material=text_of(header, "ItemNumber"),
                    quantity=amount_of(row.get("ReservationQuantity")),
                    unit=self._units.ours(text_of(row, "UOMCode")),
                    due=instant_of(row.get("RequirementDate")),
                )
                for row in rows
                if text_of(row, "DemandOrderNumber")
            ]
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"pegging of {order}: {error}", code="unreadable") from error

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        """Work centres with resources of the same classes (of the same codes, where a resource has no class).

        Since when they are free is not shown.
        """
        rows = await self._client.items(
            CENTRES, {"q": is_equal("OrganizationCode", self._settings.plant), "onlyData": "true"}
        )
        own = next((row for row in rows if text_of(row, "WorkCenterCode") == work_centre), None)
        if own is None:
            return []
        needed = await self._resources(own)
        found: list[AlternateWorkCentre] = []
        for row in [row for row in rows if row is not own][:MOST_CENTRES]:
            if needed and needed <= await self._resources(row):
                code = text_of(row, "WorkCenterCode")
                found.append(AlternateWorkCentre(work_centre=code, text=text_of(row, "WorkCenterName")))
        return found

    async def _resources(self, centre: Row) -> set[str]:
        finder = f"findByWorkCenterId;WorkCenterId={text_of(centre, 'WorkCenterId')}"
        rows = await self._client.items("productionResources", {"finder": finder, "onlyData": "true"})
        return {text_of(row, "ResourceClassCode") or text_of(row, "ResourceCode") for row in rows}
