"""Holds by where the material is (reference erp.md 4.2): blocked stock by 344/343, a batch's status by 342/341, a
withheld usage decision. What still is in work, or is consumed, has no hold in SAP; `checks` refuses it by name.
"""

from __future__ import annotations

from erp.port import SendGuard
from erp.sap.failures import refused
from erp.sap.goods_bodies import RESTRICTED_TYPE, TRANSFER_CODE, GoodsBodies
from erp.sap.inspection_lots import InspectionLots, is_decided
from erp.sap.material_documents import MaterialDocuments
from erp.sap.stock import Stock
from signals.documents import ErpDocument
from signals.ids import short_key
from signals.stock import MaterialPosition, PlaceHold, ReleaseHold
from signals.transactions import PostingIntent

Hold = PlaceHold | ReleaseHold
BATCH_MARK = "BATCH/"
"""Opens the number of a batch's state that somebody else's posting made."""
UNRESTRICTED_TYPE = "01"


class Holds:
    """Places and releases holds of one plant."""

    def __init__(self, documents: MaterialDocuments, bodies: GoodsBodies, stock: Stock, lots: InspectionLots) -> None:
        self._documents = documents
        self._bodies = bodies
        self._stock = stock
        self._lots = lots

    async def find(self, intent: PostingIntent, hold: Hold) -> ErpDocument | None:
        """By key; a batch's status also by the state of its stock, an inspection by the decision that is not made."""
        if hold.position is MaterialPosition.IN_INSPECTION:
            return await self._withheld(intent, hold)
        found = await self._documents.find(intent, TRANSFER_CODE)
        if found is None and hold.position is MaterialPosition.BATCH:
            return await self._batch_state(intent, hold)
        return found

    async def post(self, intent: PostingIntent, hold: Hold, guard: SendGuard) -> ErpDocument:
        if hold.position is MaterialPosition.IN_INSPECTION:
            return await self._withhold(intent, hold)
        if hold.position is MaterialPosition.BATCH:
            return await self._change_batch(intent, hold, guard)
        return await self._documents.post(intent, self._bodies.block(hold), guard)

    async def _change_batch(self, intent: PostingIntent, hold: Hold, guard: SendGuard) -> ErpDocument:
        """One line: SAP moves all stock of the batch, wherever it lies. The line names a place that has some."""
        source = UNRESTRICTED_TYPE if isinstance(hold, PlaceHold) else RESTRICTED_TYPE
        places = (await self._stock.places(hold.material, hold.batch)).get(source)
        if not places:
            word = "unrestricted" if isinstance(hold, PlaceHold) else "restricted"
            raise refused(
                f"hold {hold.hold}: batch {hold.batch} of {hold.material} has no {word} stock in the plant",
                "batch_stock_not_found",
            )
        place, quantity = next((p for p in places if p[0] == hold.storage_location), places[0])
        return await self._documents.post(intent, self._bodies.restrict(hold, place, quantity), guard)

    async def _batch_state(self, intent: PostingIntent, hold: Hold) -> ErpDocument | None:
        places = await self._stock.places(hold.material, hold.batch)
        free, restricted = places.get(UNRESTRICTED_TYPE), places.get(RESTRICTED_TYPE)
        wanted, other = (restricted, free) if isinstance(hold, PlaceHold) else (free, restricted)
        if not wanted or other:
            return None
        state = "restricted" if isinstance(hold, PlaceHold) else "unrestricted"
        return _state(intent, f"{BATCH_MARK}{hold.material}/{hold.batch}/{state}", "batch_status")

    async def _withheld(self, intent: PostingIntent, hold: Hold) -> ErpDocument | None:
        lot = await self._lots.of(hold.inspection_lot)
        decided = is_decided(lot)
        if isinstance(hold, ReleaseHold):
            return _state(intent, f"LOT/{hold.inspection_lot}", "inspection_lot") if decided else None
        return None if decided else _state(intent, f"LOT/{hold.inspection_lot}", "inspection_lot")

    async def _withhold(self, intent: PostingIntent, hold: Hold) -> ErpDocument:
        """Nothing is sent: as long as the lot is not decided, its stock cannot be used."""
        found = await self._withheld(intent, hold)
        if found is not None:
            return found
        if isinstance(hold, ReleaseHold):
            told = "only its usage decision releases it"
            raise refused(f"hold {hold.hold}: inspection lot {hold.inspection_lot}: {told}", "sap-release-inspection/1")
        told = "is decided already; hold its stock where the decision put it"
        raise refused(f"hold {hold.hold}: inspection lot {hold.inspection_lot} {told}", "inspection_lot_decided")


def _state(intent: PostingIntent, document: str, kind: str) -> ErpDocument:
    """A state has no number: the posting's key tells it from another hold's, or the release's, of the same stock."""
    named = f"{document[:60]}/{short_key(intent.key)}"
    return ErpDocument(document=named, kind=kind, order=intent.transaction.order, key=intent.key)
