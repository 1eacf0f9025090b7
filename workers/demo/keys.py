"""Single keys from a terminal, without Enter (termios, POSIX.1-2017 chapter 11). Restored whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator


def has_keyboard() -> bool:
    """Whether somebody can press keys: stdin is a terminal."""
    try:
        return sys.stdin.isatty()
    except ValueError:
        return False


@contextlib.contextmanager
def _single_keys(descriptor: int) -> Iterator[None]:
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


async def pressed_keys() -> AsyncIterator[str]:
    """Keys as they are pressed, lower case, until the terminal goes away."""
    descriptor = sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    keys: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        for key in os.read(descriptor, 64).decode(errors="ignore").lower() or [None]:
            keys.put_nowait(key)

    with _single_keys(descriptor):
        loop.add_reader(descriptor, read)
        try:
            while (key := await keys.get()) is not None:
                yield key
        finally:
            loop.remove_reader(descriptor)
