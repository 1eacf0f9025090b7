"""Running a command's coroutine: results end by themselves, processes end on SIGTERM or SIGINT in good order."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_process(work: Coroutine[Any, Any, None]) -> None:
    """Run until it ends or a signal asks it to stop; what it raises by itself goes on to the caller."""
    asyncio.run(_until_signalled(work))


def run_result(work: Coroutine[Any, Any, T]) -> T:
    """Run to its result. A signal cancels it, cleans up and raises KeyboardInterrupt."""
    return asyncio.run(_interruptible(work))


async def _until_signalled(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    asked = _cancel_on_signals(task)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    asked = _cancel_on_signals(task)
    try:
        return await task
    except asyncio.CancelledError:
        if asked:
            raise KeyboardInterrupt from None
        raise


def _cancel_on_signals(task: asyncio.Task[Any]) -> list[int]:
    """Cancels once per signal; the list tells which came. Off the main thread there are no signals to hear."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        return asked

    def stop(number: int) -> None:
        asked.append(number)
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop, number)
    return asked
