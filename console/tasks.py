"""The inbox: holds, stops, cases and parked items as one list of tasks, sorted by due time. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from domain.error_catalogue import deciders, roles_at, severity_of
from domain.hold_decisions import deciders_of
from domain.permissions import Action, roles_of
from domain.roles import Role
from domain.stop_ladder import is_quiet
from signals.downtime import CapacityState, StopRecord, StopState
from signals.exceptions import ListedCase
from signals.holds import HoldRecord
from signals.reports import ParkedItem


class TaskKind(StrEnum):
    HOLD = "hold"
    CASE = "exception"
    PARKED = "parked"
    STOP = "stop"


@dataclass(frozen=True)
class Task:
    """One thing that waits for a person."""

    kind: TaskKind
    plant: str
    id: str
    title: str
    detail: str
    order: str
    line: str
    material: str
    state: str
    since: datetime
    due: datetime | None
    severity: int
    roles: tuple[str, ...]
    assigned_to: str = ""
    users: tuple[str, ...] = ()
    """Who is called by name."""
    todo: str = ""
    """Of a stop: what is to be done with it."""

    @property
    def path(self) -> str:
        """Where it is opened."""
        names = {TaskKind.HOLD: "holds", TaskKind.CASE: "cases", TaskKind.PARKED: "parked", TaskKind.STOP: "stops"}
        folder = names[self.kind]
        return f"/p/{self.plant}/{folder}/{self.id}"

    def is_for(self, user: str, roles: Iterable[str]) -> bool:
        """Whether it is on this person's list: taken on by them, or one of their roles is asked."""
        return user in (self.assigned_to, *self.users) or bool(set(roles) & set(self.roles))


def hold_task(record: HoldRecord) -> Task:
    """A hold: of its owner, of those it climbed to, and of those whose second signature is wanted."""
    scope = record.scope
    return Task(
        kind=TaskKind.HOLD,
        plant=record.plant,
        id=record.hold,
        title=record.reasons[0].text if record.reasons else "",
        detail=f"+{len(record.reasons) - 1}" if len(record.reasons) > 1 else "",
        order=scope.order,
        line=scope.line,
        material=scope.material,
        state=record.state.value,
        since=record.opened_at,
        due=record.due_at,
        severity=max(1, 2 - record.level),
        roles=tuple(dict.fromkeys((record.owner_role, *record.escalated_to, *deciders_of(record)))),
        assigned_to=record.assigned_to,
    )


def stop_task(record: StopRecord, now: datetime) -> Task | None:
    """A stop that waits for somebody, of those whom its ladder has called; None where nobody need do anything.

    Called people acknowledge it; who has taken it on, or was called, explains it; an approval waits for its own roles.
    """
    doing = _waits_for(record, now)
    if not doing:
        return None
    called = [r for r in record.rungs if r.fired_at is not None]
    roles = [role for rung in called for role in rung.roles]
    if "classify" in doing:
        roles += [record.owner_role] + ([Role.OPERATOR.value] if record.fact.ended_at is not None else [])
    if "capacity" in doing:
        roles += [role.value for role in roles_of(Action.CAPACITY_APPROVE)]
    if "reallocate" in doing:
        roles += [role.value for role in roles_of(Action.REALLOCATION_APPROVE)]
    part = next((p for p in reversed(record.parts) if p.order), None)
    reason = next((p.reason_text for p in reversed(record.parts) if p.reason_text), "unknown")
    return Task(
        kind=TaskKind.STOP,
        plant=record.plant,
        id=f"{record.line}/{record.stop}",
        title=record.line,
        detail=reason,
        todo=doing[0],
        order=part.order if part else "",
        line=record.line,
        material="",
        state=record.state.value,
        since=record.fact.started_at,
        due=record.due_at,
        severity=max(1, 3 - record.level),
        roles=tuple(dict.fromkeys(roles)),
        assigned_to=record.assigned_to,
        users=tuple(dict.fromkeys(user for rung in called for user in rung.users)),
    )


def _waits_for(record: StopRecord, now: datetime) -> list[str]:
    """What is to be done with a stop, the most urgent first."""
    if record.state.is_over or record.fact.micro:
        return []
    stands = record.fact.ended_at is None
    shelved = record.shelved_until is not None and now < record.shelved_until
    called = any(r.fired_at is not None for r in record.rungs)
    found: list[str] = []
    if stands and record.state is StopState.OPEN and called and not shelved and not is_quiet(record.parts):
        found.append("acknowledge")
    if not record.is_classified and (called or not stands) and not shelved:
        found.append("classify")
    if record.capacity is CapacityState.PROPOSED:
        found.append("capacity")
    if any(r.state == "proposed" for r in record.reallocations):
        found.append("reallocate")
    return found


def case_task(plant: str, listed: ListedCase) -> Task:
    """An exception: of its owner and of those it climbed to."""
    case = listed.case
    return Task(
        kind=TaskKind.CASE,
        plant=plant,
        id=case.case_id,
        title=case.summary,
        detail=case.error_code,
        order=case.order,
        line="",
        material=listed.material,
        state=case.error_class or case.kind.value,
        since=case.opened_at or datetime.min.replace(tzinfo=UTC),
        due=case.due_at,
        severity=severity_of(case, listed.level),
        roles=roles_at(case, listed.level) or tuple(role.value for role in deciders(case)),
    )


def parked_task(item: ParkedItem) -> Task:
    """Parked production: of everybody who may decide it."""
    return Task(
        kind=TaskKind.PARKED,
        plant=item.plant,
        id=item.item,
        title=item.detail,
        detail=f"{item.yield_quantity:f} {item.unit}".strip() if item.yield_quantity else "",
        order=item.order,
        line=item.line,
        material="",
        state=item.why.value,
        since=item.at,
        due=None,
        severity=3,
        roles=tuple(role.value for role in roles_of(Action.PARKED_DECIDE)),
    )


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """By due time, those without one last; then the more urgent, then the older."""
    far = datetime.max.replace(tzinfo=UTC)
    return sorted(tasks, key=lambda task: (task.due or far, task.severity, task.since, task.id))
