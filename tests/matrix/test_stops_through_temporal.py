"""A stop from its first fact to its close on a real server and a real adapter, judged by the simulated ERP's books."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import Client

from domain.plant import PlantConfig
from ledger.store import SqlLedger
from signals.documents import Case, CaseAction, CaseKind
from signals.downtime import (
    AcknowledgeStop,
    CapacityState,
    DecideCapacity,
    EstimateRecovery,
    StopRecord,
    StopState,
)
from signals.ids import exception_workflow_id
from tests.matrix.harness import change, figures
from tests.matrix.stop_grounds import GROUNDS, Ground, Notice, Reduced, zone_of_morning
from tests.matrix.test_through_temporal import SETTLE, TIMEOUT
from tests.matrix.worlds import SimulatedWorld
from tests.workflows.bench import eventually
from tests.workflows.refusing_erp import decided, decision, running
from tests.workflows.stop_bench import StopBench, stop_plant

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]

Simulators = Callable[[str], Awaitable[SimulatedWorld]]
HOUR = timedelta(hours=1)
STOOD = timedelta(minutes=6)
COST_CENTRE = "CC-100"
REASON = {
    "id": "jam", "text": "Welding torch stuck in the gripper of cell 4", "cost_centre": COST_CENTRE, "notify": True,
    "breakdown": True, "capacity": True, "alarms": ["E1*"],
}  # fmt: skip
BOOKED = ["capacity", "capacity", "capacity withdrawn", "capacity withdrawn", "minutes", "notification", "recovery"]
SHARES = {"timeout_after_commit": 0.2, "error_after_commit": 0.2, "refuse": 0.1}
SEEDS: tuple[dict[str, int], ...] = ({}, {"timeout_after_commit": 55, "error_after_commit": 15, "refuse": 22})
"""Of a stop's seven writing calls and more these hit every second; others hit none of the first ten."""
WAITS = 40


@dataclass
class ErpBench(StopBench):
    """A stop's bench on a real adapter."""

    erp: Any = None
    world: SimulatedWorld = field(kw_only=True)
    ground: Ground = field(kw_only=True)
    tag: str = field(kw_only=True)
    zone: str = field(kw_only=True)

    async def books(self) -> dict[str, Any]:
        return await self.world.books()

    async def notices(self) -> list[Notice]:
        return self.ground.notices(await self.books(), self.tag)

    async def reduced(self) -> list[Reduced]:
        return self.ground.reduced(await self.books(), self.tag)

    async def estimated(self, recovery: datetime, percent: int) -> None:
        """A fitter says when it will run; the planner lets planning know."""
        await self.done(EstimateRecovery, recovery_at=recovery, available_percent=Decimal(percent))
        await self.done(DecideCapacity, approve=True, recovery_at=recovery, user="planner-1", role="planner")

    def less(self, recovery: datetime, percent: int) -> list[Reduced]:
        """What planning has after that."""
        return [Reduced(Decimal(percent), self.ground.until(recovery, self.zone))]

    async def open_cases(self) -> list[Case]:
        return await self.ledger.cases(self.id)


def plant_of(ground: Ground, world: SimulatedWorld, tag: str, zone: str) -> PlantConfig:
    raw = stop_plant(f"stops-{world.name}-{tag}", reason=[REASON], time_activity=1).model_dump(
        mode="json", by_alias=True
    )
    raw["line"][0]["downtime"] = {"asset": ground.asset(tag), "work_centre": ground.work_centre(tag)}
    raw["erp"] = ground.config(world, tag, zone, TIMEOUT, SETTLE).model_dump(mode="json", by_alias=True)
    return PlantConfig.model_validate(raw)


@asynccontextmanager
async def opened_world(shared: SimulatedWorld, since: datetime) -> AsyncIterator[SimulatedWorld]:
    """The ERP at its own pace, for a client that waits. SAP keeps its times in its own zone: UTC again after it."""
    world = shared.with_patience(TIMEOUT)
    await world.heal()
    if world.name == "sap":
        await world.simulator.ask("settings", {"time_zone": zone_of_morning(since)})
    try:
        yield world
    finally:
        await world.erp.aclose()
        await shared.heal()
        if world.name == "sap":
            await world.simulator.ask("settings", {"time_zone": "UTC"})


@asynccontextmanager
async def erp_bench(
    client: Client, ledger: SqlLedger, world: SimulatedWorld, tag: str, since: datetime
) -> AsyncIterator[ErpBench]:
    """A plant whose line stands since then for an alarm that explains itself; its histories are replayed at the end."""
    ground, zone = GROUNDS[world.name], zone_of_morning(since)
    await ground.seed(world, tag, since.astimezone(ZoneInfo(zone)).date())
    await world.quiet()
    plant = plant_of(ground, world, tag, zone)
    erp = ground.adapter(world, plant.plant.id, plant.erp)
    bench = ErpBench(
        client, ledger, plant, erp, order_id=tag, since=since, alarm="E17", world=world, ground=ground, tag=tag,
        zone=zone,
    )  # fmt: skip
    await ledger.take_order(await erp.read_order(tag))
    try:
        async with bench.working():
            yield bench
        assert await bench.replay()
    finally:
        await bench.end()
        await erp.aclose()


