"""Quality holds: why material is held, what is held, what people decide about it (design section 4, QualityHold).

A hold restricts use, not bookkeeping. Quantities are in the material's unit; times are source times in UTC.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from signals.base import ZERO, Amount, Code, Message, UtcTime
from signals.people import Actor, Signature
from signals.quality import CharacteristicResult
from signals.stock import MaterialPosition


class HoldState(StrEnum):
    """Life of a hold. `blocked` is local and immediate; the ERP follows."""

    BLOCKED = "blocked"
    AWAITS_SECOND = "awaits_second"
    EXECUTING = "executing"
    AWAITS_INSPECTION = "awaits_inspection"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    MERGED = "merged"

    @property
    def is_over(self) -> bool:
        return self in (HoldState.CLOSED, HoldState.WITHDRAWN, HoldState.MERGED)


class HoldCause(StrEnum):
    """What raised a reason."""

    LIMIT = "limit"
    CONSECUTIVE = "consecutive"
    DEFECT_RATE = "defect_rate"
    ALARM = "alarm"
    INSPECTION = "inspection"
    CONFLICT = "conflict"
    NO_SERIAL = "no_serial"
    MANUAL = "manual"


class Measurement(Message):
    """One value that speaks for or against the material, as read. `value` is decimal text."""

    at: UtcTime
    value: str
    lower: str = ""
    upper: str = ""
    unit: str = ""
    passed: bool
    event_id: str = ""
    serial: str = ""


class HoldReason(Message):
    """Why material is held. Each reason is released by its own role; all must be before anything is usable."""

    reason: Code = Field(description="derives from its evidence: the same trouble found twice is one reason")
    cause: HoldCause
    rule: str = Field(default="", description="rule id with its version, for example press-force/1")
    text: str
    characteristic: str = ""
    release_role: str = Field(default="quality engineer", description="whose decision releases this reason")
    severity: int = Field(default=2, ge=1, le=4, description="1 is the most urgent")
    found_at: UtcTime
    evidence: tuple[Measurement, ...] = Field(default=(), description="around the deviation, oldest first; at most 60")


class HoldScope(Message):
    """What is held. What is empty does not restrict; times are of the pieces' making.

    Everything after the last good and up to the first bad check is in it, and what is made until the hold ends the
    deviation (`until` None: still growing).
    """

    plant: Code
    line: str = ""
    station: str = ""
    order: str = ""
    operation: str = ""
    material: str = ""
    batch: str = ""
    serials: tuple[str, ...] = ()
    since: UtcTime | None = Field(default=None, description="time of the last good check")
    until: UtcTime | None = Field(default=None, description="time of the first good check after; None: still open")
    downstream: tuple[str, ...] = Field(default=(), description="orders that use the material already, to be told")


class HoldTrigger(Message):
    """A deviation, result or wish that asks for a hold. The ledger gives it a new hold or adds it to an open one.

    A deviation that goes on, or ends, is told by a trigger that `continues` the first one, with the same reason: its
    scope, quantity and evidence are how things stand, and replace those of the earlier one.
    """

    trigger: Code = Field(description="identity: the same trigger again changes nothing")
    continues: str = Field(default="", description="the deviation's first trigger; empty: this is one")
    scope: HoldScope
    reason: HoldReason
    quantity: Amount = Field(default=ZERO, description="pieces in the scope so far as known")
    unit: str = "PC"
    inspection_lot: str = ""
    storage_location: str = ""
    opened_by: str = Field(default="", description="person or service; empty: Plantwright's own rule")
    at: UtcTime = Field(description="when it was noticed, plant time")


class HoldDispositionKind(StrEnum):
    """What may become of held quantity. Repair does not restore full conformity, rework does."""

    RELEASE = "release"
    REWORK = "rework"
    REPAIR = "repair"
    SCRAP = "scrap"
    RETURN = "return"


class HoldDisposition(Message):
    """A part of the held quantity and what becomes of it."""

    kind: HoldDispositionKind
    quantity: Amount
    serials: tuple[str, ...] = ()
    reason_code: str = Field(default="", description="scrap reason of the plant file, for scrap")


# --- what people do ------------------------------------------------------------------------------------------------


class _Act(Message):
    """Every action: an id that may be repeated, who, and at which revision of the hold it was decided."""

    action_id: Code
    actor: Actor
    comment: str = Field(default="", max_length=2000)


class ClaimHold(_Act):
    """The actor takes the hold on. Claiming restricts nobody."""

    kind: Literal["claim"] = "claim"


class ReassignHold(_Act):
    """Hand the hold to another person."""

    kind: Literal["reassign"] = "reassign"
    to: Code


class CommentHold(_Act):
    """Say something about it; kept in its history."""

    kind: Literal["comment"] = "comment"


class ConfirmSegregation(_Act):
    """The operator has put the material aside: how much, where. Another count than the books' is a case."""

    kind: Literal["segregate"] = "segregate"
    counted: Amount
    location: Code


