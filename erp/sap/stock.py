"""On-hand stock out of API_MATERIAL_STOCK_SRV, by stock type (reference erp.md 1.4)."""

from __future__ import annotations

from decimal import Decimal

from erp.sap.client import SapClient
from erp.sap.goods_bodies import RESTRICTED_TYPE, STOCK_TYPES
from erp.sap.odata import Entity, UnreadableAnswer, decimal_of, text_literal, text_of
from erp.sap.settings import STOCK_SERVICE, Units
from signals.bookings import StockKind
from signals.erp_reads import StockLine
from signals.errors import ErpUnavailable

STOCK_SET = "A_MatlStkInAcctMod"
_KINDS = {code: kind for kind, code in STOCK_TYPES.items()}
_WORDS = {"02": "in quality inspection", "07": "blocked", RESTRICTED_TYPE: "batch restricted"}


class Stock:
    """Stock of one plant."""

    def __init__(self, client: SapClient, units: Units, plant: str) -> None:
        self._client = client
        self._units = units
        self._plant = plant

    async def lines(self, material: str, batch: str = "") -> list[StockLine]:
        """What lies in the plant; nothing that is zero. A stock type nobody knows counts as blocked, under its code."""
        rows = await self._rows(material, batch)
        try:
            lines = [self._line(row) for row in rows]
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"stock of {material}: {error}", code="unreadable") from error
        return [line for line in lines if line.quantity]

    async def places(self, material: str, batch: str) -> dict[str, list[tuple[str, Decimal]]]:
        """By stock type: storage location and quantity of a batch's stock in the plant."""
        found: dict[str, list[tuple[str, Decimal]]] = {}
        for row in await self._rows(material, batch):
            quantity = decimal_of(row.get("MatlWrhsStkQtyInMatlBaseUnit"))
            if quantity > 0:
                place = (text_of(row, "StorageLocation"), quantity)
                found.setdefault(text_of(row, "InventoryStockType"), []).append(place)
        return found

    async def _rows(self, material: str, batch: str) -> list[Entity]:
        conditions = [f"Material eq {text_literal(material)}", f"Plant eq {text_literal(self._plant)}"]
        conditions += [f"Batch eq {text_literal(batch)}"] if batch else []
        return await self._client.read_entities(STOCK_SERVICE, STOCK_SET, {"$filter": " and ".join(conditions)})

    def _line(self, row: Entity) -> StockLine:
        code = text_of(row, "InventoryStockType")
        return StockLine(
            material=text_of(row, "Material"),
            quantity=decimal_of(row.get("MatlWrhsStkQtyInMatlBaseUnit")),
            unit=self._units.ours(text_of(row, "MaterialBaseUnit")),
            storage_location=text_of(row, "StorageLocation"),
            batch=text_of(row, "Batch"),
            kind=_KINDS.get(code, StockKind.BLOCKED),
            hold=_WORDS.get(code, "" if code in _KINDS else f"stock type {code}"),
        )
