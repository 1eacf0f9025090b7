"""Who may decide what about held material: sums, each reason by its own role, four eyes, late and stale decisions.

Pure. The permission table is asked before (`domain.permissions`), signatures are verified by an activity.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import Field

from domain.permissions import TABLE, Action, may_act
from domain.plant_quality import QualityConfig
from domain.roles import LADDER, Role, role_named
from signals.base import ZERO, Message, UtcTime
from signals.holds import (
    CosignHold,
    DecideHold,
    DecisionState,
    HoldCause,
    HoldDecisionMade,
    HoldDisposition,
    HoldDispositionKind,
    HoldRecord,
    HoldState,
    InspectionOutcome,
    WithdrawHold,
)
from signals.people import Actor, content_hash

K = HoldDispositionKind

MAKES_USABLE = (K.RELEASE, K.REPAIR)
"""What goes out without full conformity being shown anew: every reason must be decided by its own role."""

COMES_BACK = (K.REWORK, K.REPAIR)
"""What is worked on and must pass an inspection before anybody decides about it again."""

QUALITY_MANAGER = Role.QUALITY_MANAGER.value


class DecisionRules(Message):
    """What the plant and the order say about deciding this hold."""

    quality: QualityConfig = QualityConfig()
    needs_serials: bool = Field(default=False, description="the order's serial profile asks for serial numbers")
    results_from: UtcTime | None = Field(default=None, description="inspections before it are of before the rework")


@dataclass(frozen=True)
class Verdict:
    """What becomes of an act: refused (nothing happens), late (recorded, no effect), or the decision it makes."""

    refused: str = ""
    late: str = ""
    decision: HoldDecisionMade | None = None


# --- the first decision ----------------------------------------------------------------------------------------------


def judge_decision(record: HoldRecord, act: DecideHold, rules: DecisionRules, now: datetime) -> Verdict:
    """The decision as it would be recorded; it does not change the hold."""
    late = _late(record, act)
    if late:
        return Verdict(late=late)
    refused = (
        may_act(act, plant=record.plant, line=record.scope.line)
        or _not_now(record)
        or initiator_fault(record, act.actor, rules.quality)
        or sum_fault(record, act.dispositions)
        or _serial_fault(record, act.dispositions, rules)
    )
    if refused:
        return Verdict(refused=refused)
    reasons, refused = _decided_reasons(record, act)
    refused = refused or _differs(record, act.dispositions)
    if refused:
        return Verdict(refused=refused)
    needs = second_roles(record, act.dispositions, act.actor, rules)
    decision = HoldDecisionMade(
        decision=act.action_id,
        dispositions=act.dispositions,
        reasons=reasons,
        state=DecisionState.AWAITS_SECOND if needs else DecisionState.IN_FORCE,
        by=act.actor,
        at=now,
        needs_second=needs,
        signatures=(act.signature,) if act.signature else (),
    )
    return Verdict(decision=decision)


def _late(record: HoldRecord, act: DecideHold | CosignHold | WithdrawHold) -> str:
    """Why the act comes too late: the hold is over or decided, or it was shown as it is no more."""
    if record.state.is_over:
        return f"hold {record.hold} is {record.state.value} already"
    if record.state is HoldState.EXECUTING:
        return f"hold {record.hold} is decided already, the decision is being carried out"
    stale = act.signature is not None and act.signature.content_hash != content_hash(record.content())
    return "the hold has changed since it was shown: look at it again and decide anew" if stale else ""


def _not_now(record: HoldRecord) -> str:
    if record.state is HoldState.AWAITS_SECOND:
        first = next(d for d in record.decisions if d.state is DecisionState.AWAITS_SECOND)
        return f"decision {first.decision} of {first.by.user} waits for its second signature: agree or disagree with it"
    if record.state is HoldState.AWAITS_INSPECTION:
        return f"hold {record.hold} waits for a new result of the reworked pieces"
    return ""


def initiator_fault(record: HoldRecord, actor: Actor, quality: QualityConfig) -> str:
    """Who opened a hold does not decide it."""
    if actor.user == record.opened_by and not quality.initiator_may_decide:
        return f"{actor.user} opened the hold: another person decides about it"
    return ""


def sum_fault(record: HoldRecord, dispositions: tuple[HoldDisposition, ...]) -> str:
    """Every held piece gets one disposition."""
    total = sum((d.quantity for d in dispositions), ZERO)
    if total != record.quantity:
        return f"{record.quantity:f} {record.unit} are held, the dispositions sum to {total:f}"
    kinds = [d.kind for d in dispositions if not d.serials]
    twice = next((k for k in kinds if kinds.count(k) > 1), None)
    if twice is not None:
        return f"{twice.value} is given twice: add the quantities up"
    if len(dispositions) > 1 and any(d.quantity <= 0 for d in dispositions):
        return "a disposition of nothing: leave it out"
    return ""


def _serial_fault(record: HoldRecord, dispositions: tuple[HoldDisposition, ...], rules: DecisionRules) -> str:
    named = [serial for d in dispositions for serial in d.serials]
    if len(named) != len(set(named)):
        return f"serial number {next(s for s in named if named.count(s) > 1)} is given two dispositions"
    known = set(record.scope.serials)
    if known and (strange := sorted(set(named) - known)):
        return f"serial number {strange[0]} is not held here"
    wrong = next((d for d in dispositions if d.serials and len(d.serials) != d.quantity), None)
    if wrong is not None:
        return f"{len(wrong.serials)} serial numbers for {wrong.quantity:f} pieces to {wrong.kind.value}"
    if known and len(dispositions) > 1 and any(not d.serials for d in dispositions):
        return "the held pieces have serial numbers: say which of them get which disposition"
    without = rules.needs_serials or any(r.cause is HoldCause.NO_SERIAL for r in record.reasons)
    usable = next((d for d in dispositions if d.kind in MAKES_USABLE and not d.serials), None)
    if without and not known and usable is not None:
        return f"pieces without serial number are not to {usable.kind.value}: identify them first, or scrap or rework"
    return ""


def _decided_reasons(record: HoldRecord, act: DecideHold) -> tuple[tuple[str, ...], str]:
    """The reasons that the act decides. Where nothing becomes usable, one role decides for all of them."""
    own = tuple(r.reason for r in record.reasons if may_release(act.actor.role, r.release_role))
    roles = " or ".join(sorted({r.release_role for r in record.reasons}))
    if not own:
        return (), f"the reasons of hold {record.hold} are released by {roles}, not by {act.actor.role}"
    if not any(d.kind in MAKES_USABLE for d in act.dispositions):
        return tuple(r.reason for r in record.reasons), ""
    wanted = act.reasons or tuple(r for r in own if r not in reasons_in_force(record)) or own
    foreign = next((r for r in wanted if r not in own), None)
    if foreign is not None:
        role = next((r.release_role for r in record.reasons if r.reason == foreign), "")
        told = f"is released by {role}, not by {act.actor.role}" if role else f"is none of hold {record.hold}"
        return (), f"reason {foreign} {told}"
    return wanted, ""


def may_release(role: str, release_role: str) -> bool:
    """The reason's own role, or whoever stands above it on the ladder; to administer is no reason to decide."""
    own = role_named(release_role)
    if own is None or role_named(role) is None:
        return False
    return role_named(role) in (own, *(r for r in LADDER[own] if r is not Role.ADMIN))


