"""Reads `q` and compiles it to SQL: query by example in framework version 1, expressions from version 2 on.

Values travel as parameters, never inside the statement; names are checked against the resource first.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from simulators.oracle.catalogue import RESOURCES
from simulators.oracle.errors import Refusal
from simulators.oracle.resources import Resource
from simulators.oracle.values import Attribute, Kind, stored

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])"
    r"|(?P<operator><=|>=|<>|!=|=|<|>)|(?P<name>[A-Za-z_][\w.]*)|(?P<mark>[(),]))"
)
_CLAUSE = re.compile(r"\s*(?P<name>[A-Za-z_][\w.]*)\s*(?P<operator><=|>=|<>|!=|=|<|>|\blike\b)\s*(?P<value>.*)$", re.I)
_NEXT_CONDITION = re.compile(r"^(?P<value>.*?)\s+and\s+(?P<operator><=|>=|<|>)\s*(?P<rest>.*)$", re.I)


@dataclass
class Compiled:
    sql: str
    parameters: list[Any] = field(default_factory=list[Any])
    names: set[str] = field(default_factory=set[str])


def compile_query(resource: Resource, text: str, version: int) -> Compiled:
    if version == 1:
        return _by_example(resource, text)
    return _Expression(resource, text).compile()


def _bad(text: str) -> Refusal:
    return Refusal("27524", f"URL request parameter q cannot be used: {text}", path="/q")


class _Terms:
    """Builds one comparison, following a dotted name into a child by EXISTS."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self.parameters: list[Any] = []
        self.names: set[str] = set()

    def term(self, name: str, build: Any) -> str:
        """`build(column, attribute)` gives the SQL of the comparison and appends its parameters."""
        head, _, rest = name.partition(".")
        if not rest:
            attribute = self._attribute(self._resource, head)
            return build(f't."{head}"', attribute)
        child = self._resource.children.get(head)
        if child is None:
            raise _bad(f"{self._resource.name} has no child {head}")
        target = RESOURCES[child.resource]
        attribute = self._attribute(target, rest)
        joins = [f'c."{theirs}" = t."{ours}"' for ours, theirs in child.join]
        conditions = [*joins, *([target.condition] if target.condition else [])]
        condition = build(f'c."{rest}"', attribute)
        return f"EXISTS (SELECT 1 FROM {target.table} c WHERE {' AND '.join([*conditions, condition])})"

    def _attribute(self, resource: Resource, name: str) -> Attribute:
        attribute = resource.attributes.get(name)
        if attribute is None:
            raise _bad(f"attribute {name} is not queryable on {resource.name}")
        self.names.add(name)
        return attribute

    def compare(self, operator: str, text: str | None) -> Any:
        def build(column: str, attribute: Attribute) -> str:
            if text is None:
                return f"{column} IS {'' if operator == '=' else 'NOT '}NULL"
            if operator.lower() == "like":
                if attribute.kind is not Kind.STRING:
                    raise _bad(f"like needs a string attribute, not {attribute.name}")
                self.parameters.append(text.replace("*", "%"))
                return f"{column} LIKE ?"
            self.parameters.append(_literal(attribute, text))
            return f"{column} {'<>' if operator == '!=' else operator} ?"

        return build

    def among(self, texts: list[str]) -> Any:
        def build(column: str, attribute: Attribute) -> str:
            self.parameters.extend(_literal(attribute, text) for text in texts)
            return f"{column} IN ({', '.join('?' * len(texts))})"

        return build

    def between(self, low: str, high: str) -> Any:
        def build(column: str, attribute: Attribute) -> str:
            self.parameters.extend([_literal(attribute, low), _literal(attribute, high)])
            return f"{column} BETWEEN ? AND ?"

        return build


def _literal(attribute: Attribute, text: str) -> Any:
    try:
        return stored(Attribute(attribute.name, attribute.kind), text)
    except Refusal as refusal:
        raise _bad(refusal.message) from None


def _by_example(resource: Resource, text: str) -> Compiled:
    """`A=1;B=2`, values quoted or not, `A>1 and <5` for a range; `and` between attributes belongs to version 2."""
    terms = _Terms(resource)
    parts: list[str] = []
    for clause in filter(None, (piece.strip() for piece in text.split(";"))):
        match = _CLAUSE.match(clause)
        if match is None:
            raise _bad(f"{clause!r} is no condition of the form Attribute=value")
        name, operator, rest = match["name"], match["operator"], match["value"].strip()
        while following := _NEXT_CONDITION.match(rest):
            parts.append(terms.term(name, terms.compare(operator, _example_value(following["value"]))))
            operator, rest = following["operator"], following["rest"].strip()
        parts.append(terms.term(name, terms.compare(operator, _example_value(rest))))
    if not parts:
        raise _bad("it is empty")
    return Compiled(" AND ".join(parts), terms.parameters, terms.names)


