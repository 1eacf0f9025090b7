"""What is asked of the ledger about inspection results: recorded once, found by material, serial, batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from domain.inspections import Mark
from signals.inspections import InspectedPiece


class InspectionLedger(Protocol):
    """Inspection results of one or more plants."""

    async def record_inspections(self, pieces: Iterable[InspectedPiece]) -> frozenset[str]:
        """Store them in one transaction, each once; ids of those that were new. A known one never changes."""
        ...

    async def inspection(self, plant: str, inspection: str) -> InspectedPiece | None: ...

    async def inspections(
        self,
        plant: str,
        *,
        material: str = "",
        serial: str = "",
        batch: str = "",
        documents: Collection[str] = (),
        limit: int | None = None,
    ) -> list[InspectedPiece]:
        """Results that fit, oldest first; what is empty does not restrict."""
        ...

    async def inspection_marks(self, plant: str, materials: Collection[str]) -> list[Mark]:
        """All results about these materials, without what was measured."""
        ...

    async def inspected_materials(self, plant: str) -> list[str]:
        """Names of all materials with results, as their inspections spell them."""
        ...
