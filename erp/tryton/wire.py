"""Values as Tryton's JSON-RPC writes them (`trytond.protocols.jsonrpc`): tagged dates, decimals and durations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

Row = dict[str, Any]


def encoded(value: Any) -> Any:
    """A value for the wire."""
    match value:
        case Mapping():
            return {key: encoded(item) for key, item in value.items()}
        case list() | tuple():
            return [encoded(item) for item in value]
        case Decimal():
            return {"__class__": "Decimal", "decimal": str(value)}
        case timedelta():
            return {"__class__": "timedelta", "seconds": value.total_seconds()}
        case date():
            return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
        case _:
            return value


def decoded(value: Any) -> Any:
    """A value from the wire. Tryton's times carry no zone and are UTC."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value.get("__class__"):
        case "Decimal":
            return Decimal(value["decimal"])
        case "timedelta":
            return timedelta(seconds=value["seconds"])
        case "date":
            return date(value["year"], value["month"], value["day"])
        case "datetime":
            parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
            return datetime(*(value[part] for part in parts), tzinfo=UTC)
        case _:
            return {key: decoded(item) for key, item in value.items()}


def quantity_of(value: float | None) -> Decimal:
    """Tryton keeps quantities as floats: the shortest decimal text is what was meant."""
    return Decimal(str(value)).normalize() + 0 if value else Decimal(0)
