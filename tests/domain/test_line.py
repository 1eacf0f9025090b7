"""The Line: however its events arrive, it reports what was really made, once, and leaves the rest to a person."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    booked,
    ends,
    heartbeat,
    messages,
    ordered,
    parked,
    plant,
    reborn,
    reports,
    run,
    station,
)

# --- any cutting of the same stream ----------------------------------------------------------------------------

ACTIONS = (
    "good",
    "good",
    "good",
    "scrap",
    "enter",
    "order",
    "batch",
    "lot",
    "reason",
    "origin",
    "person",
    "wait",
    "long",
)


@st.composite
def floors(draw: st.DrawFn) -> Floor:
    floor = Floor()
    for name in STATIONS:
        if draw(st.booleans()):
            floor.order(name, "A")
    for action in draw(st.lists(st.sampled_from(ACTIONS), min_size=5, max_size=45)):
        name = draw(st.sampled_from(sorted(STATIONS)))
        value = draw(st.sampled_from(["A", "B", ""]))
        match action:
            case "good" | "scrap":
                floor.piece(name, good=action == "good")
            case "enter":
                floor.enter(name)
            case "wait" | "long":
                floor.wait(draw(st.integers(1, 40 if action == "wait" else 30_000)))
            case _:
                getattr(floor, action)(name, value)
        floor.wait(draw(st.sampled_from([0, 0, 0.2, 3])))
    return floor


@st.composite
def deliveries(draw: st.DrawFn, floor: Floor) -> LineBook:
    """The floor's events in batches of any size, repeated, rewound, with any true watermark, across checkpoints."""
    events, line, sent = floor.sequenced(), book(), 0
    while sent < len(events):
        upto = draw(st.integers(sent + 1, len(events)))
        following = events[upto].event.at if upto < len(events) else floor.at
        watermark = draw(st.sampled_from([None, following, following - timedelta(seconds=7)]))
        first = draw(st.integers(0, sent))
        batch = batch_of(events[first:upto], watermark=watermark)
        ahead = draw(st.booleans()) and upto + 1 < len(events)
        if ahead:
            hasty = line.ingest(batch_of(events[upto + 1 :], watermark=floor.at))
            assert (hasty.applied, hasty.high_water) == (False, sent)
        for _ in range(draw(st.integers(1, 2))):
            assert line.ingest(batch).high_water == upto
        sent = upto
        if draw(st.booleans()):
            line = reborn(line)
    line.ingest(heartbeat(len(events), floor.at + timedelta(days=2)))
    return line


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_reports_are_the_truth_for_any_cutting_of_the_stream(data: st.DataObject) -> None:
    floor = data.draw(floors())
    line = data.draw(deliveries(floor))
    assert booked(line) == ordered(floor.truth)
    without = sum(sum(v) for k, v in floor.truth.items() if not k[0])
    assert sum(i.yield_quantity + i.scrap_quantity for i in parked(line)) == without


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_reports_their_ids_and_numbers_do_not_depend_on_how_events_arrived(data: st.DataObject) -> None:
    floor = data.draw(floors())
    one, other = data.draw(deliveries(floor)), data.draw(deliveries(floor))
    assert reports(one) == reports(other)
    assert [(e.number, e.order, e.operation, e.ended_at, e.in_line) for e in ends(one)] == [
        (e.number, e.order, e.operation, e.ended_at, e.in_line) for e in ends(other)
    ]
    assert [i.item for i in parked(one)] == [i.item for i in parked(other)]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_numbers_per_order_are_contiguous_and_ids_unique(data: st.DataObject) -> None:
    line = data.draw(deliveries(data.draw(floors())))
    numbers: dict[str, list[int]] = defaultdict(list)
    for message in messages(line):
        numbers[message.order].append(message.number)
    assert all(given_ == list(range(1, len(given_) + 1)) for given_ in numbers.values())
    ids = [r.report_id for r in reports(line)]
    assert len(set(ids)) == len(ids)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_an_operations_end_comes_after_all_its_reports_with_what_is_left_inside(data: st.DataObject) -> None:
    floor = data.draw(floors())
    for name in STATIONS:
        floor.wait(1)
        floor.order(name, "Z")
    line = data.draw(deliveries(floor))
    inside: dict[tuple[str, str], int] = defaultdict(int)
    for end in ends(line):
        inside[end.operation, end.order] += end.in_line
        later = [m.report for m in messages(line) if m.order == end.order and m.number > end.number and m.report]
        assert all(r.bucket.operation != end.operation or r.first_at >= end.ended_at for r in later)
    truth = {(STATIONS[name], order): left for (name, order), left in floor.inside.items() if order}
    assert {k: v for k, v in inside.items() if v} == {k: v for k, v in truth.items() if v}


