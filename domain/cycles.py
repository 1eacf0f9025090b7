"""Judges a machine tool's program cycles: which ones were pieces. Pure; the Line calls `step` event by event.

A piece needs three things that agree: the program's end, one step of the counter, and as much active time under one
program as the routing's standard asks. What is less is refused by a named rule or parked, never guessed.
Not for counting lines with good and reject counters (domain.counters).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal

from domain.context import StationContext
from domain.cycle_state import (
    COMPLETION,
    COUNTER_AGREES,
    COUNTER_GAP,
    CYCLE_TIME,
    EVENT_ORDER,
    ONE_PER_RUN,
    PROGRAM_CHANGE,
    PROGRAM_END,
    RUN_COMPLETE,
    CounterStep,
    CycleCompleted,
    CycleState,
    CycleStep,
    ParkedDraft,
    ProgramEnd,
)
from domain.plant import CycleRules
from signals.base import ZERO
from signals.events import CountEvent, GapEvent, MachineEvent, OrderAspect, OrderEvent, ProgramEvent, Quality
from signals.ids import short_hash
from signals.reports import Evidence, ParkedWhy, Refusal

__all__ = ["COMPLETION", "CycleCompleted", "CycleState", "CycleStep", "ParkedDraft", "step"]

UNAVAILABLE = "UNAVAILABLE"
EVIDENCE_KEPT = 20
SERIALS_KEPT = 200
GAP_STEPS_LISTED = 100


def step(state: CycleState, rules: CycleRules, context: StationContext, event: MachineEvent) -> CycleStep:
    """Judge one event. `context` is the station's before the event; events come in event-time order."""
    relevant = isinstance(event, ProgramEvent | CountEvent | OrderEvent | GapEvent)
    if not relevant and state.end is None and state.step is None:
        return CycleStep(state=state)
    judge = _Judge(state, rules, context)
    judge.settle_what_waited_too_long(event.at)
    if relevant:
        judge.take(event)
    return CycleStep(
        state=judge.state,
        completions=tuple(judge.completions),
        refusals=tuple(judge.refusals),
        parked=tuple(judge.parked),
    )


