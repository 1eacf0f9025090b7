"""The simulated SAP as an HTTP server: ASGI application, connection handling, start and stop.

`serve` is what the command line and `python -m simulators.sap` run.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from simulators.sap.books import Books
from simulators.sap.control import Control
from simulators.sap.odata import ROOT, Answer
from simulators.sap.system import SapSystem

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "MERGE"]
_CONNECTION = "simulators.sap.connection"


class _Dropped(Response):
    """Closes the connection without an answer, as a network that has gone away does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["extensions"][_CONNECTION]
        transport.abort()
        # The server learns of the abort in the loop's next round; before that it would try to answer 500.
        while (await receive())["type"] != "http.disconnect":
            pass


class _DroppableProtocol(H11Protocol):
    """Hands the connection's transport to the application, so that `down` can drop it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _with_transport(self.app, transport)


def _with_transport(app: Any, transport: asyncio.Transport) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[_CONNECTION] = transport
        await app(scope, receive, send)

    return wrapped


def application(system: SapSystem) -> Starlette:
    async def odata(request: Request) -> Response:
        answer = await system.answer(request)
        return _Dropped() if answer is None else _response(answer)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    routes = [
        *Control(system).routes(),
        Route("/healthz", health, methods=["GET"]),
        Route(ROOT + "/{rest:path}", odata, methods=_METHODS),
    ]
    return Starlette(routes=routes)


def _response(answer: Answer) -> Response:
    headers = {"dataserviceversion": "2.0", **answer.headers}
    cookies = headers.pop("set-cookie", "")
    if isinstance(answer.body, dict):
        response: Response = JSONResponse(answer.body, answer.status)
    else:
        response = PlainTextResponse(answer.body or "", answer.status)
    for name, value in headers.items():
        response.headers[name] = value
    for cookie in filter(None, cookies.split("\n")):
        response.headers.append("set-cookie", cookie)
    return response


class _Server(uvicorn.Server):
    """Says when it serves, and leaves signals to `serve`."""

    on_started: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
    listener = _listen(host, port)
    try:
        books = Books(db)
    except BaseException:
        listener.close()
        raise
    try:
        await _serve(books, listener, user, password, on_ready)
    finally:
        listener.close()
        books.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol left at 0 asyncio does not set TCP_NODELAY, and every answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


async def _serve(
    books: Books, listener: socket.socket, user: str, password: str, on_ready: Callable[[dict[str, Any]], None]
) -> None:
    system = SapSystem(books, user, password)
    config = uvicorn.Config(
        application(system),
        http=_DroppableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    address = listener.getsockname()
    name = f"[{address[0]}]" if ":" in address[0] else address[0]
    url = f"http://{name}:{address[1]}"
    server.on_started = lambda: on_ready({"url": url, "host": address[0], "port": address[1], "user": user})
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        with _terminating(server):
            await asyncio.shield(running)
    finally:
        server.should_exit = True
        await system.stop()
        await asyncio.gather(running, return_exceptions=True)


@contextlib.contextmanager
def _terminating(server: uvicorn.Server) -> Iterator[None]:
    """SIGTERM ends the server, unless the process has its own handler or this is not its main thread."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    try:
        ours = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        if ours:
            loop.add_signal_handler(signal.SIGTERM, stop)
    except (ValueError, NotImplementedError, RuntimeError):
        ours = False
    try:
        yield
    finally:
        if ours:
            loop.remove_signal_handler(signal.SIGTERM)
