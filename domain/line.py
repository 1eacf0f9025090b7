"""What a Line decides: take batches in once, put events in event-time order, turn them into verified production.

Everything is decided at the watermark ("no event before T is still to come"), so three hours of backlog arriving at
once give the same reports as live data. Not for delivering anything: the workflow moves the outbox.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_UP
from typing import NamedTuple, TypeVar

from domain import hold_rules, line_evidence, line_people
from domain.context import apply_context
from domain.line_counting import count, judge_cycle, tally_key
from domain.line_parking import StationEvent, event_item, missing_item, park_event
from domain.line_state import (
    BufferedEvent,
    EvidenceCheck,
    LineState,
    OrderTally,
    SourceState,
    StationState,
    UnseenChange,
)
from domain.plant import CounterRole, LineConfig, PlantConfig, StationConfig, TagConfig
from domain.reporting import close_due, close_station_order, park, send_end
from domain.stop_line import seed, send_facts
from domain.stops import WHOLE_LINE, StopWatch
from signals.decisions import AssignOrder, DecideParked
from signals.downtime import StopFact
from signals.events import (
    AlarmEvent,
    BatchReceipt,
    CountEvent,
    EventBatch,
    GapEvent,
    MeasurementEvent,
    OrderAspect,
    OrderEvent,
    ReasonEvent,
    SequencedEvent,
    StateEvent,
)
from signals.holds import HoldTrigger
from signals.packml import MachineState
from signals.reports import LineMessage, OperationEnd, ParkedItem, ParkedWhy, Refusal

T = TypeVar("T")

ABOUT_STOPS = (StateEvent, AlarmEvent, OrderEvent, ReasonEvent, GapEvent)
"""Events that every line's stops are found in; some measurements say more."""

KEPT_ORDERS = 500
"""Orders whose message numbers a Line remembers; those silent for longest have long been closed."""

KEPT_ANSWERS = 200
"""Decisions whose answers a Line can repeat."""


class News(NamedTuple):
    """What one ledger record takes along."""

    messages: tuple[LineMessage, ...]
    parked: tuple[ParkedItem, ...]
    refusals: tuple[Refusal, ...]
    events: tuple[tuple[str, SequencedEvent], ...]
    holds: tuple[HoldTrigger, ...] = ()
    stops: tuple[StopFact, ...] = ()


def _newest(entries: dict[str, T], keep: int) -> dict[str, T]:
    """The last `keep` entries by insertion."""
    return dict(list(entries.items())[-keep:])


