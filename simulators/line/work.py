"""What a station has in hand: a piece, a fault, a measurement that is off."""

from __future__ import annotations

from dataclasses import dataclass

from .happenings import MicroStops, Standstill
from .kernel import microseconds
from .model import Defect
from .stop_book import Why


@dataclass(frozen=True)
class Piece:
    run: int
    number: int
    order: str
    batch: str
    defect: Defect | None
    found_at: int | None


@dataclass
class Fault:
    """A standstill, until an instant or, where that is None, until somebody repairs it."""

    why: Why
    plan: Standstill
    alarm: int
    seconds: float | None
    until: int | None
    trips: int

    @classmethod
    def of(cls, plan: Standstill, seconds: float | None, now: int, trips: int) -> Fault:
        until = None if seconds is None else now + microseconds(seconds)
        return cls("breakdown", plan, plan.alarm, seconds, until, trips)

    @classmethod
    def short(cls, plan: MicroStops, seconds: float, now: int) -> Fault:
        return cls("micro_stop", Standstill(kind="hold"), plan.alarm, seconds, now + microseconds(seconds), 1)

    def alarms(self, now: int) -> list[tuple[int, int]]:
        """Instants and codes of the alarms that follow the first one."""
        every = microseconds(self.plan.then_every_seconds)
        return [(now + number * every, code) for number, code in enumerate(self.plan.then, start=1)]


@dataclass
class Drifting:
    """How a measurement is off, and for how many pieces more."""

    offset: float
    left: int
    ramp: int = 0
    done: int = 0

    def next_offset(self) -> float:
        self.left -= 1
        self.done += 1
        return self.offset * min(1.0, self.done / (self.ramp + 1))
