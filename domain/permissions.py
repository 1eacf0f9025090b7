"""Who may do what: the one table that web, API, command line and workflows ask (design section 7, needs 29 and 41).

Pure. Finer rules stay where they are and are asked after this table: who owns a case (`domain.error_catalogue`), whose
role releases a reason and who signs second (`domain.hold_decisions`).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from domain.roles import Role, role_named
from signals.decisions import (
    ApprovePostings,
    AssignOrder,
    CancelOrderRequest,
    CompleteOrderRequest,
    DecideCase,
    DecideParked,
    Decision,
    VoidOrder,
)
from signals.documents import CaseAction
from signals.holds import (
    ClaimHold,
    CommentHold,
    ConfirmSegregation,
    CosignHold,
    DecideHold,
    HoldAct,
    HoldDispositionKind,
    ReassignHold,
    WithdrawHold,
)
from signals.people import Actor


class Action(StrEnum):
    """Everything that people do here. The value is what is said when it is refused: `… may not <value>`."""

    VIEW_BOARD = "see the line board"
    VIEW_ORDERS = "see orders"
    VIEW_LINES = "see lines"
    VIEW_HOLDS = "see holds"
    VIEW_CASES = "see exceptions and parked items"
    VIEW_STOPS = "see stops"
    VIEW_FLOWS = "see the catalogue of flows"
    VIEW_AUDIT = "see the audit trail"
    VIEW_MONEY = "see prices and costs"
    VIEW_USERS = "see users"

    ORDER_START = "start an order"
    ORDER_ASSIGN = "assign an order to a station"
    ORDER_COMPLETE = "complete an order"
    ORDER_CANCEL = "cancel an order"
    ORDER_VOID = "declare an order void"
    ORDER_APPROVE = "approve postings"

    CASE_RETRY = "retry a posting"
    CASE_AMEND = "amend a posting"
    CASE_SKIP = "skip a posting"
    CASE_COMPENSATE = "compensate a posting"
    CASE_ADOPT = "adopt a document"
    CASE_ACCEPT = "accept a case"
    CASE_POST = "let a hand entry stand"
    CASE_REVERSE = "reverse a hand entry"
    PARKED_DECIDE = "decide parked items"

    HOLD_OPEN = "open a hold"
    HOLD_CLAIM = "claim a hold"
    HOLD_REASSIGN = "reassign a hold"
    HOLD_COMMENT = "comment a hold"
    HOLD_SEGREGATE = "confirm segregated material"
    HOLD_RELEASE = "release held material"
    HOLD_REWORK = "send held material to rework"
    HOLD_REPAIR = "have held material repaired"
    HOLD_SCRAP = "scrap held material"
    HOLD_RETURN = "return held material"
    HOLD_COSIGN = "co-sign a decision on a hold"
    HOLD_WITHDRAW = "withdraw a hold"
    INSPECTION_RECORD = "record an inspection"

    STOP_ACKNOWLEDGE = "acknowledge a stop"
    STOP_CLASSIFY = "classify a stop"
    STOP_SPLIT = "split a stop"
    STOP_RECODE = "re-code a stop"
    STOP_SHELVE = "shelve a stop"
    STOP_JOIN = "join stops"
    STOP_CLOSE = "close a stop"
    CAPACITY_APPROVE = "approve a capacity change"
    REALLOCATION_APPROVE = "approve a reallocation"
    HANDOVER_ACKNOWLEDGE = "acknowledge a shift handover"

    USERS_MANAGE = "manage users"
    TOKENS_MANAGE = "manage API tokens"
    AUDIT_EXPORT = "export the audit trail"


_OPERATOR, _SUPERVISOR, _ENGINEER, _MANAGER, _MAINTENANCE = (
    Role.OPERATOR, Role.SUPERVISOR, Role.QUALITY_ENGINEER, Role.QUALITY_MANAGER, Role.MAINTENANCE,
)  # fmt: skip
_PLANNER, _FINANCE, _INTEGRATION, _AUDITOR, _ADMIN = (
    Role.PLANNER, Role.FINANCE, Role.INTEGRATION, Role.AUDITOR, Role.ADMIN,
)  # fmt: skip

_EVERYBODY = frozenset(Role)
_OFFICE = _EVERYBODY - {_OPERATOR}
_OWNERS_OF_CASES = _OFFICE - {_AUDITOR}
_LEADERS = frozenset({_SUPERVISOR, _PLANNER, _ADMIN})
_QUALITY = frozenset({_ENGINEER, _MANAGER})
_DISPOSERS = _QUALITY | {_SUPERVISOR}
_REPAIRERS = frozenset({_SUPERVISOR, _MAINTENANCE})

TABLE: dict[Action, frozenset[Role]] = {
    Action.VIEW_BOARD: _EVERYBODY,
    Action.VIEW_ORDERS: _EVERYBODY,
    Action.VIEW_LINES: _EVERYBODY,
    Action.VIEW_HOLDS: _EVERYBODY,
    Action.VIEW_CASES: _OFFICE,
    Action.VIEW_STOPS: _EVERYBODY,
    Action.VIEW_FLOWS: _EVERYBODY,
    Action.VIEW_AUDIT: frozenset({_MANAGER, _AUDITOR, _ADMIN}),
    Action.VIEW_MONEY: frozenset({_SUPERVISOR, _MANAGER, _PLANNER, _FINANCE, _AUDITOR, _ADMIN}),
    Action.VIEW_USERS: frozenset({_AUDITOR, _ADMIN}),
    Action.ORDER_START: _LEADERS,
    Action.ORDER_ASSIGN: _LEADERS | {_OPERATOR},
    Action.ORDER_COMPLETE: _LEADERS,
    Action.ORDER_CANCEL: _LEADERS,
    Action.ORDER_VOID: _LEADERS | {_FINANCE},
    Action.ORDER_APPROVE: _LEADERS | {_FINANCE},
    Action.CASE_RETRY: _OWNERS_OF_CASES,
    Action.CASE_AMEND: _OWNERS_OF_CASES,
    Action.CASE_SKIP: _OWNERS_OF_CASES,
    Action.CASE_COMPENSATE: _OWNERS_OF_CASES,
    Action.CASE_ADOPT: _OWNERS_OF_CASES,
    Action.CASE_ACCEPT: _OWNERS_OF_CASES,
    Action.CASE_POST: _OWNERS_OF_CASES,
    Action.CASE_REVERSE: _OWNERS_OF_CASES,
    Action.PARKED_DECIDE: _LEADERS | {_ENGINEER},
    Action.HOLD_OPEN: _QUALITY | {_OPERATOR, _SUPERVISOR, _MAINTENANCE, _PLANNER},
    Action.HOLD_CLAIM: _DISPOSERS,
    Action.HOLD_REASSIGN: _DISPOSERS | {_ADMIN},
    Action.HOLD_COMMENT: _EVERYBODY - {_AUDITOR, _INTEGRATION},
    Action.HOLD_SEGREGATE: _DISPOSERS | {_OPERATOR},
    Action.HOLD_RELEASE: _DISPOSERS,
    Action.HOLD_REWORK: _DISPOSERS,
    Action.HOLD_REPAIR: _QUALITY,
    Action.HOLD_SCRAP: _DISPOSERS,
    Action.HOLD_RETURN: _QUALITY,
    Action.HOLD_COSIGN: _DISPOSERS | {_PLANNER, _FINANCE},
    Action.HOLD_WITHDRAW: _QUALITY,
    Action.INSPECTION_RECORD: _DISPOSERS | {_OPERATOR},
    Action.STOP_ACKNOWLEDGE: _LEADERS | {_OPERATOR, _MAINTENANCE},
    Action.STOP_CLASSIFY: _REPAIRERS | {_OPERATOR},
    Action.STOP_SPLIT: _REPAIRERS,
    Action.STOP_RECODE: _REPAIRERS,
    Action.STOP_SHELVE: _REPAIRERS,
    Action.STOP_JOIN: _REPAIRERS,
    Action.STOP_CLOSE: _REPAIRERS,
    Action.CAPACITY_APPROVE: frozenset({_SUPERVISOR, _PLANNER}),
    Action.REALLOCATION_APPROVE: frozenset({_PLANNER}),
    Action.HANDOVER_ACKNOWLEDGE: frozenset({_SUPERVISOR}),
    Action.USERS_MANAGE: frozenset({_ADMIN}),
    Action.TOKENS_MANAGE: frozenset({_INTEGRATION, _ADMIN}),
    Action.AUDIT_EXPORT: frozenset({_MANAGER, _AUDITOR, _ADMIN}),
}
"""An administrator manages people and unblocks processes; material is disposed of by quality and shop floor."""

VIEWS = frozenset(action for action in Action if action.name.startswith("VIEW_"))
"""Pages and lists. Their rows are chosen by `visible`."""

BY_SERVICES = VIEWS | {Action.HOLD_OPEN, Action.INSPECTION_RECORD}
"""What a service account may do in its role: read, report a result, ask for a hold. Never decide, never sign."""

CASE_ACTIONS: dict[CaseAction, Action] = {
    CaseAction.RETRY: Action.CASE_RETRY,
    CaseAction.AMEND: Action.CASE_AMEND,
    CaseAction.SKIP: Action.CASE_SKIP,
    CaseAction.COMPENSATE: Action.CASE_COMPENSATE,
    CaseAction.ADOPT: Action.CASE_ADOPT,
    CaseAction.ACCEPT: Action.CASE_ACCEPT,
    CaseAction.POST: Action.CASE_POST,
    CaseAction.REVERSE: Action.CASE_REVERSE,
}

DISPOSITIONS: dict[HoldDispositionKind, Action] = {
    HoldDispositionKind.RELEASE: Action.HOLD_RELEASE,
    HoldDispositionKind.REWORK: Action.HOLD_REWORK,
    HoldDispositionKind.REPAIR: Action.HOLD_REPAIR,
    HoldDispositionKind.SCRAP: Action.HOLD_SCRAP,
    HoldDispositionKind.RETURN: Action.HOLD_RETURN,
}


def roles_of(action: Action) -> tuple[Role, ...]:
    """Roles that may do it, in the order of the role list."""
    return tuple(role for role in Role if role in TABLE[action])


def visible(actor: Actor, plant: str, line: str = "") -> bool:
    """Whether the actor may know that something of this plant and line exists.

    An empty `line` means that it belongs to the plant as a whole: whoever is limited to lines does not see it.
    What is not visible is answered like what does not exist.
    """
    return actor.plant == plant and (not actor.lines or line in actor.lines)


def visible_on_any(actor: Actor, plant: str, lines: Iterable[str]) -> bool:
    """The same for something that concerns several lines, such as an order: one of them is enough."""
    found = tuple(lines) or ("",)
    return any(visible(actor, plant, line) for line in found)


def may(actor: Actor, action: Action, *, plant: str, line: str = "") -> str:
    """Empty where the actor may do it, else why not, as a sentence.

    An empty `line` is the whole plant. For a view it is the page or list, whose rows are chosen by `visible`; anything
    else that concerns the whole plant is not for somebody who is limited to lines. The answer for another plant or
    line does not tell whether it exists.
    """
    who = actor.user
    if actor.plant != plant:
        return f"{who} knows no plant {plant}"
    if line and not visible(actor, plant, line):
        return f"{who} knows no line {line} at plant {plant}"
    role = role_named(actor.role)
    if role is None:
        return f"there is no role {actor.role!r}; roles are {', '.join(r.value for r in Role)}"
    if role not in TABLE[action]:
        return f"{role.value} may not {action.value}: {_or(roles_of(action))} may"
    if actor.service and action not in BY_SERVICES:
        return f"{who} is a service account: it reports and opens, a person must {action.value}"
    if not line and actor.lines and action not in VIEWS:
        return f"this concerns all of plant {plant}, and {who} is {role.value} for {', '.join(actor.lines)} only"
    return ""


def hold_actions(act: HoldAct) -> tuple[Action, ...]:
    """Everything that an act on a hold does; all of it must be permitted. A split decision does several things."""
    match act:
        case ClaimHold():
            return (Action.HOLD_CLAIM,)
        case ReassignHold():
            return (Action.HOLD_REASSIGN,)
        case CommentHold():
            return (Action.HOLD_COMMENT,)
        case ConfirmSegregation():
            return (Action.HOLD_SEGREGATE,)
        case DecideHold():
            return tuple(dict.fromkeys(DISPOSITIONS[d.kind] for d in act.dispositions))
        case CosignHold():
            return (Action.HOLD_COSIGN,)
        case WithdrawHold():
            return (Action.HOLD_WITHDRAW,)


def decision_action(decision: Decision) -> Action:
    """What a decision about an order, a line or a case does."""
    match decision:
        case AssignOrder():
            return Action.ORDER_ASSIGN
        case CompleteOrderRequest():
            return Action.ORDER_COMPLETE
        case CancelOrderRequest():
            return Action.ORDER_CANCEL
        case ApprovePostings():
            return Action.ORDER_APPROVE
        case VoidOrder():
            return Action.ORDER_VOID
        case DecideCase():
            return CASE_ACTIONS[decision.action]
        case DecideParked():
            return Action.PARKED_DECIDE


def may_on_any(actor: Actor, action: Action, *, plant: str, lines: Iterable[str]) -> str:
    """As `may` for something that concerns several lines: one of the actor's own is enough. None: the whole plant."""
    said = [may(actor, action, plant=plant, line=line) for line in tuple(lines) or ("",)]
    return "" if "" in said else said[0]


def may_act(act: HoldAct, *, plant: str, line: str = "") -> str:
    """Empty where the act's actor may do all of it, else the first reason why not."""
    refusals = (may(act.actor, action, plant=plant, line=line) for action in hold_actions(act))
    return next((said for said in refusals if said), "")


def _or(roles: tuple[Role, ...]) -> str:
    names = [role.value for role in roles]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
