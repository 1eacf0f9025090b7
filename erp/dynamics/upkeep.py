"""A stop told to asset management: a maintenance request, found by our key at the head of its description.

The downtime registration on a work order has no entity; it stays a person's work (reference erp.md 3.6).
"""

from __future__ import annotations

from typing import Any

from erp.dynamics.client import DynamicsClient
from erp.dynamics.failures import DynamicsNotFound
from erp.dynamics.odata import Entity, equal, etag_of, instant_of, instant_text, text_of
from erp.dynamics.settings import MAINTENANCE_REQUESTS, DynamicsSettings
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpRejected, Reason
from signals.ids import short_key
from signals.transactions import PostingIntent
from signals.upkeep import CloseDowntime, OpenDowntime

DESCRIPTION_LENGTH = 60
REQUEST = "REQUEST"
REQUESTS_BEFORE = "requests"
"""Figure of a snapshot: requests of the asset that began with the stop and were there before ours."""


class Downtimes:
    """Maintenance requests of one company."""

    def __init__(self, client: DynamicsClient, settings: DynamicsSettings) -> None:
        self._client = client
        self._options = settings.dynamics

    async def snapshot(self, stop: OpenDowntime) -> Snapshot:
        """The asset's requests of the same start that are there already, whoever made them."""
        return Snapshot(figures={REQUESTS_BEFORE: " ".join(await self._alike(stop))})

    async def find_opened(self, intent: PostingIntent, stop: OpenDowntime, before: Snapshot) -> Booking:
        """Any request of the asset that opens with our key: one that was closed since counts too.

        One of the same start that came since without our key may be ours, its text lost, or somebody else's.
        """
        asset = equal("MaintenanceAssetId", stop.asset)
        ours = await self._client.read_marked(MAINTENANCE_REQUESTS, "Description", short_key(intent.key), asset)
        if ours:
            return Booking(document=self._document(intent, ours[0]))
        if before.sent_at is None or REQUESTS_BEFORE not in before.figures:
            return Booking()
        known = before.figures[REQUESTS_BEFORE].split()
        came = [number for number in await self._alike(stop) if number not in known]
        if not came:
            return Booking()
        told = f"maintenance request {', '.join(came)} of asset {stop.asset} has the stop's start, but not our key"
        return Booking(unknowable=told, candidates=tuple(f"{REQUEST}/{number}" for number in came))

    async def _alike(self, stop: OpenDowntime) -> list[str]:
        rows = await self._client.read_entities(MAINTENANCE_REQUESTS, equal("MaintenanceAssetId", stop.asset))
        began = instant_text(stop.started_at)
        starts = [(text_of(row, "RequestId"), instant_of(row.get("ActualStart"))) for row in rows]
        return [number for number, start in starts if start is not None and instant_text(start) == began]

    async def open(self, intent: PostingIntent, stop: OpenDowntime, guard: SendGuard) -> Booking:
        words = " ".join(part for part in (short_key(intent.key), stop.reason, stop.text) if part)
        body: dict[str, Any] = {
            "RequestTypeId": self._options.request_type,
            "Description": words[:DESCRIPTION_LENGTH].rstrip(),
            "Notes": " ".join(part for part in (f"Plantwright stop {stop.stop}", stop.reason, stop.text) if part),
            "MaintenanceAssetId": stop.asset,
            "ActualStart": instant_text(stop.started_at),
        }
        if stop.breakdown:
            body["ProductionStopFrom"] = instant_text(stop.started_at)
        made = await self._client.create(MAINTENANCE_REQUESTS, body, guard)
        return Booking(document=self._document(intent, made))

    async def find_closed(self, intent: PostingIntent, stop: CloseDowntime) -> Booking:
        """The request's end is the state; it must be our second, and the lifecycle where we were to move it."""
        row = await self._request(stop)
        ended = instant_of(row.get("ActualEnd"))
        if ended is None or instant_text(ended) != instant_text(stop.ended_at):
            return Booking()
        wanted = self._options.closed_state if stop.complete else ""
        if wanted and text_of(row, "RequestLifecycleStateId").lower() != wanted.lower():
            return Booking()
        return Booking(document=self._document(intent, row))

    async def close(self, intent: PostingIntent, stop: CloseDowntime, guard: SendGuard) -> Booking:
        row = await self._request(stop)
        ended = instant_of(row.get("ActualEnd"))
        if ended is not None and instant_text(ended) != instant_text(stop.ended_at):
            raise ErpRejected(
                f"maintenance request {stop.notification} has ended at {ended.isoformat()} already, by somebody else's "
                "entry; it is not overwritten",
                code="downtime_ended",
                reason=Reason.RULE,
            )
        changes = {"ActualEnd": instant_text(stop.ended_at)}
        if stop.complete and self._options.closed_state:
            changes["RequestLifecycleStateId"] = self._options.closed_state
        address = self._client.address(MAINTENANCE_REQUESTS, RequestId=_number(stop.notification))
        await self._client.change(address, changes, etag_of(row), guard)
        return Booking(document=self._document(intent, row))

    async def _request(self, stop: CloseDowntime) -> Entity:
        try:
            return await self._client.read_entity(MAINTENANCE_REQUESTS, RequestId=_number(stop.notification))
        except DynamicsNotFound as error:
            raise ErpRejected(
                f"Dynamics knows no maintenance request {stop.notification}",
                code="request_unknown",
                reason=Reason.MASTER_DATA,
            ) from error

    def _document(self, intent: PostingIntent, row: Entity) -> ErpDocument:
        transaction = intent.transaction
        return ErpDocument(
            document=f"{REQUEST}/{text_of(row, 'RequestId')}",
            kind="maintenance_request",
            order=transaction.order,
            operation=transaction.operation,
            key=intent.key,
            text=text_of(row, "Description"),
        )


def _number(notification: str) -> str:
    return notification.removeprefix(f"{REQUEST}/")
