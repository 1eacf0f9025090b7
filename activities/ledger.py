"""Ledger work for workflows: checkpoints of lines, an order's memory, cases and people's decisions."""

from __future__ import annotations

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.order_state import OrderSettings
from domain.plant import PlantConfig
from ledger.port import LedgerPort, LineCheckpoint, LineRecord, OrderRecord
from signals.base import Code, Message
from signals.decisions import DecideCase, DecideParked, VoidOrder
from signals.documents import SUPERSEDED, Case, Credit, OperationTotals, PostingOutcome, PostingState
from signals.errors import BadInput, ErrorType
from signals.orders import ProductionOrder
from signals.reports import Evidence, LineMessage, ParkedItem, ParkedWhy
from signals.transactions import PostingIntent

CALLS_PER_ATTEMPT = 8
"""An attempt to settle a posting makes at most so many ERP calls, one after the other."""

LOADER = "plantwright"
"""Who settles what an order's start settles by itself."""


class LineRef(Message):
    """A line of a plant."""

    plant: Code
    line: Code


class LineLoaded(Message):
    """The plant file as the worker has it, and the newest checkpoint."""

    plant: PlantConfig
    checkpoint: LineCheckpoint | None = None


class LineRecorded(Message):
    """None when the record was stored; else the newer checkpoint that the Line must adopt."""

    adopt: LineCheckpoint | None = None


class DecideParkedRequest(Message):
    """A decision on a parked item of a plant."""

    plant: Code
    decision: DecideParked


class ParkedDecided(Message):
    """The item with what was decided, or why nothing was."""

    item: ParkedItem | None = None
    refused: str = ""


class OrderRef(Message):
    """An order of a plant."""

    plant: Code
    order: Code


class OrderLoaded(Message):
    """All an order's workflow must not forget, as the ledger has it."""

    order: ProductionOrder | None = None
    phase: str = ""
    settings: OrderSettings
    messages: tuple[LineMessage, ...] = ()
    settled: tuple[str, ...] = ()
    totals: tuple[OperationTotals, ...] = ()
    credits: tuple[Credit, ...] = ()
    cases: tuple[Case, ...] = ()
    finals: tuple[str, ...] = ()
    closed_cases: tuple[Case, ...] = Field(default=(), description="decided: not to be asked again")
    unsettled: tuple[PostingIntent, ...] = Field(default=(), description="claims without an outcome, as claimed")
    void: VoidOrder | None = Field(default=None, description="a person has declared it void")
    holds: tuple[str, ...] = Field(default=(), description="open quality holds on the order")


class OrderHoldsFound(Message):
    """Open quality holds on an order."""

    holds: tuple[str, ...] = ()


class PhaseChange(Message):
    """An order's new phase."""

    plant: Code
    order: Code
    phase: str


class Cases(Message):
    """Cases to note in the ledger."""

    cases: tuple[Case, ...]


class CaseDecision(Message):
    """A decision on a case of an order; a hold's own cases belong to none."""

    plant: Code
    order: str
    decision: DecideCase


class CaseDecided(Message):
    """The ledger's answer: the case with its effect applied, or why not."""

    case: Case | None = None
    refused: str = ""
    credits: tuple[Credit, ...] = ()
    totals: tuple[OperationTotals, ...] = ()
    posting: PostingOutcome | None = Field(default=None, description="the posting the case is about, as it stands now")
    posting_type: str = ""


class CaseRef(Message):
    """A case whose cause has gone."""

    plant: Code
    case_id: Code
    note: str = ""


