"""Reports: pieces of one bucket and one window, with the evidence they rest on, cut by event time alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.context import StationContext
from domain.line_state import LineState
from domain.reporting import (
    MAX_EVENT_IDS,
    Pieces,
    add_pieces,
    bucket_for,
    close_all,
    close_due,
    close_order,
    close_station_order,
    next_number,
)
from signals.reports import ParkedWhy, ProductionReport
from tests.domain.floor import LINE, PLANT, START, plant

AT = START.replace(hour=8, minute=0)


def pieces(number: int, *, at: datetime | None = None, good: int = 1, scrap: int = 0, source: str = "s") -> Pieces:
    return Pieces(
        at=at or AT + timedelta(seconds=number),
        source=source,
        seq=number,
        event_id=f"e{number}",
        rule="counter-increment/1",
        counter="press.Good",
        unit="PC",
        good=Decimal(good),
        scrap=Decimal(scrap),
        from_total=100 + number - 1,
        to_total=100 + number,
        serial=f"S{number}",
    )


def context(order: str = "A", **changes: str) -> StationContext:
    return StationContext(order=order, batch="B1", person="P1").model_copy(update=changes)


def made(*added: tuple[StationContext, Pieces], quantity: int = 100, minutes: int = 30) -> LineState:
    rules = plant(quantity=quantity, minutes=minutes)
    line = rules.lines[0]
    state = LineState(plant=PLANT, line=LINE)
    for known, new in added:
        add_pieces(state, rules, line, line.stations[0], known, new)
    return state


def reports(state: LineState) -> list[ProductionReport]:
    return [m.report for m in state.outbox if m.report is not None]


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(0, 400)), min_size=1, max_size=30))
def test_reports_sum_to_what_was_added_and_no_window_is_exceeded(added: list[tuple[int, bool, int]]) -> None:
    at, sequence = AT, []
    for number, (amount, good, pause) in enumerate(added, start=1):
        at += timedelta(seconds=pause)
        sequence.append((context(), pieces(number, at=at, good=amount * good, scrap=amount * (not good))))
    state = made(*sequence, quantity=10, minutes=15)
    close_all(state)
    found = reports(state)
    assert sum(r.yield_quantity for r in found) == sum(a for a, good, _ in added if good)
    assert sum(r.scrap_quantity for r in found) == sum(a for a, good, _ in added if not good)
    for report in found:
        assert report.last_at - report.first_at < timedelta(minutes=15)
        assert report.yield_quantity + report.scrap_quantity < 10 + 4
    used = [e for r in found for evidence in r.evidence for e in evidence.event_ids]
    assert sorted(used) == sorted(p.event_id for _, p in sequence)


def test_a_report_names_its_counter_its_totals_and_its_source() -> None:
    state = made((context(), pieces(1)), (context(), pieces(2)), (context(), pieces(5, source="t")))
    close_all(state)
    (report,) = reports(state)
    (evidence,) = report.evidence
    assert (evidence.counter, evidence.from_total, evidence.to_total) == ("press.Good", 100, 105)
    assert evidence.event_ids == ("e1", "e2", "e5")
    assert [r.text() for r in report.ranges] == ["s:1-2", "t:5-5"]
    assert report.serials == ("S1", "S2", "S5")


def test_an_id_follows_from_what_was_counted_and_nothing_else() -> None:
    def identity(*numbers: int, known: StationContext | None = None, good: int = 1) -> str:
        state = made(*((known or context(), pieces(n, good=good)) for n in numbers))
        close_all(state)
        return reports(state)[0].report_id

    assert identity(1, 2) == identity(1, 2)
    assert len({identity(1, 2), identity(1, 3), identity(1, 2, good=2), identity(1, 2, known=context(batch="X"))}) == 4


def test_windows_that_ended_close_in_the_order_they_ended() -> None:
    late = (context("A"), pieces(1, at=AT.replace(hour=13, minute=59)))
    early = (context("B"), pieces(2, at=AT.replace(hour=13, minute=59, second=5)))
    state = made(late, early, minutes=30)
    # The shift's end closes both at the same instant: then the one that opened first goes first.
    close_due(state, AT.replace(hour=14))
    assert [r.bucket.order for r in reports(state)] == ["A", "B"]
    assert state.open == []


def test_closing_touches_only_what_was_asked_for() -> None:
    state = made((context("A"), pieces(1)), (context("B"), pieces(2)))
    close_order(state, "A")
    assert [r.bucket.order for r in reports(state)] == ["A"]
    close_station_order(state, "weld", "B")
    assert len(state.open) == 1
    close_station_order(state, "press", "B")
    assert [r.bucket.order for r in reports(state)] == ["A", "B"]


def test_a_report_stays_a_message_however_many_events_it_rests_on() -> None:
    state = made(*((context(), pieces(n, at=AT, good=0, scrap=0)) for n in range(1, MAX_EVENT_IDS + 2)))
    assert len(reports(state)) == 1
    assert len(state.open[0].event_ids) == 1


def test_numbers_count_per_order() -> None:
    state = LineState(plant=PLANT, line=LINE)
    assert [next_number(state, order) for order in ("A", "A", "B", "A")] == [1, 2, 1, 3]


def test_the_bucket_takes_shift_and_posting_date_from_event_time() -> None:
    rules = plant()
    night = pieces(1, at=AT.replace(day=3, hour=2))
    bucket = bucket_for(rules, rules.lines[0].stations[0], context(), night)
    assert (bucket.shift, bucket.posting_date.isoformat()) == ("2026-03-02/night", "2026-03-02")
    assert (bucket.order, bucket.operation, bucket.batch, bucket.person) == ("A", "0010", "B1", "P1")


def test_pieces_without_an_order_are_parked_as_one_item_with_one_identity() -> None:
    def item() -> str:
        state = made((context(""), pieces(1)), (context(""), pieces(2, scrap=2)))
        close_all(state)
        (found,) = state.new_parked
        assert (found.why, found.yield_quantity, found.scrap_quantity) == (ParkedWhy.NO_ORDER, 2, 2)
        assert (state.outbox, state.parked_count) == ([], 1)
        return found.item

    assert item() == item()
