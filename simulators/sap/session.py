"""Who may call: Basic authentication, security sessions with CSRF token and cookies, and the locks on orders."""

import asyncio
import base64
import binascii
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from starlette.requests import Request

from simulators.sap.odata import Answer

SESSION_COOKIE = "SAP_SESSIONID_S4H_"
CONTEXT_COOKIE = "sap-usercontext"
_CONTEXT = "sap-client="


@dataclass
class Session:
    token: str
    used: float


class Sessions:
    """A session dies after idling `seconds`; the token dies with it. Both cookies must come back with the token."""

    def __init__(self, user: str, password: str, client: Callable[[], str]) -> None:
        self._expected = f"{user}:{password}".encode()
        self._client = client
        self._sessions: dict[str, Session] = {}

    def refuse_login(self, request: Request, seconds: float) -> Answer | None:
        """401 unless the call carries the right password or a living session."""
        header = request.headers.get("authorization", "")
        if header and self._password_fits(header):
            return None
        if not header and self._living(request, seconds):
            return None
        realm = f'Basic realm="SAP NetWeaver Application Server [S4H/{self._client()}]"'
        body = "<html><head><title>Logon Error Message</title></head><body>Logon failed</body></html>"
        return Answer(401, body, {"www-authenticate": realm, "content-type": "text/html; charset=utf-8"})

    def fetch(self, request: Request, seconds: float) -> tuple[str, list[str]]:
        """The token and the Set-Cookie headers; a living session keeps its token and sets no cookie again."""
        if session := self._living(request, seconds):
            return session.token, []
        self._forget_expired(seconds)
        name = secrets.token_urlsafe(24)
        session = Session(secrets.token_urlsafe(18) + "==", time.monotonic())
        self._sessions[name] = session
        return session.token, [
            f"{SESSION_COOKIE}{self._client()}={name}; path=/; HttpOnly",
            f"{CONTEXT_COOKIE}={_CONTEXT}{self._client()}; path=/",
        ]

    def refuse_token(self, request: Request, seconds: float) -> Answer | None:
        """403 with `x-csrf-token: Required` unless token and cookies belong to one living session."""
        session = self._living(request, seconds)
        token = request.headers.get("x-csrf-token", "")
        if session and token and secrets.compare_digest(token.encode(), session.token.encode()):
            return None
        headers = {"x-csrf-token": "Required", "content-type": "text/plain; charset=utf-8"}
        return Answer(403, "CSRF token required", headers)

    def _password_fits(self, header: str) -> bool:
        kind, _, value = header.partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            given = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return False
        return secrets.compare_digest(given, self._expected)

    def _living(self, request: Request, seconds: float) -> Session | None:
        client = self._client()
        if request.cookies.get(CONTEXT_COOKIE) != _CONTEXT + client:
            return None
        session = self._sessions.get(request.cookies.get(SESSION_COOKIE + client, ""))
        if session is None or time.monotonic() - session.used > seconds:
            return None
        session.used = time.monotonic()
        return session

    def _forget_expired(self, seconds: float) -> None:
        limit = time.monotonic() - seconds
        self._sessions = {name: session for name, session in self._sessions.items() if session.used >= limit}


class OrderLocks:
    """One posting per order at a time; a second one is refused at once, a person in the GUI waits."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._released = asyncio.Event()

    def held(self) -> list[str]:
        return sorted(self._held)

    def blocking(self, orders: Iterable[str]) -> str | None:
        return next((order for order in orders if order in self._held), None)

    def take(self, orders: Iterable[str]) -> None:
        self._held.update(orders)

    def release(self, orders: Iterable[str]) -> None:
        self._held.difference_update(orders)
        self._released.set()
        self._released = asyncio.Event()

    async def wait_free(self, orders: frozenset[str], seconds: float) -> bool:
        """True when the orders became free within the time."""
        try:
            async with asyncio.timeout(seconds):
                while self.blocking(orders):
                    await self._released.wait()
        except TimeoutError:
            return False
        return True
