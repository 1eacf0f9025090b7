"""The web console and the HTTP API: everybody asks for everything they offer, and is answered as the table says.

The desk behind them takes every wish and does nothing: a wish that arrives there was let through.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from console.security import SESSION_COOKIE, form_token
from ledger.connect import open_ledger
from ledger.people_port import Grant
from signals.decisions import Answer as Said
from signals.decisions import DecideCase, DecideParked
from signals.documents import Case, CaseAction, CaseKind
from signals.holds import HoldAct, HoldTrigger
from signals.people import content_hash
from signals.reports import ParkedItem, ParkedWhy
from tests.console.house import NORTH, SOUTH, START, House, HouseDesk, build_house, order
from tests.domain.permission_table import COLUMNS
from tests.people.askers import EVERYBODY, PASSWORD, SOME, Answer, Asker, Place, Questions, hire, offered
from tests.people.test_message_doors import CASES, DISPOSITIONS, HOLDS

LINE, OTHER_LINE = "line-1", "line-2"
ORDER, ITEM, MISSING = "1000017", "parked-1", "missing-1"
NO_ORDERS_HERE = "orders are started, completed, cancelled, taken back and approved on the command line"
NO_DOOR = {
    **{
        action: NO_ORDERS_HERE
        for action in (
            "start an order", "complete an order", "cancel an order", "declare an order void", "approve postings",
        )
    },
    "assign an order to a station": "the machine says it; by hand it is an update of the Line, no door has it yet",
    "see the audit trail": "no door has it yet",
    "export the audit trail": "no door has it yet",
    "see prices and costs": "nothing here shows money yet",
    "see users": "on the command line",
    "manage users": "on the command line",
    "manage API tokens": "on the command line",
}  # fmt: skip
LISTS = {
    "see lines": "lines",
    "see orders": "orders",
    "see holds": "holds",
    "see exceptions and parked items": "cases",
}
ACTIONS = (*CASES, "decide parked items", *HOLDS, "open a hold")
WEB = offered("see the line board", *LISTS, "see the catalogue of flows", *ACTIONS)
API = offered("see the line board", *LISTS, *ACTIONS, "record an inspection")
NO_WEB = {**NO_DOOR, "record an inspection": "results come from gauges and files"}
NO_API = {**NO_DOOR, "see the catalogue of flows": "a page for people"}
ACTS = {
    "claim a hold": "claim", "reassign a hold": "reassign", "comment a hold": "comment",
    "confirm segregated material": "segregate", "co-sign a decision on a hold": "cosign", "withdraw a hold": "withdraw",
}  # fmt: skip


ROLE_FIRST = ("open a hold", "record an inspection")
"""A role that never may is told so before line or order are looked at, whether they exist or not."""


class OpenDesk(HouseDesk):
    """Takes every wish and does nothing."""

    async def act_on_hold(self, plant: str, hold: str, act: HoldAct) -> Said:
        return Said(decision_id=act.action_id, accepted=True)

    async def decide_case(self, plant: str, case: Case, decision: DecideCase) -> Said:
        return Said(decision_id=decision.decision_id, accepted=True)

    async def decide_parked(self, plant: str, item: ParkedItem, decision: DecideParked) -> Said:
        return Said(decision_id=decision.decision_id, accepted=True)

    async def open_hold(self, trigger: HoldTrigger) -> str:
        return "H-new"


@dataclass
class Doors:
    """The house with one order, one hold, one parked item, and a case for each role; all of the first line."""

    house: House
    hold: str
    shown: str
    questions: Questions = field(default_factory=Questions)
    number: int = 0

    def case_of(self, role: str) -> str:
        return f"case-{role.replace(' ', '-')}"

    def next(self) -> str:
        self.number += 1
        return f"a-{self.number}"


@asynccontextmanager
async def open_doors(folder: Path, kind: type[HouseDesk] = OpenDesk) -> AsyncIterator[Doors]:
    ledger = await open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    house = await build_house(ledger)
    desk = kind(ledger, house.services.plants)
    house = await build_house(ledger, desk=desk)
    await hire(house.people, NORTH, SOUTH, LINE, OTHER_LINE)
    for role in COLUMNS:
        await ledger.open_case(
            Case(
                case_id=f"case-{role.replace(' ', '-')}", plant=NORTH, order=ORDER, kind=CaseKind.TOTALS_DIFFER,
                owner_role=role, summary="totals differ", allowed=tuple(CaseAction),
            )
        )  # fmt: skip
    item = ParkedItem(item=ITEM, plant=NORTH, line=LINE, why=ParkedWhy.NO_ORDER, detail="?", at=START)
    await ledger.park((item,))
    hold = await house.hold()
    record = await ledger.hold(NORTH, hold)
    assert record is not None
    yield Doors(house, hold, content_hash(record.content()))
    await ledger.close()


@pytest_asyncio.fixture(loop_scope="session")
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    async with open_doors(tmp_path) as found:
        yield found


def read(answer: httpx.Response) -> Answer:
    match answer.status_code:
        case 200 | 201 | 303:
            return Answer.DONE
        case 403:
            return Answer.FORBIDDEN
        case 404:
            return Answer.UNSEEN
        case 409 if "there is nothing to amend" in answer.text or "no decision" in answer.text:
            return Answer.DONE  # it was let through; the thing itself says no
        case other:
            raise AssertionError(f"{answer.request.url}: {other} {answer.text[:300]}")


@dataclass
class Web:
    """A session and the forms it carries."""

    doors: Doors
    asker: Asker
    client: httpx.AsyncClient
    secret: str

    async def ask(self, action: str, at: str, hold: str, case: str, item: str, line: str) -> httpx.Response:
        base = f"/p/{at}"
        match action:
            case "see the line board":
                return await self.client.get(f"{base}/lines")
            case "see the catalogue of flows":
                return await self.client.get("/flows")
            case action if action in LISTS:
                return await self.client.get(f"{base}/{LISTS[action]}")
            case "decide parked items":
                return await self.post(f"{base}/parked/{item}", verdict="reject", reason="because")
            case "open a hold":
                return await self.post(f"{base}/holds", text="dents", order=ORDER, line=line, quantity="1")
            case action if action in CASES:
                return await self.post(f"{base}/cases/{case}", action=CASES[action].value, reason="because")
            case action if action in DISPOSITIONS:
                signed = {"shown_hash": self.doors.shown, "password": PASSWORD}
                name = f"quantity_{DISPOSITIONS[action].value}"
                return await self.post(f"{base}/holds/{hold}/decide", **{name: "8"}, reason_code="dent", **signed)
            case _:
                fields = {"to": "somebody", "comment": "looked", "counted": "8", "location": "cage", "decision": "d"}
                signed = {"shown_hash": self.doors.shown, "password": PASSWORD}
                return await self.post(f"{base}/holds/{hold}/{ACTS[action]}", **fields, **signed)

    async def post(self, path: str, **fields: str) -> httpx.Response:
        token = form_token(self.doors.house.services.secret, self.secret)
        return await self.client.post(path, data={"form_token": token, "action_id": self.doors.next(), **fields})


@dataclass
class Api:
    """A token's calls."""

    doors: Doors
    asker: Asker
    client: httpx.AsyncClient

    async def ask(self, action: str, at: str, hold: str, case: str, item: str, line: str) -> httpx.Response:
        base = f"/api/v1/plants/{at}"
        sign = {"signature": {"password": PASSWORD, "content_hash": self.doors.shown}}
        match action:
            case "see the line board":
                return await self.client.get("/api/v1/plants")
            case action if action in LISTS:
                return await self.client.get(f"{base}/{LISTS[action].replace('cases', 'exceptions')}")
            case "decide parked items":
                return await self.client.post(
                    f"{base}/parked/{item}/decisions", json={"accept": False, "reason": "because"}
                )
            case "open a hold":
                body = {"text": "dents", "order": ORDER, "line": line, "quantity": "1"}
                return await self.client.post(f"{base}/holds", json=body)
            case "record an inspection":
                body = {
                    "inspection": self.doors.next(),
                    "passed": True,
                    "order": ORDER if line == LINE else MISSING,
                    "at": START.isoformat(),
                }
                return await self.client.post(f"{base}/inspections", json={**body, "material": "FRAME"})
            case action if action in CASES:
                body = {"action": CASES[action].value, "reason": "because"}
                return await self.client.post(f"{base}/exceptions/{case}/decisions", json=body)
            case action if action in DISPOSITIONS:
                part = {"kind": DISPOSITIONS[action].value, "quantity": "8", "reason_code": "dent"}
                body = {"kind": "decide", "dispositions": [part], **sign}
                return await self.client.post(f"{base}/holds/{hold}/acts", json=body)
            case _:
                more: dict[str, dict[str, Any]] = {
                    "reassign": {"to": "somebody"},
                    "segregate": {"counted": "8", "location": "cage"},
                    "cosign": {"decision": "d", **sign},
                    "withdraw": sign,
                }
                kind = ACTS[action]
                body = {"kind": kind, "comment": "looked", **more.get(kind, {})}
                return await self.client.post(f"{base}/holds/{hold}/acts", json=body)


