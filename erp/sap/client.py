"""Calls to SAP Gateway: CSRF token with its cookies, paging, ETags, `$batch`, repeatable requests, error classes.

Not for business shapes. Reads raise ErpUnavailable where a booking raises ErpInDoubt.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import httpx
import structlog

from erp.port import CallBudget, SendGuard
from erp.sap import batch, odata4
from erp.sap.failures import message_failure, needs_new_token
from erp.sap.logon import Logon
from erp.sap.odata import Entity, UnreadableAnswer, entities_of, entity_of, next_link, path_text, query_text
from erp.sap.settings import SapSettings
from erp.sap.wire import Question, Wire, short
from signals.errors import ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable
from signals.transactions import PostingIntent

log = structlog.get_logger(__name__)

Shape = TypeVar("Shape")
Read = tuple[str, dict[str, str]]
"""Path and query options."""

MOST_PAGES = 1000
REPEATED = "accepted"


@dataclass(frozen=True)
class SapAnswer:
    """A successful answer: its JSON (None where there is none) and the warnings of `sap-message`."""

    payload: Any
    warnings: tuple[str, ...] = ()


class SapClient:
    """One connection to one SAP system; services are named as SAP does, V4 ones by their path."""

    def __init__(
        self,
        settings: SapSettings,
        logon: Logon,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        budget: CallBudget | None = None,
    ) -> None:
        self._wire = Wire(settings, logon, transport=transport, budget=budget)
        self._repeatable = settings.sap.repeatability
        self._tokens: dict[str, str] = {}
        self._without_batch: set[str] = set()

    async def aclose(self) -> None:
        await self._wire.aclose()

    # --- reading -----------------------------------------------------------------------------------------------------

    async def read_entity(self, service: str, path: str, options: dict[str, str] | None = None) -> Entity:
        """One entity; `odata4.etag_of` tells its ETag. Raises SapNotFound where SAP does not have it."""
        url = self._wire.url(service, path, options or {})
        return _readable(_shapes(service)[0], await self._get(service, url), path)

    async def read_entities(self, service: str, path: str, options: dict[str, str] | None = None) -> list[Entity]:
        """All entities of a collection, page by page as the server cuts them."""
        return await self._follow(service, path, self._wire.url(service, path, options or {}))

    async def first(self, service: str, path: str, options: dict[str, str]) -> list[Entity]:
        """At most one entity of a collection."""
        url = self._wire.url(service, path, options | {"$top": "1"})
        return _readable(_shapes(service)[1], await self._get(service, url), path)

    async def read_many(self, service: str, reads: Sequence[Read]) -> list[list[Entity]]:
        """Several reads of a V2 service in one call; one by one where this system has no `$batch`."""
        if len(reads) < 2 or service in self._without_batch:
            return [await self._rows(service, path, options) for path, options in reads]
        addresses = [_address(path, options) for path, options in reads]
        try:
            response = await self._send(
                service,
                "POST",
                "$batch",
                {},
                headers={"content-type": batch.CONTENT_TYPE},
                raw=batch.batch_of(addresses),
            )
            answers = batch.answers_of(response, len(reads))
        except (ErpRejected, ErpMisconfigured, UnreadableAnswer) as error:
            self._without_batch.add(service)
            log.info("sap_without_batch", service=service, reason=str(error))
            return await self.read_many(service, reads)
        found: list[list[Entity]] = []
        for (path, _), answer in zip(reads, answers, strict=True):
            if not answer.is_success:
                raise await self._wire.refused(answer, f"GET {path}", booking=False)
            found.append(await self._pages(service, path, _json_of(answer, path, booking=False)))
        return found

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
        return rows + (await self._follow(service, navigation, self._wire.own_url(link, service)) if link else [])

    async def reachable(self, service: str) -> None:
        """Read the service's own document. Raises what keeps it from being used."""
        await self._get(service, self._wire.url(service, "", {}))

    async def _rows(self, service: str, path: str, options: dict[str, str]) -> list[Entity]:
        return await self._pages(service, path, await self._get(service, self._wire.url(service, path, options)))

    async def _pages(self, service: str, path: str, payload: Any) -> list[Entity]:
        """An entity as one row, a collection as all of its rows."""
        try:
            rows = entities_of(payload)
        except UnreadableAnswer:
            return [_readable(entity_of, payload, path)]
        link = next_link(payload)
        return rows + (await self._follow(service, path, self._wire.own_url(link, service)) if link else [])

    async def _follow(self, service: str, what: str, url: str) -> list[Entity]:
        rows: list[Entity] = []
        seen: set[str] = set()
        _, collection, following = _shapes(service)
        while url and url not in seen and len(seen) < MOST_PAGES:
            seen.add(url)
            payload = await self._get(service, url)
            rows += _readable(collection, payload, what)
            link = _readable(following, payload, what)
            url = self._wire.own_url(link, service) if link else ""
        if url:
            raise ErpUnavailable(f"reading {what}: SAP's pages lead round in a circle", code="paging")
        return rows

    async def _get(self, service: str, url: str) -> Any:
        headers = {} if service in self._tokens else {"x-csrf-token": "Fetch"}
        what = f"GET {short(url)}"
        response = await self._wire.exchange(Question("GET", url, what, headers))
        self._remember_token(service, response)
        if not response.is_success:
            raise await self._refused(response, what, booking=False)
        return _json_of(response, what, booking=False)

    # --- writing -----------------------------------------------------------------------------------------------------

    async def call(
        self,
        service: str,
        path: str,
        options: dict[str, str] | None = None,
        *,
        method: str = "POST",
        body: dict[str, Any] | None = None,
        guard: SendGuard | None = None,
        intent: PostingIntent | None = None,
        etag: str = "",
    ) -> SapAnswer:
        """Book (with a guard), or ask what SAP wants to be asked by POST (a proposal; without one).

        The guard runs right before the bytes leave, when token, slot in the call budget and request are at hand.
        A refusal inside HTTP 200 (a FunctionMessage of type E) is raised as what it is.
        """
        booking = guard is not None
        what = f"{method} {path}"
        headers = {"if-match": etag} if etag else {}
        if booking and intent is not None and self._repeatable:
            headers |= repeatable(intent.key, intent)
        response = await self._send(service, method, path, options or {}, headers=headers, body=body, guard=guard)
        answer = _json_of(response, what, booking=booking) if response.content.strip() else None
        for message in _function_messages(answer):
            failure = message_failure(message, what)
            if failure is not None:
                raise failure
        if response.headers.get("repeatabilityresult", "").lower() == "rejected":
            raise ErpInDoubt(f"{what}: SAP rejected the repeated request id", code="repeatability_rejected")
        return SapAnswer(answer, _warnings_of(response, answer))

    async def _send(
        self,
        service: str,
        method: str,
        path: str,
        options: dict[str, str],
        *,
        headers: dict[str, str],
        body: dict[str, Any] | None = None,
        raw: bytes | None = None,
        guard: SendGuard | None = None,
    ) -> httpx.Response:
        response = await self._send_once(service, method, path, options, headers, body, raw, guard)
        if needs_new_token(response):
            self._tokens.pop(service, None)
            response = await self._send_once(service, method, path, options, headers, body, raw, guard)
        if not response.is_success:
            raise await self._refused(response, f"{method} {path}", booking=guard is not None)
        return response

    async def _send_once(
        self,
        service: str,
        method: str,
        path: str,
        options: dict[str, str],
        headers: dict[str, str],
        body: dict[str, Any] | None,
        raw: bytes | None,
        guard: SendGuard | None,
    ) -> httpx.Response:
        headers = headers | {"x-csrf-token": await self._token(service)}
        url = self._wire.url(service, path, options)
        return await self._wire.exchange(Question(method, url, f"{method} {path}", headers, body, raw, guard))

    async def _token(self, service: str) -> str:
        if service not in self._tokens:
            what = f"CSRF token of {service}"
            question = Question("GET", self._wire.url(service, "", {}), what, {"x-csrf-token": "Fetch"})
            response = await self._wire.exchange(question)
            self._remember_token(service, response)
            if not response.is_success:
                raise await self._refused(response, what, booking=False)
        if service not in self._tokens:
            raise ErpMisconfigured(
                f"{service} gave no CSRF token; check that the url reaches SAP Gateway itself", code="csrf"
            )
        return self._tokens[service]

    def _remember_token(self, service: str, response: httpx.Response) -> None:
        token = response.headers.get("x-csrf-token", "")
        if response.is_success and token and token.lower() not in ("required", "fetch"):
            self._tokens[service] = token

    async def _refused(self, response: httpx.Response, what: str, *, booking: bool) -> Exception:
        if response.status_code == 401:
            self._tokens.clear()
        return await self._wire.refused(response, what, booking=booking)


