"""The Lines' part of the ledger: checkpoints, each with its outbox, events, holds and stops, in one transaction."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from ledger.database import Books, upsert
from ledger.holds import take_trigger
from ledger.overlap import OVERLAP_RULE, overlap_item, park_overlaps
from ledger.parking import store_parked
from ledger.port import LineCheckpoint, LineRecord
from ledger.stops import take_fact
from ledger.tables import (
    LineCheckpointRow,
    LineMessageRow,
    MachineEventRow,
    RefusalRow,
)
from signals.ids import parked_item_id, short_hash
from signals.reports import Evidence, LineMessage, ParkedItem, ParkedWhy, Refusal


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
            for trigger in record.holds:
                await take_trigger(session, trigger, now)
            for fact in record.stops:
                await take_fact(session, fact, now)
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
    first: dict[tuple[str, int], LineMessage] = {}
    for message in record.messages:
        first.setdefault((message.order, message.number), message)
    inserted = await _insert_messages(session, record, first)
    parked = [
        collision
        for message in record.messages
        if first[message.order, message.number] is not message or (message.order, message.number) not in inserted
        if (collision := await _number_collision(session, record, message)) is not None
    ]
    fresh = [message.report for place, message in first.items() if place in inserted and message.report is not None]
    return parked + await park_overlaps(session, record.line, fresh)


async def _insert_messages(
    session: AsyncSession, record: LineRecord, messages: dict[tuple[str, int], LineMessage]
) -> set[tuple[str, int]]:
    """Insert what is new; returns the orders and numbers that were."""
    rows = [
        {
            "plant": record.plant,
            "line": record.line,
            "order_id": order,
            "number": number,
            "report_id": message.report.report_id if message.report else None,
            "withheld": False,
            "shift": message.report.bucket.shift if message.report else None,
            "payload": message.model_dump_json(),
        }
        for (order, number), message in messages.items()
    ]
    if not rows:
        return set()
    row = LineMessageRow
    statement = upsert(session, row).on_conflict_do_nothing().returning(col(row.order_id), col(row.number))
    return {(order, number) for order, number in await session.execute(statement, rows)}


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
        return overlap_item(report, f"report {report.report_id} came under a number that is taken: {detail}", ())
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
