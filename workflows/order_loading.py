"""How an order's process gets to know what the ledger knows, at a start and whenever a message is missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.ledger import LedgerActivities, OrderLoaded, OrderRef
    from activities.orders import OrderActivities
    from domain.order_book import OrderBook
    from signals.base import ZERO
    from signals.ids import erp_task_queue
    from signals.orders import OrderPhase
    from signals.orders import ProductionOrder as Order
    from workflows.common import (
        FEW_ATTEMPTS,
        LOADING_TIMEOUT,
        LONGEST_PAUSE,
        MATERIAL,
        ORDER_ID,
        PAUSE,
        PLANT_ID,
    )
    from workflows.order_exceptions import WHAT_HAS_GONE
    from workflows.order_holds import LOOK_EVERY


async def known_order(
    ref: OrderRef, erp_timeout: timedelta, after_each_wait: Callable[[], Awaitable[None]]
) -> tuple[OrderLoaded, Order]:
    """Until the ledger knows the order; one started by hand is read from the ERP. What hinders it is shown."""
    pause = PAUSE
    while True:
        try:
            loaded = await workflow.execute_activity_method(
                LedgerActivities.load_order, ref, start_to_close_timeout=LOADING_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
            if loaded.order is not None:
                return loaded, loaded.order
            await workflow.execute_activity_method(
                OrderActivities.take_order,
                ref,
                task_queue=erp_task_queue(ref.plant),
                start_to_close_timeout=erp_timeout,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.set_current_details(f"**Order {ref.order}** waits: {error.cause}")
            await workflow.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            await after_each_wait()


def take_over(book: OrderBook, loaded: OrderLoaded, order: Order) -> None:
    """What the ledger knows becomes the order's state; what has gone there goes here too."""
    state = book.state
    fresh = state.order is None
    if fresh and loaded.phase == OrderPhase.CLOSED:
        state.phase = OrderPhase.CLOSED
    state.cancel_requested = state.cancel_requested or loaded.phase == OrderPhase.CANCELLED
    book.load(
        order,
        loaded.settings,
        loaded.messages,
        frozenset(loaded.settled),
        loaded.totals,
        loaded.credits,
        loaded.cases,
        frozenset(loaded.finals),
        loaded.closed_cases,
        loaded.unsettled,
    )
    gone = [c for c in loaded.closed_cases if book.case(c.case_id) is not None]
    reversed_ = book.overstated(loaded.totals)
    if (gone or reversed_) and workflow.patched(WHAT_HAS_GONE):
        for case in gone:
            book.close(case.case_id)
        for operation in reversed_:
            operation.posted_yield = operation.posted_scrap = operation.posted_rework = ZERO
    state.void = state.void or loaded.void
    state.holds = list(loaded.holds)
    if state.holds:
        state.look_at_holds = workflow.now() + LOOK_EVERY
    if fresh:
        keys = [PLANT_ID.value_set(state.plant), ORDER_ID.value_set(state.order_id)]
        workflow.upsert_search_attributes([*keys, MATERIAL.value_set(order.material)])
