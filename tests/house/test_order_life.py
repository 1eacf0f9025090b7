"""A production order from release to close, against the real server and the simulators' own books."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.house.plant_house import ROOT, PlantHouse

DEFAULTS = ROOT / "workers" / "defaults"
SCENARIO = """
line = "Line1"
start = "control"
[[station]]
name = "press"
operation = "0010"
cycle_seconds = 4
transport_seconds = 2
[[station]]
name = "weld"
operation = "0020"
cycle_seconds = 4
transport_seconds = 2
[[station]]
name = "inspect"
operation = "0030"
cycle_seconds = 3
[[run]]
order = "1000001"
batch = "B-0001"
quantity = 20
[[run]]
order = "1000002"
batch = "B-0002"
quantity = 10
[[run]]
order = "1000001"
batch = "B-0003"
quantity = 20
[[defect]]
run = 1
piece = 7
origin = "press"
reason = "SCRATCH"
"""


@pytest.mark.timeout(300)
async def test_an_order_runs_from_release_to_close_and_the_books_agree(tmp_path: Path) -> None:
    plant = (DEFAULTS / "demo.toml").read_text()
    seed = json.loads((DEFAULTS / "demo-orders.json").read_text())
    async with PlantHouse(tmp_path, plant=plant, scenario=SCENARIO, speed=20) as house:
        await house.start_sap(seed)
        await house.start_line()
        await house.start_worker()
        await house.start_edge()
        await house.until_line_is_seen()
        await house.line("start", post=True)
        await house.until_closed("1000001", "1000002", seconds=120)
        assert await house.differences() == []
