"""The state that a QualityHold workflow carries, and every change of it. What may change is `domain.hold_decisions`.

Every change of the content raises the revision; every step is an entry of the history. The ledger keeps all of both,
the state keeps what is still needed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import Field

from domain.erp_step import ErpStep
from domain.hold_decisions import COMES_BACK, DecisionRules, open_reasons, standing_decisions
from domain.hold_plan import Located, Planned
from domain.hold_scope import standing, widened
from domain.hold_times import HoldRung, HoldTimes, rungs_of
from domain.plant_quality import QualityConfig
from domain.state import State
from signals.base import ZERO, Message, UtcTime
from signals.decisions import Answer, PostingMode
from signals.documents import Case
from signals.holds import (
    ConfirmSegregation,
    CosignHold,
    DecideHold,
    DecisionState,
    HoldAct,
    HoldDecisionMade,
    HoldDisposition,
    HoldDispositionKind,
    HoldEvent,
    HoldPosting,
    HoldRecord,
    HoldState,
    HoldTrigger,
    InspectionOutcome,
    WithdrawHold,
)
from signals.ids import posting_key
from signals.notify import Notification
from signals.people import Signature
from signals.stock import MaterialPosition

KEPT_EVENTS = 40
"""Entries of the history in the state; the ledger has all of them."""
KEPT_ANSWERS = 100
KEPT_INSPECTIONS = 100
KEPT_DECISIONS = 50
SHORTEST_LOOK = timedelta(seconds=30)
LONGEST_LOOK = timedelta(minutes=15)


class HoldSettings(Message):
    """What the plant file and the order say about deciding and booking."""

    quality: QualityConfig = QualityConfig()
    times: HoldTimes
    mode: PostingMode = PostingMode.POST
    attempt_seconds: float = 60
    needs_serials: bool = False


class HoldStep(ErpStep):
    """One booking of the hold, or one thing that a person books by hand."""

    quantity: Decimal = ZERO


class HoldProcess(State):
    """One hold."""

    record: HoldRecord
    settings: HoldSettings
    taken: int = Field(default=0, description="how many of the ledger's triggers are in it")
    settled: int = Field(default=0, description="triggers of before the rework")
    look_for_triggers: bool = False
    saved: int = -1
    """Revision that the ledger has."""
    numbered: int = 0
    """Number of the latest history entry."""
    rungs: list[HoldRung] = Field(default_factory=list[HoldRung])
    located: Located = Located()
    locate: bool = True
    look_at: UtcTime | None = None
    look_pause: timedelta = SHORTEST_LOOK
    blocking: list[HoldStep] = Field(default_factory=list[HoldStep])
    executing: list[HoldStep] = Field(default_factory=list[HoldStep])
    planned: bool = False
    """The decision's steps are made."""
    withdrawing: bool = False
    again: bool = False
    """Something came while a decision was carried out: the hold goes on after it."""
    steps: int = 0
    results_from: UtcTime | None = None
    answered: dict[str, Answer] = Field(default_factory=dict)
    cases: list[Case] = Field(default_factory=list[Case])
    """To be opened in the ledger."""
    open_cases: list[str] = Field(default_factory=list)
    """Opened ones that are closed with the hold."""
    to_tell: list[Notification] = Field(default_factory=list[Notification])
    told_start: bool = False
    told_end: bool = False
    cleared: bool = False
    """It is over, and what postings on their way brought into blocked stock is known."""
    round: int = 0
    """How often deadlines began anew."""

    # --- what is asked -----------------------------------------------------------------------------------
    @property
    def rules(self) -> DecisionRules:
        return DecisionRules(
            quality=self.settings.quality, needs_serials=self.settings.needs_serials, results_from=self.results_from
        )

    @property
    def executes(self) -> bool:
        """A decision is being carried out."""
        return self.record.state is HoldState.EXECUTING

    @property
    def dispositions(self) -> tuple[HoldDisposition, ...]:
        """What is to be carried out; a withdrawn hold frees everything."""
        if self.withdrawing:
            quantity = max(self.record.quantity, self.located.in_stock)
            return (HoldDisposition(kind=HoldDispositionKind.RELEASE, quantity=quantity),)
        return next((d.dispositions for d in standing_decisions(self.record)), ())

    @property
    def pending(self) -> list[HoldStep]:
        return [s for s in (*self.blocking, *self.executing) if not s.is_over]

    @classmethod
    def begun(
        cls, record: HoldRecord, settings: HoldSettings, triggers: list[HoldTrigger], now: datetime
    ) -> HoldProcess:
        """A hold as the ledger has it: a new one, or one whose process was lost and starts again."""
        state = cls(record=record, settings=settings)
        state.steps = len(record.postings)
        state.numbered = max((e.number for e in record.history), default=0)
        state.taken = record.triggers or 0
        carried_out = [d.executed_at for d in record.decisions if d.executed_at is not None]
        if carried_out:
            state.results_from, state.settled = max(carried_out), state.taken
        if record.state.is_over:
            state.told_start = state.told_end = state.cleared = True
            return state
        state.take_triggers(triggers, now)
        if state.executes:
            # What of it is booked stands in the ledger; a person looks before anything is booked again.
            state.note("interrupted", "its process was lost while a decision was carried out: decide what is left", now)
            state.content_changed("its process was lost", now)
        state.set_deadlines(now)
        return state

    # --- changing ----------------------------------------------------------------------------------------
    def change(self, **changes: object) -> None:
        """Set fields of the record; the revision grows."""
        self.record = self.record.model_copy(update={**changes, "revision": self.record.revision + 1})

    def note(
        self, what: str, text: str, now: datetime, *, by: str = "", role: str = "", signature: Signature | None = None
    ) -> None:
        """One entry of the history."""
        self.numbered += 1
        event = HoldEvent(number=self.numbered, at=now, what=what, text=text, by=by, role=role, signature=signature)
        self.change(history=(*self.record.history, event))

    def is_saved(self) -> None:
        """The ledger has it: old entries need not be carried any more."""
        self.saved = self.record.revision
        self.record = self.record.model_copy(update={"history": self.record.history[-KEPT_EVENTS:]})

    def locate_now(self) -> None:
        """Where the material is must be known anew."""
        self.locate, self.look_at, self.look_pause = True, None, SHORTEST_LOOK

    def answer(self, act: str, accepted: bool, message: str) -> None:
        self.answered[act] = Answer(decision_id=act, accepted=accepted, message=message)
        self.answered = dict(list(self.answered.items())[-KEPT_ANSWERS:])

    # --- what happens to the material --------------------------------------------------------------------
    def take_triggers(self, triggers: list[HoldTrigger], now: datetime) -> None:
        """All triggers of the ledger, in its order; those taken before change nothing."""
        new = triggers[self.taken :]
        self.look_for_triggers = False
        if not new:
            return
        first = self.taken == 0
        self.taken = len(triggers)
        before = self.record
        now_standing = standing(triggers[self.settled :])
        scope, quantity = now_standing.scope, now_standing.quantity
        reasons = {r.reason: r for r in (before.reasons if self.settled else ())} | {
            r.reason: r for r in now_standing.reasons
        }
        if self.settled:
            scope, quantity = widened(before.scope, scope), before.quantity + quantity
        known = {r.reason for r in before.reasons}
        for trigger in new:
            fresh = first or trigger.reason.reason not in known
            what = "opened" if first and trigger is new[0] else "reason" if fresh else "goes_on"
            self.note(what, trigger.reason.text, now, by=trigger.opened_by)
        self.change(scope=scope, reasons=tuple(reasons.values()), quantity=quantity, triggers=self.taken)
        if not first:
            self.content_changed("a reason or its scope changed after it", now)
        self.locate_now()

    def take_inspection(self, outcome: InspectionOutcome, now: datetime) -> bool:
        """A result on the held material; False where it is known. A new good one ends the waiting after a rework."""
        if any(i.inspection == outcome.inspection and i.at == outcome.at for i in self.record.inspections):
            return False
        said = "passed" if outcome.passed else "failed"
        self.note("inspection", f"inspection {outcome.inspection} {said}", now, by=outcome.source)
        self.change(inspections=(*self.record.inspections, outcome)[-KEPT_INSPECTIONS:])
        self.content_changed(f"inspection {outcome.inspection} came after it", now)
        waits = self.record.state is HoldState.AWAITS_INSPECTION
        is_new = self.results_from is None or outcome.at >= self.results_from
        if waits and outcome.passed and is_new:
            self.change(state=HoldState.BLOCKED)
            self.set_deadlines(now)
        return True

    def content_changed(self, why: str, now: datetime) -> None:
        """A signature is bound to what was shown: decisions that are not carried out yet fall with it."""
        if self.record.state is HoldState.EXECUTING and any(s.tried for s in self.executing):
            self.again = True
            return
        fallen = [d for d in self.record.decisions if d.executed_at is None and d.state in _STANDING]
        if not fallen and self.record.state is not HoldState.EXECUTING:
            return
        names = {d.decision for d in fallen}
        decisions = tuple(
            d.model_copy(update={"state": DecisionState.REJECTED}) if d.decision in names else d
            for d in self.record.decisions
        )
        self.executing, self.planned, self.withdrawing = [], False, False
        what = f"decision {', '.join(sorted(names))} counts" if names else "the withdrawal counts"
        self.note("decision_void", f"{what} no more: {why}", now)
        self.change(decisions=decisions, state=HoldState.BLOCKED)
        self.set_deadlines(now)

    # --- what people do ----------------------------------------------------------------------------------
    def add_decision(self, decision: HoldDecisionMade, act: DecideHold, now: datetime) -> None:
        """A first decision that was judged good."""
        said = ", ".join(f"{d.quantity:f} {d.kind.value}" for d in decision.dispositions)
        self.note(
            "decision", _with(said, act.comment), now, by=act.actor.user, role=act.actor.role, signature=act.signature
        )
        self._put(decision)
        if decision.state is DecisionState.AWAITS_SECOND:
            self.change(state=HoldState.AWAITS_SECOND)
            self.set_deadlines(now)
        else:
            self._go_on(now)

    def add_second(self, decision: HoldDecisionMade, act: CosignHold, now: datetime) -> None:
        """The second person has agreed, or not."""
        what = "cosigned" if act.agree else "rejected"
        text = _with(f"decision {decision.decision} {what}", act.comment)
        self.note(what, text, now, by=act.actor.user, role=act.actor.role, signature=act.signature)
        self._put(decision)
        if act.agree:
            self._go_on(now)
        else:
            self.change(state=HoldState.BLOCKED)
            self.set_deadlines(now)

    def _put(self, decision: HoldDecisionMade) -> None:
        others = tuple(d for d in self.record.decisions if d.decision != decision.decision)
        self.change(decisions=(*others, decision)[-KEPT_DECISIONS:])

    def _go_on(self, now: datetime) -> None:
        """All reasons decided: it is carried out. Else the roles of the others are still to decide."""
        if open_reasons(self.record):
            self.change(state=HoldState.BLOCKED)
            self.set_deadlines(now)
        else:
            self.change(state=HoldState.EXECUTING, due_at=None)
            self.rungs, self.executing, self.planned = [], [], False
            self.locate_now()

    def note_late(self, act: HoldAct, why: str, now: datetime) -> None:
        """It came too late: recorded, without effect on anything."""
        signature = getattr(act, "signature", None)
        self.note("late", _with(f"{act.kind}: {why}", act.comment), now, by=act.actor.user, role=act.actor.role,
                  signature=signature)  # fmt: skip
        if isinstance(act, DecideHold) and all(d.decision != act.action_id for d in self.record.decisions):
            late = HoldDecisionMade(
                decision=act.action_id,
                dispositions=act.dispositions,
                reasons=act.reasons,
                state=DecisionState.LATE,
                by=act.actor,
                at=now,
                signatures=(act.signature,) if act.signature else (),
            )
            self._put(late)

    def segregate(self, act: ConfirmSegregation, now: datetime) -> bool:
        """True where the count differs from what is held; where nobody knew how much it is, the count says it."""
        self.note("segregated", _with(f"{act.counted:f} {self.record.unit} at {act.location}", act.comment), now,
                  by=act.actor.user, role=act.actor.role)  # fmt: skip
        unknown = self.record.quantity == ZERO
        differs = not unknown and act.counted != self.record.quantity
        self.change(segregated=act.counted, segregated_at=act.location)
        if unknown:
            self.change(quantity=act.counted)
        self.content_changed("the material was counted after it", now)
        return differs

    def withdraw(self, act: WithdrawHold, now: datetime) -> None:
        """Opened in error: everything is freed, then the hold is over."""
        self.note("withdrawn", act.comment or "opened in error", now, by=act.actor.user, role=act.actor.role,
                  signature=act.signature)  # fmt: skip
        self.change(state=HoldState.EXECUTING, due_at=None)
        self.rungs, self.executing, self.planned = [], [], False
        self.locate_now()
        self.withdrawing = True

    # --- carrying out ------------------------------------------------------------------------------------
    def new_step(self, planned: Planned) -> HoldStep:
        """A step with the key of its own."""
        self.steps += 1
        key = None
        if planned.transaction is not None:
            t = planned.transaction
            name = f"hold:{self.record.hold}:{self.steps}"
            key = posting_key(self.record.plant, t.order, getattr(t, "operation", ""), t.type.value, (name,), 0)
        return HoldStep(
            number=self.steps, what=planned.what, key=key, transaction=planned.transaction, quantity=planned.quantity,
            message=planned.by_hand,
        )  # fmt: skip

    def show_steps(self) -> None:
        """The record's postings as the steps stand."""
        shown = {p.key: p for p in self.record.postings}
        for step in (*self.blocking, *self.executing):
            name = str(step.key or f"by-hand-{step.number}")
            shown[name] = HoldPosting(
                what=step.what,
                key=name,
                state=step.state,
                document=step.document,
                quantity=step.quantity,
                message=step.message,
            )
        postings = tuple(shown.values())
        if postings != self.record.postings:
            self.change(postings=postings)

    def block_stands(self, now: datetime) -> None:
        """How the ERP's block is after its steps: blocked, failed, or nothing in stock that could be blocked."""
        failed = any(s.state == "failed" for s in self.blocking)
        waiting = any(s.state == "waiting" for s in self.blocking)
        in_stock = self.located.position not in (MaterialPosition.IN_WORK, MaterialPosition.CONSUMED)
        erp = "failed" if failed else "pending" if waiting else "blocked" if in_stock else "none"
        changes: dict[str, object] = {}
        if erp != self.record.erp:
            changes["erp"] = erp
            if erp == "blocked" and self.record.erp_blocked_at is None:
                changes["erp_blocked_at"] = now
            self.note("erp", _ERP_SAID[erp], now)
        if self.located.position is not self.record.position:
            changes["position"] = self.located.position
        if changes:
            self.change(**changes)

    def finish_decision(self, now: datetime) -> bool:
        """All steps are done. True where the hold is over; else it goes on: rework, or what came meanwhile."""
        withdrawn, self.withdrawing = self.withdrawing, False
        carried = standing_decisions(self.record)
        dispositions = carried[0].dispositions if carried and not withdrawn else ()
        back = [d for d in dispositions if d.kind in COMES_BACK and d.quantity]
        decisions = tuple(
            d.model_copy(update={"executed_at": now}) if d in carried else d for d in self.record.decisions
        )
        self.change(decisions=decisions)
        self.executing, self.blocking, self.planned = [], [s for s in self.blocking if not s.is_over], False
        if back:
            rest = sum((d.quantity for d in back), ZERO)
            serials = tuple(s for d in back for s in d.serials)
            scope = self.record.scope.model_copy(update={"serials": serials}) if serials else self.record.scope
            self.results_from, self.settled = now, self.taken
            self.note("rework", f"{rest:f} {self.record.unit} are worked on and wait for a new inspection", now)
            self.change(quantity=rest, scope=scope, state=HoldState.AWAITS_INSPECTION, due_at=None)
            self.change(segregated=None, segregated_at="")
        if self.again:
            self.again = False
            self.change(state=HoldState.BLOCKED)
            self.set_deadlines(now)
            self.locate_now()
            return False
        if back:
            self.locate_now()
            return False
        self.change(state=HoldState.WITHDRAWN if withdrawn else HoldState.CLOSED, closed_at=now, due_at=None)
        self.change(erp="none" if self.record.erp == "none" else "released")
        self.note("closed", "withdrawn" if withdrawn else "all of it is decided and carried out", now)
        return True

    def reopen(self, now: datetime) -> None:
        """A reason came in the last moment: the hold is not over after all."""
        self.change(state=HoldState.BLOCKED, closed_at=None, erp="pending")
        self.note("goes_on", "a reason came before the hold was over", now)
        self.look_for_triggers = True
        self.cleared = False
        self.locate_now()
        self.set_deadlines(now)

    # --- deadlines ---------------------------------------------------------------------------------------
    def set_deadlines(self, now: datetime) -> None:
        """The next step's owner and time, from now on."""
        waits = self.record.state in (HoldState.BLOCKED, HoldState.AWAITS_SECOND)
        self.round += 1
        self.rungs = rungs_of(self.record, self.settings.times, now) if waits else []
        due = next((r.at for r in self.rungs if r.is_deadline), None)
        owner = self.rungs[0].role if self.rungs else self.record.owner_role
        self.change(due_at=due, owner_role=owner, level=0, escalated_to=())

    def next_rung(self, now: datetime) -> HoldRung | None:
        """The lowest rung that has come and was not climbed."""
        return next((r for r in self.rungs if r.level > self.record.level and r.at <= now), None)

    def wakes_at(self) -> list[datetime]:
        """Instants at which something is due without anybody doing anything."""
        rung = next((r.at for r in self.rungs if r.level > self.record.level), None)
        tries = [s.next_try_at for s in self.pending]
        return [at for at in (rung, self.look_at, *tries) if at is not None]


_STANDING = (DecisionState.AWAITS_SECOND, DecisionState.IN_FORCE)

_ERP_SAID = {
    "blocked": "the ERP has blocked it",
    "failed": "the ERP did not block it: a case is open, the local block stands",
    "pending": "the ERP is asked to block more of it",
    "none": "nothing of it is in stock yet: its receipts go to blocked stock",
}


def _with(text: str, comment: str) -> str:
    return f"{text}: {comment}" if comment else text
