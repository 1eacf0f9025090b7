"""The demo's own users, with passwords that live as long as its folder, and how they decide a hold in `--auto`.

They go the way of everybody: signed by `workers.people`, carried by `workers.desk`, judged by the hold's process.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from domain.permissions import may_act
from ledger.people_port import Grant
from ledger.store import SqlLedger
from signals.errors import BadInput
from signals.holds import (
    ClaimHold,
    CosignHold,
    DecideHold,
    DecisionState,
    HoldAct,
    HoldContent,
    HoldDisposition,
    HoldDispositionKind,
    HoldRecord,
)
from signals.ids import short_hash
from signals.people import Actor, Channel, SignatureMeaning, content_hash
from workers.console_desk import ConsoleDesk
from workers.people import People
from workers.signing_key import load_signing_key

CAST = (
    ("quality-1", "quality engineer"),
    ("manager-1", "quality manager"),
    ("supervisor-1", "supervisor"),
    ("operator-1", "operator"),
)
"""Login and role. The first decides about a hold, the second signs too, the third decides about hand entries."""

ENGINEER, MANAGER, SUPERVISOR = (login for login, _ in CAST[:3])
_SYLLABLES = [consonant + vowel for consonant in "bdfghjklmnprstvwz" for vowel in "aeiou"]


@dataclass(frozen=True)
class DemoUser:
    """Somebody one can sign in as. The password is kept nowhere else."""

    login: str
    role: str
    password: str


def new_password() -> str:
    """Four short words that can be typed on a phone: 51 bits."""
    return "-".join(secrets.choice(_SYLLABLES) + secrets.choice(_SYLLABLES) for _ in range(4))


class DemoPeople:
    """The users of one demo, and what they do about its holds."""

    def __init__(
        self, ledger: SqlLedger, plant: str, folder: Path, environ: Mapping[str, str], desk: ConsoleDesk
    ) -> None:
        self.people = People(ledger, lambda: load_signing_key(environ, folder))
        self.users: tuple[DemoUser, ...] = ()
        self._ledger = ledger
        self._plant = plant
        self._desk = desk

    async def hire(self) -> None:
        """Make the users, each with a password of its own."""
        users = tuple(DemoUser(login, role, new_password()) for login, role in CAST)
        for user in users:
            grant = Grant(user=user.login, plant=self._plant, role=user.role)
            name = f"Demo {user.role}"
            await self.people.add_user(user.login, name, password=user.password, grants=(grant,), by="demo")
        self.users = users

    def user(self, login: str) -> DemoUser:
        return next(user for user in self.users if user.login == login)

    async def claim(self, hold: str) -> None:
        """The quality engineer takes the hold on. Raises BadInput, NoAnswer."""
        actor = self.actor(ENGINEER)
        await self._send(hold, ClaimHold(action_id=short_hash("demo", hold, "claim"), actor=actor))

    async def release(self, hold: str) -> HoldRecord:
        """The quality engineer decides, signed, that all of it may be used as it is; returns what was decided about.

        Raises BadInput where the plant's rules or a change in between say no, NoAnswer without a worker.
        """
        record = await self._record(hold)
        shown = record.content()
        act = DecideHold(
            action_id=short_hash("demo", hold, "decide", content_hash(shown)),
            actor=self.actor(ENGINEER),
            comment="measured again by hand: within the drawing's tolerance",
            dispositions=(HoldDisposition(kind=HoldDispositionKind.RELEASE, quantity=record.quantity),),
        )
        await self._send(hold, await self._signed(ENGINEER, act, shown, SignatureMeaning.RESPONSIBILITY, record))
        return record

    async def cosign(self, hold: str) -> bool:
        """The quality manager agrees with what waits for a second signature; False where nothing does. Raises so."""
        record = await self._record(hold)
        waits = next((d for d in record.decisions if d.state is DecisionState.AWAITS_SECOND), None)
        if waits is None:
            return False
        shown = record.content()
        act = CosignHold(
            action_id=short_hash("demo", hold, "cosign", waits.decision, content_hash(shown)),
            actor=self.actor(MANAGER),
            decision=waits.decision,
        )
        await self._send(hold, await self._signed(MANAGER, act, shown, SignatureMeaning.APPROVAL, record))
        return True

    async def _signed(
        self,
        login: str,
        act: DecideHold | CosignHold,
        shown: HoldContent,
        meaning: SignatureMeaning,
        record: HoldRecord,
    ) -> HoldAct:
        if refused := may_act(act, plant=self._plant, line=record.scope.line):
            raise BadInput(refused, subject=record.hold)
        return await self.people.sign(act.actor, self.user(login).password, act, shown, meaning)

    async def _send(self, hold: str, act: HoldAct) -> None:
        answer = await self._desk.act_on_hold(self._plant, hold, act)
        if not answer.accepted:
            raise BadInput(f"hold {hold}: {answer.message}", subject=hold)

    async def _record(self, hold: str) -> HoldRecord:
        record = await self._ledger.hold(self._plant, hold)
        if record is None:
            raise BadInput(f"plant {self._plant} has no hold {hold}", subject=hold)
        return record

    def actor(self, login: str) -> Actor:
        """The user in their one role."""
        user = self.user(login)
        return Actor(user=login, name=f"Demo {user.role}", role=user.role, plant=self._plant, channel=Channel.CLI)
