"""Stops in the ledger: the Line's facts with its checkpoint, the workflow's record, the whole history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from ledger.database import Books, upsert
from ledger.stop_tables import DowntimeEventRow, DowntimeRow
from signals.downtime import StopEvent, StopFact, StopRecord, StopSearch, StopState

LISTED = 2_000
"""At most so many stops are listed at once."""


class StopBooks(Books):
    """Stops of one or more plants."""

    async def record_stop(self, record: StopRecord) -> bool:
        async with self._db.write() as session:
            await _store_history(session, record)
            row = await session.get(DowntimeRow, (record.plant, record.line, record.stop), with_for_update=True)
            if row is None:
                row = DowntimeRow(**_fact_columns(record.fact), **_columns(record), recorded_at=self._db.now())
                session.add(row)
                return True
            unheard = record.fact.version < row.fact_version
            if record.revision < row.revision or (unheard and record.state.is_over):
                return False
            for name, value in _columns(record).items():
                setattr(row, name, value)
            if record.fact.version > row.fact_version:
                for name, value in _fact_columns(record.fact).items():
                    setattr(row, name, value)
            row.recorded_at = self._db.now()
            return True

    async def stop(self, plant: str, line: str, stop: str) -> StopRecord | None:
        async with self._db.read() as session:
            row = await session.get(DowntimeRow, (plant, line, stop))
            if row is None:
                return None
            wanted = select(DowntimeEventRow).where(
                DowntimeEventRow.plant == plant, DowntimeEventRow.line == line, DowntimeEventRow.stop == stop
            )
            events = await session.scalars(wanted.order_by(col(DowntimeEventRow.number)))
            history = tuple(StopEvent.model_validate_json(e.payload) for e in events)
            return _record(row).model_copy(update={"history": history})

    async def stops(self, plant: str, search: StopSearch) -> list[StopRecord]:
        async with self._db.read() as session:
            wanted = select(DowntimeRow).where(DowntimeRow.plant == plant, *_conditions(search))
            latest = col(DowntimeRow.started_at).desc()
            rows = await session.scalars(wanted.order_by(latest, col(DowntimeRow.line)).limit(LISTED))
            return [r for r in (_record(row) for row in rows) if _fits(r, search)]


async def take_fact(session: AsyncSession, fact: StopFact, now: datetime) -> None:
    """A Line's fact, within the transaction of its checkpoint; an older version than the ledger's changes nothing."""
    row = await session.get(DowntimeRow, (fact.plant, fact.line, fact.stop), with_for_update=True)
    if row is None:
        record = begun_record(fact)
        values = {**_fact_columns(fact), **_columns(record), "recorded_at": now}
        await session.execute(upsert(session, DowntimeRow).values(**values).on_conflict_do_nothing())
        return
    if fact.version <= row.fact_version:
        return
    for name, value in _fact_columns(fact).items():
        setattr(row, name, value)
    if not fact.micro:
        row.is_open = True  # where it was closed already, its workflow is started again and looks at it
    row.recorded_at = now


def begun_record(fact: StopFact) -> StopRecord:
    """A stop before its workflow has said anything; a micro-stop never gets one."""
    state = StopState.CLOSED if fact.micro else StopState.OPEN
    return StopRecord(
        stop=fact.stop, plant=fact.plant, line=fact.line, fact=fact, state=state,
        closed_at=fact.ended_at if fact.micro else None,
    )  # fmt: skip


def _record(row: DowntimeRow) -> StopRecord:
    record = StopRecord.model_validate_json(row.payload)
    if record.fact.version < row.fact_version:
        record = record.model_copy(update={"fact": StopFact.model_validate_json(row.fact)})
    return record


def _conditions(search: StopSearch) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if search.line:
        found.append(col(DowntimeRow.line) == search.line)
    if search.open_only:
        found.append(col(DowntimeRow.is_open).is_(True))
    if not search.micro:
        found.append(col(DowntimeRow.micro).is_(False))
    if search.unclassified:
        found.append(col(DowntimeRow.classified).is_(False))
    if search.since is not None:
        found.append(col(DowntimeRow.ended_at).is_(None) | (col(DowntimeRow.ended_at) > search.since))
    if search.until is not None:
        found.append(col(DowntimeRow.started_at) < search.until)
    return found


def _fits(record: StopRecord, search: StopSearch) -> bool:
    orders = {p.order for p in record.parts} | {s.order for s in record.fact.stretches}
    return (
        (not search.shift or any(p.shift == search.shift for p in record.parts))
        and (not search.order or search.order in orders)
        and (not search.reason or any(p.reason == search.reason for p in record.parts))
    )


async def _store_history(session: AsyncSession, record: StopRecord) -> None:
    """Entries never change: what the ledger has it keeps."""
    for event in record.history:
        statement = upsert(session, DowntimeEventRow).values(
            plant=record.plant, line=record.line, stop=record.stop, number=event.number, at=event.at,
            what=event.what, by=event.by, payload=event.model_dump_json(),
        )  # fmt: skip
        await session.execute(statement.on_conflict_do_nothing())


def _fact_columns(fact: StopFact) -> dict[str, Any]:
    return {
        "plant": fact.plant,
        "line": fact.line,
        "stop": fact.stop,
        "micro": fact.micro,
        "started_at": fact.started_at,
        "ended_at": fact.ended_at,
        "fact_version": fact.version,
        "fact": fact.model_dump_json(),
    }


def _columns(record: StopRecord) -> dict[str, Any]:
    return {
        "is_open": not record.state.is_over,
        "classified": record.fact.micro or (bool(record.parts) and record.is_classified),
        "due_at": record.due_at,
        "revision": record.revision,
        "payload": record.model_copy(update={"history": ()}).model_dump_json(),
    }
