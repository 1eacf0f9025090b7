"""The simulated Oracle as an HTTP server: ASGI application, start and stop.

`serve` is what the command line and `python -m simulators.oracle` run.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulators.common.calls import count_calls
from simulators.common.server import Dropped, serve_application
from simulators.oracle.access import Access
from simulators.oracle.books import Books
from simulators.oracle.control import Control
from simulators.oracle.framework import EVENTS, LATEST, ROOT, TOKEN, Answer
from simulators.oracle.system import OracleSystem

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def application(system: OracleSystem) -> Starlette:
    async def rest(request: Request) -> Response:
        answer = await system.answer(request)
        return Dropped() if answer is None else _response(answer)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    addresses = (ROOT, ROOT + "/{rest:path}", LATEST, LATEST + "/{rest:path}", EVENTS, TOKEN)
    routes = [
        *Control(system).routes(),
        Route("/healthz", health, methods=["GET"]),
        *(Route(address, rest, methods=_METHODS) for address in addresses),
    ]
    return count_calls(Starlette(routes=routes))


def _response(answer: Answer) -> Response:
    if isinstance(answer.body, dict):
        # A line is echoed as it came, with its decimals exact.
        content = json.dumps(answer.body, default=float, ensure_ascii=False)
        return Response(content, answer.status, answer.headers, media_type=answer.media)
    if answer.status == 204:
        return Response(status_code=204, headers=answer.headers)
    return PlainTextResponse(answer.body or "", answer.status, answer.headers)


async def serve(
    port: int,
    db: Path,
    host: str = "127.0.0.1",
    *,
    user: str = "PLANTWRIGHT",
    password: str = "secret-from-env",
    client_id: str = "plantwright-client",
    client_secret: str = "secret-from-env",
    on_ready: Callable[[dict[str, Any]], None],
) -> None:
    """Serves until cancelled or, where nobody else handles it, until SIGTERM. Port 0 picks a free one."""
    books = Books(db)
    system = OracleSystem(books, Access(user, password, client_id, client_secret))
    ready = {"user": user, "client_id": client_id}
    try:
        await serve_application(application(system), port, host, ready=ready, on_ready=on_ready, on_stop=system.stop)
    finally:
        books.close()
