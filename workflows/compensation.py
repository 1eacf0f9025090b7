"""Compensation: what was booked is taken back, newest first, each document by a reversal with its own key (D11).

Of one business step, or of an order declared void. A reversal that fails is a case and blocks nothing else; the plan is
made anew from the ledger after every pass, so that what a person decides meanwhile is in it.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.exceptions import CompensationRef, ExceptionActivities, VoidRequest
    from activities.ledger import LedgerActivities, PhaseChange
    from activities.posting import ErpActivities, PostingDraft, ResumeRequest, SettleResult
    from domain.compensation_state import LONGEST_LOOK, CompensationState
    from signals.decisions import DecideCase, VoidOrder
    from signals.errors import ErrorType
    from signals.exceptions import CompensationStatus
    from signals.ids import erp_task_queue, order_workflow_id
    from signals.orders import OrderPhase
    from signals.transactions import PostingIntent
    from workflows.common import FEW_ATTEMPTS, LEDGER_TIMEOUT, LOADING_TIMEOUT, ORDER_ID, PAUSE, PLANT_ID, wants_new_run
    from workflows.exception_messages import (
        LOOK_AGAIN,
        VOIDED,
        CompensationInput,
        ExceptionInput,
        start_exception,
        tell,
    )
    from workflows.verifying import refusal

ATTEMPT = timedelta(minutes=3)
"""Longest attempt at one reversal; the plant's own timeouts end it earlier."""


