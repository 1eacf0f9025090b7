"""An order and the holds on it: which there are, whom a receipt concerns. Part of the ProductionOrder workflow.

Holds never stop production or bookkeeping; they stop the order's completion. What goes out and how is decided at the
fence (`activities.posting_holds`).
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.ledger import LedgerActivities, OrderRef
    from domain.order_book import OrderBook, is_confirmation
    from signals.documents import PostingOutcome, PostingState
    from signals.transactions import PostingIntent
    from workflows.common import FEW_ATTEMPTS, LEDGER_TIMEOUT, PAUSE
    from workflows.hold_messages import tell_receipt

LOOK_EVERY = timedelta(minutes=15)
"""Holds tell the order when they come and go; without being told it looks this often while it has one."""


class OrderHolds:
    """Holds on one order."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book

    def is_due(self) -> bool:
        """A look at the ledger is wanted now."""
        at = self._book.state.look_at_holds
        return at is not None and workflow.now() >= at

    def changed(self) -> None:
        """A hold was opened, or is over."""
        self._book.state.look_at_holds = workflow.now()

    async def look(self) -> None:
        """Which holds there are. What waited for one that is over is tried at once."""
        state = self._book.state
        ref = OrderRef(plant=state.plant, order=state.order_id)
        try:
            found = await workflow.execute_activity_method(
                LedgerActivities.order_holds, ref, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
        except ActivityError as error:
            workflow.logger.warning("holds of the order not read: %s", error.cause)
            state.look_at_holds = workflow.now() + PAUSE
            return
        if set(state.holds) - set(found.holds) and state.erp == "up":
            state.next_try_at = None
        state.holds = list(found.holds)
        state.look_at_holds = workflow.now() + LOOK_EVERY if state.holds else None

    async def received(self, intent: PostingIntent, outcomes: tuple[PostingOutcome, ...]) -> None:
        """A confirmation may have brought held material into stock: its holds look where it is."""
        posted = any(o.key == intent.key and o.state is PostingState.POSTED for o in outcomes)
        if posted and is_confirmation(intent):
            for hold in self._book.state.holds:
                await tell_receipt(self._book.state.plant, hold)
