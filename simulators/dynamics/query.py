"""Reads `$filter` and `$orderby` of OData V4 as the original has them, and compiles them to SQL.

Wildcards instead of contains, enum literals with their type, no functions, no `in`, no `has`, no navigation paths.
Values travel as parameters, never inside the statement; names are checked against the entity first.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simulators.dynamics.edm import NAMESPACE, Edm, EntityType, Property
from simulators.dynamics.odata import Fault, bad_query
from simulators.dynamics.values import stored

_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<enum>[A-Za-z_][\w.]*'[^']*')"
    r"|(?P<string>'(?:[^']|'')*')"
    r"|(?P<instant>\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)(?![\w])"
    r"|(?P<name>[A-Za-z_@$][\w/.]*)"
    r"|(?P<mark>[(),])"
    r")"
)
_OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_FLIPPED = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_NOT_COMPARED = ("in", "has", "contains", "add", "sub", "mul", "div", "mod")


@dataclass(frozen=True)
class Compiled:
    sql: str
    parameters: list[Any]
    names: frozenset[str]


@dataclass(frozen=True)
class Token:
    kind: str
    text: str


class FilterParser:
    """Recursive descent over `or`, `and`, `not`, parentheses and comparisons of a property with a literal."""

    def __init__(self, entity: EntityType, text: str) -> None:
        self._entity = entity
        self._tokens = self._read(text)
        self._position = 0
        self._parameters: list[Any] = []
        self._names: set[str] = set()

    def compile(self) -> Compiled:
        sql = self._disjunction()
        if self._position < len(self._tokens):
            raise bad_query(f"Syntax error at '{self._tokens[self._position].text}' in $filter.")
        return Compiled(sql, self._parameters, frozenset(self._names))

    def _read(self, text: str) -> list[Token]:
        tokens: list[Token] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if not match or match.lastgroup is None:
                raise bad_query(f"Syntax error at position {position} in '{text}'.")
            tokens.append(Token(match.lastgroup, match.group(match.lastgroup)))
            position = match.end()
        if not tokens:
            raise bad_query("Expression expected at position 0 in $filter.")
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._position].text if self._position < len(self._tokens) else ""

    def _next(self) -> Token:
        if self._position >= len(self._tokens):
            raise bad_query("Expression expected at the end of $filter.")
        self._position += 1
        return self._tokens[self._position - 1]

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
            if self._next().text != ")":
                raise bad_query("Closing parenthesis expected in $filter.")
            return f"({inner})"
        return self._comparison()

    def _comparison(self) -> str:
        left = self._next()
        if left.kind == "name" and self._peek() == "(":
            raise bad_query(f"An unknown function with name '{left.text}' was found.")
        operator = self._next().text
        if operator in _NOT_COMPARED:
            raise bad_query(f"The operator '{operator}' is not supported.")
        if operator not in _OPERATORS:
            raise bad_query(f"Syntax error: '{operator}' is not a comparison.")
        right = self._next()
        if left.kind != "name" or left.text in ("true", "false", "null"):
            left, right, operator = right, left, _FLIPPED[operator]
        return self._compare(self._property(left), operator, right)

    def _compare(self, prop: Property, operator: str, right: Token) -> str:
        if right.text == "null":
            return "1 = 0" if operator == "eq" else "1 = 1"
        value = literal(prop, right, operator)
        if prop.kind is Edm.STRING and "*" in str(value) and operator in ("eq", "ne"):
            text = str(value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
            self._parameters.append(text)
            return f"\"{prop.name}\" {'NOT ' if operator == 'ne' else ''}LIKE ? ESCAPE '\\'"
        self._parameters.append(value)
        return f'"{prop.name}" {_OPERATORS[operator]} ?'

    def _property(self, token: Token) -> Property:
        prop = self._entity.properties.get(token.text)
        if token.kind != "name" or prop is None:
            text = f"Could not find a property named '{token.text}' on type '{self._entity.full_type}'."
            raise bad_query(text)
        self._names.add(prop.name)
        return prop


def literal(prop: Property, token: Token, operator: str) -> Any:
    """The stored value a literal stands for. Another type than the property's is an error, as in the original."""
    try:
        match prop.kind, token.kind:
            case Edm.STRING, "string":
                return token.text[1:-1].replace("''", "'")
            case Edm.ENUM, "enum":
                prefix, _, member = token.text.partition("'")
                if prefix != prop.edm_type or operator not in ("eq", "ne"):
                    raise _incompatible(prop, prefix, operator)
                return stored(prop, member[:-1])
            case Edm.DECIMAL, "number":
                return stored(prop, Decimal(token.text))
            case Edm.INT32, "number":
                return stored(prop, int(token.text))
            case Edm.DATE | Edm.INSTANT, "instant" if "T" in token.text:
                return stored(prop, token.text)
            case _:
                raise _incompatible(prop, _TYPES.get(token.kind, token.text), operator)
    except ValueError as problem:
        raise bad_query(str(problem)) from None


_TYPES = {"string": "Edm.String", "number": "Edm.Int32", "instant": "Edm.Date", "enum": f"{NAMESPACE}.NoYes"}


def _incompatible(prop: Property, other: str, operator: str) -> Fault:
    return bad_query(
        "A binary operator with incompatible types was detected. Found operand types"
        f" '{prop.edm_type}' and '{other}' for operator '{operator}'."
    )


def compile_filter(entity: EntityType, text: str) -> Compiled:
    try:
        return FilterParser(entity, text).compile()
    except RecursionError:
        raise bad_query("The $filter is nested too deeply.") from None


def compile_order(entity: EntityType, text: str) -> tuple[str, frozenset[str]]:
    """`Prop desc,Other` as SQL; the keys follow, so that paging is stable. Also the properties named."""
    terms: list[str] = []
    names: set[str] = set()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, direction = part.partition(" ")
        if name not in entity.properties or direction.strip() not in ("", "asc", "desc"):
            raise bad_query(f"Could not find a property named '{part}' on type '{entity.full_type}'.")
        terms.append(f'"{name}" {direction.strip() or "asc"}')
        names.add(name)
    terms += [f'"{key}"' for key in entity.keys]
    return ", ".join(terms), frozenset(names)
