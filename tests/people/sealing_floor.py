"""A plant with people and signatures, whose stop and whose handover run at the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client

from activities.sealing import seal_refusal
from domain.plant import PlantConfig
from ledger.connect import open_ledger
from ledger.people_port import Grant
from ledger.store import SqlLedger
from signals.people import Actor
from signals.sealing import Sealable, is_about
from tests.console.house import PASSWORD
from tests.workflows.shift_bench import ShiftBench, hourly_plant
from tests.workflows.stop_bench import ORDER, StopBench, UpkeepErp, stop_plant
from workers.console_desk import ConsoleDesk
from workers.people import People

CAST = (("supervisor-1", "supervisor"), ("supervisor-2", "supervisor"), ("operator-1", "operator"))


def with_signatures(plant: PlantConfig, wanted: str = "required") -> PlantConfig:
    quality = plant.quality.model_copy(update={"signatures": wanted})
    return plant.model_copy(update={"quality": quality})


@dataclass
class Staff:
    """The people of a ledger, and the key that seals for them."""

    ledger: SqlLedger
    plant: str
    now: list[datetime] = field(default_factory=list)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.people = People(self.ledger, lambda: self.key, now=self.time, hasher=cheap)

    def time(self) -> datetime:
        return self.now[0] if self.now else datetime.now(UTC)

    async def hire(self) -> None:
        for user, role in CAST:
            grant = Grant(user=user, plant=self.plant, role=role)
            await self.people.add_user(user, password=PASSWORD, grants=(grant,))

    def actor(self, user: str = "supervisor-1") -> Actor:
        return Actor(user=user, role=dict(CAST)[user], plant=self.plant)

    def desk(self, client: Client, plant: PlantConfig) -> ConsoleDesk:
        """The console's way to the processes, with the house's key."""

        async def connect() -> Client:
            return client

        return ConsoleDesk(connect, self.ledger, {self.plant: plant}, self.time, self.people)


async def seal_counts(url: str, plant: str, said: Sealable, place: str) -> str:
    """Empty where a door has sealed it as the worker wants it, else what the worker says."""
    ledger = await open_ledger(url)
    try:
        assert said.actor is not None
        return await seal_refusal(ledger, said, said.actor, is_about(plant, said, place), datetime.now(UTC))
    finally:
        await ledger.close()


@asynccontextmanager
async def standing_line(client: Client, folder: Path) -> AsyncIterator[tuple[StopBench, Staff]]:
    """A bench for stops of a plant with people and signatures; histories are replayed after a test that passed."""
    ledger = await open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    bench = StopBench(client, ledger, with_signatures(stop_plant()), erp=UpkeepErp())
    bench.release(ORDER, 20)
    await ledger.take_order(bench.erp.orders[ORDER])
    async with _at_work(bench, ledger) as staff:
        yield bench, staff


@asynccontextmanager
async def ended_shift(client: Client, folder: Path) -> AsyncIterator[tuple[ShiftBench, Staff]]:
    """The same for shifts."""
    ledger = await open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    bench = ShiftBench(client, ledger, with_signatures(hourly_plant()))
    async with _at_work(bench, ledger) as staff:
        yield bench, staff


@asynccontextmanager
async def _at_work(bench: StopBench | ShiftBench, ledger: SqlLedger) -> AsyncIterator[Staff]:
    staff = Staff(ledger, bench.id)
    await staff.hire()
    try:
        async with bench.working():
            yield staff
        assert await bench.replay()
    finally:
        await bench.end()
        await ledger.close()