def _differs(record: HoldRecord, dispositions: tuple[HoldDisposition, ...]) -> str:
    """Roles that decide one after the other decide the same."""
    before = next(iter(standing_decisions(record)), None)
    if before is None or _sorted(before.dispositions) == _sorted(dispositions):
        return ""
    said = ", ".join(f"{d.quantity:f} {d.kind.value}" for d in before.dispositions)
    return f"{before.by.user} decided {said} for other reasons: decide the same, or agree first"


def _sorted(dispositions: tuple[HoldDisposition, ...]) -> list[tuple[str, Decimal, tuple[str, ...]]]:
    return sorted((d.kind.value, d.quantity, tuple(sorted(d.serials))) for d in dispositions)


def standing_decisions(record: HoldRecord) -> tuple[HoldDecisionMade, ...]:
    """Decisions that are in force and not carried out yet."""
    return tuple(d for d in record.decisions if d.state is DecisionState.IN_FORCE and d.executed_at is None)


def reasons_in_force(record: HoldRecord) -> set[str]:
    """Reasons about which a decision is in force."""
    return {r for d in standing_decisions(record) for r in d.reasons}


def open_reasons(record: HoldRecord) -> tuple[str, ...]:
    """Reasons that nobody has decided yet."""
    decided = reasons_in_force(record)
    return tuple(r.reason for r in record.reasons if r.reason not in decided)


# --- four eyes -------------------------------------------------------------------------------------------------------


def second_roles(
    record: HoldRecord, dispositions: tuple[HoldDisposition, ...], first: Actor, rules: DecisionRules
) -> tuple[str, ...]:
    """Roles one of which must sign too, always of another function than the first; empty where one is enough.

    The role that the plant names is needed once: where the first signer has it, the reasons' own roles sign second.
    """
    kinds = [d.kind for d in dispositions if d.quantity or len(dispositions) == 1]
    wanted = [set(roles) for kind in kinds if (roles := rules.quality.four_eyes.get(kind, ()))]
    scrapped = sum((d.quantity for d in dispositions if d.kind is K.SCRAP), ZERO)
    limit = rules.quality.four_eyes_quantity
    if limit is not None and scrapped > limit:
        wanted.append({QUALITY_MANAGER})
    if conflicts_of(record, rules) and any(d.kind in MAKES_USABLE for d in dispositions):
        wanted.append({QUALITY_MANAGER})
    if not wanted:
        return ()
    common = {role for role in wanted[0] if all(role in roles for roles in wanted)} or {QUALITY_MANAGER}
    if first.role not in common:
        return tuple(sorted(common))
    own = {r.release_role for r in record.reasons} | {Role.QUALITY_ENGINEER.value}
    return tuple(sorted(own - {first.role}))


