"""The rule that an event feeds one report only: finds reports that overlap earlier ones and withholds them.

Counters of a station interleave in one source range, so event identities decide; ranges only where they are missing.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, select, update

from ledger.database import portions, upsert
from ledger.tables import LineMessageRow, ReportEventRow, ReportRangeRow
from signals.ids import parked_item_id
from signals.reports import Evidence, ParkedItem, ParkedWhy, ProductionReport

OVERLAP_RULE = "report-overlap/1"
"""Parks a report that uses an event, a range or a number that an earlier report has used."""


async def park_overlaps(session: AsyncSession, line: str, reports: list[ProductionReport]) -> list[ParkedItem]:
    """Let new reports of one line use up their events; what overlaps is withheld, and returned to be parked."""
    if not reports or await _use_all(session, line, reports):
        return []
    parked: list[ParkedItem] = []
    for report in reports:
        overlap = await _use_evidence(session, report)
        if overlap is not None:
            await _withhold(session, report)
            parked.append(overlap)
    return parked


async def _use_all(session: AsyncSession, line: str, reports: list[ProductionReport]) -> bool:
    """The usual case in few statements: every report names events, and nobody has used one of them.

    False leaves nothing behind; then the reports are to be judged one by one.
    """
    events = [(report, event) for report in reports for event in _events(report)]
    if any(not _events(report) for report in reports) or await _has_nameless(session, line, reports):
        return False
    rows = [{"plant": r.plant, "event_id": event, "report_id": r.report_id} for r, event in events]
    used = upsert(session, ReportEventRow).on_conflict_do_nothing().returning(col(ReportEventRow.event_id))
    if len((await session.scalars(used, rows)).all()) < len(rows):
        for lot in portions([report.report_id for report in reports]):
            await _release(session, reports[0].plant, lot)
        return False
    await _store_ranges(session, reports)
    return True


async def _has_nameless(session: AsyncSession, line: str, reports: list[ProductionReport]) -> bool:
    row = ReportRangeRow
    wanted = select(row.report_id).where(
        col(row.plant) == reports[0].plant,
        col(row.line) == line,
        col(row.order_id).in_({report.bucket.order for report in reports}),
        col(row.names_events).is_(False),
    )
    return await session.scalar(wanted.limit(1)) is not None


def _events(report: ProductionReport) -> list[str]:
    return sorted({event for evidence in report.evidence for event in evidence.event_ids})


async def _use_evidence(session: AsyncSession, report: ProductionReport) -> ParkedItem | None:
    """Let the report use up its events. Returns the item to park when another report has used some of them."""
    events = _events(report)
    if events:
        rows = [{"plant": report.plant, "event_id": event, "report_id": report.report_id} for event in events]
        used = upsert(session, ReportEventRow).on_conflict_do_nothing().returning(col(ReportEventRow.event_id))
        inserted = set(await session.scalars(used, rows))
        taken = [event for event in events if event not in inserted]
        if taken:
            others = await _users(session, report.plant, taken)
            detail = f"report {report.report_id} uses {len(taken)} events of report {', '.join(others)}"
            return overlap_item(report, detail, tuple(taken))
    others = await _same_ranges(session, report)
    if others:
        ranges = ", ".join(r.text() for r in report.ranges)
        return overlap_item(report, f"report {report.report_id} covers {ranges} as report {', '.join(others)} does", ())
    await _store_ranges(session, [report])
    return None


async def _users(session: AsyncSession, plant: str, events: list[str]) -> list[str]:
    found: set[str] = set()
    for lot in portions(events):
        wanted = select(ReportEventRow.report_id).where(
            ReportEventRow.plant == plant, col(ReportEventRow.event_id).in_(lot)
        )
        found |= set(await session.scalars(wanted))
    return sorted(found)


def _kinds(report: ProductionReport) -> list[str]:
    """Kinds of quantity whose counters may share a range; a report of nothing is a kind of its own."""
    kinds = {
        "yield": report.yield_quantity,
        f"scrap {report.bucket.reason}": report.scrap_quantity,
        "rework": report.rework_quantity,
    }
    return [kind for kind, quantity in kinds.items() if quantity] or ["nothing"]


async def _same_ranges(session: AsyncSession, report: ProductionReport) -> list[str]:
    """Reports of the same kind whose ranges overlap, where event identities cannot tell them apart."""
    if not report.ranges:
        return []
    row = ReportRangeRow
    overlaps: list[ColumnElement[bool]] = [
        and_(col(row.source) == r.source, col(row.first_seq) <= r.last_seq, col(row.last_seq) >= r.first_seq)
        for r in report.ranges
    ]
    wanted = select(row.report_id).where(
        col(row.plant) == report.plant,
        col(row.line) == report.line,
        col(row.order_id) == report.bucket.order,
        col(row.operation) == report.bucket.operation,
        col(row.kind).in_(_kinds(report)),
        or_(*overlaps),
    )
    if _events(report):
        wanted = wanted.where(col(row.names_events).is_(False))
    return sorted(set(await session.scalars(wanted)))


async def _store_ranges(session: AsyncSession, reports: list[ProductionReport]) -> None:
    rows = [
        {
            "plant": report.plant,
            "report_id": report.report_id,
            "source": r.source,
            "first_seq": r.first_seq,
            "kind": kind,
            "last_seq": r.last_seq,
            "line": report.line,
            "order_id": report.bucket.order,
            "operation": report.bucket.operation,
            "names_events": bool(_events(report)),
        }
        for report in reports
        for r in report.ranges
        for kind in _kinds(report)
    ]
    if rows:
        await session.execute(upsert(session, ReportRangeRow).on_conflict_do_nothing(), rows)


async def _withhold(session: AsyncSession, report: ProductionReport) -> None:
    """Keep the report for display, without the events it tried to use and out of the order's messages."""
    await _release(session, report.plant, [report.report_id])
    await session.execute(
        update(LineMessageRow)
        .where(col(LineMessageRow.plant) == report.plant, col(LineMessageRow.report_id) == report.report_id)
        .values(withheld=True)
    )


async def _release(session: AsyncSession, plant: str, reports: Sequence[str]) -> None:
    await session.execute(
        delete(ReportEventRow).where(col(ReportEventRow.plant) == plant, col(ReportEventRow.report_id).in_(reports))
    )


def overlap_item(report: ProductionReport, detail: str, events: tuple[str, ...]) -> ParkedItem:
    """The report as a parked item, with what it overlaps as its first evidence."""
    return ParkedItem(
        item=parked_item_id(report.plant, ParkedWhy.OVERLAPPING_REPORT, report.report_id),
        plant=report.plant,
        line=report.line,
        order=report.bucket.order,
        operation=report.bucket.operation,
        why=ParkedWhy.OVERLAPPING_REPORT,
        detail=detail,
        at=report.last_at,
        yield_quantity=report.yield_quantity,
        scrap_quantity=report.scrap_quantity,
        unit=report.unit,
        batch=report.bucket.batch,
        evidence=(Evidence(rule=OVERLAP_RULE, detail=detail, event_ids=events), *report.evidence),
        ranges=report.ranges,
    )
