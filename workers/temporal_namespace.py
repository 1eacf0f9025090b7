"""Makes a Temporal namespace ours: retention and the search attributes of design section 3. Safe to repeat.

For the embedded server and for a cluster alike (`python -m workers.temporal_namespace`, connection settings from
`temporalio.envconfig`); not for running a server.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from signals.search_attributes import DATETIMES, INTEGERS, KEYWORD_LISTS, KEYWORDS

NAMESPACE = "plantwright"
RETENTION = timedelta(days=90)

SEARCH_ATTRIBUTES: Mapping[str, str] = {
    **{name.value: "Keyword" for name in KEYWORDS},
    **{name.value: "KeywordList" for name in KEYWORD_LISTS},
    **{name.value: "Datetime" for name in DATETIMES},
    **{name.value: "Int" for name in INTEGERS},
}
"""Name to type, in the Temporal command line's words."""

_TYPES = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
}

_PROBES = {"Keyword": "= ''", "KeywordList": "= ''", "Datetime": "> '2000-01-01T00:00:00Z'", "Int": "> 0"}


class NamespaceNotReady(RuntimeError):
    """The namespace does not take our search attributes; the message says which and why."""


async def ensure_namespace(client: Client, retention: timedelta = RETENTION, *, timeout_seconds: float = 60.0) -> None:
    """Creates or corrects `client.namespace` and returns when workflows with our search attributes can start in it.

    Raises NamespaceNotReady, or RPCError when the server refuses (a cluster may want an administrator for this).
    """
    deadline = time.monotonic() + timeout_seconds
    await _ensure_retention(client, retention)
    while True:
        try:
            await _ensure_search_attributes(client)
            await client.count_workflows(_probe_query())
            return
        except RPCError as refused:
            # A fresh namespace or attribute reaches every cache of the server only after some seconds.
            lagging = refused.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}
            if not lagging and refused.status is not RPCStatusCode.UNAVAILABLE:
                raise
            if time.monotonic() > deadline:
                raise NamespaceNotReady(
                    f"namespace {client.namespace} was not ready after {timeout_seconds:.0f} s: {refused.message}. "
                    "Look at `temporal operator search-attribute list`; SQL visibility allows ten keywords"
                ) from refused
        await asyncio.sleep(0.2)


async def _ensure_retention(client: Client, retention: timedelta) -> None:
    wanted = Duration()
    wanted.FromTimedelta(retention)
    service = client.workflow_service
    try:
        found = await service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as refused:
        if refused.status is not RPCStatusCode.NOT_FOUND:
            raise
        await service.register_namespace(
            RegisterNamespaceRequest(namespace=client.namespace, workflow_execution_retention_period=wanted)
        )
        return
    if found.config.workflow_execution_retention_ttl.ToTimedelta() < retention:
        # Never shortened: an administrator's longer retention is evidence kept on purpose.
        config = NamespaceConfig(workflow_execution_retention_ttl=wanted)
        await service.update_namespace(UpdateNamespaceRequest(namespace=client.namespace, config=config))


async def _ensure_search_attributes(client: Client) -> None:
    operator = client.operator_service
    listed = await operator.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    missing = {name: _TYPES[kind] for name, kind in SEARCH_ATTRIBUTES.items() if name not in listed.custom_attributes}
    if missing:
        await operator.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )


def _probe_query() -> str:
    """Names every attribute, so that the server's answer proves it knows them all; matches nothing."""
    return " AND ".join(f"{name} {_PROBES[kind]}" for name, kind in SEARCH_ATTRIBUTES.items())


async def _main() -> None:
    settings = ClientConfig.load_client_connect_config()
    settings.setdefault("namespace", NAMESPACE)
    await ensure_namespace(await Client.connect(**settings))


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except (RuntimeError, RPCError) as failed:
        sys.exit(f"the namespace could not be set up: {failed}; is TEMPORAL_ADDRESS right and the server up?")
