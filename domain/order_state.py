"""The state a production order's workflow carries: quantities, what waits to be posted, what blocks it.

Constant in size but for reports that wait for the ERP. Mutable on purpose; only `domain.order_book` changes it.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pydantic import Field

from domain.state import State
from signals.base import ZERO, UtcTime
from signals.decisions import Answer, PostingMode, VoidOrder
from signals.documents import Case, Credit
from signals.orders import OrderPhase, ProductionOrder
from signals.reports import ReportBucket
from signals.transactions import PostingIntent


class PendingReport(State):
    """A report that no settled posting has taken yet (its evidence stays in the ledger)."""

    report_id: str
    line: str
    number: int
    bucket: ReportBucket
    yield_quantity: Decimal = ZERO
    scrap_quantity: Decimal = ZERO
    rework_quantity: Decimal = ZERO
    unit: str
    first_at: UtcTime
    last_at: UtcTime
    machine_seconds: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.yield_quantity + self.scrap_quantity + self.rework_quantity


class OperationState(State):
    """One operation's quantities and where its postings stand."""

    operation: str
    reported_yield: Decimal = ZERO
    reported_scrap: Decimal = ZERO
    reported_rework: Decimal = ZERO
    posted_yield: Decimal = ZERO
    posted_scrap: Decimal = ZERO
    posted_rework: Decimal = ZERO
    ended: bool = Field(default=False, description="left its station, and nothing was made for it since")
    ended_at: UtcTime | None = None
    last_at: UtcTime | None = Field(default=None, description="event time of the latest reported piece")
    in_line: int = 0
    second_evidence: str = ""
    final_posted: bool = False
    credit: Credit | None = None
    revision: int = Field(default=0, description="grows when a person's decision changes what a posting must say")
    waiting: PostingIntent | None = Field(
        default=None, description="claimed, but a case or an approval stands before it"
    )
    awaits_approval: bool = False
    last_posting_date: date | None = None
    over_accepted: bool = False
    beyond_predecessor_accepted: bool = False
    evidence_accepted: bool = False

    @property
    def reported_total(self) -> Decimal:
        return self.reported_yield + self.reported_scrap + self.reported_rework

    @property
    def posted_total(self) -> Decimal:
        return self.posted_yield + self.posted_scrap + self.posted_rework


class PendingCheck(State):
    """A posted confirmation whose goods movements are still to be seen in the ERP."""

    intent: PostingIntent
    document: str
    due_at: UtcTime
    give_up_at: UtcTime


class OrderSettings(State):
    """The part of the plant file an order needs."""

    mode: PostingMode = PostingMode.POST
    technical_completion: str = "propose"
    max_quantity: int = 1000
    over_delivery_percent: Decimal = ZERO
    machine_activity: int | None = None
    goods_movement_wait_seconds: int = 60
    erp_attempt_seconds: float = Field(default=60, description="start-to-close of one posting attempt")
    complete_with_holds: bool = Field(default=False, description="an open hold does not stop technical completion")
    lines: tuple[str, ...] = Field(default=(), description="of the plant: any of them may hold pieces of the order")


class OrderState(State):
    """Everything the order's workflow must remember across continue-as-new."""

    plant: str
    order_id: str
    order: ProductionOrder | None = None
    settings: OrderSettings = OrderSettings()
    phase: OrderPhase = OrderPhase.RELEASED
    high_water: dict[str, int] = Field(default_factory=dict, description="by line")
    pending: list[PendingReport] = Field(default_factory=list[PendingReport])
    operations: dict[str, OperationState] = Field(default_factory=dict)
    current: PostingIntent | None = None
    next_try_at: UtcTime | None = None
    erp: str = "up"
    cases: list[Case] = Field(default_factory=list[Case])
    verify: list[PendingCheck] = Field(default_factory=list[PendingCheck])
    approved: list[str] = Field(default_factory=list[str])
    answered: dict[str, Answer] = Field(default_factory=dict)
    complete_requested: bool = False
    cancel_requested: bool = False
    completion_proposed: bool = False
    handing_over: list[str] = Field(default_factory=list[str], description="lines asked to hand over what they hold")
    reload: bool = True
    postings: int = 0
    ask_lines: bool = False
    decided_cases: list[str] = Field(
        default_factory=list[str], description="found here, decided by a person before this state was loaded"
    )
    closing_cases: list[str] = Field(default_factory=list[str], description="settled, still open in the ledger")
    locked: bool = Field(default=False, description="somebody locked the order in the ERP: nothing new is posted")
    erp_changes: list[str] = Field(default_factory=list[str], description="the ERP's latest changes, as sentences")
    reversals: dict[str, str] = Field(default_factory=dict, description="posting key of a reversal -> its case")
    announced: dict[str, str] = Field(
        default_factory=dict, description="case -> posting key: its ErpException was started"
    )
    resuming: list[str] = Field(
        default_factory=list[str], description="postings to be tried again that the order does not draft itself"
    )
    resume_at: UtcTime | None = None
    void: VoidOrder | None = Field(default=None, description="declared void: nothing more is posted")
    void_started: bool = False
    holds: list[str] = Field(default_factory=list[str], description="open quality holds on the order")
    look_at_holds: UtcTime | None = Field(default=None, description="when to ask the ledger for them again")
    voided: bool = Field(default=False, description="everything was taken back, or is a case of its own")
