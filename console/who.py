"""Who asks, and whether they may: the dependencies that every handler but the sign-in goes through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from console.ports import Identity, Services
from console.problems import Refused, not_found
from console.security import SESSION_COOKIE, form_is_ours, same_origin
from domain.permissions import Action, may, visible, visible_on_any
from domain.plant import PlantConfig
from signals.people import Actor, Channel


class SignInFirst(Exception):
    """Nobody is signed in; people are led to the sign-in page and back."""


def services_of(request: Request) -> Services:
    return cast("Services", request.app.state.services)


@dataclass(frozen=True)
class Visitor:
    """Who asks, with the console's services at hand."""

    identity: Identity
    channel: Channel
    services: Services
    session: str = ""

    @property
    def user(self) -> str:
        return self.identity.user

    @property
    def plants(self) -> tuple[PlantConfig, ...]:
        """The plants of this console at which the visitor has a role."""
        known = {actor.plant for actor in self.identity.actors}
        return tuple(config for name, config in self.services.plants.items() if name in known)

    @property
    def roles(self) -> frozenset[str]:
        return frozenset(actor.role for actor in self.identity.actors if actor.plant in self.services.plants)

    def actors(self, plant: str) -> tuple[Actor, ...]:
        """One for each role at the plant, acting by this channel."""
        if plant not in self.services.plants:
            return ()
        return tuple(a.model_copy(update={"channel": self.channel}) for a in self.identity.actors if a.plant == plant)

    def plant(self, plant: str) -> PlantConfig:
        """The plant's configuration. Raises 404 where the visitor has nothing to do there."""
        if not self.actors(plant):
            raise not_found()
        return self.services.plants[plant]

    def sees(self, plant: str, line: str = "") -> bool:
        """Whether something of this line (empty: of the plant as a whole) exists for the visitor."""
        return any(visible(actor, plant, line) for actor in self.actors(plant))

    def sees_any(self, plant: str, lines: tuple[str, ...]) -> bool:
        return any(visible_on_any(actor, plant, lines) for actor in self.actors(plant))

    def may(self, action: Action, plant: str, line: str = "") -> bool:
        return any(not may(actor, action, plant=plant, line=line) for actor in self.actors(plant))

    def able(self, action: Action, plant: str, line: str = "") -> tuple[Actor, ...]:
        """The visitor's actors that may do it, at least one.

        Raises 404 for a plant or line that the visitor does not see, 403 with the reason where no role may.
        """
        actors = self.actors(plant)
        if not actors or (line and not self.sees(plant, line)):
            raise not_found()
        refusals = {actor.role: may(actor, action, plant=plant, line=line) for actor in actors}
        able = tuple(actor for actor in actors if not refusals[actor.role])
        if not able:
            raise Refused(HTTPStatus.FORBIDDEN, next(iter(refusals.values())))
        return able

    def acting(self, action: Action, plant: str, line: str = "", role: str = "") -> Actor:
        """The actor that does it: in the role that was chosen, else in the first that may. Raises as `able`."""
        able = self.able(action, plant, line)
        if not role:
            return able[0]
        chosen = next((actor for actor in able if actor.role == role), None)
        if chosen is None:
            raise Refused(HTTPStatus.FORBIDDEN, f"{self.user} may not {action.value} as {role}")
        return chosen


async def person(request: Request) -> Visitor:
    """The signed-in person. Raises SignInFirst."""
    services = services_of(request)
    secret = request.cookies.get(SESSION_COOKIE, "")
    identity = await services.accounts.session(secret) if secret else None
    if identity is None:
        raise SignInFirst
    visitor = Visitor(identity, Channel.WEB, services, secret)
    request.state.visitor = visitor
    return visitor


_bearer = HTTPBearer(auto_error=False, description="an API token, made by `plantwright users token`")


async def program(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Visitor:
    """Whoever holds the API token. Raises 401."""
    services = services_of(request)
    identity = await services.accounts.token(credentials.credentials) if credentials else None
    if identity is None:
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            "a valid API token is needed",
            hint="send `Authorization: Bearer TOKEN`",
            headers={"www-authenticate": 'Bearer realm="plantwright"'},
        )
    return Visitor(identity, Channel.API, services)


async def our_form(request: Request) -> None:
    """Refuses a form that another site sent, or that does not carry our token."""
    services = services_of(request)
    secret = request.cookies.get(SESSION_COOKIE, "")
    await check_form(request, services, secret)


async def check_form(request: Request, services: Services, bound_to: str) -> None:
    form = await request.form()
    if any("\x00" in str(value) for value in form.values()):
        raise Refused(HTTPStatus.BAD_REQUEST, "a field contains NUL (U+0000)")
    token = form.get("form_token", "")
    if not same_origin(request, services.public_url) or not form_is_ours(services.secret, bound_to, str(token)):
        raise Refused(
            HTTPStatus.FORBIDDEN, "this form is too old or not ours", hint="go back, load the page again, and repeat"
        )


Check = Callable[..., Awaitable[Visitor]]


def _allowed(action: Action, who: Callable[..., Any]) -> Check:
    async def check(request: Request, visitor: Visitor = Depends(who)) -> Visitor:
        plant = request.path_params.get("plant")
        if plant is not None:
            _at(visitor, action, plant)
        elif not any(visitor.may(action, config.plant.id) for config in visitor.plants):
            raise Refused(HTTPStatus.FORBIDDEN, f"none of your roles may {action.value}")
        return visitor

    check.__dict__["action"] = action
    return check


def _at(visitor: Visitor, action: Action, plant: str) -> None:
    """What concerns a line is asked again with that line once it is known; here nobody without the role passes."""
    if visitor.may(action, plant):
        return
    lines = {line for actor in visitor.actors(plant) for line in actor.lines}
    if not any(visitor.may(action, plant, line) for line in sorted(lines)):
        visitor.able(action, plant)


def page_for(action: Action) -> Any:
    """Dependency of a page: the signed-in person, who may do this at the plant in the path (or at any)."""
    return Depends(_allowed(action, person))


def call_for(action: Action) -> Any:
    """Dependency of an API call: the token's owner, who may do this at the plant in the path."""
    return Depends(_allowed(action, program))
