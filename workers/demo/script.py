"""What is done to the house: by single keys, or played by `--auto`. Every act is one method, whoever asks for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

from temporalio.client import (
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError

from signals.decisions import Answer, ApprovePostings, DecideCase, PostingMode
from signals.documents import Case, CaseAction, CaseKind
from signals.downtime import ReasonStatus, StopRecord
from signals.errors import BadInput, NoAnswer
from signals.holds import HoldRecord, HoldState
from signals.ids import order_workflow_id, short_hash
from signals.status import OrderStatus
from workers.demo.books import Place
from workers.demo.people import ENGINEER, MANAGER, SUPERVISOR
from workers.demo.stage import Stage
from workers.demo.stops import take_care
from workers.demo.watch import Snapshot, Watch
from workers.simulated_erp import ControlRefused

FIRST_OPERATION = "0010"
BROKEN_STATION = "weld"
BROKEN_PLANT_SECONDS = 75.0
HAND_ENTRY_PIECES = 3
DRIFTING_PIECES = 3
RESTART_SECONDS = 3.0
LAST_RUN = "no other run waits"
"""How the simulated line refuses to change over."""
CONFIRMATIONS_BEFORE = 3
OUTAGE_SECONDS = 14.0
"""The shortest outage: long enough to see the books drift apart, wall seconds."""

ANSWER_WITHIN = timedelta(seconds=5)
NOT_NOW = (RPCError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError)
"""No worker answers now, or the order has ended."""
CLOSING_SECONDS = 90.0
"""The longest time from the last piece to both orders closed, wall seconds."""

PLANT_SECONDS = 420.0
"""How long the line needs for everything, breakdown included, in plant seconds."""

Say = Callable[[str], None]


class Acts:
    """The things one can do to the demo."""

    def __init__(self, stage: Stage, watch: Watch, say: Say) -> None:
        self._stage = stage
        self._watch = watch
        self._say = say
        self._restarting: asyncio.Task[None] | None = None

    async def unplug(self) -> None:
        if not self._stage.controls.erp_is_up:
            self._say("the ERP is unplugged already")
            return
        await self._stage.controls.unplug()
        self._say("ERP unplugged: every connection is dropped")

    async def plug_in(self) -> None:
        if self._stage.controls.erp_is_up:
            self._say("the ERP is plugged in: nothing to do")
            return
        await self._stage.controls.plug_in()
        self._say("ERP plugged in again")

    async def break_machine(self) -> None:
        await self._stage.controls.break_machine(BROKEN_STATION, BROKEN_PLANT_SECONDS)
        self._say(f"machine {BROKEN_STATION} broken for {BROKEN_PLANT_SECONDS:.0f} s of plant time")

    async def bad_part(self) -> None:
        await self._stage.controls.bad_part()
        self._say("bad part: the next piece is spoilt at the press and found at the inspection")

    async def drift(self) -> None:
        """The press force leaves its limits for a few pieces: they are held."""
        drifting = await self._stage.controls.drift(DRIFTING_PIECES)
        self._say(
            f"drift: {drifting['tag']} of station {drifting['station']} is off by {drifting['offset']:g} "
            f"for the next {drifting['pieces']} pieces; they are to be held"
        )

    async def change_over(self) -> None:
        """In mid-batch: the next order comes on, the rest of this one is made later."""
        try:
            coming = await self._stage.controls.change_over()
        except ControlRefused as error:
            if LAST_RUN not in str(error):
                raise
            self._say("change over: no other batch waits, this one is the last")
            return
        batch = f" batch {coming['batch']}" if coming["batch"] else ""
        self._say(f"change over in mid-batch: order {coming['order']}{batch} comes on, the rest is made later")

    async def kill_worker(self) -> None:
        """SIGKILL; a new one starts a little later."""
        if not self._stage.worker.running:
            self._say("the worker is gone already; a new one is on its way")
            return
        pid = self._stage.worker.pid
        await self._stage.worker.kill()
        self._say(f"worker killed (pid {pid}, SIGKILL)")
        self._restarting = asyncio.create_task(self._restart_worker())

    async def worker_is_back(self) -> None:
        """Wait for the worker that `kill_worker` promised."""
        if self._restarting is not None:
            await self._restarting

    async def _restart_worker(self) -> None:
        await asyncio.sleep(RESTART_SECONDS)
        await self._stage.worker.start()
        self._say(f"worker started again (pid {self._stage.worker.pid})")

    async def enter_by_hand(self) -> None:
        """A person confirms pieces that the machine has made and the ERP does not know yet, in the ERP's own screen."""
        place = hand_entry_place(self._watch.last)
        if place is None:
            self._say(
                f"by hand: the machine is less than {HAND_ENTRY_PIECES} pieces ahead of the ERP, nothing to enter"
            )
            return
        document = await self._stage.controls.enter_by_hand(place.order, place.operation, HAND_ENTRY_PIECES)
        self._say(f"by hand in the ERP: {HAND_ENTRY_PIECES} pieces on {place.text()}, document {document}")

    async def adopt(self) -> int:
        """Decide every open hand entry: its pieces are part of what the machines counted. How many were decided."""
        decided, waiting = 0, hand_entry_cases(self._watch.last)
        if not waiting:
            self._say("adopt: no entry by hand waits for a decision")
        for case in waiting:
            decided += await self._adopt(case)
        return decided

    async def _adopt(self, case: Case) -> int:
        decision = DecideCase(
            # From the case, so that pressing the key twice is one decision.
            decision_id=short_hash("demo", case.case_id),
            case_id=case.case_id,
            action=CaseAction.ADOPT,
            by=SUPERVISOR,
            role=self._stage.people.user(SUPERVISOR).role,
            actor=self._stage.people.actor(SUPERVISOR),
            reason="counted by the machine, entered by hand while the ERP was away",
        )
        decision = await self._stage.desk.sealed(self._stage.plant_id, decision, case.order)
        handle = await self._order(case.order)
        try:
            answer = await handle.execute_update(
                "decide_case", decision, id=decision.decision_id, result_type=Answer, rpc_timeout=ANSWER_WITHIN
            )
        except NOT_NOW as error:
            self._say(f"case {case.case_id} could not be decided yet: {error}")
            return 0
        if not answer.accepted:
            self._say(f"case {case.case_id}: {answer.message}")
            return 0
        self._say(f"case {case.case_id} ({case.kind.value}, operation {case.operation}): adopted by {SUPERVISOR}")
        return 1

    async def decide_holds(self) -> int:
        """Every open hold: the quality engineer claims and releases it, the quality manager signs too. How many."""
        done = 0
        for hold in filter(waits_for_people, self._watch.last.open_holds):
            try:
                done += await self._decide_hold(hold.hold)
            except (BadInput, NoAnswer) as error:
                self._say(f"hold {hold.hold} could not be decided yet: {error}")
        return done

    async def _decide_hold(self, hold: str) -> int:
        people = self._stage.people
        if await people.cosign(hold):
            self._say(f"hold {hold}: {MANAGER} has signed too")
            return 1
        await people.claim(hold)
        record = await people.release(hold)
        self._say(f"hold {hold}: {ENGINEER} has claimed it and released {record.quantity:f} {record.unit}, signed")
        if await people.cosign(hold):
            self._say(f"hold {hold}: {MANAGER} has signed too")
        return 1

    async def tend_stops(self) -> int:
        """Every stop that waits for it: the operator acknowledges it, and says why the line stands. How many."""
        done = 0
        for stop in filter(waits_for_a_reason, self._watch.last.stops):
            try:
                said = await take_care(self._stage, stop)
            except (BadInput, NoAnswer) as error:
                self._say(f"stop of {stop.line} could not be tended yet: {error}")
                continue
            if said:
                self._say(said)
                done += 1
        return done

    async def approve_for_ever(self) -> None:
        """Mode approve: somebody lets out what waits, once a second."""
        while True:
            await asyncio.sleep(1)
            for order in self._stage.orders:
                # No worker, or the order has ended: there is nothing to approve now.
                with contextlib.suppress(*NOT_NOW):
                    await self._approve(order)

    async def _approve(self, order: str) -> None:
        handle = await self._order(order)
        status = await handle.query("status", result_type=OrderStatus, rpc_timeout=ANSWER_WITHIN)
        if not status.waiting_approval:
            return
        keys = status.waiting_approval
        actor = self._stage.people.actor(SUPERVISOR)
        wish = ApprovePostings(decision_id=short_hash("approve", *keys), by=SUPERVISOR, actor=actor, keys=keys)
        wish = await self._stage.desk.sealed(self._stage.plant_id, wish, order)
        await handle.execute_update(
            "approve_postings", wish, id=wish.decision_id, result_type=Answer, rpc_timeout=ANSWER_WITHIN
        )
        self._say(f"approved {len(keys)} posting{'s' if len(keys) > 1 else ''} of order {order}")

    async def _order(self, order: str) -> WorkflowHandle[object, object]:
        return (await self._stage.client()).get_workflow_handle(order_workflow_id(self._stage.plant_id, order))


