"""The edge filter drops what can be rebuilt and nothing else: states, counts, alarms and order ids always pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.plant import LineConfig
from scada.filter import EdgeFilter
from scada.reading import Reading, Value
from scada.recording import Watermark, open_recording, play
from scada.translate import is_unavailable, number_of, value_text
from signals.events import (
    AlarmEvent,
    CountEvent,
    GapEvent,
    MachineEvent,
    MeasurementEvent,
    OrderEvent,
    ProgramEvent,
    Quality,
    StateEvent,
)
from signals.packml import MachineState
from workers.profile import load_profile

MAZAK = Path(__file__).parents[3] / "shared/data/nist/mazak/Mazak01-20161129-20161130.txt.gz"
START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
LINE = LineConfig.model_validate(
    {
        "id": "L1",
        "station": [
            {
                "id": "PRESS",
                "availability": "State",
                "tag": [
                    {"name": "State", "kind": "state", "states": {"ACTIVE": "execute", "READY": "idle"}},
                    {"name": "Quick", "kind": "state", "filter": {"debounce_ms": 1000}},
                    {"name": "Good", "kind": "count", "counter": {"role": "good", "bits": 16}},
                    {"name": "Signed", "kind": "count", "counter": {"role": "good", "bits": 16, "signed": True}},
                    {"name": "Force", "kind": "measurement", "unit": "N", "filter": {"deadband": "0.5"}},
                    {"name": "Heat", "kind": "measurement", "filter": {"deadband": "5", "silence_seconds": 60}},
                    {"name": "Mode", "kind": "measurement"},
                    {"name": "Check", "kind": "measurement", "filter": {"every": True}},
                    {"name": "Alarm", "kind": "alarm"},
                    {"name": "Order", "kind": "order"},
                    {"name": "Program", "kind": "program_status"},
                    {"name": "Position", "kind": "ignore"},
                ],
            }
        ],
    }
)
TAGS = {t.name: t for t in LINE.stations[0].tags}


class Edge:
    """A filter fed by seconds after the start."""

    def __init__(self, state: str = "") -> None:
        self.filter = EdgeFilter(LINE, "urn:test", state)

    def read(
        self, tag: str, second: float, value: Value, *, quality: Quality = Quality.GOOD, overflow: bool = False
    ) -> tuple[MachineEvent, ...]:
        at = START + timedelta(seconds=second)
        return self.filter.accept(Reading("PRESS", TAGS[tag], value, at, at.isoformat(), quality, overflow))

    def values(self, tag: str, *steps: tuple[float, Value]) -> list[str]:
        events = [e for second, value in steps for e in self.read(tag, second, value)]
        return [e.value for e in events if isinstance(e, MeasurementEvent)]

    def flush(self, second: float) -> tuple[MachineEvent, ...]:
        return self.filter.flush(START + timedelta(seconds=second))


def test_a_measurement_is_sent_only_when_it_moves_by_more_than_its_deadband_from_the_last_one_sent() -> None:
    sent = Edge().values("Force", (0, 10.0), (1, 10.5), (2, 10.51), (3, 10.1), (4, 10.0))
    assert sent == ["10.0", "10.51", "10.0"]


def test_text_and_numbers_without_deadband_are_sent_by_change_only() -> None:
    assert Edge().values("Mode", (0, "AUTO"), (1, "AUTO"), (2, "MANUAL"), (3, "100"), (4, "100.0")) == [
        "AUTO",
        "MANUAL",
        "100",
    ]


def test_a_tag_whose_every_check_counts_sends_equal_values_too_but_no_reading_twice() -> None:
    edge = Edge()
    assert edge.values("Check", (0, 5.0), (1, 5.0), (2, 5.0), (2, 5.0), (3, "NOK"), (4, "NOK")) == [
        "5.0",
        "5.0",
        "5.0",
        "NOK",
        "NOK",
    ]


def test_every_state_and_program_word_passes_even_when_it_repeats() -> None:
    edge = Edge()
    states = [e for s in range(4) for e in edge.read("State", s, "ACTIVE")]
    words = [e for s in range(4) for e in edge.read("Program", s, "PROGRAM_COMPLETED")]
    assert [type(e) for e in states + words] == [StateEvent] * 4 + [ProgramEvent] * 4


def test_counters_alarms_and_orders_pass_even_when_they_repeat() -> None:
    edge = Edge()
    events = [e for tag, value in (("Good", 5), ("Alarm", 7), ("Order", "4711")) for s in (0, 1, 2)
              for e in edge.read(tag, s, value)]  # fmt: skip
    assert [type(e) for e in events] == [CountEvent] * 3 + [AlarmEvent] * 3 + [OrderEvent] * 3


def test_the_same_reading_delivered_again_is_one_event() -> None:
    edge = Edge()
    assert len(edge.read("Good", 1, 5)) == 1
    assert edge.read("Good", 1, 5) == ()
    assert edge.filter.stats.dropped_by_rule["repeat"] == 1


def test_two_states_in_the_same_second_are_both_kept() -> None:
    edge = Edge()
    assert len(edge.read("State", 1, "ACTIVE") + edge.read("State", 1, "READY")) == 2


def test_lost_values_become_unknown_states_bad_measurements_and_never_a_count() -> None:
    edge = Edge()
    edge.read("Mode", 0, "AUTO")
    (state,) = edge.read("State", 1, "UNAVAILABLE")
    assert isinstance(state, StateEvent)
    assert (state.state, state.quality, state.raw) == (MachineState.UNKNOWN, Quality.BAD, "UNAVAILABLE")
    assert edge.read("Good", 1, None) == ()
    assert edge.read("Good", 2, 17, quality=Quality.BAD) == ()
    assert edge.read("Good", 3, "Unavailable") == ()


@pytest.mark.parametrize(
    ("tag", "value", "why"),
    [
        ("Good", "12x", "whole number"),
        ("Good", 1.5, "whole number"),
        ("Good", True, "true or false"),
        ("Good", -1, "does not fit"),
        ("Good", 65536, "does not fit"),
        ("Signed", -32769, "does not fit"),
        ("Good", "NaN", "whole number"),
        ("Force", "abc", "needs a number"),
        ("Force", float("nan"), "needs a number"),
        ("Force", float("inf"), "needs a number"),
    ],
)
def test_a_value_that_is_none_of_its_kind_is_listed_with_its_reason_and_is_no_event(
    tag: str, value: Value, why: str
) -> None:
    edge = Edge()
    assert edge.read(tag, 0, value) == ()
    (rejected,) = edge.filter.stats.rejected
    assert rejected.tag == tag
    assert why in rejected.reason


def test_whole_numbers_in_other_spellings_are_counts() -> None:
    edge = Edge()
    events = edge.read("Good", 0, "66.0") + edge.read("Good", 1, 67.0) + edge.read("Signed", 2, "-5")
    assert [e.total for e in events if isinstance(e, CountEvent)] == [66, 67, -5]


def test_a_stale_line_keeps_its_own_time_and_a_stale_measurement_is_dropped() -> None:
    edge = Edge()
    edge.read("State", 100, "ACTIVE")
    edge.read("Force", 100, 5.0)
    (state,) = edge.read("State", 10, "READY")
    assert state.at == START + timedelta(seconds=10)
    assert edge.read("Force", 10, 50.0) == ()
    assert edge.filter.stats.dropped_by_rule["out_of_order"] == 1


def test_an_alarm_is_raised_and_cleared_and_normal_says_nothing() -> None:
    edge = Edge()
    assert edge.read("Alarm", 0, "Normal||||") == ()
    (raised,) = edge.read("Alarm", 1, "Fault|149|||TAILSTOCK BARRIER")
    (other,) = edge.read("Alarm", 2, "Warning|12|300||LOW OIL")
    cleared = edge.read("Alarm", 4, "Normal||||")
    assert isinstance(raised, AlarmEvent)
    assert isinstance(other, AlarmEvent)
    assert (raised.code, raised.severity, raised.text, raised.active) == ("149", 900, "TAILSTOCK BARRIER", True)
    assert other.severity == 300
    assert [(e.code, e.active) for e in cleared if isinstance(e, AlarmEvent)] == [("149", False), ("12", False)]
    assert len({e.event_id for e in cleared}) == 2


def test_an_alarm_tag_lost_alone_is_told_and_clears_nothing() -> None:
    edge = Edge()
    edge.read("State", 0, "ACTIVE")
    edge.read("Alarm", 1, "Fault|149|||TAILSTOCK BARRIER")
    assert edge.read("Alarm", 3, "Unavailable||||") == ()
    (lost,) = edge.flush(4)
    assert isinstance(lost, AlarmEvent)
    assert (lost.code, lost.quality) == ("Alarm", Quality.BAD)
    assert [e.code for e in edge.read("Alarm", 5, "Normal||||") if isinstance(e, AlarmEvent)] == ["149"]


def test_a_tag_that_comes_back_before_its_station_is_told() -> None:
    edge = Edge()
    edge.read("State", 0, "ACTIVE")
    edge.read("Force", 0, 10.0)
    edge.read("Alarm", 0, "Normal||||")
    for tag in ("State", "Force", "Alarm"):
        edge.read(tag, 5, "Unavailable")
    assert edge.read("Force", 7, 10.1) + edge.read("Alarm", 7, "Normal||||") == ()
    told = edge.flush(8)
    assert [(e.tag, e.at) for e in told] == [(t, START + timedelta(seconds=7)) for t in ("Force", "Alarm")]
    assert edge.read("Force", 9, 10.2) + edge.flush(10) == ()


def test_an_alarm_code_replaces_the_one_before_and_zero_clears_it() -> None:
    edge = Edge()
    edge.read("Alarm", 0, 0)
    events = edge.read("Alarm", 1, 7) + edge.read("Alarm", 2, 9) + edge.read("Alarm", 3, 0)
    assert [(e.code, e.active) for e in events if isinstance(e, AlarmEvent)] == [
        ("7", True),
        ("7", False),
        ("9", True),
        ("9", False),
    ]


def test_debounce_drops_a_blip_by_source_time_and_sends_what_lasted_with_its_own_time() -> None:
    edge = Edge()
    assert edge.read("Quick", 0, "execute") == ()
    (first,) = edge.flush(1.5)
    assert first.at == START
    assert edge.read("Quick", 10, "held") == ()
    assert edge.filter.held_since() == START + timedelta(seconds=10)
    assert edge.read("Quick", 10.2, "execute") == ()
    assert edge.flush(60) == ()
    edge.read("Quick", 70, "held")
    (lasting,) = edge.read("Quick", 75, "execute")
    assert isinstance(lasting, StateEvent)
    assert (lasting.state, lasting.at) == (MachineState.HELD, START + timedelta(seconds=70))


def test_no_watermark_passes_a_reading_that_still_waits() -> None:
    edge = Edge()
    edge.read("Quick", 10, "held")
    assert edge.filter.watermark(START + timedelta(seconds=10.5)) < START + timedelta(seconds=10)
    edge.flush(12)
    assert edge.filter.watermark(START + timedelta(seconds=12)) == START + timedelta(seconds=12)


def test_after_a_silence_the_latest_dropped_value_is_sent_with_its_own_time() -> None:
    edge = Edge()
    edge.read("Heat", 0, 100)
    assert edge.read("Heat", 30, 102) == ()
    (beat,) = edge.flush(61)
    assert isinstance(beat, MeasurementEvent)
    assert (beat.value, beat.at) == ("102", START + timedelta(seconds=30))
    assert edge.flush(200) == ()
    assert [e.at for e in edge.read("Heat", 300, 101)] == [START + timedelta(seconds=300)]


def test_losses_of_the_same_instant_are_told_once_by_the_availability_tag() -> None:
    edge = Edge()
    edge.read("State", 0, "ACTIVE")
    edge.read("Force", 0, 10.0)
    edge.read("Mode", 0, "AUTO")
    lost = edge.read("Force", 5, "UNAVAILABLE") + edge.read("State", 5, "UNAVAILABLE") + edge.read("Mode", 5, None)
    assert [type(e) for e in lost] == [StateEvent]
    back = edge.read("Force", 9, 10.2) + edge.read("State", 9, "ACTIVE") + edge.read("Mode", 9, "AUTO")
    assert [type(e) for e in back] == [StateEvent]
    assert edge.flush(10) == ()


def test_a_tag_that_does_not_come_back_with_its_station_is_told_as_lost_with_its_own_time() -> None:
    edge = Edge()
    edge.read("State", 0, "ACTIVE")
    edge.read("Force", 0, 10.0)
    edge.read("Force", 5, "UNAVAILABLE")
    edge.read("State", 5, "UNAVAILABLE")
    edge.read("State", 9, "ACTIVE")
    (late,) = edge.read("Good", 10, 1)[:1]
    assert isinstance(late, MeasurementEvent)
    assert (late.tag, late.quality, late.at) == ("Force", Quality.BAD, START + timedelta(seconds=5))
    assert edge.values("Force", (11, 10.0)) == ["10.0"]


def test_a_tag_lost_alone_is_told_as_bad() -> None:
    edge = Edge()
    edge.read("State", 0, "ACTIVE")
    edge.read("Force", 0, 10.0)
    edge.read("Force", 5, 10.1, quality=Quality.BAD)
    (lost,) = edge.flush(6)
    assert isinstance(lost, MeasurementEvent)
    assert (lost.quality, lost.value) == (Quality.BAD, "")


def test_an_overflowed_queue_marks_counts_and_makes_states_before_it_unknown() -> None:
    edge = Edge()
    (count,) = edge.read("Good", 1, 5, overflow=True)
    gap, state = edge.read("State", 1, "READY", overflow=True)
    assert isinstance(count, CountEvent)
    assert count.overflow
    assert isinstance(gap, GapEvent)
    assert isinstance(state, StateEvent)
    assert gap.event_id != state.event_id


def test_ignored_tags_never_leave_the_floor_and_are_counted() -> None:
    edge = Edge()
    assert edge.read("Position", 0, 1.0) == ()
    assert edge.filter.stats.dropped_by_rule["ignored"] == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["State", "Quick", "Force", "Heat", "Mode", "Good", "Alarm"]),
        st.floats(min_value=-2, max_value=8, allow_nan=False),
        st.one_of(st.integers(min_value=0, max_value=12), st.just("UNAVAILABLE"), st.just("flush")),
    ),
    max_size=40,
)


@given(steps=STEPS, cut=st.integers(min_value=0, max_value=40))
@settings(max_examples=100, deadline=None)
def test_a_restart_from_the_stored_state_changes_no_event(steps: list[tuple[str, float, Value]], cut: int) -> None:
    def run(restart_at: int) -> list[str]:
        edge, second, ids = Edge(), 0.0, []
        for number, (tag, gap, value) in enumerate(steps):
            if number == restart_at:
                edge = Edge(edge.filter.state())
            second = max(0.0, second + gap)
            events = edge.flush(second) if value == "flush" else edge.read(tag, second, value)
            ids.extend(f"{e.event_id} {e.at}" for e in events)
        return ids

    assert run(cut) == run(-1)


@given(values=st.lists(st.decimals(min_value=-50, max_value=50, places=3), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_every_dropped_value_lies_within_the_deadband_of_the_last_one_sent(values: list[Decimal]) -> None:
    edge, last = Edge(), Decimal(0)
    for second, value in enumerate(values):
        for event in edge.read("Force", second, str(value)):
            assert isinstance(event, MeasurementEvent)
            last = Decimal(event.value)
        assert abs(value - last) <= Decimal("0.5")


# --- the recorded day of a mill-turn machine -----------------------------------------------------------------


class Rebuilt:
    """What somebody who only sees events knows of each tag."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.alarms: dict[str, set[str]] = {}
        self.available = True
        self.told: set[str] = set()

    def see(self, event: MachineEvent) -> None:
        if not self.available:
            self.told.add(event.tag)
        match event:
            case MeasurementEvent():
                self.values[event.tag] = "UNAVAILABLE" if event.quality is Quality.BAD else event.value
            case AlarmEvent():
                codes = self.alarms.setdefault(event.tag, set())
                codes.add(event.code) if event.active else codes.discard(event.code)
            case StateEvent():
                self.available, self.told = event.quality is not Quality.BAD, set()
                self.values[event.tag] = event.raw
            case ProgramEvent():
                self.values[event.tag] = event.value
            case CountEvent():
                self.values[event.tag] = str(event.total)
            case _:
                pass

    def explains(self, reading: Reading) -> bool:
        text = value_text(reading.value)
        known = self.values.get(reading.tag.name)
        if is_unavailable(reading, text):
            return not self.available or known in (None, "UNAVAILABLE")
        if not self.available and reading.tag.name not in self.told:
            return False
        if reading.tag.kind.value == "alarm":
            return (text.split("|")[0] == "Normal") == (not self.alarms.get(reading.tag.name))
        number, sent = number_of(text), number_of(known or "")
        if number is None or sent is None:
            return text == known
        return abs(number - sent) <= (reading.tag.filter.deadband or 0)


