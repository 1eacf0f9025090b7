"""Inspection results: what was measured stays as it was measured; a second look is another result."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sqlalchemy
from sqlmodel import col, select

from domain.inspections import Mark
from ledger.database import AT_ONCE, Books, upsert
from ledger.inspection_tables import InspectionResultRow
from signals.inspections import InspectedPiece, Verdict


class InspectionBooks(Books):
    """Results of inspections, per piece."""

    async def record_inspections(self, pieces: Iterable[InspectedPiece]) -> frozenset[str]:
        new: set[str] = set()
        async with self._db.write() as session:
            # In one order, so that two imports at once wait for each other and never both.
            for piece in sorted(pieces, key=lambda p: (p.plant, p.outcome.inspection)):
                outcome = piece.outcome
                statement = upsert(session, InspectionResultRow).values(
                    plant=piece.plant,
                    inspection=outcome.inspection,
                    document=piece.document,
                    kind=outcome.kind,
                    material=outcome.material,
                    serial=outcome.serial,
                    batch=outcome.batch,
                    order_id=outcome.order,
                    verdict=piece.verdict.value,
                    payload=piece.model_dump_json(),
                    at=outcome.at,
                    recorded_at=self._db.now(),
                )
                inserted = statement.on_conflict_do_nothing().returning(col(InspectionResultRow.inspection))
                if await session.scalar(inserted) is not None:
                    new.add(outcome.inspection)
        return frozenset(new)

    async def inspection(self, plant: str, inspection: str) -> InspectedPiece | None:
        async with self._db.read() as session:
            row = await session.get(InspectionResultRow, (plant, inspection))
            return None if row is None else InspectedPiece.model_validate_json(row.payload)

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
        row = InspectionResultRow
        equal = ((col(row.material), material), (col(row.serial), serial), (col(row.batch), batch))
        wanted = select(row).where(row.plant == plant, *(column == value for column, value in equal if value))
        if documents:
            wanted = wanted.where(col(row.document).in_(list(documents)))
        wanted = wanted.order_by(col(row.at), col(row.document), col(row.inspection)).limit(limit)
        async with self._db.read() as session:
            return [InspectedPiece.model_validate_json(r.payload) for r in await session.scalars(wanted)]

    async def inspection_marks(self, plant: str, materials: Collection[str]) -> list[Mark]:
        row, names, found = InspectionResultRow, sorted(materials), list[Mark]()
        async with self._db.read() as session:
            for first in range(0, len(names), AT_ONCE):
                wanted = sqlalchemy.select(
                    col(row.inspection), col(row.document), col(row.material), col(row.serial), col(row.verdict)
                ).where(col(row.plant) == plant, col(row.material).in_(names[first : first + AT_ONCE]))
                found += [
                    Mark(inspection, document, material, serial, Verdict(verdict))
                    for inspection, document, material, serial, verdict in (await session.execute(wanted)).all()
                ]
        return found

    async def inspected_materials(self, plant: str) -> list[str]:
        wanted = select(col(InspectionResultRow.material)).where(InspectionResultRow.plant == plant).distinct()
        async with self._db.read() as session:
            return sorted(await session.scalars(wanted))
