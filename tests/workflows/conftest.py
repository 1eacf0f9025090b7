"""Fixtures for tests of workflows: one ledger for the run, and a plant on a bench per test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from ledger.connect import open_ledger
from ledger.store import SqlLedger
from tests.workflows.bench import CACHED_WORKFLOWS, Bench, opened, plant_config


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plant_ledger(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SqlLedger]:
    """One SQLite ledger for the run; every bench has a plant of its own in it."""
    ledger = await open_ledger(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    yield ledger
    await ledger.close()


@pytest.fixture
def open_bench(temporal_client: Client, plant_ledger: SqlLedger) -> Callable[..., AbstractAsyncContextManager[Bench]]:
    """Opens a bench; keywords are those of `plant_config`, and `replay`."""

    def open_(*, replay: bool = True, **keywords: Any) -> AbstractAsyncContextManager[Bench]:
        return opened(temporal_client, plant_ledger, plant_config(**keywords), replay=replay)

    return open_


@pytest_asyncio.fixture(loop_scope="session")
async def bench(open_bench: Callable[..., AbstractAsyncContextManager[Bench]]) -> AsyncIterator[Bench]:
    """The plain plant: one station, a report each ten pieces."""
    async with open_bench() as found:
        yield found


@pytest.fixture
def volume() -> None:
    """Asked for by tests that make long histories: without a cache each task would replay them from the start."""
    if CACHED_WORKFLOWS == 0:
        pytest.skip("volume test: replaying whole histories at every task is quadratic")
