"""Less or more capacity for a time: workCenterResourceExceptions (reference erp.md 2.6).

The reason opens with our key, by which the exception is found. Taking it back deletes it
where it is still as we made it.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from erp.oracle.client import OracleClient
from erp.oracle.failures import OracleStale
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import Row, decimal_of, every, is_equal, number_json, plain, text_literal, text_of
from erp.port import SendGuard
from signals.base import ZERO
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpRejected, Reason
from signals.ids import short_key
from signals.transactions import AdjustCapacity, PostingIntent, Reverse

EXCEPTIONS, OVERRIDES = "workCenterResourceExceptions", "resourceAvailabilityOverrides"
CENTRES, RESOURCES = "workCenters", "WorkCenterResource"
REASON_LENGTH = 240
EXCEPTION = "capacity exception"
CHANGED = "capacity_changed_since"


class Capacities:
    """Resource exceptions of one organization's work centres."""

    def __init__(self, client: OracleClient, settings: OracleSettings) -> None:
        self._client = client
        self._plant = settings.plant
        self._zone = ZoneInfo(settings.zone)

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        """For a deletion: the exception that is still there."""
        t = intent.transaction
        row = await self._row(_key_of(t)) if isinstance(t, Reverse) else None
        return Snapshot(figures={EXCEPTION: _id(row)} if row is not None else {})

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        """A change is there when an exception opens with its key; it is taken back when that one is gone."""
        t = intent.transaction
        if isinstance(t, Reverse):
            gone = EXCEPTION in before.figures and await self._row(_key_of(t)) is None
            return Booking(document=_document(intent, t.document)) if gone else Booking()
        row = await self._row(short_key(intent.key))
        return Booking(document=_document(intent, _id(row))) if row is not None else Booking()

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        t = intent.transaction
        if isinstance(t, Reverse):
            return await self._take_back(intent, t, guard)
        assert isinstance(t, AdjustCapacity)
        body = await self._body(intent, t)
        answer = await self._client.create(EXCEPTIONS, body, guard)
        return Booking(document=_document(intent, _id(answer) or short_key(intent.key)))

    async def _body(self, intent: PostingIntent, t: AdjustCapacity) -> Row:
        """Dates and times in the organization's zone; Oracle counts units of a resource, not percent."""
        starts, ends = t.starts_at.astimezone(self._zone), t.ends_at.astimezone(self._zone)
        return {
            "OrganizationCode": self._plant,
            "WorkCenterCode": t.work_centre,
            "StartDate": starts.date().isoformat(),
            "EndDate": ends.date().isoformat(),
            "ExceptionStartTime": _time_of_day(starts),
            "ExceptionEndTime": _time_of_day(ends),
            "Reason": " ".join(part for part in (short_key(intent.key), t.change, t.text) if part)[:REASON_LENGTH],
            OVERRIDES: await self._overrides(t),
        }

    async def _overrides(self, t: AdjustCapacity) -> list[Row]:
        condition = every(is_equal("OrganizationCode", self._plant), is_equal("WorkCenterCode", t.work_centre))
        centre = await self._client.first(CENTRES, {"q": condition, "expand": RESOURCES})
        if centre is None:
            raise ErpRejected(
                f"Oracle has no work centre {t.work_centre} in organization {self._plant}",
                code="work_centre_not_found",
                reason=Reason.MASTER_DATA,
            )
        rows = await self._client.children(f"{CENTRES}/{text_of(centre, 'WorkCenterId')}", centre, RESOURCES)
        wanted = [row for row in rows if t.resource in ("", text_of(row, "ResourceCode"))]
        if not wanted:
            raise ErpRejected(
                f"work centre {t.work_centre} has no resource {t.resource or 'at all'}",
                code="resource_not_found",
                reason=Reason.MASTER_DATA,
            )
        return [_override(row, t.available_percent) for row in wanted]

    async def _take_back(self, intent: PostingIntent, t: Reverse, guard: SendGuard) -> Booking:
        row = await self._row(_key_of(t))
        if row is None:
            raise ErpRejected(
                f"Oracle has no capacity exception of {t.document}; somebody deleted it already",
                code="document_not_found",
                reason=Reason.REVERSAL,
            )
        item = await self._client.item(f"{EXCEPTIONS}/{_id(row)}")
        if await self._is_changed(item.row, t):
            raise self._changed(t)
        try:
            await self._client.remove(item, guard)
        except OracleStale as error:
            raise self._changed(t) from error
        return Booking(document=_document(intent, t.document))

    async def _is_changed(self, row: Row, t: Reverse) -> bool:
        """Whether it says something else than we wrote, or was written by somebody else since."""
        assert isinstance(t.original, AdjustCapacity)
        starts, ends = t.original.starts_at.astimezone(self._zone), t.original.ends_at.astimezone(self._zone)
        written = (starts.date().isoformat(), ends.date().isoformat(), _time_of_day(starts), _time_of_day(ends))
        names = ("StartDate", "EndDate", "ExceptionStartTime", "ExceptionEndTime")
        stands = tuple(text_of(row, name)[: len(ours)] for name, ours in zip(names, written, strict=True))
        if stands != written or text_of(row, "LastUpdatedBy") != text_of(row, "CreatedBy"):
            return True
        there = await self._client.children(f"{EXCEPTIONS}/{_id(row)}", row, OVERRIDES)
        wanted = await self._overrides(t.original)
        return _units(there) != _units(wanted)

    def _changed(self, t: Reverse) -> ErpRejected:
        return ErpRejected(
            f"capacity exception {t.document} was changed in Oracle since we made it; it is left as it is",
            code=CHANGED,
            reason=Reason.REVERSAL,
        )

    async def _row(self, key: str) -> Row | None:
        condition = every(is_equal("OrganizationCode", self._plant), f"Reason like {text_literal(key + '*')}")
        return await self._client.first(EXCEPTIONS, {"q": condition, "expand": OVERRIDES})


def _key_of(t: Reverse) -> str:
    if t.original_key is None:
        raise ErpRejected(
            f"the reversal of {t.document} does not name the posting that made it",
            code="original_key_missing",
            reason=Reason.REVERSAL,
        )
    return short_key(t.original_key)


def _override(resource: Row, percent: Decimal) -> Row:
    quantity = decimal_of(resource.get("ResourceQuantity")) or Decimal(1)
    units = plain((quantity * percent / 100).quantize(Decimal("0.000001")))
    return {"ResourceCode": text_of(resource, "ResourceCode"), "UnitsAvailable": number_json(units)}


def _units(rows: list[Row]) -> dict[str, Decimal]:
    return {text_of(row, "ResourceCode"): decimal_of(row.get("UnitsAvailable")) or ZERO for row in rows}


def _time_of_day(at: datetime) -> str:
    return at.time().replace(microsecond=0).isoformat()


def _id(row: Row) -> str:
    return text_of(row, "WorkCenterResourceExceptionId")


def _document(intent: PostingIntent, number: str) -> ErpDocument:
    is_reversal = isinstance(intent.transaction, Reverse)
    return ErpDocument(
        document=f"{number}:deleted" if is_reversal else number,
        kind="capacity",
        order=intent.transaction.order,
        key=intent.key,
        text=short_key(intent.key),
        reversal=is_reversal,
    )
