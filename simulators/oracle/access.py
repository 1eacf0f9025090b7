"""Who may call: Basic authentication, or an OAuth bearer from the token endpoint."""

import base64
import binascii
import secrets
import time
from urllib.parse import parse_qs

from simulators.oracle.framework import JSON, Answer

_REALM = 'Basic realm="Oracle Fusion Applications"'


class Access:
    """Tokens live in memory and end with the process, as they would with a changed signing key."""

    def __init__(self, user: str, password: str, client_id: str, client_secret: str) -> None:
        self.user = user
        self._password = f"{user}:{password}".encode()
        self.client_id = client_id
        self._client = f"{client_id}:{client_secret}".encode()
        self._tokens: dict[str, float] = {}

    def caller(self, authorization: str) -> str | None:
        """Who calls, or None; an expired token is nobody's."""
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "basic" and _same(_decoded(value), self._password):
            return self.user
        if kind.lower() == "bearer" and self._tokens.get(value.strip(), 0) > time.monotonic():
            return self.client_id
        return None

    def refused(self, authorization: str) -> Answer:
        bearer = authorization.lower().startswith("bearer")
        challenge = 'Bearer error="invalid_token"' if bearer else _REALM
        return Answer(401, "", "text/plain", {"www-authenticate": challenge}, refused=True)

    def token(self, authorization: str, content_type: str, raw: bytes, seconds: float) -> Answer:
        """`POST /oauth2/v1/token`: grant_type=client_credentials, the client by Basic or in the form."""
        if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
            return _token_error(400, "invalid_request", "send application/x-www-form-urlencoded")
        form = {name: values[0] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()}
        given = f"{form.get('client_id', '')}:{form.get('client_secret', '')}".encode()
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "basic":
            given = _decoded(value)
        if not _same(given, self._client):
            return _token_error(401, "invalid_client", "Client authentication failed.")
        if form.get("grant_type") != "client_credentials":
            return _token_error(400, "unsupported_grant_type", "The grant type is not supported.")
        now = time.monotonic()
        self._tokens = {token: until for token, until in self._tokens.items() if until > now}
        token = secrets.token_urlsafe(48)
        self._tokens[token] = now + seconds
        body = {"access_token": token, "token_type": "Bearer", "expires_in": int(seconds)}
        return Answer(200, body, JSON, {"cache-control": "no-store"})


def _token_error(status: int, error: str, text: str) -> Answer:
    return Answer(status, {"error": error, "error_description": text}, JSON, refused=True)


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _same(given: bytes, expected: bytes) -> bool:
    return secrets.compare_digest(given, expected)
