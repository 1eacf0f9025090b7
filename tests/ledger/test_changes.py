"""Live pages hear of every change of what they show, by topic and plant, and of nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ledger.port import LineRecord
from ledger.store import SqlLedger
from signals.decisions import DecideParked
from signals.downtime import StopFact, StopStretch, TimeClass
from signals.holds import HoldCause, HoldReason, HoldScope, HoldTrigger
from signals.reports import ParkedItem, ParkedWhy
from tests.ledger.examples import LINE, ORDER, PLANT, START, hand_entry, order


def trigger(name: str) -> HoldTrigger:
    reason = HoldReason(reason=name, cause=HoldCause.MANUAL, text="dents", found_at=START)
    scope = HoldScope(plant=PLANT, line=LINE, order=ORDER)
    return HoldTrigger(trigger=name, scope=scope, reason=reason, quantity=Decimal(1), at=START)


async def test_each_change_is_seen_in_its_topic_and_in_no_other(ledger: SqlLedger) -> None:
    parked = ParkedItem(item="item-1", plant=PLANT, line=LINE, why=ParkedWhy.GAP, detail="a gap", at=START)
    decision = DecideParked(decision_id="d-1", item="item-1", accept=False, by="supervisor-1", reason="seen")
    line = LineRecord(plant=PLANT, line=LINE, revision=1, checkpoint="{}")
    steps = [
        ("orders", lambda: ledger.take_order(order())),
        ("orders", lambda: ledger.set_phase(PLANT, ORDER, "running")),
        ("holds", lambda: ledger.open_hold(trigger("t-1"))),
        ("holds", lambda: ledger.open_hold(trigger("t-2"))),
        ("cases", lambda: ledger.open_case(hand_entry())),
        ("cases", lambda: ledger.note_rung(PLANT, hand_entry().case_id, 1, ("planner",))),
        ("cases", lambda: ledger.close_case(PLANT, hand_entry().case_id, "gone")),
        ("parked", lambda: ledger.park((parked,))),
        ("parked", lambda: ledger.decide_parked(PLANT, decision)),
        ("lines", lambda: ledger.record_line(line)),
        ("lines", lambda: ledger.record_line(line.model_copy(update={"revision": 2}))),
    ]
    other = await ledger.change_marks("another-plant")
    before = await ledger.change_marks(PLANT)
    for topic, step in steps:
        await step()
        after = await ledger.change_marks(PLANT)
        assert {name for name in after if after[name] != before[name]} == {topic}, topic
        assert await ledger.change_marks(PLANT) == after
        before = after
    assert await ledger.change_marks("another-plant") == other
    assert datetime.now(UTC) > START


async def test_a_stop_is_heard_of_when_its_line_tells_it_and_when_its_process_does(ledger: SqlLedger) -> None:
    stretch = StopStretch(started_at=START, time_class=TimeClass.STOP)
    fact = StopFact(stop="s1", plant=PLANT, line=LINE, version=1, started_at=START, as_of=START, stretches=(stretch,))
    before = await ledger.change_marks(PLANT)
    await ledger.record_line(LineRecord(plant=PLANT, line=LINE, revision=1, checkpoint="{}", stops=(fact,)))
    told = await ledger.change_marks(PLANT)
    record = await ledger.stop(PLANT, LINE, "s1")
    assert record is not None
    await ledger.record_stop(record.model_copy(update={"revision": 1, "assigned_to": "fitter-1"}))
    after = await ledger.change_marks(PLANT)
    assert [marks["stops"] for marks in (before, told, after)] == ["0/None/None", "1/0/1", "1/1/1"]
    assert {name for name in after if after[name] != told[name]} == {"stops"}
