"""The simulated SAP as an HTTP server: ASGI application, start and stop.

`serve` is what the command line and `python -m simulators.sap` run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulators.common.calls import count_calls
from simulators.common.server import Dropped, serve_application
from simulators.sap.books import Books
from simulators.sap.control import Control
from simulators.sap.odata import ROOT, ROOT4, Answer
from simulators.sap.system import SapSystem

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "MERGE"]


def application(system: SapSystem) -> Starlette:
    async def odata(request: Request) -> Response:
        answer = await system.answer(request)
        return Dropped() if answer is None else _response(answer)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    routes = [
        *Control(system).routes(),
        Route("/healthz", health, methods=["GET"]),
        Route(ROOT + "/{rest:path}", odata, methods=_METHODS),
        Route(ROOT4 + "/{rest:path}", odata, methods=_METHODS),
    ]
    return count_calls(Starlette(routes=routes))


def _response(answer: Answer) -> Response:
    headers = {"dataserviceversion": "2.0", **answer.headers}
    cookies = headers.pop("set-cookie", "")
    if "odata-version" in headers:
        del headers["dataserviceversion"]
    if answer.body is None:
        response: Response = Response(status_code=answer.status)
    elif isinstance(answer.body, dict):
        response = JSONResponse(answer.body, answer.status)
    else:
        response = PlainTextResponse(answer.body, answer.status)
    for name, value in headers.items():
        response.headers[name] = value
    for cookie in filter(None, cookies.split("\n")):
        response.headers.append("set-cookie", cookie)
    return response


async def serve(
    port: int,
    db: Path,
    host: str = "127.0.0.1",
    *,
    user: str = "PLANTWRIGHT",
    password: str = "secret-from-env",
    on_ready: Callable[[dict[str, Any]], None],
) -> None:
    """Serves until cancelled or, where nobody else handles it, until SIGTERM. Port 0 picks a free one."""
    books = Books(db)
    system = SapSystem(books, user, password)
    try:
        await serve_application(
            application(system), port, host, ready={"user": user}, on_ready=on_ready, on_stop=system.stop
        )
    finally:
        books.close()
