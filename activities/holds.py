"""What the QualityHold workflow asks for: its triggers, the record in the ledger, where the ERP has the material."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.hold_places import (
    Origin,
    blocked_receipt,
    origins_of,
    position_of,
    position_of_batch,
    receipt_outside,
    scrap_place,
    still_there,
)
from domain.hold_plan import Located
from domain.hold_process import HoldSettings
from domain.hold_times import HoldTimes
from domain.plant import PlantConfig
from erp.port import ErpPort
from ledger.hold_port import OpenedHold
from ledger.port import LedgerPort
from signals.base import ZERO, Code, Message, UtcTime
from signals.documents import PostingState
from signals.erp_reads import StockLine
from signals.errors import ErpError, ErpRejected, ErpUnavailable, ErrorType, Reason
from signals.holds import Block, HoldRecord, HoldSearch, HoldTrigger
from signals.orders import OutputKind, ProductionOrder
from signals.stock import PlaceHold, ReleaseHold

CALLS_PER_ATTEMPT = 8
"""An attempt to settle a posting makes at most so many ERP calls, one after the other."""
RETRY_AFTER = timedelta(seconds=5)
BOOKED = (PostingState.POSTED, PostingState.ADOPTED)


class HoldRef(Message):
    """A hold of a plant."""

    plant: Code
    hold: Code


class HoldLoaded(Message):
    """All a hold's workflow must know at its start. No record: the ledger does not know the hold."""

    record: HoldRecord | None = None
    triggers: tuple[HoldTrigger, ...] = ()
    settings: HoldSettings


class HoldTriggers(Message):
    """A hold's triggers, in the ledger's order."""

    triggers: tuple[HoldTrigger, ...] = ()


class HoldPostings(Message):
    """Postings of a hold by their keys, and why they are given up."""

    plant: Code
    keys: tuple[UUID, ...] = ()
    message: str = ""


class LocateRequest(Message):
    """A hold as it stands; its history is not needed."""

    record: HoldRecord


class LocateResult(Message):
    """Where the material is. Without it the ERP did not answer."""

    located: Located | None = None
    next_try_at: UtcTime | None = None