class DecideHold(_Act):
    """The first decision: dispositions that sum to the held quantity."""

    kind: Literal["decide"] = "decide"
    dispositions: tuple[HoldDisposition, ...] = Field(min_length=1)
    reasons: tuple[str, ...] = Field(default=(), description="which reasons are decided; empty: all the role may")
    signature: Signature | None = None


class CosignHold(_Act):
    """The second decision by another person of another function, agreeing (or not) with the first."""

    kind: Literal["cosign"] = "cosign"
    decision: Code = Field(description="action id of the first decision")
    agree: bool = True
    signature: Signature | None = None


class WithdrawHold(_Act):
    """The hold was opened in error: nothing is wrong with the material."""

    kind: Literal["withdraw"] = "withdraw"
    signature: Signature | None = None


HoldAct = Annotated[
    ClaimHold | ReassignHold | CommentHold | ConfirmSegregation | DecideHold | CosignHold | WithdrawHold,
    Field(discriminator="kind"),
]
"""Update `act` and signal `act_by_signal` of QualityHold carry one of these."""


class HoldAction(Message):
    """The update's argument (Temporal wants one model)."""

    act: HoldAct


class InspectionOutcome(Message):
    """A result on held or to-be-held material. `conflicts` names an earlier result that says otherwise."""

    inspection: Code
    material: Code
    serial: str = ""
    batch: str = ""
    order: str = ""
    operation: str = ""
    passed: bool
    results: tuple[CharacteristicResult, ...] = ()
    source: str = Field(default="", description="file, API client or tag it came from")
    at: UtcTime
    kind: Literal["incoming", "in_process", "first_article", "final"] = "in_process"


# --- what a hold looks like ----------------------------------------------------------------------------------------


class HoldEvent(Message):
    """One entry of a hold's history, in the order in which the workflow took it."""

    number: int = Field(ge=1)
    at: UtcTime
    what: str = Field(description="opened, reason, blocked, erp, claim, comment, segregated, decision, cosigned, …")
    text: str
    by: str = ""
    role: str = ""
    signature: Signature | None = None


class DecisionState(StrEnum):
    """Where a decision stands."""

    AWAITS_SECOND = "awaits_second"
    IN_FORCE = "in_force"
    REJECTED = "rejected"
    LATE = "late"


class HoldDecisionMade(Message):
    """A decision on a hold with all its signatures."""

    decision: Code
    dispositions: tuple[HoldDisposition, ...]
    reasons: tuple[str, ...]
    state: DecisionState
    by: Actor
    at: UtcTime
    needs_second: tuple[str, ...] = Field(default=(), description="roles one of which must sign too; empty: none")
    second: Actor | None = None
    signatures: tuple[Signature, ...] = ()
    executed_at: UtcTime | None = Field(default=None, description="when all that it asks was done; it counts no more")


