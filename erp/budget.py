"""The limit on calls to one ERP: evenly spaced slots, slower after a throttle, a circuit that opens on silence.

`Pace` is the arithmetic, without a clock of its own; `LocalBudget` keeps one in this process. All workers of a plant
share one through the ledger (`workers.call_budget`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pydantic import BaseModel

from signals.errors import ErpBusy, ErpUnavailable

MARGIN = 0.97
"""Share of the limit that is used: of ten seconds 0.3 are left, so that calls which come late, by a stall of ours or on
the way, never make a window hold more than the limit."""
SLOWEST = 8.0
RECOVERY = 0.97
"""A throttle doubles the distance between calls; every answer after it takes 3 % of the slowness away."""
FAILURES_TO_OPEN = 5
LONGEST_OPEN = 30.0
PROBE_SECONDS = 5.0


class Pace(BaseModel):
    """Where the plant stands with its ERP. Times are seconds since 1970, by the clock of who asks."""

    next_slot: float = 0.0
    closed_until: float = 0.0
    slowness: float = 1.0
    failures: int = 0
    open_until: float = 0.0
    taken: int = 0

    @property
    def circuit(self) -> str:
        """`closed` is normal; `open` means that nobody calls; one call in between probes."""
        return "open" if self.failures >= FAILURES_TO_OPEN else "closed"

    def take(self, now: float, limit: float, longest_wait: float) -> float:
        """The slot for one call. Raises ErpBusy or ErpUnavailable where it would come too late: nothing was sent."""
        self.refuse_while_closed(now)
        slot = max(now, self.next_slot)
        if slot - now > longest_wait:
            raise ErpBusy(
                f"{slot - now:.1f} s of calls are waiting for the ERP's limit of {limit:g} calls/s",
                code="own_limit",
                retry_after=slot - now,
            )
        if self.failures >= FAILURES_TO_OPEN:
            self.open_until = now + PROBE_SECONDS
        self.next_slot = slot + self.slowness / (limit * MARGIN)
        self.taken += 1
        return slot

    def refuse_while_closed(self, now: float) -> None:
        """Raises while the ERP asked for patience or the circuit is open."""
        left = self.closed_until - now
        if left > 0:
            raise ErpBusy(f"the ERP asked to wait; {left:.1f} s are left", code="throttled", retry_after=left)
        left = self.open_until - now
        if left > 0:
            told = f"the ERP did not answer {self.failures} times in a row; nobody calls for another {left:.1f} s"
            raise ErpUnavailable(told, code="circuit_open", retry_after=left)

    def answered(self, times: int = 1) -> None:
        self.failures = 0
        self.open_until = 0.0
        self.slowness = max(1.0, self.slowness * RECOVERY**times)

    def failed(self, now: float, times: int = 1) -> None:
        self.failures += times
        if self.failures >= FAILURES_TO_OPEN:
            self.open_until = now + min(LONGEST_OPEN, 2.0 ** min(self.failures - FAILURES_TO_OPEN, 10))

    def throttled(self, now: float, seconds: float) -> None:
        self.closed_until = max(self.closed_until, now + seconds)
        self.slowness = min(SLOWEST, self.slowness * 2)


class LocalBudget:
    """`erp.port.CallBudget` of one process."""

    def __init__(self, calls_per_second: float, clock: Callable[[], float] = time.time) -> None:
        self.limit = calls_per_second
        self.pace = Pace()
        self._clock = clock

    async def take(self, longest_wait: float) -> None:
        now = self._clock()
        slot = self.pace.take(now, self.limit, longest_wait)
        if slot > now:
            await asyncio.sleep(slot - now)
            self.pace.refuse_while_closed(self._clock())

    async def answered(self) -> None:
        self.pace.answered()

    async def failed(self) -> None:
        self.pace.failed(self._clock())

    async def close_for(self, seconds: float) -> None:
        self.pace.throttled(self._clock(), seconds)


_BUDGETS: dict[tuple[str, float], LocalBudget] = {}


def shared_budget(address: str, calls_per_second: float) -> LocalBudget:
    """The process's own budget for a system; one address has one. For tools and tests without a ledger."""
    return _BUDGETS.setdefault((address, calls_per_second), LocalBudget(calls_per_second))
