"""What the Downtime workflow asks for: facts and record in the ledger, who acts, what the ERP says of customers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.holds import CALLS_PER_ATTEMPT
from activities.sealing import act_refusal
from domain.clock import PlantClock
from domain.permissions import visible
from domain.plant import PlantConfig
from domain.reallocation import late_demands, proposals
from domain.stop_permissions import may_act_on_stop
from domain.stop_process import StopSettings
from domain.stop_rules import StopRules
from erp.port import ErpPort
from ledger.port import LedgerPort
from signals.base import ZERO, Code, Message, UtcTime
from signals.downtime import Reallocation, StopAct, StopFact, StopRecord
from signals.erp_reads import AlternateWorkCentre, Demand, StockLine
from signals.errors import ErpError, ErpUnavailable, ErrorType
from signals.holds import ImpactCard
from signals.sealing import stop_place

RETRY_AFTER = timedelta(seconds=5)


class StopRef(Message):
    """A stop of a line."""

    plant: Code
    line: Code
    stop: Code


class StopLoaded(Message):
    """All a stop's workflow must know at its start. No record: the ledger does not know the stop."""

    record: StopRecord | None = None
    settings: StopSettings


class StopActToVerify(Message):
    """An act as it arrived at a stop."""

    plant: Code
    line: Code
    stop: str = Field(default="", description="empty from a process of a release that did not ask for seals: refused")
    act: StopAct


class ImpactRequest(Message):
    """What a stop stands in the way of, and until when."""

    ref: StopRef
    orders: tuple[str, ...] = Field(description="orders of its parts, the latest first")
    work_centre: str = ""
    recovery: UtcTime


class ImpactFound(Message):
    """Impact card and proposals; `next_try_at` where the ERP did not answer."""

    impact: ImpactCard = ImpactCard()
    reallocations: tuple[Reallocation, ...] = ()
    next_try_at: UtcTime | None = None


class StopActivities:
    """Reads and writes the ledger; reads the ERP, never posts."""

    def __init__(
        self, erp: ErpPort, ledger: LedgerPort, plant: PlantConfig, clock: PlantClock, *, now: Callable[[], datetime]
    ) -> None:
        self._erp = erp
        self._ledger = ledger
        self._plant = plant
        self._clock = clock
        self._now = now

    @activity.defn(name="load_stop")
    async def load_stop(self, ref: StopRef) -> StopLoaded:
        """The stop with its newest fact, and the plant's rules for its line."""
        line = self._plant.line(ref.line)
        if ref.plant != self._plant.plant.id or line is None:
            message = f"this worker serves plant {self._plant.plant.id}, which has no line {ref.plant}/{ref.line}"
            raise ApplicationError(message, type=ErrorType.BAD_INPUT.value, non_retryable=True)
        return StopLoaded(
            record=await self._ledger.stop(ref.plant, ref.line, ref.stop),
            settings=StopSettings(
                plant=StopRules.of(self._plant, line),
                clock=self._clock,
                mode=self._plant.posting.mode,
                attempt_seconds=self._plant.erp.timeout_seconds * CALLS_PER_ATTEMPT + 5,
                books=tuple(t for t, declared in self._erp.capabilities.transactions.items() if declared.supported),
            ),
        )

    @activity.defn(name="stop_fact")
    async def stop_fact(self, ref: StopRef) -> StopFact | None:
        """The newest fact; None for a stop that the line does not have."""
        record = await self._ledger.stop(ref.plant, ref.line, ref.stop)
        return record.fact if record is not None else None

    @activity.defn(name="record_stop")
    async def record_stop(self, record: StopRecord) -> bool:
        """False where the ledger has a newer fact than the record, and the record would end the stop."""
        return await self._ledger.record_stop(record)

    @activity.defn(name="verify_stop_act")
    async def verify_stop_act(self, asked: StopActToVerify) -> str:
        """Empty where the act may take effect, by the table and by its seal; else why not. See `act_refusal`.

        A stop of a line that the actor may not know of is answered like one that does not exist.
        """

        def may(act: StopAct) -> str:
            if not visible(act.actor, asked.plant, asked.line):
                return f"plant {asked.plant} has no stop {asked.stop} of line {asked.line}"
            return may_act_on_stop(act, plant=asked.plant, line=asked.line)

        place = stop_place(asked.line, asked.stop)
        return await act_refusal(self._ledger, self._plant, asked.act, place, may, self._now())

    @activity.defn(name="stop_impact")
    async def stop_impact(self, request: ImpactRequest) -> ImpactFound:
        """Who waits for the stopped order, and what could be done for them. What the ERP cannot say stays unknown."""
        order_id = next(iter(request.orders), "")
        order = await self._ledger.order_data(request.ref.plant, order_id) if order_id else None
        if order is None:
            return ImpactFound(impact=ImpactCard(order=order_id, expected_recovery=request.recovery))
        try:
            demands = await self._demands(order_id)
            stock = await self._stock(order.material)
            alternates = await self._alternates(request.work_centre)
            done = await self._done(order_id)
        except ErpUnavailable as error:
            wait = timedelta(seconds=error.retry_after) if error.retry_after else RETRY_AFTER
            return ImpactFound(next_try_at=self._now() + wait)
        except ErpError as error:
            raise ApplicationError(str(error), error.code, type=error.type.value, non_retryable=True) from error
        left = max(order.quantity - done, ZERO)
        late = late_demands(demands, request.recovery)
        card = ImpactCard(
            order=order_id,
            material=order.material,
            customer=late[0].customer if late else (demands[0].customer if demands else ""),
            due_at=(late[0].due if late else None) or order.due or order.scheduled_end,
            pieces_at_risk=left,
            unit=order.unit,
            expected_recovery=request.recovery,
        )
        found = proposals(order, left, demands, stock, alternates, request.recovery)
        return ImpactFound(impact=card, reallocations=found)

    def _reads(self, what: str) -> bool:
        declared = self._erp.capabilities.reads.get(what)
        return declared is not None and declared.supported

    async def _demands(self, order: str) -> list[Demand]:
        return await self._erp.pegging(order) if self._reads("pegging") else []

    async def _stock(self, material: str) -> list[StockLine]:
        return await self._erp.stock(material) if self._reads("stock") else []

    async def _alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        return await self._erp.alternates(work_centre) if work_centre and self._reads("alternates") else []

    async def _done(self, order: str) -> Decimal:
        totals = await self._erp.totals(order)
        return min((t.yield_quantity for t in totals), default=ZERO)
