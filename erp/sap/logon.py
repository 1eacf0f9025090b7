"""How the adapter logs on: Basic with user and password, or OAuth client credentials (reference erp.md 1.1)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Protocol

import httpx
from pydantic import SecretStr

from erp.oauth import ClientCredentials
from erp.sap.settings import SapSettings
from signals.errors import ErpMisconfigured


class Logon(Protocol):
    """What stands in the Authorization header."""

    async def header(self) -> str: ...

    def forget(self, refused: str) -> bool:
        """SAP answered 401 to this header; True where another one may be accepted."""
        ...

    async def aclose(self) -> None: ...


class BasicLogon:
    """User and password; what was refused once stays refused."""

    def __init__(self, user: str, password: str) -> None:
        self._header = SecretStr("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())

    async def header(self) -> str:
        return self._header.get_secret_value()

    def forget(self, refused: str) -> bool:
        return False

    async def aclose(self) -> None:
        """Nothing to close."""


class OAuthLogon:
    """A token of the plant's OAuth client, with a connection of its own to the token endpoint."""

    def __init__(self, http: httpx.AsyncClient, credentials: ClientCredentials) -> None:
        self._http = http
        self._credentials = credentials

    async def header(self) -> str:
        return await self._credentials.header()

    def forget(self, refused: str) -> bool:
        self._credentials.forget(refused)
        return True

    async def aclose(self) -> None:
        await self._http.aclose()


def logon_for(
    config: SapSettings, plant_id: str, environ: Mapping[str, str], http: httpx.AsyncClient | None = None
) -> Logon:
    """The log-on that `[erp]` names; `http` goes to the token endpoint. ErpMisconfigured names what is not set."""
    oauth = config.auth == "oauth"
    names = (config.client_id_env, config.client_secret_env) if oauth else (config.user_env, config.password_env)
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise ErpMisconfigured(
            f"the SAP credentials of plant {plant_id} are missing: set {' and '.join(missing)} in the environment",
            code="credentials_missing",
        )
    first, second = (environ[name] for name in names)
    if not oauth:
        return BasicLogon(first, second)
    if not config.token_url:
        raise ErpMisconfigured(
            '[erp] auth = "oauth" needs token_url: the token endpoint of the communication system', code="oauth_url"
        )
    client = http or httpx.AsyncClient(timeout=config.timeout_seconds)
    return OAuthLogon(client, ClientCredentials(client, config.token_url, first, second, config.scope))
