"""Available capacity of a work centre (OData V4 work-centre service, reference erp.md 1.6): intervals of whole days.

An interval carries no reference of ours: it is found by what it says. The number of one that we made carries SAP's
change stamp, so that a reversal deletes nothing that was there before us or that somebody changed since.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from erp.port import SendGuard
from erp.sap import odata4
from erp.sap.client import SapClient
from erp.sap.failures import SapNotFound, refused
from erp.sap.odata import Entity, UnreadableAnswer, date_of, text_literal, text_of
from erp.sap.settings import WORK_CENTRE_SERVICE, SapSettings
from signals.documents import ErpDocument
from signals.errors import ErpInDoubt
from signals.ids import short_key
from signals.transactions import PostingIntent
from signals.upkeep import AdjustCapacity

KIND = "capacity_interval"
WORK_CENTRE_SET = "WorkCenter"
CAPACITY_SET = "WorkCenterCapacity"
INTERVAL_SET = "WorkCenterCapacityInterval"
CAPACITIES = "_WorkCenterCapacity"
INTERVALS = "_WorkCenterCapacityInterval"
MADE = "@"
"""Stands in the number of an interval that we made, before its change stamp."""
THERE = "#"
"""Stands in the number of one that was there before us, before our key: each posting that meets it has its own."""
_KEY = ("WorkCenterInternalID", "WorkCenterTypeCode", "CapacityInternalID", "CapacityActiveVersion", "IntervalEndDate")


class Capacity:
    """Capacity intervals of one plant's work centres."""

    def __init__(self, client: SapClient, settings: SapSettings) -> None:
        self._client = client
        self._plant = settings.plant
        self._options = settings.sap
        self._zone = ZoneInfo(settings.zone)

    async def find(self, intent: PostingIntent, transaction: AdjustCapacity, *, sent: bool) -> ErpDocument | None:
        """The interval with our days and percentage: the effect is the state. Before we sent one it is another's."""
        capacity = await self._capacity(transaction.work_centre)
        rows = await self._client.read_entities(WORK_CENTRE_SERVICE, f"{_capacity_path(capacity)}/{INTERVALS}")
        wanted = self._fields(transaction)
        ours = [row for row in rows if _says(row, wanted)]
        return _document(intent, ours[0], made=sent) if ours else None

    async def adjust(self, intent: PostingIntent, transaction: AdjustCapacity, guard: SendGuard) -> ErpDocument:
        capacity = await self._capacity(transaction.work_centre)
        answer = await self._client.call(
            WORK_CENTRE_SERVICE,
            f"{_capacity_path(capacity)}/{INTERVALS}",
            body=self._fields(transaction) | _number(capacity),
            guard=guard,
            intent=intent,
        )
        try:
            return _document(intent, capacity | odata4.entity_of(answer.payload)).model_copy(
                update={"warnings": answer.warnings}
            )
        except UnreadableAnswer as error:
            raise ErpInDoubt(f"{INTERVAL_SET} was answered with a success that cannot be read: {error}") from error

    def _fields(self, transaction: AdjustCapacity) -> dict[str, Any]:
        first, last = days_touched(transaction, self._zone)
        percent = transaction.available_percent.quantize(Decimal(1), ROUND_HALF_UP)
        return {
            "CapacityActiveVersion": self._options.capacity_version,
            "IntervalStartDate": first.isoformat(),
            "IntervalEndDate": last.isoformat(),
            "CapacityPlanUtilizationPercent": str(percent),
        }

    async def _capacity(self, work_centre: str) -> Entity:
        """The work centre's capacity of the configured category."""
        condition = f"WorkCenter eq {text_literal(work_centre)} and Plant eq {text_literal(self._plant)}"
        rows = await self._client.read_entities(
            WORK_CENTRE_SERVICE, WORK_CENTRE_SET, {"$filter": condition, "$expand": CAPACITIES}
        )
        if not rows:
            raise refused(f"SAP has no work centre {work_centre} in plant {self._plant}", "work_centre_not_found")
        category = self._options.capacity_category
        capacities = await self._client.expanded(WORK_CENTRE_SERVICE, rows[0], CAPACITIES)
        found = [row for row in capacities if text_of(row, "CapacityCategoryCode") == category]
        if not found:
            raise refused(
                f"work centre {work_centre} has no capacity of category {category}; set capacity_category in [erp.sap]",
                "capacity_not_found",
            )
        return rows[0] | found[0]

    # --- taking back -------------------------------------------------------------------------------------------------

    async def find_deletion(self, intent: PostingIntent, document: str) -> ErpDocument | None:
        return _deleted(intent, document) if await self._interval(document) is None else None

    async def delete(self, intent: PostingIntent, document: str, guard: SendGuard) -> ErpDocument:
        """Delete our interval as we left it (If-Match). One that was changed since stays, and a person decides."""
        row = await self._interval(document)
        if row is None:
            raise refused(f"SAP does not know capacity interval {document}", "document_not_found")
        number, made, stamp = document.partition(MADE)
        if not made:
            known = number.partition(THERE)[0]
            raise refused(f"capacity interval {known} was there before us; it stays", "capacity_not_ours")
        if stamp and text_of(row, "LastChangeDateTime") != stamp:
            raise refused(
                f"capacity interval {number} was changed in SAP since we made it; it stays",
                "capacity_changed_since",
            )
        path = INTERVAL_SET + _predicate(document)
        await self._client.call(
            WORK_CENTRE_SERVICE, path, method="DELETE", guard=guard, intent=intent, etag=odata4.etag_of(row)
        )
        return _deleted(intent, document)

    async def _interval(self, document: str) -> Entity | None:
        try:
            return await self._client.read_entity(WORK_CENTRE_SERVICE, INTERVAL_SET + _predicate(document))
        except SapNotFound:
            return None


