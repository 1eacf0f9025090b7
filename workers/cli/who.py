"""Who stands at the terminal, and what they may do here: the one place where commands ask.

As long as a ledger has no users, whoever can reach it decides as they say, by `--by` and `--role`. From the first user
on people say who they are: `--user` with a password, or an API token in PLANTWRIGHT_TOKEN.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.permissions import Action, may, visible_on_any
from domain.roles import Role, role_named
from signals.errors import BadInput
from signals.people import Actor, Channel
from workers.cli.credentials import GIVEN
from workers.cli.output import say_progress

if TYPE_CHECKING:
    from ledger.port import LedgerPort
    from workers.people import People
    from workers.settings import Settings

TOKEN_VARIABLE = "PLANTWRIGHT_TOKEN"
HOW = f"say it with --user NAME (password by prompt, or --password-env VARIABLE), or set {TOKEN_VARIABLE}"


UNSAID = "-"
"""Stands in a decision for who makes it, so that the rest of it is checked before anything is opened."""


@dataclass(frozen=True)
class Decider:
    """In whose name and in which role a decision is sent."""

    by: str
    role: str
    actor: Actor | None = None
    """None as long as the ledger has no users."""


@dataclass(frozen=True)
class Who:
    """One person at one plant, in all their roles; `free` where the ledger has no users."""

    plant: str
    actors: tuple[Actor, ...] = ()
    free: bool = False

    @property
    def user(self) -> str:
        return self.actors[0].user if self.actors else ""

    def decider(
        self, action: Action, *, by: str, role: str = "", prefer: Iterable[Role] = (), lines: Iterable[str] = ("",)
    ) -> Decider:
        """Who decides, after the permission table was asked; raises BadInput where no role of theirs may.

        `role` is as the command line says it, `prefer` what a finer rule asks for. `lines` are those of the object:
        one that is the person's own is enough.
        """
        if self.free:
            say_progress(
                f"plant {self.plant} has no users yet: whoever reaches its ledger decides as they say "
                "(`plantwright users add` ends that)"
            )
            return Decider(this_person(by), role)
        if by and by != self.user:
            raise BadInput(f"you are signed in as {self.user}, not as {by}", subject="--by", hint="leave --by out")
        actor = self.able(action, role=role, prefer=prefer, lines=lines)
        return Decider(actor.user, actor.role, actor)

    def able(
        self, action: Action, *, role: str = "", prefer: Iterable[Role] = (), lines: Iterable[str] = ("",)
    ) -> Actor:
        """The actor that may do it. Raises BadInput with the reason where none may."""
        named = role_named(role)
        actors = [a for a in self.actors if not role or role_named(a.role) is named]
        if not actors:
            held = ", ".join(a.role for a in self.actors)
            hint = f"you are {held}" if named else f"roles are {', '.join(r.value for r in Role)}"
            problem = f"{self.user} is not {role} at plant {self.plant}" if named else f"there is no role {role!r}"
            raise BadInput(problem, subject="--role", hint=hint)
        wanted = list(prefer)
        actors.sort(key=lambda a: role_named(a.role) not in wanted)
        places = tuple(lines) or ("",)
        refusals: list[str] = []
        for actor in actors:
            said = [may(actor, action, plant=self.plant, line=line) for line in places]
            if "" in said:
                return actor
            refusals += said[:1]
        raise BadInput(refusals[0], subject=self.user, hint="ask somebody who may")

    def require(self, action: Action) -> None:
        """Raises BadInput where none of their roles may; for views and for what is not decided in a role."""
        if not self.free:
            self.able(action)

    def sees(self, lines: Iterable[str]) -> bool:
        """Whether something on these lines (none: of the plant as a whole) exists for them."""
        places = tuple(lines)
        return self.free or any(visible_on_any(actor, self.plant, places) for actor in self.actors)

    @property
    def sees_all(self) -> bool:
        """Whether nothing of the plant is hidden from them."""
        return self.sees(())


async def who_is_there(ledger: LedgerPort, plant: str, settings: Settings) -> Who:
    """The person at the terminal. Raises BadInput where users exist and nobody has said, or proved, who they are."""
    if not await ledger.has_users():
        return Who(plant, free=True)
    from workers.people import NO_TOKEN, NOT_YOU

    people, given = people_of(ledger, settings), GIVEN.get()
    token = settings.environ.get(TOKEN_VARIABLE, "")
    if token and not given.user:
        actor = await people.token_actor(token)
        if actor.plant != plant:
            raise BadInput(NO_TOKEN, subject=TOKEN_VARIABLE)
        return Who(plant, (actor.model_copy(update={"channel": Channel.CLI}),))
    if not given.user:
        raise BadInput("nobody has said who is deciding", subject="--user", hint=HOW)
    actors = await people.actors(await people.authenticate(given.user, given.password), plant)
    if not actors:
        raise BadInput(NOT_YOU, subject="sign-in")
    return Who(plant, actors)


def people_of(ledger: LedgerPort, settings: Settings) -> People:
    """People over this ledger, with the signing key of this data folder or environment."""
    from workers.people import People
    from workers.signing_key import load_signing_key

    return People(ledger, lambda: load_signing_key(settings.environ, settings.data))


def this_person(named: str) -> str:
    """Who decides where there are no users: as named, else the user of this machine."""
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise BadInput("nobody knows who decides here", hint="say it with --by NAME") from error
