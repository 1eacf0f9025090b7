"""A wire that loses requests or answers of named calls, or ends Tryton around them."""

from __future__ import annotations

import functools
import json
import ssl
from collections.abc import Awaitable, Callable

import httpx


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class FaultyWire(httpx.AsyncBaseTransport):
    """Passes calls on, except where a fault waits for the call's method; each fault strikes once."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport(verify=_tls())
        self._before: dict[str, Callable[[], Awaitable[None]]] = {}
        self._after: dict[str, Callable[[], Awaitable[None]]] = {}
        self._meanwhile: dict[str, Callable[[], Awaitable[None]]] = {}
        self.calls: list[str] = []

    def lose_answer(self, method: str) -> None:
        """Tryton gets the request and answers; nobody hears the answer."""
        self._after[method] = _nothing

    def lose_request(self, method: str) -> None:
        """The request never arrives, and the client does not know that."""
        self._before[method] = _nothing

    def before(self, method: str, strike: Callable[[], Awaitable[None]]) -> None:
        """`strike` happens before the request is sent."""
        self._before[method] = strike

    def after(self, method: str, strike: Callable[[], Awaitable[None]]) -> None:
        """`strike` happens when Tryton has answered; the answer is lost."""
        self._after[method] = strike

    def meanwhile(self, method: str, action: Callable[[], Awaitable[None]]) -> None:
        """`action` happens right before the call reaches Tryton, which then gets it as usual."""
        self._meanwhile[method] = action

    @property
    def struck(self) -> bool:
        """Whether every fault has struck."""
        return not self._before and not self._after and not self._meanwhile

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        method = str(json.loads(await request.aread())["method"])
        self.calls.append(method)
        if (strike := self._before.pop(method, None)) is not None:
            await strike()
            raise httpx.ReadTimeout("the request was lost on its way", request=request)
        if (action := self._meanwhile.pop(method, None)) is not None:
            await action()
        response = await self._inner.handle_async_request(request)
        if (strike := self._after.pop(method, None)) is not None:
            await response.aread()
            await strike()
            raise httpx.ReadTimeout("the answer was lost on its way", request=request)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _nothing() -> None:
    return None