def hand_entry_place(seen: Snapshot) -> Place | None:
    """The first operation of an open order where the machine is far enough ahead of the ERP."""
    for order, record in seen.records.items():
        place = Place(order, FIRST_OPERATION)
        if record.phase not in ("closed", "cancelled") and seen.ahead(place) >= HAND_ENTRY_PIECES:
            return place
    return None


def hand_entry_cases(seen: Snapshot) -> list[Case]:
    return [case for case in seen.cases if case.kind is CaseKind.MANUAL_ENTRY]


async def curtain_up(stage: Stage, watch: Watch, say: Say) -> None:
    """The line starts when both orders have been taken in and their processes run."""
    await watch.until(lambda seen: seen.all_taken_in, "taking both orders in from the ERP", 90)
    await stage.controls.start_line()
    say(f"orders {' and '.join(stage.orders)} taken in from the ERP; the line starts")


async def play(stage: Stage, watch: Watch, acts: Acts, say: Say, screenshot: Callable[[], None]) -> None:
    """A bad part, an outage with a hand entry and a killed worker in it, a broken machine. Raises WaitedInVain."""
    shadow = stage.mode is PostingMode.SHADOW
    await acts.bad_part()
    await watch.until(
        lambda seen: (seen.would_post if shadow else len(seen.confirmations)) >= CONFIRMATIONS_BEFORE,
        "the first confirmations",
        60 + 180 / stage.speed,
    )
    await acts.drift()
    await watch.until(lambda seen: bool(seen.holds), "the hold about the drift", 30 + 60 / stage.speed)
    say(f"hold {watch.last.holds[0].hold}: {watch.last.holds[0].reasons[0].text}; blocked in the ledger")
    await acts.unplug()
    over = asyncio.create_task(asyncio.sleep(OUTAGE_SECONDS))
    if not shadow:
        await watch.until(lambda seen: hand_entry_place(seen) is not None, "production in the outage",
                          30 + 60 / stage.speed)  # fmt: skip
        await acts.enter_by_hand()
    await acts.kill_worker()
    await acts.worker_is_back()
    await over
    await watch.look()
    screenshot()
    await acts.plug_in()
    await acts.break_machine()
    tending = asyncio.create_task(_tend_stops(watch, acts))
    if not shadow:
        await _adopt_hand_entry(watch, acts)
    await _decide_holds(watch, acts)
    await watch.until(lambda seen: seen.truth["finished"], "the last piece", 60 + 2 * PLANT_SECONDS / stage.speed)
    await _decide_holds(watch, acts)
    await watch.until(lambda seen: seen.all_closed, "closing both orders", CLOSING_SECONDS)
    say("both orders are closed")
    await watch.until(
        lambda seen: bool(seen.stops) and all(s.state.is_over for s in seen.stops if s.fact.ended_at),
        "closing the stops", CLOSING_SECONDS,
    )  # fmt: skip
    tending.cancel()
    for stop in watch.last.stops:
        centres = ", ".join(dict.fromkeys(p.cost_centre for p in stop.parts if p.cost_centre))
        told = f", maintenance knows it as {stop.notification}" if stop.notification else ""
        say(f"stop of {stop.line}: {stop.state.value}, cost centre {centres or 'none'}{told}")


