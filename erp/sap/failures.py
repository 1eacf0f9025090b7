"""Which failure of SAP means what (reference erp.md 1.8): the one place that turns HTTP, Gateway and message errors
into ours, with their reason.

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

from erp.sap.odata import Entity, text_of
from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable, Reason

LOCK_CODES = frozenset({"ME/006", "M3/682", "M3/024", "M3/023"})
_LOCK_TEXT = re.compile(r"\b(locked|being (processed|edited|maintained)|blocked) by\b", re.IGNORECASE)
REASONS: dict[str, Reason] = {
    "M7/053": Reason.PERIOD_CLOSED,
    "M7/021": Reason.STOCK_SHORT,
    "RU/505": Reason.STOCK_SHORT,
    "M7/022": Reason.TOLERANCE,
    "RU/105": Reason.TOLERANCE,
    "RU/107": Reason.TOLERANCE,
    "RU/108": Reason.TOLERANCE,
    "M7/001": Reason.MASTER_DATA,
    "M7/018": Reason.MASTER_DATA,
    "M7/175": Reason.MASTER_DATA,
    "M7/103": Reason.REVERSAL,
    "M7/187": Reason.RULE,
    "M7/188": Reason.MASTER_DATA,
    "M7/189": Reason.RULE,
    "M7/190": Reason.RULE,
    "M7/191": Reason.RULE,
    "M7/202": Reason.MASTER_DATA,
    "M7/360": Reason.MASTER_DATA,
    "M8/147": Reason.MASTER_DATA,
    "M3/305": Reason.MASTER_DATA,
    "BM/302": Reason.MASTER_DATA,
    "CO/017": Reason.MASTER_DATA,
    "CO/101": Reason.MASTER_DATA,
    "RU/006": Reason.MASTER_DATA,
    "RU/103": Reason.MASTER_DATA,
    "RU/102": Reason.RULE,
    "RU/106": Reason.ORDER_STATUS,
    "RU/109": Reason.REVERSAL,
    "RU/110": Reason.REVERSAL,
    "M7/102": Reason.REVERSAL,
    "MM_IM_ODATA_API_MDOC/011": Reason.CLIENT_BUG,
    "order_not_found": Reason.MASTER_DATA,
    "order_not_released": Reason.ORDER_STATUS,
    "order_of_other_plant": Reason.MASTER_DATA,
    "order_incomplete": Reason.MASTER_DATA,
    "process_order_not_supported": Reason.NOT_SUPPORTED,
    "component_lot_ambiguous": Reason.MASTER_DATA,
    "document_not_found": Reason.REVERSAL,
    "hangs_on_confirmation": Reason.REVERSAL,
    "capacity_changed_since": Reason.REVERSAL,
    "capacity_not_ours": Reason.REVERSAL,
    "hold_not_ours": Reason.REVERSAL,
    "quantity_not_representable": Reason.RULE,
    "inspection_lot_not_found": Reason.MASTER_DATA,
    "inspection_lot_ambiguous": Reason.MASTER_DATA,
    "inspection_lot_decided": Reason.RULE,
    "characteristic_not_found": Reason.MASTER_DATA,
    "work_centre_not_found": Reason.MASTER_DATA,
    "capacity_not_found": Reason.MASTER_DATA,
    "notification_not_found": Reason.MASTER_DATA,
    "malfunction_end_set": Reason.RULE,
    "batch_stock_not_found": Reason.STOCK_SHORT,
    "HTTP/405": Reason.NOT_SUPPORTED,
    "HTTP/501": Reason.NOT_SUPPORTED,
}
"""Why SAP (or this adapter for it) refused, by code. Classes follow reference erp.md 1.8; codes may be widened here."""
_REASON_OF_CLASS = (
    ("BS/", Reason.ORDER_STATUS),
    ("CO_MES_INT/", Reason.ORDER_STATUS),
    ("QM/", Reason.RULE),
    ("QA/", Reason.RULE),
    ("IM/", Reason.RULE),
    ("CR/", Reason.RULE),
    ("IO/", Reason.MASTER_DATA),
    ("/IWCOR/", Reason.CLIENT_BUG),
    ("/IWBEP/CM_MGW_RT/", Reason.CLIENT_BUG),
    ("sap-", Reason.RULE),
)
PLAIN_TEXT_LENGTH = 120
REFUSING = ("E", "A", "X")
"""Message types of a refusal: error, abort, exit."""
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


def reason_of(code: str) -> Reason:
    """The class of a refusal; a code that nobody listed is `other`."""
    by_class = (reason for prefix, reason in _REASON_OF_CLASS if code.startswith(prefix))
    return REASONS.get(code) or next(by_class, Reason.OTHER)


def refused(message: str, code: str) -> ErpRejected:
    """A refusal with its reason."""
    return ErpRejected(message, code=code, reason=reason_of(code))


def message_failure(message: Entity, what: str) -> ErpError | None:
    """The refusal that a FunctionMessage of type E, A or X is, though it came with HTTP 200 (reference erp.md 1.2)."""
    if text_of(message, "SystemMessageType").upper() not in REFUSING:
        return None
    code = message_code(message)
    told = f"{what}: SAP refused with {code} {message_text(message)}".rstrip()
    return ErpBusy(told, code=code) if code in LOCK_CODES or _LOCK_TEXT.search(told) else refused(told, code)


def message_code(message: Entity) -> str:
    return f"{text_of(message, 'SystemMessageIdentification')}/{text_of(message, 'SystemMessageNumber')}"


def message_text(message: Entity) -> str:
    return text_of(message, "SystemMessageLongText") or text_of(message, "SystemMessageVariable1")


def _error_of(response: httpx.Response) -> dict[str, Any]:
    try:
        payload = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    error = payload.get("error") if isinstance(payload, dict) else None
    return error if isinstance(error, dict) else {}


def _details_of(error: dict[str, Any]) -> list[dict[str, Any]]:
    """Details of severity error, innermost last; warnings and infos are no causes. V4 has `details` beside them."""
    inner = error.get("innererror")
    details = inner.get("errordetails") if isinstance(inner, dict) else error.get("details")
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
    said = f"{body.code}: {body.text}" if body.text else _plain_text(response) if status == 401 else ""
    told = f"{what}: SAP answered HTTP {status}" + (f", {said}" if said else "")
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
    if status == 408 and booking:
        return ErpInDoubt(told, code="HTTP/408")
    if status in (408, 412, 428):
        return ErpUnavailable(told, code=f"HTTP/{status}")
    if status == 404:
        return _not_found(told, body)
    return refused(told, body.code or f"HTTP/{status}")


def _server_failure(told: str, response: httpx.Response, *, booking: bool) -> ErpError:
    code = f"HTTP/{response.status_code}"
    if booking:
        return ErpInDoubt(f"{told}; nobody knows whether it was booked", code=code)
    return ErpUnavailable(told, code=code, retry_after=retry_after(response))


def _not_found(told: str, body: ErrorBody) -> ErpError:
    if body.found:
        code = body.code or "HTTP/404"
        return SapNotFound(told, code=code, reason=Reason.MASTER_DATA)
    return ErpMisconfigured(f"{told}; check the url and whether the OData service is activated", code="HTTP/404")


def _plain_text(response: httpx.Response) -> str:
    """What a log-on page says: SAP answers HTML there, and tells a wrong client from a wrong password."""
    body = re.sub(r"<title>.*?</title>|<[^>]*>", " ", response.text, flags=re.DOTALL | re.IGNORECASE)
    return " ".join(body.split())[:PLAIN_TEXT_LENGTH]


def _set_up_hint(status: int) -> str:
    if status == 401:
        return "check the user and the password, or the OAuth client"
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
