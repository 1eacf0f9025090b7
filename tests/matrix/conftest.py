"""A ledger and the three simulated ERPs, each one process for the whole run."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio

from ledger.connect import open_ledger
from ledger.store import SqlLedger
from tests.matrix.worlds import SECRET, SimulatedWorld, simulator
from workers.erp_events import SECRET_HEADER, PlantEvents, serve_events

_tags = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def books(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SqlLedger]:
    """One SQLite ledger for the matrix; every case has names of its own in it."""
    ledger = await open_ledger(f"sqlite:///{tmp_path_factory.mktemp('matrix') / 'ledger.db'}")
    yield ledger
    await ledger.close()


@pytest.fixture
def tag() -> str:
    """In every name of a case, and in no other case's."""
    return f"7{next(_tags):05d}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def simulators(
    tmp_path_factory: pytest.TempPathFactory, books: SqlLedger
) -> AsyncIterator[Callable[[str], Awaitable[SimulatedWorld]]]:
    """Worlds by name, started when first asked for; our event endpoint listens to Dynamics."""
    folder = tmp_path_factory.mktemp("worlds")
    opened: dict[str, SimulatedWorld] = {}
    async with AsyncExitStack() as stack:

        async def world(name: str) -> SimulatedWorld:
            if name not in opened:
                running = await stack.enter_async_context(simulator(name, folder))
                events = None
                if name == "dynamics":
                    url = await stack.enter_async_context(_event_endpoint(books))
                    settings = {
                        "business_event_endpoints": [f"{url}/demo"],
                        "business_event_secret": SECRET,
                        "business_event_secret_header": SECRET_HEADER,
                    }
                    await running.ask("settings", settings)
                    events = PlantEvents(books, "demo")
                opened[name] = SimulatedWorld(running, events)
                await opened[name].heal()
                stack.push_async_callback(opened[name].erp.aclose)
            return opened[name]

        yield world


@asynccontextmanager
async def _event_endpoint(books: SqlLedger) -> AsyncIterator[str]:
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_events(books, ["demo"], SECRET, 0, on_ready=address.set_result))
    try:
        yield await asyncio.wait_for(address, 10)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest_asyncio.fixture
async def world(
    request: pytest.FixtureRequest, simulators: Callable[[str], Awaitable[SimulatedWorld]]
) -> AsyncIterator[SimulatedWorld]:
    """The world a case names, healthy at its start and at its end."""
    opened = await simulators(request.param)
    yield opened
    await opened.heal()
