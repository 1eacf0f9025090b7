"""Holds in the closing comparison: how many, how they ended, what was blocked and freed, what the ERP still blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from signals.base import ZERO
from signals.holds import DecisionState, HoldDispositionKind, HoldRecord


def held(holds: Iterable[HoldRecord]) -> dict[str, Any]:
    """For the closing object: `count`, `states`, quantities that were blocked and released (by decision, and in the
    ERP by posting)."""
    records = list(holds)
    return {
        "count": len(records),
        "states": dict(sorted(Counter(r.state.value for r in records).items())),
        "blocked": text(sum((r.quantity for r in records), ZERO)),
        "released": text(sum((released(r) for r in records), ZERO)),
        "released_in_erp": text(sum((_booked(r, "release") for r in records), ZERO)),
        "signatures": sum(len(d.signatures) for r in records for d in r.decisions),
    }


def released(record: HoldRecord) -> Decimal:
    """What decisions in force let go as it is; several roles that decide the same count once."""
    force = [d for d in record.decisions if d.state is DecisionState.IN_FORCE]
    last = force[-1].dispositions if force else ()
    return sum((d.quantity for d in last if d.kind is HoldDispositionKind.RELEASE), ZERO)


def _booked(record: HoldRecord, what: str) -> Decimal:
    return sum((p.quantity for p in record.postings if p.what == what and p.document), ZERO)


def hold_differences(holds: Iterable[HoldRecord], books: Mapping[str, Any]) -> Iterator[str]:
    """What should not be at the end: an open hold, and stock that the ERP blocks although every hold is over."""
    still = [r for r in holds if not r.state.is_over]
    for record in still:
        yield f"hold {record.hold} is {record.state.value}, nobody has decided it"
    if not still:
        for row in books.get("holds", ()):
            yield f"{row['quantity']} of {row['material']} are still blocked in the ERP, and no hold is open"


def text(quantity: Decimal) -> str:
    """Without an exponent and without zeros behind the point."""
    return f"{quantity.normalize():f}" if quantity else "0"
