"""Downtimes as maintenance notifications (API_MAINTNOTIFICATION, reference erp.md 1.6).

Our key is the external reference number; malfunction times are in the ERP's zone. No notification can be deleted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from erp.port import SendGuard
from erp.sap.client import SapClient
from erp.sap.failures import SapNotFound, refused
from erp.sap.odata import (
    Entity,
    UnreadableAnswer,
    complex_result,
    date_of,
    entity_of,
    flag_of,
    key_predicate,
    local_date_and_time,
    text_literal,
    text_of,
    time_of,
)
from erp.sap.odata4 import etag_of
from erp.sap.settings import NOTIFICATION_SERVICE, SapSettings
from signals.documents import ErpDocument
from signals.errors import ErpInDoubt, ErpRejected, ErpUnavailable
from signals.ids import short_key
from signals.transactions import PostingIntent
from signals.upkeep import CloseDowntime, OpenDowntime

KIND = "maintenance_notification"
NOTIFICATION_SET = "MaintenanceNotification"
COMPLETE = "CompleteMaintNotification"
OBJECT_TYPES = {"equipment": "EAMS_EQUI", "functional_location": "EAMS_FL"}
COMPLETED_PHASE = "4"
TEXT_LENGTH, LONG_TEXT_LENGTH = 40, 1333


class Notifications:
    """Maintenance notifications of one plant."""

    def __init__(self, client: SapClient, settings: SapSettings) -> None:
        self._client = client
        self._plant = settings.plant
        self._options = settings.sap
        self._zone = ZoneInfo(settings.zone)

    async def find_opening(self, intent: PostingIntent, transaction: OpenDowntime) -> ErpDocument | None:
        """By our reference or the text it opens, else among the notifications of the technical object."""
        key = short_key(intent.key)
        literal = text_literal(key)
        try:
            rows = await self._list(
                f"MaintNotifExtReferenceNumber eq {literal} or startswith(NotificationText,{literal})"
            )
        except ErpRejected:
            rows = await self._list(f"TechnicalObject eq {text_literal(transaction.asset)}")
        ours = [row for row in rows if _carries(row, key)]
        if not ours:
            return None
        document = self._document(intent, text_of(ours[0], "MaintenanceNotification"))
        return document.model_copy(update={"incomplete": _left_out(ours[0], transaction)})

    async def _list(self, condition: str) -> list[Entity]:
        return await self._client.read_entities(NOTIFICATION_SERVICE, NOTIFICATION_SET, {"$filter": condition})

    async def open(self, intent: PostingIntent, transaction: OpenDowntime, guard: SendGuard) -> ErpDocument:
        day, of_day = local_date_and_time(transaction.started_at, self._zone)
        told = transaction.text or transaction.reason or transaction.stop
        body: dict[str, Any] = {
            "NotificationType": self._options.notification_type,
            "NotificationText": f"{short_key(intent.key)} {told}"[:TEXT_LENGTH],
            "TechnicalObject": transaction.asset,
            "TechObjIsEquipOrFuncnlLoc": OBJECT_TYPES[self._options.technical_object],
            "MalfunctionStartDate": day,
            "MalfunctionStartTime": of_day,
            "MaintenanceObjectIsDown": transaction.breakdown,
            "MaintNotifExtReferenceNumber": short_key(intent.key),
            "MaintenancePlanningPlant": self._plant,
        }
        if transaction.work_centre:
            body |= {"MainWorkCenter": transaction.work_centre, "MainWorkCenterPlant": self._plant}
        if len(told) > TEXT_LENGTH - 17:
            body["MaintNotifLongTextForEdit"] = told[:LONG_TEXT_LENGTH]
        answer = await self._client.call(NOTIFICATION_SERVICE, NOTIFICATION_SET, body=body, guard=guard, intent=intent)
        try:
            row = entity_of(answer.payload)
        except UnreadableAnswer as error:
            raise ErpInDoubt(f"{NOTIFICATION_SET} was answered with a success that cannot be read: {error}") from error
        opened = text_of(row, "MaintenanceNotification")
        if not opened:
            raise ErpInDoubt(f"{NOTIFICATION_SET} was answered without the notification's number")
        told_back = {"warnings": answer.warnings, "incomplete": _left_out(row, transaction)}
        return self._document(intent, opened).model_copy(update=told_back)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def find_end(self, intent: PostingIntent, transaction: CloseDowntime) -> ErpDocument | None:
        """The effect is the notification's state: the malfunction ends when we say."""
        row = await self._read(transaction.notification)
        same = self._end_of(row) == transaction.ended_at.astimezone(self._zone).replace(microsecond=0, tzinfo=None)
        return self._document(intent, transaction.notification) if same else None

    async def end(self, intent: PostingIntent, transaction: CloseDowntime, guard: SendGuard) -> ErpDocument:
        """Write the malfunction's end; an end that maintenance has written stands."""
        row = await self._read(transaction.notification)
        written = self._end_of(row)
        if written is not None:
            ours = transaction.ended_at.astimezone(self._zone)
            raise refused(
                f"notification {transaction.notification} has a malfunction end already: {written:%Y-%m-%d %H:%M:%S}, "
                f"ours is {ours:%Y-%m-%d %H:%M:%S} (both {self._zone.key}); it stands",
                "malfunction_end_set",
            )
        day, of_day = local_date_and_time(transaction.ended_at, self._zone)
        answer = await self._client.call(
            NOTIFICATION_SERVICE,
            _path(transaction.notification),
            method="PATCH",
            body={"MalfunctionEndDate": day, "MalfunctionEndTime": of_day},
            guard=guard,
            intent=intent,
            etag=etag_of(row),
        )
        if answer.warnings and await self.find_end(intent, transaction) is None:
            # A success that changed nothing; writing the same end again is harmless.
            told = f"SAP did not take the malfunction's end of {transaction.notification}: {'; '.join(answer.warnings)}"
            raise ErpUnavailable(told)
        return self._document(intent, transaction.notification).model_copy(update={"warnings": answer.warnings})

    async def find_completion(self, intent: PostingIntent, transaction: CloseDowntime) -> ErpDocument | None:
        row = await self._read(transaction.notification)
        done = flag_of(row.get("IsCompleted")) or text_of(row, "NotifProcessingPhase") == COMPLETED_PHASE
        return self._document(intent, transaction.notification) if done else None

    async def complete(self, intent: PostingIntent, transaction: CloseDowntime, guard: SendGuard) -> ErpDocument:
        answer = await self._client.call(
            NOTIFICATION_SERVICE,
            COMPLETE,
            {"MaintenanceNotification": text_literal(transaction.notification)},
            guard=guard,
            intent=intent,
        )
        if answer.payload is not None:
            try:
                complex_result(answer.payload, COMPLETE)
            except UnreadableAnswer as error:
                raise ErpInDoubt(f"{COMPLETE} was answered with a success that cannot be read: {error}") from error
        return self._document(intent, transaction.notification).model_copy(update={"warnings": answer.warnings})

    async def _read(self, notification: str) -> Entity:
        try:
            return await self._client.read_entity(NOTIFICATION_SERVICE, _path(notification))
        except SapNotFound as error:
            told = f"SAP does not know maintenance notification {notification} ({error})"
            raise refused(told, "notification_not_found") from error

    def _end_of(self, row: Entity) -> datetime | None:
        """The malfunction's end as SAP has it: date and time of the ERP's zone, without one."""
        day = date_of(row.get("MalfunctionEndDate"))
        return None if day is None else datetime.combine(day, time_of(row.get("MalfunctionEndTime")))

    def _document(self, intent: PostingIntent, notification: str) -> ErpDocument:
        return ErpDocument(document=notification, kind=KIND, order=intent.transaction.order, key=intent.key)


def _left_out(row: Entity, transaction: OpenDowntime) -> tuple[str, ...]:
    """SAP may make the notification and not take its malfunction data."""
    lost: list[str] = []
    if date_of(row.get("MalfunctionStartDate")) is None:
        lost.append("the malfunction's start was not taken")
    if transaction.breakdown and not flag_of(row.get("MaintenanceObjectIsDown")):
        lost.append("it is not marked as a breakdown")
    return tuple(lost)


def _carries(row: Entity, key: str) -> bool:
    reference, text = text_of(row, "MaintNotifExtReferenceNumber"), text_of(row, "NotificationText")
    return reference.upper() == key or (not reference and text.upper().startswith(key))


def _path(notification: str) -> str:
    return NOTIFICATION_SET + key_predicate(MaintenanceNotification=notification)
