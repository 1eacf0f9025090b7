"""A discrete-event kernel: due things happen in plant-time order, never earlier and never twice.

Times are whole microseconds since the line's start, so that order is exact and one seed gives one history.
It knows no stations and no wall clock; whoever calls `advance` decides how far plant time has come.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

SECOND = 1_000_000

Steps = Generator[int | None, None, None]
"""A routine yields the time at which it wants to go on, or None to wait until somebody wakes it."""


class TagWrite(NamedTuple):
    at: int
    tag: str
    value: int | float | str


def microseconds(seconds: float) -> int:
    return round(seconds * SECOND)


class Kernel:
    def __init__(self) -> None:
        self.now = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = 0
        self._written: list[TagWrite] = []

    def at(self, time: int, action: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._due, (max(time, self.now), self._serial, action))

    def write(self, tag: str, value: float | str) -> None:
        self._written.append(TagWrite(self.now, tag, value))

    def advance(self, until: int) -> Iterator[list[TagWrite]]:
        """Let everything due up to and including `until` happen; yields what each instant wrote, in order."""
        while self._due and self._due[0][0] <= until:
            self.now, _, action = heapq.heappop(self._due)
            action()
            if self._written:
                yield self._taken()
        self.now = max(self.now, until)
        if self._written:
            yield self._taken()

    def _taken(self) -> list[TagWrite]:
        written, self._written = self._written, []
        return written


class Routine:
    """One station's endless course of steps, resumed when its time has come or when it is woken."""

    def __init__(self, kernel: Kernel, steps: Steps) -> None:
        self._kernel = kernel
        self._steps = steps
        self._version = 0

    def wake(self) -> None:
        self._resume_at(self._kernel.now)

    def _resume_at(self, time: int) -> None:
        self._version += 1
        version = self._version
        self._kernel.at(time, lambda: self._resume(version))

    def _resume(self, version: int) -> None:
        # A wake-up replaces the timer that was set before it; the stale timer finds a newer version.
        if version != self._version:
            return
        due = next(self._steps)
        if due is not None:
            self._resume_at(due)
