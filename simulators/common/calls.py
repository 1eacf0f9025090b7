"""Counts the calls a simulated ERP receives per second, so that a load test judges call rates by the ERP's own count.

`count_calls(Starlette(routes=…))` is all a simulator adds. `GET /_control/calls` answers `[[unix second, count], …]`,
oldest first, seconds without a call left out; DELETE forgets them. Control side and `/healthz` are not counted; a call
that a fault refuses or drops is, because it came.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

_ADDRESS = "/_control/calls"
_UNCOUNTED = ("/_control/", "/healthz")
_KEPT_SECONDS = 86_400


class Calls:
    """Kept in memory for the last `_KEPT_SECONDS` seconds that saw a call."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._seconds: OrderedDict[int, int] = OrderedDict()

    def count(self) -> None:
        second = int(self._clock())
        self._seconds[second] = self._seconds.get(second, 0) + 1
        if len(self._seconds) > _KEPT_SECONDS:
            self._seconds.popitem(last=False)

    def shown(self) -> list[list[int]]:
        return [[second, count] for second, count in sorted(self._seconds.items())]

    def clear(self) -> None:
        self._seconds.clear()

    def route(self) -> Route:
        async def calls(request: Request) -> Response:
            if request.method == "DELETE":
                self.clear()
            return JSONResponse(self.shown())

        return Route(_ADDRESS, calls, methods=["GET", "DELETE"])


class _Counting:
    """Middleware: counts a call when it arrives, whatever becomes of it."""

    def __init__(self, app: ASGIApp, calls: Calls) -> None:
        self._app = app
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(_UNCOUNTED):
            self._calls.count()
        await self._app(scope, receive, send)


def count_calls(application: Starlette) -> Starlette:
    """The same application, counting its calls and showing them at `/_control/calls`."""
    calls = Calls()
    application.router.routes.insert(0, calls.route())
    application.add_middleware(_Counting, calls=calls)
    return application
