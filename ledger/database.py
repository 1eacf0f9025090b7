"""Transactions on either database: writers that wait for each other, readers that see one instant, upserts.

On SQLite a writer starts with BEGIN IMMEDIATE, so writers of several processes queue instead of failing half-way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlmodel import SQLModel

WRITER = "plantwright_writer"
"""Execution option that marks connections whose transactions will write (ledger/connect.py reads it)."""

AT_ONCE = 2000
"""Values asked for in one statement, well below what either database binds."""


class Database:
    """The engine with its two kinds of transactions."""

    def __init__(self, engine: AsyncEngine, now: Callable[[], datetime]) -> None:
        self.engine = engine
        self.now = now
        self.is_sqlite = engine.dialect.name == "sqlite"
        # SQLite's own waiting polls and is not fair; tasks of one process take turns here instead.
        self._turn = asyncio.Lock()
        if self.is_sqlite:
            readers, writers = engine, engine.execution_options(**{WRITER: True})
        else:
            readers = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            # The claim reads again what a concurrent transaction has committed; a snapshot would hide it.
            writers = engine.execution_options(isolation_level="READ COMMITTED")
        self._readers = async_sessionmaker(readers, expire_on_commit=False)
        self._writers = async_sessionmaker(writers, expire_on_commit=False)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A transaction that sees the ledger as it stood at its first query."""
        async with self._readers.begin() as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction that commits at the end of the block, or writes nothing at all."""
        if not self.is_sqlite:
            async with self._writers.begin() as session:
                yield session
            return
        async with self._turn, self._writers.begin() as session:
            yield session

    async def close(self) -> None:
        await self.engine.dispose()


class Books:
    """Base of the parts of the ledger."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def close(self) -> None:
        """Give the connections back; the ledger cannot be used afterwards."""
        await self._db.close()


def upsert(session: AsyncSession, table: type[SQLModel]) -> postgresql.Insert:
    """An insert with ON CONFLICT; both databases speak the same clause, SQLAlchemy only spells it twice."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)  # pyright: ignore[reportReturnType]
    return postgresql.insert(table)


def utc_now() -> datetime:
    return datetime.now(UTC)


def portions(values: Sequence[str]) -> list[Sequence[str]]:
    """The values in lots small enough for one IN list."""
    return [values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE)]
