"""Which failure of Dynamics means what (reference erp.md 3.1, 3.8): the one place that turns HTTP errors into ours.

The question behind every rule is whether a booking request was certainly not processed. What a text means is
`erp.dynamics.infolog`'s alone.
"""

from __future__ import annotations

import json
import re
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from erp.dynamics.infolog import UNKNOWN, Meaning, errors_in, infolog_in, meaning_of
from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable, Reason

_SET_IS_ABSENT = re.compile(r"resource not found for the segment|no http resource was found|no action", re.IGNORECASE)
_SET_UP_EXCEPTIONS = ("ErrorException", "XppServicesDeserializationException")
"""A custom service throws these before it writes: SendMessage judges company and queue, never the content."""
_ENTRA = re.compile(r"AADSTS(\d+)")
_ENTRA_HINTS = {
    "7000215": "the client secret is wrong; give the secret's value, not its id",
    "7000222": "the client secret has expired; make a new one for the app registration",
    "700016": "the app id is not registered in this tenant; check client id and tenant",
    "90002": "the tenant is unknown; check the tenant's id or domain",
    "900023": "the tenant is written wrongly; give its id or domain",
    "500011": "the environment is unknown in this tenant; check url and scope",
    "1002012": "the scope must end with /.default",
    "70011": "the scope must end with /.default",
}


class DynamicsNotFound(ErpRejected):
    """The entity set is there, the record is not."""


class EntityNotPublic(ErpMisconfigured):
    """The environment does not offer this entity set, service or action."""


class AlreadyExists(ErpInDoubt):
    """A record with this key is there already: an earlier request's, or somebody else's. Read back."""


class ErrorBody:
    """Either error shape: OData with an empty code and an infolog, or a custom service's exception."""

    def __init__(self, response: httpx.Response) -> None:
        payload = _json_of(response)
        error = payload.get("error")
        inner: dict[str, Any] = {}
        message = ""
        if isinstance(error, dict):
            found = error.get("innererror") or error.get("innerError")
            inner = found if isinstance(found, dict) else {}
            message = _message_of(error)
        self.exception = str(payload.get("ExceptionType") or inner.get("type") or "")
        told = str(inner.get("message") or payload.get("Message") or message or "")
        self.infolog = infolog_in(told)
        self.text = errors_in(self.infolog) or self.infolog or told
        self.is_set_up = self.exception in _SET_UP_EXCEPTIONS
        self.meaning: Meaning = meaning_of(f"{self.infolog or told} {self.exception}") if told else UNKNOWN


def _json_of(response: httpx.Response) -> dict[str, Any]:
    try:
        payload = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return payload if isinstance(payload, dict) else {}


def _message_of(error: dict[str, Any]) -> str:
    message = error.get("message")
    return str(message.get("value") or "") if isinstance(message, dict) else str(message or "")


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


def failure_of(response: httpx.Response, what: str, *, booking: bool) -> ErpError:
    """The error that an answer outside 2xx stands for. `booking` says whether the request would have booked."""
    status = response.status_code
    body = ErrorBody(response)
    told = f"{what}: Dynamics answered HTTP {status}" + (f": {body.text}" if body.text else "")
    if status in (429, 503) and (status == 429 or retry_after(response) is not None):
        return ErpBusy(told, code=f"HTTP/{status}", retry_after=retry_after(response))
    if status in (401, 403) or 300 <= status < 400:
        return ErpMisconfigured(f"{told}; {_set_up_hint(status)}", code=f"HTTP/{status}")
    if status == 404:
        return _not_found(told, body)
    if status in (409, 412, 428):
        return ErpBusy(f"{told}; the record changed meanwhile", code=f"HTTP/{status}")
    if body.is_set_up and not body.infolog:
        return ErpMisconfigured(f"{told}; check company and queue of [erp.dynamics]", code=body.exception)
    if status == 408 or (status >= 500 and not body.infolog):
        return _ambiguous(told, response, booking=booking)
    return refusal(told, body.meaning, f"HTTP/{status}", booking=booking)


def refusal(told: str, meaning: Meaning, fallback_code: str, *, booking: bool) -> ErpError:
    """What an infolog's meaning makes of an answer that was not a success."""
    code = meaning.code if meaning is not UNKNOWN else fallback_code
    if meaning.ambiguous:
        return ErpInDoubt(f"{told}; nobody knows whether it was booked", code=code) if booking else ErpUnavailable(told)
    if meaning.transient:
        return ErpBusy(told, code=code)
    if meaning.duplicate and booking:
        return AlreadyExists(told, code=code)
    return ErpRejected(told, code=code, reason=meaning.reason)


def _ambiguous(told: str, response: httpx.Response, *, booking: bool) -> ErpError:
    code = f"HTTP/{response.status_code}"
    if booking:
        return ErpInDoubt(f"{told}; nobody knows whether it was booked", code=code)
    return ErpUnavailable(told, code=code, retry_after=retry_after(response))


def _not_found(told: str, body: ErrorBody) -> ErpError:
    if not body.text or _SET_IS_ABSENT.search(body.text):
        return EntityNotPublic(f"{told}; this environment does not offer it, or the url is wrong", code="not_public")
    return DynamicsNotFound(told, code="not_found", reason=Reason.MASTER_DATA)


def _set_up_hint(status: int) -> str:
    if status == 401:
        return "register the app id under Microsoft Entra applications in Dynamics and map it to a service user"
    if status == 403:
        return "the service user lacks a security role for this call"
    return "check the url: it must be the environment's own, https://NAME.operations.dynamics.com"


def connection_failure(error: httpx.HTTPError | TimeoutError, what: str, *, booking: bool) -> ErpError:
    """The error that a broken call stands for: before a connection stood, nothing can have been processed."""
    told = f"{what}: {type(error).__name__}: {error}".rstrip(": ")
    if _is_certificate_error(error):
        return ErpMisconfigured(f"{told}; set ca_file to the authority that signed the certificate", code="tls")
    if isinstance(error, httpx.UnsupportedProtocol):
        return ErpMisconfigured(f"{told}; the url must start with https://", code="url")
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)) or not booking:
        return ErpUnavailable(told, code="no_connection")
    return ErpInDoubt(f"{told}; the request had left, nobody knows whether it was booked", code="no_answer")


def token_failure(error: ErpMisconfigured) -> ErpMisconfigured:
    """A refusal of Entra with what its AADSTS number means."""
    found = _ENTRA.search(str(error))
    hint = _ENTRA_HINTS.get(found[1]) if found else None
    if found is None or hint is None:
        return error
    return ErpMisconfigured(f"{error}; {hint}", code=f"AADSTS{found[1]}")


def _is_certificate_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
