"""The Line: however its events arrive, it reports what was really made, once, and leaves the rest to a person."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.line import LineBook
from signals.events import CountEvent, SequencedEvent
from signals.reports import ParkedWhy
from tests.domain.floor import (
    START,
    STATIONS,
    Floor,
    batch_of,
    book,
    booked,
    busy,
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


def test_a_shifts_pieces_are_handed_over_when_it_ends() -> None:
    floor, line = Floor(), book(plant(minutes=60))
    floor.at = START.replace(hour=13, minute=55)
    floor.order("press", "A")
    floor.piece("press")
    line.ingest(batch_of(floor.sequenced(), watermark=START.replace(hour=13, minute=59)))
    assert reports(line) == []
    line.ingest(heartbeat(len(floor.events), START.replace(hour=14, minute=0)))
    assert len(reports(line)) == 1


@pytest.mark.parametrize("beats", [(), (11,), (11, 12)])
def test_numbers_follow_event_time_however_often_the_watermark_moves(beats: tuple[int, ...]) -> None:
    """The press's window ends before the weld changes over, whether anybody looked at the clock then or not."""
    floor, line = Floor(), book(plant(minutes=10))
    for name in STATIONS:
        floor.order(name, "A")
    floor.piece("weld")
    floor.wait(1)
    floor.piece("press")
    floor.wait(60)
    floor.piece("weld")
    line.ingest(batch_of(floor.sequenced()))
    for minutes in beats:
        line.ingest(heartbeat(len(floor.events), START + timedelta(minutes=minutes)))
    sent = len(floor.events)
    floor.at = START + timedelta(minutes=13)
    floor.order("press", "")
    line.ingest(batch_of(floor.sequenced()[sent:], watermark=floor.at))
    assert [(m.number, m.report.bucket.operation if m.report else "end") for m in messages(line)] == [
        (1, "0020"),
        (2, "0010"),
        (3, "end"),
    ]


def test_an_empty_line_still_hands_over_at_the_end_of_its_window() -> None:
    floor, line = busy(2), book(plant(minutes=10))
    line.ingest(batch_of(floor.sequenced(), watermark=floor.at))
    line.ingest(heartbeat(len(floor.events), floor.at + timedelta(minutes=9)))
    assert reports(line) == []
    line.ingest(heartbeat(len(floor.events), floor.at + timedelta(minutes=10)))
    assert [r.yield_quantity for r in reports(line)] == [2]
