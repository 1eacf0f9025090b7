"""The hands at the demo: the control sides of the simulated line and the simulated ERP, over HTTP."""

from __future__ import annotations

import time
from typing import Any

import httpx

from signals.errors import PlantwrightError


class ControlRefused(PlantwrightError):
    """A control side did not do what was asked; the message carries its answer."""


class Controls:
    """What a visitor can do, and the two books that judge: the line's truth and the ERP's own."""

    def __init__(self, line: str, erp: str) -> None:
        self._line = line
        self._erp = erp
        # The simulators are on this machine; a proxy of the environment is not asked.
        self._http = httpx.AsyncClient(timeout=20, trust_env=False)
        self._unplugged_at: float | None = None
        self._outage = 0.0

    @property
    def erp_is_up(self) -> bool:
        return self._unplugged_at is None

    @property
    def outage_seconds(self) -> float:
        """Wall seconds that the ERP was away, up to now."""
        now = 0.0 if self._unplugged_at is None else time.monotonic() - self._unplugged_at
        return self._outage + now

    async def truth(self) -> dict[str, Any]:
        return await self._ask("GET", f"{self._line}/_control/truth")

    async def books(self) -> dict[str, Any]:
        return await self._ask("GET", f"{self._erp}/_control/books")

    async def seed(self, orders: dict[str, Any]) -> None:
        await self._ask("POST", f"{self._erp}/_control/orders", orders)

    async def start_line(self) -> None:
        await self._ask("POST", f"{self._line}/_control/start")

    async def break_machine(self, station: str, plant_seconds: float) -> None:
        wish = {"station": station, "seconds": plant_seconds, "alarm": 5012}
        await self._ask("POST", f"{self._line}/_control/break", wish)

    async def bad_part(self) -> None:
        await self._ask("POST", f"{self._line}/_control/bad-part", {"reason": "SCRATCH"})

    async def unplug(self) -> None:
        """The ERP drops every connection without an answer, until it is plugged in."""
        if self._unplugged_at is None:
            await self._ask("POST", f"{self._erp}/_control/faults", {"mode": "down"})
            self._unplugged_at = time.monotonic()

    async def plug_in(self) -> None:
        if self._unplugged_at is not None:
            await self._ask("DELETE", f"{self._erp}/_control/faults")
            self._outage += time.monotonic() - self._unplugged_at
            self._unplugged_at = None

    async def enter_by_hand(self, order: str, operation: str, pieces: int) -> str:
        """A person confirms in the ERP's own screen; the document's number."""
        entry = {"order": order, "operation": operation, "yield": str(pieces), "text": "entered in the outage"}
        answer = await self._ask("POST", f"{self._erp}/_control/manual", entry)
        return str(answer["documents"][0])

    async def _ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, url, json=body)
        except httpx.HTTPError as error:
            raise ControlRefused(f"{method} {url} got no answer: {type(error).__name__} {error}") from error
        if answer.status_code >= 400:
            raise ControlRefused(f"{method} {url} answered {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())

    async def aclose(self) -> None:
        await self._http.aclose()
