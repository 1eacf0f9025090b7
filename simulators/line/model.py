"""The scenario of a simulated line: what it consists of, what it makes and what goes wrong. Read from TOML.

Only the description; `process` plays it. Machine states follow PackML (OPC 30050, the flat numbers of Annex A).
"""

from __future__ import annotations

import tomllib
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from .happenings import (
    AtPiece,
    Breakdown,
    ComponentLot,
    CounterReset,
    Drift,
    MicroStops,
    OperatorChange,
    Part,
    PlannedStop,
    Position,
    Seconds,
    Shortage,
)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", description="a part of a NodeId, so letters, digits, _ and -")]
CounterType = Literal["Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64"]

STATION_TAGS = (
    "State", "Infeed", "Good", "Reject", "RejectReason", "RejectOrigin",
    "Order", "Operation", "Batch", "ComponentLot", "Operator", "Alarm", "StopReason",
)  # fmt: skip
DEFECT_FOUND_STATIONS_LATER = 2


class ScenarioError(ValueError):
    """The scenario cannot be played; the message names the place in the file and what it should say."""


class PackMLState(IntEnum):
    CLEARING = 1
    STOPPED = 2
    STARTING = 3
    IDLE = 4
    SUSPENDED = 5
    EXECUTE = 6
    STOPPING = 7
    ABORTING = 8
    ABORTED = 9
    HOLDING = 10
    HELD = 11
    UNHOLDING = 12
    SUSPENDING = 13
    UNSUSPENDING = 14
    RESETTING = 15
    COMPLETING = 16
    COMPLETE = 17


class Counter(Part):
    """How a station's three totals are kept: their OPC UA type (and so where they wrap) and their first values."""

    type: CounterType = "UInt32"
    infeed: int = 0
    good: int = 0
    reject: int = 0

    @property
    def bits(self) -> int:
        return int(self.type.lstrip("UInt"))

    @property
    def lowest(self) -> int:
        return 0 if self.type.startswith("U") else -(1 << (self.bits - 1))

    def wrapped(self, value: int) -> int:
        """The value as a register of this width shows it; a signed one wraps through negative numbers."""
        return (value - self.lowest) % (1 << self.bits) + self.lowest

    @model_validator(mode="after")
    def _first_values_fit(self) -> Self:
        for name in ("infeed", "good", "reject"):
            value: int = getattr(self, name)
            if self.wrapped(value) != value:
                raise ValueError(f"{name} = {value} does not fit into {self.type}; use a smaller value or a wider type")
        return self


class Measurement(Part):
    """A measured value, written once per piece. `defect_offset` is added where a defective piece is found."""

    tag: Name
    nominal: float
    noise: Annotated[float, Field(ge=0)] = 0.0
    unit: str = ""
    decimals: Annotated[int, Field(ge=0, le=9)] = 3
    defect_offset: float = 0.0

    @property
    def usual_drift(self) -> float:
        """An offset nobody takes for noise: six times its width, or a tenth of the value where there is none."""
        return 6 * self.noise or abs(self.nominal) / 10 or 1.0

    @field_validator("tag")
    @classmethod
    def _not_a_tag_of_every_station(cls, tag: str) -> str:
        if tag in STATION_TAGS:
            raise ValueError(f"{tag} is a tag every station has; give the measurement another name")
        return tag


class Station(Part):
    name: Name
    operation: str
    cycle_seconds: Annotated[float, Field(gt=0)]
    cycle_noise: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    transport_seconds: Seconds = 1.0
    buffer: Annotated[int, Field(ge=1)] = 3
    changeover_seconds: Annotated[float, Field(ge=1.0)] = 2.0
    counter: Counter = Counter()
    component_lot: str = ""
    operator: str = ""
    measurement: tuple[Measurement, ...] = ()

    @model_validator(mode="after")
    def _measurements_are_told_apart(self) -> Self:
        tags = [measurement.tag for measurement in self.measurement]
        if len(set(tags)) != len(tags):
            raise ValueError(f"station {self.name} has two measurements with one tag: {', '.join(tags)}")
        return self


class Run(Part):
    """Pieces of one order and batch, fed at the first station in a row."""

    order: Annotated[str, Field(min_length=1)]
    batch: str = ""
    quantity: Position


