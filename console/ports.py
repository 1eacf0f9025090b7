"""What the console needs from the rest of the house, as protocols; the composition root hands them in.

So the console knows neither Temporal nor a database, and its tests can put a plain object in the place of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from domain.plant import PlantConfig
from ledger.port import LedgerPort
from signals.base import Message
from signals.decisions import Answer, DecideCase, DecideParked
from signals.demo import DemoView
from signals.documents import Case
from signals.downtime import StopAct
from signals.handover import AcknowledgeHandover
from signals.holds import HoldAct, HoldContent, HoldTrigger, InspectionOutcome
from signals.people import Actor, SignatureMeaning
from signals.reports import ParkedItem
from signals.status import LineStatus, OrderStatus


class Identity(Protocol):
    """Somebody who is signed in: one actor for each role at each plant."""

    @property
    def user(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def subject(self) -> str:
        """OpenID Connect: `issuer|sub`; empty where there is a password."""
        ...

    @property
    def actors(self) -> tuple[Actor, ...]: ...


class Accounts(Protocol):
    """Users, sessions and tokens. Raises BadInput with a sentence for people where it says no."""

    async def check_password(self, user: str, password: str) -> Identity:
        """One and the same sentence for an unknown user and a wrong password; locked out after failures."""
        ...

    async def open_session(self, user: str) -> str:
        """A new session's secret, for a cookie."""
        ...

    async def session(self, secret: str) -> Identity | None:
        """Who the session is of; None where it is unknown, over, or its user may no longer come in."""
        ...

    async def close_session(self, secret: str) -> None: ...

    async def of_subject(self, subject: str) -> Identity:
        """Who the identity provider's `issuer|sub` is here."""
        ...

    async def token(self, token: str) -> Identity | None:
        """Who an API token is of; None where it is not valid."""
        ...

    async def sign(
        self, actor: Actor, password: str, act: HoldAct, shown: HoldContent, meaning: SignatureMeaning
    ) -> HoldAct:
        """The act with a signature over what was shown, after the password was asked again."""
        ...

    async def sign_after_sign_on(
        self,
        actor: Actor,
        subject: str,
        authenticated_at: datetime,
        act: HoldAct,
        shown: HoldContent,
        meaning: SignatureMeaning,
    ) -> HoldAct:
        """The same for single sign-on: a sign-on made for this signature stands for the password."""
        ...


class Desk(Protocol):
    """How people's wishes reach the processes.

    Raises BadInput where the process refuses, NoAnswer where no worker answers in time.
    """

    async def line_status(self, plant: str, line: str) -> LineStatus | None:
        """None where the line has no process yet."""
        ...

    async def order_status(self, plant: str, order: str) -> OrderStatus | None: ...

    async def act_on_hold(self, plant: str, hold: str, act: HoldAct) -> Answer: ...

    async def act_on_stop(self, plant: str, line: str, stop: str, act: StopAct) -> Answer: ...

    async def open_hold(self, trigger: HoldTrigger) -> str:
        """Block at once, start its process; the hold's id. The same trigger again is the same hold."""
        ...

    async def acknowledge_handover(self, plant: str, shift: str, act: AcknowledgeHandover) -> Answer: ...

    async def decide_case(self, plant: str, case: Case, decision: DecideCase) -> Answer: ...

    async def decide_parked(self, plant: str, item: ParkedItem, decision: DecideParked) -> Answer: ...

    async def record_inspection(self, plant: str, outcome: InspectionOutcome) -> Mapping[str, object]:
        """What became of the result: `inspection`, `state`, `against`, `holds`, `parked_items`, `untold`."""
        ...


class Changes(Protocol):
    """A cheap look at whether anything has changed."""

    async def change_marks(self, plant: str) -> Mapping[str, str]:
        """By topic (holds, cases, parked, orders, lines, stops) a text that differs whenever the topic has changed."""
        ...


class Ledger(LedgerPort, Changes, Protocol):
    """The ledger as the console reads it."""


class DemoStage(Protocol):
    """A demo that plays in the console's own process: what it shows of itself, and what one can do to it."""

    @property
    def mark(self) -> str:
        """Differs whenever the view has changed."""
        ...

    @property
    def acts(self) -> tuple[str, ...]:
        """Names for `act`."""
        ...

    def view(self) -> DemoView | None:
        """How everything stands; None before the curtain rises."""
        ...

    async def act(self, name: str) -> tuple[str, ...]:
        """Do it; what happened, as sentences. Raises BadInput where it is unknown or cannot be done now."""
        ...


class OidcSettings(Message):
    """OpenID Connect: whom the console trusts to say who somebody is (OpenID Connect Core 1.0)."""

    issuer: str
    client_id: str
    client_secret: str = ""
    scope: str = "openid profile email"
    name: str = "single sign-on"


@dataclass(frozen=True)
class Services:
    """Everything that the console works with."""

    plants: Mapping[str, PlantConfig]
    ledger: Ledger
    desk: Desk
    accounts: Accounts
    secret: bytes
    """Key of form tokens and short-lived cookies; 32 bytes or more, the same in every process of the console."""
    now: Callable[[], datetime]
    """Plant time, for what people are shown."""
    pace: float = 1.0
    """Plant seconds per second, for what ticks on a page until it is asked for again."""
    temporal_ui: str = ""
    public_url: str = ""
    """How people reach the console, for QR codes and redirects; empty: as the request says."""
    oidc: OidcSettings | None = None
    notices: Sequence[str] = field(default_factory=tuple)
    """Sentences for a banner on every page, for example that this is a demo."""
    demo_users: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """Login name and role of users that a demo has made, for a chooser on the sign-in page. Never a password."""
    demo: DemoStage | None = None
    """The demo that plays here; its page exists only then."""

    @property
    def secure(self) -> bool:
        """Whether people come by https."""
        return self.public_url.startswith("https://")
