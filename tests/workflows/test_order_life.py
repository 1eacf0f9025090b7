"""A production order from release to close, and what people may tell it on the way; on fakes, with the real server."""

from __future__ import annotations

from decimal import Decimal

from signals.decisions import (
    Answer,
    ApprovePostings,
    AssignOrder,
    CancelOrderRequest,
    CompleteOrderRequest,
    DecideCase,
    DecideParked,
)
from signals.documents import CaseAction, CaseKind
from signals.orders import OrderPhase
from signals.reports import ParkedWhy
from tests.workflows.bench import INSPECT, LINE, PRESS
from workflows.common import LINE_ID, MATERIAL, ORDER_ID, PHASE, PLANT_ID

ORDER = "1000001"


def complete(number: int = 1) -> CompleteOrderRequest:
    return CompleteOrderRequest(decision_id=f"complete-{number}", by="supervisor")


async def told(handle, update: str, message) -> Answer:
    return await handle.execute_update(update, message, result_type=Answer)


async def test_an_order_runs_from_release_to_close(open_bench):
    async with open_bench(stations=(PRESS, INSPECT)) as bench:
        await bench.start_order(ORDER, planned=25)
        bench.feed.order(ORDER, PRESS)
        bench.feed.order(ORDER, INSPECT)
        bench.feed.make(25, station=PRESS)
        bench.feed.make(23, scrap=2, station=INSPECT)
        bench.feed.order("", PRESS)
        bench.feed.order("", INSPECT)
        await bench.feed.send()
        status = await bench.closed(ORDER)

        assert bench.erp.booked(ORDER, "0010") == (25, 0)
        assert bench.erp.booked(ORDER, "0020") == (23, 2)
        assert [d.final for d in bench.erp.standing(ORDER, "0020")].count(True) == 1
        assert bench.erp.completed == {ORDER}
        assert [(o.posted_yield, o.posted_scrap, o.final) for o in status.operations] == [(25, 0, True), (23, 2, True)]
        record = await bench.ledger.load_order(bench.id, ORDER)
        assert record.phase == OrderPhase.CLOSED.value


async def test_people_see_where_an_order_stands(bench):
    await bench.start_order(ORDER, planned=20)
    bench.feed.order(ORDER, batch="B-7")
    bench.feed.make(10)
    await bench.feed.send()
    await bench.erp.until(lambda: len(bench.erp.books) == 1)
    status = await bench.until(ORDER, lambda s: s.postings == 1 and not s.busy)

    assert (status.phase, status.material, status.erp) == (OrderPhase.RUNNING, "HOUSING-1", "up")
    found = (await bench.order(ORDER).describe()).typed_search_attributes
    shown = {key.name: found[key] for key in (PLANT_ID, ORDER_ID, MATERIAL, PHASE)}
    assert shown == {"PlantId": bench.id, "OrderId": ORDER, "Material": "HOUSING-1", "Phase": "running"}
    page = await bench.details(bench.order(ORDER))
    assert ORDER in page and "10 / 0" in page

    line = await bench.line_status()
    assert [(s.station, s.order, s.batch, s.counters["Good"]) for s in line.stations] == [(PRESS, ORDER, "B-7", 10)]
    found = (await bench.line().describe()).typed_search_attributes
    assert (found[PLANT_ID], found[LINE_ID]) == (bench.id, LINE)
    assert f"| {PRESS} |" in await bench.details(bench.line())


async def test_technical_completion_waits_for_a_person_where_the_plant_says_so(open_bench):
    async with open_bench(posting={"technical_completion": "propose"}) as bench:
        await bench.start_order(ORDER, planned=10)
        bench.feed.order(ORDER)
        bench.feed.make(10)
        bench.feed.order("")
        await bench.feed.send()
        await bench.until(ORDER, lambda s: s.phase is OrderPhase.COMPLETED and not s.busy)
        assert bench.erp.completed == set()
        assert await told(bench.order(ORDER), "complete", complete()) == Answer(
            decision_id="complete-1", accepted=True, message="completing"
        )
        await bench.closed(ORDER)
        assert bench.erp.completed == {ORDER}


async def test_completing_confirms_what_the_line_still_holds(bench):
    await bench.start_order(ORDER, planned=100)
    bench.feed.order(ORDER)
    bench.feed.make(17)
    await bench.feed.send()
    await bench.until(ORDER, lambda s: s.postings == 1)
    assert (await bench.line_status()).open_pieces == 7
    first = await told(bench.order(ORDER), "complete", complete())
    assert await told(bench.order(ORDER), "complete", complete()) == first
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (17, 0)
    finals = [d.final for d in bench.erp.standing(ORDER)]
    assert finals[-1] and finals.count(True) == 1, "final means final"


