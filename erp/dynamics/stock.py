"""On-hand stock by warehouse and inventory status. Dynamics's public sets show no batches and no locations."""

from __future__ import annotations

from erp.dynamics.client import DynamicsClient
from erp.dynamics.odata import decimal_of, equal, text_of
from erp.dynamics.settings import STATUS_STOCK, DynamicsSettings
from signals.bookings import StockKind
from signals.erp_reads import StockLine
from signals.errors import ErpRejected, Reason

NO_BATCHES = "the public on-hand entities of Dynamics end at warehouse and inventory status: no batch, no location"


class Stock:
    """Stock of one site."""

    def __init__(self, client: DynamicsClient, settings: DynamicsSettings) -> None:
        self._client = client
        self._settings = settings

    async def of(self, material: str, batch: str) -> list[StockLine]:
        """Lines with a quantity. Raises ErpRejected for a batch."""
        if batch:
            raise ErpRejected(NO_BATCHES, code="not_supported", reason=Reason.NOT_SUPPORTED)
        rows = await self._client.read_entities(
            STATUS_STOCK, equal("ItemNumber", material), equal("InventorySiteId", self._settings.plant)
        )
        lines: list[StockLine] = []
        for row in rows:
            status = text_of(row, "InventoryStatusId")
            on_hand = decimal_of(row.get("OnHandQuantity"))
            usable = decimal_of(row.get("AvailableOnHandQuantity")) + decimal_of(row.get("ReservedOnHandQuantity"))
            held = on_hand if self._is_hold(status) else max(on_hand - usable, decimal_of(0))
            place = text_of(row, "InventoryWarehouseId")
            if on_hand - held:
                lines.append(StockLine(material=material, quantity=on_hand - held, storage_location=place))
            if held:
                word = status if held == on_hand else "quality order"
                blocked = StockKind.BLOCKED
                lines.append(
                    StockLine(material=material, quantity=held, storage_location=place, kind=blocked, hold=word)
                )
        return lines

    def _is_hold(self, status: str) -> bool:
        return status.lower() == self._settings.dynamics.hold_status.lower()
