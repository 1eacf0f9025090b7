"""What a confirmation should move and what must be booked beside it, by the order's own bill of material.

A forecast for the read-back, not a posting: Dynamics consumes by its flushing principles itself.
"""

from __future__ import annotations

from decimal import Decimal

from erp.dynamics.plan import FINISH, START, BomLine, OrderPlan, Plans
from erp.dynamics.settings import ISSUE, RECEIPT, RETURN, Units, operation_number
from signals.bookings import ComponentUse
from signals.documents import GoodsMovement
from signals.transactions import (
    ConfirmProduction,
    IssueComponents,
    PostingIntent,
    ReportTime,
    ReturnComponents,
    StartOrder,
    Transaction,
)

AUTOMATIC = ("Start", "Finish", "AvailableAtLocation")
"""Flushing principles by which Dynamics consumes without being told."""


class Forecast:
    """Expectations for one plant."""

    def __init__(self, plans: Plans, units: Units) -> None:
        self._plans = plans
        self._units = units

    async def movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        """Issues by flushing principle and the receipt of the yield; explicit lines as they are told."""
        match intent.transaction:
            case ConfirmProduction() as done:
                plan = await self._plans.with_bom_of_now(done.order)
                return self._of_confirmation(plan, done)
            case StartOrder() as started:
                plan = await self._plans.with_bom_of_now(started.order)
                pieces = started.quantity if started.quantity is not None else plan.scheduled
                return self._issues(plan, [line for line in plan.bom if line.goes_with(START)], pieces)
            case IssueComponents() as moved:
                return [_told(use, ISSUE) for use in moved.lines]
            case ReturnComponents() as moved:
                return [_told(use, RETURN) for use in moved.lines]
            case _:
                return []

    def _of_confirmation(self, plan: OrderPlan, done: ConfirmProduction) -> list[GoodsMovement]:
        operation = operation_number(done.operation)
        pieces = done.yield_quantity + done.scrap_quantity
        movements = self._issues(plan, flushed(plan, operation), pieces)
        if plan.is_last(operation) and done.yield_quantity:
            unit = self._units.ours(plan.unit)
            movements.append(
                GoodsMovement(material=plan.item, movement_type=RECEIPT, quantity=done.yield_quantity, unit=unit)
            )
        return movements

    def _issues(self, plan: OrderPlan, lines: list[BomLine], pieces: Decimal) -> list[GoodsMovement]:
        return [
            GoodsMovement(
                material=line.item,
                movement_type=ISSUE,
                quantity=line.share(pieces, plan.scheduled),
                unit=self._units.ours(line.unit),
            )
            for line in lines
            if line.share(pieces, plan.scheduled) > 0
        ]

    async def follow_ups(self, intent: PostingIntent) -> list[Transaction]:
        """Actual components by picking list; measured times of the last operation by route card."""
        done = intent.transaction
        if not isinstance(done, ConfirmProduction):
            return []
        plan = await self._plans.of(done.order)
        found: list[Transaction] = []
        uses = actual_uses(plan, done, self._units)
        if uses:
            found.append(
                IssueComponents(
                    plant=done.plant,
                    order=done.order,
                    operation=done.operation,
                    posting_date=done.posting_date,
                    lines=uses,
                )
            )
        if done.activities and plan.is_last(operation_number(done.operation)):
            found.append(
                ReportTime(
                    plant=done.plant,
                    order=done.order,
                    operation=done.operation,
                    posting_date=done.posting_date,
                    work_centre=done.work_centre,
                    activities=done.activities,
                    person=done.person,
                    started_at=done.started_at,
                    ended_at=done.ended_at,
                )
            )
        return found


def flushed(plan: OrderPlan, operation: int) -> list[BomLine]:
    """Lines that Dynamics consumes with the confirmation of an operation.

    A route card takes the lines of its own operation that are marked so, the report as finished all others.
    """
    if not plan.is_last(operation):
        return [line for line in plan.bom if line.at_operation and line.operation == operation and _runs(line)]
    return [
        line for line in plan.bom if line.goes_with(FINISH) and (not line.at_operation or line.operation == operation)
    ]


def _runs(line: BomLine) -> bool:
    return not line.constant and not line.ended


def actual_uses(plan: OrderPlan, done: ConfirmProduction, units: Units) -> tuple[ComponentUse, ...]:
    """What was really used, as picking list lines: as measured, or the planned share of the lot that was loaded."""
    if done.components:
        return done.components
    line = lot_line(plan, done)
    if line is None or not done.component_lot:
        return ()
    quantity = line.share(done.yield_quantity + done.scrap_quantity, plan.scheduled)
    if not quantity:
        return ()
    return (
        ComponentUse(
            material=line.item,
            quantity=quantity,
            unit=units.ours(line.unit),
            reservation=line.lot,
            reservation_item=f"{line.number:f}",
            batch=done.component_lot,
        ),
    )


def lot_line(plan: OrderPlan, done: ConfirmProduction) -> BomLine | None:
    """The line a loaded lot belongs to: of the named material, else the operation's only one that is not flushed."""
    if done.component_material:
        lines = [line for line in plan.bom if line.item == done.component_material]
        at = [line for line in lines if line.operation in (0, operation_number(done.operation))]
        return (at or lines or [None])[0]
    manual = manual_lines(plan, done)
    return manual[0] if len(manual) == 1 else None


def manual_lines(plan: OrderPlan, done: ConfirmProduction) -> list[BomLine]:
    """Lines of the operation that Dynamics does not consume by itself."""
    at = (0, operation_number(done.operation))
    return [line for line in plan.bom if line.operation in at and line.principle not in AUTOMATIC]


def _told(use: ComponentUse, movement_type: str) -> GoodsMovement:
    return GoodsMovement(
        material=use.material, movement_type=movement_type, quantity=use.quantity, unit=use.unit, batch=use.batch
    )
