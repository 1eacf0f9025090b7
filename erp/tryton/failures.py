"""Which failure of Tryton means what: the one place that turns its JSON-RPC and HTTP errors into ours.

The question behind every rule is whether a booking was certainly not processed. trytond runs one transaction per call
and rolls it back on every error it reports, so an error of its own certainly changed nothing; a broken connection or an
answer of somebody in between says nothing.
"""

from __future__ import annotations

import re
import ssl
from typing import Any

import httpx

from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable, Reason

VANISHED = "UserError/vanished"
_ACCESS = re.compile(r"^You are not allowed to access|access rule|^You can not (access|read)", re.IGNORECASE)
_NO_MODULE = re.compile(r"^'?(production|stock|ir)\.[a-z_.]+'?$")
_LOCKED = re.compile(r"database is locked|could not obtain lock|deadlock|could not serialize", re.IGNORECASE)
_VANISHED = re.compile(r"^You are trying to read records .* don't exist", re.IGNORECASE)
_REASONS = (
    (
        re.compile(r"reopen period|period .*closed|closed period", re.IGNORECASE),
        "UserError/period_closed",
        Reason.PERIOD_CLOSED,
    ),
    (re.compile(r"^You can not call", re.IGNORECASE), "UserError/state", Reason.ORDER_STATUS),
    (re.compile(r"must be finished", re.IGNORECASE), "UserError/work_not_finished", Reason.ORDER_STATUS),
    (re.compile(r"not allowed to modify|number of digits", re.IGNORECASE), "UserError/field", Reason.CLIENT_BUG),
    (
        re.compile(r"value is required|is not valid|domain", re.IGNORECASE),
        "UserError/record",
        Reason.MASTER_DATA,
    ),
)
"""By the English words (sessions ask for English); they choose who looks at the case, never whether it was booked."""


class TrytonWarning(ErpRejected):
    """Tryton asks a person at the screen "really?"; nothing was done. `name` is what a yes must name."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message, code=f"UserWarning/{name.split('.', 1)[-1]}", reason=Reason.RULE)
        self.name = name


def error_of(payload: Any, what: str, *, booking: bool) -> ErpError:
    """The error in an answer of HTTP 200: `[class, [message, …]]`, or `[text, traceback]` of a fault of the server."""
    parts = payload if isinstance(payload, list) else [payload]
    kind, details = str(parts[0]), parts[1] if len(parts) > 1 else ""
    told = [str(part) for part in details if part] if isinstance(details, list) else [str(details)]
    match kind:
        case "UserWarning":
            name, text = (*told, "", "")[:2]
            return TrytonWarning(f"{what}: Tryton asks for confirmation: {text}", name)
        case "UserError":
            return _refused(" ".join(told), what)
        case "ConcurrencyException":
            return ErpBusy(f"{what}: somebody changed the record meanwhile", code=kind)
        case "LoginException":
            return ErpMisconfigured(f"{what}: Tryton asks for more than a password: {told[0]}", code=kind)
        case _ if _LOCKED.search(kind):
            return ErpBusy(f"{what}: {kind}", code="locked")
        case _ if _NO_MODULE.match(kind):
            hint = "activate the modules production, production_work, production_routing and stock_lot"
            return ErpMisconfigured(f"{what}: Tryton does not know {kind}; {hint}", code="module_missing")
        case _ if booking:
            return ErpInDoubt(f"{what}: Tryton failed with {kind!r}; nobody knows whether it was booked", code="fault")
        case _:
            return ErpUnavailable(f"{what}: Tryton failed with {kind!r}", code="fault")


def _refused(text: str, what: str) -> ErpError:
    if _VANISHED.search(text):
        # Somebody deleted what was just listed or prepared: the call did nothing, a new look shows what is there.
        return ErpBusy(f"{what}: {text}", code=VANISHED, retry_after=1.0)
    if _ACCESS.search(text):
        hint = "give the user the groups Production, Stock and Stock Cancellation"
        return ErpMisconfigured(f"{what}: {text}; {hint}", code="AccessError")
    for pattern, code, reason in _REASONS:
        if pattern.search(text):
            return ErpRejected(f"{what}: Tryton refused: {text}", code=code, reason=reason)
    return ErpRejected(f"{what}: Tryton refused: {text}", code="UserError")


def failure_of(response: httpx.Response, what: str, *, booking: bool) -> ErpError:
    """The error that an answer other than HTTP 200 stands for; 401 of a session that ran out is not asked here."""
    status = response.status_code
    told = f"{what}: HTTP {status}"
    code = f"HTTP/{status}"
    match status:
        case 401:
            return ErpMisconfigured(f"{told}; check the user and the password", code=code)
        case 403:
            hint = "this Tryton does not offer the call; the adapter is written for series 8.2"
            return ErpMisconfigured(f"{told}; {hint}", code=code)
        case 404:
            return ErpMisconfigured(f"{told}; check the url and [erp.tryton] database", code=code)
        case 429:
            return ErpBusy(
                f"{told}: too many log-ins failed, or a proxy throttles", code=code, retry_after=_wait(response)
            )
        case _ if 300 <= status < 400:
            return ErpMisconfigured(f"{told}; check the url, it leads to {response.headers.get('location')}", code=code)
        case _ if status < 500:
            return ErpRejected(f"{told}: {response.text[:200]}", code=code, reason=Reason.CLIENT_BUG)
        case _ if booking:
            return ErpInDoubt(f"{told}; nobody knows whether it was booked", code=code)
        case _:
            return ErpUnavailable(told, code=code, retry_after=_wait(response))


def _wait(response: httpx.Response) -> float | None:
    written = response.headers.get("retry-after", "").strip()
    return float(written) if written.isdigit() else None


def connection_failure(error: httpx.HTTPError | TimeoutError, what: str, *, booking: bool) -> ErpError:
    """The error that a broken call stands for: before a connection stood, nothing can have been processed."""
    told = f"{what}: {type(error).__name__}: {error}".rstrip(": ")
    if _is_certificate_error(error):
        return ErpMisconfigured(f"{told}; set ca_file to the authority that signed Tryton's certificate", code="tls")
    if isinstance(error, httpx.UnsupportedProtocol):
        return ErpMisconfigured(f"{told}; the url must start with https:// or http://", code="url")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout) or not booking:
        return ErpUnavailable(told, code="no_connection")
    return ErpInDoubt(f"{told}; the request had left, nobody knows whether it was booked", code="no_answer")


def _is_certificate_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
