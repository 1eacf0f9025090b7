"""One request to SAP and its answer: address, log-on, call budget, the guard before the bytes leave, time limits.

Not for tokens, shapes or meanings; `client` has those.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog

from erp.budget import shared_budget
from erp.port import CallBudget, SendGuard
from erp.sap import odata4
from erp.sap.failures import connection_failure, failure_of
from erp.sap.logon import Logon
from erp.sap.odata import path_text, query_text
from erp.sap.settings import SapSettings
from erp.tls import tls_context
from signals.errors import ErpBusy, ErpUnavailable

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 2.0
"""Idle connections are dropped early: a booking on one that the server just closed would be in doubt for nothing."""
THROTTLE_SECONDS = 1.0
V2_ROOT = "/sap/opu/odata/sap"


@dataclass(frozen=True)
class Question:
    """A request that is still to be sent. With a guard it books."""

    method: str
    url: str
    what: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: dict[str, Any] | None = None
    raw: bytes | None = None
    guard: SendGuard | None = None

    @property
    def booking(self) -> bool:
        return self.guard is not None


class Wire:
    """One authenticated connection pool to one SAP system."""

    def __init__(
        self,
        settings: SapSettings,
        logon: Logon,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        budget: CallBudget | None = None,
    ) -> None:
        self._base = settings.url.rstrip("/").partition("/sap/opu/odata")[0]
        self._logon = logon
        self._timeout = settings.timeout_seconds
        self._fixed_query = {"sap-client": settings.client} if settings.client else {}
        if settings.language:
            self._fixed_query["sap-language"] = settings.language
        self._budget = budget or shared_budget(self._base, settings.calls_per_second)
        self._http = http_client(
            settings,
            self._base,
            transport,
            headers={"accept": "application/json", "accept-language": settings.language.lower()},
        )

    async def aclose(self) -> None:
        await self._http.aclose()
        await self._logon.aclose()

    async def exchange(self, question: Question) -> httpx.Response:
        """Send and wait for the answer, whatever it says. A token that SAP no longer takes is renewed once."""
        header = await self._logon.header()
        response = await self._send(question, header)
        if response.status_code == 401 and self._logon.forget(header):
            response = await self._send(question, await self._logon.header())
        return response

    async def _send(self, question: Question, logon: str) -> httpx.Response:
        """The whole exchange has a limit: a read timeout alone never ends a dripping answer."""
        await self._budget.take(self._timeout)
        headers = question.headers | {"authorization": logon}
        request = self._http.build_request(
            question.method, question.url, headers=headers, json=question.body, content=question.raw
        )
        if question.guard is not None:
            question.guard()
        try:
            async with asyncio.timeout(self._timeout + CONNECT_SECONDS):
                response = await self._http.send(request)
        except (httpx.HTTPError, TimeoutError) as error:
            await self._budget.failed()
            failure = connection_failure(error, question.what, booking=question.booking)
            log.warning("sap_call_failed", call=question.what, error=failure.type, reason=str(failure))
            raise failure from error
        await self._budget.answered()
        return response

    async def refused(self, response: httpx.Response, what: str, *, booking: bool) -> Exception:
        """The error that an answer outside 2xx stands for; a throttle closes the budget for its time."""
        failure = failure_of(response, what, booking=booking)
        if response.status_code == 429 and isinstance(failure, ErpBusy):
            await self._budget.close_for(failure.retry_after if failure.retry_after is not None else THROTTLE_SECONDS)
        log.info("sap_call_refused", call=what, status=response.status_code, error=failure.type, code=failure.code)
        return failure

    # --- addresses ---------------------------------------------------------------------------------------------------

    def url(self, service: str, path: str, options: dict[str, str]) -> str:
        root = odata4.ROOT if odata4.is_v4(service) else V2_ROOT
        query = query_text({**options, **self._fixed_query})
        return f"{self._base}{root}/{service}/{path_text(path)}" + (f"?{query}" if query else "")

    def own_url(self, link: str, service: str) -> str:
        """A link of an answer on the address we were given: behind a gateway SAP writes its inner host."""
        parts = urlsplit(link)
        path = parts.path
        if odata4.is_v4(service) and not path.startswith("/"):
            path = f"{odata4.ROOT}/{service}/{path}"
        if not path.startswith("/"):
            raise ErpUnavailable(f"SAP answered with a link that leads nowhere: {link[:100]!r}", code="paging")
        marker = "/sap/opu/odata"
        tail = path[path.find(marker) :] if marker in path else path
        query = parts.query
        for name, value in self._fixed_query.items():
            if f"{name}=" not in query:
                query += ("&" if query else "") + query_text({name: value})
        return f"{self._base}{tail}" + (f"?{query}" if query else "")


def http_client(
    settings: SapSettings,
    address: str,
    transport: httpx.AsyncBaseTransport | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.AsyncClient:
    """A client for SAP or its token endpoint. Raises ErpMisconfigured for a `ca_file` that is none."""
    timeout = settings.timeout_seconds
    return httpx.AsyncClient(
        headers=headers,
        timeout=httpx.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout)),
        limits=httpx.Limits(max_connections=10, keepalive_expiry=IDLE_SECONDS),
        verify=tls_context(settings.ca_file),
        follow_redirects=False,
        trust_env=urlsplit(address).hostname not in ("localhost", "127.0.0.1", "::1"),
        transport=transport,
    )


def short(url: str) -> str:
    """An address without its host, for messages."""
    return url.split("/sap/opu/", 1)[-1][:200]
