"""The command line: everybody says everything it offers, and is answered as the table says.

No Temporal is there: a wish that gets as far as asking for it was let through, and changes nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.connect import open_ledger
from ledger.people_port import Grant
from signals.documents import Case, CaseAction, CaseKind
from signals.holds import HoldCause, HoldReason, HoldScope, HoldTrigger
from signals.orders import ErpOrderStatus, Operation, ProductionOrder
from signals.reports import ParkedItem, ParkedWhy
from tests.domain.permission_table import COLUMNS
from tests.people.askers import EVERYBODY, PASSWORD, Answer, Asker, Place, Questions, hire, offered
from tests.people.test_message_doors import CASES, DISPOSITIONS, HOLDS, ORDERS
from tests.workers.commands import in_this_process
from workers.people import People

FILE = Path(__file__).resolve().parents[2] / "workers" / "defaults" / "demo.toml"
PLANT, OTHER_PLANT, LINE, OTHER_LINE = "demo", "south", "line1", "line9"
ORDER, ITEM, MISSING = "100", "parked-1", "missing-1"
NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)

LISTS = {
    "see orders": ("orders", "list"),
    "see holds": ("holds", "list"),
    "see exceptions and parked items": ("exceptions", "list"),
    "see users": ("users", "list"),
}
OF_THE_PLANT = ("start an order", "record an inspection", "manage users", "manage API tokens")
"""Commands about the plant as a whole: nobody who is limited to lines may give them."""
ACTIONS = offered(*LISTS, *OF_THE_PLANT, *ORDERS, *CASES, "decide parked items", *HOLDS, "open a hold")
NO_COMMAND = {
    "see the line board": "a page",
    "see lines": "a page",
    "see the catalogue of flows": "a page; `erp status` asks for the same, and needs an ERP",
    "see the audit trail": "no door has it yet",
    "export the audit trail": "no door has it yet",
    "see prices and costs": "nothing here shows money yet",
    "assign an order to a station": "the machine says it; by hand it is an update of the Line, no door has it yet",
}
SHOWN = (("orders", "show", ORDER), ("holds", "show", "HOLD"), ("exceptions", "show", "CASE"))

FORBIDDEN = re.compile(r" may not | is a service account: | this concerns all of plant ")
UNSEEN = re.compile(
    r"plant demo (knows no order|has no (case|parked item|hold|stop|handover))| knows no line |do not fit|not valid"
)


@dataclass
class Terminal:
    """A data folder with an order, a hold, a parked item and a case for each role, all of the line; no Temporal."""

    folder: Path
    hold: str
    tokens: dict[Asker, str]
    questions: Questions = field(default_factory=Questions)
    number: int = 0

    async def say(self, asker: Asker, *words: str) -> tuple[int, str, str]:
        """With the asker's token; somebody without a role has none, and gives a password."""
        environ = {"PLANTWRIGHT_HOME": str(self.folder), "TEMPORAL_ADDRESS": "127.0.0.1:1", "PW": PASSWORD}
        token, who = self.tokens.get(asker), ()
        if token is not None:
            environ["PLANTWRIGHT_TOKEN"] = token
        else:
            who = ("--user", asker.login, "--password-env", "PW")
        return await in_this_process([*words, *who, "--plant", str(FILE), "--json"], environ)

    def words(self, asker: Asker, action: str, *, missing: bool = False) -> tuple[str, ...]:
        order, hold, item = (MISSING,) * 3 if missing else (ORDER, self.hold, ITEM)
        case = MISSING if missing else case_of(asker.role)
        self.number += 1
        match action:
            case action if action in LISTS:
                return LISTS[action]
            case "start an order":
                return ("orders", "start", order)
            case "record an inspection":
                return ("quality", "import", str(self.folder / "none.qif"))
            case "manage users":
                return ("users", "add", f"new-{self.number}", "--role", "operator", "--service")
            case "manage API tokens":
                return ("users", "token", "add", "gauge-1", "--role", "operator")
            case "complete an order":
                return ("orders", "complete", order)
            case "cancel an order":
                return ("orders", "cancel", order, "--reason", "because")
            case "declare an order void":
                return ("orders", "void", order, "--reason", "because")
            case "approve postings":
                return ("orders", "approve", order)
            case "decide parked items":
                return ("parked", "decide", item, "reject", "--reason", "because")
            case "open a hold":
                line = "line8" if missing else LINE
                return ("holds", "open", "--why", "dents", "--order", ORDER, "--line", line)
            case action if action in CASES:
                return ("cases", "decide", case, CASES[action].value, "--reason", "because", "--role", asker.role)
            case action if action in DISPOSITIONS:
                return ("holds", "decide", hold, f"--{DISPOSITIONS[action].value}", "8")
            case _:
                more = {
                    "reassign a hold": ("--to", "somebody"),
                    "comment a hold": ("--text", "looked"),
                    "confirm segregated material": ("--counted", "8", "--location", "cage"),
                    "co-sign a decision on a hold": ("--decision", "d"),
                    "withdraw a hold": ("--comment", "opened in error"),
                }
                verb = {"confirm": "segregate", "co-sign": "cosign"}.get(action.split()[0], action.split()[0])
                return ("holds", verb, hold, *more.get(action, ()))


def case_of(role: str) -> str:
    return f"case-{role.replace(' ', '-')}"


