"""POST, PATCH and DELETE on the simulated resources: finds the business call behind an address and what it locks.

The call itself runs later, inside one transaction and under its locks, where system.py decides.
"""

from typing import Any

from simulators.oracle import work_orders
from simulators.oracle.batches import find_batch
from simulators.oracle.call import Call, Job
from simulators.oracle.catalogue import POST_ONLY, READING_POSTS, TRANSACTIONS
from simulators.oracle.errors import BAD_REQUEST, Refusal, not_found, unsupported
from simulators.oracle.framework import ITEM, JSON, Answer, parse_json, require_media
from simulators.oracle.payload import unknown
from simulators.oracle.posting import Posting
from simulators.oracle.reading import Reader, change_indicator, item_answer, top_resource
from simulators.oracle.resources import WORK_ORDER, Resource
from simulators.oracle.values import stored


def is_reading(method: str, path: str) -> bool:
    """A validation is POSTed but writes nothing."""
    return method in ("GET", "HEAD") or path.rstrip("/").rsplit("/", 1)[-1] in READING_POSTS


def find_job(call: Call) -> Job:
    segments = call.address.segments
    if len(segments) == 0:
        raise Refusal("501", "Batch requests are not available here; send the calls one by one", status=501)
    name = segments[0].name
    if len(segments) > 1 or (call.method == "POST" and segments[0].id is not None and not call.address.action):
        raise unsupported(call.method, "/".join(segment.name for segment in segments))
    if name in POST_ONLY:
        if call.method != "POST" or call.address.action:
            raise unsupported(call.method, name)
        return _post_only(call, name)
    resource = top_resource(name, call.method)
    if call.address.action:
        raise not_found(f"{name}/action/{call.address.action}")
    match call.method, resource.name:
        case "PATCH", "workOrders":
            return _patch_order(call)
        case _:
            raise unsupported(call.method, name)


def _post_only(call: Call, name: str) -> Job:
    if name in TRANSACTIONS:
        return find_batch(call, name)
    raise unsupported(call.method, name)


def existing(call: Call, resource: Resource) -> dict[str, Any]:
    """The row that is named, after the If-Match check: a stale ETag is 412 and tells the current one."""
    reader = Reader(call.books, call.base, call.version, {})
    _, where, parameters, url = reader.locate(call.address)
    row = call.books.one(f"SELECT t.* FROM {resource.table} t WHERE {where}", *parameters)
    if row is None or call.address.segments[-1].id is None:
        raise not_found(url)
    require_match(call, resource, row)
    return row


def require_match(call: Call, resource: Resource, row: dict[str, Any]) -> None:
    wanted = call.headers.get("if-match")
    current = f'"{change_indicator(resource, row)}"'
    if wanted is None or wanted.strip() == "*":
        return
    if current.strip('"') not in [tag.strip().removeprefix("W/").strip('"') for tag in wanted.split(",")]:
        text = "The resource has been changed by another user; read it again"
        raise Refusal("412", text, status=412, headers={"etag": current})


def changes_of(call: Call, resource: Resource, allowed: frozenset[str], children: frozenset[str] = frozenset()) -> Any:
    """Stored values of the body; names outside `allowed` are refused, `children` are left to the caller."""
    require_media(call.media, (ITEM, JSON))
    values: dict[str, Any] = {}
    for name, value in parse_json(call.raw).items():
        if name in children:
            continue
        if name not in resource.attributes:
            raise unknown(name, "")
        if name not in allowed:
            raise Refusal(BAD_REQUEST, f"Attribute {name} is read-only", path=f"/{name}")
        values[name] = stored(resource.attributes[name], value)
    return values


def shown(call: Call, resource: Resource, row: dict[str, Any], status: int, url: str) -> Answer:
    reader = Reader(call.books, call.base, call.version, {})
    return item_answer(status, reader.render(resource, row, url), resource, row)


def _patch_order(call: Call) -> Job:
    order = existing(call, WORK_ORDER)
    changes = changes_of(call, WORK_ORDER, WORK_ORDER.update)

    def work(posting: Posting) -> Answer:
        row = existing(call, WORK_ORDER)
        work_orders.patch_order(posting.books, row, changes, posting.user)
        after = existing_row(call, WORK_ORDER)
        return shown(call, WORK_ORDER, after, 200, f"{call.base}/workOrders/{after['WorkOrderId']}")

    return Job(work, frozenset({(order["WorkOrderId"], None)}))


def existing_row(call: Call, resource: Resource) -> dict[str, Any]:
    """The named row as it is now, whatever If-Match said before the change."""
    _, where, parameters, url = Reader(call.books, call.base, call.version, {}).locate(call.address)
    row = call.books.one(f"SELECT t.* FROM {resource.table} t WHERE {where}", *parameters)
    if row is None:
        raise not_found(url)
    return row
