"""What planning is told while a line stands: only the latest state, never a stale one, and never for longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from temporalio.client import Client

from erp.port import SendGuard
from ledger.store import SqlLedger
from signals.documents import Booking
from signals.downtime import CapacityState, DecideCapacity, EstimateRecovery
from signals.errors import ErpBusy
from signals.ids import exception_workflow_id
from signals.transactions import PostingIntent, Reverse
from signals.upkeep import AdjustCapacity, OpenDowntime
from tests.workflows.bench import eventually
from tests.workflows.stop_bench import DOWNTIME, StopBench, UpkeepErp, stop_bench

HOUR = timedelta(hours=1)
Opener = Callable[..., AbstractAsyncContextManager[StopBench]]


@dataclass
class LockedErp(UpkeepErp):
    """Somebody has the work centre open: so many withdrawals find it locked."""

    locked: int = 0

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        if isinstance(intent.transaction, Reverse) and self.locked:
            self.locked -= 1
            raise ErpBusy("work centre P1 is being processed by PLANNER", code="CR/503")
        return await super().post(intent, guard)


@pytest.fixture
def standing(temporal_client: Client, plant_ledger: SqlLedger) -> Opener:
    def open_(**keywords: Any) -> AbstractAsyncContextManager[StopBench]:
        return stop_bench(temporal_client, plant_ledger, **keywords)

    return open_


async def jams(bench: StopBench) -> None:
    """The line stands for a reason that planning is told of."""
    bench.alarm = "E17"
    await bench.stands()
    await bench.until_stop(lambda r: r.notification)


async def decided(bench: StopBench, recovery: datetime, percent: int = 20) -> None:
    await bench.done(EstimateRecovery, recovery_at=recovery, available_percent=Decimal(percent))
    await bench.done(DecideCapacity, approve=True, recovery_at=recovery, user="planner-1", role="planner")


async def told(bench: StopBench, recovery: datetime, percent: int = 20) -> None:
    await decided(bench, recovery, percent)
    await until_told(bench, [recovery])
    await bench.until_stop(lambda r: r.capacity is CapacityState.POSTED)


async def _now() -> datetime:
    return datetime.now(UTC)


async def until_told(bench: StopBench, ends: list[datetime]) -> None:
    async def ask() -> list[datetime]:
        return [t.ends_at for t in bench.upkeep.told(AdjustCapacity)]

    await eventually(ask, lambda found: found == ends)


async def test_a_proposal_that_nobody_decided_lapses_when_the_line_runs(standing: Opener) -> None:
    async with standing() as bench:
        await jams(bench)
        await bench.done(EstimateRecovery, recovery_at=datetime.now(UTC) + HOUR)
        await bench.tell(end=datetime.now(UTC))
        record = await bench.ended()
        assert record.capacity is CapacityState.NONE
        assert not bench.upkeep.told(AdjustCapacity) and not bench.upkeep.withdrawn
        assert any(e.what == "capacity" and "lapses" in e.text for e in record.history)


async def test_what_planning_has_is_withdrawn_though_a_newer_proposal_waits(standing: Opener) -> None:
    async with standing() as bench:
        await jams(bench)
        await told(bench, datetime.now(UTC) + HOUR)
        await bench.done(EstimateRecovery, recovery_at=datetime.now(UTC) + 2 * HOUR)
        await bench.tell(end=datetime.now(UTC))
        record = await bench.ended()
        assert record.capacity is CapacityState.WITHDRAWN
        assert not bench.upkeep.told(AdjustCapacity) and len(bench.upkeep.withdrawn) == 1


async def test_an_approval_after_the_estimate_is_refused_and_the_stop_goes_on(standing: Opener) -> None:
    async with standing() as bench:
        await jams(bench)
        soon = datetime.now(UTC) + timedelta(seconds=1)
        await bench.done(EstimateRecovery, recovery_at=soon)
        await eventually(_now, lambda now: now > soon)
        late = await bench.act(DecideCapacity, approve=True, recovery_at=soon, user="planner-1", role="planner")
        assert not late.accepted and "estimate it anew" in late.message
        await told(bench, datetime.now(UTC) + HOUR)
        await bench.tell(end=datetime.now(UTC))
        assert (await bench.ended()).capacity is CapacityState.WITHDRAWN


async def test_a_newer_change_waits_until_the_older_one_is_gone(standing: Opener) -> None:
    erp = LockedErp(locked=2)
    async with standing(erp=erp) as bench:
        await jams(bench)
        first, second = (datetime.now(UTC) + n * HOUR for n in (1, 2))
        await told(bench, first)
        await decided(bench, second)

        def both() -> bool:
            return len(erp.told(AdjustCapacity)) > 1

        while erp.locked:
            assert not both()
            await asyncio.sleep(0.01)
        await until_told(bench, [second])
        assert [w.ends_at for w in erp.withdrawn] == [first]
        await bench.tell(end=datetime.now(UTC))
        record = await bench.ended()
        assert [p.what for p in record.postings if p.what.startswith("capacity")] == [
            "capacity", "capacity withdrawn", "capacity", "capacity withdrawn",
        ]  # fmt: skip


async def test_an_estimate_that_comes_back_is_told_again(standing: Opener) -> None:
    async with standing() as bench:
        await jams(bench)
        first, second = (datetime.now(UTC) + n * HOUR for n in (1, 2))
        for recovery in (first, second, first):
            await told(bench, recovery)
        await bench.tell(end=datetime.now(UTC))
        await bench.ended()
        assert [w.ends_at for w in bench.upkeep.withdrawn] == [first, second, first]


async def test_a_proposal_made_while_the_older_change_is_booked_is_not_lost(standing: Opener) -> None:
    async with standing() as bench:
        await jams(bench)
        first, second = (datetime.now(UTC) + n * HOUR for n in (1, 2))
        bench.erp.away = True
        await decided(bench, first)
        await bench.done(EstimateRecovery, recovery_at=second)
        bench.erp.away = False
        await until_told(bench, [first])
        await bench.until_stop(lambda r: any(p.what == "capacity" and p.state == "done" for p in r.postings))
        await bench.done(DecideCapacity, approve=True, recovery_at=second, user="planner-1", role="planner")
        await until_told(bench, [second])
        await bench.tell(end=datetime.now(UTC))
        assert (await bench.ended()).capacity is CapacityState.WITHDRAWN


async def test_a_change_that_the_erp_refuses_is_a_case_until_the_line_runs(standing: Opener) -> None:
    async with standing(erp=UpkeepErp(refuses={AdjustCapacity})) as bench:
        await jams(bench)
        await decided(bench, datetime.now(UTC) + HOUR)
        record = await bench.until_stop(lambda r: any(p.state == "failed" for p in r.postings))
        [case] = await eventually(lambda: bench.ledger.cases(bench.id), bool)
        bench.workflows.add(exception_workflow_id(bench.id, str(case.posting_key)))
        assert str(case.posting_key) in [p.key for p in record.postings if p.what == "capacity"]
        await bench.tell(end=datetime.now(UTC))
        assert (await bench.ended()).capacity is CapacityState.WITHDRAWN
        assert await bench.ledger.cases(bench.id) == []


async def test_a_long_reason_never_cuts_the_cost_centre_off(standing: Opener) -> None:
    reasons = [{**DOWNTIME["reason"][0], "text": "Welding torch stuck in the gripper of cell 4"}]
    async with standing(reason=reasons) as bench:
        await jams(bench)
        [opened] = bench.upkeep.told(OpenDowntime)
        assert opened.text == "Welding torch stuck in the grip [CC-100]" and len(opened.text) == 40
