"""Histories grow with postings and batches, never with pieces or events (docs/architecture.md has these figures)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from signals.ids import line_workflow_id, order_workflow_id
from tests.workflows.bench import Bench
from tests.workflows.run_facts import length, size

ORDER = "1000001"
OpenBench = Callable[..., AbstractAsyncContextManager[Bench]]

MOST_PER_POSTING = 12
"""Events of a ProductionOrder's history for one posting that comes alone."""
MOST_PER_BATCH = 12
"""Events of a Line's history for one batch that comes alone."""
MOST_PER_REPORT = 7
"""What a report adds to the Line's history."""


@dataclass(frozen=True)
class Cost:
    """What one order took: events and bytes of both histories, over all runs of their chains."""

    order: int
    order_bytes: int
    line: int
    line_bytes: int
    batches: int


async def run_order(open_bench: OpenBench, *, pieces: int, postings: int, batches: int) -> Cost:
    """An order of so many pieces, each posting and each batch alone: nothing shares a workflow task with another."""
    window, each = pieces // postings, pieces // batches
    async with open_bench(cadence=window, replay=False) as bench:
        await bench.start_order(ORDER, planned=pieces)
        bench.feed.order(ORDER)
        await send(bench)
        for made in range(each, pieces + 1, each):
            bench.feed.make(each)
            await send(bench)
            due = made // window
            await bench.until(ORDER, lambda s, n=due: s.postings >= n and not s.busy)
        assert [int(d.yield_quantity) for d in bench.erp.books] == [window] * postings
        bench.feed.order("")
        await send(bench)
        await bench.closed(ORDER)
        assert len(bench.erp.books) == postings + 1, "and one final confirmation"
        order = await bench.runs(order_workflow_id(bench.id, ORDER))
        line = await bench.runs(line_workflow_id(bench.id, "line1"))
        return Cost(length(order), size(order), length(line), size(line), bench.feed.batches)


async def send(bench: Bench) -> None:
    """One batch, and wait until the Line has recorded and delivered what it made of it."""
    recorded = (await bench.line_status()).revision if bench.feed.batches else 0
    await bench.feed.send()
    await bench.until_line(lambda s: s.revision > recorded and s.outbox == 0)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_histories_are_flat_in_pieces(open_bench, volume):
    small = await run_order(open_bench, pieces=1_000, postings=10, batches=50)
    large = await run_order(open_bench, pieces=10_000, postings=10, batches=50)
    assert abs(large.order - small.order) <= small.order / 10
    assert large.batches == small.batches
    assert abs(large.line - small.line) <= small.line / 10, "the Line's history grows with batches, not with events"


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_posting_a_report_and_a_batch_cost_what_the_documentation_says(open_bench, volume):
    few = await run_order(open_bench, pieces=200, postings=10, batches=20)
    more_postings = await run_order(open_bench, pieces=200, postings=20, batches=20)
    more_batches = await run_order(open_bench, pieces=200, postings=10, batches=40)
    assert (more_postings.order - few.order) / 10 <= MOST_PER_POSTING
    assert (more_postings.line - few.line) / 10 <= MOST_PER_REPORT
    assert (more_batches.line - few.line) / 20 <= MOST_PER_BATCH
    assert abs(more_batches.order - few.order) <= few.order / 10, "batches do not reach the order"
