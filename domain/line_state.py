"""The state a Line carries: constant in size, whatever the line makes. Serialised into every checkpoint.

Mutable on purpose: `domain.line` applies hundreds of events a second to it. Nothing outside the Line may hold it.
"""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from domain.context import StationContext
from domain.counters import CounterState
from domain.cycles import CycleState
from domain.hold_state import RuleState
from domain.state import State
from domain.stop_state import StopTracker
from signals.base import ZERO, UtcTime
from signals.decisions import Answer
from signals.downtime import StopFact
from signals.events import SequencedEvent
from signals.handover import ShiftOver
from signals.holds import HoldTrigger
from signals.packml import MachineState
from signals.reports import Evidence, LineMessage, OperationEnd, ParkedItem, Refusal, ReportBucket, SourceRange


class SourceState(State):
    """How far one edge log has been taken in."""

    high_water: int = 0
    watermark: UtcTime | None = None


class BufferedEvent(State):
    """An event that waits for the watermark to pass it."""

    source: str
    event: SequencedEvent


class OpenBucket(State):
    """Verified production of one bucket that has not been handed over yet."""

    station: str
    bucket: ReportBucket
    unit: str
    closes_at: UtcTime = Field(description="event time at which the window ends: cadence or shift end")
    yield_quantity: Decimal = ZERO
    scrap_quantity: Decimal = ZERO
    rework_quantity: Decimal = ZERO
    first_at: UtcTime
    last_at: UtcTime
    machine_seconds: Decimal = ZERO
    serials: list[str] = Field(default_factory=list)
    ranges: dict[str, SourceRange] = Field(default_factory=dict)
    evidence: dict[str, Evidence] = Field(default_factory=dict, description="by rule and counter")
    event_ids: list[str] = Field(default_factory=list)

    @property
    def total(self) -> Decimal:
        return self.yield_quantity + self.scrap_quantity + self.rework_quantity


class OrderTally(State):
    """Pieces of one order that went in and out at a station, since the order came to it."""

    infeed: Decimal = ZERO
    out: Decimal = ZERO
    whole: bool = Field(default=True, description="the order came while the line was watched: in and out must agree")


class UnseenChange(State):
    """An order came to a station while nobody watched: how many pieces were whose is not known before `until`."""

    at: UtcTime
    until: UtcTime


class StationState(State):
    """What is known of a station."""

    context: StationContext = StationContext()
    machine: MachineState = MachineState.UNKNOWN
    machine_since: UtcTime | None = None
    counters: dict[str, CounterState] = Field(default_factory=dict)
    suspected_in: dict[str, StationContext] = Field(
        default_factory=dict, description="by counter: the context that its suspected reading fell into"
    )
    last_count_at: UtcTime | None = None
    unseen_change: UnseenChange | None = None
    cycle: CycleState | None = None
    tallies: dict[str, OrderTally] = Field(default_factory=dict, description="by order, while it is at the station")
    holds: dict[str, RuleState] = Field(default_factory=dict, description="by hold rule")


class EvidenceCheck(State):
    """A second reading of a station's counters that waits for the watermark to pass it."""

    station: str
    order: str
    asked: bool = False
    attempts: int = 0
    readings: dict[str, int] = Field(default_factory=dict, description="counter tag to total")
    read_at: UtcTime | None = None
    end: OperationEnd | None = Field(default=None, description="the end that waits for this check; None at a start")


class LineState(State):
    """Everything the Line must remember."""

    plant: str
    line: str
    revision: int = 0
    sources: dict[str, SourceState] = Field(default_factory=dict)
    watermark: UtcTime | None = None
    buffer: list[BufferedEvent] = Field(default_factory=list[BufferedEvent])
    stations: dict[str, StationState] = Field(default_factory=dict)
    open: list[OpenBucket] = Field(default_factory=list[OpenBucket])
    numbers: dict[str, int] = Field(default_factory=dict, description="last message number by order")
    outbox: list[LineMessage] = Field(
        default_factory=list[LineMessage], description="recorded or to be recorded, not delivered yet"
    )
    checks: list[EvidenceCheck] = Field(default_factory=list[EvidenceCheck])
    answered: dict[str, Answer] = Field(default_factory=dict)
    hold_outbox: list[HoldTrigger] = Field(
        default_factory=list[HoldTrigger], description="recorded or to be recorded, not delivered yet"
    )
    stops: StopTracker = Field(default_factory=StopTracker)
    stop_outbox: list[StopFact] = Field(
        default_factory=list[StopFact], description="recorded or to be recorded, not delivered yet"
    )
    shift_asks: list[ShiftOver] = Field(
        default_factory=list[ShiftOver], description="handovers that wait for the watermark to pass their shift"
    )
    parked_count: int = 0
    # What the next ledger record takes along; empty right after it.
    new_parked: list[ParkedItem] = Field(default_factory=list[ParkedItem])
    new_refusals: list[Refusal] = Field(default_factory=list[Refusal])
    new_holds: list[HoldTrigger] = Field(default_factory=list[HoldTrigger])
    new_stops: list[StopFact] = Field(
        default_factory=list[StopFact], description="of each stop its newest fact; they are the outbox's last ones"
    )
    new_messages: list[LineMessage] = Field(default_factory=list[LineMessage])
    new_events: list[tuple[str, SequencedEvent]] = Field(default_factory=list[tuple[str, SequencedEvent]])

    def station(self, station_id: str) -> StationState:
        """The station's state, made on first use."""
        return self.stations.setdefault(station_id, StationState())
