"""A process that stalled sends what it held up at the limit's pace, not all at once."""

from __future__ import annotations

import asyncio

from ledger.connect import open_ledger
from workers.call_budget import LATE_SECONDS, SharedBudget


class Stalling:
    """Time that tests move; everybody who waits wakes up together after a stall."""

    def __init__(self) -> None:
        self.at = 1_000_000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.at + seconds, woken))
        await woken

    @property
    def sleeping(self) -> int:
        return len(self._sleepers)

    def reach(self, at: float) -> None:
        self.at = max(self.at, at)
        due = [s for s in self._sleepers if s[0] <= self.at]
        self._sleepers = [s for s in self._sleepers if s[0] > self.at]
        for _, woken in due:
            woken.set_result(None)

    def next_wake_up(self) -> float:
        return min(at for at, _ in self._sleepers)


async def test_what_a_stall_held_up_is_spread_again(tmp_path):
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    clock, sent, wait = Stalling(), list[float](), asyncio.sleep
    budget = SharedBudget(ledger, "p", "sap", 20, clock, clock.sleep)

    async def call() -> None:
        await budget.take(60)
        sent.append(clock.at)

    calls = [asyncio.create_task(call()) for _ in range(40)]

    async def everybody_waits() -> None:
        async with asyncio.timeout(10):
            while clock.sleeping + len(sent) < len(calls):
                await wait(0.005)

    try:
        await everybody_waits()
        clock.reach(clock.at + 0.8)
        await everybody_waits()
        while not all(c.done() for c in calls):
            clock.reach(clock.next_wake_up())
            await wait(0.01)
            await everybody_waits()
    finally:
        await ledger.close()
    begun = [sum(start <= at < start + 0.5 for at in sent) for start in sent]
    assert max(begun) <= (0.5 + LATE_SECONDS) * 20 + 2
    assert len(sent) == len(calls)
