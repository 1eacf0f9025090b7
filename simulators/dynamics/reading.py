"""GET on the OData service: sets with query options and server paging, single entities, navigations, counts."""

import re
from typing import Any
from urllib.parse import urlencode

from simulators.dynamics import metadata
from simulators.dynamics.auth import Answer
from simulators.dynamics.books import Books
from simulators.dynamics.catalogue import ENTITIES
from simulators.dynamics.edm import EntityType, Navigation
from simulators.dynamics.odata import (
    bad_query,
    context,
    find_row,
    find_set,
    no_resource,
    parse_key,
    parse_path,
    render,
)
from simulators.dynamics.query import compile_filter, compile_order

_OPTIONS = ("$filter", "$orderby", "$top", "$skip", "$count", "$select", "$expand", "$skiptoken", "cross-company")
_JSON = {"content-type": "application/json; odata.metadata=minimal", "odata-version": "4.0"}


class Reader:
    """One GET. `referenced` are the reference fields that its filter or order names, for the fault that forbids it."""

    def __init__(self, books: Books, base: str, path: str, options: dict[str, str], page_size: int) -> None:
        self._books = books
        self._base = base
        self._path = path
        self._options = options
        self._page_size = page_size
        self._company = str(books.setting("default_company")).lower()

    @property
    def crosses(self) -> bool:
        return self._options.get("cross-company", "").lower() == "true"

    def referenced(self) -> frozenset[str]:
        segments = parse_path(self._path)
        entity = ENTITIES.get(segments[0].name) if segments else None
        if entity is None:
            return frozenset()
        words = set(re.findall(r"\w+", f"{self._options.get('$filter', '')} {self._options.get('$orderby', '')}"))
        return entity.references & words

    def answer(self) -> Answer:
        segments = parse_path(self._path)
        if not segments:
            return Answer(200, metadata.service_document(self._base), dict(_JSON))
        if segments[0].name == "$metadata":
            return Answer(200, metadata.edmx(), {"content-type": "application/xml"})
        entity = find_set(self._books, segments[0].name, self._path)
        unknown = [name for name in self._options if name.startswith("$") and name not in _OPTIONS]
        if unknown:
            raise bad_query(f"The query parameter '{unknown[0]}' is not supported.")
        rest = [segment.name for segment in segments[1:]]
        if segments[0].predicate is None:
            if rest == ["$count"]:
                return Answer(200, str(self._total(entity, "1 = 1", [])), {"content-type": "text/plain"})
            if rest:
                raise no_resource(self._path)
            return self._set(entity, "1 = 1", [])
        key = parse_key(entity, segments[0].predicate, self._path)
        row = find_row(self._books, entity, key, cross_company=self.crosses)
        if not rest:
            return self._single(entity, row)
        navigation = entity.navigations.get(rest[0])
        if navigation is None or len(rest) > 1 or segments[1].predicate is not None:
            raise no_resource(self._path)
        target = find_set(self._books, navigation.target, self._path)
        where, values = _belongs(navigation, row)
        if navigation.many:
            return self._set(target, where, values)
        found = self._books.one(f"SELECT * FROM {target.table} WHERE {where}", *values)
        return Answer(204) if found is None else self._single(target, found)

    def _single(self, entity: EntityType, row: dict[str, Any]) -> Answer:
        body = {"@odata.context": context(self._base, entity, single=True)}
        return Answer(200, body | self._shown(entity, row), dict(_JSON))

    def _set(self, entity: EntityType, where: str, values: list[Any]) -> Answer:
        where, values = self._filtered(entity, where, values)
        order, _ = compile_order(entity, self._options.get("$orderby", ""))
        skip = self._number("$skip") or 0
        top = self._number("$top")
        token = self._number("$skiptoken") or 0
        wanted = self._page_size if top is None else min(self._page_size, max(0, top - token))
        sql = f"SELECT * FROM {entity.table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
        rows = self._books.all(sql, *values, wanted + 1, skip + token)
        body: dict[str, Any] = {"@odata.context": context(self._base, entity, single=False)}
        if self._options.get("$count", "").lower() == "true":
            body["@odata.count"] = self._count(entity, where, values)
        body["value"] = [self._shown(entity, row) for row in rows[:wanted]]
        if len(rows) > wanted and (top is None or token + wanted < top):
            options = {name: value for name, value in self._options.items() if name != "$skiptoken"}
            options["$skiptoken"] = str(token + wanted)
            body["@odata.nextLink"] = f"{self._base}{self._path}?{urlencode(options, safe='$,()')}"
        return Answer(200, body, dict(_JSON))

    def _filtered(self, entity: EntityType, where: str, values: list[Any]) -> tuple[str, list[Any]]:
        values = list(values)
        if text := self._options.get("$filter"):
            compiled = compile_filter(entity, text)
            where, values = f"({where}) AND ({compiled.sql})", values + compiled.parameters
        if not self.crosses:
            where, values = f'({where}) AND "dataAreaId" = ?', [*values, self._company]
        return where, values

    def _count(self, entity: EntityType, where: str, values: list[Any]) -> int:
        row = self._books.one(f"SELECT COUNT(*) AS n FROM {entity.table} WHERE {where}", *values)
        return int(row["n"]) if row else 0

    def _total(self, entity: EntityType, where: str, values: list[Any]) -> int:
        return self._count(entity, *self._filtered(entity, where, values))

    def _number(self, name: str) -> int | None:
        text = self._options.get(name)
        if text is None:
            return None
        if not text.isdigit() or len(text) > 9:
            raise bad_query(f"Invalid value '{text}' for {name} query option found.")
        return int(text)

    def _shown(self, entity: EntityType, row: dict[str, Any]) -> dict[str, Any]:
        body = render(entity, row, _selected(entity, self._options.get("$select")))
        for name, select in _expansions(entity, self._options.get("$expand", "")):
            navigation = entity.navigations[name]
            target = find_set(self._books, navigation.target, self._path)
            where, values = _belongs(navigation, row)
            order, _ = compile_order(target, "")
            rows = self._books.all(f"SELECT * FROM {target.table} WHERE {where} ORDER BY {order}", *values)
            shown = [render(target, one, _selected(target, select)) for one in rows]
            body[name] = shown if navigation.many else (shown[0] if shown else None)
        return body


def _belongs(navigation: Navigation, row: dict[str, Any]) -> tuple[str, list[Any]]:
    where = " AND ".join(f'"{theirs}" = ?' for _, theirs in navigation.pairs)
    return where, [row[own] for own, _ in navigation.pairs]


def _selected(entity: EntityType, text: str | None) -> list[str] | None:
    if not text or text == "*":
        return None
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in entity.properties:
            raise bad_query(f"Could not find a property named '{name}' on type '{entity.full_type}'.")
    return names


def _expansions(entity: EntityType, text: str) -> list[tuple[str, str | None]]:
    """Names of the first level, each with a `$select` where it has one; anything deeper is refused."""
    found: list[tuple[str, str | None]] = []
    for part in filter(None, (piece.strip() for piece in re.split(r",(?![^(]*\))", text))):
        match = re.fullmatch(r"(\w+)(?:\(\$select=([\w,\s]+)\))?", part)
        if match is None:
            raise bad_query(f"Only the first level can be expanded: '{part}'.")
        if match[1] not in entity.navigations:
            raise bad_query(f"Could not find a property named '{match[1]}' on type '{entity.full_type}'.")
        found.append((match[1], match[2]))
    return found
