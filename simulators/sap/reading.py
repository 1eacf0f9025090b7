"""GET on the simulated services: addresses, query options, expansions and server-driven paging of OData V2."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from simulators.sap import edm
from simulators.sap.books import Books
from simulators.sap.call import Call
from simulators.sap.catalogue import ENTITIES, SERVICES
from simulators.sap.entity_types import EntityType
from simulators.sap.messages import Refusal, method_not_allowed, not_found, service_unknown
from simulators.sap.metadata import edmx, service_document
from simulators.sap.odata import ROOT, Answer, etag, render
from simulators.sap.orders import refuse_process_order
from simulators.sap.query import compile_filter, compile_order, literal_value, parse_literal

REFERENCE_FIELDS = frozenset(
    {"ExternalSystemConfirmation", "ReferenceDocument", "MaintNotifExtReferenceNumber", "InspLotExternalNumber"}
    | {"QltyNotifExtReferenceNumber", "DefectText"}
)
_OPTIONS = frozenset(
    {"$filter", "$select", "$expand", "$top", "$skip", "$inlinecount", "$orderby", "$format", "$skiptoken", "$count"}
)
_SEGMENT = re.compile(r"^(\w+|\$metadata|\$count|\$batch)(?:\((.*)\))?$", re.DOTALL)
_KEY = re.compile(r"\s*(?:(\w+)\s*=\s*)?((?:guid|datetime)?'(?:[^']|'')*')\s*(?:,|$)")


@dataclass(frozen=True)
class Segment:
    name: str
    predicate: str | None


@dataclass(frozen=True)
class Address:
    service: str
    segments: tuple[Segment, ...]


def parse_address(path: str) -> Address:
    """`/sap/opu/odata/sap/<SERVICE>/Set(Key='..')/navigation`."""
    rest = path.removeprefix(ROOT).lstrip("/")
    parts = split_path(rest)
    service = parts[0].split(";")[0] if parts else ""
    if service not in SERVICES:
        raise service_unknown(service)
    return Address(service, split_segments(parts[1:]))


def split_segments(parts: list[str]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    for part in filter(None, parts):
        match = _SEGMENT.match(part)
        if not match:
            raise not_found(part)
        segments.append(Segment(match.group(1), match.group(2)))
    return tuple(segments)


def split_path(path: str) -> list[str]:
    """Splits at slashes that are outside quoted key values."""
    parts, quoted = [""], False
    for character in path:
        quoted = quoted != (character == "'")
        if character == "/" and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def parse_keys(entity: EntityType, predicate: str) -> dict[str, Any]:
    """Stored key values of `('x')` or `(A='x',B='y')`."""
    found: dict[str, str] = {}
    position = 0
    while position < len(predicate):
        match = _KEY.match(predicate, position)
        if not match:
            raise Refusal("/IWBEP/CM_MGW_RT/018", f"Invalid key predicate '{predicate}'")
        found[match.group(1) or entity.keys[0]] = match.group(2)
        position = match.end()
    if set(found) != set(entity.keys):
        raise Refusal("/IWBEP/CM_MGW_RT/018", f"Invalid key predicate: {entity.set_name} has {', '.join(entity.keys)}")
    return {name: literal_value(entity.properties[name], parse_literal(text)) for name, text in found.items()}


def find_entity(books: Books, entity: EntityType, keys: dict[str, Any]) -> dict[str, Any]:
    where = " AND ".join(f'"{name}" = ?' for name in keys)
    row = books.one(f"SELECT * FROM {entity.table} WHERE {entity.only} AND {where}", *keys.values())
    if row is None:
        if entity is edm.ORDER:
            refuse_process_order(books, str(keys["ManufacturingOrder"]))
        raise not_found(entity.set_name)
    return row


class Reader:
    """Answers one GET."""

    def __init__(self, books: Books, call: Call) -> None:
        self._books = books
        self._base = call.base
        self._path = call.path
        self._options = call.options

    def answer(self) -> Answer:
        address = parse_address(self._path)
        if not address.segments:
            return Answer(200, service_document(address.service))
        first = address.segments[0]
        if first.name == "$metadata":
            return Answer(200, edmx(address.service), {"content-type": "application/xml; charset=utf-8"})
        unknown = {name for name in self._options if name.startswith("$")} - _OPTIONS
        if unknown:
            raise Refusal("/IWBEP/CM_MGW_RT/176", f"Invalid query option: {sorted(unknown)[0]} is not supported")
        entity = ENTITIES.get(first.name)
        if entity is None or entity.service != address.service:
            raise not_found(first.name)
        if not entity.readable:
            raise method_not_allowed("GET", entity.set_name)
        if first.predicate is None:
            return self._collection(entity, address.segments[1:], "1 = 1", [], paged=True)
        row = find_entity(self._books, entity, parse_keys(entity, first.predicate))
        return self._navigate(entity, row, address.segments[1:])

    def _navigate(self, entity: EntityType, row: dict[str, Any], segments: tuple[Segment, ...]) -> Answer:
        if not segments:
            headers = {"etag": etag(entity, row)} if entity.etag else {}
            return Answer(200, {"d": self._render(entity, row)}, headers)
        navigation = entity.navigations.get(segments[0].name)
        if navigation is None:
            raise not_found(segments[0].name)
        target = ENTITIES[navigation.target]
        where = " AND ".join(f'"{theirs}" = ?' for _, theirs in navigation.join)
        values = [row[own] for own, _ in navigation.join]
        if set(target.keys) <= {theirs for _, theirs in navigation.join}:
            found = self._books.one(f"SELECT * FROM {target.table} WHERE {where}", *values)
            if found is None:
                raise not_found(segments[0].name)
            return self._navigate(target, found, segments[1:])
        if segments[0].predicate is not None:
            return self._navigate(
                target, find_entity(self._books, target, parse_keys(target, segments[0].predicate)), segments[1:]
            )
        return self._collection(target, segments[1:], where, values, paged=False)

    def _collection(
        self, entity: EntityType, rest: tuple[Segment, ...], where: str, values: list[Any], *, paged: bool
    ) -> Answer:
        where = f"{where} AND {entity.only}"
        named: frozenset[str] = frozenset()
        if text := self._options.get("$filter"):
            compiled = compile_filter(entity, text)
            named = compiled.names
            where, values = f"{where} AND ({compiled.sql})", values + compiled.parameters
        if missing := [name for name in entity.mandatory_filters if name not in named]:
            text = f"Filter on '{missing[0]}' is mandatory for {entity.set_name}"
            raise Refusal("/IWBEP/CM_MGW_RT/176", text, target=missing[0])
        if rest and rest[0].name == "$count":
            return Answer(200, str(self._count(entity, where, values)), {"content-type": "text/plain; charset=utf-8"})
        if rest:
            raise not_found(rest[0].name)
        order = compile_order(entity, self._options.get("$orderby", ""))
        skip = self._number("$skip", 0) + self._number("$skiptoken", 0)
        top = self._number("$top", -1)
        page = int(self._books.setting("page_size")) if paged else -1
        limit = page if top < 0 else top if page < 0 else min(top, page)
        fetch = limit + 1 if limit >= 0 else -1
        sql = f"SELECT * FROM {entity.table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
        rows = self._books.all(sql, *values, fetch, skip)
        shown = rows[:limit] if limit >= 0 else rows
        result: dict[str, Any] = {"results": [self._render(entity, row) for row in shown]}
        if self._options.get("$inlinecount") == "allpages":
            result["__count"] = str(self._count(entity, where, values))
        if paged and len(rows) > len(shown) and len(shown) == page and (top < 0 or top > page):
            result["__next"] = self._next_link(page, top)
        return Answer(200, {"d": result})

    def _next_link(self, page: int, top: int) -> str:
        options = dict(self._options)
        options["$skiptoken"] = str(self._number("$skiptoken", 0) + page)
        if top >= 0:
            options["$top"] = str(top - page)
        return f"{self._base}{self._path}?{urlencode(options)}"

    def _count(self, entity: EntityType, where: str, values: list[Any]) -> int:
        row = self._books.one(f"SELECT COUNT(*) AS total FROM {entity.table} WHERE {where}", *values)
        return int(row["total"]) if row else 0

    def _number(self, option: str, default: int) -> int:
        text = self._options.get(option)
        if text is None:
            return default
        if not text.isdigit():
            raise Refusal("/IWBEP/CM_MGW_RT/176", f"Invalid query option: {option}={text}")
        return int(text)

    def _render(self, entity: EntityType, row: dict[str, Any]) -> dict[str, Any]:
        expand = [path.strip() for path in self._options.get("$expand", "").split(",") if path.strip()]
        select = [path.strip() for path in self._options.get("$select", "").split(",") if path.strip()]
        return render_expanded(self._books, self._base, entity, row, expand, select)


def filter_names(options: dict[str, str]) -> frozenset[str]:
    """The properties that `$filter` and `$orderby` name, whether or not they compile."""
    text = f"{options.get('$filter', '')} {options.get('$orderby', '')}"
    return frozenset(re.findall(r"[A-Za-z_]\w*", re.sub(r"'(?:[^']|'')*'", "", text)))


def render_expanded(
    books: Books, base: str, entity: EntityType, row: dict[str, Any], expand: list[str], select: list[str]
) -> dict[str, Any]:
    """One entity with its expanded navigations; paths like `to_A/to_B` go down."""
    own = {path.partition("/")[0] for path in select}
    unknown = own - set(entity.properties) - set(entity.navigations) - {"*"}
    if unknown:
        raise Refusal("/IWBEP/CM_MGW_RT/176", f"Invalid query option: $select names '{sorted(unknown)[0]}'")
    chosen = None if not own or "*" in own else frozenset(own)
    rendered = render(base, entity, row, chosen)
    for name in dict.fromkeys(path.partition("/")[0] for path in expand):
        navigation = entity.navigations.get(name)
        if navigation is None:
            raise Refusal("/IWBEP/CM_MGW_RT/176", f"Invalid query option: $expand names '{name}'")
        target = ENTITIES[navigation.target]
        where = " AND ".join(f'"{theirs}" = ?' for _, theirs in navigation.join)
        order = compile_order(target, "")
        values = [row[own_name] for own_name, _ in navigation.join]
        rows = books.all(f"SELECT * FROM {target.table} WHERE {where} AND {target.only} ORDER BY {order}", *values)
        deeper = [rest for path in expand if (rest := path.partition("/")[2]) and path.partition("/")[0] == name]
        narrower = [rest for path in select if (rest := path.partition("/")[2]) and path.partition("/")[0] == name]
        children = [render_expanded(books, base, target, child, deeper, narrower) for child in rows]
        single = set(target.keys) <= {theirs for _, theirs in navigation.join}
        rendered[name] = (children[0] if children else None) if single else {"results": children}
    return rendered
