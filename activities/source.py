"""Second evidence: counters read directly at the source. The line's edge gateway answers, read-only.

Only the contract lives here; the gateway implements it beside its OPC UA session and polls for the questions itself,
so that nobody dials into the plant.
"""

from __future__ import annotations

from pydantic import Field

from signals.base import Code, Message, UtcTime

READ_SOURCE = "read_source"
"""Name of the activity on the task queue of `signals.ids.edge_task_queue`."""


class ReadSource(Message):
    """Which counters of which station to read now."""

    plant: Code
    line: Code
    station: Code
    tags: tuple[str, ...] = Field(min_length=1)


class SourceReadings(Message):
    """Totals as the source holds them; `at` is the latest source time among them."""

    totals: dict[str, int]
    at: UtcTime
