"""ErpException: one posting that an ERP refused, or whose fate is unknown, until a person has settled it.

It reminds and climbs the ladder, takes decisions, records them in the ledger and tells the workflow that posted. Where
that is gone it settles the posting itself. However its cases are closed, it ends when none is open (design section 4).
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.exceptions import ExceptionActivities, ExceptionLoaded, ExceptionRef, RungClimbed
    from activities.ledger import CaseDecided, CaseDecision, LedgerActivities
    from activities.posting import ErpActivities, ResumeRequest, SettleResult, VerifyRequest
    from domain.error_catalogue import Rung, roles_at, severity_of
    from domain.exception_state import ExceptionState
    from domain.roles import role_named
    from signals.decisions import Answer, DecideCase
    from signals.documents import Case, CaseAction, PostingState
    from signals.errors import ErrorType
    from signals.exceptions import ExceptionStatus
    from signals.ids import erp_task_queue
    from signals.notify import Notification, NotificationKind
    from signals.transactions import PostingIntent
    from workflows.common import (
        DUE_AT,
        EXCEPTION_CLASS,
        FEW_ATTEMPTS,
        LEDGER_TIMEOUT,
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
    from workflows.exception_messages import (
        CASE_DECIDED,
        CompensationInput,
        ExceptionInput,
        start_compensation,
        tell,
    )
    from workflows.exception_page import exception_details
    from workflows.notifying import notify
    from workflows.verifying import refusal

KEPT_ANSWERS = 50
TELLS_PEOPLE = "rungs-tell-people"
"""Change marker: who climbed rungs before it told nobody."""
TRIED_AGAIN = (CaseAction.RETRY, CaseAction.AMEND)


@workflow.defn(name="ErpException")
class ErpException:
    """One posting of one plant."""

    @workflow.init
    def __init__(self, given: ExceptionInput) -> None:
        self._given = given
        self._state = ExceptionState(
            plant=given.plant, posting_key=given.posting_key, order=given.order, report_to=given.report_to
        )
        if given.state is not None:
            self._state = ExceptionState.model_validate_json(given.state)
        self._decisions: deque[DecideCase] = deque()
        self._unanswered: dict[str, str] = {}
        self._shown: tuple[object, ...] = ()

    @workflow.run
    async def run(self, given: ExceptionInput) -> ExceptionStatus:
        while True:
            if self._decisions:
                await self._decide()
            elif self._is_due_to_look():
                await self._look()
            elif self._is_due_to_drive():
                await self._drive()
            elif self._state.next_rung(workflow.now()) is not None:
                await self._climb()
            elif self._is_done():
                break
            else:
                self._show()
                await self._wait()
            if wants_new_run(given.history_limit):
                await self._continue_as_new()
        self._show()
        return self._state.status(busy=False)

    # --- the process, step by step -----------------------------------------------------------------------
    def _is_due_to_look(self) -> bool:
        at = self._state.next_look_at
        return self._state.look or (at is not None and workflow.now() >= at)

    async def _look(self) -> None:
        """What the ledger knows now: cases may have been closed by whatever way."""
        state = self._state
        ref = ExceptionRef(plant=state.plant, posting_key=state.posting_key)
        try:
            loaded = await workflow.execute_activity_method(
                ExceptionActivities.load_exception,
                ref,
                start_to_close_timeout=LEDGER_TIMEOUT,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("posting %s not looked up: %s", state.posting_key, error.cause)
            state.look, state.loaded, state.next_look_at = False, False, workflow.now() + LONGEST_PAUSE
            return
        state.take(loaded.cases, workflow.now())
        self._take_posting(loaded)

    def _take_posting(self, loaded: ExceptionLoaded) -> None:
        state = self._state
        state.order = state.order or loaded.order
        state.material = loaded.material or state.material
        state.mode, state.attempt_seconds = loaded.mode, loaded.attempt_seconds
        state.transaction, state.posting_state = loaded.transaction, loaded.state
        state.posting_document, state.posting_message = loaded.document, loaded.message

    def _is_due_to_drive(self) -> bool:
        state = self._state
        ready = state.next_try_at is None or workflow.now() >= state.next_try_at
        return (state.driving or state.verifying) and ready

    async def _drive(self) -> None:
        """Nobody else settles the posting: bring it as far as it goes now."""
        state = self._state
        try:
            if state.verifying:
                await self._verify()
            else:
                self._read_result(await self._resume())
        except ActivityError as error:
            workflow.logger.warning("posting %s not settled, trying again: %s", state.posting_key, error.cause)
            state.next_try_at = workflow.now() + PAUSE
            if isinstance(error.cause, ApplicationError) and error.cause.type == ErrorType.BAD_INPUT:
                state.driving = state.verifying = False  # the ledger does not know it any more

    async def _resume(self) -> SettleResult:
        state = self._state
        request = ResumeRequest(plant=state.plant, key=state.posting_key, mode=state.mode, approved=True)
        return await workflow.execute_activity_method(
            ErpActivities.resume_posting,
            request,
            task_queue=erp_task_queue(state.plant),
            start_to_close_timeout=timedelta(seconds=state.attempt_seconds),
            retry_policy=FEW_ATTEMPTS,
        )

    def _read_result(self, result: SettleResult) -> None:
        state = self._state
        outcome = next((o for o in result.outcomes if o.key == state.posting_key), None)
        state.next_try_at = result.next_try_at
        if outcome is None or outcome.state.is_settled:
            booked = outcome is not None and outcome.state is PostingState.POSTED
            state.verifying = booked and state.posting_key not in result.verified and result.next_try_at is not None
            state.driving = False
            state.look_soon()
        elif result.next_try_at is None:
            # Claimed, but a case stands before it: that case's end is noticed by looking again.
            state.next_try_at = workflow.now() + LONGEST_PAUSE

    async def _verify(self) -> None:
        """Goods movements may post later than their confirmation; what never shows is a case of its own."""
        state = self._state
        assert state.transaction is not None
        intent = PostingIntent(key=state.posting_key, transaction=state.transaction)
        request = VerifyRequest(plant=state.plant, intent=intent)
        found = await workflow.execute_activity_method(
            ErpActivities.verify_posting,
            request,
            task_queue=erp_task_queue(state.plant),
            start_to_close_timeout=timedelta(seconds=state.attempt_seconds),
            retry_policy=FEW_ATTEMPTS,
        )
        state.next_try_at = found.next_try_at
        state.verifying = not found.complete and found.case is None and found.next_try_at is not None
        if not state.verifying:
            state.look_soon()

    async def _climb(self) -> None:
        """Remind at half time, bring it before the next role at each deadline; the ledger's list says so too."""
        due = self._state.next_rung(workflow.now())
        assert due is not None
        case, rung = due
        self._state.levels[case.case_id] = rung.level
        climbed = RungClimbed(
            plant=self._state.plant, case_id=case.case_id, level=rung.level, roles=roles_at(case, rung.level)[1:]
        )
        workflow.logger.info("case %s: %s %s", case.case_id, rung.kind.value, rung.role.value)
        try:
            await workflow.execute_activity_method(
                ExceptionActivities.climb_rung,
                climbed,
                start_to_close_timeout=LEDGER_TIMEOUT,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("rung of case %s not noted: %s", case.case_id, error.cause)
            self._state.look_soon()
        if workflow.patched(TELLS_PEOPLE):
            await notify(self._rung_told(case, rung))

    def _rung_told(self, case: Case, rung: Rung) -> Notification:
        """What the rung's role is told; a reminder goes to the owner again."""
        facts = {
            "subject": case.case_id,
            "what": case.summary,
            "order": case.order,
            "material": self._state.material,
            "owner": case.owner_role,
            "due": f"{case.due_at:%Y-%m-%d %H:%M} UTC" if case.due_at else "",
        }
        return Notification(
            id=f"case:{case.case_id}:{rung.level}",
            plant=self._state.plant,
            kind=NotificationKind.CASE_ESCALATED,
            roles=(rung.role.value,),
            facts={name: value for name, value in facts.items() if value},
            severity=min(4, severity_of(case, rung.level)),
            link=f"/cases/{case.case_id}",
            at=workflow.now(),
        )

    # --- people ------------------------------------------------------------------------------------------
    async def _decide(self) -> None:
        """The ledger records it with its effect; then whoever posted is told, or this workflow acts itself."""
        decision, state = self._decisions[0], self._state
        request = CaseDecision(plant=state.plant, order=state.order, decision=decision)
        try:
            refused = await refusal(state.plant, decision)
            decided = CaseDecided(refused=refused)
            if not refused:
                decided = await workflow.execute_activity_method(
                    LedgerActivities.decide_case,
                    request,
                    start_to_close_timeout=LEDGER_TIMEOUT,
                    retry_policy=FEW_ATTEMPTS,
                )
        except ActivityError as error:
            # Nothing is known to be recorded: the same decision may be sent again.
            self._unanswered[decision.decision_id] = f"the ledger did not answer: {error.cause}"
            self._decisions.popleft()
            return
        if decided.case is not None:
            await self._act_on(decision, decided)
        message = decided.refused or f"{decision.action.value} recorded"
        answer = Answer(decision_id=decision.decision_id, accepted=decided.case is not None, message=message)
        state.answered[decision.decision_id] = answer
        state.answered = dict(list(state.answered.items())[-KEPT_ANSWERS:])
        self._decisions.popleft()

    async def _act_on(self, decision: DecideCase, decided: CaseDecided) -> None:
        state = self._state
        if decision.action is CaseAction.COMPENSATE:
            await start_compensation(
                CompensationInput(
                    plant=state.plant,
                    order=state.order,
                    posting_key=state.posting_key,
                    case_id=decision.case_id,
                    decision_id=decision.decision_id,
                    by=decision.by,
                    role=decision.role,
                    reason=decision.reason,
                    tell=(state.report_to, workflow.info().workflow_id),
                )
            )
        told = await tell(state.report_to, CASE_DECIDED, decision)
        unsettled = decided.posting is not None and not decided.posting.state.is_settled
        if not told and decision.action in TRIED_AGAIN and unsettled:
            state.driving, state.next_try_at = True, None
        state.look_soon()

    # --- waiting, showing, going on ----------------------------------------------------------------------
    def _is_done(self) -> bool:
        return self._state.is_over and workflow.all_handlers_finished()

    async def _wait(self) -> None:
        times = self._state.wakes_at if not self._state.is_over else []
        pause = max(min(times) - workflow.now(), timedelta(milliseconds=10)) if times else None
        with suppress(TimeoutError):  # a timeout is a wake-up like any other
            await workflow.wait_condition(
                lambda: bool(self._decisions) or self._state.look or self._is_done(), timeout=pause
            )

    def _show(self) -> None:
        """The page always; search attributes where something changed."""
        state = self._state
        workflow.set_current_details(exception_details(state))
        classes = sorted({c.error_class or c.kind.value for c in state.cases})
        shown = (state.order, state.material, *classes, *state.roles, state.due_at, state.severity)
        if shown == self._shown:
            return
        self._shown = shown
        workflow.upsert_search_attributes(
            [
                PLANT_ID.value_set(state.plant),
                ORDER_ID.value_set(state.order) if state.order else ORDER_ID.value_unset(),
                MATERIAL.value_set(state.material) if state.material else MATERIAL.value_unset(),
                EXCEPTION_CLASS.value_set(classes[0]) if classes else EXCEPTION_CLASS.value_unset(),
                OPEN_TASK_ROLES.value_set(state.roles),
                DUE_AT.value_set(state.due_at) if state.due_at else DUE_AT.value_unset(),
                SEVERITY.value_set(state.severity) if state.severity is not None else SEVERITY.value_unset(),
            ]
        )

    async def _continue_as_new(self) -> None:
        """Nothing is outstanding: decisions are answered and handlers are done before the next run begins."""
        while self._decisions or not workflow.all_handlers_finished():
            if self._decisions:
                await self._decide()
            await workflow.wait_condition(lambda: bool(self._decisions) or workflow.all_handlers_finished())
        go_on(self._given.model_copy(update={"state": self._state.model_dump_json()}))

    # --- messages ----------------------------------------------------------------------------------------
    @workflow.update(name="decide", description="A person's decision on a case about this posting")
    async def decide(self, decision: DecideCase) -> Answer:
        """Answered when the ledger has recorded it; the same decision id gets the same answer again."""
        self._unanswered.pop(decision.decision_id, None)
        self._take(decision)
        await workflow.wait_condition(
            lambda: decision.decision_id in self._state.answered or decision.decision_id in self._unanswered
        )
        known = self._state.answered.get(decision.decision_id)
        if known is not None:
            return known
        message = self._unanswered[decision.decision_id]
        return Answer(decision_id=decision.decision_id, accepted=False, message=message)

    @decide.validator
    def _check(self, decision: DecideCase) -> None:
        if decision.decision_id in self._state.answered:
            return
        if role_named(decision.role) is None:
            raise ApplicationError(f"decide in a role; {decision.role!r} is none", type=ErrorType.BAD_INPUT.value)

    @workflow.signal(name="decide_by_signal", description="The same without waiting for the answer")
    def decide_by_signal(self, decision: DecideCase) -> None:
        self._take(decision)

    def _take(self, decision: DecideCase) -> None:
        known = decision.decision_id in self._state.answered
        if not known and all(d.decision_id != decision.decision_id for d in self._decisions):
            self._decisions.append(decision)

    @workflow.signal(name="look_again", description="Something about the posting may have changed in the ledger")
    def look_again(self) -> None:
        self._state.look_soon()

    @workflow.signal(name="case_decided", description="A case about the posting was decided elsewhere")
    def case_decided(self, decision: DecideCase) -> None:
        self._state.look_soon()

    @workflow.query(name="status", description="The posting, its open cases, and how far they have climbed")
    def status(self) -> ExceptionStatus:
        """Cases, ladder, and what this workflow does by itself."""
        busy = bool(self._decisions) or self._state.look or self._state.driving or self._state.verifying
        return self._state.status(busy=busy)
