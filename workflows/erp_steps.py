"""Bookings that a hold or a stop asks of the ERP, one attempt at a time. Part of their workflows.

Each step is one posting with a key of its own. What the ERP refuses, or nobody knows of, becomes an ErpException as
with orders; the step goes on by its key once a person has decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.posting import ErpActivities, PostingDraft, ResumeRequest, SettleResult, VerifyRequest
    from domain.erp_step import ErpStep
    from signals.decisions import PostingMode
    from signals.documents import PostingState
    from signals.errors import ErrorType
    from signals.ids import erp_task_queue
    from signals.transactions import PostingIntent
    from workflows.common import FEW_ATTEMPTS, LONGEST_PAUSE, PAUSE
    from workflows.exception_messages import ExceptionInput, start_exception

DONE = (PostingState.POSTED, PostingState.ADOPTED, PostingState.SHADOW)
LOOK_AT_CASES = timedelta(hours=1)
"""A decision on a step's case is told by signal; without one its posting is looked at so often."""


S = TypeVar("S", bound=ErpStep)


class ErpSteps:
    """How the steps of one workflow are booked. `note` writes an entry of its history."""

    def __init__(self, *, plant: str, mode: PostingMode, attempt: timedelta, note: Callable[[str], None]) -> None:
        self._plant = plant
        self._mode = mode
        self._longest = attempt
        self._note = note

    async def attempt(self, step: ErpStep) -> bool:
        """One attempt at a step that has a transaction. True where the procedure answered how the posting stands."""
        step.tried = True
        try:
            if step.verifying:
                await self._verify(step)
                return False
            result = await self._settle(step)
        except ActivityError as error:
            workflow.logger.warning("step %s not settled: %s", step.what, error.cause)
            step.next_try_at = workflow.now() + PAUSE
            if isinstance(error.cause, ApplicationError) and error.cause.type == ErrorType.BAD_INPUT:
                step.message, step.transaction = f"{step.what} by hand: {error.cause}", None
            return False
        await self._read(step, result)
        return True

    async def _settle(self, step: ErpStep) -> SettleResult:
        assert step.key is not None and step.transaction is not None
        queue = erp_task_queue(self._plant)
        if step.again:
            request = ResumeRequest(plant=self._plant, key=step.key, mode=self._mode, approved=True)
            return await workflow.execute_activity_method(
                ErpActivities.resume_posting,
                request,
                task_queue=queue,
                start_to_close_timeout=self._longest,
                retry_policy=FEW_ATTEMPTS,
            )
        intent = PostingIntent(key=step.key, transaction=step.transaction, report_ids=(str(step.key),))
        draft = PostingDraft(plant=self._plant, intent=intent, mode=self._mode, approved=True)
        return await workflow.execute_activity_method(
            ErpActivities.settle_posting,
            draft,
            task_queue=queue,
            start_to_close_timeout=self._longest,
            retry_policy=FEW_ATTEMPTS,
        )

    async def _read(self, step: ErpStep, result: SettleResult) -> None:
        now = workflow.now()
        outcome = next((o for o in result.outcomes if o.key == step.key), None)
        if outcome is None or not outcome.state.is_settled:
            step.message = outcome.message if outcome is not None else ""
            step.next_try_at = result.next_try_at or now + LONGEST_PAUSE
            return
        step.document, step.message, step.again = outcome.document, outcome.message, False
        if outcome.state in DONE:
            beside = outcome.state is PostingState.POSTED and step.key not in result.verified
            step.verifying = beside and result.next_try_at is not None
            if step.verifying:
                step.next_try_at = result.next_try_at
            else:
                step.state, step.next_try_at = "done", None
            shadow = outcome.state is PostingState.SHADOW
            self._note(f"{step.what}: {'computed only (shadow)' if shadow else outcome.document or 'booked'}")
            return
        if outcome.state is PostingState.CANCELLED:
            step.state, step.next_try_at = "skipped", None
            self._note(f"{step.what}: left unbooked by a person's decision")
            return
        first = step.state != "failed"
        step.state, step.next_try_at, step.again = "failed", now + LOOK_AT_CASES, True
        if first:
            self._note(f"{step.what} failed: {outcome.message or outcome.error_code}")
        await self._ask_people(step)

    async def _verify(self, step: ErpStep) -> None:
        """What is booked beside it, such as the stock postings of a lot's decision. What never shows is a case."""
        assert step.key is not None and step.transaction is not None
        intent = PostingIntent(key=step.key, transaction=step.transaction)
        found = await workflow.execute_activity_method(
            ErpActivities.verify_posting,
            VerifyRequest(plant=self._plant, intent=intent),
            task_queue=erp_task_queue(self._plant),
            start_to_close_timeout=self._longest,
            retry_policy=FEW_ATTEMPTS,
        )
        step.next_try_at = found.next_try_at
        if found.complete or found.case is not None or found.next_try_at is None:
            step.verifying, step.state, step.next_try_at = False, "done", None
        if found.case is not None:
            self._note(f"{step.what}: {found.case.summary}")
            await self._ask_people(step)

    async def _ask_people(self, step: ErpStep) -> None:
        assert step.key is not None
        me = workflow.info().workflow_id
        await start_exception(ExceptionInput(plant=self._plant, posting_key=step.key, report_to=me))


def open_steps(steps: Iterable[S]) -> list[S]:
    """Steps that are not over."""
    return [s for s in steps if not s.is_over]


def is_due(step: ErpStep) -> bool:
    """A step by hand is asked for once; a failed posting is looked at again now and then."""
    return step.state == "waiting" or (step.state == "failed" and step.transaction is not None)
