"""Nonconformances as defect records (API_DEFECT_SRV, reference erp.md 1.5). Our key opens the defect's text."""

from __future__ import annotations

from typing import Any

from erp.port import SendGuard
from erp.sap.client import SapClient
from erp.sap.failures import SapNotFound, refused
from erp.sap.odata import (
    Entity,
    UnreadableAnswer,
    decimal_of,
    entity_of,
    key_predicate,
    quantity_text,
    text_literal,
    text_of,
)
from erp.sap.odata4 import etag_of
from erp.sap.settings import DEFECT_SERVICE, SapSettings, Units
from signals.documents import ErpDocument
from signals.errors import ErpInDoubt
from signals.ids import short_key
from signals.quality import RecordNonconformance
from signals.transactions import PostingIntent

KIND = "defect"
DEFECT_SET = "A_Defect"
DEFECT_CATALOG = "9"
TEXT_LENGTH = 40


class Defects:
    """Defect records of one plant."""

    def __init__(self, client: SapClient, settings: SapSettings) -> None:
        self._client = client
        self._plant = settings.plant
        self._settings = settings
        self._units = Units(settings.units)

    async def find(self, intent: PostingIntent, transaction: RecordNonconformance) -> ErpDocument | None:
        """Among the defects of order and material; the text is matched here, whether SAP could filter it or not."""
        rows = await self._of_material(transaction)
        ours = [row for row in rows if text_of(row, "DefectText").upper().startswith(short_key(intent.key))]
        if not ours:
            return None
        return self._document(intent, ours[0]).model_copy(update={"incomplete": _left_out(ours[0], transaction)})

    async def nameless(self, transaction: RecordNonconformance) -> list[str]:
        """Defects of the same quantity without any text: one of them may be ours that lost it."""
        return [
            text_of(row, "DefectInternalID")
            for row in await self._of_material(transaction)
            if not text_of(row, "DefectText") and decimal_of(row.get("DefectiveQuantity")) == transaction.quantity
        ]

    async def _of_material(self, transaction: RecordNonconformance) -> list[Entity]:
        conditions = [f"Material eq {text_literal(transaction.material)}", f"Plant eq {text_literal(self._plant)}"]
        if transaction.order:
            conditions.append(f"ManufacturingOrder eq {text_literal(transaction.order)}")
        return await self._client.read_entities(DEFECT_SERVICE, DEFECT_SET, {"$filter": " and ".join(conditions)})

    async def record(self, intent: PostingIntent, transaction: RecordNonconformance, guard: SendGuard) -> ErpDocument:
        answer = await self._client.call(
            DEFECT_SERVICE, DEFECT_SET, body=self._body(intent, transaction), guard=guard, intent=intent
        )
        try:
            row = entity_of(answer.payload)
            document = self._document(intent, row)
        except UnreadableAnswer as error:
            raise ErpInDoubt(f"{DEFECT_SET} was answered with a success that cannot be read: {error}") from error
        return document.model_copy(update={"warnings": answer.warnings, "incomplete": _left_out(row, transaction)})

    def _body(self, intent: PostingIntent, transaction: RecordNonconformance) -> dict[str, Any]:
        group, code = defect_code(transaction.defect, self._settings)
        body = {
            "DefectText": f"{short_key(intent.key)} {transaction.text or transaction.nonconformance}"[:TEXT_LENGTH],
            "DefectCodeCatalog": DEFECT_CATALOG if code else "",
            "DefectCodeGroup": group,
            "DefectCode": code,
            "DefectiveQuantity": quantity_text(transaction.quantity),
            "DefectiveQuantityUnit": self._units.theirs(transaction.unit),
            "ManufacturingOrder": transaction.order,
            "ManufacturingOrderOperation": transaction.operation,
            "InspectionLot": transaction.inspection_lot,
            "Material": transaction.material,
            "Plant": self._plant,
            "MainWorkCenter": transaction.work_centre,
        }
        return {name: value for name, value in body.items() if value}

    # --- taking back -------------------------------------------------------------------------------------------------

    async def find_deletion(self, intent: PostingIntent, document: str) -> ErpDocument | None:
        """A defect that is not there any more is deleted."""
        try:
            await self._client.read_entity(DEFECT_SERVICE, _path(document))
        except SapNotFound:
            return _deleted(intent, document)
        return None

    async def delete(self, intent: PostingIntent, document: str, guard: SendGuard) -> ErpDocument:
        try:
            defect = await self._client.read_entity(DEFECT_SERVICE, _path(document))
        except SapNotFound as error:
            raise refused(f"SAP does not know defect {document} ({error})", "document_not_found") from error
        await self._client.call(
            DEFECT_SERVICE, _path(document), method="DELETE", guard=guard, intent=intent, etag=etag_of(defect)
        )
        return _deleted(intent, document)

    def _document(self, intent: PostingIntent, row: Entity) -> ErpDocument:
        own = text_of(row, "DefectInternalID")
        if not own:
            raise UnreadableAnswer("a defect came without its number")
        transaction = intent.transaction
        return ErpDocument(
            document=own,
            kind=KIND,
            order=transaction.order,
            operation=text_of(row, "ManufacturingOrderOperation"),
            text=text_of(row, "DefectText"),
            key=intent.key,
        )


def defect_code(defect: str, settings: SapSettings) -> tuple[str, str]:
    """Group and code of the plant's own word; a word that is not mapped is SAP's code."""
    written = settings.sap.defect_codes.get(defect, defect)
    group, slash, code = written.partition("/")
    return (group, code) if slash else (settings.sap.defect_code_group, group)


def _path(document: str) -> str:
    return DEFECT_SET + key_predicate(DefectInternalID=document)


def _deleted(intent: PostingIntent, document: str) -> ErpDocument:
    return ErpDocument(document=document, kind=KIND, order=intent.transaction.order, key=intent.key, reversal=True)


def _left_out(row: Entity, transaction: RecordNonconformance) -> tuple[str, ...]:
    """SAP may record the defect and not take its quantity."""
    taken = decimal_of(row.get("DefectiveQuantity"))
    return () if taken == transaction.quantity else (f"its quantity is {taken or 0:f}, not {transaction.quantity:f}",)
