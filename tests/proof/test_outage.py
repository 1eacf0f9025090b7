"""A week without the ERP: nothing is lost, nothing doubled, and the backlog drains at the ERP's limit, never above it.

Source times span the 168 hours, the wall clock minutes. The simulated SAP counts the calls; its books judge the rest.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.plant_erp import ErpConfig
from erp.budget import LocalBudget
from erp.factory import create_erp
from ledger.connect import open_ledger
from ledger.port import LineRecord
from ledger.store import SqlLedger
from signals.documents import PostingState
from tests.matrix.worlds import AS_NEW, ENVIRON, Simulator, simulator
from tests.proof.bench import Bench
from tests.proof.calls import Pace, paced
from tests.proof.crew import Crew, database
from tests.proof.people import People
from tests.proof.plan import FIRST, LAST, ON_STOCK, PLANT
from tests.proof.reports import LINE, Reports, of_an_outage

SEED = 20_262
HOURS = 168
SHARED = {"STEEL": (FIRST, 2), "OIL": (FIRST, 1), "CARTON": (LAST, 1)}
"""Three components that all orders share: operation, and how many a piece takes."""
QUANTITY = 1000
CALLS_BEFORE_KILL = 1.5
"""For each report: about a third of the drain."""
ENOUGH_ORDERS = 10


@dataclass(frozen=True)
class Size:
    orders: int
    per_order: int
    limit: int
    by_hand: int
    share: float
    """Of the limit that the drain must use; a short one on a busy machine may use less."""


SAMPLE, FULL = Size(24, 8, 20, 12, 0.85), Size(40, 50, 20, 50, 0.95)


def seeded(orders: list[str]) -> dict[str, Any]:
    """Orders of two operations that take from the same stock."""
    line = {"unit": "KG", "storage_location": "RM01", "backflush": True}
    components = [
        {**line, "material": name, "required": str(QUANTITY * many), "operation": operation}
        for name, (operation, many) in SHARED.items()
    ]
    order = {
        "plant": "1010",
        "quantity": str(QUANTITY),
        "unit": "PC",
        "storage_location": "FG01",
        "operations": [
            {"operation": FIRST, "work_centre": "PRESS", "control_profile": "PP01"},
            {"operation": LAST, "work_centre": "PACK", "control_profile": "PP03"},
        ],
        "components": components,
    }
    stock = {"plant": "1010", "storage_location": "RM01", "unit": "KG", "quantity": str(ON_STOCK)}
    required = {"confirmation": "required"}
    return {
        "orders": [order | {"order": name, "material": f"F{name}"} for name in orders],
        "stock": [stock | {"material": name} for name in SHARED],
        "control_profiles": {"1010": {"PP01": required, "PP03": required | {"automatic_receipt": True}}},
    }


async def take_orders(config: ErpConfig, ledger: SqlLedger, orders: list[str]) -> None:
    """As intake does, while the ERP is still there."""
    erp = create_erp(config, PLANT, ENVIRON, budget=LocalBudget(10_000))
    try:
        for order in orders:
            await ledger.take_order(await erp.read_order(order))
    finally:
        await erp.aclose()


async def type_by_hand(running: Simulator, orders: list[str], many: int) -> dict[tuple[str, str], Decimal]:
    """What people enter in the ERP's own screen: pieces that the machines have counted too."""
    entered: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for number in range(many):
        order = orders[number % len(orders)]
        operation, pieces = (FIRST, 3) if number < len(orders) else (LAST, 2)
        entry = {"order": order, "operation": operation, "yield": str(pieces), "text": f"paper slip {number}"}
        await running.ask("manual", entry)
        entered[order, operation] += pieces
    return entered


@asynccontextmanager
async def week(size: Size, folder: Path) -> AsyncIterator[tuple[Simulator, SqlLedger, Bench, Reports]]:
    """SAP with its orders, and a ledger that has taken in all that was made while SAP was away."""
    orders = [f"{5000001 + n}" for n in range(size.orders)]
    reports = of_an_outage(SEED, orders, size.per_order, datetime.now(UTC), HOURS)
    plan = folder / "orders.txt"
    plan.write_text("\n".join(orders))
    async with simulator("sap", folder) as running:
        await running.ask("settings", AS_NEW["sap"])
        await running.seed(**seeded(orders))
        ledger = await open_ledger(database(folder))
        bench = Bench(
            erp="sap",
            url=running.url,
            ledger=database(folder),
            folder=folder,
            plan=plan,
            calls_per_second=size.limit,
            timeout_seconds=5,
            settle_seconds=2,
            retry_seconds=(1, 2, 5, 5),
            goods_movement_wait_seconds=20,
        )
        try:
            await take_orders(bench.config(), ledger, orders)
            record = LineRecord(plant=PLANT, line=LINE, revision=1, checkpoint="{}", messages=reports.messages)
            await ledger.record_line(record)
            yield running, ledger, bench, reports
        finally:
            await ledger.close()


async def claimed_by_all(ledger: SqlLedger, orders: int) -> None:
    """Every order has tried its first posting and waits for the ERP."""
    async with asyncio.timeout(120):
        while (await ledger.backlog(PLANT)).postings < orders:  # noqa: ASYNC110 - other processes try
            await asyncio.sleep(0.2)


async def called(running: Simulator, many: float) -> None:
    async with asyncio.timeout(1800):
        while sum(n for _, n in (await running.control.get("/_control/calls")).json()) < many:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def posted(ledger: SqlLedger, orders: list[str]) -> int:
    held = [await ledger.order_postings(PLANT, order) for order in orders]
    return sum(p.state is PostingState.POSTED for postings in held for p in postings)


