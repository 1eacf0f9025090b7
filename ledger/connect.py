"""Opening a ledger: `sqlite:///FILE` (embedded) or `postgresql://…` (production), with the schema at its newest.

Two processes may start at once on an empty database: one migrates under a lock, the other waits for it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from ledger.database import WRITER, Database, utc_now
from ledger.store import SqlLedger
from signals.errors import BadInput

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30.0
"""How long a writer waits for other processes' transactions on SQLite."""
MIGRATION_LOCK = 0x706C616E74
"""PostgreSQL advisory lock key ("plant"), held by the process that migrates."""

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
_log = structlog.get_logger(__name__)


def ledger_url(url: str) -> URL:
    """The URL with the driver that the ledger uses. BadInput for any database it does not know."""
    hint = "use sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadInput(f"{url!r} is no database URL", subject="ledger", hint=hint) from error
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        message = f"the ledger cannot live in {parsed.get_backend_name()!r}"
        raise BadInput(message, subject=parsed.render_as_string(), hint=hint)
    return parsed.set(drivername=driver)


def create_engine(url: str) -> AsyncEngine:
    """An engine with foreign keys on, waiting writers and durable commits. Nothing is connected yet."""
    parsed = ledger_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_async_engine(parsed, pool_pre_ping=True)
    # A database in memory lives in its one connection; tasks take turns for it.
    pool = {} if _file(parsed) else {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
    engine = create_async_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, **pool)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite_connection)
    event.listen(engine.sync_engine, "begin", _begin_on_sqlite)
    return engine


async def open_ledger(url: str, *, now: Callable[[], datetime] = utc_now) -> SqlLedger:
    """Connect, migrate to the newest schema and return the ledger; `close()` it when done.

    Raises BadInput for a URL, file or schema that cannot be used, ConnectionError where the database is away.
    """
    parsed = ledger_url(url)
    file = _file(parsed)
    if file is not None:
        await asyncio.to_thread(_prepare_sqlite_file, file)
    engine = create_engine(url)
    try:
        await migrate(engine)
    except BaseException:
        await engine.dispose()
        raise
    return SqlLedger(Database(engine, now))


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema to its newest revision, in one transaction and under a lock; a no-op where it is."""
    where = engine.url.render_as_string(hide_password=True)
    try:
        async with engine.execution_options(**{WRITER: True}).begin() as connection:
            await connection.run_sync(_upgrade)
    except CommandError as error:
        raise BadInput(
            f"the ledger {where} has a schema that this version does not know: {error}",
            subject=where,
            hint="a newer Plantwright wrote it: run that version, or restore a backup of the older ledger",
        ) from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, OSError) or _is_connection_trouble(error):
            raise ConnectionError(f"the ledger's database {where} does not answer: {error.orig}") from error
        raise


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_connection_trouble(error: DBAPIError) -> bool:
    # psycopg reports a refused or lost connection without a server-side SQLSTATE.
    return type(error.orig).__name__ == "OperationalError" and getattr(error.orig, "sqlstate", "") is None


def _file(url: URL) -> Path | None:
    """The SQLite file, None for PostgreSQL and for a database in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def _prepare_sqlite_file(file: Path) -> None:
    """Switch the file to write-ahead logging, once for all connections to come.

    SQLite does not wait for the switch by itself: two processes that create the same file would see it locked.
    """
    until = time.monotonic() + BUSY_SECONDS
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        while True:
            connection = sqlite3.connect(file, timeout=BUSY_SECONDS)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                _log.info("ledger file is being prepared by another process", file=str(file))
                time.sleep(0.05)
            finally:
                connection.close()
    except (OSError, sqlite3.Error) as error:
        hint = "give a file in a directory that can be written, or the ledger file itself"
        raise BadInput(f"the ledger file {file} cannot be used: {error}", subject=str(file), hint=hint) from error


def _prepare_sqlite_connection(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself, or BEGIN IMMEDIATE would come too late.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_on_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITER, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
