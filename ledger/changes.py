"""Whether anything has changed since somebody looked: one text per topic, by counting and summing, without payloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlmodel import col

from ledger.database import Books
from ledger.stop_tables import DowntimeRow
from ledger.tables import ExceptionCaseRow, LineCheckpointRow, ParkedItemRow, ProductionOrderRow, QualityHoldRow

PlantTable = (
    type[QualityHoldRow]
    | type[ExceptionCaseRow]
    | type[ParkedItemRow]
    | type[ProductionOrderRow]
    | type[LineCheckpointRow]
    | type[DowntimeRow]
)


class ChangeBooks(Books):
    """What live pages ask about once a second."""

    async def change_marks(self, plant: str) -> Mapping[str, str]:
        """By topic (holds, cases, parked, orders, lines, stops) a text that differs whenever the topic has changed."""
        async with self._db.read() as session:
            marks: dict[str, str] = {}
            for topic, wanted in _questions(plant).items():
                row = (await session.execute(wanted)).one()
                marks[topic] = "/".join(str(value) for value in row)
            return marks


def _questions(plant: str) -> dict[str, Select[Any]]:
    hold, case, parked = QualityHoldRow, ExceptionCaseRow, ParkedItemRow
    order, line, stop = ProductionOrderRow, LineCheckpointRow, DowntimeRow
    return {
        "holds": _count(plant, hold, func.sum(col(hold.revision)), func.sum(col(hold.triggers))),
        "cases": _count(plant, case, func.sum(col(case.level)), func.max(col(case.recorded_at)),
                        func.max(col(case.closed_at)), func.count(func.nullif(col(case.action), ""))),
        "parked": _count(plant, parked, func.count(col(parked.accepted))),
        "orders": _count(plant, order, func.max(col(order.recorded_at)), func.sum(func.length(col(order.phase)))),
        "lines": _count(plant, line, func.sum(col(line.revision))),
        "stops": _count(plant, stop, func.sum(col(stop.revision)), func.sum(col(stop.fact_version))),
    }  # fmt: skip


def _count(plant: str, table: PlantTable, *figures: ColumnElement[Any]) -> Select[Any]:
    return select(func.count(), *figures).select_from(table).where(col(table.plant) == plant)
