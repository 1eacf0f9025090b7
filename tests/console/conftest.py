"""Consoles for the tests: asked in memory, and served for a real browser."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from ledger.connect import open_ledger
from tests.console.browsing import launched
from tests.console.house import House, build_house, furnish, settle


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger's file with people and orders, made once; tests work on copies."""
    file = tmp_path_factory.mktemp("settled") / "ledger.db"
    ledger = await open_ledger(f"sqlite:///{file}")
    await settle(ledger)
    await ledger.close()
    return file


@pytest_asyncio.fixture(loop_scope="session")
async def house(settled: Path, tmp_path: Path) -> AsyncIterator[House]:
    file = tmp_path / "ledger.db"
    shutil.copy(settled, file)
    ledger = await open_ledger(f"sqlite:///{file}")
    built = await build_house(ledger)
    await furnish(built)
    yield built
    await ledger.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as found:
        yield found
