"""What the house seals for who is signed in: decisions, acts on stops, acknowledgements of handovers; and for what."""

from __future__ import annotations

from signals.decisions import Decided, Decision, decides_about
from signals.downtime import StopAct
from signals.handover import AcknowledgeHandover

Sealable = Decision | StopAct | AcknowledgeHandover
"""Everything that people tell a process and that carries a `signals.people.Seal`. Acts on holds are signed instead."""


def is_about(plant: str, said: Sealable, place: str = "") -> str:
    """The one thing that it is about, as its seal names it.

    `place` is the order or line whose process is told, the stop (`stop_place`), or the label of the shift.
    """
    if isinstance(said, Decided):
        return decides_about(plant, said, place)
    if isinstance(said, AcknowledgeHandover):
        return f"handover:{plant}:{place}"
    return f"stop:{plant}:{place}"


def stop_place(line: str, stop: str) -> str:
    """A stop is known on its line only."""
    return f"{line}/{stop}"


def name_of(said: Sealable) -> str:
    """The id by which it may be repeated."""
    return said.decision_id if isinstance(said, Decided) else said.action_id
