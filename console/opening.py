"""A hold that a person or a service asks for: what they say becomes a trigger with a manual reason."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from console.forms import built
from signals.errors import BadInput
from signals.holds import HoldCause, HoldReason, HoldScope, HoldTrigger
from signals.ids import short_hash


def manual_trigger(
    *, plant: str, by: str, at: datetime, wish: str, text: str, quantity: Decimal, unit: str = "PC", line: str = "",
    order: str = "", operation: str = "", material: str = "", batch: str = "", serials: tuple[str, ...] = (),
    since: datetime | None = None,
) -> HoldTrigger:  # fmt: skip
    """`wish` is the id of the request: the same one again is the same hold. Raises BadInput."""
    if not (order or material or batch or serials):
        raise BadInput(
            "nothing says what is held", subject="scope", hint="name an order, a material, a batch or serial numbers"
        )
    scope = built(
        HoldScope, plant=plant, line=line, order=order, operation=operation, material=material, batch=batch,
        serials=serials, since=since,
    )  # fmt: skip
    reason = built(
        HoldReason, reason=f"manual-{short_hash(plant, wish, length=20)}", cause=HoldCause.MANUAL, text=text,
        found_at=at,
    )  # fmt: skip
    return built(
        HoldTrigger, trigger=f"manual-{short_hash(plant, 'trigger', wish, length=20)}", scope=scope, reason=reason,
        quantity=quantity, unit=unit, opened_by=by, at=at,
    )  # fmt: skip
