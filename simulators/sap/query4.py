"""`$filter` and keys of OData V4: the same grammar as V2 with other literals and `contains`."""

import re
from typing import Any

from simulators.sap.entity_types import EntityType
from simulators.sap.messages import Refusal
from simulators.sap.odata4 import clock_text4
from simulators.sap.query import Compiled, FilterParser, Literal, literal_value, parse_literal

_INSTANT = r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)"
_DAY = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?"
_GUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_TOKEN = re.compile(
    rf"\s*(?:(?P<guid>{_GUID})|(?P<datetimeoffset>{_INSTANT})|(?P<datetime>{_DAY})|(?P<time>{_CLOCK})"
    r"|(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w])|(?P<name>[A-Za-z_][\w/]*)|(?P<mark>[(),]))"
)
_KEY = re.compile(r"\s*(?:(\w+)\s*=\s*)?('(?:[^']|'')*'|[^,']+)\s*(?:,|$)")
_FUNCTIONS = {"startswith": "{}%", "endswith": "%{}", "contains": "%{}%"}


class FilterParser4(FilterParser):
    token = _TOKEN
    functions = _FUNCTIONS

    def literal(self, token: tuple[str, str]) -> Literal:
        return _literal(*token)


def _literal(kind: str, text: str) -> Literal:
    if kind == "time":
        return Literal(kind, clock_text4("$filter", text))
    if kind in ("guid", "datetime", "datetimeoffset"):
        return Literal(kind, text)
    return parse_literal(text)


def compile_filter4(entity: EntityType, text: str) -> Compiled:
    return FilterParser4(entity, text).compile()


def parse_keys4(entity: EntityType, predicate: str, known: dict[str, Any]) -> dict[str, Any]:
    """Stored key values; `known` are those that the path before it gives already."""
    found: dict[str, str] = {}
    position = 0
    while position < len(predicate):
        match = _KEY.match(predicate, position)
        if not match:
            raise Refusal("/IWBEP/CM_V4_RUNTIME/018", f"Invalid key predicate '{predicate}'")
        found[match.group(1) or entity.keys[0]] = match.group(2).strip()
        position = match.end()
    keys = {name: value for name, value in known.items() if name in entity.keys and name not in found}
    for name, text in found.items():
        token = _TOKEN.fullmatch(text)
        if name not in entity.keys or token is None or token.lastgroup is None:
            raise Refusal("/IWBEP/CM_V4_RUNTIME/018", f"Invalid key predicate '{predicate}' for {entity.set_name}")
        keys[name] = literal_value(entity.properties[name], _literal(token.lastgroup, text))
    if set(keys) != set(entity.keys):
        text = f"Invalid key predicate: {entity.set_name} has {', '.join(entity.keys)}"
        raise Refusal("/IWBEP/CM_V4_RUNTIME/018", text)
    return keys
