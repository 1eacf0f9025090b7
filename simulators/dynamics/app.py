"""The simulated D365 as an HTTP server: ASGI application, start and stop.

`serve` is what the command line and `python -m simulators.dynamics` run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.common.calls import count_calls
from simulators.common.server import Dropped, serve_application
from simulators.dynamics import metadata
from simulators.dynamics.auth import Answer
from simulators.dynamics.books import Books
from simulators.dynamics.control import Control
from simulators.dynamics.odata import ROOT
from simulators.dynamics.system import DynamicsSystem

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "MERGE"]


def application(system: DynamicsSystem) -> Starlette:
    async def token(request: Request) -> Response:
        return _response(await system.token(request, request.path_params["tenant"]))

    async def odata(request: Request) -> Response:
        return _response(await system.odata(request))

    async def service(request: Request) -> Response:
        return _response(await system.service(request))

    async def catalogue(request: Request) -> Response:
        refused = system.identity.refuse(request.headers)
        return _response(refused) if refused else JSONResponse(metadata.catalogue())

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    routes = [
        *Control(system).routes(),
        Route("/healthz", health, methods=["GET"]),
        Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
        Route("/Metadata/DataEntities", catalogue, methods=["GET"]),
        Route("/api/services/{rest:path}", service, methods=_METHODS),
        Route(ROOT, odata, methods=_METHODS),
        Route(ROOT + "/{rest:path}", odata, methods=_METHODS),
    ]
    return count_calls(Starlette(routes=routes))


def _response(answer: Answer | None) -> Response:
    if answer is None:
        return Dropped()
    headers = dict(answer.headers)
    if isinstance(answer.body, dict):
        response: Response = JSONResponse(answer.body, answer.status)
    else:
        response = Response(answer.body or "", answer.status)
    for name, value in headers.items():
        response.headers[name] = value
    return response


async def serve(
    port: int,
    db: Path,
    host: str = "127.0.0.1",
    *,
    client_id: str = "11111111-2222-3333-4444-555555555555",
    client_secret: str = "secret-from-env",
    tenant: str = "contoso.onmicrosoft.com",
    on_ready: Callable[[dict[str, Any]], None],
) -> None:
    """Serves until cancelled or, where nobody else handles it, until SIGTERM. Port 0 picks a free one."""
    books = Books(db)
    system = DynamicsSystem(books, client_id, client_secret, tenant)
    system.start()
    try:
        ready = {"client_id": client_id, "tenant": tenant}
        await serve_application(application(system), port, host, ready=ready, on_ready=on_ready, on_stop=system.stop)
    finally:
        await system.stop()
        books.close()
