"""What is computed for pages: rates, sums, charts, the inbox's order, quantities as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from console import forms
from console.chart import BOTTOM, HEIGHT, TOP, chart_of
from console.figures import FRESH, LineView, counted, rate
from console.shown import due, duration, money, quantity
from console.tasks import hold_task, in_order
from console.texts import translator
from signals.errors import BadInput
from signals.holds import HoldRecord, HoldScope
from signals.reports import LineMessage, ProductionReport, ReportBucket
from tests.console.house import NORTH, START, trigger


def report(number: int, good: str, first: int, last: int, *, scrap: str = "0", line: str = "line-1") -> LineMessage:
    """A report of pieces made between two minutes."""
    bucket = ReportBucket(order="1", operation="0010", posting_date=date(2026, 11, 20))
    return LineMessage(
        report=ProductionReport(
            report_id=f"r{number}", plant=NORTH, line=line, number=number, bucket=bucket, yield_quantity=Decimal(good),
            scrap_quantity=Decimal(scrap), unit="PC", first_at=START + timedelta(minutes=first),
            last_at=START + timedelta(minutes=last),
        )
    )  # fmt: skip


def test_the_rate_is_of_the_last_hour_of_the_lines_own_time() -> None:
    until = START + timedelta(minutes=120)
    assert rate([report(1, "100", 60, 90), report(2, "20", 90, 120)], "line-1", until) == 120
    assert rate([report(1, "100", 0, 120)], "line-1", until) == 50, "half of it lies before the window"
    assert rate([report(1, "100", 0, 50)], "line-1", until) is None
    assert rate([report(1, "100", 60, 120, line="line-2")], "line-1", until) is None
    assert rate([], "line-1", until) is None


def test_a_line_that_has_just_begun_is_not_slow() -> None:
    assert rate([report(1, "10", 0, 6)], "line-1", START + timedelta(minutes=6)) == 100


def test_pieces_are_summed_by_operation() -> None:
    found = counted([report(1, "3", 0, 1, scrap="1"), report(2, "4", 1, 2)])
    assert (found["0010"].good, found["0010"].scrap) == (7, 1)


def test_a_figure_is_stale_when_it_is_older_than_it_may_be() -> None:
    view = LineView("l", "l", (), START, True, Decimal(0), 0)
    assert not view.is_stale(START + FRESH)
    assert view.is_stale(START + FRESH + timedelta(seconds=1))
    assert LineView("l", "l", (), None, False, Decimal(0), 0).is_stale(START)


def test_a_chart_shows_all_numbers_within_its_box_and_failures_beyond_their_limit() -> None:
    chart = chart_of(trigger().reason)
    assert chart is not None
    assert (len(chart.points), chart.failed, [level.text for level in chart.limits]) == (6, 2, ["95", "105"])
    assert all(TOP <= point.y <= HEIGHT - BOTTOM for point in chart.points)
    upper = next(level.y for level in chart.limits if level.text == "105")
    assert {point.passed for point in chart.points if point.y < upper} == {False}
    assert [point.x for point in chart.points] == sorted(point.x for point in chart.points)
    assert 3 <= len(chart.scale) <= 7


@pytest.mark.parametrize("values", [("OK", "NOK"), ("NaN", "Infinity"), ()])
def test_evidence_without_numbers_makes_no_chart(values: tuple[str, ...]) -> None:
    reason = trigger().reason
    evidence = tuple(reason.evidence[0].model_copy(update={"value": value}) for value in values)
    assert chart_of(reason.model_copy(update={"evidence": evidence})) is None


def test_one_value_without_limits_is_a_chart_too() -> None:
    reason = trigger().reason
    one = reason.evidence[0].model_copy(update={"lower": "", "upper": "", "value": "0"})
    chart = chart_of(reason.model_copy(update={"evidence": (one,)}))
    assert chart is not None
    assert len(chart.points) == 1


def test_the_inbox_is_by_due_time_and_what_has_none_comes_last() -> None:
    def task(name: str, minutes: int | None):
        record = HoldRecord(
            hold=name, plant=NORTH, scope=HoldScope(plant=NORTH), opened_at=START,
            due_at=None if minutes is None else START + timedelta(minutes=minutes),
        )  # fmt: skip
        return hold_task(record)

    found = in_order([task("c", None), task("b", 30), task("a", 10)])
    assert [t.id for t in found] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "value"), [("3", "3"), ("2,5", "2.5"), ("2.5", "2.5"), (" 1 000 ", "1000"), ("0.000001", "0.000001")]
)
def test_a_quantity_is_read_as_people_write_it(text: str, value: str) -> None:
    assert forms.amount(text, "counted") == Decimal(value)


@pytest.mark.parametrize("text", ["", "three", "-1", "1e3", "NaN", "1.2.3", "1,000.5", "0.0000001", "9" * 12])
def test_what_is_no_quantity_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadInput, match="counted"):
        forms.amount(text, "counted")


def test_serial_numbers_make_the_quantity_where_none_is_written() -> None:
    [one] = forms.dispositions({"quantity_scrap": "", "serials_scrap": "S1, S2\nS2 S3", "reason_code": "SC1"})
    assert (one.quantity, one.serials, one.reason_code) == (3, ("S1", "S2", "S3"), "SC1")


def test_values_look_as_the_language_writes_them() -> None:
    german, english = translator("de"), translator("en")
    assert (quantity(Decimal("2.50"), "de"), quantity(Decimal("1E+3")), quantity(None)) == ("2,5", "1000", "–")
    assert (money(Decimal("1234.5"), "EUR", "de"), money(Decimal("1234.5"), "EUR")) == ("1.234,50 EUR", "1,234.50 EUR")
    assert duration(timedelta(hours=26, minutes=3), english) == "1 d 2 h"
    assert duration(timedelta(seconds=0), german) == "0 Sek"
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert due(now - timedelta(minutes=5), now, german) == "seit 5 Min überfällig"