class LedgerActivities:
    """What workflows may ask of the plant's ledger."""

    def __init__(self, ledger: LedgerPort, plant: PlantConfig) -> None:
        self._ledger = ledger
        self._plant = plant

    # --- lines -------------------------------------------------------------------------------------------
    @activity.defn(name="load_line")
    async def load_line(self, ref: LineRef) -> LineLoaded:
        """The plant file and the line's newest checkpoint. Unknown plants and lines are refused for good."""
        self._check_plant(ref.plant)
        if self._plant.line(ref.line) is None:
            raise _bad_input(f"plant {ref.plant} has no line {ref.line}; its plant file names the lines")
        return LineLoaded(plant=self._plant, checkpoint=await self._ledger.load_line(ref.plant, ref.line))

    @activity.defn(name="record_line")
    async def record_line(self, record: LineRecord) -> LineRecorded:
        """Store a checkpoint with its outbox, parked items and events in one transaction."""
        return LineRecorded(adopt=await self._ledger.record_line(record))

    @activity.defn(name="decide_parked")
    async def decide_parked(self, request: DecideParkedRequest) -> ParkedDecided:
        """Record a decision on a parked item."""
        try:
            item = await self._ledger.decide_parked(request.plant, request.decision)
        except BadInput as error:
            return ParkedDecided(refused=str(error))
        return ParkedDecided(item=item) if item else ParkedDecided(refused=f"no parked item {request.decision.item}")

    # --- orders ------------------------------------------------------------------------------------------
    @activity.defn(name="load_order")
    async def load_order(self, ref: OrderRef) -> OrderLoaded:
        """The order's memory; reports that were parked because it was not running are settled by being loaded."""
        self._check_plant(ref.plant)
        record = await self._ledger.load_order(ref.plant, ref.order)
        await self._settle_parked(ref)
        operations = record.order.operations if record.order else ()
        done = [p for p in record.postings if p.state in _DONE and p.error_code != SUPERSEDED]
        return OrderLoaded(
            order=record.order,
            phase=record.phase,
            settings=self._settings(),
            messages=tuple(without_evidence(m) for m in record.messages),
            settled=tuple(r for p in done for r in p.report_ids),
            totals=record.totals,
            credits=tuple([await self._ledger.credit(ref.plant, ref.order, o.operation) for o in operations]),
            cases=record.open_cases,
            finals=tuple(p.operation for p in done if p.final),
            closed_cases=await self._closed_cases(ref, record),
            unsettled=await self._unsettled(record),
            void=await self._ledger.void_of(ref.plant, ref.order),
            holds=(await self.order_holds(ref)).holds,
        )

    @activity.defn(name="order_holds")
    async def order_holds(self, ref: OrderRef) -> OrderHoldsFound:
        """Holds whose scope names the order."""
        blocks = await self._ledger.blocks(ref.plant, order=ref.order)
        return OrderHoldsFound(holds=tuple(b.hold for b in blocks if b.scope.order == ref.order))

    async def _closed_cases(self, ref: OrderRef, record: OrderRecord) -> tuple[Case, ...]:
        still_open = {c.case_id for c in record.open_cases}
        cases = await self._ledger.cases(ref.plant, order=ref.order, open_only=False)
        return tuple(c for c in cases if c.case_id not in still_open)

    async def _unsettled(self, record: OrderRecord) -> tuple[PostingIntent, ...]:
        found: list[PostingIntent] = []
        for outcome in record.postings:
            posting = None if outcome.state.is_settled else await self._ledger.posting(outcome.key)
            if posting is not None:
                found.append(
                    PostingIntent(
                        key=posting.key,
                        transaction=posting.transaction,
                        report_ids=posting.report_ids,
                        revision=posting.revision,
                    )
                )
        return tuple(found)

    async def _settle_parked(self, ref: OrderRef) -> None:
        for item in await self._ledger.parked(ref.plant, order=ref.order):
            if item.why is ParkedWhy.ORDER_NOT_RUNNING:
                decision = DecideParked(
                    decision_id=f"loaded:{item.item}",
                    item=item.item,
                    accept=True,
                    by=LOADER,
                    reason="the order runs and has loaded its reports",
                )
                await self._ledger.decide_parked(ref.plant, decision)

    @activity.defn(name="set_phase")
    async def set_phase(self, change: PhaseChange) -> None:
        """Note an order's phase."""
        await self._ledger.set_phase(change.plant, change.order, change.phase)

    # --- cases -------------------------------------------------------------------------------------------
    @activity.defn(name="note_cases")
    async def note_cases(self, cases: Cases) -> None:
        """Open cases that the workflow found."""
        for case in cases.cases:
            await self._ledger.open_case(case)

    @activity.defn(name="decide_case")
    async def decide_case(self, request: CaseDecision) -> CaseDecided:
        """Record a decision with its ledger effect; refusals are answers, not failures."""
        decision = request.decision
        try:
            case = await self._ledger.decide_case(request.plant, decision)
        except BadInput as error:
            return CaseDecided(refused=str(error))
        credit = await self._ledger.credit(request.plant, request.order, case.operation)
        posting = await self._ledger.posting(case.posting_key) if case.posting_key is not None else None
        return CaseDecided(
            case=case,
            credits=(credit,),
            totals=await self._ledger.totals(request.plant, request.order),
            posting=posting.outcome() if posting is not None else None,
            posting_type=posting.type.value if posting is not None else "",
        )

    @activity.defn(name="close_case")
    async def close_case(self, ref: CaseRef) -> None:
        """Close a case whose cause has gone."""
        await self._ledger.close_case(ref.plant, ref.case_id, ref.note)

    # --- common ------------------------------------------------------------------------------------------
    def _settings(self) -> OrderSettings:
        posting = self._plant.posting
        return OrderSettings(
            mode=posting.mode,
            technical_completion=posting.technical_completion,
            max_quantity=posting.max_quantity,
            over_delivery_percent=posting.over_delivery_percent,
            machine_activity=self._plant.erp.machine_activity,
            goods_movement_wait_seconds=posting.goods_movement_wait_seconds,
            erp_attempt_seconds=self._plant.erp.timeout_seconds * CALLS_PER_ATTEMPT + 5,
            lines=tuple(line.id for line in self._plant.lines),
            complete_with_holds=self._plant.quality.complete_with_holds,
        )

    def _check_plant(self, plant: str) -> None:
        if plant != self._plant.plant.id:
            raise _bad_input(f"this worker serves plant {self._plant.plant.id}, not {plant}; start it by its own plant")


_DONE = (PostingState.POSTED, PostingState.ADOPTED, PostingState.SHADOW, PostingState.CANCELLED)


def without_evidence(message: LineMessage) -> LineMessage:
    """The message as an order needs it: event ids stay in the ledger, histories stay small."""
    if message.report is None:
        return message
    slim = tuple(Evidence(rule=e.rule, counter=e.counter) for e in message.report.evidence[:1])
    return LineMessage(report=message.report.model_copy(update={"evidence": slim, "ranges": (), "serials": ()}))


def _bad_input(message: str) -> ApplicationError:
    return ApplicationError(message, type=ErrorType.BAD_INPUT.value, non_retryable=True)