@workflow.defn(name="Compensation")
class Compensation:
    """Taking back one business step, or one order."""

    @workflow.init
    def __init__(self, given: CompensationInput) -> None:
        self._given = given
        self._state = CompensationState(plant=given.plant, order=given.order)
        if given.state is not None:
            self._state = CompensationState.model_validate_json(given.state)
        self._ref = CompensationRef(
            plant=given.plant,
            order=given.order,
            posting_key=given.posting_key,
            case_id=given.case_id,
            text=given.text,
        )

    @workflow.run
    async def run(self, given: CompensationInput) -> CompensationStatus:
        state = self._state
        while not state.finished:
            if not state.declared:
                await self._declare()
            elif state.plan is None:
                await self._plan()
            elif state.unannounced():
                await self._announce()
            elif self._waits_for_the_erp():
                await self._wait(state.next_try_at)
            elif state.plan.unsettled:
                await self._resolve(state.plan.unsettled[0])
            elif due := state.due_reversals():
                await self._reverse(state.plan.reversals[due[0]])
            elif not state.first_pass_done or state.tell_first_pass:
                await self._first_pass_is_done()
            elif state.progressed:
                state.plan = None
            elif state.stands_something:
                await self._wait_for_people()
            else:
                await self._finish()
            if not state.finished and wants_new_run(given.history_limit):
                await self._continue_as_new()
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return state.status()

    # --- the process, step by step -----------------------------------------------------------------------
    async def _declare(self) -> None:
        """A void order is noted as void before anything of it is taken back."""
        keys = [PLANT_ID.value_set(self._given.plant)]
        workflow.upsert_search_attributes(
            [*keys, *([ORDER_ID.value_set(self._given.order)] if self._given.order else [])]
        )
        if self._given.posting_key is None:
            void = VoidOrder(
                decision_id=self._given.decision_id,
                by=self._given.by,
                role=self._given.role,
                reason=self._given.reason,
            )
            await self._verify(self._given.void or void)
            request = VoidRequest(plant=self._given.plant, order=self._given.order, request=void)
            if not await self._ask_ledger(ExceptionActivities.declare_void, request):
                return
        self._state.declared = True

    async def _verify(self, void: VoidOrder) -> None:
        """An order's process has asked who declares it void; whoever starts this one without it is asked here."""
        refused = ""
        while workflow.info().parent is None:
            try:
                refused = await refusal(self._given.plant, void, self._given.order)
            except ActivityError as error:
                await self._pause(f"who declares it void could not be asked: {error.cause}")
            else:
                break
        if refused:
            raise ApplicationError(refused, type=ErrorType.BAD_INPUT.value, non_retryable=True)

    async def _plan(self) -> None:
        state = self._state
        try:
            plan = await workflow.execute_activity_method(
                ExceptionActivities.plan_compensation,
                self._ref,
                start_to_close_timeout=LOADING_TIMEOUT,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            await self._pause(f"nothing planned: {error.cause}")
            return
        state.take(plan)
        self._show()

    async def _announce(self) -> None:
        """A case about a reversal is worked on like any other, and its decisions come here."""
        for case in self._state.unannounced():
            assert case.posting_key is not None
            await start_exception(
                ExceptionInput(
                    plant=case.plant,
                    posting_key=case.posting_key,
                    order=case.order,
                    report_to=workflow.info().workflow_id,
                )
            )
            self._state.announced.append(case.case_id)

    def _waits_for_the_erp(self) -> bool:
        at = self._state.next_try_at
        return at is not None and workflow.now() < at

    async def _resolve(self, key: UUID) -> None:
        """A posting on its way: first it must be known what it did."""
        request = ResumeRequest(plant=self._given.plant, key=key, approved=True)
        result = await self._ask_erp(ErpActivities.resume_posting, request)
        if result is None:
            return
        self._state.next_try_at = result.next_try_at
        if all(o.state.is_settled for o in result.outcomes) or result.next_try_at is None:
            self._state.plan = None

    async def _reverse(self, intent: PostingIntent) -> None:
        """One attempt at one reversal; what a person must settle is passed over, the ERP's absence is waited out."""
        state = self._state
        draft = PostingDraft(plant=self._given.plant, intent=intent, approved=True)
        result = await self._ask_erp(ErpActivities.settle_posting, draft)
        if result is None:
            return
        state.next_try_at = result.next_try_at
        settled = [o for o in result.outcomes if o.state.is_settled]
        if not settled and result.next_try_at is not None:
            return
        state.next_try_at, state.progressed = None, bool(settled)
        state.passed_over.append(str(intent.key))

    async def _ask_erp(self, method, request) -> SettleResult | None:  # type: ignore[no-untyped-def]
        try:
            return await workflow.execute_activity_method(
                method,
                request,
                task_queue=erp_task_queue(self._given.plant),
                start_to_close_timeout=ATTEMPT,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("not taken back yet: %s", error.cause)
            self._state.next_try_at = workflow.now() + PAUSE
            if isinstance(error.cause, ApplicationError) and error.cause.type == ErrorType.BAD_INPUT:
                self._state.plan = None
            return None

    async def _first_pass_is_done(self) -> None:
        """Everything was tried once. A void order ends here; what failed is cases, which live on without it."""
        state = self._state
        if self._given.posting_key is None:
            if not state.first_pass_done:
                change = PhaseChange(plant=self._given.plant, order=self._given.order, phase=OrderPhase.CANCELLED.value)
                if not await self._ask_ledger(LedgerActivities.set_phase, change):
                    return
            await tell(order_workflow_id(self._given.plant, self._given.order), VOIDED)
        # The ledger tells what the pass has done, and which cases it opened.
        state.first_pass_done, state.tell_first_pass, state.plan = True, False, None

    async def _wait_for_people(self) -> None:
        """A signal wakes; without one the ledger is looked at now and then."""
        state = self._state
        self._show()
        state.next_look_at = state.next_look_at or workflow.now() + state.look_pause
        await self._wait(state.next_look_at)
        if state.plan is not None and workflow.now() >= state.next_look_at:
            state.plan, state.look_pause = None, min(state.look_pause * 2, LONGEST_LOOK)

    async def _finish(self) -> None:
        """Nothing stands any more: the ERP's own totals must say so of a void order; then the ledger is told."""
        state = self._state
        if self._given.posting_key is None and not state.checked:
            check = await self._check_void()
            if not check:
                return
        if await self._ask_ledger(ExceptionActivities.finish_compensation, self._ref):
            state.finished = True
            for workflow_id in self._given.tell:
                await tell(workflow_id, LOOK_AGAIN)

    async def _check_void(self) -> bool:
        state = self._state
        try:
            check = await workflow.execute_activity_method(
                ExceptionActivities.check_void,
                self._ref,
                task_queue=erp_task_queue(self._given.plant),
                start_to_close_timeout=ATTEMPT,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            await self._pause(f"the ERP's totals not read: {error.cause}")
            return False
        state.next_try_at = check.next_try_at
        state.checked = check.next_try_at is None
        return state.checked

    # --- waiting, showing, going on ----------------------------------------------------------------------
    async def _ask_ledger(self, method, request) -> bool:  # type: ignore[no-untyped-def]
        try:
            await workflow.execute_activity_method(
                method, request, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
        except ActivityError as error:
            await self._pause(f"the ledger did not take it: {error.cause}")
            return False
        return True

    async def _pause(self, why: str) -> None:
        workflow.logger.warning("taking back waits: %s", why)
        await workflow.sleep(PAUSE)

    async def _wait(self, until: datetime | None) -> None:
        """Until the instant, or until somebody says that something changed."""
        pause = max((until or workflow.now()) - workflow.now(), timedelta(milliseconds=10))
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._state.plan is None, timeout=pause)

    def _show(self) -> None:
        status = self._state.status()
        what = f"order {status.order}" if self._given.posting_key is None else f"posting {self._given.posting_key}"
        lines = [
            f"**Taking back {what}** ({self._given.text})",
            "",
            f"reversed: {', '.join(status.reversed) or 'nothing yet'}",
            "",
            f"to be reversed: {', '.join(status.waiting) or 'nothing'}",
            "",
            f"let stand: {', '.join(status.left) or 'nothing'}",
            "",
            *(f"- `{c.case_id}` ({c.owner_role}): {c.summary}" for c in status.cases),
        ]
        workflow.set_current_details("\n".join(lines))

    async def _continue_as_new(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self._given.model_copy(update={"state": self._state.model_dump_json()}))

    # --- messages ----------------------------------------------------------------------------------------
    @workflow.signal(name="case_decided", description="A case about one of the reversals was decided")
    def case_decided(self, decision: DecideCase) -> None:
        self._state.look_soon()

    @workflow.signal(
        name="look_again", description="Something may have changed; who asks wants to be told how it stands"
    )
    def look_again(self) -> None:
        self._state.look_soon()
        self._state.tell_first_pass = self._state.first_pass_done

    @workflow.query(name="status", description="What was taken back, what waits, what was let stand")
    def status(self) -> CompensationStatus:
        """Documents and open cases."""
        return self._state.status()
