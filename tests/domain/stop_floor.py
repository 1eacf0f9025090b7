"""A line that stops: three stations, a plant with shifts, a holiday and overtime over a change of the clocks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from domain.line import LineBook
from domain.line_state import LineState
from domain.plant import LineConfig, PlantConfig, ShiftConfig, SiteConfig, StationConfig, TagConfig, TagKind
from domain.plant_calendar import HolidayConfig, OvertimeConfig
from domain.plant_downtime import DowntimeConfig
from domain.plant_erp import ErpConfig
from domain.stop_parts import parts_of
from signals.downtime import ReasonMark, StopFact, StopPart
from signals.events import (
    AlarmEvent,
    EventBatch,
    GapEvent,
    MachineEvent,
    MeasurementEvent,
    OrderAspect,
    OrderEvent,
    SequencedEvent,
    StateEvent,
)
from signals.packml import MachineState
from tests.domain.floor import LINE, PLANT, station

START = datetime(2026, 3, 28, 21, 30, tzinfo=UTC)
"""A Saturday evening: the clocks change in the night shift that has just begun, Monday is a holiday."""

EXECUTE, HELD, SUSPENDED, IDLE, UNKNOWN = (
    MachineState.EXECUTE,
    MachineState.HELD,
    MachineState.SUSPENDED,
    MachineState.IDLE,
    MachineState.UNKNOWN,
)
SHIFTS = (
    ShiftConfig(name="early", start=time(6), end=time(14)),
    ShiftConfig(name="late", start=time(14), end=time(22), days=("mon", "tue", "wed", "thu", "fri")),
    ShiftConfig(name="night", start=time(22), end=time(6)),
)


def stop_plant(**downtime: Any) -> PlantConfig:
    """Press, weld and pack; weld is the last that counts good pieces, so its stops are the line's."""
    more = tuple(
        TagConfig(name=name, kind=kind)
        for name, kind in (
            ("StopReason", TagKind.STOP_REASON),
            ("Starved", TagKind.STARVED),
            ("Blocked", TagKind.BLOCKED),
            ("Mode", TagKind.MODE),
        )
    )
    weld = station("weld", "0020")
    weld = weld.model_copy(update={"tags": (*weld.tags, *more), "work_centre": "WELD01"})
    site = SiteConfig(
        id=PLANT,
        zone="Europe/Berlin",
        production_day_start=time(6),
        holiday=(HolidayConfig(date=date(2026, 3, 30), name="a holiday"),),
        overtime=(OvertimeConfig(shift="late", date=date(2026, 3, 29), end=time(20)),),
    )
    line = LineConfig(
        id=LINE, station=(station("press", "0010"), weld, StationConfig(id="pack")), second_evidence=False
    )
    return PlantConfig(
        plant=site,
        shift=SHIFTS,
        line=(line,),
        erp=ErpConfig(kind="sap", url="http://erp.example", plant="1010"),
        downtime=DowntimeConfig.model_validate(downtime),
    )


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Script:
    """What happens on the line, by seconds from the start."""

    def __init__(self) -> None:
        self.events: list[MachineEvent] = []

    def _say(self, kind: type[Any], seconds: float, name: str, tag: str, **values: Any) -> Script:
        event_id = f"e{len(self.events) + 1}"
        self.events.append(kind(event_id=event_id, at=at(seconds), equipment=name, tag=tag, **values))
        return self

    def state(self, seconds: float, name: str, state: MachineState, raw: str = "") -> Script:
        return self._say(StateEvent, seconds, name, "State", state=state, raw=raw)

    def alarm(self, seconds: float, name: str, code: str, *, active: bool = True) -> Script:
        return self._say(AlarmEvent, seconds, name, "Alarm", code=code, active=active)

    def order(self, seconds: float, name: str, order: str) -> Script:
        return self._say(OrderEvent, seconds, name, "Order", aspect=OrderAspect.ORDER, value=order)

    def tag(self, seconds: float, tag: str, value: str) -> Script:
        return self._say(MeasurementEvent, seconds, "weld", tag, characteristic=tag, value=value)

    def gap(self, since: float, until: float, name: str = "*") -> Script:
        return self._say(GapEvent, until, name, "session", gap_from=at(since), reason="session lost")

    def runs(self, order: str = "A") -> Script:
        """All stations work on an order from the start."""
        for name in ("press", "weld", "pack"):
            self.order(0, name, order)
            self.state(0, name, EXECUTE)
        return self


def sequenced(events: Sequence[MachineEvent]) -> list[SequencedEvent]:
    return [SequencedEvent(seq=n, event=event) for n, event in enumerate(events, start=1)]


def stop_book(plant: PlantConfig | None = None) -> LineBook:
    return LineBook(LineState(plant=PLANT, line=LINE), plant or stop_plant())


def told(line: LineBook) -> dict[str, StopFact]:
    """Of each stop the newest fact, without when it was told."""
    newest: dict[str, StopFact] = {}
    for fact in line.state.stop_outbox:
        newest[fact.stop] = fact
    return {stop: fact.model_copy(update={"as_of": fact.started_at}) for stop, fact in sorted(newest.items())}


def play(script: Script, plant: PlantConfig | None = None, *, until: float = 100_000) -> list[StopFact]:
    """The stops of a script, all of it in one batch."""
    line = stop_book(plant)
    events = sequenced(script.events)
    line.ingest(EventBatch(source="edge", first_seq=1, last_seq=len(events), events=tuple(events), watermark=at(until)))
    return list(told(line).values())


def parts(
    fact: StopFact, marks: Sequence[ReasonMark] = (), plant: PlantConfig | None = None, until: datetime | None = None
) -> tuple[StopPart, ...]:
    plant = plant or stop_plant()
    return parts_of(fact, marks, plant.plant, plant.shifts, plant.downtime, line=plant.lines[0], until=until)


def seconds_of(found: Sequence[StopPart]) -> Decimal:
    return sum((p.seconds or Decimal(0) for p in found), Decimal(0))
