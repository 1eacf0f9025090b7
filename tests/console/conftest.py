"""Consoles for the tests: asked in memory, and served for a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from ledger.connect import open_ledger
from tests.console.house import House, build_house, furnish


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path) -> AsyncIterator[House]:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    built = await build_house(ledger)
    await furnish(built)
    yield built
    await ledger.close()
