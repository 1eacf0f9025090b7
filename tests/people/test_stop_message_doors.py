"""Straight at the processes of stops and of a handover, past every door: what a message does is what the table says.

As `test_message_doors` has it: each message claims to be a person of all lines and is sealed by the house's own key.
What was done must stand in the ledger's history in its maker's name, once; what was refused must not.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter
from temporalio.client import Client, WorkflowUpdateStage

from activities.handover import HandoverActivities, HandoverActToVerify
from activities.stops import StopActivities, StopActToVerify
from domain.clock import PlantClock
from ledger.connect import open_ledger
from ledger.port import LineRecord
from signals.bookings import StockKind
from signals.decisions import Answer as Said
from signals.downtime import StopAct, StopAction, StopFact, StopStretch, TimeClass
from signals.erp_reads import StockLine
from signals.handover import AcknowledgeHandover, HandoverReport, HandoverState
from signals.ids import downtime_workflow_id, handover_workflow_id, plant_task_queue, stop_id
from signals.packml import MachineState
from signals.sealing import is_about, stop_place
from tests.people.askers import EVERYBODY, SOME, Answer, Asker, Place, Questions, hire
from tests.people.stop_questions import HANDOVER, KINDS, STOPS, expected_of, fields
from tests.people.test_message_doors import OTHER_LINE, OTHER_PLANT, ask_all
from tests.workflows.bench import LINE, OPERATIONS, PRESS, Bench, eventually
from tests.workflows.stop_bench import ORDER, UpkeepErp, demand, stop_plant
from workers.people import People
from workers.stop_desk import unknown_stop
from workflows.common import TASK_TIMEOUT
from workflows.handover_messages import HandoverInput
from workflows.stop_messages import StopInput

NO_MESSAGE = {"see stops": "nothing is read by a message: queries are Temporal's own, and go by its own permissions"}
BY_UPDATE = tuple(action for action in STOPS if action not in NO_MESSAGE)
NO_SIGNAL = {HANDOVER: "has no signal"}
BY_SIGNAL = tuple(action for action in BY_UPDATE if action not in NO_SIGNAL)

SHIFT, NO_LINE, MISSING = "2026-11-20/early", "line9", "missing-1"
WAYS = ("update", "signal")
EFFECTS = {
    "acknowledge": "acknowledged", "comment": "comment", "estimate": "estimated", "capacity": "capacity",
    "reallocate": "reallocation", "classify": "classified", "recode": "recoded", "split": "split",
    "shelve": "shelved", "join": "joined",
}  # fmt: skip
"""Kind of act -> what the stop's history says of it. Closing is refused while the line stands, whoever asks."""

FORBIDDEN = re.compile(r" may not | is a service account: |^this concerns all of plant ")
UNSEEN = re.compile(r"^plant \S+ has no (user|stop) ")
ACT: TypeAdapter[StopAct] = TypeAdapter(StopAct)


def read(answer: Said) -> Answer:
    """Done is what was accepted; closing alone is refused for how the stop is, after the permission."""
    if answer.accepted or answer.message == "the machine still stands":
        return Answer.DONE
    if UNSEEN.search(answer.message):
        return Answer.UNSEEN
    assert FORBIDDEN.search(answer.message), answer
    return Answer.FORBIDDEN


