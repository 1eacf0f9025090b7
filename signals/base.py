"""Building blocks of all messages: the frozen model, aware UTC times, exact quantities.

Not for decisions. Times follow RFC 3339; quantities are Decimal because ERP books are (SAP Edm.Decimal(13,3)).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Message(BaseModel):
    """A frozen message. Unknown fields are refused, so that a misspelt field is an error and not silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone, for example 2026-11-22T06:00:00Z")
    return value.astimezone(UTC)


UtcTime = Annotated[datetime, AfterValidator(_to_utc)]
"""An aware instant, kept in UTC. A naive one is refused."""

Amount = Annotated[Decimal, Field(ge=0, allow_inf_nan=False, max_digits=16, decimal_places=6)]
"""A non-negative exact amount in the unit that stands beside it."""

Code = Annotated[str, Field(min_length=1, max_length=80)]
"""A short identifier as the plant or the ERP writes it."""


class Quantity(Message):
    """An amount with its unit, for example 12 PC."""

    value: Amount
    unit: Code


ZERO = Decimal(0)
