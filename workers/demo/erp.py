"""The ERP on the demo's stage: started, seeded, unplugged, asked for its own books, typed into by hand.

Simulated ERPs are children with a control side; Tryton is a real one, and its outage is a cut line in front of it.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx

from signals.errors import PlantwrightError
from workers.demo.children import Child

TITLES = {
    "sap": "simulated SAP S/4HANA",
    "oracle": "simulated Oracle Fusion SCM",
    "dynamics": "simulated Dynamics 365 SCM",
    "tryton": "Tryton",
}
EVENTS_SECRET = "PLANTWRIGHT_EVENTS_SECRET"
TENANT = "demo.onmicrosoft.com"


class ControlRefused(PlantwrightError):
    """A control side did not do what was asked; the message carries its answer."""


class DemoErp(Protocol):
    """What the demo wants of an ERP, whichever it is."""

    title: str

    @property
    def environ(self) -> dict[str, str]:
        """For worker and commands: address and secrets. Complete once it is started."""
        ...

    @property
    def worker_options(self) -> tuple[str, ...]:
        """What the worker must be started with."""
        ...

    async def start(self, make_child: Callable[..., Child]) -> str:
        """Returns its address. Raises StageFailed."""
        ...

    async def seed(self, orders: Mapping[str, Any]) -> None: ...

    async def books(self) -> dict[str, Any]:
        """What the ERP believes, in the shape of docs/simulators.md; never through the adapter."""
        ...

    async def unplug(self) -> None:
        """Every connection is dropped without an answer, until it is plugged in."""
        ...

    async def plug_in(self) -> None: ...

    async def enter_by_hand(self, order: str, operation: str, pieces: int) -> str:
        """A person confirms in the ERP's own screen; the document's number."""
        ...

    async def stop(self) -> None: ...


async def ask(http: httpx.AsyncClient, method: str, url: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One call to a control side. Raises ControlRefused."""
    try:
        answer = await http.request(method, url, json=body)
    except httpx.HTTPError as error:
        raise ControlRefused(f"{method} {url} got no answer: {type(error).__name__} {error}") from error
    if answer.status_code >= 400:
        raise ControlRefused(f"{method} {url} answered {answer.status_code}: {answer.text[:300]}")
    return dict(answer.json())


class SimulatedErp:
    """A simulated ERP as a child process."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.title = TITLES[kind]
        self._db = folder / f"{kind}.sqlite"
        self._http = httpx.AsyncClient(timeout=20, trust_env=False)
        self._url = ""
        self.environ = _secrets(kind) | {"PLANTWRIGHT_ERP_KIND": kind}
        self.worker_options: tuple[str, ...] = ()
        if kind == "dynamics":
            self.environ[EVENTS_SECRET] = secrets.token_urlsafe(18)
            self.worker_options = ("--events-port", str(_free_port()))

    async def start(self, make_child: Callable[..., Child]) -> str:
        child = make_child(self.kind, "simulate", self.kind, "--port", "0", "--db", str(self._db))
        self._url = (await child.start())["url"]
        self.environ["PLANTWRIGHT_ERP_URL"] = self._url
        if self.kind == "dynamics":
            self.environ["PLANTWRIGHT_ERP_TOKEN_URL"] = f"{self._url}/{TENANT}/oauth2/v2.0/token"
        return self._url

    async def seed(self, orders: Mapping[str, Any]) -> None:
        await self._ask("POST", "orders", orders)
        if self.kind == "dynamics":
            endpoint = f"http://127.0.0.1:{self.worker_options[1]}/erp-events/demo"
            settings = {
                "business_event_endpoints": [endpoint],
                "business_event_secret_header": "x-plantwright-secret",
                "business_event_secret": self.environ[EVENTS_SECRET],
            }
            await self._ask("POST", "settings", settings)

    async def books(self) -> dict[str, Any]:
        return await self._ask("GET", "books")

    async def unplug(self) -> None:
        await self._ask("POST", "faults", {"mode": "down"})

    async def plug_in(self) -> None:
        await self._ask("DELETE", "faults")

    async def enter_by_hand(self, order: str, operation: str, pieces: int) -> str:
        entry = {"order": order, "operation": operation, "yield": str(pieces), "text": "entered in the outage"}
        return str((await self._ask("POST", "manual", entry))["documents"][0])

    async def stop(self) -> None:
        await self._http.aclose()

    async def _ask(self, method: str, what: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return await ask(self._http, method, f"{self._url}/_control/{what}", body)


def _secrets(kind: str) -> dict[str, str]:
    """Fresh log-on data for one performance."""
    match kind:
        case "sap" | "oracle":
            return {f"{kind.upper()}_USER": "PLANTWRIGHT", f"{kind.upper()}_PASSWORD": secrets.token_urlsafe(18)}
        case "dynamics":
            return {
                "DYNAMICS_TENANT": TENANT,
                "DYNAMICS_CLIENT_ID": "plantwright",
                "DYNAMICS_CLIENT_SECRET": secrets.token_urlsafe(18),
            }
        case other:
            raise ValueError(f"no simulated ERP is named {other!r}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Outage:
    """How long the ERP has been away, in wall seconds."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._before = 0.0

    @property
    def over(self) -> bool:
        return self._since is None

    @property
    def seconds(self) -> float:
        return self._before + (0.0 if self._since is None else time.monotonic() - self._since)

    def begin(self) -> None:
        self._since = time.monotonic()

    def end(self) -> None:
        self._before, self._since = self.seconds, None