def _example_value(text: str) -> str:
    quote = text[:1]
    if quote in ("'", '"'):
        if len(text) < 2 or text[-1] != quote or quote in text[1:-1].replace(quote * 2, ""):
            raise _bad(f"value {text} (in framework version 1 conditions are separated by ';')")
        return text[1:-1].replace(quote * 2, quote)
    if not text or re.search(r"\s(and|or)\s", text, re.I):
        raise _bad(f"value {text!r} (in framework version 1 conditions are separated by ';')")
    return text


class _Expression:
    """Recursive descent over `or`, `and`, `not`, comparisons, `in`, `like`, `between`, `is null`."""

    def __init__(self, resource: Resource, text: str) -> None:
        self._terms = _Terms(resource)
        self._tokens = self._split(text)
        self._position = 0

    def compile(self) -> Compiled:
        sql = self._disjunction()
        if self._position < len(self._tokens):
            raise _bad(f"unexpected {self._tokens[self._position][1]!r}")
        return Compiled(sql, self._terms.parameters, self._terms.names)

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if not match or match.lastgroup is None:
                raise _bad(f"syntax error at position {position} (the A=1;B=2 form belongs to framework version 1)")
            tokens.append((match.lastgroup, match.group(match.lastgroup)))
            position = match.end()
        if not tokens:
            raise _bad("it is empty")
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._position][1].lower() if self._position < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._position >= len(self._tokens):
            raise _bad("it ends too early")
        self._position += 1
        return self._tokens[self._position - 1]

    def _take(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self._next()
        return True

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise _bad(f"{word!r} is missing")

    def _disjunction(self) -> str:
        parts = [self._conjunction()]
        while self._take("or"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else "(" + " OR ".join(parts) + ")"

    def _conjunction(self) -> str:
        parts = [self._factor()]
        while self._take("and"):
            parts.append(self._factor())
        return " AND ".join(parts)

    def _factor(self) -> str:
        if self._take("not"):
            return f"NOT ({self._factor()})"
        if self._take("("):
            inner = self._disjunction()
            self._expect(")")
            return f"({inner})"
        return self._comparison()

    def _comparison(self) -> str:
        kind, name = self._next()
        if kind != "name":
            raise _bad(f"{name!r} is not an attribute")
        kind, operator = self._next()
        if kind == "operator":
            return self._terms.term(name, self._terms.compare(operator, self._value(operator in ("=", "!=", "<>"))))
        match operator.lower():
            case "like":
                return self._terms.term(name, self._terms.compare("like", self._value()))
            case "in":
                return self._terms.term(name, self._terms.among(self._list()))
            case "between":
                low = self._value() or ""
                self._expect("and")
                return self._terms.term(name, self._terms.between(low, self._value() or ""))
            case "is":
                operator = "!=" if self._take("not") else "="
                self._expect("null")
                return self._terms.term(name, self._terms.compare(operator, None))
            case _:
                raise _bad(f"{operator!r} is not a comparison")

    def _list(self) -> list[str]:
        self._expect("(")
        values = [self._value() or ""]
        while self._take(","):
            values.append(self._value() or "")
        self._expect(")")
        return values

    def _value(self, null_allowed: bool = False) -> str | None:
        kind, text = self._next()
        if kind == "string":
            return text[1:-1].replace(text[0] * 2, text[0])
        if kind == "number" or text.lower() in ("true", "false"):
            return text.lower()
        if null_allowed and text.lower() == "null":
            return None
        raise _bad(f"{text!r} is no value; strings and dates are quoted")


def compile_order(resource: Resource, text: str) -> str:
    """`Attribute:desc,Other` as SQL; the keys follow, so that paging is stable."""
    terms: list[str] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, direction = part.partition(":")
        if name not in resource.attributes or direction.lower() not in ("", "asc", "desc"):
            raise Refusal("27524", f"URL request parameter orderBy cannot be used: {part!r}", path="/orderBy")
        terms.append(f't."{name}" {direction.lower() or "asc"}')
    return ", ".join([*terms, *(f't."{key}"' for key in resource.keys)])
