"""The ERP's side of a stop: maintenance, minutes, capacity, and what is withdrawn. Part of the Downtime workflow."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.holds import HoldActivities, HoldPostings
    from activities.stops import ImpactRequest, StopActivities, StopRef
    from domain.erp_step import ErpStep
    from domain.machine_time import DOWNTIME
    from domain.shifts import production_day
    from domain.stop_plan import (
        CAPACITY,
        OPEN,
        WITHDRAWAL,
        capacity_to_withdraw,
        drop_capacity,
        is_capacity_moot,
        next_steps,
        withdrawal_key,
        work_centre_of,
    )
    from domain.stop_process import StopProcess
    from signals.downtime import CapacityState
    from signals.ids import erp_task_queue
    from signals.transactions import AdjustCapacity, Reverse
    from workflows.common import FEW_ATTEMPTS, LEDGER_TIMEOUT, PAUSE
    from workflows.erp_steps import ErpSteps, is_due, open_steps

WITHDRAWN_FIRST = "capacity-withdrawn-first"
"""Patch: stops of earlier releases told planning of the newer change while the older one still stood."""
CAPACITY_LAPSES = "capacity-lapses"
"""Patch: stops of earlier releases waited for a decision on capacity after the line ran again, took one after its
estimate was over, and forgot a newer proposal once the older change was booked."""


class StopSteps:
    """What the ERP is asked for one stop. `plant_now` is the plant's time."""

    def __init__(self, state: StopProcess) -> None:
        self.state = state
        settings = state.settings
        attempt = timedelta(seconds=settings.attempt_seconds)
        self._attempt = attempt
        self._erp = ErpSteps(plant=state.record.plant, mode=settings.mode, attempt=attempt, note=self._note)

    def _note(self, text: str) -> None:
        self.state.note("erp", text, self.plant_now())

    def plant_now(self) -> datetime:
        return self.state.settings.clock.plant_time(workflow.now())

    def plan(self) -> bool:
        """Make the bookings that have become due. True where there were any."""
        state, now = self.state, self.plant_now()
        found = next_steps(state, now)
        for step in found:
            if step.what == CAPACITY:
                state.capacity_step, state.capacity_until = step.number, state.record.expected_recovery
        state.steps += found
        if found:
            state.show_steps()
        return bool(found)

    def due_step(self) -> ErpStep | None:
        """The first booking whose time has come; waiting times are the workflow's own clock."""
        now = workflow.now()
        waiting = open_steps(self.state.steps)
        for step in waiting:
            if not is_due(step) or (step.next_try_at is not None and now < step.next_try_at):
                continue
            if self._stands_behind(step, waiting) and workflow.patched(WITHDRAWN_FIRST):
                step.next_try_at = None  # its turn comes with the withdrawal's end
                continue
            return step
        return None

    def _stands_behind(self, step: ErpStep, waiting: list[ErpStep]) -> bool:
        """A newer capacity change waits until the older one is gone: they overlap, and an ERP that knows days only
        cannot tell one from the other."""
        return step.what == CAPACITY and any(s.what == WITHDRAWAL and s.number < step.number for s in waiting)

    async def run(self, step: ErpStep) -> None:
        state = self.state
        if step.transaction is None:
            step.tried, step.state = True, "skipped"
            self._note(step.message or f"{step.what}: a person books it")
            state.show_steps()
            return
        await self._erp.attempt(step)
        if step.what == OPEN and step.state == "done" and step.document:
            state.change(notification=step.document)
        if step.number == state.capacity_step and step.state == "done":
            decided = state.record.capacity is CapacityState.APPROVED
            if decided or not workflow.patched(CAPACITY_LAPSES):
                state.change(capacity=CapacityState.POSTED)
        if step.what == WITHDRAWAL and step.is_over and state.record.capacity is CapacityState.POSTED:
            state.change(capacity=CapacityState.WITHDRAWN)
        state.show_steps()

    # --- capacity that counts no more ----------------------------------------------------------------------
    def dropped(self) -> bool:
        """Give up a change that says nothing any more. True where there was one."""
        now = self.plant_now()
        moot = is_capacity_moot(self.state, now) and workflow.patched(CAPACITY_LAPSES)
        if moot:
            drop_capacity(self.state, now)
        return moot

    def is_due_to_withdraw(self) -> bool:
        return capacity_to_withdraw(self.state) is not None

    async def withdraw(self) -> None:
        """What the ERP certainly has not booked is given up; what it has is taken back by a booking of its own."""
        state = self.state
        step = capacity_to_withdraw(state)
        assert step is not None and step.key is not None
        if not step.is_over and not await self._gave_up(step):
            return
        state.capacity_step = 0
        if step.state == "skipped" or not step.document:
            self._withdrawn()
            return
        original = step.transaction
        assert isinstance(original, AdjustCapacity)
        day = production_day(state.settings.plant.plant, self.plant_now())
        state.numbered_steps += 1
        reversal = Reverse(
            plant=state.record.plant, posting_date=day, document=step.document, original=original,
            original_key=step.key, text="the line runs again" if state.record.fact.ended_at else "a newer estimate",
        )  # fmt: skip
        key = withdrawal_key(state, step)
        state.steps.append(ErpStep(number=state.numbered_steps, what=WITHDRAWAL, key=key, transaction=reversal))
        state.show_steps()

    async def _gave_up(self, step: ErpStep) -> bool:
        """True where it is known now whether it is booked; else its outcome is waited for."""
        assert step.key is not None
        request = HoldPostings(plant=self.state.record.plant, keys=(step.key,), message="the line runs again")
        try:
            gone = await workflow.execute_activity_method(
                HoldActivities.give_up_hold_postings,
                request,
                start_to_close_timeout=LEDGER_TIMEOUT,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("capacity change not given up: %s", error.cause)
            await workflow.sleep(PAUSE)
            return False
        if step.key in gone.keys:
            step.state, step.message, step.next_try_at = "skipped", "the line ran again before it was booked", None
            return True
        step.again = True
        await self._erp.attempt(step)
        self.state.show_steps()
        if not step.is_over:
            await workflow.sleep(PAUSE)
        return step.is_over

    def _withdrawn(self) -> None:
        state = self.state
        if state.record.fact.ended_at is not None:
            state.change(capacity=CapacityState.WITHDRAWN)
        state.show_steps()

    # --- customers -----------------------------------------------------------------------------------------
    async def look_for_reallocation(self) -> None:
        """Who is late, and what could be done: asked once for each estimate."""
        state, record = self.state, self.state.record
        if record.expected_recovery is None:
            state.look_for_reallocation = False
            return
        orders = [p.order for p in reversed(record.parts) if p.order and p.time_class in DOWNTIME]
        request = ImpactRequest(
            ref=StopRef(plant=record.plant, line=record.line, stop=record.stop),
            orders=tuple(dict.fromkeys(orders)), work_centre=work_centre_of(state), recovery=record.expected_recovery,
        )  # fmt: skip
        try:
            found = await workflow.execute_activity_method(
                StopActivities.stop_impact,
                request,
                task_queue=erp_task_queue(record.plant),
                start_to_close_timeout=self._attempt,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            workflow.logger.warning("impact of the stop not known: %s", error.cause)
            state.look_for_reallocation = False
            return
        if found.next_try_at is not None:
            await workflow.sleep(PAUSE)
            return
        state.look_for_reallocation = False
        decided = tuple(r for r in record.reallocations if r.state != "proposed")
        state.change(impact=found.impact, reallocations=(*decided, *found.reallocations))
        if found.reallocations:
            state.note("reallocation", f"{len(found.reallocations)} proposal(s) wait for a planner", self.plant_now())