class LineBook:
    """A Line's state with the plant's rules. Deterministic: the same batches give the same outbox."""

    def __init__(
        self, state: LineState, plant: PlantConfig, *, stops: bool = True, alike: bool = True, settling: bool = True
    ) -> None:
        """Without `stops` none are tracked, without `alike` any are merged, without `settling` nobody is told when one
        is over for good: a run goes on by the rules it began by.
        """
        found = plant.line(state.line)
        if found is None:
            raise ValueError(f"plant {plant.plant.id} has no line {state.line}")
        self.state = state
        self.plant = plant
        self.line: LineConfig = found
        self._tags: dict[tuple[str, str], TagConfig] = {(s.id, t.name): t for s in found.stations for t in s.tags}
        self._gaps: list[GapEvent] = []
        self._tracks_stops = stops
        if stops:
            seed(state, found)
        self._stops = StopWatch(state.stops, plant, found, alike=alike, settling=settling)

    # --- taking in ---------------------------------------------------------------------------------------
    def ingest(self, batch: EventBatch) -> BatchReceipt:
        """Apply a batch once. Repeats are dropped; a batch beyond a hole is not applied but asks for the rest."""
        source = self.state.sources.setdefault(batch.source, SourceState())
        if batch.first_seq > source.high_water + 1 and not self._note_missing(batch, source):
            return BatchReceipt(high_water=source.high_water, applied=False)
        fresh = [e for e in batch.events if e.seq > source.high_water]
        for event in fresh:
            self._take(batch, event)
        source.high_water = max(source.high_water, batch.last_seq)
        if batch.watermark is not None and (source.watermark is None or batch.watermark > source.watermark):
            source.watermark = batch.watermark
            self.advance(batch.watermark)
        return BatchReceipt(high_water=source.high_water, applied=True, duplicates=len(batch.events) - len(fresh))

    def _note_missing(self, batch: EventBatch, source: SourceState) -> bool:
        """Record what the sender can never send again; False where it still can, or nothing dates the hole yet."""
        first, last = source.high_water + 1, batch.first_seq - 1
        first_event = batch.events[0].event.at if batch.events else None
        at = batch.watermark or first_event or self.state.watermark or batch.sent_at
        if batch.oldest_seq <= last or at is None:
            return False
        park(self.state, missing_item(self.state, batch.source, first, last, at))
        source.high_water = last
        return True

    def _take(self, batch: EventBatch, sequenced: SequencedEvent) -> None:
        event = sequenced.event
        limit = timedelta(seconds=self.line.future_seconds)
        if batch.sent_at is None or event.at <= batch.sent_at + limit:
            if self._tracks_stops and isinstance(event, GapEvent):
                self._stops.expect(event)
            self.state.buffer.append(BufferedEvent(source=batch.source, event=sequenced))
            return
        why, detail = ParkedWhy.EVENT_FROM_THE_FUTURE, f"dated {event.at}, sent {batch.sent_at}"
        config = self.line.station(event.equipment)
        if config is None:
            park(self.state, event_item(self.state, batch.source, sequenced, why, detail))
        else:
            park_event(self._at(config, batch.source, sequenced), why, detail)

    def advance(self, watermark: datetime) -> None:
        """Apply all events up to the watermark, in event-time order, then close what has ended by then."""
        if self.state.watermark is not None and watermark < self.state.watermark:
            watermark = self.state.watermark
        due = [b for b in self.state.buffer if b.event.event.at <= watermark]
        if due:
            self._gaps = [b.event.event for b in self.state.buffer if isinstance(b.event.event, GapEvent)]
            self.state.buffer = [b for b in self.state.buffer if b.event.event.at > watermark]
            due.sort(key=lambda b: (b.event.event.at, b.source, b.event.seq))
            for buffered in due:
                self._apply(buffered.source, buffered.event)
        self.state.watermark = watermark
        close_due(self.state, watermark)
        if self._tracks_stops:
            self._stops.close_due(watermark)
            send_facts(self.state, self._stops.drain(watermark))

    # --- applying ----------------------------------------------------------------------------------------
    def _at(self, config: StationConfig, source: str, sequenced: SequencedEvent) -> StationEvent:
        return StationEvent(self.state, self.plant, self.line, config, source, sequenced)

    def _apply(self, source: str, sequenced: SequencedEvent) -> None:
        event = sequenced.event
        # Windows end by event time, before whatever happens then: numbers do not depend on how events arrived.
        close_due(self.state, event.at)
        if isinstance(event, GapEvent) and event.equipment in (WHOLE_LINE, self.state.line):
            self.state.new_events.append((source, sequenced))
            for config in self.line.stations:
                self._apply_to(self._at(config, source, sequenced))
            return
        config = self.line.station(event.equipment)
        if config is None:
            why, detail = ParkedWhy.UNKNOWN_OPERATION, f"no station {event.equipment}"
            park(self.state, event_item(self.state, source, sequenced, why, detail))
            return
        if not isinstance(event, MeasurementEvent):
            self.state.new_events.append((source, sequenced))
        self._apply_to(self._at(config, source, sequenced))

    def _apply_to(self, at_station: StationEvent) -> None:
        config, station, event = at_station.config, at_station.station, at_station.event
        if config.cycle is not None:
            judge_cycle(at_station)
        match event:
            case StateEvent():
                if event.state is not station.machine:
                    station.machine, station.machine_since = event.state, event.at
            case GapEvent():
                station.machine, station.machine_since = MachineState.UNKNOWN, event.at
            case CountEvent() if config.cycle is None:
                count(at_station, event, self._tags.get((config.id, event.tag)))
            case OrderEvent(aspect=OrderAspect.ORDER | OrderAspect.OPERATION):
                self._change_order(at_station, event)
            case MeasurementEvent() | AlarmEvent():
                hold_rules.judge(at_station)
            case _:
                pass
        context = apply_context(station.context, event)
        if isinstance(event, OrderEvent):
            hold_rules.change(at_station, context)
        station.context = context
        about_stops = isinstance(event, ABOUT_STOPS) or self._stops.watches(config.id, event.tag)
        if self._tracks_stops and about_stops:
            self._stops.take(config, event, context)

    def _change_order(self, at_station: StationEvent, event: OrderEvent) -> None:
        config, station = at_station.config, at_station.station
        old = station.context
        new = apply_context(old, event)
        if tally_key(old, config) == tally_key(new, config):
            return
        if station.last_count_at is not None and event.at < station.last_count_at:
            detail = (
                f"{event.aspect.value} {event.value!r} from {event.at} came after pieces of {station.last_count_at}"
            )
            park_event(at_station, ParkedWhy.LATE_EVENT, detail)
        close_station_order(self.state, config.id, old.order)
        unseen = self._unseen_change(config, event.at)
        if unseen is not None and old.order and new.order:
            station.unseen_change = unseen
            for key in (tally_key(old, config), tally_key(new, config)):
                station.tallies.setdefault(key, OrderTally()).whole = False
        self._end_operation(config, station, event.at)
        if new.order and self.line.second_evidence and config.cycle is None and new.order != old.order:
            self.state.checks.append(EvidenceCheck(station=config.id, order=new.order))

    def _unseen_change(self, config: StationConfig, at: datetime) -> UnseenChange | None:
        """A change of order inside a gap: counters show what was made in it, but not on which side of the change."""
        for gap in self._gaps:
            concerned = gap.equipment in (WHOLE_LINE, self.state.line, config.id)
            if concerned and gap.gap_from is not None and gap.gap_from < at <= gap.at:
                return UnseenChange(at=at, until=gap.at)
        return None

    def _end_operation(self, config: StationConfig, station: StationState, at: datetime) -> None:
        order, operation = station.context.order, station.context.operation_at(config)
        tally = station.tallies.pop(tally_key(station.context, config), None)
        if not order or not operation or tally is None:
            return
        in_line = tally.infeed - tally.out if self._has_infeed(config) and tally.whole else 0
        end = OperationEnd(
            plant=self.state.plant,
            line=self.state.line,
            number=1,
            order=order,
            operation=operation,
            ended_at=at,
            watermark=max(at, self.state.watermark or at),
            in_line=int(in_line.to_integral_value(rounding=ROUND_UP)) if in_line else 0,
        )
        if self.line.second_evidence and config.cycle is None:
            self.state.checks.append(EvidenceCheck(station=config.id, order=order, end=end))
        else:
            send_end(self.state, end)

    def _has_infeed(self, config: StationConfig) -> bool:
        return any(t.counter is not None and t.counter.role is CounterRole.INFEED for t in config.tags)

    # --- people ------------------------------------------------------------------------------------------
    def hand_over(self, order: str) -> None:
        """Send what was counted for an order so far, and say so behind it."""
        line_people.hand_over(self.state, order)

    def assign(self, wish: AssignOrder) -> None:
        """A person assigns an order to a station from an instant of event time on."""
        self.state.buffer.extend(line_people.assignment_events(wish))
        if self.state.watermark is not None:
            self.advance(self.state.watermark)

    def accept_parked(self, item: ParkedItem, decision: DecideParked, order: str, operation: str) -> None:
        """A person accepted a parked item: it becomes a report with the decision as its evidence."""
        line_people.accept_parked(self.state, self.plant, item, decision, order, operation)

    # --- second evidence ---------------------------------------------------------------------------------
    def settle_checks(self) -> None:
        """Compare second readings whose time the watermark has passed; release the ends that waited for them."""
        line_evidence.settle_checks(self.state, self.line)

    def give_up_check(self, check: EvidenceCheck) -> None:
        """The source did not answer: the end goes out saying so, and the order asks a person before final."""
        line_evidence.give_up(self.state, check)

    # --- ledger ------------------------------------------------------------------------------------------
    def has_news(self) -> bool:
        """Whether anything waits to be recorded."""
        s = self.state
        production = s.new_messages or s.new_parked or s.new_refusals
        return bool(production or s.new_events or s.new_holds or s.new_stops)

    def take_news(self) -> News:
        """Everything to record now, with the checkpoint that stands once it is recorded."""
        s = self.state
        news = News(
            tuple(s.new_messages),
            tuple(s.new_parked),
            tuple(s.new_refusals),
            tuple(s.new_events),
            tuple(s.new_holds),
            tuple(s.new_stops),
        )
        s.new_messages, s.new_parked, s.new_refusals, s.new_events, s.new_holds = [], [], [], [], []
        s.new_stops = []
        s.revision += 1
        s.numbers = _newest(s.numbers, KEPT_ORDERS)
        s.answered = _newest(s.answered, KEPT_ANSWERS)
        return news
