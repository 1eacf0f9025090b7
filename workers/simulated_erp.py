"""A simulated ERP seen from whoever runs one: fresh secrets, addresses, its control side. For demo and replay.

Not the process: each starts it in its own way.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import httpx

from signals.errors import PlantwrightError
from workers.erp_events import SECRET_HEADER

SIMULATED = ("sap", "oracle", "dynamics")
EVENTS_SECRET = "PLANTWRIGHT_EVENTS_SECRET"
TENANT = "demo.onmicrosoft.com"
TIMEOUT_SECONDS = 60


class ControlRefused(PlantwrightError):
    """A control side did not do what was asked; the message carries its answer."""


async def ask(http: httpx.AsyncClient, method: str, url: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One call to a control side. Raises ControlRefused."""
    try:
        answer = await http.request(method, url, json=body)
    except httpx.HTTPError as error:
        raise ControlRefused(f"{method} {url} got no answer: {type(error).__name__} {error}") from error
    if answer.status_code >= 400:
        raise ControlRefused(f"{method} {url} answered {answer.status_code}: {answer.text[:300]}")
    return dict(answer.json())


class ErpControl:
    """The control side (docs/simulators.md), and in `environ` what the simulator and a worker must both know."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.url = ""
        self.environ = _secrets(kind)
        # The simulators are on this machine; a proxy of the environment is not asked.
        self._http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    @property
    def sends_events(self) -> bool:
        """Whether it tells outcomes by events beside its books."""
        return self.kind == "dynamics"

    @property
    def token_url(self) -> str:
        """Where its identity provider is; empty where it has the usual address."""
        return f"{self.url}/{TENANT}/oauth2/v2.0/token" if self.kind == "dynamics" else ""

    async def seed(self, orders: Mapping[str, Any]) -> None:
        await self.ask("POST", "orders", orders)

    async def send_events_to(self, endpoint: str) -> None:
        """Every event goes there from now on, with the secret of EVENTS_SECRET."""
        settings = {
            "business_event_endpoints": [endpoint],
            "business_event_secret_header": SECRET_HEADER,
            "business_event_secret": self.environ[EVENTS_SECRET],
        }
        await self.ask("POST", "settings", settings)

    async def books(self) -> dict[str, Any]:
        """What the ERP believes."""
        return await self.ask("GET", "books")

    async def aclose(self) -> None:
        await self._http.aclose()

    async def ask(self, method: str, what: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return await ask(self._http, method, f"{self.url}/_control/{what}", body)


def _secrets(kind: str) -> dict[str, str]:
    """Fresh log-on data for one run."""
    match kind:
        case "sap" | "oracle":
            return {f"{kind.upper()}_USER": "PLANTWRIGHT", f"{kind.upper()}_PASSWORD": secrets.token_urlsafe(18)}
        case "dynamics":
            return {
                "DYNAMICS_TENANT": TENANT,
                "DYNAMICS_CLIENT_ID": "plantwright",
                "DYNAMICS_CLIENT_SECRET": secrets.token_urlsafe(18),
                EVENTS_SECRET: secrets.token_urlsafe(18),
            }
        case other:
            raise ValueError(f"no simulated ERP is named {other!r}")
