"""Acting on stops for whoever asks, page or API: what is offered, in whose name, and then the stop's own process.

What is finer than the permission table (is it over, is it explained) is the process's to judge; its answer is told.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from console.forms import built
from console.problems import Refused, not_found
from console.who import Visitor
from domain.machine_time import DOWNTIME
from domain.permissions import Action
from domain.stop_permissions import may_act_on_stop
from signals.decisions import Answer
from signals.downtime import (
    AcknowledgeStop,
    CapacityState,
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
    StopRecord,
    StopState,
)
from signals.errors import BadInput
from signals.people import Actor

ACTS: dict[str, tuple[type[StopAct], Action]] = {
    "acknowledge": (AcknowledgeStop, Action.STOP_ACKNOWLEDGE),
    "classify": (ClassifyStop, Action.STOP_CLASSIFY),
    "split": (SplitStop, Action.STOP_SPLIT),
    "recode": (RecodeStop, Action.STOP_RECODE),
    "shelve": (ShelveStop, Action.STOP_SHELVE),
    "join": (JoinStop, Action.STOP_JOIN),
    "comment": (CommentStop, Action.STOP_ACKNOWLEDGE),
    "estimate": (EstimateRecovery, Action.STOP_ACKNOWLEDGE),
    "capacity": (DecideCapacity, Action.CAPACITY_APPROVE),
    "reallocate": (DecideReallocation, Action.REALLOCATION_APPROVE),
    "close": (CloseStop, Action.STOP_CLOSE),
}
"""By kind: the act, and what must be permitted; `domain.stop_permissions` has the last word."""


def may_on_stop(visitor: Visitor, record: StopRecord) -> set[str]:
    """Names of the acts to offer, as far as they make sense now. The process may still refuse."""
    return {
        kind
        for kind, (_, action) in ACTS.items()
        if kind in _sensible(record) and visitor.may(action, record.plant, record.line)
    }


def _sensible(record: StopRecord) -> set[str]:
    """What can be done with a stop as it stands."""
    if record.fact.micro or record.state is StopState.JOINED:
        return set()
    found = {"comment"}
    stands = record.fact.ended_at is None
    lost = [p for p in record.parts if p.time_class in DOWNTIME]
    if record.state is StopState.CLOSED:
        return found | ({"recode"} if lost else set())
    if stands:
        found |= {"shelve", "estimate"} | ({"acknowledge"} if record.state is not StopState.ACKNOWLEDGED else set())
    if any(not p.by for p in lost):
        found.add("classify")
    if lost:
        found |= {"split", "recode"}
    if record.capacity is CapacityState.PROPOSED:
        found.add("capacity")
    if any(r.state == "proposed" for r in record.reallocations):
        found.add("reallocate")
    if not stands and not record.notification and not record.postings:
        found.add("join")
    if not stands and record.is_classified:
        found.add("close")
    return found


def stop_actor(visitor: Visitor, record: StopRecord, kind: str, role: str = "") -> Actor:
    """In whose name an act of this kind is done. Raises 403, and 404 for an unknown kind."""
    if kind not in ACTS:
        raise not_found()
    return visitor.acting(ACTS[kind][1], record.plant, record.line, role)


def stop_act(actor: Actor, kind: str, values: dict[str, Any]) -> StopAct:
    """The act. Raises BadInput that names the field."""
    return built(ACTS[kind][0], actor=actor, **values)


async def act_on_stop(visitor: Visitor, record: StopRecord, act: StopAct) -> Answer:
    """Send the act. Raises Refused, BadInput, NoAnswer."""
    forbidden = may_act_on_stop(act, plant=record.plant, line=record.line)
    if forbidden:
        raise Refused(HTTPStatus.FORBIDDEN, forbidden)
    if record.fact.micro:
        raise BadInput("it is a micro-stop: it is counted, nobody explains it", subject=record.stop)
    answer = await visitor.services.desk.act_on_stop(record.plant, record.line, record.stop, act)
    if not answer.accepted:
        raise BadInput(answer.message, subject=record.stop)
    return answer
