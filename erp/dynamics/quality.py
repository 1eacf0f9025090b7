"""Inspection results and nonconformances. Not the validation of a quality order, for which no call was found.

Results are read back by what they say; a nonconformance carries our key as its own number.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from erp.dynamics.batch import Call
from erp.dynamics.client import DynamicsClient
from erp.dynamics.failures import DynamicsNotFound
from erp.dynamics.odata import Entity, decimal_of, equal, number, text_of
from erp.dynamics.settings import QUALITY_RESULTS, DynamicsSettings, Units
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, Snapshot
from signals.ids import short_key
from signals.quality import CharacteristicResult, RecordInspection, RecordNonconformance
from signals.transactions import PostingIntent

RESULTS_BEFORE = "results"
TEXT_LENGTH = 60


class Inspections:
    """Results of quality orders."""

    def __init__(self, client: DynamicsClient) -> None:
        self._client = client

    async def snapshot(self, recorded: RecordInspection) -> Snapshot:
        rows = await self._rows(recorded)
        return Snapshot(figures={RESULTS_BEFORE: " ".join(_place(row) for row in rows)})

    async def find(self, intent: PostingIntent, recorded: RecordInspection, before: Snapshot) -> Booking:
        """All our results among those that came since: they went in one change set, so all or none are there."""
        if before.sent_at is None:
            return Booking()
        known = set(before.figures.get(RESULTS_BEFORE, "").split())
        new = [_said(row) for row in await self._rows(recorded) if _place(row) not in known]
        for body in _bodies(recorded):
            if _said(body) not in new:
                return Booking()
            new.remove(_said(body))
        return Booking(document=_document(intent, recorded))

    async def post(self, intent: PostingIntent, recorded: RecordInspection, guard: SendGuard) -> Booking:
        url = self._client.collection(QUALITY_RESULTS)
        calls = [Call("POST", url, self._client.own(body)) for body in _bodies(recorded)]
        await self._client.change_set(calls, f"POST {QUALITY_RESULTS} of {recorded.inspection_lot}", guard)
        return Booking(document=_document(intent, recorded))

    async def _rows(self, recorded: RecordInspection) -> list[Entity]:
        return await self._client.read_entities(QUALITY_RESULTS, equal("QualityOrderNumber", recorded.inspection_lot))


def _bodies(recorded: RecordInspection) -> list[dict[str, Any]]:
    return [_body(recorded, result, position) for position, result in enumerate(recorded.results, 1)]


def _body(recorded: RecordInspection, result: CharacteristicResult, position: int) -> dict[str, Any]:
    """A characteristic may name the test's sequence number: `20/DIAMETER`; else tests count in their order."""
    sequence, slash, test = result.characteristic.partition("/")
    named = slash and sequence.isdigit()
    body: dict[str, Any] = {
        "QualityOrderNumber": recorded.inspection_lot,
        "QualityOrderSequenceNumber": int(sequence) if named else position,
        "QualityTestId": test if named else result.characteristic,
        "TestResult": "Pass" if result.passed else "Fail",
    }
    value = _measured(result.value)
    body |= {"ResultValue": number(value)} if value is not None else {"QualityTestVariableOutcomeId": result.value}
    if recorded.quantity is not None:
        body["ResultInventoryQuantity"] = number(recorded.quantity)
    return body


def _measured(value: str) -> Decimal | None:
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _said(row: Entity) -> tuple[str, ...]:
    """What a result says, in one spelling."""
    return (
        text_of(row, "QualityOrderSequenceNumber"),
        text_of(row, "QualityTestId"),
        text_of(row, "TestResult"),
        f"{decimal_of(row.get('ResultValue')):f}",
        text_of(row, "QualityTestVariableOutcomeId"),
    )


def _place(row: Entity) -> str:
    return f"{text_of(row, 'QualityOrderSequenceNumber')}/{decimal_of(row.get('ResultLineNumber')):f}"


def _document(intent: PostingIntent, recorded: RecordInspection) -> ErpDocument:
    return ErpDocument(
        document=f"RESULTS/{recorded.inspection_lot}/{short_key(intent.key)}",
        kind="inspection",
        order=recorded.order,
        operation=recorded.operation,
        key=intent.key,
    )


class Nonconformances:
    """The nonconformance entity, where the environment makes it public."""

    def __init__(self, client: DynamicsClient, settings: DynamicsSettings) -> None:
        self._client = client
        self._options = settings.dynamics
        self._units = Units(settings.units)

    async def find(self, intent: PostingIntent, told: RecordNonconformance) -> Booking:
        try:
            await self._client.read_entity(
                self._options.nonconformance_entity, InventNonConformanceId=short_key(intent.key)
            )
        except DynamicsNotFound:
            return Booking()
        return Booking(document=self._document(intent, told))

    async def post(self, intent: PostingIntent, told: RecordNonconformance, guard: SendGuard) -> Booking:
        body: dict[str, Any] = {
            "InventNonConformanceId": short_key(intent.key),
            "InventNonConformanceType": "Production" if told.order else "Internal",
            "ItemId": told.material,
            "InventRefId": told.order,
            "InventBatchId": told.batch,
            "TestDefectQty": number(told.quantity),
            "UnitId": self._units.theirs(told.unit),
            "InventTestProblemTypeId": self._options.defect_codes.get(told.defect, told.defect),
            "Description": f"{told.nonconformance} {told.text}".strip()[:TEXT_LENGTH],
        }
        given = {name: value for name, value in body.items() if value != ""}
        await self._client.create(self._options.nonconformance_entity, given, guard)
        return Booking(document=self._document(intent, told))

    def _document(self, intent: PostingIntent, told: RecordNonconformance) -> ErpDocument:
        return ErpDocument(
            document=f"NC/{short_key(intent.key)}",
            kind="nonconformance",
            order=told.order,
            operation=told.operation,
            key=intent.key,
        )
