"""HandoverTick and ShiftHandover: every shift that ends is handed over once, late rather than never (design section 4).

The schedule only ticks. What is due comes from calendar and ledger, in event time; the earliest begins, and each
handover, once recorded, begins the next: after an outage they are made in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from pydantic import Field
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.handover import (
        HandoverActivities,
        HandoverActToVerify,
        HandoverRef,
        HandoversDue,
        MakeHandover,
        SettleHandover,
    )
    from domain import handover
    from domain.clock import PlantClock
    from domain.roles import Role
    from domain.state import State
    from signals.base import UtcTime
    from signals.decisions import Answer
    from signals.errors import ErrorType
    from signals.handover import AcknowledgeHandover, HandoverReport, HandoverState, LineHandedOver, ShiftOver
    from signals.ids import line_workflow_id
    from workflows.common import (
        DUE_AT,
        FEW_ATTEMPTS,
        LEDGER_TIMEOUT,
        LOADING_TIMEOUT,
        OPEN_TASK_ROLES,
        PAUSE,
        PHASE,
        PLANT_ID,
        go_on,
        wants_new_run,
    )
    from workflows.exception_messages import tell
    from workflows.handover_messages import SHIFT_OVER, HandoverInput, HandoverPatience, TickInput, start_handover
    from workflows.handover_page import handover_details, notification
    from workflows.notifying import notify

LATE_ACT_WITHIN = timedelta(seconds=60)
"""A handover that lapsed is started again for an act that comes late, and waits for it no longer than this."""

ALL_VERIFIED = "handover-acts-all-verified/1"
"""Change id: who comes after the shift was taken over is verified too before they are answered."""


class HandoverProcess(State):
    """What a handover carries from run to run."""

    lines: list[str]
    clock: PlantClock
    head: HandoverReport | None = None
    seen: dict[str, LineHandedOver] = Field(default_factory=dict)
    silent: list[str] = Field(default_factory=list)
    told: bool = False
    reminded: int = 0
    late_until: UtcTime | None = None
    answered: dict[str, Answer] = Field(default_factory=dict)


@workflow.defn(name="HandoverTick")
class HandoverTick:
    """One look at the calendar."""

    @workflow.run
    async def run(self, given: TickInput) -> HandoversDue:
        found = await workflow.execute_activity_method(
            HandoverActivities.due_handovers,
            given.plant,
            start_to_close_timeout=LEDGER_TIMEOUT,
            retry_policy=FEW_ATTEMPTS,
        )
        # One that waits for its acknowledgement has its process already, unless Temporal was set up anew.
        for ref in (*found.waiting, *found.due[:1]):
            await start_handover(of(ref, given.patience))
        return found


def of(ref: HandoverRef, patience: HandoverPatience) -> HandoverInput:
    return HandoverInput(plant=ref.plant, shift=ref.shift, ends_at=ref.ends_at, patience=patience)


@workflow.defn(name="ShiftHandover")
class ShiftHandover:
    """One shift of one plant, from its end until the next crew has taken over."""

    @workflow.init
    def __init__(self, given: HandoverInput) -> None:
        self._given = given
        self._loaded: HandoverProcess | None = None
        if given.state is not None:
            self._loaded = HandoverProcess.model_validate_json(given.state)
        self._acts: deque[AcknowledgeHandover] = deque()
        self._from_lines: deque[LineHandedOver] = deque()
        self._unanswered: dict[str, str] = {}
        self._shown: tuple[object, ...] = ()

    @workflow.run
    async def run(self, given: HandoverInput) -> HandoverReport:
        while self._loaded is None:
            await self._load()
        if self._state.head is None:
            await self._wait_for_lines()
            await self._make(1)
            await self._begin_next()
        while not self._is_done():
            self._show()
            if not await self._next():
                await self._wait()
            if not self._is_done() and wants_new_run(given.history_limit):
                await self._continue_as_new()
        self._show()
        return self._head

    @property
    def _state(self) -> HandoverProcess:
        assert self._loaded is not None
        return self._loaded

    @property
    def _head(self) -> HandoverReport:
        assert self._state.head is not None
        return self._state.head

    @property
    def _ref(self) -> HandoverRef:
        return HandoverRef(plant=self._given.plant, shift=self._given.shift, ends_at=self._given.ends_at)

    def _plant_now(self) -> datetime:
        return self._state.clock.plant_time(workflow.now())

    # --- the process, step by step -----------------------------------------------------------------------
    async def _load(self) -> None:
        try:
            loaded = await workflow.execute_activity_method(
                HandoverActivities.load_handover,
                self._ref,
                start_to_close_timeout=LEDGER_TIMEOUT,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type == ErrorType.BAD_INPUT:
                raise ApplicationError(str(error.cause), type=ErrorType.BAD_INPUT.value, non_retryable=True) from error
            workflow.logger.warning("handover not loaded: %s", error.cause)
            await workflow.sleep(PAUSE)
            return
        self._loaded = HandoverProcess(lines=list(loaded.lines), clock=loaded.clock, head=loaded.head)
        if loaded.head is not None and loaded.head.state is HandoverState.LAPSED:
            self._loaded.late_until = workflow.now() + LATE_ACT_WITHIN

    async def _wait_for_lines(self) -> None:
        """Until each Line has seen the end of the shift and handed it over, or for as long as patience lasts."""
        patience = self._given.patience
        ends = self._state.clock.wall_time(self._given.ends_at) + timedelta(seconds=patience.after_end_seconds)
        until = max(ends, workflow.now() + timedelta(seconds=patience.late_seconds))
        while (missing := self._missing()) and workflow.now() < until:
            await self._ask(missing, at_once=False)
            pause = min(until - workflow.now(), timedelta(seconds=patience.ask_seconds))
            await self._hear(lambda: not self._missing(), pause)
        if missing := self._missing():
            await self._ask(missing, at_once=True)
            answered = timedelta(seconds=patience.answer_seconds)
            await self._hear(lambda: all(line in self._state.seen for line in missing), answered)
        self._state.silent = [line for line in self._missing() if line not in self._state.seen]

    def _missing(self) -> list[str]:
        """Lines whose figures may still change."""
        seen = self._state.seen
        return [line for line in self._state.lines if line not in seen or not seen[line].final]

    async def _ask(self, lines: list[str], *, at_once: bool) -> None:
        given = self._given
        question = ShiftOver(
            shift=given.shift, ends_at=given.ends_at, reply_to=workflow.info().workflow_id, at_once=at_once
        )
        for line in lines:
            await tell(line_workflow_id(given.plant, line), SHIFT_OVER, question)

    async def _hear(self, enough: Callable[[], bool], pause: timedelta) -> None:
        """Take the Lines' answers until there are enough, or the pause is over."""

        def heard() -> bool:
            while self._from_lines:
                told = self._from_lines.popleft()
                self._state.seen[told.line] = told
            return enough()

        with suppress(TimeoutError):
            await workflow.wait_condition(heard, timeout=max(pause, timedelta(milliseconds=10)))

    async def _make(self, revision: int) -> None:
        wish = MakeHandover(
            ref=self._ref,
            seen=tuple(self._state.seen.values()),
            silent=tuple(self._state.silent),
            revision=revision,
        )
        while True:
            try:
                self._state.head = await workflow.execute_activity_method(
                    HandoverActivities.make_handover,
                    wish,
                    start_to_close_timeout=LOADING_TIMEOUT * 4,
                    retry_policy=FEW_ATTEMPTS,
                )
            except ActivityError as error:
                workflow.logger.warning("handover not made yet: %s", error.cause)
                await workflow.sleep(PAUSE)
            else:
                return

    async def _begin_next(self) -> None:
        """The next one that is due; the tick would begin it too."""
        try:
            found = await workflow.execute_activity_method(
                HandoverActivities.due_handovers,
                self._given.plant,
                start_to_close_timeout=LEDGER_TIMEOUT,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("next handover is left to the tick: %s", error.cause)
            return
        for ref in found.due[:1]:
            await start_handover(of(ref, self._given.patience))

    async def _next(self) -> bool:
        """Do the most urgent thing; False where there is nothing to do now."""
        state, head, now = self._state, self._head, self._plant_now()
        reminder = handover.reminder_due(head, state.reminded)
        if self._acts:
            await self._take_act()
        elif self._from_lines:
            await self._take_later_figures()
        elif not state.told:
            state.told = True
            await notify(notification(head, now))
        elif head.state is HandoverState.WAITING and now >= head.acknowledge_by:
            await self._lapse(now)
        elif reminder is not None and now >= reminder:
            state.reminded += 1
            await notify(notification(head, now, reminder=state.reminded))
        else:
            return False
        return True

    async def _take_later_figures(self) -> None:
        """A Line has seen the end of the shift after all: the same handover with figures that are final."""
        told = self._from_lines.popleft()
        known = self._state.seen.get(told.line)
        self._state.seen[told.line] = told
        if told.final and (known is None or not known.final) and self._head.state is not HandoverState.ACKNOWLEDGED:
            self._state.silent = [line for line in self._state.silent if line != told.line]
            await self._make(self._head.revision + 1)

    async def _lapse(self, now: datetime) -> None:
        """The incoming crew has left without a word: it stays open in the ledger, and the next handover names it."""
        try:
            await self._settle(SettleHandover(plant=self._given.plant, shift=self._given.shift, at=now))
        except ActivityError as error:
            workflow.logger.warning("handover not settled yet: %s", error.cause)
            await workflow.sleep(PAUSE)

    async def _settle(self, wish: SettleHandover) -> None:
        self._state.head = await workflow.execute_activity_method(
            HandoverActivities.settle_handover, wish, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
        )

    # --- people ------------------------------------------------------------------------------------------
    async def _take_act(self) -> None:
        """The oldest act: verified, recorded, answered. What could not be asked is not kept: it may come again.

        Who comes while it is taken over is told by whom only if they may take over themselves.
        """
        act = self._acts[0]
        answer = handover.answer_for(self._head, act)
        try:
            if answer is None or workflow.patched(ALL_VERIFIED):
                answer = await self._acknowledge(act)
        except ActivityError as error:
            self._unanswered[act.action_id] = f"the ledger could not be asked: {error.cause}"
        else:
            self._state.answered[act.action_id] = answer
        self._acts.popleft()

    async def _acknowledge(self, act: AcknowledgeHandover) -> Answer:
        refused = await workflow.execute_activity_method(
            HandoverActivities.verify_handover_act,
            HandoverActToVerify(plant=self._given.plant, shift=self._given.shift, act=act),
            start_to_close_timeout=LEDGER_TIMEOUT,
            retry_policy=FEW_ATTEMPTS,
        )
        if refused:
            return Answer(decision_id=act.action_id, accepted=False, message=refused)
        if self._head.state is not HandoverState.ACKNOWLEDGED:
            await self._settle(
                SettleHandover(plant=self._given.plant, shift=self._given.shift, act=act, at=self._plant_now())
            )
        answer = handover.answer_for(self._head, act)
        assert answer is not None
        return answer

    # --- waiting, showing, going on ----------------------------------------------------------------------
    def _is_done(self) -> bool:
        late = self._state.late_until
        over = self._head.state.is_over and self._state.told
        waits_for_late_act = self._head.state is HandoverState.LAPSED and late is not None and workflow.now() < late
        return over and not waits_for_late_act and not self._acts and workflow.all_handlers_finished()

    async def _wait(self) -> None:
        """Until a message, or the next instant at which something is due."""
        head, clock = self._head, self._state.clock
        times = [clock.wall_time(head.acknowledge_by)] if head.state is HandoverState.WAITING else []
        reminder = handover.reminder_due(head, self._state.reminded)
        times += [clock.wall_time(reminder)] if reminder is not None and not head.state.is_over else []
        times += [self._state.late_until] if self._state.late_until is not None else []
        pause = max(min(times) - workflow.now(), timedelta(milliseconds=10)) if times else None
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: bool(self._acts or self._from_lines) or self._is_done(), timeout=pause
            )

    def _show(self) -> None:
        head = self._head
        workflow.set_current_details(handover_details(head))
        shown = (head.state, head.acknowledge_by)
        if shown == self._shown:
            return
        self._shown = shown
        waits = head.state is HandoverState.WAITING
        workflow.upsert_search_attributes([
            PLANT_ID.value_set(head.plant), PHASE.value_set(head.state.value),
            OPEN_TASK_ROLES.value_set([Role.SUPERVISOR.value]) if waits else OPEN_TASK_ROLES.value_unset(),
            DUE_AT.value_set(head.acknowledge_by) if waits else DUE_AT.value_unset(),
        ])  # fmt: skip

    async def _continue_as_new(self) -> None:
        """No handler and no activity may be outstanding; what waits is taken first."""
        while self._acts or self._from_lines or not workflow.all_handlers_finished():
            if not await self._next():
                await workflow.wait_condition(
                    lambda: bool(self._acts or self._from_lines) or workflow.all_handlers_finished()
                )
        if not self._is_done():
            go_on(self._given.model_copy(update={"state": self._state.model_dump_json()}))

    # --- messages ----------------------------------------------------------------------------------------
    @workflow.update(name="acknowledge", description="The incoming supervisor takes over")
    async def acknowledge(self, act: AcknowledgeHandover) -> Answer:
        """The same action id, and the same person, get the same answer again."""
        self._unanswered.pop(act.action_id, None)
        if self._answer_of(act) is None and all(a.action_id != act.action_id for a in self._acts):
            self._acts.append(act)
        await workflow.wait_condition(lambda: self._answer_of(act) is not None or act.action_id in self._unanswered)
        answer = self._answer_of(act)
        if answer is not None:
            return answer
        return Answer(decision_id=act.action_id, accepted=False, message=self._unanswered[act.action_id])

    @workflow.signal
    def line_handed_over(self, told: LineHandedOver) -> None:
        """A Line's answer."""
        self._from_lines.append(told)

    @workflow.query
    def report(self) -> HandoverReport | None:
        """The handover as it stands, without its lists; None before it is made."""
        return self._loaded.head if self._loaded is not None else None

    def _answer_of(self, act: AcknowledgeHandover) -> Answer | None:
        return self._loaded.answered.get(act.action_id) if self._loaded is not None else None
