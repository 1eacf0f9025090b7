"""What an ERP's change of a running order means: which fields moved, and what may not move any more (needs 22, 40).

Pure. The ERP is master of its order, but not of what was already booked on it: a change that would make booked
quantities mean something else is refused and becomes a case; the order goes on as it was known.
"""

from __future__ import annotations

from collections.abc import Collection

from signals.base import Message
from signals.orders import ErpOrderStatus, Operation, ProductionOrder

ENDED = (ErpOrderStatus.TECHNICALLY_COMPLETE, ErpOrderStatus.CLOSED, ErpOrderStatus.DELETED)
"""The ERP wants no more of the order: a short close (design section 4)."""

HEAD_FIELDS = ("quantity", "scheduled_start", "scheduled_end", "due", "status", "over_delivery_percent",
               "under_delivery_percent", "unlimited_over_delivery", "batch", "cost_centre", "serial_profile",
               "inspection_type")  # fmt: skip


class ChangeVerdict(Message):
    """`changes` as sentences for people; `refused` says why the whole change is not taken over."""

    changes: tuple[str, ...] = ()
    refused: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.changes and not self.refused


def judge_change(known: ProductionOrder, told: ProductionOrder, booked: Collection[str]) -> ChangeVerdict:
    """Compare what is known with what the ERP tells now. `booked` are operations with postings or reports."""
    refused = _refused(known, told, booked)
    if refused:
        return ChangeVerdict(refused=f"order {told.order}: {refused}")
    return ChangeVerdict(changes=(*_head(known, told), *_operations(known, told), *_parts(known, told)))


def _refused(known: ProductionOrder, told: ProductionOrder, booked: Collection[str]) -> str:
    for name in ("material", "unit", "erp_plant"):
        before, after = getattr(known, name), getattr(told, name)
        if before and after and before != after:
            return f"its {name.replace('_', ' ')} became {after} (it was {before}); a running order keeps it"
    for operation in known.operations:
        after = told.find_operation(operation.operation)
        if operation.operation not in booked:
            continue
        if after is None:
            return f"operation {operation.operation} is gone, though quantities are booked on it"
        if after.unit != operation.unit:
            return f"operation {operation.operation} is counted in {after.unit} now (it was {operation.unit})"
    return ""


def _head(known: ProductionOrder, told: ProductionOrder) -> list[str]:
    return [
        f"{name.replace('_', ' ')} {_text(getattr(known, name))} -> {_text(getattr(told, name))}"
        for name in HEAD_FIELDS
        if getattr(known, name) != getattr(told, name)
    ]


def _operations(known: ProductionOrder, told: ProductionOrder) -> list[str]:
    before = {o.operation: _planned(o) for o in known.operations}
    after = {o.operation: _planned(o) for o in told.operations}
    added = [f"operation {n} added" for n in after if n not in before]
    gone = [f"operation {n} removed" for n in before if n not in after]
    moved = [f"operation {n} changed" for n in after if n in before and before[n] != after[n]]
    return added + gone + moved


def _planned(operation: Operation) -> Operation:
    """Without what the ERP counts on it: a confirmation is no change of the order."""
    return operation.model_copy(update={"confirmed_yield": 0})


def _parts(known: ProductionOrder, told: ProductionOrder) -> list[str]:
    before = {(c.reservation, c.reservation_item, c.material): c.required for c in known.components}
    after = {(c.reservation, c.reservation_item, c.material): c.required for c in told.components}
    added = [f"component {k[2]} added ({after[k]:f})" for k in after if k not in before]
    gone = [f"component {k[2]} removed" for k in before if k not in after]
    moved = [f"component {k[2]} {before[k]:f} -> {after[k]:f}" for k in after if k in before and before[k] != after[k]]
    return added + gone + moved


def _text(value: object) -> str:
    return "-" if value is None or value == "" else str(value)
