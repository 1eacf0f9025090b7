"""Stops looked back on: parts within a period, a line's time without a hole, and its plots within their scales."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.stop_review import line_strip, looked_at, seconds_of, within
from signals.downtime import StopFact, StopRecord, StopStretch, TimeClass
from tests.domain.stop_floor import LINE, PLANT, at, stop_plant


def record(began: float, ended: float | None, *, micro: bool = False, name: str = "s") -> StopRecord:
    end = None if ended is None else at(ended)
    stretch = StopStretch(started_at=at(began), ended_at=end, time_class=TimeClass.STOP, station="weld")
    fact = StopFact(
        stop=f"{name}{began}", plant=PLANT, line=LINE, version=1, started_at=at(began), ended_at=end,
        as_of=end or at(began), micro=micro, stretches=(stretch,),
    )  # fmt: skip
    return StopRecord(stop=fact.stop, plant=PLANT, line=LINE, fact=fact)


def test_a_stop_that_no_process_has_looked_at_has_its_parts_all_the_same() -> None:
    [part] = looked_at(record(0, 100), stop_plant(), at(200)).parts
    assert (part.seconds, part.shift) == (Decimal(100), "2026-03-28/night")
    [micro] = looked_at(record(0, 20, micro=True), stop_plant(), at(200)).parts
    assert micro.time_class is TimeClass.MICRO_STOP


def test_a_period_cuts_what_reaches_into_it_and_what_goes_on_counts_up_to_its_end() -> None:
    found = within([record(0, 100), record(150, None), record(500, 600)], stop_plant(), at(60), at(300))
    assert [sum(p.seconds or 0 for p in r.parts) for r in found] == [40, 150]


@given(
    st.lists(st.integers(1, 7200), min_size=0, max_size=8),
    st.integers(0, 40_000),
    st.integers(1, 90_000),
    st.integers(0, 100_000),
)
def test_a_lines_time_has_no_hole_and_no_overlap_and_sums_to_the_span(
    lengths: list[int], since: int, span: int, known: int
) -> None:
    starts = [sum(lengths[:n]) * 2 for n in range(len(lengths))]
    records = [record(a, a + n) for a, n in zip(starts, lengths, strict=True)]
    strip = line_strip(records, stop_plant(), at(since), at(since + span), known_until=at(known))
    assert (strip[0].start, strip[-1].end) == (at(since), at(since + span))
    assert all(a.end == b.start for a, b in pairwise(strip))
    assert sum(seconds_of(strip).values()) == span
    assert all(s.start < at(known) for s in strip if s.time_class is TimeClass.RUNNING)


def test_a_shift_of_which_the_line_knows_no_running_is_no_data_between_stops() -> None:
    # 21:30 UTC is half past ten at night at the plant: the night shift of a Saturday.
    plant, until = stop_plant(), at(4000)
    label = looked_at(record(1000, 1600), plant, until).parts[0].shift
    account = {label: {TimeClass.STOP: Decimal(600), TimeClass.NO_DATA: Decimal(3000)}}
    dark = line_strip([record(1000, 1600)], plant, at(0), until, account=account, known_until=until)
    assert TimeClass.RUNNING not in {s.time_class for s in dark if s.start < at(1000)}
    lit = {label: {TimeClass.RUNNING: Decimal(1)}}
    light = line_strip([record(1000, 1600)], plant, at(0), until, account=lit, known_until=until)
    assert light[0].time_class is TimeClass.RUNNING
    assert light[0].end - light[0].start == timedelta(seconds=1000)
