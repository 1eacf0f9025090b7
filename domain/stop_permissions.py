"""Which action of the permission table an act on a stop is. Pure."""

from __future__ import annotations

from domain.permissions import Action, may
from signals.downtime import (
    AcknowledgeStop,
    ClassifyStop,
    CloseStop,
    CommentStop,
    DecideCapacity,
    DecideReallocation,
    EstimateRecovery,
    JoinStop,
    RecodeStop,
    ShelveStop,
    SplitStop,
    StopAct,
)


def stop_action(act: StopAct) -> Action:
    """What must be permitted. Who may acknowledge may comment, and say when the line is expected to run."""
    match act:
        case AcknowledgeStop() | CommentStop() | EstimateRecovery():
            return Action.STOP_ACKNOWLEDGE
        case ClassifyStop():
            return Action.STOP_CLASSIFY
        case SplitStop():
            return Action.STOP_SPLIT
        case RecodeStop():
            return Action.STOP_RECODE
        case ShelveStop():
            return Action.STOP_SHELVE
        case JoinStop():
            return Action.STOP_JOIN
        case CloseStop():
            return Action.STOP_CLOSE
        case DecideCapacity():
            return Action.CAPACITY_APPROVE
        case DecideReallocation():
            return Action.REALLOCATION_APPROVE


def may_act_on_stop(act: StopAct, *, plant: str, line: str) -> str:
    """Empty where the act's actor may do it, else why not."""
    return may(act.actor, stop_action(act), plant=plant, line=line)
