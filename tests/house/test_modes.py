"""What a plant may post is its own choice: nothing (`shadow`), what a person approved (`approve`), or all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from signals.decisions import Answer, ApprovePostings
from tests.house.durable_plant import FIRST, confirmations, plant_at_work, plant_text, until_line_is_done
from tests.house.plant_house import PlantHouse


async def _until_waiting(house: PlantHouse, count: int) -> tuple[str, ...]:
    found: tuple[str, ...] = ()

    async def waits() -> bool:
        nonlocal found
        status = await house.order_status(FIRST)
        found = status.waiting_approval if status is not None else ()
        return len(found) >= count

    await house.until(f"{count} postings wait for approval", waits)
    return found


async def _approve(house: PlantHouse, decision: str, keys: tuple[str, ...] = ()) -> Answer:
    request = ApprovePostings(decision_id=decision, by="supervisor", keys=keys)
    return await house.order_handle(FIRST).execute_update("approve_postings", request, result_type=Answer)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_shadow_posts_nothing_and_computes_everything(tmp_path: Path) -> None:
    async with plant_at_work(tmp_path, (FIRST, 20), plant=plant_text(mode="shadow")) as house:
        await until_line_is_done(house)
        await house.until_closed(FIRST, seconds=60)
        books = await house.sap("books")
        assert books["documents"] == []
        assert "TECO" not in books["orders"][0]["status"]
        status = await house.order_status(FIRST)
        assert status is not None
        assert [(int(o.reported_yield), int(o.reported_scrap)) for o in status.operations] == [
            (20, 0),
            (20, 0),
            (19, 1),
        ]
        assert all(o.final for o in status.operations)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_approve_posts_only_what_a_person_let_go(tmp_path: Path) -> None:
    async with plant_at_work(tmp_path, (FIRST, 20), plant=plant_text(mode="approve")) as house:
        await until_line_is_done(house)
        first = await _until_waiting(house, 1)
        assert await confirmations(house) == []
        await house.strike("worker")
        assert await _until_waiting(house, 1) == first
        assert await confirmations(house) == []
        answer = await _approve(house, "one", first[:1])
        assert answer.accepted, answer.message

        async def posted() -> bool:
            return [d["key"] for d in await confirmations(house)] == list(first[:1])

        await house.until("the approved posting is booked", posted)
        number = 0

        async def closed() -> bool:
            nonlocal number
            status = await house.order_status(FIRST)
            if status is not None and status.waiting_approval:
                number += 1
                await _approve(house, f"all {number}")
            return status is not None and status.phase.value == "closed"

        await house.until("the order closes as its postings are approved", closed, 90)
        assert await house.differences() == []
