"""Quality holds of lots: the lot's material status (inventoryItemLots, reference erp.md 2.5).

The status blocks the whole lot wherever it lies. It is the proof itself: what has it already is found.
"""

from __future__ import annotations

from erp.oracle.client import OracleClient
from erp.oracle.failures import OracleStale
from erp.oracle.items import Items
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import Row, every, is_equal, text_of
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpBusy, ErpRejected, Reason
from signals.ids import short_key
from signals.transactions import PlaceHold, PostingIntent, ReleaseHold, Reverse, Transaction

LOTS = "inventoryItemLots"
STATUS = "MaterialStatusCode"
TRIES = 3


def hold_of(t: Transaction) -> PlaceHold | ReleaseHold:
    hold = t.original if isinstance(t, Reverse) else t
    assert isinstance(hold, PlaceHold | ReleaseHold)
    return hold


class LotStatuses:
    """Material statuses of one organization's lots."""

    def __init__(self, client: OracleClient, items: Items, settings: OracleSettings) -> None:
        self._client = client
        self._items = items
        self._choices = settings.oracle

    def _wanted(self, t: Transaction) -> str:
        """Placing and releasing are each other's reversal."""
        places = isinstance(hold_of(t), PlaceHold) is not isinstance(t, Reverse)
        return self._choices.hold_status if places else self._choices.free_status

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        row = await self._row(hold_of(intent.transaction))
        return Snapshot(figures={"material status": text_of(row, STATUS)})

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        wanted = self._wanted(intent.transaction)
        row = await self._row(hold_of(intent.transaction))
        return Booking(document=_document(intent, wanted)) if text_of(row, STATUS) == wanted else Booking()

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        """PATCH the link that the search gave: a lot's id is a hash of the server."""
        hold, wanted = hold_of(intent.transaction), self._wanted(intent.transaction)
        for _ in range(TRIES):
            item = await self._client.item_of(await self._row(hold))
            if text_of(item.row, STATUS) == wanted:
                break
            try:
                await self._client.change(item, {STATUS: wanted}, guard)
                break
            except OracleStale:
                continue
        else:
            raise ErpBusy(f"lot {hold.batch} changed at each of {TRIES} tries; nothing was booked", code="stale")
        return Booking(document=_document(intent, wanted))

    async def _row(self, hold: PlaceHold | ReleaseHold) -> Row:
        organization, item = await self._items.ids(hold.material)
        condition = every(
            f"OrganizationId={organization}", f"InventoryItemId={item}", is_equal("LotNumber", hold.batch)
        )
        row = await self._client.first(LOTS, {"q": condition})
        if row is None:
            raise ErpRejected(
                f"Oracle has no lot {hold.batch} of {hold.material}", code="lot_not_found", reason=Reason.MASTER_DATA
            )
        return row


def _document(intent: PostingIntent, status: str) -> ErpDocument:
    hold = hold_of(intent.transaction)
    return ErpDocument(
        document=f"{hold.batch[:40]}:{status[:20]}:{short_key(intent.key)}",
        kind="lot_status",
        order=hold.order,
        key=intent.key,
        text=short_key(intent.key),
        reversal=isinstance(intent.transaction, Reverse),
    )