async def lived(bench: ErpBench, first: datetime, second: datetime) -> StopRecord:
    """The whole of it: told, acknowledged, estimated, estimated anew, running again."""
    await bench.stands()
    await bench.until_stop(lambda r: r.notification, WAITS)
    [notice] = await bench.notices()
    assert notice.breakdown and notice.started_at == bench.since
    assert COST_CENTRE in notice.words and notice.ended_at is None
    await bench.done(AcknowledgeStop)
    assert await bench.reduced() == []
    await bench.estimated(first, 20)
    await eventually(bench.reduced, lambda seen: seen == bench.less(first, 20), WAITS)
    await bench.until_stop(lambda r: r.capacity is CapacityState.POSTED, WAITS)
    await bench.estimated(second, 0)
    await eventually(bench.reduced, lambda seen: seen == bench.less(second, 0), WAITS)
    await bench.until_stop(lambda r: r.capacity is CapacityState.POSTED, WAITS)
    await bench.tell(end=bench.since + STOOD)
    return await bench.ended(WAITS)


async def disturbances(world: SimulatedWorld) -> dict[str, int]:
    """How often each fault has hit."""
    shown = (await world.simulator.control.get("/_control/faults")).raise_for_status().json()
    return {fault["mode"]: fault["fired"] for fault in shown["faults"]}


@pytest.mark.parametrize("name", GROUNDS)
async def test_a_stop_has_its_effect_once_in_the_erp(
    name: str, temporal_client: Client, simulators: Simulators, books: SqlLedger, tag: str
) -> None:
    since = datetime.now(UTC).replace(microsecond=0) - 2 * STOOD
    first, second = since + 5 * HOUR, since + 8 * HOUR
    effects: list[dict[Any, Decimal]] = []
    async with opened_world(await simulators(name), since) as world:
        for number, seeds in enumerate(SEEDS):
            own = f"{tag}{number}"
            async with erp_bench(temporal_client, books, world, own, since) as bench:
                before = await bench.books()
                for mode, seed in seeds.items():
                    await world.fault(mode=mode, probability=SHARES[mode], seed=seed, seconds=3)
                record = await lived(bench, first, second)
                fired = await disturbances(world)
                await world.heal()
                await world.quiet()
                after = await bench.books()
                assert (record.state, record.capacity) == (StopState.CLOSED, CapacityState.WITHDRAWN)
                assert sorted(p.what for p in record.postings) == BOOKED
                assert {p.state for p in record.postings} == {"done"}, record.postings
                assert await bench.reduced() == []
                [notice] = await bench.notices()
                assert notice.ended_at == since + STOOD
                assert bench.ground.minutes(after, own) == 6
                assert await bench.open_cases() == []
                effects.append(change(figures(before, own), figures(after, own)))
                assert sum(fired.values()) >= 3 if seeds else not fired, fired
    assert effects[0] and effects[1] == effects[0]


@pytest.mark.parametrize("name", GROUNDS)
async def test_capacity_that_somebody_changed_in_the_erp_stays_and_is_a_case(
    name: str, temporal_client: Client, simulators: Simulators, books: SqlLedger, tag: str
) -> None:
    since = datetime.now(UTC).replace(microsecond=0) - 2 * STOOD
    recovery = since + 5 * HOUR
    shared = await simulators(name)
    async with opened_world(shared, since) as world, erp_bench(temporal_client, books, world, tag, since) as bench:
        await bench.stands()
        await bench.until_stop(lambda r: r.notification, WAITS)
        await bench.estimated(recovery, 20)
        await bench.until_stop(lambda r: r.capacity is CapacityState.POSTED, WAITS)
        await bench.ground.by_hand(bench.erp, tag, Decimal(70))
        newer = bench.less(recovery, 70)
        assert await bench.reduced() == newer
        await bench.tell(end=since + STOOD)
        await bench.until_stop(lambda r: any(p.state == "failed" for p in r.postings), WAITS)
        [case] = await eventually(bench.open_cases, bool)
        bench.workflows.add(exception_workflow_id(bench.id, str(case.posting_key)))
        assert (case.owner_role, case.kind) == ("planner", CaseKind.ERP_REJECTED)
        assert await bench.reduced() == newer
        assert (await bench.record()).state is StopState.ENDED
        await running(bench, case)
        answer = await decided(bench, decision(case, CaseAction.SKIP), case)
        assert answer.accepted, answer.message
        record = await bench.ended(WAITS)
        assert record.state is StopState.CLOSED
        assert await bench.reduced() == newer and await bench.open_cases() == []