# --- taking in -------------------------------------------------------------------------------------------------


def busy(pieces: int = 3) -> Floor:
    floor = Floor()
    floor.order("press", "A")
    for _ in range(pieces):
        floor.wait(1)
        floor.piece("press")
    return floor


def test_a_hole_asks_for_the_rest_and_applies_nothing() -> None:
    floor, line = busy(), book()
    events = floor.sequenced()
    line.ingest(batch_of(events[:4]))
    before = line.state.model_dump_json()
    receipt = line.ingest(batch_of(events[6:], watermark=floor.at))
    assert (receipt.applied, receipt.high_water) == (False, 4)
    assert line.state.model_dump_json() == before


def test_what_the_sender_can_never_send_again_is_a_recorded_gap() -> None:
    floor, line = busy(), book()
    events = floor.sequenced()
    line.ingest(batch_of(events[:4]))
    receipt = line.ingest(batch_of(events[6:], watermark=floor.at, oldest_seq=7))
    assert (receipt.applied, receipt.high_water) == (True, len(events))
    (gap,) = parked(line)
    assert gap.why is ParkedWhy.GAP
    assert [(r.first_seq, r.last_seq) for r in gap.ranges] == [(5, 6)]


def test_only_what_is_gone_for_good_becomes_a_gap() -> None:
    """Events 5 and 6 are gone, but 7 can still be sent: the Line asks for it instead of writing it off."""
    floor, line = busy(), book()
    events = floor.sequenced()
    line.ingest(batch_of(events[:4]))
    receipt = line.ingest(batch_of(events[8:], watermark=floor.at, oldest_seq=7))
    assert (receipt.applied, receipt.high_water, parked(line)) == (False, 4, [])


def test_a_gap_without_any_date_waits_for_one() -> None:
    line = book()
    undated = heartbeat(9, START).model_copy(update={"watermark": None, "oldest_seq": 10})
    assert not line.ingest(undated).applied
    assert line.ingest(undated.model_copy(update={"sent_at": START})).applied
    assert [i.why for i in parked(line)] == [ParkedWhy.GAP]


def test_pieces_behind_a_gap_are_counted_from_the_totals() -> None:
    floor, line = busy(6), book()
    events = floor.sequenced()
    line.ingest(batch_of(events[:9]))
    line.ingest(batch_of(events[13:], watermark=floor.at + timedelta(days=1), oldest_seq=14))
    assert booked(line) == ordered(floor.truth)


def test_an_event_from_the_future_is_parked_and_the_next_total_holds_its_pieces() -> None:
    floor, line = busy(), book(plant(future_seconds=60))
    ahead = CountEvent(
        event_id="ahead", at=floor.at + timedelta(hours=5), equipment="press", tag="Good", counter="Good", total=104
    )
    events = [*floor.sequenced(), SequencedEvent(seq=len(floor.events) + 1, event=ahead)]
    line.ingest(batch_of(events, sent_at=floor.at, watermark=floor.at))
    (item,) = parked(line)
    assert (item.why, item.order, item.yield_quantity) == (ParkedWhy.EVENT_FROM_THE_FUTURE, "", 0)
    later = floor.at + timedelta(seconds=5)
    real = ahead.model_copy(update={"event_id": "real", "at": later})
    line.ingest(batch_of([SequencedEvent(seq=len(events) + 1, event=real)], watermark=later + timedelta(days=1)))
    assert sum(r.yield_quantity for r in reports(line)) == 4


def test_nothing_is_decided_before_the_watermark() -> None:
    floor, line = busy(20), book()
    line.ingest(batch_of(floor.sequenced()))
    assert messages(line) == []
    line.ingest(heartbeat(len(floor.events), START + timedelta(seconds=5)))
    assert sum(r.yield_quantity for r in reports(line)) == 5


def test_two_log_files_are_two_sources_and_each_is_taken_once() -> None:
    floor, line = busy(4), book()
    events = floor.sequenced()
    line.ingest(batch_of(events[:8], watermark=events[7].event.at))
    rest = [SequencedEvent(seq=n, event=e.event) for n, e in enumerate(events[8:], start=1)]
    second = batch_of(rest, source="edge-1/log-b", watermark=floor.at + timedelta(days=1))
    for _ in range(3):
        line.ingest(second)
    assert booked(line) == ordered(floor.truth)


