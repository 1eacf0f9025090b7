"""Acting on holds and cases for whoever asks, page or API: permission, freshness, signature, and then the process.

What is finer than the permission table (four eyes, whose reason it is) is the workflow's to judge; its answer is told.
"""

from __future__ import annotations

from http import HTTPStatus

from console.problems import Refused
from console.who import Visitor
from domain.error_catalogue import may_decide
from domain.hold_decisions import DecisionRules, cosign_fault, judge_decision
from domain.permissions import CASE_ACTIONS, DISPOSITIONS, Action, may, may_act
from signals.decisions import Answer, DecideCase
from signals.documents import CaseAction
from signals.errors import BadInput
from signals.exceptions import CaseFile
from signals.holds import (
    CosignHold,
    DecideHold,
    DecisionState,
    HoldAct,
    HoldRecord,
    HoldState,
    WithdrawHold,
)
from signals.people import Actor, SignatureMeaning, content_hash

SIGNED = (DecideHold, CosignHold, WithdrawHold)
STALE = "the hold has changed since you opened it"


def may_on_hold(visitor: Visitor, record: HoldRecord) -> set[str]:
    """Names of the acts to offer. The workflow may still refuse, for example a second signature by the first person."""
    if record.state.is_over:
        return {"comment"} if visitor.may(Action.HOLD_COMMENT, record.plant, record.scope.line) else set()
    table = {
        "claim": Action.HOLD_CLAIM,
        "reassign": Action.HOLD_REASSIGN,
        "comment": Action.HOLD_COMMENT,
        "segregate": Action.HOLD_SEGREGATE,
        "withdraw": Action.HOLD_WITHDRAW,
    }
    found = {name for name, action in table.items() if visitor.may(action, record.plant, record.scope.line)}
    pending = any(d.state is DecisionState.AWAITS_SECOND for d in record.decisions)
    if pending and visitor.may(Action.HOLD_COSIGN, record.plant, record.scope.line):
        found.add("cosign")
    decides = any(visitor.may(action, record.plant, record.scope.line) for action in DISPOSITIONS.values())
    if decides and not pending and record.state is not HoldState.EXECUTING:
        found.add("decide")
    if record.assigned_to == visitor.user:
        found.discard("claim")
    return found


def decider(visitor: Visitor, record: HoldRecord, act: DecideHold, role: str) -> Actor:
    """The actor in whose role the decision is made: the one chosen, else the first whose decision would stand.

    Raises 403 where no role of the visitor may do all of it.
    """
    plant, line = record.plant, record.scope.line
    wanted = [DISPOSITIONS[d.kind] for d in act.dispositions]
    able = [a for a in visitor.able(wanted[0], plant, line) if not role or a.role == role]
    able = [a for a in able if not any(may(a, action, plant=plant, line=line) for action in wanted)]
    if not able:
        for action in wanted:
            visitor.acting(action, plant, line, role)
        raise Refused(HTTPStatus.FORBIDDEN, "none of your roles may do all of this")
    rules = DecisionRules(quality=visitor.services.plants[plant].quality)
    stands = (a for a in able if not _refused(record, act.model_copy(update={"actor": a}), rules, visitor))
    return next(stands, able[0])


def _refused(record: HoldRecord, act: DecideHold, rules: DecisionRules, visitor: Visitor) -> str:
    return judge_decision(record, act, rules, visitor.services.now()).refused


def cosigner(visitor: Visitor, record: HoldRecord, decision: str, role: str = "") -> Actor:
    """The actor that signs second: the one chosen, else the first that may by the four-eyes rules. Raises 403."""
    able = visitor.able(Action.HOLD_COSIGN, record.plant, record.scope.line)
    able = tuple(actor for actor in able if not role or actor.role == role) or able
    first = next((d for d in record.decisions if d.decision == decision), None)
    if first is None:
        return able[0]
    rules = DecisionRules(quality=visitor.services.plants[record.plant].quality)
    return next((actor for actor in able if not cosign_fault(record, first, actor, rules)), able[0])


async def act_on_hold(
    visitor: Visitor, record: HoldRecord, act: HoldAct, *, shown_hash: str, password: str, meaning: str
) -> Answer:
    """Send the act, signed where acts of its kind are. Raises Refused, BadInput, NoAnswer."""
    forbidden = may_act(act, plant=record.plant, line=record.scope.line)
    if forbidden:
        raise Refused(HTTPStatus.FORBIDDEN, forbidden)
    services = visitor.services
    if wants_signature(visitor, record, act):
        check_shown(record, shown_hash, meaning)
        shown, said = record.content(), SignatureMeaning(meaning)
        act = await services.accounts.sign(act.actor, password, act, shown, said)
    answer = await services.desk.act_on_hold(record.plant, record.hold, act)
    if not answer.accepted:
        raise BadInput(answer.message, subject=record.hold)
    return answer


def wants_signature(visitor: Visitor, record: HoldRecord, act: HoldAct) -> bool:
    """Whether an act of this kind is signed at this plant."""
    return isinstance(act, SIGNED) and visitor.services.plants[record.plant].quality.signatures == "required"


def check_shown(record: HoldRecord, shown_hash: str, meaning: str) -> None:
    """What is signed is what was shown. Raises 409 where the hold has changed, BadInput for an unknown meaning."""
    if shown_hash != content_hash(record.content()):
        raise Refused(HTTPStatus.CONFLICT, STALE, hint="look at it again, and sign what you see now")
    if meaning not in set(SignatureMeaning):
        known = ", ".join(SignatureMeaning)
        raise BadInput(f"{meaning!r} is no meaning of a signature", subject="meaning", hint=f"one of {known}")


def deciding(visitor: Visitor, file: CaseFile, action: CaseAction, lines: tuple[str, ...]) -> list[Actor]:
    """Actors of the visitor that may decide the case so: by the permission table and as the case's owner or above."""
    plant = file.case.plant
    wanted = CASE_ACTIONS[action]
    able: dict[str, Actor] = {}
    for line in lines or ("",):
        for actor in visitor.actors(plant):
            if not may(actor, wanted, plant=plant, line=line) and not may_decide(file.case, actor.role):
                able[actor.role] = actor
    return list(able.values())


def decider_of_case(
    visitor: Visitor, file: CaseFile, action: CaseAction, role: str, lines: tuple[str, ...]
) -> Actor:  # fmt: skip
    """The actor that decides: in the role that was chosen, else in the first that may. Raises 403 where none may."""
    able = deciding(visitor, file, action, lines)
    chosen = next((a for a in able if not role or a.role == role), None)
    if chosen is None:
        roles = [actor.role for actor in visitor.actors(file.case.plant)]
        reason = next((why for role in roles if (why := may_decide(file.case, role))), "")
        raise Refused(HTTPStatus.FORBIDDEN, reason or f"none of your roles may {CASE_ACTIONS[action].value}")
    return chosen


async def decide_case(visitor: Visitor, file: CaseFile, decision: DecideCase, lines: tuple[str, ...]) -> Answer:
    """Send the decision. Raises Refused where none of the visitor's roles may, BadInput, NoAnswer."""
    chosen = decider_of_case(visitor, file, decision.action, decision.role, lines)
    own = decision.model_copy(update={"by": visitor.user, "role": chosen.role, "actor": chosen})
    return await visitor.services.desk.decide_case(file.case.plant, file.case, own)
