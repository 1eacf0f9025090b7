"""The inbox: holds, cases and parked items as one list of tasks, sorted by due time. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from domain.error_catalogue import deciders, roles_at, severity_of
from domain.hold_decisions import deciders_of
from domain.permissions import Action, roles_of
from signals.exceptions import ListedCase
from signals.holds import HoldRecord
from signals.reports import ParkedItem


class TaskKind(StrEnum):
    HOLD = "hold"
    CASE = "exception"
    PARKED = "parked"


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

    @property
    def path(self) -> str:
        """Where it is opened."""
        folder = {TaskKind.HOLD: "holds", TaskKind.CASE: "cases", TaskKind.PARKED: "parked"}[self.kind]
        return f"/p/{self.plant}/{folder}/{self.id}"

    def is_for(self, user: str, roles: Iterable[str]) -> bool:
        """Whether it is on this person's list: taken on by them, or one of their roles is asked."""
        return self.assigned_to == user or bool(set(roles) & set(self.roles))


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
