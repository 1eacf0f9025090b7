"""Straight at the workflows, past every door: what an update or a signal does is what the table says of who sent it.

Each message claims to be a person of all lines, and is sealed or signed by the house's own key: the strongest forgery
there is. Two doors: updates, and the signals that carry decisions.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError

from activities.decisions import DecisionActivities, DecisionToVerify
from activities.signatures import key_id_of, public_text, signed
from ledger.connect import open_ledger
from signals import decisions as say
from signals.documents import Case, CaseAction, CaseKind
from signals.holds import (
    ClaimHold,
    CommentHold,
    ConfirmSegregation,
    CosignHold,
    HoldAction,
    ReassignHold,
    WithdrawHold,
)
from signals.ids import exception_workflow_id, hold_workflow_id, line_workflow_id, order_workflow_id, plant_task_queue
from signals.orders import ErpOrderStatus, Operation, ProductionOrder
from signals.people import Signature, SignatureMeaning, content_hash
from signals.reports import ParkedItem, ParkedWhy
from tests.domain.permission_table import MAY
from tests.people.askers import EVERYBODY, SOME, Answer, Asker, Place, Questions, hire, offered
from tests.workflows.bench import LINE, PRESS, T0
from tests.workflows.hold_bench import HoldBench, K, StockErp, hold_plant
from workers.holds import unknown_hold
from workers.people import People
from workflows.common import TASK_TIMEOUT
from workflows.exception_messages import ExceptionInput
from workflows.line import LineInput
from workflows.production_order import OrderInput

OTHER_LINE, OTHER_PLANT = "line2", "another-plant"
MISSING = "1999999"
AT_ONCE = 8
"""A workflow takes ten updates at the same time."""

CASES: dict[str, CaseAction] = {
    "retry a posting": CaseAction.RETRY,
    "amend a posting": CaseAction.AMEND,
    "skip a posting": CaseAction.SKIP,
    "compensate a posting": CaseAction.COMPENSATE,
    "adopt a document": CaseAction.ADOPT,
    "accept a case": CaseAction.ACCEPT,
    "let a hand entry stand": CaseAction.POST,
    "reverse a hand entry": CaseAction.REVERSE,
}
DISPOSITIONS = {
    "release held material": K.RELEASE,
    "send held material to rework": K.REWORK,
    "have held material repaired": K.REPAIR,
    "scrap held material": K.SCRAP,
    "return held material": K.RETURN,
}
ORDERS = ("complete an order", "cancel an order", "declare an order void", "approve postings")
HOLDS = (
    "claim a hold", "reassign a hold", "comment a hold", "confirm segregated material", *DISPOSITIONS,
    "co-sign a decision on a hold", "withdraw a hold",
)  # fmt: skip

NO_MESSAGE = {
    **{
        f"see {what}": "nothing is read by a message: queries are Temporal's own, and go by its own permissions"
        for what in (
            "the line board", "orders", "lines", "holds", "exceptions and parked items", "the catalogue of flows",
            "the audit trail", "prices and costs", "users",
        )
    },
    "start an order": "no message: it starts a process, which reads the order from the ERP and posts nothing by that",
    "open a hold": "a machine's rule opens holds by the same signal; it can only block",
    "record an inspection": "a result is a fact of a gauge, not a decision; it never releases by itself",
    "manage users": "in the ledger only",
    "manage API tokens": "in the ledger only",
    "export the audit trail": "of the ledger only",
}  # fmt: skip
BY_UPDATE = offered("assign an order to a station", *ORDERS, *CASES, "decide parked items", *HOLDS)
BY_SIGNAL = offered(*CASES, *HOLDS)
NO_SIGNAL = {a: "has no signal" for a in BY_UPDATE if a not in BY_SIGNAL}

FORBIDDEN = re.compile(r" may not | is a service account: | is declared void by ")
UNSEEN = re.compile(r"^plant \S+ (has no user|knows no order|has no case|has no parked item|has no line|has no hold) ")


def read(answer: say.Answer) -> Answer:
    """Whatever else is said comes from behind the table: what is finer than it, or the state of the thing."""
    if UNSEEN.search(answer.message):
        return Answer.UNSEEN
    return Answer.FORBIDDEN if FORBIDDEN.search(answer.message) else Answer.DONE


@dataclass
class Things:
    """What one asker is asked about; each has its own, so that no process has to remember everybody."""

    order: str
    nowhere: str
    """An order that belongs to no line."""
    case: str
    posting: UUID
    hold: str


@dataclass
class Floor:
    """A running plant of two lines; orders, cases, holds and a parked item are of the first one."""

    bench: HoldBench
    people: People
    key: Ed25519PrivateKey
    made: int = 0
    of: dict[Asker, Things] = field(default_factory=dict[Asker, Things])

    @property
    def id(self) -> str:
        return self.bench.id

    async def furnish(self) -> None:
        item = ParkedItem(item="parked-1", plant=self.id, line=LINE, why=ParkedWhy.NO_ORDER, detail="?", at=T0)
        await self.bench.ledger.park((item,))
        await self.run_order(MISSING)
        await self.start("Line", LineInput(plant=self.id, line=LINE), line_workflow_id(self.id, LINE))
        self.bench.delivered(0)

    async def furnish_for(self, asker: Asker) -> None:
        order, nowhere = await self.new_order("0010"), await self.new_order("0900")
        things = Things(order, nowhere, f"case-{self.number()}", uuid4(), "")
        await self.bench.ledger.open_case(self.case_of(asker.role, things))
        given = ExceptionInput(plant=self.id, posting_key=things.posting, order=order)
        await self.start("ErpException", given, exception_workflow_id(self.id, things.posting))
        trigger = self.bench.trigger(10, line=LINE, batch=order)
        self.of[asker] = replace(things, hold=await self.bench.open(trigger))

    async def new_order(self, operation: str) -> str:
        number = f"2{self.number()}"
        self.bench.erp.orders[number] = self.order_of(number, operation)
        await self.bench.ledger.take_order(self.bench.erp.orders[number])
        await self.run_order(number)
        return number

    def order_of(self, number: str, operation: str) -> ProductionOrder:
        step = Operation(operation=operation, planned=Decimal(10), unit="PC")
        return ProductionOrder(
            plant=self.id, order=number, material="FRAME", quantity=Decimal(10), unit="PC",
            status=ErpOrderStatus.RELEASED, operations=(step,),
        )  # fmt: skip

    def case_of(self, owner: str, things: Things) -> Case:
        """One that no action settles: whoever may, is told so by the ledger, and it stays as it is."""
        return Case(
            case_id=things.case, plant=self.id, order=things.order, kind=CaseKind.TOTALS_DIFFER, owner_role=owner,
            summary="totals differ", allowed=(), posting_key=things.posting,
        )  # fmt: skip

    async def start(self, kind: str, given: Any, name: str) -> None:
        await self.bench.client.start_workflow(
            kind, given, id=name, task_queue=plant_task_queue(self.id), task_timeout=TASK_TIMEOUT
        )
        self.bench.workflows.add(name)

    async def run_order(self, number: str) -> None:
        name = order_workflow_id(self.id, number)
        await self.start("ProductionOrder", OrderInput(plant=self.id, order=number), name)

    def at(self, workflow_id: str) -> WorkflowHandle[Any, Any]:
        return self.bench.client.get_workflow_handle(workflow_id)

    def number(self) -> str:
        self.made += 1
        return f"q{self.made}"

    # --- messages ------------------------------------------------------------------------------------------
    async def decision(self, asker: Asker, action: str, order: str = "", *, missing: bool = False) -> say.Decision:
        """Sealed by the house's key for what it claims; without an order about the asker's own things."""
        common = {"decision_id": self.number(), "by": asker.login, "actor": asker.claims(self.id)}
        reason = {**common, "reason": "because"}
        made: Any
        match action:
            case "assign an order to a station":
                made, order = say.AssignOrder(**common, equipment=PRESS, order="1", valid_from=T0), LINE
            case "complete an order":
                made = say.CompleteOrderRequest(**common)
            case "cancel an order":
                made = say.CancelOrderRequest(**reason)
            case "approve postings":
                made = say.ApprovePostings(**common)
            case "declare an order void":
                made = say.VoidOrder(**reason, role=asker.role)
            case "decide parked items":
                made = say.DecideParked(**reason, item=MISSING if missing else "parked-1", accept=False)
            case _:
                case = MISSING if missing else self.of[asker].case
                made = say.DecideCase(**reason, role=asker.role, case_id=case, action=CASES[action])
        return await self.people.seal(made, say.decides_about(self.id, made, order or self.of[asker].order))

    async def act(self, asker: Asker, action: str) -> Any:
        """On the hold, signed by the house's key; nothing of it could take effect for another reason than the table."""
        common: dict[str, Any] = {"action_id": self.number(), "actor": asker.claims(self.id), "comment": "looked"}
        match action:
            case "claim a hold":
                return ClaimHold(**common)
            case "reassign a hold":
                return ReassignHold(**common, to="somebody")
            case "comment a hold":
                return CommentHold(**common)
            case "confirm segregated material":
                return ConfirmSegregation(**common, counted=Decimal(10), location="cage")
            case "co-sign a decision on a hold":
                return await self.signed(asker, CosignHold(**common, decision="no-such-decision"))
            case "withdraw a hold":
                return WithdrawHold(**common)
            case _:
                act = self.bench.decision((DISPOSITIONS[action], 3), action_id=common["action_id"])
                return await self.signed(asker, act.model_copy(update={"actor": common["actor"]}))

    async def signed(self, asker: Asker, act: Any) -> Any:
        record = await self.bench.ledger.hold(self.id, self.of[asker].hold)
        assert record is not None
        draft = Signature(
            user=act.actor.user, name="somebody", role=act.actor.role, meaning=SignatureMeaning.APPROVAL,
            signed_at=datetime.now(UTC), content_hash=content_hash(record.content()),
            key_id=key_id_of(public_text(self.key)), value="",
        )  # fmt: skip
        return act.model_copy(update={"signature": signed(self.key, draft, act)})

    # --- doors ---------------------------------------------------------------------------------------------
    async def update(self, asker: Asker, action: str, order: str = "", *, missing: bool = False) -> say.Answer:
        if action in HOLDS:
            return await self.told(self.hold(asker), "act", HoldAction(act=await self.act(asker, action)))
        decision = await self.decision(asker, action, order, missing=missing)
        names = {"assign": "assign_order", "approve": "approve_postings", "case": "decide", "parked": "decide_parked"}
        where = self.where(asker, decision, order)
        return await self.told(where, names.get(decision.kind, decision.kind), decision)

    async def signal(self, asker: Asker, action: str) -> say.Answer:
        """Signalled; then the update with the same id tells what the signal was answered."""
        if action in HOLDS:
            act = HoldAction(act=await self.act(asker, action))
            await self.hold(asker).signal("act_by_signal", act)
            return await self.told(self.hold(asker), "act", act)
        decision = await self.decision(asker, action)
        process = self.where(asker, decision)
        await process.signal("decide_by_signal", decision)
        return await self.told(process, "decide", decision)

    async def order_signal(self, asker: Asker, action: str) -> say.Answer:
        """The signal by which an order hears of decisions that were made at its ErpException."""
        decision = await self.decision(asker, action)
        order = self.at(order_workflow_id(self.id, self.of[asker].order))
        await order.signal("case_decided", decision)
        return await self.told(order, "decide_case", decision)

    def hold(self, asker: Asker) -> WorkflowHandle[Any, Any]:
        return self.at(hold_workflow_id(self.id, self.of[asker].hold))

    def where(self, asker: Asker, decision: say.Decision, order: str = "") -> WorkflowHandle[Any, Any]:
        match decision:
            case say.DecideCase():
                return self.at(exception_workflow_id(self.id, self.of[asker].posting))
            case say.AssignOrder() | say.DecideParked():
                return self.at(line_workflow_id(self.id, LINE))
            case _:
                return self.at(order_workflow_id(self.id, order or self.of[asker].order))

    async def told(self, handle: WorkflowHandle[Any, Any], update: str, message: Any) -> say.Answer:
        try:
            return await handle.execute_update(update, message, result_type=say.Answer)
        except WorkflowUpdateFailedError as error:  # a validator: it looks at the message alone
            return say.Answer(decision_id="", accepted=False, message=str(error.cause))


