"""OData V4 JSON as RAP services write it: numbers are numbers, dates ISO, annotations with `@`, a plain error message.

Converts between wire values and stored values; it knows no table and posts nothing.
"""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from simulators.sap.call import Call
from simulators.sap.confirmation_rules import Posting
from simulators.sap.entity_types import DECIMALS, MOMENTS, Edm, EntityType, Property
from simulators.sap.messages import Refusal, bad_property
from simulators.sap.odata import ROOT4, Answer, decimal_thousandths, empty, quantity_text, stored

VERSION = {"odata-version": "4.0"}
_CLOCK = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.\d+)?)?$")


def clock_text4(name: str, value: str) -> str:
    match = _CLOCK.match(value)
    if not match:
        raise bad_property(name, value)
    return f"PT{match.group(1)}H{match.group(2)}M{match.group(3) or '00'}S"


def stored4(prop: Property, value: Any, *, ieee: bool) -> Any:
    """Decimals are JSON numbers, or strings with `IEEE754Compatible=true`; the rest as V4 writes it."""
    if value is None:
        return None if prop.kind in MOMENTS else empty(prop)
    match prop.kind:
        case kind if kind in DECIMALS:
            if isinstance(value, bool) or not isinstance(value, str if ieee else int | Decimal):
                raise bad_property(prop.name, value)
            return decimal_thousandths(prop.name, str(value))
        case Edm.DATE:
            return _day(prop.name, value)
        case Edm.TIME:
            return clock_text4(prop.name, value) if isinstance(value, str) else bad(prop, value)
        case _:
            return stored(prop, value)


def bad(prop: Property, value: Any) -> Any:
    raise bad_property(prop.name, value)


def _day(name: str, value: Any) -> int:
    try:
        day = date.fromisoformat(value)
    except (TypeError, ValueError):
        raise bad_property(name, value) from None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def wire4(prop: Property, value: Any) -> Any:
    match prop.kind:
        case kind if kind in DECIMALS:
            return json.loads(quantity_text(value))
        case Edm.BOOLEAN:
            return bool(value)
        case Edm.DATE:
            return None if value is None else day_text(value)
        case Edm.INSTANT:
            return None if value is None else _moment(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case Edm.TIME:
            return f"{value[2:4]}:{value[5:7]}:{value[8:10]}"
        case _:
            return value


def day_text(milliseconds: int) -> str:
    return _moment(milliseconds).date().isoformat()


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def etag4(entity: EntityType, row: dict[str, Any]) -> str:
    return f'W/"SADL-{_moment(row[entity.etag] or 0):%Y%m%d%H%M%S%f}C~{_moment(row[entity.etag] or 0):%Y%m%d%H%M%S}"'


def key_predicate4(entity: EntityType, row: dict[str, Any]) -> str:
    def literal(prop: Property) -> str:
        value = wire4(prop, row[prop.name])
        quoted = prop.kind in (Edm.STRING, Edm.NUMC)
        return f"'{str(value).replace(chr(39), chr(39) * 2)}'" if quoted else str(value)

    keys = [entity.properties[key] for key in entity.keys]
    if len(keys) == 1:
        return f"({literal(keys[0])})"
    return "(" + ",".join(f"{key.name}={literal(key)}" for key in keys) + ")"


def entity_path4(entity: EntityType, row: dict[str, Any]) -> str:
    return f"{ROOT4}/{entity.service}/{entity.set_name}{key_predicate4(entity, row)}"


def render4(entity: EntityType, row: dict[str, Any], select: frozenset[str] | None = None) -> dict[str, Any]:
    rendered: dict[str, Any] = {"@odata.etag": etag4(entity, row)} if entity.etag else {}
    for prop in entity.properties.values():
        if select is None or prop.name in select:
            rendered[prop.name] = wire4(prop, row[prop.name])
    return rendered


def context4(entity: EntityType, suffix: str = "") -> str:
    return f"$metadata#{entity.set_name}{suffix}"


def written4(
    status: int,
    call: Call,
    entity: EntityType,
    row: dict[str, Any],
    posting: Posting,
    extra: dict[str, Any] | None = None,
) -> Answer:
    """The entity after a change, with what SAP has to say about it."""
    messages = [
        {"code": code, "message": text, "target": "", "additionalTargets": [], "transition": False}
        | {"numericSeverity": 3, "longtextUrl": None}
        for code, text in posting.warnings
    ]
    body = {"@odata.context": context4(entity, "/$entity")} | render4(entity, row) | (extra or {})
    headers = dict(VERSION) | ({"etag": etag4(entity, row)} if entity.etag else {})
    if status == 201:
        headers["location"] = call.base + entity_path4(entity, row)
    return Answer(status, body | {"SAP__Messages": messages}, headers)


def deleted4() -> Answer:
    return Answer(204, None, dict(VERSION))


def require_match4(call: Call, entity: EntityType, row: dict[str, Any]) -> None:
    """428 without If-Match, 412 when the entity has changed since; `*` takes any state."""
    given = call.headers.get("if-match", "").strip()
    if not given:
        raise Refusal("/IWBEP/CM_V4_RUNTIME/428", f"Changing {entity.set_name} needs the header If-Match", status=428)
    if given not in ("*", etag4(entity, row)):
        raise Refusal("/IWBEP/CM_V4_RUNTIME/412", f"{entity.set_name} was changed since it was read", status=412)


def parse_body4(call: Call) -> dict[str, Any]:
    if "json" not in call.headers.get("content-type", ""):
        raise Refusal("/IWBEP/CM_V4_RUNTIME/415", "Send Content-Type: application/json", status=415)
    try:
        body = json.loads(call.raw, parse_float=Decimal)
    except ValueError:
        raise Refusal("/IWBEP/CM_V4_RUNTIME/053", "Malformed JSON in the request body") from None
    if not isinstance(body, dict):
        raise Refusal("/IWBEP/CM_V4_RUNTIME/053", "The request body must be one JSON object")
    return body


def parse_entity4(
    call: Call, entity: EntityType, body: dict[str, Any], nested: str = ""
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Stored values by property, and the rows of the one navigation that may be inserted along."""
    ieee = "ieee754compatible=true" in call.headers.get("content-type", "").lower().replace(" ", "")
    values: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for name, value in body.items():
        if name in entity.properties:
            values[name] = stored4(entity.properties[name], value, ieee=ieee)
        elif nested and name == nested:
            if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
                raise Refusal("/IWBEP/CM_V4_RUNTIME/054", f"'{name}' needs an array of objects", target=name)
            rows = value
        elif "@" not in name:
            raise Refusal("/IWBEP/CM_V4_RUNTIME/055", f"Property '{name}' does not exist", target=name)
    return values, rows


def error_answer_v4(refusal: Refusal) -> Answer:
    """A plain message string; behind a container code the real cause is among the details."""
    details = [
        {"code": detail.code, "message": detail.message, "target": detail.target, "@Common.numericSeverity": 4}
        for detail in refusal.details
    ]
    error = {
        "code": refusal.container or refusal.code,
        "message": "An error occurred; see the details" if refusal.container else refusal.message,
        "target": refusal.target,
        "details": details if refusal.container else [],
    }
    headers = {name: value for name, value in refusal.headers.items() if name != "allow"}
    return Answer(refusal.status, {"error": error}, headers | VERSION)
