"""The inbox: everything that waits for the visitor, in one list by due time."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.forms import new_action
from console.reading import cases_seen, stops_seen
from console.render import page
from console.tasks import Task, TaskKind, case_task, hold_task, in_order, parked_task, stop_task
from console.who import Visitor, page_for
from domain.permissions import Action
from domain.stop_review import looked_at
from signals.downtime import StopSearch
from signals.exceptions import CaseSearch
from signals.holds import HoldSearch

router = APIRouter()
MOST = 200
"""Rows on the page; more is said, not shown."""


@dataclass(frozen=True)
class Inbox:
    """The list with what was left out of it."""

    tasks: list[Task]
    total: int
    others: int


@router.get("/")
async def inbox(
    request: Request, all: str = "", kind: str = "", visitor: Visitor = page_for(Action.VIEW_BOARD)
) -> Response:
    found = await tasks_of(visitor)
    mine = [task for task in found if is_mine(visitor, task)]
    chosen = [task for task in (found if all else mine) if not kind or task.kind == kind]
    shown = Inbox(chosen[:MOST], len(chosen), len(found) - len(mine))
    counts = {k.value: sum(task.kind is k for task in (found if all else mine)) for k in TaskKind}
    zones = {config.plant.id: config.plant.zone for config in visitor.plants}
    return page(
        request,
        "inbox.html",
        inbox=shown,
        everything=bool(all),
        kind=kind,
        counts=counts,
        zones=zones,
        action_id=new_action(),
    )


def is_mine(visitor: Visitor, task: Task) -> bool:
    roles = {a.role for a in visitor.actors(task.plant) if not a.lines or not task.line or task.line in a.lines}
    return task.is_for(visitor.user, roles)


async def tasks_of(visitor: Visitor) -> list[Task]:
    """Everything open that the visitor may see, in order."""
    ledger = visitor.services.ledger
    found: list[Task] = []
    for config in visitor.plants:
        plant = config.plant.id
        if visitor.may(Action.VIEW_HOLDS, plant):
            holds = await ledger.holds(plant, HoldSearch())
            found += [hold_task(record) for record in holds if visitor.sees(plant, record.scope.line)]
        if visitor.may(Action.VIEW_STOPS, plant):
            now = visitor.services.now()
            stops = [looked_at(r, config, now) for r in await stops_seen(visitor, plant, StopSearch())]
            found += [task for record in stops if (task := stop_task(record, now)) is not None]
        if visitor.may(Action.VIEW_CASES, plant):
            cases = await ledger.find_cases(plant, CaseSearch())
            found += [case_task(plant, listed) for listed in await cases_seen(visitor, plant, cases)]
            found += [parked_task(i) for i in await ledger.parked(plant) if visitor.sees(plant, i.line)]
    return in_order(found)
