"""The call budget that all workers of a plant share through the ledger: one limit, one back-off, one circuit.

Calls that wait at the same time lease their slots together, in one transaction; a slot that is not used in time (its
caller was cancelled) is given up rather than used in a burst. Tools that make a handful of calls have a
`erp.budget.LocalBudget`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from erp.budget import Pace
from ledger.port import LedgerPort

MOST_AT_ONCE = 50
STALE_SLOTS = 1.5
"""A slot older than so many intervals is given up."""
LATE_SECONDS = 0.2
"""Who wakes up later than this after its slot takes another, or all that a stall held up would come at once. What is
less late stays within the budget's margin, with a tenth of a second left for the way."""


class SharedBudget:
    """`erp.port.CallBudget` of one plant and ERP."""

    def __init__(
        self,
        ledger: LedgerPort,
        plant: str,
        erp: str,
        calls_per_second: float,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._plant, self._erp = plant, erp
        self.limit = calls_per_second
        self._clock = clock
        self._sleep = sleep
        self._slots: deque[float] = deque()
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._answers = 0
        self.pace = Pace()

    async def take(self, longest_wait: float) -> None:
        """Wait for a slot of the plant's. Raises ErpBusy or ErpUnavailable: nothing was sent then."""
        if await self._wait_for_slot(longest_wait) > LATE_SECONDS:
            await self._wait_for_slot(longest_wait)  # once: who is late every time gets on all the same

    async def _wait_for_slot(self, longest_wait: float) -> float:
        """How many seconds after the slot it was awaited for the caller woke up."""
        self._waiting += 1
        try:
            async with self._turn:
                slot = self._leased() or await self._lease(longest_wait)
        finally:
            self._waiting -= 1
        wait = slot - self._clock()
        if wait <= 0:
            return 0.0
        await self._sleep(wait)
        self.pace.refuse_while_closed(self._clock())
        return self._clock() - slot

    def _leased(self) -> float | None:
        oldest = self._clock() - STALE_SLOTS / self.limit
        while self._slots and self._slots[0] < oldest:
            self._slots.popleft()
        return self._slots.popleft() if self._slots else None

    async def _lease(self, longest_wait: float) -> float:
        slots: list[float] = []

        def lease(pace: Pace) -> None:
            now = self._clock()
            together = min(self._waiting, MOST_AT_ONCE)
            more = together - 1 if pace.circuit == "closed" else 0  # an open circuit lets one call probe
            patience = longest_wait + together * pace.slowness / self.limit
            slots.extend(pace.take(now, self.limit, wait) for wait in (longest_wait, *[patience] * more))

        await self._change(lease)
        self._slots.extend(slots[1:])
        return slots[0]

    async def answered(self) -> None:
        """Told with the next lease; at once where it ends an open circuit or a slowness."""
        self._answers += 1
        if self.pace.failures or self.pace.slowness > 1:
            await self._change(lambda pace: None)

    async def failed(self) -> None:
        """No connection or no answer: the plant's other workers learn of it."""
        await self._change(lambda pace: pace.failed(self._clock()))
        if self.pace.circuit == "open":
            self._slots.clear()

    async def close_for(self, seconds: float) -> None:
        """The ERP asked for patience, from all workers of the plant."""
        self._slots.clear()
        await self._change(lambda pace: pace.throttled(self._clock(), seconds))

    async def _change(self, what: Callable[[Pace], None]) -> None:
        answers, self._answers = self._answers, 0

        def change(text: str) -> str:
            pace = Pace.model_validate_json(text) if text else Pace()
            if answers:
                pace.answered(answers)
            self.pace = pace
            what(pace)
            return pace.model_dump_json()

        await self._ledger.change_pace(self._plant, self._erp, change)
