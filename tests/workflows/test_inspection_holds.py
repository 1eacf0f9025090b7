"""Imported results start and tell the processes of holds; a hold that nobody could tell gets its process later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError

from ledger.store import SqlLedger
from signals.bookings import StockKind
from signals.holds import HoldCause
from signals.ids import hold_workflow_id
from signals.notify import NotificationKind
from tests.scada.test_qif import document
from tests.workflows.bench import eventually
from tests.workflows.hold_bench import HoldBench, K, hold_bench
from workers.client import TemporalUnreachable
from workers.hold_desk import TemporalHoldDesk, start_untold
from workers.inspections import Inspections
from workers.plant_worker import utc_now


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal_client: Client, plant_ledger: SqlLedger) -> AsyncIterator[HoldBench]:
    async with hold_bench(temporal_client, plant_ledger) as found:
        found.stock_erp.put(5)
        yield found


def written(folder: Path, name: str, **said: str) -> Path:
    file = folder / f"{name}.qif"
    file.write_bytes(document(**said).replace(b"q-1", f"q-{name}".encode()))
    return file


def inspections(bench: HoldBench, *, reachable: bool = True) -> tuple[Inspections, TemporalHoldDesk]:
    async def connect():
        if not reachable:
            raise TemporalUnreachable("nobody answers at 127.0.0.1:1")
        return bench.client

    desk = TemporalHoldDesk(connect, bench.ledger)
    return Inspections(bench.ledger, bench.plant, utc_now, desk), desk


def look_at(bench: HoldBench, holds: list[str]) -> None:
    [bench.hold] = holds
    bench.workflows.add(hold_workflow_id(bench.id, bench.hold))


async def test_results_start_a_hold_s_process_and_tell_it(bench: HoldBench, tmp_path: Path) -> None:
    takes, _ = inspections(bench)
    bad = written(tmp_path, "1", status="FAIL", piece="FAIL", value="11")
    first = await takes.import_files([bad])
    assert first.untold == []
    look_at(bench, first.holds)
    hold = await bench.until_hold(lambda h: h.erp == "blocked")
    assert hold.reasons[0].cause is HoldCause.INSPECTION and hold.quantity == 1 and hold.scope.serials == ("S-1",)
    assert bench.stock_erp.amount(StockKind.BLOCKED) == 1
    told = await eventually(lambda: bench.ledger.notifications(bench.id), bool)
    assert [(n.kind, n.facts["subject"]) for n in told] == [(NotificationKind.HOLD_OPENED, bench.hold)]
    assert (await takes.import_files([written(tmp_path, "2", value="10.1")])).untold == []
    both = await bench.until_hold(lambda h: bool(h.inspections) and len(h.reasons) == 2)
    assert {r.cause for r in both.reasons} == {HoldCause.INSPECTION, HoldCause.CONFLICT}
    assert both.inspections[0].passed and both.quantity == 1, "the result that contradicts stands with it"
    decided = await bench.act(bench.decision((K.RELEASE, 1), user="manager-1", role="quality manager"))
    assert "second signature" in decided.message, "one person alone does not release what disagrees"
    assert bench.stock_erp.amount(StockKind.BLOCKED) == 1


async def test_the_same_results_after_the_hold_s_end_change_nothing(bench: HoldBench, tmp_path: Path) -> None:
    takes, _ = inspections(bench)
    bad = written(tmp_path, "1", status="FAIL", piece="FAIL", value="11")
    look_at(bench, (await takes.import_files([bad])).holds)
    await bench.until_hold(lambda h: h.erp == "blocked")
    await bench.decide((K.SCRAP, 1))
    before = await bench.ended()
    again = await takes.import_files([bad])
    assert (again.holds, again.untold) == ([bench.hold], []) and [f.held for f in again.files] == [1]
    assert await bench.record() == before and await bench.ledger.blocks(bench.id) == []


async def test_a_hold_that_nobody_could_tell_blocks_at_once_and_gets_its_process_later(
    bench: HoldBench, tmp_path: Path
) -> None:
    takes, desk = inspections(bench, reachable=False)
    result = await takes.import_files([written(tmp_path, "1", status="FAIL", piece="FAIL", value="11")])
    look_at(bench, result.holds)
    assert result.untold == result.holds and "nobody answers" in desk.why
    assert len(await bench.ledger.blocks(bench.id)) == 1
    with pytest.raises(RPCError, match="not found"):
        await bench.handle().describe()
    assert await start_untold(bench.client, bench.ledger, bench.id) == result.holds
    await bench.until_hold(lambda h: h.erp == "blocked")
    assert await start_untold(bench.client, bench.ledger, bench.id) == []
    assert await start_untold(bench.client, bench.ledger, bench.id, everything=True) == result.holds
