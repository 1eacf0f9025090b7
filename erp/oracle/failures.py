"""Which failure of Oracle means what (reference erp.md 2.8): the one place that turns HTTP and line errors into ours.

The question behind every rule is whether a booking request was certainly not processed. Oracle publishes few message
names, so that reasons are read from texts too.
"""

from __future__ import annotations

import json
import re
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from erp.oracle.wire import texts_of
from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable, Reason

DUPLICATE = "duplicate"
SOURCE_SYSTEM = "source_system"
TOLD_LENGTH = 400
_LOCK = re.compile(
    r"\block(ed|s)?\b.*\b(user|record|row)|\b(record|row|user)\b.*\block(ed|s)?\b|JBO-26030", re.IGNORECASE
)
_DUPLICATE = re.compile(r"JBO-25013|already exists|duplicate|must be unique|match the primary key", re.IGNORECASE)
_SOURCE_SYSTEM = re.compile(r"source.?system", re.IGNORECASE)
_REASONS = (
    (Reason.PERIOD_CLOSED, re.compile(r"\bperiod\b|_PERIOD", re.IGNORECASE)),
    (
        Reason.STOCK_SHORT,
        re.compile(r"negative|insufficient|not enough|on.?hand|available quantity|SHORT", re.IGNORECASE),
    ),
    (Reason.TOLERANCE, re.compile(r"toleran|over.?complet|exceed|more than (the )?(ready|quantity)", re.IGNORECASE)),
    (
        Reason.ORDER_STATUS,
        re.compile(r"work order.*(status|released|closed|complete|hold)|WO_STATUS|ORDER_STATUS", re.IGNORECASE),
    ),
    (Reason.RULE, re.compile(r"material status|STATUS_DISALLOW|not allowed", re.IGNORECASE)),
    (
        Reason.MASTER_DATA,
        re.compile(
            r"invalid|not valid|does not exist|doesn't exist|not found|unknown|\brequired\b|mandatory", re.IGNORECASE
        ),
    ),
)


class OracleNotFound(ErpRejected):
    """Oracle knows the resource but not the row, or the link is stale."""


class OracleStale(ErpUnavailable):
    """412: the row changed since it was read; nothing was processed."""


class ErrorBody:
    """Detailed (framework 4), with title and detail (2, 3), or plain text (1, and what stands before Oracle)."""

    def __init__(self, response: httpx.Response) -> None:
        body = _json_of(response)
        details = body.get("o:errorDetails")
        rows = [row for row in details if isinstance(row, dict)] if isinstance(details, list) else []
        codes = [str(row.get("o:errorCode") or "") for row in rows]
        self.code = next((code for code in codes if code), "")
        texts = [str(row.get("detail") or "") for row in rows]
        texts += texts_of(body.get("detail")) or ([] if any(texts) else texts_of(body.get("title")))
        if not body:
            texts = [_plain_text(response)]
        self.text = "; ".join(dict.fromkeys(text for text in texts if text))[:TOLD_LENGTH]
        self.is_adf = bool(body)


def _json_of(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) else {}


def _plain_text(response: httpx.Response) -> str:
    """What a person can read of a text or HTML body."""
    return " ".join(re.sub(r"<[^>]*>", " ", response.text).split())


def retry_after(response: httpx.Response) -> float | None:
    """Retry-After in seconds, given as a number or as a date."""
    written = response.headers.get("retry-after", "").strip()
    if not written:
        return None
    try:
        return max(0.0, float(written))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(written)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def reason_of(code: str, text: str) -> Reason:
    """The class of a business refusal, as far as Oracle's words tell."""
    words = f"{code} {text}"
    return next((reason for reason, pattern in _REASONS if pattern.search(words)), Reason.OTHER)


def business_error(told: str, code: str, text: str, *, after: float | None = None, booking: bool = True) -> ErpError:
    """A refusal by Oracle's own rules: of a whole call, or of one line inside a 201. Certainly not booked, but for a
    duplicate: something with this identity is there, and only a look tells whether it is ours.
    """
    words = f"{code} {text}"
    if _LOCK.search(words):
        return ErpBusy(told, code=code or "locked", retry_after=after)
    if _SOURCE_SYSTEM.search(words):
        hint = "register it in Oracle (Manage Trading Community Source Systems), or set [erp.oracle] source_system"
        return ErpMisconfigured(f"{told}; {hint}", code=SOURCE_SYSTEM)
    if _DUPLICATE.search(words):
        kind = ErpInDoubt if booking else ErpRejected
        return kind(told, code=DUPLICATE)
    return ErpRejected(told, code=code or "refused", reason=reason_of(code, text))


def failure_of(response: httpx.Response, what: str, *, booking: bool) -> ErpError:
    """The error that an answer outside 2xx stands for. `booking` says whether the request would have booked."""
    status = response.status_code
    body = ErrorBody(response)
    told = f"{what}: Oracle answered HTTP {status}" + (f", {body.code} {body.text}".rstrip() if body.text else "")
    code = body.code or f"HTTP/{status}"
    match status:
        case 429:
            return ErpBusy(told, code="HTTP/429", retry_after=retry_after(response))
        case 412:
            return OracleStale(f"{told}; the row changed since it was read", code="stale")
        case 409 | 423:
            return ErpBusy(told, code=code, retry_after=retry_after(response))
        case 401 | 403:
            return ErpMisconfigured(f"{told}; {_set_up_hint(status)}", code=f"HTTP/{status}")
        case 404:
            return _not_found(told, body)
        case 408:
            return ErpInDoubt(told, code="HTTP/408") if booking else ErpUnavailable(told, code="HTTP/408")
        case 405 | 406 | 415:
            return ErpRejected(told, code=code, reason=Reason.CLIENT_BUG)
        case _ if 300 <= status < 400:
            return ErpMisconfigured(f"{told}; check the url", code=f"HTTP/{status}")
        case _ if status >= 500 and status != 501:
            return _server_failure(told, response, booking=booking)
        case _:
            return business_error(told, code, body.text, after=retry_after(response), booking=booking)


def _server_failure(told: str, response: httpx.Response, *, booking: bool) -> ErpError:
    code = f"HTTP/{response.status_code}"
    if booking:
        return ErpInDoubt(f"{told}; nobody knows whether it was booked", code=code)
    return ErpUnavailable(told, code=code, retry_after=retry_after(response))


def _not_found(told: str, body: ErrorBody) -> ErpError:
    if body.is_adf:
        return OracleNotFound(told, code="not_found", reason=Reason.MASTER_DATA)
    return ErpMisconfigured(f"{told}; check the url: it does not lead to fscmRestApi", code="HTTP/404")


def _set_up_hint(status: int) -> str:
    if status == 401:
        return "check the user and the password, or the client id and secret"
    return "the account lacks the privilege for this resource"


def connection_failure(error: httpx.HTTPError | TimeoutError, what: str, *, booking: bool) -> ErpError:
    """The error that a broken call stands for: before a connection stood, nothing can have been processed."""
    told = f"{what}: {type(error).__name__}: {error}".rstrip(": ")
    if _is_certificate_error(error):
        return ErpMisconfigured(f"{told}; set ca_file to the authority that signed Oracle's certificate", code="tls")
    if isinstance(error, httpx.UnsupportedProtocol):
        return ErpMisconfigured(f"{told}; the url must start with https://", code="url")
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)) or not booking:
        return ErpUnavailable(told, code="no_connection")
    return ErpInDoubt(f"{told}; the request had left, nobody knows whether it was booked", code="no_answer")


def _is_certificate_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
