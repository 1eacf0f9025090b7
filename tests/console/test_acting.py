"""What people do on the pages: permissions, signatures, freshness, and that a form sent twice is one action."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from signals.documents import Case, CaseAction, CaseKind
from signals.holds import CosignHold, DecideHold, HoldState
from signals.reports import ParkedItem, ParkedWhy
from tests.console.house import NORTH, PASSWORD, SOUTH, START, House, order, trigger
from tests.console.visits import hash_in, send, signed_in, token_in

WHOLE: dict[str, Any] = {"quantity_scrap": "8", "reason_code": "SC01", "password": PASSWORD, "meaning": "approval"}


def path(hold: str, at: str = NORTH) -> str:
    return f"/p/{at}/holds/{hold}"


async def test_a_hold_is_claimed_counted_commented_and_decided_with_a_signature(house: House) -> None:
    hold = await house.hold()
    async with signed_in(house, "engineer-1") as client:
        for act, fields in (
            ("claim", {}),
            ("segregate", {"counted": "8", "location": "cage 4"}),
            ("comment", {"comment": "gauge checked"}),
            ("decide", WHOLE),
        ):
            answer = await send(client, path(hold), f"{path(hold)}/{act}", action_id=f"a-{act}", **fields)
            assert answer.status_code == 303, answer.text
    record = await house.ledger.hold(NORTH, hold)
    assert record is not None
    assert record.state is HoldState.CLOSED
    assert (record.assigned_to, str(record.segregated), record.segregated_at) == ("engineer-1", "8", "cage 4")
    decided = house.desk.acts[-1]
    assert isinstance(decided, DecideHold)
    assert decided.signature is not None
    assert await house.people.verify(decided.signature, decided) == ""


async def test_a_release_waits_for_a_second_person_of_another_function(house: House) -> None:
    hold = await house.hold()
    release = {"quantity_release": "8", "password": PASSWORD}
    async with signed_in(house, "engineer-1") as first:
        await send(first, path(hold), f"{path(hold)}/decide", action_id="d-1", **release)
        page = (await first.get(path(hold))).text
        assert "It waits for another person." in page
        refused = await send(
            first, path(hold), f"{path(hold)}/cosign", action_id="c-1", decision="d-1", password=PASSWORD
        )
        assert refused.status_code == 409 or refused.status_code == 403
    async with signed_in(house, "manager-1") as second:
        answer = await send(
            second, path(hold), f"{path(hold)}/cosign", action_id="c-2", decision="d-1", agree="yes", password=PASSWORD
        )
        assert answer.status_code == 303, answer.text
    record = await house.ledger.hold(NORTH, hold)
    assert record is not None
    assert record.state is HoldState.CLOSED
    assert isinstance(house.desk.acts[-1], CosignHold)


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({**WHOLE, "password": "another password"}, 409, "do not fit"),
        ({**WHOLE, "quantity_scrap": "7"}, 409, "8 PC are held, the dispositions sum to 7"),
        ({**WHOLE, "quantity_scrap": "seven"}, 409, "is no quantity"),
        ({**WHOLE, "quantity_scrap": ""}, 409, "No quantity is decided"),
        ({**WHOLE, "shown_hash": "0" * 64}, 409, "has changed since you opened it"),
        ({**WHOLE, "meaning": "because"}, 409, "is no meaning of a signature"),
    ],
    ids=["wrong password", "sum", "no number", "nothing", "stale content", "unknown meaning"],
)
async def test_a_decision_that_does_not_hold_changes_nothing_and_says_why(
    house: House, fields: dict[str, str], code: int, said: str
) -> None:
    hold = await house.hold()
    async with signed_in(house, "engineer-1") as client:
        answer = await send(client, path(hold), f"{path(hold)}/decide", action_id="d-1", **fields)
    assert answer.status_code == code
    assert said in answer.text
    assert 'name="quantity_scrap"' in answer.text
    assert PASSWORD not in answer.text
    assert house.desk.acts == []


async def test_what_was_shown_is_stale_as_soon_as_another_reason_came(house: House) -> None:
    first = trigger("B1")
    hold = (await house.ledger.open_hold(first)).hold
    async with signed_in(house, "engineer-1") as client:
        page = (await client.get(path(hold))).text
        second = trigger("B1")
        assert (await house.ledger.open_hold(second)).hold == hold
        record = await house.ledger.hold(NORTH, hold)
        assert record is not None
        await house.ledger.record_hold(
            record.model_copy(update={"revision": record.revision + 1, "reasons": (first.reason, second.reason)})
        )
        sent = {"form_token": token_in(page), "shown_hash": hash_in(page), "action_id": "d-1", **WHOLE}
        answer = await client.post(f"{path(hold)}/decide", data=sent)
    assert answer.status_code == 409
    assert house.desk.acts == []


@pytest.mark.parametrize("user", ["operator-1", "auditor-1", "planner-1", "admin-1", "integration-1"])
async def test_who_may_not_dispose_is_shown_no_form_and_refused_all_the_same(house: House, user: str) -> None:
    hold = await house.hold()
    async with signed_in(house, user) as client:
        page = (await client.get(path(hold))).text
        assert f'action="{path(hold)}/decide"' not in page
        sent = {"form_token": token_in(page), "action_id": "d-1", "shown_hash": "0" * 64, **WHOLE}
        answer = await client.post(f"{path(hold)}/decide", data=sent)
        assert answer.status_code == 403
    assert house.desk.acts == []


async def test_the_same_form_sent_twice_is_one_action(house: House) -> None:
    hold = await house.hold()
    async with signed_in(house, "engineer-1") as client:
        page = (await client.get(path(hold))).text
        sent = {"form_token": token_in(page), "action_id": "c-1", "comment": "once"}
        for _ in range(2):
            assert (await client.post(f"{path(hold)}/comment", data=sent)).status_code == 303
    record = await house.ledger.hold(NORTH, hold)
    assert record is not None
    assert [event.text for event in record.history] == ["once"]


async def test_without_a_worker_the_page_says_so_and_keeps_what_was_typed(house: House) -> None:
    hold = await house.hold()
    house.desk.silent = True
    async with signed_in(house, "engineer-1") as client:
        answer = await send(client, path(hold), f"{path(hold)}/decide", action_id="d-1", comment="see photo", **WHOLE)
        assert answer.status_code == 503
        assert "No worker took the decision in" in answer.text
        assert "see photo" in answer.text
        for page in (f"/p/{NORTH}/lines", f"/p/{NORTH}/orders/1000017"):
            assert (await client.get(page)).status_code == 200


SECRET_PAGES = ("holds/{hold}", "holds/{hold}/label", "holds/{hold}/code.svg", "orders/1000042", "cases/case-1",
                "parked/item-1")  # fmt: skip


async def test_what_belongs_to_another_plant_is_answered_like_what_does_not_exist(house: House) -> None:
    """A user of one plant cannot learn that something of the other exists: page by page, byte by byte."""
    hold = await secrets_of_south(house)
    async with signed_in(house, "supervisor-1") as client:
        for page in SECRET_PAGES:
            real = page.format(hold=hold)
            theirs = await client.get(f"/p/{SOUTH}/{real}")
            missing = await client.get(f"/p/{SOUTH}/{page.format(hold='nothing').replace('-1', '-9')}")
            nowhere = await client.get(f"/p/nowhere/{real}")
            assert theirs.status_code == missing.status_code == nowhere.status_code == 404, page
            bodies = {same(answer) for answer in (theirs, missing, nowhere)}
            assert len(bodies) == 1, page
        for part in ("lines", "orders", "holds", "cases"):
            assert (await client.get(f"/p/{SOUTH}/{part}")).status_code == 404, part
        assert hold not in (await client.get("/?all=1")).text
    async with signed_in(house, "both-1") as client:
        assert (await client.get(f"/p/{SOUTH}/holds/{hold}")).status_code == 200


async def secrets_of_south(house: House) -> str:
    await house.ledger.take_order(order("1000042", at=SOUTH))
    case = Case(
        case_id="case-1", plant=SOUTH, order="1000042", kind=CaseKind.ERP_REJECTED, owner_role="integration ops",
        summary="refused", allowed=(CaseAction.RETRY,),
    )  # fmt: skip
    await house.ledger.open_case(case)
    parked = ParkedItem(item="item-1", plant=SOUTH, line="line-1", why=ParkedWhy.NO_ORDER, detail="no order", at=START)
    await house.ledger.park((parked,))
    return await house.hold(at=SOUTH, of="1000042")


def same(answer: httpx.Response) -> str:
    """The page without its own address, and without the token that every page has anew."""
    text = answer.text
    for part in (answer.url.path, answer.url.path.replace("/", "%2F")):
        text = text.replace(part, "")
    return text


async def test_who_is_limited_to_a_line_knows_no_hold_of_another(house: House) -> None:
    own, other = await house.hold(line="line-1"), await house.hold(line="line-2")
    async with signed_in(house, "operator-1") as client:
        assert (await client.get(path(own))).status_code == 200
        assert (await client.get(path(other))).status_code == 404
        listed = (await client.get(f"/p/{NORTH}/holds")).text
        assert own in listed
        assert other not in listed
        board = (await client.get(f"/p/{NORTH}/lines")).text
        assert "Line 1" in board
        assert "Line 2" not in board


async def test_a_case_is_decided_by_its_owner_and_by_nobody_else(house: House) -> None:
    case = Case(
        case_id="case-1", plant=NORTH, order="1000017", kind=CaseKind.SECOND_EVIDENCE, owner_role="supervisor",
        summary="counters differ", allowed=(CaseAction.ACCEPT,),
    )  # fmt: skip
    await house.ledger.open_case(case)
    where = f"/p/{NORTH}/cases/case-1"
    async with signed_in(house, "engineer-1") as client:
        page = (await client.get(where)).text
        assert 'name="action"' not in page
        sent = {"form_token": token_in(page), "action_id": "d-1", "action": "accept", "reason": "seen"}
        assert (await client.post(where, data=sent)).status_code == 403
    async with signed_in(house, "operator-1") as client:
        assert (await client.get(where)).status_code == 403
    async with signed_in(house, "supervisor-1") as client:
        answer = await send(client, where, where, action_id="d-2", action="accept", reason="counted by hand")
        assert answer.status_code == 303, answer.text
    [decision] = house.desk.case_decisions
    assert (decision.by, decision.role, decision.reason) == ("supervisor-1", "supervisor", "counted by hand")


async def test_parked_production_is_accepted_with_a_reason(house: House) -> None:
    item = ParkedItem(
        item="item-1", plant=NORTH, line="line-1", why=ParkedWhy.IMPLAUSIBLE_COUNT, detail="40 to 900", at=START
    )
    await house.ledger.park((item,))
    where = f"/p/{NORTH}/parked/item-1"
    async with signed_in(house, "supervisor-1") as client:
        assert (await send(client, where, where, action_id="p-1", verdict="accept")).status_code == 409
        answer = await send(client, where, where, action_id="p-2", verdict="reject", reason="counter replaced")
        assert answer.status_code == 303
    [decision] = house.desk.parked_decisions
    assert (decision.accept, decision.by) == (False, "supervisor-1")


async def test_the_inbox_is_one_list_by_due_time_for_my_roles(house: House) -> None:
    hold = await house.hold()
    case = Case(
        case_id="case-1", plant=NORTH, order="1000017", kind=CaseKind.ERP_REJECTED, owner_role="integration ops",
        summary="period closed", allowed=(CaseAction.RETRY,), opened_at=START, due_at=START,
    )  # fmt: skip
    await house.ledger.open_case(case)
    async with signed_in(house, "engineer-1") as client:
        mine, everything = (await client.get("/")).text, (await client.get("/?all=1")).text
        assert hold in mine
        assert "period closed" not in mine
        assert everything.index("period closed") < everything.index(hold)
    async with signed_in(house, "integration-1") as client:
        assert "period closed" in (await client.get("/")).text
