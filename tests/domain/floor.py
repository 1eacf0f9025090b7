"""A small floor to test a Line against: it makes pieces, says so in events, and keeps its own books of the truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from domain.line import LineBook
from domain.line_state import LineState
from domain.plant import (
    CadenceConfig,
    CounterConfig,
    CounterRole,
    LineConfig,
    PlantConfig,
    ResetRule,
    ShiftConfig,
    SiteConfig,
    StationConfig,
    TagConfig,
    TagKind,
)
from domain.plant_erp import ErpConfig
from signals.events import (
    CountEvent,
    EventBatch,
    MachineEvent,
    MaterialLoadedEvent,
    OperatorEvent,
    OrderAspect,
    OrderEvent,
    ReasonEvent,
    SequencedEvent,
)
from signals.reports import LineMessage, OperationEnd, ParkedItem, ProductionReport

PLANT, LINE, SOURCE = "north", "line-1", "edge-1/log-a"
START = datetime(2026, 3, 2, 5, 30, tzinfo=UTC)
STATIONS = {"press": "0010", "weld": "0020"}
ROLES = {"Infeed": CounterRole.INFEED, "Good": CounterRole.GOOD, "Reject": CounterRole.REJECT}
SHIFTS = (
    ShiftConfig(name="early", start=time(6), end=time(14)),
    ShiftConfig(name="late", start=time(14), end=time(22)),
    ShiftConfig(name="night", start=time(22), end=time(6)),
)

Bucket = tuple[str, ...]
"""Station's order, operation, batch, lot, reason, origin, person, shift, posting date."""


def station(name: str, operation: str, **changes: Any) -> StationConfig:
    tags = tuple(
        TagConfig(
            name=tag,
            kind=TagKind.COUNT,
            counter=CounterConfig(role=role, max_per_minute=Decimal(600), reset=ResetRule.PARK),
        )
        for tag, role in ROLES.items()
    )
    return StationConfig(id=name, operation=operation, tag=tags).model_copy(update=changes)


def plant(
    *,
    quantity: int = 5,
    minutes: int = 10,
    second_evidence: bool = False,
    future_seconds: int = 60,
    stations: tuple[StationConfig, ...] | None = None,
) -> PlantConfig:
    return PlantConfig(
        plant=SiteConfig(id=PLANT, zone="UTC", production_day_start=time(6)),
        shift=SHIFTS,
        line=(
            LineConfig(
                id=LINE,
                station=stations or tuple(station(name, operation) for name, operation in STATIONS.items()),
                cadence=CadenceConfig(quantity=quantity, minutes=Decimal(minutes)),
                second_evidence=second_evidence,
                future_seconds=future_seconds,
            ),
        ),
        erp=ErpConfig(kind="sap", url="http://erp.example", plant="1010"),
    )


def book(config: PlantConfig | None = None) -> LineBook:
    return LineBook(LineState(plant=PLANT, line=LINE), config or plant())


def reborn(line: LineBook) -> LineBook:
    """The same Line after a checkpoint: all it knows went through JSON."""
    return LineBook(LineState.model_validate_json(line.state.model_dump_json()), line.plant)


def shift_of(at: datetime) -> tuple[str, str]:
    """Shift label and posting date, by this module's own arithmetic: UTC, business days from six."""
    day = (at - timedelta(hours=6)).date().isoformat()
    name = "early" if 6 <= at.hour < 14 else "late" if 14 <= at.hour < 22 else "night"
    return f"{day}/{name}", day


