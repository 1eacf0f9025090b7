"""Oracle's ADF REST on the wire: `q` literals, numbers, int64 ids as text, ISO times, links. Not for HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from signals.base import ZERO
from signals.errors import ErpRejected, Reason

Row = dict[str, Any]

MOST_DIGITS = 15
"""A JSON number of up to 15 significant digits survives IEEE 754 double precision unchanged."""


class UnreadableAnswer(Exception):
    """An answer that is not what the REST guide describes; the caller knows whether that leaves a doubt."""


# --- what we send ----------------------------------------------------------------------------------------------------


def text_literal(value: str) -> str:
    """`'it''s'`: quotes are doubled."""
    return "'" + value.replace("'", "''") + "'"


def every(*conditions: str) -> str:
    """Conditions of `q` in expression syntax (framework version 2 and later)."""
    return " and ".join(condition for condition in conditions if condition)


def is_equal(name: str, value: str) -> str:
    return f"{name}={text_literal(value)}"


def query_text(options: dict[str, str]) -> str:
    """A query string with blanks as %20."""
    return "&".join(f"{quote(name)}={quote(value, safe=_SAFE)}" for name, value in options.items())


_SAFE = "'(),:;=*."


def number_json(value: Decimal) -> int | float:
    """A quantity as a JSON number. What a double cannot hold exactly is refused before anything is sent."""
    if not fits_number(value):
        raise ErpRejected(
            f"{value} has more than {MOST_DIGITS} digits; Oracle takes JSON numbers, round it to the unit's decimals",
            code="quantity_not_representable",
            reason=Reason.RULE,
        )
    return int(value) if value == value.to_integral_value() else float(value)


def fits_number(value: Decimal) -> bool:
    return len(value.normalize().as_tuple().digits) <= MOST_DIGITS


def time_json(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def day_at(day: date, zone: ZoneInfo, at: datetime | None = None) -> str:
    """The posting date decides the costing period: the event's instant where it lies on that day, else its noon."""
    if at is not None and at.astimezone(zone).date() == day:
        return time_json(at)
    return time_json(datetime.combine(day, time(12), zone))


# --- what comes back -------------------------------------------------------------------------------------------------


def text_of(row: Row, name: str) -> str:
    """A value as text; int64 ids stay exact, because numbers with a point only are Decimals here."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def decimal_of(value: object) -> Decimal:
    """A number of an answer; nothing there means zero."""
    if value is None or value == "":
        return ZERO
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation as error:
        raise UnreadableAnswer(f"{value!r} stands where Oracle should give a number") from error
    if not number.is_finite():
        raise UnreadableAnswer(f"{value!r} stands where Oracle should give a number")
    return number


def amount_of(value: object) -> Decimal:
    """A number that cannot be below zero in our terms, in our six decimals."""
    number = abs(decimal_of(value))
    return plain(number if number == number.quantize(_SMALLEST) else number.quantize(_SMALLEST))


_SMALLEST = Decimal("0.000001")


def plain(value: Decimal) -> Decimal:
    """Without trailing zeros and without an exponent."""
    return Decimal(f"{value.normalize():f}") if value else ZERO


def decimal_text(value: Decimal) -> str:
    return f"{plain(value):f}"


def is_true(value: object) -> bool:
    """Oracle says yes as true, as `"true"` or as `Y`."""
    return value is True or str(value).strip().lower() in ("true", "y", "yes")


def instant_of(value: object) -> datetime | None:
    """An ISO time; one without a zone is UTC."""
    written = "" if value is None else str(value).strip()
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def texts_of(value: object) -> list[str]:
    """ErrorMessages come as one text, or as a list of texts or of objects."""
    if value is None or value == "":
        return []
    if isinstance(value, list):
        return [text for each in value for text in texts_of(each)]
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts_of(each)]
    return [str(value).strip()]


def rows_of(value: object) -> list[Row] | None:
    """A child that came along: a plain array, or a whole sub-collection; None where it must be read by itself."""
    if isinstance(value, list):
        return [row for row in value if isinstance(row, dict)]
    if isinstance(value, dict) and isinstance(value.get("items"), list) and not is_true(value.get("hasMore")):
        return [row for row in value["items"] if isinstance(row, dict)]
    return None


def self_link(row: Row) -> str:
    """The address of the row itself: its id may be a hash that only the server can build."""
    links = row.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "self" and link.get("href"):
            return str(link["href"])
    raise UnreadableAnswer("a row came without a link to itself")
