"""Fifty completions a second into an ERP that takes five calls a second: they are added up, and every total is exact.

Reports of one bucket (order, operation, lot, reason, person, shift, posting date) become one confirmation while they
wait; never reports of two. No call meets an order's lock, though the ERP holds it for a while at each posting.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from activities.posting import PostingProcedure
from erp.factory import create_erp
from ledger.connect import open_ledger
from ledger.port import LineRecord
from ledger.store import SqlLedger
from signals.reports import LineMessage, ProductionReport
from tests.matrix.worlds import AS_NEW, ENVIRON, simulator
from tests.proof.bench import Bench
from tests.proof.calls import WIDTH
from tests.proof.crew import database
from tests.proof.desk import OrderDesk, plant_of
from tests.proof.plan import FIRST, PLANT
from tests.proof.reports import LINE, of_a_rush
from workers.call_budget import SharedBudget

SEED = 20_263
PER_SECOND = 50
LOCK_SECONDS = 0.1
"""How long the ERP holds an order for each posting."""
ORDERS = [f"{6000001 + n}" for n in range(5)]


@dataclass(frozen=True)
class Size:
    seconds: int
    limit: int


SAMPLE, FULL = Size(10, 20), Size(60, 5)


class Listening(httpx.AsyncBaseTransport):
    """The wire; notes each answer by its status, and the refusals for a lock."""

    def __init__(self) -> None:
        self._wire = httpx.AsyncHTTPTransport()
        self.answers: Counter[int] = Counter()
        self.locked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._wire.handle_async_request(request)
        self.answers[response.status_code] += 1
        if response.status_code in (400, 423):
            told = await response.aread()
            self.locked += response.status_code == 423 or b"ME/006" in told
        return response

    async def aclose(self) -> None:
        await self._wire.aclose()


def seeded() -> dict[str, Any]:
    one = {"operation": FIRST, "work_centre": "PRESS", "control_profile": "PP03"}
    part = {"material": "STEEL", "required": "20000", "unit": "KG", "storage_location": "RM01", "backflush": True}
    order = {
        "plant": "1010",
        "quantity": "10000",
        "unit": "PC",
        "storage_location": "FG01",
        "operations": [one],
        "components": [part | {"operation": FIRST}],
    }
    return {
        "orders": [order | {"order": name, "material": f"F{name}"} for name in ORDERS],
        "stock": [
            {"material": "STEEL", "plant": "1010", "storage_location": "RM01", "unit": "KG", "quantity": "100000"}
        ],
        "control_profiles": {"1010": {"PP03": {"confirmation": "required", "automatic_receipt": True}}},
    }


@dataclass
class Rush:
    """What was fed and what came of it."""

    reports: list[ProductionReport]
    ledger: SqlLedger
    books: dict[str, Any]
    calls: list[list[int]]
    wire: Listening
    seconds: float


async def rush(size: Size, folder: Path) -> Rush:
    """Feed at the plant's pace while the orders post at the ERP's; ends when nothing waits."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    reports = of_a_rush(SEED, ORDERS, midnight - timedelta(seconds=size.seconds / 2), PER_SECOND, size.seconds)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(simulator("sap", folder))
        await running.ask("settings", AS_NEW["sap"] | {"posting_seconds": LOCK_SECONDS})
        await running.seed(**seeded())
        ledger = await open_ledger(database(folder))
        bench = Bench(
            erp="sap",
            url=running.url,
            ledger=database(folder),
            folder=folder,
            plan=folder,
            calls_per_second=size.limit,
            timeout_seconds=10,
            settle_seconds=5,
        )
        wire, budget = Listening(), SharedBudget(ledger, PLANT, "sap", size.limit)
        erp = create_erp(bench.config(), PLANT, ENVIRON, transport=wire, budget=budget)
        stack.push_async_callback(erp.aclose)
        procedure = PostingProcedure(
            erp,
            ledger,
            now=lambda: datetime.now(UTC),
            new_token=lambda: uuid4().hex,
            timeout_seconds=10,
            settle_seconds=5,
            retry_seconds=(1, 2, 5),
        )
        for order in ORDERS:
            await ledger.take_order(await erp.read_order(order))
        desks = {o: OrderDesk(o, ledger, procedure, plant_of(bench, max_quantity=1000)) for o in ORDERS}
        began, closed = time.monotonic(), asyncio.Event()
        async with asyncio.TaskGroup() as at_work:
            for desk in desks.values():
                await desk.load()
                at_work.create_task(desk.run(closed))
            await feed(ledger, desks, reports.messages)
            closed.set()
        took = time.monotonic() - began
        calls = (await running.control.get("/_control/calls")).raise_for_status().json()
        stack.push_async_callback(ledger.close)
        return Rush(reports.all, await reopened(folder), await running.books(), calls, wire, took)


