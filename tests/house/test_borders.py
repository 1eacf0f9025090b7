"""Bad input at the plant's borders: a clear state or a parked item, never a posting, never a crash; the rest flows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata

from signals.events import CountEvent, EventBatch, SequencedEvent
from signals.ids import order_workflow_id, plant_task_queue
from tests.house.durable_plant import (
    FIRST,
    confirmations,
    plant_at_work,
    plant_text,
    until_line_is_done,
)
from tests.house.plant_house import PlantHouse
from workers.edge import TemporalSink

FAR_AHEAD = timedelta(hours=2)


async def _parked(house: PlantHouse) -> list[dict[str, Any]]:
    code, out, err = await house.command(
        "parked", "list", "--plant", str(house.plant_file), "--data", str(house.folder), "--json"
    )
    assert code == 0, err
    return json.loads(out.splitlines()[-1])["parked"]


async def _details(house: PlantHouse, order: str, plant: str) -> str:
    handle = house.client.get_workflow_handle(order_workflow_id(plant, order))
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


async def _start_order(house: PlantHouse, order: str, plant: str) -> None:
    given = json.dumps({"plant": plant, "order": order})
    what = ("--type", "ProductionOrder", "--workflow-id", order_workflow_id(plant, order))
    queue = ("--task-queue", plant_task_queue("demo"))
    await house.temporal_command("workflow", "start", *what, *queue, "--input", given)


async def _until_said(house: PlantHouse, order: str, plant: str, *words: str) -> None:
    async def said() -> bool:
        text = await _details(house, order, plant)
        return all(word in text for word in words)

    await house.until(f"the state of {order} says {words}", said, 40)


@pytest.mark.timeout(180)
async def test_bad_orders_tags_and_clocks_are_told_and_parked_while_the_rest_flows(tmp_path: Path) -> None:
    plant = plant_text(("s=Line1.weld.Operator", "s=Line1.weld.Missing"))
    async with plant_at_work(tmp_path, (FIRST, 10), plant=plant, defects=()) as house:
        other_plant = {"order": "1000009", "plant": "2020", "material": "X", "quantity": 5}
        await house.sap("orders", {"orders": [{**other_plant, "operations": [{"operation": "0010"}]}]})
        await _start_order(house, "9999999", "demo")
        await _start_order(house, "1000009", "demo")
        await _start_order(house, FIRST, "elsewhere")
        ahead = datetime.now(UTC) + FAR_AHEAD
        event = CountEvent(event_id="ahead", at=ahead, equipment="press", tag="Good", counter="Good", total=1_000_000)
        batch = EventBatch(
            source="demo/line1@a-clock-of-its-own",
            first_seq=1,
            last_seq=1,
            sent_at=datetime.now(UTC),
            events=(SequencedEvent(seq=1, event=event),),
        )
        assert (await TemporalSink(house.client, "demo", "line1").send(batch)).applied

        await _until_said(house, "9999999", "demo", "waits", "9999999")
        await _until_said(house, "1000009", "demo", "waits", "2020")
        await _until_said(house, FIRST, "elsewhere", "waits", "demo")
        await house.until_closed(FIRST, seconds=90)
        assert await house.differences() == []
        assert {d["order"] for d in await confirmations(house)} == {FIRST}
        assert [p["why"] for p in await _parked(house)] == ["event_from_the_future"]
        gateway = (await house.http.get(house.children["edge"].ready["health"])).json()["lines"]["line1"]
        assert "weld.Missing" in gateway["tag_troubles"]["weld.Operator"]


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_pieces_counted_in_another_unit_are_a_case_and_never_posted(tmp_path: Path) -> None:
    good = 's=Line1.press.Good", counter = { role = "good", max_per_minute = 120, reset = "park", unit = '
    plant = plant_text((good + '"PC"', good + '"KG"'))
    async with plant_at_work(tmp_path, (FIRST, 10), plant=plant, defects=()) as house:
        await until_line_is_done(house)
        counted = 0

        async def all_are_cases() -> bool:
            nonlocal counted
            status = await house.order_status(FIRST)
            cases = [c for c in status.cases if c.kind.value == "unit_mismatch"] if status is not None else []
            assert all((c.operation, c.unit) == ("0010", "KG") for c in cases)
            assert all("KG" in c.summary and "PC" in c.summary for c in cases)
            counted = sum(int(c.yield_quantity) for c in cases)
            return counted >= 10

        await house.until("all pieces counted in KG are in cases", all_are_cases)
        assert counted == 10
        assert await confirmations(house) == []


@pytest.mark.timeout(60)
async def test_without_credentials_a_worker_leaves_with_one_line_and_code_2(tmp_path: Path) -> None:
    house = PlantHouse(tmp_path, plant=plant_text())
    plant_file = tmp_path / "plant.toml"
    plant_file.write_text(plant_text())
    try:
        code, out, err = await house.command(
            "worker", "--plant", str(plant_file), "--data", str(tmp_path), SAP_USER="", SAP_PASSWORD=""
        )
    finally:
        await house.http.aclose()
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    (line,) = [text for text in err.splitlines() if text.startswith("error: ")]
    assert "SAP_USER" in line or "SAP_PASSWORD" in line
