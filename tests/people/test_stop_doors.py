"""Stops and shift handovers on the pages, over the API and on the command line: everybody asks for everything.

As `test_console_doors` and `test_command_door` have it for the rest of the table. A wish that was let through must have
arrived at the desk in its asker's name and role, and no other may have.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from console.security import SESSION_COOKIE
from ledger.connect import open_ledger
from ledger.people_port import Grant
from ledger.store import SqlLedger
from signals.decisions import Answer as Said
from signals.downtime import StopAct
from signals.handover import AcknowledgeHandover
from tests.console import test_shifts as shifts
from tests.console.house import NORTH, SOUTH
from tests.console.stop_floor import stands
from tests.people.askers import EVERYBODY, SOME, Answer, Asker, Place, Questions
from tests.people.stop_questions import HANDOVER, KINDS, expected_of, fields
from tests.people.test_command_door import FILE, OTHER_LINE, PLANT, Terminal, open_terminal
from tests.people.test_command_door import LINE as DEMO_LINE
from tests.people.test_command_door import read as read_command
from tests.people.test_console_doors import LINE, Doors, OpenDesk, Web, open_doors, read
from workers.plant_file import load_plant

SHIFT, MISSING, NO_LINE = shifts.SHIFT, "missing-1", "line-7"
NO_SHIFT = "2026-11-20/never"
REASON_TEXT = "Hydraulics"
"""What the plant's pattern says of the stop: losses name it."""


