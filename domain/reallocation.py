"""What could be done for the customers of a stopped line (need 30). Proposals: people approve, people move. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from signals.base import ZERO
from signals.bookings import StockKind
from signals.downtime import Reallocation
from signals.erp_reads import AlternateWorkCentre, Demand, StockLine
from signals.orders import ProductionOrder


def late_demands(demands: Sequence[Demand], recovery: datetime) -> list[Demand]:
    """Who is late if the line runs again only then, the earliest due first. A demand without a date is not late."""
    dated = [d for d in demands if d.due is not None and d.due < recovery]
    return sorted(dated, key=lambda d: (d.due or recovery, d.source))


def proposals(
    order: ProductionOrder,
    left: Decimal,
    demands: Sequence[Demand],
    stock: Sequence[StockLine],
    alternates: Sequence[AlternateWorkCentre],
    recovery: datetime,
) -> tuple[Reallocation, ...]:
    """Free stock first, then another line for what is left, for each demand that would be late.

    `left` is what the order has still to make. One piece is proposed once: stock that one demand takes is gone for the
    next.
    """
    free = {s.storage_location: ZERO for s in stock}
    for line in stock:
        if line.kind is StockKind.UNRESTRICTED and not line.hold and line.quantity > 0:
            free[line.storage_location] += line.quantity
    other = next(iter(sorted(alternates, key=lambda a: (a.free_from or recovery, a.work_centre))), None)
    found: list[Reallocation] = []
    to_make = left
    for demand in late_demands(demands, recovery):
        wanted = demand.quantity
        for place in sorted(free):
            taken = min(free[place], wanted)
            if taken > 0:
                free[place] -= taken
                wanted -= taken
                found.append(_one(order, taken, f"stock {place}".strip(), demand))
        elsewhere = min(wanted, to_make)
        if elsewhere > 0 and other is not None and (other.free_from is None or other.free_from < recovery):
            to_make -= elsewhere
            found.append(_one(order, elsewhere, f"line {other.work_centre}", demand))
    return tuple(found)


def _one(order: ProductionOrder, quantity: Decimal, source: str, demand: Demand) -> Reallocation:
    who = demand.customer or f"{demand.kind} {demand.source}"
    return Reallocation(
        order=order.order, material=order.material, quantity=quantity, unit=order.unit, source=source,
        late_customer=who, due_at=demand.due,
    )  # fmt: skip
