"""Material documents in SAP: post, find by key, read back, cancel (API_MATERIAL_DOCUMENT_SRV, reference erp.md 1.4).

Our key stands in ReferenceDocument and opens the header text, so that it is found where one of them was lost.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from erp.port import SendGuard
from erp.sap.client import SapClient
from erp.sap.documents import movement_of
from erp.sap.failures import SapNotFound, refused
from erp.sap.goods_bodies import GoodsBody, document_body
from erp.sap.odata import (
    Entity,
    UnreadableAnswer,
    complex_result,
    date_literal,
    decimal_of,
    flag_of,
    key_predicate,
    text_literal,
    text_of,
)
from erp.sap.settings import CONFIRMATION_SERVICE, DOCUMENT_SERVICE, Units
from signals.documents import ErpDocument
from signals.errors import ErpError, ErpInDoubt, ErpRejected, ErpUnavailable
from signals.ids import short_key
from signals.transactions import PostingIntent

KIND = "material_document"
HEADER_SET = "A_MaterialDocumentHeader"
ITEM_SET = "A_MaterialDocumentItem"
ITEMS = "to_MaterialDocumentItem"


class MaterialDocuments:
    """Material documents of one plant. A document's number is `number/year`."""

    def __init__(self, client: SapClient, units: Units, plant: str) -> None:
        self._client = client
        self._units = units
        self._plant = plant

    async def post(self, intent: PostingIntent, goods: GoodsBody, guard: SendGuard) -> ErpDocument:
        """Book it. SAP may answer without items: they are read back; a failure of that read changes nothing."""
        answer = await self._client.call(
            DOCUMENT_SERVICE, HEADER_SET, body=document_body(intent, goods), guard=guard, intent=intent
        )
        try:
            entity = complex_result(answer.payload, HEADER_SET)
            number(entity)
        except UnreadableAnswer as error:
            raise ErpInDoubt(f"{HEADER_SET} was answered with a success that cannot be read: {error}") from error
        document = await self._with_items(entity)
        transaction = intent.transaction
        return document.model_copy(
            update={
                "key": intent.key,
                "order": document.order or transaction.order,
                "operation": str(getattr(transaction, "operation", "")),
                "warnings": answer.warnings,
            }
        )

    async def find(self, intent: PostingIntent, code: str) -> ErpDocument | None:
        """The document that carries the intent's key: by filter, else among the documents of its posting date."""
        key = short_key(intent.key)
        by_key = (
            f"ReferenceDocument eq {text_literal(key)} or startswith(MaterialDocumentHeaderText,{text_literal(key)})"
        )
        try:
            rows = await self._headers(by_key)
        except ErpRejected:
            day = date_literal(intent.transaction.posting_date)
            rows = await self._headers(f"PostingDate eq {day} and GoodsMovementCode eq {text_literal(code)}")
        found = [await self._with_items(row) for row in rows if carries_key(row, intent.key)]
        ours = [d.model_copy(update={"key": intent.key}) for d in found]
        return next((d for d in ours if not d.reversed), ours[0] if ours else None)

    async def _headers(self, condition: str) -> list[Entity]:
        return await self._client.read_entities(DOCUMENT_SERVICE, HEADER_SET, {"$filter": condition, "$expand": ITEMS})

    async def read_back(self, document: str) -> ErpDocument:
        """The document with its lines as SAP has them now."""
        path = HEADER_SET + self._key(document)
        try:
            entity = await self._client.read_entity(DOCUMENT_SERVICE, path, {"$expand": ITEMS})
        except SapNotFound as error:
            raise refused(f"SAP does not know material document {document} ({error})", "document_not_found") from error
        return self._parsed(entity, await self._client.expanded(DOCUMENT_SERVICE, entity, ITEMS))

    async def cancel(self, intent: PostingIntent, document: str, posting_date: date, guard: SendGuard) -> ErpDocument:
        """Post the opposite (Cancel). A document that a confirmation caused goes only with that confirmation."""
        await self._refuse_automatic(document)
        year, own = self._parts(document)
        answer = await self._client.call(
            DOCUMENT_SERVICE,
            "Cancel",
            {
                "MaterialDocumentYear": text_literal(year),
                "MaterialDocument": text_literal(own),
                "PostingDate": date_literal(posting_date),
            },
            guard=guard,
            intent=intent,
        )
        try:
            entity = complex_result(answer.payload, "Cancel")
            reversal = number(entity)
        except UnreadableAnswer as error:
            raise ErpInDoubt(f"Cancel was answered with a success that cannot be read: {error}") from error
        return ErpDocument(
            document=reversal,
            kind=KIND,
            order=intent.transaction.order,
            key=intent.key,
            reversal=True,
            warnings=answer.warnings,
        )

    async def find_cancellation(self, intent: PostingIntent, document: str) -> ErpDocument | None:
        """The document that cancelled this one, whoever posted it: Cancel takes no reference of ours."""
        year, own = self._parts(document)
        condition = (
            f"ReversedMaterialDocumentYear eq {text_literal(year)} and ReversedMaterialDocument eq {text_literal(own)}"
        )
        try:
            rows = await self._items([condition])
        except ErpRejected:
            return await self._cancelled(intent, document)
        if not rows:
            return None
        found = self._parsed(rows[0], rows)
        return found.model_copy(update={"key": intent.key, "order": intent.transaction.order, "reversal": True})

    async def _cancelled(self, intent: PostingIntent, document: str) -> ErpDocument | None:
        """By the original's own flags, where the cancelling document cannot be searched; its number stays unknown."""
        if not (await self.read_back(document)).reversed:
            return None
        order = intent.transaction.order
        return ErpDocument(
            document=f"CANCELLED/{document}", kind="cancellation", order=order, key=intent.key, reversal=True
        )

    async def find_by_item_text(self, intent: PostingIntent, material: str, batch: str) -> ErpDocument | None:
        """A stock posting of an inspection lot: its own service cannot be read, its line's text opens with our key."""
        day = intent.transaction.posting_date
        conditions = [
            f"Material eq {text_literal(material)}",
            f"Plant eq {text_literal(self._plant)}",
            f"MaterialDocumentYear ge {text_literal(str(day.year))}",
            f"startswith(MaterialDocumentItemText,{text_literal(short_key(intent.key))})",
        ]
        try:
            rows = await self._items(conditions)
        except ErpRejected:
            rows = await self._items(conditions[:-1])
        ours = [r for r in rows if text_of(r, "MaterialDocumentItemText").upper().startswith(short_key(intent.key))]
        if not ours:
            return None
        return self._parsed(ours[0], ours).model_copy(update={"key": intent.key})

    async def nameless(self, material: str, batch: str, year: int, movement: str, quantity: Decimal) -> list[str]:
        """Standing lines of that movement and quantity that have no text."""
        conditions = [
            f"Material eq {text_literal(material)}",
            f"Plant eq {text_literal(self._plant)}",
            f"MaterialDocumentYear ge {text_literal(str(year))}",
            f"GoodsMovementType eq {text_literal(movement)}",
        ]
        rows = await self._items(conditions + ([f"Batch eq {text_literal(batch)}"] if batch else []))
        return [
            number(row)
            for row in rows
            if not text_of(row, "MaterialDocumentItemText")
            and not flag_of(row.get("GoodsMovementIsCancelled"))
            and decimal_of(row.get("QuantityInEntryUnit")) == quantity
        ]

    async def _items(self, conditions: list[str]) -> list[Entity]:
        return await self._client.read_entities(DOCUMENT_SERVICE, ITEM_SET, {"$filter": " and ".join(conditions)})

    async def _refuse_automatic(self, document: str) -> None:
        year, own = self._parts(document)
        condition = f"MaterialDocument eq {text_literal(own)} and MaterialDocumentYear eq {text_literal(year)}"
        try:
            rows = await self._client.read_entities(
                CONFIRMATION_SERVICE, "ProdnOrdConfMatlDocItm", {"$filter": condition}
            )
        except ErpRejected:
            return  # this system does not list them by document: SAP itself judges the cancellation
        if rows:
            cause = f"{text_of(rows[0], 'ConfirmationGroup')}/{text_of(rows[0], 'ConfirmationCount')}"
            raise refused(
                f"material document {document} was posted by confirmation {cause}; reverse the confirmation instead",
                "hangs_on_confirmation",
            )

    async def _with_items(self, entity: Entity) -> ErpDocument:
        """With the items that came along, else with those that SAP shows when asked; without if it does not answer."""
        rows = await self._client.expanded(DOCUMENT_SERVICE, entity, ITEMS)
        if rows:
            return self._parsed(entity, rows)
        try:
            return await self.read_back(number(entity))
        except ErpError:
            return self._parsed(entity, [])

    def _parsed(self, header: Entity, rows: list[Entity]) -> ErpDocument:
        try:
            movements = tuple(movement_of(row, self._units) for row in rows)
            return ErpDocument(
                document=number(header),
                kind=KIND,
                order=next((text_of(row, "ManufacturingOrder") for row in rows), ""),
                text=text_of(header, "MaterialDocumentHeaderText"),
                reversed=bool(rows) and all(flag_of(row.get("GoodsMovementIsCancelled")) for row in rows),
                reversal=any(text_of(row, "ReversedMaterialDocument").strip("0") for row in rows),
                entered_by=text_of(header, "CreatedByUser"),
                goods_movements=movements,
            )
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"material document: {error}", code="unreadable") from error

    @staticmethod
    def _parts(document: str) -> tuple[str, str]:
        own, slash, year = document.partition("/")
        if not (own and slash and len(year) == 4 and year.isdigit()):
            raise refused(
                f"{document!r} is no material document; ours read NUMBER/YEAR, for example 4900000012/2026",
                "document_not_found",
            )
        return year, own

    def _key(self, document: str) -> str:
        year, own = self._parts(document)
        return key_predicate(MaterialDocumentYear=year, MaterialDocument=own)


def number(entity: Entity) -> str:
    own, year = text_of(entity, "MaterialDocument"), text_of(entity, "MaterialDocumentYear")
    if not own or not year:
        raise UnreadableAnswer("a material document came without its number and year")
    return f"{own}/{year}"


def carries_key(header: Entity, key: UUID) -> bool:
    """By ReferenceDocument, or by the short key that opens the text where that is empty."""
    reference, text = text_of(header, "ReferenceDocument"), text_of(header, "MaterialDocumentHeaderText")
    wanted = short_key(key)
    return reference.upper() == wanted or (not reference and text.upper().startswith(wanted))
