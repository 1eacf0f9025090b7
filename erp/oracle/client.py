"""Calls to Oracle's ADF REST: log-on, framework version, media types, paging, ETags, the call budget, error classes.

Not for business shapes. Reads raise ErpUnavailable where a booking raises ErpInDoubt.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import structlog

from erp.budget import shared_budget
from erp.oauth import ClientCredentials
from erp.oracle.failures import OracleStale, connection_failure, failure_of
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import Row, UnreadableAnswer, is_true, query_text, rows_of, self_link
from erp.port import CallBudget, SendGuard
from erp.tls import tls_context
from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpUnavailable

log = structlog.get_logger(__name__)

Value = TypeVar("Value")

ROOT = "/fscmRestApi/resources/11.13.18.05"
FRAMEWORK_VERSION = "4"
ITEM = "application/vnd.oracle.adf.resourceitem+json"
COLLECTION = "application/vnd.oracle.adf.resourcecollection+json"
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 2.0
"""Idle connections are dropped early: a booking on one that the server just closed would be in doubt for nothing."""
THROTTLE_SECONDS = 1.0
PAGE = 500
MOST_PAGES = 1000


@dataclass(frozen=True)
class Item:
    """One row with the ETag that a change of it must name, and its address below the root."""

    row: Row
    etag: str
    path: str


class OracleClient:
    """One authenticated connection pool to one Oracle environment."""

    def __init__(
        self,
        settings: OracleSettings,
        user: str,
        secret: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        budget: CallBudget | None = None,
    ) -> None:
        self._root = _root(settings.url)
        self._timeout = settings.timeout_seconds
        self._budget = budget or shared_budget(self._root, settings.calls_per_second)
        is_oauth = settings.auth == "oauth"
        self._http = httpx.AsyncClient(
            auth=None if is_oauth else httpx.BasicAuth(user, secret),
            headers={"REST-Framework-Version": FRAMEWORK_VERSION, "accept-language": settings.language.lower()},
            timeout=httpx.Timeout(self._timeout, connect=min(CONNECT_SECONDS, self._timeout)),
            limits=httpx.Limits(max_connections=10, keepalive_expiry=IDLE_SECONDS),
            verify=tls_context(settings.ca_file),
            follow_redirects=False,
            trust_env=urlsplit(self._root).hostname not in ("localhost", "127.0.0.1", "::1"),
            transport=transport,
        )
        token_url = settings.token_url or _origin(self._root) + "/oauth2/v1/token"
        self._tokens = ClientCredentials(self._http, token_url, user, secret, settings.scope) if is_oauth else None

    async def aclose(self) -> None:
        await self._http.aclose()

    # --- reading -----------------------------------------------------------------------------------------------------

    async def item(self, path: str, options: dict[str, str] | None = None) -> Item:
        """One row. Raises OracleNotFound where Oracle does not have it."""
        response, payload = await self._get(path, options or {}, ITEM)
        if not isinstance(payload, dict):
            raise ErpUnavailable(f"reading {path}: the answer holds no row", code="unreadable")
        return Item(payload, response.headers.get("etag", ""), path)

    async def items(self, path: str, options: dict[str, str] | None = None) -> list[Row]:
        """All rows of a collection, page by page as the server cuts them (`hasMore`)."""
        rows: list[Row] = []
        for _ in range(MOST_PAGES):
            page_options = {**(options or {}), "limit": str(PAGE), "offset": str(len(rows))}
            _, payload = await self._get(path, page_options, COLLECTION)
            page = payload.get("items") if isinstance(payload, dict) else None
            if not isinstance(page, list):
                raise ErpUnavailable(f"reading {path}: the answer holds no items", code="unreadable")
            rows += [row for row in page if isinstance(row, dict)]
            if not is_true(payload.get("hasMore")):
                return rows
            if not page:
                break
        raise ErpUnavailable(f"reading {path}: Oracle's pages never end", code="paging")

    async def first(self, path: str, options: dict[str, str]) -> Row | None:
        """The first row of a collection, or None."""
        _, payload = await self._get(path, {**options, "limit": "1"}, COLLECTION)
        page = rows_of(payload.get("items")) if isinstance(payload, dict) else None
        if page is None:
            raise ErpUnavailable(f"reading {path}: the answer holds no items", code="unreadable")
        return page[0] if page else None

    async def children(self, path: str, row: Row, name: str) -> list[Row]:
        """The rows of a child, whether all came with the row, some or none."""
        rows = rows_of(row.get(name))
        return rows if rows is not None else await self.items(f"{path}/child/{name}", {"onlyData": "true"})

    async def item_of(self, row: Row) -> Item:
        """A row of a collection again, by the link that came with it, with its ETag."""
        try:
            return await self.item(self.path_of(row))
        except UnreadableAnswer as error:
            raise ErpUnavailable(str(error), code="unreadable") from error

    def path_of(self, row: Row) -> str:
        """The row's address below the root. Oracle may write an inner host; ours is kept."""
        path = urlsplit(self_link(row)).path
        marker = "/fscmRestApi/resources/"
        if marker not in path:
            raise UnreadableAnswer(f"a link leads nowhere: {path[:100]!r}")
        return path.partition(marker)[2].partition("/")[2]

    async def _get(self, path: str, options: dict[str, str], media: str) -> tuple[httpx.Response, Any]:
        what = f"GET {path}"
        headers = {"accept": f"{media}, application/json"}
        response = await self._answered("GET", self._url(path, options), headers, None, what, None)
        return response, _json_of(response, what, booking=False)

    # --- writing -----------------------------------------------------------------------------------------------------

    async def create(self, path: str, body: Row, guard: SendGuard, *, upsert: bool = False) -> Row:
        """POST one row that books. `upsert` only where Oracle documents it for the resource."""
        headers = {"content-type": ITEM, "accept": f"{ITEM}, application/json"}
        if upsert:
            headers["Upsert-Mode"] = "true"
        return await self._write("POST", path, body, headers, guard)

    async def ask(self, path: str, body: Row) -> Row:
        """POST a question that books nothing."""
        headers = {"content-type": ITEM, "accept": f"{ITEM}, application/json"}
        return await self._write("POST", path, body, headers, None)

    async def change(self, item: Item, body: Row, guard: SendGuard) -> Row:
        """PATCH a row as it was read. Raises OracleStale where somebody changed it since."""
        headers = {"content-type": ITEM, "accept": f"{ITEM}, application/json"}
        if item.etag:
            headers["if-match"] = item.etag
        return await self._write("PATCH", item.path, body, headers, guard)

    async def remove(self, item: Item, guard: SendGuard) -> None:
        """DELETE a row as it was read."""
        headers = {"if-match": item.etag} if item.etag else {}
        await self._answered("DELETE", self._url(item.path, {}), headers, None, f"DELETE {item.path}", guard)

    async def _write(self, method: str, path: str, body: Row, headers: dict[str, str], guard: SendGuard | None) -> Row:
        what = f"{method} {path}"
        content = json.dumps(body).encode()
        response = await self._answered(method, self._url(path, {}), headers, content, what, guard)
        payload = _json_of(response, what, booking=guard is not None)
        if isinstance(payload, dict):
            return payload
        told = f"{what}: HTTP {response.status_code} with a body that is no object"
        raise _unreadable(told, booking=guard is not None)

    # --- the wire ----------------------------------------------------------------------------------------------------

    async def _answered(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | None,
        what: str,
        guard: SendGuard | None,
    ) -> httpx.Response:
        """A successful answer. An expired token is renewed once: a 401 was certainly not processed."""
        response = await self._send(method, url, headers, content, what, guard)
        if response.status_code == 401 and self._tokens is not None:
            self._tokens.forget(response.request.headers.get("authorization", ""))
            response = await self._send(method, url, headers, content, what, guard)
        if not response.is_success:
            raise await self._refused(response, what, booking=guard is not None)
        return response

    async def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | None,
        what: str,
        guard: SendGuard | None,
    ) -> httpx.Response:
        """The guard runs right before the bytes leave, when token, slot in the budget and request are at hand."""
        if self._tokens is not None:
            headers = {**headers, "authorization": await self._tokens.header()}
        await self._budget.take(self._timeout)
        request = self._http.build_request(method, url, headers=headers, content=content)
        if guard is not None:
            guard()
        return await self._transmit(request, what, booking=guard is not None)

    async def _transmit(self, request: httpx.Request, what: str, *, booking: bool) -> httpx.Response:
        """Send, within a limit for the whole exchange (a read timeout alone never ends a dripping answer)."""
        try:
            async with asyncio.timeout(self._timeout + CONNECT_SECONDS):
                response = await self._http.send(request)
        except (httpx.HTTPError, TimeoutError) as error:
            await self._budget.failed()
            failure = connection_failure(error, what, booking=booking)
            log.warning("oracle_call_failed", call=what, error=failure.type, reason=str(failure))
            raise failure from error
        await self._budget.answered()
        return response

    async def _refused(self, response: httpx.Response, what: str, *, booking: bool) -> ErpError:
        failure = failure_of(response, what, booking=booking)
        if response.status_code == 429 and isinstance(failure, ErpBusy):
            await self._budget.close_for(failure.retry_after if failure.retry_after is not None else THROTTLE_SECONDS)
        if not isinstance(failure, OracleStale):
            log.info("oracle_call_refused", call=what, status=response.status_code, error=failure.type)
        return failure

    def _url(self, path: str, options: dict[str, str]) -> str:
        query = query_text(options)
        return f"{self._root}/{quote(path, safe='/')}" + (f"?{query}" if query else "")


def _root(url: str) -> str:
    address = url.rstrip("/")
    return address if "/fscmRestApi/" in address else f"{address}{ROOT}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _json_of(response: httpx.Response, what: str, *, booking: bool) -> Any:
    """The body; numbers with a point stay exact, ids stay whole."""
    if response.status_code == 204 or not response.content:
        return {}
    try:
        return response.json(parse_float=Decimal)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        told = f"{what}: HTTP {response.status_code} with a body that is no JSON"
        raise _unreadable(told, booking=booking) from error


def _unreadable(told: str, *, booking: bool) -> ErpError:
    if booking:
        return ErpInDoubt(f"{told}; nobody knows whether it was booked", code="unreadable")
    return ErpUnavailable(told, code="unreadable")
