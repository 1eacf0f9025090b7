"""The state that a Downtime workflow carries, and every change of it. What people may change is `domain.stop_acts`.

Times are plant time; the workflow maps them to its own clock. Every change raises the revision; every step is an entry
of the history. The ledger keeps all of both, the state keeps what is still needed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from domain.clock import PlantClock
from domain.erp_step import ErpStep
from domain.machine_time import DOWNTIME
from domain.plant import LineConfig
from domain.roles import Role
from domain.state import State
from domain.stop_ladder import (
    LadderInput,
    calls_anybody,
    due_rungs,
    fire,
    handed_over,
    is_quiet,
    next_wake,
    noticed_at,
    retarget,
    rungs_for,
)
from domain.stop_parts import parts_of
from domain.stop_rules import StopRules
from domain.working_time import after_working_time
from signals.base import Message, UtcTime
from signals.bookings import TransactionType
from signals.decisions import Answer, PostingMode
from signals.downtime import (
    CapacityState,
    LadderRung,
    ReasonMark,
    ReasonStatus,
    StopEvent,
    StopFact,
    StopPart,
    StopPosting,
    StopRecord,
    StopState,
)
from signals.notify import Notification

KEPT_EVENTS = 40
KEPT_ANSWERS = 100


class StopSettings(Message):
    """What the plant file says of the stop's own line, and how bookings are made."""

    plant: StopRules
    clock: PlantClock = PlantClock()
    mode: PostingMode = PostingMode.POST
    attempt_seconds: float = 60
    books: tuple[TransactionType, ...] = Field(default=(), description="what of it the ERP can book")


