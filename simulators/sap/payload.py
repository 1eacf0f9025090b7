"""What clients send: JSON bodies of deep inserts and typed arguments of function imports, checked by declaration."""

import json
from typing import Any

from simulators.sap.call import Call
from simulators.sap.entity_types import EntityType, Property
from simulators.sap.messages import Refusal
from simulators.sap.odata import stored
from simulators.sap.query import literal_value, parse_literal


def parse_body(call: Call) -> dict[str, Any]:
    if "json" not in call.headers.get("content-type", ""):
        text = "Unsupported media type: send Content-Type: application/json"
        raise Refusal("/IWFND/CM_COS/415", text, status=415)
    try:
        body = json.loads(call.raw)
    except ValueError:
        raise Refusal("/IWBEP/CM_MGW_RT/053", "Malformed JSON in the request body") from None
    if isinstance(body, dict) and set(body) == {"d"}:
        body = body["d"]
    if not isinstance(body, dict):
        raise Refusal("/IWBEP/CM_MGW_RT/053", "The request body must be one JSON object")
    return body


def parse_entity(
    entity: EntityType, body: dict[str, Any], nested: str, *, ignored: frozenset[str] = frozenset()
) -> tuple[dict[str, Any], list[dict[str, Any]] | None]:
    """Stored values by property, and the rows of the one navigation that may be inserted along (None when absent)."""
    values: dict[str, Any] = {}
    rows: list[dict[str, Any]] | None = None
    for name, value in body.items():
        if name == nested:
            rows = _rows(name, value)
        elif name in entity.properties:
            values[name] = stored(entity.properties[name], value)
        elif name != "__metadata" and name not in ignored:
            raise Refusal("/IWCOR/CX_DS_EP_PROPERTY_ERROR", f"Property '{name}' is invalid", target=name)
    return values, rows


def _rows(name: str, value: Any) -> list[dict[str, Any]]:
    """A bare array or `{"results": [...]}`."""
    if isinstance(value, dict):
        value = value.get("results")
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise Refusal("/IWCOR/CX_DS_EP_PROPERTY_ERROR", f"Navigation '{name}' needs an array of objects", target=name)
    return value


def arguments(options: dict[str, str], declared: dict[str, Property]) -> dict[str, Any]:
    """Function import arguments from the query string: `'text'`, `guid'…'`, `datetime'…'`, `10M`, `true`."""
    values: dict[str, Any] = {}
    for name, text in options.items():
        if name in declared:
            values[name] = literal_value(declared[name], parse_literal(text))
        elif not name.startswith("$") and name.lower() not in ("sap-client", "sap-language"):
            raise Refusal("/IWBEP/CM_MGW_RT/176", f"Invalid function import parameter '{name}'", target=name)
    return values


def required(values: dict[str, Any], *names: str) -> None:
    for name in names:
        if not values.get(name):
            raise Refusal("/IWBEP/CM_MGW_RT/176", f"Function import parameter '{name}' is missing", target=name)