# --- context ---------------------------------------------------------------------------------------------------


def test_stations_change_over_one_after_the_other() -> None:
    floor = Floor()
    for name in STATIONS:
        floor.order(name, "A")
    for name in ("press", "press", "weld"):
        floor.piece(name)
    floor.wait(5)
    floor.order("press", "B")
    floor.piece("press")
    floor.piece("weld")
    floor.wait(5)
    floor.order("weld", "B")
    floor.piece("weld")
    line = run(floor)
    made = {(r.bucket.order, r.bucket.operation): r.yield_quantity for r in reports(line)}
    assert made == {("A", "0010"): 2, ("A", "0020"): 2, ("B", "0010"): 1, ("B", "0020"): 1}
    assert [(e.order, e.operation) for e in ends(line)] == [("A", "0010"), ("A", "0020")]


def test_pieces_without_an_order_are_parked_with_their_evidence_and_never_guessed() -> None:
    floor = Floor()
    floor.piece("press")
    floor.piece("press", good=False)
    floor.wait(2)
    floor.order("press", "A")
    floor.piece("press")
    line = run(floor)
    (item,) = parked(line)
    assert (item.why, item.order, item.yield_quantity, item.scrap_quantity) == (ParkedWhy.NO_ORDER, "", 1, 1)
    assert set(item.evidence[0].event_ids) == {"e8", "e10"}
    assert sum(r.yield_quantity for r in reports(line)) == 1


def test_an_order_without_a_known_operation_is_parked() -> None:
    floor = Floor()
    floor.order("press", "A")
    floor.piece("press")
    line = run(floor, book(plant(stations=(station("press", ""), station("weld", "0020")))))
    (item,) = parked(line)
    assert (item.why, item.order, item.yield_quantity) == (ParkedWhy.UNKNOWN_OPERATION, "A", 1)


@pytest.mark.parametrize(
    ("what", "good"), [("batch", True), ("lot", True), ("person", True), ("reason", False), ("origin", False)]
)
def test_a_report_never_mixes(what: str, good: bool) -> None:
    floor = Floor()
    floor.order("press", "A")
    for value in ("X", "Y", "X"):
        getattr(floor, what)("press", value)
        floor.piece("press", good=good)
    line = run(floor)
    assert booked(line) == ordered(floor.truth)
    assert len(booked(line)) == 2


def test_a_reject_reason_does_not_touch_good_pieces() -> None:
    floor = Floor()
    floor.order("press", "A")
    floor.reason("press", "SCRATCH")
    floor.piece("press")
    (report,) = reports(run(floor))
    assert report.bucket.reason == ""


@pytest.mark.parametrize("hour", [6, 14, 22])
def test_a_shift_change_cuts_to_the_second(hour: int) -> None:
    floor = Floor()
    floor.order("press", "A")
    change = START.replace(hour=hour, minute=0)
    floor.at = change - timedelta(milliseconds=200)
    floor.piece("press")
    floor.at = change
    floor.piece("press")
    first, second = reports(run(floor))
    assert first.last_at < change <= second.first_at
    assert first.bucket.shift != second.bucket.shift
    assert (first.bucket.posting_date != second.bucket.posting_date) == (hour == 6)


def test_an_empty_line_still_hands_over_at_the_end_of_its_window() -> None:
    floor, line = busy(2), book(plant(minutes=10))
    line.ingest(batch_of(floor.sequenced(), watermark=floor.at))
    line.ingest(heartbeat(len(floor.events), floor.at + timedelta(minutes=9)))
    assert reports(line) == []
    line.ingest(heartbeat(len(floor.events), floor.at + timedelta(minutes=10)))
    assert [r.yield_quantity for r in reports(line)] == [2]


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
        t.model_copy(update={"counter": t.counter.model_copy(update={"per_count": Decimal(2)})})
        if t.counter and t.name == "Infeed"
        else t
        for t in doubled.tags
    )
    line = book(plant(stations=(doubled.model_copy(update={"tags": tags}),)))
    counts(line, (1, 10), (2, 12), tag="Infeed")
    counts(line, (3, 100), (4, 101), (5, 102), (6, 103), order=None)
    left = OrderEvent(
        event_id="x", at=START + timedelta(seconds=9), equipment="press", tag="Order", aspect=OrderAspect.ORDER
    )
    seq = line.state.sources[SOURCE].high_water + 1
    line.ingest(batch_of([SequencedEvent(seq=seq, event=left)], watermark=left.at))
    assert [e.in_line for e in ends(line)] == [1]


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
