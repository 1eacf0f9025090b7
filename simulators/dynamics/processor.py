"""The scheduled batch job that processes the message queue, and the unattended one that posts inventory journals.

Messages of one order run in their order, different orders side by side, eight at most.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from simulators.dynamics import inventory_journals, queue
from simulators.dynamics.books import Books

log = structlog.get_logger("simulators.dynamics")
TASKS = 8


class OrderLocks:
    """Who works on an order: the batch job holds it while a message is processed, a person waits for it."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._released = asyncio.Event()

    def held(self) -> list[str]:
        return sorted(name.split("/", 1)[1] for name in self._held)

    def is_held(self, group: str) -> bool:
        return group in self._held

    def take(self, group: str) -> None:
        self._held.add(group)

    def release(self, group: str) -> None:
        self._held.discard(group)
        self._released.set()
        self._released = asyncio.Event()

    async def wait_free(self, group: str, seconds: float = 60.0) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while group in self._held:
                    await self._released.wait()
        except TimeoutError:
            return False
        return True


class Processor:
    def __init__(self, books: Books, locks: OrderLocks) -> None:
        self._books = books
        self._locks = locks
        self._working: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """One tick every `batch_seconds`; a tick that fails is told and the next one comes."""
        while True:
            await asyncio.sleep(float(self._books.setting("batch_seconds")))
            if not self._books.setting("processing_paused"):
                await self._guarded(self.tick)

    async def stop(self) -> None:
        for task in self._working.values():
            task.cancel()
        await asyncio.gather(*self._working.values(), return_exceptions=True)

    async def tick(self) -> None:
        """Starts a task for every order whose next message may run, as far as there are free ones."""
        for head in queue.heads(self._books):
            group = queue.group_of(head)
            if len(self._working) >= TASKS:
                break
            if head["state"] == queue.QUEUED and group not in self._working and not self._locks.is_held(group):
                self._working[group] = asyncio.create_task(self._work(group))
        if self._books.setting("journal_autopost"):
            inventory_journals.post_waiting(self._books)

    async def drain(self) -> None:
        """One tick now, also while paused, and the end of all work it started."""
        await self.tick()
        await asyncio.gather(*list(self._working.values()), return_exceptions=True)

    async def finish(self) -> None:
        """The batch job again and again, until what is left waits for a person."""
        await self.drain()
        while any(head["state"] == queue.QUEUED for head in queue.heads(self._books)):
            await self.drain()

    async def _work(self, group: str) -> None:
        """The order's messages one after another, until none is left or one has to be tried again."""
        self._locks.take(group)
        try:
            while message := self._next(group):
                seconds = float(self._books.setting("processing_seconds"))
                if seconds:
                    await asyncio.sleep(seconds)
                if not await self._attempt(message):
                    return
        finally:
            self._locks.release(group)
            self._working.pop(group, None)

    def _next(self, group: str) -> dict[str, Any] | None:
        for head in queue.heads(self._books):
            if queue.group_of(head) == group and head["state"] == queue.QUEUED:
                return head
        return None

    async def _attempt(self, message: dict[str, Any]) -> bool:
        current = self._books.one("SELECT * FROM message WHERE id = ? AND state = ?", message["id"], queue.QUEUED)
        if current is None:
            return True
        await asyncio.sleep(0)
        try:
            return queue.process(self._books, current)
        except Exception as error:
            log.exception("the simulated D365 failed at a message", message=message["id"])
            queue.failed_attempt(self._books, current, f"Error: {type(error).__name__}")
            return False

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:
            log.exception("the simulated D365 failed in its batch job")
