"""The Pareto's shapes: within their scales, the greatest first, the rest in one bar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from console.loss_chart import BARS, HEIGHT, TOP, pareto_of
from console.pages.losses import shift_name, shifts_of
from domain.losses import Loss
from tests.console.house import NORTH, plant


def losses(seconds: list[int]) -> list[Loss]:
    return [
        Loss(key=f"k{n}", seconds=Decimal(s), stops=1, share=Decimal(0), running_share=Decimal(0))
        for n, s in enumerate(sorted(seconds, reverse=True))
    ]


@given(st.lists(st.integers(1, 10_000_000), min_size=1, max_size=30))
def test_no_bar_is_higher_than_the_scale_and_the_line_ends_at_the_whole(seconds: list[int]) -> None:
    drawn = pareto_of(losses(seconds), "everything else")
    assert drawn is not None
    assert len(drawn.bars) == min(len(seconds), BARS)
    assert all(bar.y >= TOP - 0.1 and bar.y + bar.height <= drawn.bottom + 0.1 for bar in drawn.bars)
    assert drawn.minutes[0].at == drawn.bottom
    assert drawn.minutes[-1].at >= TOP - 0.1
    assert drawn.points[-1][1] == TOP
    assert abs(sum(bar.minutes for bar in drawn.bars) * 60 - sum(seconds)) < Decimal("0.001")
    assert drawn.height == HEIGHT


def test_where_nothing_was_lost_nothing_is_drawn() -> None:
    assert pareto_of([], "everything else") is None


def test_two_shifts_of_one_name_on_a_day_are_told_apart_by_their_day() -> None:
    day = date(2026, 11, 20)
    spans = shifts_of(plant(NORTH), datetime(2026, 11, 19, 23, tzinfo=UTC), datetime(2026, 11, 20, 23, tzinfo=UTC))
    assert [shift_name(span, day) for span in spans] == ["night 2026-11-19", "early", "late", "night"]
