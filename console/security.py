"""Headers, cookies and form tokens: what a browser is told to allow, and how a form proves that it is ours.

CSP Level 3 without inline scripts or styles; CSRF by a token bound to a cookie (OWASP: signed double submit) and by
the Origin header.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION_COOKIE = "plantwright_session"
VISIT_COOKIE = "plantwright_visit"
LANGUAGE_COOKIE = "plantwright_language"
THEME_COOKIE = "plantwright_theme"
LARGEST_BODY = 2 * 1024 * 1024
"""Bytes of a request; an inspection with all its characteristics stays far below."""

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class StrictHeaders:
    """Puts the headers on every answer, and refuses a body that is larger than any of ours."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("cache-control", "no-store")
                if self._secure:
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            await _refuse(answer, 400, "Bad Request")
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > LARGEST_BODY:
            await _too_large(answer)
            return
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > LARGEST_BODY:
                raise BodyTooLarge
            return message

        try:
            await self._app(scope, limited, answer)
        except BodyTooLarge:
            await _too_large(answer)


class BodyTooLarge(Exception):
    """More bytes came than any request of ours has."""


async def _too_large(send: Send) -> None:
    await _refuse(send, 413, "Content Too Large")


async def _refuse(send: Send, status: int, title: str) -> None:
    body = json.dumps({"type": "about:blank", "title": title, "status": status}).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def form_token(secret: bytes, bound_to: str) -> str:
    """The token of forms for whoever holds the cookie `bound_to`."""
    return hmac.new(secret, f"form:{bound_to}".encode(), hashlib.sha256).hexdigest()


def form_is_ours(secret: bytes, bound_to: str, token: str) -> bool:
    return bool(bound_to) and same_secret(form_token(secret, bound_to), token)


def same_secret(own: str, given: str) -> bool:
    """Compares in constant time. As bytes: whatever was sent, also what is no ASCII, is only wrong."""
    return hmac.compare_digest(own.encode(), given.encode(errors="surrogatepass"))


def same_origin(request: Request, public_url: str) -> bool:
    """False where the browser says that another site sent the form; a browser always says so for a POST."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    own = urlsplit(public_url or str(request.base_url))
    sent = urlsplit(origin)
    return (sent.scheme, sent.netloc) == (own.scheme, own.netloc)


def new_visit() -> str:
    return secrets.token_urlsafe(24)


def sealed(secret: bytes, name: str, value: dict[str, Any], seconds: int) -> str:
    """A value for a short-lived cookie: readable, not changeable, over after `seconds`."""
    body = base64.urlsafe_b64encode(json.dumps({**value, "until": time.time() + seconds}).encode()).decode()
    return f"{body}.{_seal(secret, name, body)}"


def unsealed(secret: bytes, name: str, text: str) -> dict[str, Any] | None:
    """The value again; None where it was changed or is over."""
    body, _, seal = text.rpartition(".")
    if not body or not same_secret(_seal(secret, name, body), seal):
        return None
    value = json.loads(base64.urlsafe_b64decode(body))
    return value if value["until"] > time.time() else None


def _seal(secret: bytes, name: str, body: str) -> str:
    return hmac.new(secret, f"{name}:{body}".encode(), hashlib.sha256).hexdigest()


class TooMany:
    """How often one address may try in a while; a sliding count, kept in memory."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._tries: dict[str, list[float]] = {}

    def wait(self, who: str, now: float) -> int:
        """Seconds to wait, 0 where another try is allowed; the try is counted then."""
        recent = [t for t in self._tries.get(who, []) if t > now - self._seconds]
        if len(recent) >= self._most:
            return max(1, int(recent[0] + self._seconds - now) + 1)
        if len(self._tries) > 10_000:
            self._tries = {w: t for w, t in self._tries.items() if t and t[-1] > now - self._seconds}
        self._tries[who] = [*recent, now]
        return 0
