"""Shapes of the OData service: addresses, entities with their etags, error bodies. Reference 3.1 and 3.8.

Error bodies carry an empty code; what happened is only in the infolog text.
"""

import base64
import re
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from simulators.dynamics.auth import Answer
from simulators.dynamics.books import Books
from simulators.dynamics.catalogue import ENTITIES
from simulators.dynamics.edm import NAMESPACE, Edm, EntityType
from simulators.dynamics.refusals import Refusal
from simulators.dynamics.values import shown, stored, text_of

ROOT = "/data"
_ASSEMBLY = "Microsoft.Dynamics.Platform.Integration.Services.OData"
_SEGMENT = re.compile(r"(?P<name>[$A-Za-z_][\w.$]*)(?:\((?P<predicate>.*)\))?")
_KEY = re.compile(r"\s*(?P<name>\w+)\s*=\s*(?P<value>'(?:[^']|'')*'|[\w.]+'[^']*'|[^,']+)\s*(?:,|$)")


class Fault(Exception):
    """A refusal of the protocol itself, with its answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True)
class Segment:
    name: str
    predicate: str | None


def parse_path(path: str) -> list[Segment]:
    """The segments after the service root; parentheses belong to the segment before them."""
    segments: list[Segment] = []
    for part in filter(None, _split(path.removeprefix(ROOT))):
        match = _SEGMENT.fullmatch(part)
        if match is None:
            raise no_resource(path)
        segments.append(Segment(match["name"], match["predicate"]))
    return segments


def _split(path: str) -> list[str]:
    """At slashes outside quotes."""
    parts, current, quoted = [], "", False
    for sign in path:
        quoted ^= sign == "'"
        if sign == "/" and not quoted:
            parts.append(current)
            current = ""
        else:
            current += sign
    return [*parts, current]


def find_set(books: Books, name: str, path: str) -> EntityType:
    entity = ENTITIES.get(name)
    if entity is None or not (entity.public or name in books.setting("public_entities")):
        raise no_resource(path)
    return entity


def parse_key(entity: EntityType, predicate: str, path: str) -> dict[str, Any]:
    """Every key field by name; fewer, or one without its name, is no address the service knows."""
    given: dict[str, str] = {}
    position = 0
    while position < len(predicate):
        match = _KEY.match(predicate, position)
        if match is None:
            raise no_resource(path)
        given[match["name"]] = match["value"].strip()
        position = match.end()
    if set(given) != set(entity.keys):
        raise no_resource(path)
    return {name: _key_value(entity, name, given[name], path) for name in entity.keys}


def _key_value(entity: EntityType, name: str, text: str, path: str) -> Any:
    prop = entity.properties[name]
    try:
        match prop.kind:
            case Edm.STRING if text.startswith("'"):
                return text[1:-1].replace("''", "'")
            case Edm.ENUM:
                prefix, _, member = text.partition("'")
                if prefix in ("", prop.edm_type):
                    return stored(prop, member.rstrip("'"))
            case Edm.DECIMAL:
                return stored(prop, float(text))
            case Edm.INT32:
                return stored(prop, int(text))
            case Edm.DATE | Edm.INSTANT:
                return stored(prop, text)
            case _:
                pass
    except ValueError:
        pass
    raise no_resource(path)


def find_row(books: Books, entity: EntityType, key: dict[str, Any], *, cross_company: bool) -> dict[str, Any]:
    """Raises Fault with 404 when there is none, or it belongs to another company and the call does not cross."""
    where = " AND ".join(f'"{name}" = ?' for name in key)
    row = books.one(f"SELECT * FROM {entity.table} WHERE {where}", *key.values())
    own = str(books.setting("default_company")).lower()
    if row is None or (not cross_company and row["dataAreaId"].lower() != own):
        text = f"No record of type '{entity.full_type}' matches the given key."
        raise Fault(error(404, text, "Microsoft.OData.ODataException"))
    return row


def etag(row: dict[str, Any]) -> str:
    text = base64.b64encode(f"'{row['_version']},{row['_id']}'".encode()).decode()
    return f'W/"{text}"'


def render(entity: EntityType, row: dict[str, Any], select: list[str] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"@odata.etag": etag(row)}
    for prop in entity.properties.values():
        if select is None or prop.name in select:
            body[prop.name] = shown(prop, row[prop.name])
    return body


def context(base: str, entity: EntityType, *, single: bool) -> str:
    return f"{base}{ROOT}/$metadata#{entity.set_name}{'/$entity' if single else ''}"


def entity_url(base: str, entity: EntityType, row: dict[str, Any]) -> str:
    parts: list[str] = []
    for name in entity.keys:
        prop, value = entity.properties[name], row[name]
        match prop.kind:
            case Edm.STRING:
                parts.append(f"{name}='{quote(str(value).replace(chr(39), chr(39) * 2), safe='')}'")
            case Edm.ENUM:
                parts.append(f"{name}={NAMESPACE}.{prop.enum}'{value}'")
            case Edm.DECIMAL:
                parts.append(f"{name}={text_of(value)}")
            case _:
                parts.append(f"{name}={value}")
    return f"{base}{ROOT}/{entity.set_name}({','.join(parts)})"


def error(status: int, text: str, kind: str, message: str = "An error has occurred.") -> Answer:
    inner = {"message": text, "type": kind, "stacktrace": f"   at {_ASSEMBLY}.AxODataController.Execute()"}
    return Answer(status, {"error": {"code": "", "message": message, "innererror": inner}})


def no_resource(path: str) -> Fault:
    """What an unknown or not public entity set, an incomplete key and an unknown action have in common."""
    text = f"No HTTP resource was found that matches the request URI '{path}'."
    return Fault(Answer(404, {"Message": f"{text} No route data was found for this request."}))


def bad_query(text: str) -> Fault:
    message = f"The query specified in the URI is not valid. {text}"
    return Fault(error(400, text, "Microsoft.OData.ODataException", message))


def bad_request(text: str) -> Fault:
    return Fault(error(400, text, "Microsoft.OData.ODataException"))


def write_failed(entity: EntityType | None, refusal: Refusal, language: str, *, verb: str = "Write") -> Answer:
    """The infolog in the only place it has; an update conflict is a 500, as anything that may pass by itself."""
    name = entity.type_name if entity else "Batch"
    lines = "; ".join(refusal.lines(language))
    text = f"{verb} failed for table row of type '{name}Entity'. Infolog: {lines}."
    kind = f"{_ASSEMBLY}.AxOData{verb}Exception"
    return error(500 if refusal.name == "conflict" else 400, text, kind)


def service_error(message: str, kind: str) -> Answer:
    """A custom service always fails with 500."""
    text = f"An exception occured when invoking the operation - {message}"
    return Answer(500, {"Message": text, "ExceptionType": kind, "ActivityId": str(uuid.uuid4())})
