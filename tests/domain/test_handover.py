"""Handovers: every shift once, in order, on every kind of day; nothing in two shifts, and figures that sum."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from domain import handover
from domain.handover_report import (
    LineFacts,
    crossing_postings,
    crossing_reports,
    is_handed_on,
    line_shift,
    parts_within,
    seconds_of,
    shift_stop,
)
from domain.plant import PlantConfig, ShiftConfig, SiteConfig
from domain.shifts import ShiftSpan, shift_at
from domain.stop_account import line_times
from signals.downtime import StopRecord, StopState, TimeClass
from signals.events import EventBatch
from signals.handover import AcknowledgeHandover, HandoverReport, HandoverState
from signals.people import Actor
from signals.reports import ProductionReport, ReportBucket
from tests.domain.stop_floor import EXECUTE, HELD, START, Script, at, parts, sequenced, stop_book, stop_plant, told
from tests.domain.test_shifts import calendars, instants, sites

HOUR = timedelta(hours=1)


def plant_of(site: SiteConfig, shifts: Sequence[ShiftConfig]) -> PlantConfig:
    named = {s.name: s for s in shifts}
    return stop_plant().model_copy(update={"plant": site, "shifts": tuple(named.values())})


@given(sites, calendars, instants, st.integers(1, 200), st.integers(0, 200))
def test_every_shift_is_handed_over_once_whenever_the_ticks_come(
    site: SiteConfig, shifts: tuple[ShiftConfig, ...], since: datetime, hours: int, tick: int
) -> None:
    plant = plant_of(site, shifts)
    until, middle = since + hours * HOUR, since + min(tick, hours) * HOUR
    whole = list(handover.shifts_between(plant, since, until))
    assert [*handover.shifts_between(plant, since, middle), *handover.shifts_between(plant, middle, until)] == whole
    assert all(a.end <= b.start for a, b in pairwise(whole)), "no instant is in two shifts"
    assert len({s.label for s in whole}) == len(whole)
    for n in range(hours):
        span = shift_at(site, plant.shifts, since + n * HOUR)
        assert not span.name or span.end > until or span in whole


@given(sites, calendars, instants, st.integers(0, 72))
def test_a_late_handover_goes_to_the_crew_that_is_there(
    site: SiteConfig, shifts: tuple[ShiftConfig, ...], since: datetime, late: int
) -> None:
    plant = plant_of(site, shifts)
    for span in handover.shifts_between(plant, since, since + 48 * HOUR):
        taking = handover.incoming(plant, span, span.end + late * HOUR)
        assert taking is not None and taking.name
        assert taking.end > span.end + late * HOUR and taking.start >= span.end


def test_the_night_in_which_the_clocks_change_the_holiday_and_overtime() -> None:
    plant = stop_plant()
    found = list(handover.shifts_between(plant, START, START + 96 * HOUR))
    assert [(s.label, float(seconds_of(s)) / 3600) for s in found] == [
        ("2026-03-28/night", 7.0),
        ("2026-03-29/early", 8.0),
        ("2026-03-29/late", 6.0),
        ("2026-03-29/night", 8.0),
        ("2026-03-31/early", 8.0),
        ("2026-03-31/late", 8.0),
        ("2026-03-31/night", 8.0),
        ("2026-04-01/early", 8.0),
        ("2026-04-01/late", 8.0),
    ][: len(found)]
    assert "2026-03-31/early" in {s.label for s in found}
    monday = next(s for s in found if s.label == "2026-03-29/night")
    taking = handover.incoming(plant, monday, monday.end)
    assert taking is not None and taking.label == "2026-03-31/early", "on the holiday nobody is there"
    assert handover.shift_named(plant, monday.label, monday.end) == monday
    assert handover.shift_named(plant, "2026-03-29/other", monday.end) is None


def test_a_calendar_without_shifts_hands_nothing_over() -> None:
    plant = plant_of(stop_plant().plant.model_copy(update={"overtime": ()}), ())
    assert list(handover.shifts_between(plant, START, START + 96 * HOUR)) == []
    assert handover.next_shift(plant, START) is None


# --- the report ----------------------------------------------------------------------------------------------------

stretches = st.lists(st.tuples(st.integers(20, 20_000), st.integers(5, 30_000)), min_size=1, max_size=6)


@settings(max_examples=60)
@given(stretches, st.integers(0, 4000))
def test_the_classes_of_every_shift_sum_to_its_length_and_stops_are_in_one_shift_each(
    runs: list[tuple[int, int]], blind: int
) -> None:
    plant, script, now = stop_plant(), Script().runs(), 0
    for ran, stood in runs:
        script.state(now + ran, "weld", HELD).state(now + ran + stood, "weld", EXECUTE)
        now += ran + stood
    if blind:
        script.gap(now + 100, now + 100 + blind)
        script.state(now + 101 + blind, "weld", EXECUTE)
    now += 300 + blind
    book, events = stop_book(plant), sequenced(script.events)
    book.ingest(
        EventBatch(source="edge", first_seq=1, last_seq=len(events), events=tuple(events), watermark=at(now + 40_000))
    )
    records = [
        StopRecord(stop=f.stop, plant=f.plant, line=f.line, fact=f.model_copy(update={"as_of": at(now + 40_000)}))
        for f in told(book).values()
    ]
    times = line_times(book.state.stops, plant)
    line = plant.lines[0]
    spans = list(handover.shifts_between(plant, START - 12 * HOUR, at(now + 40_000)))
    lost = Decimal(0)
    for span in spans:
        touching = [r for r in records if r.fact.started_at < span.end]
        facts = LineFacts(line, times.get(span.label, {}), touching, (), at(now), True)
        shown = line_shift(plant, span, facts, {})
        assert sum(shown.seconds.values(), Decimal(0)) == seconds_of(span)
        if span.start >= START:
            known = sum(times.get(span.label, {}).values(), Decimal(0))
            assert shown.seconds.get(TimeClass.NO_DATA, Decimal(0)) == (
                times.get(span.label, {}).get(TimeClass.NO_DATA, Decimal(0)) + seconds_of(span) - known
            ), "only what the line does not know is missing"
        for stop in touching:
            lost += sum((p.seconds or Decimal(0) for p in parts_within(plant, line, stop, span)), Decimal(0))
    whole = sum(
        (p.seconds or Decimal(0) for r in records for p in parts(r.fact, plant=plant) if p.shift in labels(spans)),
        Decimal(0),
    )
    assert lost == whole, "each part is in one shift"


def labels(spans: Sequence[ShiftSpan]) -> set[str]:
    return {s.label for s in spans}


def test_a_running_stop_is_cut_at_the_boundary_and_both_parts_are_shown() -> None:
    plant = stop_plant()
    book, events = stop_book(plant), sequenced(Script().runs().state(1_000, "weld", HELD).events)
    boundary = next(handover.shifts_between(plant, START, START + 12 * HOUR))
    watermark = boundary.end + timedelta(minutes=5)
    book.ingest(EventBatch(source="e", first_seq=1, last_seq=len(events), events=tuple(events), watermark=watermark))
    [fact] = told(book).values()
    record = StopRecord(stop=fact.stop, plant=fact.plant, line=fact.line, fact=fact, assigned_to="fitter-1")
    assert is_handed_on(record, boundary)
    shown = shift_stop(plant, plant.lines[0], record, boundary)
    assert (shown.parts[-1].ended_at, shown.ended_at, shown.owner) == (boundary.end, None, "fitter-1")
    assert shown.continues_as is not None
    assert (shown.continues_as.started_at, shown.continues_as.ended_at) == (boundary.end, None)
    assert shown.continues_as.shift != boundary.label
    assert shown.seconds == Decimal(str((boundary.end - fact.started_at).total_seconds()))
    over = record.model_copy(
        update={"state": StopState.CLOSED, "fact": fact.model_copy(update={"ended_at": at(2_000)})}
    )
    assert not is_handed_on(over, boundary)


quantities = st.decimals(0, 1000, places=3)


def report(number: int, made: tuple[Decimal, Decimal], order: str, ended: datetime, shift: str) -> ProductionReport:
    bucket = ReportBucket(order=order, operation="0020", shift=shift, posting_date=date(2026, 3, 29))
    return ProductionReport(
        report_id=f"r{number}", plant="north", line="line-1", number=number, bucket=bucket, yield_quantity=made[0],
        scrap_quantity=made[1], unit="PC", first_at=ended, last_at=ended,
    )  # fmt: skip


@given(st.lists(st.tuples(st.tuples(quantities, quantities), st.sampled_from(["A", "B"])), max_size=8), st.data())
def test_pieces_of_a_shift_are_the_sum_of_its_reports_each_once(
    made: list[tuple[tuple[Decimal, Decimal], str]], data: st.DataObject
) -> None:
    plant = stop_plant()
    span = next(handover.shifts_between(plant, START, START + 12 * HOUR))
    reports = [report(n, m, order, span.end - HOUR, span.label) for n, (m, order) in enumerate(made, start=1)]
    repeated = reports + (data.draw(st.lists(st.sampled_from(reports), max_size=4)) if reports else [])
    shown = line_shift(plant, span, LineFacts(plant.lines[0], {}, (), repeated, None, False), {})
    assert sum((p.good for p in shown.pieces), Decimal(0)) == sum((m[0] for m, _ in made), Decimal(0))
    assert sum((p.scrap for p in shown.pieces), Decimal(0)) == sum((m[1] for m, _ in made), Decimal(0))
    assert shown.oee.produced == sum((a + b for (a, b), _ in made), Decimal(0))
    assert not shown.pieces or (shown.oee.effectiveness, shown.oee.oee) == (None, None), "no standard, no figure"
    assert crossing_reports(plant, span, reports) == []


def test_a_report_or_a_posting_across_the_boundary_is_named() -> None:
    plant = stop_plant()
    span = next(handover.shifts_between(plant, START, START + 12 * HOUR))
    late = report(1, (Decimal(1), Decimal(0)), "A", span.end + HOUR, span.label)
    [said] = crossing_reports(plant, span, [late])
    assert "r1" in said and "2026-03-29/early" in said
    postings = [("k1", "A", ("r1", "r2")), ("k2", "A", ("r9",)), ("k3", "A", ("r1",))]
    [mixed] = crossing_postings(span.label, ["r1"], postings)
    assert "k1" in mixed


# --- people --------------------------------------------------------------------------------------------------------


def a_report() -> HandoverReport:
    return HandoverReport(
        plant="north", shift="2026-03-28/night", next_shift="2026-03-29/early", starts_at=START,
        ends_at=START + 7 * HOUR, acknowledge_by=START + 15 * HOUR, made_at=START + 7 * HOUR,
    )  # fmt: skip


def act(user: str, name: str = "a1", role: str = "supervisor", lines: tuple[str, ...] = ()) -> AcknowledgeHandover:
    return AcknowledgeHandover(action_id=name, actor=Actor(user=user, role=role, plant="north", lines=lines))


def test_the_first_acknowledgement_stands_and_is_answered_alike() -> None:
    taken = handover.acknowledged(a_report(), act("mia"), START + 8 * HOUR)
    assert handover.acknowledged(taken, act("tom", "a2"), START + 9 * HOUR) == taken
    first = handover.answer_for(taken, act("mia"))
    assert first is not None and first.accepted
    assert handover.answer_for(taken, act("mia")) == first
    again = handover.answer_for(taken, act("mia", "a9"))
    assert again is not None and (again.accepted, again.message) == (True, first.message)
    other = handover.answer_for(taken, act("tom", "a2"))
    assert other is not None and (other.accepted, other.message) == (False, first.message)
    assert handover.answer_for(a_report(), act("mia")) is None
    assert taken.state is HandoverState.ACKNOWLEDGED


def test_who_is_no_supervisor_of_the_whole_plant_takes_nothing_over() -> None:
    assert handover.may_acknowledge(act("mia"), "north") == ""
    assert "supervisor may" in handover.may_acknowledge(act("tom", role="planner"), "north")
    assert "line-1 only" in handover.may_acknowledge(act("mia", lines=("line-1",)), "north")
    assert handover.may_acknowledge(act("mia"), "south")


def test_reminders_stop_when_the_incoming_crew_leaves() -> None:
    due = [handover.reminder_due(a_report(), n) for n in range(9)]
    assert due[0] == START + 8 * HOUR
    assert [d for d in due if d is not None][-1] == START + 14 * HOUR and due[-1] is None
