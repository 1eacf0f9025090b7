"""Which failure of SAP means what (reference erp.md 1.8): the one place that turns HTTP and Gateway errors into ours.

The question behind every rule is whether a booking request was certainly not processed.
"""

from __future__ import annotations

import json
import re
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable

LOCK_CODES = frozenset({"ME/006", "M3/682", "M3/024", "M3/023"})
_LOCK_TEXT = re.compile(r"\b(locked|being (processed|edited|maintained)|blocked) by\b", re.IGNORECASE)
PROCESSED_BEFORE = "/IWBEP/CM_COS/005"
_SET_UP_CODES = ("/IWFND/MED/", "/IWBEP/CM_COS/001")
_CONTAINER = re.compile(r"^(/IW|MM_IM_ODATA_API_MDOC/014$|SY/530$)")


class SapNotFound(ErpRejected):
    """SAP knows the service but not the object."""


class ErrorBody:
    """The V2 error body: a code that is often a container only, and the real causes in `errordetails`."""

    def __init__(self, response: httpx.Response) -> None:
        error = _error_of(response)
        self.found = bool(error)
        self.container = str(error.get("code") or "")
        causes = [(str(d.get("code") or ""), str(d.get("message") or "")) for d in _details_of(error)]
        self.codes = [self.container, *(code for code, _ in causes)]
        real = [(code, text) for code, text in causes if code and not _CONTAINER.match(code)]
        real = [cause for cause in real if cause[0] != self.container] or real
        self.code = real[0][0] if real else self.container
        texts = list(dict.fromkeys(text for text in [_message_of(error), *(text for _, text in causes)] if text))
        self.text = "; ".join(texts)

    @property
    def is_lock(self) -> bool:
        return not LOCK_CODES.isdisjoint(self.codes) or _LOCK_TEXT.search(self.text) is not None

    @property
    def is_set_up(self) -> bool:
        return any(code.startswith(_SET_UP_CODES) for code in self.codes)


def _error_of(response: httpx.Response) -> dict[str, Any]:
    try:
        payload = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    error = payload.get("error") if isinstance(payload, dict) else None
    return error if isinstance(error, dict) else {}


def _details_of(error: dict[str, Any]) -> list[dict[str, Any]]:
    """Details of severity error, innermost last; warnings and infos are no causes."""
    inner = error.get("innererror")
    details = inner.get("errordetails") if isinstance(inner, dict) else None
    rows = [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []
    return [d for d in rows if str(d.get("severity") or "error").lower() == "error"]


def _message_of(error: dict[str, Any]) -> str:
    message = error.get("message")
    value = message.get("value") if isinstance(message, dict) else message
    return str(value or "")


def needs_new_token(response: httpx.Response) -> bool:
    """403 with `x-csrf-token: Required`: the token died with its session; nothing was processed."""
    return response.status_code == 403 and response.headers.get("x-csrf-token", "").lower() == "required"


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
    told = f"{what}: SAP answered HTTP {status}" + (f", {body.code}: {body.text}" if body.text else "")
    if PROCESSED_BEFORE in body.codes and booking:
        return ErpInDoubt(f"{told}; it was processed before and its result is no longer stored", code=PROCESSED_BEFORE)
    if status == 429:
        return ErpBusy(told, code="HTTP/429", retry_after=retry_after(response))
    if status == 423 or (status < 500 and body.is_lock):
        return ErpBusy(told, code=body.code or "HTTP/423", retry_after=retry_after(response))
    if needs_new_token(response):
        return ErpUnavailable(f"{told}; SAP refuses even a fresh CSRF token", code="csrf")
    if status in (401, 403) or 300 <= status < 400 or body.is_set_up:
        return ErpMisconfigured(f"{told}; {_set_up_hint(status)}", code=body.code or f"HTTP/{status}")
    if status >= 500 and status != 501:
        return _server_failure(told, response, booking=booking)
    if status in (408, 412, 428):
        return ErpInDoubt(told, code="HTTP/408") if booking and status == 408 else ErpUnavailable(told)
    if status == 404:
        return _not_found(told, body)
    return ErpRejected(told, code=body.code or f"HTTP/{status}")


def _server_failure(told: str, response: httpx.Response, *, booking: bool) -> ErpError:
    code = f"HTTP/{response.status_code}"
    if booking:
        return ErpInDoubt(f"{told}; nobody knows whether it was booked", code=code)
    return ErpUnavailable(told, code=code, retry_after=retry_after(response))


def _not_found(told: str, body: ErrorBody) -> ErpError:
    if body.found:
        return SapNotFound(told, code=body.code or "HTTP/404")
    return ErpMisconfigured(f"{told}; check the url and whether the OData service is activated", code="HTTP/404")


def _set_up_hint(status: int) -> str:
    if status == 401:
        return "check the user and the password"
    if status == 403:
        return "the user lacks the authorisation, or the communication arrangement is missing"
    return "check the url, the communication arrangement and the service's activation"


def connection_failure(error: httpx.HTTPError | TimeoutError, what: str, *, booking: bool) -> ErpError:
    """The error that a broken call stands for: before a connection stood, nothing can have been processed."""
    told = f"{what}: {type(error).__name__}: {error}".rstrip(": ")
    if _is_certificate_error(error):
        return ErpMisconfigured(f"{told}; set ca_file to the authority that signed SAP's certificate", code="tls")
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
