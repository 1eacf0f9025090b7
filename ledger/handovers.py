"""Shift handovers in the ledger, and what the Lines reported for a shift."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import col, select

from ledger.database import Books
from ledger.handover_tables import HandoverRow
from ledger.tables import LineMessageRow
from signals.handover import HandoverReport, HandoverSearch, HandoverState
from signals.reports import LineMessage, ProductionReport

_RANK = {HandoverState.WAITING: 0, HandoverState.LAPSED: 1, HandoverState.ACKNOWLEDGED: 2}


class HandoverBooks(Books):
    """Handovers by plant and shift."""

    async def record_handover(self, report: HandoverReport) -> HandoverReport:
        async with self._db.write() as session:
            row = await session.get(HandoverRow, (report.plant, report.shift), with_for_update=True)
            if row is None:
                session.add(HandoverRow(**_columns(report), recorded_at=self._db.now()))
                return report
            stands = HandoverReport.model_validate_json(row.payload)
            if not _replaces(report, stands):
                return stands
            for name, value in _columns(report).items():
                setattr(row, name, value)
            row.recorded_at = self._db.now()
            return report

    async def handover(self, plant: str, shift: str) -> HandoverReport | None:
        async with self._db.read() as session:
            row = await session.get(HandoverRow, (plant, shift))
            return None if row is None else HandoverReport.model_validate_json(row.payload)

    async def handovers(self, plant: str, search: HandoverSearch) -> list[HandoverReport]:
        wanted = select(HandoverRow.payload).where(HandoverRow.plant == plant)
        if search.open_only:
            wanted = wanted.where(HandoverRow.state != HandoverState.ACKNOWLEDGED.value)
        if search.since is not None:
            wanted = wanted.where(col(HandoverRow.ends_at) > search.since)
        if search.until is not None:
            wanted = wanted.where(col(HandoverRow.starts_at) < search.until)
        async with self._db.read() as session:
            found = await session.scalars(wanted.order_by(col(HandoverRow.ends_at).desc()).limit(search.limit))
            return [HandoverReport.model_validate_json(payload) for payload in found]

    async def handed_over_until(self, plant: str) -> datetime | None:
        wanted = select(HandoverRow.ends_at).where(HandoverRow.plant == plant)
        async with self._db.read() as session:
            return (await session.scalars(wanted.order_by(col(HandoverRow.ends_at).desc()).limit(1))).first()

    async def shift_reports(self, plant: str, shift: str) -> list[ProductionReport]:
        row = LineMessageRow
        wanted = select(row.payload).where(row.plant == plant, row.shift == shift, col(row.withheld).is_(False))
        async with self._db.read() as session:
            payloads = await session.scalars(wanted.order_by(col(row.line), col(row.order_id), col(row.number)))
            found = [LineMessage.model_validate_json(payload).report for payload in payloads]
        return [report for report in found if report is not None]


def _replaces(report: HandoverReport, stands: HandoverReport) -> bool:
    """Later figures, or a later state of the same ones. What was acknowledged stands for ever."""
    if stands.state is HandoverState.ACKNOWLEDGED:
        return False
    return (report.revision, _RANK[report.state]) > (stands.revision, _RANK[stands.state])


def _columns(report: HandoverReport) -> dict[str, Any]:
    return {
        "plant": report.plant,
        "shift": report.shift,
        "starts_at": report.starts_at,
        "ends_at": report.ends_at,
        "revision": report.revision,
        "state": report.state.value,
        "acknowledged_by": report.acknowledged_by,
        "payload": report.model_dump_json(),
    }
