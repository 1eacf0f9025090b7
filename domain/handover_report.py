"""Composes a shift's handover from what the ledger holds. Pure: the same facts give the same report.

Time comes from the Line's account and the stops' parts, pieces from reports that carry the shift's label: nothing is
in two shifts. What nobody knows of the shift is time without data, so that the classes sum to its length exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain.machine_time import DOWNTIME
from domain.oee import Made, TimeAccount, account_of, oee
from domain.plant import LineConfig, PlantConfig
from domain.shifts import ShiftSpan, shift_at
from domain.stop_parts import parts_of
from domain.stop_reasons import reason_text
from signals.base import ZERO
from signals.downtime import StopPart, StopRecord, StopState, TimeClass
from signals.handover import LineShift, MadePieces, OeeFigures, ShiftStop
from signals.orders import Operation, ProductionOrder
from signals.reports import ProductionReport


class LineFacts(NamedTuple):
    """What is known of a line for a shift."""

    config: LineConfig
    known: Mapping[TimeClass, Decimal]
    """The Line's own account of the shift, by class."""
    stops: Sequence[StopRecord]
    """Every stop that touches the shift, micro-stops too."""
    reports: Sequence[ProductionReport]
    watermark: datetime | None
    final: bool


def line_shift(
    plant: PlantConfig, span: ShiftSpan, facts: LineFacts, orders: Mapping[str, ProductionOrder]
) -> LineShift:
    """One line's figures. Classes sum to the shift's length: what is not known is no data."""
    config = facts.config
    parts = [p for stop in facts.stops for p in parts_within(plant, config, stop, span)]
    account = whole_account(facts.known, parts, span)
    pieces = made_pieces(config, facts.reports, orders)
    figures = oee(
        account,
        [
            Made(produced=m.good + m.scrap + m.rework, good=m.good, standard_seconds=m.standard_seconds or ZERO)
            for m in pieces
            if m.at_pacing
        ],
    )
    standards = all(m.standard_seconds is not None for m in pieces if m.at_pacing)
    micro = [p for p in parts if p.time_class is TimeClass.MICRO_STOP]
    return LineShift(
        line=config.id,
        name=config.name,
        final=facts.final,
        watermark=facts.watermark,
        seconds={c: s for c in TimeClass if (s := account.of(c))},
        down_without_order=account.down_without_order,
        oee=OeeFigures(
            apt=figures.apt, pbt=figures.pbt, produced=figures.produced, good=figures.good,
            planned_seconds=figures.planned_seconds, availability=figures.availability,
            effectiveness=figures.effectiveness if standards else None, quality=figures.quality,
            oee=figures.oee if standards else None,
        ),
        pieces=pieces,
        stops=sum(1 for s in facts.stops if not s.fact.micro and touches(s, span)),
        micro_stops=sum(1 for s in facts.stops if s.fact.micro and span.start <= s.fact.started_at < span.end),
        micro_seconds=sum((p.seconds or ZERO for p in micro), ZERO),
    )  # fmt: skip


def whole_account(known: Mapping[TimeClass, Decimal], parts: Sequence[StopPart], span: ShiftSpan) -> TimeAccount:
    """The shift's time: by its stops where there are any, else by the machine's own class; the rest nobody knows."""
    account = account_of(known, parts)
    stood = sum((known.get(c, ZERO) for c in DOWNTIME), ZERO)
    left = stood - account.of(*DOWNTIME, TimeClass.MICRO_STOP)
    for time_class in DOWNTIME:
        more = min(left, known.get(time_class, ZERO) - account.of(time_class))
        if more > 0:
            account, left = account.plus(TimeAccount(seconds={time_class: more})), left - more
    return filled(account, span)


def filled(account: TimeAccount, span: ShiftSpan) -> TimeAccount:
    """The account with the rest of the shift as time that nobody knows."""
    rest = seconds_of(span) - account.total
    return account.plus(TimeAccount(seconds={TimeClass.NO_DATA: rest})) if rest > 0 else account


def seconds_of(span: ShiftSpan) -> Decimal:
    """The shift's length: an hour more or less where the clocks change."""
    delta = span.end - span.start
    return Decimal(delta.days * 86_400 + delta.seconds) + Decimal(delta.microseconds) / 1_000_000


def parts_within(plant: PlantConfig, line: LineConfig, stop: StopRecord, span: ShiftSpan) -> tuple[StopPart, ...]:
    """The stop's parts within the shift, ended at its boundary at the latest."""
    parts = _parts(plant, line, stop, span.end)
    return tuple(p for p in parts if p.shift == span.label and span.start <= p.started_at < span.end)


def part_behind(plant: PlantConfig, line: LineConfig, stop: StopRecord, span: ShiftSpan) -> StopPart | None:
    """The part that begins at the boundary, where the stop goes on beyond it."""
    parts = _parts(plant, line, stop, max(span.end, stop.fact.as_of))
    return next((p for p in parts if p.started_at <= span.end and (p.ended_at is None or p.ended_at > span.end)), None)


