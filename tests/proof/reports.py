"""Seeded reports of lines, with their source times: made while nobody could post them, or faster than anybody can."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from signals.reports import LineMessage, ProductionReport, ReportBucket
from tests.proof.plan import FIRST, LAST, PLANT

LINE = "line1"
SHIFT_HOURS = 8


def shift_of(at: datetime) -> str:
    return f"{at.date().isoformat()}/{at.hour // SHIFT_HOURS}"


@dataclass
class Reports:
    """All reports of a run, numbered per order, oldest first."""

    all: list[ProductionReport] = field(default_factory=list[ProductionReport])
    _numbers: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, order: str, operation: str, at: datetime, good: int, scrap: int = 0, **bucket: Any) -> None:
        self._numbers[order] += 1
        number = self._numbers[order]
        self.all.append(
            ProductionReport(
                report_id=f"{order}-{number}",
                plant=PLANT,
                line=LINE,
                number=number,
                bucket=ReportBucket(
                    order=order, operation=operation, posting_date=at.date(), shift=shift_of(at), **bucket
                ),
                yield_quantity=Decimal(good),
                scrap_quantity=Decimal(scrap),
                unit="PC",
                first_at=at,
                last_at=at,
            )
        )

    @property
    def messages(self) -> tuple[LineMessage, ...]:
        return tuple(LineMessage(report=r) for r in self.all)

    def totals(self) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
        """Yield and scrap by order and operation."""
        sums: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        for r in self.all:
            place = (r.bucket.order, r.bucket.operation)
            good, scrap = sums.get(place, (Decimal(0), Decimal(0)))
            sums[place] = (good + r.yield_quantity, scrap + r.scrap_quantity)
        return sums


def of_an_outage(seed: int, orders: Iterable[str], per_order: int, ends: datetime, hours: int) -> Reports:
    """Each order's reports evenly over the hours; the last operation never beyond what the first has delivered."""
    chance = random.Random(seed)
    made = Reports()
    names = list(orders)
    between = dict.fromkeys(names, 0)
    for step in range(per_order):
        at = ends - timedelta(hours=hours) * (1 - step / max(per_order - 1, 1))
        for order in names:
            good = chance.randint(2, 4)
            if between[order] >= 8 and chance.random() < 0.6:
                between[order] -= good
                made.add(order, LAST, at, good)
            else:
                between[order] += good
                made.add(order, FIRST, at, good)
    return made


def of_a_rush(seed: int, orders: list[str], begins: datetime, per_second: int, seconds: int) -> Reports:
    """One piece a report, evenly spaced, orders and their buckets changing as lines do."""
    chance = random.Random(seed)
    made = Reports()
    for number in range(per_second * seconds):
        at = begins + timedelta(seconds=number / per_second)
        spoilt = chance.random() < 0.04
        made.add(
            orders[number % len(orders)],
            FIRST,
            at,
            0 if spoilt else 1,
            1 if spoilt else 0,
            reason=chance.choice(("SCRATCH", "POROSITY")) if spoilt else "",
            component_lot=f"COIL-{1 + number * 2 // (per_second * seconds)}",
            person=f"OP-{1 + number * 3 // (per_second * seconds)}",
        )
    return made
