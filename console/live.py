"""Live pages: one watcher asks the ledger about once a second whether anything has changed, all streams hear of it.

Server-sent events (HTML Living Standard 9.2): `change` names topics of one plant, `tick` says that the stream lives.
No content goes over the stream; the page asks again for what its visitor may see.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from typing import Any

import structlog

from console.ports import Changes

LOOK_SECONDS = 1.0
TICK_SECONDS = 5.0
MOST_UNREAD = 100
_log = structlog.get_logger(__name__)


class Newsroom:
    """Watches the ledger while anybody listens. Use as an async context manager."""

    def __init__(self, ledger: Changes, plants: Collection[str], *, look_seconds: float = LOOK_SECONDS) -> None:
        self._ledger = ledger
        self._plants = tuple(plants)
        self._look_seconds = look_seconds
        self._listeners: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self._marks: dict[str, dict[str, str]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._over = False

    async def __aenter__(self) -> Newsroom:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    def close(self) -> None:
        """End all streams, so that a server that stops does not wait for them."""
        self._over = True
        for queue in self._listeners:
            queue.put_nowait(None)

    async def stream(self, plants: Collection[str], *, tick_seconds: float = TICK_SECONDS) -> AsyncIterator[str]:
        """Events for a visitor of these plants, as text of the stream."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._listeners.add(queue)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield "retry: 2000\n\n" + _event("tick", {})
            while not self._over:
                try:
                    news = await asyncio.wait_for(queue.get(), tick_seconds)
                except TimeoutError:
                    yield _event("tick", {})
                    continue
                if news is None:
                    return
                if news.get("trouble"):
                    yield _event("trouble", {})
                elif news["plant"] in plants:
                    yield _event("change", news)
        finally:
            self._listeners.discard(queue)

    async def _watch(self) -> None:
        """Runs while somebody listens; a ledger that does not answer is told as trouble, and asked again."""
        while self._listeners and not self._over:
            for plant in self._plants:
                try:
                    marks = dict(await self._ledger.change_marks(plant))
                except Exception as error:  # the ledger's database may be away for a while, whatever it raises
                    _log.warning("the ledger does not say what changed", plant=plant, error=str(error))
                    self._tell({"trouble": True})
                    continue
                before = self._marks.get(plant)
                changed = sorted(topic for topic, mark in marks.items() if before and before.get(topic) != mark)
                self._marks[plant] = marks
                if changed:
                    self._tell({"plant": plant, "topics": changed})
            await asyncio.sleep(self._look_seconds)
        self._marks.clear()

    def _tell(self, news: dict[str, Any]) -> None:
        for queue in self._listeners:
            if queue.qsize() < MOST_UNREAD:  # who does not read is told by the next change all the same
                queue.put_nowait(news)


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
