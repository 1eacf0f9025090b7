"""Our endpoint for the ERP's events, inside the test's own process: it outlives every worker that is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ledger.store import SqlLedger
from tests.matrix.worlds import SECRET
from tests.proof.plan import PLANT
from workers.erp_events import serve_events


@asynccontextmanager
async def event_endpoint(ledger: SqlLedger) -> AsyncIterator[str]:
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_events(ledger, [PLANT], SECRET, 0, on_ready=address.set_result))
    try:
        yield await asyncio.wait_for(address, 10)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
