"""Quality in Oracle: inspection events with results, their disposition, quality issues (reference erp.md 2.5).

Numbers are ours where Oracle lets a client give one, so that a record is found by it and an upsert meets itself.
"""

from __future__ import annotations

from erp.oracle.client import Item, OracleClient
from erp.oracle.failures import OracleStale
from erp.oracle.settings import OracleSettings, Units, sequence_number
from erp.oracle.wire import Row, decimal_text, every, is_equal, number_json, text_of, time_json
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpBusy, ErpRejected, Reason
from signals.ids import short_key
from signals.quality import CharacteristicResult, DispositionKind
from signals.transactions import DecideInspection, PostingIntent, RecordInspection, RecordNonconformance

ISSUES, EVENTS, RESULTS = "qualityIssues", "inspectionEvents", "CharacteristicResults"
PENDING, ACCEPT, REJECT = "PENDING", "ACCEPT", "REJECT"
SOURCE = "ORA_QUALITY"
TRIES = 3
NAME_LENGTH = 240
_SEVERITY = {"low": "ORA_LOW", "medium": "ORA_MEDIUM", "high": "ORA_HIGH"}


class Nonconformances:
    """Quality issues of one organization."""

    def __init__(self, client: OracleClient, settings: OracleSettings) -> None:
        self._client = client
        self._settings = settings
        self._units = Units(settings.units)

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        return Snapshot()

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        """By our number, or by the name that opens with it where Oracle numbers issues itself."""
        t = _issue_of(intent)
        wanted = f"({is_equal('IssueNumber', short_key(intent.key))} or {is_equal('Name', _name(intent, t))})"
        row = await self._client.first(
            ISSUES, {"q": every(is_equal("OrganizationCode", self._settings.plant), wanted), "onlyData": "true"}
        )
        return Booking(document=_document(intent, t, text_of(row, "IssueNumber"))) if row is not None else Booking()

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        t = _issue_of(intent)
        answer = await self._client.create(ISSUES, self._row(intent, t), guard, upsert=True)
        return Booking(document=_document(intent, t, text_of(answer, "IssueNumber") or short_key(intent.key)))

    def _row(self, intent: PostingIntent, t: RecordNonconformance) -> Row:
        choices = self._settings.oracle
        quantity = f"{decimal_text(t.quantity)} {self._units.oracle(t.unit)}"
        parts = (t.defect, quantity, t.batch, ", ".join(t.serials), t.order, t.operation, t.work_centre, t.text)
        row: Row = {
            "IssueNumber": short_key(intent.key),
            "Name": _name(intent, t),
            "Description": " · ".join(part for part in parts if part),
            "QualityTypeCode": choices.quality_type,
            "Severity": _SEVERITY[t.severity],
            "Source": SOURCE,
            "OrganizationCode": self._settings.plant,
            "AffectedObjects": [
                {"ObjectTypeCode": "ITEM", "ObjectName": t.material, "Quantity": number_json(t.quantity)}
            ],
        }
        if choices.quality_workflow:
            row["WorkflowTemplateId"] = int(choices.quality_workflow)
        return row