@pytest_asyncio.fixture(loop_scope="session")
async def floor(temporal_client: Client, tmp_path: Path) -> AsyncIterator[Floor]:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    plant = hold_plant(signatures="required")
    [first] = plant.lines
    station = first.stations[0].model_copy(update={"operation": "0500"})
    second = first.model_copy(update={"id": OTHER_LINE, "stations": (station,)})
    posting = plant.posting.model_copy(update={"technical_completion": "propose"})
    plant = plant.model_copy(update={"lines": (first, second), "posting": posting})
    key = Ed25519PrivateKey.generate()
    people = People(ledger, lambda: key, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    await people.add_key(key)
    bench = HoldBench(temporal_client, ledger, plant, erp=StockErp())
    floor = Floor(bench, people, key)
    await hire(people, floor.id, OTHER_PLANT, LINE, OTHER_LINE)
    try:
        async with bench.working():
            await floor.furnish()
            yield floor
    finally:
        await bench.end()
        await ledger.close()


async def ask_all(work: list[Callable[[], Awaitable[None]]]) -> None:
    """A few at the same time: a workflow takes ten updates at once."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def ask(one: Callable[[], Awaitable[None]]) -> None:
        async with turn:
            await one()

    await asyncio.gather(*(ask(one) for one in work))


def expected_of(asker: Asker, action: str, *, of_the_plant: bool = False) -> Answer:
    """A role that declares nothing void is told so before anything is looked at, whether the order exists or not."""
    if action == "declare an order void" and not MAY[asker.role, action]:
        return Answer.FORBIDDEN
    return asker.expected(action, of_the_plant=of_the_plant)


async def ask(floor: Floor, askers: tuple[Asker, ...]) -> Questions:
    questions = Questions()
    await ask_all([lambda s=asker: floor.furnish_for(s) for asker in askers])

    async def by(door: str, way: Any, asker: Asker, action: str) -> None:
        answer = await way(asker, action)
        questions.took(door, asker, action, read(answer), expected_of(asker, action), answer.message)

    async def of_an_order(asker: Asker, action: str) -> None:
        """Of the line, and of the plant as a whole; whoever may, ends an order that is nobody else's."""
        for door, operation, whole in (("update", "0010", False), ("update, whole plant", "0900", True)):
            expected = expected_of(asker, action, of_the_plant=whole)
            order = floor.of[asker].nowhere if whole else floor.of[asker].order
            order = await floor.new_order(operation) if expected is Answer.DONE else order
            answer = await floor.update(asker, action, order)
            questions.took(door, asker, action, read(answer), expected, answer.message)
            assert answer.accepted is (expected is Answer.DONE), answer

    async def alike(asker: Asker, action: str) -> None:
        unseen, things = (await floor.update(asker, action)).message, floor.of[asker]
        if action in HOLDS:
            missing = str(unknown_hold(floor.id, things.hold))
        elif action == "assign an order to a station":
            decision = await floor.decision(asker, action)
            gate = DecisionActivities(floor.bench.ledger, floor.bench.plant, now=lambda: datetime.now(UTC))
            said = await gate.verify_decision(DecisionToVerify(plant=floor.id, place="line9", decision=decision))
            missing = said.replace("line9", LINE)
        else:
            said = (await floor.update(asker, action, MISSING if action in ORDERS else "", missing=True)).message
            own = things.order if action in ORDERS else things.case if action in CASES else "parked-1"
            missing = said.replace(MISSING, own)
        questions.same("update", asker, action, unseen, missing)

    work: list[Callable[[], Awaitable[None]]] = []
    for asker in askers:
        work += [lambda s=asker, a=a: by("update", floor.update, s, a) for a in BY_UPDATE if a not in ORDERS]
        work += [lambda s=asker, a=a: by("signal", floor.signal, s, a) for a in BY_SIGNAL]
        work += [lambda s=asker, a=a: by("order's signal", floor.order_signal, s, a) for a in CASES]
        if asker.place is Place.OTHER_LINE:
            work += [lambda s=asker, a=a: alike(s, a) for a in BY_UPDATE]
    await ask_all(work)
    for action in ORDERS:
        await ask_all([lambda s=s, a=action: of_an_order(s, a) for s in askers])
    return questions


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_message_does_what_the_table_says_of_its_sender(floor: Floor) -> None:
    """A slice: one role that sees all, a line, another one, another plant; and one that may little."""
    places = (Place.WHOLE, Place.LINE, Place.OTHER_LINE, Place.OTHER_PLANT)
    people = [a for a in SOME if not a.service and a.place in places]
    some = (a for a in people if a.role == "supervisor" or (a.role, a.place) == ("operator", Place.WHOLE))
    (await ask(floor, tuple(some))).settle()


@pytest.mark.proof
@pytest.mark.timeout(2400)
async def test_every_message_does_what_the_table_says_of_its_sender(floor: Floor) -> None:
    (await ask(floor, EVERYBODY)).settle()
