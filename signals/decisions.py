"""What people tell workflows: updates and their answers. Each names who, why, and the object it is about."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from signals.base import Amount, Code, Message, UtcTime
from signals.documents import CaseAction
from signals.transactions import Bookable


class PostingMode(StrEnum):
    """Design section 5: compute only, post after approval, or post."""

    SHADOW = "shadow"
    APPROVE = "approve"
    POST = "post"


class AssignOrder(Message):
    """Assign an order (operation, batch) to a station of a line from an instant of event time on."""

    decision_id: Code
    equipment: Code
    order: str | None = Field(description="None takes the assignment away")
    operation: str | None = None
    batch: str | None = None
    valid_from: UtcTime
    by: Code


class CompleteOrderRequest(Message):
    """A person says production of the order has ended; remaining operations are confirmed final."""

    decision_id: Code
    by: Code
    reason: str = ""


class CancelOrderRequest(Message):
    """Short close (design section 4): what happened is confirmed as final, nothing more is produced."""

    decision_id: Code
    by: Code
    reason: Code


class ApprovePostings(Message):
    """In mode `approve`: lets the computed postings up to now go out."""

    decision_id: Code
    by: Code
    keys: tuple[str, ...] = Field(default=(), description="empty approves all that wait")


class DecideCase(Message):
    """A person's decision on a case."""

    decision_id: Code
    case_id: Code
    action: CaseAction
    by: Code
    reason: Code
    role: str = Field(default="", description="as what the person decides; the error catalogue says who may")
    quantity: Amount | None = None
    document: str = Field(default="", description="for a posting in doubt: the ERP's document that a person found")
    amended: Bookable | None = Field(default=None, description="for `amend`: what to book instead")


class DecideParked(Message):
    """A person's decision on a parked item: accept counts it, reject does not."""

    decision_id: Code
    item: Code
    accept: bool
    order: str = Field(default="", description="where to count it, for production that had no order")
    operation: str = ""
    by: Code
    reason: Code


class Answer(Message):
    """The answer to a decision; repeated decisions get the first answer again."""

    decision_id: str
    accepted: bool
    message: str = ""
