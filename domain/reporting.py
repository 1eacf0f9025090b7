"""Accumulating verified pieces into buckets, and cutting them into production reports.

A bucket closes by quantity, by event time, at a shift change, at a context change or on demand. Window ends are
event times, so the same events give the same reports however they arrived.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from domain.context import StationContext
from domain.line_state import LineState, OpenBucket
from domain.plant import LineConfig, PlantConfig, StationConfig
from domain.shifts import production_day, shift_at
from signals.base import ZERO
from signals.ids import parked_item_id, report_id
from signals.reports import (
    Evidence,
    LineMessage,
    OperationEnd,
    ParkedItem,
    ParkedWhy,
    ProductionReport,
    ReportBucket,
    SourceRange,
)

MAX_EVENT_IDS = 2000
"""A bucket closes when it has used so many events: its report must stay a message, not a log."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Verified pieces from one event."""

    at: datetime
    source: str
    seq: int
    event_id: str
    rule: str
    counter: str
    unit: str
    good: Decimal = ZERO
    scrap: Decimal = ZERO
    rework: Decimal = ZERO
    from_total: int | None = None
    to_total: int | None = None
    detail: str = ""
    serial: str = ""
    machine_seconds: Decimal = ZERO
    first_at: datetime | None = None
    event_ids: tuple[str, ...] = field(default=())


def bucket_for(plant: PlantConfig, station: StationConfig, context: StationContext, pieces: Pieces) -> ReportBucket:
    """The bucket these pieces belong to, by the station's context and the calendar at their event time."""
    return ReportBucket(
        order=context.order or "-",
        operation=context.operation_at(station) or "-",
        batch=context.batch,
        component_lot=context.component_lot,
        component_material=context.component_material,
        reason=context.reason if pieces.scrap else "",
        reason_origin=context.reason_origin if pieces.scrap else "",
        person=context.person,
        shift=shift_at(plant.plant, plant.shifts, pieces.at).label,
        posting_date=production_day(plant.plant, pieces.at),
    )


def add_pieces(
    state: LineState, plant: PlantConfig, line: LineConfig, station: StationConfig, context: StationContext, new: Pieces
) -> None:
    """Put pieces into their bucket, cutting what is full or over before and after."""
    close_due(state, new.at)
    key = bucket_for(plant, station, context, new)
    found = next((b for b in state.open if b.station == station.id and b.bucket == key and b.unit == new.unit), None)
    if found is None:
        shift = shift_at(plant.plant, plant.shifts, new.at)
        first = new.first_at or new.at
        found = OpenBucket(
            station=station.id,
            bucket=key,
            unit=new.unit,
            closes_at=min(new.at + timedelta(minutes=float(line.cadence.minutes)), shift.end),
            first_at=min(first, new.at),
            last_at=new.at,
        )
        state.open.append(found)
    _accumulate(found, new)
    if found.total >= line.cadence.quantity or len(found.event_ids) >= MAX_EVENT_IDS:
        _close(state, found)


def _accumulate(bucket: OpenBucket, new: Pieces) -> None:
    bucket.yield_quantity += new.good
    bucket.scrap_quantity += new.scrap
    bucket.rework_quantity += new.rework
    bucket.machine_seconds += new.machine_seconds
    bucket.last_at = max(bucket.last_at, new.at)
    bucket.first_at = min(bucket.first_at, new.first_at or new.at)
    bucket.event_ids.extend(new.event_ids or (new.event_id,))
    if new.serial:
        bucket.serials.append(new.serial)
    known = bucket.ranges.get(new.source)
    bucket.ranges[new.source] = SourceRange(
        source=new.source,
        first_seq=min(known.first_seq, new.seq) if known else new.seq,
        last_seq=max(known.last_seq, new.seq) if known else new.seq,
    )
    name = f"{new.rule}|{new.counter}"
    before = bucket.evidence.get(name)
    bucket.evidence[name] = Evidence(
        rule=new.rule,
        counter=new.counter,
        detail=new.detail or (before.detail if before else ""),
        from_total=before.from_total if before else new.from_total,
        to_total=new.to_total,
    )


