"""The ERP on the demo's stage: started, seeded, unplugged, asked for its own books, typed into by hand.

Simulated ERPs are children with a control side; Tryton is a real one, and its outage is a cut line in front of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from workers.demo.children import Child
from workers.server_ports import free_port
from workers.simulated_erp import ErpControl

TITLES = {
    "sap": "simulated SAP S/4HANA",
    "oracle": "simulated Oracle Fusion SCM",
    "dynamics": "simulated Dynamics 365 SCM",
    "tryton": "Tryton",
}


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

    async def seed(self, orders: Mapping[str, Any], zone: str) -> None:
        """Give it its orders; its dates and times are of that zone, as the plant file says."""
        ...

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


class SimulatedErp:
    """A simulated ERP as a child process."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.title = TITLES[kind]
        self._db = folder / f"{kind}.sqlite"
        self._control = ErpControl(kind)
        self.environ = self._control.environ | {"PLANTWRIGHT_ERP_KIND": kind}
        self._events_port = str(free_port()) if self._control.sends_events else ""
        self.worker_options: tuple[str, ...] = ("--events-port", self._events_port) if self._events_port else ()

    async def start(self, make_child: Callable[..., Child]) -> str:
        child = make_child(self.kind, "simulate", self.kind, "--port", "0", "--db", str(self._db))
        self._control.url = (await child.start())["url"]
        self.environ["PLANTWRIGHT_ERP_URL"] = self._control.url
        if self._control.token_url:
            self.environ["PLANTWRIGHT_ERP_TOKEN_URL"] = self._control.token_url
        return self._control.url

    async def seed(self, orders: Mapping[str, Any], zone: str) -> None:
        await self._control.seed(orders)
        if self.kind == "sap":
            await self._control.ask("POST", "settings", {"time_zone": zone})
        if self._events_port:
            await self._control.send_events_to(f"http://127.0.0.1:{self._events_port}/erp-events/demo")

    async def books(self) -> dict[str, Any]:
        return await self._control.books()

    async def unplug(self) -> None:
        await self._control.ask("POST", "faults", {"mode": "down"})

    async def plug_in(self) -> None:
        await self._control.ask("DELETE", "faults")

    async def enter_by_hand(self, order: str, operation: str, pieces: int) -> str:
        entry = {"order": order, "operation": operation, "yield": str(pieces), "text": "entered in the outage"}
        return str((await self._control.ask("POST", "manual", entry))["documents"][0])

    async def stop(self) -> None:
        await self._control.aclose()


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
