"""Stops over the API: as holds have it. Keys, problems, pages of the list, what the token's role may do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from console.stop_acting import ACTS
from domain.stop_permissions import stop_action
from signals.downtime import StopRecord, StopState
from tests.console.house import NORTH, SOUTH, House
from tests.console.stop_floor import fact, stands, tell

API = "/api/v1"
STOPS = f"{API}/plants/{NORTH}/stops"
PROBLEM = "application/problem+json"


async def stop_in(house: House, **more: Any) -> StopRecord:
    at = more.pop("at", NORTH)
    return await stands(house.ledger, house.services.plants[at], house.now[0], **more)


async def test_a_stop_is_read_with_what_the_role_may_do_and_acted_on(house: House) -> None:
    record = await stop_in(house)
    where = f"{STOPS}/{record.line}/{record.stop}"
    async with await house.api("supervisor-1", NORTH, "supervisor") as client:
        view = (await client.get(where)).json()
        assert view["acts"] == ["acknowledge", "classify", "comment", "estimate", "recode", "shelve", "split"]
        assert [p["status"] for p in view["stop"]["parts"]] == ["unknown"]
        for body in (
            {"kind": "acknowledge"},
            {"kind": "classify", "reason": "die"},
            {"kind": "split", "at": (house.now[0] - timedelta(minutes=1)).isoformat(), "reason": "sensor"},
            {"kind": "recode", "part": 1, "reason": "hydraulics", "comment": "the hose"},
            {"kind": "comment", "comment": "seen"},
            {"kind": "shelve", "until": (house.now[0] + timedelta(hours=1)).isoformat(), "comment": "waits"},
            {"kind": "estimate", "recovery_at": "2026-11-20T08:00:00Z", "available_percent": "50"},
            {"kind": "capacity", "approve": True, "recovery_at": "2026-11-20T08:00:00Z"},
        ):
            answer = await client.post(f"{where}/acts", json=body)
            assert (answer.status_code, answer.json()["accepted"]) == (200, True), (body, answer.text)
    found = await house.ledger.stop(NORTH, record.line, record.stop)
    assert found is not None
    assert (found.state, found.capacity.value) == (StopState.ACKNOWLEDGED, "approved")
    assert [p.reason for p in found.parts] == ["hydraulics", "sensor"]
    async with await house.api("engineer-1", NORTH, "quality engineer") as client:
        assert (await client.get(where)).json()["acts"] == []
        assert (await client.post(f"{where}/acts", json={"kind": "close"})).status_code == 403


async def test_the_same_key_is_one_act(house: House) -> None:
    record = await stop_in(house)
    async with await house.api("maintenance-1", NORTH, "maintenance") as client:
        body, key = {"kind": "comment", "comment": "once"}, {"Idempotency-Key": "shift-1/17"}
        where = f"{STOPS}/{record.line}/{record.stop}/acts"
        answers = [(await client.post(where, json=body, headers=key)).json() for _ in range(2)]
        other = (await client.post(where, json=body)).json()
    assert answers[0] == answers[1]
    assert other["action_id"] != answers[0]["action_id"]
    assert len(house.desk.stop_acts) == 2


async def test_of_another_line_or_plant_and_of_none_is_the_same_answer(house: House) -> None:
    hidden, elsewhere = await stop_in(house, line="line-2"), await stop_in(house, at=SOUTH)
    token = await house.token("operator-1", NORTH, "operator", ("line-1",))
    async with house.client(authorization=f"Bearer {token}") as client:
        assert (await client.get(STOPS)).json()["items"] == []
        missing = await client.get(f"{STOPS}/line-9/nothing")
        for path in (f"{STOPS}/line-2/{hidden.stop}", f"{API}/plants/{SOUTH}/stops/line-1/{elsewhere.stop}",
                     f"{API}/plants/{SOUTH}/stops", f"{API}/plants/nowhere/stops"):  # fmt: skip
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (404, missing.json())
        act = {"kind": "classify", "reason": "die"}
        told = [
            await client.post(f"{STOPS}/{name}/acts", json=act)
            for name in (f"line-2/{hidden.stop}", "line-2/nothing", "line-9/nothing")
        ]
        assert {(a.status_code, a.text) for a in told} == {(404, told[0].text)}
    assert house.desk.stop_acts == []


async def test_errors_are_problems_that_say_what_is_wrong(house: House) -> None:
    record = await stop_in(house)
    where = f"{STOPS}/{record.line}/{record.stop}/acts"
    async with await house.api("supervisor-1", NORTH, "supervisor") as client:
        misshapen = await client.post(where, json={"kind": "recode", "part": 0, "reason": "die", "comment": "x"})
        refused = await client.post(where, json={"kind": "classify", "reason": "gremlins"})
        naive = await client.post(where, json={"kind": "split", "at": "2026-11-20T06:00:00"})
        house.desk.silent = True
        silent = await client.post(where, json={"kind": "acknowledge"})
    for answer, status in ((misshapen, 422), (refused, 409), (naive, 422), (silent, 503)):
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
        assert answer.json()["detail"]
    assert silent.headers["retry-after"]


async def test_the_list_is_read_page_by_page_the_latest_first_and_narrowed(house: House) -> None:
    made = [await stop_in(house, minutes=20 + 30 * n, lasted=10) for n in range(5)]
    tell_micro = fact(NORTH, "line-1", house.now[0] - timedelta(minutes=2), house.now[0], micro=True)
    await tell(house.ledger, tell_micro)
    seen: list[str] = []
    async with await house.api("planner-1", NORTH, "planner") as client:
        cursor = ""
        for _ in range(5):
            body = (await client.get(STOPS, params={"limit": 2, "cursor": cursor})).json()
            seen += [record["stop"] for record in body["items"]]
            cursor = body.get("next") or ""
            if not cursor:
                break
        assert seen == [record.stop for record in made]

        async def count(**params: Any) -> int:
            return len((await client.get(STOPS, params=params)).json()["items"])

        assert await count(line="line-2") == 0
        assert await count(micro=True, open_only=False) == 6
        assert await count(unclassified=True) == 5
        assert await count(since=made[1].fact.started_at.isoformat()) == 2
        assert await count(order="1000018") == 0


@pytest.mark.parametrize("kind", ["acknowledge", "comment"])
async def test_a_service_account_reads_stops_and_never_acts(house: House, kind: str) -> None:
    record = await stop_in(house)
    async with await house.api("gauge-1", NORTH, "quality engineer") as client:
        assert (await client.get(STOPS)).status_code == 200
        where = f"{STOPS}/{record.line}/{record.stop}/acts"
        assert (await client.post(where, json={"kind": kind, "comment": "x"})).status_code == 403


@pytest.mark.parametrize("kind", ACTS)
def test_what_is_asked_of_a_page_is_what_the_process_asks(kind: str) -> None:
    model, action = ACTS[kind]
    assert stop_action(model.model_construct()) is action
