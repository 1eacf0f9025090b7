"""Calls to Tryton: log-in, session, the call budget, error classes. One call is one transaction of Tryton's.

Not for business shapes. Reads and preparations raise ErpUnavailable where a booking raises ErpInDoubt.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog

from erp.budget import shared_budget
from erp.port import CallBudget, SendGuard
from erp.tls import tls_context
from erp.tryton.failures import VANISHED, TrytonWarning, connection_failure, error_of, failure_of
from erp.tryton.settings import TrytonSettings
from erp.tryton.wire import Row, decoded, encoded
from signals.errors import ErpBusy, ErpInDoubt, ErpMisconfigured, ErpUnavailable

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 5.0
THROTTLE_SECONDS = 5.0
LANGUAGE = "en"
ANSWERED_YES = frozenset({"effective_date_future", "under_tolerance", "over_tolerance", "unexpected_product"})
"""Warnings whose question was decided before we post: the date by the plant's calendar, the quantity by the machine."""
MOST_WARNINGS = 5
MOST_LOOKS = 3

Domain = list[Any]


class TrytonClient:
    """One logged-in connection to one Tryton database."""

    def __init__(
        self,
        settings: TrytonSettings,
        user: str,
        password: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        budget: CallBudget | None = None,
    ) -> None:
        root = settings.url.rstrip("/")
        self.database = settings.tryton.database
        self._url = f"{root}/{self.database}/rpc/"
        self._company_name = settings.tryton.company
        self._user, self._password = user, password
        self._timeout = settings.timeout_seconds
        self._budget: CallBudget = budget or shared_budget(root, settings.calls_per_second)
        self._session = ""
        self._logging_in = asyncio.Lock()
        self.company: int | None = None
        self.user_id = 0
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(self._timeout, connect=min(CONNECT_SECONDS, self._timeout)),
            # trytond closes a connection after each answer; a kept one would only be found dead by a booking.
            limits=httpx.Limits(max_connections=10, max_keepalive_connections=0),
            verify=tls_context(settings.ca_file),
            follow_redirects=False,
            trust_env=urlsplit(root).hostname not in ("localhost", "127.0.0.1", "::1"),
            transport=transport,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def log_in(self) -> None:
        """Opens a session. Raises ErpMisconfigured for a wrong password, database or company."""
        async with self._logging_in:
            if self._session:
                return
            what = f"log-in of {self._user} to {self.database}"
            parameters = [self._user, {"password": self._password}, LANGUAGE]
            result = await self._ask(what, "common.db.login", parameters, booking=False, session="")
            user, token = result[0], result[1]
            session = "Session " + base64.b64encode(f"{self._user}:{user}:{token}".encode()).decode()
            preferences = await self._ask(
                "the user's company", "model.res.user.get_preferences", [True, {}], booking=False, session=session
            )
            self.user_id = user
            self.company = await self._chosen_company(preferences, session)
            self._session = session

    async def _chosen_company(self, preferences: Row, session: str) -> int:
        """The company that the plant file names, else the user's own."""
        if not self._company_name:
            if preferences.get("company") is None:
                hint = "give the user a company in Tryton, or name one as [erp.tryton] company"
                raise ErpMisconfigured(f"user {self._user} has no company in Tryton; {hint}", code="no_company")
            return preferences["company"]
        domain = [("party.name", "=", self._company_name)]
        found = await self._ask(
            "the company", "model.company.company.search", [domain, 0, 1, None, {}], booking=False, session=session
        )
        if not found or found[0] not in preferences.get("companies", ()):
            raise ErpMisconfigured(
                f"company {self._company_name!r} is not among those of user {self._user} in Tryton", code="no_company"
            )
        return found[0]

    # --- calls -------------------------------------------------------------------------------------------

    async def call(self, method: str, *parameters: Any, **context: Any) -> Any:
        """A read, or a preparation that has no effect in the books."""
        return await self._in_session(method, parameters, context, None)

    async def book(self, method: str, *parameters: Any, guard: SendGuard) -> Any:
        """A call with an effect in the books. `guard` runs right before its bytes leave.

        Tryton's question whether one really wants it is answered yes where that was decided before; the call it asked
        at did nothing and is sent again.
        """
        for _ in range(MOST_WARNINGS):
            try:
                return await self._in_session(method, parameters, {}, guard)
            except TrytonWarning as warning:
                if warning.name.split(".", 1)[-1] not in ANSWERED_YES:
                    raise
                log.info("tryton_warning_answered_yes", call=method, warning=warning.name, text=str(warning))
                await self.call("model.res.user.warning.skip", warning.name, False)
        raise ErpUnavailable(f"{method}: Tryton asks again and again; nothing was booked", code="warnings")

    async def rows(self, model: str, domain: Domain, fields: Iterable[str], *order: Sequence[str]) -> list[Row]:
        """All records that match; fields behind a reference come nested under `name.`.

        Tryton lists and then reads: what somebody deletes in between makes it fail, and it is asked again.
        """
        sort = [list(part) for part in order] or [["id", "ASC"]]
        for _ in range(MOST_LOOKS - 1):
            try:
                return await self.call(f"model.{model}.search_read", domain, 0, None, sort, list(fields))
            except ErpBusy as error:
                if error.code != VANISHED:
                    raise
        return await self.call(f"model.{model}.search_read", domain, 0, None, sort, list(fields))

    async def create(self, model: str, *values: Row) -> list[int]:
        return await self.call(f"model.{model}.create", list(values))

    async def _in_session(self, method: str, parameters: Sequence[Any], context: Row, guard: SendGuard | None) -> Any:
        for attempt in (1, 2):
            await self.log_in()
            session = self._session
            full = [*parameters, {"company": self.company, "language": LANGUAGE, **context}]
            try:
                return await self._ask(method, method, full, booking=guard is not None, session=session, guard=guard)
            except _SessionOver:
                # Refused before anything was looked at: a new session may send it again.
                if self._session == session:
                    self._session = ""
                if attempt == 2:
                    raise ErpMisconfigured(f"{method}: Tryton refuses even a new session", code="HTTP/401") from None
        raise AssertionError("the second attempt answers or raises")

    async def _ask(
        self,
        what: str,
        method: str,
        parameters: Sequence[Any],
        *,
        booking: bool,
        session: str,
        guard: SendGuard | None = None,
    ) -> Any:
        await self._budget.take(self._timeout)
        headers = {"authorization": session} if session else {}
        body = {"id": 0, "method": method, "params": encoded(parameters)}
        request = self._http.build_request("POST", self._url, json=body, headers=headers)
        if guard is not None:
            guard()
        response = await self._transmit(request, what, booking=booking)
        if response.status_code == 401 and session:
            raise _SessionOver
        if response.status_code != 200:
            failure = failure_of(response, what, booking=booking)
            if isinstance(failure, ErpBusy):
                await self._budget.close_for(failure.retry_after or THROTTLE_SECONDS)
            raise failure
        payload = _json_of(response, what, booking=booking)
        if "error" in payload:
            raise error_of(payload["error"], what, booking=booking)
        return decoded(payload.get("result"))

    async def _transmit(self, request: httpx.Request, what: str, *, booking: bool) -> httpx.Response:
        """Send, within a limit for the whole exchange (a read timeout alone never ends a dripping answer)."""
        try:
            async with asyncio.timeout(self._timeout + CONNECT_SECONDS):
                response = await self._http.send(request)
        except (httpx.HTTPError, TimeoutError) as error:
            await self._budget.failed()
            failure = connection_failure(error, what, booking=booking)
            log.warning("tryton_call_failed", call=what, error=failure.type, reason=str(failure))
            raise failure from error
        await self._budget.answered()
        return response


class _SessionOver(Exception):
    """Tryton no longer knows the session."""


def _json_of(response: httpx.Response, what: str, *, booking: bool) -> Row:
    try:
        payload = response.json()
        if isinstance(payload, dict):
            return payload
    except (json.JSONDecodeError, UnicodeDecodeError):
        pass
    told = f"{what}: HTTP 200 with a body that is not Tryton's JSON"
    if booking:
        raise ErpInDoubt(f"{told}; nobody knows whether it was booked", code="unreadable")
    raise ErpUnavailable(told, code="unreadable")
