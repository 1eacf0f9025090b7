"""Was it booked? Decided by the differences of figures that were read before and are read again. Pure.

Exactly our whole vector: ours. No difference: not there. Anything else: nobody can know, and the figures are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from erp.oracle.wire import decimal_text
from signals.base import ZERO
from signals.documents import Booking, ErpDocument

Vector = Mapping[str, Decimal]
"""Figure by name; one that is not there counts as zero."""


class Verdict(StrEnum):
    OURS = "ours"
    NOT_THERE = "not_there"
    UNKNOWABLE = "unknowable"


def verdict(before: Vector, now: Vector, ours: Vector) -> Verdict:
    """What the differences prove of a booking that adds `ours`. Only the figures that `ours` names are looked at."""
    changed = {name: now.get(name, ZERO) - before.get(name, ZERO) for name in ours}
    if all(difference == 0 for difference in changed.values()):
        return Verdict.NOT_THERE
    return Verdict.OURS if all(changed[name] == amount for name, amount in ours.items()) else Verdict.UNKNOWABLE


def told(before: Vector, now: Vector, ours: Vector) -> str:
    """The figures for a person: what each was, what it is, what our booking alone would have made of it."""
    parts = [
        f"{name} was {decimal_text(before.get(name, ZERO))}, is {decimal_text(now.get(name, ZERO))}, "
        f"with ours alone {decimal_text(before.get(name, ZERO) + amount)}"
        for name, amount in ours.items()
    ]
    return "; ".join(parts)


def as_figures(vector: Vector) -> dict[str, str]:
    return {name: decimal_text(amount) for name, amount in vector.items()}


def vector_of(figures: Mapping[str, str], names: Vector) -> dict[str, Decimal] | None:
    """The stored figures that `names` asks for; None where one is missing, so that nothing can be proved."""
    if any(name not in figures for name in names):
        return None
    return {name: Decimal(figures[name]) for name in names}


def booking(figures: Mapping[str, str], now: Vector, ours: Vector, document: ErpDocument, why: str) -> Booking:
    """The verdict as the port says it. Without figures from before the request nothing is found and nothing claimed."""
    before = vector_of(figures, ours)
    if before is None:
        return Booking()
    match verdict(before, now, ours):
        case Verdict.OURS:
            return Booking(document=document)
        case Verdict.NOT_THERE:
            return Booking()
        case Verdict.UNKNOWABLE:
            return Booking(unknowable=f"{why}: {told(before, now, ours)}")
