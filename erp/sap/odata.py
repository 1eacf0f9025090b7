"""OData V2 as SAP Gateway speaks it: literals for URLs, JSON dates, times and decimals, unwrapping of answers.

Not for HTTP. Dates are `/Date(ms)/`, times `PT15H51M04S`, decimals are JSON strings.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

from signals.errors import ErpRejected, Reason

Entity = dict[str, Any]

EMPTY_GUID = UUID(int=0)
SMALLEST_QUANTITY = Decimal("0.001")
LARGEST_QUANTITY = Decimal(10) ** 10
"""Quantities are Edm.Decimal(13,3): ten digits before the point, three after it."""

_JSON_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{1,4})?\)/")
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?")
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnreadableAnswer(Exception):
    """An answer that is not the OData V2 JSON it should be; the caller knows whether that leaves a doubt."""


# --- literals in URLs ------------------------------------------------------------------------------------------------


def text_literal(value: str) -> str:
    """`'it''s'`: quotes are doubled."""
    return "'" + value.replace("'", "''") + "'"


def guid_literal(value: UUID) -> str:
    return f"guid'{value}'"


def decimal_literal(value: Decimal) -> str:
    return f"{quantity_text(value)}M"


def date_literal(value: date) -> str:
    return f"datetime'{value.isoformat()}T00:00:00'"


def key_predicate(**keys: str) -> str:
    """`(ConfirmationGroup='1',ConfirmationCount='2')`; one key alone stands without its name. Not yet escaped."""
    if len(keys) == 1:
        return f"({text_literal(next(iter(keys.values())))})"
    return "(" + ",".join(f"{name}={text_literal(value)}" for name, value in keys.items()) + ")"


def query_text(options: dict[str, str]) -> str:
    """A query string with blanks as %20: SAP Gateway does not read a plus sign as a blank."""
    return "&".join(f"{quote(name, safe='$')}={quote(value, safe=_SAFE)}" for name, value in options.items())


def path_text(path: str) -> str:
    """A resource path with its key predicates, escaped."""
    return quote(path, safe="/" + _SAFE)


_SAFE = "'(),:=$"


# --- values in JSON --------------------------------------------------------------------------------------------------


def quantity_text(value: Decimal) -> str:
    """A quantity as SAP takes it. What does not fit is refused before anything is sent."""
    if value != value.quantize(SMALLEST_QUANTITY) or not 0 <= value < LARGEST_QUANTITY:
        raise ErpRejected(
            f"SAP takes quantities from 0 with 10 digits before and 3 after the point, not {value}; "
            "round it to the unit's decimals",
            code="quantity_not_representable",
            reason=Reason.RULE,
        )
    return f"{value:f}" if value == 0 else f"{value.normalize():f}"


def decimal_of(value: object) -> Decimal:
    """A number of an answer; nothing there means zero."""
    if value is None or value == "":
        return Decimal(0)
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation as error:
        raise UnreadableAnswer(f"{value!r} stands where SAP should give a number") from error
    if not number.is_finite():
        raise UnreadableAnswer(f"{value!r} stands where SAP should give a number")
    return number


def amount_of(value: object) -> Decimal:
    """A number that cannot be below zero in our terms; SAP signs some by direction."""
    return abs(decimal_of(value))


def flag_of(value: object) -> bool:
    """SAP says yes as true or as `X`."""
    return value is True or str(value).strip().upper() in ("X", "TRUE")


def text_of(entity: Entity, name: str) -> str:
    value = entity.get(name)
    return "" if value is None else str(value).strip()


def guid_of(value: object) -> UUID | None:
    """A GUID that is there; SAP shows an initial one as zeros."""
    try:
        guid = UUID(str(value))
    except ValueError:
        return None
    return None if guid == EMPTY_GUID else guid


def json_date(value: date) -> str:
    midnight = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return f"/Date({int((midnight - _UNIX_EPOCH).total_seconds()) * 1000})/"


def json_time(value: time) -> str:
    return f"PT{value.hour:02d}H{value.minute:02d}M{value.second:02d}S"


def date_of(value: object) -> date | None:
    """The calendar day in `/Date(ms)/` or in ISO form; None where SAP gives none."""
    written = "" if value is None else str(value)
    found = _JSON_DATE.fullmatch(written)
    try:
        if found is not None:
            return (_UNIX_EPOCH + timedelta(milliseconds=int(found[1]))).date()
        return date.fromisoformat(written[:10]) if written else None
    except (ValueError, OverflowError):
        return None


def time_of(value: object) -> time:
    """`PT15H51M04S` as a time of day; midnight where SAP gives none."""
    found = _DURATION.fullmatch("" if value is None else str(value))
    if found is None:
        return time()
    hour, minute, second = (int(part or 0) for part in found.groups())
    return time(hour, minute, second) if hour < 24 and minute < 60 and second < 60 else time()


def instant_of(day: object, at: object, zone: ZoneInfo) -> datetime | None:
    """The instant that a date and a time of day in the ERP's zone mean, in UTC."""
    found = date_of(day)
    return None if found is None else datetime.combine(found, time_of(at), zone).astimezone(UTC)


def local_date_and_time(at: datetime, zone: ZoneInfo) -> tuple[str, str]:
    """JSON date and time of an instant in the ERP's zone."""
    local = at.astimezone(zone)
    return json_date(local.date()), json_time(local.time())


# --- answers ---------------------------------------------------------------------------------------------------------


def unwrapped(payload: object) -> Any:
    """What stands in `d`."""
    if not isinstance(payload, dict) or "d" not in payload:
        raise UnreadableAnswer("the answer has no `d`, so it is not OData V2 JSON")
    return payload["d"]


def entity_of(payload: object) -> Entity:
    body = unwrapped(payload)
    if not isinstance(body, dict):
        raise UnreadableAnswer("the answer holds no entity")
    return body


def entities_of(payload: object) -> list[Entity]:
    body = unwrapped(payload)
    rows = body.get("results") if isinstance(body, dict) else body
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswer("the answer holds no list of entities")
    return rows


def next_link(payload: object) -> str:
    body = unwrapped(payload)
    return str(body.get("__next") or "") if isinstance(body, dict) else ""


def complex_result(payload: object, function: str) -> Entity:
    """The result of a function import: in `d.<Function>` for complex types, in `d` for entities."""
    body = entity_of(payload)
    inner = body.get(function, body)
    if not isinstance(inner, dict):
        raise UnreadableAnswer(f"the answer of {function} holds no result")
    return inner
