"""OEE by ISO 22400-2 and OPC 40501-1 annex C: availability APT/PBT, effectiveness PRI x PQ/APT, quality GQ/PQ.

Time comes from a time account (seconds by class), quantities from verified production, the planned run time per item
from the routing: never from the machine. Nothing is clipped: effectiveness above 1 says that the standard is wrong.
A figure without a denominator is None, not 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from pydantic import Field

from signals.base import ZERO, Message
from signals.downtime import StopPart, TimeClass

PRODUCTION = (TimeClass.RUNNING, TimeClass.MICRO_STOP)
"""Actual production time, APT: micro-stops are lost speed, nobody gives them a reason (ot.md 6.1)."""

LOST = (TimeClass.STOP, TimeClass.STARVED, TimeClass.BLOCKED, TimeClass.SETUP)
"""Planned busy time in which nothing was produced."""

APART = (TimeClass.PLANNED, TimeClass.NOT_SCHEDULED, TimeClass.NO_DATA)
"""Not part of the planned busy time: nobody planned to produce, or nobody knows."""


class TimeAccount(Message):
    """A span of a line's time by class. The classes sum to the span."""

    seconds: dict[TimeClass, Decimal] = Field(default_factory=dict[TimeClass, Decimal])
    down_without_order: Decimal = Field(default=ZERO, description="of the lost time: no order was registered (ADOT)")

    def of(self, *classes: TimeClass) -> Decimal:
        return sum((self.seconds.get(c, ZERO) for c in classes), ZERO)

    @property
    def total(self) -> Decimal:
        return self.of(*TimeClass)

    @property
    def apt(self) -> Decimal:
        """Actual production time."""
        return self.of(*PRODUCTION)

    @property
    def pbt(self) -> Decimal:
        """Planned busy time."""
        return self.of(*PRODUCTION, *LOST)

    @property
    def delay(self) -> Decimal:
        """ADET: an order was registered and did not run. The floor's down time is this and `down_without_order`."""
        return self.of(*LOST) - self.down_without_order

    def plus(self, other: TimeAccount) -> TimeAccount:
        """Both together."""
        seconds = {c: self.of(c) + other.of(c) for c in TimeClass if self.of(c) or other.of(c)}
        return TimeAccount(seconds=seconds, down_without_order=self.down_without_order + other.down_without_order)


class Oee(Message):
    """The figures with what they are made of. None where there is nothing to divide by."""

    apt: Decimal
    pbt: Decimal
    planned_seconds: Decimal = Field(description="PRI x PQ: what the standard allows for what was made")
    produced: Decimal
    good: Decimal
    availability: Decimal | None
    effectiveness: Decimal | None
    quality: Decimal | None
    oee: Decimal | None
    no_data: Decimal = Field(default=ZERO, description="seconds that nobody knows; the figures are silent on them")

    @property
    def standard_is_wrong(self) -> bool:
        """More was made than the standard allows for the time."""
        return self.effectiveness is not None and self.effectiveness > 1


class Made(Message):
    """Verified production against its standard: one order's operation, or one material."""

    produced: Decimal = Field(ge=0, description="PQ: yield, scrap and rework")
    good: Decimal = Field(ge=0, description="GQ: yield")
    standard_seconds: Decimal = Field(ge=0, description="PRI: planned run time per item")


def oee(account: TimeAccount, made: Iterable[Made]) -> Oee:
    """The figures of a span. Several products add up by their own standards (sum of PRI x PQ)."""
    known = list(made)
    produced = sum((m.produced for m in known), ZERO)
    good = sum((m.good for m in known), ZERO)
    planned = sum((m.produced * m.standard_seconds for m in known), ZERO)
    availability = _ratio(account.apt, account.pbt)
    effectiveness = _ratio(planned, account.apt)
    quality = _ratio(good, produced)
    factors = (availability, effectiveness, quality)
    whole = None
    if availability is not None and effectiveness is not None and quality is not None:
        whole = availability * effectiveness * quality
    elif any(f == 0 for f in factors):
        whole = ZERO
    return Oee(
        apt=account.apt,
        pbt=account.pbt,
        planned_seconds=planned,
        produced=produced,
        good=good,
        availability=availability,
        effectiveness=effectiveness,
        quality=quality,
        oee=whole,
        no_data=account.of(TimeClass.NO_DATA),
    )


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return part / whole if whole else None


def account_of_parts(parts: Iterable[StopPart]) -> TimeAccount:
    """The time of ended parts, by class."""
    seconds: dict[TimeClass, Decimal] = {}
    without = ZERO
    for part in parts:
        length = part.seconds or ZERO
        seconds[part.time_class] = seconds.get(part.time_class, ZERO) + length
        if part.time_class in LOST and not part.order:
            without += length
    return TimeAccount(seconds=seconds, down_without_order=without)


def account_of(known: Mapping[TimeClass, Decimal], parts: Iterable[StopPart]) -> TimeAccount:
    """A shift's account: running, missing data and unscheduled time from the line, everything else from its stops."""
    stops = account_of_parts(p for p in parts if p.time_class not in (TimeClass.RUNNING, TimeClass.NO_DATA))
    own = {c: known.get(c, ZERO) for c in (TimeClass.RUNNING, TimeClass.NO_DATA)}
    return TimeAccount(seconds=own).plus(stops)
