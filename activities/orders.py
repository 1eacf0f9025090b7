"""Taking production orders in from the ERP, and comparing its totals with ours before completion."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ledger import OrderRef
from domain.order_changes import judge_change
from domain.plant import PlantConfig
from erp.port import ErpPort
from ledger.port import LedgerPort, OrderRecord
from signals.base import ZERO, Code, Message, UtcTime
from signals.documents import Case, CaseAction, CaseKind, OperationTotals
from signals.errors import ErpError, ErpRejected, ErpUnavailable, ErrorType
from signals.ids import case_id
from signals.orders import OrderChange, ProductionOrder

RETRY_AFTER = timedelta(seconds=5)
CHANGES = "order_changes"
"""Name of the ledger's mark up to which the ERP's changes have been read."""


class PlantRef(Message):
    """A plant."""

    plant: Code


class Intake(Message):
    """What one look at the ERP found: orders to start, orders that cannot be taken and why."""

    start: tuple[str, ...] = Field(default=(), description="taken in, not running yet; starting twice is harmless")
    refused: dict[str, str] = Field(default_factory=dict)
    unavailable: str = ""


class Compared(Message):
    """The ERP's totals against the ledger's. No case means they agree; `next_try_at` that nobody answered."""

    cases: tuple[Case, ...] = ()
    next_try_at: UtcTime | None = None


class OrderChanges(Message):
    """What one look at the ERP's changes found: orders whose process must look, and changes that were not taken."""

    changes: tuple[OrderChange, ...] = ()
    refused: dict[str, str] = Field(default_factory=dict)
    unavailable: str = ""


