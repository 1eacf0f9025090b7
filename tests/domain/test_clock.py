"""The plant clock maps wall time to plant time and back, and is the identity unless something runs faster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clock import PlantClock

WALL = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
PLANT = datetime(2016, 11, 29, 13, 0, tzinfo=UTC)

factors = st.one_of(st.sampled_from([0.5, 1.0, 2.0, 60.0, 1000.0]), st.floats(0.01, 10_000))
clocks = st.builds(PlantClock, wall_epoch=st.just(WALL), plant_epoch=st.just(PLANT), factor=factors)
stretches = st.timedeltas(timedelta(hours=-10), timedelta(hours=10))


@given(clocks, stretches)
def test_plant_time_and_back_is_the_same_instant(clock: PlantClock, stretch: timedelta) -> None:
    back = clock.wall_time(clock.plant_time(WALL + stretch))
    # Both ways round to a microsecond; the first rounding is stretched by a slow clock's factor on the way back.
    assert abs(back - (WALL + stretch)) <= timedelta(microseconds=2 + 1 / clock.factor)


@given(clocks, stretches)
def test_a_stretch_of_plant_time_lasts_as_long_as_its_ends_lie_apart(clock: PlantClock, stretch: timedelta) -> None:
    apart = clock.wall_time(PLANT + stretch) - clock.wall_time(PLANT)
    assert abs(apart - clock.wall_duration(stretch)) <= timedelta(microseconds=1)


@given(st.one_of(clocks, st.just(PlantClock())))
def test_its_text_says_all_of_it(clock: PlantClock) -> None:
    assert PlantClock.parse(clock.text()) == clock


@pytest.mark.parametrize("clock", [PlantClock(), PlantClock(factor=60), PlantClock(wall_epoch=WALL, factor=60)])
def test_without_an_epoch_it_is_the_identity(clock: PlantClock) -> None:
    assert clock.plant_time(WALL) == clock.wall_time(WALL) == WALL
    assert clock.wall_duration(timedelta(minutes=1)) == timedelta(minutes=1)
    assert clock.text() == ""


def test_a_fast_clock_makes_an_hour_of_a_minute() -> None:
    clock = PlantClock(wall_epoch=WALL, plant_epoch=PLANT, factor=60)
    assert clock.plant_time(WALL + timedelta(minutes=1)) == PLANT + timedelta(hours=1)
    assert clock.wall_duration(timedelta(hours=1)) == timedelta(minutes=1)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T06:00:00+00:00",
        "a,b,c",
        "2026-03-02T06:00:00,2016-11-29T13:00:00,60",
        f"{WALL.isoformat()},{PLANT.isoformat()},0",
        f"{WALL.isoformat()},{PLANT.isoformat()},-1",
        f"{WALL.isoformat()},{PLANT.isoformat()},nan",
        f"{WALL.isoformat()},{PLANT.isoformat()},inf",
        f"{WALL.isoformat()},{PLANT.isoformat()},60,1",
    ],
)
def test_a_text_that_is_no_clock_is_refused_with_the_form_it_should_have(text: str) -> None:
    with pytest.raises(ValueError, match="WALL_ISO,PLANT_ISO,FACTOR"):
        PlantClock.parse(text)
