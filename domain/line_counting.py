"""From a counter reading or a machine cycle to booked pieces: what is verified goes into a bucket, the rest is parked.

The arithmetic is domain.counters and domain.cycles; the buckets are domain.reporting.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from domain import cycles, hold_rules
from domain.context import StationContext
from domain.counters import RESET_RULE, RULE, CounterState, CountStep, CountVerdict, read_counter
from domain.cycle_state import CycleCompleted
from domain.line_parking import Doubt, StationEvent, cycle_item, park_event
from domain.line_state import OrderTally, StationState
from domain.plant import CounterConfig, CounterRole, StationConfig, TagConfig
from domain.reporting import Pieces, add_pieces, park
from signals.base import ZERO
from signals.events import CountEvent, Quality
from signals.reports import ParkedWhy, Refusal

DOUBT = {CountVerdict.RESET: ParkedWhy.COUNTER_RESET, CountVerdict.UNSEEN: ParkedWhy.GAP}
"""Why pieces are in doubt, by what the reading was; everything else is implausible."""


def tally_key(context: StationContext, config: StationConfig) -> str:
    """Under which a station counts in and out, while it has this work."""
    return f"{context.order}|{context.operation_at(config)}"


def count(at_station: StationEvent, event: CountEvent, tag: TagConfig | None) -> None:
    """Take a counter reading: book what it adds, park what it leaves in doubt."""
    if tag is None or tag.counter is None:
        park_event(at_station, ParkedWhy.UNKNOWN_OPERATION, f"tag {event.tag} is no counter here")
        return
    if event.quality is Quality.BAD:
        park_event(at_station, ParkedWhy.BAD_QUALITY, f"{event.tag} read {event.total} with bad quality")
        return
    station = at_station.station
    before = station.counters.get(event.tag, CounterState())
    after, step = read_counter(before, tag.counter, event.total, event.at)
    step = _across_unseen_change(station, before, event, tag.counter, step)
    station.counters[event.tag] = after
    fell_into = _suspected_in(station, event.tag, before, after)
    since = before.suspect_at or event.at
    _park_doubts(at_station, event, tag.counter, step, fell_into or station.context, since)
    if step.counted:
        station.last_count_at = event.at
        _book(at_station, event, tag, tag.counter, step)


def _across_unseen_change(
    station: StationState, before: CounterState, event: CountEvent, counter: CounterConfig, step: CountStep
) -> CountStep:
    """Of several pieces across a change of order that nobody watched only the last one is certain."""
    change = station.unseen_change
    if change is None or before.at is None or step.counted < 2 or step.doubtful:
        return step
    if (
        counter.role not in (CounterRole.GOOD, CounterRole.REJECT)
        or not before.at < change.at <= event.at <= change.until
    ):
        return step
    detail = (
        f"{step.counted} counted from {before.at} to {event.at} while nobody watched, the order changed {change.at}"
    )
    update = {"verdict": CountVerdict.UNSEEN, "counted": 1, "doubtful": step.counted - 1, "detail": detail}
    return step.model_copy(update=update)


def _suspected_in(station: StationState, tag: str, before: CounterState, after: CounterState) -> StationContext | None:
    """The context of the reading that was suspected until now; the pieces it is about belong there."""
    known = station.suspected_in.get(tag)
    if after.suspect is None:
        station.suspected_in.pop(tag, None)
    elif after.suspect_at != before.suspect_at:
        station.suspected_in[tag] = station.context
    return known


def _park_doubts(
    at_station: StationEvent,
    event: CountEvent,
    counter: CounterConfig,
    step: CountStep,
    context: StationContext,
    at: datetime,
) -> None:
    if step.doubtful:
        why = DOUBT.get(step.verdict, ParkedWhy.IMPLAUSIBLE_COUNT)
        doubt = Doubt(counts=step.doubtful, counter=counter, from_total=step.from_total, context=context, at=at)
        park_event(at_station, why, f"{event.tag}: {step.detail}", doubt)
    elif step.verdict in (CountVerdict.SUSPECT, CountVerdict.GLITCH):
        detail = f"{event.tag} read {event.total} after {step.from_total}: {step.detail}"
        park_event(at_station, ParkedWhy.IMPLAUSIBLE_COUNT, detail)
    if step.dropped:
        refusal = Refusal(
            rule=RESET_RULE,
            at=at,
            order=context.order,
            operation=context.operation_at(at_station.config),
            detail=f"{event.tag}: {step.detail}; {step.dropped} counts are no production",
            event_ids=(event.event_id,),
        )
        at_station.state.new_refusals.append(refusal)


def _book(at_station: StationEvent, event: CountEvent, tag: TagConfig, counter: CounterConfig, step: CountStep) -> None:
    station, config = at_station.station, at_station.config
    context = station.context
    pieces = step.counted * counter.per_count
    if counter.role is CounterRole.CYCLE:
        return
    tally = station.tallies.setdefault(tally_key(context, config), OrderTally())
    if counter.role is CounterRole.INFEED:
        tally.infeed += pieces
        return
    tally.out += pieces
    good = counter.role is CounterRole.GOOD
    serial = context.serial if good and step.counted == 1 else ""
    hold_rules.count(at_station, pieces if good else ZERO, ZERO if good else pieces, serial)
    _add(
        at_station,
        context,
        Pieces(
            at=event.at,
            source=at_station.source,
            seq=at_station.sequenced.seq,
            event_id=event.event_id,
            rule=RULE,
            counter=f"{config.id}.{tag.name}",
            unit=counter.unit,
            good=pieces if good else ZERO,
            scrap=ZERO if good else pieces,
            from_total=step.from_total,
            to_total=event.total,
            serial=serial,
        ),
    )


def judge_cycle(at_station: StationEvent) -> None:
    """Let the machine's program cycles be judged; each accepted one is a piece."""
    station, rules = at_station.station, at_station.config.cycle
    assert rules is not None
    result = cycles.step(station.cycle or cycles.CycleState(), rules, station.context, at_station.event)
    station.cycle = result.state
    for done in result.completions:
        _book_cycle(at_station, done, rules.unit)
    at_station.state.new_refusals.extend(result.refusals)
    for draft in result.parked:
        park(at_station.state, cycle_item(at_station, draft))


def _book_cycle(at_station: StationEvent, done: CycleCompleted, unit: str) -> None:
    station, config = at_station.station, at_station.config
    station.last_count_at = done.at
    key = tally_key(done.context, config)
    if key == tally_key(station.context, config):
        station.tallies.setdefault(key, OrderTally()).out += 1
    hold_rules.count(at_station, Decimal(1), ZERO, done.serial)
    _add(
        at_station,
        done.context,
        Pieces(
            at=done.at,
            source=at_station.source,
            seq=at_station.sequenced.seq,
            event_id=at_station.event.event_id,
            rule=done.rule,
            counter=f"{config.id}.cycle",
            unit=unit,
            good=Decimal(1),
            serial=done.serial,
            detail=done.detail,
            machine_seconds=done.active_seconds,
            first_at=done.first_at,
            event_ids=done.event_ids,
        ),
    )


def _add(at_station: StationEvent, context: StationContext, pieces: Pieces) -> None:
    add_pieces(at_station.state, at_station.plant, at_station.line, at_station.config, context, pieces)
