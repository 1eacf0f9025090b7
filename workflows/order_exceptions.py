"""An order's cases and what people decide about them: part of the ProductionOrder workflow.

Cases about a posting get an ErpException of their own; a decision is recorded in the ledger and then followed here.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.ledger import CaseDecided, CaseDecision, LedgerActivities
    from activities.posting import ErpActivities, ResumeRequest, SettleResult
    from domain.order_book import OrderBook
    from domain.order_plan import reversal_intent
    from signals.decisions import Answer, DecideCase
    from signals.documents import Case, CaseAction, PostingState
    from signals.ids import erp_task_queue, exception_workflow_id
    from signals.transactions import TransactionType
    from workflows.common import FEW_ATTEMPTS, LEDGER_TIMEOUT, PAUSE
    from workflows.exception_messages import (
        LOOK_AGAIN,
        CompensationInput,
        ExceptionInput,
        start_compensation,
        start_exception,
        tell,
    )
    from workflows.order_page import OrderPage
    from workflows.verifying import refusal

KEPT_ANSWERS = 200
TRIED_AGAIN = (CaseAction.RETRY, CaseAction.AMEND)
DRAFTED_BY_THE_ORDER = (TransactionType.CONFIRM_PRODUCTION.value, TransactionType.COMPLETE_ORDER.value)

EXCEPTIONS = "erp-exceptions/1"
"""Orders that ran before this release start no ErpExceptions in the run that is on its way."""
RESUMING = "resume-by-key/1"
WHAT_HAS_GONE = "what-has-gone/1"
"""A reload also takes away: cases closed elsewhere, quantities whose documents were all reversed."""


class OrderExceptions:
    """Cases and decisions of one order."""

    def __init__(self, book: OrderBook, page: OrderPage) -> None:
        self._book = book
        self._page = page
        self.decisions: deque[DecideCase] = deque()

    # --- ErpExceptions -----------------------------------------------------------------------------------
    def has_news(self) -> bool:
        """A case about a posting has come or gone since its ErpException was told."""
        return bool(self._book.unannounced() or self._book.settled_exceptions())

    def is_void_due(self) -> bool:
        """Declared void, and nobody takes back yet."""
        return self._book.state.void is not None and not self._book.state.void_started

    def has_work(self, now: datetime) -> bool:
        """Something here can be done at once."""
        return bool(self.decisions) or self.has_news() or self.is_void_due() or self.is_due_to_resume(now)

    async def announce(self) -> None:
        """Start an ErpException per posting in trouble; tell those whose case has gone."""
        state = self._book.state
        new, gone = self._book.unannounced(), self._book.settled_exceptions()
        state.announced.update({c.case_id: str(c.posting_key) for c in new})
        for case_id in gone:
            del state.announced[case_id]
        if not workflow.patched(EXCEPTIONS):
            return
        for key in dict.fromkeys(gone.values()):
            await tell(exception_workflow_id(state.plant, key), LOOK_AGAIN)
        started: set[str] = set()
        for case in new:
            assert case.posting_key is not None
            if str(case.posting_key) not in started:
                started.add(str(case.posting_key))
                me = workflow.info().workflow_id
                given = ExceptionInput(
                    plant=state.plant, posting_key=case.posting_key, order=state.order_id, report_to=me
                )
                await start_exception(given)

    # --- decisions ---------------------------------------------------------------------------------------
    def take(self, decision: DecideCase) -> None:
        """Put a decision behind those that wait; one that was answered, or waits already, is not taken twice."""
        known = decision.decision_id in self._book.state.answered
        if not known and all(d.decision_id != decision.decision_id for d in self.decisions):
            self.decisions.append(decision)

    async def decide(self) -> None:
        """Record the oldest decision in the ledger, follow it, answer it."""
        decision = self.decisions[0]
        state = self._book.state
        request = CaseDecision(plant=state.plant, order=state.order_id, decision=decision)
        try:
            refused = await refusal(state.plant, decision, state.order_id)
            decided = CaseDecided(refused=refused)
            if not refused:
                decided = await workflow.execute_activity_method(
                    LedgerActivities.decide_case,
                    request,
                    start_to_close_timeout=LEDGER_TIMEOUT,
                    retry_policy=FEW_ATTEMPTS,
                )
        except ActivityError as error:
            decided = CaseDecided(refused=f"the ledger did not answer: {error.cause}")
        if decided.case is not None:
            await self._follow(decided.case, decision, decided)
        message = decided.refused or f"{decision.action.value} recorded"
        state.answered[decision.decision_id] = Answer(
            decision_id=decision.decision_id, accepted=decided.case is not None, message=message
        )
        state.answered = dict(list(state.answered.items())[-KEPT_ANSWERS:])
        self.decisions.popleft()

    async def _follow(self, case: Case, decision: DecideCase, decided: CaseDecided) -> None:
        book, state = self._book, self._book.state
        book.take_totals(decided.totals)
        for credit in decided.credits:
            if credit.operation in state.operations:
                state.operations[credit.operation].credit = credit
        book.apply_decision(case, decision.action)
        state.next_try_at = None
        if decision.action is CaseAction.REVERSE and case.document:
            if state.void is None:
                intent = reversal_intent(state, case, workflow.now().date())
                state.reversals[str(intent.key)] = case.case_id
                state.current = intent
            return
        if decision.action is CaseAction.COMPENSATE:
            await self._compensate(case, decision)
            return
        await self._page.close_case(case.case_id)
        if decision.action in TRIED_AGAIN and state.void is None:
            self._try_again(case, decided)

    def _try_again(self, case: Case, decided: CaseDecided) -> None:
        """What the order drafts itself is due now; a reversal is drafted anew, anything else goes by its key."""
        state, posting = self._book.state, decided.posting
        original = self._book.case(state.reversals.get(str(case.posting_key), ""))
        if original is not None:
            state.current = reversal_intent(state, original, workflow.now().date())
        elif posting is not None and posting.state is PostingState.CLAIMED:
            drafted = decided.posting_type in DRAFTED_BY_THE_ORDER
            if not drafted and str(posting.key) not in state.resuming and workflow.patched(RESUMING):
                state.resuming.append(str(posting.key))
                state.resume_at = None

    async def _compensate(self, case: Case, decision: DecideCase) -> None:
        state = self._book.state
        if case.posting_key is None:
            return
        me = workflow.info().workflow_id
        await start_compensation(
            CompensationInput(
                plant=state.plant,
                order=state.order_id,
                posting_key=case.posting_key,
                case_id=case.case_id,
                decision_id=decision.decision_id,
                by=decision.by,
                role=decision.role,
                reason=decision.reason,
                tell=(me, exception_workflow_id(state.plant, case.posting_key)),
            )
        )

    async def take_back_everything(self) -> None:
        """A void order posts nothing more; a process of its own takes back what stands, and tells when it did."""
        self._book.become_void()
        state = self._book.state
        assert state.void is not None
        state.void_started = True
        await start_compensation(
            CompensationInput(
                plant=state.plant,
                order=state.order_id,
                decision_id=state.void.decision_id,
                by=state.void.by,
                role=state.void.role,
                reason=state.void.reason,
            )
        )

    # --- postings that go by their key -------------------------------------------------------------------
    def is_due_to_resume(self, now: datetime) -> bool:
        """A posting waits to be tried again, and its time has come."""
        state = self._book.state
        return bool(state.resuming) and (state.resume_at is None or now >= state.resume_at)

    async def resume(self, timeout: timedelta) -> SettleResult | None:
        """One attempt at the first of them; None where it did not end."""
        state = self._book.state
        key = state.resuming[0]
        request = ResumeRequest.model_validate(
            {"plant": state.plant, "key": key, "mode": state.settings.mode, "approved": True}
        )
        try:
            result = await workflow.execute_activity_method(
                ErpActivities.resume_posting,
                request,
                task_queue=erp_task_queue(state.plant),
                start_to_close_timeout=timeout,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("posting %s not settled, trying again: %s", key, error.cause)
            state.resume_at = workflow.now() + PAUSE
            return None
        outcome = next((o for o in result.outcomes if str(o.key) == key), None)
        if outcome is None or outcome.state.is_settled:
            state.resuming.remove(key)
            state.resume_at = None
        else:
            state.resume_at = result.next_try_at or workflow.now() + PAUSE
        return result
