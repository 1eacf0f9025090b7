"""The HTTP API: tokens, permissions, problems, idempotency keys, pages of lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from ledger.people_port import Grant
from signals.documents import Case, CaseAction, CaseKind
from signals.holds import CommentHold, DecideHold
from tests.console.house import NORTH, PASSWORD, SOUTH, START, House, order

API = "/api/v1"
HOLDS = f"{API}/plants/{NORTH}/holds"
PROBLEM = "application/problem+json"


async def test_without_a_valid_token_nothing_is_answered(house: House) -> None:
    async with house.client() as nobody, house.client(authorization="Bearer pw_x_y") as wrong:
        for client in (nobody, wrong):
            answer = await client.get(HOLDS)
            assert answer.status_code == 401
            assert answer.headers["content-type"] == PROBLEM
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_session_of_the_pages_is_no_token(house: House) -> None:
    from tests.console.visits import signed_in

    async with signed_in(house, "engineer-1") as client:
        assert (await client.get(HOLDS)).status_code == 401


async def test_a_token_acts_in_its_one_role_at_its_one_plant(house: House) -> None:
    async with await house.api("both-1", NORTH, "quality engineer") as client:
        [plant] = (await client.get(f"{API}/plants")).json()
        assert (plant["plant"], plant["roles"]) == (NORTH, ["quality engineer"])
        assert (await client.get(f"{API}/plants/{SOUTH}/holds")).status_code == 404


async def test_a_revoked_token_is_out_at_once(house: House) -> None:
    text, token = await house.people.add_token(
        Grant(user="engineer-1", plant=NORTH, role="quality engineer"), by="engineer-1"
    )
    async with house.client(authorization=f"Bearer {text}") as client:
        assert (await client.get(HOLDS)).status_code == 200
        await house.ledger.revoke_api_token(NORTH, token.token, START)
        assert (await client.get(HOLDS)).status_code == 401


async def test_errors_are_problems_that_say_what_is_wrong(house: House) -> None:
    hold = await house.hold()
    async with await house.api("engineer-1", NORTH, "quality engineer") as client:
        missing = await client.get(f"{HOLDS}/nothing")
        misshapen = await client.post(f"{HOLDS}/{hold}/acts", json={"kind": "segregate", "counted": "many"})
        refused = await client.post(
            f"{HOLDS}/{hold}/acts", json={"kind": "decide", "dispositions": [{"kind": "scrap", "quantity": "8"}]}
        )
    for answer, status in ((missing, 404), (misshapen, 422), (refused, 409)):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == PROBLEM
        body = answer.json()
        assert body["status"] == status
        assert body["title"]
        assert body["detail"]
    assert {fault["field"] for fault in misshapen.json()["errors"]} >= {"body.segregate.counted"}


async def test_of_another_plant_and_of_none_is_the_same_answer(house: House) -> None:
    await house.ledger.take_order(order("1000042", at=SOUTH))
    hold = await house.hold(at=SOUTH, of="1000042")
    async with await house.api("engineer-1", NORTH, "quality engineer") as client:
        for real, none in (
            (f"plants/{SOUTH}/holds/{hold}", "plants/nowhere/holds/nothing"),
            (f"plants/{SOUTH}/orders/1000042", f"plants/{NORTH}/orders/1000042"),
            (f"plants/{SOUTH}/exceptions", "plants/nowhere/exceptions"),
        ):
            first, second = await client.get(f"{API}/{real}"), await client.get(f"{API}/{none}")
            assert (first.status_code, first.json()) == (404, second.json())
        act = {"kind": "comment", "comment": "hello"}
        first = await client.post(f"{API}/plants/{SOUTH}/holds/{hold}/acts", json=act)
        second = await client.post(f"{HOLDS}/nothing/acts", json=act)
        assert (first.status_code, first.json()) == (404, second.json())


async def test_the_same_idempotency_key_is_one_action(house: House) -> None:
    hold = await house.hold()
    async with await house.api("engineer-1", NORTH, "quality engineer") as client:
        key = {"Idempotency-Key": "shift-1/17"}
        body = {"kind": "comment", "comment": "once"}
        answers = [(await client.post(f"{HOLDS}/{hold}/acts", json=body, headers=key)).json() for _ in range(2)]
        other = (await client.post(f"{HOLDS}/{hold}/acts", json=body)).json()
    assert answers[0] == answers[1]
    assert other["action_id"] != answers[0]["action_id"]
    async with await house.api("engineer-2", NORTH, "quality engineer") as client:
        theirs = (await client.post(f"{HOLDS}/{hold}/acts", json=body, headers=key)).json()
    assert theirs["action_id"] != answers[0]["action_id"]
    assert len([act for act in house.desk.acts if isinstance(act, CommentHold)]) == 3


async def test_a_list_is_read_page_by_page_without_a_gap(house: House) -> None:
    holds = {await house.hold(name=f"B-{n:02}") for n in range(7)}
    seen: list[str] = []
    async with await house.api("engineer-1", NORTH, "quality engineer") as client:
        cursor = ""
        for _ in range(4):
            body = (await client.get(HOLDS, params={"limit": 3, "cursor": cursor})).json()
            seen += [record["hold"] for record in body["items"]]
            cursor = body.get("next") or ""
            if not cursor:
                break
        assert (await client.get(HOLDS, params={"cursor": "nonsense"})).status_code == 400
    assert len(seen) == len(set(seen))
    assert set(seen) == holds


async def test_a_person_signs_over_the_api_what_was_shown(house: House) -> None:
    hold = await house.hold()
    async with await house.api("engineer-1", NORTH, "quality engineer") as client:
        view = (await client.get(f"{HOLDS}/{hold}")).json()
        assert "decide" in view["acts"]
        body: dict[str, Any] = {
            "kind": "decide",
            "dispositions": [{"kind": "scrap", "quantity": "8"}],
            "signature": {"password": PASSWORD, "content_hash": "0" * 64},
        }
        stale = await client.post(f"{HOLDS}/{hold}/acts", json=body)
        assert stale.status_code == 409
        body["signature"]["content_hash"] = view["content_hash"]
        answer = await client.post(f"{HOLDS}/{hold}/acts", json=body)
        assert answer.status_code == 200, answer.text
    [decided] = house.desk.acts
    assert isinstance(decided, DecideHold)
    assert decided.signature is not None
    assert await house.people.verify(decided.signature, decided) == ""


async def test_a_service_account_reports_and_opens_and_never_decides(house: House) -> None:
    async with await house.api("gauge-1", NORTH, "quality engineer") as client:
        opened = await client.post(
            HOLDS, json={"text": "gauge fault", "order": "1000017", "quantity": "3"},
            headers={"Idempotency-Key": "k-1"},
        )  # fmt: skip
        assert opened.status_code == 201, opened.text
        hold = opened.json()["hold"]
        assert (await house.ledger.hold(NORTH, hold)) is not None
        result = {"inspection": "I-1", "material": "FRAME", "passed": False, "at": START.isoformat()}
        assert (await client.post(f"{API}/plants/{NORTH}/inspections", json=result)).status_code == 201
        for body in ({"kind": "claim"}, {"kind": "withdraw"}, {"kind": "comment", "comment": "x"}):
            assert (await client.post(f"{HOLDS}/{hold}/acts", json=body)).status_code == 403
    assert house.desk.acts == []
    [outcome] = house.desk.inspections
    assert outcome.source == "API, gauge-1"


@pytest.mark.parametrize("at", [{"line": "line-9"}, {"line": "line-2"}], ids=["no such line", "not theirs"])
async def test_a_hold_is_not_opened_on_a_line_that_one_does_not_see(house: House, at: dict[str, str]) -> None:
    token = await house.token("operator-1", NORTH, "operator", ("line-1",))
    async with house.client(authorization=f"Bearer {token}") as client:
        answer = await client.post(HOLDS, json={"text": "dents", "order": "1000017", **at})
        assert answer.status_code == 404
        own = await client.post(HOLDS, json={"text": "dents", "order": "1000017", "line": "line-1"})
        assert own.status_code == 201, own.text
        assert (await client.post(HOLDS, json={"text": "dents", "line": "line-1"})).status_code == 409


async def test_an_exception_is_listed_read_and_decided(house: House) -> None:
    case = Case(
        case_id="case-1", plant=NORTH, order="1000017", kind=CaseKind.SECOND_EVIDENCE, owner_role="supervisor",
        summary="counters differ", allowed=(CaseAction.ACCEPT,),
    )  # fmt: skip
    await house.ledger.open_case(case)
    where = f"{API}/plants/{NORTH}/exceptions"
    async with await house.api("engineer-1", NORTH, "quality engineer") as client:
        assert (await client.get(f"{where}/case-1")).json()["may"] == []
        body = {"action": "accept", "reason": "counted"}
        assert (await client.post(f"{where}/case-1/decisions", json=body)).status_code == 403
    async with await house.api("supervisor-1", NORTH, "supervisor") as client:
        assert [c["case"]["case_id"] for c in (await client.get(where)).json()["items"]] == ["case-1"]
        assert (await client.get(f"{where}/case-1")).json()["may"] == ["accept"]
        answer = await client.post(f"{where}/case-1/decisions", json=body)
        assert answer.status_code == 200, answer.text
    [decision] = house.desk.case_decisions
    assert (decision.by, decision.role) == ("supervisor-1", "supervisor")


async def test_orders_and_lines_say_what_the_pages_say(house: House) -> None:
    async with await house.api("planner-1", NORTH, "planner") as client:
        listed = (await client.get(f"{API}/plants/{NORTH}/orders")).json()
        assert [o["order"] for o in listed["items"]] == ["1000017", "1000018"]
        one = (await client.get(f"{API}/plants/{NORTH}/orders/1000017")).json()
        assert one["plantwright"]["operations"][0]["reported_yield"] == "42"
        lines = (await client.get(f"{API}/plants/{NORTH}/lines")).json()
        assert [(line["line"], line["live"]) for line in lines] == [("line-1", True), ("line-2", False)]


def handlers(routes: Iterable[object]) -> Iterator[APIRoute]:
    """All handlers, also those of routers within routers."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (inner := getattr(route, "original_router", None)) is not None:
            yield from handlers(inner.routes)


async def test_every_handler_asks_the_permission_table(house: House) -> None:
    """None can be reached without it, but those that are there before anybody is known."""
    open_to_all = {"/sign-in", "/sign-out", "/choose", "/healthz"}
    found = [route for route in handlers(house.app.routes) if route.path not in open_to_all]
    assert len(found) >= 30
    for route in found:
        assert any(getattr(d.call, "action", None) for d in route.dependant.dependencies), route.path


async def test_two_triggers_with_one_key_are_one_hold(house: House) -> None:
    body = {"text": "dents", "order": "1000017", "quantity": "2", "batch": "B77"}
    async with await house.api("engineer-1", NORTH, "quality engineer") as client:
        key = {"Idempotency-Key": "once"}
        first, second = [(await client.post(HOLDS, json=body, headers=key)).json() for _ in range(2)]
    assert first == second
    assert len(await house.ledger.hold_triggers(NORTH, first["hold"])) == 1
