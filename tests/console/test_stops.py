"""Stops on the pages: board, one stop, reasons to tap, what people do, what stays hidden, losses and timeline."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from signals.downtime import CapacityState, ClassifyStop, Reallocation, ReasonStatus, StopRecord, StopState
from tests.console.house import NORTH, SOUTH, House
from tests.console.stop_floor import fact, live_on, stands, tell
from tests.console.visits import TOKEN, send, signed_in

BOARD = f"/p/{NORTH}/stops"


async def stop_in(house: House, **more: Any) -> StopRecord:
    at = more.pop("at", NORTH)
    return await stands(house.ledger, house.services.plants[at], house.now[0], **more)


def path(record: StopRecord) -> str:
    return f"/p/{record.plant}/stops/{record.line}/{record.stop}"


async def again(house: House, record: StopRecord) -> StopRecord:
    found = await house.ledger.stop(record.plant, record.line, record.stop)
    assert found is not None
    return found


async def test_every_page_of_stops_answers_in_both_languages(house: House) -> None:
    record = await stop_in(house, minutes=12, alarm="E-17", alarm_count=12, flood=True)
    over = await stop_in(house, line="line-2", minutes=60, lasted=20)
    async with signed_in(house, "supervisor-1") as client:
        for page in (BOARD, path(record), f"{path(record)}/reasons", path(over), f"{BOARD}/losses", f"{BOARD}/timeline",
                     f"{BOARD}/timeline?shift=2026-11-20/early",
                     f"{BOARD}/losses?from=2026-11-01&to=2026-11-20&line=line-2",
                     f"{BOARD}/losses?from=nonsense", f"{BOARD}/timeline?day=2026-11-19"):  # fmt: skip
            for language in ("en", "de"):
                answer = await client.get(page, headers={"accept-language": language})
                assert answer.status_code == 200, (page, answer.text[-2000:])
                assert f'lang="{language}"' in answer.text
                assert " style=" not in answer.text


async def test_the_board_says_how_long_why_who_and_who_is_called_next(house: House) -> None:
    await stop_in(house, minutes=12)
    await stop_in(house, line="line-2", minutes=60, lasted=20)
    async with signed_in(house, "supervisor-1") as client:
        text = (await client.get(BOARD)).text
    assert "12 min</span>" in text
    assert re.search(r"step 2 \(response\): maintenance, supervisor", text)
    assert re.search(r"step 3 \(response\) .*in 18 min.*supervisor, planner", text)
    assert ">unknown</a>" in text
    assert "to be explained" in text
    assert "20 min" in text


async def test_an_operator_explains_a_stop_by_one_form_of_reasons(house: House) -> None:
    record = await stop_in(house, minutes=3)
    async with signed_in(house, "operator-1") as client:
        text = (await client.get(f"{path(record)}/reasons")).text
        for reason in ("die", "hydraulics", "no-coil", "changeover", "equipment", "starved", "planned"):
            assert f'value="{reason}"' in text
        assert "<legend>Equipment</legend>" in text
        sent = await send(client, f"{path(record)}/reasons", f"{path(record)}/classify", action_id="a-1", reason="die",
                          back="reasons")  # fmt: skip
        assert (sent.status_code, sent.headers["location"]) == (303, f"{BOARD}?done=classify")
        assert "Equipment / Die broken" in (await client.get(BOARD)).text
    [part] = (await again(house, record)).parts
    assert (part.reason, part.by, part.cost_centre) == ("die", "operator-1", "4711")


async def test_a_supervisor_does_everything_else_with_a_stop(house: House) -> None:
    record = await stop_in(house, minutes=12)
    at = path(record)
    steps: list[tuple[str, dict[str, str]]] = [
        ("acknowledge", {}),
        ("comment", {"comment": "the fitter comes"}),
        ("classify", {"reason": "die", "part": "1"}),
        ("split", {"at": "2026-11-20T07:00:30", "reason": "sensor"}),
        ("recode", {"part": "2", "reason": "hydraulics", "comment": "it was the hose"}),
        ("shelve", {"until": "2026-11-20T08:00", "comment": "a part is on its way"}),
        ("estimate", {"recovery_at": "2026-11-20T09:00", "available_percent": "12,5"}),
    ]
    async with signed_in(house, "supervisor-1") as client:
        for act, fields in steps:
            answer = await send(client, at, f"{at}/{act}", action_id=f"a-{act}", **fields)
            assert answer.status_code == 303, (act, re.findall('id="refused".*', answer.text))
        now = await again(house, record)
        assert now.expected_recovery is not None
        assert (now.capacity, now.capacity_percent) == (CapacityState.PROPOSED, Decimal("12.5"))
        assert f"{now.expected_recovery:%H:%M}" == "08:00", "the plant's clock was taken for UTC"
        shown = now.expected_recovery.isoformat()
        assert shown in (await client.get(at)).text
        answer = await send(client, at, f"{at}/capacity", action_id="a-c", approve="yes", recovery_at=shown)
        assert answer.status_code == 303, answer.text
    now = await again(house, record)
    assert [p.reason for p in now.parts] == ["die", "hydraulics"]
    assert (now.assigned_to, now.capacity) == ("supervisor-1", CapacityState.APPROVED)
    assert [a.kind for a in house.desk.stop_acts] == [*(s for s, _ in steps), "capacity"]


async def test_a_reallocation_is_the_planners_to_decide(house: House) -> None:
    record = await stop_in(house)
    proposal = Reallocation(
        order="1000018", material="FRAME", quantity=Decimal(40), source="stock 0001", late_customer="ACME"
    )
    await house.ledger.record_stop(record.model_copy(update={"revision": 99, "reallocations": (proposal,)}))
    at = path(record)
    async with signed_in(house, "supervisor-1") as client:
        assert "40 PC" in (await client.get(at)).text
        assert (await send(client, at, f"{at}/reallocate", action_id="r-1", approve="yes")).status_code == 403
    async with signed_in(house, "planner-1") as client:
        assert 'id="reallocate"' in (await client.get("/")).text or "ACME" in (await client.get(at)).text
        assert (await send(client, at, f"{at}/reallocate", action_id="r-2", approve="yes")).status_code == 303
    assert [r.state for r in (await again(house, record)).reallocations] == ["approved"]


async def test_two_stops_are_joined_and_a_third_is_closed_when_it_is_over(house: House) -> None:
    first = await stop_in(house, minutes=40, lasted=10)
    second = await stop_in(house, minutes=20, lasted=5)
    async with signed_in(house, "maintenance-1") as client:
        assert f'value="{first.stop}"' in (await client.get(path(second))).text
        answer = await send(client, path(second), f"{path(second)}/join", action_id="j", into=first.stop)
        assert answer.status_code == 303, answer.text
        refused = await send(client, path(first), f"{path(first)}/close", action_id="c-1")
        assert refused.status_code == 409
        assert "say why it stood" in refused.text
    assert (await again(house, second)).joined_into == first.stop


@pytest.mark.parametrize(
    ("act", "fields", "said"),
    [
        ("classify", {"reason": "gremlins"}, "o reason is named gremlins"),
        ("classify", {"reason": "die", "part": "9"}, "has no part 9"),
        ("classify", {"reason": "die", "part": "two"}, "is no number"),
        ("classify", {"reason": ""}, "reason"),
        ("split", {"at": "yesterday"}, "is no time"),
        ("split", {"at": "2026-11-20T03:00"}, "lies inside none of its parts"),
        ("shelve", {"until": "2027-11-20T03:00", "comment": "x"}, "for longer than until"),
        ("shelve", {"until": "2026-11-20T08:00", "comment": ""}, "comment"),
        ("estimate", {"recovery_at": "2026-11-20T09:00", "available_percent": "101"}, "percent"),
        ("comment", {"comment": ""}, "the comment is empty"),
        ("capacity", {"approve": "yes"}, "o capacity change waits"),
    ],
)
async def test_what_cannot_be_done_is_said_on_the_page_and_changes_nothing(
    house: House, act: str, fields: dict[str, str], said: str
) -> None:
    record = await stop_in(house)
    async with signed_in(house, "supervisor-1") as client:
        answer = await send(client, path(record), f"{path(record)}/{act}", action_id="a", **fields)
    assert answer.status_code == 409
    assert said in answer.text
    assert (await again(house, record)).revision == record.revision


@pytest.mark.parametrize("user", ["engineer-1", "auditor-1", "integration-1", "planner-1"])
async def test_who_may_not_is_shown_no_form_and_refused_all_the_same(house: House, user: str) -> None:
    record = await stop_in(house)
    async with signed_in(house, user) as client:
        text = (await client.get(path(record))).text
        for act in ("classify", "split", "recode", "shelve"):
            assert f'action="{path(record)}/{act}"' not in text
            answer = await send(client, path(record), f"{path(record)}/{act}", action_id="a", reason="die", part="1")
            assert answer.status_code == 403, act
    assert house.desk.stop_acts == []


async def test_stops_of_other_lines_and_plants_do_not_exist(house: House) -> None:
    other_line, other_plant = await stop_in(house, line="line-2"), await stop_in(house, at=SOUTH)
    own = await stop_in(house, minutes=3)
    async with signed_in(house, "operator-1") as client:
        text = (await client.get(BOARD)).text
        assert own.stop in text
        assert "Line 2" not in text
        nothing = (await client.get(f"{BOARD}/line-9/nothing")).text
        for hidden in (other_line, other_plant):
            for page in (path(hidden), f"{path(hidden)}/reasons"):
                answer = await client.get(page)
                assert answer.status_code == 404
            token = TOKEN.search(text)
            assert token is not None
            sent = {"form_token": token.group(1), "action_id": "a", "reason": "die"}
            assert (await client.post(f"{path(hidden)}/classify", data=sent)).status_code == 404
        assert "there is no such thing here" in nothing.lower()
        assert "Line 2" not in (await client.get(f"{BOARD}/timeline")).text
        assert "line-2" not in (await client.get(f"{BOARD}/losses")).text
        assert (await client.get(f"/p/{SOUTH}/stops")).status_code == 404
    assert house.desk.stop_acts == []


async def test_a_form_that_is_not_ours_and_an_unknown_act_change_nothing(house: House) -> None:
    record = await stop_in(house)
    async with signed_in(house, "operator-1") as client:
        answer = await client.post(f"{path(record)}/classify", data={"action_id": "a", "reason": "die"})
        assert answer.status_code == 403
        assert (await send(client, path(record), f"{path(record)}/explode", action_id="a")).status_code == 404
    assert house.desk.stop_acts == []


async def test_a_form_sent_twice_is_one_act_and_silence_is_told(house: House) -> None:
    record = await stop_in(house)
    async with signed_in(house, "operator-1") as client:
        for _ in range(2):
            answer = await send(client, path(record), f"{path(record)}/classify", action_id="same", reason="die")
            assert answer.status_code == 303
        house.desk.silent = True
        answer = await send(client, path(record), f"{path(record)}/comment", action_id="b", comment="hello")
        assert answer.status_code == 503
    assert len([a for a in house.desk.stop_acts if isinstance(a, ClassifyStop)]) == 1


async def test_a_micro_stop_is_shown_and_nobody_is_asked_about_it(house: House) -> None:
    now = house.now[0]
    told = fact(NORTH, "line-1", now - timedelta(minutes=3), now - timedelta(minutes=2), micro=True)
    await tell(house.ledger, told)
    async with signed_in(house, "supervisor-1") as client:
        at = f"{BOARD}/line-1/{told.stop}"
        text = (await client.get(at)).text
        assert "A micro-stop" in text
        assert f'action="{at}/' not in text
        assert (await send(client, BOARD, f"{at}/classify", action_id="a", reason="die")).status_code == 409
        assert "1 min lost in 1 stops" in (await client.get(f"{BOARD}/losses")).text


async def test_the_inbox_asks_those_whom_the_ladder_has_called(house: House) -> None:
    early = await stop_in(house, minutes=3)
    late = await stop_in(house, line="line-2", minutes=11)
    over = await stop_in(house, minutes=200, lasted=30)

    async def asked(user: str) -> set[str]:
        async with signed_in(house, user) as client:
            text = (await client.get("/?kind=stop")).text
            return {record.stop for record in (early, late, over) if record.stop in text}

    assert await asked("maintenance-1") == {early.stop, late.stop, over.stop}
    assert await asked("operator-1") == {early.stop, over.stop}, "of the own line only"
    assert await asked("supervisor-1") == {late.stop, over.stop}, "not called about the early one yet"
    assert await asked("engineer-1") == set()
    async with signed_in(house, "maintenance-1") as client:
        answer = await send(client, "/", f"{path(early)}/acknowledge", action_id="k")
        assert answer.status_code == 303
    assert (await again(house, early)).state is StopState.ACKNOWLEDGED


async def test_the_line_board_leads_to_the_stop(house: House) -> None:
    record = await stop_in(house)
    async with signed_in(house, "operator-1") as client:
        text = (await client.get(f"/p/{NORTH}/lines")).text
    assert f'href="{path(record)}"' in text
    assert "Stands for" in text


async def test_losses_count_the_part_of_a_stop_that_lies_in_the_period(house: House) -> None:
    house.now[0] += timedelta(hours=8)
    today = await stop_in(house, minutes=30)
    yesterday = await stop_in(house, line="line-2", minutes=18 * 60, lasted=235, order="1000018")
    async with signed_in(house, "supervisor-1") as client:
        await send(client, path(today), f"{path(today)}/classify", action_id="a", reason="die")
        text = (await client.get(f"{BOARD}/losses?from=2026-11-20&to=2026-11-20")).text
        assert "90 min lost in 2 stops" in text, re.findall(".*min lost.*", text)
        assert "Equipment / Die broken" in text
        for word in ("FRAME", "PLATE", "2026-11-20/late", "line-2", "33.3 %", "66.7 %"):
            assert word in text, word
        week = (await client.get(f"{BOARD}/losses")).text
        assert "265 min lost in 2 stops" in week
        one = (await client.get(f"{BOARD}/losses?line=line-2")).text
        assert "235 min lost in 1 stops" in one
    assert yesterday.parts[0].status is ReasonStatus.UNKNOWN


async def test_a_stop_that_has_ended_is_closed_by_its_reason_and_leaves_the_board(house: House) -> None:
    record = await stop_in(house, minutes=60, lasted=10)
    async with signed_in(house, "operator-1") as client:
        await send(client, path(record), f"{path(record)}/classify", action_id="a", reason="no-coil", back="board")
        closed = await live_on(house.ledger, house.services.plants[NORTH], "line-1", record.stop, house.now[0])
        assert closed.state is StopState.CLOSED
        assert record.stop not in (await client.get(BOARD)).text
        page = (await client.get(path(record))).text
        assert f"{path(record)}/comment" in page
        assert not [k for k in ("acknowledge", "classify", "shelve", "close") if f"{path(record)}/{k}" in page]
