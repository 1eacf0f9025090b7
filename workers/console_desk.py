"""The console's way to its plants' processes: status, decisions, holds, stops, inspections. See `console.ports`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta

from domain.plant import PlantConfig
from ledger.hold_port import OpenedHold
from ledger.port import LedgerPort
from signals.decisions import Answer, DecideParked
from signals.downtime import StopAct
from signals.errors import NoAnswer
from signals.handover import AcknowledgeHandover
from signals.holds import HoldAct, HoldTrigger, InspectionOutcome
from signals.reports import ParkedItem
from signals.sealing import stop_place
from workers.client import TemporalUnreachable
from workers.desk import Connect, Sealer, TemporalDesk, decide_parked
from workers.handover_desk import acknowledge
from workers.holds import act_on_hold, start_or_tell, tell_inspection
from workers.inspections import Inspections
from workers.stop_desk import act_on_stop

LOOK_WITHIN = timedelta(seconds=2)
"""A page shows what the ledger has rather than wait longer for a process."""


class ConsoleDesk(TemporalDesk):
    """Refusals are BadInput, silence is NoAnswer; a Temporal that is away is silence."""

    def __init__(
        self,
        connect: Connect,
        ledger: LedgerPort,
        plants: Mapping[str, PlantConfig],
        now: Callable[[], datetime],
        sealer: Sealer | None = None,
    ) -> None:
        def seals(plant: str) -> Sealer | None:
            return sealer if plants[plant].quality.signatures == "required" else None

        super().__init__(connect, look_within=LOOK_WITHIN, seals=seals)
        self._ledger = ledger
        self._plants = plants
        self._now = now

    async def act_on_hold(self, plant: str, hold: str, act: HoldAct) -> Answer:
        return await act_on_hold(await self._connect(), self._ledger, plant, hold, act, now=self._now())

    async def act_on_stop(self, plant: str, line: str, stop: str, act: StopAct) -> Answer:
        act = await self.sealed(plant, act, stop_place(line, stop))
        return await act_on_stop(await self._connect(), self._ledger, plant, line, stop, act)

    async def acknowledge_handover(self, plant: str, shift: str, act: AcknowledgeHandover) -> Answer:
        act = await self.sealed(plant, act, shift)
        return await acknowledge(await self._connect(), self._ledger, plant, shift, act)

    async def open_hold(self, trigger: HoldTrigger) -> str:
        """The block stands in the ledger before Temporal is asked: an outage of it never delays a block.

        Where Temporal is away a worker starts the hold's process as soon as it looks (`workers.hold_desk`).
        """
        opened = await self._ledger.open_hold(trigger)
        await self.opened(trigger, opened)
        return opened.hold

    async def decide_parked(self, plant: str, item: ParkedItem, decision: DecideParked) -> Answer:
        return await decide_parked(self, self._ledger, self._plants[plant], item, decision)

    async def record_inspection(self, plant: str, outcome: InspectionOutcome) -> Mapping[str, object]:
        inspections = Inspections(self._ledger, self._plants[plant], self._now, self)
        return asdict(await inspections.record(outcome))

    # --- for `workers.inspections` -------------------------------------------------------------------------------

    async def opened(self, trigger: HoldTrigger, opened: OpenedHold) -> bool:
        """Start or tell the hold's process. False where Temporal does not take it: the block stands all the same."""
        try:
            await start_or_tell(await self._connect(), self._ledger, trigger)
        except (NoAnswer, TemporalUnreachable):
            return False
        return True

    async def inspected(self, plant: str, hold: str, outcome: InspectionOutcome) -> bool:
        try:
            return await tell_inspection(await self._connect(), plant, hold, outcome)
        except (NoAnswer, TemporalUnreachable):
            return False
