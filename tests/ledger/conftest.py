"""Ledgers for the tests: each test that asks for one runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from ledger.connect import open_ledger
from ledger.store import SqlLedger

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    """A PostgreSQL: the one in PLANTWRIGHT_TEST_POSTGRES, else the package pgserver's, else the system's programs."""
    if given := os.environ.get("PLANTWRIGHT_TEST_POSTGRES"):
        yield given
    elif importlib.util.find_spec("pgserver") is not None:
        yield from _packaged_server()
    elif programs := _system_programs():
        yield from _system_server(programs)
    else:
        pytest.skip("PostgreSQL needs the package pgserver, pg_ctl, or PLANTWRIGHT_TEST_POSTGRES=postgresql://…")


def _packaged_server() -> Iterator[str]:
    """In a folder of its own: pytest closes its tree to other users, and as root the server runs as one."""
    directory = Path(tempfile.mkdtemp(prefix="pg"))
    with warnings.catch_warnings():
        # It looks for a runtime directory on import, and says so where the system has none.
        warnings.simplefilter("ignore")
        from pgserver.postgres_server import get_server

    server = get_server(directory, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(directory, ignore_errors=True)


def _system_programs() -> Path | None:
    found = shutil.which("pg_ctl")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)
    return Path(found).parent if found else next((program.parent for program in installed), None)


def _system_server(programs: Path) -> Iterator[str]:
    """PostgreSQL refuses to run as root; its own user then runs it. Sockets want a short path."""
    directory = Path(tempfile.mkdtemp(prefix="pg"))
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(directory, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(directory / "db"), *arguments]
        subprocess.run(command, check=True, user=user, cwd=directory, stdout=subprocess.DEVNULL)

    run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres")
    run("pg_ctl", "-w", "-l", str(directory / "log"), "-o", f"-c listen_addresses='' -k {directory}", "start")
    try:
        yield f"postgresql://postgres@/postgres?host={directory}"
    finally:
        run("pg_ctl", "-w", "-m", "fast", "stop")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    uri: str = request.getfixturevalue("postgres_uri")
    name = f"ledger_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    head, _, query = uri.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{'?' + query if query else ''}"


@pytest_asyncio.fixture(loop_scope="session")
async def ledger(database_url: str) -> AsyncIterator[SqlLedger]:
    opened = await open_ledger(database_url)
    yield opened
    await opened.close()
