"""A plant whose line stands: facts come as the Line writes them, maintenance and planning are in the ERP's memory."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from temporalio.client import Client, WorkflowHandle

from domain.plant import PlantConfig
from erp.port import SendGuard
from ledger.port import LedgerPort, LineRecord
from signals.decisions import Answer
from signals.documents import Booking, ErpDocument, Snapshot
from signals.downtime import StopAct, StopFact, StopRecord, StopStretch, TimeClass
from signals.erp_reads import AlternateWorkCentre, Demand, StockLine
from signals.errors import ErpRejected
from signals.ids import downtime_workflow_id, plant_task_queue, stop_id
from signals.packml import MachineState
from signals.people import Actor
from signals.transactions import PostingIntent, ReportTime, Reverse, Transaction
from signals.upkeep import AdjustCapacity, CloseDowntime, OpenDowntime
from tests.workflows.bench import LINE, OPERATIONS, PRESS, Bench, eventually, plant_config
from tests.workflows.memory_erp import YES, MemoryErp
from workers.stop_desk import act_on_stop
from workflows.common import TASK_TIMEOUT
from workflows.stop_messages import TAKE_FACT, StopInput

ORDER = "1000001"
UPKEEP = OpenDowntime | CloseDowntime | AdjustCapacity | ReportTime
DOWNTIME: dict[str, Any] = {
    "merge_seconds": 0,
    "reason": [
        {"id": "jam", "text": "Jam", "cost_centre": "CC-100", "notify": True, "breakdown": True, "capacity": True,
         "alarms": ["E1*"]},
        {"id": "material", "text": "No material", "cost_centre": "CC-200", "owner": "supervisor"},
        {"id": "break", "text": "Break", "time_class": "planned"},
    ],
}  # fmt: skip

_numbers = itertools.count(1)


@dataclass
class UpkeepErp(MemoryErp):
    """Notifications, capacity changes and times by key; what is reversed is gone."""

    booked_upkeep: dict[str, Transaction] = field(default_factory=dict)
    withdrawn: list[AdjustCapacity] = field(default_factory=list)
    refuses: set[type] = field(default_factory=set)
    demands: list[Demand] = field(default_factory=list)
    on_hand: list[StockLine] = field(default_factory=list)
    others: list[AlternateWorkCentre] = field(default_factory=list)

    capabilities = MemoryErp.capabilities.model_copy(
        update={"reads": dict.fromkeys(("order_changes", "pegging", "stock", "alternates"), YES)}
    )

    def told(self, kind: type[Any]) -> list[Any]:
        """What of a kind is booked and stands."""
        return [t for t in self.booked_upkeep.values() if isinstance(t, kind)]

    async def pegging(self, order: str) -> list[Demand]:
        await self._call("pegging")
        return self.demands

    async def stock(self, material: str, batch: str = "") -> list[StockLine]:
        await self._call("stock")
        return self.on_hand

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        await self._call("alternates")
        return self.others

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        if not self.away and type(intent.transaction) in self.refuses:
            await self._call("post")
            raise ErpRejected("Notification type M2 is locked", code="IM/000")
        return await super().post(intent, guard)

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        if isinstance(intent.transaction, UPKEEP):
            await self._call("find")
            return Booking(document=next((d for d in self.books if d.key == intent.key), None))
        return await super().find(intent, before)

    def _book(self, intent: PostingIntent) -> ErpDocument:
        t = intent.transaction
        if isinstance(t, Reverse) and isinstance(t.original, AdjustCapacity):
            gone = self.booked_upkeep.pop(str(t.original_key))
            assert isinstance(gone, AdjustCapacity)
            self.withdrawn.append(gone)
            made = ErpDocument(document=self._number(), kind="capacity", order="", key=intent.key, reversal=True)
        elif isinstance(t, UPKEEP):
            assert str(intent.key) not in self.booked_upkeep, "the ERP has it twice"
            self.booked_upkeep[str(intent.key)] = t
            made = ErpDocument(document=self._number(), kind=t.type.value, order=t.order, key=intent.key)
        else:
            return super()._book(intent)
        self.books.append(made)
        return made


@dataclass
class StopBench(Bench):
    """What tests do with stops. `since` is the stop's start, by default a minute ago."""

    order_id: str = ORDER
    since: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(seconds=61))
    version: int = 0
    revision: int = 0
    alarm: str = ""

    @property
    def upkeep(self) -> UpkeepErp:
        assert isinstance(self.erp, UpkeepErp)
        return self.erp

    @property
    def stop(self) -> str:
        return stop_id(self.since)

    def fact(self, *, end: datetime | None = None, **fields: Any) -> StopFact:
        """The next snapshot that the Line would write."""
        self.version += 1
        stretch = StopStretch(
            started_at=self.since, ended_at=end, time_class=TimeClass.STOP, state=MachineState.ABORTED, station=PRESS,
            order=self.order_id, operation=OPERATIONS[PRESS], machine_reason=self.alarm, alarm=self.alarm,
        )  # fmt: skip
        fields = {"stretches": (stretch,), **fields}
        return StopFact(
            stop=self.stop, plant=self.id, line=LINE, version=self.version, started_at=self.since, ended_at=end,
            as_of=end or datetime.now(UTC), **fields,
        )  # fmt: skip

    async def stands(self, *, history_limit: int = 5_000, **fields: Any) -> None:
        """The Line has found the stop; its process starts."""
        await self.write(self.fact(**fields))
        self.workflows.add(self.workflow_id)
        await self.client.start_workflow(
            "Downtime", StopInput(plant=self.id, line=LINE, stop=self.stop, history_limit=history_limit),
            id=self.workflow_id, task_queue=plant_task_queue(self.id), task_timeout=TASK_TIMEOUT,
        )  # fmt: skip

    async def tell(self, **fields: Any) -> StopFact:
        """The Line says something new of it."""
        fact = self.fact(**fields)
        await self.write(fact)
        await self.handle().signal(TAKE_FACT, fact)
        return fact

    async def write(self, fact: StopFact) -> None:
        self.revision += 1
        record = LineRecord(plant=self.id, line=LINE, revision=self.revision, checkpoint="{}", stops=(fact,))
        assert await self.ledger.record_line(record) is None

    @property
    def workflow_id(self) -> str:
        return downtime_workflow_id(self.id, LINE, self.stop)

    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(self.workflow_id, result_type=StopRecord)

    async def record(self) -> StopRecord:
        found = await self.ledger.stop(self.id, LINE, self.stop)
        assert found is not None
        return found

    async def until_stop(self, what: Callable[[StopRecord], object], seconds: float = 60) -> StopRecord:
        """Ask the ledger until the stop is so; that is where people look."""
        return await eventually(self.record, what, seconds)

    async def ended(self, seconds: float = 60) -> StopRecord:
        """Until its process has ended."""
        await self.until_stop(lambda r: r.state.is_over, seconds)
        return await self.handle().result(rpc_timeout=timedelta(seconds=seconds))

    async def act(self, kind: type[Any], user: str = "fitter-1", role: str = "maintenance", **fields: Any) -> Answer:
        actor = Actor(user=user, role=role, plant=self.id)
        act: StopAct = kind(**{"action_id": f"a{next(_numbers)}", "actor": actor, **fields})
        return await act_on_stop(self.client, self.ledger, self.id, LINE, self.stop, act)

    async def done(self, kind: type[Any], **fields: Any) -> Answer:
        """An act that must be accepted."""
        answer = await self.act(kind, **fields)
        assert answer.accepted, answer.message
        return answer