class OrderActivities:
    """Reads from the ERP, writes to the ledger only."""

    def __init__(self, erp: ErpPort, ledger: LedgerPort, plant: PlantConfig, *, now: Callable[[], datetime]) -> None:
        self._erp = erp
        self._ledger = ledger
        self._plant = plant
        self._now = now

    @activity.defn(name="take_order")
    async def take_order(self, ref: OrderRef) -> None:
        """Read an order from the ERP and take it in. An order the ERP does not know is bad input."""
        self._check(ref.plant)
        try:
            order = await self._erp.read_order(ref.order)
        except ErpRejected as error:
            raise ApplicationError(str(error), type=ErrorType.BAD_INPUT.value, non_retryable=True) from error
        except ErpError as error:
            raise ApplicationError(str(error), type=error.type.value) from error
        await self._ledger.take_order(order)

    @activity.defn(name="take_released_orders")
    async def take_released_orders(self, ref: PlantRef) -> Intake:
        """Take in what the ERP has released for this plant; names every order whose process should run."""
        self._check(ref.plant)
        known = {r.order.order: r for r in await self._ledger.orders(ref.plant) if r.order is not None}
        refused: dict[str, str] = {}
        try:
            for head in await self._erp.released_orders():
                if head.order in known:
                    continue
                try:
                    await self._ledger.take_order(await self._erp.read_order(head.order))
                except ErpRejected as error:
                    refused[head.order] = str(error)
        except ErpError as error:
            return Intake(start=tuple(sorted(self._open(known))), refused=refused, unavailable=str(error))
        records = {r.order.order: r for r in await self._ledger.orders(ref.plant) if r.order is not None}
        return Intake(start=tuple(sorted(self._open(records))), refused=refused)

    @activity.defn(name="take_order_changes")
    async def take_order_changes(self, ref: PlantRef) -> OrderChanges:
        """Read what the ERP changed on orders taken in, refresh the ledger, and name those whose process must look.

        The mark moves on only when every changed order was read: what failed is read again at the next look.
        """
        self._check(ref.plant)
        if not self._watches_changes():
            return OrderChanges()
        mark = await self._ledger.mark(ref.plant, CHANGES)
        changes: list[OrderChange] = []
        refused: dict[str, str] = {}
        try:
            heads = await self._erp.changed_orders(mark)
            for head in heads:
                known = await self._ledger.order_data(ref.plant, head.order)
                if known is None:
                    continue  # marks are no finer than a second: what was read in that second is read again
                change, why = await self._take_change(known)
                if why:
                    refused[head.order] = why
                if change is not None:
                    changes.append(change)
        except ErpError as error:
            return OrderChanges(changes=tuple(changes), refused=refused, unavailable=str(error))
        newest = max((h.change_mark for h in heads), default="")
        if newest > mark:
            await self._ledger.set_mark(ref.plant, CHANGES, newest)
        return OrderChanges(changes=tuple(changes), refused=refused)

    def _watches_changes(self) -> bool:
        declared = self._erp.capabilities.reads.get("order_changes")
        return declared is not None and declared.supported

    async def _take_change(self, known: ProductionOrder) -> tuple[OrderChange | None, str]:
        try:
            told = await self._erp.read_order(known.order)
        except ErpRejected as error:
            return None, str(error)
        totals = await self._ledger.totals(known.plant, known.order)
        verdict = judge_change(known, told, {t.operation for t in totals})
        if verdict.refused:
            await self._ledger.open_case(self._change_case(known, verdict.refused))
            # The mark alone: the same change is not judged at every look.
            await self._ledger.take_order(known.model_copy(update={"change_mark": told.change_mark}))
            return None, verdict.refused
        await self._ledger.take_order(told)
        if verdict.is_empty:
            return None, ""
        return (
            OrderChange(
                plant=known.plant,
                order=known.order,
                status=told.status,
                changes=verdict.changes,
                change_mark=told.change_mark,
            ),
            "",
        )

    def _change_case(self, known: ProductionOrder, why: str) -> Case:
        return Case(
            case_id=case_id(known.plant, known.order, CaseKind.ORDER_CHANGE_REFUSED.value, why),
            plant=known.plant,
            order=known.order,
            kind=CaseKind.ORDER_CHANGE_REFUSED,
            owner_role="planner",
            summary=f"{why}. Plantwright goes on with the order as it was; change it back in the ERP, then accept",
            allowed=(CaseAction.ACCEPT,),
            completion_only=True,
        )

    def _open(self, records: dict[str, OrderRecord]) -> list[str]:
        """Orders whose process never said that it runs: one that did is never started again by itself."""
        return [name for name, record in records.items() if record.phase == ""]

    @activity.defn(name="compare_totals")
    async def compare_totals(self, ref: OrderRef) -> Compared:
        """Before completion the ERP's own totals must equal what the ledger says we posted, adopted or let stand."""
        self._check(ref.plant)
        try:
            theirs = {t.operation: t for t in await self._erp.totals(ref.order)}
        except ErpUnavailable as error:
            wait = timedelta(seconds=error.retry_after) if error.retry_after else RETRY_AFTER
            return Compared(next_try_at=self._now() + wait)
        except ErpError as error:
            raise ApplicationError(str(error), type=error.type.value) from error
        cases: list[Case] = []
        for ours in await self._ledger.totals(ref.plant, ref.order, beside=True):
            difference = _difference(ours, theirs.get(ours.operation))
            if difference:
                cases.append(await self._ledger.open_case(self._case(ref, ours.operation, difference)))
        accepted = {c.case_id for c in await self._ledger.cases(ref.plant, order=ref.order, open_only=True)}
        return Compared(cases=tuple(c for c in cases if c.case_id in accepted))

    def _case(self, ref: OrderRef, operation: str, difference: str) -> Case:
        return Case(
            case_id=case_id(ref.plant, ref.order, CaseKind.TOTALS_DIFFER.value, f"{operation}:{difference}"),
            plant=ref.plant,
            order=ref.order,
            operation=operation,
            kind=CaseKind.TOTALS_DIFFER,
            owner_role="integration ops",
            summary=difference,
            allowed=(CaseAction.ACCEPT,),
            opened_at=self._now(),
        )

    def _check(self, plant: str) -> None:
        if plant != self._plant.plant.id:
            message = f"this worker serves plant {self._plant.plant.id}, not {plant}"
            raise ApplicationError(message, type=ErrorType.BAD_INPUT.value, non_retryable=True)


def _difference(ours: OperationTotals, theirs: OperationTotals | None) -> str:
    if theirs is None:
        return f"operation {ours.operation} is not in the ERP any more"
    pairs = [("yield", ours.yield_quantity, theirs.yield_quantity)]
    if theirs.scrap_quantity is not None:
        pairs.append(("scrap", ours.scrap_quantity or ZERO, theirs.scrap_quantity))
    if theirs.rework_quantity is not None:
        pairs.append(("rework", ours.rework_quantity or ZERO, theirs.rework_quantity))
    found = [f"{name}: ERP {b:f}, known to us {a:f}" for name, a, b in pairs if a != b]
    return f"operation {ours.operation}: " + ", ".join(found) if found else ""
