"""Everybody who may ask: role x plant x lines x person or service; and what the requirements say they are answered.

The judge is `tests.domain.permission_table`, written by hand. Nothing here looks at `domain.permissions`.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

from ledger.people_port import Grant
from signals.people import Actor
from tests.domain.permission_table import ACTIONS, COLUMNS, MAY, SERVICE_MAY
from workers.people import People

PASSWORD = "four words are enough"


class Place(StrEnum):
    """Where the role is granted. Asked is about things of `line` at the own plant."""

    WHOLE = "whole"
    LINE = "line"
    OTHER_LINE = "other-line"
    OTHER_PLANT = "elsewhere"
    OTHER_PLANT_LINE = "elsewhere-line"
    NOWHERE = "nowhere"


class Answer(StrEnum):
    """What a door says."""

    DONE = "done"
    FORBIDDEN = "forbidden"
    UNSEEN = "unseen"


@dataclass(frozen=True)
class Asker:
    """Somebody in one role."""

    role: str
    place: Place
    service: bool

    @property
    def login(self) -> str:
        return f"{self.role.replace(' ', '-')}-{self.place}-{'s' if self.service else 'p'}"

    @property
    def is_here(self) -> bool:
        """Whether the role is granted at the plant that is asked about."""
        return self.place in (Place.WHOLE, Place.LINE, Place.OTHER_LINE)

    def grants(self, plant: str, other: str, line: str, other_line: str) -> tuple[Grant, ...]:
        if self.place is Place.NOWHERE:
            return ()
        at = plant if self.is_here else other
        lines = {Place.LINE: (line,), Place.OTHER_PLANT_LINE: (line,), Place.OTHER_LINE: (other_line,)}
        return (Grant(user=self.login, plant=at, role=self.role, lines=lines.get(self.place, ())),)

    def claims(self, plant: str) -> Actor:
        """What somebody writes into a message who wants it to be done: all lines, a person, at this plant."""
        return Actor(user=self.login, role=self.role, plant=plant)

    def expected(self, action: str, *, of_the_plant: bool = False) -> Answer:
        """By the table, for a thing of the line, or of the plant as a whole."""
        if not self.is_here or self.place is Place.OTHER_LINE or (of_the_plant and self.place is Place.LINE):
            return Answer.UNSEEN
        return self.by_table(action)

    def by_table(self, action: str) -> Answer:
        """As if it were about something they see."""
        may = MAY[self.role, action] and (SERVICE_MAY[action] or not self.service)
        return Answer.DONE if may else Answer.FORBIDDEN


EVERYBODY = tuple(Asker(*one) for one in product(COLUMNS, Place, (False, True)))
SOME = tuple(a for a in EVERYBODY if not a.service or a.place is Place.WHOLE)
"""A representative slice: services only where they see everything."""


async def hire(people: People, plant: str, other: str, line: str, other_line: str) -> None:
    """All of them, in one ledger."""
    for asker in EVERYBODY:
        grants = asker.grants(plant, other, line, other_line)
        word = "" if asker.service else PASSWORD
        await people.add_user(asker.login, password=word, service=asker.service, grants=grants)


@dataclass
class Questions:
    """What was asked, and every answer that is not the table's."""

    asked: Counter[str] = field(default_factory=Counter[str])
    leaks: list[str] = field(default_factory=list[str])

    def took(self, door: str, asker: Asker, action: str, answer: Answer, expected: Answer, said: str = "") -> None:
        self.asked[door] += 1
        if answer is not expected:
            self.leaks.append(f"{door}: {asker.login} / {action}: {answer} instead of {expected}: {said[:200]}")

    def same(self, door: str, asker: Asker, action: str, unseen: str, missing: str) -> None:
        """An unseen thing is answered like a missing one; ids were made alike before."""
        self.asked[f"{door}, alike"] += 1
        if unseen != missing:
            first = next((n for n, (a, b) in enumerate(zip(unseen, missing, strict=False)) if a != b), 0)
            found, instead = (text[max(first - 40, 0) : first + 160] for text in (unseen, missing))
            self.leaks.append(f"{door}: {asker.login} / {action}: {found!r} tells from {instead!r}")

    def had_effect(self, door: str, asker: Asker, action: str, found: object, expected: object) -> None:
        """What the asker has brought about, beyond the answer."""
        self.asked[f"{door}, effects"] += 1
        if found != expected:
            self.leaks.append(f"{door}: {asker.login} / {action}: brought about {found} instead of {expected}")

    def settle(self) -> None:
        asked = ", ".join(f"{door} {n}" for door, n in self.asked.items())
        sys.stdout.write(f"questions: {asked}\n")
        assert not self.leaks, f"{len(self.leaks)} leaks:\n" + "\n".join(self.leaks[:40])


def offered(*actions: str) -> tuple[str, ...]:
    """The actions of a door; the rest of the table must be named by the test as not offered there."""
    assert set(actions) <= set(ACTIONS), set(actions) - set(ACTIONS)
    return actions


def covers(asked: tuple[str, ...], not_offered: dict[str, str]) -> None:
    """Every action of the table is asked, or named as not offered with a reason."""
    named = {*asked, *not_offered}
    assert named == set(ACTIONS), (set(ACTIONS) - named, named - set(ACTIONS))
    assert not set(asked) & set(not_offered)
