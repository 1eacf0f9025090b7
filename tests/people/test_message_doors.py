"""Straight at the workflows, past every door: what an update or a signal does is what the table says of who sent it.

Each message claims to be a person of all lines, and is sealed or signed by the house's own key: the strongest forgery
there is. Two doors: updates, and the signals that carry decisions.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

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
from signals.ids import exception_workflow_id, line_workflow_id, order_workflow_id, plant_task_queue
from signals.orders import ErpOrderStatus, Operation, ProductionOrder
from signals.people import Signature, SignatureMeaning, content_hash
from signals.reports import ParkedItem, ParkedWhy
from tests.domain.permission_table import COLUMNS, MAY
from tests.people.askers import EVERYBODY, SOME, Answer, Asker, Place, Questions, covers, hire, offered
from tests.workflows.bench import LINE, PRESS, T0
from tests.workflows.hold_bench import HoldBench, K, StockErp, hold_plant
from workers.holds import unknown_hold
from workers.people import People
from workflows.common import TASK_TIMEOUT
from workflows.exception_messages import ExceptionInput
from workflows.line import LineInput
from workflows.production_order import OrderInput

OTHER_LINE, OTHER_PLANT = "line2", "another-plant"
ORDER, NOWHERE, MISSING = "1000001", "1000009", "1999999"
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
class Floor:
    """A running plant of two lines with an order, cases, a parked item and a hold, all of the first line."""

    bench: HoldBench
    people: People
    key: Ed25519PrivateKey
    posting: Any = field(default_factory=uuid4)
    made: int = 0

    @property
    def id(self) -> str:
        return self.bench.id

    async def furnish(self) -> None:
        bench = self.bench
        for number, operation in ((ORDER, "0010"), (NOWHERE, "0900")):
            bench.erp.orders[number] = self.order_of(number, operation)
            await bench.ledger.take_order(bench.erp.orders[number])
        for owner in COLUMNS:
            await bench.ledger.open_case(self.case_of(owner))
        item = ParkedItem(item="parked-1", plant=self.id, line=LINE, why=ParkedWhy.NO_ORDER, detail="?", at=T0)
        await bench.ledger.park((item,))
        for number in (ORDER, NOWHERE, MISSING):
            await self.start(
                "ProductionOrder", OrderInput(plant=self.id, order=number), order_workflow_id(self.id, number)
            )
        await self.start("Line", LineInput(plant=self.id, line=LINE), line_workflow_id(self.id, LINE))
        given = ExceptionInput(plant=self.id, posting_key=self.posting, order=ORDER)
        await self.start("ErpException", given, exception_workflow_id(self.id, self.posting))
        bench.delivered(10)
        await bench.open(bench.trigger(10, line=LINE))
        await bench.until_hold(lambda r: r.erp == "blocked")

    def order_of(self, number: str, operation: str) -> ProductionOrder:
        step = Operation(operation=operation, planned=Decimal(10), unit="PC")
        return ProductionOrder(
            plant=self.id, order=number, material="FRAME", quantity=Decimal(10), unit="PC",
            status=ErpOrderStatus.RELEASED, operations=(step,),
        )  # fmt: skip

    def case_of(self, owner: str) -> Case:
        """One that no action settles: whoever may, is told so by the ledger, and it stays as it is."""
        return Case(
            case_id=f"case-{owner.replace(' ', '-')}", plant=self.id, order=ORDER, kind=CaseKind.TOTALS_DIFFER,
            owner_role=owner, summary="totals differ", allowed=(), posting_key=self.posting,
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
    async def decision(self, asker: Asker, action: str, *, missing: bool = False, order: str = ORDER) -> say.Decision:
        """Sealed by the house's key for what it claims."""
        common = {"decision_id": self.number(), "by": asker.login, "actor": asker.claims(self.id)}
        reason = {**common, "reason": "because"}
        place = MISSING if missing else order
        made: Any
        match action:
            case "assign an order to a station":
                made, place = say.AssignOrder(**common, equipment=PRESS, order=ORDER, valid_from=T0), LINE
            case "complete an order":
                made = say.CompleteOrderRequest(**common)
            case "cancel an order":
                made = say.CancelOrderRequest(**reason)
            case "approve postings":
                made = say.ApprovePostings(**common)
            case "declare an order void":
                made = say.VoidOrder(**reason, role=asker.role)
            case "decide parked items":
                made = say.DecideParked(**reason, item="missing-1" if missing else "parked-1", accept=False)
            case _:
                case = "missing-1" if missing else f"case-{asker.role.replace(' ', '-')}"
                made = say.DecideCase(**reason, role=asker.role, case_id=case, action=CASES[action])
        return await self.people.seal(made, say.decides_about(self.id, made, place))

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
                return await self.signed(CosignHold(**common, decision="no-such-decision"))
            case "withdraw a hold":
                return WithdrawHold(**common)
            case _:
                act = self.bench.decision((DISPOSITIONS[action], 3), action_id=common["action_id"])
                return await self.signed(act.model_copy(update={"actor": common["actor"]}))

    async def signed(self, act: Any) -> Any:
        draft = Signature(
            user=act.actor.user, name="somebody", role=act.actor.role, meaning=SignatureMeaning.APPROVAL,
            signed_at=datetime.now(UTC), content_hash=content_hash((await self.bench.record()).content()),
            key_id=key_id_of(public_text(self.key)), value="",
        )  # fmt: skip
        return act.model_copy(update={"signature": signed(self.key, draft, act)})

    # --- doors ---------------------------------------------------------------------------------------------
    async def update(self, asker: Asker, action: str, *, missing: bool = False, order: str = ORDER) -> say.Answer:
        if action in HOLDS:
            return await self.told(self.bench.handle(), "act", HoldAction(act=await self.act(asker, action)))
        decision = await self.decision(asker, action, missing=missing, order=order)
        names = {"assign": "assign_order", "approve": "approve_postings", "case": "decide", "parked": "decide_parked"}
        return await self.told(
            self.where(decision, MISSING if missing else order), names.get(decision.kind, decision.kind), decision
        )

    async def signal(self, asker: Asker, action: str) -> say.Answer:
        """Signalled; then the update with the same id tells what the signal was answered."""
        if action in HOLDS:
            act = HoldAction(act=await self.act(asker, action))
            await self.bench.handle().signal("act_by_signal", act)
            return await self.told(self.bench.handle(), "act", act)
        decision = await self.decision(asker, action)
        await self.where(decision, ORDER).signal("decide_by_signal", decision)
        return await self.told(self.where(decision, ORDER), "decide", decision)

    async def order_signal(self, asker: Asker, action: str) -> say.Answer:
        """The signal by which an order hears of decisions that were made at its ErpException."""
        decision = await self.decision(asker, action)
        order = self.at(order_workflow_id(self.id, ORDER))
        await order.signal("case_decided", decision)
        return await self.told(order, "decide_case", decision)

    def where(self, decision: say.Decision, order: str) -> WorkflowHandle[Any, Any]:
        match decision:
            case say.DecideCase():
                return self.at(exception_workflow_id(self.id, self.posting))
            case say.AssignOrder() | say.DecideParked():
                return self.at(line_workflow_id(self.id, LINE))
            case _:
                return self.at(order_workflow_id(self.id, order))

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