async def _adopt_hand_entry(watch: Watch, acts: Acts) -> None:
    await watch.until(lambda seen: bool(hand_entry_cases(seen)), "the case about the hand entry", 90)
    for _ in range(10):
        if await acts.adopt():
            return
        await watch.look()
        await asyncio.sleep(1)


async def _tend_stops(watch: Watch, acts: Acts) -> None:
    """For ever: a stop is found once it has outlived the threshold; then the operator has a word."""
    while True:
        await watch.until(lambda seen: any(map(waits_for_a_reason, seen.stops)), "a stop", 86_400)
        await acts.tend_stops()
        await asyncio.sleep(1)


def waits_for_a_reason(stop: StopRecord) -> bool:
    return not stop.state.is_over and any(p.status is ReasonStatus.UNKNOWN for p in stop.parts)


async def _decide_holds(watch: Watch, acts: Acts) -> None:
    """Decide until no hold waits for a person; a drift that goes on makes a decision stale, then it is made anew."""
    for _ in range(20):
        await watch.look()
        if not any(map(waits_for_people, watch.last.open_holds)):
            return
        await acts.decide_holds()
        await asyncio.sleep(1)


def waits_for_people(hold: HoldRecord) -> bool:
    return hold.state in (HoldState.BLOCKED, HoldState.AWAITS_SECOND)
