"""A worker process of the outage: the orders of its part, all at once, each with one posting in flight."""

from __future__ import annotations

import asyncio

from tests.proof.bench import Bench, worker
from tests.proof.desk import OrderDesk, plant_of
from tests.proof.mortal import Death

ONE_REPORT_EACH = 1
"""Pieces at which a confirmation is full, so that every report is a posting."""


async def run(bench: Bench, part: int, death: Death | None) -> None:
    """Until nothing of these orders waits any more."""
    plant = plant_of(bench, ONE_REPORT_EACH)
    orders = bench.plan.read_text().split()
    async with worker(bench, part, death) as at, asyncio.TaskGroup() as group:
        for order in orders[part :: bench.parts]:
            group.create_task(OrderDesk(order, at.ledger, at.procedure, plant).run())
