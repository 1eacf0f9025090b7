"""Orders that the ERP releases are taken in once, whatever happens to the ticks."""

from __future__ import annotations

import asyncio

from temporalio.client import WorkflowExecutionStatus

from activities.orders import Intake, PlantRef
from signals.ids import intake_workflow_id, order_workflow_id, plant_task_queue
from signals.orders import OrderPhase
from tests.workflows.bench import Bench, eventually
from workers.plant_worker import schedule_intake


async def tick(bench: Bench, number: int = 1) -> Intake:
    """What the schedule does, now."""
    workflow_id = f"{intake_workflow_id(bench.id)}-{number}"
    bench.workflows.add(workflow_id)
    return await bench.client.execute_workflow(
        "OrderIntake",
        PlantRef(plant=bench.id),
        id=workflow_id,
        task_queue=plant_task_queue(bench.id),
        result_type=Intake,
    )


async def test_the_schedule_takes_released_orders_in(bench):
    bench.release("1000001", 10)
    await schedule_intake(bench.client, bench.plant)
    await schedule_intake(bench.client, bench.plant)
    schedule = bench.client.get_schedule_handle(intake_workflow_id(bench.id))
    try:
        await started(bench, "1000001")
        bench.feed.order("1000001")
        bench.feed.make(10)
        bench.feed.order("")
        await bench.feed.send()
        await bench.closed("1000001")
    finally:
        await schedule.delete()
    assert bench.erp.booked("1000001", "0010") == (10, 0)


async def started(bench: Bench, order: str) -> None:
    """Returns when the order's workflow is there; the tick starts it after the ledger has the order."""
    await eventually(lambda: bench.runs(order_workflow_id(bench.id, order)), bool)


async def test_two_ticks_start_nothing_twice(bench):
    bench.release("1000001", 10)
    bench.release("1000002", 10)
    ticks = await asyncio.gather(*(tick(bench, n) for n in range(3)))
    assert {t.start for t in ticks} == {("1000001", "1000002")}
    for order in ("1000001", "1000002"):
        [run] = await bench.runs(order_workflow_id(bench.id, order))
        assert run.events[0].workflow_execution_started_event_attributes.attempt == 1
    assert len(await bench.ledger.orders(bench.id)) == 2


async def test_an_order_that_cannot_be_read_is_refused_with_its_reason_and_holds_up_no_other(bench):
    bench.erp.unreadable["0999999"] = "order 0999999 has no operations; complete its routing"
    bench.release("1000001", 10)
    found = await tick(bench)
    assert found.refused == {"0999999": "order 0999999 has no operations; complete its routing"}
    assert found.start == ("1000001",)
    assert await bench.runs(order_workflow_id(bench.id, "0999999")) == []


async def test_a_tick_while_the_erp_is_away_ends_quietly_and_the_next_one_takes_in(bench):
    bench.release("1000001", 10)
    bench.erp.away = True
    found = await tick(bench, 1)
    assert found.start == () and "no connection" in found.unavailable
    bench.erp.away = False
    assert (await tick(bench, 2)).start == ("1000001",)


async def test_an_order_that_was_terminated_is_not_resurrected(bench):
    bench.release("1000001", 10)
    await tick(bench, 1)
    await started(bench, "1000001")
    await bench.order("1000001").terminate("somebody knows why")
    await tick(bench, 2)
    assert len(await bench.runs(order_workflow_id(bench.id, "1000001"))) == 1
    described = await bench.order("1000001").describe()
    assert described.status is WorkflowExecutionStatus.TERMINATED


async def test_a_closed_order_that_the_erp_still_lists_is_not_started_again(bench):
    bench.release("1000001", 10)
    await tick(bench, 1)
    await started(bench, "1000001")
    bench.feed.order("1000001")
    bench.feed.make(10)
    bench.feed.order("")
    await bench.feed.send()
    await bench.closed("1000001")
    bench.erp.completed.clear()
    assert (await tick(bench, 2)).start == ()
    assert (await bench.ledger.load_order(bench.id, "1000001")).phase == OrderPhase.CLOSED.value


async def test_an_order_terminated_and_started_by_a_person_goes_on_where_it_was(bench):
    await bench.start_order("1000001", planned=30)
    bench.feed.order("1000001")
    bench.feed.make(20)
    await bench.feed.send()
    await bench.erp.until(lambda: bench.erp.booked("1000001", "0010") == (20, 0))
    await bench.order("1000001").terminate("moved to another worker")
    bench.feed.make(10)
    bench.feed.order("")
    await bench.feed.send()
    await bench.start_order("1000001")
    await bench.closed("1000001")
    assert bench.erp.booked("1000001", "0010") == (30, 0)
    keys = [d.key for d in bench.erp.books]
    assert len(keys) == len(set(keys))
