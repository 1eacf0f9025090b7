"""Rows that a writing call names: found, matched against If-Match, read from a body, shown in an answer."""

from typing import Any

from simulators.oracle.call import Call
from simulators.oracle.errors import BAD_REQUEST, Refusal, not_found
from simulators.oracle.framework import Answer
from simulators.oracle.payload import unknown
from simulators.oracle.reading import Reader, change_indicator, identifier, item_answer
from simulators.oracle.resources import Resource
from simulators.oracle.values import stored


def existing_row(call: Call, resource: Resource) -> dict[str, Any]:
    """The row that is named, as it is now."""
    _, where, parameters, url = Reader(call.books, call.base, call.version, {}).locate(call.address)
    row = call.books.one(f"SELECT t.* FROM {resource.table} t WHERE {where}", *parameters)
    if row is None or call.address.segments[-1].id is None:
        raise not_found(url)
    return row


def existing(call: Call, resource: Resource) -> dict[str, Any]:
    """The same after the If-Match check: a stale ETag is 412 and tells the current one."""
    row = existing_row(call, resource)
    wanted = call.headers.get("if-match", "*").strip()
    current = change_indicator(resource, row)
    if wanted != "*" and current not in [tag.strip().removeprefix("W/").strip('"') for tag in wanted.split(",")]:
        text = "The resource has been changed by another user; read it again"
        raise Refusal("412", text, status=412, headers={"etag": f'"{current}"'})
    return row


def read_values(resource: Resource, body: dict[str, Any], allowed: frozenset[str], path: str = "") -> dict[str, Any]:
    """Stored values; a name the resource does not have, or that the server writes itself, is refused."""
    values: dict[str, Any] = {}
    for name, value in body.items():
        if name not in resource.attributes:
            raise unknown(name, path)
        if name not in allowed:
            raise Refusal(BAD_REQUEST, f"Attribute {name} is read-only", path=f"{path}/{name}")
        values[name] = stored(resource.attributes[name], value)
    return values


def shown(call: Call, resource: Resource, row: dict[str, Any], status: int) -> Answer:
    """The row as a GET of it would show it, all children that came along left as links."""
    url = call.base
    for index, segment in enumerate(call.address.segments):
        url += f"/child/{segment.name}" if index else f"/{segment.name}"
        if index + 1 < len(call.address.segments):
            url += f"/{segment.id}"
    url += f"/{identifier(call.books, resource, row)}"
    reader = Reader(call.books, call.base, call.version, {})
    return item_answer(status, reader.render(resource, row, url), resource, row)
