"""OData V2 JSON as SAP Gateway writes it: decimals as strings, `/Date(ms)/`, `PT..H..M..S`, error bodies.

Converts between wire values and stored values; it knows no table and posts nothing.
"""

import json
import math
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from simulators.sap.entity_types import DECIMALS, EMPTY_GUID, MOMENTS, Edm, EntityType, Property
from simulators.sap.messages import Refusal, bad_property

ROOT = "/sap/opu/odata/sap"
ROOT4 = "/sap/opu/odata4/sap"
_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")
_TIME = re.compile(r"^PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:(\d{1,2})(?:\.\d+)?S)?$")
_DECIMAL = re.compile(r"^-?\d+(\.\d+)?$")


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. `body` is None for an empty one."""

    status: int
    body: dict[str, Any] | str | None
    headers: dict[str, str] = field(default_factory=dict[str, str])


def quantity_text(thousandths: int) -> str:
    """10000 becomes "10", 2500 becomes "2.5"."""
    sign = "-" if thousandths < 0 else ""
    whole, rest = divmod(abs(thousandths), 1000)
    return f"{sign}{whole}.{rest:03d}".rstrip("0").rstrip(".")


def activity_text(thousandths: int) -> str:
    sign = "-" if thousandths < 0 else ""
    return f"{sign}{abs(thousandths) // 1000}.{abs(thousandths) % 1000:03d}"


def thousandths(name: str, value: object) -> int:
    """A decimal string of at most 13 digits, 3 of them decimals. A JSON number is refused, as the V2 reader does."""
    if not isinstance(value, str) or not _DECIMAL.match(value):
        raise bad_property(name, value)
    return decimal_thousandths(name, value)


def decimal_thousandths(name: str, value: str) -> int:
    try:
        scaled = Decimal(value).scaleb(3)
    except InvalidOperation:
        raise bad_property(name, value) from None
    if not scaled.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) >= Decimal(10) ** 13:
        raise bad_property(name, value)
    return int(scaled)


def date_ms(name: str, value: str) -> int:
    """`/Date(ms)/` or ISO 8601; a zone-less value is UTC, as SAP's DateTime has no zone."""
    if match := _DATE.match(value):
        return int(match.group(1))
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise bad_property(name, value) from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return int(instant.timestamp() * 1000)


def time_text(name: str, value: str) -> str:
    match = _TIME.match(value)
    if not match or value in ("PT", ""):
        raise bad_property(name, value)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return f"PT{hours:02d}H{minutes:02d}M{seconds:02d}S"


def guid_text(name: str, value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise bad_property(name, value) from None


def numc_text(value: str) -> str:
    return value.lstrip("0") or "0"


def stored(prop: Property, value: Any) -> Any:
    """The wire value of a property as the books keep it; a value the type does not allow is refused."""
    if value is None:
        return None if prop.kind in MOMENTS else empty(prop)
    if prop.kind in DECIMALS:
        return thousandths(prop.name, value)
    if prop.kind is Edm.BOOLEAN:
        if not isinstance(value, bool):
            raise bad_property(prop.name, value)
        return int(value)
    if prop.kind is Edm.INT16:
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 32_767:
            raise bad_property(prop.name, value)
        return value
    if prop.kind is Edm.DOUBLE:
        return double(prop.name, value)
    if not isinstance(value, str):
        raise bad_property(prop.name, value)
    return stored_text(prop, value)


def stored_text(prop: Property, value: str) -> Any:
    match prop.kind:
        case Edm.DATE | Edm.INSTANT:
            return date_ms(prop.name, value)
        case Edm.TIME:
            return time_text(prop.name, value)
        case Edm.GUID:
            return guid_text(prop.name, value)
        case Edm.NUMC:
            if value and not value.isdigit():
                raise bad_property(prop.name, value)
            value = numc_text(value)
        case _:
            pass
    if prop.length and len(value) > prop.length:
        raise bad_property(prop.name, value)
    return value


def double(name: str, value: object) -> float:
    """The original writes a Double as a string and reads a string or a number."""
    try:
        number = (
            float(value) if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool) else None
        )
    except ValueError:
        number = None
    if number is None or not math.isfinite(number):
        raise bad_property(name, value)
    return number


