"""The outbox of notifications, and inspection results, on both databases."""

from __future__ import annotations

import asyncio
import datetime as dt

from domain.inspections import piece_of
from ledger.store import SqlLedger
from signals.holds import InspectionOutcome
from signals.inspections import Verdict
from signals.notify import Notification

NOW = dt.datetime(2026, 3, 2, 6, 0, tzinfo=dt.UTC)


def note(number: int, **changes: object) -> Notification:
    said = {"id": f"n{number}", "plant": "p1", "kind": "hold_opened", "at": NOW + dt.timedelta(minutes=number)}
    return Notification.model_validate(said | changes)


async def test_one_of_many_attempts_at_once_gets_a_delivery(ledger: SqlLedger) -> None:
    await asyncio.gather(*(ledger.record_notification(note(1), ["inbox", "mail"]) for _ in range(8)))
    until = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    claimed = await asyncio.gather(*(ledger.claim_delivery("p1", "n1", "mail", until) for _ in range(8)))
    assert claimed.count(True) == 1
    await ledger.note_delivery("p1", "n1", "mail", delivered=False, error="busy")
    assert await ledger.claim_delivery("p1", "n1", "mail", until), "a failed attempt gives it back"
    await ledger.note_delivery("p1", "n1", "mail", delivered=True)
    await ledger.note_delivery("p1", "n1", "mail", delivered=False, error="a late answer")
    assert not await ledger.claim_delivery("p1", "n1", "mail", until)
    _, mail = await ledger.deliveries("p1", "n1")
    assert (mail.state, mail.attempts, mail.error) == ("delivered", 2, "") and mail.delivered_at is not None


async def test_people_see_the_latest_of_what_is_theirs(ledger: SqlLedger) -> None:
    for number in range(6):
        roles = ("planner",) if number % 2 else ("supervisor",)
        await ledger.record_notification(note(number, roles=roles, users=("u1",) if number == 0 else ()), ["inbox"])
    await ledger.record_notification(note(9, plant="p2", roles=("planner",)), ["inbox"])
    assert [n.id for n in await ledger.notifications("p1", roles=["planner"])] == ["n5", "n3", "n1"]
    assert [n.id for n in await ledger.notifications("p1", roles=["planner"], user="u1", limit=9)][-1] == "n0"
    assert [n.id for n in await ledger.notifications("p1", limit=2)] == ["n5", "n4"]


async def test_a_result_is_kept_as_it_was_first_recorded(ledger: SqlLedger) -> None:
    def piece(inspection: str, serial: str, verdict: Verdict, plant: str = "p1"):
        outcome = InspectionOutcome(
            inspection=inspection, material="FLANGE", serial=serial, batch="B1", passed=verdict == "passed", at=NOW
        )
        return piece_of(plant, "d1", verdict, outcome)

    first = [piece("i1", "1", Verdict.PASSED), piece("i2", "2", Verdict.FAILED)]
    assert await ledger.record_inspections(first) == {"i1", "i2"}
    assert await ledger.record_inspections([piece("i1", "1", Verdict.FAILED), piece("i3", "", Verdict.PASSED)]) == {
        "i3"
    }
    assert await ledger.inspection("p1", "i1") == first[0]
    assert await ledger.inspections("p1", serial="2") == [first[1]]
    assert len(await ledger.inspections("p1", material="FLANGE", batch="B1", documents=["d1"])) == 3
    assert await ledger.inspections("p2") == [] and await ledger.inspection("p2", "i1") is None
    marks = {m.inspection: (m.serial, m.verdict) for m in await ledger.inspection_marks("p1", ["FLANGE"])}
    assert marks == {"i1": ("1", Verdict.PASSED), "i2": ("2", Verdict.FAILED), "i3": ("", Verdict.PASSED)}
    assert await ledger.inspection_marks("p1", []) == []
    assert await ledger.inspected_materials("p1") == ["FLANGE"]