def test_every_action_is_asked_or_named_with_a_reason() -> None:
    covers(BY_UPDATE, NO_MESSAGE)
    covers(BY_SIGNAL, {**NO_MESSAGE, **NO_SIGNAL})


async def ask(floor: Floor, askers: tuple[Asker, ...]) -> Questions:
    questions = Questions()

    async def by(door: str, way: Any, asker: Asker, action: str) -> None:
        answer = await way(asker, action)
        questions.took(door, asker, action, read(answer), expected_of(asker, action), answer.message)

    async def of_the_plant(asker: Asker, action: str) -> None:
        answer = await floor.update(asker, action, order=NOWHERE)
        expected = expected_of(asker, action, of_the_plant=True)
        questions.took("update, whole plant", asker, action, read(answer), expected, answer.message)

    async def alike(asker: Asker, action: str) -> None:
        unseen = await floor.update(asker, action)
        if action in HOLDS:
            missing = str(unknown_hold(floor.id, floor.bench.hold)).encode()
        elif action == "assign an order to a station":
            decision = await floor.decision(asker, action)
            gate = DecisionActivities(floor.bench.ledger, floor.bench.plant, now=lambda: datetime.now(UTC))
            said = await gate.verify_decision(DecisionToVerify(plant=floor.id, place="line9", decision=decision))
            missing = said.replace("line9", LINE).encode()
        else:
            said = (await floor.update(asker, action, missing=True)).message
            own = f"case-{asker.role.replace(' ', '-')}"
            ids = {MISSING: ORDER, "missing-1": "parked-1" if action == "decide parked items" else own}
            missing = re.sub("|".join(ids), lambda found: ids[found.group()], said).encode()
        questions.same("update", asker, action, unseen.message, missing.decode())

    work: list[Callable[[], Awaitable[None]]] = []
    for asker in askers:
        work += [lambda s=asker, a=a: by("update", floor.update, s, a) for a in BY_UPDATE if a not in ORDERS[:3]]
        work += [lambda s=asker, a=a: by("signal", floor.signal, s, a) for a in BY_SIGNAL]
        work += [lambda s=asker, a=a: by("order's signal", floor.order_signal, s, a) for a in CASES]
        if asker.place is Place.OTHER_LINE:
            work += [lambda s=asker, a=a: alike(s, a) for a in BY_UPDATE]
    await ask_all(work)
    # What takes orders away comes last, void at the very end; an order that is over is told so by no door here.
    for action in ORDERS[:3]:
        forbidden = [s for s in askers if expected_of(s, action) is not Answer.DONE]
        await ask_all([lambda s=s, a=action: by("update", floor.update, s, a) for s in forbidden])
        others = [s for s in askers if expected_of(s, action, of_the_plant=True) is not Answer.DONE]
        await ask_all([lambda s=s, a=action: of_the_plant(s, a) for s in others])
    for action in ORDERS[:3]:
        for asker in (s for s in askers if expected_of(s, action) is Answer.DONE):
            number = await fresh(floor)
            answer = await floor.update(asker, action, order=number)
            questions.took("update", asker, action, read(answer), Answer.DONE, answer.message)
            assert answer.accepted, answer
    return questions


async def fresh(floor: Floor) -> str:
    """An order of the line of its own, for what is really done."""
    number = f"2{floor.number()}"
    floor.bench.erp.orders[number] = floor.order_of(number, "0010")
    await floor.bench.ledger.take_order(floor.bench.erp.orders[number])
    await floor.run_order(number)
    return number


@pytest.mark.timeout(300)
async def test_a_message_does_what_the_table_says_of_its_sender(floor: Floor) -> None:
    """A slice: one role of every place, and one that may little."""
    some = (a for a in SOME if a.role == "supervisor" or (a.role, a.place) == ("operator", Place.WHOLE))
    (await ask(floor, tuple(some))).settle()


@pytest.mark.long
@pytest.mark.timeout(2400)
async def test_every_message_does_what_the_table_says_of_its_sender(floor: Floor) -> None:
    (await ask(floor, EVERYBODY)).settle()
