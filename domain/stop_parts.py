"""Cuts a stop into parts of one shift, order, class and reason, which sum to it exactly.

Pure, from the fact and the marks alone: the same in the Line, in a workflow, in a report. A part is cut where the
machines say something else, at shift and production day boundaries, and where a mark begins or ends. What a person
says comes before what the plant's patterns say, and that before what the class itself explains.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from domain.machine_time import DOWNTIME
from domain.plant import LineConfig, ShiftConfig, SiteConfig
from domain.plant_downtime import INVALID, UNKNOWN, DowntimeConfig
from domain.shifts import shift_at
from domain.stop_reasons import (
    CLASS_TEXTS,
    cost_centre,
    is_known,
    owner_role,
    reason_of,
    reason_text,
    time_class,
)
from signals.downtime import ReasonMark, ReasonStatus, StopFact, StopPart, StopStretch, TimeClass

FARTHEST = timedelta(days=100)
"""A stop of a recording of years ago goes on for years by the clock, in thousands of shifts that nobody knows of."""


class Verdict(NamedTuple):
    """What a piece of a stop is."""

    time_class: TimeClass
    reason: str = ""
    status: ReasonStatus = ReasonStatus.CLASSIFIED
    by: str = ""
    mark: int = 0


class Piece(NamedTuple):
    """A stretch within one shift and under one mark; `verdict` and the rest decide what is one part."""

    start: datetime
    end: datetime | None
    shift: str
    stretch: StopStretch
    verdict: Verdict

    @property
    def key(self) -> tuple[str, str, str, Verdict]:
        return (self.shift, self.stretch.order, self.stretch.operation, self.verdict)


def parts_of(
    fact: StopFact,
    marks: Sequence[ReasonMark],
    site: SiteConfig,
    shifts: tuple[ShiftConfig, ...],
    config: DowntimeConfig,
    *,
    line: LineConfig | None = None,
    until: datetime | None = None,
    short: bool = True,
) -> tuple[StopPart, ...]:
    """The stop's parts, numbered from 1. What goes on is cut up to `until` (its `as_of` where none is given), but no
    farther than `FARTHEST` beyond what is known: after that its last part just goes on until the stop ends.

    Time outside all shifts, where shifts are declared, is not scheduled: no downtime, and nothing to explain. With
    `short` and a line, nobody is asked why it stood shortly within a stop, see `_settle_short`.
    """
    line_cost = line.downtime.cost_centre if line is not None else ""
    pacing = line.pacing_station.id if line is not None else ""
    horizon = max(min(until or fact.as_of, fact.as_of + FARTHEST), fact.started_at)
    found: list[Piece] = []
    for stretch in fact.stretches:
        for start, end in _cuts(stretch, marks, site, shifts, horizon):
            span = shift_at(site, shifts, start)
            off = bool(shifts) and not span.name
            verdict = _verdict(fact, stretch, _mark_at(marks, start), config, pacing, off=off)
            found.append(Piece(start, end, span.label, stretch, verdict))
    found = _joined(found)
    if line is not None and short and not fact.micro:
        threshold = timedelta(seconds=line.pacing_station.min_stop_seconds)
        found = _joined(_settle_short(found, threshold, horizon))
    return tuple(_part(number, piece, config, line_cost) for number, piece in enumerate(found, start=1))


def _settle_short(found: list[Piece], threshold: timedelta, horizon: datetime) -> list[Piece]:
    """What is shorter than a stop and unexplained: the way into or out of an explained standstill belongs to it.

    Between running it is a micro-stop, as it would be by itself; but short ones alone, that make a stop together, are
    for people to explain. Missing data parts no standstill.
    """
    runs = [list(run) for _, run in groupby(found, key=_stands_or_missing)]
    real = any(_length(run, horizon) >= threshold for run in runs)
    settled: list[Piece] = []
    for run in runs:
        settled += _within(run, threshold, horizon, real=real)
    return settled


def _within(run: list[Piece], threshold: timedelta, horizon: datetime, *, real: bool) -> list[Piece]:
    """One standstill: its short unexplained pieces go to a neighbour, or all of it is a micro-stop."""
    standing = [p for p in run if _stands(p)]
    groups = [list(group) for _, group in groupby(standing, key=_unexplained)]
    settled: list[Piece] = []
    for number, group in enumerate(groups):
        near = [*settled[-1:], *(groups[number + 1][:1] if number + 1 < len(groups) else [])]
        explained = next((p for p in near if p.verdict.status is ReasonStatus.CLASSIFIED), None)
        short = _unexplained(group[0]) and group[-1].end is not None and _length(group, horizon) < threshold
        if short and explained is not None:
            settled += [_like(p, explained) for p in group]
        elif short and real and group == run:
            settled += [p._replace(verdict=Verdict(TimeClass.MICRO_STOP)) for p in group]
        else:
            settled += group
    left = iter(settled)
    return [next(left) if _stands(p) else p for p in run]


def _like(piece: Piece, explained: Piece) -> Piece:
    said = {"machine_reason": explained.stretch.machine_reason}
    return piece._replace(verdict=explained.verdict, stretch=piece.stretch.model_copy(update=said))


def _stands(piece: Piece) -> bool:
    return piece.verdict.time_class in DOWNTIME


def _stands_or_missing(piece: Piece) -> bool:
    return _stands(piece) or piece.verdict.time_class is TimeClass.NO_DATA


def _unexplained(piece: Piece) -> bool:
    return piece.verdict.status is ReasonStatus.UNKNOWN and not piece.verdict.by


def _length(pieces: list[Piece], horizon: datetime) -> timedelta:
    """How long they stand, without what lies between them."""
    stood = ((p.end or max(horizon, p.start)) - p.start for p in pieces if _stands(p))
    return sum(stood, timedelta())


def _joined(pieces: list[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        if found and found[-1].key == piece.key:
            found[-1] = found[-1]._replace(end=piece.end)
        else:
            found.append(piece)
    return found


def _cuts(
    stretch: StopStretch,
    marks: Sequence[ReasonMark],
    site: SiteConfig,
    shifts: tuple[ShiftConfig, ...],
    horizon: datetime,
) -> Iterable[tuple[datetime, datetime | None]]:
    end = stretch.ended_at
    last = end if end is not None else max(horizon, stretch.started_at)
    bounds = {at for m in marks for at in (m.started_at, m.ended_at) if at is not None and stretch.started_at < at}
    at = shift_at(site, shifts, stretch.started_at).end
    while at < last or (end is None and at == last):
        bounds.add(at)
        at = shift_at(site, shifts, at).end
    inner = sorted(b for b in bounds if b < last or (end is None and b <= last))
    starts = [stretch.started_at, *inner]
    return zip(starts, [*inner, end], strict=True)


def _mark_at(marks: Sequence[ReasonMark], at: datetime) -> ReasonMark | None:
    """The latest mark that covers an instant."""
    covering = [m for m in marks if m.started_at <= at and (m.ended_at is None or at < m.ended_at)]
    return max(covering, key=lambda m: m.number, default=None)


def _verdict(
    fact: StopFact, stretch: StopStretch, mark: ReasonMark | None, config: DowntimeConfig, pacing: str, *, off: bool
) -> Verdict:
    own = stretch.time_class
    if own not in DOWNTIME:
        return Verdict(own)
    if off:
        return Verdict(TimeClass.NOT_SCHEDULED)
    if fact.micro:
        return Verdict(own if own in (TimeClass.PLANNED, TimeClass.SETUP) else TimeClass.MICRO_STOP)
    if mark is not None:
        return _marked(mark, own, config)
    reason = reason_of(config, stretch)
    if reason:
        return Verdict(time_class(config, reason, own), reason)
    # Waiting for a neighbour of the same line explains nothing: why does that one stand?
    elsewhere = pacing and stretch.station not in ("", pacing)
    if own in CLASS_TEXTS and not elsewhere:
        return Verdict(own, own.value)
    return Verdict(own, "", ReasonStatus.UNKNOWN)


def _marked(mark: ReasonMark, own: TimeClass, config: DowntimeConfig) -> Verdict:
    if mark.reason == UNKNOWN:
        return Verdict(own, "", ReasonStatus.UNKNOWN, mark.by, mark.number)
    if mark.reason == INVALID or not is_known(config, mark.reason):
        return Verdict(own, mark.reason, ReasonStatus.INVALID, mark.by, mark.number)
    status = ReasonStatus.CLASSIFIED
    return Verdict(time_class(config, mark.reason, own), mark.reason, status, mark.by, mark.number)


def _part(number: int, piece: Piece, config: DowntimeConfig, line_cost: str) -> StopPart:
    stretch, verdict = piece.stretch, piece.verdict
    stands = verdict.time_class in DOWNTIME
    unknown = verdict.status is ReasonStatus.UNKNOWN
    return StopPart(
        number=number,
        started_at=piece.start,
        ended_at=piece.end,
        shift=piece.shift,
        order=stretch.order,
        operation=stretch.operation,
        time_class=verdict.time_class,
        machine_reason=stretch.machine_reason,
        reason=verdict.reason,
        reason_text=reason_text(config, UNKNOWN if unknown else verdict.reason) if stands else "",
        status=verdict.status,
        by=verdict.by,
        cost_centre=cost_centre(config, verdict.reason, line_cost) if stands else "",
        owner_role=owner_role(config, verdict.reason) if stands else "",
    )
