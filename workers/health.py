"""A process's own word on how it is: `GET /healthz` as JSON, for probes and people. Not for metrics or control."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Report = Callable[[], Mapping[str, Any]]


async def serve_health(
    port: int, report: Report, *, host: str = "127.0.0.1", on_ready: Callable[[str], None] | None = None
) -> None:
    """Answers until cancelled; `on_ready` gets the URL (port 0 picks a free port).

    The answer is 503 where the report says `"healthy": false`. Raises OSError when the port is taken.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/healthz"
        config = uvicorn.Config(
            _application(report), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        server = _QuietServer(config, url, on_ready)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving


def _application(report: Report) -> Starlette:
    async def healthz(request: Request) -> JSONResponse:
        said = dict(report())
        return JSONResponse(said, status_code=200 if said.get("healthy", True) else 503)

    return Starlette(routes=[Route("/healthz", healthz)])


class _QuietServer(uvicorn.Server):
    """Leaves signals to the process it is a guest of, and says when it listens."""

    def __init__(self, config: uvicorn.Config, url: str, on_ready: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._url = url
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_ready is not None:
            self._on_ready(self._url)
