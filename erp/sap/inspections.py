"""Inspection results, usage decision and the stock posting of a lot (API_INSPECTIONLOT_SRV, reference erp.md 1.5).

One request books one thing: one characteristic's value, the decision, one stock posting; `steps` says what follows.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from erp.port import SendGuard
from erp.sap.client import SapClient
from erp.sap.failures import SapNotFound, refused
from erp.sap.inspection_lots import InspectionLots, is_decided
from erp.sap.material_documents import KIND, MaterialDocuments, number
from erp.sap.odata import (
    Entity,
    UnreadableAnswer,
    entity_of,
    key_predicate,
    local_date_and_time,
    quantity_text,
    text_literal,
    text_of,
)
from erp.sap.odata4 import etag_of
from erp.sap.settings import INSPECTION_SERVICE, SapSettings, Units
from signals.documents import ErpDocument
from signals.errors import ErpInDoubt
from signals.ids import short_key
from signals.quality import CharacteristicResult, DecideInspection, DispositionKind, RecordInspection
from signals.transactions import PostingIntent

VALUE_SET = "A_InspectionResultValue"
DECISION_SET = "A_InspLotUsageDecision"
POSTING_SET = "A_InspLotMatlDocItem"
DECISION_CATALOG = "3"
TEXT_LENGTH, ITEM_TEXT_LENGTH = 40, 50
ACCEPTED, REJECTED = "A", "R"
MIXED = "mixed"
STOCK_TYPES = {
    DispositionKind.ACCEPT: "VMENGE01",
    DispositionKind.SCRAP: "VMENGE02",
    DispositionKind.REJECT: "VMENGE04",
    DispositionKind.REWORK: "VMENGE04",
    DispositionKind.RETURN: "VMENGE04",
}
"""UsageDecisionStockType: unrestricted, scrap, blocked. Rework and return wait in blocked stock for what comes next."""

MOVEMENTS = {
    DispositionKind.ACCEPT: "321",
    DispositionKind.SCRAP: "553",
    DispositionKind.REJECT: "350",
    DispositionKind.REWORK: "350",
    DispositionKind.RETURN: "350",
}
"""The movement that such a stock posting becomes."""


class Inspections:
    """Inspections of one plant."""

    def __init__(
        self, client: SapClient, settings: SapSettings, lots: InspectionLots, documents: MaterialDocuments
    ) -> None:
        self._client = client
        self._settings = settings
        self._units = Units(settings.units)
        self._zone = ZoneInfo(settings.zone)
        self._lots = lots
        self._documents = documents

    # --- results -----------------------------------------------------------------------------------------------------

    async def find_result(self, intent: PostingIntent, transaction: RecordInspection) -> ErpDocument | None:
        """The value whose text opens with our key, among those of the lot."""
        lot = await self._lots.number_for(transaction)
        rows = await self._client.read_entities(
            INSPECTION_SERVICE, VALUE_SET, {"$filter": f"InspectionLot eq {text_literal(lot)}"}
        )
        key = short_key(intent.key)
        ours = [row for row in rows if text_of(row, "InspectionResultText").upper().startswith(key)]
        return self._result(intent, ours[0]) if ours else None

    async def record(self, intent: PostingIntent, transaction: RecordInspection, guard: SendGuard) -> ErpDocument:
        """The first characteristic's value; the others are postings that follow."""
        lot = await self._lots.number_for(transaction)
        measured = transaction.results[0]
        known = await self._lots.characteristic(lot, measured.characteristic)
        body: dict[str, Any] = {
            "InspectionLot": lot,
            "InspPlanOperationInternalID": text_of(known, "InspPlanOperationInternalID"),
            "InspectionCharacteristic": text_of(known, "InspectionCharacteristic"),
            "InspectionValuationResult": ACCEPTED if measured.passed else REJECTED,
            "InspectionResultText": f"{short_key(intent.key)} {transaction.inspection}"[:TEXT_LENGTH],
        }
        body |= _value(measured) | ({"SerialNumber": transaction.serial} if transaction.serial else {})
        if measured.measured_at is not None:
            day, of_day = local_date_and_time(measured.measured_at, self._zone)
            body |= {"InspectionStartDate": day, "InspectionStartTime": of_day}
        answer = await self._client.call(INSPECTION_SERVICE, VALUE_SET, body=body, guard=guard, intent=intent)
        left_out = tuple(f"its characteristic was not valuated ({warning})" for warning in answer.warnings)
        document = self._result(intent, _booked(answer.payload, VALUE_SET))
        return document.model_copy(update={"warnings": answer.warnings, "incomplete": left_out})

    def _result(self, intent: PostingIntent, row: Entity) -> ErpDocument:
        parts = ("InspectionLot", "InspectionCharacteristic", "InspResultItemInternalID")
        return self._document(intent, "/".join(text_of(row, part) or "0" for part in parts), "inspection_result")

    # --- decision ----------------------------------------------------------------------------------------------------

    async def find_decision(self, intent: PostingIntent, transaction: DecideInspection) -> ErpDocument | None:
        """The lot's decision, where it is the one we want; another one was made by somebody else."""
        lot = await self._lots.of(transaction.inspection_lot)
        if not is_decided(lot):
            return None
        decision = await self._decision(transaction.inspection_lot)
        group, code = decision_code(transaction, self._settings)
        same = text_of(decision, "InspectionLotUsageDecisionCode") == code
        same = same and text_of(decision, "InspLotUsageDecisionCodeGroup") == group
        return self._document(intent, f"UD/{transaction.inspection_lot}", "usage_decision") if same else None

    async def decide(self, intent: PostingIntent, transaction: DecideInspection, guard: SendGuard) -> ErpDocument:
        """Make the usage decision on the lot as it was read (If-Match); a decision that stands is never replaced."""
        lot = await self._lots.of(transaction.inspection_lot)
        if is_decided(lot):
            raise refused(
                f"inspection lot {transaction.inspection_lot} is decided already; look at the decision in SAP",
                "inspection_lot_decided",
            )
        group, code = decision_code(transaction, self._settings)
        accepted = all(part.kind is DispositionKind.ACCEPT for part in transaction.dispositions)
        body = {
            "InspectionLot": transaction.inspection_lot,
            "InspLotUsageDecisionCatalog": DECISION_CATALOG,
            "SelectedCodeSetPlant": self._settings.plant,
            "InspLotUsgeDcsnSelectedSet": self._settings.sap.usage_decision_set,
            "InspLotUsageDecisionCodeGroup": group,
            "InspectionLotUsageDecisionCode": code,
            "InspLotUsageDecisionValuation": ACCEPTED if accepted else REJECTED,
        }
        answer = await self._client.call(
            INSPECTION_SERVICE,
            DECISION_SET,
            body={name: value for name, value in body.items() if value},
            guard=guard,
            intent=intent,
            etag=etag_of(lot),
        )
        _booked(answer.payload, DECISION_SET)
        document = self._document(intent, f"UD/{transaction.inspection_lot}", "usage_decision")
        return document.model_copy(update={"warnings": answer.warnings})

    async def _decision(self, lot: str) -> Entity:
        try:
            return await self._client.read_entity(INSPECTION_SERVICE, DECISION_SET + key_predicate(InspectionLot=lot))
        except SapNotFound:
            return {}

    # --- stock of the lot --------------------------------------------------------------------------------------------

    async def find_posting(self, intent: PostingIntent, transaction: DecideInspection) -> ErpDocument | None:
        return await self._documents.find_by_item_text(intent, transaction.material, transaction.batch)

    async def nameless_postings(self, transaction: DecideInspection) -> list[str]:
        """Stock postings of the same quantity without any text: one of them may be ours that lost it."""
        part = transaction.dispositions[0]
        return await self._documents.nameless(
            transaction.material, transaction.batch, transaction.posting_date.year, MOVEMENTS[part.kind], part.quantity
        )

    async def post_stock(self, intent: PostingIntent, transaction: DecideInspection, guard: SendGuard) -> ErpDocument:
        """One quantity of the lot to its stock type. SAP dates it itself: the service takes no posting date."""
        part = transaction.dispositions[0]
        body = {
            "InspectionLot": transaction.inspection_lot,
            "UsageDecisionStockType": STOCK_TYPES[part.kind],
            "InspLotQtyPosted": quantity_text(part.quantity),
            "MaterialDocumentItemText": f"{short_key(intent.key)} {transaction.inspection}"[:ITEM_TEXT_LENGTH],
        }
        body |= {"StorageLocation": part.storage_location} if part.storage_location else {}
        answer = await self._client.call(INSPECTION_SERVICE, POSTING_SET, body=body, guard=guard, intent=intent)
        try:
            document = number(_booked(answer.payload, POSTING_SET))
        except UnreadableAnswer as error:
            raise ErpInDoubt(f"{POSTING_SET} was answered without its material document: {error}") from error
        return self._document(intent, document, KIND).model_copy(update={"warnings": answer.warnings})

    def _document(self, intent: PostingIntent, document: str, kind: str) -> ErpDocument:
        return ErpDocument(document=document, kind=kind, order=intent.transaction.order, key=intent.key)


def decision_code(transaction: DecideInspection, settings: SapSettings) -> tuple[str, str]:
    """Code group and code: of the transaction's own code, else of its dispositions (`mixed` where they differ)."""
    kinds = {part.kind.value for part in transaction.dispositions}
    word = transaction.code or (next(iter(kinds)) if len(kinds) == 1 else MIXED)
    written = settings.sap.usage_decision_codes.get(word, transaction.code)
    group, slash, code = written.partition("/")
    return (group, code) if slash else ("", group)


def _value(measured: CharacteristicResult) -> Entity:
    """A number as it was measured, anything else as the code of an attribute (GROUP/CODE, or CODE alone)."""
    try:
        value = Decimal(measured.value)
    except InvalidOperation:
        group, slash, code = measured.value.partition("/")
        attribute = code if slash else group
        return ({"CharacteristicAttributeCodeGrp": group} if slash else {}) | {"CharacteristicAttributeCode": attribute}
    return {"InspectionResultMeasuredValue": f"{value:f}"}


def _booked(payload: object, what: str) -> Entity:
    try:
        return entity_of(payload)
    except UnreadableAnswer as error:
        raise ErpInDoubt(f"{what} was answered with a success that cannot be read: {error}") from error