class Defect(Part):
    """A fault that arises at `origin` and is seen at `found`: on one piece of a run, or by chance."""

    origin: str
    found: str | None = None
    reason: Annotated[str, Field(min_length=1)]
    run: Position | None = None
    piece: Position | None = None
    probability: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _one_way_to_choose_pieces(self) -> Self:
        if (self.piece is None) == (self.probability is None):
            raise ValueError("a defect needs exactly one of piece (its number within the run) and probability")
        return self


class Scenario(Part):
    line: Name
    start: Literal["auto", "control"] = "auto"
    loop: bool = False
    suspend_after_seconds: Annotated[float, Field(gt=0)] | None = None
    delivery: Literal["process", "item"] = "process"
    station: Annotated[tuple[Station, ...], Field(min_length=1)]
    run: tuple[Run, ...] = ()
    defect: tuple[Defect, ...] = ()
    component_lot: tuple[ComponentLot, ...] = ()
    operator: tuple[OperatorChange, ...] = ()
    breakdown: tuple[Breakdown, ...] = ()
    micro_stop: tuple[MicroStops, ...] = ()
    planned_stop: tuple[PlannedStop, ...] = ()
    shortage: tuple[Shortage, ...] = ()
    counter_reset: tuple[CounterReset, ...] = ()
    drift: tuple[Drift, ...] = ()

    @property
    def starved_after_seconds(self) -> float:
        """How long a station waits before it counts as suspended; short waits between pieces are no stops."""
        return self.suspend_after_seconds or 2 * max(station.cycle_seconds for station in self.station)

    def position(self, station: str) -> int:
        for index, candidate in enumerate(self.station):
            if candidate.name == station:
                return index
        known = ", ".join(candidate.name for candidate in self.station)
        raise ValueError(f"station {station!r} does not exist on this line; it has {known}")

    def measured(self, station: str, tag: str) -> Measurement:
        """A station's measurement. Raises ValueError that lists what it measures."""
        found = self.station[self.position(station)].measurement
        for measurement in found:
            if measurement.tag == tag:
                return measurement
        raise ValueError(f"station {station} measures no {tag!r}; it has {', '.join(m.tag for m in found) or 'none'}")

    def found_at(self, defect: Defect) -> int:
        if defect.found is not None:
            return self.position(defect.found)
        return min(self.position(defect.origin) + DEFECT_FOUND_STATIONS_LATER, len(self.station) - 1)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        names = [station.name for station in self.station]
        if len(set(names)) != len(names):
            raise ValueError(f"station names must differ; this line has {', '.join(names)}")
        if self.loop and not self.run:
            raise ValueError("loop = true needs at least one [[run]] to repeat")
        for defect in self.defect:
            if self.found_at(defect) < self.position(defect.origin):
                raise ValueError(f"a defect from {defect.origin} cannot be found earlier, at {defect.found}")
        for happening in self._happenings():
            self.position(happening.station)
        for reset in self.counter_reset:
            counter = self.station[self.position(reset.station)].counter
            if counter.wrapped(reset.value) != reset.value:
                raise ValueError(f"counter_reset value {reset.value} does not fit into {counter.type}")
        for drift in self.drift:
            self.measured(drift.station, drift.tag)
        for stops in self.micro_stop:
            self.position(stops.station)
        for part in (*self.defect, *self.shortage, *self._happenings()):
            self._check_run(part.run, part.piece)
        return self

    def _happenings(self) -> tuple[AtPiece, ...]:
        stops = (*self.breakdown, *self.planned_stop)
        return (*self.component_lot, *self.operator, *stops, *self.counter_reset, *self.drift)

    def _check_run(self, run: int | None, piece: int | None) -> None:
        if run is None:
            return
        if run > len(self.run):
            raise ValueError(f"run = {run} is asked for, but the scenario has {len(self.run)} [[run]] entries")
        if piece is not None and piece > self.run[run - 1].quantity:
            raise ValueError(f"piece = {piece} of run {run} cannot come: the run has {self.run[run - 1].quantity}")


def explain(error: ValidationError) -> str:
    """What a person must change, one line per place."""
    lines: list[str] = []
    for fault in error.errors(include_url=False, include_context=False):
        place = ".".join(str(step + 1) if isinstance(step, int) else step for step in fault["loc"]) or "the whole"
        lines.append(f"{place}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario file. Raises ScenarioError with the file, the place and the fix."""
    try:
        return Scenario.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ScenarioError(f"scenario {path} cannot be read: {error.strerror}; name an existing TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"scenario {path} is not TOML: {error}") from error
    except ValidationError as error:
        raise ScenarioError(f"scenario {path}: {explain(error)}") from error
