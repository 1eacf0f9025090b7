"""Serving the console as a guest of a process: it leaves signals alone and ends its streams before it stops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

Ready = Callable[[str], None]


async def serve(app: FastAPI, port: int, *, host: str = "127.0.0.1", on_ready: Ready | None = None) -> None:
    """Answers until cancelled; `on_ready` gets the address (port 0 picks one). OSError when the port is taken."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2
        )
        server = _Guest(config, address, on_ready, app.state.news.close)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving


class _Guest(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, address: str, on_ready: Ready | None, end: Callable[[], None]) -> None:
        super().__init__(config)
        self._address = address
        self._on_ready = on_ready
        self._end_streams = end

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready(self._address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end_streams()
        await super().shutdown(sockets)
