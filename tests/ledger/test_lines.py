"""A Line's checkpoint, outbox and events are stored together, once, and no event feeds two reports."""

from __future__ import annotations

from decimal import Decimal

from ledger.store import SqlLedger
from signals.holds import HoldCause, HoldReason, HoldScope, HoldTrigger
from signals.reports import ParkedWhy, Refusal
from tests.ledger.examples import LINE, ORDER, PLANT, START, event, operation_end, order, record, report


def names(messages: tuple) -> list[str]:
    return [message.report.report_id for message in messages if message.report]


async def test_checkpoint_and_outbox_are_stored_in_one_step(ledger: SqlLedger) -> None:
    refusal = Refusal(rule="program-end/1", at=START, order=ORDER, detail="no program end", event_ids=("e9",))
    stored = await ledger.record_line(
        record(1, report("r1", 1, events=("e1",)), operation_end(2), events=(event(1, "e1"),), refusals=(refusal,))
    )
    assert stored is None
    checkpoint = await ledger.load_line(PLANT, LINE)
    assert checkpoint is not None
    assert (checkpoint.revision, checkpoint.checkpoint) == (1, "state 1")
    messages = (await ledger.load_order(PLANT, ORDER)).messages
    assert [message.number for message in messages] == [1, 2]
    assert messages[0] == report("r1", 1, events=("e1",))
    assert await ledger.refusals(PLANT, order=ORDER) == [refusal]
    assert await ledger.refusals(PLANT, order="another") == []


async def test_repeated_record_is_answered_alike_and_stored_once(ledger: SqlLedger) -> None:
    first = record(
        1,
        report("r1", 1, events=("e1",), yielded="3"),
        refusals=(Refusal(rule="x/1", at=START, order=ORDER, detail="d"),),
        events=(event(1, "e1"),),
    )
    assert await ledger.record_line(first) is None
    assert await ledger.record_line(first) is None
    again = first.model_copy(update={"revision": 2, "checkpoint": "state 2"})
    assert await ledger.record_line(again) is None
    assert names((await ledger.load_order(PLANT, ORDER)).messages) == ["r1"]
    assert len(await ledger.refusals(PLANT)) == 1
    assert await ledger.parked(PLANT) == []


async def test_older_record_gets_the_newer_checkpoint_and_stores_nothing(ledger: SqlLedger) -> None:
    await ledger.record_line(record(5))
    stands = await ledger.record_line(record(4, report("late", 1)))
    assert stands is not None
    assert (stands.revision, stands.checkpoint) == (5, "state 5")
    other = record(5, report("other", 1)).model_copy(update={"checkpoint": "another life of this Line"})
    stands = await ledger.record_line(other)
    assert stands is not None
    assert stands.checkpoint == "state 5"
    assert (await ledger.load_order(PLANT, ORDER)).messages == ()


async def test_report_that_uses_an_event_again_is_parked_and_left_out(ledger: SqlLedger) -> None:
    await ledger.record_line(record(1, report("r1", 1, events=("e1", "e2"), yielded="2")))
    await ledger.record_line(record(2, report("r2", 2, events=("e2", "e3"), yielded="2")))
    assert names((await ledger.load_order(PLANT, ORDER)).messages) == ["r1"]
    (item,) = await ledger.parked(PLANT, order=ORDER)
    assert item.why is ParkedWhy.OVERLAPPING_REPORT
    assert "r1" in item.detail
    assert "r2" in item.detail
    assert item.yield_quantity == Decimal(2)
    assert item.evidence[0].event_ids == ("e2",)
    # The withheld report has not used up what only it cited.
    await ledger.record_line(record(3, report("r3", 3, events=("e3",), yielded="1")))
    assert names((await ledger.load_order(PLANT, ORDER)).messages) == ["r1", "r3"]


async def test_one_event_cannot_feed_reports_of_two_lines(ledger: SqlLedger) -> None:
    await ledger.record_line(record(1, report("r1", 1, events=("e1",))))
    await ledger.record_line(record(1, report("r2", 1, events=("e1",), line="line-2"), line="line-2"))
    assert names((await ledger.load_order(PLANT, ORDER)).messages) == ["r1"]


