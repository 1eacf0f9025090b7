"""A hold that a person or a service asks for: what they say becomes a trigger with a manual reason."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from console.forms import built
from console.problems import Refused
from console.who import Visitor
from domain.permissions import Action
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


async def open_by_hand(visitor: Visitor, plant: str, wanted: dict[str, Any], wish: str) -> str:
    """Open the hold; its id. Raises 404 for a line that the visitor does not see, 403 where they may not."""
    config, line = visitor.plant(plant), wanted.get("line", "")
    if line and line not in {known.id for known in config.lines}:
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such thing here, or not for you")
    actor = visitor.acting(Action.HOLD_OPEN, plant, line)
    trigger = manual_trigger(plant=plant, by=actor.user, at=visitor.services.now(), wish=wish, **wanted)
    return await visitor.services.desk.open_hold(trigger)
