"""The notes on a production: Tryton's only free, searchable text that hangs on it, so the place of our key.

A note has a sentence for people and one line of JSON for us. It is written before the booking and books nothing by
itself: it counts as a document once the stock moves it names are done. Where nothing moves, the note is the record.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from signals.base import ZERO, UtcTime
from signals.ids import short_key

MARK = "plantwright:"


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PlanLine(_Told):
    """A component as the planner planned it, with what a stock move needs."""

    material: str
    product: int
    quantity: Decimal
    unit: str
    unit_id: int
    digits: int
    location: int
    location_code: str


class Start(_Told):
    """What was planned when production began: Tryton consumes all at the start, we consume as pieces are made."""

    kind: Literal["start"] = "start"
    components: tuple[PlanLine, ...]
    output_location: int | None = None


class Confirmation(_Told):
    """A confirmation of an operation."""

    kind: Literal["confirmation"] = "confirmation"
    key: UUID
    operation: str
    yield_quantity: Decimal = ZERO
    scrap_quantity: Decimal = ZERO
    rework_quantity: Decimal = ZERO
    unit: str
    final: bool = False
    reason: str = ""
    person: str = ""
    shift: str = ""
    posting_date: date
    started_at: UtcTime | None = None
    ended_at: UtcTime | None = None
    moves: tuple[int, ...] = ()


class Movement(_Told):
    """Goods moved beside confirmations: components issued or returned, goods received."""

    kind: Literal["movement"] = "movement"
    key: UUID
    operation: str = ""
    what: str
    posting_date: date
    moves: tuple[int, ...]


class Reversal(_Told):
    """A document taken back: its moves are cancelled."""

    kind: Literal["reversal"] = "reversal"
    key: UUID
    reverses: str
    text: str = ""


Told = Start | Confirmation | Movement | Reversal
Booked = Confirmation | Movement
"""What becomes a document by the stock moves it names."""

_TOLD: TypeAdapter[Told] = TypeAdapter(Annotated[Told, Field(discriminator="kind")])


def message_of(told: Told) -> str:
    """The note's text: a sentence for people, a line for us."""
    return f"{_sentence(told)}\n{MARK}{told.model_dump_json()}"


def told_by(message: str | None) -> Told | None:
    """What a note says; None for notes of people and for lines that cannot be read any more."""
    for line in (message or "").splitlines():
        if line.startswith(MARK):
            try:
                return _TOLD.validate_json(line.removeprefix(MARK))
            except ValidationError:
                return None
    return None


def operations_told_by(message: str | None) -> dict[str, str]:
    """From a note on a bill of material: which component is used at which operation."""
    for line in (message or "").splitlines():
        if line.startswith(MARK):
            try:
                content = json.loads(line.removeprefix(MARK))
            except ValueError:
                return {}
            operations = content.get("operations") if isinstance(content, dict) else None
            return {str(k): str(v) for k, v in operations.items()} if isinstance(operations, dict) else {}
    return {}


def _sentence(told: Told) -> str:
    match told:
        case Start():
            return "Plantwright started this production. Components are consumed as pieces are made."
        case Confirmation():
            parts = {"good": told.yield_quantity, "scrap": told.scrap_quantity, "to rework": told.rework_quantity}
            amounts = ", ".join(f"{value:f} {told.unit} {name}" for name, value in parts.items() if value)
            final = "; the operation is finished" if told.final else ""
            why = f" ({told.reason})" if told.reason else ""
            return f"{short_key(told.key)} operation {told.operation}: {amounts or 'nothing more'}{why}{final}."
        case Movement():
            return f"{short_key(told.key)} {told.what}."
        case Reversal():
            return f"{short_key(told.key)} took document {told.reverses} back. {told.text}".rstrip()
