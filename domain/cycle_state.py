"""What judging cycles remembers and answers: rule names, state, accepted pieces, parked drafts (see domain.cycles)."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from domain.context import StationContext
from signals.base import ZERO, Amount, Message, UtcTime
from signals.reports import Evidence, ParkedWhy, Refusal

COMPLETION = "cycle-completion/1"
"""Program end, counter step and active time agree: one piece."""
PROGRAM_END = "program-end/1"
"""A counter step without a program end is no piece."""
COUNTER_AGREES = "counter-agrees/1"
"""A program end without exactly one counter step is no piece."""
CYCLE_TIME = "cycle-time/1"
"""A cycle shorter than its share of the standard time is no piece of this operation."""
PROGRAM_CHANGE = "program-change/1"
"""Active time under another program does not count; a program that is not the operation's makes no piece of it."""
ONE_PER_RUN = "one-per-run/1"
"""A run, and a serial at an operation, is completed once; a second full completion is parked."""
RUN_COMPLETE = "run-complete/1"
"""A run that ended without an accepted completion is parked with its evidence."""
COUNTER_GAP = "counter-gap/1"
"""Counter steps nobody recorded are reported, never counted."""
EVENT_ORDER = "event-order/1"
"""An event older than what has been judged already changes nothing."""


class ProgramEnd(Message):
    """A program end that waits for its counter step."""

    at: UtcTime
    event_id: str
    first_at: UtcTime
    active_seconds: Amount = ZERO
    program: str | None = None


class CounterStep(Message):
    """A counter step that waits for its program end. `active_seconds` is what had been active by then."""

    at: UtcTime
    event_id: str
    from_total: int | None
    to_total: int
    size: int = 1
    active_seconds: Amount = ZERO


class CycleState(Message):
    """What has to be remembered of a station between events. Constant in size."""

    last_at: UtcTime | None = None
    run: str = ""
    run_context: StationContext | None = None
    run_started_at: UtcTime | None = None
    accepted: int = 0
    judged: tuple[Evidence, ...] = Field(default=(), description="what was refused in this run")
    event_digest: str = Field(default="", description="chained hash over the run's program and counter events")
    program: str | None = Field(default=None, description="None: not known, at a start and after a gap")
    active_since: UtcTime | None = None
    active_seconds: Amount = ZERO
    first_active_at: UtcTime | None = None
    seen_active: bool = Field(default=False, description="ACTIVE was seen since the last gap or start of a run")
    end: ProgramEnd | None = None
    step: CounterStep | None = None
    total: int | None = None
    continuous: bool = Field(default=False, description="nothing can have been counted unseen since `total`")
    completed_serials: tuple[str, ...] = ()


class CycleCompleted(Message):
    """One accepted piece."""

    context: StationContext
    at: UtcTime
    first_at: UtcTime
    serial: str
    active_seconds: Amount
    rule: str = COMPLETION
    detail: str
    from_total: int | None = None
    to_total: int | None = None
    event_ids: tuple[str, ...]


class ParkedDraft(Message):
    """What a person has to decide. `identity` derives from the evidence only: the same in every run."""

    why: ParkedWhy
    rule: str
    context: StationContext
    at: UtcTime
    detail: str
    yield_quantity: Amount = Decimal(1)
    identity: tuple[str, ...]
    evidence: tuple[Evidence, ...]


class CycleStep(Message):
    """What one event led to."""

    state: CycleState
    completions: tuple[CycleCompleted, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    parked: tuple[ParkedDraft, ...] = ()
