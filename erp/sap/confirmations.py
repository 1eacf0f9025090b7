"""Confirmations in SAP: list, find by key, book with backflush, cancel, read back (reference erp.md 1.3).

Without goods-movement items SAP backflushes by its own control. Where a lot, an actual use or another stock must be
given, SAP's proposal is fetched, adjusted and sent whole, because items that are sent replace the proposal.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from erp.port import SendGuard
from erp.sap.client import SapAnswer, SapClient
from erp.sap.confirmation_body import ConfirmationBodies, text_of_posting
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
from erp.sap.failures import SapNotFound, refused
from erp.sap.goods_items import GoodsItems
from erp.sap.odata import Entity, UnreadableAnswer, complex_result, date_literal, guid_literal, text_literal
from erp.sap.settings import CONFIRMATION_SERVICE, SapSettings, Units
from signals.documents import ErpDocument, GoodsMovement
from signals.errors import ErpInDoubt, ErpRejected, ErpUnavailable
from signals.ids import short_key
from signals.transactions import ConfirmProduction, PostingIntent, ReportTime, Reverse

SAME_MOMENT = timedelta(seconds=2)


class Confirmations:
    """Confirmations of one plant."""

    def __init__(self, client: SapClient, settings: SapSettings) -> None:
        self._client = client
        self._zone = ZoneInfo(settings.zone)
        self._units = Units(settings.units)
        self._bodies = ConfirmationBodies(settings)
        self._items = GoodsItems(client, settings)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def of_operation(self, order: str, operation: str) -> list[ErpDocument]:
        """All confirmations of an operation, oldest first; of the order where no operation is named."""
        return await self._list(_of_operation(order, operation))

    async def find(self, intent: PostingIntent) -> ErpDocument | None:
        """The document of this intent: by the GUID or by the key that opens the text, else in the operation's list.

        One filter asks for both, because the GUID may have been forgotten.
        """
        transaction = intent.transaction
        wants_reversal = isinstance(transaction, Reverse)
        try:
            documents = await self._list(_key_filter(intent))
        except ErpRejected:
            documents = await self._list(_list_filter(intent))
        ours = [d for d in documents if d.reversal == wants_reversal and carries_key(d, intent.key)]
        return next((d for d in ours if not d.reversed), ours[0] if ours else None)

    async def _list(self, condition: str) -> list[ErpDocument]:
        rows = await self._client.read_entities(CONFIRMATION_SERVICE, CONFIRMATION_SET, {"$filter": condition})
        return in_booking_order([self._parsed(row, f"confirmations with {condition}") for row in rows])

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """The document with the goods movements that have been posted for it so far."""
        path = confirmation_path(document.document)
        try:
            entity = await self._client.read_entity(CONFIRMATION_SERVICE, path, {"$expand": MOVEMENTS})
        except SapNotFound as error:
            raise refused(
                f"SAP does not know confirmation {document.document} ({error})", "document_not_found"
            ) from error
        return await self._with_movements(entity, document)

    async def read_back_milestone(self, document: ErpDocument, predecessors: frozenset[str]) -> ErpDocument:
        """A milestone with the movements of the confirmations that SAP made for its predecessors at the same moment.

        SAP gives those no key and no text; user, time and operation tell them. One call, where SAP takes `$batch`.
        """
        own, others = await self._client.read_many(
            CONFIRMATION_SERVICE,
            [
                (confirmation_path(document.document), {"$expand": MOVEMENTS}),
                (CONFIRMATION_SET, {"$filter": f"OrderID eq {text_literal(document.order)}", "$expand": MOVEMENTS}),
            ],
        )
        milestone = await self._with_movements(own[0], document)
        movements = milestone.goods_movements
        for row in others:
            other = self._parsed(row, f"confirmations of order {document.order}")
            if other.operation in predecessors and _was_made_along(other, milestone):
                movements += await self._movements(row, other.document)
        return milestone.model_copy(update={"goods_movements": movements})

    async def _with_movements(self, entity: Entity, document: ErpDocument) -> ErpDocument:
        parsed = self._parsed(entity, f"confirmation {document.document}")
        movements = await self._movements(entity, document.document)
        return parsed.model_copy(update={"goods_movements": movements, "warnings": document.warnings})

    async def _movements(self, entity: Entity, document: str) -> tuple[GoodsMovement, ...]:
        rows = await self._client.expanded(CONFIRMATION_SERVICE, entity, MOVEMENTS)
        try:
            return posted_movements(rows, self._units)
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"goods movements of {document}: {error}", code="unreadable") from error

    def _parsed(self, entity: Entity, what: str) -> ErpDocument:
        try:
            return confirmation_of(entity, self._zone, self._units)
        except (ValueError, UnreadableAnswer) as error:
            raise ErpUnavailable(f"{what}: {error}", code="unreadable") from error

    # --- booking -----------------------------------------------------------------------------------------------------

    async def confirm(
        self, intent: PostingIntent, transaction: ConfirmProduction, guard: SendGuard, *, receives: bool
    ) -> ErpDocument:
        """Book a confirmation (POST ProdnOrdConf2). `receives`: its operation posts the goods receipt along."""
        body = self._bodies.production(intent, transaction)
        body |= await self._items.of(transaction, receives=receives)
        return await self._post(intent, body, guard)

    async def report_time(self, intent: PostingIntent, transaction: ReportTime, guard: SendGuard) -> ErpDocument:
        """A confirmation of activities alone."""
        return await self._post(intent, self._bodies.time(intent, transaction), guard)

    async def _post(self, intent: PostingIntent, body: dict[str, Any], guard: SendGuard) -> ErpDocument:
        answer = await self._client.call(CONFIRMATION_SERVICE, CONFIRMATION_SET, body=body, guard=guard, intent=intent)
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
                "ConfirmationText": text_literal(text_of_posting(intent, transaction.text)),
                "ExternalSystemConfirmation": guid_literal(intent.key),
            },
            guard=guard,
            intent=intent,
        )
        return self._booked(answer, "CancelProdnOrdConf")

    def _booked(self, answer: SapAnswer, function: str) -> ErpDocument:
        try:
            entity = complex_result(answer.payload, function)
            return confirmation_of(entity, self._zone, self._units, answer.warnings)
        except (ValueError, UnreadableAnswer) as error:
            raise ErpInDoubt(f"{function} was answered with a success that cannot be read: {error}") from error


def _of_operation(order: str, operation: str) -> str:
    conditions = [f"OrderID eq {text_literal(order)}"]
    conditions += [f"OrderOperation eq {text_literal(operation)}"] if operation else []
    return " and ".join(conditions)


def _list_filter(intent: PostingIntent) -> str:
    """Where the document must be, if it is anywhere: a reversal beside its original, else in the operation's list."""
    transaction = intent.transaction
    if isinstance(transaction, Reverse):
        return f"ConfirmationGroup eq {text_literal(split_number(transaction.document)[0])}"
    return _of_operation(transaction.order, str(getattr(transaction, "operation", "")))


def _key_filter(intent: PostingIntent) -> str:
    order = intent.transaction.order
    guid, text = guid_literal(intent.key), text_literal(short_key(intent.key))
    scope = f"OrderID eq {text_literal(order)} and " if order else ""
    return f"{scope}(ExternalSystemConfirmation eq {guid} or startswith(ConfirmationText,{text}))"


def _was_made_along(other: ErpDocument, milestone: ErpDocument) -> bool:
    if other.reversal or other.reversed or other.key is not None or other.text:
        return False
    if other.entered_by != milestone.entered_by or other.entered_at is None or milestone.entered_at is None:
        return False
    return abs(other.entered_at - milestone.entered_at) <= SAME_MOMENT