def judge_cosign(record: HoldRecord, act: CosignHold, rules: DecisionRules, now: datetime) -> Verdict:
    """The first decision with the second person's agreement, or rejected by it."""
    first = next((d for d in record.decisions if d.decision == act.decision), None)
    late = _late(record, act)
    if late:
        return Verdict(late=late)
    if first is None:
        return Verdict(refused=f"hold {record.hold} has no decision {act.decision}")
    if first.state is not DecisionState.AWAITS_SECOND:
        return Verdict(late=f"decision {act.decision} is {first.state.value.replace('_', ' ')} already")
    refused = may_act(act, plant=record.plant, line=record.scope.line) or cosign_fault(record, first, act.actor, rules)
    if refused:
        return Verdict(refused=refused)
    signed = (*first.signatures, act.signature) if act.signature else first.signatures
    state = DecisionState.IN_FORCE if act.agree else DecisionState.REJECTED
    return Verdict(decision=first.model_copy(update={"state": state, "second": act.actor, "signatures": signed}))


def cosign_fault(record: HoldRecord, first: HoldDecisionMade, actor: Actor, rules: DecisionRules) -> str:
    """Two approvers are different people of different functions, and neither opened the hold."""
    if actor.user == first.by.user:
        return f"{actor.user} has made this decision: another person signs second"
    if actor.role == first.by.role:
        return f"{first.by.user} decided as {first.by.role}: the second person has another function"
    if actor.role not in first.needs_second:
        return f"the second signature is {' or '.join(first.needs_second)}'s, not {actor.role}'s"
    return initiator_fault(record, actor, rules.quality)


# --- withdrawing -----------------------------------------------------------------------------------------------------


def judge_withdrawal(record: HoldRecord, act: WithdrawHold, rules: DecisionRules) -> Verdict:
    """Opened in error: what says that nothing is wrong needs the same roles as a release, and no failed result."""
    late = _late(record, act)
    if late:
        return Verdict(late=late)
    foreign = next((r for r in record.reasons if not may_release(act.actor.role, r.release_role)), None)
    refused = (
        may_act(act, plant=record.plant, line=record.scope.line)
        or _not_now(record)
        or initiator_fault(record, act.actor, rules.quality)
        or (f"reason {foreign.reason} is released by {foreign.release_role}" if foreign else "")
    )
    failed = [i.inspection for i in record.inspections if not i.passed]
    if not refused and failed:
        refused = f"inspection {failed[-1]} failed: decide about the material instead of withdrawing the hold"
    return Verdict(refused=refused)


# --- inspections -----------------------------------------------------------------------------------------------------


def conflicts_of(record: HoldRecord, rules: DecisionRules) -> tuple[str, ...]:
    """Inspections that say different things of the same pieces, as sentences; results of before a rework are past."""
    found = [f"reason {r.reason}: {r.text}" for r in record.reasons if r.cause is HoldCause.CONFLICT]
    if rules.results_from is not None:
        found = []
    said: dict[tuple[str, str, str], InspectionOutcome] = {}
    for outcome in record.inspections:
        if rules.results_from is not None and outcome.at < rules.results_from:
            continue
        for characteristic, passed in _results(outcome):
            key = (outcome.serial, outcome.batch, characteristic)
            before = said.setdefault(key, outcome)
            if dict(_results(before))[characteristic] != passed:
                what = outcome.serial or outcome.batch or outcome.material
                named = characteristic or "the whole"
                found.append(f"{before.inspection} and {outcome.inspection} disagree about {named} of {what}")
    return tuple(dict.fromkeys(found))


def _results(outcome: InspectionOutcome) -> list[tuple[str, bool]]:
    return [("", outcome.passed), *((r.characteristic, r.passed) for r in outcome.results)]


def deciders_of(record: HoldRecord) -> tuple[str, ...]:
    """Roles that have the next step."""
    if record.state is HoldState.AWAITS_SECOND:
        return next((d.needs_second for d in record.decisions if d.state is DecisionState.AWAITS_SECOND), ())
    undecided = open_reasons(record) or tuple(r.reason for r in record.reasons)
    roles = [r.release_role for r in record.reasons if r.reason in undecided]
    return tuple(dict.fromkeys(r for r in roles if role_named(r) in TABLE[Action.HOLD_SCRAP]) or dict.fromkeys(roles))
