"""GET on the simulated resources: collections, single rows, children, finders, paging, links and ETags."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from simulators.oracle.books import Books
from simulators.oracle.catalogue import MAINTENANCE_TRANSACTIONS, POST_ONLY, RESOURCES, TRANSACTIONS
from simulators.oracle.errors import Refusal, not_found, unsupported
from simulators.oracle.framework import COLLECTION, ITEM, Answer
from simulators.oracle.query import Compiled, compile_order, compile_query
from simulators.oracle.resources import Child, Resource
from simulators.oracle.values import shown, stored

LARGEST_PAGE = 500
_PARAMETERS = frozenset(
    {"q", "finder", "fields", "expand", "limit", "offset", "onlyData", "totalResults", "links", "orderBy"}
)


@dataclass(frozen=True)
class Segment:
    """One step of an address: a collection, and one of its rows when `id` is given."""

    name: str
    id: str | None = None


@dataclass(frozen=True)
class Address:
    segments: tuple[Segment, ...]
    action: str = ""


def parse_address(path: str) -> Address:
    """What follows the version: `workOrders/1/child/WorkOrderOperation/2`, or `collection[/id]/action/name`."""
    words = [word for word in path.split("/") if word]
    segments: list[Segment] = []
    position = 0
    while position < len(words):
        if words[position] == "action" and segments:
            if len(words) != position + 2:
                raise not_found(path)
            return Address(tuple(segments), words[position + 1])
        if segments and words[position] != "child":
            raise not_found(path)
        position += bool(segments)
        name = words[position] if position < len(words) else ""
        following = words[position + 1] if position + 1 < len(words) else None
        identifier = None if following in (None, "action") else following
        segments.append(Segment(name, identifier))
        position += 1 if identifier is None else 2
    return Address(tuple(segments))


class Reader:
    """Answers one GET. `base` is the address of the version root as the client wrote it."""

    def __init__(self, books: Books, base: str, version: int, options: dict[str, str]) -> None:
        self._books = books
        self._base = base
        self._version = version
        self._options = options
        self.reference_names: frozenset[str] = frozenset()
        self._only_data = options.get("onlyData", "").lower() == "true"
        self._fields = _fields(options["fields"]) if "fields" in options else None
        self._expand = set() if self._fields is not None else _expanded(options.get("expand", ""))

    def answer(self, address: Address) -> Answer:
        for name in self._options:
            if name not in _PARAMETERS:
                raise Refusal("27520", f"URL request parameter {name} is not supported", path=f"/{name}")
        resource, where, parameters, url = self.locate(address)
        _check_names(resource, self._fields, self._expand)
        if address.segments[-1].id is not None:
            row = self._books.one(f"SELECT t.* FROM {resource.table} t WHERE {where}", *parameters)
            if row is None:
                raise not_found(url)
            return item_answer(200, self.render(resource, row, url), resource, row)
        return self._collection(resource, where, parameters, url)

    def locate(self, address: Address) -> tuple[Resource, str, list[Any], str]:
        """Resource, condition and address of what is named; every parent on the way must exist."""
        resource = top_resource(address.segments[0].name, "GET")
        url = f"{self._base}/{resource.name}"
        conditions: list[str] = [resource.condition] if resource.condition else []
        parameters: list[Any] = []
        for index, segment in enumerate(address.segments):
            if segment.id is None:
                break
            condition, value = key_condition(resource, segment.id)
            conditions.append(condition)
            parameters.append(value)
            url = f"{url}/{segment.id}"
            if index + 1 == len(address.segments):
                break
            parent = self._books.one(
                f"SELECT t.* FROM {resource.table} t WHERE {' AND '.join(conditions)}", *parameters
            )
            name = address.segments[index + 1].name
            child = resource.children.get(name)
            if parent is None or child is None:
                raise not_found(f"{url}/child/{name}")
            resource, url = RESOURCES[child.resource], f"{url}/child/{name}"
            conditions, parameters = _joined(resource, child, parent)
        return resource, " AND ".join(conditions) or "1", parameters, url

    def _collection(self, resource: Resource, where: str, parameters: list[Any], url: str) -> Answer:
        conditions, values = [where], list(parameters)
        for compiled in self._conditions(resource):
            conditions.append(f"({compiled.sql})")
            values += compiled.parameters
            self.reference_names |= compiled.names & resource.references
        order = compile_order(resource, self._options.get("orderBy", ""))
        limit, offset = self._paging()
        sql = f"FROM {resource.table} t WHERE {' AND '.join(conditions)}"
        rows = self._books.all(f"SELECT t.* {sql} ORDER BY {order} LIMIT ? OFFSET ?", *values, limit + 1, offset)
        more, rows = len(rows) > limit, rows[:limit]
        body: dict[str, Any] = {
            "items": [self.render(resource, row, self._row_url(url, resource, row)) for row in rows],
            "count": len(rows),
            "hasMore": more,
            "limit": limit,
            "offset": offset,
        }
        if self._options.get("totalResults", "").lower() == "true":
            total = self._books.one(f"SELECT COUNT(*) AS n {sql}", *values)
            body["totalResults"] = int(total["n"]) if total else 0
        body["links"] = [_link("self", url, resource.name, "collection")]
        return Answer(200, body, COLLECTION)

    def _conditions(self, resource: Resource) -> list[Compiled]:
        compiled = [compile_query(resource, self._options["q"], self._version)] if "q" in self._options else []
        if "finder" in self._options:
            compiled.append(_finder(resource, self._options["finder"]))
        return compiled

    def _paging(self) -> tuple[int, int]:
        values: list[int] = []
        for name, default in (("limit", int(self._books.setting("page_size"))), ("offset", 0)):
            text = self._options.get(name, str(default))
            if not text.isdecimal() or len(text) > 9:
                raise Refusal("27520", f"URL request parameter {name} cannot take the value {text!r}", path=f"/{name}")
            values.append(int(text))
        return min(values[0], LARGEST_PAGE), values[1]

    def render(
        self, resource: Resource, row: dict[str, Any], url: str, path: str = "", *, fields: bool = True
    ) -> dict[str, Any]:
        chosen = self._fields.get(path, frozenset()) if self._fields is not None and fields else None
        body = {
            name: shown(attribute, row[name])
            for name, attribute in resource.attributes.items()
            if chosen is None or name in chosen
        }
        for name, child in resource.children.items():
            inner = f"{path}.{name}" if path else name
            if self._wanted(inner):
                body[name] = self._nested(child, row, f"{url}/child/{name}", inner)
        if not self._only_data:
            body["links"] = self._links(resource, row, url)
        return body

    def _wanted(self, path: str) -> bool:
        if self._fields is not None:
            return any(name == path or name.startswith(f"{path}.") for name in self._fields)
        return ("all" in self._expand and "." not in path) or path in self._expand

    def _nested(self, child: Child, parent: dict[str, Any], url: str, path: str) -> Any:
        """Versions 1 and 2 give a plain array; from 3 on a collection of its own, with its own page."""
        resource = RESOURCES[child.resource]
        conditions, parameters = _joined(resource, child, parent)
        order = compile_order(resource, "")
        limit = int(self._books.setting("page_size")) if self._version >= 3 else 10**6
        sql = f"SELECT t.* FROM {resource.table} t WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT ?"
        rows = self._books.all(sql, *parameters, limit + 1)
        items = [self.render(resource, row, self._row_url(url, resource, row), path) for row in rows[:limit]]
        if self._version < 3:
            return items
        nested: dict[str, Any] = {
            "items": items,
            "count": len(items),
            "hasMore": len(rows) > limit,
            "limit": limit,
            "offset": 0,
        }
        return nested if self._only_data else nested | {"links": [_link("self", url, resource.name, "collection")]}

    def _row_url(self, url: str, resource: Resource, row: dict[str, Any]) -> str:
        return f"{url}/{identifier(self._books, resource, row)}"

    def _links(self, resource: Resource, row: dict[str, Any], url: str) -> list[dict[str, Any]]:
        own = _link("self", url, resource.name, "item")
        own["properties"] = {"changeIndicator": change_indicator(resource, row)}
        links = [own, _link("canonical", url, resource.name, "item")]
        links += [_link("child", f"{url}/child/{name}", name, "collection") for name in resource.children]
        wanted = self._options.get("links")
        return [link for link in links if link["rel"] in wanted.split(",")] if wanted else links


def top_resource(name: str, method: str) -> Resource:
    if name in POST_ONLY:
        raise unsupported(method, name)
    resource = RESOURCES.get(name)
    if resource is None or not resource.top:
        raise not_found(name)
    return resource


def refuse_reading_transactions(address: Address) -> None:
    """GET is explicitly unsupported on the transaction resources, their rows and their children."""
    name = address.segments[0].name
    if name in (*TRANSACTIONS, *MAINTENANCE_TRANSACTIONS) or name in POST_ONLY:
        raise unsupported("GET", name)


def key_condition(resource: Resource, given: str) -> tuple[str, Any]:
    if resource.hashed:
        parts = ", ".join(f't."{key}"' for key in resource.keys)
        return f"link_hash({parts}) = ?", given
    if not given.isdecimal() or len(given) > 18:
        raise not_found(f"{resource.name}/{given}")
    return f't."{resource.keys[0]}" = ?', int(given)


def identifier(books: Books, resource: Resource, row: dict[str, Any]) -> str:
    if resource.hashed:
        return books.link_hash(*(row[key] for key in resource.keys))
    return str(row[resource.keys[0]])


def change_indicator(resource: Resource, row: dict[str, Any]) -> str:
    text = json.dumps([row[name] for name in resource.attributes], default=str)
    return "ACED0005" + hashlib.sha256(text.encode()).hexdigest().upper()


def item_answer(status: int, body: dict[str, Any], resource: Resource, row: dict[str, Any]) -> Answer:
    headers = {"etag": f'"{change_indicator(resource, row)}"'}
    if status == 201:
        headers["location"] = next((link["href"] for link in body.get("links", ()) if link["rel"] == "self"), "")
    return Answer(status, body, ITEM, headers)


def _joined(resource: Resource, child: Child, parent: dict[str, Any]) -> tuple[list[str], list[Any]]:
    conditions = [f't."{theirs}" = ?' for _, theirs in child.join]
    if resource.condition:
        conditions.append(resource.condition)
    return conditions, [parent[ours] for ours, _ in child.join]


def _finder(resource: Resource, text: str) -> Compiled:
    name, _, rest = text.partition(";")
    variables = dict(part.split("=", 1) for part in rest.split(",") if "=" in part)
    if name == "PrimaryKey" and not resource.hashed:
        allowed: tuple[str, ...] = resource.keys
    elif name in resource.finders:
        allowed = resource.finders[name]
    else:
        raise Refusal("27521", f"The finder {name!r} does not exist on {resource.name}", path="/finder")
    if set(variables) != set(allowed):
        raise Refusal("27521", f"Finder {name} takes the variables {', '.join(allowed)}", path="/finder")
    if name == "findByWorkCenterId":
        sql = 't."ResourceId" IN (SELECT ResourceId FROM work_center_resource WHERE WorkCenterId = ?)'
        return Compiled(sql, [variables["WorkCenterId"]])
    values = [stored(resource.attributes[key], variables[key]) for key in allowed]
    return Compiled(" AND ".join(f't."{key}" = ?' for key in allowed), values)


def _fields(text: str) -> dict[str, frozenset[str]]:
    """`A,B;Child:C,D;Child.Inner:E`: attributes by path, the path of the resource itself is ``""``."""
    chosen: dict[str, frozenset[str]] = {"": frozenset()}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        path, colon, names = part.rpartition(":")
        key = path if colon else ""
        chosen[key] = chosen.get(key, frozenset()) | frozenset(name.strip() for name in names.split(",") if name)
    return chosen


def _check_names(resource: Resource, fields: dict[str, frozenset[str]] | None, expand: set[str]) -> None:
    """An attribute or child that does not exist is refused, not left out."""
    for path, names in (fields or {}).items():
        target = _descend(resource, path, "fields")
        for name in names - set(target.attributes):
            raise Refusal("27520", f"Attribute {name} does not exist on {target.name}", path="/fields")
    for path in expand - {"all"}:
        _descend(resource, path, "expand")


def _descend(resource: Resource, path: str, parameter: str) -> Resource:
    for step in filter(None, path.split(".")):
        child = resource.children.get(step)
        if child is None:
            raise Refusal("27520", f"{resource.name} has no child {step}", path=f"/{parameter}")
        resource = RESOURCES[child.resource]
    return resource


def _expanded(text: str) -> set[str]:
    """Nested names imply their parents."""
    wanted: set[str] = set()
    for path in filter(None, (piece.strip() for piece in text.split(","))):
        steps = path.split(".")
        wanted |= {".".join(steps[: index + 1]) for index in range(len(steps))}
    return wanted


def _link(rel: str, href: str, name: str, kind: str) -> dict[str, Any]:
    return {"rel": rel, "href": href, "name": name, "kind": kind}
