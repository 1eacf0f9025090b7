"""Holds that the ledger has get their process: at once where Temporal answers, else when a worker looks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from ledger.hold_port import HoldLedger, OpenedHold
from signals.errors import NoAnswer
from signals.holds import HoldSearch, HoldTrigger, InspectionOutcome
from signals.ids import hold_workflow_id, plant_task_queue
from workers.client import TemporalUnreachable
from workers.holds import start_or_tell, tell_inspection
from workflows.common import TASK_TIMEOUT
from workflows.hold_messages import HoldInput

LOOK_EVERY = 30.0
"""Seconds between a worker's looks for holds whose process was not told."""

log = structlog.get_logger(__name__)


class TemporalHoldDesk:
    """Tells holds' processes for a command. Once Temporal did not answer it is not asked again; `why` says so."""

    def __init__(self, connect: Callable[[], Awaitable[Client]], ledger: HoldLedger) -> None:
        self._connect = connect
        self._ledger = ledger
        self.why = ""

    async def opened(self, trigger: HoldTrigger, opened: OpenedHold) -> bool:
        """Start the hold's process or tell it of the trigger. False where Temporal does not answer."""
        return await self._say(lambda client: start_or_tell(client, self._ledger, trigger))

    async def inspected(self, plant: str, hold: str, outcome: InspectionOutcome) -> bool:
        """Bring a result to the hold. False where Temporal does not answer."""
        return await self._say(lambda client: tell_inspection(client, plant, hold, outcome))

    async def _say(self, what: Callable[[Client], Awaitable[object]]) -> bool:
        if self.why:
            return False
        try:
            await what(await self._connect())
        except (NoAnswer, TemporalUnreachable) as error:
            self.why = str(error)
            return False
        return True


async def start_untold(client: Client, ledger: HoldLedger, plant: str, *, everything: bool = False) -> list[str]:
    """Start the process of each open hold that has none; ids of those that were asked for.

    Usually only holds whose process has never written to the ledger; with `everything` all open ones, which is what
    a restored Temporal needs. One that runs or has ended stays as it is.
    """
    asked: list[str] = []
    for record in await ledger.holds(plant, HoldSearch()):
        if record.revision and not everything:
            continue
        asked.append(record.hold)
        try:
            await client.start_workflow(
                "QualityHold",
                HoldInput(plant=plant, hold=record.hold),
                id=hold_workflow_id(plant, record.hold),
                task_queue=plant_task_queue(plant),
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                task_timeout=TASK_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            continue
    return asked


async def keep_holds_running(client: Client, ledger: HoldLedger, plant: str, every: float = LOOK_EVERY) -> None:
    """Look for them until cancelled. What fails is logged and looked for again."""
    everything = True
    while True:
        try:
            await start_untold(client, ledger, plant, everything=everything)
            everything = False
        except (RPCError, OSError) as error:
            log.warning("holds not looked after", plant=plant, why=str(error))
        await asyncio.sleep(every)
