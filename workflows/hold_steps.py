"""The ERP's side of a hold: find the material, block it, carry a decision out. Part of the QualityHold workflow.

Each step is one posting with a key of its own. What the ERP refuses, or nobody knows of, becomes an ErpException as
with orders; the hold goes on, and goes by the key once a person has decided.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.holds import HoldActivities, HoldPostings, LocateRequest
    from domain.error_catalogue import judge
    from domain.hold_plan import plan_block, plan_dispositions, plan_late
    from domain.hold_process import LONGEST_LOOK, SHORTEST_LOOK, HoldProcess, HoldStep
    from domain.shifts import production_day
    from signals.base import ZERO
    from signals.documents import Case, CaseKind
    from signals.holds import HoldState
    from signals.ids import case_id, erp_task_queue
    from signals.stock import MaterialPosition
    from workflows.common import FEW_ATTEMPTS, LEDGER_TIMEOUT, LONGEST_PAUSE, PAUSE
    from workflows.erp_steps import ErpSteps, is_due, open_steps


class HoldSteps:
    """What the ERP is asked for one hold."""

    def __init__(self, state: HoldProcess) -> None:
        self.state = state
        plant, settings = state.record.plant, state.settings
        self._erp = ErpSteps(plant=plant, mode=settings.mode, attempt=self._attempt, note=self._note)

    @property
    def blocks_first(self) -> bool:
        """A new hold: the ledger blocks already, and nothing else may delay the ERP's block."""
        state = self.state
        if state.saved >= 0 or state.record.state is not HoldState.BLOCKED:
            return False
        return (state.locate and state.look_at is None) or any(not s.tried for s in state.blocking)

    # --- where the material is ---------------------------------------------------------------------------
    def is_due_to_locate(self) -> bool:
        state = self.state
        due = state.look_at is None or workflow.now() >= state.look_at
        if state.record.state is HoldState.EXECUTING:
            return state.locate and due and not state.planned and not open_steps(state.blocking)
        return due and (state.locate or state.look_at is not None)

    async def locate(self) -> None:
        """Ask the ERP; then everything that is still free is to be blocked."""
        state, now = self.state, workflow.now()
        request = LocateRequest(record=state.record.model_copy(update={"history": (), "decisions": ()}))
        try:
            result = await workflow.execute_activity_method(
                HoldActivities.locate_hold,
                request,
                task_queue=erp_task_queue(state.record.plant),
                start_to_close_timeout=self._attempt,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("material of the hold not located: %s", error.cause)
            state.locate, state.look_at = True, workflow.now() + LONGEST_PAUSE
            return
        if result.located is None:
            state.locate, state.look_at = True, result.next_try_at or now + PAUSE
            return
        state.locate, state.look_at, state.located = False, None, result.located
        if state.record.state is HoldState.EXECUTING:
            return
        if state.record.quantity == ZERO and state.located.in_stock:
            state.note("quantity", f"the ERP has {state.located.in_stock:f} of it in stock", workflow.now())
            state.change(quantity=state.located.in_stock)
            state.content_changed("its quantity became known", workflow.now())
        if not open_steps(state.blocking):
            day = production_day(state.settings.times.site, workflow.now())
            state.blocking = [state.new_step(p) for p in plan_block(state.record, state.located, day)]
            state.block_stands(workflow.now())
        state.show_steps()
        self._look_later()

    def _look_later(self) -> None:
        """What is in work arrives in stock sooner or later; what has arrived all of it needs no further look."""
        state = self.state
        in_work = state.located.position is MaterialPosition.IN_WORK
        if in_work or (state.record.scope.order and state.located.in_stock < state.record.quantity):
            state.look_at = workflow.now() + state.look_pause
            state.look_pause = min(state.look_pause * 2, LONGEST_LOOK)
        else:
            state.look_pause = SHORTEST_LOOK

    # --- carrying out ------------------------------------------------------------------------------------
    def is_due_to_give_up(self) -> bool:
        """A decision came before the ERP has blocked: what certainly was not booked need not be booked any more."""
        state = self.state
        asked = state.record.state is HoldState.EXECUTING and not state.planned
        return asked and any(s.key is not None and not s.gave_up for s in open_steps(state.blocking))

    async def give_up(self) -> None:
        state = self.state
        waiting = [s for s in open_steps(state.blocking) if s.key is not None and not s.gave_up]
        request = HoldPostings(
            plant=state.record.plant,
            keys=tuple(s.key for s in waiting if s.key is not None),
            message=f"hold {state.record.hold} is decided",
        )
        try:
            gone = await workflow.execute_activity_method(
                HoldActivities.give_up_hold_postings,
                request,
                start_to_close_timeout=LEDGER_TIMEOUT,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("postings of the hold not given up: %s", error.cause)
            await workflow.sleep(PAUSE)
            return
        for step in waiting:
            step.gave_up = True
            if step.key in gone.keys:
                step.state, step.message = "skipped", "decided before the ERP had blocked it"
            else:
                step.again, step.state, step.next_try_at = True, "waiting", None
        state.show_steps()

    def is_due_to_plan(self) -> bool:
        state = self.state
        if state.record.state is not HoldState.EXECUTING or state.planned:
            return False
        return not state.locate and not open_steps(state.blocking)

    def plan(self) -> None:
        """All steps of the decision, before the first of them."""
        state = self.state
        day = production_day(state.settings.times.site, workflow.now())
        planned = plan_dispositions(state.record, state.located, state.dispositions, day)
        state.executing = [state.new_step(p) for p in planned]
        state.planned = True
        state.show_steps()

    def is_finished(self) -> bool:
        state = self.state
        return state.record.state is HoldState.EXECUTING and state.planned and not open_steps(state.executing)

    # --- after the end -----------------------------------------------------------------------------------
    def is_due_to_clear(self) -> bool:
        state = self.state
        return not state.cleared and (state.look_at is None or workflow.now() >= state.look_at)

    async def clear(self) -> None:
        """A receipt that was on its way while the block ended lies in blocked stock without a hold: it is freed."""
        state = self.state
        if not state.record.scope.order:
            state.cleared, state.look_at = True, None
            return
        request = LocateRequest(record=state.record.model_copy(update={"history": (), "decisions": ()}))
        try:
            result = await workflow.execute_activity_method(
                HoldActivities.locate_late_receipts,
                request,
                task_queue=erp_task_queue(state.record.plant),
                start_to_close_timeout=self._attempt,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("late receipts of the hold not looked for: %s", error.cause)
            state.look_at = workflow.now() + LONGEST_PAUSE
            return
        if result.located is None:
            state.look_at = result.next_try_at or workflow.now() + PAUSE
            return
        late = result.located.came - state.located.came
        day = production_day(state.settings.times.site, workflow.now())
        state.executing = [state.new_step(p) for p in plan_late(state.record, result.located, late, day)]
        state.cleared, state.look_at, state.located = True, None, result.located
        state.show_steps()

    # --- one step ----------------------------------------------------------------------------------------
    def due_step(self) -> HoldStep | None:
        """The first step whose time has come; a decision's steps go one after the other."""
        state, now = self.state, workflow.now()
        waiting = [*open_steps(state.blocking), *open_steps(state.executing)[:1]]
        return next((s for s in waiting if is_due(s) and (s.next_try_at is None or now >= s.next_try_at)), None)

    async def run(self, step: HoldStep) -> None:
        """One attempt at one step."""
        state = self.state
        if step.transaction is None:
            step.tried = True
            self._by_hand(step)
            return
        if await self._erp.attempt(step) and step in state.blocking and state.record.state is not HoldState.EXECUTING:
            state.block_stands(workflow.now())
        state.show_steps()

    def _by_hand(self, step: HoldStep) -> None:
        """Nothing books it from here: a case says what a person books, and the hold waits for it."""
        state = self.state
        found = judge(CaseKind.HOLD_BY_HAND)
        subject = f"{state.record.hold}:{step.number}"
        case = Case(
            case_id=case_id(state.record.plant, "", CaseKind.HOLD_BY_HAND.value, subject),
            plant=state.record.plant,
            order="",
            kind=CaseKind.HOLD_BY_HAND,
            owner_role=found.owner.value,
            summary=step.message,
            allowed=found.trouble.actions,
            hold=state.record.hold,
        )
        step.case_id, step.state = case.case_id, "failed"
        state.cases.append(case)
        state.note("by_hand", step.message, workflow.now())
        state.show_steps()

    def case_decided(self, case: str) -> None:
        """A person decided a case: a step by hand is done, a posting goes on by its key."""
        for step in self.state.pending:
            if step.case_id == case:
                step.state = "done"
                self.state.note("by_hand", f"{step.what} is done by hand", workflow.now())
            elif step.state == "failed" and step.key is not None and step.transaction is not None:
                step.again, step.state, step.next_try_at = True, "waiting", None
        self.state.show_steps()

    def _note(self, text: str) -> None:
        self.state.note("erp", text, workflow.now())

    @property
    def _attempt(self) -> timedelta:
        return timedelta(seconds=self.state.settings.attempt_seconds)
