"""Worker, gateway and Temporal server are killed in the middle of running orders; the books are equal all the same.

The SAP loses a third of its answers while that happens, and goes away once. Another PLANTWRIGHT_CHAOS_SEED strikes at
other moments.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.house.durable_plant import (
    FIRST,
    LOST_ANSWERS,
    OUTAGE,
    SECOND,
    plant_at_work,
    until_erp_is_missed,
    until_line_is_done,
    until_made,
    until_posting_in_work,
)
from tests.house.plant_house import PlantHouse

EVERYTHING = ("worker", "edge", "temporal")
POSTING_SECONDS = 0.15
SEED = os.environ.get("PLANTWRIGHT_CHAOS_SEED", "1")


async def _strike_all(house: PlantHouse, victims: tuple[str, ...], chance: random.Random) -> None:
    for victim in chance.sample(victims, len(victims)):
        await house.strike(victim, pause=chance.uniform(0.0, 1.0))


async def _play(house: PlantHouse, victims: tuple[str, ...], chance: random.Random, first: int, second: int) -> None:
    """Strikes before the first confirmation, in a posting, in an outage, and near completion."""
    await until_made(house, FIRST, "0010", chance.randint(2, 6))
    await _strike_all(house, victims, chance)
    await until_posting_in_work(house)
    await _strike_all(house, victims, chance)
    await until_made(house, FIRST, "0010", first // 2 + chance.randint(0, 3))
    await house.sap("faults", OUTAGE)
    await until_erp_is_missed(house, FIRST)
    await _strike_all(house, victims, chance)
    await house.sap("faults", method="DELETE")
    await house.sap("faults", LOST_ANSWERS)
    await until_made(house, SECOND, "0010", 1)
    if "edge" not in victims:
        await _strike_all(house, victims, chance)
    await until_made(house, SECOND, "0030", second - 3)
    await _strike_all(house, victims, chance)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("victims", [("worker",), ("edge",), ("temporal",), EVERYTHING], ids="+".join)
async def test_kills_at_several_points_of_running_orders_leave_equal_books(
    tmp_path: Path, victims: tuple[str, ...]
) -> None:
    chance = random.Random(f"{SEED} {'+'.join(victims)}")
    # A gateway that misses a change of order cannot know whose pieces it missed: it dies well before one.
    speed, first = (5, 60) if "edge" in victims else (10, 40)
    async with plant_at_work(
        tmp_path, (FIRST, first), (SECOND, 20), speed=speed, posting_seconds=POSTING_SECONDS, faults=[LOST_ANSWERS]
    ) as house:
        await _play(house, victims, chance, first, 20)
        await until_line_is_done(house)
        await house.until_closed(FIRST, SECOND, seconds=150)
        assert await house.differences() == []


@pytest.mark.timeout(180)
async def test_a_killed_worker_in_the_middle_of_a_posting_leaves_equal_books(tmp_path: Path) -> None:
    async with plant_at_work(
        tmp_path, (FIRST, 20), (SECOND, 10), posting_seconds=POSTING_SECONDS, faults=[LOST_ANSWERS]
    ) as house:
        await until_posting_in_work(house)
        await house.strike("worker")
        await house.until_closed(FIRST, SECOND, seconds=120)
        assert await house.differences() == []
