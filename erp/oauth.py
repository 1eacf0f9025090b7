"""OAuth 2.0 client credentials (RFC 6749 section 4.4): one token for all callers, renewed shortly before it expires.

Not for other grants. The secret goes to the token endpoint only; no message, log line or repr holds it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from signals.errors import ErpBusy, ErpError, ErpMisconfigured, ErpUnavailable

RENEW_BEFORE_SECONDS = 60.0
RENEW_BEFORE_SHARE = 0.1
"""A token is renewed 60 s before it expires, or a tenth of its life before, where that is shorter."""
USUAL_LIFE_SECONDS = 300.0
"""Where the endpoint does not say how long a token lives (`expires_in` is only recommended)."""
TOLD_LENGTH = 200


class ClientCredentials:
    """Tokens for one client id. Callers share one request to the endpoint, and its failure.

    `credentials_in` says where the endpoint reads id and secret: the Basic header (RFC 6749 2.3.1) or the form.
    The HTTP client must have no `auth` of its own for the endpoint; it is used as it is and never closed here.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        token_url: str,
        client_id: str,
        secret: str,
        scope: str = "",
        *,
        credentials_in: Literal["header", "form"] = "header",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._token_url = token_url
        self._client_id = client_id
        self._secret = SecretStr(secret)
        self._scope = scope
        self._credentials_in = credentials_in
        self._clock = clock
        self._token = SecretStr("")
        self._renew_at = 0.0
        self._fetching: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"ClientCredentials(token_url={self._token_url!r}, client_id={self._client_id!r})"

    async def header(self) -> str:
        """Value of the Authorization header: `Bearer …`.

        Raises ErpMisconfigured (wrong id, secret, scope or address) and ErpUnavailable or ErpBusy (no answer now).
        """
        if not self._is_fresh():
            if self._fetching is None or self._fetching.done():
                self._fetching = asyncio.create_task(self._fetch())
                self._fetching.add_done_callback(_seen)
            await asyncio.shield(self._fetching)
        return self._bearer()

    def forget(self, refused: str = "") -> None:
        """The ERP answered 401: the next `header` fetches anew.

        `refused` is the header value that was sent; a newer token than that is kept.
        """
        if not refused or refused == self._bearer():
            self._token = SecretStr("")

    def _bearer(self) -> str:
        return f"Bearer {self._token.get_secret_value()}"

    def _is_fresh(self) -> bool:
        return bool(self._token.get_secret_value()) and self._clock() < self._renew_at

    async def _fetch(self) -> None:
        asked_at = self._clock()
        response = await self._ask()
        if response.status_code != 200:
            raise self._refused(response)
        answer = _json_of(response)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise ErpMisconfigured(
                f"{self._where} answered without an access token; check that token_url is the token endpoint",
                code="oauth_no_token",
            )
        life = _seconds(answer.get("expires_in"))
        self._token = SecretStr(token)
        self._renew_at = asked_at + life - min(RENEW_BEFORE_SECONDS, RENEW_BEFORE_SHARE * life)

    async def _ask(self) -> httpx.Response:
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        secret = self._secret.get_secret_value()
        in_header = self._credentials_in == "header"
        if not in_header:
            form |= {"client_id": self._client_id, "client_secret": secret}
        try:
            return await self._http.post(
                self._token_url,
                data=form,
                headers={"accept": "application/json"},
                auth=httpx.BasicAuth(self._client_id, secret) if in_header else httpx.Auth(),
                follow_redirects=False,
            )
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ErpMisconfigured(f"{self._where}: {error}; check token_url", code="oauth_url") from None
        except httpx.HTTPError as error:
            told = f"no token: {self._where} does not answer ({type(error).__name__}: {error})"
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ErpMisconfigured(f"{told}; set ca_file to its authority", code="tls") from None
            raise ErpUnavailable(told, code="oauth_no_answer") from None

    def _refused(self, response: httpx.Response) -> ErpError:
        status = response.status_code
        answer = _json_of(response)
        code = str(answer.get("error") or f"HTTP/{status}")
        said = self._without_secret(f"{code} {answer.get('error_description') or ''}".strip())[:TOLD_LENGTH]
        told = f"no token: {self._where} answered HTTP {status}, {said}"
        if status == 429:
            return ErpBusy(told, code="HTTP/429", retry_after=_retry_after(response))
        if status >= 500:
            return ErpUnavailable(told, code=f"HTTP/{status}", retry_after=_retry_after(response))
        return ErpMisconfigured(f"{told}; {_hint(code, status)}", code=f"oauth_{code}")

    def _without_secret(self, text: str) -> str:
        secret = self._secret.get_secret_value()
        return text.replace(secret, "***") if secret else text

    @property
    def _where(self) -> str:
        parts = urlsplit(self._token_url)
        return f"the token endpoint {parts.hostname or self._token_url}{parts.path}"


def _seen(task: asyncio.Task[None]) -> None:
    """Take the exception of a request whose callers have all gone; who waits gets it from the task."""
    if not task.cancelled():
        task.exception()


def _json_of(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _seconds(value: object) -> float:
    """`expires_in`, which some endpoints write as text."""
    try:
        return max(1.0, float(str(value)))
    except ValueError:
        return USUAL_LIFE_SECONDS


def _retry_after(response: httpx.Response) -> float | None:
    written = response.headers.get("retry-after", "").strip()
    return float(written) if written.isdigit() else None


def _hint(code: str, status: int) -> str:
    if code == "invalid_scope":
        return "check scope"
    if code in ("invalid_client", "unauthorized_client") or status == 401:
        return "check the client id and the client secret, and whether the secret has expired"
    return "check token_url, client id, client secret and scope"
