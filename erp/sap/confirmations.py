"""Confirmations in SAP: list, find by key, book with backflush, cancel, read back (reference erp.md 1.3).

Without goods-movement items SAP backflushes by its own control. Where a lot or an actual use must be given, SAP's
proposal is fetched, adjusted and sent whole, because items that are sent replace the proposal.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from erp.port import SendGuard
from erp.sap.client import SapAnswer, SapClient
from erp.sap.documents import (
    CONFIRMATION_SET,
    MOVEMENTS,
    carries_key,
    confirmation_of,
    confirmation_path,
    in_booking_order,
    posted_movements,
    split_number,
)
from erp.sap.goods_items import GoodsItems
from erp.sap.odata import (
    Entity,
    UnreadableAnswer,
    complex_result,
    date_literal,
    guid_literal,
    json_date,
    local_date_and_time,
    quantity_text,
    text_literal,
)
from erp.sap.settings import CONFIRMATION_SERVICE, SapSettings
from signals.documents import ErpDocument
from signals.errors import ErpInDoubt, ErpRejected, ErpUnavailable
from signals.ids import short_key
from signals.transactions import ConfirmProduction, PostingIntent, Reverse

TEXT_LENGTH = 40
EXTERNAL_USER_LENGTH = 12
SAME_MOMENT = timedelta(seconds=2)


class Confirmations:
    """Confirmations of one plant."""

    def __init__(self, client: SapClient, settings: SapSettings) -> None:
        self._client = client
        self._settings = settings
        self._zone = ZoneInfo(settings.zone)
        self._items = GoodsItems(client, settings)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def of_operation(self, order: str, operation: str) -> list[ErpDocument]:
        """All confirmations of an operation, oldest first; of the order where no operation is named."""
        conditions = [f"OrderID eq {text_literal(order)}"]
        if operation:
            conditions.append(f"OrderOperation eq {text_literal(operation)}")
        return await self._list(" and ".join(conditions))

    async def find(self, intent: PostingIntent) -> ErpDocument | None:
        """The document of this intent: by the GUID, else in the list by GUID or by the key that opens the text.

        The list is read even when the filter answers with nothing: the GUID may have been forgotten.
        """
        transaction = intent.transaction
        wants_reversal = isinstance(transaction, Reverse)
        for read in (
            lambda: self._by_guid(intent),
            lambda: self.of_operation(transaction.order, transaction.operation),
        ):
            documents = await read()
            ours = [d for d in documents if d.reversal == wants_reversal and carries_key(d, intent.key)]
            if ours:
                return next((d for d in ours if not d.reversed), ours[0])
        return None

    async def _by_guid(self, intent: PostingIntent) -> list[ErpDocument]:
        order = intent.transaction.order
        try:
            return await self._list(
                f"OrderID eq {text_literal(order)} and ExternalSystemConfirmation eq {guid_literal(intent.key)}"
            )
        except ErpRejected:
            return []  # not filterable in this system: the caller goes through the list

    async def _list(self, condition: str) -> list[ErpDocument]:
        rows = await self._client.read_entities(CONFIRMATION_SERVICE, CONFIRMATION_SET, {"$filter": condition})
        return in_booking_order([self._parsed(row, f"confirmations with {condition}") for row in rows])

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """The document with the goods movements that have been posted for it so far."""
        path = confirmation_path(document.document)
        entity = await self._client.read_entity(CONFIRMATION_SERVICE, path, {"$expand": MOVEMENTS})
        rows = await self._client.expanded(CONFIRMATION_SERVICE, entity, MOVEMENTS)
        parsed = self._parsed(entity, f"confirmation {document.document}")
        try:
            movements = posted_movements(rows)
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"goods movements of {document.document}: {error}", code="unreadable") from error
        return parsed.model_copy(update={"goods_movements": movements, "warnings": document.warnings})

    async def with_automatic(self, milestone: ErpDocument, predecessors: frozenset[str]) -> ErpDocument:
        """A milestone with the movements of the confirmations that SAP made for its predecessors at the same moment.

        SAP gives those no key and no text; user, time and operation tell them.
        """
        movements = milestone.goods_movements
        for other in await self.of_operation(milestone.order, ""):
            if other.operation in predecessors and _was_made_along(other, milestone):
                movements += (await self.read_back(other)).goods_movements
        return milestone.model_copy(update={"goods_movements": movements})

    def _parsed(self, entity: Entity, what: str) -> ErpDocument:
        try:
            return confirmation_of(entity, self._zone)
        except ValueError as error:
            raise ErpUnavailable(f"{what}: {error}", code="unreadable") from error
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"{what}: {error}", code="unreadable") from error

    # --- booking -----------------------------------------------------------------------------------------------------

    async def confirm(self, intent: PostingIntent, transaction: ConfirmProduction, guard: SendGuard) -> ErpDocument:
        """Book a confirmation (POST ProdnOrdConf2)."""
        body = self._body(intent, transaction)
        items = await self._items.adjusted(transaction)
        if items:
            body[MOVEMENTS] = items
        answer = await self._client.call(CONFIRMATION_SERVICE, CONFIRMATION_SET, {}, body=body, guard=guard)
        return self._booked(answer, CONFIRMATION_SET)

    async def cancel(self, intent: PostingIntent, transaction: Reverse, guard: SendGuard) -> ErpDocument:
        """Reverse a confirmation (POST CancelProdnOrdConf): a document of its own, with its own key."""
        group, count = split_number(transaction.document)
        answer = await self._client.call(
            CONFIRMATION_SERVICE,
            "CancelProdnOrdConf",
            {
                "ConfirmationGroup": text_literal(group),
                "ConfirmationCount": text_literal(count),
                "PostingDate": date_literal(transaction.posting_date),
                "ConfirmationText": text_literal(_text(intent, transaction.text)),
                "ExternalSystemConfirmation": guid_literal(intent.key),
            },
            guard=guard,
        )
        return self._booked(answer, "CancelProdnOrdConf")

    def _booked(self, answer: SapAnswer, function: str) -> ErpDocument:
        try:
            entity = complex_result(answer.payload, function)
            return confirmation_of(entity, self._zone, warnings=answer.warnings)
        except (ValueError, UnreadableAnswer) as error:
            raise ErpInDoubt(f"{function} was answered with a success that cannot be read: {error}") from error

    def _body(self, intent: PostingIntent, transaction: ConfirmProduction) -> dict[str, Any]:
        reason = self._settings.scrap_reasons.get(transaction.reason, "")
        body: dict[str, Any] = {
            "OrderID": transaction.order,
            "Sequence": transaction.sequence,
            "OrderOperation": transaction.operation,
            "ConfirmationYieldQuantity": quantity_text(transaction.yield_quantity),
            "ConfirmationScrapQuantity": quantity_text(transaction.scrap_quantity),
            "ConfirmationReworkQuantity": quantity_text(transaction.rework_quantity),
            "ConfirmationUnit": transaction.unit,
            "FinalConfirmationType": "X" if transaction.final else "",
            "IsFinalConfirmation": transaction.final,
            "PostingDate": json_date(transaction.posting_date),
            "ExternalSystemConfirmation": str(intent.key),
            "ConfirmationText": _text(intent, transaction.reason, transaction.batch, transaction.shift),
        }
        if reason:
            body["VarianceReasonCode"] = reason
        if transaction.person:
            body["EnteredByExternalUser"] = transaction.person[:EXTERNAL_USER_LENGTH]
        for activity in transaction.activities:
            body[f"OpConfirmedWorkQuantity{activity.slot}"] = quantity_text(activity.amount)
            body[f"OpWorkQuantityUnit{activity.slot}"] = activity.unit
        return body | self._execution(transaction)

    def _execution(self, transaction: ConfirmProduction) -> dict[str, str]:
        fields: dict[str, str] = {}
        for name, at in (("Start", transaction.started_at), ("End", transaction.ended_at)):
            if at is not None:
                day, of_day = local_date_and_time(at, self._zone)
                fields |= {f"ConfirmedExecution{name}Date": day, f"ConfirmedExecution{name}Time": of_day}
        return fields


def _was_made_along(other: ErpDocument, milestone: ErpDocument) -> bool:
    if other.reversal or other.reversed or other.key is not None or other.text:
        return False
    if other.entered_by != milestone.entered_by or other.entered_at is None or milestone.entered_at is None:
        return False
    return abs(other.entered_at - milestone.entered_at) <= SAME_MOMENT


def _text(intent: PostingIntent, *parts: str) -> str:
    """The short key, by which a document is found where the GUID is not, and what a person wants to read."""
    return " ".join([short_key(intent.key), *(part for part in parts if part)])[:TEXT_LENGTH]