class StopDesk(OpenDesk):
    """Takes every wish, does nothing, and knows in whose name it came."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.arrived: list[tuple[str, str, str, str]] = []

    async def act_on_stop(self, plant: str, line: str, stop: str, act: StopAct) -> Said:
        self.arrived.append((act.kind, f"{line}/{stop}", act.actor.user, act.actor.role))
        return Said(decision_id=act.action_id, accepted=True)

    async def acknowledge_handover(self, plant: str, shift: str, act: AcknowledgeHandover) -> Said:
        self.arrived.append((HANDOVER, shift, act.actor.user, act.actor.role))
        return Said(decision_id=act.action_id, accepted=True)


@dataclass
class Things:
    """A stop that stands on the first line, and a shift that was made of both."""

    doors: Doors
    desk: StopDesk
    stop: str
    says: dict[str, dict[str, Any]]
    questions: Questions = field(default_factory=Questions)


@pytest_asyncio.fixture(loop_scope="session")
async def things(tmp_path: Path) -> AsyncIterator[Things]:
    async with open_doors(tmp_path, StopDesk) as doors:
        house = doors.house
        assert isinstance(house.services.desk, StopDesk)
        record = await stands(house.ledger, house.services.plants[NORTH], house.now[0], line=LINE, alarm="HYD-1")
        await house.ledger.record_handover(shifts.handover())
        at, later = (house.now[0] + timedelta(minutes=m) for m in (-1, 60))
        yield Things(doors, house.services.desk, record.stop, fields("die", at.isoformat(), later.isoformat(), "other"))


# --- web and API -------------------------------------------------------------------------------------------------
WEB_LISTS = ("stops", "stops/losses", "stops/losses?line={line}", "stops/timeline", "shifts")
API_LISTS = ("stops", "stops?line={line}", "stops?open_only=false&micro=true", "shifts")
WEB_PAGES = ("stops/{line}/{stop}", "stops/{line}/{stop}/reasons", "shifts/{shift}")
API_PAGES = ("stops/{line}/{stop}", "shifts/{shift}")


@dataclass
class Caller:
    """One asker at one door, and how it is asked there."""

    things: Things
    asker: Asker
    client: httpx.AsyncClient
    web: Web | None = None

    @property
    def door(self) -> str:
        return "web" if self.web is not None else "api"

    def base(self, plant: str) -> str:
        return f"/p/{plant}" if self.web is not None else f"/api/v1/plants/{plant}"

    async def act(self, kind: str, plant: str, line: str, stop: str, shift: str) -> httpx.Response:
        says = self.things.says.get(kind, {})
        if self.web is None:
            if kind == HANDOVER:
                return await self.client.post(f"{self.base(plant)}/shifts/{shift}/acknowledgement", json={})
            path = f"{self.base(plant)}/stops/{line}/{stop}/acts"
            return await self.client.post(path, json={"kind": kind, **says})
        if kind == HANDOVER:
            return await self.web.post(f"{self.base(plant)}/shifts/{shift}/acknowledge")
        said = {name: "yes" if value is True else str(value) for name, value in says.items()}
        return await self.web.post(f"{self.base(plant)}/stops/{line}/{stop}/{kind}", **said)


def told(answer: httpx.Response, things: Things) -> str:
    """The whole answer, ids made alike."""
    text = f"{answer.status_code} {answer.headers.get('content-type')} {answer.text}"
    text = re.sub(r'name="action_id" value="[^"]+"', "", text)  # a new one in every form
    for real, put in {things.stop: MISSING, SHIFT: NO_SHIFT, NORTH: "nowhere"}.items():
        text = text.replace(real, put)
    return re.sub(rf"(line=|line%3D|/){LINE}\b", rf"\g<1>{NO_LINE}", text)


async def ask_caller(caller: Caller) -> None:
    things, asker, door = caller.things, caller.asker, caller.door
    names = {"line": LINE, "stop": things.stop, "shift": SHIFT}
    at, none = NORTH if asker.is_here else "nowhere", {"line": NO_LINE, "stop": MISSING, "shift": NO_SHIFT}
    for kind, action in {**KINDS, HANDOVER: HANDOVER}.items():
        before, expected = len(things.desk.arrived), expected_of(asker, action)
        answer = await caller.act(kind, NORTH, **names)
        things.questions.took(door, asker, f"{action} ({kind})", read(answer), expected, answer.text)
        came = (kind, SHIFT if kind == HANDOVER else f"{LINE}/{things.stop}", asker.login, asker.role)
        effect = [came] if expected is Answer.DONE else []
        things.questions.had_effect(door, asker, action, things.desk.arrived[before:], effect)
        if answer.status_code == 404:
            for line in (LINE, NO_LINE):
                missing = await caller.act(kind, at, line, MISSING, NO_SHIFT)
                things.questions.same(door, asker, action, told(answer, things), told(missing, things))
    await look(caller, names, none, at)


async def look(caller: Caller, names: dict[str, str], none: dict[str, str], at: str) -> None:
    """Lists, and the things themselves. Who is of another line reads nothing of this one in any of them."""
    things, asker, door = caller.things, caller.asker, caller.door
    sees_line = asker.is_here and asker.place is not Place.OTHER_LINE
    for path in WEB_LISTS if caller.web else API_LISTS:
        answer = await caller.client.get(f"{caller.base(NORTH)}/{path.format(**names)}")
        things.questions.took(door, asker, f"see {path}", read(answer), expected_of(asker, "see stops"), answer.text)
        for mark in marks(path, things, web=caller.web is not None):
            things.questions.same(door, asker, path, str(mark in answer.text), str(sees_line))
        if answer.status_code == 404 or (not sees_line and "{line}" in path):
            missing = await caller.client.get(f"{caller.base(at)}/{path.format(**none)}")
            things.questions.same(door, asker, path, told(answer, things), told(missing, things))
    for path in WEB_PAGES if caller.web else API_PAGES:
        answer = await caller.client.get(f"{caller.base(NORTH)}/{path.format(**names)}")
        of_plant = asker.is_here and path.startswith("shifts")
        expected = asker.by_table("see stops") if of_plant else asker.expected("see stops")
        things.questions.took(door, asker, f"open {path}", read(answer), expected, answer.text)
        if of_plant:
            for mark in (f"stop-{LINE}", f"order-{LINE}", f"hold of {LINE}"):
                things.questions.same(door, asker, path, str(mark in answer.text), str(sees_line))
        if answer.status_code == 404:
            missing = await caller.client.get(f"{caller.base(at)}/{path.format(**none)}")
            things.questions.same(door, asker, path, told(answer, things), told(missing, things))


def marks(path: str, things: Things, *, web: bool) -> tuple[str, ...]:
    """What stands in a list for who may know of the line, and for nobody else."""
    if path.startswith("stops/losses"):
        return (REASON_TEXT,)
    if path == "shifts":
        return () if web else (f"stop-{LINE}", f"order-{LINE}")
    return (things.stop,)


async def ask_web(things: Things, askers: tuple[Asker, ...]) -> None:
    house = things.doors.house
    for asker in askers:
        # A service cannot sign in; a session that it cannot have is the most it could get hold of.
        secret = await house.people.open_session(asker.login)
        async with house.client() as client:
            client.cookies.set(SESSION_COOKIE, secret)
            await ask_caller(Caller(things, asker, client, Web(things.doors, asker, client, secret)))
            inbox = (await client.get("/")).text
            seen = asker.expected("see stops") is Answer.DONE
            things.questions.same("web", asker, "inbox", str(things.stop in inbox and not seen), "False")


async def ask_api(things: Things, askers: tuple[Asker, ...]) -> None:
    house = things.doors.house
    for asker in askers:
        if asker.place is Place.NOWHERE:
            continue  # nobody has a token without a role
        grant = Grant(user=asker.login, plant=NORTH if asker.is_here else SOUTH, role=asker.role)
        token, _ = await house.people.add_token(grant, by=asker.login)
        async with house.client(authorization=f"Bearer {token}") as client:
            await ask_caller(Caller(things, asker, client))


async def test_a_page_and_a_call_answer_what_the_table_says(things: Things) -> None:
    """A slice: one role in every place, and one that may less."""
    some = [a for a in SOME if a.role == "supervisor"]
    some += [Asker("operator", place, service=False) for place in (Place.LINE, Place.OTHER_LINE)]
    await ask_web(things, tuple(some))
    await ask_api(things, tuple(some))
    things.questions.settle()


@pytest.mark.proof
@pytest.mark.timeout(1200)
async def test_every_page_and_call_answers_what_the_table_says(things: Things) -> None:
    await ask_web(things, EVERYBODY)
    await ask_api(things, EVERYBODY)
    things.questions.settle()


# --- command line ------------------------------------------------------------------------------------------------
LISTS = (("downtime", "list", "--all"), ("downtime", "losses"), ("downtime", "reasons"), ("shift", "list"))
SHOWN = (("downtime", "show", "{line}/{stop}"), ("downtime", "show", "{stop}"), ("shift", "show", "{shift}"))
TAKE_OVER = (("shift", "acknowledge", "{shift}"), ("shift", "now"))
MARKS = {
    LISTS[0]: "{stop}",
    LISTS[1]: '"key"',
    LISTS[3]: "stop-{line}",
    SHOWN[2]: "stop-{line}",
}
"""What stands in an answer for who may know of the line, and for nobody else."""

OPTIONS = {"recovery_at": "--recovery"}


@dataclass
class Shell:
    """The terminal of `test_command_door`, its plant with a stop of the line and a handover of both."""

    terminal: Terminal
    stop: str
    says: dict[str, dict[str, Any]]

    def words(self, kind: str) -> tuple[str, ...]:
        found = ["downtime", kind, "{line}/{stop}"]
        for name, value in self.says[kind].items():
            option = "--text" if kind == "comment" else OPTIONS.get(name, f"--{name}")
            found += [option] if value is True else [option, str(value)]
        return tuple(found)

    async def say(self, asker: Asker, words: tuple[str, ...], *, missing: bool = False) -> tuple[int, str, str]:
        real = {"line": DEMO_LINE, "stop": self.stop, "shift": SHIFT}
        none = {"line": NO_LINE, "stop": MISSING, "shift": NO_SHIFT}
        return await self.terminal.say(asker, *(w.format(**(none if missing else real)) for w in words))

    def told(self, answer: tuple[int, str, str]) -> str:
        text = "\n".join(map(str, answer)).replace(self.stop, MISSING).replace(SHIFT, NO_SHIFT)
        return re.sub(rf"\b{DEMO_LINE}\b", NO_LINE, text)


@pytest_asyncio.fixture(loop_scope="session")
async def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    terminal = await open_terminal(tmp_path, monkeypatch)
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    try:
        return Shell(terminal, *await furnish(ledger))
    finally:
        await ledger.close()


async def furnish(ledger: SqlLedger) -> tuple[str, dict[str, dict[str, Any]]]:
    now = datetime.now(UTC).replace(microsecond=0)
    record = await stands(ledger, load_plant(FILE, {}), now, line=DEMO_LINE, minutes=30)
    report = shifts.handover(plant=PLANT, lines=(shifts.line_shift(DEMO_LINE), shifts.line_shift(OTHER_LINE)))
    stops = (shifts.stop(DEMO_LINE), shifts.stop(OTHER_LINE))
    await ledger.record_handover(report.model_copy(update={"stops": stops}))
    at, later = (now + timedelta(minutes=m) for m in (-10, 60))
    return record.stop, fields("torch", at.isoformat(), later.isoformat(), "other")


def read_shell(answer: tuple[int, str, str]) -> Answer:
    """What was let through found no Temporal, or showed something."""
    found = read_command(answer[0], answer[2])
    assert found is not Answer.DONE or answer[0] in (0, 3), answer
    return found


async def ask_shell(shell: Shell, askers: tuple[Asker, ...]) -> Questions:
    questions, door = shell.terminal.questions, "command line"
    asked = [(KINDS[kind], shell.words(kind)) for kind in KINDS] + [(HANDOVER, words) for words in TAKE_OVER]
    asked += [("see stops", words) for words in (*LISTS, *SHOWN)]
    for asker in askers:
        if asker.service and asker.place is Place.NOWHERE:
            continue  # no password and no role to have a token for: nothing to say who it is
        sees_line = asker.is_here and asker.place is not Place.OTHER_LINE
        for action, words in asked:
            answer, said = await shell.say(asker, words), " ".join(words)
            of_plant = words in LISTS or words[:2] == ("shift", "show")
            expected = expected_of(asker, action) if of_plant or action != "see stops" else asker.expected(action)
            questions.took(door, asker, said, read_shell(answer), expected, str(answer))
            if expected is Answer.DONE and words in MARKS:
                mark = MARKS[words].format(stop=shell.stop, line=DEMO_LINE)
                questions.same(door, asker, said, str(mark in answer[1]), str(sees_line))
            if expected is Answer.UNSEEN and any("{" in word for word in words):
                missing = await shell.say(asker, words, missing=True)
                questions.same(door, asker, said, shell.told(answer), shell.told(missing))
    return questions


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_command_answers_what_the_table_says(shell: Shell) -> None:
    """A slice: one person of the line, one of another, one of another plant, and one who is nobody."""
    places = (Place.LINE, Place.OTHER_LINE, Place.OTHER_PLANT, Place.NOWHERE)
    some = (Asker("supervisor", place, service=False) for place in places)
    (await ask_shell(shell, tuple(some))).settle()


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_every_command_answers_what_the_table_says(shell: Shell) -> None:
    (await ask_shell(shell, EVERYBODY)).settle()
