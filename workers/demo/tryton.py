"""A real Tryton on the demo's stage. Its outage is a cut line: a small relay in front of it that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workers.demo.children import Child
from workers.demo.erp import TITLES
from workers.tryton_orders_file import SeedFile
from workers.tryton_server import TrytonServer

CHUNK = 65_536


class Relay:
    """Passes bytes on between its callers and one address, until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen on a free port; returns the address for callers."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Drop every connection, and every new one, without an answer."""
        self._cut = True
        for writer in tuple(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        self._cut = False

    async def stop(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, back}
        self._writers |= both
        try:
            await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
        finally:
            self._writers -= both


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    target.close()


class TrytonErp:
    """`DemoErp` over a Tryton server of its own; it is asked for its books behind the relay."""

    title = TITLES["tryton"]
    worker_options: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.environ = {"PLANTWRIGHT_ERP_KIND": "tryton"}
        self._server = TrytonServer(folder)
        self._relay: Relay | None = None

    async def start(self, make_child: Callable[..., Child]) -> str:
        """The server is a child of its own kind; `make_child` is for our commands."""
        await self._server.start()
        self._relay = Relay(self._server.host, self._server.port)
        address = await self._relay.start()
        self.environ |= self._server.credentials | {"PLANTWRIGHT_ERP_URL": address}
        return address

    async def seed(self, orders: Mapping[str, Any], zone: str) -> None:
        await self._server.seed(SeedFile.of(orders))

    async def books(self) -> dict[str, Any]:
        return await self._server.books()

    async def unplug(self) -> None:
        assert self._relay is not None
        self._relay.cut()

    async def plug_in(self) -> None:
        assert self._relay is not None
        self._relay.mend()

    async def enter_by_hand(self, order: str, operation: str, pieces: int) -> str:
        return await self._server.enter_by_hand(order, operation, pieces)

    async def stop(self) -> None:
        if self._relay is not None:
            await self._relay.stop()
        await self._server.stop()
