"""People as the console asks for them: identities with all their roles, over `workers.people`."""

from __future__ import annotations

from datetime import datetime

from ledger.people_port import User
from signals.base import Message
from signals.errors import BadInput
from signals.holds import HoldAct, HoldContent
from signals.people import Actor, SignatureMeaning
from workers.people import People


class KnownIdentity(Message):
    """Somebody with one actor for each of their roles at each plant."""

    user: str
    name: str = ""
    service: bool = False
    subject: str = ""
    actors: tuple[Actor, ...] = ()


class HouseAccounts:
    """The console's port `Accounts`. Refusals are BadInput with a sentence for people."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def check_password(self, user: str, password: str) -> KnownIdentity:
        return await self._known(await self._people.authenticate(user, password))

    async def of_subject(self, subject: str) -> KnownIdentity:
        return await self._known(await self._people.oidc_user(subject))

    async def open_session(self, user: str) -> str:
        return await self._people.open_session(user)

    async def session(self, secret: str) -> KnownIdentity | None:
        user = await self._people.session_user(secret)
        return None if user is None else await self._known(user)

    async def close_session(self, secret: str) -> None:
        await self._people.close_session(secret)

    async def token(self, token: str) -> KnownIdentity | None:
        """A token acts in its one role at its one plant."""
        try:
            actor = await self._people.token_actor(token)
        except BadInput:
            return None
        return KnownIdentity(user=actor.user, name=actor.name, service=actor.service, actors=(actor,))

    async def sign(
        self, actor: Actor, password: str, act: HoldAct, shown: HoldContent, meaning: SignatureMeaning
    ) -> HoldAct:
        return await self._people.sign(actor, password, act, shown, meaning)

    async def sign_after_sign_on(
        self,
        actor: Actor,
        subject: str,
        authenticated_at: datetime,
        act: HoldAct,
        shown: HoldContent,
        meaning: SignatureMeaning,
    ) -> HoldAct:
        return await self._people.sign_after_sign_on(actor, subject, authenticated_at, act, shown, meaning)

    async def _known(self, user: User) -> KnownIdentity:
        actors = await self._people.actors(user)
        return KnownIdentity(user=user.user, name=user.name, service=user.service, subject=user.subject, actors=actors)
