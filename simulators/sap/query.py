"""Reads `$filter` and `$orderby` of OData V2 and compiles them to SQL over one entity's columns.

Values travel as parameters, never inside the statement; names are checked against the entity first.
"""

import re
from dataclasses import dataclass
from typing import Any

from simulators.sap.entity_types import DECIMALS, Edm, EntityType, Property
from simulators.sap.messages import Refusal
from simulators.sap.odata import date_ms, decimal_thousandths, guid_text, numc_text, time_text

_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<typed>(?:guid|datetimeoffset|datetime|time)'(?:[^']|'')*')"
    r"|(?P<string>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?[mMdDfFlL]?)(?![\w])"
    r"|(?P<name>[A-Za-z_][\w/]*)"
    r"|(?P<mark>[(),])"
    r")"
)
_OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_FLIPPED = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_FUNCTIONS = {"startswith": "{}%", "endswith": "%{}", "substringof": "%{}%"}


@dataclass(frozen=True)
class Literal:
    kind: str
    text: str


@dataclass(frozen=True)
class Compiled:
    sql: str
    parameters: list[Any]
    names: frozenset[str]


def _bad(text: str) -> Refusal:
    return Refusal("/IWBEP/CM_MGW_RT/176", f"Invalid query option: {text}")


def literal_value(prop: Property, literal: Literal) -> Any:
    """The stored value a literal stands for; another type than the property's is an error, as in the original."""
    text = literal.text
    match prop.kind, literal.kind:
        case _, "null":
            return None
        case Edm.STRING, "string":
            return text
        case Edm.NUMC, "string":
            return numc_text(text)
        case Edm.GUID, "guid":
            return guid_text(prop.name, text)
        case Edm.DATE | Edm.INSTANT, "datetime" | "datetimeoffset":
            return date_ms(prop.name, text)
        case Edm.TIME, "time":
            return time_text(prop.name, text)
        case Edm.BOOLEAN, "boolean":
            return int(text == "true")
        case kind, "number" if kind in DECIMALS:
            return decimal_thousandths(prop.name, text)
        case Edm.DOUBLE, "number":
            return float(text)
        case Edm.INT16, "number" if text.lstrip("-").isdigit():
            return int(text)
        case _:
            raise _bad(f"invalid parameter type for property '{prop.name}' ({prop.kind.name.lower()})")


def parse_literal(token: str) -> Literal:
    """`'x'`, `guid'…'`, `datetime'…'`, `time'…'`, `10M`, `true`, `null`."""
    if token in ("true", "false"):
        return Literal("boolean", token)
    if token == "null":
        return Literal("null", "")
    prefix, quote, rest = token.partition("'")
    if quote and rest.endswith("'"):
        return Literal(prefix or "string", rest[:-1].replace("''", "'"))
    if re.fullmatch(r"-?\d+(\.\d+)?[mMdDfFlL]?", token):
        return Literal("number", token.rstrip("mMdDfFlL"))
    raise _bad(f"'{token}' is not a literal")


class FilterParser:
    """Recursive descent over `or`, `and`, `not`, comparisons and the three string functions. V4 has its own tokens."""

    token = _TOKEN
    functions = _FUNCTIONS

    def __init__(self, entity: EntityType, text: str) -> None:
        self._entity = entity
        self._tokens = self._split(text)
        self._position = 0
        self._parameters: list[Any] = []
        self._names: set[str] = set()

    def compile(self) -> Compiled:
        sql = self._disjunction()
        if self._position < len(self._tokens):
            raise _bad(f"unexpected '{self._tokens[self._position][1]}'")
        return Compiled(sql, self._parameters, frozenset(self._names))

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        position = 0
        while text[position:].strip():
            match = self.token.match(text, position)
            if not match or match.lastgroup is None:
                raise _bad(f"syntax error at position {position} in $filter")
            tokens.append((match.lastgroup, match.group(match.lastgroup)))
            position = match.end()
        if not tokens:
            raise _bad("$filter is empty")
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._position][1] if self._position < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._position >= len(self._tokens):
            raise _bad("$filter ends too early")
        self._position += 1
        return self._tokens[self._position - 1]

    def _expect(self, mark: str) -> None:
        if self._next()[1] != mark:
            raise _bad(f"'{mark}' is missing in $filter")

    def _disjunction(self) -> str:
        parts = [self._conjunction()]
        while self._peek() == "or":
            self._next()
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else "(" + " OR ".join(parts) + ")"

    def _conjunction(self) -> str:
        parts = [self._term()]
        while self._peek() == "and":
            self._next()
            parts.append(self._term())
        return " AND ".join(parts)

    def _term(self) -> str:
        if self._peek() == "not":
            self._next()
            return f"NOT ({self._term()})"
        if self._peek() == "(":
            self._next()
            inner = self._disjunction()
            self._expect(")")
            return f"({inner})"
        if self._peek() in self.functions:
            return self._function()
        return self._comparison()

    def _function(self) -> str:
        name = self._next()[1]
        self._expect("(")
        first = self._next()
        self._expect(",")
        second = self._next()
        self._expect(")")
        prop, literal = (second, first) if name == "substringof" else (first, second)
        column = self._property(prop[1])
        if column.kind not in (Edm.STRING, Edm.NUMC) or literal[0] != "string":
            raise _bad(f"{name} needs a string property and a string")
        needle = self.literal(literal).text
        escaped = needle.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        self._parameters.append(self.functions[name].format(escaped))
        sql = f"\"{column.name}\" LIKE ? ESCAPE '\\'"
        if self._peek() in ("eq", "ne"):
            operator, truth = self._next()[1], self._next()[1]
            if (operator == "eq") != (truth == "true"):
                return f"NOT ({sql})"
        return sql

    def _comparison(self) -> str:
        left, operator, right = self._next(), self._next()[1], self._next()
        if operator not in _OPERATORS:
            raise _bad(f"'{operator}' is not a comparison")
        if left[0] != "name" or left[1] in ("true", "false", "null"):
            left, right, operator = right, left, _FLIPPED[operator]
        prop = self._property(left[1])
        value = literal_value(prop, self.literal(right))
        if value is None:
            return f'"{prop.name}" IS {"" if operator == "eq" else "NOT "}NULL'
        self._parameters.append(value)
        return f'"{prop.name}" {_OPERATORS[operator]} ?'

    def literal(self, token: tuple[str, str]) -> Literal:
        return parse_literal(token[1])

    def _property(self, name: str) -> Property:
        prop = self._entity.properties.get(name)
        if prop is None:
            raise _bad(f"property '{name}' not found in type '{self._entity.type_name}'")
        self._names.add(name)
        return prop


def compile_filter(entity: EntityType, text: str) -> Compiled:
    return FilterParser(entity, text).compile()


def compile_order(entity: EntityType, text: str) -> str:
    """`Prop desc,Other` as SQL; the keys follow, so that paging is stable."""
    terms: list[str] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, direction = part.partition(" ")
        if name not in entity.properties or direction.strip() not in ("", "asc", "desc"):
            raise _bad(f"$orderby '{part}'")
        terms.append(f'"{name}" {direction.strip() or "asc"}')
    for key in entity.keys:
        if entity.properties[key].kind is Edm.NUMC:
            terms.append(f'CAST("{key}" AS INTEGER)')
        else:
            terms.append(f'"{key}"')
    return ", ".join(terms)
