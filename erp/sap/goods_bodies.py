"""Material documents as SAP takes them: movement type, movement code and items of each transaction (reference erp.md
1.4 and 4.2). Pure; `material_documents` posts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from erp.sap.odata import Entity, json_date, quantity_text
from erp.sap.settings import SapSettings, Units
from signals.bookings import StockKind
from signals.ids import short_key
from signals.orders import OutputKind
from signals.stock import (
    IssueComponents,
    MaterialPosition,
    MoveStock,
    PlaceHold,
    ReceiveGoods,
    ReleaseHold,
    ReturnComponents,
    ScrapStock,
)
from signals.transactions import PostingIntent, Transaction

HEADER_TEXT_LENGTH = 25
RECEIPT_CODE, ISSUE_CODE, TRANSFER_CODE, OTHER_RECEIPT_CODE, REVERSAL_CODE = "02", "03", "04", "05", "06"
RECEIPT, BY_PRODUCT, ISSUE, RETURN, TRANSFER = "101", "531", "261", "262", "311"
BLOCK, UNBLOCK, RESTRICT, UNRESTRICT = "344", "343", "342", "341"
SCRAP_BLOCKED, SCRAP_BATCH = "555", "551"
STOCK_TYPES = {StockKind.UNRESTRICTED: "01", StockKind.INSPECTION: "02", StockKind.BLOCKED: "07"}
RESTRICTED_TYPE = "08"
_BACK = {ISSUE: RETURN, BY_PRODUCT: "532"}


@dataclass(frozen=True)
class GoodsBody:
    """What a material document is made of, before it has a header."""

    code: str
    items: tuple[Entity, ...]


def document_body(intent: PostingIntent, goods: GoodsBody) -> dict[str, Any]:
    """Header with our key in both reference fields, and the items (deep insert).

    The document date is the posting date: nothing in the body comes from a clock, so a repeated request is the same.
    """
    key = short_key(intent.key)
    day = json_date(intent.transaction.posting_date)
    return {
        "GoodsMovementCode": goods.code,
        "PostingDate": day,
        "DocumentDate": day,
        "ReferenceDocument": key,
        "MaterialDocumentHeaderText": f"{key} {_subject(intent.transaction)}"[:HEADER_TEXT_LENGTH],
        "to_MaterialDocumentItem": list(goods.items),
    }


def _subject(transaction: Transaction) -> str:
    return str(getattr(transaction, "hold", "") or transaction.order)


class GoodsBodies:
    """Bodies for one plant."""

    def __init__(self, settings: SapSettings) -> None:
        self._plant = settings.plant
        self._reason = settings.sap.hold_reason
        self._units = Units(settings.units)

    def issue(self, transaction: IssueComponents | ReturnComponents) -> GoodsBody:
        """Components to the order by 261 with code 03, back by 262 with code 06 and posting type 1."""
        back = isinstance(transaction, ReturnComponents)
        items: list[Entity] = []
        for use in transaction.lines:
            movement = _BACK.get(use.movement_type, use.movement_type) if back else use.movement_type
            item = self._item(movement, use.material, use.quantity, use.unit, use.storage_location, use.batch)
            item["ManufacturingOrder"] = transaction.order
            if use.reservation and use.reservation_item:
                item |= {"Reservation": use.reservation, "ReservationItem": use.reservation_item}
            if back:
                item["MaterialDocumentPostingType"] = "1"
            items.append(item | _serials(use.serials))
        return GoodsBody(REVERSAL_CODE if back else ISSUE_CODE, tuple(items))

    def receipt(self, transaction: ReceiveGoods, reservation: str = "") -> GoodsBody:
        """From the order by 101, code 02; a by-product against its reservation by 531."""
        by_product = transaction.output is OutputKind.BY_PRODUCT
        item = self._item(
            BY_PRODUCT if by_product else RECEIPT,
            transaction.material,
            transaction.quantity,
            transaction.unit,
            transaction.storage_location,
            transaction.batch,
        )
        item["ManufacturingOrder"] = transaction.order
        if not by_product:
            item |= {"ManufacturingOrderItem": transaction.item, "GoodsMovementRefDocType": "F"}
        elif reservation:
            item |= {"Reservation": reservation, "ReservationItem": transaction.item}
        if transaction.stock is not StockKind.UNRESTRICTED:
            item["InventoryStockType"] = STOCK_TYPES[transaction.stock]
        code = OTHER_RECEIPT_CODE if by_product else RECEIPT_CODE
        return GoodsBody(code, (item | _serials(transaction.serials),))

    def transfer(self, transaction: MoveStock) -> GoodsBody:
        """Between storage locations of the plant by 311."""
        item = self._item(
            TRANSFER,
            transaction.material,
            transaction.quantity,
            transaction.unit,
            transaction.from_location,
            transaction.batch,
        )
        item |= {"IssuingOrReceivingPlant": self._plant, "IssuingOrReceivingStorageLoc": transaction.to_location}
        if transaction.batch:
            item["IssgOrRcvgBatch"] = transaction.batch
        return GoodsBody(TRANSFER_CODE, (item | _serials(transaction.serials),))

    def block(self, transaction: PlaceHold | ReleaseHold) -> GoodsBody:
        """A quantity to blocked stock (344) or back (343)."""
        placing = isinstance(transaction, PlaceHold)
        item = self._item(
            BLOCK if placing else UNBLOCK,
            transaction.material,
            transaction.quantity,
            transaction.unit,
            transaction.storage_location,
            transaction.batch,
        )
        return GoodsBody(TRANSFER_CODE, (item | self._why(placing) | _serials(transaction.serials),))

    def restrict(self, transaction: PlaceHold | ReleaseHold, storage_location: str, quantity: Decimal) -> GoodsBody:
        """The batch's status: 342 restricts all of its stock wherever it lies, 341 frees it."""
        placing = isinstance(transaction, PlaceHold)
        movement = RESTRICT if placing else UNRESTRICT
        item = self._item(
            movement, transaction.material, quantity, transaction.unit, storage_location, transaction.batch
        )
        return GoodsBody(TRANSFER_CODE, (item | self._why(placing),))

    def scrap(self, transaction: ScrapStock) -> GoodsBody:
        """Written off from blocked stock (555), or out of a restricted batch (551, which that allows)."""
        item = self._item(
            SCRAP_BATCH if transaction.position is MaterialPosition.BATCH else SCRAP_BLOCKED,
            transaction.material,
            transaction.quantity,
            transaction.unit,
            transaction.storage_location,
            transaction.batch,
        )
        return GoodsBody(ISSUE_CODE, (item | _serials(transaction.serials),))

    def _why(self, placing: bool) -> Entity:
        return {"GoodsMovementReasonCode": self._reason} if placing and self._reason else {}

    def _item(self, movement: str, material: str, quantity: Decimal, unit: str, location: str, batch: str) -> Entity:
        item: Entity = {
            "Material": material,
            "Plant": self._plant,
            "GoodsMovementType": movement,
            "QuantityInEntryUnit": quantity_text(quantity),
            "EntryUnit": self._units.theirs(unit),
        }
        return item | ({"StorageLocation": location} if location else {}) | ({"Batch": batch} if batch else {})


def _serials(serials: Sequence[str]) -> Entity:
    return {"to_SerialNumbers": [{"SerialNumber": serial} for serial in serials]} if serials else {}
