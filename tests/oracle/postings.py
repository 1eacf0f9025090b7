"""What a posting needs in a test: transactions, intents, and the way the procedure takes with them."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from erp.oracle import OracleErp
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpInDoubt
from signals.transactions import ConfirmProduction, PostingIntent, Reverse, Transaction

DAY = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def free() -> None:
    """A guard whose deadline never passes."""


def intent(transaction: Transaction) -> PostingIntent:
    return PostingIntent(key=uuid4(), transaction=transaction)


def confirmed(order: str, yielded: str = "5", operation: str = "0010", **more: Any) -> ConfirmProduction:
    return ConfirmProduction(
        plant="demo",
        order=order,
        operation=operation,
        posting_date=DAY,
        yield_quantity=Decimal(yielded),
        unit="PC",
        **more,
    )


def reversed_(document: ErpDocument, original: Any, **more: Any) -> Reverse:
    return Reverse(
        plant="demo",
        order=original.order,
        operation=original.operation,
        posting_date=DAY,
        document=document.document,
        original=original,
        original_key=document.key,
        **more,
    )


async def booked(erp: OracleErp, wanted: PostingIntent) -> ErpDocument:
    """Posted without trouble; a request that Oracle only accepted is looked for once more."""
    before = await erp.snapshot(wanted)
    booking = await erp.post(wanted, free)
    if booking.pending:
        booking = await erp.find(wanted, before)
    assert booking.document is not None, booking
    return booking.document


async def lost(erp: OracleErp, wanted: PostingIntent) -> tuple[Snapshot, Booking]:
    """Posted, and the answer is lost on the way: what was read before, and what `find` says then."""
    before = await erp.snapshot(wanted)
    with contextlib.suppress(ErpInDoubt):
        raise AssertionError(f"the answer arrived: {await erp.post(wanted, free)}")
    return before, await erp.find(wanted, before)
