"""The impact card: what a hold, a stop or an exception costs if nobody does anything. Unknown stays unknown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from signals.downtime import StopRecord
from signals.exceptions import CaseFile
from signals.holds import HoldRecord, ImpactCard
from signals.orders import OrderPhase, ProductionOrder

RUNS = (OrderPhase.RELEASED.value, OrderPhase.READY.value, "")


def of_hold(
    record: HoldRecord, order: ProductionOrder | None, others: Iterable[tuple[str, ProductionOrder]],
    choices: Sequence[str],
) -> ImpactCard:  # fmt: skip
    """`others` are the plant's orders with their phases."""
    return ImpactCard(
        order=record.scope.order,
        material=record.scope.material or (order.material if order else ""),
        due_at=_needed(order) if order else None,
        pieces_at_risk=record.quantity or None,
        unit=record.unit,
        could_run=could_run(record.scope.order, order, others),
        choices=tuple(choices),
    )


def of_case(
    file: CaseFile, order: ProductionOrder | None, others: Iterable[tuple[str, ProductionOrder]],
    choices: Sequence[str],
) -> ImpactCard:  # fmt: skip
    case = file.case
    pieces = case.yield_quantity + case.scrap_quantity + case.rework_quantity
    if not pieces and file.transaction is not None:
        pieces = getattr(file.transaction, "yield_quantity", getattr(file.transaction, "quantity", None)) or Decimal(0)
    return ImpactCard(
        order=case.order,
        material=file.material or (order.material if order else ""),
        due_at=_needed(order) if order else None,
        pieces_at_risk=pieces or None,
        unit=case.unit or (order.unit if order else "PC"),
        could_run=could_run(case.order, order, others),
        choices=tuple(choices),
    )


def of_stop(
    record: StopRecord, order: ProductionOrder | None, done: Decimal, others: Iterable[tuple[str, ProductionOrder]],
    choices: Sequence[str],
) -> ImpactCard:  # fmt: skip
    """What its process has found, and what the order says where that is silent; `done` of it stands in the ERP."""
    known = record.impact
    return known.model_copy(
        update={
            "order": known.order or (order.order if order else ""),
            "material": known.material or (order.material if order else ""),
            "due_at": known.due_at or (_needed(order) if order else None),
            "pieces_at_risk": known.pieces_at_risk
            if known.pieces_at_risk is not None or order is None
            else max(order.quantity - done, Decimal(0)),
            "unit": known.unit if known.order or order is None else order.unit,
            "expected_recovery": record.expected_recovery or known.expected_recovery,
            "could_run": known.could_run or could_run(order.order if order else "", order, others),
            "choices": tuple(choices),
        }
    )


def could_run(of: str, order: ProductionOrder | None, others: Iterable[tuple[str, ProductionOrder]]) -> tuple[str, ...]:
    """Orders that wait for the same work centres, the most urgent first; three of them."""
    if order is None:
        return ()
    centres = {operation.work_centre for operation in order.operations if operation.work_centre}
    waiting = [
        other
        for phase, other in others
        if other.order != of
        and phase in RUNS
        and centres & {operation.work_centre for operation in other.operations if operation.work_centre}
    ]
    dated = sorted(waiting, key=lambda other: (_needed(other) is None, str(_needed(other)), other.order))
    return tuple(f"{o.order}: {o.quantity:f} {o.unit} {o.material}" for o in dated[:3])


def _needed(order: ProductionOrder) -> datetime | None:
    return order.due or order.scheduled_end
