"""What is asked of the ledger about stops: facts of the Lines, the workflows' records, searches."""

from __future__ import annotations

from typing import Protocol

from signals.downtime import StopRecord, StopSearch


class StopLedger(Protocol):
    """Stops of the lines of one or more plants. Facts arrive with a Line's checkpoint (`LinePort.record_line`)."""

    async def record_stop(self, record: StopRecord) -> bool:
        """Store what the stop's workflow says; all history entries are kept.

        False, and nothing is stored, where the ledger has a newer revision, or where the record ends the stop without
        knowing the Line's newest fact: the machine stopped again in the last moment.
        """
        ...

    async def stop(self, plant: str, line: str, stop: str) -> StopRecord | None:
        """A stop with its whole history and its newest fact; None for an unknown one."""
        ...

    async def stops(self, plant: str, search: StopSearch) -> list[StopRecord]:
        """Stops that fit, the latest first, with their newest facts, without their history."""
        ...