def expected_of(asker: Asker, action: str) -> Answer:
    """A list is a page of the plant: its rows are chosen; what is nobody's plant's is anybody's."""
    if action in ("see the catalogue of flows", "see the line board") and asker.place is not Place.NOWHERE:
        anywhere = action == "see the catalogue of flows" or asker.is_here
        return asker.by_table(action) if anywhere else Answer.UNSEEN
    if action == "see the catalogue of flows":
        return Answer.FORBIDDEN
    if action in LISTS and asker.is_here:
        return asker.by_table(action)
    if action in ROLE_FIRST and asker.is_here and asker.by_table(action) is not Answer.DONE:
        return Answer.FORBIDDEN
    if (action in CASES or action == "decide parked items") and asker.is_here:
        # The page of the thing asks first whether exceptions may be seen at all.
        seen = asker.by_table("see exceptions and parked items")
        return seen if seen is not Answer.DONE else asker.expected(action)
    return asker.expected(action)


def told(answer: httpx.Response, ids: dict[str, str]) -> str:
    """The whole answer, ids made alike."""
    text = f"{answer.status_code} {answer.headers.get('content-type')} {answer.text}"
    text = re.sub(r'name="action_id" value="[^"]+"', "", text)  # a new one in every form
    for real, put in ids.items():
        text = text.replace(real, put)
    return text