def days_touched(transaction: AdjustCapacity, zone: ZoneInfo) -> tuple[date, date]:
    """First and last day, in the ERP's zone; an end at midnight does not touch the day that begins there."""
    first = transaction.starts_at.astimezone(zone).date()
    last = (transaction.ends_at - timedelta(microseconds=1)).astimezone(zone).date()
    return first, last


def _capacity_path(capacity: Entity) -> str:
    names = _KEY[:3]
    return CAPACITY_SET + odata4.key_predicate(**{name: text_of(capacity, name) for name in names})


def _number(capacity: Entity) -> Entity:
    """As many machines as the work centre has: an interval that names none would have none."""
    known = capacity.get("CapacityNumberOfCapacities")
    return {} if known in (None, "") else {"CapacityNumberOfCapacities": known}


def _says(row: Entity, wanted: dict[str, Any]) -> bool:
    """The same days, version and percentage; numbers may come with leading zeros."""
    return all(text_of(row, name).lstrip("0") == str(value).lstrip("0") for name, value in wanted.items())


def _document(intent: PostingIntent, row: Entity, *, made: bool = True) -> ErpDocument:
    parts = [text_of(row, name) for name in _KEY]
    if not all(parts):
        raise UnreadableAnswer("a capacity interval came without its key")
    mark = MADE + text_of(row, "LastChangeDateTime") if made else THERE + short_key(intent.key)
    return ErpDocument(document="/".join(parts) + mark, kind=KIND, order=intent.transaction.order, key=intent.key)


def _predicate(document: str) -> str:
    parts = document.partition(MADE)[0].partition(THERE)[0].split("/")
    day = date_of(parts[-1]) if len(parts) == len(_KEY) else None
    if day is None:
        raise refused(f"{document!r} is no capacity interval of ours", "document_not_found")
    return odata4.key_predicate(**dict(zip(_KEY[:-1], parts[:-1], strict=True)), IntervalEndDate=day)


def _deleted(intent: PostingIntent, document: str) -> ErpDocument:
    return ErpDocument(document=document, kind=KIND, order=intent.transaction.order, key=intent.key, reversal=True)