@dataclass
class Floor:
    """A plant of two lines. Stops are of the first one, each asker has one for each way; the shift is everybody's."""

    bench: Bench
    people: People
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    of: dict[tuple[Asker, str], StopFact] = field(default_factory=dict[tuple[Asker, str], StopFact])
    over: dict[tuple[Asker, str], StopFact] = field(default_factory=dict[tuple[Asker, str], StopFact])
    """Stops that have ended, of those who may join them."""
    made: int = 0

    @property
    def id(self) -> str:
        return self.bench.id

    async def furnish(self, askers: tuple[Asker, ...]) -> None:
        for asker in askers:
            for way in WAYS:
                self.of[asker, way] = self.fact(alarm="E17")
                if expected_of(asker, "join stops") is Answer.DONE:
                    self.over[asker, way] = self.fact(lasted=timedelta(minutes=5))
        facts = (*self.of.values(), *self.over.values())
        record = LineRecord(plant=self.id, line=LINE, revision=1, checkpoint="{}", stops=facts)
        assert await self.bench.ledger.record_line(record) is None
        for fact in facts:
            given = StopInput(plant=self.id, line=LINE, stop=fact.stop)
            await self.start("Downtime", given, downtime_workflow_id(self.id, LINE, fact.stop))
        await self.bench.ledger.record_handover(
            HandoverReport(
                plant=self.id, shift=SHIFT, starts_at=self.now - timedelta(hours=8), ends_at=self.now,
                next_shift="2026-11-20/late", acknowledge_by=self.now + timedelta(hours=8), made_at=self.now,
            )
        )  # fmt: skip
        given = HandoverInput(plant=self.id, shift=SHIFT, ends_at=self.now)
        await self.start("ShiftHandover", given, handover_workflow_id(self.id, SHIFT))

    def fact(self, *, alarm: str = "", lasted: timedelta | None = None) -> StopFact:
        """A stop that began a quarter of an hour ago; the alarm explains it by the plant's rule."""
        began = self.now - timedelta(minutes=15, seconds=len(self.of) + len(self.over))
        ended = began + lasted if lasted else None
        stretch = StopStretch(
            started_at=began, ended_at=ended, time_class=TimeClass.STOP, state=MachineState.ABORTED, station=PRESS,
            order=ORDER, operation=OPERATIONS[PRESS], machine_reason=alarm, alarm=alarm,
        )  # fmt: skip
        return StopFact(
            stop=stop_id(began), plant=self.id, line=LINE, version=1, started_at=began, ended_at=ended,
            as_of=ended or self.now, stretches=(stretch,),
        )  # fmt: skip

    async def start(self, kind: str, given: Any, name: str) -> None:
        queue = plant_task_queue(self.id)
        await self.bench.client.start_workflow(kind, given, id=name, task_queue=queue, task_timeout=TASK_TIMEOUT)
        self.bench.workflows.add(name)

    def number(self) -> str:
        self.made += 1
        return f"q{self.made}"

    # --- messages ------------------------------------------------------------------------------------------------
    async def act(self, asker: Asker, kind: str, line: str, fact: StopFact, stop: str = "") -> StopAct:
        """For what it claims, sealed for this stop."""
        at, later = fact.started_at + timedelta(minutes=2), self.now + timedelta(hours=1)
        says = fields("feed" if kind != "recode" else "jam", at.isoformat(), later.isoformat(), self.other(fact))[kind]
        common = {"kind": kind, "action_id": self.number(), "actor": asker.claims(self.id)}
        act = ACT.validate_python({**common, **says})
        return await self.people.seal(act, is_about(self.id, act, stop_place(line, stop or fact.stop)))

    def other(self, fact: StopFact) -> str:
        return next(f.stop for f in self.of.values() if f.stop != fact.stop)

    async def say(self, way: str, asker: Asker, kind: str) -> Said:
        """By update; or signalled, and then the update with the same id tells what the signal was answered."""
        fact = self.over.get((asker, way)) if kind == "join" else None
        fact = fact or self.of[asker, way]
        action = StopAction(act=await self.act(asker, kind, LINE, fact))
        process = self.bench.client.get_workflow_handle(downtime_workflow_id(self.id, LINE, fact.stop))
        if way == "signal":
            await process.signal("act_by_signal", action)
        return await process.execute_update("act", action, result_type=Said)

    async def take_over(self, asker: Asker) -> Said:
        process = self.bench.client.get_workflow_handle(handover_workflow_id(self.id, SHIFT))
        return await process.execute_update("acknowledge", await self.taking(asker, SHIFT), result_type=Said)

    async def taking(self, asker: Asker, shift: str) -> AcknowledgeHandover:
        act = AcknowledgeHandover(action_id=self.number(), actor=asker.claims(self.id))
        return await self.people.seal(act, is_about(self.id, act, shift))

    # --- what does not exist -------------------------------------------------------------------------------------
    async def of_no_stop(self, asker: Asker, kind: str, fact: StopFact) -> str:
        """What an act on a stop is told that is not there, on a line that is not there."""
        bench = self.bench
        gate = StopActivities(bench.erp, bench.ledger, bench.plant, PlantClock(), now=lambda: datetime.now(UTC))
        act = await self.act(asker, kind, NO_LINE, fact, MISSING)
        return await gate.verify_stop_act(StopActToVerify(plant=self.id, line=NO_LINE, stop=MISSING, act=act))

    async def of_no_shift(self, asker: Asker) -> str:
        bench = self.bench
        gate = HandoverActivities(bench.ledger, bench.plant, PlantClock(), now=lambda: datetime.now(UTC))
        act = await self.taking(asker, MISSING)
        return await gate.verify_handover_act(HandoverActToVerify(plant=self.id, shift=MISSING, act=act))

    async def done_by(self, asker: Asker, way: str) -> Counter[str]:
        """What the histories of the asker's stops say that anybody has done."""
        found: Counter[str] = Counter()
        for fact in (self.of[asker, way], self.over.get((asker, way))):
            record = await self.bench.ledger.stop(self.id, LINE, fact.stop) if fact is not None else None
            found.update(e.what for e in (record.history if record is not None else ()) if e.by)
            assert record is None or {e.by for e in record.history} <= {"", asker.login}
        return found

    async def proposed(self, asker: Asker, way: str) -> None:
        """The process looks for what could be done for the customers once a recovery is expected."""
        stop = self.of[asker, way].stop
        await eventually(
            lambda: self.bench.ledger.stop(self.id, LINE, stop), lambda r: r is not None and r.reallocations
        )


