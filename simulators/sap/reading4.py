"""GET on the V4 services: addresses, query options, nested expansion and server-driven paging of OData V4."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from simulators.sap.books import Books
from simulators.sap.call import Call
from simulators.sap.catalogue import ENTITIES, SERVICES
from simulators.sap.entity_types import EntityType, Navigation
from simulators.sap.messages import Refusal, not_found, service_unknown
from simulators.sap.metadata import edmx4, service_document4
from simulators.sap.odata import ROOT4, Answer
from simulators.sap.odata4 import VERSION, context4, etag4, render4
from simulators.sap.query import compile_order
from simulators.sap.query4 import compile_filter4, parse_keys4
from simulators.sap.reading import Segment, split_path, split_segments

_OPTIONS = frozenset({"$filter", "$select", "$expand", "$top", "$skip", "$count", "$orderby", "$format", "$skiptoken"})


@dataclass(frozen=True)
class Place:
    """Where an address leads: one row of a set, or a set, below a row when it was reached by navigation."""

    entity: EntityType
    row: dict[str, Any] | None
    known: dict[str, Any] = field(default_factory=dict[str, Any])
    below: bool = False


def parse_address4(path: str) -> tuple[str, tuple[Segment, ...]]:
    rest = path.removeprefix(ROOT4).lstrip("/")
    for service in SERVICES:
        if rest == service or rest.startswith(service + "/"):
            return service, split_segments(split_path(rest[len(service) :]))
    raise service_unknown(rest.split("/")[0], 404)


def locate(books: Books, service: str, segments: tuple[Segment, ...]) -> Place:
    """Follows keys and navigations; a `$count` at the end is the caller's."""
    first = segments[0]
    entity = ENTITIES.get(first.name)
    if entity is None or entity.service != service:
        raise not_found(first.name)
    place = Place(entity, None)
    if first.predicate is not None:
        place = Place(entity, find_row(books, entity, parse_keys4(entity, first.predicate, {})))
    for segment in segments[1:]:
        place = _follow(books, place, segment)
    return place


def _follow(books: Books, place: Place, segment: Segment) -> Place:
    navigation = place.entity.navigations.get(segment.name)
    if navigation is None or place.row is None:
        raise not_found(segment.name)
    target = ENTITIES[navigation.target]
    known = {theirs: place.row[own] for own, theirs in navigation.join}
    if segment.predicate is None:
        return Place(target, None, known, below=True)
    keys = parse_keys4(target, segment.predicate, known)
    return Place(target, find_row(books, target, known | keys), known, below=True)


def find_row(books: Books, entity: EntityType, keys: dict[str, Any]) -> dict[str, Any]:
    where = " AND ".join(f'"{name}" = ?' for name in keys)
    row = books.one(f"SELECT * FROM {entity.table} WHERE {where}", *keys.values())
    if row is None:
        raise not_found(entity.set_name)
    return row


def read_v4(books: Books, call: Call) -> Answer:
    service, segments = parse_address4(call.path)
    if not segments:
        return Answer(200, service_document4(service), dict(VERSION))
    if segments[0].name == "$metadata":
        return Answer(200, edmx4(service), VERSION | {"content-type": "application/xml; charset=utf-8"})
    unknown = {name for name in call.options if name.startswith("$")} - _OPTIONS
    if unknown:
        raise _bad(f"{sorted(unknown)[0]} is not supported")
    counted = segments[-1].name == "$count"
    place = locate(books, service, segments[:-1] if counted else segments)
    if place.row is not None:
        body = {"@odata.context": context4(place.entity, "/$entity")}
        body |= _render(books, place.entity, place.row, call.options)
        headers = {"etag": etag4(place.entity, place.row)} if place.entity.etag else {}
        return Answer(200, body, VERSION | headers)
    return _collection(books, place, call, counted=counted)


def _bad(text: str) -> Refusal:
    return Refusal("/IWBEP/CM_V4_RUNTIME/176", f"Invalid query option: {text}")


