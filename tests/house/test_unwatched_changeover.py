"""The gateway is dead while an order changes: no piece is booked for the wrong order, and none vanishes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.house.durable_plant import FIRST, SECOND, plant_at_work, until_line_is_done, until_made
from tests.house.plant_house import PlantHouse


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_pieces_of_an_unwatched_changeover_are_parked_and_never_booked_for_the_wrong_order(
    tmp_path: Path,
) -> None:
    async with plant_at_work(tmp_path, (FIRST, 20), (SECOND, 30), speed=8, defects=()) as house:
        await until_made(house, FIRST, "0010", 15)
        await house.children["edge"].kill()
        await until_made(house, SECOND, "0010", 3)
        await house.start_edge()
        await until_line_is_done(house)

        async def accounted_for() -> bool:
            return await _reported_at_the_press(house) + await _parked_at_the_press(house) == 50

        await house.until("every piece of the press is reported or parked", accounted_for)
        assert await _parked_at_the_press(house) > 0
        assert [text for text in await house.differences() if "missing" not in text] == []


async def _reported_at_the_press(house: PlantHouse) -> int:
    total = 0
    for order, made in ((FIRST, 20), (SECOND, 30)):
        status = await house.order_status(order)
        assert status is not None
        reported = next(int(o.reported_yield) for o in status.operations if o.operation == "0010")
        assert reported <= made
        total += reported
    return total


async def _parked_at_the_press(house: PlantHouse) -> int:
    code, out, err = await house.command(
        "parked", "list", "--plant", str(house.plant_file), "--data", str(house.folder), "--json"
    )
    assert code == 0, err
    items = json.loads(out.splitlines()[-1])["parked"]
    return sum(int(float(item["yield_quantity"])) for item in items if item["operation"] == "0010")