class HoldActivities:
    """Reads and writes the ledger; reads the ERP, never posts."""

    def __init__(self, erp: ErpPort, ledger: LedgerPort, plant: PlantConfig, *, now: Callable[[], datetime]) -> None:
        self._erp = erp
        self._ledger = ledger
        self._plant = plant
        self._now = now

    # --- ledger ------------------------------------------------------------------------------------------
    @activity.defn(name="open_hold")
    async def open_hold(self, trigger: HoldTrigger) -> OpenedHold:
        """Block locally, and say which hold took the trigger in."""
        return await self._ledger.open_hold(trigger)

    @activity.defn(name="load_hold")
    async def load_hold(self, ref: HoldRef) -> HoldLoaded:
        """The hold with all its triggers, and the plant's rules."""
        if ref.plant != self._plant.plant.id:
            message = f"this worker serves plant {self._plant.plant.id}, not {ref.plant}; start it by its own plant"
            raise ApplicationError(message, type=ErrorType.BAD_INPUT.value, non_retryable=True)
        record = await self._ledger.hold(ref.plant, ref.hold)
        return HoldLoaded(
            record=record,
            triggers=tuple(await self._ledger.hold_triggers(ref.plant, ref.hold)),
            settings=await self._settings(record),
        )

    @activity.defn(name="hold_triggers")
    async def hold_triggers(self, ref: HoldRef) -> HoldTriggers:
        """All triggers that the ledger has given this hold."""
        return HoldTriggers(triggers=tuple(await self._ledger.hold_triggers(ref.plant, ref.hold)))

    @activity.defn(name="record_hold")
    async def record_hold(self, record: HoldRecord) -> bool:
        """False where the ledger knows a reason that the record does not, and it would end the hold."""
        return await self._ledger.record_hold(record)

    @activity.defn(name="give_up_hold_postings")
    async def give_up_hold_postings(self, request: HoldPostings) -> HoldPostings:
        """Cancel what the ERP certainly has not booked, with its cases. Answers the keys that are given up."""
        await self._ledger.give_up_postings(request.plant, list(request.keys), request.message)
        gone: list[UUID] = []
        for key in request.keys:
            posting = await self._ledger.posting(key)
            if posting is None or posting.state is PostingState.CANCELLED:
                gone.append(key)
        return request.model_copy(update={"keys": tuple(gone)})

    async def _settings(self, record: HoldRecord | None) -> HoldSettings:
        plant = self._plant
        order = None
        if record is not None and record.scope.order:
            order = await self._ledger.order_data(record.plant, record.scope.order)
        within = timedelta(minutes=plant.quality.decide_within_minutes)
        return HoldSettings(
            quality=plant.quality.model_copy(update={"rules": ()}),
            times=HoldTimes(site=plant.plant, shifts=plant.shifts, within=within),
            mode=plant.posting.mode,
            attempt_seconds=plant.erp.timeout_seconds * CALLS_PER_ATTEMPT + 5,
            needs_serials=bool(order and order.serial_profile),
        )

    # --- the ERP -----------------------------------------------------------------------------------------
    @activity.defn(name="locate_hold")
    async def locate_hold(self, request: LocateRequest) -> LocateResult:
        """The position by which the ERP can hold it: nothing in stock yet, free, a batch, in inspection."""
        record = request.record
        try:
            order = await self._order(record)
            material = record.scope.material or (order.material if order else "")
            lines: list[StockLine] = []
            batchless, readable, by_batch = False, self._can_read_stock(), True
            if material and readable:
                try:
                    lines = [x for x in await self._erp.stock(material, record.scope.batch) if x.quantity > 0]
                except ErpRejected as error:
                    if not record.scope.batch or error.reason is not Reason.NOT_SUPPORTED:
                        raise
                    readable = by_batch = False
            if material and readable and record.scope.batch and not lines:
                lines = [x for x in await self._erp.stock(material, "") if x.quantity > 0]
                batchless = bool(lines) and not any(x.batch for x in lines)
                lines = lines if batchless else []
        except ErpUnavailable as error:
            wait = timedelta(seconds=error.retry_after) if error.retry_after else RETRY_AFTER
            return LocateResult(next_try_at=self._now() + wait)
        except ErpError as error:
            raise ApplicationError(str(error), error.code, type=error.type.value, non_retryable=True) from error
        if batchless:
            record = record.model_copy(update={"scope": record.scope.model_copy(update={"batch": ""})})
        came = await self._came_blocked(request.record, material)
        own = still_there(request.record, came)
        outside = await self._received_outside(request.record, order, material)
        others = await self._held_by_others(record, material, batchless=batchless)
        if by_batch:
            origins = await self._origins(record, order, came) if any(x.held_by_place for x in lines) else ()
            located = position_of(record, order, lines, others, own, outside, readable=readable, origins=origins)
        else:
            located = position_of_batch(record, order)
        known = {"material": material, "batchless": batchless, "own": own, "came": came, **scrap_place(record, order)}
        return LocateResult(located=located.model_copy(update=known))

    @activity.defn(name="locate_late_receipts")
    async def locate_late_receipts(self, request: LocateRequest) -> LocateResult:
        """Where the material is after the block has ended; not before every posting that it caught has its outcome."""
        record = request.record
        block = Block(hold=record.hold, scope=record.scope)
        postings = await self._ledger.order_postings(record.plant, record.scope.order)
        on_the_way = [p for p in postings if p.state is PostingState.SENT]
        if any(blocked_receipt(p.transaction, block, record.scope.material) for p in on_the_way):
            return LocateResult(next_try_at=self._now() + RETRY_AFTER)
        return await self.locate_hold(request)

    async def _received_outside(self, record: HoldRecord, order: ProductionOrder | None, material: str) -> Decimal:
        """What the order has delivered by receipts of ours that are not of the scope: it is not held."""
        if order is None:
            return ZERO
        block = Block(hold=record.hold, scope=record.scope)
        reversed_ = {d.document for d in await self._ledger.own_documents(record.plant, order.order) if d.reversed}
        postings = await self._ledger.order_postings(record.plant, order.order)
        standing = [p for p in postings if p.state in BOOKED and p.document and p.document not in reversed_]
        return sum((receipt_outside(p.transaction, block, order, material) for p in standing), ZERO)

    async def _origins(self, record: HoldRecord, order: ProductionOrder | None, came: Decimal) -> tuple[Origin, ...]:
        """Where the stock belongs that the hold's own postings have put aside."""
        booked: list[PlaceHold | ReleaseHold] = []
        for step in record.postings:
            if step.state == "done" and step.what in ("block", "release") and step.document:
                posting = await self._ledger.posting(UUID(step.key))
                if posting is not None and isinstance(posting.transaction, PlaceHold | ReleaseHold):
                    booked.append(posting.transaction)
        main = next((o.storage_location for o in order.outputs if o.kind is OutputKind.MAIN), "") if order else ""
        return origins_of(booked, Origin(main, came))

    def _can_read_stock(self) -> bool:
        declared = self._erp.capabilities.reads.get("stock")
        return declared is not None and declared.supported

    async def _order(self, record: HoldRecord) -> ProductionOrder | None:
        """As the ERP has it now; an order that it does not know makes no difference to the block."""
        if not record.scope.order:
            return None
        try:
            return await self._erp.read_order(record.scope.order)
        except ErpRejected:
            return await self._ledger.order_data(record.plant, record.scope.order)

    async def _held_by_others(self, record: HoldRecord, material: str, *, batchless: bool) -> Decimal:
        """Blocked stock of the material that other open holds have put there, or let be received there."""
        if not material or record.scope.batch:
            return ZERO
        found = await self._ledger.holds(record.plant, HoldSearch(material=material))
        others = [r for r in found if r.hold != record.hold and (batchless or not r.scope.batch)]
        received = [still_there(r, await self._came_blocked(r, material)) for r in others]
        return sum(received, ZERO)

    async def _came_blocked(self, record: HoldRecord, material: str) -> Decimal:
        """What came into blocked stock because of this hold, held pieces with others."""
        if not record.scope.order:
            return ZERO
        block = Block(hold=record.hold, scope=record.scope)
        postings = await self._ledger.order_postings(record.plant, record.scope.order)
        return sum((blocked_receipt(p.transaction, block, material) for p in postings if p.state in BOOKED), ZERO)
