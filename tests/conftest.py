"""Fixtures every room shares: one real Temporal dev server for the whole run, and a client that speaks our codec."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, settings
from temporalio.client import Client

from workers.data_converter import data_converter
from workers.temporal_binary import BinarySearch
from workers.temporal_server import EmbeddedTemporal, ServerOptions

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("house")
"""Properties hold or they do not; how fast they are asked depends on what else the machine does."""


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command run in this process sets up logging for itself; the next test must not inherit it."""
    yield
    structlog.reset_defaults()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedTemporal]:
    """Shared by all tests: do not stop it. A test that restarts a server makes its own."""
    binary = await BinarySearch().find()
    if binary is None:
        pytest.fail("no Temporal server binary is at hand; `make setup` fetches one (minutes, once)", pytrace=False)
    directory = tmp_path_factory.mktemp("temporal")
    async with EmbeddedTemporal(directory, ServerOptions(headless=True), binary=binary) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal_client(temporal_server: EmbeddedTemporal) -> Client:
    return await Client.connect(
        temporal_server.address, namespace=temporal_server.namespace, data_converter=data_converter
    )
