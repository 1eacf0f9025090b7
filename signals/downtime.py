"""Stops of a line: what the machines say of them, what people make of them, what becomes of it (design section 4).

All times are source times in UTC; durations are exact differences of them. A stop belongs to its line's pacing station,
so that a neighbour's stop is not counted twice (first-fault rule, reference ot.md 6.1). No data is not downtime.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from signals.base import Amount, Code, Message, UtcTime
from signals.holds import ImpactCard
from signals.packml import MachineState
from signals.people import Actor, Seal


class TimeClass(StrEnum):
    """What a stretch of a line's time is. The classes of a span sum to it exactly."""

    RUNNING = "running"
    MICRO_STOP = "micro_stop"
    STOP = "stop"
    STARVED = "starved"
    BLOCKED = "blocked"
    SETUP = "setup"
    PLANNED = "planned"
    NO_DATA = "no_data"
    NOT_SCHEDULED = "not_scheduled"


class StopStretch(Message):
    """A part of a stop in which the machines say one thing. Stretches of a stop follow each other without a hole.

    `running` between two stretches of a stop is a re-trip within the merge window: it belongs to the incident and is no
    downtime; `no_data` likewise.
    """

    started_at: UtcTime
    ended_at: UtcTime | None = None
    time_class: TimeClass
    state: MachineState = MachineState.UNKNOWN
    raw: str = Field(default="", description="the machine's own word")
    station: str = Field(default="", description="station at fault; the pacing one where none else was first")
    order: str = ""
    operation: str = ""
    machine_reason: str = Field(default="", description="alarm code, reason tag or state that explains it; as read")
    alarm: str = Field(default="", description="code of the first alarm of the stretch; its patterns decide first")


class StopAlarm(Message):
    """An alarm that was raised during, or right before, a stop."""

    at: UtcTime
    station: str
    code: str
    text: str = ""
    severity: int = 500
    first: bool = Field(default=False, description="the first fault of the incident")


class StopFact(Message):
    """A stop as the machines tell it: a whole snapshot, from the Line, at its watermark.

    The same events give the same facts in whatever order and batches they arrive. A higher `version` replaces a lower
    one. `ended_at` None: it goes on. A fact may re-open what had ended (re-trip within the merge window).
    """

    stop: Code = Field(description="identity by plant, line and start, see signals.ids.stop_id")
    plant: Code
    line: Code
    version: int = Field(ge=1)
    started_at: UtcTime
    ended_at: UtcTime | None = None
    settled: bool | None = Field(
        default=None, description="ended, and no later event can re-open it; None: the Line is one from before"
    )
    as_of: UtcTime = Field(description="the watermark at which this was known")
    micro: bool = Field(default=False, description="under the threshold: counted, nobody is asked")
    stretches: tuple[StopStretch, ...] = Field(min_length=1)
    alarms: tuple[StopAlarm, ...] = Field(default=(), description="first fault first, then the latest; at most 20")
    alarm_count: int = 0
    flood: bool = Field(default=False, description="10 alarms or more within 10 minutes: one incident, marked")
    chatter: bool = Field(default=False, description="one alarm three times or more within a minute")
    retrips: int = 0


class ReasonStatus(StrEnum):
    """Whether a part of a stop is explained. Unknown and Invalid are values of their own, never blanks."""

    CLASSIFIED = "classified"
    UNKNOWN = "unknown"
    INVALID = "invalid"


class ReasonMark(Message):
    """A person, or a rule, says why the line stood for a while. The latest mark of an instant counts."""

    number: int = Field(ge=1)
    started_at: UtcTime
    ended_at: UtcTime | None = None
    reason: Code = Field(description="id in the plant's reason tree")
    by: str = Field(default="", description="person; empty: the plant's rule")
    role: str = ""
    comment: str = ""
    at: UtcTime


class StopPart(Message):
    """A part of a stop with one shift, order, class and reason. The parts of a stop sum to the whole to the second."""

    number: int = Field(ge=1)
    started_at: UtcTime
    ended_at: UtcTime | None = None
    shift: str = Field(description="`2026-11-22/early`, or the bare production day outside any shift")
    order: str = ""
    operation: str = ""
    time_class: TimeClass
    machine_reason: str = ""
    reason: str = Field(default="", description="reason id; empty while unknown")
    reason_text: str = ""
    status: ReasonStatus = ReasonStatus.UNKNOWN
    by: str = ""
    cost_centre: str = ""
    owner_role: str = ""

    @property
    def seconds(self) -> Decimal | None:
        """Length in seconds, exact; None while it goes on."""
        if self.ended_at is None:
            return None
        delta = self.ended_at - self.started_at
        return Decimal(delta.days * 86_400 + delta.seconds) + Decimal(delta.microseconds) / 1_000_000


