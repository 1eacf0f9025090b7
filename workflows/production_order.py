"""ProductionOrder: from release to close (design section 4). The book decides, this process waits, asks and answers.

One posting in flight; what the ERP cannot take now waits on a timer with an absolute time; what only a person can
settle is a case that blocks its operation, while the others go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.ledger import OrderRef
    from activities.orders import OrderActivities
    from activities.posting import ErpActivities, PostingDraft, SettleResult, VerifyRequest
    from domain.order_book import SETTLED, OrderBook, is_confirmation
    from domain.order_plan import (
        blocking_cases,
        completion_intent,
        everything_final,
        next_intent,
    )
    from domain.order_state import OrderState
    from domain.roles import may_void
    from signals.base import Code, Message
    from signals.decisions import (
        Answer,
        ApprovePostings,
        CancelOrderRequest,
        CompleteOrderRequest,
        DecideCase,
        Decision,
        PostingMode,
        VoidOrder,
    )
    from signals.documents import Case, PostingState
    from signals.errors import ErrorType
    from signals.ids import erp_task_queue, line_workflow_id
    from signals.orders import OrderChange, OrderPhase
    from signals.reports import LineMessage
    from signals.status import OrderStatus
    from signals.transactions import PostingIntent
    from workflows.common import (
        FEW_ATTEMPTS,
        PAUSE,
        wants_new_run,
    )
    from workflows.order_exceptions import WHAT_HAS_GONE, OrderExceptions
    from workflows.order_holds import OrderHolds
    from workflows.order_loading import known_order, take_over
    from workflows.order_page import OrderPage
    from workflows.verifying import not_verified, refusal


class OrderInput(Message):
    """`state` is None at a start: the order then loads what the ledger knows, also after a termination."""

    plant: Code
    order: Code
    state: str | None = None
    history_limit: int = 10_000


@workflow.defn(name="ProductionOrder")
class ProductionOrder:
    """One production order of one plant."""

    @workflow.init
    def __init__(self, given: OrderInput) -> None:
        self._given = given
        state = OrderState(plant=given.plant, order_id=given.order)
        if given.state is not None:
            state = OrderState.model_validate_json(given.state)
        self._book = OrderBook(state)
        self._inbox: deque[LineMessage] = deque()
        self._page = OrderPage(self._book)
        self._exceptions = OrderExceptions(self._book, self._page)
        self._holds = OrderHolds(self._book)
        self._busy = True

    @workflow.run
    async def run(self, given: OrderInput) -> OrderStatus:
        state = self._book.state
        while not self._is_over():
            if state.reload:
                await self._load()
            self._read_inbox()
            if self._exceptions.decisions:
                await self._exceptions.decide()
            elif self._exceptions.has_news():
                await self._exceptions.announce()
            elif self._exceptions.is_void_due():
                await self._exceptions.take_back_everything()
            elif self._exceptions.is_due_to_resume(workflow.now()):
                await self._resume()
            elif (intent := self._due_intent()) is not None:
                await self._settle(intent)
            elif self._due_check():
                await self._look_for_movements()
            elif self._holds.is_due():
                await self._holds.look()
            elif self._may_complete():
                await self._complete()
            else:
                await self._page.show()
                self._busy = False
                await self._wait()
                self._busy = True
            if wants_new_run(given.history_limit) and not self._is_over():
                await self._continue_as_new()
        await self._page.show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._book.status()

    # --- the process, step by step -----------------------------------------------------------------------
    def _is_over(self) -> bool:
        return self._book.state.phase is OrderPhase.CLOSED or self._book.state.voided

    async def _load(self) -> None:
        """What the ledger knows, at a start and whenever a message is missing."""
        ref = OrderRef(plant=self._book.state.plant, order=self._book.state.order_id)
        loaded, order = await known_order(ref, self._erp_timeout(), self._go_on_in_a_new_run)
        take_over(self._book, loaded, order)
        self._page.noted.update(c.case_id for c in loaded.cases)

    async def _go_on_in_a_new_run(self) -> None:
        if wants_new_run(self._given.history_limit):
            await self._continue_as_new()

    def _read_inbox(self) -> None:
        while self._inbox:
            self._book.receive(self._inbox.popleft())

    def _due_intent(self) -> PostingIntent | None:
        state = self._book.state
        if state.order is None or state.reload or state.void is not None:
            return None
        if state.next_try_at is not None and workflow.now() < state.next_try_at:
            return None
        return next_intent(state, workflow.now().date())

    async def _settle(self, intent: PostingIntent) -> None:
        """One attempt to settle a posting; the answer says whether it is done, waits, or needs a person."""
        state = self._book.state
        state.current, state.next_try_at = intent, None
        draft = PostingDraft(
            plant=state.plant,
            intent=intent,
            mode=state.settings.mode,
            approved=str(intent.key) in state.approved or not is_confirmation(intent),
        )
        try:
            result = await workflow.execute_activity_method(
                ErpActivities.settle_posting,
                draft,
                task_queue=erp_task_queue(state.plant),
                start_to_close_timeout=self._erp_timeout(),
                retry_policy=FEW_ATTEMPTS,
                summary=f"{intent.transaction.type.value} {intent.transaction.operation}",
            )
        except ActivityError as error:
            workflow.logger.warning("posting %s not settled, trying again: %s", intent.key, error.cause)
            state.next_try_at = workflow.now() + PAUSE
            if isinstance(error.cause, ApplicationError) and error.cause.type == ErrorType.BAD_INPUT:
                state.current, state.reload = None, True  # what it was drafted from is not what the ledger holds
            return
        self._read_result(intent, result)
        await self._holds.received(intent, result.outcomes)

    def _read_result(self, intent: PostingIntent, result: SettleResult) -> None:
        state, book = self._book.state, self._book
        state.current, state.erp = None, result.erp
        self._take_cases(intent.transaction.operation, result.cases)
        for outcome in result.outcomes:
            if outcome.state in SETTLED or (outcome.state is PostingState.CANCELLED and outcome.report_ids):
                book.settled(intent, outcome)
                if outcome.state is not PostingState.CANCELLED and outcome.key == intent.key:
                    book.use_credit(intent)
                if outcome.state is PostingState.POSTED and outcome.key not in result.verified:
                    book.watch_movements(intent, outcome.document, workflow.now())
            elif outcome.state is PostingState.CANCELLED:
                book.redraft(intent)
            elif outcome.state in (PostingState.REFUSED, PostingState.IN_DOUBT) or self._is_stopped(intent):
                book.put_aside(intent)
            elif result.next_try_at is not None:
                state.current, state.next_try_at = intent, result.next_try_at
            elif state.settings.mode is PostingMode.APPROVE:
                book.put_aside(intent, approval=True)
            else:
                state.current, state.next_try_at = intent, workflow.now() + PAUSE
        book.take_totals(result.totals)
        done = (*SETTLED, PostingState.CANCELLED) if intent.transaction.type.value == "complete_order" else SETTLED
        if any(o.key == intent.key and o.state in done for o in result.outcomes):
            self._after_own_kind(intent)

    async def _resume(self) -> None:
        """A posting that goes by its key: a reversal, a start, a follow-up that a person had tried again."""
        result = await self._exceptions.resume(self._erp_timeout())
        if result is not None:
            self._book.state.erp = result.erp
            for outcome in result.outcomes:
                self._take_cases(outcome.operation, result.cases)
            self._book.take_totals(result.totals)

    def _take_cases(self, operation: str, found: tuple[Case, ...]) -> None:
        """The ledger's open cases of the operation are the ones: what has gone there is closed here too."""
        still_open = {c.case_id for c in found}
        for case in list(self._book.state.cases):
            concerned = case.operation in ("", operation)
            if concerned and case.case_id in self._page.noted and case.case_id not in still_open:
                self._book.close(case.case_id)
        for case in found:
            self._book.open(case)
            self._page.noted.add(case.case_id)

    def _is_stopped(self, intent: PostingIntent) -> bool:
        return bool(blocking_cases(self._book.state, intent.transaction.operation))

    def _after_own_kind(self, intent: PostingIntent) -> None:
        """A completion or reversal that went through changes more than quantities; so does a skipped completion."""
        state = self._book.state
        if intent.transaction.type.value == "complete_order":
            state.phase = OrderPhase.CLOSED
        elif intent.transaction.type.value == "reverse":
            state.closing_cases.append(state.reversals.pop(str(intent.key), ""))
            state.reload = state.reload or workflow.patched(WHAT_HAS_GONE)

    def _due_check(self) -> bool:
        now = workflow.now()
        state = self._book.state
        return bool(state.closing_cases) or any(c.due_at <= now for c in state.verify)

    async def _look_for_movements(self) -> None:
        """Read posted confirmations back; what never shows is a case that blocks completion only."""
        state = self._book.state
        for closing in list(state.closing_cases):
            await self._page.close_case(closing)
            state.closing_cases.remove(closing)
        due = [c for c in state.verify if c.due_at <= workflow.now()]
        for check in due:
            request = VerifyRequest(
                plant=state.plant,
                intent=check.intent,
                document=check.document,
                last_try=workflow.now() >= check.give_up_at,
            )
            try:
                found = await workflow.execute_activity_method(
                    ErpActivities.verify_posting,
                    request,
                    task_queue=erp_task_queue(state.plant),
                    start_to_close_timeout=self._erp_timeout(),
                    retry_policy=FEW_ATTEMPTS,
                )
            except ActivityError as error:
                workflow.logger.warning("goods movements of %s not read: %s", check.document, error.cause)
                check.due_at = workflow.now() + PAUSE
                continue
            if found.complete or found.case is not None:
                state.verify.remove(check)
            else:
                check.due_at = workflow.now() + PAUSE
            if found.case is not None:
                self._book.open(found.case)
                self._page.noted.add(found.case.case_id)

    def _may_complete(self) -> bool:
        state = self._book.state
        if state.order is None or state.reload or state.current is not None or state.verify:
            return False
        if state.void is not None or state.resuming or state.locked:
            return False
        if state.ask_lines or state.handing_over:
            return False
        if not everything_final(state) or self._book.is_completion_blocked():
            return False
        if state.next_try_at is not None and workflow.now() < state.next_try_at:
            return False
        return not state.completion_proposed or self._is_completion_agreed()

    def _is_completion_agreed(self) -> bool:
        state = self._book.state
        return state.settings.technical_completion == "automatic" or state.complete_requested

    async def _complete(self) -> None:
        """The books must agree; then technical completion is posted, or proposed to a person."""
        state = self._book.state
        state.phase = OrderPhase.CANCELLED if state.cancel_requested else OrderPhase.COMPLETED
        await self._page.show()
        if state.settings.mode is not PostingMode.SHADOW and not await self._books_agree():
            return
        state.completion_proposed = True
        if self._is_completion_agreed() or state.settings.mode is PostingMode.SHADOW:
            await self._settle(completion_intent(state, workflow.now().date()))

    async def _books_agree(self) -> bool:
        state = self._book.state
        request = OrderRef(plant=state.plant, order=state.order_id)
        try:
            compared = await workflow.execute_activity_method(
                OrderActivities.compare_totals,
                request,
                task_queue=erp_task_queue(state.plant),
                start_to_close_timeout=self._erp_timeout(),
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("totals not compared: %s", error.cause)
            state.next_try_at = workflow.now() + PAUSE
            return False
        if compared.next_try_at is not None:
            state.next_try_at, state.erp = compared.next_try_at, "down"
            return False
        for case in compared.cases:
            self._book.open(case)
            self._page.noted.add(case.case_id)
        return not compared.cases

    # --- people ------------------------------------------------------------------------------------------
    async def _ask_lines(self) -> None:
        """Lines hold what they have counted but not handed over; a completion waits for their answer."""
        state = self._book.state
        for line in dict.fromkeys((*state.high_water, *state.settings.lines)):
            state.handing_over.append(line)
            try:
                await workflow.get_external_workflow_handle(line_workflow_id(state.plant, line)).signal(
                    "hand_over", state.order_id
                )
            except FailureError:
                state.handing_over.remove(line)

    # --- waiting, showing, going on ----------------------------------------------------------------------
    async def _wait(self) -> None:
        state = self._book.state
        if state.ask_lines:
            state.ask_lines = False
            await self._ask_lines()
            return
        times: list[datetime] = [c.due_at for c in state.verify]
        if state.resuming and state.resume_at is not None:
            times.append(state.resume_at)
        if state.next_try_at is not None:
            times.append(state.next_try_at)
        if state.look_at_holds is not None:
            times.append(state.look_at_holds)
        pause: timedelta | None = None
        if times:
            pause = max(min(times) - workflow.now(), timedelta(milliseconds=10))
        with suppress(TimeoutError):  # a timeout is a wake-up like any other
            await workflow.wait_condition(self._is_woken, timeout=pause)

    def _is_woken(self) -> bool:
        state = self._book.state
        return bool(
            self._inbox
            or self._exceptions.has_work(workflow.now())
            or self._is_over()
            or state.reload
            or state.ask_lines
            or self._due_intent()
            or self._holds.is_due()
            or self._may_complete()
        )

    async def _continue_as_new(self) -> None:
        """Nothing is outstanding: handlers are done, the inbox is read; decisions travel answered."""
        decisions = self._exceptions.decisions
        while decisions or self._inbox or not workflow.all_handlers_finished():
            self._read_inbox()
            if decisions:
                await self._exceptions.decide()
            await workflow.wait_condition(lambda: bool(decisions or self._inbox) or workflow.all_handlers_finished())
        workflow.continue_as_new(self._given.model_copy(update={"state": self._book.state.model_dump_json()}))

    def _erp_timeout(self) -> timedelta:
        return timedelta(seconds=self._book.state.settings.erp_attempt_seconds)

    # --- messages ----------------------------------------------------------------------------------------
    @workflow.signal(name="line_message", description="A report or an operation's end from a Line")
    def line_message(self, message: LineMessage) -> None:
        self._inbox.append(message)

    @workflow.update(name="complete", description="Production has ended: confirm what is left as final and complete")
    async def complete(self, request: CompleteOrderRequest) -> Answer:
        """The remaining operations are confirmed final, and technical completion is agreed to."""
        return await self._answer_once(request, self._start_completion)

    def _start_completion(self) -> str:
        state = self._book.state
        state.complete_requested = True
        state.ask_lines = not self._book.is_final()
        return "completing"

    @workflow.update(name="cancel", description="Short close: confirm what really happened as final, produce no more")
    async def cancel(self, request: CancelOrderRequest) -> Answer:
        """Cancel is a short close (design section 4)."""
        return await self._answer_once(request, self._start_cancellation)

    def _start_cancellation(self) -> str:
        state = self._book.state
        # Asked before the wish is noted: a cancelled order takes operations that it has not heard of for final.
        state.ask_lines = not self._book.is_final()
        state.cancel_requested = True
        return "closing short"

    @workflow.update(name="approve_postings", description="In mode approve: let computed postings go out")
    async def approve_postings(self, request: ApprovePostings) -> Answer:
        """Approve some waiting postings by key, or all that wait."""

        def approve() -> str:
            waiting = self._book.status().waiting_approval
            chosen = [k for k in waiting if not request.keys or k in request.keys]
            self._book.state.approved.extend(chosen)
            return f"{len(chosen)} approved"

        return await self._answer_once(request, approve)

    async def _answer_once(self, decision: Decision, act: Callable[[], str]) -> Answer:
        """The first answer again; else who decides is asked, and the act follows at once."""
        state, decision_id = self._book.state, decision.decision_id
        if decision_id in state.answered:
            return state.answered[decision_id]
        try:
            refused = await refusal(state.plant, decision, state.order_id)
        except ActivityError as error:
            return not_verified(decision, error)
        if decision_id not in state.answered:  # the same one may have come twice
            said = refused or act()
            state.answered[decision_id] = Answer(decision_id=decision_id, accepted=not refused, message=said)
        return state.answered[decision_id]

    @workflow.update(name="decide_case", description="A person's decision on a case of this order")
    async def decide_case(self, decision: DecideCase) -> Answer:
        """Answered when the ledger has recorded it; the same decision id gets the same answer again."""
        self._exceptions.take(decision)
        await workflow.wait_condition(lambda: decision.decision_id in self._book.state.answered)
        return self._book.state.answered[decision.decision_id]

    @workflow.signal(name="case_decided", description="A case of this order was decided at its ErpException")
    def case_decided(self, decision: DecideCase) -> None:
        self._exceptions.take(decision)

    @workflow.signal(name="erp_changed", description="The ERP changed this order; the ledger holds the new data")
    def erp_changed(self, change: OrderChange) -> None:
        self._book.erp_changed(change)

    @workflow.signal(name="look_again", description="Something of this order has changed in the ledger")
    def look_again(self) -> None:
        self._book.state.reload = True

    @workflow.update(name="void", description="The order is void: take back all that it has booked, newest first")
    async def void(self, request: VoidOrder) -> Answer:
        """Nothing more is posted; the order ends as cancelled when everything was taken back or became a case."""

        def declare() -> str:
            state = self._book.state
            if state.void is not None:
                return f"void already, by {state.void.by}"
            state.void = request
            return "void: what stands is taken back"

        return await self._answer_once(request, declare)

    @void.validator
    def _check_void(self, request: VoidOrder) -> None:
        forbidden = may_void(request.role)
        if forbidden and request.decision_id not in self._book.state.answered:
            raise ApplicationError(forbidden, type=ErrorType.BAD_INPUT.value)

    @workflow.signal(name="holds_changed", description="A hold on this order was opened, or is over")
    def holds_changed(self) -> None:
        self._holds.changed()

    @workflow.signal(name="voided", description="All that this void order had booked was taken back, or is a case")
    def voided(self) -> None:
        if self._book.state.void is not None:
            self._book.state.voided, self._book.state.phase = True, OrderPhase.CANCELLED

    @workflow.query(name="status", description="How the order stands")
    def status(self) -> OrderStatus:
        """Quantities, cases and what the order waits for."""
        state = self._book.state
        timers = state.next_try_at is not None or bool(state.verify)
        return self._book.status().model_copy(update={"busy": self._is_woken() or timers or self._busy})
