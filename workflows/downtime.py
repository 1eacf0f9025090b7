"""Downtime: a stop that outlives the micro-stop threshold, until it is over, explained and booked (design section 4).

Everything is decided in event time from the Line's facts; timers only wake, from absolute deadlines. One consumer
loop: messages only append, every change is made here and recorded.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.stops import StopActivities, StopActToVerify, StopRef
    from domain import stop_acts
    from domain.stop_process import StopProcess
    from signals.decisions import Answer, DecideCase
    from signals.downtime import JoinStop, StopAct, StopAction, StopFact, StopRecord
    from signals.errors import ErrorType
    from workflows.common import (
        ASSIGNED_TO,
        DUE_AT,
        FEW_ATTEMPTS,
        LEDGER_TIMEOUT,
        LINE_ID,
        LONGEST_PAUSE,
        OPEN_TASK_ROLES,
        ORDER_ID,
        PAUSE,
        PHASE,
        PLANT_ID,
        SEVERITY,
        go_on,
        wants_new_run,
    )
    from workflows.notifying import notify
    from workflows.stop_messages import StopInput
    from workflows.stop_page import called, severity_of, stop_details
    from workflows.stop_steps import CAPACITY_LAPSES, StopSteps


SHORT_STOPS = "short-stops/1"
"""Change marker: a run from before asks people why the line stood shortly within a stop, and goes on so."""


@workflow.defn(name="Downtime")
class Downtime:
    """One stop of one line."""

    @workflow.init
    def __init__(self, given: StopInput) -> None:
        self._given = given
        self._loaded: StopProcess | None = None
        if given.state is not None:
            self._loaded = StopProcess.model_validate_json(given.state)
        self._facts: deque[StopFact] = deque()
        self._acts: deque[StopAct] = deque()
        self._unanswered: dict[str, str] = {}
        self._save_after: datetime | None = None
        self._look = False
        self._shown: tuple[object, ...] = ()

    @workflow.run
    async def run(self, given: StopInput) -> StopRecord:
        while self._loaded is None:
            await self._load()
        steps = StopSteps(self._state)
        while not self._is_done():
            self._show()
            if not await self._next(steps):
                await self._wait(steps)
            if not self._state.record.state.is_over and wants_new_run(given.history_limit):
                await self._continue_as_new(steps)
        self._show()
        return self._state.record

    @property
    def _state(self) -> StopProcess:
        assert self._loaded is not None
        return self._loaded

    def _plant_now(self) -> datetime:
        return self._state.settings.clock.plant_time(workflow.now())

    # --- the process, step by step -----------------------------------------------------------------------
    async def _next(self, steps: StopSteps) -> bool:
        """Do the most urgent thing; False where there is nothing to do now."""
        state, now = self._state, self._plant_now()
        if self._facts:
            state.take_fact(self._facts.popleft(), now)
        elif state.to_tell:
            await notify(state.to_tell.pop(0))
        elif self._acts:  # before the ladder: who has acknowledged is not called any more
            await self._take_act()
        elif (rung := state.due_rung(now)) is not None:
            state.fired(rung, now)
            state.to_tell.append(called(state.record, rung, now))
        elif self._is_unsaved() and (self._save_after is None or workflow.now() >= self._save_after):
            await self._save()
        elif state.record.state.is_over:
            return False
        elif handed := state.handed_over(now):
            state.to_tell += [called(state.record, r, now, f":{','.join(r.users)}") for r in handed]
        elif steps.dropped():
            pass
        elif steps.is_due_to_withdraw():
            await steps.withdraw()
        elif steps.plan():
            pass
        elif (step := steps.due_step()) is not None:
            await steps.run(step)
        elif state.look_for_reallocation:
            await steps.look_for_reallocation()
        elif state.may_close(now):
            state.close(now)
        else:
            return False
        return True

    async def _load(self) -> None:
        ref = StopRef(plant=self._given.plant, line=self._given.line, stop=self._given.stop)
        try:
            loaded = await workflow.execute_activity_method(
                StopActivities.load_stop, ref, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type == ErrorType.BAD_INPUT:
                raise ApplicationError(str(error.cause), type=ErrorType.BAD_INPUT.value, non_retryable=True) from error
            workflow.logger.warning("stop not loaded: %s", error.cause)
            await workflow.sleep(PAUSE)
            return
        if loaded.record is None:
            message = f"the ledger of plant {ref.plant} knows no stop {ref.stop} of line {ref.line}"
            raise ApplicationError(message, type=ErrorType.BAD_INPUT.value, non_retryable=True)
        now = loaded.settings.clock.plant_time(workflow.now())
        self._loaded = StopProcess.begun(loaded.record, loaded.settings, now, short=workflow.patched(SHORT_STOPS))

    # --- people ------------------------------------------------------------------------------------------
    async def _take_act(self) -> None:
        """The oldest act: verified, judged, applied, recorded, answered."""
        state, act = self._state, self._acts[0]
        record = state.record
        request = StopActToVerify(plant=record.plant, line=record.line, stop=record.stop, act=act)
        try:
            refused = await workflow.execute_activity_method(
                StopActivities.verify_stop_act,
                request,
                start_to_close_timeout=LEDGER_TIMEOUT,
                retry_policy=FEW_ATTEMPTS,
            )
            if not refused and isinstance(act, JoinStop):
                refused = await self._cannot_join(act)
            late = not refused and stop_acts.comes_too_late(state, act, self._plant_now())
            if late and workflow.patched(CAPACITY_LAPSES):
                refused = late
        except ActivityError as error:
            self._unanswered[act.action_id] = f"who acts could not be asked: {error.cause}"
            self._acts.popleft()
            return
        accepted, message = (False, refused) if refused else stop_acts.apply(state, act, self._plant_now())
        if accepted:
            await self._save()
        state.answer(act.action_id, accepted, message)
        self._acts.popleft()

    async def _cannot_join(self, act: JoinStop) -> str:
        """Empty where there is such a stop to join into."""
        record = self._state.record
        ref = StopRef(plant=record.plant, line=record.line, stop=act.into)
        fact = await workflow.execute_activity_method(
            StopActivities.stop_fact, ref, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
        )
        return "" if fact is not None and not fact.micro else f"line {record.line} has no stop {act.into}"

    # --- ledger ------------------------------------------------------------------------------------------
    def _is_unsaved(self) -> bool:
        return self._state.saved != self._state.record.revision

    async def _save(self) -> None:
        """The record with every entry that the ledger does not have. It refuses to end what has got a new fact."""
        state = self._state
        record = state.record
        ref = StopRef(plant=record.plant, line=record.line, stop=record.stop)
        try:
            stored = await workflow.execute_activity_method(
                StopActivities.record_stop, record, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
            fact = None
            if not stored and record.state.is_over:
                fact = await workflow.execute_activity_method(
                    StopActivities.stop_fact, ref, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
                )
        except ActivityError as error:
            workflow.logger.warning("stop not recorded yet: %s", error.cause)
            self._save_after = workflow.now() + LONGEST_PAUSE
            return
        self._save_after = None
        if fact is not None and fact.version > state.record.fact.version:
            state.reopen(self._plant_now())
            self._facts.append(fact)
        elif record.revision == state.record.revision:
            state.is_saved()

    # --- waiting, showing, going on ----------------------------------------------------------------------
    def _is_done(self) -> bool:
        state = self._state
        left = state.to_tell or self._facts or self._acts
        return state.record.state.is_over and not self._is_unsaved() and not left and workflow.all_handlers_finished()

    async def _wait(self, steps: StopSteps) -> None:
        """Until a message, or the next instant at which something is due."""
        state, clock = self._state, self._state.settings.clock
        times = [clock.wall_time(at) for at in state.wakes_at(self._plant_now())]
        times += [s.next_try_at for s in state.pending if s.next_try_at is not None]
        times += [self._save_after] if self._save_after is not None else []
        pause = max(min(times) - workflow.now(), timedelta(milliseconds=10)) if times else None
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: bool(self._look or self._facts or self._acts) or self._is_done(), timeout=pause
            )
        self._look = False
        if not state.record.state.is_over:
            state.refresh(self._plant_now())

    def _show(self) -> None:
        """The page always; search attributes where something changed."""
        record = self._state.record
        workflow.set_current_details(stop_details(self._state))
        open_roles = [] if record.state.is_over else sorted({r for x in record.rungs if x.fired_at for r in x.roles})
        order = next((p.order for p in reversed(record.parts) if p.order), "")
        shown = (record.state, record.assigned_to, *open_roles, record.due_at, severity_of(record), order)
        if shown == self._shown:
            return
        self._shown = shown
        workflow.upsert_search_attributes([
            PLANT_ID.value_set(record.plant), LINE_ID.value_set(record.line), PHASE.value_set(record.state.value),
            SEVERITY.value_set(severity_of(record)),
            ORDER_ID.value_set(order) if order else ORDER_ID.value_unset(),
            ASSIGNED_TO.value_set(record.assigned_to) if record.assigned_to else ASSIGNED_TO.value_unset(),
            OPEN_TASK_ROLES.value_set(open_roles) if open_roles else OPEN_TASK_ROLES.value_unset(),
            DUE_AT.value_set(record.due_at) if record.due_at else DUE_AT.value_unset(),
        ])  # fmt: skip

    async def _continue_as_new(self, steps: StopSteps) -> None:
        """No handler and no activity may be outstanding; what waits is taken first."""
        while self._facts or self._acts or not workflow.all_handlers_finished():
            if not await self._next(steps):
                await workflow.wait_condition(
                    lambda: bool(self._facts or self._acts) or workflow.all_handlers_finished()
                )
        go_on(self._given.model_copy(update={"state": self._state.model_dump_json()}))

    # --- messages ----------------------------------------------------------------------------------------
    @workflow.update
    async def act(self, action: StopAction) -> Answer:
        """What a person does; a repeated action id gets its first answer."""
        act = action.act
        self._unanswered.pop(act.action_id, None)
        self._take(act)
        await workflow.wait_condition(lambda: self._answer_of(act) is not None or act.action_id in self._unanswered)
        answer = self._answer_of(act)
        if answer is not None:
            return answer
        return Answer(decision_id=act.action_id, accepted=False, message=self._unanswered[act.action_id])

    @workflow.signal
    def act_by_signal(self, action: StopAction) -> None:
        """The same where nobody can wait for an answer; it stands in the history."""
        self._take(action.act)

    @workflow.signal
    def take_fact(self, fact: StopFact) -> None:
        """How the Line sees the stop now."""
        self._facts.append(fact)

    @workflow.signal
    def case_decided(self, decision: DecideCase) -> None:
        """A person decided the case of a booking: it goes on by its key."""
        if self._loaded is None:
            return
        for step in self._loaded.pending:
            if step.state == "failed" and step.key is not None and step.transaction is not None:
                step.again, step.state, step.next_try_at = True, "waiting", None
        self._look = True

    @workflow.signal
    def look_again(self) -> None:
        """Something outside has changed."""
        self._look = True

    @workflow.query
    def record(self) -> StopRecord | None:
        """The stop as it stands."""
        return self._loaded.record if self._loaded is not None else None

    def _take(self, act: StopAct) -> None:
        known = self._loaded is not None and act.action_id in self._loaded.answered
        if not known and all(a.action_id != act.action_id for a in self._acts):
            self._acts.append(act)

    def _answer_of(self, act: StopAct) -> Answer | None:
        return self._loaded.answered.get(act.action_id) if self._loaded is not None else None