async def reopened(folder: Path) -> SqlLedger:
    """The judge reads what is stored, by a connection of its own."""
    return await open_ledger(database(folder))


async def feed(ledger: SqlLedger, desks: dict[str, OrderDesk], messages: Sequence[LineMessage]) -> None:
    """A second of production every second: into the ledger first, then to the orders, as a Line's outbox does."""
    began = time.monotonic()
    for second, start in enumerate(range(0, len(messages), PER_SECOND), start=1):
        now = messages[start : start + PER_SECOND]
        record = LineRecord(plant=PLANT, line=LINE, revision=second, checkpoint="{}", messages=tuple(now))
        await ledger.record_line(record)
        for message in now:
            desks[message.order].receive(message)
        await asyncio.sleep(max(0.0, began + second - time.monotonic()))


async def prove(size: Size, folder: Path) -> None:
    seen = await rush(size, folder)
    try:
        documents = [d for d in seen.books["documents"] if d["kind"] == "confirmation"]
        per_second = sorted(seen.calls)
        windows = [
            sum(calls for second, calls in per_second if first <= second < first + WIDTH) for first, _ in per_second
        ]
        sys.stdout.write(
            f"\nload: seed {SEED}, {len(seen.reports)} completions in {size.seconds} s, limit {size.limit}/s, "
            f"{len(documents)} confirmations, {sum(c for _, c in per_second)} calls, "
            f"most in {WIDTH} s {max(windows)}, {seen.wire.locked} lock errors, "
            f"answers {dict(seen.wire.answers)}, {seen.seconds:.0f} s\n"
        )
        assert seen.wire.locked == 0
        assert max(windows) <= size.limit * WIDTH
        await judge_buckets(seen, documents)
        judge_totals(seen)
        assert await seen.ledger.cases(PLANT) == []
        assert len(documents) < len(seen.reports) / 10
    finally:
        await seen.ledger.close()


async def judge_buckets(seen: Rush, documents: list[dict[str, Any]]) -> None:
    """Each report stands in one document, and each document says what one bucket's reports add up to."""
    report = {r.report_id: r for r in seen.reports}
    held = {str(p.key): p for order in ORDERS for p in await seen.ledger.order_postings(PLANT, order)}
    assert len({d["key"] for d in documents}) == len(documents) == len(held)
    taken: Counter[str] = Counter()
    for document in documents:
        its = [report[r] for r in held[document["key"]].report_ids]
        taken.update(r.report_id for r in its)
        bucket = its[0].bucket
        assert [r for r in its if r.bucket != bucket] == []
        assert document["posting_date"] == bucket.posting_date.isoformat()
        assert (document["order"], document["operation"]) == (bucket.order, bucket.operation)
        assert Decimal(document["yield"]) == sum(r.yield_quantity for r in its)
        assert Decimal(document["scrap"]) == sum(r.scrap_quantity for r in its)
    assert taken == Counter(list(report))
    assert len({r.bucket.model_dump_json() for r in seen.reports}) > 2 * len(ORDERS)


def judge_totals(seen: Rush) -> None:
    made: dict[str, tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for r in seen.reports:
        good, scrap = made[r.bucket.order]
        made[r.bucket.order] = (good + r.yield_quantity, scrap + r.scrap_quantity)
    shown = {o["order"]: o["operations"][0] for o in seen.books["orders"]}
    assert {o: (Decimal(p["yield"]), Decimal(p["scrap"])) for o, p in shown.items()} == made
    stock = {row["material"]: Decimal(row["quantity"]) for row in seen.books["stock"]}
    assert {o: stock[f"F{o}"] for o in ORDERS} == {o: good for o, (good, _) in made.items()}
    assert stock["STEEL"] == 100_000 - 2 * sum(itertools.chain.from_iterable(made.values()))


@pytest.mark.proof
@pytest.mark.timeout(300)
async def test_completions_faster_than_the_erp_are_added_up_exactly_and_never_across_buckets(tmp_path: Path):
    await prove(SAMPLE, tmp_path)


@pytest.mark.proof
@pytest.mark.timeout(1800)
async def test_a_minute_of_fifty_a_second_into_five_calls_a_second_is_exact(tmp_path: Path):
    await prove(FULL, tmp_path)
