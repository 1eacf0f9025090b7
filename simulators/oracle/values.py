"""How values are written, stored and compared: int64 ids, exact quantities, ISO dates.

Quantities are stored in millionths of their unit, date-times as ISO text in UTC with milliseconds, so text order is
time order.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from simulators.oracle.errors import BAD_REQUEST, Refusal

MICRO = 1_000_000
_LARGEST = Decimal(10) ** 12


class Kind(StrEnum):
    STRING = "s"
    INTEGER = "i"
    NUMBER = "n"
    BOOLEAN = "b"
    DATETIME = "t"
    DATE = "d"


_COLUMNS = {
    Kind.STRING: "TEXT",
    Kind.INTEGER: "INTEGER",
    Kind.NUMBER: "INTEGER",
    Kind.BOOLEAN: "INTEGER",
    Kind.DATETIME: "TEXT",
    Kind.DATE: "TEXT",
}


@dataclass(frozen=True)
class Attribute:
    name: str
    kind: Kind
    length: int = 0

    @property
    def column(self) -> str:
        return f'"{self.name}" {_COLUMNS[self.kind]}'


def attributes(spec: str) -> dict[str, Attribute]:
    """`Name` a string, `:s30` of at most 30, `:i` int64, `:n` number, `:b` boolean, `:t` date-time, `:d` date."""
    declared: dict[str, Attribute] = {}
    for word in spec.split():
        name, _, code = word.partition(":")
        declared[name] = Attribute(name, Kind(code[0] if code else "s"), int(code[1:] or 0))
    return declared


def stored(attribute: Attribute, value: Any) -> Any:
    """A JSON value as it is kept; raises Refusal when it does not fit the attribute."""
    if value is None:
        return None
    try:
        kept = _stored(attribute, value)
    except (ValueError, InvalidOperation):
        raise _bad(attribute, value) from None
    if attribute.length and isinstance(kept, str) and len(kept) > attribute.length:
        text = f"Attribute {attribute.name}: the value is longer than {attribute.length} characters"
        raise Refusal(BAD_REQUEST, text, path=f"/{attribute.name}")
    return kept


def _stored(attribute: Attribute, value: Any) -> Any:
    match attribute.kind:
        case Kind.STRING:
            if isinstance(value, bool | dict | list):
                raise ValueError
            str(value).encode()  # a lone surrogate is no text
            return str(value)
        case Kind.INTEGER:
            if isinstance(value, bool | dict | list):
                raise ValueError
            number = int(value)
            if Decimal(str(value)) != number or abs(number) >= 2**63:
                raise ValueError
            return number
        case Kind.NUMBER:
            return micro(value)
        case Kind.BOOLEAN:
            if value not in (True, False, "true", "false"):
                raise ValueError
            return int(value in (True, "true"))
        case Kind.DATETIME:
            return datetime_text(value)
        case Kind.DATE:
            return date.fromisoformat(str(value)[:10]).isoformat()


def shown(attribute: Attribute, value: Any) -> Any:
    """A kept value as the API writes it."""
    if value is None:
        return None
    match attribute.kind:
        case Kind.NUMBER:
            return number_json(value)
        case Kind.BOOLEAN:
            return bool(value)
        case _:
            return value


def micro(value: Any) -> int:
    """Millionths of a JSON number or numeric string; more than 6 decimals or 12 digits do not fit."""
    if isinstance(value, bool | dict | list):
        raise ValueError(value)
    exact = Decimal(str(value))
    if not exact.is_finite() or abs(exact) >= _LARGEST or exact.scaleb(6) != int(exact.scaleb(6)):
        raise ValueError(value)
    return int(exact.scaleb(6))


def number_json(value: int) -> int | float:
    return value // MICRO if value % MICRO == 0 else float(Decimal(value).scaleb(-6))


def quantity_text(value: int) -> str:
    """For the books: without trailing zeros and without an exponent."""
    text = f"{Decimal(value).scaleb(-6):f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def datetime_text(value: Any) -> str:
    """ISO text in UTC with milliseconds; a date-time without a zone is taken as UTC."""
    if not isinstance(value, str):
        raise ValueError(value)
    moment = datetime.fromisoformat(value.strip())
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _bad(attribute: Attribute, value: Any) -> Refusal:
    text = f"Attribute {attribute.name} cannot take the value {value!r}"
    return Refusal(BAD_REQUEST, text, path=f"/{attribute.name}")
