"""Stops: the same events give the same stops however they arrive, and every second is in exactly one of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.context import apply_context
from domain.line import LineBook
from domain.line_state import LineState
from domain.machine_time import DOWNTIME
from domain.oee import account_of
from domain.stop_account import MOST_SHIFTS, line_times
from domain.stop_incident import WANTED
from domain.stop_state import StopTracker
from domain.stops import MOST_STRETCHES, StopWatch
from signals.downtime import StopFact, StopStretch, TimeClass
from signals.events import EventBatch, GapEvent, MachineEvent
from signals.packml import MachineState
from tests.domain.stop_floor import (
    EXECUTE,
    HELD,
    IDLE,
    START,
    SUSPENDED,
    UNKNOWN,
    Script,
    at,
    parts,
    play,
    seconds_of,
    sequenced,
    stop_book,
    stop_plant,
    told,
)

MINUTE = 60
STOPPED = MachineState.STOPPED


def classes(fact: StopFact) -> list[tuple[TimeClass, float | None]]:
    return [(s.time_class, (s.ended_at - s.started_at).total_seconds() if s.ended_at else None) for s in fact.stretches]


# --- scenarios -----------------------------------------------------------------------------------------------------
def test_a_breakdown_is_one_stop_with_its_first_fault() -> None:
    script = Script().runs().alarm(95, "weld", "501").state(100, "weld", MachineState.HOLDING).state(101, "weld", HELD)
    script.alarm(110, "pack", "9").state(100 + 20 * MINUTE, "weld", EXECUTE)
    (fact,) = play(script)
    assert (fact.started_at, fact.ended_at, fact.micro) == (at(100), at(100 + 20 * MINUTE), False)
    assert classes(fact) == [(TimeClass.STOP, 1), (TimeClass.STOP, 1199)]
    assert [(a.code, a.first) for a in fact.alarms] == [("501", True), ("9", False)]
    assert {s.machine_reason for s in fact.stretches} == {"501"}
    assert {(s.station, s.order, s.operation) for s in fact.stretches} == {("weld", "A", "0020")}


def test_a_stop_is_told_when_it_outlives_the_threshold_and_again_when_it_ends() -> None:
    line = stop_book()
    events = sequenced(Script().runs().state(100, "weld", HELD).state(400, "weld", EXECUTE).events)
    for watermark, expected in ((99, []), (159, []), (160, [None]), (300, [None]), (400, [None]), (401, [None, 400])):
        ready = tuple(e for e in events if e.event.at <= at(watermark) and e.seq > _high(line))
        first = _high(line) + 1
        last = first + len(ready) - 1
        batch = EventBatch(source="s", first_seq=first, last_seq=last, events=ready, watermark=at(watermark))
        line.ingest(batch)
        line.take_news()
        assert [f.ended_at for f in line.state.stop_outbox] == [e and at(e) for e in expected]
    assert [f.version for f in line.state.stop_outbox] == [1, 2]
    assert [f.as_of for f in line.state.stop_outbox] == [at(160), at(401)]


def test_a_stop_is_over_for_good_when_the_lines_time_has_passed_its_window() -> None:
    line = stop_book()
    events = sequenced(Script().runs().state(100, "weld", HELD).state(400, "weld", EXECUTE).events)
    line.ingest(EventBatch(source="s", first_seq=1, last_seq=len(events), events=tuple(events), watermark=at(401)))
    for watermark, expected in ((520, []), (521, [True]), (9000, [])):
        line.take_news()
        line.ingest(EventBatch(source="s", first_seq=9, last_seq=8, watermark=at(watermark)))
        assert [f.settled for f in line.state.new_stops] == expected
    assert [(f.ended_at, f.settled) for f in line.state.stop_outbox] == [(at(400), False), (at(400), True)]
    old = LineBook(LineState(plant=line.state.plant, line=line.state.line), line.plant, settling=False)
    old.ingest(EventBatch(source="s", first_seq=1, last_seq=len(events), events=tuple(events), watermark=at(9000)))
    assert [f.settled for f in old.state.stop_outbox] == [None], "a run from before promises nothing"


def test_a_stop_that_another_follows_is_over_for_good() -> None:
    script = Script().runs().state(100, "weld", HELD).state(400, "weld", EXECUTE).state(450, "weld", STOPPED)
    first, second = play(script, stop_plant(planned=["stopped"]))
    assert (first.settled, second.settled, second.ended_at) == (True, False, None)


def _high(line: LineBook) -> int:
    return line.state.sources["s"].high_water if "s" in line.state.sources else 0


def test_a_stop_that_is_over_when_its_events_arrive_is_told_once() -> None:
    line = stop_book()
    events = sequenced(Script().runs().state(100, "weld", HELD).state(4000, "weld", EXECUTE).events)
    line.ingest(EventBatch(source="s", first_seq=1, last_seq=len(events), events=tuple(events), watermark=at(9000)))
    assert [f.ended_at for f in line.take_news().stops] == [at(4000)]


def test_shorter_stops_are_micro_stops_and_nobody_is_asked() -> None:
    script = Script().runs()
    for n in range(3):
        script.state(100 + 300 * n, "weld", HELD).state(159 + 300 * n, "weld", EXECUTE)
    facts = play(script)
    assert [(f.micro, (f.ended_at or START) - f.started_at) for f in facts] == [(True, timedelta(seconds=59))] * 3
    assert [(p.time_class, p.status.value) for f in facts for p in parts(f)] == [("micro_stop", "classified")] * 3
    script.state(2000, "weld", HELD).state(2060, "weld", EXECUTE)
    assert [f.micro for f in play(script)] == [True] * 3 + [False]


def test_a_re_trip_within_the_window_is_the_same_stop_and_what_ran_between_is_no_downtime() -> None:
    script = Script().runs().state(100, "weld", HELD).state(400, "weld", EXECUTE)
    script.state(520, "weld", HELD).state(530, "weld", EXECUTE).state(651, "weld", HELD).state(660, "weld", EXECUTE)
    first, second = play(script)
    assert (first.retrips, first.ended_at) == (1, at(530))
    assert classes(first) == [(TimeClass.STOP, 300), (TimeClass.RUNNING, 120), (TimeClass.STOP, 10)]
    assert second.micro and second.started_at == at(651)


def test_short_trips_after_a_stop_belong_to_it_and_do_not_prolong_its_window() -> None:
    script = Script().runs().state(100, "weld", HELD).alarm(100, "weld", "7").state(400, "weld", EXECUTE)
    script.state(480, "weld", HELD).state(490, "weld", EXECUTE).state(560, "weld", HELD).state(900, "weld", EXECUTE)
    first, second = play(script)
    assert (first.ended_at, first.retrips, second.started_at) == (at(490), 1, at(560))


def test_a_break_soon_after_a_breakdown_is_no_re_trip_of_it_nor_the_other_way_round() -> None:
    plant = stop_plant(planned=["stopped"])
    script = Script().runs().state(100, "weld", HELD).state(400, "weld", EXECUTE).state(450, "weld", STOPPED)
    script.state(900, "weld", EXECUTE).state(950, "weld", HELD).state(1100, "weld", EXECUTE)
    facts = play(script, plant)
    assert [(f.started_at, f.ended_at) for f in facts] == [
        (at(100), at(400)), (at(450), at(900)), (at(950), at(1100)),
    ]  # fmt: skip
    assert [f.retrips for f in facts] == [0, 0, 0]


def test_what_is_short_and_unexplained_within_a_stop_asks_nobody() -> None:
    plant = stop_plant(planned=["stopped"], reason=[{"id": "jam", "alarms": ["7"]}])
    script = Script().runs().state(100, "weld", HELD).alarm(100, "weld", "7").state(400, "weld", EXECUTE)
    script.state(450, "weld", HELD).state(455, "weld", EXECUTE)
    (fact,) = play(script, plant)
    assert [(p.time_class, p.reason) for p in parts(fact, plant=plant)] == [
        (TimeClass.STOP, "jam"), (TimeClass.RUNNING, ""), (TimeClass.MICRO_STOP, ""),
    ]  # fmt: skip
    script = Script().runs().state(100, "weld", STOPPED).state(900, "weld", HELD).state(902, "weld", EXECUTE)
    (fact,) = play(script, plant)
    (whole,) = parts(fact, plant=plant)
    assert (whole.time_class, whole.reason, seconds_of([whole])) == (TimeClass.PLANNED, "planned", 802)


def test_short_trips_that_make_a_stop_together_are_for_people_to_explain() -> None:
    script = Script().runs().state(100, "weld", HELD).gap(130, 140).state(140, "weld", HELD).state(180, "weld", EXECUTE)
    (fact,) = play(script)
    assert not fact.micro
    assert {p.status.value for p in parts(fact) if p.time_class is TimeClass.STOP} == {"unknown"}


def test_a_neighbours_fault_is_counted_once_and_named() -> None:
    script = Script().runs().state(100, "press", HELD).alarm(100, "press", "P7").state(190, "weld", SUSPENDED)
    script.state(1000, "press", EXECUTE).state(1030, "weld", EXECUTE)
    (fact,) = play(script)
    assert (fact.started_at, fact.ended_at) == (at(190), at(1030))
    assert [(s.time_class, s.station, s.alarm) for s in fact.stretches] == [
        (TimeClass.STARVED, "press", "P7"),
        (TimeClass.STARVED, "weld", "P7"),
    ]
    assert fact.alarms[0].station == "press"


@pytest.mark.parametrize(
    ("neighbour", "tags", "expected"),
    [
        ("press", {}, TimeClass.STARVED),
        ("pack", {}, TimeClass.BLOCKED),
        ("", {}, TimeClass.STARVED),
        ("", {"Blocked": "true"}, TimeClass.BLOCKED),
        ("pack", {"Starved": "1"}, TimeClass.STARVED),
    ],
)
def test_waiting_is_for_the_one_before_or_behind(neighbour: str, tags: dict[str, str], expected: TimeClass) -> None:
    script = Script().runs()
    for tag, value in tags.items():
        script.tag(1, tag, value)
    if neighbour:
        script.state(90, neighbour, MachineState.ABORTED)
    (fact,) = play(script.state(100, "weld", SUSPENDED))
    assert [s.time_class for s in fact.stretches] == [expected]


def test_an_idle_station_without_an_order_is_planned_and_with_one_it_stands() -> None:
    script = Script().runs().state(100, "weld", IDLE).order(400, "weld", "").state(900, "weld", EXECUTE)
    (fact,) = play(script)
    assert classes(fact) == [(TimeClass.STOP, 300), (TimeClass.PLANNED, 500)]
    (other,) = play(script, stop_plant(without_order="stop"))
    assert [s.time_class for s in other.stretches] == [TimeClass.STOP] * 2


def test_modes_and_words_are_setup_and_planned_time() -> None:
    plant = stop_plant(setup=["die change"], planned_modes=["2"])
    script = Script().runs().tag(100, "StopReason", "Die Change").state(100, "weld", HELD).tag(400, "Mode", "2")
    script.state(500, "weld", EXECUTE).tag(600, "Mode", "1").state(601, "weld", EXECUTE)
    (fact,) = play(script, plant)
    assert classes(fact) == [(TimeClass.SETUP, 300), (TimeClass.PLANNED, 100), (TimeClass.PLANNED, 100)]
    assert fact.stretches[0].machine_reason == "Die Change"


def test_ten_alarms_in_ten_minutes_are_one_stop_with_a_mark_and_few_facts() -> None:
    line = stop_book()
    script = Script().runs().state(100, "weld", HELD)
    for n in range(60):
        script.alarm(105 + 5 * n, "weld", f"{n}")
    events = sequenced(script.events)
    facts: list[StopFact] = []
    for e in events:
        batch = EventBatch(source="s", first_seq=e.seq, last_seq=e.seq, events=(e,), watermark=e.event.at)
        line.ingest(batch)
        facts += line.take_news().stops
    assert [(f.version, f.flood) for f in facts] == [(1, True)]
    line.ingest(EventBatch(source="s", first_seq=len(events) + 1, last_seq=len(events), watermark=at(5000)))
    fact = facts[-1]
    assert (len({f.stop for f in facts}), fact.chatter) == (1, False)
    assert line.state.stops.incident is not None
    assert line.state.stops.incident.alarm_count == 60
    assert len(line.state.stops.incident.alarms) == 20


def test_one_alarm_three_times_in_a_minute_chatters() -> None:
    script = Script().runs().state(100, "weld", HELD)
    for n in range(3):
        script.alarm(110 + 30 * n, "weld", "7").alarm(115 + 30 * n, "weld", "7", active=False)
    (fact,) = play(script)
    assert (fact.chatter, fact.flood, fact.alarm_count) == (True, False, 3)
    slow = Script().runs().state(100, "weld", HELD)
    for n in range(3):
        slow.alarm(110 + 31 * n, "weld", "7")
    assert [f.chatter for f in play(slow)] == [False]


def test_no_data_is_no_downtime_and_stops_on_both_sides_of_it_are_one() -> None:
    script = Script().runs().state(100, "weld", HELD).gap(300, 5000).state(5000, "weld", HELD)
    (fact,) = play(script.state(5020, "weld", EXECUTE))
    assert classes(fact) == [(TimeClass.STOP, 200), (TimeClass.NO_DATA, 4700), (TimeClass.STOP, 20)]
    assert [p.time_class for p in parts(fact) if p.time_class is not TimeClass.NO_DATA] == [TimeClass.STOP] * 2


def test_no_data_at_the_end_or_alone_makes_no_stop_longer_and_none_at_all() -> None:
    script = Script().runs().state(100, "weld", HELD).gap(300, 5000).state(5000, "weld", EXECUTE)
    (fact,) = play(script.gap(6000, 9000).state(9000, "weld", EXECUTE))
    assert (fact.ended_at, classes(fact)) == (at(300), [(TimeClass.STOP, 200)])
    assert play(Script().state(0, "weld", UNKNOWN, "UNAVAILABLE").state(5000, "weld", EXECUTE)) == []


def test_a_session_that_flaps_hides_no_stop() -> None:
    script = Script().runs().state(100, "weld", HELD)
    for n in range(10):
        script.gap(140 + 50 * n, 145 + 50 * n).state(145 + 50 * n, "weld", HELD)
    (fact,) = play(script)
    assert not fact.micro and fact.started_at == at(100)


def test_a_stop_in_too_many_pieces_is_told_as_two() -> None:
    script = Script().runs()
    for n in range(3 * MOST_STRETCHES):
        script.state(100 + 10 * n, "weld", HELD, "a" if n % 2 else "b")
    facts = play(script.state(100 + 30 * MOST_STRETCHES, "weld", EXECUTE))
    assert [len(f.stretches) for f in facts] == [MOST_STRETCHES] * 3
    assert all(a.ended_at == b.started_at for a, b in pairwise(facts))


def test_a_checkpoint_from_before_stops_loads_and_goes_on() -> None:
    line = stop_book()
    events = sequenced(Script().runs().state(100, "weld", HELD).events)
    line.ingest(EventBatch(source="s", first_seq=1, last_seq=len(events), events=tuple(events), watermark=at(120)))
    old = line.state.model_dump(mode="json", exclude={"stops", "stop_outbox", "new_stops"})
    young = LineBook(LineState.model_validate(old), line.plant)
    young.ingest(EventBatch(source="s", first_seq=8, last_seq=7, watermark=at(500)))
    (fact,) = young.state.stop_outbox
    assert (fact.started_at, fact.stretches[0].order, fact.ended_at) == (at(120), "A", None)


# --- properties ----------------------------------------------------------------------------------------------------
SECONDS = st.one_of(st.integers(0, 400), st.integers(0, 40_000), st.sampled_from([0, 60, 120]))
NAMES = st.sampled_from(["press", "weld", "weld", "weld", "pack"])
STATES = st.sampled_from([EXECUTE, EXECUTE, HELD, SUSPENDED, IDLE, UNKNOWN, MachineState.STOPPED, MachineState.ABORTED])


@st.composite
def scripts(draw: st.DrawFn) -> list[MachineEvent]:
    """Anything a line may do; ends running."""
    script = Script()
    now = 0
    for _ in range(draw(st.integers(1, 25))):
        now += draw(SECONDS)
        what = draw(st.sampled_from(["state"] * 5 + ["alarm", "order", "tag", "gap"]))
        name = draw(NAMES)
        if what == "state":
            script.state(now, name, draw(STATES), draw(st.sampled_from(["", "x"])))
        elif what == "alarm":
            script.alarm(now, name, draw(st.sampled_from(["1", "2"])))
        elif what == "order":
            script.order(now, name, draw(st.sampled_from(["", "A", "B"])))
        elif what == "tag":
            script.tag(now, draw(st.sampled_from(["Starved", "Blocked", "StopReason"])), draw(st.sampled_from("01")))
        else:
            since, now = now, now + draw(st.integers(1, 400))
            script.gap(since, now, draw(st.sampled_from(["*", "weld", "press"])))
            if draw(st.booleans()):
                script.state(now, "weld", draw(STATES))
    script.state(now + draw(SECONDS) + 1, "weld", EXECUTE)
    return script.events


def at_once(events: list[MachineEvent], until: datetime) -> LineBook:
    line = stop_book()
    batch = EventBatch(
        source="edge-1", first_seq=1, last_seq=len(events), events=tuple(sequenced(events)), watermark=until
    )
    line.ingest(batch)
    return line


@settings(max_examples=200, deadline=None)
@given(scripts(), st.data())
def test_stops_are_the_same_whatever_the_batches_the_sources_and_the_restarts(
    events: list[MachineEvent], data: st.DataObject
) -> None:
    end = events[-1].at + timedelta(hours=1)
    whole = at_once(events, end)
    expected = told(whole)
    # Each station has a gateway of its own; whole-line gaps come by the first.
    sources: dict[str, list[MachineEvent]] = {}
    for event in events:
        sources.setdefault(event.equipment if event.equipment != "*" else "press", []).append(event)
    queues = {name: sequenced(queue) for name, queue in sources.items()}
    sent = dict.fromkeys(queues, 0)
    line = stop_book()
    shuffled = {f.event.event_id: f for q in queues.values() for f in q}
    assert len(shuffled) == len(events)
    while any(sent[n] < len(q) for n, q in queues.items()):
        name = data.draw(st.sampled_from(sorted(n for n, q in queues.items() if sent[n] < len(q))))
        size = data.draw(st.integers(1, 8))
        chunk = queues[name][sent[name] : sent[name] + size]
        sent[name] += len(chunk)
        # Nothing is settled that any source still has something to say about.
        floor = min(
            (_begin(e.event) for n, q in queues.items() for e in q[sent[n] :]), default=events[-1].at
        ) - timedelta(microseconds=data.draw(st.sampled_from([0, 1, 30_000_000])))
        watermark = floor if data.draw(st.booleans()) else None
        line.ingest(
            EventBatch(
                source=name,
                first_seq=chunk[0].seq,
                last_seq=chunk[-1].seq,
                events=tuple(chunk),
                watermark=watermark,
            )
        )
        if data.draw(st.booleans()):
            line = LineBook(LineState.model_validate_json(line.state.model_dump_json()), line.plant)
    line.advance(end)
    assert told(line) == expected
    for stop, fact in expected.items():
        said = [f.settled for f in line.state.stop_outbox if f.stop == stop]
        assert fact.micro or (said[-1] and not any(said[:-1])), "over for good once, and nothing after it"
    assert known_time(line) == known_time(whole)
    micros = sum(int(seconds * 1_000_000) for found in times_of(whole).values() for seconds in found.values())
    assert len(times_of(whole)) == MOST_SHIFTS or micros == (end - events[0].at) // timedelta(microseconds=1)


def times_of(line: LineBook) -> dict[str, dict[TimeClass, Decimal]]:
    return line_times(line.state.stops, line.plant)


def known_time(line: LineBook) -> dict[str, dict[TimeClass, Decimal]]:
    """Without missing data: a watermark from before the first event begins with some."""
    return {
        shift: {c: s for c, s in found.items() if c is not TimeClass.NO_DATA} for shift, found in times_of(line).items()
    }


def test_the_account_of_a_shift_is_what_ran_what_nobody_knows_and_its_stops() -> None:
    line = stop_book()
    script = Script().runs().state(3600, "weld", HELD).state(7200, "weld", EXECUTE)
    script.gap(9000, 9900).state(9900, "weld", EXECUTE).state(10_000, "weld", HELD).state(10_030, "weld", EXECUTE)
    events = sequenced(script.events)
    line.ingest(EventBatch(source="s", first_seq=1, last_seq=len(events), events=tuple(events), watermark=at(80_000)))
    times = line_times(line.state.stops, line.plant)
    assert times["2026-03-28/night"] == {
        TimeClass.RUNNING: Decimal(23_400 - 3600 - 900 - 30),
        TimeClass.STOP: Decimal(3630),
        TimeClass.NO_DATA: Decimal(900),
    }
    shift = account_of(
        times["2026-03-28/night"],
        [p for f in told(line).values() for p in parts(f) if p.shift == "2026-03-28/night"],
    )
    assert (shift.total, shift.pbt, shift.of(TimeClass.MICRO_STOP)) == (23_400, 22_500, 30)


def _begin(event: MachineEvent) -> datetime:
    return event.gap_from if isinstance(event, GapEvent) and event.gap_from is not None else event.at


@settings(max_examples=200, deadline=None)
@given(scripts())
def test_every_second_is_in_one_stop_at_most_and_parts_sum_to_it_exactly(events: list[MachineEvent]) -> None:
    end = events[-1].at + timedelta(hours=1)
    facts = list(told(at_once(events, end)).values())
    timeline = stretches(events, end)
    # The line's time has no hole, and what it stood is what the stops hold, second by second.
    assert all(a.ended_at == b.started_at for a, b in pairwise(timeline))
    assert stood(timeline) == stood([s for f in facts for s in f.stretches])
    threshold, merge = timedelta(seconds=60), timedelta(seconds=120)
    for fact in facts:
        assert fact.ended_at is not None
        assert (fact.stretches[0].started_at, fact.stretches[-1].ended_at) == (fact.started_at, fact.ended_at)
        assert all(a.ended_at == b.started_at for a, b in pairwise(fact.stretches))
        assert fact.stretches[0].time_class in DOWNTIME and fact.stretches[-1].time_class in DOWNTIME
        standing = sum(
            (s.ended_at - s.started_at for s in fact.stretches if s.time_class in DOWNTIME and s.ended_at), timedelta()
        )
        assert fact.micro == (standing < threshold)
        found = parts(fact)
        assert (found[0].started_at, found[-1].ended_at) == (fact.started_at, fact.ended_at)
        assert all(a.ended_at == b.started_at for a, b in pairwise(found))
        assert timedelta(seconds=float(seconds_of(found))) == fact.ended_at - fact.started_at
    for before, after in pairwise(facts):
        assert before.ended_at is not None and before.ended_at <= after.started_at
        tail = list(takewhile(lambda s: s.time_class in DOWNTIME, reversed(before.stretches)))
        short = before.ended_at - tail[-1].started_at < threshold
        last = max(tail, key=lambda s: (s.ended_at or s.started_at) - s.started_at)
        other = (last.time_class in WANTED) != (after.stretches[0].time_class in WANTED)
        assert before.micro or short or other or after.started_at - before.ended_at > merge


def stretches(events: list[MachineEvent], end: datetime) -> list[StopStretch]:
    """The line's time by the same rules, heard stretch by stretch."""
    heard: list[StopStretch] = []
    plant = stop_plant()
    line = stop_book(plant)
    watch = StopWatch(StopTracker(), plant, plant.lines[0], heard.append)
    contexts = line.state
    for event in events:
        if isinstance(event, GapEvent):
            watch.expect(event)
    for event in events:
        names = [s.id for s in plant.lines[0].stations] if event.equipment == "*" else [event.equipment]
        for name in names:
            config = plant.lines[0].station(name)
            assert config is not None
            known = contexts.station(name)
            known.context = apply_context(known.context, event)
            watch.take(config, event, known.context)
    watch.close_due(end)
    assert watch.tracker.current is not None
    return [*heard, watch.tracker.current.model_copy(update={"ended_at": end})]


def stood(found: list[StopStretch]) -> list[tuple[datetime, datetime | None]]:
    """When the line stood, neighbouring stretches as one."""
    spans: list[tuple[datetime, datetime | None]] = []
    for s in found:
        if s.time_class not in DOWNTIME:
            continue
        if spans and spans[-1][1] == s.started_at:
            spans[-1] = (spans[-1][0], s.ended_at)
        else:
            spans.append((s.started_at, s.ended_at))
    return spans
