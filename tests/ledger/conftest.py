"""Ledgers for the tests: each test that asks for one runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from ledger.connect import open_ledger
from ledger.store import SqlLedger

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL: the one named by PLANTWRIGHT_TEST_POSTGRES, else one of our own from the package pgserver."""
    given = os.environ.get("PLANTWRIGHT_TEST_POSTGRES")
    if given:
        yield given
        return
    if importlib.util.find_spec("pgserver") is None:
        pytest.skip("PostgreSQL needs the package pgserver, or PLANTWRIGHT_TEST_POSTGRES=postgresql://…")
    import pgserver

    directory = tmp_path_factory.mktemp("postgres")
    server = pgserver.get_server(directory, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    uri: str = request.getfixturevalue("postgres_uri")
    name = f"ledger_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    head, _, query = uri.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{'?' + query if query else ''}"


@pytest_asyncio.fixture(loop_scope="session")
async def ledger(database_url: str) -> AsyncIterator[SqlLedger]:
    opened = await open_ledger(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def python() -> str:
    """The interpreter for tests that need processes of their own."""
    return sys.executable
