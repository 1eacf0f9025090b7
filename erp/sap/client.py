"""Calls to SAP Gateway: Basic authentication, CSRF token with its cookies, paging, the call budget, error classes.

Not for business shapes. Reads raise ErpUnavailable where a booking raises ErpInDoubt.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import structlog

from erp.budget import shared_budget
from erp.port import CallBudget, SendGuard
from erp.sap.failures import connection_failure, failure_of, needs_new_token
from erp.sap.odata import Entity, UnreadableAnswer, entities_of, entity_of, next_link, path_text, query_text
from erp.sap.settings import SapSettings
from signals.errors import ErpBusy, ErpInDoubt, ErpMisconfigured, ErpUnavailable

log = structlog.get_logger(__name__)

Shape = TypeVar("Shape")

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 2.0
"""Idle connections are dropped early: a booking on one that the server just closed would be in doubt for nothing."""
THROTTLE_SECONDS = 1.0
MOST_PAGES = 1000


@dataclass(frozen=True)
class SapAnswer:
    """A successful answer: its JSON and the warnings of `sap-message`."""

    payload: Any
    warnings: tuple[str, ...] = ()


class SapClient:
    """One authenticated connection pool to one SAP system."""

    def __init__(
        self,
        settings: SapSettings,
        user: str,
        password: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        budget: CallBudget | None = None,
    ) -> None:
        self._root = _service_root(settings.url)
        self._timeout = settings.timeout_seconds
        self._fixed_query = {"sap-client": settings.client} if settings.client else {}
        self._budget = budget or shared_budget(self._root, settings.calls_per_second)
        self._tokens: dict[str, str] = {}
        self._http = httpx.AsyncClient(
            auth=httpx.BasicAuth(user, password),
            headers={"accept": "application/json", "accept-language": settings.language.lower()},
            timeout=httpx.Timeout(self._timeout, connect=min(CONNECT_SECONDS, self._timeout)),
            limits=httpx.Limits(max_connections=10, keepalive_expiry=IDLE_SECONDS),
            verify=_tls_context(settings.ca_file),
            follow_redirects=False,
            trust_env=urlsplit(self._root).hostname not in ("localhost", "127.0.0.1", "::1"),
            transport=transport,
        )
        if settings.language:
            self._fixed_query["sap-language"] = settings.language

    async def aclose(self) -> None:
        await self._http.aclose()

    # --- reading -----------------------------------------------------------------------------------------------------

    async def read_entity(self, service: str, path: str, options: dict[str, str] | None = None) -> Entity:
        """One entity. Raises SapNotFound where SAP does not have it."""
        url = self._url(service, path, options or {})
        return _readable(entity_of, await self._get(service, url), path)

    async def read_entities(self, service: str, path: str, options: dict[str, str] | None = None) -> list[Entity]:
        """All entities of a collection, page by page as the server cuts them."""
        return await self._follow(service, path, self._url(service, path, options or {}))

    async def expanded(self, service: str, entity: Entity, navigation: str) -> list[Entity]:
        """The rows behind a navigation, whether they came with the entity, in part or not at all."""
        value = entity.get(navigation)
        if isinstance(value, list):
            return [row for row in value if isinstance(row, dict)]
        if not isinstance(value, dict):
            return []
        if isinstance(value.get("results"), list):
            rows = [row for row in value["results"] if isinstance(row, dict)]
            link = str(value.get("__next") or "")
        else:
            rows, link = [], str((value.get("__deferred") or {}).get("uri") or "")
        return rows + (await self._follow(service, navigation, self._own_url(link)) if link else [])

    async def _follow(self, service: str, what: str, url: str) -> list[Entity]:
        rows: list[Entity] = []
        seen: set[str] = set()
        while url and url not in seen and len(seen) < MOST_PAGES:
            seen.add(url)
            payload = await self._get(service, url)
            rows += _readable(entities_of, payload, what)
            link = _readable(next_link, payload, what)
            url = self._own_url(link) if link else ""
        if url:
            raise ErpUnavailable(f"reading {what}: SAP's pages lead round in a circle", code="paging")
        return rows

    async def _get(self, service: str, url: str) -> Any:
        headers = {} if service in self._tokens else {"x-csrf-token": "Fetch"}
        await self._budget.take(self._timeout)
        request = self._http.build_request("GET", url, headers=headers)
        what = f"GET {_short(url)}"
        response = await self._transmit(request, what, booking=False)
        self._remember_token(service, response)
        if not response.is_success:
            raise await self._refused(response, what, booking=False)
        return _json_of(response, what, booking=False)

    # --- writing -----------------------------------------------------------------------------------------------------

    async def call(
        self,
        service: str,
        path: str,
        options: dict[str, str],
        *,
        body: dict[str, Any] | None = None,
        guard: SendGuard | None = None,
    ) -> SapAnswer:
        """POST a booking (with a guard) or a question that SAP wants posted (a proposal; without one).

        The guard runs right before the bytes leave, when token, slot in the call budget and request are at hand.
        """
        booking = guard is not None
        what = f"POST {path}"
        response = await self._send_once(service, path, options, body, guard)
        if needs_new_token(response):
            self._tokens.pop(service, None)
            response = await self._send_once(service, path, options, body, guard)
        if not response.is_success:
            raise await self._refused(response, what, booking=booking)
        return SapAnswer(_json_of(response, what, booking=booking), _warnings_of(response))

    async def _send_once(
        self, service: str, path: str, options: dict[str, str], body: dict[str, Any] | None, guard: SendGuard | None
    ) -> httpx.Response:
        headers = {"x-csrf-token": await self._token(service)}
        await self._budget.take(self._timeout)
        request = self._http.build_request("POST", self._url(service, path, options), headers=headers, json=body)
        if guard is not None:
            guard()
        return await self._transmit(request, f"POST {path}", booking=guard is not None)

    async def _token(self, service: str) -> str:
        if service not in self._tokens:
            await self._budget.take(self._timeout)
            request = self._http.build_request("GET", self._url(service, "", {}), headers={"x-csrf-token": "Fetch"})
            response = await self._transmit(request, f"CSRF token of {service}", booking=False)
            self._remember_token(service, response)
            if not response.is_success:
                raise await self._refused(response, f"CSRF token of {service}", booking=False)
        if service not in self._tokens:
            raise ErpMisconfigured(
                f"{service} gave no CSRF token; check that the url reaches SAP Gateway itself", code="csrf"
            )
        return self._tokens[service]

    def _remember_token(self, service: str, response: httpx.Response) -> None:
        token = response.headers.get("x-csrf-token", "")
        if response.is_success and token and token.lower() not in ("required", "fetch"):
            self._tokens[service] = token

    # --- the wire ----------------------------------------------------------------------------------------------------

    async def _transmit(self, request: httpx.Request, what: str, *, booking: bool) -> httpx.Response:
        """Send, within a limit for the whole exchange (a read timeout alone never ends a dripping answer)."""
        try:
            async with asyncio.timeout(self._timeout + CONNECT_SECONDS):
                response = await self._http.send(request)
        except (httpx.HTTPError, TimeoutError) as error:
            await self._budget.failed()
            failure = connection_failure(error, what, booking=booking)
            log.warning("sap_call_failed", call=what, error=failure.type, reason=str(failure))
            raise failure from error
        await self._budget.answered()
        return response

    async def _refused(self, response: httpx.Response, what: str, *, booking: bool) -> Exception:
        failure = failure_of(response, what, booking=booking)
        if response.status_code == 429 and isinstance(failure, ErpBusy):
            await self._budget.close_for(failure.retry_after if failure.retry_after is not None else THROTTLE_SECONDS)
        if response.status_code == 401:
            self._tokens.clear()
        log.info("sap_call_refused", call=what, status=response.status_code, error=failure.type, code=failure.code)
        return failure

    def _url(self, service: str, path: str, options: dict[str, str]) -> str:
        query = query_text({**options, **self._fixed_query})
        return f"{self._root}/{service}/{path_text(path)}" + (f"?{query}" if query else "")

    def _own_url(self, link: str) -> str:
        """A link of an answer on the address we were given: behind a gateway SAP writes its inner host."""
        parts = urlsplit(link)
        if not parts.path.startswith("/"):
            raise ErpUnavailable(f"SAP answered with a link that leads nowhere: {link[:100]!r}", code="paging")
        own = urlsplit(self._root)
        marker = "/sap/opu/odata/"
        tail = parts.path[parts.path.find(marker) :] if marker in parts.path else parts.path
        head = own.path[: own.path.find(marker)] if marker in own.path else ""
        query = parts.query
        for name, value in self._fixed_query.items():
            if f"{name}=" not in query:
                query += ("&" if query else "") + query_text({name: value})
        return f"{own.scheme}://{own.netloc}{head}{tail}" + (f"?{query}" if query else "")


def _service_root(url: str) -> str:
    address = url.rstrip("/")
    return address if "/sap/opu/odata" in address else f"{address}/sap/opu/odata/sap"


def _tls_context(ca_file: str) -> Any:
    context = httpx.create_ssl_context()
    if ca_file:
        if not Path(ca_file).is_file():
            raise ErpMisconfigured(
                f"[erp] ca_file {ca_file!r} is no file; give the PEM file of the authority", code="tls"
            )
        context.load_verify_locations(cafile=ca_file)
    return context


def _readable(shape: Callable[[Any], Shape], payload: Any, what: str) -> Shape:
    try:
        return shape(payload)
    except UnreadableAnswer as error:
        raise ErpUnavailable(f"reading {what}: {error}", code="unreadable") from error


def _json_of(response: httpx.Response, what: str, *, booking: bool) -> Any:
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        told = f"{what}: HTTP {response.status_code} with a body that is no JSON"
        if booking:
            raise ErpInDoubt(f"{told}; nobody knows whether it was booked", code="unreadable") from error
        raise ErpUnavailable(told, code="unreadable") from error


def _warnings_of(response: httpx.Response) -> tuple[str, ...]:
    """What `sap-message` says beside a success."""
    written = response.headers.get("sap-message", "")
    try:
        message = json.loads(written) if written else None
    except json.JSONDecodeError:
        return (written,)
    if not isinstance(message, dict):
        return ()
    rows = [message, *(d for d in message.get("details") or [] if isinstance(d, dict))]
    return tuple(f"{row.get('code', '')}: {row.get('message', '')}" for row in rows)


def _short(url: str) -> str:
    return url.split("/sap/opu/odata/", 1)[-1][:200]
