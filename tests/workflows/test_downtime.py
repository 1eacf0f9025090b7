"""A stop from its first fact to its close: called in time, explained, booked once, never forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from ledger.store import SqlLedger
from signals.bookings import StockKind
from signals.downtime import (
    AcknowledgeStop,
    CapacityState,
    ClassifyStop,
    CloseStop,
    CommentStop,
    DecideCapacity,
    DecideReallocation,
    EstimateRecovery,
    JoinStop,
    ReasonStatus,
    RecodeStop,
    ShelveStop,
    SplitStop,
    StopRecord,
    StopSearch,
    StopState,
)
from signals.erp_reads import AlternateWorkCentre, StockLine
from signals.errors import BadInput
from signals.events import StateEvent
from signals.ids import downtime_workflow_id, exception_workflow_id
from signals.packml import MachineState
from signals.upkeep import AdjustCapacity, CloseDowntime, OpenDowntime
from tests.workflows.bench import LINE, PRESS, eventually
from tests.workflows.stop_bench import ORDER, StopBench, UpkeepErp, demand, stop_bench

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
LADDER = [
    {"timer": "response", "after_minutes": 0, "roles": ["operator"]},
    {"timer": "response", "after_minutes": 0.02, "roles": ["maintenance"]},
    {"timer": "response", "after_minutes": 0.04, "roles": ["supervisor"]},
    {"timer": "resolution", "after_minutes": 0.05, "roles": ["planner"]},
]


Opener = Callable[..., AbstractAsyncContextManager[StopBench]]


@pytest.fixture
def open_stops(temporal_client: Client, plant_ledger: SqlLedger) -> Opener:
    def open_(**keywords: Any) -> AbstractAsyncContextManager[StopBench]:
        return stop_bench(temporal_client, plant_ledger, **keywords)

    return open_


@pytest_asyncio.fixture(loop_scope="session")
async def bench(open_stops: Opener) -> AsyncIterator[StopBench]:
    async with open_stops() as found:
        yield found


def calls_of(record: StopRecord, timer: str) -> list[int]:
    return [r.level for r in record.rungs if r.timer == timer and r.fired_at is not None]


async def test_a_stop_is_acknowledged_explained_told_to_maintenance_and_closes_itself(bench: StopBench) -> None:
    await bench.stands()
    record = await bench.until_stop(lambda r: calls_of(r, "response") == [1])
    assert (record.state, record.parts[0].status, record.owner_role) == (
        StopState.OPEN, ReasonStatus.UNKNOWN, "maintenance",
    )  # fmt: skip
    await bench.done(AcknowledgeStop)
    await bench.done(ClassifyStop, reason="jam", user="operator-1", role="operator")
    record = await bench.until_stop(lambda r: r.notification)
    assert (record.state, record.assigned_to) == (StopState.ACKNOWLEDGED, "fitter-1")
    [opened] = bench.upkeep.told(OpenDowntime)
    assert (opened.asset, opened.breakdown, opened.reason) == ("PRESS-7", True, "jam")
    assert "CC-100" in opened.text
    end = datetime.now(UTC)
    await bench.tell(end=end)
    record = await bench.ended()
    assert record.state is StopState.CLOSED
    [closed] = bench.upkeep.told(CloseDowntime)
    assert (closed.notification, closed.ended_at) == (record.notification, end)
    [part] = record.parts
    assert (part.reason, part.by, part.cost_centre, part.order) == ("jam", "operator-1", "CC-100", ORDER)
    assert sum((p.seconds or Decimal(0) for p in record.parts), Decimal(0)) == Decimal(
        str((end - bench.since).total_seconds())
    )
    known = await bench.ledger.stop(bench.id, LINE, bench.stop)
    assert known is not None
    assert [e.number for e in known.history] == list(range(1, len(known.history) + 1))


async def test_an_alarm_of_the_plants_patterns_explains_a_stop_by_itself(bench: StopBench) -> None:
    bench.alarm = "E17"
    await bench.stands()
    record = await bench.until_stop(lambda r: r.notification)
    assert (record.parts[0].reason, record.parts[0].by, record.parts[0].machine_reason) == ("jam", "", "E17")
    await bench.done(RecodeStop, part=1, reason="material", comment="the feeder was empty, the jam came of it")
    await bench.tell(end=datetime.now(UTC))
    record = await bench.ended()
    [part] = record.parts
    assert (part.reason, part.machine_reason, part.cost_centre) == ("material", "E17", "CC-200")
    assert any(e.what == "recoded" and "jam became material" in e.text for e in record.history)


async def test_a_closed_stop_is_re_coded_by_its_process_that_comes_back_and_nothing_else(bench: StopBench) -> None:
    bench.alarm = "E17"
    await bench.stands()
    await bench.until_stop(lambda r: r.notification)
    await bench.tell(end=datetime.now(UTC))
    first = await bench.ended()
    assert first.state is StopState.CLOSED
    told = len(bench.upkeep.booked_upkeep)
    answer = await bench.act(AcknowledgeStop)
    assert (answer.accepted, answer.message) == (False, "it is closed: it is only re-coded, part by part, or commented")
    await bench.done(RecodeStop, part=1, reason="material", comment="the feeder was empty, the jam came of it")
    record = await bench.ended()
    [part] = record.parts
    assert (record.state, part.reason, part.cost_centre, part.by) == (
        StopState.CLOSED, "material", "CC-200", "fitter-1",
    )  # fmt: skip
    assert any(e.what == "recoded" and "the ERP is not told" in e.text for e in record.history)
    assert (record.closed_at, len(bench.upkeep.booked_upkeep)) == (first.closed_at, told)
    await bench.done(CommentStop, comment="seen by quality")
    known = await bench.ledger.stop(bench.id, LINE, bench.stop)
    assert known is not None and known.parts == record.parts
    assert [e.number for e in known.history] == list(range(1, len(known.history) + 1))


async def test_a_stop_that_was_over_before_it_became_known_wakes_nobody(bench: StopBench) -> None:
    await bench.stands(end=bench.since + 60 * SECOND)
    record = await bench.until_stop(lambda r: r.state is StopState.ENDED)
    assert not [r for r in record.rungs if r.fired_at is not None]
    assert {r.timer for r in record.rungs} == {"classification"} and record.due_at is not None
    assert record.due_at > datetime.now(UTC)
    await bench.done(ClassifyStop, reason="material")
    assert (await bench.ended()).state is StopState.CLOSED


async def test_each_step_of_the_ladder_calls_once_and_none_after_the_acknowledgement(
    open_stops: Opener,
) -> None:
    async with open_stops(rung=LADDER, acknowledge_minutes=30) as bench:
        await bench.stands()
        record = await bench.until_stop(lambda r: calls_of(r, "response") == [1, 2])
        await bench.done(AcknowledgeStop)
        record = await bench.until_stop(lambda r: calls_of(r, "resolution") == [1])
        assert calls_of(record, "response") == [1, 2]
        late = [(r.fired_at - r.due_at) for r in record.rungs if r.fired_at is not None]
        assert all(timedelta(0) <= x <= 5 * SECOND for x in late), late
        told = [f"{e.text}" for e in record.history if e.what == "called"]
        assert len(told) == len(set(told)) == 3


async def test_an_acknowledgement_expires_and_the_ladder_begins_anew(
    open_stops: Opener,
) -> None:
    async with open_stops(rung=LADDER[:1], acknowledge_minutes=0.02) as bench:
        await bench.stands()
        await bench.until_stop(lambda r: calls_of(r, "response") == [1])
        await bench.done(AcknowledgeStop)
        record = await bench.until_stop(lambda r: calls_of(r, "response") == [1, 1])
        assert (await bench.until_stop(lambda r: r.state is StopState.OPEN)).assigned_to == "fitter-1"
        assert len({r.armed_at for r in record.rungs if r.fired_at is not None}) == 2


async def test_a_shelved_stop_calls_nobody_before_its_time(bench: StopBench) -> None:
    await bench.stands()
    await bench.until_stop(lambda r: calls_of(r, "response") == [1])
    too_long = await bench.act(ShelveStop, until=datetime.now(UTC) + 20 * HOUR, comment="waiting for the spare part")
    assert not too_long.accepted and "longer" in too_long.message
    until = datetime.now(UTC) + HOUR
    await bench.done(ShelveStop, until=until, comment="waiting for the spare part")
    record = await bench.record()
    assert record.shelved_until == until
    assert all(r.due_at >= until for r in record.rungs if r.fired_at is None)


async def test_a_split_gives_each_part_its_reason_and_they_sum_to_the_stop(bench: StopBench) -> None:
    cut = bench.since + 20 * SECOND
    end = bench.since + 61 * SECOND
    await bench.stands(end=end)
    await bench.done(ClassifyStop, reason="jam")
    nowhere = await bench.act(SplitStop, at=end + SECOND, reason="material")
    assert not nowhere.accepted and "inside none" in nowhere.message
    await bench.done(SplitStop, at=cut, reason="material")
    record = await bench.ended()
    assert [(p.reason, p.started_at, p.ended_at) for p in record.parts] == [
        ("jam", bench.since, cut), ("material", cut, end),
    ]  # fmt: skip
    assert sum((p.seconds or Decimal(0) for p in record.parts), Decimal(0)) == 61


async def test_refusals_name_the_object_and_change_nothing(bench: StopBench) -> None:
    await bench.stands()
    before = await bench.until_stop(lambda r: calls_of(r, "response") == [1])
    refusals: tuple[tuple[type[Any], dict[str, Any], str], ...] = (
        (ClassifyStop, {"reason": "gremlins"}, "jam, material, break"),
        (ClassifyStop, {"reason": "jam", "part": 9}, "no part 9"),
        (ClassifyStop, {"reason": "jam", "user": "auditor-1", "role": "auditor"}, "may not classify"),
        (SplitStop, {"at": bench.since - SECOND}, "inside none"),
        (JoinStop, {"into": "never"}, "no stop never"),
        (CommentStop, {}, "empty"),
        (CloseStop, {}, "still stands"),
        (DecideCapacity, {"approve": True, "role": "planner"}, "no capacity change"),
        (DecideReallocation, {"approve": True, "role": "planner"}, "no reallocation"),
        (EstimateRecovery, {"recovery_at": bench.since}, "in the past"),
    )
    for kind, fields, said in refusals:
        answer = await bench.act(kind, **fields)
        assert not answer.accepted and said in answer.message, (kind, answer.message)
    after = await bench.record()
    assert (after.history, after.parts) == (before.history, before.parts)
    with pytest.raises(BadInput, match="no stop"):
        bench.since -= SECOND
        await bench.act(AcknowledgeStop)
    bench.since += SECOND


async def test_planning_learns_of_less_capacity_after_an_approval_and_again_when_the_line_runs(
    bench: StopBench,
) -> None:
    bench.alarm = "E17"
    await bench.stands()
    first, second = (datetime.now(UTC).replace(microsecond=0) + n * HOUR for n in (3, 5))
    await bench.done(EstimateRecovery, recovery_at=first, available_percent=Decimal(20))
    assert not bench.upkeep.told(AdjustCapacity)
    stale = await bench.act(DecideCapacity, approve=True, recovery_at=second, user="planner-1", role="planner")
    assert not stale.accepted and "changed" in stale.message
    await bench.done(DecideCapacity, approve=True, recovery_at=first, user="planner-1", role="planner")
    await bench.until_stop(lambda r: r.capacity is CapacityState.POSTED)
    [told] = bench.upkeep.told(AdjustCapacity)
    assert (told.ends_at, told.available_percent, told.work_centre) == (first, Decimal(20), "P1")
    await bench.done(EstimateRecovery, recovery_at=second, available_percent=Decimal(0))
    await bench.done(DecideCapacity, approve=True, recovery_at=second, user="planner-1", role="planner")
    await eventually(lambda: _ends(bench), lambda ends: ends == [second])
    await bench.tell(end=datetime.now(UTC))
    record = await bench.ended()
    assert record.capacity is CapacityState.WITHDRAWN
    assert not bench.upkeep.told(AdjustCapacity) and [w.ends_at for w in bench.upkeep.withdrawn] == [first, second]


async def _ends(bench: StopBench) -> list[datetime]:
    return [t.ends_at for t in bench.upkeep.told(AdjustCapacity)]


async def test_after_an_outage_of_the_erp_only_what_still_counts_is_sent(bench: StopBench) -> None:
    bench.alarm = "E17"
    bench.erp.away = True
    await bench.stands()
    recovery = datetime.now(UTC) + HOUR
    await bench.done(EstimateRecovery, recovery_at=recovery)
    await bench.done(DecideCapacity, approve=True, recovery_at=recovery, user="planner-1", role="planner")
    await bench.until_stop(lambda r: any(p.what == "capacity" for p in r.postings))
    end = datetime.now(UTC)
    await bench.tell(end=end)
    await bench.until_stop(lambda r: r.state is StopState.ENDED)
    bench.erp.away = False
    record = await bench.ended(60)
    assert record.capacity is CapacityState.WITHDRAWN
    assert not bench.upkeep.told(AdjustCapacity) and not bench.upkeep.withdrawn
    [opened], [closed] = bench.upkeep.told(OpenDowntime), bench.upkeep.told(CloseDowntime)
    assert (opened.started_at, closed.ended_at) == (bench.since, end)


async def test_what_the_erp_refuses_is_a_case_and_the_stop_waits_for_it(
    open_stops: Opener,
) -> None:
    erp = UpkeepErp(refuses={OpenDowntime})
    async with open_stops(erp=erp) as bench:
        bench.alarm = "E17"
        await bench.stands(end=bench.since + 60 * SECOND)
        record = await bench.until_stop(lambda r: any(p.state == "failed" for p in r.postings))
        bench.workflows.add(exception_workflow_id(bench.id, record.postings[0].key))
        answer = await bench.act(CloseStop)
        assert not answer.accepted and "notification" in answer.message
        assert (await bench.record()).state is StopState.ENDED


async def test_late_customers_get_proposals_that_a_planner_approves(bench: StopBench) -> None:
    soon = datetime.now(UTC) + HOUR
    bench.upkeep.demands = [demand("ACME", 8, soon), demand("LATER", 5, soon + 100 * HOUR)]
    bench.upkeep.on_hand = [
        StockLine(material="HOUSING-1", quantity=Decimal(5), storage_location="FG02"),
        StockLine(material="HOUSING-1", quantity=Decimal(50), storage_location="QC", kind=StockKind.BLOCKED),
    ]
    bench.upkeep.others = [AlternateWorkCentre(work_centre="P2")]
    await bench.stands()
    await bench.done(EstimateRecovery, recovery_at=soon + 5 * HOUR)
    record = await bench.until_stop(lambda r: r.reallocations)
    assert [(r.quantity, r.source, r.late_customer) for r in record.reallocations] == [
        (Decimal(5), "stock FG02", "ACME"), (Decimal(3), "line P2", "ACME"),
    ]  # fmt: skip
    assert (record.impact.order, record.impact.customer, record.impact.pieces_at_risk) == (ORDER, "ACME", Decimal(20))
    forbidden = await bench.act(DecideReallocation, approve=True)
    assert not forbidden.accepted
    await bench.done(DecideReallocation, approve=True, user="planner-1", role="planner")
    assert {r.state for r in (await bench.record()).reallocations} == {"approved"}


async def test_a_closed_stop_that_trips_again_goes_on_as_the_same_stop(bench: StopBench) -> None:
    bench.alarm = "E17"
    await bench.stands(end=bench.since + 30 * SECOND)
    await bench.ended()
    again = bench.fact(end=None, retrips=1)
    await bench.write(again)
    assert [s.stop for s in await _open(bench)] == [bench.stop]
    await bench.client.start_workflow(
        "Downtime", {"plant": bench.id, "line": LINE, "stop": bench.stop}, id=bench.workflow_id,
        task_queue=f"plantwright.{bench.id}",
    )  # fmt: skip
    record = await bench.until_stop(lambda r: r.state is StopState.OPEN)
    await bench.tell(end=bench.since + 61 * SECOND)
    record = await bench.ended()
    assert len(bench.upkeep.told(OpenDowntime)) == 1 and record.state is StopState.CLOSED


async def test_what_ended_is_booked_only_when_the_lines_events_have_passed_the_window(bench: StopBench) -> None:
    bench.alarm = "E17"
    await bench.stands(end=bench.since + 30 * SECOND, settled=False)  # by the clock its window is over long since
    await bench.until_stop(lambda r: r.state is StopState.ENDED and r.fact.settled is False)
    early = await bench.act(CloseStop)
    assert not early.accepted and "do not reach past the merge window" in early.message
    await bench.tell(end=None, retrips=1, settled=False)  # it had tripped again while its events were on their way
    last = bench.since + 50 * SECOND
    await bench.tell(end=last, retrips=1, settled=False)
    await bench.tell(end=last, retrips=1, settled=True)
    assert (await bench.ended()).state is StopState.CLOSED
    assert [t.ended_at for t in bench.upkeep.told(CloseDowntime)] == [last]


async def _open(bench: StopBench) -> list[StopRecord]:
    return await bench.ledger.stops(bench.id, StopSearch())


async def test_short_runs_change_nothing(bench: StopBench) -> None:
    await bench.stands(history_limit=25)
    await bench.until_stop(lambda r: calls_of(r, "response") == [1])
    await bench.done(AcknowledgeStop)
    for n in range(12):
        await bench.done(CommentStop, comment=f"still at it {n}")
    repeated = await bench.act(CommentStop, comment="once", action_id="same")
    assert await bench.act(CommentStop, comment="once", action_id="same") == repeated
    await bench.done(ClassifyStop, reason="material")
    await bench.tell(end=datetime.now(UTC))
    record = await bench.ended()
    known = await bench.record()
    assert [e.number for e in known.history] == list(range(1, len(known.history) + 1))
    assert [e.text for e in known.history if e.what == "comment"][-1] == "once"
    assert calls_of(record, "response") == [1]
    assert len(await bench.runs(bench.workflow_id)) > 2


async def test_machines_that_stand_make_a_stop_by_the_line_itself(bench: StopBench) -> None:
    """From the gateway's events: the Line finds the stop, writes it down, starts its process, and tells its end."""
    feed = bench.feed

    def state(value: MachineState) -> None:
        feed.now += SECOND
        name = f"{feed.source}-{feed.seq + 1}"
        feed.add(StateEvent(event_id=name, at=feed.now, equipment=PRESS, tag="State", state=value))

    feed.order(ORDER)
    state(MachineState.EXECUTE)
    feed.make(3)
    state(MachineState.ABORTED)
    began = feed.now
    await feed.send()
    await feed.pass_time(90)
    bench.since = began
    bench.workflows.add(downtime_workflow_id(bench.id, LINE, bench.stop))
    await eventually(lambda: bench.ledger.stop(bench.id, LINE, bench.stop), bool)
    record = await bench.until_stop(lambda r: r.history)
    assert (record.parts[0].order, record.fact.stretches[0].state) == (ORDER, MachineState.ABORTED)
    state(MachineState.EXECUTE)
    await feed.pass_time(200)
    record = await bench.until_stop(lambda r: r.state is StopState.ENDED)
    assert record.fact.ended_at == began + 91 * SECOND
    await bench.done(ClassifyStop, reason="material")
    record = await bench.ended()
    assert [p.seconds for p in record.parts] == [Decimal(91)]
