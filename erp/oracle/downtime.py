"""Stops told to maintenance: maintenanceWorkOrders whose number is ours (reference erp.md 2.6, 2.7).

WorkOrderNumber is the natural key: a second creation is answered as a duplicate, and means that it is there. Where
Oracle numbers orders itself its answer says how; without one, an order of the asset and the stop's start may be ours.
"""

from __future__ import annotations

from erp.oracle.client import Item, OracleClient
from erp.oracle.failures import DUPLICATE, OracleStale
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import Row, every, instant_of, is_equal, text_of, time_json
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpRejected, Reason
from signals.ids import short_key
from signals.transactions import CloseDowntime, OpenDowntime, PostingIntent, Reverse

ORDERS = "maintenanceWorkOrders"
RELEASED, COMPLETED, CANCELED = "ORA_RELEASED", "ORA_COMPLETED", "ORA_CANCELED"
END, STATUS = "ActualCompletionDate", "WorkOrderStatusCode"
TEXT_LENGTH = 240
TRIES = 3
ORDERS_BEFORE = "maintenance orders"
"""Figure of a snapshot: orders of the asset that begin with the stop and were there before ours."""


class Downtimes:
    """Maintenance work orders of one organization, for stops."""

    def __init__(self, client: OracleClient, settings: OracleSettings) -> None:
        self._client = client
        self._settings = settings

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        t = intent.transaction
        return Snapshot(figures={ORDERS_BEFORE: "\n".join(await self._alike(t))} if isinstance(t, OpenDowntime) else {})

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        t = intent.transaction
        if isinstance(t, OpenDowntime):
            row = await self._row(short_key(intent.key))
            if row is not None:
                return Booking(document=_document(intent, short_key(intent.key)))
            return await self._renumbered(t, before)
        number = _number_of(t)
        row = await self._known(number)
        return Booking(document=_changed(intent, number)) if _is_reached(row, _wanted(t)) else Booking()

    async def _renumbered(self, t: OpenDowntime, before: Snapshot) -> Booking:
        """An order of the same asset and start that came since under another number: ours, or somebody else's."""
        if before.sent_at is None or ORDERS_BEFORE not in before.figures:
            return Booking()
        known = before.figures[ORDERS_BEFORE].splitlines()
        came = tuple(number for number in await self._alike(t) if number not in known)
        if not came:
            return Booking()
        told = f"maintenance order {', '.join(came)} of asset {t.asset} has the stop's start, but not our number"
        return Booking(unknowable=told, candidates=came)

    async def _alike(self, t: OpenDowntime) -> list[str]:
        condition = every(is_equal("OrganizationCode", self._settings.plant), is_equal("AssetNumber", t.asset))
        began = instant_of(time_json(t.started_at))
        rows = await self._client.items(ORDERS, {"q": condition})
        return [text_of(row, "WorkOrderNumber") for row in rows if instant_of(row.get("PlannedStartDate")) == began]

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        t = intent.transaction
        return await (self._open(intent, t, guard) if isinstance(t, OpenDowntime) else self._change(intent, guard))

    async def _open(self, intent: PostingIntent, t: OpenDowntime, guard: SendGuard) -> Booking:
        number = short_key(intent.key)
        row: Row = {
            "OrganizationCode": self._settings.plant,
            "AssetNumber": t.asset,
            "WorkOrderNumber": number,
            "WorkOrderTypeCode": self._settings.oracle.maintenance_type,
            STATUS: RELEASED,
            "PlannedStartDate": time_json(t.started_at),
        }
        words = ("breakdown:" if t.breakdown else "", t.text, t.reason, t.work_centre)
        text = " ".join(part for part in words if part)[:TEXT_LENGTH]
        if text:
            row["WorkOrderDescription"] = text
        try:
            answer = await self._client.create(ORDERS, row, guard)
            number = text_of(answer, "WorkOrderNumber") or number
        except ErpInDoubt as error:
            if error.code != DUPLICATE or not await self._is_there(number):
                raise
        return Booking(document=_document(intent, number))

    async def _is_there(self, number: str) -> bool:
        """A look that fails shows nothing; the doubt that asked for it stays."""
        try:
            return await self._row(number) is not None
        except ErpError:
            return False

    async def _change(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        number, wanted = _number_of(intent.transaction), _wanted(intent.transaction)
        for _ in range(TRIES):
            item = await self._item(number)
            if _is_reached(item.row, wanted):
                break
            try:
                await self._client.change(item, wanted, guard)
                break
            except OracleStale:
                continue
        else:
            raise ErpBusy(f"maintenance order {number} changed at each of {TRIES} tries", code="stale")
        return Booking(document=_changed(intent, number))

    async def _row(self, number: str) -> Row | None:
        condition = every(is_equal("OrganizationCode", self._settings.plant), is_equal("WorkOrderNumber", number))
        return await self._client.first(ORDERS, {"q": condition})

    async def _known(self, number: str) -> Row:
        row = await self._row(number)
        if row is None:
            raise ErpRejected(
                f"Oracle has no maintenance work order {number}", code="order_not_found", reason=Reason.MASTER_DATA
            )
        return row

    async def _item(self, number: str) -> Item:
        return await self._client.item_of(await self._known(number))


def _wanted(t: object) -> Row:
    """What the order shall say: the stop's end, and completed where maintenance's own step is ours."""
    match t:
        case CloseDowntime():
            return {END: time_json(t.ended_at)} | ({STATUS: COMPLETED} if t.complete else {})
        case Reverse(original=CloseDowntime() as closed):
            return {END: None} | ({STATUS: RELEASED} if closed.complete else {})
        case Reverse(original=OpenDowntime()):
            return {STATUS: CANCELED}
        case _:
            raise AssertionError("no change of a maintenance order")


def _is_reached(row: Row, wanted: Row) -> bool:
    for name, value in wanted.items():
        is_same = instant_of(row.get(name)) == instant_of(value) if name == END else text_of(row, name) == value
        if not is_same:
            return False
    return True


def _number_of(t: object) -> str:
    match t:
        case CloseDowntime():
            return t.notification
        case Reverse(original=CloseDowntime() as closed):
            return closed.notification
        case Reverse():
            return t.document
        case _:
            raise AssertionError("no change of a maintenance order")


def _document(intent: PostingIntent, number: str) -> ErpDocument:
    return ErpDocument(
        document=number, kind="downtime", order=intent.transaction.order, key=intent.key, text=short_key(intent.key)
    )


def _changed(intent: PostingIntent, number: str) -> ErpDocument:
    t = intent.transaction
    what = "closed" if isinstance(t, CloseDowntime) else "reversed"
    return ErpDocument(
        document=f"{number}:{what}:{short_key(intent.key)}",
        kind="downtime",
        order=t.order,
        key=intent.key,
        text=short_key(intent.key),
        reversal=isinstance(t, Reverse),
    )