@pytest_asyncio.fixture(loop_scope="session")
async def floor(temporal_client: Client, tmp_path: Path) -> AsyncIterator[Floor]:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    reasons = [{"id": "jam", "text": "Jam", "capacity": True, "alarms": ["E1*"]}, {"id": "feed", "text": "No material"}]
    plant = stop_plant(reason=reasons, rung=[{"timer": "response", "after_minutes": 900, "roles": ["operator"]}])
    [first] = plant.lines
    second = first.model_copy(
        update={"id": OTHER_LINE, "stations": (first.stations[0].model_copy(update={"operation": "0500"}),)}
    )
    quality = plant.quality.model_copy(update={"signatures": "required"})
    plant = plant.model_copy(update={"lines": (first, second), "quality": quality})
    key = Ed25519PrivateKey.generate()
    people = People(ledger, lambda: key, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    await people.add_key(key)
    erp = UpkeepErp(demands=[demand("ACME", 5, datetime.now(UTC))])
    erp.on_hand = [StockLine(material="HOUSING-1", quantity=Decimal(900), unit="PC", storage_location="FG01",
                             kind=StockKind.UNRESTRICTED)]  # fmt: skip
    bench = Bench(temporal_client, ledger, plant, erp=erp)
    bench.release(ORDER, 20)
    await ledger.take_order(erp.orders[ORDER])
    found = Floor(bench, people)
    await hire(people, found.id, OTHER_PLANT, LINE, OTHER_LINE)
    try:
        async with bench.working():
            yield found
    finally:
        await bench.end()
        await ledger.close()


async def ask_one(floor: Floor, questions: Questions, asker: Asker, way: str) -> None:
    """Every act on the asker's own stop, one after the other, and what has become of it."""
    fact, should = floor.of[asker, way], Counter[str]()
    for kind, action in KINDS.items():
        expected = expected_of(asker, action)
        if expected is Answer.DONE:
            should.update([EFFECTS[kind]] if kind in EFFECTS else [])
            if kind == "reallocate":
                await floor.proposed(asker, way)
        answer = await floor.say(way, asker, kind)
        questions.took(way, asker, f"{action} ({kind})", read(answer), expected, answer.message)
        if expected is Answer.UNSEEN:
            missing = (await floor.of_no_stop(asker, kind, fact)).replace(MISSING, fact.stop).replace(NO_LINE, LINE)
            questions.same(way, asker, action, answer.message, missing)
        if asker.place is Place.OTHER_LINE:
            questions.same(way, asker, action, answer.message, str(unknown_stop(floor.id, LINE, fact.stop)))
    questions.had_effect(way, asker, "all acts", await floor.done_by(asker, way), should)


async def ask(floor: Floor, askers: tuple[Asker, ...]) -> Questions:
    questions = Questions()
    await floor.furnish(askers)
    await ask_all([lambda s=asker, w=way: ask_one(floor, questions, s, w) for asker in askers for way in WAYS])
    ledger, last = floor.bench.ledger, sorted(askers, key=lambda s: expected_of(s, HANDOVER) is Answer.DONE)
    for asker in last:
        expected = expected_of(asker, HANDOVER)
        answer = await floor.take_over(asker)
        questions.took("update", asker, HANDOVER, read(answer), expected, answer.message)
        if expected is Answer.UNSEEN:
            questions.same("update", asker, HANDOVER, answer.message, await floor.of_no_shift(asker))
        report = await ledger.handover(floor.id, SHIFT)
        assert report is not None
        stands = (HandoverState.ACKNOWLEDGED, asker.login) if expected is Answer.DONE else (HandoverState.WAITING, "")
        questions.had_effect("update", asker, HANDOVER, (report.state, report.acknowledged_by), stands)
    return questions


@pytest.mark.timeout(300)
async def test_a_message_does_what_the_table_says_of_its_sender(floor: Floor) -> None:
    """A slice: one role of four places, one that may decide a reallocation, and one that may little."""
    places = (Place.WHOLE, Place.LINE, Place.OTHER_LINE, Place.OTHER_PLANT)
    some = [a for a in SOME if a.role == "supervisor" and a.place in places]
    some += [Asker(role, Place.WHOLE, service=False) for role in ("operator", "planner")]
    (await ask(floor, tuple(some))).settle()


@pytest.mark.proof
@pytest.mark.timeout(2400)
async def test_every_message_does_what_the_table_says_of_its_sender(floor: Floor) -> None:
    (await ask(floor, EVERYBODY)).settle()


async def test_who_may_not_is_not_told_who_has_taken_over(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their message comes while the acknowledgement is being recorded: it waits, and is judged for itself."""
    taker, stranger = (Asker("supervisor", place, service=False) for place in (Place.WHOLE, Place.OTHER_PLANT))
    await floor.furnish((taker,))
    ledger, recording, told = floor.bench.ledger, asyncio.Event(), asyncio.Event()
    record_handover = ledger.record_handover

    async def slowly(report: HandoverReport) -> HandoverReport:
        recording.set()
        await told.wait()
        return await record_handover(report)

    monkeypatch.setattr(ledger, "record_handover", slowly)
    taken = asyncio.create_task(floor.take_over(taker))
    await recording.wait()
    process = floor.bench.client.get_workflow_handle(handover_workflow_id(floor.id, SHIFT))
    late = await process.start_update(
        "acknowledge", await floor.taking(stranger, SHIFT), wait_for_stage=WorkflowUpdateStage.ACCEPTED,
        result_type=Said,
    )  # fmt: skip
    told.set()
    assert (await taken).accepted
    assert (await late.result()).message == await floor.of_no_shift(stranger)
