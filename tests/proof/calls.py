"""How fast an ERP was called, by its own count: sums over every ten whole seconds in a row."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 10
NOTICED = 0.8


@dataclass(frozen=True)
class Pace:
    """Calls in ten seconds in a row while enough waited; windows with a kill in them on their own."""

    limit: int
    calls: int
    seconds: int
    noticed: int
    """Seconds from the ERP's return to the first at nearly full speed: nobody calls while the circuit is open."""
    windows: int
    share: float
    """Of the limit that was used, from the first judged second to the last."""
    usual: int
    """Calls of the median window."""
    least: int
    most: int
    least_with_kill: int
    width: int = WIDTH


def paced(counted: Sequence[Sequence[int]], limit: int, back: float, free: float, ends: float, killed: float) -> Pace:
    """`counted` as `GET /_control/calls` gives it.

    Windows are looked at once the ERP's return is noticed and no hand entry waits for people any more; `most` is of
    the whole time: whatever there was to do, the limit holds.
    """
    many = {second: calls for second, calls in counted if second >= int(back)}
    noticed = min(second for second, calls in many.items() if calls >= NOTICED * limit)
    begins = max(noticed, int(free))
    sums = {second: sum(many.get(second + n, 0) for n in range(WIDTH)) for second in range(min(many), max(many) + 1)}
    judged = {s: calls for s, calls in sums.items() if s > begins and s + WIDTH <= int(ends)}
    assert judged, f"the drain was shorter than one window: {sorted(many.items())}"
    # What a killed process had leased ahead is lost with it: at most one slot for each order that it worked on.
    hit = {s for s in judged if s <= int(killed) + 2 and s + WIDTH > int(killed)}
    between = [calls for second, calls in many.items() if begins < second < int(ends)]
    untouched = [calls for s, calls in judged.items() if s not in hit]
    return Pace(
        limit=limit,
        calls=sum(many.values()),
        seconds=max(many) - min(many) + 1,
        noticed=noticed - int(back),
        windows=len(untouched),
        share=round(sum(between) / (limit * (int(ends) - begins - 1)), 3),
        usual=int(statistics.median_low(untouched)),
        least=min(untouched),
        most=max(sums.values()),
        least_with_kill=min((judged[s] for s in hit), default=limit * WIDTH),
    )
