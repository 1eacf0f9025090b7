"""The line's own book of standing: every time a station stood or waited, from when to when, and why.

A station stands from the instant it leaves its work until it begins to go again. Kept by what happens, not by tags.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Why = Literal["breakdown", "micro_stop", "planned", "waiting"]

MOST_STOPS = 10_000
"""So many are told; the oldest go first."""


@dataclass
class Stood:
    """Times in microseconds since the line's start."""

    station: str
    why: Why
    since: int
    order: str
    reason: str = ""
    until: int | None = None


class StopBook:
    def __init__(self) -> None:
        self._stood: list[Stood] = []

    def stands(self, station: str, why: Why, reason: str, *, at: int, order: str) -> None:
        self.goes_on(station, at)
        self._stood.append(Stood(station, why, at, order, reason))
        del self._stood[:-MOST_STOPS]

    def goes_on(self, station: str, at: int) -> None:
        entry = self._open(station)
        if entry is not None:
            entry.until = at

    def as_json(self, time: Callable[[int], str]) -> list[dict[str, Any]]:
        """Every entry, with its times as `time` writes them."""
        return [
            {**asdict(s), "since": time(s.since), "until": None if s.until is None else time(s.until)}
            for s in self._stood
        ]

    def _open(self, station: str) -> Stood | None:
        return next((s for s in reversed(self._stood) if s.station == station and s.until is None), None)