class Inspections:
    """Inspection events of one organization: results and dispositions."""

    def __init__(self, client: OracleClient, settings: OracleSettings) -> None:
        self._client = client
        self._settings = settings
        self._units = Units(settings.units)

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        return Snapshot()

    # --- results -----------------------------------------------------------------------------------------------------

    async def find_results(self, intent: PostingIntent, before: Snapshot) -> Booking:
        """The event carries our number; one of Oracle's own is found by the results that stand on it."""
        t = intent.transaction
        assert isinstance(t, RecordInspection)
        number = t.inspection_lot or short_key(intent.key)
        event = await self._event(number)
        if event is None:
            return Booking()
        rows = await self._client.children(f"{EVENTS}/{text_of(event, 'InspectionEventId')}", event, RESULTS)
        there = {(text_of(row, "CharacteristicName"), _value_of(row)) for row in rows}
        ours = {(result.characteristic, _normal(result.value)) for result in t.results}
        return Booking(document=_inspected(intent, t, number)) if ours <= there else Booking()

    async def post_results(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        t = intent.transaction
        assert isinstance(t, RecordInspection)
        number = short_key(intent.key)
        if t.inspection_lot:
            number = text_of(await self._known_event(t.inspection_lot), "InspectionEventNumber")
        answer = await self._client.create(EVENTS, self._results(t, number), guard, upsert=True)
        return Booking(document=_inspected(intent, t, text_of(answer, "InspectionEventNumber") or number))

    def _results(self, t: RecordInspection, number: str) -> Row:
        row: Row = {
            "InspectionEventNumber": number,
            "OrganizationCode": self._settings.plant,
            "ItemNumber": t.material,
            RESULTS: [self._result(place, result) for place, result in enumerate(t.results, start=1)],
        }
        if not t.inspection_lot:
            row["EventDisposition"] = PENDING
        optional = {"LotNumber": t.batch, "WorkOrderNumber": t.order}
        row |= {name: value for name, value in optional.items() if value}
        if t.operation:
            row["OperationSequenceNumber"] = sequence_number(t.operation)
        if t.quantity is not None:
            row["InspectedQuantity"] = number_json(t.quantity)
        measured = [result.measured_at for result in t.results if result.measured_at is not None]
        if measured:
            row["InspectionDate"] = time_json(max(measured))
        return row

    def _result(self, place: int, result: CharacteristicResult) -> Row:
        row: Row = {
            "SampleNumber": place,
            "CharacteristicName": result.characteristic,
            "ResultValueChar": result.value,
            "ResultStatus": "PASS" if result.passed else "FAIL",
        }
        return row | ({"UOMCode": self._units.oracle(result.unit)} if result.unit else {})

    # --- disposition -------------------------------------------------------------------------------------------------

    async def find_decision(self, intent: PostingIntent, before: Snapshot) -> Booking:
        t, wanted = _decision_of(intent)
        event = await self._known_event(t.inspection_lot)
        if text_of(event, "EventDisposition") != wanted:
            return Booking()
        return Booking(document=_decided(intent, t, wanted))

    async def post_decision(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        t, wanted = _decision_of(intent)
        for _ in range(TRIES):
            item = await self._event_item(t)
            if text_of(item.row, "EventDisposition") == wanted:
                break
            try:
                await self._client.change(item, {"EventDisposition": wanted}, guard)
                break
            except OracleStale:
                continue
        else:
            raise ErpBusy(f"inspection {t.inspection_lot} changed at each of {TRIES} tries", code="stale")
        return Booking(document=_decided(intent, t, wanted))

    async def _event_item(self, t: DecideInspection) -> Item:
        return await self._client.item(
            f"{EVENTS}/{text_of(await self._known_event(t.inspection_lot), 'InspectionEventId')}"
        )

    async def _known_event(self, number: str) -> Row:
        event = await self._event(number)
        if event is None:
            raise ErpRejected(
                f"Oracle has no inspection event {number}",
                code="inspection_not_found",
                reason=Reason.MASTER_DATA,
            )
        return event

    async def _event(self, number: str) -> Row | None:
        """By its number, or by Oracle's id."""
        name = is_equal("InspectionEventNumber", number)
        wanted = f"({name} or InspectionEventId={number})" if number.isdigit() else name
        condition = every(is_equal("OrganizationCode", self._settings.plant), wanted)
        return await self._client.first(EVENTS, {"q": condition, "expand": RESULTS})


def disposition_of(t: DecideInspection) -> str:
    """An event has one disposition: accepted, or not. Empty where the quantities got different ones."""
    kinds = {disposition.kind for disposition in t.dispositions}
    if kinds == {DispositionKind.ACCEPT}:
        return ACCEPT
    return "" if DispositionKind.ACCEPT in kinds else REJECT


def _decision_of(intent: PostingIntent) -> tuple[DecideInspection, str]:
    assert isinstance(intent.transaction, DecideInspection)
    return intent.transaction, disposition_of(intent.transaction)


def _issue_of(intent: PostingIntent) -> RecordNonconformance:
    assert isinstance(intent.transaction, RecordNonconformance)
    return intent.transaction


def _name(intent: PostingIntent, t: RecordNonconformance) -> str:
    return f"{short_key(intent.key)} {t.nonconformance}"[:NAME_LENGTH]


def _value_of(row: Row) -> str:
    return _normal(text_of(row, "ResultValueChar") or text_of(row, "ResultValueNumber"))


def _normal(value: str) -> str:
    return value.strip()


def _document(intent: PostingIntent, t: RecordNonconformance, number: str) -> ErpDocument:
    return ErpDocument(
        document=number or short_key(intent.key),
        kind="nonconformance",
        order=t.order,
        key=intent.key,
        text=short_key(intent.key),
    )


def _inspected(intent: PostingIntent, t: RecordInspection, number: str) -> ErpDocument:
    return ErpDocument(document=number, kind="inspection", order=t.order, key=intent.key, text=short_key(intent.key))


def _decided(intent: PostingIntent, t: DecideInspection, disposition: str) -> ErpDocument:
    return ErpDocument(
        document=f"{t.inspection_lot[:40]}:{disposition}:{short_key(intent.key)}",
        kind="inspection_decision",
        order=t.order,
        key=intent.key,
        text=short_key(intent.key),
    )
