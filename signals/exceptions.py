"""ERP failures as cases: a case with all that belongs to it, how its workflow stands, orders declared void."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from signals.base import Message, UtcTime
from signals.decisions import DecideCase
from signals.documents import Case, PostingState
from signals.transactions import PostingIntent, Transaction


class Amendment(Message):
    """A posting's payload that a person replaced, kept as it was, with who replaced it and why."""

    key: UUID
    number: int = Field(description="1 is the original payload")
    before: Transaction
    after: Transaction
    case_id: str
    decision_id: str
    by: str
    role: str = ""
    reason: str
    at: UtcTime


class CaseDecisionMade(Message):
    """A decision as the ledger keeps it."""

    decision: DecideCase
    at: UtcTime


class CaseFile(Message):
    """A case with everything that belongs to it."""

    case: Case
    is_open: bool
    action: str = Field(default="", description="the decision in force")
    note: str = ""
    material: str = ""
    level: int = Field(default=0, description="rung of the ladder that was climbed last")
    closed_at: UtcTime | None = None
    transaction: Transaction | None = None
    posting_state: PostingState | None = None
    posting_document: str = ""
    posting_message: str = ""
    attempts: int = 0
    amendments: tuple[Amendment, ...] = ()
    decisions: tuple[CaseDecisionMade, ...] = ()


class CaseSearch(Message):
    """Which cases to list; what is empty does not restrict."""

    order: str = ""
    operation: str = ""
    material: str = ""
    kind: str = ""
    code: str = Field(default="", description="the ERP's code; `*` and `?` are wild")
    error_class: str = ""
    owner: str = Field(default="", description="owner role, or a role it was escalated to")
    posting_key: UUID | None = None
    due_before: UtcTime | None = None
    opened_before: UtcTime | None = None
    open_only: bool = True


class ListedCase(Message):
    """A case in a list: what stands beside it in the ledger, without its history."""

    case: Case
    is_open: bool
    action: str = ""
    material: str = ""
    level: int = 0


class ExceptionStatus(Message):
    """How the ErpException workflow of one posting stands."""

    plant: str
    posting_key: UUID
    order: str = ""
    material: str = ""
    cases: tuple[Case, ...] = ()
    level: int = 0
    next_rung_at: UtcTime | None = None
    posting_state: PostingState | None = None
    posting_document: str = ""
    driving: bool = Field(default=False, description="nobody else settles the posting: this workflow does")
    decided: tuple[str, ...] = Field(default=(), description="ids of decisions that were answered")
    busy: bool = False


class CompensationStatus(Message):
    """How far taking back has come."""

    plant: str
    order: str
    reversed: tuple[str, ...] = Field(default=(), description="documents that stand no more")
    waiting: tuple[str, ...] = Field(default=(), description="documents still to be reversed")
    left: tuple[str, ...] = Field(default=(), description="documents that a person let stand")
    cases: tuple[Case, ...] = ()
    first_pass_done: bool = False
    finished: bool = False


class CompensationPlan(Message):
    """What is to be taken back now, as the ledger has it."""

    reversals: tuple[PostingIntent, ...] = Field(default=(), description="newest booking first")
    unsettled: tuple[UUID, ...] = Field(default=(), description="on their way: first it must be known what they did")
    cases: tuple[Case, ...] = Field(default=(), description="open ones that only a person can settle")
    reversed: tuple[str, ...] = ()
    left: tuple[str, ...] = Field(default=(), description="documents whose reversal a person skipped")
