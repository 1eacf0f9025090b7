"""What ERPs answer: documents, totals, and the outcome of a posting as the workflow sees it."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from signals.base import ZERO, Amount, Code, Message, UtcTime
from signals.errors import Reason


class GoodsMovement(Message):
    """One posted goods-movement line of a document."""

    material_document: str = ""
    item: str = ""
    material: str
    movement_type: str
    quantity: Amount
    unit: str
    batch: str = ""
    storage_location: str = ""


class ErpDocument(Message):
    """A document in the ERP's books. `key` is ours, None for what somebody entered by hand."""

    document: Code = Field(description="the ERP's own number, for example 0000000207/00000001")
    kind: str = "confirmation"
    order: str
    operation: str = ""
    yield_quantity: Amount = ZERO
    scrap_quantity: Amount = ZERO
    rework_quantity: Amount = ZERO
    unit: str = ""
    key: UUID | None = None
    text: str = ""
    final: bool = False
    reversed: bool = False
    reversal: bool = False
    entered_by: str = ""
    entered_at: UtcTime | None = None
    goods_movements: tuple[GoodsMovement, ...] = ()
    warnings: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = Field(
        default=(), description="what the ERP did not take over though it booked the rest, as sentences"
    )


class Snapshot(Message):
    """The ERP as it was read right before a request left; finding by arithmetic compares with it.

    `figures` are the adapter's own (name to decimal text), for example issued quantities or on-hand balances.
    `receipt` is what the ERP gave when it accepted a request for later processing, empty where it gave nothing.
    """

    totals: tuple[OperationTotals, ...] = ()
    documents: tuple[str, ...] = ()
    figures: dict[str, str] = Field(default_factory=dict)
    sent_at: UtcTime | None = None
    accepted: bool = Field(default=False, description="the ERP has accepted the request and processes it later")
    receipt: str = ""


class Booking(Message):
    """What the ERP's books say of an intent: it is there, it waits in the ERP's own queue, it was refused there.

    Nothing of that: it is not there now. `unknowable` says why that would prove nothing even when the settle time is
    over; the posting is then in doubt and a person looks. `candidates` are documents that may be it.
    """

    document: ErpDocument | None = None
    pending: bool = False
    receipt: str = ""
    refused: str = Field(default="", description="the ERP's reason, for a request that it accepted and then refused")
    code: str = ""
    reason: Reason = Reason.OTHER
    unknowable: str = ""
    candidates: tuple[str, ...] = ()


class OperationTotals(Message):
    """The ERP's own running totals of an operation."""

    operation: Code
    yield_quantity: Amount = ZERO
    scrap_quantity: Amount | None = None
    rework_quantity: Amount | None = None
    final: bool = False


SUPERSEDED = "superseded"
"""`error_code` of a cancelled posting whose reports belong to a later revision now: they are to be drafted again."""


class PostingState(StrEnum):
    """Life of a posting in the ledger."""

    CLAIMED = "claimed"
    SENT = "sent"
    POSTED = "posted"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    ADOPTED = "adopted"
    SHADOW = "shadow"
    CANCELLED = "cancelled"

    @property
    def is_settled(self) -> bool:
        """True where nothing more will happen without a person."""
        return self not in (PostingState.CLAIMED, PostingState.SENT)


class CaseKind(StrEnum):
    """Classes of cases (docs/errors.md lists owner and runbook of each)."""

    MANUAL_ENTRY = "manual_entry"
    ERP_REJECTED = "erp_rejected"
    ERP_IN_DOUBT = "erp_in_doubt"
    ERP_MISCONFIGURED = "erp_misconfigured"
    GOODS_MOVEMENT_SHORTFALL = "goods_movement_shortfall"
    SECOND_EVIDENCE = "second_evidence"
    TOTALS_DIFFER = "totals_differ"
    BEYOND_TOLERANCE = "beyond_tolerance"
    UNKNOWN_OPERATION = "unknown_operation"
    UNIT_MISMATCH = "unit_mismatch"
    OVERLAPPING_REPORT = "overlapping_report"
    REVERSAL_BY_PERSON = "reversal_by_person"
    ERP_PENDING = "erp_pending"
    ORDER_CHANGE_REFUSED = "order_change_refused"
    PARTLY_BOOKED = "partly_booked"
    HOLD_COUNT_DIFFERS = "hold_count_differs"
    HOLD_BY_HAND = "hold_by_hand"
    HELD_MATERIAL = "held_material"


class CaseAction(StrEnum):
    """What a person may decide; which actions a case allows depends on its kind."""

    ADOPT = "adopt"
    POST = "post"
    REVERSE = "reverse"
    RETRY = "retry"
    SKIP = "skip"
    ACCEPT = "accept"
    AMEND = "amend"
    COMPENSATE = "compensate"


class Case(Message):
    """Something only a person can settle."""

    case_id: Code
    plant: Code
    order: str
    operation: str = ""
    kind: CaseKind
    owner_role: str
    summary: str
    document: str = ""
    posting_key: UUID | None = None
    yield_quantity: Amount = ZERO
    scrap_quantity: Amount = ZERO
    rework_quantity: Amount = ZERO
    unit: str = ""
    error_code: str = ""
    erp_answer: str = ""
    allowed: tuple[CaseAction, ...]
    opened_at: UtcTime | None = None
    error_class: str = Field(default="", description="class of the trouble, see domain.error_catalogue")
    due_at: UtcTime | None = Field(default=None, description="when its owner should have decided")
    completion_only: bool = Field(default=False, description="it blocks the order's completion and nothing else")
    runbook: str = Field(default="", description="what to do, by the error catalogue")
    consequence: str = Field(default="", description="what skipping would leave as it is")
    hold: str = Field(default="", description="the quality hold that takes the decision; empty: order or posting does")


class PostingOutcome(Message):
    """How one posting stands after an attempt to settle it."""

    key: UUID
    operation: str = ""
    state: PostingState
    document: str = ""
    yield_quantity: Amount = ZERO
    scrap_quantity: Amount = ZERO
    rework_quantity: Amount = ZERO
    final: bool = False
    report_ids: tuple[str, ...] = ()
    error_code: str = ""
    message: str = ""
    next_try_at: UtcTime | None = None
    shortfall: tuple[str, ...] = Field(default=(), description="expected goods movements that were not found")


class Credit(Message):
    """Quantity of an operation that somebody entered by hand and a person adopted; later claims use it up."""

    operation: str
    yield_quantity: Amount = ZERO
    scrap_quantity: Amount = ZERO
    rework_quantity: Amount = ZERO
