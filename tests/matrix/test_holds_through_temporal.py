"""A hold on free stock on a real server and a real adapter: blocked, extended, released, as the ERP's books say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import Client

from domain.plant import PlantConfig
from erp.dynamics.settings import BATCHES
from ledger.store import SqlLedger
from signals.holds import HoldRecord, HoldState, HoldTrigger
from tests.matrix.stop_grounds import GROUNDS, zone_of_morning
from tests.matrix.test_stops_through_temporal import Simulators, opened_world
from tests.matrix.test_through_temporal import SETTLE, TIMEOUT
from tests.matrix.worlds import SimulatedWorld
from tests.workflows.hold_bench import HoldBench, K, hold_plant

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]

WAITS = 40
UNITS = {"sap": "PC"}
FIGURES = ("quantity", "unrestricted", "blocked", "inspection", "restricted")

Stock = dict[tuple[tuple[str, str], ...], Decimal]


def stock_of(books: Mapping[str, Any], material: str) -> Stock:
    """What lies where and in which state, by the ERP's own words."""
    found: Stock = {}
    for row in books["stock"]:
        if row.get("material") != material:
            continue
        where = tuple((k, str(v)) for k, v in sorted(row.items()) if k not in FIGURES and isinstance(v, str))
        for figure in FIGURES:
            amount = Decimal(str(row.get(figure) or 0))
            if amount:
                key = (*where, ("figure", figure))
                found[key] = found.get(key, Decimal(0)) + amount
    return found


@dataclass
class StockBench(HoldBench):
    """A hold's bench on a real adapter."""

    erp: Any = field(kw_only=True)
    world: SimulatedWorld = field(kw_only=True)

    async def lies(self, material: str) -> Stock:
        return stock_of(await self.world.books(), material)


@asynccontextmanager
async def stock_bench(client: Client, ledger: SqlLedger, shared: SimulatedWorld, tag: str) -> AsyncIterator[StockBench]:
    """A plant with that ERP and its stock; histories are replayed at the end."""
    since = datetime.now(UTC).replace(microsecond=0)
    async with opened_world(shared, since) as world:
        ground, zone = GROUNDS[world.name], zone_of_morning(since)
        await ground.seed(world, tag, since.astimezone(ZoneInfo(zone)).date())
        await world.quiet()
        raw = hold_plant(f"hold-{world.name}-{tag}").model_dump(mode="json", by_alias=True)
        raw["erp"] = ground.config(world, tag, zone, TIMEOUT, SETTLE).model_dump(mode="json", by_alias=True)
        plant = PlantConfig.model_validate(raw)
        erp = ground.adapter(world, plant.plant.id, plant.erp)
        bench = StockBench(client, ledger, plant, erp=erp, world=world)
        try:
            async with bench.working():
                yield bench
            assert await bench.replay()
        finally:
            await bench.end()
            await erp.aclose()


def trigger_of(bench: StockBench, tag: str, quantity: int, **where: Any) -> HoldTrigger:
    found = bench.trigger(quantity, f"t{tag}", order="", operation="", **where)
    return found.model_copy(update={"unit": UNITS.get(bench.world.name, "KG")})


def carried_out(record: HoldRecord) -> bool:
    return bool(record.postings) and all(p.state == "done" for p in record.postings)


async def released(bench: StockBench, quantity: int) -> None:
    """By two people, to the end, and no case is left."""
    await bench.decide((K.RELEASE, quantity))
    record = await bench.until_hold(lambda r: r.state.is_over, WAITS)
    assert record.state is HoldState.CLOSED and await bench.ledger.cases(bench.id) == []


@pytest.mark.parametrize("name", ["sap", "oracle", "dynamics"])
async def test_what_was_held_and_extended_lies_where_it_lay_when_it_is_released(
    name: str, temporal_client: Client, simulators: Simulators, books: SqlLedger, tag: str
) -> None:
    material = f"X{tag}"
    async with stock_bench(temporal_client, books, await simulators(name), tag) as bench:
        before = await bench.lies(material)
        first = trigger_of(bench, tag, 20, material=material)
        await bench.open(first)
        await bench.until_hold(carried_out, WAITS)
        longer = {"trigger": f"t{tag}x", "continues": first.trigger, "quantity": Decimal(30)}
        await bench.open(first.model_copy(update=longer))
        await bench.until_hold(lambda r: r.quantity == 30 and carried_out(r) and len(r.postings) == 2, WAITS)
        held = await bench.lies(material)
        assert sum(held.values()) == sum(before.values()), "it is still there"
        assert sum(q for where, q in held.items() if where not in before) == 30, "and not usable"
        await released(bench, 30)
        assert await bench.lies(material) == before


@pytest.mark.parametrize("name", ["sap", "oracle", "dynamics"])
async def test_a_batch_is_held_and_released_by_one_hold_after_another(
    name: str, temporal_client: Client, simulators: Simulators, books: SqlLedger, tag: str
) -> None:
    """Dynamics cannot be read by batch: there what was booked says how the batch stands."""
    batch = "LOT1" if name == "sap" else f"LOT{tag}"
    async with stock_bench(temporal_client, books, await simulators(name), tag) as bench:

        async def state() -> Any:
            if name != "dynamics":
                lines = await bench.erp.stock(f"L{tag}", batch)
                return sorted((x.storage_location, x.kind, x.quantity) for x in lines)
            row = await bench.erp._client.read_entity(BATCHES, ItemNumber=f"L{tag}", BatchNumber=batch)
            return row.get("BatchDispositionCode") or bench.plant.erp.dynamics.free_disposition

        before = await state()
        quantity = 42 if name == "sap" else 30
        for number in ("1", "2"):
            await bench.open(trigger_of(bench, f"{tag}-{number}", quantity, material=f"L{tag}", batch=batch))
            await bench.until_hold(carried_out, WAITS)
            assert await state() != before
            await released(bench, quantity)
            assert await state() == before
