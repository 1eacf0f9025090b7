"""The ERP is part of a loop: what it changes on a running order reaches the order, and what it may not is refused."""

from __future__ import annotations

from decimal import Decimal

from signals.documents import CaseKind
from signals.orders import ErpOrderStatus, OrderPhase
from tests.workflows.bench import Bench
from tests.workflows.test_intake import started, tick

ORDER = "1000001"


async def running(bench: Bench, planned: int = 30, made: int = 10) -> None:
    bench.release(ORDER, planned)
    await tick(bench, 1)
    await started(bench, ORDER)
    bench.feed.order(ORDER)
    bench.feed.make(made)
    await bench.feed.send()
    await bench.until(ORDER, lambda s: s.operations[0].posted_yield == made)


async def test_a_smaller_quantity_ends_the_order_earlier(bench):
    await running(bench)
    bench.erp.change(ORDER, quantity=Decimal(13), planned=Decimal(13))
    await tick(bench, 2)
    status = await bench.until(ORDER, lambda s: s.operations[0].planned == 13)
    assert status.erp_changes[0] == "quantity 30 -> 13"
    bench.feed.make(3)
    bench.feed.order("")
    await bench.feed.send()
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (13, 0)


async def test_a_locked_order_posts_nothing_until_it_is_free_again(bench):
    await running(bench)
    bench.erp.change(ORDER, status=ErpOrderStatus.LOCKED)
    await tick(bench, 2)
    await bench.until(ORDER, lambda s: s.locked)
    bench.feed.make(20)
    bench.feed.order("")
    await bench.feed.send()
    status = await bench.until(ORDER, lambda s: s.operations[0].reported_yield == 30 and not s.busy)
    assert (status.operations[0].posted_yield, status.locked) == (10, True)
    bench.erp.change(ORDER, status=ErpOrderStatus.RELEASED)
    await tick(bench, 3)
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (30, 0)


async def test_an_order_that_the_erp_ends_is_closed_short_with_what_really_happened(bench):
    await running(bench)
    bench.erp.change(ORDER, status=ErpOrderStatus.TECHNICALLY_COMPLETE)
    await tick(bench, 2)
    status = await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (10, 0)
    assert status.operations[0].final


async def test_a_change_that_would_give_booked_quantities_another_meaning_is_refused(bench):
    await running(bench)
    bench.erp.change(ORDER, material="OTHER")
    await tick(bench, 2)
    cases = await bench.ledger.cases(bench.id, order=ORDER)
    assert [c.kind for c in cases] == [CaseKind.ORDER_CHANGE_REFUSED]
    assert "material" in cases[0].summary
    known = await bench.ledger.order_data(bench.id, ORDER)
    assert known is not None
    assert known.material == "HOUSING-1"
    assert (await bench.order_status(ORDER)).phase is OrderPhase.RUNNING


async def test_an_erp_that_was_away_at_the_tick_tells_its_change_at_the_next(bench):
    await running(bench)
    bench.erp.change(ORDER, quantity=Decimal(13), planned=Decimal(13))
    bench.erp.away = True
    await tick(bench, 2)
    bench.erp.away = False
    await tick(bench, 3)
    await bench.until(ORDER, lambda s: s.operations[0].planned == 13)
