"""OData V4 as finance and operations speaks it: literals, empty dates, exact numbers, unwrapping of answers.

Not for HTTP. Enums are member names in JSON and typed in filters; an empty date is 1900-01-01 (reference erp.md 3.1).
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

Entity = dict[str, Any]
ENUM_NAMESPACE = "Microsoft.Dynamics.DataEntities"
_EMPTY_YEAR = 1900
_SAFE = "'(),:=$*"


class UnreadableAnswer(Exception):
    """An answer that is not the OData V4 JSON it should be; the caller knows whether that leaves a doubt."""


# --- literals in URLs ------------------------------------------------------------------------------------------------


def text_literal(value: str) -> str:
    """`'it''s'`: quotes are doubled."""
    return "'" + value.replace("'", "''") + "'"


def enum_literal(kind: str, member: str) -> str:
    """`Microsoft.Dynamics.DataEntities.NoYes'Yes'`."""
    return f"{ENUM_NAMESPACE}.{kind}'{member}'"


def instant_literal(at: datetime) -> str:
    return instant_text(at)


def equal(name: str, value: str | int | Decimal) -> str:
    """`Name eq 'value'`, numbers without quotes."""
    return f"{name} eq {text_literal(value) if isinstance(value, str) else value}"


def any_of(conditions: list[str]) -> str:
    """Dynamics has no `in`: conditions joined by `or`."""
    return conditions[0] if len(conditions) == 1 else "(" + " or ".join(conditions) + ")"


def key_predicate(**keys: str | int | Decimal) -> str:
    """All key fields by name, because each must be supplied. Not yet escaped; dates are given as bare text by `Raw`."""
    written = (
        f"{name}={value if isinstance(value, (int, Decimal, Raw)) else text_literal(value)}"
        for name, value in keys.items()
    )
    return "(" + ",".join(written) + ")"


class Raw(str):
    """A key value that stands without quotes, such as an instant."""

    __slots__ = ()


def query_text(options: dict[str, str]) -> str:
    return "&".join(f"{quote(name, safe='$')}={quote(value, safe=_SAFE)}" for name, value in options.items())


def path_text(path: str) -> str:
    return quote(path, safe="/" + _SAFE)


# --- values in JSON --------------------------------------------------------------------------------------------------


def number(value: Decimal) -> int | float:
    """A quantity as a JSON number; six decimals at most, so a double holds it exactly enough to come back the same."""
    return int(value) if value == value.to_integral_value() else float(value)


def decimal_of(value: object) -> Decimal:
    """A number of an answer; nothing there means zero."""
    if value is None or value == "":
        return Decimal(0)
    try:
        found = Decimal(str(value))
    except InvalidOperation as error:
        raise UnreadableAnswer(f"{value!r} stands where Dynamics should give a number") from error
    if not found.is_finite():
        raise UnreadableAnswer(f"{value!r} stands where Dynamics should give a number")
    return found.quantize(Decimal("0.000001")).normalize() + 0


def int_of(value: object) -> int:
    return int(decimal_of(value))


def text_of(entity: Entity, name: str) -> str:
    value = entity.get(name)
    return "" if value is None else str(value).strip()


def yes(entity: Entity, name: str) -> bool:
    """Enum NoYes."""
    return str(entity.get(name)).lower() in ("yes", "true")


def yes_no(value: bool) -> str:
    return "Yes" if value else "No"


def instant_text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def date_text(day: date) -> str:
    return day.isoformat()


def noon_text(day: date) -> str:
    """A date-only property: it stands at 12:00:00Z."""
    return f"{day.isoformat()}T12:00:00Z"


def instant_of(value: object) -> datetime | None:
    """An instant; None for an empty one. A fraction longer than Python reads is cut."""
    written = "" if value is None else str(value)
    head, dot, tail = written.partition(".")
    if dot:
        digits = tail.rstrip("Z")
        written = f"{head}.{digits[:6]}Z" if digits.isdigit() else written
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return None if at.year <= _EMPTY_YEAR else at.astimezone(UTC)


def date_of(value: object) -> date | None:
    """The calendar day of a date-only property; None for an empty one."""
    try:
        day = date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
    return None if day.year <= _EMPTY_YEAR else day


def instant_at(day: object, seconds: object, zone: ZoneInfo) -> datetime | None:
    """A date and its time of day (Int32 seconds) in the ERP's zone, as UTC."""
    found = date_of(day)
    if found is None:
        return None
    of_day = min(max(int_of(seconds), 0), 86_399)
    at = time(of_day // 3600, of_day // 60 % 60, of_day % 60)
    return datetime.combine(found, at, zone).astimezone(UTC)


def seconds_of_day(at: datetime) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


# --- answers ---------------------------------------------------------------------------------------------------------


def parse(text: str) -> Any:
    """JSON with exact decimals. Raises UnreadableAnswer."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswer("the answer is no JSON") from error


def entity_of(payload: object) -> Entity:
    if not isinstance(payload, dict):
        raise UnreadableAnswer("the answer holds no entity")
    return payload


def entities_of(payload: object) -> list[Entity]:
    rows = payload.get("value") if isinstance(payload, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswer("the answer holds no list of entities")
    return rows


def next_link(payload: object) -> str:
    return str(payload.get("@odata.nextLink") or "") if isinstance(payload, dict) else ""


def etag_of(entity: Entity) -> str:
    return text_of(entity, "@odata.etag")
