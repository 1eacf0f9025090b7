"""An HTTP server for a simulated ERP: serves an ASGI application on a port of its own, and can drop a connection.

`serve_application` is what every simulator's `serve` ends in.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_CONNECTION = "simulators.connection"


class Dropped(Response):
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


class _Server(uvicorn.Server):
    """Says when it serves, and leaves signals to `serve`."""

    on_started: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_application(
    application: ASGIApp,
    port: int,
    host: str,
    *,
    ready: dict[str, Any],
    on_ready: Callable[[dict[str, Any]], None],
    on_stop: Callable[[], Awaitable[None]],
) -> None:
    """Serves until cancelled or, where nobody else handles it, until SIGTERM. Port 0 picks a free one.

    `on_ready` is given `url`, `host`, `port` and what `ready` adds; `on_stop` runs before the last calls are cut off.
    """
    listener = listen(host, port)
    try:
        config = uvicorn.Config(
            application,
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
        server.on_started = lambda: on_ready({"url": url, "host": address[0], "port": address[1], **ready})
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            with _terminating(server):
                await asyncio.shield(running)
        finally:
            server.should_exit = True
            await on_stop()
            await asyncio.gather(running, return_exceptions=True)
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
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