def repeatable(key: UUID, intent: PostingIntent) -> dict[str, str]:
    """Headers of an idempotent service: the same for every attempt, because they come from the intent alone.

    The time of creation is the posting date with a time of day taken from the key: no clock takes part.
    """
    second = key.int % 86400
    hour, minute = divmod(second // 60, 60)
    created = f"{intent.transaction.posting_date.isoformat()}T{hour:02d}:{minute:02d}:{second % 60:02d}Z"
    return {"RequestID": key.hex.upper(), "RepeatabilityCreation": created}


def _shapes(
    service: str,
) -> tuple[Callable[[object], Entity], Callable[[object], list[Entity]], Callable[[object], str]]:
    """How entity, collection and next link stand in the answers of this service."""
    if odata4.is_v4(service):
        return odata4.entity_of, odata4.entities_of, odata4.next_link
    return entity_of, entities_of, next_link


def _address(path: str, options: dict[str, str]) -> str:
    query = query_text(options)
    return path_text(path) + (f"?{query}" if query else "")


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


def _function_messages(payload: Any) -> list[Entity]:
    """FunctionMessages in an answer: as `d` itself or below the function's name."""
    body = payload.get("d") if isinstance(payload, dict) else None
    if not isinstance(body, dict):
        return []
    return [part for part in (body, *body.values()) if isinstance(part, dict) and part.get("SystemMessageType")]


def _warnings_of(response: httpx.Response, payload: Any) -> tuple[str, ...]:
    """What `sap-message` (V2) or `SAP__Messages` (V4) says beside a success."""
    written = response.headers.get("sap-message", "")
    try:
        message = json.loads(written) if written else None
    except json.JSONDecodeError:
        return (written,)
    rows: list[Any] = [message, *(message.get("details") or [])] if isinstance(message, dict) else []
    if isinstance(payload, dict) and isinstance(payload.get("SAP__Messages"), list):
        rows += payload["SAP__Messages"]
    return tuple(f"{row.get('code', '')}: {row.get('message', '')}" for row in rows if isinstance(row, dict))