async def ask_all(doors: Doors, door: Web | Api, actions: tuple[str, ...]) -> None:
    asker, name = door.asker, type(door).__name__.lower()
    case = doors.case_of(asker.role)
    for action in actions:
        answer = await door.ask(action, NORTH, doors.hold, case, ITEM, LINE)
        expected = expected_of(asker, action)
        if isinstance(door, Api) and action == "see the line board":
            expected = asker.by_table(action)
        doors.questions.took(name, asker, action, read(answer), expected, answer.text)
        if asker.is_here and asker.place is Place.OTHER_LINE and action in LISTS:
            for one in (ORDER, doors.hold, case, ITEM):
                doors.questions.same(name, asker, action, one if one in answer.text else "", "")
        if answer.status_code == 404 or (action in ROLE_FIRST and asker.place is Place.OTHER_LINE):
            at = "nowhere" if not asker.is_here else NORTH
            missing = await door.ask(action, at, MISSING, MISSING, MISSING, MISSING)
            ids = {doors.hold: MISSING, case: MISSING, ITEM: MISSING, f'"{LINE}"': f'"{MISSING}"'}
            doors.questions.same(name, asker, action, told(answer, {**ids, NORTH: "nowhere"}),
                                 told(missing, {NORTH: "nowhere"}))  # fmt: skip
    for path in things(doors, door, case):
        answer = await door.client.get(path)
        view = "see exceptions and parked items" if any(w in path for w in ("cases", "exceptions", "parked")) else ""
        expected = asker.expected(view or "see orders")
        if view and asker.is_here and asker.by_table(view) is not Answer.DONE:
            expected = Answer.FORBIDDEN
        doors.questions.took(name, asker, f"open {path}", read(answer), expected, answer.text)
        if answer.status_code == 404:
            missing = await door.client.get(re.sub(r"[^/]+$", MISSING, path))
            ids = {path.rsplit("/", 1)[1]: MISSING}
            doors.questions.same(name, asker, path, told(answer, ids), told(missing, {}))


