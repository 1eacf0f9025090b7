"""What goes in and out of settling a posting: one draft in, one result out (design section 5)."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from signals.base import Code, Message, UtcTime
from signals.decisions import PostingMode
from signals.documents import Case, Credit, OperationTotals, PostingOutcome
from signals.transactions import PostingIntent

ErpHealth = Literal["up", "down", "busy"]


class PostingDraft(Message):
    """A posting to settle. `approved` counts in mode `approve` only, and for this posting only."""

    plant: Code
    intent: PostingIntent
    credit: Credit | None = Field(default=None, description="where the intent itself names none")
    mode: PostingMode = PostingMode.POST
    approved: bool = False


class SettleResult(Message):
    """How things stand after an attempt: this posting's outcome, or those of the postings that hold its reports.

    An outcome that is `claimed` without `next_try_at` waits for a person: a case or an approval. A cancelled one
    without report ids was superseded by a later revision: its reports are to be drafted again.
    """

    outcomes: tuple[PostingOutcome, ...] = ()
    rest: tuple[str, ...] = Field(default=(), description="asked report ids that nobody holds: draft them again")
    totals: tuple[OperationTotals, ...] = Field(default=(), description="the ledger's totals of the order, after")
    cases: tuple[Case, ...] = Field(default=(), description="open cases of the posting's operation or order")
    verified: tuple[UUID, ...] = Field(default=(), description="booked, and all goods movements seen: no verify needed")
    next_try_at: UtcTime | None = None
    erp: ErpHealth = "up"


class VerifyRequest(Message):
    """Look again for the goods movements of a booked posting; after the last try a shortfall is a case."""

    plant: Code
    intent: PostingIntent
    document: str = ""
    last_try: bool = False


class VerifyResult(Message):
    """What a read-back of a booked posting showed."""

    outcome: PostingOutcome | None = Field(default=None, description="None where the ledger does not know the posting")
    complete: bool = Field(default=False, description="all expected goods movements are posted, or none is expected")
    case: Case | None = Field(default=None, description="what is missing after the last try")
    next_try_at: UtcTime | None = None
    erp: ErpHealth = "up"
