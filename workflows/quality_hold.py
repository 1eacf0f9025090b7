"""QualityHold: material that nobody may use until people have decided about it, and what they decide is carried out.

The ledger has blocked it before this starts (design section 4); the ERP follows by the material's position. A hold
restricts use, not bookkeeping. One consumer loop: messages only append, every change is made here and recorded.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.holds import HoldActivities, HoldRef
    from activities.ledger import CaseDecision, CaseRef, Cases, LedgerActivities
    from domain.hold_decisions import deciders_of
    from domain.hold_process import HoldProcess
    from signals.decisions import Answer, DecideCase
    from signals.errors import ErrorType
    from signals.holds import HoldAction, HoldRecord, HoldTrigger, InspectionOutcome
    from signals.notify import NotificationKind
    from workflows.common import (
        ASSIGNED_TO,
        BATCH,
        DUE_AT,
        FEW_ATTEMPTS,
        HOLD_STATE,
        LEDGER_TIMEOUT,
        LINE_ID,
        LONGEST_PAUSE,
        MATERIAL,
        OPEN_TASK_ROLES,
        ORDER_ID,
        PAUSE,
        PLANT_ID,
        SEVERITY,
        go_on,
        wants_new_run,
    )
    from workflows.hold_acts import HoldActs
    from workflows.hold_messages import HoldInput, tell_order
    from workflows.hold_page import hold_details, severity_of, told
    from workflows.hold_steps import HoldSteps
    from workflows.notifying import notify
    from workflows.verifying import refusal


@workflow.defn(name="QualityHold")
class QualityHold:
    """One hold of one plant."""

    @workflow.init
    def __init__(self, given: HoldInput) -> None:
        self._given = given
        self._loaded: HoldProcess | None = None
        if given.state is not None:
            self._loaded = HoldProcess.model_validate_json(given.state)
        self._nudges: deque[HoldTrigger] = deque()
        self._results: deque[InspectionOutcome] = deque()
        self._cases: deque[DecideCase] = deque()
        self._case_answers: dict[str, Answer] = {}
        self._look = False
        self._save_after: datetime | None = None
        self._shown: tuple[object, ...] = ()
        self._acts = HoldActs()

    @workflow.run
    async def run(self, given: HoldInput) -> HoldRecord:
        while self._loaded is None:
            await self._load()
        steps = HoldSteps(self._state)
        while not self._is_done():
            self._show()
            if not await self._next(steps):
                await self._wait()
            if not self._state.record.state.is_over and wants_new_run(given.history_limit):
                await self._continue_as_new(steps)
        self._show()
        return self._state.record

    @property
    def _state(self) -> HoldProcess:
        assert self._loaded is not None
        return self._loaded

    # --- the process, step by step -----------------------------------------------------------------------
    async def _next(self, steps: HoldSteps) -> bool:
        """Do the most urgent thing; False where there is nothing to do now."""
        state, now = self._state, workflow.now()
        if steps.blocks_first and steps.is_due_to_locate():
            await steps.locate()
        elif steps.blocks_first and (first := steps.due_step()) is not None:
            await steps.run(first)
        elif self._is_unsaved() and (self._save_after is None or now >= self._save_after):
            await self._save()
        elif state.record.state.is_over:
            return not self._is_unsaved() and await self._after_the_end(steps)
        elif not state.told_start:
            state.told_start = True
            await tell_order(state.record.plant, state.record.scope.order)
        elif self._nudges or state.look_for_triggers:
            await self._take_triggers()
        elif self._results:
            state.take_inspection(self._results.popleft(), now)
        elif self._acts.waiting:
            await self._acts.take_next(state, self._save)
        elif self._cases:
            await self._decide_case(steps)
        elif state.cases:
            await self._open_cases()
        elif steps.is_due_to_give_up():
            await steps.give_up()
        elif steps.is_due_to_locate():
            await steps.locate()
        elif (step := steps.due_step()) is not None:
            await steps.run(step)
        elif state.to_tell:  # people after the material: telling takes a while, and the block is what counts
            await notify(state.to_tell.pop(0))
        elif steps.is_due_to_plan():
            steps.plan()
        elif steps.is_finished():
            self._finish()
        elif state.next_rung(now) is not None:
            self._climb()
        else:
            return False
        return True

    async def _load(self) -> None:
        """What the ledger knows: the reasons, and the plant's rules."""
        ref = HoldRef(plant=self._given.plant, hold=self._given.hold)
        try:
            loaded = await workflow.execute_activity_method(
                HoldActivities.load_hold, ref, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type == ErrorType.BAD_INPUT:
                raise ApplicationError(str(error.cause), type=ErrorType.BAD_INPUT.value, non_retryable=True) from error
            workflow.logger.warning("hold not loaded: %s", error.cause)
            await workflow.sleep(PAUSE)
            return
        if loaded.record is None:
            message = f"the ledger of plant {ref.plant} knows no hold {ref.hold}: open holds through the ledger"
            raise ApplicationError(message, type=ErrorType.BAD_INPUT.value, non_retryable=True)
        self._loaded = HoldProcess.begun(loaded.record, loaded.settings, list(loaded.triggers), workflow.now())
        if not loaded.record.state.is_over:
            self._tell(NotificationKind.HOLD_OPENED, "opened", deciders_of(self._state.record), self._why())

    def _why(self) -> str:
        return "; ".join(r.text for r in self._state.record.reasons)[:400]

    async def _take_triggers(self) -> None:
        """What asked for it goes through the ledger: a trigger that came by signal alone is stored there first."""
        state = self._state
        nudged = list(self._nudges)
        ref = HoldRef(plant=self._given.plant, hold=self._given.hold)
        try:
            for trigger in nudged:
                opened = await workflow.execute_activity_method(
                    HoldActivities.open_hold,
                    trigger,
                    start_to_close_timeout=LEDGER_TIMEOUT,
                    retry_policy=FEW_ATTEMPTS,
                )
                if opened.hold != self._given.hold:
                    workflow.logger.warning("trigger %s belongs to hold %s", trigger.trigger, opened.hold)
            found = await workflow.execute_activity_method(
                HoldActivities.hold_triggers, ref, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
        except ActivityError as error:
            workflow.logger.warning("triggers of the hold not read: %s", error.cause)
            await workflow.sleep(PAUSE)
            return
        for _ in nudged:
            self._nudges.popleft()
        state.take_triggers(list(found.triggers), workflow.now())

    def _finish(self) -> None:
        """A decision is carried out: the hold is over, or goes on with what is reworked or came meanwhile."""
        state, now = self._state, workflow.now()
        state.show_steps()
        state.finish_decision(now)

    def _climb(self) -> None:
        """Remind at half time, ask the next role at each deadline that passes."""
        state, now = self._state, workflow.now()
        rung = state.next_rung(now)
        assert rung is not None
        record = state.record
        escalated = record.escalated_to if rung.reminds else tuple(dict.fromkeys((*record.escalated_to, rung.role)))
        state.note("reminded" if rung.reminds else "escalated", f"{rung.role}: nobody has decided yet", now)
        state.change(level=rung.level, escalated_to=escalated)
        mark = f"{state.record.state.value}:{state.round}:{rung.level}"
        self._tell(NotificationKind.HOLD_ESCALATED, mark, (rung.role,), self._why())

    def _tell(self, kind: NotificationKind, mark: str, roles: tuple[str, ...], what: str, **facts: str) -> None:
        self._state.to_tell.append(told(self._state.record, kind, mark, roles, what, workflow.now(), **facts))

    # --- ledger ------------------------------------------------------------------------------------------
    def _is_unsaved(self) -> bool:
        return self._state.saved != self._state.record.revision

    async def _save(self) -> None:
        """The record, with every entry that the ledger does not have. It refuses to end what has got a new reason."""
        state = self._state
        record = state.record
        try:
            stored = await workflow.execute_activity_method(
                HoldActivities.record_hold, record, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
        except ActivityError as error:
            workflow.logger.warning("hold not recorded yet: %s", error.cause)
            self._save_after = workflow.now() + LONGEST_PAUSE
            return
        self._save_after = None
        if record.revision == state.record.revision:
            state.is_saved()
        if not stored and record.state.is_over:
            state.reopen(workflow.now())

    async def _open_cases(self) -> None:
        state = self._state
        request = Cases(cases=tuple(state.cases))
        try:
            await workflow.execute_activity_method(
                LedgerActivities.note_cases, request, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
        except ActivityError as error:
            workflow.logger.warning("cases of the hold not opened: %s", error.cause)
            await workflow.sleep(PAUSE)
            return
        state.open_cases += [c.case_id for c in request.cases]
        state.cases = state.cases[len(request.cases) :]

    async def _decide_case(self, steps: HoldSteps) -> None:
        """A case of this hold: recorded in the ledger, then followed. One about a posting was recorded elsewhere."""
        decision, state = self._cases[0], self._state
        try:
            refused = await refusal(state.record.plant, decision)
            if not refused and decision.case_id in state.open_cases:
                refused = await self._record_decision(decision)
        except ActivityError as error:
            refused = f"the ledger did not answer: {error.cause}"
        if not refused:
            steps.case_decided(decision.case_id)
        self._cases.popleft()
        self._case_answers[decision.decision_id] = Answer(
            decision_id=decision.decision_id, accepted=not refused, message=refused or "recorded"
        )

    async def _record_decision(self, decision: DecideCase) -> str:
        """Empty where the ledger has it, else why it does not take it."""
        request = CaseDecision(plant=self._state.record.plant, order="", decision=decision)
        decided = await workflow.execute_activity_method(
            LedgerActivities.decide_case, request, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
        )
        if decided.case is None:
            return decided.refused or "not recorded"
        self._state.open_cases.remove(decision.case_id)
        return ""

    async def _after_the_end(self, steps: HoldSteps) -> bool:
        """Its own cases end with it, people are told, and what was on its way into blocked stock is freed."""
        state = self._state
        if state.open_cases:
            ref = CaseRef(plant=state.record.plant, case_id=state.open_cases[0], note="the hold is decided")
            try:
                await workflow.execute_activity_method(
                    LedgerActivities.close_case, ref, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
                )
            except ActivityError as error:
                workflow.logger.warning("case %s not closed: %s", ref.case_id, error.cause)
            state.open_cases.pop(0)
        elif not state.told_end:
            state.told_end = True
            await tell_order(state.record.plant, state.record.scope.order)
            self._tell(NotificationKind.HOLD_CLOSED, "closed", deciders_of(state.record), self._why(),
                       result=state.record.state.value)  # fmt: skip
        elif state.to_tell:
            await notify(state.to_tell.pop(0))
        elif self._acts.waiting:
            await self._acts.take_next(state, self._save)
        elif self._cases and state.pending:
            await self._decide_case(steps)
        elif self._cases:
            decision = self._cases.popleft()
            message = "the hold is over"
            self._case_answers[decision.decision_id] = Answer(
                decision_id=decision.decision_id, accepted=False, message=message
            )
        elif (step := steps.due_step()) is not None:
            await steps.run(step)
        elif steps.is_due_to_clear():
            await steps.clear()
        else:
            return False
        return True

    # --- waiting, showing, going on ----------------------------------------------------------------------
    def _is_done(self) -> bool:
        state = self._state
        left = state.to_tell or state.open_cases or not state.told_end or not state.cleared or state.pending
        left = left or self._has_messages()
        return state.record.state.is_over and not self._is_unsaved() and not left and workflow.all_handlers_finished()

    def _has_messages(self) -> bool:
        over = self._state.record.state.is_over
        return bool(self._acts.waiting or self._cases or (not over and (self._nudges or self._results)))

    async def _wait(self) -> None:
        """Until a message, or the next instant at which something is due."""
        times = [*self._state.wakes_at(), *([self._save_after] if self._save_after is not None else [])]
        pause = max(min(times) - workflow.now(), timedelta(milliseconds=10)) if times else None
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._look or self._has_messages() or self._is_done(), timeout=pause)
        self._look = False

    def _show(self) -> None:
        """The page always; search attributes where something changed."""
        record = self._state.record
        workflow.set_current_details(hold_details(self._state))
        over = record.state.is_over
        roles = [] if over else sorted({*deciders_of(record), *record.escalated_to})
        scope = record.scope
        shown = (record.state, record.assigned_to, *roles, record.due_at, severity_of(record))
        if shown == self._shown:
            return
        self._shown = shown
        pairs = (
            (LINE_ID, scope.line), (ORDER_ID, scope.order), (MATERIAL, scope.material), (BATCH, scope.batch),
            (ASSIGNED_TO, record.assigned_to),
        )  # fmt: skip
        workflow.upsert_search_attributes(
            [
                PLANT_ID.value_set(record.plant),
                HOLD_STATE.value_set(record.state.value),
                *(key.value_set(value) if value else key.value_unset() for key, value in pairs),
                OPEN_TASK_ROLES.value_set(roles),
                DUE_AT.value_set(record.due_at) if record.due_at else DUE_AT.value_unset(),
                SEVERITY.value_unset() if over else SEVERITY.value_set(severity_of(record)),
            ]
        )

    async def _continue_as_new(self, steps: HoldSteps) -> None:
        """Messages are taken and handlers are done before the next run begins; everything else is in the state."""
        while self._has_messages() or not workflow.all_handlers_finished():
            if self._has_messages():
                await self._next(steps)
            else:
                await workflow.wait_condition(lambda: self._has_messages() or workflow.all_handlers_finished())
        if not self._state.record.state.is_over:
            go_on(self._given.model_copy(update={"state": self._state.model_dump_json()}))

    # --- messages ----------------------------------------------------------------------------------------
    @workflow.update(name="act", description="What a person does with the hold: claim, decide, co-sign, …")
    async def act(self, action: HoldAction) -> Answer:
        """Answered when it has its effect and the ledger has it; the same action id gets the same answer again."""
        return await self._acts.answered(action.act, lambda: self._loaded)

    @act.validator
    def _check(self, action: HoldAction) -> None:
        act = action.act
        if self._loaded is not None and act.action_id in self._loaded.answered:
            return
        if act.actor.plant != self._given.plant:
            message = f"{act.actor.user} knows no hold {self._given.hold}"
            raise ApplicationError(message, type=ErrorType.BAD_INPUT.value)

    @workflow.signal(name="act_by_signal", description="The same without waiting for the answer")
    def act_by_signal(self, action: HoldAction) -> None:
        if action.act.actor.plant == self._given.plant:
            self._acts.take(action.act, self._loaded)

    @workflow.signal(name="add_reason", description="The ledger gave the hold another trigger")
    def add_reason(self, trigger: HoldTrigger) -> None:
        self._nudges.append(trigger)

    @workflow.signal(name="add_inspection", description="A result on the held material")
    def add_inspection(self, outcome: InspectionOutcome) -> None:
        self._results.append(outcome)

    @workflow.update(name="decide_case", description="A person's decision on a case of this hold")
    async def decide_case(self, decision: DecideCase) -> Answer:
        """Answered when the ledger has recorded it."""
        self._cases.append(decision)
        await workflow.wait_condition(lambda: decision.decision_id in self._case_answers)
        return self._case_answers[decision.decision_id]

    @workflow.signal(name="case_decided", description="A case about one of the hold's postings was decided")
    def case_decided(self, decision: DecideCase) -> None:
        self._cases.append(decision)

    @workflow.signal(name="look_again", description="Stock of the material may have come in")
    def look_again(self) -> None:
        if self._loaded is not None and not self._loaded.record.state.is_over:
            self._loaded.locate_now()
            self._look = True

    @workflow.query(name="status", description="The hold with its latest history")
    def status(self) -> HoldRecord:
        """Raises while the hold is being loaded."""
        if self._loaded is None:
            raise ApplicationError("the hold is being loaded; ask again", type="NotYet")
        return self._loaded.record
