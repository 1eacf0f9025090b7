"""Less capacity of a work centre for a time: an interval of its work calendar (reference erp.md 3.6).

One interval of one day, because one request is one posting. The document's number remembers what the interval said
before, so that a reversal puts exactly that back, and only where nobody has changed it since. It carries our key too:
an interval that is taken back and made anew within its first second would have the number of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from erp.dynamics.client import DynamicsClient
from erp.dynamics.failures import DynamicsNotFound
from erp.dynamics.odata import Entity, Raw, decimal_of, etag_of, int_of, noon_text, number, seconds_of_day
from erp.dynamics.settings import CALENDAR_INTERVALS, DynamicsSettings
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpRejected, Reason
from signals.ids import short_key
from signals.transactions import PostingIntent
from signals.upkeep import AdjustCapacity

PERCENT_BEFORE = "efficiency"
NEW = "new"
DAY = 86_400


@dataclass(frozen=True)
class Interval:
    """Where a change lies in the calendar."""

    calendar: str
    date: str
    start: int
    end: int

    @property
    def keys(self) -> dict[str, str | int]:
        return {"WorkCalendarId": self.calendar, "WorkCalendarDate": Raw(self.date), "StartTime": self.start}


def calendar_of(settings: DynamicsSettings, work_centre: str) -> str:
    """The plant file's calendar of a work centre; its own name where none is given."""
    return settings.dynamics.calendars.get(work_centre, work_centre)


def days_of(change: AdjustCapacity, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Start and end in the ERP's zone."""
    return change.starts_at.astimezone(zone), change.ends_at.astimezone(zone)


class Capacity:
    """Calendar intervals of one company."""

    def __init__(self, client: DynamicsClient, settings: DynamicsSettings) -> None:
        self._client = client
        self._settings = settings
        self._zone = ZoneInfo(settings.zone)

    def interval(self, change: AdjustCapacity) -> Interval:
        """Raises ErpRejected where the change crosses midnight: `erp.dynamics.rules` says so before."""
        start, end = days_of(change, self._zone)
        seconds = seconds_of_day(end)
        if end.date() != start.date():
            seconds = DAY
        return Interval(
            calendar_of(self._settings, change.work_centre), noon_text(start.date()), seconds_of_day(start), seconds
        )

    async def snapshot(self, change: AdjustCapacity) -> Snapshot:
        row = await self._row(self.interval(change))
        return Snapshot(figures={PERCENT_BEFORE: _percent(row) if row is not None else NEW})

    async def find(self, intent: PostingIntent, change: AdjustCapacity, before: Snapshot) -> Booking:
        """The interval's percentage is the state."""
        interval = self.interval(change)
        row = await self._row(interval)
        if row is None or not _is(row, interval, change.available_percent):
            return Booking()
        return Booking(document=self._document(intent, interval, before.figures.get(PERCENT_BEFORE, "?")))

    async def post(self, intent: PostingIntent, change: AdjustCapacity, guard: SendGuard) -> Booking:
        interval = self.interval(change)
        row = await self._row(interval)
        if row is None:
            body = {
                "WorkCalendarId": interval.calendar,
                "WorkCalendarDate": interval.date,
                "StartTime": interval.start,
                "EndTime": interval.end,
                "EfficiencyPercentage": number(change.available_percent),
            }
            await self._client.create(CALENDAR_INTERVALS, body, guard)
            return Booking(document=self._document(intent, interval, NEW))
        if int_of(row.get("EndTime")) != interval.end:
            raise ErpRejected(
                f"calendar {interval.calendar} has an interval from {interval.start} to {row.get('EndTime')} s on "
                f"{interval.date[:10]}; a change must cover it whole, or lie where there is none",
                code="dynamics-capacity/1",
                reason=Reason.RULE,
            )
        changes = {"EfficiencyPercentage": number(change.available_percent)}
        await self._client.change(self._address(interval), changes, etag_of(row), guard)
        return Booking(document=self._document(intent, interval, _percent(row)))

    # --- taking back -------------------------------------------------------------------------------------------------

    async def find_reversed(self, intent: PostingIntent, change: AdjustCapacity, document: str) -> Booking:
        interval, before = self.interval(change), _before(document)
        row = await self._row(interval)
        gone = row is None if before is None else row is not None and decimal_of(row["EfficiencyPercentage"]) == before
        return Booking(document=self._document(intent, interval, "reversed")) if gone else Booking()

    async def reverse(self, intent: PostingIntent, change: AdjustCapacity, document: str, guard: SendGuard) -> Booking:
        interval, before = self.interval(change), _before(document)
        row = await self._row(interval)
        if row is None or not _is(row, interval, change.available_percent):
            raise ErpRejected(
                f"the interval of calendar {interval.calendar} on {interval.date[:10]} was changed since; it is not "
                "put back over that",
                code="capacity_changed",
                reason=Reason.REVERSAL,
            )
        if before is None:
            await self._client.remove(self._address(interval), etag_of(row), guard)
        else:
            changes = {"EfficiencyPercentage": number(before)}
            await self._client.change(self._address(interval), changes, etag_of(row), guard)
        return Booking(document=self._document(intent, interval, "reversed"))

    async def _row(self, interval: Interval) -> Entity | None:
        try:
            return await self._client.read_entity(CALENDAR_INTERVALS, **interval.keys)
        except DynamicsNotFound:
            return None

    def _address(self, interval: Interval) -> str:
        return self._client.address(CALENDAR_INTERVALS, **interval.keys)

    def _document(self, intent: PostingIntent, interval: Interval, before: str) -> ErpDocument:
        transaction = intent.transaction
        return ErpDocument(
            document="/".join(
                (
                    "CALENDAR",
                    interval.calendar,
                    interval.date[:10],
                    str(interval.start),
                    short_key(intent.key),
                    before,
                )
            ),
            kind="capacity",
            order=transaction.order,
            operation=transaction.operation,
            key=intent.key,
        )


def knows_what_was(document: str) -> bool:
    """Whether a document says what the interval held before: then it can be put back."""
    try:
        _before(document)
    except ErpRejected:
        return False
    return True


def _before(document: str) -> Decimal | None:
    """The percentage before, None for an interval that was new. Raises ErpRejected where it is not known."""
    told = document.rpartition("/")[2]
    if told == NEW:
        return None
    try:
        return Decimal(told)
    except InvalidOperation as error:
        raise ErpRejected(
            f"{document} does not say what the interval held before", code="capacity_unknown", reason=Reason.REVERSAL
        ) from error


def _is(row: Entity, interval: Interval, percent: Decimal) -> bool:
    same_end = int_of(row.get("EndTime")) == interval.end
    return same_end and decimal_of(row.get("EfficiencyPercentage")) == percent


def _percent(row: Entity) -> str:
    return f"{decimal_of(row.get('EfficiencyPercentage')):f}"
