"""What a Line decides: take batches in once, put events in event-time order, turn them into verified production.

Everything is decided at the watermark ("no event before T is still to come"), so three hours of backlog arriving at
once give the same reports as live data. Not for delivering anything: the workflow moves the outbox.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar

from domain import cycles
from domain.context import apply_context
from domain.counters import RULE, CounterState, CountVerdict, read_counter
from domain.line_state import BufferedEvent, EvidenceCheck, LineState, OrderTally, SourceState, StationState
from domain.plant import CounterConfig, CounterRole, LineConfig, PlantConfig, StationConfig, TagConfig
from domain.reporting import (
    Pieces,
    add_pieces,
    close_due,
    close_order,
    close_station_order,
    next_number,
    park,
    send,
    send_end,
)
from domain.shifts import production_day, shift_at
from signals.decisions import AssignOrder, DecideParked
from signals.events import (
    BatchReceipt,
    CountEvent,
    EventBatch,
    GapEvent,
    MachineEvent,
    MeasurementEvent,
    OrderAspect,
    OrderEvent,
    Quality,
    SequencedEvent,
    StateEvent,
)
from signals.ids import parked_item_id, report_id, short_hash
from signals.packml import MachineState
from signals.reports import (
    Evidence,
    HandOver,
    LineMessage,
    OperationEnd,
    ParkedItem,
    ParkedWhy,
    ProductionReport,
    Refusal,
    ReportBucket,
    SourceRange,
)

T = TypeVar("T")

WHOLE_LINE = "*"
"""Equipment name of events that concern every station (a lost session)."""


KEPT_ORDERS = 500
"""Orders whose message numbers a Line remembers; older ones have long been closed."""

KEPT_ANSWERS = 200
"""Decisions whose answers a Line can repeat."""


class News(NamedTuple):
    """What one ledger record takes along."""

    messages: tuple[LineMessage, ...]
    parked: tuple[ParkedItem, ...]
    refusals: tuple[Refusal, ...]
    events: tuple[tuple[str, SequencedEvent], ...]


def _newest(entries: dict[str, T], keep: int) -> dict[str, T]:
    """The last `keep` entries by insertion."""
    return dict(list(entries.items())[-keep:])


class LineBook:
    """A Line's state with the plant's rules. Deterministic: the same batches give the same outbox."""

    def __init__(self, state: LineState, plant: PlantConfig) -> None:
        found = plant.line(state.line)
        if found is None:
            raise ValueError(f"plant {plant.plant.id} has no line {state.line}")
        self.state = state
        self.plant = plant
        self.line: LineConfig = found
        self._tags: dict[tuple[str, str], TagConfig] = {(s.id, t.name): t for s in found.stations for t in s.tags}

    # --- taking in ---------------------------------------------------------------------------------------
    def ingest(self, batch: EventBatch) -> BatchReceipt:
        """Apply a batch once. Repeats are dropped; a batch beyond a hole is not applied but asks for the rest."""
        source = self.state.sources.setdefault(batch.source, SourceState())
        if batch.first_seq > source.high_water + 1:
            if batch.oldest_seq <= source.high_water + 1:
                return BatchReceipt(high_water=source.high_water, applied=False)
            self._note_missing(batch, source)
        fresh = [e for e in batch.events if e.seq > source.high_water]
        for event in fresh:
            self._take(batch, event)
        source.high_water = max(source.high_water, batch.last_seq)
        if batch.watermark is not None and (source.watermark is None or batch.watermark > source.watermark):
            source.watermark = batch.watermark
            self.advance(batch.watermark)
        return BatchReceipt(high_water=source.high_water, applied=True, duplicates=len(batch.events) - len(fresh))

    def _note_missing(self, batch: EventBatch, source: SourceState) -> None:
        first, last = source.high_water + 1, batch.first_seq - 1
        at = batch.watermark or (batch.events[0].event.at if batch.events else None) or self.state.watermark
        if at is not None:
            park(
                self.state,
                ParkedItem(
                    item=parked_item_id(self.state.plant, "gap", batch.source, str(first), str(last)),
                    plant=self.state.plant,
                    line=self.state.line,
                    why=ParkedWhy.GAP,
                    detail=f"the edge log no longer holds events {first} to {last}; counters show what they counted",
                    at=at,
                    ranges=(SourceRange(source=batch.source, first_seq=first, last_seq=last),),
                ),
            )
        source.high_water = last

    def _take(self, batch: EventBatch, sequenced: SequencedEvent) -> None:
        event = sequenced.event
        limit = timedelta(seconds=self.line.future_seconds)
        if batch.sent_at is not None and event.at > batch.sent_at + limit:
            self._park_event(
                batch.source, sequenced, ParkedWhy.EVENT_FROM_THE_FUTURE, f"dated {event.at}, sent {batch.sent_at}"
            )
            return
        self.state.buffer.append(BufferedEvent(source=batch.source, event=sequenced))

    def advance(self, watermark: datetime) -> None:
        """Apply all events up to the watermark, in event-time order, then close what has ended by then."""
        if self.state.watermark is not None and watermark < self.state.watermark:
            watermark = self.state.watermark
        due = [b for b in self.state.buffer if b.event.event.at <= watermark]
        if due:
            self.state.buffer = [b for b in self.state.buffer if b.event.event.at > watermark]
            due.sort(key=lambda b: (b.event.event.at, b.source, b.event.seq))
            for buffered in due:
                self._apply(buffered.source, buffered.event)
        self.state.watermark = watermark
        close_due(self.state, watermark)

    # --- applying ----------------------------------------------------------------------------------------
    def _apply(self, source: str, sequenced: SequencedEvent) -> None:
        event = sequenced.event
        if isinstance(event, GapEvent) and event.equipment in (WHOLE_LINE, self.state.line):
            self.state.new_events.append((source, sequenced))
            for config in self.line.stations:
                self._apply_to(config, source, sequenced)
            return
        config = self.line.station(event.equipment)
        if config is None:
            self._park_event(source, sequenced, ParkedWhy.UNKNOWN_OPERATION, f"no station {event.equipment}")
            return
        if not isinstance(event, MeasurementEvent):
            self.state.new_events.append((source, sequenced))
        self._apply_to(config, source, sequenced)

    def _apply_to(self, config: StationConfig, source: str, sequenced: SequencedEvent) -> None:
        event = sequenced.event
        station = self.state.station(config.id)
        if config.cycle is not None:
            self._judge_cycle(config, station, source, sequenced)
        match event:
            case StateEvent():
                if event.state is not station.machine:
                    station.machine, station.machine_since = event.state, event.at
            case GapEvent():
                station.machine, station.machine_since = MachineState.UNKNOWN, event.at
            case CountEvent() if config.cycle is None:
                self._count(config, station, source, sequenced, event)
            case OrderEvent(aspect=OrderAspect.ORDER | OrderAspect.OPERATION):
                self._change_order(config, station, source, sequenced, event)
            case _:
                pass
        station.context = apply_context(station.context, event)

    def _change_order(
        self, config: StationConfig, station: StationState, source: str, sequenced: SequencedEvent, event: OrderEvent
    ) -> None:
        old = station.context
        new = apply_context(old, event)
        if (new.order, new.operation_at(config)) == (old.order, old.operation_at(config)):
            return
        if station.last_count_at is not None and event.at < station.last_count_at:
            detail = (
                f"{event.aspect.value} {event.value!r} from {event.at} came after pieces of {station.last_count_at}"
            )
            self._park_event(source, sequenced, ParkedWhy.LATE_EVENT, detail)
        close_station_order(self.state, config.id, old.order)
        self._end_operation(config, station, old.order, old.operation_at(config), event.at)
        if new.order and self.line.second_evidence and config.cycle is None and new.order != old.order:
            self.state.checks.append(EvidenceCheck(station=config.id, order=new.order))

    def _end_operation(
        self, config: StationConfig, station: StationState, order: str, operation: str, at: datetime
    ) -> None:
        tally = station.tallies.pop(f"{order}|{operation}", None)
        if not order or not operation or tally is None:
            return
        end = OperationEnd(
            plant=self.state.plant,
            line=self.state.line,
            number=1,
            order=order,
            operation=operation,
            ended_at=at,
            watermark=max(at, self.state.watermark or at),
            in_line=tally.infeed - tally.out if self._has_infeed(config) else 0,
        )
        if self.line.second_evidence and config.cycle is None:
            self.state.checks.append(EvidenceCheck(station=config.id, order=order, end=end))
        else:
            send_end(self.state, end)

    def _has_infeed(self, config: StationConfig) -> bool:
        return any(t.counter is not None and t.counter.role is CounterRole.INFEED for t in config.tags)

    def _count(
        self,
        config: StationConfig,
        station: StationState,
        source: str,
        sequenced: SequencedEvent,
        event: CountEvent,
    ) -> None:
        tag = self._tags.get((config.id, event.tag))
        if tag is None or tag.counter is None:
            self._park_event(source, sequenced, ParkedWhy.UNKNOWN_OPERATION, f"tag {event.tag} is no counter here")
            return
        if event.quality is Quality.BAD:
            self._park_event(
                source, sequenced, ParkedWhy.BAD_QUALITY, f"{event.tag} read {event.total} with bad quality"
            )
            return
        before = station.counters.get(event.tag)
        after, step = read_counter(before or CounterState(), tag.counter, event.total, event.at)
        station.counters[event.tag] = after
        if step.doubtful:
            why = ParkedWhy.COUNTER_RESET if step.verdict is CountVerdict.RESET else ParkedWhy.IMPLAUSIBLE_COUNT
            self._park_event(
                source,
                sequenced,
                why,
                f"{event.tag}: {step.detail}",
                pieces=step.doubtful,
                counter=tag.counter,
                from_total=step.from_total,
            )
        elif step.verdict in (CountVerdict.SUSPECT, CountVerdict.GLITCH):
            detail = f"{event.tag} read {event.total} after {step.from_total}: {step.detail}"
            self._park_event(source, sequenced, ParkedWhy.IMPLAUSIBLE_COUNT, detail)
        if step.counted:
            station.last_count_at = event.at
            self._book(config, station, source, sequenced, tag, tag.counter, step.counted, step.from_total)

    def _book(
        self,
        config: StationConfig,
        station: StationState,
        source: str,
        sequenced: SequencedEvent,
        tag: TagConfig,
        counter: CounterConfig,
        counts: int,
        from_total: int | None,
    ) -> None:
        context, event = station.context, sequenced.event
        tally = station.tallies.setdefault(f"{context.order}|{context.operation_at(config)}", OrderTally())
        pieces = counts * counter.per_count
        if counter.role is CounterRole.INFEED:
            tally.infeed += counts
            return
        if counter.role is CounterRole.CYCLE:
            return
        tally.out += counts
        good = counter.role is CounterRole.GOOD
        add_pieces(
            self.state,
            self.plant,
            self.line,
            config,
            context,
            Pieces(
                at=event.at,
                source=source,
                seq=sequenced.seq,
                event_id=event.event_id,
                rule=RULE,
                counter=f"{config.id}.{tag.name}",
                unit=counter.unit,
                good=Decimal(pieces) if good else Decimal(0),
                scrap=Decimal(0) if good else Decimal(pieces),
                from_total=from_total,
                to_total=event.total if isinstance(event, CountEvent) else None,
                serial=context.serial if good and counts == 1 else "",
            ),
        )

    def _judge_cycle(
        self, config: StationConfig, station: StationState, source: str, sequenced: SequencedEvent
    ) -> None:
        assert config.cycle is not None
        event = sequenced.event
        result = cycles.step(station.cycle or cycles.CycleState(), config.cycle, station.context, event)
        station.cycle = result.state
        for done in result.completions:
            station.last_count_at = done.at
            context = done.context
            operation = context.operation_at(config)
            station.tallies.setdefault(f"{context.order}|{operation}", OrderTally()).out += 1
            add_pieces(
                self.state,
                self.plant,
                self.line,
                config,
                context,
                Pieces(
                    at=done.at,
                    source=source,
                    seq=sequenced.seq,
                    event_id=event.event_id,
                    rule=done.rule,
                    counter=f"{config.id}.cycle",
                    unit=config.cycle.unit,
                    good=Decimal(1),
                    serial=done.serial,
                    detail=done.detail,
                    machine_seconds=done.active_seconds,
                    first_at=done.first_at,
                    event_ids=done.event_ids,
                ),
            )
        self.state.new_refusals.extend(result.refusals)
        for draft in result.parked:
            park(
                self.state,
                ParkedItem(
                    item=parked_item_id(self.state.plant, draft.why.value, *draft.identity),
                    plant=self.state.plant,
                    line=self.state.line,
                    order=draft.context.order,
                    operation=draft.context.operation_at(config),
                    why=draft.why,
                    detail=draft.detail,
                    at=draft.at,
                    yield_quantity=draft.yield_quantity,
                    unit=config.cycle.unit,
                    batch=draft.context.batch,
                    serial=draft.context.serial,
                    evidence=draft.evidence,
                    ranges=(SourceRange(source=source, first_seq=sequenced.seq, last_seq=sequenced.seq),),
                ),
            )

    def _park_event(
        self,
        source: str,
        sequenced: SequencedEvent,
        why: ParkedWhy,
        detail: str,
        *,
        pieces: int = 0,
        counter: CounterConfig | None = None,
        from_total: int | None = None,
    ) -> None:
        event = sequenced.event
        config = self.line.station(event.equipment)
        context = self.state.station(event.equipment).context if config else None
        amount = Decimal(pieces) * (counter.per_count if counter else Decimal(1))
        scrap = counter is not None and counter.role is CounterRole.REJECT
        counts = counter is not None and counter.role in (CounterRole.GOOD, CounterRole.REJECT)
        park(
            self.state,
            ParkedItem(
                item=parked_item_id(self.state.plant, why.value, event.event_id),
                plant=self.state.plant,
                line=self.state.line,
                order=context.order if context else "",
                operation=context.operation_at(config) if context and config else "",
                why=why,
                detail=detail,
                at=event.at,
                yield_quantity=amount if counts and not scrap else Decimal(0),
                scrap_quantity=amount if scrap else Decimal(0),
                unit=counter.unit if counter else "",
                batch=context.batch if context else "",
                evidence=(
                    Evidence(
                        rule=RULE,
                        detail=detail,
                        counter=event.tag,
                        from_total=from_total,
                        to_total=_total(event),
                        event_ids=(event.event_id,),
                    ),
                ),
                ranges=(SourceRange(source=source, first_seq=sequenced.seq, last_seq=sequenced.seq),),
            ),
        )

    # --- people ------------------------------------------------------------------------------------------
    def hand_over(self, order: str) -> None:
        """Send what was counted for an order so far, and say so behind it."""
        close_order(self.state, order)
        message = HandOver(
            plant=self.state.plant,
            line=self.state.line,
            number=next_number(self.state, order),
            order=order,
            watermark=self.state.watermark,
        )
        send(self.state, LineMessage(hand_over=message))

    def assign(self, wish: AssignOrder) -> None:
        """A person assigns an order to a station from an instant of event time on."""
        aspects = {OrderAspect.ORDER: wish.order or "", OrderAspect.OPERATION: wish.operation or ""}
        if wish.batch is not None:
            aspects[OrderAspect.BATCH] = wish.batch
        for number, (aspect, value) in enumerate(aspects.items(), start=1):
            if aspect is OrderAspect.OPERATION and not wish.operation:
                continue
            event = OrderEvent(
                event_id=short_hash("assign", wish.decision_id, aspect.value, length=26),
                at=wish.valid_from,
                equipment=wish.equipment,
                tag=f"assigned by {wish.by}"[:80],
                aspect=aspect,
                value=value,
            )
            entry = BufferedEvent(source=f"person:{wish.decision_id}", event=SequencedEvent(seq=number, event=event))
            self.state.buffer.append(entry)
        if self.state.watermark is not None:
            self.advance(self.state.watermark)

    def accept_parked(self, item: ParkedItem, decision: DecideParked, order: str, operation: str) -> None:
        """A person accepted a parked item: it becomes a report with the decision as its evidence."""
        if item.yield_quantity == 0 and item.scrap_quantity == 0:
            return
        decided = Evidence(rule="person-decision/1", detail=f"{decision.by}: {decision.reason}")
        first = item.evidence[0].model_copy(update={"event_ids": ()}) if item.evidence else None
        report = ProductionReport(
            report_id=report_id(self.state.plant, self.state.line, order, operation, [], f"parked:{item.item}"),
            plant=self.state.plant,
            line=self.state.line,
            number=next_number(self.state, order),
            bucket=ReportBucket(
                order=order,
                operation=operation,
                batch=item.batch,
                person=decision.by,
                shift=shift_at(self.plant.plant, self.plant.shifts, item.at).label,
                posting_date=production_day(self.plant.plant, item.at),
            ),
            yield_quantity=item.yield_quantity,
            scrap_quantity=item.scrap_quantity,
            unit=item.unit,
            first_at=item.at,
            last_at=item.at,
            serials=(item.serial,) if item.serial else (),
            ranges=item.ranges,
            evidence=(decided, *((first,) if first else ()), *item.evidence[1:]),
        )
        send(self.state, LineMessage(report=report))

    # --- second evidence ---------------------------------------------------------------------------------
    def settle_checks(self) -> None:
        """Compare second readings whose time the watermark has passed; release the ends that waited for them."""
        for check in list(self.state.checks):
            if check.read_at is None or self.state.watermark is None or check.read_at > self.state.watermark:
                continue
            self.state.checks.remove(check)
            differences = self._differences(check)
            if differences:
                self._park_difference(check, differences)
            if check.end is not None:
                note = "agrees" if not differences else "differs: " + "; ".join(differences)
                send_end(self.state, check.end.model_copy(update={"second_evidence": note}))

    def _differences(self, check: EvidenceCheck) -> list[str]:
        station = self.state.station(check.station)
        found: list[str] = []
        for tag, total in sorted(check.readings.items()):
            known = station.counters.get(tag)
            seen = known.total if known else None
            moved_on = (
                known is not None and known.at is not None and check.read_at is not None and known.at > check.read_at
            )
            if seen != total and not moved_on:
                found.append(f"{check.station}.{tag} reads {total}, events say {seen}")
        return found

    def _park_difference(self, check: EvidenceCheck, differences: list[str]) -> None:
        assert check.read_at is not None
        park(
            self.state,
            ParkedItem(
                item=parked_item_id(self.state.plant, "evidence_disagrees", check.station, check.order, *differences),
                plant=self.state.plant,
                line=self.state.line,
                order=check.order,
                operation=check.end.operation if check.end else "",
                why=ParkedWhy.EVIDENCE_DISAGREES,
                detail="; ".join(differences),
                at=check.read_at,
                evidence=(Evidence(rule="second-evidence/1", detail="; ".join(differences)),),
            ),
        )

    # --- ledger ------------------------------------------------------------------------------------------
    def has_news(self) -> bool:
        """Whether anything waits to be recorded."""
        s = self.state
        return bool(s.new_messages or s.new_parked or s.new_refusals or s.new_events)

    def take_news(self) -> News:
        """Everything to record now, with the checkpoint that stands once it is recorded."""
        s = self.state
        news = News(tuple(s.new_messages), tuple(s.new_parked), tuple(s.new_refusals), tuple(s.new_events))
        s.new_messages, s.new_parked, s.new_refusals, s.new_events = [], [], [], []
        s.revision += 1
        s.numbers = _newest(s.numbers, KEPT_ORDERS)
        s.answered = _newest(s.answered, KEPT_ANSWERS)
        return news

    def give_up_check(self, check: EvidenceCheck) -> None:
        """The source did not answer: the end goes out saying so, and the order asks a person before final."""
        self.state.checks.remove(check)
        if check.end is not None:
            send_end(self.state, check.end.model_copy(update={"second_evidence": "unavailable"}))


def _total(event: MachineEvent) -> int | None:
    return event.total if isinstance(event, CountEvent) else None