async def test_counters_that_interleave_in_one_range_are_no_overlap(ledger: SqlLedger) -> None:
    await ledger.record_line(
        record(
            1,
            report("good", 1, events=("g1", "g2"), ranges=((1, 9),), yielded="2"),
            report("bad", 2, events=("b1",), ranges=((2, 8),), scrapped="1", reason="scratch"),
            report("other station", 3, events=("h1",), ranges=((1, 9),), yielded="1", operation="0020"),
        )
    )
    assert len((await ledger.load_order(PLANT, ORDER)).messages) == 3
    assert await ledger.parked(PLANT) == []


async def test_ranges_judge_where_a_report_names_no_events(ledger: SqlLedger) -> None:
    await ledger.record_line(
        record(
            1,
            report("r1", 1, ranges=((1, 10),), yielded="2"),
            report("scrap", 2, ranges=((1, 10),), scrapped="1", reason="scratch"),
            report("dent", 3, ranges=((1, 10),), scrapped="1", reason="dent"),
            report("next", 4, ranges=((11, 20),), yielded="2"),
            report("again", 5, ranges=((10, 10),), yielded="1"),
            report("with events", 6, events=("e1",), ranges=((20, 21),), yielded="1"),
        )
    )
    assert names((await ledger.load_order(PLANT, ORDER)).messages) == ["r1", "scrap", "dent", "next"]
    assert {item.detail.split()[1] for item in await ledger.parked(PLANT)} == {"again", "with"}


async def test_another_message_under_a_taken_number_does_not_vanish(ledger: SqlLedger) -> None:
    await ledger.record_line(record(1, report("r1", 1, events=("e1",)), operation_end(2)))
    await ledger.record_line(record(2, report("r2", 1, events=("e2",), yielded="4"), operation_end(2, "0020")))
    items = await ledger.parked(PLANT)
    assert sorted(item.yield_quantity for item in items) == [Decimal(0), Decimal(4)]
    assert all(item.why is ParkedWhy.OVERLAPPING_REPORT for item in items)


async def test_messages_come_by_line_and_number(ledger: SqlLedger) -> None:
    await ledger.record_line(record(1, report("b2", 2, line="b"), report("b10", 10, line="b"), line="b"))
    await ledger.record_line(record(1, report("a1", 1, line="a"), line="a"))
    assert names((await ledger.load_order(PLANT, ORDER)).messages) == ["a1", "b2", "b10"]


def deviation(name: str) -> HoldTrigger:
    reason = HoldReason(reason=f"r-{name}", cause=HoldCause.LIMIT, text="force too high", found_at=START)
    scope = HoldScope(plant=PLANT, line=LINE, station="press", order=ORDER, operation="0010")
    return HoldTrigger(trigger=name, scope=scope, reason=reason, at=START)


async def test_a_deviation_blocks_its_scope_in_the_transaction_that_stores_the_checkpoint(ledger: SqlLedger) -> None:
    await ledger.take_order(order())
    with_hold = record(1).model_copy(update={"holds": (deviation("t1"),)})
    assert await ledger.record_line(with_hold) is None
    assert await ledger.record_line(with_hold) is None
    (block,) = await ledger.blocks(PLANT, order=ORDER)
    assert block.scope.material == order().material, "the machine does not know it, moves of stock name it"
    assert [b.hold for b in await ledger.blocks(PLANT, material=block.scope.material)] == [block.hold]
    opened = await ledger.open_hold(deviation("t1"))
    assert (opened.hold, opened.news) == (block.hold, False)


async def test_a_record_that_is_not_stored_blocks_nothing(ledger: SqlLedger) -> None:
    await ledger.record_line(record(5))
    late = record(4).model_copy(update={"holds": (deviation("t1"),)})
    assert await ledger.record_line(late) is not None
    assert await ledger.blocks(PLANT, order=ORDER) == []