async def prove(size: Size, folder: Path) -> None:
    async with week(size, folder) as (running, ledger, bench, reports):
        orders = list(dict.fromkeys(r.bucket.order for r in reports.all))
        crew, people = Crew(bench, "tests.proof.drain"), People(running, ledger, adopt=True)
        await running.ask("faults", {"mode": "down"})
        at_work = [asyncio.create_task(crew.work(part, iter(()))) for part in range(bench.parts)]
        deciding = asyncio.create_task(people.work())
        try:
            await claimed_by_all(ledger, size.orders)
            by_hand = await type_by_hand(running, orders, size.by_hand)
            crew.kill(0)
            oldest = (await ledger.backlog(PLANT)).oldest
            await running.control.delete("/_control/calls")
            (await running.control.delete("/_control/faults")).raise_for_status()
            back = time.time()
            await called(running, CALLS_BEFORE_KILL * len(reports.all))
            killed = time.time()
            crew.kill(1)
            await asyncio.gather(*at_work)
        finally:
            deciding.cancel()
            for task in at_work:
                task.cancel()
            await asyncio.gather(deciding, *at_work, return_exceptions=True)
        told = (await running.control.get("/_control/calls")).raise_for_status().json()
        books = await running.books()
        # Until then the orders with a hand entry at their first operation wait for people, not for the ERP.
        free = people.decided_at[min(size.orders, size.by_hand) - 1]
        pace = paced(told, size.limit, back, free, enough_left_until(books), killed)
        (folder / "calls.json").write_text(json.dumps([told, back, free, killed]))
        sent = await posted(ledger, orders)
        sys.stdout.write(
            f"\noutage: seed {SEED}, {size.orders} orders, {len(reports.all)} reports over {HOURS} h, {sent} sent, "
            f"{size.by_hand} by hand, {dict(people.decided)}, oldest {oldest}, {crew.kills.total()} kills, "
            f"{pace.calls} calls = {pace.calls / max(sent, 1):.1f} each in {pace.seconds} s\n  {pace}\n"
        )
        judge_books(books, reports, by_hand)
        await judge_order(books, reports, ledger, orders)
        assert people.unforeseen == []
        assert people.decided["manual_entry/adopt"] == size.by_hand
        assert await ledger.cases(PLANT) == []
        assert (await ledger.backlog(PLANT)).postings == 0
        assert crew.kills.total() == 2
        judge_pace(pace, size.share)


def enough_left_until(books: dict[str, Any]) -> float:
    """Until when enough orders had something to post to use the limit: each has one posting in flight at a time."""
    last: dict[str, str] = {}
    for document in books["documents"]:
        last[document["order"]] = max(document["at"], last.get(document["order"], ""))
    return datetime.fromisoformat(sorted(last.values())[-ENOUGH_ORDERS]).timestamp()


def judge_pace(pace: Pace, share: float) -> None:
    """Never above the limit. A machine that stalls makes a window poorer, so the usual one and the whole are judged."""
    whole = pace.limit * pace.width
    assert pace.most <= whole, pace
    assert pace.usual >= share * whole, pace
    assert pace.share >= share, pace


def judge_books(books: dict[str, Any], reports: Reports, by_hand: dict[tuple[str, str], Decimal]) -> None:
    """What the machines made is what SAP shows, hand entries among it, and the shared stock has gone down by it."""
    made = reports.totals()
    shown = {(o["order"], p["operation"]): p for o in books["orders"] for p in o["operations"]}
    assert {place: Decimal(shown[place]["yield"]) for place in made} == {p: good for p, (good, _) in made.items()}
    hands: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for document in books["documents"]:
        if document["kind"] == "confirmation" and document["manual"]:
            hands[document["order"], document["operation"]] += Decimal(document["yield"])
    assert hands == by_hand
    for name, (operation, many) in SHARED.items():
        left = sum(Decimal(row["quantity"]) for row in books["stock"] if row["material"] == name)
        used = sum((good for (_, at), (good, _) in made.items() if at == operation), Decimal(0)) * many
        assert left == ON_STOCK - used, name


async def judge_order(books: dict[str, Any], reports: Reports, ledger: SqlLedger, orders: list[str]) -> None:
    """An operation's documents stand in the order in which its pieces were made, each key once."""
    number = {r.report_id: r.number for r in reports.all}
    ours = [d for d in books["documents"] if d["kind"] == "confirmation" and not d["manual"]]
    assert len({d["key"] for d in ours}) == len(ours)
    for order in orders:
        held = {str(p.key): p for p in await ledger.order_postings(PLANT, order)}
        in_books: dict[str, list[int]] = defaultdict(list)
        for document in sorted((d for d in ours if d["order"] == order), key=lambda d: d["at"]):
            posting = held[document["key"]]
            in_books[document["operation"]].append(min(number[r] for r in posting.report_ids))
        for operation, numbers in in_books.items():
            assert numbers == sorted(numbers), (order, operation)


@pytest.mark.proof
@pytest.mark.timeout(600)
async def test_a_backlog_of_a_week_drains_at_the_limit_and_nothing_is_doubled(tmp_path: Path):
    await prove(SAMPLE, tmp_path)


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_forty_orders_and_two_thousand_postings_drain_at_the_limit_after_a_week(tmp_path: Path):
    await prove(FULL, tmp_path)
