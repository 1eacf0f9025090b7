"""Shift handover: what one crew leaves to the next, acknowledged by the incoming supervisor (design section 4).

Figures of a shift are of event time. What was not known when the report was made is named in it, never guessed.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field

from signals.base import ZERO, Amount, Code, Message, UtcTime
from signals.downtime import LadderRung, StopPart, TimeClass
from signals.people import Actor, Seal

# --- between the handover's process and the Lines -----------------------------------------------------------------


class ShiftOver(Message):
    """A handover asks a Line: answer once your watermark has passed the shift's end and all of the shift is recorded.

    `at_once`: answer now as well, with what has been counted so far handed over; the question itself stays.
    """

    shift: str
    ends_at: UtcTime
    reply_to: str = Field(description="id of the handover's workflow")
    at_once: bool = False


class LineHandedOver(Message):
    """The Line's answer: the ledger has everything of the shift up to its watermark, and orders were told."""

    line: Code
    shift: str
    watermark: UtcTime | None = None
    final: bool = Field(description="the watermark has passed the shift's end: nothing of it is still to come")


# --- the report ----------------------------------------------------------------------------------------------------


class MadePieces(Message):
    """What a line made for one operation of one order in the shift, by its reports."""

    order: str
    operation: str
    material: str = ""
    good: Amount = ZERO
    scrap: Amount = ZERO
    rework: Amount = ZERO
    unit: str = "PC"
    at_pacing: bool = Field(default=False, description="counted at the station by which the line is judged")
    standard_seconds: Amount | None = Field(default=None, description="per piece, from the routing")


class OeeFigures(Message):
    """ISO 22400-2 with what the figures are made of. None: nothing to divide by, or no standard in the routing."""

    apt: Decimal
    pbt: Decimal
    produced: Decimal
    good: Decimal
    planned_seconds: Decimal
    availability: Decimal | None = None
    effectiveness: Decimal | None = None
    quality: Decimal | None = None
    oee: Decimal | None = None


class ShiftStop(Message):
    """A stop with its parts on both sides of the boundary; times of parts are cut at it."""

    stop: Code
    line: Code
    state: str
    started_at: UtcTime
    ended_at: UtcTime | None = Field(default=None, description="None: it goes on into the next shift")
    seconds: Decimal = Field(description="of downtime within the shift")
    parts: tuple[StopPart, ...] = Field(default=(), description="within the shift")
    continues_as: StopPart | None = Field(default=None, description="the part behind the boundary, for the next crew")
    reason: str = ""
    owner: str = ""
    due_at: UtcTime | None = None
    rungs: tuple[LadderRung, ...] = ()
    notification: str = ""


class LineShift(Message):
    """One line's shift. `seconds` by class sum to the shift's length exactly."""

    line: Code
    name: str = ""
    final: bool = True
    watermark: UtcTime | None = None
    seconds: dict[TimeClass, Decimal] = Field(default_factory=dict[TimeClass, Decimal])
    down_without_order: Decimal = ZERO
    oee: OeeFigures
    pieces: tuple[MadePieces, ...] = ()
    stops: int = 0
    micro_stops: int = 0
    micro_seconds: Decimal = ZERO


class OpenItem(Message):
    """Something that waits for somebody: a hold, an exception, a parked item."""

    kind: Literal["hold", "exception", "parked"]
    id: str
    text: str
    line: str = ""
    lines: tuple[str, ...] = Field(default=(), description="of its order; empty: the plant as a whole")
    order: str = ""
    owner: str = ""
    due_at: UtcTime | None = None
    since: UtcTime | None = None


class RunningOrder(Message):
    """An order at work: what the machines counted, what was taken into postings, what the ERP's documents say."""

    order: str
    operation: str
    lines: tuple[str, ...] = ()
    phase: str = ""
    material: str = ""
    planned: Amount = ZERO
    unit: str = "PC"
    machine_good: Amount = ZERO
    machine_scrap: Amount = ZERO
    mes_good: Amount = ZERO
    mes_scrap: Amount = ZERO
    erp_good: Amount = ZERO
    erp_scrap: Amount = ZERO


class NotFinal(Message):
    """A line whose figures may still change."""

    line: Code
    why: Literal["behind", "silent", "no_process"]
    seen_to: UtcTime | None = None


class HandoverState(StrEnum):
    """Life of a handover."""

    WAITING = "waiting"
    """Made, and not acknowledged yet."""
    ACKNOWLEDGED = "acknowledged"
    LAPSED = "lapsed"
    """The next shift ended without an acknowledgement; it can still be given."""

    @property
    def is_over(self) -> bool:
        return self is not HandoverState.WAITING


class HandoverReport(Message):
    """What one crew leaves to the next. A higher `revision` has later figures; an acknowledged one never changes."""

    plant: Code
    shift: str = Field(description="`2026-11-22/early`")
    starts_at: UtcTime
    ends_at: UtcTime
    next_shift: str
    called: tuple[str, ...] = Field(default=(), description="supervisors on call in the incoming shift")
    acknowledge_by: UtcTime = Field(description="end of the incoming crew's shift; reminders stop then")
    made_at: UtcTime
    revision: int = 1
    lines: tuple[LineShift, ...] = ()
    stops: tuple[ShiftStop, ...] = Field(default=(), description="of the shift that go on or wait for somebody")
    open_items: tuple[OpenItem, ...] = ()
    orders: tuple[RunningOrder, ...] = ()
    not_final: tuple[NotFinal, ...] = ()
    crossings: tuple[str, ...] = Field(default=(), description="reports or postings that cross the boundary: none")
    unacknowledged: tuple[str, ...] = Field(default=(), description="earlier shifts that nobody has taken over")
    left_out: int = Field(default=0, description="open items beyond those listed")
    state: HandoverState = HandoverState.WAITING
    acknowledged_by: str = ""
    acknowledged_name: str = ""
    acknowledged_role: str = ""
    acknowledged_at: UtcTime | None = None
    acknowledgement: str = Field(default="", description="id of the act that acknowledged it")
    comment: str = ""

    @property
    def day(self) -> str:
        return self.shift.partition("/")[0]

    @property
    def name(self) -> str:
        return self.shift.partition("/")[2]


class HandoverSearch(Message):
    """Which handovers to list; what is empty does not restrict. The latest come first."""

    open_only: bool = False
    since: UtcTime | None = None
    until: UtcTime | None = None
    limit: int = Field(default=100, ge=1, le=1000)


# --- what people do ------------------------------------------------------------------------------------------------


class AcknowledgeHandover(Message):
    """The incoming supervisor has read it and takes over. The same action id again is answered alike."""

    kind: Literal["take over"] = "take over"
    action_id: Code
    actor: Actor
    comment: str = Field(default="", max_length=2000)
    seal: Seal | None = Field(default=None, description="by console, API or command line, for who is signed in there")
