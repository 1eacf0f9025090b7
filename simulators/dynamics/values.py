"""Values as the books keep them and as the wire shows them: decimals in millionths, dates as text at 12:00:00Z.

It converts and refuses; what a value means is decided elsewhere.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from simulators.dynamics.edm import EMPTY_DATE, EMPTY_INSTANT, ENUMS, Edm, Property

MICRO = 1_000_000
_LARGEST = 10**12
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,7})?)?(Z|[+-]\d{2}:\d{2})")


def micro(value: Decimal | int | float | str) -> int:
    """Millionths of a number. Raises ValueError beyond six decimals or 10^12."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    scaled = number * MICRO
    if not number.is_finite() or scaled != scaled.to_integral_value() or abs(number) > _LARGEST:
        raise ValueError(f"{value} is not a number of at most 12 digits and 6 decimals")
    return int(scaled)


def text_of(value: int) -> str:
    """Millionths as plain text without trailing zeros."""
    text = format(Decimal(value) / MICRO, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def number_of(value: int) -> int | float:
    """Millionths as a JSON number; a double keeps every value these books can hold short of 10^9."""
    return value // MICRO if value % MICRO == 0 else float(Decimal(value) / MICRO)


def quantity_words(value: int) -> str:
    """A quantity in an infolog text: two decimals, more only where there are more."""
    text = text_of(value)
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.ljust(2, '0')}"


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT12:00:00Z")


def day(value: date) -> str:
    return f"{value.isoformat()}T12:00:00Z"


def is_empty_date(value: str) -> bool:
    return value.startswith("1900-01-01")


def date_text(value: str) -> str:
    """`YYYY-MM-DD` or an instant with offset as the stored date, noon UTC."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return day(date.fromisoformat(value))
        return day(_instant(value).date())
    except ValueError:
        raise ValueError(f"'{value}' is not a date; write 2026-03-02 or 2026-03-02T12:00:00Z") from None


def instant_text(value: str) -> str:
    try:
        return _instant(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise ValueError(f"'{value}' is not a date and time with offset; write 2026-03-02T07:30:00Z") from None


def _instant(value: str) -> datetime:
    if not _INSTANT.fullmatch(value):
        raise ValueError(value)
    return datetime.fromisoformat(value)


def stored(prop: Property, value: Any) -> str | int:
    """The stored form of a JSON value for a property. Raises ValueError when it is of another type."""
    if value is None:
        return prop.empty
    match prop.kind:
        case Edm.STRING if isinstance(value, str):
            text = value.lower() if prop.name == "dataAreaId" else value
            return text if prop.length is None else text[: prop.length]
        case Edm.DECIMAL if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return micro(value)
        case Edm.INT32 if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31:
            return value
        case Edm.DATE if isinstance(value, str):
            return EMPTY_DATE if is_empty_date(value) else date_text(value)
        case Edm.INSTANT if isinstance(value, str):
            return EMPTY_INSTANT if is_empty_date(value) else instant_text(value)
        case Edm.ENUM if isinstance(value, str) and value in ENUMS[prop.enum]:
            return value
        case Edm.ENUM:
            members = ", ".join(ENUMS[prop.enum])
            raise ValueError(f"{value!r} is no member of {prop.edm_type} ({members})")
        case _:
            raise ValueError(f"Cannot convert the literal '{value}' to the expected type '{prop.edm_type}'")


def shown(prop: Property, value: Any) -> Any:
    return number_of(value) if prop.kind is Edm.DECIMAL else value
