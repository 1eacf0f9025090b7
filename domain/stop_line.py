"""Stops in a Line's state: where their facts wait, and what a Line from before they were tracked begins with.

Not for finding stops: that is domain.stops.
"""

from __future__ import annotations

from collections.abc import Iterable

from domain.line_state import LineState
from domain.plant import LineConfig
from domain.stop_state import StationSeen
from signals.downtime import StopFact


def seed(state: LineState, line: LineConfig) -> None:
    """A checkpoint from before stops were tracked: its machines are known, their stops begin at its watermark."""
    tracker = state.stops
    if tracker.at is not None or state.watermark is None:
        return
    tracker.at = state.watermark
    for config in line.stations:
        known = state.stations.get(config.id)
        if known is not None:
            tracker.stations[config.id] = StationSeen(
                state=known.machine,
                since=known.machine_since,
                order=known.context.order,
                operation=known.context.operation_at(config),
            )


def send_facts(state: LineState, facts: Iterable[StopFact]) -> None:
    """Put facts where the next record takes them along. One that is not recorded yet gives way to its successor."""
    for fact in facts:
        found = next((n for n, old in enumerate(state.new_stops) if old.stop == fact.stop), None)
        if found is None:
            state.new_stops.append(fact)
            state.stop_outbox.append(fact)
        else:
            # What is new is the outbox's end: nothing of it is being delivered.
            state.stop_outbox[len(state.stop_outbox) - len(state.new_stops) + found] = fact
            state.new_stops[found] = fact
