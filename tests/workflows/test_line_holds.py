"""From a measurement to SAP's books: what a drift made is blocked, and nothing else, until people have decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from domain.plant import PlantConfig
from erp.budget import LocalBudget
from erp.factory import create_erp
from ledger.store import SqlLedger
from signals.decisions import Answer
from signals.events import MeasurementEvent
from signals.holds import DecideHold, HoldAction, HoldDisposition, HoldDispositionKind, HoldRecord, HoldSearch
from signals.ids import hold_workflow_id
from signals.people import Actor
from tests.matrix.worlds import ENVIRON, Simulator, simulator
from tests.workflows.bench import PRESS, Bench, eventually, plant_config

ORDER = "1000001"
MATERIAL = "BRACKET"
FREE, BLOCKED = "01", "07"
"""SAP's stock types: unrestricted, blocked."""


def plant_with_rule(url: str) -> PlantConfig:
    told = plant_config(cadence=5, posting={"technical_completion": "automatic"}).model_dump(by_alias=True, mode="json")
    told["line"][0]["station"][0]["tag"].append(
        {"name": "Force", "kind": "measurement", "unit": "kN", "filter": {"every": True}}
    )
    told["erp"] |= {"url": url, "control_profile": {"PP02": {"automatic_receipt": True}}, "settle_seconds": 1}
    told["quality"] = {
        "signatures": "off",
        "four_eyes": {"release": []},
        "rule": [{"id": "force", "station": PRESS, "tag": "Force", "lower": 395, "upper": 430}],
    }
    return PlantConfig.model_validate(told)


@dataclass
class Floor:
    """A bench whose ERP is the simulated SAP; pieces are measured."""

    bench: Bench
    sap: Simulator

    async def make(self, *forces: float) -> None:
        feed = self.bench.feed
        for force in forces:
            at = feed.now + timedelta(seconds=1)
            name = f"{feed.source}-{feed.seq + 1}"
            feed.add(MeasurementEvent(
                event_id=name, at=at, equipment=PRESS, tag="Force", characteristic="Force", value=str(force)
            ))  # fmt: skip
            feed.make(1)
        await feed.send()

    async def change_over(self, batch: str, order: str = ORDER) -> None:
        self.bench.feed.order(order, batch=batch)
        await self.bench.feed.send()

    async def posted(self, pieces: int) -> None:
        await self.bench.until(ORDER, lambda s: bool(s.operations) and s.operations[0].posted_yield == pieces)

    async def stock(self) -> dict[str, int]:
        """Pieces by stock type in SAP's own books."""
        found: dict[str, int] = defaultdict(int)
        for row in (await self.sap.books())["stock"]:
            if row["material"] == MATERIAL and Decimal(row["quantity"]):
                found[row["stock_type"]] += int(Decimal(row["quantity"]))
        return dict(found)

    async def hold(self) -> HoldRecord:
        (found,) = await self.bench.ledger.holds(self.bench.id, HoldSearch(order=ORDER))
        self.bench.workflows.add(hold_workflow_id(self.bench.id, found.hold))
        return found

    async def release(self, record: HoldRecord) -> HoldRecord:
        """A quality engineer releases all of it."""
        handle = self.bench.client.get_workflow_handle(hold_workflow_id(self.bench.id, record.hold))

        async def now() -> HoldRecord:
            return await handle.query("status", result_type=HoldRecord)

        actor = Actor(user="engineer-1", role="quality engineer", plant=self.bench.id)
        all_of_it = HoldDisposition(kind=HoldDispositionKind.RELEASE, quantity=(await now()).quantity)
        act = DecideHold(action_id="release-1", actor=actor, dispositions=(all_of_it,))
        answer = await handle.execute_update("act", HoldAction(act=act), result_type=Answer)
        assert answer.accepted, answer.message
        return await eventually(now, lambda r: r.state.is_over, 60)


@asynccontextmanager
async def floor(client: Client, ledger: SqlLedger, folder: Path) -> AsyncIterator[Floor]:
    async with simulator("sap", folder) as sap:
        operation = {"operation": "0010", "work_centre": "P1", "control_profile": "PP02"}
        await sap.seed(
            orders=[{
                "order": ORDER, "plant": "1010", "material": MATERIAL, "quantity": 30, "unit": "PC", "type": "PP01",
                "storage_location": "FG01", "operations": [operation],
            }],
            control_profiles={"1010": {"PP02": {"confirmation": "required", "automatic_receipt": True}}},
        )  # fmt: skip
        plant = plant_with_rule(sap.url)
        erp: Any = create_erp(plant.erp, plant.plant.id, ENVIRON, budget=LocalBudget(10_000))
        bench = Bench(client, ledger, plant, erp)
        try:
            async with bench.working():
                bench.workflows.add(f"order:{bench.id}:{ORDER}")
                await bench.start_order(ORDER)
                yield Floor(bench, sap)
            assert await bench.replay()
        finally:
            await bench.end()
            await erp.aclose()


@pytest.mark.long
async def test_a_drift_is_blocked_in_ledger_and_sap_other_batches_go_on_and_a_release_frees_it(
    temporal_client: Client, plant_ledger: SqlLedger, tmp_path: Path
) -> None:
    async with floor(temporal_client, plant_ledger, tmp_path) as plant:
        bench = plant.bench
        await plant.change_over("B1")
        await plant.make(*[412] * 5)
        await plant.posted(5)
        assert await plant.stock() == {FREE: 5}

        await plant.make(450, 451, 452, 412, 412)
        (block,) = await eventually(lambda: bench.ledger.blocks(bench.id, order=ORDER), bool)
        assert (block.scope.batch, block.scope.operation, block.scope.material) == ("B1", "0010", MATERIAL)
        await plant.posted(8)
        record = await plant.hold()
        assert record.reasons[0].text == "Force 450 kN is above 430"
        assert await plant.stock() == {FREE: 5, BLOCKED: 3}, "the last two are not reported yet"
        assert (await bench.until(ORDER, lambda s: bool(s.holds))).holds == (record.hold,)

        await plant.change_over("B2")
        await plant.make(*[412] * 5)
        await plant.posted(13)
        assert await plant.stock() == {FREE: 10, BLOCKED: 3}, "other batches are received as ever"

        over = await plant.release(record)
        assert over.quantity == 3
        assert await plant.stock() == {FREE: 13}
        assert not await eventually(lambda: bench.ledger.blocks(bench.id, order=ORDER), lambda found: not found)
        assert (await bench.until(ORDER, lambda s: not s.holds)).holds == ()


@pytest.mark.long
async def test_an_order_with_an_open_hold_is_completed_when_the_hold_is_over(
    temporal_client: Client, plant_ledger: SqlLedger, tmp_path: Path
) -> None:
    async with floor(temporal_client, plant_ledger, tmp_path) as plant:
        bench = plant.bench
        await plant.change_over("B1")
        await plant.make(*[412] * 25, *[450] * 4, 412)
        await plant.change_over("", order="")
        await bench.feed.pass_time()
        status = await bench.until(ORDER, lambda s: bool(s.operations) and s.operations[0].final and bool(s.holds))
        assert status.phase.value != "closed"
        await plant.release(await plant.hold())
        await bench.closed(ORDER)
