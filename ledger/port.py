"""What activities ask of the ledger. Every write is an idempotent upsert on a natural key, so it may be repeated.

The claim and the fence (design section 5, steps 1 and 3) live here as transactions, because only the database can
make them exclusive between workers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from pydantic import Field

from ledger.handover_port import HandoverLedger
from ledger.hold_port import HoldLedger
from ledger.inspection_port import InspectionLedger
from ledger.notification_port import NotificationLedger
from ledger.people_port import PeopleLedger
from ledger.stop_port import StopLedger
from signals.base import ZERO, Message, UtcTime
from signals.decisions import DecideCase, DecideParked, VoidOrder
from signals.documents import Case, Credit, ErpDocument, OperationTotals, PostingOutcome, PostingState, Snapshot
from signals.downtime import StopFact
from signals.events import SequencedEvent
from signals.exceptions import Amendment, CaseFile, CaseSearch, ListedCase
from signals.holds import HoldTrigger
from signals.orders import ProductionOrder
from signals.reports import LineMessage, ParkedItem, Refusal
from signals.transactions import Transaction, TransactionType


class LineRecord(Message):
    """One checkpoint of a Line with everything that became known since the one before (transactional outbox)."""

    plant: str
    line: str
    revision: int = Field(description="grows by one per record; an older one than the ledger's is refused")
    checkpoint: str = Field(description="the Line's state as JSON")
    messages: tuple[LineMessage, ...] = ()
    parked: tuple[ParkedItem, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    source: str = ""
    events: tuple[tuple[str, SequencedEvent], ...] = Field(default=(), description="(source, event) needed for lineage")
    holds: tuple[HoldTrigger, ...] = Field(default=(), description="deviations: each blocks its scope with the record")
    stops: tuple[StopFact, ...] = Field(default=(), description="how stops stand at the watermark")


class LineCheckpoint(Message):
    """A stored checkpoint."""

    revision: int
    checkpoint: str


class OrderRecord(Message):
    """All the ledger knows that an order's workflow must not forget."""

    order: ProductionOrder | None = None
    phase: str = ""
    messages: tuple[LineMessage, ...] = Field(default=(), description="from the Lines, by line and number")
    claimed_report_ids: tuple[str, ...] = Field(default=(), description="reports that a posting has taken")
    postings: tuple[PostingOutcome, ...] = Field(default=(), description="unsettled ones and cases' ones first")
    totals: tuple[OperationTotals, ...] = Field(default=(), description="posted or adopted by us, per operation")
    open_cases: tuple[Case, ...] = ()


class PostingRecord(Message):
    """One posting as the ledger holds it."""

    key: UUID
    plant: str
    order: str
    operation: str
    type: TransactionType
    state: PostingState
    transaction: Transaction
    report_ids: tuple[str, ...] = ()
    revision: int = 0
    token: str = ""
    deadline: UtcTime | None = None
    attempts: int = 0
    next_try_at: UtcTime | None = None
    totals_before: tuple[OperationTotals, ...] = ()
    documents_before: tuple[str, ...] = ()
    document: str = ""
    error_code: str = ""
    message: str = ""
    shortfall: tuple[str, ...] = ()
    figures_before: dict[str, str] = Field(default_factory=dict)
    sent_at: UtcTime | None = None
    accepted: bool = Field(default=False, description="the ERP accepted the request and processes it later")
    receipt: str = ""
    rules: tuple[str, ...] = Field(default=(), description="validation rules that it passed, with their versions")
    main_key: UUID | None = Field(default=None, description="of the posting that this one follows up")

    def before(self) -> Snapshot:
        """The ERP as it was read right before the request left."""
        return Snapshot(
            totals=self.totals_before,
            documents=self.documents_before,
            figures=self.figures_before,
            sent_at=self.sent_at,
            accepted=self.accepted,
            receipt=self.receipt,
        )

    def outcome(self) -> PostingOutcome:
        """The same as the workflow sees it."""
        t = self.transaction
        return PostingOutcome(
            key=self.key,
            operation=self.operation,
            state=self.state,
            document=self.document,
            yield_quantity=getattr(t, "yield_quantity", ZERO),
            scrap_quantity=getattr(t, "scrap_quantity", ZERO),
            rework_quantity=getattr(t, "rework_quantity", ZERO),
            final=bool(getattr(t, "final", False)),
            report_ids=self.report_ids,
            error_code=self.error_code,
            message=self.message,
            next_try_at=self.next_try_at,
            shortfall=self.shortfall,
        )