def test_a_recorded_day_is_cut_by_99_percent_and_every_line_can_be_rebuilt_within_its_deadband() -> None:
    if not MAZAK.exists():
        pytest.skip(f"recorded data is absent: {MAZAK}")
    profile = load_profile("mazak")
    edge, rebuilt = EdgeFilter(profile.line, profile.server_uri), Rebuilt()
    instant: list[Reading] = []
    unexplained: list[Reading] = []
    events: list[MachineEvent] = []
    raw: set[datetime] = set()
    with open_recording(MAZAK) as files:
        playback = play(files, profile)
        for item in playback:
            if not isinstance(item, Reading | Watermark):
                continue
            if instant and item.at > instant[0].at:
                late = edge.flush(item.at)
                for event in late:
                    rebuilt.see(event)
                events.extend(late)
                unexplained.extend(r for r in _last_of_each(instant) if not rebuilt.explains(r))
                instant = []
            if isinstance(item, Reading):
                raw.add(item.at)
                kept = edge.accept(item)
                for event in kept:
                    rebuilt.see(event)
                events.extend(kept)
                instant.append(item)
    assert not playback.result.rejected_lines
    assert playback.result.lines == 102_601
    assert len(playback.result.by_tag) == 86
    assert not unexplained
    assert len(events) <= 1026
    assert edge.stats.dropped_ratio >= 0.99
    assert edge.stats.dropped_by_rule["ignored"] == 0
    states = [e for e in events if isinstance(e, StateEvent)]
    assert len(states) == 223
    assert sum(e.state is MachineState.UNKNOWN for e in states) == 15
    assert {e.at for e in events} <= raw
    assert states[0].at == datetime(2016, 11, 28, 20, 23, 28, 439772, tzinfo=UTC)
    assert {e.total for e in events if isinstance(e, CountEvent)} == {0}


def _last_of_each(readings: list[Reading]) -> list[Reading]:
    """What holds once an instant is over: the last value of each tag."""
    return list({r.tag.name: r for r in readings}.values())
