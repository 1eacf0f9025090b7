"""What people tell workflows: updates and their answers. Each names who, why, and the object it is about."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field

from signals.base import Amount, Code, Message, UtcTime
from signals.documents import CaseAction
from signals.people import Actor, Seal
from signals.transactions import Bookable


class PostingMode(StrEnum):
    """Design section 5: compute only, post after approval, or post."""

    SHADOW = "shadow"
    APPROVE = "approve"
    POST = "post"


class Decided(Message):
    """What every decision of a person carries. The workflow believes neither: it asks the ledger, and the seal."""

    actor: Actor | None = Field(default=None, description="who decides, in which role")
    seal: Seal | None = Field(default=None, description="by console, API or command line, for who is signed in there")

    def unsealed(self) -> Self:
        """What is decided: a repeated decision says the same, whenever it was sealed."""
        return self.model_copy(update={"actor": None, "seal": None})


class AssignOrder(Decided):
    """Assign an order (operation, batch) to a station of a line from an instant of event time on."""

    kind: Literal["assign"] = "assign"
    decision_id: Code
    equipment: Code
    order: str | None = Field(description="None takes the assignment away")
    operation: str | None = None
    batch: str | None = None
    valid_from: UtcTime
    by: Code


class CompleteOrderRequest(Decided):
    """A person says production of the order has ended; remaining operations are confirmed final."""

    kind: Literal["complete"] = "complete"
    decision_id: Code
    by: Code
    reason: str = ""


class CancelOrderRequest(Decided):
    """Short close (design section 4): what happened is confirmed as final, nothing more is produced."""

    kind: Literal["cancel"] = "cancel"
    decision_id: Code
    by: Code
    reason: Code


class ApprovePostings(Decided):
    """In mode `approve`: lets the computed postings up to now go out."""

    kind: Literal["approve"] = "approve"
    decision_id: Code
    by: Code
    keys: tuple[str, ...] = Field(default=(), description="empty approves all that wait")


class DecideCase(Decided):
    """A person's decision on a case."""

    kind: Literal["case"] = "case"
    decision_id: Code
    case_id: Code
    action: CaseAction
    by: Code
    reason: Code
    role: str = Field(default="", description="as what the person decides; the error catalogue says who may")
    quantity: Amount | None = None
    document: str = Field(default="", description="for a posting in doubt: the ERP's document that a person found")
    amended: Bookable | None = Field(default=None, description="for `amend`: what to book instead")


class DecideParked(Decided):
    """A person's decision on a parked item: accept counts it, reject does not."""

    kind: Literal["parked"] = "parked"
    decision_id: Code
    item: Code
    accept: bool
    order: str = Field(default="", description="where to count it, for production that had no order")
    operation: str = ""
    by: Code
    reason: Code


class VoidOrder(Decided):
    """A person declares an order void: everything it has booked is taken back, newest first."""

    kind: Literal["void"] = "void"
    decision_id: Code
    by: Code
    role: str = ""
    reason: Code


Decision = (
    AssignOrder | CompleteOrderRequest | CancelOrderRequest | ApprovePostings | VoidOrder | DecideCase | DecideParked
)
"""Everything that a person decides about orders, lines and cases. Acts on holds are `signals.holds.HoldAct`."""

AnyDecision = Annotated[Decision, Field(discriminator="kind")]


def decides_about(plant: str, decision: Decision, place: str = "") -> str:
    """The one thing that a decision is about; `place` is the order or line whose process is told."""
    match decision:
        case DecideCase():
            return f"case:{plant}:{decision.case_id}"
        case DecideParked():
            return f"parked:{plant}:{decision.item}"
        case AssignOrder():
            return f"line:{plant}:{place}"
        case _:
            return f"order:{plant}:{place}"


class Answer(Message):
    """The answer to a decision; repeated decisions get the first answer again."""

    decision_id: str
    accepted: bool
    message: str = ""
