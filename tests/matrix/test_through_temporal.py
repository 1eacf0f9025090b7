"""A sample of the matrix as production runs it: activities on a real Temporal server, timers, a lost worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.posting import (
    ErpActivities,
    PostingDraft,
    PostingProcedure,
    SettleResult,
    VerifyRequest,
    VerifyResult,
)
from ledger.store import SqlLedger
from signals.documents import PostingState
from signals.transactions import PostingIntent
from tests.matrix.harness import Scene, change, figures
from tests.matrix.worlds import SCENES, SimulatedWorld

TIMEOUT, SETTLE = 2.0, 4.0
"""A simulator beside other tests needs seconds for an answer or a commit; both must be outlasted."""
SAMPLE = 10
SEED = 20
FAULTS = (
    {"mode": "timeout_after_commit", "probability": 0.2, "seed": SEED, "seconds": 3},
    {"mode": "error_after_commit", "probability": 0.2, "seed": SEED},
    {"mode": "refuse", "probability": 0.1, "seed": SEED},
)
BRIEF = {
    "start_to_close_timeout": timedelta(seconds=30),
    "retry_policy": RetryPolicy(maximum_attempts=5, initial_interval=timedelta(milliseconds=100)),
}


@workflow.defn(name="DrivePosting")
class DrivePosting:
    """Asks, waits on a timer, asks again; then looks after follow-ups and goods movements, as an order does."""

    @workflow.run
    async def run(self, draft: PostingDraft) -> SettleResult:
        while True:
            result = await workflow.execute_activity("settle_posting", draft, result_type=SettleResult, **BRIEF)
            if result.next_try_at is None:
                break
            await self._until(result.next_try_at)
        request = VerifyRequest(plant=draft.plant, intent=draft.intent)
        for _ in range(30):
            seen = await workflow.execute_activity("verify_posting", request, result_type=VerifyResult, **BRIEF)
            if seen.next_try_at is None:
                break
            await self._until(seen.next_try_at)
        return result

    async def _until(self, at: datetime) -> None:
        await workflow.sleep(max(at - workflow.now(), timedelta(milliseconds=20)))


def sample(world: str) -> list[Scene]:
    """Ten scenes of an ERP, spread over its transactions."""
    scenes = [s for s in SCENES[world] if s.name != "close"]
    step = len(scenes) / SAMPLE
    return [scenes[int(i * step)] for i in range(SAMPLE)]


def activities_of(world: SimulatedWorld, books: SqlLedger) -> ErpActivities:
    procedure = PostingProcedure(
        world.erp,
        books,
        now=lambda: datetime.now(UTC),
        new_token=lambda: uuid4().hex,
        timeout_seconds=TIMEOUT,
        settle_seconds=SETTLE,
        retry_seconds=(1,),
        goods_movement_wait_seconds=3,
    )
    return ErpActivities("demo", world.erp, procedure)


async def drive(
    client: Client, world: SimulatedWorld, books: SqlLedger, drafts: list[PostingDraft]
) -> list[SettleResult]:
    """All drafts at once; after the first second the worker goes, and another one takes over."""
    queue = f"matrix-{uuid4().hex[:8]}"
    asked = activities_of(world, books)

    def worker() -> Worker:
        return Worker(
            client,
            task_queue=queue,
            workflows=[DrivePosting],
            activities=[asked.settle_posting, asked.verify_posting],
            workflow_runner=UnsandboxedWorkflowRunner(),
            graceful_shutdown_timeout=timedelta(milliseconds=100),
        )

    runs = [
        await client.start_workflow(
            "DrivePosting", draft, id=f"drive-{draft.intent.key}", task_queue=queue, result_type=SettleResult
        )
        for draft in drafts
    ]
    results = asyncio.gather(*(run.result() for run in runs))
    async with worker():
        await asyncio.wait({results}, timeout=1)
    async with worker():
        return await results


def draft_of(transaction) -> PostingDraft:
    key = uuid4()
    intent = PostingIntent(key=key, transaction=transaction, report_ids=(f"report-{key}",))
    return PostingDraft(plant="demo", intent=intent)


@pytest.mark.long
@pytest.mark.parametrize("name", ["sap", "oracle", "dynamics"])
async def test_ten_transactions_of_an_erp_have_their_effect_once_through_the_server(
    name: str,
    temporal_client: Client,
    simulators: Callable[[str], Awaitable[SimulatedWorld]],
    books: SqlLedger,
    tag: str,
) -> None:
    shared = await simulators(name)
    world = shared.with_patience(TIMEOUT)
    await world.heal()
    scenes = sample(name)
    effects = []
    for number, faults in enumerate(((), FAULTS)):
        tags = [f"{tag}{number}{place}" for place in range(len(scenes))]
        drafts = [draft_of(await scene.build(world, own)) for scene, own in zip(scenes, tags, strict=True)]
        await world.quiet()
        before = await world.books()
        for fault in faults:
            await world.fault(**fault)
        results = await drive(temporal_client, world, books, drafts)
        await world.heal()
        await world.quiet()
        after = await world.books()
        states = {s.name: r.outcomes[0].state for s, r in zip(scenes, results, strict=True)}
        assert set(states.values()) <= {PostingState.POSTED, PostingState.ADOPTED}, states
        effects.append(
            {s.name: change(figures(before, t), figures(after, t)) for s, t in zip(scenes, tags, strict=True)}
        )
    await world.erp.aclose()
    await shared.heal()
    assert effects[1] == effects[0]