async def test_cancel_is_a_short_close(open_bench):
    async with open_bench(stations=(PRESS, INSPECT)) as bench:
        await bench.start_order(ORDER, planned=50)
        bench.feed.order(ORDER, PRESS)
        bench.feed.make(12, scrap=1)
        await bench.feed.send()
        await bench.until(ORDER, lambda s: s.postings == 1 and not s.busy)
        wish = CancelOrderRequest(decision_id="c1", by="planner", reason="customer withdrew")
        assert (await told(bench.order(ORDER), "cancel", wish)).message == "closing short"
        await bench.closed(ORDER)
        assert bench.erp.booked(ORDER, "0010") == (12, 1)
        assert bench.erp.standing(ORDER, "0020") == [], "an operation that nobody touched is not confirmed"
        assert bench.erp.completed == {ORDER}
        assert not [d for d in bench.erp.books if d.reversed]


async def test_an_order_assigned_by_a_person_counts_from_that_instant(bench):
    await bench.start_order(ORDER, planned=10)
    bench.feed.make(3)
    await bench.feed.send()
    wish = AssignOrder(decision_id="a1", equipment=PRESS, order=ORDER, valid_from=bench.feed.now, by="shift-lead")
    first = await told(bench.line(), "assign_order", wish)
    assert first.accepted
    assert await told(bench.line(), "assign_order", wish) == first
    lost = wish.model_copy(update={"decision_id": "a2", "equipment": "oven"})
    refused = await told(bench.line(), "assign_order", lost)
    assert not refused.accepted and PRESS in refused.message

    bench.feed.make(10)
    bench.feed.order("")
    await bench.feed.send()
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (10, 0)
    parked = await bench.ledger.parked(bench.id)
    assert sum(p.yield_quantity for p in parked if p.why is ParkedWhy.NO_ORDER) == 3


async def test_in_mode_approve_nothing_is_posted_before_a_person_says_so(open_bench):
    async with open_bench(posting={"mode": "approve"}) as bench:
        await bench.start_order(ORDER, planned=20)
        bench.feed.order(ORDER)
        bench.feed.make(20)
        bench.feed.order("")
        await bench.feed.send()
        await bench.until(ORDER, lambda s: bool(s.waiting_approval))
        assert bench.erp.books == []
        for number in range(3):
            status = await bench.until(ORDER, lambda s: bool(s.waiting_approval) or s.phase is OrderPhase.CLOSED)
            if status.phase is OrderPhase.CLOSED:
                break
            approval = ApprovePostings(decision_id=f"ok-{number}", by="supervisor")
            assert (await told(bench.order(ORDER), "approve_postings", approval)).message == "1 approved"
        await bench.closed(ORDER)
        assert bench.erp.booked(ORDER, "0010") == (20, 0)


async def test_in_mode_shadow_everything_is_computed_and_nothing_posted(open_bench):
    async with open_bench(posting={"mode": "shadow"}) as bench:
        await bench.start_order(ORDER, planned=20)
        bench.feed.order(ORDER)
        bench.feed.make(20)
        bench.feed.order("")
        await bench.feed.send()
        status = await bench.closed(ORDER)
        assert bench.erp.books == [] and bench.erp.completed == set()
        assert status.postings >= 2 and status.operations[0].reported_yield == 20


async def test_an_erp_outage_loses_nothing_and_doubles_nothing(bench):
    await bench.start_order(ORDER, planned=30)
    bench.feed.order(ORDER)
    bench.feed.make(10)
    await bench.feed.send()
    await bench.until(ORDER, lambda s: s.postings == 1)
    bench.erp.away = True
    bench.feed.make(20)
    bench.feed.order("")
    await bench.feed.send()
    status = await bench.until(ORDER, lambda s: s.erp == "down" and s.next_try_at is not None)
    assert status.busy
    bench.erp.away, bench.erp.lost_answers = False, 2
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (30, 0)
    keys = [d.key for d in bench.erp.books]
    assert len(keys) == len(set(keys))


