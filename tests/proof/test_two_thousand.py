"""Thousands of postings while a fifth of the writing calls misbehaves and the workers are killed: each is booked once.

Judged by the simulated ERP's own books. The workers are processes that die by SIGKILL at seeded instants, the postings
go through the real procedure with the real clock and the call budget that all of them share.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger.connect import open_ledger
from ledger.store import SqlLedger
from tests.matrix.worlds import AS_NEW, SECRET, Simulator, simulator
from tests.proof.bench import Bench
from tests.proof.crew import Crew, database
from tests.proof.endpoint import event_endpoint
from tests.proof.judge import judge, unsettled
from tests.proof.mortal import deaths
from tests.proof.people import People
from tests.proof.plan import PLANT, Plan, seed_document
from workers.erp_events import SECRET_HEADER

ERPS = ("sap", "oracle", "dynamics")
SEED = 20_261
SHARE = 0.20
"""Share of the writing calls that misbehave."""
MIX: tuple[tuple[dict[str, Any], float], ...] = (
    ({"mode": "refuse"}, 3),
    ({"mode": "throttle", "retry_after": 0}, 2),
    ({"mode": "timeout_before_commit", "seconds": 4}, 3),
    ({"mode": "business_error"}, 1),
    ({"mode": "partial"}, 1),
    ({"mode": "slow", "seconds": 0.3}, 2),
    ({"mode": "timeout_after_commit", "seconds": 4}, 3),
    ({"mode": "timeout_after_commit", "seconds": 4, "commit_delay": 0.8}, 1),
    ({"mode": "error_after_commit"}, 3),
    ({"mode": "duplicate_answer"}, 2),
)
"""Modes with their weight. A late commit comes after our timeout and within the settle time."""
IN_DOUBT_ALLOWED = ("oracle", "dynamics")
"""ERPs that show no key of ours on a confirmation: what arithmetic and events cannot tell goes to a person."""


@dataclass(frozen=True)
class Size:
    postings: int
    per_order: int
    kills: int


SAMPLE, FULL = Size(150, 15, 14), Size(2000, 50, 60)


async def disturb(running: Simulator) -> None:
    """Each mode by chance, with a generator of its own; together they hit the share."""
    weights = sum(weight for _, weight in MIX)
    for number, (fault, weight) in enumerate(MIX):
        chance = 1 - math.pow(1 - SHARE, weight / weights)
        await running.ask("faults", fault | {"probability": round(chance, 5), "seed": SEED + number})


async def fired(running: Simulator) -> Counter[str]:
    shown = (await running.control.get("/_control/faults")).raise_for_status().json()
    counted: Counter[str] = Counter()
    for fault in shown["faults"]:
        counted[fault["mode"]] += fault["fired"]
    return counted


async def calls(running: Simulator) -> int:
    return sum(many for _, many in (await running.control.get("/_control/calls")).raise_for_status().json())


async def opened(stack: AsyncExitStack, erp: str, folder: Path) -> tuple[Simulator, SqlLedger]:
    """The simulated ERP, our ledger, and where Dynamics tells its events the endpoint for them."""
    running = await stack.enter_async_context(simulator(erp, folder))
    await running.ask("settings", AS_NEW[erp])
    ledger = await open_ledger(database(folder))
    stack.push_async_callback(ledger.close)
    if erp == "dynamics":
        url = await stack.enter_async_context(event_endpoint(ledger))
        settings = {
            "business_event_endpoints": [f"{url}/{PLANT}"],
            "business_event_secret": SECRET,
            "business_event_secret_header": SECRET_HEADER,
        }
        await running.ask("settings", settings)
    return running, ledger


async def prove(erp: str, size: Size, folder: Path) -> None:
    plan = Plan.drawn(SEED, size.postings, size.per_order)
    async with AsyncExitStack() as stack:
        running, ledger = await opened(stack, erp, folder)
        await running.seed(**seed_document(erp, plan))
        await disturb(running)
        bench = Bench(erp=erp, url=running.url, ledger=database(folder), folder=folder, plan=folder / "plan.jsonl")
        plan.write(bench.plan)
        crew, people = Crew(bench, "tests.proof.worker"), People(running, ledger)
        began = time.monotonic()
        at_work = asyncio.create_task(people.work())
        try:
            async with asyncio.TaskGroup() as parts:
                for part in range(bench.parts):
                    share = size.postings // bench.parts
                    ends = deaths(SEED + part, erp, size.kills // bench.parts, share)
                    parts.create_task(crew.work(part, ends))
            await settled_by_people(ledger)
        finally:
            at_work.cancel()
            await asyncio.gather(at_work, return_exceptions=True)
        took = time.monotonic() - began
        faults, made = await fired(running), await calls(running)
        verdict = judge(erp, plan, await running.books())
        in_doubt = sum(n for what, n in people.decided.items() if what.startswith("erp_in_doubt"))
        sys.stdout.write(
            f"\n{erp}: seed {SEED}, {size.postings} postings, {made} calls, {faults.total()} faults fired, "
            f"{crew.kills.total()} kills, {in_doubt} in doubt, {verdict.missing} missing, "
            f"{verdict.duplicate} duplicate, {took:.0f} s\n"
            f"  faults {dict(faults)}\n  kills {dict(crew.kills)}\n  people {dict(people.decided)}\n"
        )
        assert (verdict.missing, verdict.duplicate, verdict.wrong[:10]) == (0, 0, [])
        assert await unsettled(ledger, plan) == []
        assert people.unforeseen == []
        assert in_doubt == 0 or erp in IN_DOUBT_ALLOWED
        assert crew.kills.total() >= size.kills // 2


async def settled_by_people(ledger: SqlLedger) -> None:
    """Cases that block nothing may still be open when the last posting is settled."""
    async with asyncio.timeout(30):
        while await ledger.cases(PLANT):  # noqa: ASYNC110 - the people decide them meanwhile
            await asyncio.sleep(0.1)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("erp", ERPS)
async def test_a_sample_of_postings_is_booked_once_under_faults_and_kills(erp: str, tmp_path: Path):
    await prove(erp, SAMPLE, tmp_path)


@pytest.mark.proof
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("erp", ERPS)
async def test_two_thousand_postings_are_booked_once_under_faults_and_kills(erp: str, tmp_path: Path):
    await prove(erp, FULL, tmp_path)
