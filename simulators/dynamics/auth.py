"""Who may call: the token endpoint of the identity provider and the bearer tokens it gives out. Reference 3.1.

A token carries its own signature, so it outlives a restart of the ERP, and is judged by what is set when it is used.
"""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from simulators.dynamics.books import Books

_TEXT = {"content-type": "text/plain; charset=utf-8"}


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; a dict is sent as JSON, a text as it is."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Identity:
    def __init__(self, books: Books, client_id: str, client_secret: str, tenant: str) -> None:
        self._books = books
        self._client_id = client_id
        self._client_secret = client_secret
        self.tenant = tenant
        self._key = hashlib.sha256(f"{tenant}:{client_secret}".encode()).digest()

    def token(self, tenant: str, raw: bytes, content_type: str, base: str) -> Answer:
        """The client credentials flow; a wrong call is answered with the provider's own codes."""
        form = dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
        if "application/x-www-form-urlencoded" not in content_type:
            form = {}
        if tenant.lower() != self.tenant.lower():
            text = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID"
            return _refused(400, "invalid_request", 90002, text)
        grant = form.get("grant_type", "")
        if not grant:
            return _missing("grant_type")
        if grant != "client_credentials":
            text = f"The app requested an unsupported grant type '{grant}'."
            return _refused(400, "unsupported_grant_type", 70003, text)
        return self._check_client(form) or self._check_scope(form, base) or self._issue(form)

    def _check_client(self, form: dict[str, str]) -> Answer | None:
        client = form.get("client_id", "")
        if not client:
            return _missing("client_id")
        if client.lower() != self._client_id.lower():
            text = f"Application with identifier '{client}' was not found in the directory '{self.tenant}'."
            return _refused(400, "unauthorized_client", 700016, text)
        if not form.get("client_secret"):
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            return _refused(401, "invalid_client", 7000218, text)
        if self._books.setting("secret_expired"):
            text = f"The provided client secret keys for app '{client}' are expired."
            return _refused(401, "invalid_client", 7000222, text)
        if not hmac.compare_digest(form["client_secret"].encode(), self._client_secret.encode()):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret"
                f" value, not the client secret ID, for a secret added to app '{client}'."
            )
            return _refused(401, "invalid_client", 7000215, text)
        return None

    def _check_scope(self, form: dict[str, str], base: str) -> Answer | None:
        scope = form.get("scope", "")
        if not scope:
            return _missing("scope")
        if not scope.endswith("/.default"):
            text = (
                f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value"
                " with /.default suffixed to the resource identifier (application ID URI)."
            )
            return _refused(400, "invalid_scope", 1002012, text)
        resource = scope.removesuffix("/.default").rstrip("/")
        host = urlsplit(resource).netloc.lower()
        known = {urlsplit(one).netloc.lower() for one in (base, *self._books.setting("environment_urls"))}
        if host not in known and not host.endswith(".operations.dynamics.com"):
            text = f"The resource principal named {resource} was not found in the tenant named {self.tenant}."
            return _refused(400, "invalid_resource", 500011, text)
        return None

    def _issue(self, form: dict[str, str]) -> Answer:
        seconds = int(self._books.setting("token_seconds"))
        now = int(time.time())
        claims = {
            "aud": form["scope"].removesuffix("/.default"),
            "iss": f"https://sts.windows.net/{self.tenant}/",
            "appid": form["client_id"],
            "tid": self.tenant,
            "iat": now,
            "exp": now + seconds,
            "uti": uuid.uuid4().hex,
        }
        head = _base64(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
        signed = f"{head}.{_base64(json.dumps(claims).encode())}"
        token = f"{signed}.{self._signature(signed)}"
        body = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
        return Answer(200, body, {"cache-control": "no-store, no-cache"})

    def refuse(self, headers: Mapping[str, str]) -> Answer | None:
        """401 without a living token of this tenant; 401 or 403 for an app that is not registered inside."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        claims = self._claims(token.strip()) if kind.lower() == "bearer" else None
        if claims is None:
            return _unauthorised("The access token is missing or invalid.")
        if time.time() >= min(claims["exp"], claims["iat"] + int(self._books.setting("token_seconds"))):
            return _unauthorised("The access token expired.")
        apps = self._books.setting("registered_apps")
        registered = [self._client_id] if apps is None else apps
        if claims["appid"].lower() not in [app.lower() for app in registered]:
            status = int(self._books.setting("unregistered_answer"))
            if status == 403:
                return Answer(403, "The client application is not registered in this environment.", dict(_TEXT))
            return _unauthorised("The client application is not registered in this environment.")
        return None

    def _claims(self, token: str) -> dict[str, Any] | None:
        signed, _, signature = token.rpartition(".")
        if not signed or not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return None
        payload = signed.split(".")[-1]
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    def _signature(self, signed: str) -> str:
        return _base64(hmac.new(self._key, signed.encode(), hashlib.sha256).digest())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _missing(name: str) -> Answer:
    text = f"The request body must contain the following parameter: '{name}'."
    return _refused(400, "invalid_request", 900144, text)


def _refused(status: int, error: str, code: int, text: str) -> Answer:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    description = f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    body = {
        "error": error,
        "error_description": description,
        "error_codes": [code],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={code}",
    }
    return Answer(status, body)


def _unauthorised(text: str) -> Answer:
    challenge = f'Bearer error="invalid_token", error_description="{text}"'
    return Answer(401, "", {"www-authenticate": challenge, **_TEXT})
