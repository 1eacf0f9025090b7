"""The endpoint that an ERP sends its events to (Dynamics 365 business events over HTTPS), off unless it is served.

`POST /erp-events/{plant}` answers 2xx only after the event is stored; the sender repeats everything else. Not for
decisions: what an event means is the adapter's work (erp.dynamics). A plant that takes no inbound calls leaves it off.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import re
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
import uvicorn
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from erp.port import ErpEvent
from ledger.erp_events import ErpEventBooks, StoredEvent
from signals.base import UtcTime

log = structlog.get_logger(__name__)

SECRET_HEADER = "x-plantwright-secret"
LARGEST_BODY = 256 * 1024
"""Bytes. A message of the MES integration is a few kilobytes; its content comes back whole."""
LONGEST_NAME = 80
_JSON_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{1,4})?\)/")


class PlantEvents:
    """`erp.port.ErpEvents` of one plant."""

    def __init__(self, books: ErpEventBooks, plant: str) -> None:
        self._books = books
        self._plant = plant

    async def events_of(self, order: str, kind: str, since: UtcTime | None = None) -> Sequence[ErpEvent]:
        """Oldest first; an empty order or kind means any."""
        found = await self._books.events_of(self._plant, order, kind, since)
        return [ErpEvent(event_id=e.event_id, kind=e.kind, order=e.order, at=e.at, body=e.body) for e in found]


class Unusable(Exception):
    """A body that is no event; its text says what is wrong."""


def read_event(body: bytes, now: datetime) -> StoredEvent:
    """The event in a request's body. Raises Unusable."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unusable("the body is no JSON") from error
    if not isinstance(event, dict):
        raise Unusable("the body is no JSON object")
    try:
        return StoredEvent(
            event_id=_text(event, "EventId"),
            kind=_text(event, "BusinessEventId"),
            order=_order_of(event),
            at=_time_of(event) or now,
            body=body.decode(),
        )
    except (ValidationError, UnicodeDecodeError) as error:
        raise Unusable(f"EventId must be a text of 1 to {LONGEST_NAME} characters") from error


def _text(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    if not _is_name(value):
        raise Unusable(f"{name} is no text of 1 to {LONGEST_NAME} characters; the endpoint takes business events")
    return str(value)


def _is_name(value: object) -> bool:
    """Whether every database can keep and compare it: NUL and lone surrogates end in none."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _order_of(event: dict[str, Any]) -> str:
    """The production order an event is about: named by itself, or by the message content that it carries."""
    for told in (event, _content_of(event)):
        order = told.get("ProductionOrderNumber")
        if _is_name(order):
            return str(order)
    return ""


def _content_of(event: dict[str, Any]) -> dict[str, Any]:
    try:
        content = json.loads(event.get("MessageContent") or "{}")
    except (TypeError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _time_of(event: dict[str, Any]) -> datetime | None:
    written = str(event.get("EventTimeIso8601") or "")
    with contextlib.suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(written)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    found = _JSON_DATE.fullmatch(str(event.get("EventTime") or ""))
    if found is None:
        return None
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(int(found[1]) / 1000, UTC)
    return None


def events_application(
    books: ErpEventBooks,
    plants: Collection[str],
    secret: str,
    *,
    header: str = SECRET_HEADER,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Starlette:
    """The application. Raises ValueError for an empty secret: an open endpoint would let anybody settle postings."""
    if not secret:
        raise ValueError("the event endpoint needs a shared secret")
    expected = secret.encode()

    async def receive(request: Request) -> JSONResponse:
        given = request.headers.get(header, "").encode()
        if not hmac.compare_digest(given, expected):
            return _no(401, f"the header {header} does not hold the shared secret")
        plant = request.path_params["plant"]
        if plant not in plants:
            return _no(404, f"no plant {plant!r} is served here")
        body = await _body_of(request)
        if body is None:
            return _no(413, f"an event has at most {LARGEST_BODY} bytes")
        try:
            event = read_event(body, now())
        except Unusable as error:
            log.warning("erp_event_refused", plant=plant, reason=str(error))
            return _no(400, str(error))
        try:
            is_new = await books.record_event(plant, event)
        except (SQLAlchemyError, OSError) as error:
            log.warning("erp_event_not_stored", plant=plant, event_id=event.event_id, error=str(error))
            return _no(503, "the event could not be stored; send it again")
        log.info("erp_event", plant=plant, event_id=event.event_id, kind=event.kind, order=event.order, new=is_new)
        return JSONResponse({"stored": True, "new": is_new})

    return Starlette(routes=[Route("/erp-events/{plant}", receive, methods=["POST"])])


async def _body_of(request: Request) -> bytes | None:
    """The body, None where it is too large: read no further than the limit."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > LARGEST_BODY:
        return None
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            return None
    return body


def _no(status: int, why: str) -> JSONResponse:
    return JSONResponse({"stored": False, "error": why}, status_code=status)


async def serve_events(
    books: ErpEventBooks,
    plants: Collection[str],
    secret: str,
    port: int,
    *,
    host: str = "127.0.0.1",
    header: str = SECRET_HEADER,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until cancelled; `on_ready` gets the URL (port 0 picks a free port). TLS ends at the plant's own proxy.

    Raises OSError when the port is taken, ValueError for an empty secret.
    """
    application = events_application(books, plants, secret, header=header)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/erp-events"
        config = uvicorn.Config(
            application, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5
        )
        server = _GuestServer(config, lambda: on_ready(url) if on_ready is not None else None)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving


class _GuestServer(uvicorn.Server):
    """Leaves signals to the process it is a guest of, and says when it listens."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()
