"""A plant with a shift for every hour of the day, so that some have always just ended; Lines are fed by event time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle

from activities.handover import MARK, HandoversDue
from domain.handover import shifts_between
from domain.plant import PlantConfig, ShiftConfig
from domain.plant_quality import QualityConfig
from domain.shifts import ShiftSpan
from ledger.port import LedgerPort
from signals.decisions import Answer
from signals.handover import AcknowledgeHandover, HandoverReport, HandoverSearch
from signals.ids import handover_tick_id, handover_workflow_id, plant_task_queue, time_text
from signals.people import Actor
from tests.workflows.bench import Bench, eventually, plant_config
from workers.handover_desk import acknowledge
from workflows.common import TASK_TIMEOUT
from workflows.handover_messages import HandoverInput, HandoverPatience, TickInput

HOUR = timedelta(hours=1)
IMPATIENT = HandoverPatience(after_end_seconds=0, late_seconds=0.6, ask_seconds=0.3, answer_seconds=0.5)


@dataclass
class ShiftBench(Bench):
    """What tests do with shifts."""

    patience: HandoverPatience = IMPATIENT
    ticks: int = 0

    async def since(self, hours: int) -> list[ShiftSpan]:
        """Plantwright has been away for so long: the shifts that have ended meanwhile."""
        now = datetime.now(UTC)
        after = now.replace(minute=0, second=0, microsecond=0) - hours * HOUR + timedelta(minutes=30)
        await self.ledger.set_mark(self.id, MARK, time_text(after))
        return list(shifts_between(self.plant, after, now))

    async def tick(self) -> HandoversDue:
        """What the schedule does."""
        self.ticks += 1
        name = f"{handover_tick_id(self.id)}-{self.ticks}"
        self.workflows.add(name)
        found = await self.client.execute_workflow(
            "HandoverTick", TickInput(plant=self.id, patience=self.patience), id=name,
            task_queue=plant_task_queue(self.id), result_type=HandoversDue,
        )  # fmt: skip
        self.workflows |= {handover_workflow_id(self.id, ref.shift) for ref in found.due}
        return found

    async def begin(self, span: ShiftSpan, **fields: Any) -> None:
        """Start one shift's handover."""
        name = handover_workflow_id(self.id, span.label)
        self.workflows.add(name)
        await self.client.start_workflow(
            "ShiftHandover",
            HandoverInput(plant=self.id, shift=span.label, ends_at=span.end, patience=self.patience, **fields),
            id=name, task_queue=plant_task_queue(self.id), task_timeout=TASK_TIMEOUT,
        )  # fmt: skip

    def handle(self, span: ShiftSpan) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(handover_workflow_id(self.id, span.label))

    async def made(self, count: int, seconds: float = 60) -> list[HandoverReport]:
        """Until so many handovers are in the ledger; the earliest first."""
        found = await eventually(
            lambda: self.ledger.handovers(self.id, HandoverSearch(limit=1000)), lambda f: len(f) >= count, seconds
        )
        return found[::-1]

    async def until(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, span: ShiftSpan, what: Callable[[HandoverReport], object], seconds: float = 60
    ) -> HandoverReport:
        """Until the ledger's handover of the shift is so."""

        async def ask() -> HandoverReport | None:
            return await self.ledger.handover(self.id, span.label)

        found = await eventually(ask, lambda r: r is not None and what(r), seconds)
        assert found is not None
        return found

    async def take_over(
        self, span: ShiftSpan, user: str = "supervisor-2", action: str = "a1", role: str = "supervisor"
    ) -> Answer:
        act = AcknowledgeHandover(action_id=action, actor=Actor(user=user, role=role, plant=self.id), comment="read")
        return await acknowledge(self.client, self.ledger, self.id, span.label, act)


def hourly_plant(name: str = "", *, cadence: int = 1000) -> PlantConfig:
    """A shift for every hour; no signatures, so that who acts is believed."""
    hours = tuple(ShiftConfig(name=f"h{h:02}", start=time(h), end=time((h + 1) % 24)) for h in range(24))
    plant = plant_config(name=name, cadence=cadence)
    return plant.model_copy(update={"shifts": hours, "quality": QualityConfig(signatures="off")})


@asynccontextmanager
async def shift_bench(client: Client, ledger: LedgerPort, *, replay: bool = True) -> AsyncIterator[ShiftBench]:
    """A bench for shifts whose workers poll; histories are replayed after a test that passed."""
    bench = ShiftBench(client, ledger, hourly_plant())
    try:
        async with bench.working():
            yield bench
        if replay:
            assert await bench.replay()
    finally:
        await bench.end()
