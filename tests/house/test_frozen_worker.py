"""A commit that takes longer than every timeout, and a worker that freezes while it waits: one document.

The frozen worker is killed in one case; in the other it wakes up when everything is over, and must not send again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from activities.ledger import CALLS_PER_ATTEMPT
from tests.house.durable_plant import (
    CONFIRMATIONS,
    FIRST,
    OUTAGE,
    confirmations,
    plant_at_work,
    plant_text,
    until_erp_is_missed,
    until_line_is_done,
    until_posting_in_work,
)
from tests.house.plant_house import PlantHouse

TIMEOUT = 1.0
START_TO_CLOSE = TIMEOUT * CALLS_PER_ATTEMPT + 5
COMMIT_DELAY = START_TO_CLOSE + 3
SETTLE = COMMIT_DELAY + 3
"""The plant says how long a commit may take to show; that is what keeps an unknown posting from being sent again."""

TOO_SHORT = 2.0
"""A plant that says too little: then the ERP's lock on the order, and one more look when it falls, must do."""


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("fate", "settle"),
    [("killed", SETTLE), ("wakes up", SETTLE), ("killed", TOO_SHORT)],
    ids=["killed", "wakes up", "killed, settle time too short"],
)
async def test_a_commit_slower_than_every_timeout_with_the_worker_frozen_is_one_document(
    tmp_path: Path, fate: str, settle: float
) -> None:
    plant = plant_text(timeout=TIMEOUT, settle=settle)
    async with plant_at_work(tmp_path, (FIRST, 10), plant=plant, defects=()) as house:
        await house.until("the order is known", lambda: _is_known(house))
        await house.sap("faults", OUTAGE)
        await until_line_is_done(house)
        await until_erp_is_missed(house, FIRST)
        await house.sap("faults", method="DELETE")
        slow = {"mode": "slow", "seconds": COMMIT_DELAY, "calls": 1, "path": CONFIRMATIONS}
        await house.sap("faults", slow)
        await until_posting_in_work(house)
        await _freeze_between_writes(house)
        assert await confirmations(house) == []
        await house.start_worker("second")

        async def committed() -> bool:
            return bool(await confirmations(house))

        await house.until("the slow commit", committed, COMMIT_DELAY + 10)
        if fate == "killed":
            await house.children["worker"].kill()
        else:
            house.children["worker"].thaw()
        await house.until_closed(FIRST, seconds=150)
        assert await house.differences() == []
        with_pieces = [d["operation"] for d in await confirmations(house) if d["yield"] != "0"]
        assert sorted(with_pieces) == ["0010", "0020", "0030"]


async def _is_known(house: PlantHouse) -> bool:
    return await house.order_status(FIRST) is not None


async def _freeze_between_writes(house: PlantHouse) -> None:
    """Not within a transaction: a stopped process would keep SQLite's only lock, and no second worker could start."""
    worker = house.children["worker"]
    while True:
        worker.freeze()
        with closing(sqlite3.connect(house.folder / "ledger.sqlite", timeout=0.2, isolation_level=None)) as ledger:
            try:
                ledger.execute("begin immediate")
            except sqlite3.OperationalError:
                worker.thaw()
                await asyncio.sleep(0.01)
                continue
            ledger.execute("rollback")
            return
