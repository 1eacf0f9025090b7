"""A hold's whole way into SAP's books, by where the material is (reference erp.md 4.2); the books are the judge."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from erp.sap import SapErp
from ledger.connect import open_ledger
from ledger.store import SqlLedger
from signals.holds import HoldState
from signals.stock import MaterialPosition
from tests.erp import scenes
from tests.erp.conftest import SapProcess
from tests.workflows.hold_bench import HoldBench, K, hold_plant

FREE, INSPECTION, BLOCKED, RESTRICTED = "01", "02", "07", "08"


_tags = itertools.count(8_500_001)


@pytest.fixture
def tag() -> str:
    return str(next(_tags))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def books(tmp_path_factory: Any) -> AsyncIterator[SqlLedger]:
    ledger = await open_ledger(f"sqlite:///{tmp_path_factory.mktemp('holds') / 'ledger.db'}")
    yield ledger
    await ledger.close()


@asynccontextmanager
async def at_sap(client: Client, books: SqlLedger, erp: SapErp) -> AsyncIterator[HoldBench]:
    bench = HoldBench(client, books, hold_plant(), erp=erp)  # type: ignore[arg-type]
    try:
        async with bench.working():
            yield bench
        assert await bench.replay()
    finally:
        await bench.end()


async def stock(sap: SapProcess, material: str) -> dict[str, Decimal]:
    """By stock type, whatever the place."""
    found: dict[str, Decimal] = {}
    for row in (await sap.books())["stock"]:
        if row["material"] == material and Decimal(row["quantity"]):
            kind = row["stock_type"]
            found[kind] = found.get(kind, Decimal(0)) + Decimal(row["quantity"])
    return found


async def test_free_stock_goes_to_blocked_stock_and_leaves_it_by_343_and_555(
    temporal_client: Client, books: SqlLedger, sap: SapProcess, erp: SapErp, tag: str
) -> None:
    await scenes.seed(sap, tag)
    async with at_sap(temporal_client, books, erp) as holds:
        await holds.open(holds.trigger(10, order="", operation="", material=f"X{tag}"))
        await holds.until_hold(lambda r: r.erp == "blocked")
        assert await stock(sap, f"X{tag}") == {FREE: 30, BLOCKED: 10}
        await holds.decide((K.RELEASE, 6), (K.SCRAP, 4))
        record = await holds.ended()
        assert await stock(sap, f"X{tag}") == {FREE: 36}
        assert [(p.what, p.state, bool(p.document)) for p in record.postings] == [
            ("block", "done", True), ("scrap", "done", True), ("release", "done", True),
        ]  # fmt: skip


async def test_a_batch_is_restricted_wherever_it_lies_and_freed_as_a_whole(
    temporal_client: Client, books: SqlLedger, sap: SapProcess, erp: SapErp, tag: str
) -> None:
    await scenes.seed(sap, tag)
    async with at_sap(temporal_client, books, erp) as holds:
        await holds.open(holds.trigger(42, order="", operation="", material=f"L{tag}", batch="LOT1"))
        record = await holds.until_hold(lambda r: r.erp == "blocked")
        assert record.position is MaterialPosition.BATCH
        assert await stock(sap, f"L{tag}") == {RESTRICTED: 42}
        await holds.decide((K.RELEASE, 37), (K.SCRAP, 5))
        await holds.ended()
        assert await stock(sap, f"L{tag}") == {FREE: 37}


async def test_stock_of_an_inspection_lot_is_withheld_and_leaves_by_the_lots_decision_only(
    temporal_client: Client, books: SqlLedger, sap: SapProcess, tag: str
) -> None:
    erp = sap.adapter(sap=scenes.OPTIONS)
    await scenes.seed(sap, tag, inspected=True)
    lot = await scenes.Scene(sap, erp, tag).lot()
    async with at_sap(temporal_client, books, erp) as holds:
        trigger = holds.trigger(10, order=tag, operation="", material=f"F{tag}")
        await holds.open(trigger.model_copy(update={"inspection_lot": lot}))
        record = await holds.until_hold(lambda r: r.erp == "blocked")
        assert record.position is MaterialPosition.IN_INSPECTION
        assert await stock(sap, f"F{tag}") == {INSPECTION: 10}
        await holds.decide((K.RELEASE, 8), (K.SCRAP, 2))
        await holds.ended(60)
        assert await stock(sap, f"F{tag}") == {FREE: 8}
    await erp.aclose()


async def test_an_answer_that_was_lost_blocks_once(
    temporal_client: Client, books: SqlLedger, sap: SapProcess, erp: SapErp, tag: str
) -> None:
    await scenes.seed(sap, tag)
    await sap.fault("error_after_commit", calls=1)
    async with at_sap(temporal_client, books, erp) as holds:
        await holds.open(holds.trigger(10, order="", operation="", material=f"X{tag}"))
        await holds.until_hold(lambda r: r.erp == "blocked")
        assert await stock(sap, f"X{tag}") == {FREE: 30, BLOCKED: 10}


async def test_what_is_still_in_work_is_scrapped_by_a_confirmation_at_the_next_operation(
    temporal_client: Client, books: SqlLedger, sap: SapProcess, erp: SapErp, tag: str
) -> None:
    await scenes.seed(sap, tag)
    async with at_sap(temporal_client, books, erp) as holds:
        await holds.open(holds.trigger(3, order=tag, operation="0010", material=f"F{tag}"))
        record = await holds.until_hold(lambda r: r.erp == "none")
        assert record.position is MaterialPosition.IN_WORK
        await holds.decide((K.SCRAP, 3))
        assert (await holds.ended()).state is HoldState.CLOSED
        [confirmed] = await sap.standing(tag)
        assert (confirmed["operation"], Decimal(confirmed["scrap"])) == ("0020", 3)
