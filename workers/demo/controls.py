"""The hands at the demo: the control side of the simulated line, and the ERP, whichever it is."""

from __future__ import annotations

from typing import Any

import httpx

from workers.demo.erp import DemoErp, Outage
from workers.simulated_erp import ask


class Controls:
    """What a visitor can do, and the two books that judge: the line's truth and the ERP's own."""

    def __init__(self, line: str, erp: DemoErp) -> None:
        self._line = line
        self._erp = erp
        # The simulators are on this machine; a proxy of the environment is not asked.
        self._http = httpx.AsyncClient(timeout=20, trust_env=False)
        self._outage = Outage()

    @property
    def erp_is_up(self) -> bool:
        return self._outage.over

    @property
    def outage_seconds(self) -> float:
        """Wall seconds that the ERP was away, up to now."""
        return self._outage.seconds

    async def truth(self) -> dict[str, Any]:
        return await self._ask("GET", "truth")

    async def books(self) -> dict[str, Any]:
        return await self._erp.books()

    async def start_line(self) -> None:
        await self._ask("POST", "start")

    async def break_machine(self, station: str, plant_seconds: float) -> None:
        await self._ask("POST", "break", {"station": station, "seconds": plant_seconds, "alarm": 5012})

    async def bad_part(self) -> None:
        await self._ask("POST", "bad-part", {"reason": "SCRATCH"})

    async def drift(self, pieces: int) -> dict[str, Any]:
        """The next pieces measure out of their limits at the first station that measures; what drifts."""
        return await self._ask("POST", "drift", {"pieces": pieces})

    async def change_over(self) -> dict[str, Any]:
        """The run in work makes room for the next one; the run that comes on."""
        return await self._ask("POST", "change-over")

    async def unplug(self) -> None:
        """The ERP drops every connection without an answer, until it is plugged in."""
        if self._outage.over:
            await self._erp.unplug()
            self._outage.begin()

    async def plug_in(self) -> None:
        if not self._outage.over:
            await self._erp.plug_in()
            self._outage.end()

    async def enter_by_hand(self, order: str, operation: str, pieces: int) -> str:
        """A person confirms in the ERP's own screen; the document's number."""
        return await self._erp.enter_by_hand(order, operation, pieces)

    async def _ask(self, method: str, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return await ask(self._http, method, f"{self._line}/_control/{what}", body)

    async def aclose(self) -> None:
        await self._http.aclose()