class _Judge:
    """One step's working state."""

    def __init__(self, state: CycleState, rules: CycleRules, context: StationContext) -> None:
        self.state = state
        self.rules = rules
        self.current = context
        self.completions: list[CycleCompleted] = []
        self.refusals: list[Refusal] = []
        self.parked: list[ParkedDraft] = []

    @property
    def context(self) -> StationContext:
        return self.state.run_context or self.current

    def _set(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)

    # --- events ------------------------------------------------------------------------------------------
    def take(self, event: MachineEvent) -> None:
        older = self.state.last_at is not None and event.at < self.state.last_at
        if older and isinstance(event, ProgramEvent | CountEvent):
            self._refuse(EVENT_ORDER, event.at, f"{event.tag} is dated before {self.state.last_at}", (event.event_id,))
            return
        match event:
            case ProgramEvent(aspect="status"):
                self._note(event)
                self._status(event)
            case ProgramEvent():
                self._note(event)
                self._program_name(event)
            case CountEvent() if event.quality is not Quality.BAD:
                self._note(event)
                self._counted(event)
            case OrderEvent():
                self._context_changes(event)
            case GapEvent():
                self._gap(event)
            case _:
                pass
        if not older:
            self._set(last_at=event.at)

    def _note(self, event: ProgramEvent | CountEvent) -> None:
        self._set(event_digest=short_hash(self.state.event_digest, event.event_id))

    def _status(self, event: ProgramEvent) -> None:
        word = event.value.strip().upper()
        if event.quality is Quality.BAD or word == UNAVAILABLE:
            self._stop_clock(event.at)
            self._set(program=None)
        elif word in {w.upper() for w in self.rules.active}:
            self._becomes_active(event.at)
        elif word in {w.upper() for w in self.rules.completed}:
            self._program_ends(event)
        else:
            self._stop_clock(event.at)

    def _becomes_active(self, at: datetime) -> None:
        self.settle()
        self._set(
            active_since=self.state.active_since or at,
            first_active_at=self.state.first_active_at or at,
            seen_active=True,
        )

    def _stop_clock(self, at: datetime) -> None:
        self._set(active_seconds=self._active_by(at), active_since=None)

    def _active_by(self, at: datetime) -> Decimal:
        since = self.state.active_since
        if since is None or at <= since:
            return self.state.active_seconds
        return self.state.active_seconds + _seconds(at - since)

    def _program_name(self, event: ProgramEvent) -> None:
        """The name is logged only when it changes, shortly after the ACTIVE it belongs to."""
        name = event.value.strip() or None
        if event.quality is Quality.BAD or (name or "").upper() == UNAVAILABLE:
            name = None
        if name == self.state.program and name is not None:
            return
        since = self.state.active_since
        lag = timedelta(seconds=float(self.rules.name_lag_seconds))
        if since is not None and event.at - since > lag:
            since = event.at
        lost = self._active_by(since or event.at)
        if lost and self.state.run:
            old = self.state.program or "a program whose name was not logged"
            detail = (
                f"{old} was left for {name or 'another'} at {event.at} after {_whole(lost)} s without a program end"
            )
            self._remember(Evidence(rule=PROGRAM_CHANGE, detail=detail, event_ids=(event.event_id,)))
        self._set(program=name, active_since=since, active_seconds=ZERO, first_active_at=since)

    def _program_ends(self, event: ProgramEvent) -> None:
        if self.state.end is not None:
            self.settle()
        self._stop_clock(event.at)
        end = ProgramEnd(
            at=event.at,
            event_id=event.event_id,
            first_at=self.state.first_active_at or event.at,
            active_seconds=self.state.active_seconds,
            program=self.state.program,
        )
        self._set(end=end, active_seconds=ZERO, first_active_at=None)
        if self.state.step is not None or not self.rules.needs_counter:
            self._decide()

    def _counted(self, event: CountEvent) -> None:
        before, steps = self.state.total, self._steps(event)
        self._set(total=event.total, continuous=True)
        if steps == 0:
            return
        if self.state.step is not None:
            self.settle()
        counted = CounterStep(
            at=event.at,
            event_id=event.event_id,
            from_total=before,
            to_total=event.total,
            size=steps,
            active_seconds=self._active_by(event.at),
        )
        self._set(step=counted)
        if self.state.end is not None:
            self._decide()

    def _steps(self, event: CountEvent) -> int:
        """Steps this reading shows as seen to happen; steps that nobody saw are reported as a gap."""
        last = self.state.total
        if last is None:
            return 1 if self.state.seen_active else 0
        steps = event.total - last
        if steps < 0 and steps % 2**self.rules.counter_bits == 1:
            steps = 1
        if steps < 0:
            detail = f"the counter fell from {last} to {event.total}; it counts on from there"
            self._refuse(COUNTER_AGREES, event.at, detail, (event.event_id,))
            return 0
        if self.state.continuous or steps == 0:
            return steps
        seen = 1 if self.state.seen_active else 0
        self._report_gap(event, last, steps - seen)
        return seen

    def _report_gap(self, event: CountEvent, last: int, missing: int) -> None:
        if missing > GAP_STEPS_LISTED:
            detail = f"{missing} steps after {last}, counted while nothing was recorded"
            self._refuse(COUNTER_GAP, event.at, detail, (event.event_id,), nobody=True)
            return
        for total in range(last + 1, last + 1 + missing):
            detail = f"step to {total}, counted while nothing was recorded"
            self._refuse(COUNTER_GAP, event.at, detail, (event.event_id,), nobody=True)

    def _gap(self, event: GapEvent) -> None:
        self.settle()
        if self.state.run and self.state.first_active_at is not None:
            self._remember(Evidence(rule=COUNTER_GAP, detail=f"{event.reason} until {event.at}: the cycle starts anew"))
        self._set(
            program=None,
            active_since=None,
            active_seconds=ZERO,
            first_active_at=None,
            seen_active=False,
            continuous=False,
        )

    # --- context and runs --------------------------------------------------------------------------------
    def _context_changes(self, event: OrderEvent) -> None:
        if event.aspect is OrderAspect.RUN:
            self._run_changes(event)
        elif event.aspect in (OrderAspect.ORDER, OrderAspect.OPERATION, OrderAspect.SERIAL):
            self._work_changes(event)

    def _run_changes(self, event: OrderEvent) -> None:
        if event.value == self.state.run:
            return
        self._end_run(event.at)
        if event.value:
            context = self.current.model_copy(update={"run": event.value})
            self._set(run=event.value, run_context=context, run_started_at=event.at)

    def _work_changes(self, event: OrderEvent) -> None:
        had: str = getattr(self.context, event.aspect.value)
        if had == event.value:
            return
        same_instant = self.state.run_started_at == event.at
        if self.state.run and not self.state.event_digest and (same_instant or not had):
            context = self.context.model_copy(update={event.aspect.value: event.value})
            self._set(run_context=context)
            return
        self._end_run(event.at)

    def _end_run(self, at: datetime) -> None:
        self.settle()
        idle = not self.state.event_digest and not self.context.order
        if self.state.run and self.state.accepted == 0 and not idle:
            self._park_run(at)
        running = self.state.active_since is not None
        self._set(
            run="",
            run_context=None,
            run_started_at=None,
            accepted=0,
            judged=(),
            event_digest="",
            active_since=at if running else None,
            active_seconds=ZERO,
            first_active_at=at if running else None,
            seen_active=running,
        )

    def _park_run(self, at: datetime) -> None:
        context, state = self.context, self.state
        reasons = "; ".join(e.detail for e in state.judged) or "neither a program end nor a counter step was recorded"
        open_seconds = self._active_by(at)
        if open_seconds:
            reasons += f"; {_whole(open_seconds)} s active without a program end at the end of the run"
        detail = f"the run from {state.run_started_at} to {at} ended without an accepted completion: {reasons}"
        own = Evidence(rule=RUN_COMPLETE, detail=f"evidence {state.event_digest or 'none'}")
        self.parked.append(
            ParkedDraft(
                why=ParkedWhy.RUN_INCOMPLETE if context.order else ParkedWhy.NO_ORDER,
                rule=RUN_COMPLETE,
                context=context,
                at=at,
                detail=detail,
                identity=(context.order, context.operation, context.serial, state.run, state.event_digest),
                evidence=(own, *state.judged),
            )
        )

    # --- judging -----------------------------------------------------------------------------------------
    def settle_what_waited_too_long(self, now: datetime) -> None:
        waiting = self.state.end or self.state.step
        if waiting is not None and _seconds(now - waiting.at) > self.rules.agree_seconds:
            self.settle()

    def settle(self) -> None:
        """Whatever waits for a second evidence will not get it any more."""
        end, counted = self.state.end, self.state.step
        self._set(end=None, step=None)
        if end is not None:
            self._end_alone(end)
        if counted is not None:
            self._step_alone(counted)

    def _decide(self) -> None:
        end, counted = self.state.end, self.state.step
        assert end is not None
        if counted is not None and abs(_seconds(end.at - counted.at)) > self.rules.agree_seconds:
            self.settle()
            return
        self._set(end=None, step=None)
        ids = (end.event_id, *((counted.event_id,) if counted else ()))
        objection = self._objection(end, counted)
        if objection is not None:
            self._object(*objection, end, ids)
        elif self.state.accepted or self._serial_key() in self.state.completed_serials:
            self._park_second(end, ids)
        else:
            self._accept(end, counted, ids)

    def _objection(self, end: ProgramEnd, counted: CounterStep | None) -> tuple[str, str, ParkedWhy | None] | None:
        """Why this is no piece: rule, detail, and why a person must look where no run ends later to ask for it."""
        context = self.context
        if counted is not None and counted.size != 1:
            detail = f"program end at {end.at} with {counted.size} counter steps to {counted.to_total}"
            return COUNTER_AGREES, detail, ParkedWhy.EVIDENCE_DISAGREES
        if not context.order:
            return CYCLE_TIME, f"program end at {end.at} while no order was assigned", ParkedWhy.NO_ORDER
        standard = self.rules.standard_for(context.order, context.operation)
        if standard is None:
            detail = f"no standard time is known for order {context.order} operation {context.operation or '-'}"
            return CYCLE_TIME, detail, ParkedWhy.UNKNOWN_OPERATION
        if end.active_seconds < standard * self.rules.min_ratio:
            return CYCLE_TIME, self._too_short(end, standard), None
        pattern = self.rules.program_for(context.order, context.operation)
        if pattern and end.program is not None and re.search(pattern, end.program) is None:
            detail = f"program {end.program} is none of this operation ({pattern})"
            return PROGRAM_CHANGE, detail, ParkedWhy.EVIDENCE_DISAGREES
        return None

    def _too_short(self, end: ProgramEnd, standard: Decimal) -> str:
        program = end.program or "a program whose name was not logged"
        return f"{program} ended at {end.at} after {_whole(end.active_seconds)} s of a standard of {_whole(standard)} s"

    def _object(self, rule: str, detail: str, why: ParkedWhy | None, end: ProgramEnd, ids: tuple[str, ...]) -> None:
        if why is not None and not self.state.run:
            self._park(why, rule, end.at, detail, ids)
        else:
            self._refuse(rule, end.at, detail, ids)

    def _end_alone(self, end: ProgramEnd) -> None:
        ids = (end.event_id,)
        objection = self._objection(end, None)
        if objection is not None:
            rule, detail, why = objection
            self._object(rule, f"{detail}; no counter step came with it", why, end, ids)
            return
        detail = f"program end at {end.at} after {_whole(end.active_seconds)} s, but the counter did not step"
        self._object(COUNTER_AGREES, detail, ParkedWhy.EVIDENCE_DISAGREES, end, ids)

    def _step_alone(self, counted: CounterStep) -> None:
        detail = f"the counter stepped to {counted.to_total} at {counted.at} without a program end"
        standard = self.rules.standard_for(self.context.order, self.context.operation)
        long_enough = standard is not None and counted.active_seconds >= standard * self.rules.min_ratio
        if long_enough and not self.state.run:
            self._park(ParkedWhy.EVIDENCE_DISAGREES, PROGRAM_END, counted.at, detail, (counted.event_id,))
            # The time that spoke for this piece must not speak for the next one too.
            self._set(active_since=None, active_seconds=ZERO, first_active_at=None)
        else:
            self._refuse(PROGRAM_END, counted.at, detail, (counted.event_id,))

    def _park_second(self, end: ProgramEnd, ids: tuple[str, ...]) -> None:
        what = f"serial {self.context.serial}" if self.context.serial else "this run"
        detail = f"{what} was completed before; program end at {end.at} completes it a second time"
        self._park(ParkedWhy.EVIDENCE_DISAGREES, ONE_PER_RUN, end.at, detail, ids)

    def _accept(self, end: ProgramEnd, counted: CounterStep | None, ids: tuple[str, ...]) -> None:
        serial, key = self.context.serial, self._serial_key()
        self.completions.append(
            CycleCompleted(
                context=self.context,
                at=max(end.at, counted.at) if counted else end.at,
                first_at=end.first_at,
                serial=serial,
                active_seconds=end.active_seconds,
                detail=f"program end, counter step and {_whole(end.active_seconds)} s of active time agree",
                from_total=counted.from_total if counted else None,
                to_total=counted.to_total if counted else None,
                event_ids=ids,
            )
        )
        known = self.state.completed_serials
        if key:
            known = (*known, key)[-SERIALS_KEPT:]
        self._set(accepted=self.state.accepted + 1 if self.state.run else 0, completed_serials=known)

    def _serial_key(self) -> str:
        context = self.context
        return f"{context.order}/{context.operation}/{context.serial}" if context.serial else ""

    def _refuse(self, rule: str, at: datetime, detail: str, ids: tuple[str, ...], *, nobody: bool = False) -> None:
        """`nobody`: it happened outside every run, so no order or serial is named."""
        context = StationContext() if nobody else self.context
        self.refusals.append(
            Refusal(
                rule=rule,
                at=at,
                order=context.order,
                operation=context.operation,
                serial=context.serial,
                detail=detail,
                event_ids=ids,
            )
        )
        if self.state.run and not nobody:
            self._remember(Evidence(rule=rule, detail=detail, event_ids=ids))

    def _remember(self, evidence: Evidence) -> None:
        self._set(judged=(*self.state.judged, evidence)[-EVIDENCE_KEPT:])

    def _park(self, why: ParkedWhy, rule: str, at: datetime, detail: str, ids: tuple[str, ...]) -> None:
        self.parked.append(
            ParkedDraft(
                why=why,
                rule=rule,
                context=self.context,
                at=at,
                detail=detail,
                identity=(rule, *ids),
                evidence=(Evidence(rule=rule, detail=detail, event_ids=ids),),
            )
        )


def _seconds(duration: timedelta) -> Decimal:
    return Decimal(duration // timedelta(microseconds=1)) / 1_000_000


def _whole(seconds: Decimal) -> str:
    return str(seconds.quantize(Decimal(1)))
