"""A line's status for queries, and its living page in the Temporal UI (current details, markdown)."""

from __future__ import annotations

from domain.line_state import LineState
from signals.base import ZERO
from signals.status import LineStatus, StationStatus


def line_status(state: LineState, applied: int) -> LineStatus:
    """The status as a message."""
    return LineStatus(
        plant=state.plant,
        line=state.line,
        watermark=state.watermark,
        high_water={name: source.high_water for name, source in sorted(state.sources.items())},
        stations=tuple(
            StationStatus(
                station=name,
                state=station.machine,
                since=station.machine_since,
                order=station.context.order,
                operation=station.context.operation,
                batch=station.context.batch,
                counters={tag: c.total for tag, c in station.counters.items() if c.total is not None},
            )
            for name, station in state.stations.items()
        ),
        open_pieces=sum((b.total for b in state.open), ZERO),
        outbox=len(state.outbox),
        checks=len(state.checks),
        parked=state.parked_count,
        revision=state.revision,
        applied_events=applied,
    )


def line_details(state: LineState) -> str:
    """Markdown for the Temporal UI."""
    seen = state.watermark.isoformat(timespec="seconds") if state.watermark else "nothing yet"
    rows = [
        f"| {name} | {s.machine.value} | {s.context.order or '–'} | {s.context.batch or '–'} |"
        for name, s in state.stations.items()
    ]
    head = [
        f"**Line {state.line}** of plant {state.plant}, seen up to {seen}",
        "",
        f"{state.parked_count} items parked so far · {len(state.outbox)} reports on their way",
        "",
        "| station | state | order | batch |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows, ""])