class StopProcess(State):
    """One stop."""

    record: StopRecord
    settings: StopSettings
    known_at: UtcTime
    calls: bool = Field(default=True, description="it still went on when it became known: people are called")
    saved: int = -1
    numbered: int = 0
    steps: list[ErpStep] = Field(default_factory=list[ErpStep])
    numbered_steps: int = 0
    answered: dict[str, Answer] = Field(default_factory=dict)
    to_tell: list[Notification] = Field(default_factory=list[Notification])
    capacity_step: int = 0
    """Number of the step that told planning; 0 where none did."""
    capacity_until: UtcTime | None = None
    short: bool = Field(default=False, description="short standing within a stop explains itself; runs from before: no")
    proposed: bool = False
    """A reallocation was looked for."""
    look_for_reallocation: bool = False

    @property
    def line(self) -> LineConfig:
        return self.settings.plant.line

    @classmethod
    def begun(cls, record: StopRecord, settings: StopSettings, now: datetime, *, short: bool = True) -> StopProcess:
        """A stop as the ledger has it: a new one, or one whose process was lost and starts again."""
        state = cls(record=record, settings=settings, known_at=now, calls=calls_anybody(record.fact), short=short)
        state.numbered = max((e.number for e in record.history), default=0)
        state.refresh(now)
        if record.state is StopState.CLOSED and (record.fact.ended_at is None or state.unknown_parts()):
            state.change(state=StopState.OPEN, closed_at=None)
        if not record.history:
            late = "" if state.calls else "; it was over before it became known: nobody is called"
            state.note(
                "opened", f"{record.line} stands since {record.fact.started_at:%Y-%m-%d %H:%M:%S} UTC{late}", now
            )
        state.refresh(now)
        return state

    # --- changing ----------------------------------------------------------------------------------------
    def change(self, **changes: object) -> None:
        """Set fields of the record; the revision grows."""
        self.record = self.record.model_copy(update={**changes, "revision": self.record.revision + 1})

    def note(self, what: str, text: str, now: datetime, *, by: str = "", role: str = "") -> None:
        """One entry of the history."""
        self.numbered += 1
        event = StopEvent(number=self.numbered, at=now, what=what, text=text, by=by, role=role)
        self.change(history=(*self.record.history, event))

    def is_saved(self) -> None:
        """The ledger has it: old entries need not be carried any more."""
        self.saved = self.record.revision
        self.record = self.record.model_copy(update={"history": self.record.history[-KEPT_EVENTS:]})

    def answer(self, act: str, accepted: bool, message: str) -> None:
        self.answered[act] = Answer(decision_id=act, accepted=accepted, message=message)
        self.answered = dict(list(self.answered.items())[-KEPT_ANSWERS:])

    def take_fact(self, fact: StopFact, now: datetime) -> None:
        """What the Line says of the stop now. An older snapshot changes nothing."""
        before = self.record.fact
        if fact.version <= before.version:
            return
        self.change(fact=fact)
        if fact.ended_at is not None and before.ended_at != fact.ended_at:
            self.note("ended", f"it runs again since {fact.ended_at:%H:%M:%S} UTC", now)
        if fact.ended_at is None and before.ended_at is not None:
            self.calls = True
            self.note("re_tripped", f"it stands again: the same stop, for the {fact.retrips + 1}. time", now)
        if fact.flood and not before.flood:
            self.note("flood", f"{fact.alarm_count} alarms in one incident", now)
        self.refresh(now)

    def mark(self, marks: list[ReasonMark], now: datetime) -> None:
        """Add what a person says of stretches of it."""
        self.change(marks=(*self.record.marks, *marks))
        self.refresh(now)

    def refresh(self, now: datetime) -> None:
        """Parts, state and deadlines as facts, marks and the hour make them."""
        record, plant = self.record, self.settings.plant
        parts = parts_of(
            record.fact, record.marks, plant.plant, plant.shifts, plant.downtime, line=self.line,
            until=max(now, record.fact.as_of), short=self.short,
        )  # fmt: skip
        state = record.state
        if not state.is_over:
            ended = record.fact.ended_at is not None
            state = (
                StopState.ENDED if ended else StopState.ACKNOWLEDGED if self._is_acknowledged(now) else StopState.OPEN
            )
        self._set(parts=parts, state=state, owner_role=_owner(parts))
        rungs = self._rungs()
        open_rungs = [r.due_at for r in rungs if r.fired_at is None]
        self._set(rungs=rungs, due_at=min(open_rungs, default=None))

    def _set(self, **changes: object) -> None:
        """Only what differs raises the revision."""
        news = {name: value for name, value in changes.items() if getattr(self.record, name) != value}
        if news:
            self.change(**news)

    def _is_acknowledged(self, now: datetime) -> bool:
        until = self.record.acknowledged_until
        return self.record.acknowledged_at is not None and (until is None or now < until)

    # --- the ladder --------------------------------------------------------------------------------------
    def ladder(self) -> LadderInput:
        """What the ladder stands on now."""
        record = self.record
        return LadderInput(
            since=noticed_at(record.parts, self.known_at),
            ended=record.fact.ended_at is not None or record.state.is_over or not self.calls,
            quiet=is_quiet(record.parts),
            acknowledged_at=record.acknowledged_at,
            acknowledged_until=record.acknowledged_until,
            shelved_until=record.shelved_until,
        )

    def _rungs(self) -> tuple[LadderRung, ...]:
        mine = [r for r in self.record.rungs if r.timer == "classification"]
        others = [r for r in self.record.rungs if r.timer != "classification"]
        return (*rungs_for(self.settings.plant, self.ladder(), others), *self._explain(mine))

    def _explain(self, before: list[LadderRung]) -> list[LadderRung]:
        """A stop that is over and unexplained calls people too, in working time; one that is not calls nobody."""
        fired = [r for r in before if r.fired_at is not None]
        ended = self.record.fact.ended_at
        if ended is None or self.record.state.is_over or self.record.is_classified:
            return fired
        plant, begun = self.settings.plant, max(ended, self.known_at)
        owner = self.record.owner_role
        steps = dict.fromkeys((owner, Role.SUPERVISOR.value, Role.PLANNER.value))
        found: list[LadderRung] = []
        for level, role in enumerate(steps, start=1):
            known = next((r for r in fired if r.level == level and r.armed_at == begun), None)
            wait = timedelta(minutes=plant.downtime.classify_minutes * level)
            due = after_working_time(plant.plant, plant.shifts, begun, wait)
            new = LadderRung(level=level, timer="classification", due_at=due, roles=(role,), armed_at=begun)
            found.append(known or new)
        kept = [r for r in fired if r not in found]
        return [*kept, *found]

    def due_rung(self, now: datetime) -> LadderRung | None:
        """The lowest step of the ladder whose time has come."""
        return next(iter(due_rungs(self.record.rungs, now)), None)

    def fired(self, rung: LadderRung, now: datetime) -> None:
        """The step has called."""
        rungs = fire(self.record.rungs, rung, now)
        who = ", ".join((*rung.roles, *rung.users))
        self.note("called", f"{rung.timer} {rung.level}: {who}", now)
        level = self.record.level + (1 if rung.timer != "classification" else 0)
        waiting = [r.due_at for r in rungs if r.fired_at is None]
        self._set(rungs=rungs, level=level, due_at=min(waiting, default=None))

    def handed_over(self, now: datetime) -> tuple[LadderRung, ...]:
        """Steps that called the shift before and call this one now; they are re-targeted."""
        changed = handed_over(self.settings.plant, self.ladder(), self.record.rungs, now)
        if changed:
            self._set(rungs=retarget(self.record.rungs, changed))
        return changed

    def wakes_at(self, now: datetime) -> list[datetime]:
        """Plant times at which something is due if nothing happens; bookings wait by the workflow's own clock."""
        found: list[datetime] = []
        wake = next_wake(self.settings.plant, self.ladder(), self.record.rungs, now)
        found += [r.due_at for r in self.record.rungs if r.fired_at is None and r.timer == "classification"]
        found += [] if wake is None else [wake]
        until = self.record.acknowledged_until
        if until is not None and until > now and self.record.fact.ended_at is None:
            found.append(until)
        if (settled := self.settles_at) is not None and settled > now and not self.record.state.is_over:
            found.append(settled)
        return found

    # --- the end -----------------------------------------------------------------------------------------
    @property
    def pending(self) -> list[ErpStep]:
        return [s for s in self.steps if not s.is_over]

    @property
    def settles_at(self) -> datetime | None:
        """From when on an ended stop cannot be re-opened by a re-trip; None where only the Line can say so.

        By the clock alone a line whose events are late would be taken for one that runs.
        """
        ended = self.record.fact.ended_at
        if self.record.fact.settled is not None:
            return ended if self.record.fact.settled else None
        return None if ended is None else ended + timedelta(seconds=self.settings.plant.downtime.merge_seconds)

    def is_settled(self, now: datetime) -> bool:
        """Over for good on the machine."""
        return self.settles_at is not None and now >= self.settles_at

    def may_close(self, now: datetime) -> bool:
        """Over, explained, booked: nothing is left to do."""
        record = self.record
        if record.state.is_over or not self.is_settled(now) or self.pending:
            return False
        open_capacity = record.capacity in (CapacityState.PROPOSED, CapacityState.APPROVED, CapacityState.POSTED)
        return record.is_classified and not open_capacity

    def close(self, now: datetime) -> None:
        self.note("closed", "it is over, explained and booked", now)
        self.change(state=StopState.CLOSED, closed_at=now, due_at=None)
        self.refresh(now)

    def reopen(self, now: datetime) -> None:
        """It was closed in the moment in which the machine stopped again."""
        self.note("reopened", "the machine stopped again", now)
        self.change(state=StopState.OPEN, closed_at=None)

    # --- steps -------------------------------------------------------------------------------------------
    def show_steps(self) -> None:
        """How the bookings stand, on the record."""
        shown = tuple(
            StopPosting(what=s.what, key=str(s.key or ""), state=s.state, document=s.document, message=s.message)
            for s in self.steps
        )
        self._set(postings=shown)

    def unknown_parts(self) -> list[StopPart]:
        """What is still to be explained."""
        return [p for p in self.record.parts if p.status is not ReasonStatus.CLASSIFIED]


def _owner(parts: tuple[StopPart, ...]) -> str:
    """Who has to do with it: the owner of its latest downtime."""
    owners = [p.owner_role for p in parts if p.time_class in DOWNTIME and p.owner_role]
    return owners[-1] if owners else Role.MAINTENANCE.value
