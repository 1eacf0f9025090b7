"""Who is master of each field (need 40): the ERP, the plant file, the machine, or Plantwright.

A write against the master is refused: `refused_write` names the field and its master. docs/ownership.md shows the
table; a test keeps both alike and every field of every model in it. A person who amends a posting acts for Plantwright.
"""

from __future__ import annotations

from enum import StrEnum
from typing import get_args

from pydantic import BaseModel

from signals.bookings import ComponentUse
from signals.orders import Component, Operation, OrderOutput, ProductionOrder
from signals.transactions import ConfirmProduction, ReportTime, Transaction


class Master(StrEnum):
    """Who says what a field holds."""

    ERP = "ERP"
    PLANT_FILE = "plant file"
    MACHINE = "machine"
    PLANTWRIGHT = "Plantwright"


E, F, M, P = Master.ERP, Master.PLANT_FILE, Master.MACHINE, Master.PLANTWRIGHT

TRANSACTIONS: tuple[type[BaseModel], ...] = get_args(get_args(Transaction)[0])
ORDERS: tuple[type[BaseModel], ...] = (ProductionOrder, Operation, Component, OrderOutput)

OF_ORDERS: dict[str, dict[str, Master]] = {
    "ProductionOrder": {"plant": F},
    "Operation": {"confirmation": F, "automatic_receipt": F},
}
"""An order and its parts belong to the ERP, but for what the plant file makes of them."""

OF_POSTINGS: dict[str, Master] = {
    # what the posting is about
    "type": P, "plant": F, "order": E, "operation": E, "sequence": E, "material": E, "item": E, "output": E,
    "unit": E, "work_centre": E, "resource": E, "asset": E, "position": E, "notification": E, "inspection_lot": E,
    "document": E, "placed": E,
    "hold": P, "stop": P, "inspection": P, "nonconformance": P, "change": P, "original": P, "original_key": P,
    # what the machine saw
    "started_at": M, "ended_at": M, "serials": M, "serial": M, "results": M, "breakdown": M,
    # what Plantwright verified, computed, or was told by people
    "posting_date": P, "period_moved": P, "yield_quantity": P, "scrap_quantity": P, "rework_quantity": P,
    "quantity": P, "lines": P, "components": P, "activities": P, "component_lot": P, "component_material": P,
    "batch": P, "reason": P, "person": P, "shift": P, "final": P, "receipt_stock": P, "stock": P,
    "storage_location": P, "from_location": P, "to_location": P, "defect": P, "severity": P, "dispositions": P,
    "code": P, "text": P, "complete": P, "starts_at": P, "ends_at": P, "available_percent": P,
}  # fmt: skip
"""By field, the same in every transaction."""

OF_USES: dict[str, Master] = {
    "material": E, "unit": E, "reservation": E, "reservation_item": E, "movement_type": E,
    "storage_location": P, "quantity": P, "batch": P, "serials": M,
}  # fmt: skip
"""One line of an issue: what it may consume is the ERP's, how much it did is ours."""


def masters_of(model: type[BaseModel]) -> dict[str, Master]:
    """Every field of the model with its master. Raises KeyError for a field nobody has been made master of."""
    if model in ORDERS:
        ours = OF_ORDERS.get(model.__name__, {})
        return {name: ours.get(name, Master.ERP) for name in model.model_fields}
    table = OF_USES if model is ComponentUse else OF_POSTINGS
    return {name: table[name] for name in model.model_fields}


def changed_fields(before: BaseModel, after: BaseModel) -> list[str]:
    """Names of the fields in which two messages of one kind differ."""
    return [name for name in type(before).model_fields if getattr(before, name) != getattr(after, name)]


def refused_write(writer: Master, before: BaseModel, after: BaseModel) -> str:
    """Why the write is refused, naming field and master; empty where every changed field is the writer's own."""
    masters = masters_of(type(before))
    foreign = [(name, masters[name]) for name in changed_fields(before, after) if masters[name] is not writer]
    if not foreign:
        return ""
    said = ", ".join(f"{name} is {_whose(master)}" for name, master in foreign)
    return f"{said}: {writer.value} does not write it; correct it there"


def _whose(master: Master) -> str:
    return master.value if master is Master.PLANTWRIGHT else f"the {master.value}'s"


def contradiction(order: ProductionOrder | None, transaction: Transaction) -> str:
    """Where a posting says something else than the order's master does of its operation; empty where it agrees."""
    if order is None or not isinstance(transaction, ConfirmProduction | ReportTime):
        return ""
    operation = order.find_operation(transaction.operation)
    if operation is None:
        return f"order {order.order} has no operation {transaction.operation}"
    pairs = [("sequence", operation.sequence, transaction.sequence)]
    if isinstance(transaction, ConfirmProduction):
        pairs.append(("unit", operation.unit, transaction.unit))
    wrong = [f"{name} is {ours!r}, the ERP's order says {theirs!r}" for name, theirs, ours in pairs if theirs != ours]
    return f"operation {operation.operation}: {', '.join(wrong)}" if wrong else ""


def ownership_table() -> str:
    """The table as docs/ownership.md shows it."""
    rows = ["| message | field | master |", "| --- | --- | --- |"]
    for model in ORDERS:
        by_master = _grouped(masters_of(model))
        rows += [f"| {model.__name__} | {', '.join(names)} | {master.value} |" for master, names in by_master.items()]
    shared = {name: master for model in TRANSACTIONS for name, master in masters_of(model).items()}
    rows += [f"| every posting | {', '.join(n)} | {master.value} |" for master, n in _grouped(shared).items()]
    uses = _grouped(masters_of(ComponentUse))
    rows += [f"| line of an issue | {', '.join(names)} | {master.value} |" for master, names in uses.items()]
    return "\n".join(rows)


def _grouped(masters: dict[str, Master]) -> dict[Master, list[str]]:
    return {m: names for m in Master if (names := [f"`{n}`" for n, master in masters.items() if master is m])}
