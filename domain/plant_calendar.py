"""The plant file's days unlike others: `[[plant.holiday]]` and `[[plant.overtime]]`. `domain.shifts` applies them."""

from __future__ import annotations

from datetime import date, time

from pydantic import Field

from signals.base import Code, Message


class HolidayConfig(Message):
    """A day on which no shift starts."""

    day: date = Field(alias="date")
    name: str = ""

    model_config = Message.model_config | {"populate_by_name": True}


class OvertimeConfig(Message):
    """One shift of one day: other times for a declared shift, or a shift that is not in the week at all.

    Overtime is worked on holidays too. What is left out is taken from the declared shift.
    """

    shift: Code
    day: date = Field(alias="date")
    start: time | None = None
    end: time | None = None

    model_config = Message.model_config | {"populate_by_name": True}