def things(doors: Doors, door: Web | Api, case: str) -> list[str]:
    base = f"/p/{NORTH}" if isinstance(door, Web) else f"/api/v1/plants/{NORTH}"
    cases = "cases" if isinstance(door, Web) else "exceptions"
    found = [f"{base}/orders/{ORDER}", f"{base}/holds/{doors.hold}", f"{base}/{cases}/{case}"]
    return [*found, f"{base}/parked/{ITEM}"] if isinstance(door, Web) else found


async def ask_web(doors: Doors, askers: tuple[Asker, ...]) -> None:
    for asker in askers:
        # A service cannot sign in; a session that it cannot have is the most it could get hold of.
        secret = await doors.house.people.open_session(asker.login)
        async with doors.house.client() as client:
            client.cookies.set(SESSION_COOKIE, secret)
            await ask_all(doors, Web(doors, asker, client, secret), WEB)


async def ask_api(doors: Doors, askers: tuple[Asker, ...]) -> None:
    for asker in askers:
        if asker.place is Place.NOWHERE:
            continue  # nobody has a token without a role
        at = NORTH if asker.is_here else SOUTH
        grant = Grant(user=asker.login, plant=at, role=asker.role)
        token, _ = await doors.house.people.add_token(grant, by=asker.login)
        async with doors.house.client(authorization=f"Bearer {token}") as client:
            await ask_all(doors, Api(doors, asker, client), API)


async def test_a_page_and_a_call_answer_what_the_table_says(doors: Doors) -> None:
    """A slice: two roles in every place."""
    some = tuple(a for a in SOME if a.role in ("supervisor", "operator"))
    await ask_web(doors, some)
    await ask_api(doors, some)
    doors.questions.settle()


@pytest.mark.proof
@pytest.mark.timeout(1200)
async def test_every_page_and_call_answers_what_the_table_says(doors: Doors) -> None:
    await ask_web(doors, EVERYBODY)
    await ask_api(doors, EVERYBODY)
    doors.questions.settle()


async def test_an_impact_card_names_no_order_of_another_line(doors: Doors) -> None:
    """An order on two lines is seen from both; what could run in its place is not."""
    ledger = doors.house.ledger
    step = order().operations[0]
    second = step.model_copy(update={"operation": "0020", "work_centre": "WC-2"})
    await ledger.take_order(order("1000050", operations=(step, second)))
    await ledger.take_order(order("1000051", operations=(second.model_copy(update={"operation": "0030"}),)))
    hold = await doors.house.hold(of="1000050")
    for place, seen in ((Place.LINE, False), (Place.WHOLE, True)):
        asker = Asker("supervisor", place, service=False)
        async with doors.house.client() as client:
            client.cookies.set(SESSION_COOKIE, await doors.house.people.open_session(asker.login))
            page = (await client.get(f"/p/{NORTH}/holds/{hold}")).text
            assert ("1000051" in page) is seen, place
