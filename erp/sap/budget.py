"""The limit on calls to one SAP system: a token bucket that all connections of the process share.

Calls are spaced evenly, so no window of a second ever holds more than the limit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from signals.errors import ErpBusy


class CallBudget:
    """Spaces calls by 1/rate seconds and stays closed while SAP asked for patience (429 with Retry-After)."""

    def __init__(self, calls_per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.interval = 1 / calls_per_second
        self._monotonic = monotonic
        self._next_slot = 0.0
        self._closed_until = 0.0

    async def take(self, longest_wait: float) -> None:
        """Wait for a slot. Raises ErpBusy where the wait would be too long: nothing was sent then."""
        self._refuse_while_closed()
        now = self._monotonic()
        slot = max(now, self._next_slot)
        if slot - now > longest_wait:
            raise ErpBusy(
                f"{slot - now:.1f} s of calls are waiting for SAP's limit of {1 / self.interval:g} calls/s",
                code="own_limit",
                retry_after=slot - now,
            )
        self._next_slot = slot + self.interval
        if slot > now:
            await asyncio.sleep(slot - now)
            self._refuse_while_closed()

    def _refuse_while_closed(self) -> None:
        left = self._closed_until - self._monotonic()
        if left > 0:
            raise ErpBusy(f"SAP asked to wait; {left:.1f} s are left", code="throttled", retry_after=left)

    def close_for(self, seconds: float) -> None:
        """SAP throttled us: nobody in this process calls before that time has passed."""
        self._closed_until = max(self._closed_until, self._monotonic() + seconds)


_BUDGETS: dict[tuple[str, float], CallBudget] = {}


def shared_budget(address: str, calls_per_second: float) -> CallBudget:
    """The process's budget for a system; one address has one."""
    return _BUDGETS.setdefault((address, calls_per_second), CallBudget(calls_per_second))