async def test_an_entry_by_hand_is_a_case_and_adopting_it_posts_the_rest_only(bench):
    await bench.start_order(ORDER, planned=20)
    bench.feed.order(ORDER)
    entry = bench.erp.by_hand(ORDER, "0010", 6)
    bench.feed.make(20)
    bench.feed.order("")
    await bench.feed.send()
    status = await bench.until(ORDER, lambda s: bool(s.cases))
    [case] = status.cases
    assert (case.kind, case.document) == (CaseKind.MANUAL_ENTRY, entry.document)
    assert case.case_id in await bench.details(bench.order(ORDER))

    order = bench.order(ORDER)
    wish = DecideCase(decision_id="d1", case_id="no-such-case", action=CaseAction.ADOPT, by="shift-lead", reason="mine")
    assert not (await told(order, "decide_case", wish)).accepted
    wish = wish.model_copy(update={"decision_id": "d2", "case_id": case.case_id})
    answer = await told(order, "decide_case", wish)
    assert answer.accepted
    assert await told(order, "decide_case", wish) == answer
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (20, 0)
    assert sum(d.yield_quantity for d in bench.erp.books if d.key is not None) == 14


async def test_yield_beyond_tolerance_waits_for_a_person(bench):
    await bench.start_order(ORDER, planned=10)
    bench.feed.order(ORDER)
    bench.feed.make(20)
    bench.feed.order("")
    await bench.feed.send()
    status = await bench.until(ORDER, lambda s: bool(s.cases) and not s.busy)
    assert [c.kind for c in status.cases] == [CaseKind.BEYOND_TOLERANCE]
    assert bench.erp.booked(ORDER, "0010")[0] <= 10
    wish = DecideCase(
        decision_id="d1", case_id=status.cases[0].case_id, action=CaseAction.ACCEPT, by="planner", reason="sold"
    )
    assert (await told(bench.order(ORDER), "decide_case", wish)).accepted
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (20, 0)


async def test_a_parked_item_counts_when_it_is_accepted(bench):
    await bench.start_order(ORDER, planned=15)
    bench.feed.order(ORDER)
    bench.feed.make(10)
    for total in (3, 5):
        bench.feed.read(PRESS, "Good", total)
    await bench.feed.send()
    await bench.until_line(lambda s: s.parked >= 1)
    await bench.line().execute_update("flush")
    [item] = [p for p in await bench.ledger.parked(bench.id) if p.yield_quantity]
    assert (item.why, item.yield_quantity, item.order) == (ParkedWhy.COUNTER_RESET, Decimal(3), ORDER)

    wish = DecideParked(decision_id="p1", item=item.item, accept=True, by="shift-lead", reason="counted the box")
    answer = await told(bench.line(), "decide_parked", wish)
    assert answer.accepted
    assert await told(bench.line(), "decide_parked", wish) == answer
    unknown = wish.model_copy(update={"decision_id": "p2", "item": "no-such-item"})
    assert not (await told(bench.line(), "decide_parked", unknown)).accepted
    bench.feed.order("")
    await bench.feed.send()
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (15, 0)


async def test_reports_for_an_order_that_does_not_run_yet_wait_for_it(bench):
    bench.feed.order(ORDER)
    bench.feed.make(20)
    bench.feed.order("")
    await bench.feed.send()
    status = await bench.line().execute_update("flush")
    assert status["outbox"] == 0
    waiting = await bench.ledger.parked(bench.id, order=ORDER)
    assert {p.why for p in waiting} == {ParkedWhy.ORDER_NOT_RUNNING}

    await bench.start_order(ORDER, planned=20)
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (20, 0)
    assert await bench.ledger.parked(bench.id, order=ORDER) == []


async def test_a_short_close_confirms_pieces_of_which_the_order_had_not_heard(bench):
    await bench.start_order(ORDER, planned=50)
    bench.feed.order(ORDER)
    bench.feed.make(4, scrap=1)
    await bench.feed.send()
    await bench.until(ORDER, lambda s: s.phase is OrderPhase.RELEASED and not s.busy)
    wish = CancelOrderRequest(decision_id="c1", by="planner", reason="customer withdrew")
    assert (await told(bench.order(ORDER), "cancel", wish)).accepted
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (4, 1)


async def test_an_idle_order_asks_its_lines_before_it_confirms_anything_final(bench):
    await bench.start_order(ORDER, planned=50)
    bench.feed.order(ORDER)
    bench.feed.make(13)
    await bench.feed.send()
    await bench.until(ORDER, lambda s: s.postings == 1 and not s.busy)
    assert (await told(bench.order(ORDER), "complete", complete())).accepted
    await bench.closed(ORDER)
    assert bench.erp.booked(ORDER, "0010") == (13, 0)
    assert [d.final for d in bench.erp.standing(ORDER)][-1]
