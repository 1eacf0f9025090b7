"""A worker process: settles the drafts of its part of a plan, order by order, and may be killed on the way."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from activities.posting_messages import PostingDraft
from tests.proof.bench import Bench, Worker, worker
from tests.proof.mortal import Death


def lanes_of(bench: Bench, part: int) -> list[list[PostingDraft]]:
    """The drafts of this part's orders; one order is one lane, its postings go one after the other."""
    lanes: dict[str, list[PostingDraft]] = defaultdict(list)
    for line in bench.plan.read_text().splitlines():
        draft = PostingDraft.model_validate_json(line)
        lanes[draft.intent.transaction.order].append(draft)
    return [lane for number, lane in enumerate(lanes.values()) if number % bench.parts == part]


async def drive(at: Worker, lane: list[PostingDraft], done: set[str], free: asyncio.Semaphore) -> None:
    async with free:
        for draft in lane:
            if str(draft.intent.key) not in done:
                await at.settle(draft)
                at.note(draft.intent.key)


async def run(bench: Bench, part: int, death: Death | None) -> None:
    """The whole life of the process, if nothing kills it."""
    async with worker(bench, part, death) as at, asyncio.TaskGroup() as group:
        free, done = asyncio.Semaphore(bench.lanes), at.done()
        for lane in lanes_of(bench, part):
            group.create_task(drive(at, lane, done, free))
