"""Opening a ledger: the schema is made once, agrees with the tables, and what was written survives a restart."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from ledger.columns import UtcDateTime
from ledger.connect import create_engine, migrate, open_ledger
from ledger.store import SqlLedger
from ledger.tables import LedgerTable
from signals.documents import PostingState
from signals.errors import BadInput
from tests.ledger.examples import LINE, ORDER, PLANT, START, document, event, hand_entry, order, posting, record, report


async def test_migration_to_the_newest_schema_twice_changes_nothing(database_url: str) -> None:
    def tables(connection: Connection) -> dict[str, int]:
        found = inspect(connection)
        return {name: len(found.get_columns(name)) for name in found.get_table_names()}

    engine = create_engine(database_url)
    await migrate(engine)
    async with engine.connect() as connection:
        before = await connection.run_sync(tables)
    await migrate(engine)
    async with engine.connect() as connection:
        assert await connection.run_sync(tables) == before
    await engine.dispose()
    assert set(before) == {*LedgerTable.metadata.tables, "alembic_version"}


async def test_migrations_make_what_the_tables_say(ledger: SqlLedger) -> None:
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), LedgerTable.metadata)

    async with ledger._db.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_everything_survives_a_restart(database_url: str) -> None:
    first = await open_ledger(database_url)
    await first.take_order(order())
    await first.set_phase(PLANT, ORDER, "running")
    await first.record_line(record(1, report("r1", 1, events=("e1",), yielded="2.5"), events=(event(1, "e1"),)))
    await first.claim(posting("r1", yielded="2.5"))
    key = posting("r1").key
    await first.mark_sent(key, token="t1", deadline=START, totals_before=(), documents_before=("1/1",))
    case = await first.open_case(hand_entry())
    before = (await first.trace(PLANT, ORDER), await first.load_line(PLANT, LINE), await first.posting(key))
    await first.close()
    second = await open_ledger(database_url)
    assert (await second.trace(PLANT, ORDER), await second.load_line(PLANT, LINE), await second.posting(key)) == before
    booked = await second.mark_outcome(key, state=PostingState.POSTED, document=document("1/2", "2.5"))
    assert (booked.state, booked.token) == (PostingState.POSTED, "t1")
    assert await second.cases(PLANT) == [case]
    (total,) = await second.totals(PLANT, ORDER)
    assert total.yield_quantity == Decimal("2.5")
    await second.close()


async def test_quantities_and_times_come_back_exactly(ledger: SqlLedger) -> None:
    value = Decimal("9999999999.123456")
    await ledger.claim(posting("r1"))
    key = posting("r1").key
    await ledger.mark_outcome(key, state=PostingState.POSTED, document=document("1/1", str(value)))
    (total,) = await ledger.totals(PLANT, ORDER)
    assert total.yield_quantity == value
    at = datetime(2026, 11, 20, 8, 0, 0, 1, tzinfo=timezone(timedelta(hours=2)))
    await ledger.claim(posting("r2"))
    await ledger.note_retry(posting("r2").key, next_try_at=at, message="")
    found = await ledger.posting(posting("r2").key)
    assert found is not None
    assert found.next_try_at is not None
    assert found.next_try_at == at
    assert found.next_try_at.tzinfo is UTC


async def test_naive_time_is_refused(ledger: SqlLedger) -> None:
    with pytest.raises(ValueError, match="has no zone"):
        UtcDateTime().process_bind_param(datetime(2026, 11, 20), ledger._db.engine.dialect)  # noqa: DTZ001


async def test_sqlite_connections_are_durable_and_check_foreign_keys(tmp_path: Path) -> None:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'new folder' / 'ledger.db'}")
    async with ledger._db.read() as session:
        wanted = ("journal_mode", "foreign_keys", "synchronous")
        settings = [await session.scalar(text(f"PRAGMA {name}")) for name in wanted]
    await ledger.close()
    assert settings == ["wal", 1, 2]


async def test_ledger_in_memory_serves_tasks_in_turn() -> None:
    ledger = await open_ledger("sqlite://")
    await asyncio.gather(*(ledger.claim(posting(f"r{n}")) for n in range(5)))
    assert len(await ledger.known_keys(PLANT, ORDER)) == 5
    await ledger.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x", "sqlite:////proc/nowhere/ledger.db"])
async def test_url_that_cannot_be_used_says_how_to_give_one(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        await open_ledger(url)
    assert caught.value.hint


async def test_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are notes, not a database, and they stay as they are\n" * 50)
    with pytest.raises(BadInput, match=r"notes\.txt"):
        await open_ledger(f"sqlite:///{file}")


async def test_schema_of_a_newer_version_is_refused(database_url: str) -> None:
    ledger = await open_ledger(database_url)
    async with ledger._db.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await ledger.close()
    with pytest.raises(BadInput, match="does not know"):
        await open_ledger(database_url)


async def test_postgresql_that_is_away_is_a_connection_error() -> None:
    with pytest.raises(ConnectionError, match="does not answer"):
        await open_ledger("postgresql://nobody:secret@127.0.0.1:1/ledger")
