"""How people's wishes reach the processes: the one client code of command line and console.

A case about a posting is decided at its ErpException, which is started where it does not run; a hold's own at the hold;
any other case at its order. Refusals are BadInput, silence is NoAnswer.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from domain.plant import PlantConfig
from ledger.port import LedgerPort
from signals.decisions import Answer, DecideCase, DecideParked
from signals.documents import Case
from signals.errors import BadInput, NoAnswer
from signals.ids import (
    exception_workflow_id,
    hold_workflow_id,
    line_workflow_id,
    order_workflow_id,
    plant_task_queue,
)
from signals.reports import ParkedItem
from signals.sealing import Sealable, is_about
from signals.status import LineStatus, OrderStatus

M = TypeVar("M", bound=BaseModel)
S = TypeVar("S", bound=Sealable)

ANSWER_WITHIN = timedelta(seconds=15)
"""How long a person waits for a workflow before being told that no worker answers."""

WORKER_HINT = "start one with `plantwright worker --plant …`, or look at its log"
"""What to look at where no worker answers."""

Connect = Callable[[], Awaitable[Client]]


class Sealer(Protocol):
    """Puts the house's seal on decisions and acts (`workers.people.People.seal`)."""

    async def seal(self, said: S, about: str) -> S: ...


class TemporalDesk:
    """Asks and tells workflows. `connect` gives the client, made at its first use; it raises TemporalUnreachable.

    `seals` gives what seals at a plant: None where the plant wants no signatures, or nobody can sign.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        look_within: timedelta = ANSWER_WITHIN,
        seals: Callable[[str], Sealer | None] = lambda plant: None,
    ) -> None:
        self._connect = connect
        self._look_within = look_within
        self._seals = seals

    async def sealed(self, plant: str, said: S, place: str = "") -> S:
        """The decision or act as it goes out; `place` as `signals.sealing.is_about` wants it. Raises BadInput.

        Without an actor it stays as it is: as long as the ledger has no users nobody has proved anything.
        """
        sealer = self._seals(plant)
        if sealer is None or said.actor is None:
            return said
        return await sealer.seal(said, is_about(plant, said, place))

    # --- asked ---------------------------------------------------------------------------------------------------

    async def line_status(self, plant: str, line: str) -> LineStatus | None:
        """What the Line says; None where there is none. Raises NoAnswer where no worker answers."""
        return await self._status(line_workflow_id(plant, line), LineStatus, f"line {line}")

    async def order_status(self, plant: str, order: str) -> OrderStatus | None:
        """What the order's workflow says; None where there is none. Raises NoAnswer where no worker answers."""
        return await self._status(order_workflow_id(plant, order), OrderStatus, f"order {order}")

    async def _status(self, workflow: str, kind: type[M], about: str) -> M | None:
        handle = (await self._connect()).get_workflow_handle(workflow)
        try:
            return await handle.query("status", result_type=kind, rpc_timeout=self._look_within)
        except WorkflowQueryFailedError as error:
            raise NoAnswer(f"{about} cannot say how it stands: {error}", hint=WORKER_HINT) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise NoAnswer(f"no worker answers for {about}", hint=WORKER_HINT) from error

    # --- told ----------------------------------------------------------------------------------------------------

    async def decide_case(self, plant: str, case: Case, decision: DecideCase) -> Answer:
        """Raises BadInput where the decision is refused, NoAnswer where no worker answers."""
        about = f"case {case.case_id}"
        decision = await self.sealed(plant, decision)
        if case.hold:
            handle = (await self._connect()).get_workflow_handle(hold_workflow_id(plant, case.hold))
            return await self.tell(handle, "decide_case", decision, about, plant=plant)
        if case.posting_key is None:
            handle = (await self._connect()).get_workflow_handle(order_workflow_id(plant, case.order))
            return await self.tell(handle, "decide_case", decision, about, plant=plant)
        answer = await self._at_its_exception(plant, case, decision, about)
        if not answer.accepted:
            raise BadInput(f"{about}: {answer.message}", subject=case.case_id)
        return answer

    async def decide_at_line(self, plant: str, line: str, decision: DecideParked) -> Answer:
        """Raises as `tell`."""
        decision = await self.sealed(plant, decision)
        handle = (await self._connect()).get_workflow_handle(line_workflow_id(plant, line))
        return await self.tell(handle, "decide_parked", decision, f"parked item {decision.item}", plant=plant)

    async def tell(
        self, handle: WorkflowHandle[Any, Any], update: str, message: BaseModel, about: str, *, plant: str
    ) -> Answer:
        """Send a person's decision. Raises BadInput where nobody is there to decide for, NoAnswer without a worker."""
        try:
            answer = await handle.execute_update(
                update, message, id=str(getattr(message, "decision_id", uuid.uuid4())), result_type=Answer,
                rpc_timeout=ANSWER_WITHIN,
            )  # fmt: skip
        except WorkflowUpdateFailedError as error:
            raise BadInput(f"{about}: {error.cause}", subject=about) from error
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise NoAnswer(f"{about}: no worker took the decision in", hint=WORKER_HINT) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                hint = f"`plantwright orders list --plant …` shows what runs at plant {plant}"
                raise BadInput(f"{about} is not running", subject=about, hint=hint) from error
            raise NoAnswer(f"{about}: {error.message}", hint=WORKER_HINT) from error
        if not answer.accepted:
            raise BadInput(f"{about}: {answer.message}", subject=about)
        return answer

    async def _at_its_exception(self, plant: str, case: Case, decision: DecideCase, about: str) -> Answer:
        from workflows.common import TASK_TIMEOUT
        from workflows.exception_messages import ExceptionInput

        assert case.posting_key is not None
        order = order_workflow_id(plant, case.order)
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            "ErpException",
            ExceptionInput(plant=plant, posting_key=case.posting_key, order=case.order, report_to=order),
            id=exception_workflow_id(plant, case.posting_key),
            task_queue=plant_task_queue(plant),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            task_timeout=TASK_TIMEOUT,
        )
        client = await self._connect()
        try:
            # The workflow knows a repeated decision by its own id; the server would answer a known update from memory.
            return await client.execute_update_with_start_workflow(
                "decide",
                decision,
                start_workflow_operation=start,
                id=str(uuid.uuid4()),
                result_type=Answer,
                rpc_timeout=ANSWER_WITHIN,
            )
        except WorkflowUpdateFailedError as error:
            raise BadInput(f"{about}: {error.cause}", subject=case.case_id) from error
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise NoAnswer(f"{about}: no worker took the decision in", hint=WORKER_HINT) from error
        except RPCError as error:
            raise NoAnswer(f"{about}: {error.message}", hint=WORKER_HINT) from error
        finally:
            # The operation keeps a failure a second time; unasked, it would be logged as never retrieved.
            with suppress(Exception, asyncio.CancelledError):
                async with asyncio.timeout(0):
                    await start.workflow_handle()


async def decide_parked(
    desk: TemporalDesk, ledger: LedgerPort, plant: PlantConfig, item: ParkedItem, decision: DecideParked
) -> Answer:
    """At the Line that counts it (without one the plant's first), else in the ledger alone. Raises as `tell`."""
    name = plant.plant.id
    if item.counts_pieces:
        return await desk.decide_at_line(name, item.line or plant.lines[0].id, decision)
    await ledger.decide_parked(name, decision)
    return Answer(decision_id=decision.decision_id, accepted=True, message="recorded")
