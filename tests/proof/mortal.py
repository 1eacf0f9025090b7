"""A worker process that dies at a chosen instant: before a request, with its bytes out, with its answer unread, or
before or after a ledger write.

SIGKILL, by the process itself: nothing is cleaned up, nothing is said.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

POINTS: dict[str, float] = {
    "call:before": 1.1,
    "call:sent": 1.1,
    "call:answered": 1.1,
    "claim:after": 1.0,
    "mark_sent:before": 1.0,
    "mark_sent:after": 1.0,
    "mark_accepted:after": 1.0,
    "mark_outcome:before": 2.0,
    "mark_outcome:after": 2.0,
    "mark_not_processed:after": 0.1,
    "note_retry:after": 0.1,
    "open_case:before": 0.03,
    "open_case:after": 0.03,
}
"""Where a worker may die, and how often a posting passes there, about."""
ONLY_DYNAMICS = ("mark_accepted:after",)


@dataclass(frozen=True)
class Death:
    """The `count`-th time that the process passes `point`."""

    point: str
    count: int


def deaths(seed: int, erp: str, many: int, postings: int) -> Iterator[Death]:
    """`many` deaths spread over so many postings, every point in its turn, drawn from the seed."""
    chance = Random(seed)
    points = [p for p in POINTS if erp == "dynamics" or p not in ONLY_DYNAMICS]
    chance.shuffle(points)
    for number in range(many):
        point = points[number % len(points)]
        often = POINTS[point] * postings / many
        yield Death(point, 1 + int(often * chance.uniform(0.4, 1.4)))


class Mortal:
    """Counts how often the chosen point was passed."""

    def __init__(self, death: Death | None) -> None:
        self._death = death
        self._passed = 0

    def at(self, point: str) -> None:
        """Ends the process here if this is the instant."""
        if self._death is None or point != self._death.point:
            return
        self._passed += 1
        if self._passed == self._death.count:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalTransport(httpx.AsyncBaseTransport):
    """The wire, with three instants at which a booking call may find its sender dead."""

    def __init__(self, mortal: Mortal) -> None:
        self._mortal = mortal
        self._wire = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=20, keepalive_expiry=2.0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not is_booking(request):
            return await self._wire.handle_async_request(request)
        self._mortal.at("call:before")

        async def watch(event: str, _told: dict[str, Any]) -> None:
            if event.endswith("send_request_body.complete"):
                self._mortal.at("call:sent")

        request.extensions = {**request.extensions, "trace": watch}
        response = await self._wire.handle_async_request(request)
        self._mortal.at("call:answered")
        return response

    async def aclose(self) -> None:
        await self._wire.aclose()


def is_booking(request: httpx.Request) -> bool:
    """Whether the call may change the ERP's books: not a read, a proposal or a log-on."""
    asks_only = ("Proposal", "/$batch", "/oauth2/")
    return request.method != "GET" and not any(part in request.url.path for part in asks_only)


class MortalLedger:
    """The ledger, whose writes the process may not survive."""

    def __init__(self, ledger: Any, mortal: Mortal) -> None:
        self._ledger = ledger
        self._mortal = mortal

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._ledger, name)
        if not {f"{name}:before", f"{name}:after"} & set(POINTS):
            return found
        return self._watched(name, found)

    def _watched(self, name: str, write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def watched(*given: Any, **named: Any) -> Any:
            self._mortal.at(f"{name}:before")
            answer = await write(*given, **named)
            self._mortal.at(f"{name}:after")
            return answer

        return watched