def empty(prop: Property) -> Any:
    if prop.kind in DECIMALS or prop.kind in (Edm.BOOLEAN, Edm.INT16, Edm.DOUBLE):
        return 0
    return {Edm.NUMC: "0", Edm.TIME: "PT00H00M00S", Edm.GUID: EMPTY_GUID}.get(prop.kind, "")


def wire(prop: Property, value: Any) -> Any:
    """The stored value of a property as JSON carries it."""
    match prop.kind:
        case Edm.QUANTITY:
            return quantity_text(value)
        case Edm.ACTIVITY:
            return activity_text(value)
        case Edm.BOOLEAN:
            return bool(value)
        case Edm.DATE:
            return None if value is None else f"/Date({value})/"
        case Edm.INSTANT:
            return None if value is None else f"/Date({value}+0000)/"
        case Edm.DOUBLE:
            return f"{value:.16E}"
        case _:
            return value


def key_literal(prop: Property, value: Any) -> str:
    if prop.kind is Edm.GUID:
        return f"guid'{value}'"
    if prop.kind is Edm.DATE:
        return f"datetime'{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%dT%H:%M:%S}'"
    if prop.kind is Edm.TIME:
        return f"time'{value}'"
    escaped = str(value).replace("'", "''")
    return f"'{quote(escaped)}'"


def entity_uri(base: str, entity: EntityType, row: dict[str, Any]) -> str:
    if len(entity.keys) == 1:
        inner = key_literal(entity.properties[entity.keys[0]], row[entity.keys[0]])
    else:
        inner = ",".join(f"{key}={key_literal(entity.properties[key], row[key])}" for key in entity.keys)
    return f"{base}{ROOT}/{entity.service}/{entity.set_name}({inner})"


def render(base: str, entity: EntityType, row: dict[str, Any], select: frozenset[str] | None = None) -> dict[str, Any]:
    """One entity with `__metadata` and a deferred link for every navigation; `select` None means all of it."""
    uri = entity_uri(base, entity, row)
    metadata = {"id": uri, "uri": uri, "type": entity.type_name}
    if entity.etag:
        metadata["etag"] = etag(entity, row)
    rendered: dict[str, Any] = {"__metadata": metadata}
    for prop in entity.properties.values():
        if select is None or prop.name in select:
            rendered[prop.name] = wire(prop, row[prop.name])
    for name in entity.navigations:
        if select is None or name in select:
            rendered[name] = {"__deferred": {"uri": f"{uri}/{name}"}}
    return rendered


def etag(entity: EntityType, row: dict[str, Any]) -> str:
    """Weak, over the property that changes with every change, in the literal form of its type."""
    value = row[entity.etag]
    if entity.properties[entity.etag].kind is Edm.INSTANT:
        moment = datetime.fromtimestamp((value or 0) / 1000, UTC).strftime("%Y-%m-%dT%H%%3A%M%%3A%S.%f")
        return f"W/\"datetimeoffset'{moment}0Z'\""
    return f"W/\"'{value}'\""


def sap_message(code: str, text: str) -> dict[str, str]:
    """The response header of a success with a warning."""
    body = {"code": code, "message": text, "severity": "warning", "target": "", "details": []}
    return {"sap-message": json.dumps(body)}


def error_answer(refusal: Refusal, service: str = "", transaction_id: str = "") -> Answer:
    """A V2 error body; the real cause is in `errordetails`, the top-level code may only be a container."""
    message = refusal.message
    if refusal.container:
        message = "An error occurred; see the details" if refusal.container != refusal.code else message
    body = {
        "error": {
            "code": refusal.container or refusal.code,
            "message": {"lang": "en", "value": message},
            "innererror": {
                "application": {
                    "component_id": "PP-SFC",
                    "service_namespace": "/SAP/",
                    "service_id": service,
                    "service_version": "0001",
                },
                "transactionid": transaction_id or uuid.uuid4().hex.upper(),
                "timestamp": datetime.now(UTC).strftime("%Y%m%d%H%M%S.%f0"),
                "Error_Resolution": {
                    "SAP_Transaction": "Run transaction /IWFND/ERROR_LOG on the gateway hub system for more details",
                    "SAP_Note": "See SAP Note 1797736 for error analysis",
                },
                "errordetails": [vars(detail) for detail in refusal.details],
            },
        }
    }
    return Answer(refusal.status, body, dict(refusal.headers))