async def open_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("PLANTWRIGHT_LEDGER_URL", "PLANTWRIGHT_CLOCK", "PLANTWRIGHT_TOKEN", "PLANTWRIGHT_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    ledger = await open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    key = Ed25519PrivateKey.generate()
    people = People(ledger, lambda: key, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    await hire(people, PLANT, OTHER_PLANT, LINE, OTHER_LINE)
    await people.add_user("gauge-1", service=True, grants=(Grant(user="gauge-1", plant=PLANT, role="operator"),))
    tokens: dict[Asker, str] = {}
    for asker in EVERYBODY:
        if asker.place is not Place.NOWHERE:
            grant = Grant(user=asker.login, plant=PLANT if asker.is_here else OTHER_PLANT, role=asker.role)
            tokens[asker], _ = await people.add_token(grant, by=asker.login)
    step = Operation(operation="0077", work_centre="PRESS01", planned=Decimal(10), unit="PC")
    await ledger.take_order(
        ProductionOrder(
            plant=PLANT, order=ORDER, material="FRAME", quantity=Decimal(10), unit="PC",
            status=ErpOrderStatus.RELEASED, operations=(step,),
        )
    )  # fmt: skip
    for role in COLUMNS:
        await ledger.open_case(
            Case(
                case_id=case_of(role), plant=PLANT, order=ORDER, kind=CaseKind.TOTALS_DIFFER, owner_role=role,
                summary="totals differ", allowed=tuple(CaseAction),
            )
        )  # fmt: skip
    item = ParkedItem(item=ITEM, plant=PLANT, line=LINE, why=ParkedWhy.NO_ORDER, detail="?", at=NOW)
    await ledger.park((item,))
    reason = HoldReason(reason="r1", cause=HoldCause.MANUAL, text="dents", found_at=NOW)
    scope = HoldScope(plant=PLANT, line=LINE, order=ORDER)
    opened = await ledger.open_hold(HoldTrigger(trigger="t1", scope=scope, reason=reason, quantity=Decimal(8), at=NOW))
    await ledger.close()
    return Terminal(folder, opened.hold, tokens)


@pytest_asyncio.fixture(loop_scope="session")
async def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return await open_terminal(tmp_path, monkeypatch)


def read(code: int, err: str) -> Answer:
    if code == 2 and UNSEEN.search(err):
        return Answer.UNSEEN
    return Answer.FORBIDDEN if code == 2 and FORBIDDEN.search(err) else Answer.DONE


def expected_of(asker: Asker, action: str) -> Answer:
    if action in LISTS and asker.is_here:
        return asker.by_table(action)  # its rows are chosen
    if action in OF_THE_PLANT and asker.place in (Place.LINE, Place.OTHER_LINE):
        return Answer.FORBIDDEN
    return asker.expected(action)


async def ask(terminal: Terminal, askers: tuple[Asker, ...]) -> Questions:
    questions = terminal.questions
    for asker in askers:
        if asker.service and asker.place is Place.NOWHERE:
            continue  # no password and no role to have a token for: nothing to say who it is
        own = {terminal.hold: MISSING, case_of(asker.role): MISSING, ITEM: MISSING, LINE: "line8"}
        for action in ACTIONS:
            code, out, err = await terminal.say(asker, *terminal.words(asker, action))
            answer, expected = read(code, err), expected_of(asker, action)
            questions.took("command line", asker, action, answer, expected, f"{code} {err}")
            if action in LISTS and asker.place is Place.OTHER_LINE and code == 0:
                rows = next(v for v in json.loads(out.splitlines()[-1]).values() if isinstance(v, list))
                hidden = [] if action == "see users" else rows
                questions.same("command line", asker, action, str(hidden), "[]")
            if answer is Answer.UNSEEN and action not in OF_THE_PLANT:
                await alike(terminal, asker, action, (code, out, err), own)
        for words in SHOWN:
            named = tuple({"HOLD": terminal.hold, "CASE": case_of(asker.role)}.get(w, w) for w in words)
            code, _, err = await terminal.say(asker, *named)
            view = "see exceptions and parked items" if words[0] == "exceptions" else f"see {words[0]}"
            expected = asker.expected(view)
            if asker.is_here and asker.by_table(view) is not Answer.DONE:
                expected = Answer.FORBIDDEN
            questions.took("command line", asker, " ".join(words), read(code, err), expected, f"{code} {err}")
    return questions


async def alike(
    terminal: Terminal, asker: Asker, action: str, unseen: tuple[int, str, str], own: dict[str, str]
) -> None:
    missing = await terminal.say(asker, *terminal.words(asker, action, missing=True))

    def told(answer: tuple[int, str, str]) -> str:
        text = "\n".join(map(str, answer))
        for real, put in own.items():
            text = text.replace(real, put)
        return re.sub(rf"\b(order|start) ({ORDER})\b", rf"\1 {MISSING}", text)

    terminal.questions.same("command line", asker, action, told(unseen), told(missing))


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_command_answers_what_the_table_says(terminal: Terminal) -> None:
    """A slice: one person of the line, and one of another."""
    some = (Asker("supervisor", place, service=False) for place in (Place.LINE, Place.OTHER_LINE))
    (await ask(terminal, tuple(some))).settle()


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_every_command_answers_what_the_table_says(terminal: Terminal) -> None:
    (await ask(terminal, EVERYBODY)).settle()
