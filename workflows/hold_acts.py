"""What people do with a hold: verified, judged, applied, recorded, answered; one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.people import ActToVerify, PeopleActivities
    from domain.error_catalogue import judge
    from domain.hold_decisions import judge_cosign, judge_decision, judge_withdrawal
    from domain.hold_process import HoldProcess
    from domain.permissions import may_act
    from signals.decisions import Answer
    from signals.documents import Case, CaseKind
    from signals.holds import (
        ClaimHold,
        CommentHold,
        ConfirmSegregation,
        CosignHold,
        DecideHold,
        DecisionState,
        HoldAct,
        ReassignHold,
        WithdrawHold,
    )
    from signals.ids import case_id
    from signals.notify import NotificationKind
    from signals.people import content_hash
    from workflows.common import FEW_ATTEMPTS, LEDGER_TIMEOUT
    from workflows.hold_page import told

Outcome = tuple[bool, str]
"""Accepted, and what is said."""


class HoldActs:
    """The inbox of a hold's acts."""

    def __init__(self) -> None:
        self.waiting: deque[HoldAct] = deque()
        self._unanswered: dict[str, str] = {}

    def take(self, act: HoldAct, state: HoldProcess | None) -> None:
        """Put an act behind those that wait; one that was answered, or waits already, is not taken twice."""
        known = state is not None and act.action_id in state.answered
        if not known and all(a.action_id != act.action_id for a in self.waiting):
            self.waiting.append(act)

    async def answered(self, act: HoldAct, loaded: Callable[[], HoldProcess | None]) -> Answer:
        """Take it and wait for its answer."""
        self._unanswered.pop(act.action_id, None)
        self.take(act, loaded())

        def known() -> Answer | None:
            state = loaded()
            return state.answered.get(act.action_id) if state is not None else None

        await workflow.wait_condition(lambda: known() is not None or act.action_id in self._unanswered)
        answer = known()
        if answer is not None:
            return answer
        return Answer(decision_id=act.action_id, accepted=False, message=self._unanswered[act.action_id])

    async def take_next(self, state: HoldProcess, save: Callable[[], Awaitable[None]]) -> None:
        """The oldest act: its effect is in the ledger before it is answered, where the ledger answers."""
        act = self.waiting[0]
        try:
            refused = await self._verify(state, act)
        except ActivityError as error:
            # Nothing has happened: the same act may be sent again.
            self._unanswered[act.action_id] = f"the signature could not be verified: {error.cause}"
            self.waiting.popleft()
            return
        accepted, message = (False, refused) if refused else self._apply(state, act)
        if not refused:
            await save()
        state.answer(act.action_id, accepted, message)
        self.waiting.popleft()

    async def _verify(self, state: HoldProcess, act: HoldAct) -> str:
        """Who acts is asked of the ledger, and whether the signature fits what the act itself says was shown.

        Whether what was shown is still so, decides `domain.hold_decisions`: what is stale is late, and recorded.
        """
        record = state.record
        if state.settings.quality.signatures == "off":
            return may_act(act, plant=record.plant, line=record.scope.line)
        signature = getattr(act, "signature", None)
        shown = signature.content_hash if signature is not None else content_hash(record.content())
        asked = ActToVerify(plant=record.plant, act=act, content_hash=shown, line=record.scope.line, hold=record.hold)
        return await workflow.execute_activity_method(
            PeopleActivities.verify_act, asked, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
        )

    def _apply(self, state: HoldProcess, act: HoldAct) -> Outcome:
        """Judge and apply; nothing is awaited in between."""
        if isinstance(act, DecideHold):
            return self._decide(state, act)
        if isinstance(act, CosignHold):
            return self._cosign(state, act)
        now = workflow.now()
        if isinstance(act, WithdrawHold):
            verdict = judge_withdrawal(state.record, act, state.rules)
            if verdict.late:
                return _late(state, act, verdict.late)
            if verdict.refused:
                return False, verdict.refused
            state.withdraw(act, now)
            return True, "withdrawn: it is being unblocked"
        if isinstance(act, CommentHold):
            if not act.comment:
                return False, "say something: the comment is empty"
            state.note("comment", act.comment, now, by=act.actor.user, role=act.actor.role)
            return True, "noted"
        if state.record.state.is_over:
            return _late(state, act, f"hold {state.record.hold} is {state.record.state.value} already")
        return self._tend(state, act)

    def _tend(self, state: HoldProcess, act: ClaimHold | ReassignHold | ConfirmSegregation) -> Outcome:
        now = workflow.now()
        if isinstance(act, ConfirmSegregation):
            if state.segregate(act, now):
                state.cases.append(_count_differs(state, act))
                held = f"{state.record.quantity:f} {state.record.unit}"
                return True, f"noted; {held} are held, {act.counted:f} were counted: a case is open"
            return True, "noted"
        to = act.to if isinstance(act, ReassignHold) else act.actor.user
        before = f" (before: {state.record.assigned_to})" if state.record.assigned_to else ""
        state.note(act.kind, f"{to} has it now{before}", now, by=act.actor.user, role=act.actor.role)
        state.change(assigned_to=to)
        return True, f"{to} has it now"

    def _decide(self, state: HoldProcess, act: DecideHold) -> Outcome:
        now = workflow.now()
        verdict = judge_decision(state.record, act, state.rules, now)
        if verdict.late:
            return _late(state, act, verdict.late)
        if verdict.refused or verdict.decision is None:
            return False, verdict.refused
        decision = verdict.decision
        state.add_decision(decision, act, now)
        if decision.state is DecisionState.AWAITS_SECOND:
            roles = decision.needs_second
            said = ", ".join(f"{d.quantity:f} {d.kind.value}" for d in decision.dispositions)
            mark = f"second:{decision.decision}"
            second = told(state.record, NotificationKind.SECOND_SIGNATURE, mark, roles, said, now, by=act.actor.user)
            state.to_tell.append(second)
            return True, f"recorded; it waits for the second signature by {' or '.join(roles)}"
        undecided = len(state.record.reasons) - len(decision.reasons)
        if state.executes:
            return True, "recorded; it is being carried out"
        return True, f"recorded; {undecided} reason(s) are still to be decided by their own roles"

    def _cosign(self, state: HoldProcess, act: CosignHold) -> Outcome:
        verdict = judge_cosign(state.record, act, state.rules, workflow.now())
        if verdict.late:
            return _late(state, act, verdict.late)
        if verdict.refused or verdict.decision is None:
            return False, verdict.refused
        state.add_second(verdict.decision, act, workflow.now())
        if not act.agree:
            return True, "recorded; the decision has no effect, the hold is to be decided anew"
        said = "it is being carried out" if state.executes else "other reasons are still to be decided"
        return True, f"signed; {said}"


def _late(state: HoldProcess, act: HoldAct, why: str) -> Outcome:
    state.note_late(act, why, workflow.now())
    return False, f"too late, recorded without effect: {why}"


def _count_differs(state: HoldProcess, act: ConfirmSegregation) -> Case:
    record = state.record
    found = judge(CaseKind.HOLD_COUNT_DIFFERS)
    subject = f"{record.hold}:{act.action_id}"
    return Case(
        case_id=case_id(record.plant, "", CaseKind.HOLD_COUNT_DIFFERS.value, subject),
        plant=record.plant,
        order="",
        kind=CaseKind.HOLD_COUNT_DIFFERS,
        owner_role=found.owner.value,
        summary=(
            f"hold {record.hold}: {act.counted:f} {record.unit} of {record.scope.material or record.scope.order} were "
            f"segregated at {act.location}, {record.quantity:f} are held"
        ),
        allowed=found.trouble.actions,
        hold=record.hold,
    )