def _collection(books: Books, place: Place, call: Call, *, counted: bool) -> Answer:
    entity, options = place.entity, call.options
    where, values = _conditions(entity, place.known, options.get("$filter", ""))
    total = books.one(f"SELECT COUNT(*) AS total FROM {entity.table} WHERE {where}", *values)
    count = int(total["total"]) if total else 0
    if counted:
        return Answer(200, str(count), VERSION | {"content-type": "text/plain; charset=utf-8"})
    skip = _number(options, "$skip", 0) + _number(options, "$skiptoken", 0)
    top, page = _number(options, "$top", -1), int(books.setting("page_size"))
    limit = page if top < 0 else min(top, page)
    order = compile_order(entity, options.get("$orderby", ""))
    sql = f"SELECT * FROM {entity.table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
    rows = books.all(sql, *values, limit, skip)
    body: dict[str, Any] = {"@odata.context": context4(entity)}
    if options.get("$count") == "true":
        body["@odata.count"] = count
    body["value"] = [_render(books, entity, row, options) for row in rows]
    if len(rows) == page and skip + len(rows) < count and (top < 0 or top > page):
        more = dict(options) | {"$skiptoken": str(_number(options, "$skiptoken", 0) + page)}
        more |= {"$top": str(top - page)} if top >= 0 else {}
        body["@odata.nextLink"] = f"{call.path.rsplit('/', 1)[-1]}?{urlencode(more)}"
    return Answer(200, body, dict(VERSION))


def _conditions(entity: EntityType, known: dict[str, Any], text: str) -> tuple[str, list[Any]]:
    where = " AND ".join([entity.only, *(f'"{name}" = ?' for name in known)])
    values = list(known.values())
    if text:
        compiled = compile_filter4(entity, text)
        where, values = f"{where} AND ({compiled.sql})", values + compiled.parameters
    return where, values


def _number(options: dict[str, str], name: str, default: int) -> int:
    text = options.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise _bad(f"{name}={text}")
    return int(text)


def _render(books: Books, entity: EntityType, row: dict[str, Any], options: dict[str, str]) -> dict[str, Any]:
    names = [name.strip() for name in options.get("$select", "").split(",") if name.strip()]
    if wrong := [name for name in names if name not in entity.properties and name != "*"]:
        raise _bad(f"$select names '{wrong[0]}'")
    rendered = render4(entity, row, None if not names or "*" in names else frozenset(names))
    for piece in _outside(options.get("$expand", ""), ","):
        name, inner = _expansion(piece)
        navigation = entity.navigations.get(name)
        if navigation is None:
            raise _bad(f"$expand names '{name}'")
        rendered[name] = _children(books, navigation, row, inner)
    return rendered


def _children(books: Books, navigation: Navigation, row: dict[str, Any], options: dict[str, str]) -> Any:
    target = ENTITIES[navigation.target]
    known = {theirs: row[own] for own, theirs in navigation.join}
    where, values = _conditions(target, known, options.get("$filter", ""))
    order = compile_order(target, options.get("$orderby", ""))
    rows = books.all(f"SELECT * FROM {target.table} WHERE {where} ORDER BY {order}", *values)
    return [_render(books, target, child, options) for child in rows]


def _expansion(piece: str) -> tuple[str, dict[str, str]]:
    """`_Nav($select=A;$expand=_Deeper)` as its name and its options."""
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", piece, re.DOTALL)
    if not match:
        raise _bad(f"$expand '{piece}'")
    inner = (option.partition("=") for option in _outside(match.group(2) or "", ";"))
    return match.group(1), {name.strip(): value for name, _, value in inner}


def _outside(text: str, separator: str) -> list[str]:
    """Splits at separators that are outside parentheses and quotes."""
    pieces, depth, quoted = [""], 0, False
    for character in text:
        quoted = quoted != (character == "'")
        depth += 0 if quoted else (character == "(") - (character == ")")
        if character == separator and depth == 0 and not quoted:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece.strip() for piece in pieces if piece.strip()]