class ClaimResult(Message):
    """Either the claim was made (or had been made with just these reports), or others hold some of the reports."""

    posting: PostingRecord | None = None
    others: tuple[PostingRecord, ...] = ()
    rest: tuple[str, ...] = Field(default=(), description="asked report ids that nobody holds")


class Backlog(Message):
    """What waits for the ERP: claimed or sent postings, and when the oldest was claimed."""

    postings: int = 0
    oldest: UtcTime | None = None


class EventTrace(Message):
    """An event in a trace."""

    source: str
    event: SequencedEvent


class OrderTrace(Message):
    """Lineage of one order: from the machine's events to the ERP's documents and back."""

    order: ProductionOrder | None
    phase: str
    messages: tuple[LineMessage, ...]
    events: tuple[EventTrace, ...]
    postings: tuple[PostingRecord, ...]
    documents: tuple[ErpDocument, ...]
    cases: tuple[Case, ...]
    parked: tuple[ParkedItem, ...]
    amendments: tuple[Amendment, ...] = ()


class LedgerPort(HandoverLedger, HoldLedger, InspectionLedger, NotificationLedger, PeopleLedger, StopLedger, Protocol):
    """The ledger of one or more plants."""

    # --- lines -------------------------------------------------------------------------------------------
    async def record_line(self, record: LineRecord) -> LineCheckpoint | None:
        """Store a checkpoint with its outbox, parked items, events and holds in one transaction.

        Returns None when stored (or stored before, same revision and text), else the newer checkpoint that stands
        in the ledger, which the Line must adopt; nothing of `record` is stored then.
        """
        ...

    async def load_line(self, plant: str, line: str) -> LineCheckpoint | None: ...

    async def park(self, items: tuple[ParkedItem, ...]) -> None: ...

    async def parked(
        self, plant: str, *, order: str = "", line: str = "", open_only: bool = True
    ) -> list[ParkedItem]: ...

    async def decide_parked(self, plant: str, decision: DecideParked) -> ParkedItem | None:
        """Record the decision. Returns the item, None if unknown; a second, different decision raises BadInput."""
        ...

    async def refusals(self, plant: str, *, order: str = "") -> list[Refusal]: ...

    # --- orders ------------------------------------------------------------------------------------------
    async def take_order(self, order: ProductionOrder) -> bool:
        """Take an order in. False when the ledger has it already (its ERP data are refreshed all the same)."""
        ...

    async def set_phase(self, plant: str, order: str, phase: str) -> None: ...

    async def load_order(self, plant: str, order: str) -> OrderRecord: ...

    async def orders(self, plant: str) -> list[OrderRecord]:
        """All orders taken in, without their messages."""
        ...

    # --- postings ----------------------------------------------------------------------------------------
    async def claim(self, record: PostingRecord, credit: Credit | None = None) -> ClaimResult:
        """Claim `record.report_ids` for a posting (unique on report and transaction type), all or none.

        A later revision takes reports over from an earlier one that is only `claimed`.

        `credit` is what this posting takes off an adopted hand entry, in the same transaction.
        """
        ...

    async def posting(self, key: UUID) -> PostingRecord | None: ...

    async def mark_sent(
        self,
        key: UUID,
        *,
        token: str,
        deadline: datetime,
        totals_before: tuple[OperationTotals, ...],
        documents_before: tuple[str, ...],
        figures_before: dict[str, str] | None = None,
        sent_at: datetime | None = None,
        rules: tuple[str, ...] = (),
    ) -> bool:
        """Compare-and-set claimed -> sent. False: it is not `claimed`, or another of the order is `sent`."""
        ...

    async def mark_accepted(self, key: UUID, *, token: str, receipt: str) -> bool:
        """The ERP took the request into its own queue: it stays `sent`, and is never taken for not processed."""
        ...

    async def family(self, key: UUID) -> tuple[PostingRecord, ...]:
        """A posting and its follow-ups, in the order in which they were claimed; empty for an unknown one."""
        ...

    async def sent_posting(self, plant: str, lane: str) -> PostingRecord | None:
        """The posting of an order (or other lane) that is on its way, or None."""
        ...

    async def move_posting_date(self, key: UUID, posting_date: date) -> PostingRecord:
        """A reversal whose period is closed goes to an open one, flagged: refused or claimed -> claimed."""
        ...

    async def change_form(self, key: UUID, transaction: Transaction, *, reason: str) -> PostingRecord | None:
        """Another form of a claimed posting under the same key, by Plantwright; the one before is kept beside it.

        None, and nothing changes, where the posting is not `claimed`.
        """
        ...

    async def form_before(self, key: UUID) -> Transaction | None:
        """The payload before Plantwright changed its form; None where it did not, or a person amended it since."""
        ...

    async def order_data(self, plant: str, order: str) -> ProductionOrder | None:
        """The order as the ERP last told it, alone."""
        ...

    async def mark_not_processed(self, key: UUID, *, token: str, next_try_at: datetime | None, message: str) -> bool:
        """Compare-and-set sent(token) -> claimed: the ERP certainly did not book it."""
        ...

    async def mark_outcome(
        self,
        key: UUID,
        *,
        state: PostingState,
        document: ErpDocument | None = None,
        error_code: str = "",
        message: str = "",
        shortfall: tuple[str, ...] = (),
    ) -> PostingRecord:
        """Settle the posting; a posted one never changes back. The document is stored with its movements."""
        ...

    async def reopen(self, key: UUID) -> PostingRecord:
        """A person decided to try again: refused or in doubt -> claimed."""
        ...

    async def note_retry(self, key: UUID, *, next_try_at: datetime, message: str) -> None: ...

    async def own_documents(self, plant: str, order: str, operation: str = "") -> list[ErpDocument]:
        """Documents of our postings and adopted hand entries."""
        ...

    async def known_keys(self, plant: str, order: str) -> set[UUID]: ...

    async def credit(self, plant: str, order: str, operation: str) -> Credit:
        """What is left of adopted hand entries."""
        ...

    async def totals(self, plant: str, order: str, *, beside: bool = False) -> tuple[OperationTotals, ...]:
        """Posted and adopted by us per operation (reversed documents left out).

        With `beside` also hand entries that a person let stand beside ours: what the ERP must show in all.
        """
        ...

    # --- the ERP's pace ----------------------------------------------------------------------------------
    async def change_pace(self, plant: str, erp: str, change: Callable[[str], str]) -> str:
        """One change of the shared pace in one transaction; an error in `change` changes nothing."""
        ...

    async def pace(self, plant: str, erp: str) -> str: ...

    async def mark(self, plant: str, name: str) -> str:
        """How far the ERP's changes have been read; empty where nobody has yet."""
        ...

    async def set_mark(self, plant: str, name: str, mark: str) -> None:
        """Never backwards."""
        ...

    async def backlog(self, plant: str) -> Backlog:
        """Postings that wait for the ERP."""
        ...

    # --- cases -------------------------------------------------------------------------------------------
    async def open_case(self, case: Case) -> Case:
        """Open a case once; the same case id again changes nothing."""
        ...

    async def cases(self, plant: str, *, order: str = "", open_only: bool = True) -> list[Case]: ...

    async def decide_case(self, plant: str, decision: DecideCase) -> Case:
        """Record a decision and its ledger effect (adopt: the hand entry becomes credit and an own document).

        The same decision again is answered alike; an unknown case or an action it does not allow raises BadInput.
        """
        ...

    async def close_case(self, plant: str, case_id: str, note: str) -> None:
        """Close a case whose cause has gone."""
        ...

    async def find_cases(self, plant: str, search: CaseSearch) -> list[ListedCase]:
        """Cases that fit, oldest first."""
        ...

    async def case_file(self, plant: str, case_id: str) -> CaseFile | None:
        """A case with its posting, its amendments and all decisions on it; None for an unknown one."""
        ...

    async def note_rung(self, plant: str, case_id: str, level: int, roles: Iterable[str]) -> None:
        """A rung of the ladder was climbed: `roles` have the case on their list now. Never goes down."""
        ...

    async def decisions_under(self, plant: str, prefix: str) -> int:
        """How many decisions have an id that begins so: what of a bulk decision was done before."""
        ...

    # --- taking back -------------------------------------------------------------------------------------
    async def order_postings(self, plant: str, order: str) -> list[PostingRecord]:
        """All postings of an order (or other lane), in the order in which they were claimed."""
        ...

    async def give_up_postings(self, plant: str, keys: Collection[UUID], message: str) -> None:
        """Cancel those of the postings that the ERP certainly has not booked, and close their cases."""
        ...

    async def finish_compensation(self, plant: str, case_id: str, message: str) -> None:
        """Everything of the step is taken back: the case's posting is cancelled, the case is closed."""
        ...

    async def declare_void(self, plant: str, order: str, request: VoidOrder) -> VoidOrder:
        """Note that an order is void; the first declaration stands and is returned."""
        ...

    async def void_of(self, plant: str, order: str) -> VoidOrder | None:
        """The declaration, None where the order is not void."""
        ...

    async def close_void_cases(self, plant: str, order: str, message: str) -> None:
        """Close a void order's cases but those about its postings and the ERP's totals."""
        ...

    # --- lineage -----------------------------------------------------------------------------------------
    async def trace(self, plant: str, order: str) -> OrderTrace: ...
