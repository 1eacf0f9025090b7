"""What a Line remembers for its hold rules: bounded, whatever happens. Part of `domain.line_state`."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from domain.state import State
from signals.base import ZERO, UtcTime
from signals.holds import HoldCause

CheckSeen = tuple[UtcTime, str, bool, str, str]
"""Time, value, whether it passed, event id, serial."""


class Span(State):
    """What was made in one context since the last good check. `since` and `until` are inclusive."""

    number: int = 0
    order: str = ""
    operation: str = ""
    batch: str = ""
    since: UtcTime | None = None
    until: UtcTime | None = None
    pieces: Decimal = Field(default=ZERO, description="good pieces counted")
    bad: int = Field(default=0, description="checks out of spec")
    serials: list[str] = Field(default_factory=list)
    trigger: str = Field(default="", description="that told of it, while its deviation is open")

    @property
    def is_of_use(self) -> bool:
        """Whether anything was made in it."""
        return bool(self.pieces or self.bad)


class BadCheck(State):
    """A bad one among the latest checks of a defect rate."""

    number: int
    since: UtcTime | None = Field(default=None, description="right after the check before")
    pieces: Decimal = Field(default=ZERO, description="good pieces of the span before it")
    span: int = Field(default=0, description="number of the span it fell into")


class Deviation(State):
    """A deviation that has been told and is not over."""

    reason: str
    cause: HoldCause
    text: str
    found_at: UtcTime
    told_at: UtcTime
    checks: list[CheckSeen] = Field(default_factory=list[CheckSeen], description="around it; at most 60")


class RuleState(State):
    """How one rule stands at one station."""

    rule: str = Field(default="", description="id with version; another version starts counting anew")
    spans: list[Span] = Field(default_factory=list[Span], description="oldest first; the last one is the present")
    spanned: int = Field(default=0, description="number of the latest span")
    run: int = Field(default=0, description="bad checks in a row")
    checks: int = Field(default=0, description="checks so far, for the window of a defect rate")
    last_at: UtcTime | None = None
    bad: list[BadCheck] = Field(default_factory=list[BadCheck], description="the bad ones of the window")
    recent: list[CheckSeen] = Field(default_factory=list[CheckSeen], description="latest checks; at most 20")
    alarms: list[str] = Field(default_factory=list, description="what stands, as tag:code")
    open: Deviation | None = None