@dataclass
class Floor:
    """What the stations do, and what was really made."""

    events: list[MachineEvent] = field(default_factory=list)
    truth: dict[Bucket, tuple[int, int]] = field(default_factory=lambda: defaultdict(lambda: (0, 0)))
    inside: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    at: datetime = START
    _totals: dict[tuple[str, str], int] = field(default_factory=dict)
    _context: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(str)))

    def __post_init__(self) -> None:
        for name in STATIONS:
            for tag in ROLES:
                self._totals[name, tag] = 100
                self._say(CountEvent, name, tag, counter=tag, total=100)

    def _say(self, kind: type[Any], name: str, tag: str, **values: Any) -> None:
        number = len(self.events) + 1
        self.events.append(kind(event_id=f"e{number}", at=self.at, equipment=name, tag=tag, **values))

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def order(self, name: str, order: str) -> None:
        self._context[name]["order"] = order
        self._say(OrderEvent, name, "Order", aspect=OrderAspect.ORDER, value=order)

    def batch(self, name: str, value: str) -> None:
        self._context[name]["batch"] = value
        self._say(OrderEvent, name, "Batch", aspect=OrderAspect.BATCH, value=value)

    def lot(self, name: str, value: str) -> None:
        self._context[name]["lot"] = value
        self._say(MaterialLoadedEvent, name, "Lot", material="STEEL", lot=value)

    def reason(self, name: str, value: str) -> None:
        self._context[name]["reason"] = value
        self._say(ReasonEvent, name, "Reason", value=value)

    def origin(self, name: str, value: str) -> None:
        self._context[name]["origin"] = value
        self._say(ReasonEvent, name, "Origin", aspect="origin", value=value)

    def person(self, name: str, value: str) -> None:
        self._context[name]["person"] = value
        self._say(OperatorEvent, name, "Operator", operator=value)

    def total(self, name: str, tag: str) -> int:
        return self._totals[name, tag]

    def _count(self, name: str, tag: str) -> None:
        self._totals[name, tag] += 1
        self._say(CountEvent, name, tag, counter=tag, total=self._totals[name, tag])

    def enter(self, name: str) -> None:
        self.inside[name, self._context[name]["order"]] += 1
        self._count(name, "Infeed")

    def leave(self, name: str, *, good: bool = True) -> None:
        known = self._context[name]
        self.inside[name, known["order"]] -= 1
        self._count(name, "Good" if good else "Reject")
        cause = ("", "") if good else (known["reason"], known["origin"])
        key = (
            known["order"],
            STATIONS[name],
            known["batch"],
            known["lot"],
            *cause,
            known["person"],
            *shift_of(self.at),
        )
        made, scrapped = self.truth[key]
        self.truth[key] = (made + good, scrapped + (not good))

    def piece(self, name: str, *, good: bool = True) -> None:
        self.enter(name)
        self.leave(name, good=good)

    def sequenced(self) -> list[SequencedEvent]:
        return [SequencedEvent(seq=n, event=event) for n, event in enumerate(self.events, start=1)]


def batch_of(
    events: Sequence[SequencedEvent], *, watermark: datetime | None = None, source: str = SOURCE, **changes: Any
) -> EventBatch:
    return EventBatch(
        source=source, first_seq=events[0].seq, last_seq=events[-1].seq, events=tuple(events), watermark=watermark
    ).model_copy(update=changes)


def heartbeat(after: int, watermark: datetime, source: str = SOURCE) -> EventBatch:
    """An empty batch that keeps the watermark moving."""
    return EventBatch(source=source, first_seq=after + 1, last_seq=after, watermark=watermark)


def run(floor: Floor, line: LineBook | None = None, *, until: datetime | None = None) -> LineBook:
    """Everything in one batch, then the watermark far behind it."""
    line = line or book()
    events = floor.sequenced()
    line.ingest(batch_of(events))
    line.ingest(heartbeat(len(events), until or floor.at + timedelta(days=2)))
    return line


def messages(line: LineBook) -> list[LineMessage]:
    return line.state.outbox


def reports(line: LineBook) -> list[ProductionReport]:
    return [m.report for m in line.state.outbox if m.report is not None]


def ends(line: LineBook) -> list[OperationEnd]:
    return [m.operation_end for m in line.state.outbox if m.operation_end is not None]


def parked(line: LineBook) -> list[ParkedItem]:
    return line.state.new_parked


def booked(line: LineBook) -> dict[Bucket, tuple[int, int]]:
    """What the reports say, by bucket."""
    sums: dict[Bucket, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for report in reports(line):
        b = report.bucket
        key = (b.order, b.operation, b.batch, b.component_lot, b.reason, b.reason_origin, b.person, b.shift)
        made, scrapped = sums[*key, b.posting_date.isoformat()]
        made, scrapped = made + int(report.yield_quantity), scrapped + int(report.scrap_quantity)
        sums[*key, b.posting_date.isoformat()] = (made, scrapped)
    return dict(sums)


def ordered(truth: dict[Bucket, tuple[int, int]]) -> dict[Bucket, tuple[int, int]]:
    """The part of the truth that was made for an order."""
    return {key: value for key, value in truth.items() if key[0] and value != (0, 0)}


def busy(pieces: int = 3) -> Floor:
    """The press has made some pieces of order A, one a second."""
    floor = Floor()
    floor.order("press", "A")
    for _ in range(pieces):
        floor.wait(1)
        floor.piece("press")
    return floor
