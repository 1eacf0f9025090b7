"""What is asked of the ledger about shift handovers."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from signals.handover import HandoverReport, HandoverSearch
from signals.reports import ProductionReport


class HandoverLedger(Protocol):
    """Handovers of one or more plants, and the reports that carry a shift's label."""

    async def record_handover(self, report: HandoverReport) -> HandoverReport:
        """Store it by plant and shift, and return what stands.

        The same revision again, an older one, and anything behind an acknowledgement change nothing.
        """
        ...

    async def handover(self, plant: str, shift: str) -> HandoverReport | None: ...

    async def handovers(self, plant: str, search: HandoverSearch) -> list[HandoverReport]:
        """Those that fit, the latest shift first."""
        ...

    async def handed_over_until(self, plant: str) -> datetime | None:
        """End of the latest shift that has a handover; None where none has."""
        ...

    async def shift_reports(self, plant: str, shift: str) -> list[ProductionReport]:
        """Reports that are booked to the shift, by line, order and number; withheld ones are parked items instead."""
        ...
