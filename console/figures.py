"""Figures of lines and orders from what the ledger and the processes say, each with its age. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from domain.line_state import LineState
from signals.base import ZERO
from signals.packml import MachineState
from signals.reports import LineMessage
from signals.status import LineStatus, StationStatus

FRESH = timedelta(seconds=30)
"""An older figure is marked as stale; a line's watermark moves at least every few seconds."""
RATE_WINDOW = timedelta(minutes=60)
MAKES = (MachineState.EXECUTE, MachineState.STARTING, MachineState.COMPLETING)


@dataclass(frozen=True)
class Pieces:
    """What a line has reported of an order at one operation."""

    operation: str
    good: Decimal = ZERO
    scrap: Decimal = ZERO
    rework: Decimal = ZERO


@dataclass(frozen=True)
class LineView:
    """A line on the board. `as_of` is plant time; `live` is False where no worker answered and the ledger did."""

    line: str
    name: str
    stations: tuple[StationStatus, ...]
    as_of: datetime | None
    live: bool
    open_pieces: Decimal
    on_their_way: int

    @property
    def known(self) -> bool:
        return bool(self.stations)

    def is_stale(self, now: datetime) -> bool:
        return self.as_of is None or now - self.as_of > FRESH

    @property
    def orders(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(s.order for s in self.stations if s.order))


def stands_still(station: StationStatus) -> bool:
    """Whether the machine does not produce; no data is its own state and is not a stop."""
    return station.state not in MAKES and station.state is not MachineState.UNKNOWN


def from_process(line: str, name: str, status: LineStatus) -> LineView:
    return LineView(line, name, status.stations, status.watermark, True, status.open_pieces, status.outbox)


def from_checkpoint(line: str, name: str, checkpoint: str) -> LineView:
    """The line as its last record in the ledger has it."""
    state = LineState.model_validate_json(checkpoint)
    stations = tuple(
        StationStatus(
            station=key,
            state=s.machine,
            since=s.machine_since,
            order=s.context.order,
            operation=s.context.operation,
            batch=s.context.batch,
            counters={tag: c.total for tag, c in s.counters.items() if c.total is not None},
        )
        for key, s in state.stations.items()
    )
    return LineView(
        line, name, stations, state.watermark, False, sum((b.total for b in state.open), ZERO), len(state.outbox)
    )


def counted(messages: Iterable[LineMessage]) -> dict[str, Pieces]:
    """Pieces per operation that the Lines have reported."""
    sums: dict[str, Pieces] = {}
    for message in messages:
        report = message.report
        if report is None:
            continue
        before = sums.get(report.bucket.operation, Pieces(report.bucket.operation))
        sums[report.bucket.operation] = Pieces(
            before.operation,
            before.good + report.yield_quantity,
            before.scrap + report.scrap_quantity,
            before.rework + report.rework_quantity,
        )
    return sums


def rate(messages: Iterable[LineMessage], line: str, until: datetime) -> Decimal | None:
    """Good pieces an hour over the last hour of the line's own time; None where nothing was reported in it.

    A report that began before the window counts with the share of its time that lies in it.
    """
    start = until - RATE_WINDOW
    total, first = ZERO, until
    for message in messages:
        report = message.report
        if report is None or report.line != line or report.last_at <= start:
            continue
        span = (report.last_at - report.first_at).total_seconds()
        inside = (report.last_at - max(report.first_at, start)).total_seconds()
        share = Decimal(str(inside / span)) if span else Decimal(1)
        total += report.yield_quantity * share
        first = min(first, max(report.first_at, start))
    hours = Decimal(str((until - first).total_seconds())) / 3600
    return (total / hours).quantize(Decimal(1)) if total and hours else None
