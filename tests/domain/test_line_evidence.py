"""What a Line does with what it cannot believe, what people tell it, and the second evidence it asks for."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from domain.line import KEPT_ORDERS, WHOLE_LINE, LineBook
from domain.line_state import EvidenceCheck, LineState
from signals.decisions import AssignOrder, DecideParked
from signals.events import CountEvent, GapEvent, OrderAspect, OrderEvent, Quality, SequencedEvent, StateEvent
from signals.packml import MachineState
from signals.reports import ParkedItem, ParkedWhy
from tests.domain.floor import (
    LINE,
    PLANT,
    SOURCE,
    START,
    STATIONS,
    Floor,
    batch_of,
    book,
    busy,
    ends,
    heartbeat,
    messages,
    parked,
    plant,
    reports,
    run,
    station,
)

# --- counters that cannot be believed --------------------------------------------------------------------------


def counts(line: LineBook, *totals: tuple[float, int], tag: str = "Good", order: str | None = "A") -> LineBook:
    known = line.state.sources.get(SOURCE)
    seq = (known.high_water if known else 0) + 1
    events: list[SequencedEvent] = []
    if order is not None:
        event = OrderEvent(
            event_id=f"o{seq}", at=START, equipment="press", tag="Order", aspect=OrderAspect.ORDER, value=order
        )
        events.append(SequencedEvent(seq=seq, event=event))
    for number, (seconds, total) in enumerate(totals, start=seq + len(events)):
        event = CountEvent(
            event_id=f"c{number}",
            at=START + timedelta(seconds=seconds),
            equipment="press",
            tag=tag,
            counter=tag,
            total=total,
        )
        events.append(SequencedEvent(seq=number, event=event))
    line.ingest(batch_of(events, watermark=events[-1].event.at))
    return line


def test_an_implausible_jump_is_parked_with_its_pieces_and_accepting_it_reports_them() -> None:
    line = counts(book(), (1, 100), (2, 101), (3, 90_101), (4, 90_102))
    line.hand_over("A")
    assert sum(r.yield_quantity for r in reports(line)) == 2
    jump = next(i for i in parked(line) if i.yield_quantity)
    assert (jump.why, jump.yield_quantity, jump.order) == (ParkedWhy.IMPLAUSIBLE_COUNT, 90_000, "A")
    decision = DecideParked(decision_id="d1", item=jump.item, accept=True, by="supervisor", reason="counted by hand")
    line.accept_parked(jump, decision, jump.order, jump.operation)
    accepted = reports(line)[-1]
    assert accepted.yield_quantity == 90_000
    assert accepted.evidence[0].rule == "person-decision/1"
    assert [m.number for m in messages(line)] == list(range(1, len(messages(line)) + 1))


def test_what_a_restart_leaves_in_doubt_belongs_to_the_order_it_fell_into() -> None:
    line = counts(book(), (1, 5000), (2, 5001), (30, 3))
    changed = OrderEvent(
        event_id="b",
        at=START + timedelta(seconds=40),
        equipment="press",
        tag="Order",
        aspect=OrderAspect.ORDER,
        value="B",
    )
    seq = line.state.sources[SOURCE].high_water + 1
    line.ingest(batch_of([SequencedEvent(seq=seq, event=changed)]))
    counts(line, (60, 5), order=None)
    (item,) = [i for i in parked(line) if i.yield_quantity]
    assert (item.why, item.order, item.yield_quantity) == (ParkedWhy.COUNTER_RESET, "A", 3)
    assert item.at == START + timedelta(seconds=30)


def test_a_zero_in_between_costs_nothing() -> None:
    line = counts(book(), (1, 500), (2, 501), (3, 0), (5, 502), (6, 503))
    line.hand_over("A")
    assert sum(r.yield_quantity for r in reports(line)) == 3
    assert all(i.yield_quantity == 0 for i in parked(line))


def test_a_reading_of_bad_quality_is_parked_and_changes_nothing() -> None:
    line = counts(book(), (1, 100), (2, 101))
    bad = CountEvent(
        event_id="bad",
        at=START + timedelta(seconds=3),
        equipment="press",
        tag="Good",
        counter="Good",
        total=0,
        quality=Quality.BAD,
    )
    line.ingest(batch_of([SequencedEvent(seq=4, event=bad)], watermark=bad.at))
    counts(line, (5, 102), order=None)
    line.hand_over("A")
    assert [i.why for i in parked(line)] == [ParkedWhy.BAD_QUALITY]
    assert sum(r.yield_quantity for r in reports(line)) == 2


def test_counts_stand_for_as_many_pieces_as_the_plant_says_inside_and_out() -> None:
    doubled = station("press", "0010")
    tags = tuple(
        t.model_copy(update={"counter": t.counter.model_copy(update={"per_count": Decimal(2 + (t.name == "Good"))})})
        for t in doubled.tags
        if t.counter
    )
    line = book(plant(stations=(doubled.model_copy(update={"tags": tags}),)))
    counts(line, (1, 10), (2, 12), tag="Infeed")
    counts(line, (3, 100), (4, 101), order=None)
    left = OrderEvent(
        event_id="x", at=START + timedelta(seconds=9), equipment="press", tag="Order", aspect=OrderAspect.ORDER
    )
    seq = line.state.sources[SOURCE].high_water + 1
    line.ingest(batch_of([SequencedEvent(seq=seq, event=left)], watermark=left.at))
    assert [e.in_line for e in ends(line)] == [1]
    assert sum(r.yield_quantity for r in reports(line)) == 3


def test_an_unknown_station_or_tag_is_parked() -> None:
    line = book()
    stray = CountEvent(event_id="s", at=START, equipment="paint", tag="Good", counter="Good", total=5)
    wrong = CountEvent(event_id="w", at=START, equipment="press", tag="Goods", counter="Goods", total=5)
    line.ingest(batch_of([SequencedEvent(seq=1, event=stray), SequencedEvent(seq=2, event=wrong)], watermark=START))
    assert [i.why for i in parked(line)] == [ParkedWhy.UNKNOWN_OPERATION] * 2


def test_a_lost_session_makes_every_station_unknown_not_down() -> None:
    line = book()
    running = [
        StateEvent(event_id=name, at=START, equipment=name, tag="State", state=MachineState.EXECUTE)
        for name in STATIONS
    ]
    gap = GapEvent(
        event_id="g", at=START + timedelta(seconds=5), equipment=WHOLE_LINE, tag="session", reason="lost session"
    )
    events = [SequencedEvent(seq=n, event=e) for n, e in enumerate([*running, gap], start=1)]
    line.ingest(batch_of(events, watermark=gap.at))
    assert {s.machine for s in line.state.stations.values()} == {MachineState.UNKNOWN}


# --- people ----------------------------------------------------------------------------------------------------


def assignment(order: str | None, at: datetime, **changes: str) -> AssignOrder:
    wish = AssignOrder(
        decision_id="d1", equipment="press", order=order, operation="0010", batch="B7", valid_from=at, by="planner"
    )
    return wish.model_copy(update=changes)


def test_an_assignment_counts_from_its_instant_of_event_time() -> None:
    floor, line = Floor(), book()
    for _ in range(6):
        floor.wait(10)
        floor.piece("press")
    line.assign(assignment("A", START + timedelta(seconds=35)))
    run(floor, line)
    (report,) = reports(line)
    assert (report.yield_quantity, report.bucket.order, report.bucket.batch) == (3, "A", "B7")
    assert sum(i.yield_quantity for i in parked(line)) == 3


def test_an_assignment_behind_counted_pieces_is_shown_to_a_person() -> None:
    floor, line = busy(), book()
    line.ingest(batch_of(floor.sequenced(), watermark=floor.at))
    line.assign(assignment("B", START))
    assert ParkedWhy.LATE_EVENT in [i.why for i in parked(line)]
    assert {r.bucket.order for r in reports(line)} == {"A"}


def test_handing_over_sends_what_was_counted_and_says_so_behind_it() -> None:
    floor, line = busy(2), book()
    line.ingest(batch_of(floor.sequenced(), watermark=floor.at))
    line.hand_over("A")
    line.hand_over("A")
    first, second, third = messages(line)
    assert first.report is not None and first.report.yield_quantity == 2
    assert second.hand_over is not None and third.hand_over is not None
    assert [m.number for m in messages(line)] == [1, 2, 3]


def test_accepting_pieces_without_an_order_asks_for_one_and_loses_nothing() -> None:
    floor = Floor()
    floor.piece("press")
    line = run(floor)
    (item,) = parked(line)
    decision = DecideParked(decision_id="d1", item=item.item, accept=True, by="supervisor", reason="seen")
    line.accept_parked(item, decision, "", "")
    assert messages(line) == []
    again = parked(line)[-1]
    assert again.item != item.item
    assert (again.why, again.yield_quantity) == (ParkedWhy.NO_ORDER, 1)
    line.accept_parked(again, decision, "A", "0010")
    assert [(r.bucket.order, r.yield_quantity) for r in reports(line)] == [("A", 1)]


def test_accepting_an_item_without_pieces_reports_nothing() -> None:
    item = ParkedItem(
        item="i", plant=PLANT, line=LINE, order="A", operation="0010", why=ParkedWhy.GAP, detail="", at=START
    )
    line = book()
    line.accept_parked(item, DecideParked(decision_id="d", item="i", accept=True, by="x", reason="y"), "A", "0010")
    assert messages(line) == []


# --- second evidence -------------------------------------------------------------------------------------------


def checked() -> tuple[Floor, LineBook, EvidenceCheck]:
    """An order that has left the press; its end waits for a second reading."""
    floor, line = busy(), book(plant(second_evidence=True))
    floor.wait(5)
    floor.order("press", "")
    line.ingest(batch_of(floor.sequenced(), watermark=floor.at))
    line.state.checks = [c for c in line.state.checks if c.end is not None]
    (check,) = line.state.checks
    assert ends(line) == []
    return floor, line, check


def answer(floor: Floor, check: EvidenceCheck, seconds: float = 0, **changes: int) -> None:
    check.attempts += 1
    check.readings = {tag: floor.total("press", tag) for tag in ("Infeed", "Good", "Reject")} | changes
    check.read_at = floor.at + timedelta(seconds=seconds)


def test_every_changeover_asks_for_a_second_reading() -> None:
    floor, line = busy(), book(plant(second_evidence=True))
    floor.order("press", "B")
    line.ingest(batch_of(floor.sequenced(), watermark=floor.at))
    assert [(c.station, c.order, c.end is not None) for c in line.state.checks] == [
        ("press", "A", False),
        ("press", "A", True),
        ("press", "B", False),
    ]


def test_an_end_waits_until_the_watermark_has_passed_the_second_reading() -> None:
    floor, line, check = checked()
    answer(floor, check, seconds=3)
    line.settle_checks()
    assert ends(line) == []
    line.ingest(heartbeat(len(floor.events), floor.at + timedelta(seconds=3)))
    line.settle_checks()
    assert [e.second_evidence for e in ends(line)] == ["agrees"]
    assert line.state.checks == []
    assert messages(line)[-1].operation_end is not None


def test_a_difference_must_show_twice_and_is_parked_then() -> None:
    floor, line, check = checked()
    answer(floor, check, Good=200)
    line.settle_checks()
    assert (ends(line), parked(line), check.read_at) == ([], [], None)
    answer(floor, check, Good=200)
    line.settle_checks()
    (end,) = ends(line)
    assert end.second_evidence == "differs: press.Good reads 200, events say 103"
    assert [i.why for i in parked(line)] == [ParkedWhy.EVIDENCE_DISAGREES]


def test_a_piece_made_while_the_source_was_read_is_no_difference() -> None:
    floor, line, check = checked()
    answer(floor, check, Good=102)
    line.settle_checks()
    answer(floor, check)
    line.settle_checks()
    assert [e.second_evidence for e in ends(line)] == ["agrees"]


@pytest.mark.parametrize(("reading", "agrees"), [(103, True), (150, False)])
def test_a_station_that_has_gone_on_is_compared_with_what_the_reading_allows(reading: int, agrees: bool) -> None:
    floor, line, check = checked()
    answer(floor, check, Good=reading)
    before = len(floor.events)
    floor.wait(10)
    floor.piece("press")
    line.ingest(batch_of(floor.sequenced()[before:], watermark=floor.at))
    line.settle_checks()
    if not agrees:
        check.attempts, check.readings, check.read_at = 2, {"Good": reading}, floor.at - timedelta(seconds=10)
        line.settle_checks()
    (end,) = ends(line)
    assert (end.second_evidence == "agrees") is agrees


def test_a_source_that_does_not_answer_is_said_to_be_unavailable() -> None:
    _, line, check = checked()
    line.give_up_check(check)
    assert [e.second_evidence for e in ends(line)] == ["unavailable"]
    assert line.state.checks == []


# --- state -----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_state_stays_constant_in_size_over_ten_thousand_pieces() -> None:
    floor, line, sizes = Floor(), book(plant(quantity=50)), []
    for name in STATIONS:
        floor.order(name, "A")
    sent = 0
    for block in range(50):
        for _ in range(100):
            for name in STATIONS:
                floor.wait(0.5)
                floor.piece(name)
        if block % 10 == 9:
            floor.order("press", f"order-{block}")
        events = floor.sequenced()[sent:]
        line.ingest(batch_of(events, watermark=floor.at))
        sent += len(events)
        line.take_news()
        line.state.outbox.clear()
        sizes.append(len(line.state.model_dump_json()))
    assert max(sizes[25:]) < 1.1 * max(sizes[:25]) + 100


def test_a_line_forgets_the_numbers_of_silent_orders_and_never_those_of_one_at_work() -> None:
    line = book()
    line.hand_over("long-running")
    for n in range(KEPT_ORDERS + 50):
        line.hand_over(f"short-{n}")
        if n % 100 == 0:
            line.hand_over("long-running")
        line.take_news()
    assert len(line.state.numbers) == KEPT_ORDERS
    line.hand_over("long-running")
    mine = [m.number for m in messages(line) if m.order == "long-running"]
    assert mine == list(range(1, len(mine) + 1))


def test_news_are_taken_once_and_the_revision_counts_the_records() -> None:
    line = run(busy(7))
    assert line.has_news()
    news = line.take_news()
    assert [m.number for m in news.messages] == [1, 2]
    assert len(news.events) == len(busy(7).events)
    assert (line.has_news(), line.state.revision) == (False, 1)
    assert len(line.state.outbox) == 2


def test_a_line_that_the_plant_file_does_not_name_is_refused() -> None:
    with pytest.raises(ValueError, match="has no line line-9"):
        LineBook(LineState(plant=PLANT, line="line-9"), plant())
