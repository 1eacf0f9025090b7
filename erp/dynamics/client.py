"""Calls to Dynamics: Entra token, company scope, paging, etags, batches, the call budget, error classes.

Not for business shapes. Reads raise ErpUnavailable where a booking raises ErpInDoubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import structlog

from erp.budget import shared_budget
from erp.dynamics.batch import CONTENT_TYPE, Call, UnreadableBatch, batch_answers, batch_body
from erp.dynamics.failures import connection_failure, failure_of, token_failure
from erp.dynamics.odata import (
    Entity,
    UnreadableAnswer,
    entities_of,
    entity_of,
    key_predicate,
    next_link,
    parse,
    path_text,
    query_text,
    text_literal,
)
from erp.dynamics.settings import DynamicsSettings
from erp.oauth import ClientCredentials
from erp.port import CallBudget, SendGuard
from erp.tls import tls_context
from signals.errors import ErpBusy, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable

log = structlog.get_logger(__name__)

Shape = TypeVar("Shape")

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 2.0
"""Idle connections are dropped early: a booking on one that the server just closed would be in doubt for nothing."""
THROTTLE_SECONDS = 5.0
MOST_PAGES = 1000
ENTRA = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class DynamicsClient:
    """One authenticated connection pool to one environment, for one company."""

    def __init__(
        self,
        settings: DynamicsSettings,
        client_id: str,
        secret: str,
        tenant: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        budget: CallBudget | None = None,
    ) -> None:
        self._root = settings.url.rstrip("/")
        self._timeout = settings.timeout_seconds
        self.company = settings.dynamics.company.lower()
        self._budget = budget or shared_budget(self._root, settings.calls_per_second)
        self._http = httpx.AsyncClient(
            headers={"accept": "application/json", "accept-language": settings.language.lower()},
            timeout=httpx.Timeout(self._timeout, connect=min(CONNECT_SECONDS, self._timeout)),
            limits=httpx.Limits(max_connections=10, keepalive_expiry=IDLE_SECONDS),
            verify=tls_context(settings.ca_file),
            follow_redirects=False,
            trust_env=urlsplit(self._root).hostname not in LOOPBACK,
            transport=transport,
        )
        self._tokens = ClientCredentials(
            self._http,
            settings.token_url or ENTRA.format(tenant=tenant),
            client_id,
            secret,
            settings.scope or f"{self._root}/.default",
            credentials_in="form",
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def log_on(self) -> None:
        """Get a token. Raises ErpMisconfigured with what Entra says, ErpUnavailable where it does not answer."""
        await self._authorization()

    # --- reading -----------------------------------------------------------------------------------------------------

    async def read_entity(self, entity_set: str, **keys: Any) -> Entity:
        """One record of our company. Raises DynamicsNotFound, EntityNotPublic."""
        return _readable(entity_of, await self._get(self.address(entity_set, **keys), entity_set), entity_set)

    async def read_entities(self, entity_set: str, *conditions: str, **options: str) -> list[Entity]:
        """All records of our company that meet the conditions, page by page as the server cuts them."""
        wanted = " and ".join([f"dataAreaId eq {text_literal(self.company)}", *conditions])
        query = {"cross-company": "true", "$filter": wanted} | {f"${name}": value for name, value in options.items()}
        return await self._follow(f"{self._root}/data/{entity_set}?{query_text(query)}", entity_set)

    async def read_marked(self, entity_set: str, member: str, mark: str, *conditions: str) -> list[Entity]:
        """Records whose text member opens with our mark; where it cannot be searched, all are read and looked at.

        The wildcard is what Dynamics has for `startswith` and `contains`.
        """
        try:
            rows = await self.read_entities(entity_set, *conditions, f"{member} eq {text_literal(mark + '*')}")
        except ErpRejected:
            rows = await self.read_entities(entity_set, *conditions)
        return [row for row in rows if str(row.get(member) or "").upper().startswith(mark)]

    async def read_any_company(self, entity_set: str, **options: str) -> list[Entity]:
        """Records of whatever company: for the probe only."""
        query = {"cross-company": "true"} | {f"${name}": value for name, value in options.items()}
        return await self._follow(f"{self._root}/data/{entity_set}?{query_text(query)}", entity_set)

    async def ask_service(self, path: str) -> httpx.Response:
        """GET on a custom service, which books nothing; whatever the status."""
        request = self._http.build_request("GET", f"{self._root}/api/services/{path}")
        return await self._exchange(request, f"GET {path}", booking=False, guard=None)

    async def _follow(self, url: str, what: str) -> list[Entity]:
        rows: list[Entity] = []
        seen: set[str] = set()
        while url and url not in seen and len(seen) < MOST_PAGES:
            seen.add(url)
            payload = await self._get(url, what)
            rows += _readable(entities_of, payload, what)
            link = next_link(payload)
            url = self._own_url(link) if link else ""
        if url:
            raise ErpUnavailable(f"reading {what}: the pages lead round in a circle", code="paging")
        return rows

    async def _get(self, url: str, what: str) -> Any:
        request = self._http.build_request("GET", url)
        response = await self._exchange(request, f"GET {what}", booking=False, guard=None)
        if not response.is_success:
            raise await self._refused(response, f"GET {what}", booking=False)
        return _readable(parse, response.text, what)

    # --- writing -----------------------------------------------------------------------------------------------------

    def address(self, entity_set: str, **keys: Any) -> str:
        """The URL of a record of our company: every key field is named."""
        path = path_text(entity_set + key_predicate(dataAreaId=self.company, **keys))
        return f"{self._root}/data/{path}?cross-company=true"

    def collection(self, entity_set: str) -> str:
        return f"{self._root}/data/{entity_set}?cross-company=true"

    async def service(self, path: str, body: dict[str, Any], guard: SendGuard) -> str:
        """POST to a custom service; the answer's text, whatever it is: a success is undocumented there."""
        url = f"{self._root}/api/services/{path}"
        request = self._http.build_request("POST", url, json=body)
        response = await self._booked(request, f"POST {path.rsplit('/', 1)[-1]}", guard)
        return response.text.strip()

    async def create(self, entity_set: str, body: dict[str, Any], guard: SendGuard) -> Entity:
        """POST a record of our company; the record as the server keeps it."""
        request = self._http.build_request("POST", self.collection(entity_set), json=self.own(body))
        response = await self._booked(request, f"POST {entity_set}", guard)
        return _after_booking(response, f"POST {entity_set}")

    async def change(self, address: str, body: dict[str, Any], etag: str, guard: SendGuard) -> None:
        """PATCH the record as it was read: a change in between is refused (412)."""
        request = self._http.build_request("PATCH", address, json=body, headers={"if-match": etag or "*"})
        await self._booked(request, f"PATCH {_short(address)}", guard)

    async def remove(self, address: str, etag: str, guard: SendGuard) -> None:
        request = self._http.build_request("DELETE", address, headers={"if-match": etag or "*"})
        await self._booked(request, f"DELETE {_short(address)}", guard)

    async def act(self, address: str, action: str, guard: SendGuard) -> None:
        """A bound action of one record. Raises EntityNotPublic where the environment has no such action."""
        path, _, query = address.partition("?")
        request = self._http.build_request("POST", f"{path}/{action}?{query}", json={})
        await self._booked(request, f"POST {_short(address)}/{action.rsplit('.', 1)[-1]}", guard)

    async def change_set(self, calls: list[Call], what: str, guard: SendGuard) -> None:
        """Several writes that happen all or none, as one request."""
        headers = {"content-type": CONTENT_TYPE}
        url = f"{self._root}/data/$batch"
        request = self._http.build_request("POST", url, content=batch_body(calls), headers=headers)
        response = await self._booked(request, what, guard)
        try:
            answers = batch_answers(response)
        except UnreadableBatch as error:
            raise ErpInDoubt(f"{what} was answered unreadably: {error}", code="unreadable") from error
        for answer in answers:
            if not answer.is_success:
                raise await self._refused(answer, what, booking=True)

    def own(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"dataAreaId": self.company, **body}

    # --- the wire ----------------------------------------------------------------------------------------------------

    async def _booked(self, request: httpx.Request, what: str, guard: SendGuard | None) -> httpx.Response:
        response = await self._exchange(request, what, booking=True, guard=guard)
        if not response.is_success:
            raise await self._refused(response, what, booking=True)
        return response

    async def _exchange(
        self, request: httpx.Request, what: str, *, booking: bool, guard: SendGuard | None
    ) -> httpx.Response:
        """Token, slot, guard, bytes; a token that died (401, nothing was processed) is renewed once."""
        response = await self._send_once(request, what, booking=booking, guard=guard)
        if response.status_code == 401:
            self._tokens.forget(request.headers.get("authorization", ""))
            response = await self._send_once(request, what, booking=booking, guard=guard)
        return response

    async def _send_once(
        self, request: httpx.Request, what: str, *, booking: bool, guard: SendGuard | None
    ) -> httpx.Response:
        request.headers["authorization"] = await self._authorization()
        await self._budget.take(self._timeout)
        if guard is not None:
            guard()
        try:
            # A limit for the whole exchange: a read timeout alone never ends a dripping answer.
            async with asyncio.timeout(self._timeout + CONNECT_SECONDS):
                response = await self._http.send(request)
        except (httpx.HTTPError, TimeoutError) as error:
            await self._budget.failed()
            failure = connection_failure(error, what, booking=booking)
            log.warning("dynamics_call_failed", call=what, error=failure.type, reason=str(failure))
            raise failure from error
        await self._budget.answered()
        return response

    async def _authorization(self) -> str:
        try:
            return await self._tokens.header()
        except ErpMisconfigured as error:
            raise token_failure(error) from error

    async def _refused(self, response: httpx.Response, what: str, *, booking: bool) -> Exception:
        failure = failure_of(response, what, booking=booking)
        if response.status_code in (429, 503) and isinstance(failure, ErpBusy):
            await self._budget.close_for(failure.retry_after if failure.retry_after is not None else THROTTLE_SECONDS)
        log.info("dynamics_call_refused", call=what, status=response.status_code, error=failure.type, code=failure.code)
        return failure

    def _own_url(self, link: str) -> str:
        """A link of an answer on the address we were given: behind a gateway the product writes its inner host."""
        parts = urlsplit(link)
        if "/data/" not in parts.path:
            raise ErpUnavailable(f"Dynamics answered with a link that leads nowhere: {link[:100]!r}", code="paging")
        return f"{self._root}{parts.path[parts.path.find('/data/') :]}?{parts.query}"


def _readable(shape: Callable[[Any], Shape], payload: Any, what: str) -> Shape:
    try:
        return shape(payload)
    except UnreadableAnswer as error:
        raise ErpUnavailable(f"reading {what}: {error}", code="unreadable") from error


def _after_booking(response: httpx.Response, what: str) -> Entity:
    try:
        return entity_of(parse(response.text))
    except UnreadableAnswer as error:
        raise ErpInDoubt(f"{what} was answered with a success that cannot be read: {error}") from error


def _short(address: str) -> str:
    return address.split("/data/", 1)[-1].partition("?")[0][:120]