def stop_plant(name: str = "", **downtime: Any) -> PlantConfig:
    """A plant without signatures whose press is an asset of maintenance."""
    plant = plant_config(name=name)
    raw = plant.model_dump(mode="json", by_alias=True)
    raw["quality"] = {"signatures": "off"}
    raw["downtime"] = {**DOWNTIME, **downtime}
    raw["line"][0]["downtime"] = {"asset": "PRESS-7", "work_centre": "P1"}
    return PlantConfig.model_validate(raw)


@asynccontextmanager
async def stop_bench(
    client: Client, ledger: LedgerPort, *, erp: UpkeepErp | None = None, replay: bool = True, **downtime: Any
) -> AsyncIterator[StopBench]:
    """A bench for stops whose workers poll; histories are replayed after a test that passed."""
    bench = StopBench(client, ledger, stop_plant(**downtime), erp=erp or UpkeepErp())
    bench.release(ORDER, 20)
    await ledger.take_order(bench.erp.orders[ORDER])
    try:
        async with bench.working():
            yield bench
        if replay:
            assert await bench.replay()
    finally:
        await bench.end()


def demand(customer: str, quantity: int, due: datetime) -> Demand:
    return Demand(source=f"S-{customer}", kind="sales order", customer=customer, material="HOUSING-1",
                  quantity=Decimal(quantity), unit="PC", due=due)  # fmt: skip