class HoldPosting(Message):
    """One ERP step of a hold: blocking, releasing, scrapping, as its posting stands."""

    what: str
    key: str
    state: str
    document: str = ""
    quantity: Amount = ZERO
    message: str = ""


class HoldRecord(Message):
    """A hold as its workflow sees it: the ledger's read model, and what the console shows."""

    hold: Code
    plant: Code
    revision: int = Field(default=0, description="grows with every change of the content; signatures name it by hash")
    state: HoldState = HoldState.BLOCKED
    scope: HoldScope
    position: MaterialPosition = MaterialPosition.IN_WORK
    reasons: tuple[HoldReason, ...] = ()
    quantity: Amount = ZERO
    unit: str = "PC"
    inspection_lot: str = ""
    storage_location: str = ""
    opened_by: str = ""
    opened_at: UtcTime
    assigned_to: str = ""
    owner_role: str = "quality engineer"
    escalated_to: tuple[str, ...] = ()
    level: int = 0
    due_at: UtcTime | None = None
    erp: str = Field(default="pending", description="pending, blocked, failed, released, none (nothing in stock)")
    erp_blocked_at: UtcTime | None = None
    segregated: Amount | None = None
    segregated_at: str = ""
    decisions: tuple[HoldDecisionMade, ...] = ()
    inspections: tuple[InspectionOutcome, ...] = ()
    postings: tuple[HoldPosting, ...] = ()
    history: tuple[HoldEvent, ...] = Field(default=(), description="latest last; the ledger keeps all of it")
    merged_into: str = ""
    reopens: str = Field(default="", description="the closed hold of the same scope that this one follows")
    triggers: int | None = Field(default=None, description="how many of the ledger's triggers are in it; None: unsaid")
    closed_at: UtcTime | None = None

    def content(self) -> HoldContent:
        """What a decision is about: what is shown and signed."""
        return HoldContent(
            hold=self.hold,
            plant=self.plant,
            scope=self.scope,
            reasons=self.reasons,
            quantity=self.quantity,
            unit=self.unit,
            position=self.position,
            segregated=self.segregated,
            segregated_at=self.segregated_at,
            inspections=self.inspections,
            decisions=tuple(d for d in self.decisions if d.state is DecisionState.AWAITS_SECOND),
        )


class HoldContent(Message):
    """The part of a hold that a signature covers. A new reason, result or quantity makes an older one stale."""

    hold: Code
    plant: Code
    scope: HoldScope
    reasons: tuple[HoldReason, ...]
    quantity: Amount
    unit: str
    position: MaterialPosition
    segregated: Amount | None = None
    segregated_at: str = ""
    inspections: tuple[InspectionOutcome, ...] = ()
    decisions: tuple[HoldDecisionMade, ...] = ()


class Block(Message):
    """A local block: what the posting procedure asks the ledger right before anything leaves."""

    hold: Code
    scope: HoldScope
    active: bool = True
    separated: bool = Field(
        default=False,
        description="the ERP keeps the held stock apart: stock that names neither batch nor serial is not of it",
    )


class HoldSearch(Message):
    """Which holds to list; what is empty does not restrict."""

    line: str = ""
    order: str = ""
    material: str = ""
    batch: str = ""
    serial: str = ""
    role: str = ""
    assigned_to: str = ""
    open_only: bool = True


class ImpactCard(Message):
    """What a hold, stop or exception costs if nobody does anything (need 4). Unknown figures stay None."""

    order: str = ""
    material: str = ""
    customer: str = ""
    due_at: UtcTime | None = None
    pieces_at_risk: Amount | None = None
    unit: str = "PC"
    money_at_risk: Decimal | None = None
    currency: str = ""
    expected_recovery: UtcTime | None = None
    could_run: tuple[str, ...] = Field(default=(), description="what else the line could make, as sentences")
    choices: tuple[str, ...] = Field(default=(), description="actions with one tap, by name")