def _parts(plant: PlantConfig, line: LineConfig, stop: StopRecord, until: datetime) -> tuple[StopPart, ...]:
    until = max(until, stop.fact.as_of)
    return parts_of(stop.fact, stop.marks, plant.plant, plant.shifts, plant.downtime, line=line, until=until)


def shift_stop(plant: PlantConfig, line: LineConfig, stop: StopRecord, span: ShiftSpan) -> ShiftStop:
    """How a stop is handed over: its part of this shift, and the one that the next crew inherits."""
    within = parts_within(plant, line, stop, span)
    behind = part_behind(plant, line, stop, span)
    latest = behind or (within[-1] if within else None)
    goes_on = stop.fact.ended_at is None
    return ShiftStop(
        stop=stop.stop,
        line=stop.line,
        state=stop.state.value,
        started_at=stop.fact.started_at,
        ended_at=stop.fact.ended_at,
        seconds=sum((p.seconds or ZERO for p in within if p.time_class in DOWNTIME), ZERO),
        parts=within,
        continues_as=behind if behind is not None and (goes_on or behind.started_at == span.end) else None,
        reason=(latest.reason_text or reason_text(plant.downtime, latest.reason)) if latest is not None else "",
        owner=stop.assigned_to or stop.owner_role,
        due_at=stop.due_at,
        rungs=stop.rungs,
        notification=stop.notification,
    )


def touches(stop: StopRecord, span: ShiftSpan) -> bool:
    """Whether the stop has a part of the shift's time."""
    return stop.fact.started_at < span.end and (stop.fact.ended_at is None or stop.fact.ended_at > span.start)


def is_handed_on(stop: StopRecord, span: ShiftSpan) -> bool:
    """Whether the next crew must know of it: it goes on, went on into their shift, or waits for somebody."""
    if stop.fact.micro or stop.fact.started_at >= span.end:
        return False
    runs_over = stop.fact.ended_at is None or stop.fact.ended_at > span.end
    return runs_over or stop.state not in (StopState.CLOSED, StopState.JOINED)


def made_pieces(
    line: LineConfig, reports: Iterable[ProductionReport], orders: Mapping[str, ProductionOrder]
) -> tuple[MadePieces, ...]:
    """Pieces by order and operation: the sums of the reports, each report once."""
    pacing = line.pacing_station.operation
    sums: dict[tuple[str, str, str], list[Decimal]] = {}
    seen: set[str] = set()
    for report in reports:
        if report.report_id in seen:
            continue
        seen.add(report.report_id)
        key = (report.bucket.order, report.bucket.operation, report.unit)
        made = sums.setdefault(key, [ZERO, ZERO, ZERO])
        for n, quantity in enumerate((report.yield_quantity, report.scrap_quantity, report.rework_quantity)):
            made[n] += quantity
    found: list[MadePieces] = []
    for (order, operation, unit), (good, scrap, rework) in sorted(sums.items()):
        routed = operation_of(orders.get(order), operation)
        known = orders.get(order)
        found.append(
            MadePieces(
                order=order, operation=operation, material=known.material if known else "", good=good, scrap=scrap,
                rework=rework, unit=unit, at_pacing=not pacing or operation == pacing,
                standard_seconds=routed.standard_seconds if routed else None,
            )
        )  # fmt: skip
    return tuple(found)


def operation_of(order: ProductionOrder | None, operation: str) -> Operation | None:
    """The operation in the order's routing."""
    return next((o for o in order.operations if o.operation == operation), None) if order else None


def crossing_reports(plant: PlantConfig, span: ShiftSpan, reports: Iterable[ProductionReport]) -> list[str]:
    """Reports of the shift whose pieces are not all of it, as sentences. The Line cuts there, so there are none."""
    found: list[str] = []
    for report in reports:
        last = shift_at(plant.plant, plant.shifts, report.last_at)
        if last.label != span.label or not span.start <= report.last_at < span.end:
            found.append(
                f"report {report.report_id} of order {report.bucket.order} is booked to {report.bucket.shift} "
                f"and ends at {report.last_at:%Y-%m-%d %H:%M:%S} UTC, in {last.label}"
            )
    return found


def crossing_postings(
    shift: str, own_reports: Iterable[str], postings: Iterable[tuple[str, str, Sequence[str]]]
) -> list[str]:
    """Postings (key, order, report ids) that mix reports of this shift with others', as sentences."""
    own = set(own_reports)
    found: list[str] = []
    for key, order, report_ids in postings:
        others = [r for r in report_ids if r not in own]
        if others and len(others) < len(report_ids):
            found.append(f"posting {key} of order {order} mixes shift {shift} with {len(others)} reports of another")
    return found