class StopState(StrEnum):
    """Life of a stop in Plantwright."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ENDED = "ended"
    """The machine runs again; something is still to be said or booked."""
    CLOSED = "closed"
    JOINED = "joined"

    @property
    def is_over(self) -> bool:
        return self in (StopState.CLOSED, StopState.JOINED)


class CapacityState(StrEnum):
    """Where a capacity change stands."""

    NONE = "none"
    PROPOSED = "proposed"
    APPROVED = "approved"
    POSTED = "posted"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


# --- what people do ------------------------------------------------------------------------------------------------


class _Act(Message):
    """Every action: an id that may be repeated, and who."""

    action_id: Code
    actor: Actor
    comment: str = Field(default="", max_length=2000)
    seal: Seal | None = Field(default=None, description="by console, API or command line, for who is signed in there")


class AcknowledgeStop(_Act):
    """The actor takes care of it: the resolution timer starts. It expires by the plant file."""

    kind: Literal["acknowledge"] = "acknowledge"


class ClassifyStop(_Act):
    """Why the line stands: all of it, or one part. Only parts that no person has classified yet."""

    kind: Literal["classify"] = "classify"
    reason: Code
    part: int | None = None


class SplitStop(_Act):
    """Cut a part at an instant; what is after it gets `reason`, or the reason of the part where that is empty."""

    kind: Literal["split"] = "split"
    at: UtcTime
    reason: str = ""


class RecodeStop(_Act):
    """Change what a person has classified; audited, the earlier reason stays in the history."""

    kind: Literal["recode"] = "recode"
    part: int = Field(ge=1)
    reason: Code
    comment: str = Field(min_length=1, max_length=2000)


class ShelveStop(_Act):
    """Nobody is called before an instant; with a reason, and never longer than the plant file allows."""

    kind: Literal["shelve"] = "shelve"
    until: UtcTime
    comment: str = Field(min_length=1, max_length=2000)


class JoinStop(_Act):
    """This stop is part of another one of the line: it ends here and goes on there."""

    kind: Literal["join"] = "join"
    into: Code


class CommentStop(_Act):
    """Say something about it; kept in its history."""

    kind: Literal["comment"] = "comment"


class EstimateRecovery(_Act):
    """When the line is expected to run again. With less capacity until then where planning is to know."""

    kind: Literal["estimate"] = "estimate"
    recovery_at: UtcTime
    available_percent: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(0)


class DecideCapacity(_Act):
    """Approve or refuse the proposed capacity change; `recovery_at` is what was shown."""

    kind: Literal["capacity"] = "capacity"
    approve: bool
    recovery_at: UtcTime | None = None


class DecideReallocation(_Act):
    """Approve or refuse the proposed reallocation. Approving tells people and records; nothing is moved by itself."""

    kind: Literal["reallocate"] = "reallocate"
    approve: bool


class CloseStop(_Act):
    """It is over and explained. Refused while a part is unknown or the machine stands."""

    kind: Literal["close"] = "close"


StopAct = Annotated[
    AcknowledgeStop
    | ClassifyStop
    | SplitStop
    | RecodeStop
    | ShelveStop
    | JoinStop
    | CommentStop
    | EstimateRecovery
    | DecideCapacity
    | DecideReallocation
    | CloseStop,
    Field(discriminator="kind"),
]
"""Update `act` and signal `act_by_signal` of Downtime carry one of these."""


class StopAction(Message):
    """The update's argument (Temporal wants one model)."""

    act: StopAct


# --- what a stop looks like ----------------------------------------------------------------------------------------


class StopEvent(Message):
    """One entry of a stop's history."""

    number: int = Field(ge=1)
    at: UtcTime
    what: str
    text: str
    by: str = ""
    role: str = ""


class LadderRung(Message):
    """One step of the ladder as it stands: when it is due, whom it calls, and whether it has called."""

    level: int = Field(ge=1)
    timer: Literal["response", "resolution", "classification"]
    due_at: UtcTime
    roles: tuple[str, ...]
    users: tuple[str, ...] = Field(default=(), description="who is on call, by the plant's calendar")
    armed_at: UtcTime | None = Field(default=None, description="when its timer began: identity, with level")
    fired_at: UtcTime | None = None


class StopPosting(Message):
    """One ERP step of a stop as its posting stands: maintenance notification, its end, capacity."""

    what: str
    key: str
    state: str
    document: str = ""
    message: str = ""


class Reallocation(Message):
    """What could be done for the customers of a stopped line: order, quantity, where from, who is late otherwise."""

    order: str
    material: str = ""
    quantity: Amount
    unit: str = "PC"
    source: str = Field(description="`stock <storage location>` or `line <work centre>`")
    late_customer: str = ""
    due_at: UtcTime | None = None
    state: Literal["proposed", "approved", "refused"] = "proposed"


class StopRecord(Message):
    """A stop as its workflow sees it: the ledger's read model, and what the stop board shows."""

    stop: Code
    plant: Code
    line: Code
    revision: int = 0
    state: StopState = StopState.OPEN
    fact: StopFact
    parts: tuple[StopPart, ...] = ()
    marks: tuple[ReasonMark, ...] = ()
    assigned_to: str = ""
    acknowledged_at: UtcTime | None = None
    acknowledged_until: UtcTime | None = Field(default=None, description="an acknowledgement expires")
    shelved_until: UtcTime | None = None
    owner_role: str = "maintenance"
    rungs: tuple[LadderRung, ...] = ()
    level: int = 0
    due_at: UtcTime | None = None
    expected_recovery: UtcTime | None = None
    capacity: CapacityState = CapacityState.NONE
    capacity_percent: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(0)
    reallocations: tuple[Reallocation, ...] = ()
    notification: str = Field(default="", description="maintenance notification, work order or request of the ERP")
    postings: tuple[StopPosting, ...] = ()
    impact: ImpactCard = ImpactCard()
    history: tuple[StopEvent, ...] = Field(default=(), description="latest last; the ledger keeps all of it")
    joined_into: str = ""
    closed_at: UtcTime | None = None

    @property
    def is_classified(self) -> bool:
        """No part that is downtime waits for its reason."""
        return all(p.status is ReasonStatus.CLASSIFIED for p in self.parts)


class StopSearch(Message):
    """Which stops to list; what is empty does not restrict. Times are of the stop's start."""

    line: str = ""
    shift: str = ""
    order: str = ""
    reason: str = ""
    unclassified: bool = False
    open_only: bool = True
    micro: bool = False
    since: UtcTime | None = None
    until: UtcTime | None = None
