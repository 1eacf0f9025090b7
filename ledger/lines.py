"""The Lines' part of the ledger: checkpoints with their outbox, and the rule that an event feeds one report only."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, select, update

from ledger.database import Books, portions, upsert
from ledger.parking import store_parked
from ledger.port import LineCheckpoint, LineRecord
from ledger.tables import (
    LineCheckpointRow,
    LineMessageRow,
    MachineEventRow,
    RefusalRow,
    ReportEventRow,
    ReportRangeRow,
)
from signals.ids import parked_item_id, short_hash
from signals.reports import Evidence, LineMessage, ParkedItem, ParkedWhy, ProductionReport, Refusal

OVERLAP_RULE = "report-overlap/1"
"""Parks a report that uses an event, a range or a number that an earlier report has used."""


class LineBooks(Books):
    """Checkpoints and outboxes of Lines."""

    async def record_line(self, record: LineRecord) -> LineCheckpoint | None:
        async with self._db.write() as session:
            now = self._db.now()
            newer = upsert(session, LineCheckpointRow).values(
                plant=record.plant,
                line=record.line,
                revision=record.revision,
                checkpoint=record.checkpoint,
                recorded_at=now,
            )
            newer = newer.on_conflict_do_update(
                index_elements=["plant", "line"],
                set_={name: newer.excluded[name] for name in ("revision", "checkpoint", "recorded_at")},
                where=col(LineCheckpointRow.revision) < newer.excluded.revision,
            )
            advanced = await session.scalar(newer.returning(col(LineCheckpointRow.revision)))
            if advanced is None:
                stands = await _checkpoint(session, record.plant, record.line)
                assert stands is not None
                repeated = (stands.revision, stands.checkpoint) == (record.revision, record.checkpoint)
                return None if repeated else stands
            await _store_events(session, record)
            parked = [*record.parked, *await _store_messages(session, record)]
            await store_parked(session, parked)
            await _store_refusals(session, record)
            return None

    async def load_line(self, plant: str, line: str) -> LineCheckpoint | None:
        async with self._db.read() as session:
            return await _checkpoint(session, plant, line)

    async def refusals(self, plant: str, *, order: str = "") -> list[Refusal]:
        wanted = select(RefusalRow).where(RefusalRow.plant == plant)
        if order:
            wanted = wanted.where(RefusalRow.order_id == order)
        async with self._db.read() as session:
            rows = await session.scalars(wanted.order_by(col(RefusalRow.at), col(RefusalRow.refusal_id)))
            return [Refusal.model_validate_json(row.payload) for row in rows]


async def _checkpoint(session: AsyncSession, plant: str, line: str) -> LineCheckpoint | None:
    row = await session.get(LineCheckpointRow, (plant, line))
    return None if row is None else LineCheckpoint(revision=row.revision, checkpoint=row.checkpoint)


async def _store_events(session: AsyncSession, record: LineRecord) -> None:
    rows = [
        {
            "plant": record.plant,
            "event_id": sequenced.event.event_id,
            "source": source,
            "seq": sequenced.seq,
            "line": record.line,
            "at": sequenced.event.at,
            "payload": sequenced.model_dump_json(),
        }
        for source, sequenced in record.events
    ]
    if rows:
        await session.execute(upsert(session, MachineEventRow).on_conflict_do_nothing(), rows)


async def _store_refusals(session: AsyncSession, record: LineRecord) -> None:
    rows = []
    for refusal in record.refusals:
        payload = refusal.model_dump_json()
        rows.append(
            {
                "plant": record.plant,
                "refusal_id": short_hash(record.plant, record.line, payload, length=26),
                "line": record.line,
                "order_id": refusal.order,
                "at": refusal.at,
                "payload": payload,
            }
        )
    if rows:
        await session.execute(upsert(session, RefusalRow).on_conflict_do_nothing(), rows)


async def _store_messages(session: AsyncSession, record: LineRecord) -> list[ParkedItem]:
    """Store the outbox; returns what must be parked because it overlaps what the ledger has."""
    parked: list[ParkedItem] = []
    for message in record.messages:
        if not await _insert_message(session, record, message):
            collision = await _number_collision(session, record, message)
            if collision is not None:
                parked.append(collision)
            continue
        if message.report is not None:
            overlap = await _use_evidence(session, message.report)
            if overlap is not None:
                await _withhold(session, message.report)
                parked.append(overlap)
    return parked


async def _insert_message(session: AsyncSession, record: LineRecord, message: LineMessage) -> bool:
    statement = upsert(session, LineMessageRow).values(
        plant=record.plant,
        line=record.line,
        order_id=message.order,
        number=message.number,
        report_id=message.report.report_id if message.report else None,
        withheld=False,
        payload=message.model_dump_json(),
    )
    inserted = await session.scalar(statement.on_conflict_do_nothing().returning(col(LineMessageRow.number)))
    return inserted is not None


async def _number_collision(session: AsyncSession, record: LineRecord, message: LineMessage) -> ParkedItem | None:
    """A message that is stored already is a repeat; another one under the same number must not vanish."""
    report = message.report
    if report is not None:
        known = await session.scalar(
            select(LineMessageRow.number).where(
                LineMessageRow.plant == record.plant, LineMessageRow.report_id == report.report_id
            )
        )
        if known is not None:
            return None
    row = await session.get(LineMessageRow, (record.plant, record.line, message.order, message.number))
    if row is None or row.payload == message.model_dump_json():
        return None
    detail = f"number {message.number} of line {record.line} carries report {row.report_id or 'of an operation end'}"
    if report is not None:
        return _overlap(report, f"report {report.report_id} came under a number that is taken: {detail}", ())
    end = message.operation_end
    assert end is not None
    return ParkedItem(
        item=parked_item_id(record.plant, ParkedWhy.OVERLAPPING_REPORT, message.model_dump_json()),
        plant=record.plant,
        line=record.line,
        order=end.order,
        operation=end.operation,
        why=ParkedWhy.OVERLAPPING_REPORT,
        detail=f"an operation end came under a number that is taken: {detail}",
        at=end.ended_at,
        evidence=(Evidence(rule=OVERLAP_RULE, detail=detail),),
    )


async def _use_evidence(session: AsyncSession, report: ProductionReport) -> ParkedItem | None:
    """Let the report use up its events. Returns the item to park when another report has used some of them."""
    events = sorted({event for evidence in report.evidence for event in evidence.event_ids})
    if events:
        rows = [{"plant": report.plant, "event_id": event, "report_id": report.report_id} for event in events]
        used = upsert(session, ReportEventRow).on_conflict_do_nothing().returning(col(ReportEventRow.event_id))
        inserted = set(await session.scalars(used, rows))
        taken = [event for event in events if event not in inserted]
        if taken:
            others = await _users(session, report.plant, taken)
            detail = f"report {report.report_id} uses {len(taken)} events of report {', '.join(others)}"
            return _overlap(report, detail, tuple(taken))
    kinds = _kinds(report)
    others = await _same_ranges(session, report, kinds, bool(events))
    if others:
        ranges = ", ".join(r.text() for r in report.ranges)
        return _overlap(report, f"report {report.report_id} covers {ranges} as report {', '.join(others)} does", ())
    await _store_ranges(session, report, kinds, bool(events))
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


async def _same_ranges(
    session: AsyncSession, report: ProductionReport, kinds: list[str], names_events: bool
) -> list[str]:
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
        col(row.kind).in_(kinds),
        or_(*overlaps),
    )
    if names_events:
        wanted = wanted.where(col(row.names_events).is_(False))
    return sorted(set(await session.scalars(wanted)))


async def _store_ranges(session: AsyncSession, report: ProductionReport, kinds: list[str], names_events: bool) -> None:
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
            "names_events": names_events,
        }
        for r in report.ranges
        for kind in kinds
    ]
    if rows:
        await session.execute(upsert(session, ReportRangeRow).on_conflict_do_nothing(), rows)


async def _withhold(session: AsyncSession, report: ProductionReport) -> None:
    """Keep the report for display, without the events it tried to use and out of the order's messages."""
    await session.execute(
        delete(ReportEventRow).where(
            col(ReportEventRow.plant) == report.plant, col(ReportEventRow.report_id) == report.report_id
        )
    )
    await session.execute(
        update(LineMessageRow)
        .where(col(LineMessageRow.plant) == report.plant, col(LineMessageRow.report_id) == report.report_id)
        .values(withheld=True)
    )


def _overlap(report: ProductionReport, detail: str, events: tuple[str, ...]) -> ParkedItem:
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
