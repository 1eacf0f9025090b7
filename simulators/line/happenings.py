"""What may happen on a simulated line beside its work: parts of a scenario, see `model`.

Codes and words are the line's own; it knows nothing of who reads them.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Position = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Long = Annotated[float, Field(gt=0, allow_inf_nan=False)]
AlarmCode = Annotated[int, Field(ge=0, lt=2**31)]


class Part(BaseModel):
    """A table of the scenario file; what it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AtPiece(Part):
    """Something that happens at a station when a piece comes: the n-th of a run, or without `run` the n-th ever."""

    station: str
    run: Position | None = None
    piece: Position


class ComponentLot(AtPiece):
    lot: Annotated[str, Field(min_length=1)]


class OperatorChange(AtPiece):
    operator: str


class Standstill(Part):
    """How a station stands with a fault. `abort` goes through Aborted (9), `hold` through Held (11).

    The alarm tag shows `alarm`, then the codes of `then`, one every `then_every_seconds`; 0 is none for a while. Many
    codes are a flood, one that comes and goes is chatter. With `trips` above 1 it stands again after `runs_seconds`.
    """

    alarm: Annotated[int, Field(ge=1, lt=2**31)] = 1000
    kind: Literal["abort", "hold"] = "abort"
    reason: str = ""
    then: Annotated[tuple[AlarmCode, ...], Field(max_length=1000)] = ()
    then_every_seconds: Long = 5.0
    trips: Annotated[int, Field(ge=1, le=1000)] = 1
    runs_seconds: Long = 10.0


class Breakdown(AtPiece, Standstill):
    """A stop in mid-cycle."""

    seconds: Long

    @model_validator(mode="after")
    def _alarms_fit(self) -> Self:
        needed = len(self.then) * self.then_every_seconds
        if needed >= self.seconds:
            raise ValueError(
                f"{len(self.then)} further alarms every {self.then_every_seconds:g} s take {needed:g} s, and it stands "
                f"for {self.seconds:g} s; lengthen seconds or shorten then"
            )
        return self


class MicroStops(Part):
    """Short holds in mid-cycle that nobody enters anywhere: on so many pieces, for a length between two bounds."""

    station: str
    probability: Annotated[float, Field(gt=0, le=1)]
    seconds: tuple[Long, Long] = (1.0, 5.0)
    alarm: AlarmCode = 0

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.seconds[0] > self.seconds[1]:
            raise ValueError(f"seconds = {list(self.seconds)} are the wrong way round; write the shorter one first")
        return self


class PlannedStop(AtPiece):
    """People stop a station between two pieces: Stopped (2), no alarm, and a word in its stop reason tag."""

    seconds: Long
    reason: str = "BREAK"


class Shortage(Part):
    """Nothing to feed at the first station for a while, before the n-th piece of a run."""

    run: Position
    piece: Position
    seconds: Long


class CounterReset(AtPiece):
    """Totals that fall back just before the piece comes, as after a PLC restart."""

    counters: tuple[Literal["Infeed", "Good", "Reject"], ...] = ("Infeed", "Good", "Reject")
    value: int = 0


class Drift(AtPiece):
    """A measurement leaves its place: `offset` is added for `pieces` pieces; the first `ramp` go there in steps."""

    tag: str
    offset: Annotated[float, Field(allow_inf_nan=False)] | None = None
    pieces: Position = 3
    ramp: Annotated[int, Field(ge=0)] = 0
