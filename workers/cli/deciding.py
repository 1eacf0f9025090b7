"""Deciding cases one by one and for one cause at once.

Sub-decisions of a bulk decision have ids derived from its own, so that a repeat goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from domain.error_catalogue import deciders
from domain.permissions import CASE_ACTIONS
from signals.decisions import Answer, DecideCase
from signals.documents import Case, CaseAction
from signals.errors import BadInput, NoAnswer
from signals.exceptions import CaseSearch, ListedCase
from signals.people import Actor
from workers.cli.office import Office
from workers.cli.who import Decider

AT_ONCE = 8
"""Decisions under way at the same time."""


@dataclass(frozen=True)
class Filter:
    """Which open cases are meant, by their cause."""

    code: str = ""
    error_class: str = ""
    order: str = ""
    owner: str = ""
    material: str = ""
    overdue: bool = False

    @property
    def is_empty(self) -> bool:
        return not any((self.code, self.error_class, self.order, self.owner, self.material, self.overdue))

    def search(self, *, open_only: bool = True) -> CaseSearch:
        return CaseSearch(
            code=self.code,
            error_class=self.error_class,
            order=self.order,
            owner=self.owner,
            material=self.material,
            due_before=datetime.now(UTC) if self.overdue else None,
            open_only=open_only,
        )


@dataclass
class Wish:
    """What a person wants done with every case that is meant. `by` and `role` as given until `decided_by` is asked."""

    action: CaseAction
    by: str
    role: str
    reason: str
    decision_id: str
    document: str = ""
    actor: Actor | None = None

    async def decided_by(self, place: Office, cases: Sequence[Case]) -> Wish:
        """The wish in the name and role of who is at the terminal. Raises BadInput where they may not."""
        decider = await decider_of(place, cases, self.action, by=self.by, role=self.role)
        return replace(self, by=decider.by, role=decider.role, actor=decider.actor)

    def for_case(self, case: Case, *, bulk: bool) -> DecideCase:
        return DecideCase(
            decision_id=f"{self.decision_id}:{case.case_id}" if bulk else self.decision_id,
            case_id=case.case_id,
            actor=self.actor,
            action=self.action,
            by=self.by,
            role=self.role,
            reason=self.reason,
            document=self.document,
        )


@dataclass
class Outcome:
    """What became of a wish, case by case."""

    asked: int = 0
    decided: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return len(self.decided) + len(self.refused)


async def decide_one(place: Office, case: Case, decision: DecideCase) -> Answer:
    """Raises BadInput where the decision is refused, NoAnswer where no worker answers."""
    return await place.desk.decide_case(place.plant_id, case, decision)


async def decide_many(
    place: Office, cases: Sequence[Case], wish: Wish, *, bulk: bool, tell: Callable[[Outcome], None]
) -> Outcome:
    """Decide them all, a few at a time; a refusal of one holds up no other. Raises NoAnswer where nobody answers."""
    outcome = Outcome(asked=len(cases))
    await place.client()  # one connection, made before many want it
    turn = asyncio.Semaphore(AT_ONCE)

    async def decide(case: Case) -> None:
        async with turn:
            try:
                await decide_one(place, case, wish.for_case(case, bulk=bulk))
                outcome.decided.append(case.case_id)
            except BadInput as error:
                outcome.refused[case.case_id] = str(error)
            tell(outcome)

    try:
        async with asyncio.TaskGroup() as group:
            for case in cases:
                group.create_task(decide(case))
    except BaseExceptionGroup as failed:
        first = failed.exceptions[0]
        if isinstance(first, NoAnswer):
            again = f"give --decision-id {wish.decision_id} again to go on where it stopped" if bulk else first.hint
            raise NoAnswer(f"{outcome.done} of {outcome.asked} decided; {first}", hint=again) from failed
        raise first from failed
    return outcome


async def named_cases(place: Office, ids: Sequence[str]) -> list[Case]:
    """The cases with these ids, in any state. Raises BadInput for one that the plant does not have."""
    found: list[Case] = []
    who = await place.who()
    for case_id in dict.fromkeys(ids):
        file = await place.ledger.case_file(place.plant_id, case_id)
        if file is None or not (who.sees_all or who.sees(await place.lines_of_order(file.case.order))):
            hint = "`plantwright exceptions list --plant …` shows the open ones"
            raise BadInput(f"plant {place.plant_id} has no case {case_id}", subject=case_id, hint=hint)
        found.append(file.case)
    return found


async def meant_cases(place: Office, wanted: Filter, action: CaseAction) -> list[ListedCase]:
    """Open, undecided cases of one cause that the action settles."""
    found = await cases_seen(place, wanted)
    return [listed for listed in found if listed.action == "" and action in listed.case.allowed]


async def cases_seen(place: Office, wanted: Filter, *, open_only: bool = True) -> list[ListedCase]:
    """The cases that are meant, as far as they exist for who asks."""
    found = await place.ledger.find_cases(place.plant_id, wanted.search(open_only=open_only))
    who = await place.who()
    if who.sees_all:
        return found
    lines = {order: await place.lines_of_order(order) for order in {listed.case.order for listed in found}}
    return [listed for listed in found if who.sees(lines[listed.case.order])]


async def decider_of(place: Office, cases: Sequence[Case], action: CaseAction, *, by: str, role: str) -> Decider:
    """Who decides these cases: in the role given, else in one that the first case asks for.

    Raises BadInput where the permission table refuses it for any of them.
    """
    who, asked = await place.who(), CASE_ACTIONS[action]
    if who.free:
        return who.decider(asked, by=by, role=role)
    chosen = Decider(who.user, role)
    everywhere = not any(actor.lines for actor in who.actors)
    for number, case in enumerate(cases):
        lines = () if everywhere else await place.lines_of_order(case.order)
        held = chosen.role if number else role
        chosen = who.decider(asked, by=by, role=held, prefer=deciders(case), lines=lines)
    return chosen
