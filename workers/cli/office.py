"""What people's commands work with: one plant, its ledger, and its workflows when they answer."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    WorkflowHandle,
)

from domain.permissions import Action
from domain.places import lines_of_order
from domain.plant import PlantConfig
from domain.roles import Role
from ledger.port import LedgerPort
from signals.decisions import Answer, Decision
from signals.errors import NoAnswer
from signals.ids import order_workflow_id, plant_task_queue
from signals.sealing import Sealable
from signals.status import OrderStatus
from workers.cli.who import Decider, Who, people_of, who_is_there
from workers.client import connect_temporal
from workers.desk import ANSWER_WITHIN, WORKER_HINT, Sealer, TemporalDesk
from workers.plant_file import load_plant
from workers.settings import Settings, resolve_settings

S = TypeVar("S", bound=Sealable)

POLLED_WITHIN = timedelta(seconds=90)
"""A worker asks for work at least once a minute."""


@dataclass
class Office:
    """One command's view of a plant."""

    plant: PlantConfig
    ledger: LedgerPort
    settings: Settings
    _client: Client | None = None
    _who: Who | None = None

    @property
    def plant_id(self) -> str:
        return self.plant.plant.id

    @property
    def desk(self) -> TemporalDesk:
        """The way to the plant's processes."""
        return TemporalDesk(self.client, seals=lambda _: self._sealer())

    def _sealer(self) -> Sealer | None:
        wanted = self.plant.quality.signatures == "required"
        return people_of(self.ledger, self.settings) if wanted else None

    async def sealed(self, said: S, place: str = "") -> S:
        """The decision or act as it goes to a process; `place` as `TemporalDesk.sealed`. Raises BadInput.

        As long as the ledger has no users nobody has proved anything, whatever name an act has.
        """
        return said if (await self.who()).free else await self.desk.sealed(self.plant_id, said, place)

    async def who(self) -> Who:
        """Who is at the terminal. Raises BadInput where the ledger has users and nobody has proved to be one."""
        if self._who is None:
            self._who = await who_is_there(self.ledger, self.plant_id, self.settings)
        return self._who

    async def decider(
        self, action: Action, *, by: str, role: str = "", prefer: Iterable[Role] = (), lines: Iterable[str] = ("",)
    ) -> Decider:
        """In whose name and role this is decided. Raises BadInput where they may not."""
        return (await self.who()).decider(action, by=by, role=role, prefer=prefer, lines=lines)

    async def look(self, action: Action) -> Who:
        """Who looks; rows are theirs where `Who.sees`. Raises BadInput where they may not."""
        who = await self.who()
        who.require(action)
        return who

    async def lines_of_order(self, order: str) -> tuple[str, ...]:
        """The lines of an order (or of a case's order); none where it concerns the plant as a whole."""
        record = await self.ledger.load_order(self.plant_id, order) if order else None
        return () if record is None else lines_of_order(self.plant, record.order, record.messages)

    async def client(self) -> Client:
        """Raises TemporalUnreachable."""
        if self._client is None:
            self._client = await connect_temporal(self.settings.environ)
        return self._client

    async def order_handle(self, order: str) -> WorkflowHandle[Any, Any]:
        return (await self.client()).get_workflow_handle(order_workflow_id(self.plant_id, order))

    async def order_status(self, order: str) -> OrderStatus | None:
        """What the order's workflow says; None where there is none. Raises NoAnswer where no worker answers."""
        return await self.desk.order_status(self.plant_id, order)

    async def tell(
        self, handle: WorkflowHandle[Any, Any], update: str, decision: Decision, about: str, place: str
    ) -> Answer:
        """Send a person's decision. Raises BadInput where nobody is there to decide for, NoAnswer without a worker."""
        message = await self.sealed(decision, place)
        return await self.desk.tell(handle, update, message, about, plant=self.plant_id)

    async def require_worker(self) -> None:
        """Raises NoAnswer where nobody has asked for the plant's work lately."""
        client = await self.client()
        queue = plant_task_queue(self.plant_id)
        request = DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        answer = await client.workflow_service.describe_task_queue(request, timeout=ANSWER_WITHIN)
        since = datetime.now(UTC) - POLLED_WITHIN
        if not any(p.last_access_time.ToDatetime(UTC) > since for p in answer.pollers):
            raise NoAnswer(f"no worker serves plant {self.plant_id} (task queue {queue})", hint=self.worker_hint())

    def worker_hint(self) -> str:
        """What to look at where no worker answers."""
        return WORKER_HINT


@asynccontextmanager
async def office(
    plant_file: Path, data: Path | None, ledger: str | None, *, ledger_must_exist: bool = True
) -> AsyncIterator[Office]:
    """Open the plant's books for one command."""
    from ledger.connect import open_ledger

    settings = resolve_settings(os.environ, data, ledger)
    plant = load_plant(plant_file, settings.environ)
    if ledger_must_exist:
        settings.require_ledger()
    else:
        settings.ensure_data()
    books = await open_ledger(settings.ledger_url)
    try:
        yield Office(plant, books, settings)
    finally:
        await books.close()


def new_decision(given: str | None) -> str:
    return given or str(uuid.uuid4())


def plain(message: BaseModel) -> dict[str, Any]:
    """A message as a closing object holds it: quantities as strings, times in ISO 8601."""
    return message.model_dump(mode="json")
