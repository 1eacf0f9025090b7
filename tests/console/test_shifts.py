"""Shift handovers at the console: read by everybody within their lines, taken over by supervisors, once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger.people_port import Grant
from signals.downtime import StopPart, TimeClass
from signals.handover import (
    HandoverReport,
    HandoverState,
    LineShift,
    MadePieces,
    NotFinal,
    OeeFigures,
    OpenItem,
    RunningOrder,
    ShiftStop,
)
from tests.console.house import NORTH, SOUTH, START, House
from tests.console.visits import send, signed_in

HOURS = timedelta(hours=8)
SHIFT = "2026-11-20/early"
PAGE = f"/p/{NORTH}/shifts/{SHIFT}"
NIL = Decimal(0)


def line_shift(name: str) -> LineShift:
    figures = OeeFigures(apt=Decimal(25_200), pbt=Decimal(28_000), produced=Decimal(100), good=Decimal(95),
                         planned_seconds=NIL, availability=Decimal("0.9"), quality=Decimal("0.95"))  # fmt: skip
    made = MadePieces(order=f"order-{name}", operation="0010", good=Decimal(95), scrap=Decimal(5))
    seconds = {TimeClass.RUNNING: Decimal(25_200), TimeClass.STOP: Decimal(2_800), TimeClass.NO_DATA: Decimal(800)}
    return LineShift(line=name, name=name.title(), seconds=seconds, oee=figures, pieces=(made,))


def stop(name: str) -> ShiftStop:
    end = START + HOURS
    part = StopPart(number=1, started_at=end - HOURS / 4, ended_at=end, shift=SHIFT, time_class=TimeClass.STOP)
    behind = part.model_copy(update={"number": 2, "started_at": end, "ended_at": None, "shift": "2026-11-20/late"})
    return ShiftStop(stop=f"stop-{name}", line=name, state="open", started_at=part.started_at, seconds=Decimal(7200),
                     parts=(part,), continues_as=behind, reason="Jam", owner="maintenance")  # fmt: skip


def handover(**changes: Any) -> HandoverReport:
    items = tuple(
        OpenItem(kind=kind, id=f"{kind}-{line}", text=f"{kind} of {line}", line=line, lines=(line,), owner="supervisor")
        for line in ("line-1", "line-2")
        for kind in ("hold", "exception", "parked")
    )
    return HandoverReport(
        plant=NORTH, shift=SHIFT, starts_at=START, ends_at=START + HOURS, next_shift="2026-11-20/late",
        acknowledge_by=START + 2 * HOURS, made_at=START + HOURS, lines=(line_shift("line-1"), line_shift("line-2")),
        stops=(stop("line-1"), stop("line-2")), open_items=items, called=("supervisor-1",),
        orders=(RunningOrder(order="1000017", operation="0010", lines=("line-1",), phase="running",
                             machine_good=Decimal(95), mes_good=Decimal(90), erp_good=Decimal(85)),),
        not_final=(NotFinal(line="line-2", why="behind", seen_to=START),), unacknowledged=("2026-11-19/night",),
    ).model_copy(update=changes)  # fmt: skip


async def test_the_report_is_shown_in_both_languages_and_prints_by_its_own_sheet(house: House) -> None:
    await house.ledger.record_handover(handover())
    async with signed_in(house, "supervisor-1") as client:
        for language, said in (("en", "For the next crew"), ("de", "Für die nächste Schicht")):
            headers = {"accept-language": language}
            listed = await client.get(f"/p/{NORTH}/shifts", headers=headers)
            assert listed.status_code == 200 and PAGE in listed.text
            answer = await client.get(PAGE, headers=headers)
            assert answer.status_code == 200, answer.text[-2000:]
            assert said in answer.text and "data-print" in answer.text and "shift.css" in answer.text
        for text in ("90", "2026-11-19/night", "hold of line-2", "exception of line-1", "1000017", "stop-line-1"):
            assert text in answer.text, text
        assert (await client.get(f"/p/{NORTH}/shifts/2026-11-20/never")).status_code == 404
        assert (await client.get(f"/p/{NORTH}/shifts?open=1")).status_code == 200


async def test_a_supervisor_takes_over_once_and_everybody_reads_who_did(house: House) -> None:
    await house.ledger.record_handover(handover())
    async with signed_in(house, "supervisor-1") as client:
        answer = await send(client, PAGE, f"{PAGE}/acknowledge", action_id="a1", comment="watch the press")
        assert answer.status_code == 303, answer.text[-2000:]
        again = await client.post(f"{PAGE}/acknowledge", data={"form_token": "0" * 64, "action_id": "a2"})
        assert again.status_code == 403, "a form that is not ours"
        page = (await client.get(PAGE)).text
        assert "Supervisor 1" in page and "watch the press" in page and f"{PAGE}/acknowledge" not in page
    report = await house.ledger.handover(NORTH, SHIFT)
    assert report is not None and (report.state, report.acknowledged_by) == (HandoverState.ACKNOWLEDGED, "supervisor-1")


@pytest.mark.parametrize("user", ["engineer-1", "planner-1", "admin-1", "auditor-1", "operator-1"])
async def test_nobody_else_takes_over(house: House, user: str) -> None:
    await house.ledger.record_handover(handover())
    async with signed_in(house, user) as client:
        page = (await client.get(PAGE)).text
        assert f"{PAGE}/acknowledge" not in page
        answer = await send(client, PAGE, f"{PAGE}/acknowledge", action_id="a1")
        assert answer.status_code == 403
    report = await house.ledger.handover(NORTH, SHIFT)
    assert report is not None and report.state is HandoverState.WAITING


async def test_who_is_limited_to_a_line_reads_nothing_of_another_and_no_exceptions_without_the_role(
    house: House,
) -> None:
    await house.ledger.record_handover(handover())
    async with signed_in(house, "operator-1") as client:
        text = (await client.get(PAGE)).text
        assert "hold of line-1" in text and "stop-line-1" in text
        for hidden in ("line-2", "order-line-2", "exception of line-1", "parked of line-1"):
            assert hidden not in text, hidden
    async with signed_in(house, "engineer-s") as client:
        assert (await client.get(PAGE)).status_code == 404
        assert (await client.get(f"/p/{SOUTH}/shifts/{SHIFT}")).status_code == 404


async def test_the_api_lists_shows_and_takes_over_and_repeats_its_answer(house: House) -> None:
    await house.ledger.record_handover(handover())
    base = f"/api/v1/plants/{NORTH}/shifts"
    async with await house.api("supervisor-1", NORTH, "supervisor") as client:
        assert [h["shift"] for h in (await client.get(base)).json()["items"]] == [SHIFT]
        assert (await client.get(f"{base}/{SHIFT}")).json()["next_shift"] == "2026-11-20/late"
        assert (await client.get(f"{base}/2026-11-20/never")).status_code == 404
        headers = {"idempotency-key": "k1"}
        first = await client.post(f"{base}/{SHIFT}/acknowledgement", json={}, headers=headers)
        again = await client.post(f"{base}/{SHIFT}/acknowledgement", json={}, headers=headers)
        assert first.status_code == 200 and first.json()["accepted"], first.text
        assert again.json() == first.json()
    async with await house.api("planner-1", NORTH, "planner") as client:
        assert (await client.post(f"{base}/{SHIFT}/acknowledgement", json={})).status_code == 403


async def test_a_supervisor_of_one_line_does_not_take_the_plants_shift_over(house: House) -> None:
    await house.ledger.record_handover(handover())
    grant = Grant(user="leader-1", plant=NORTH, role="supervisor", lines=("line-1",))
    await house.people.add_user("leader-1", name="Leader", password="a password for tests only", grants=(grant,))
    async with signed_in(house, "leader-1") as client:
        answer = await send(client, PAGE, f"{PAGE}/acknowledge", action_id="a1")
        assert answer.status_code == 403 and "line-1 only" in answer.text
