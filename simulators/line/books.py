"""The line's own books: every piece that entered, left good or was rejected, by order, station, batch and reason.

Kept beside the counters and independent of them: a counter may wrap or be reset, the books never are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MOST_DRIFTS = 10_000
"""So many drifted measurements are told; the oldest go first."""


@dataclass
class OperationBook:
    infeed: int = 0
    good: Counter[str] = field(default_factory=Counter[str])
    scrap: Counter[str] = field(default_factory=Counter[str])
    scrap_by_reason: Counter[str] = field(default_factory=Counter[str])
    scrap_by_origin: Counter[str] = field(default_factory=Counter[str])

    def as_json(self) -> dict[str, object]:
        good, scrap = self.good.total(), self.scrap.total()
        batches = sorted({*self.good, *self.scrap})
        return {
            "infeed": self.infeed,
            "yield": good,
            "scrap": scrap,
            "in_line": self.infeed - good - scrap,
            "scrap_by_reason": dict(self.scrap_by_reason),
            "scrap_by_origin": dict(self.scrap_by_origin),
            "by_batch": {batch: {"yield": self.good[batch], "scrap": self.scrap[batch]} for batch in batches},
        }


class ProductionBooks:
    """What was really made, per order (in the order of its first run) and per station."""

    def __init__(self, stations: list[str]) -> None:
        self._stations = stations
        self._orders: dict[str, dict[str, OperationBook]] = {}
        self.drifts: list[dict[str, Any]] = []

    def drifted(self, station: str, tag: str, order: str, batch: str, value: float, at: int) -> None:
        """A piece that was measured while its measurement was off; `at` in microseconds since the start."""
        entry = {"station": station, "tag": tag, "order": order, "batch": batch, "value": value, "at": at}
        self.drifts.append(entry)
        del self.drifts[:-MOST_DRIFTS]

    def open(self, order: str) -> None:
        self._orders.setdefault(order, {name: OperationBook() for name in self._stations})

    def infeed(self, order: str, station: str) -> None:
        self._orders[order][station].infeed += 1

    def good(self, order: str, station: str, batch: str) -> None:
        self._orders[order][station].good[batch] += 1

    def scrap(self, order: str, station: str, batch: str, reason: str, origin: str) -> None:
        book = self._orders[order][station]
        book.scrap[batch] += 1
        book.scrap_by_reason[reason] += 1
        book.scrap_by_origin[origin] += 1

    def totals(self, station: str) -> tuple[int, int, int]:
        """Infeed, good and reject of a station over all orders."""
        books = [operations[station] for operations in self._orders.values()]
        return (
            sum(book.infeed for book in books),
            sum(book.good.total() for book in books),
            sum(book.scrap.total() for book in books),
        )

    def as_json(self, operation_of: dict[str, str]) -> list[dict[str, object]]:
        return [
            {
                "order": order,
                "operations": [
                    {"operation": operation_of[station], "station": station, **book.as_json()}
                    for station, book in operations.items()
                ],
            }
            for order, operations in self._orders.items()
        ]