def close_due(state: LineState, at: datetime) -> None:
    """Close every bucket whose window has ended by this event time, the earliest first: numbers follow event time."""
    for bucket in sorted((b for b in state.open if b.closes_at <= at), key=lambda b: b.closes_at):
        _close(state, bucket)


def close_station_order(state: LineState, station: str, order: str) -> None:
    """Close what the station made for an order that leaves it."""
    for bucket in [b for b in state.open if b.station == station and b.bucket.order == (order or "-")]:
        _close(state, bucket)


def close_order(state: LineState, order: str) -> None:
    """Close all open buckets of an order (hold, completion, a person asks)."""
    for bucket in [b for b in state.open if b.bucket.order == order]:
        _close(state, bucket)


def close_shift(state: LineState, shift: str) -> None:
    """Close all open buckets of a shift (its handover waits no longer)."""
    for bucket in [b for b in state.open if b.bucket.shift == shift]:
        _close(state, bucket)


def close_all(state: LineState) -> None:
    """Close everything (end of a recording)."""
    for bucket in list(state.open):
        _close(state, bucket)


def next_number(state: LineState, order: str) -> int:
    """The next message number of an order; the order's workflow keeps the high-water."""
    # To the end: the Line forgets the orders that have been silent for longest, never one at work.
    number = state.numbers.pop(order, 0) + 1
    state.numbers[order] = number
    return number


def _close(state: LineState, bucket: OpenBucket) -> None:
    state.open.remove(bucket)
    evidence = tuple(bucket.evidence.values())
    if evidence:
        evidence = (evidence[0].model_copy(update={"event_ids": tuple(bucket.event_ids)}), *evidence[1:])
    ranges = tuple(bucket.ranges.values())
    if bucket.bucket.order == "-" or bucket.bucket.operation == "-":
        _park_without_order(state, bucket, evidence, ranges)
        return
    key = bucket.bucket
    part = f"{key.model_dump_json()}|{bucket.yield_quantity}|{bucket.scrap_quantity}|{bucket.rework_quantity}"
    spans = [r.text() for r in ranges]
    report = ProductionReport(
        report_id=report_id(state.plant, state.line, key.order, key.operation, spans, part),
        plant=state.plant,
        line=state.line,
        number=next_number(state, key.order),
        bucket=key,
        yield_quantity=bucket.yield_quantity,
        scrap_quantity=bucket.scrap_quantity,
        rework_quantity=bucket.rework_quantity,
        unit=bucket.unit,
        first_at=bucket.first_at,
        last_at=bucket.last_at,
        machine_seconds=bucket.machine_seconds,
        serials=tuple(bucket.serials),
        ranges=ranges,
        evidence=evidence,
    )
    send(state, LineMessage(report=report))


def _park_without_order(
    state: LineState, bucket: OpenBucket, evidence: tuple[Evidence, ...], ranges: tuple[SourceRange, ...]
) -> None:
    why = ParkedWhy.NO_ORDER if bucket.bucket.order == "-" else ParkedWhy.UNKNOWN_OPERATION
    park(
        state,
        ParkedItem(
            item=parked_item_id(state.plant, why.value, *bucket.event_ids),
            plant=state.plant,
            line=state.line,
            order="" if bucket.bucket.order == "-" else bucket.bucket.order,
            why=why,
            detail=f"station {bucket.station} made pieces while no order or operation was assigned to it",
            at=bucket.last_at,
            yield_quantity=bucket.yield_quantity,
            scrap_quantity=bucket.scrap_quantity,
            unit=bucket.unit,
            batch=bucket.bucket.batch,
            evidence=evidence,
            ranges=ranges,
        ),
    )


def send(state: LineState, message: LineMessage) -> None:
    """Put a message into the outbox; it leaves only after the ledger has it."""
    state.outbox.append(message)
    state.new_messages.append(message)


def send_end(state: LineState, end: OperationEnd) -> None:
    """Number an operation's end and put it into the outbox, behind all reports of the operation."""
    send(state, LineMessage(operation_end=end.model_copy(update={"number": next_number(state, end.order)})))


def park(state: LineState, item: ParkedItem) -> None:
    """Park an item once."""
    state.parked_count += 1
    state.new_parked.append(item)
