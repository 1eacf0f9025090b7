"""The embedded server keeps what it accepted, whatever ends it, and never outlives its parent."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from workers.data_converter import data_converter
from workers.server_ports import ServerPorts, free_port
from workers.temporal_binary import TemporalBinary, obtain_temporal_binary
from workers.temporal_namespace import SEARCH_ATTRIBUTES
from workers.temporal_server import EmbeddedTemporal, EmbeddedTemporalError, ServerOptions, serve

DUE = datetime(2026, 3, 1, 6, tzinfo=UTC)
ALL_ATTRIBUTES = TypedSearchAttributes(
    [
        *(
            SearchAttributePair(SearchAttributeKey.for_keyword(name), f"value of {name}")
            for name, kind in SEARCH_ATTRIBUTES.items()
            if kind == "Keyword"
        ),
        SearchAttributePair(SearchAttributeKey.for_keyword_list("OpenTaskRoles"), ["quality", "supervisor"]),
        SearchAttributePair(SearchAttributeKey.for_datetime("DueAt"), DUE),
        SearchAttributePair(SearchAttributeKey.for_int("Severity"), 3),
    ]
)


@workflow.defn
class WaitsForRelease:
    def __init__(self) -> None:
        self._released_by: str | None = None

    @workflow.run
    async def run(self, order: str) -> str:
        await workflow.wait_condition(lambda: self._released_by is not None)
        return f"{order} released by {self._released_by}"

    @workflow.signal
    def release(self, who: str) -> None:
        self._released_by = who


async def connect(server: EmbeddedTemporal) -> Client:
    return await Client.connect(server.address, namespace=server.namespace, data_converter=data_converter)


async def open_workflow(client: Client) -> str:
    handle = await client.start_workflow(
        WaitsForRelease.run,
        "order 4711",
        id=f"order:{uuid.uuid4()}",
        task_queue="server-tests",
        search_attributes=ALL_ATTRIBUTES,
    )
    return handle.id


async def finish(client: Client, workflow_id: str) -> str:
    async with Worker(client, task_queue="server-tests", workflows=[WaitsForRelease]):
        handle = client.get_workflow_handle_for(WaitsForRelease.run, workflow_id)
        await handle.signal(WaitsForRelease.release, "quality")
        return await handle.result()


async def test_a_workflow_with_all_our_search_attributes_starts_as_soon_as_start_returns(
    temporal_server: EmbeddedTemporal, temporal_client: Client
):
    workflow_id = await open_workflow(temporal_client)
    described = await temporal_client.get_workflow_handle(workflow_id).describe()

    assert {pair.key.name for pair in described.typed_search_attributes} >= set(SEARCH_ATTRIBUTES)
    assert await finish(temporal_client, workflow_id) == "order 4711 released by quality"
    assert temporal_server.version[0].isdigit()


async def test_finished_workflows_are_kept_longer_than_the_default_day(temporal_client: Client):
    described = await temporal_client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=temporal_client.namespace)
    )
    assert described.config.workflow_execution_retention_ttl.ToTimedelta() == timedelta(days=90)


async def test_open_workflows_survive_stop_restart_and_kill_at_the_same_address(tmp_path: Path):
    async with EmbeddedTemporal(tmp_path, ServerOptions(headless=True)) as server:
        address, first_pid = server.address, server.pid
        client = await connect(server)
        before_restart = await open_workflow(client)

        await server.restart()
        assert (server.address, server.pid != first_pid) == (address, True)
        before_kill = await open_workflow(client)

        await server.kill()
        assert not server.running
        await server.start()
        assert server.address == address

        # The old client object goes on, and so do both workflows.
        assert await finish(client, before_restart) == "order 4711 released by quality"
        assert await finish(client, before_kill) == "order 4711 released by quality"
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=server.namespace)
        )
        assert set(listed.custom_attributes) == set(SEARCH_ATTRIBUTES)
    assert not server.running


async def test_a_server_with_its_ui_serves_it_and_tells_where(tmp_path: Path):
    ready: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(tmp_path, on_ready=ready.set_result))
    try:
        done, _ = await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        assert ready in done, serving.exception()
        told = ready.result()
        host, port = str(told["ui"]).removeprefix("http://").split("/")[0].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.")
        writer.close()
        await writer.wait_closed()
        assert str(told["ui"]).endswith("/namespaces/plantwright")
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    with pytest.raises(OSError):
        await asyncio.open_connection(host, int(port))


async def test_a_taken_port_is_named_in_the_error(tmp_path: Path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = EmbeddedTemporal(tmp_path, ServerOptions(headless=True, ports=ServerPorts(frontend=port)))
        with pytest.raises(EmbeddedTemporalError, match=rf"port {port} on 127\.0\.0\.1 is taken"):
            await server.start()


async def test_a_server_that_dies_at_start_shows_the_end_of_its_log(tmp_path: Path):
    broken = tmp_path / "temporal"
    broken.write_text("#!/bin/sh\necho 'the disk is full' >&2\nexit 7\n")
    broken.chmod(0o755)
    server = EmbeddedTemporal(tmp_path, binary=TemporalBinary(broken, "1.0", "test"))
    with pytest.raises(EmbeddedTemporalError, match=r"(?s)ended before it served with exit code 7.*the disk is full"):
        await server.start()


async def test_a_server_that_never_serves_is_ended_and_reported(tmp_path: Path):
    hanging = tmp_path / "temporal"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    server = EmbeddedTemporal(tmp_path, ServerOptions(start_seconds=0.5), binary=TemporalBinary(hanging, "1.0", "test"))
    with pytest.raises(EmbeddedTemporalError, match="did not serve within"):
        await server.start()
    assert not server.running


async def test_a_file_that_is_no_database_is_an_error_and_not_a_hang(tmp_path: Path):
    (tmp_path / "temporal.sqlite").write_bytes(b"not a database at all, " * 100)
    with pytest.raises(EmbeddedTemporalError, match=r"temporal\.sqlite"):
        await EmbeddedTemporal(tmp_path, ServerOptions(headless=True, start_seconds=20)).start()


PARENT = """
import asyncio, os, signal, sys
from pathlib import Path
from workers.temporal_server import EmbeddedTemporal, ServerOptions, ServerPorts

async def main():
    ports = ServerPorts(frontend=int(sys.argv[2]))
    server = EmbeddedTemporal(Path(sys.argv[1]), ServerOptions(headless=True, ports=ports))
    await server.start()
    print(server.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl(2) is Linux only")
async def test_no_server_outlives_a_parent_that_was_killed(tmp_path: Path):
    port = free_port()
    binary = await obtain_temporal_binary()
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        str(tmp_path),
        str(port),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PLANTWRIGHT_TEMPORAL_CLI": str(binary.path)},
    )
    output, _ = await parent.communicate()
    server_pid = int(output)
    await asyncio.wait_for(_gone(server_pid), 10)
    server = EmbeddedTemporal(tmp_path, ServerOptions(headless=True, ports=ServerPorts(frontend=port)), binary=binary)
    async with server:
        assert server.address == f"127.0.0.1:{port}"


async def _gone(pid: int) -> None:
    """Returns when a process that is not our child has ended (pidfd_open(2) becomes readable)."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
