"""Confirmations that people enter in the SAP itself while it is cut off from us: nothing is doubled, each is a case.

Adopt, post beside it and reverse are decided as people do it: by an update to the order, each with its own id.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from signals.decisions import Answer, DecideCase
from signals.documents import Case, CaseAction
from tests.house.durable_plant import (
    FIRST,
    OUTAGE,
    confirmations,
    pieces_made,
    plant_at_work,
    until_cases,
    until_erp_is_missed,
    until_line_is_done,
    until_made,
)
from tests.house.plant_house import PlantHouse


async def _decide(house: PlantHouse, case: Case, action: CaseAction) -> Answer:
    decision = DecideCase(
        decision_id=f"{action.value}:{case.case_id}",
        case_id=case.case_id,
        action=action,
        by="supervisor",
        reason="seen",
    )
    handle = house.order_handle(case.order)
    return await handle.execute_update("decide_case", decision, id=decision.decision_id, result_type=Answer)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_fifty_confirmations_entered_by_hand_in_an_outage_are_cases_and_none_is_doubled(tmp_path: Path) -> None:
    async with plant_at_work(tmp_path, (FIRST, 70), defects=()) as house:
        await until_made(house, FIRST, "0010", 12)
        await house.sap("faults", OUTAGE)
        await until_erp_is_missed(house, FIRST)
        await until_made(house, FIRST, "0010", 66)
        entry = {"order": FIRST, "operation": "0010", "yield": "1", "count": 50}
        entered = set((await house.sap("manual", entry))["documents"])
        assert len(entered) == 50
        await house.sap("faults", method="DELETE")
        status = await until_cases(house, FIRST, "manual_entry", 50, seconds=60)
        await until_line_is_done(house)
        assert {case.document for case in status.cases} >= entered
        assert await _booked(house) <= await pieces_made(house, FIRST, "0010")

        for case in status.cases:
            if case.kind.value == "manual_entry":
                answer = await _decide(house, case, CaseAction.ADOPT)
                assert answer.accepted, answer.message
        await house.until_closed(FIRST, seconds=120)
        assert await house.differences() == []
        assert len([d for d in await confirmations(house, FIRST) if d["manual"]]) == 50


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_hand_entries_are_adopted_posted_beside_or_reversed_as_people_decide(tmp_path: Path) -> None:
    async with plant_at_work(tmp_path, (FIRST, 20), over=50, defects=()) as house:
        await house.sap("faults", OUTAGE)
        await until_made(house, FIRST, "0010", 18)
        for pieces in ("1", "2", "4"):
            await house.sap("manual", {"order": FIRST, "operation": "0010", "yield": pieces})
        await house.sap("faults", method="DELETE")
        status = await until_cases(house, FIRST, "manual_entry", 3)
        by_pieces = {int(case.yield_quantity): case for case in status.cases}
        for pieces, action in ((1, CaseAction.ADOPT), (2, CaseAction.POST), (4, CaseAction.REVERSE)):
            answer = await _decide(house, by_pieces[pieces], action)
            assert answer.accepted, answer.message
            assert await _decide(house, by_pieces[pieces], action) == answer
        await house.until_closed(FIRST, seconds=90)
        # What was posted beside ours is no piece of the machine's: these two are in the SAP because a person said so.
        assert await house.differences() == [f"{FIRST}/0010: 2 yield duplicate"]


async def _booked(house: PlantHouse) -> int:
    return sum(int(float(d["yield"])) for d in await confirmations(house, FIRST) if d["operation"] == "0010")
