"""POST, PATCH and DELETE on the simulated resources: finds the business call behind an address and what it locks.

The call itself runs later, inside one transaction and under its locks, where system.py decides.
"""

from simulators.oracle import lots, maintenance, records, staged, work_orders
from simulators.oracle.batches import find_batch
from simulators.oracle.call import Call, Job
from simulators.oracle.catalogue import MAINTENANCE_TRANSACTIONS, POST_ONLY, READING_POSTS, RESOURCES, TRANSACTIONS
from simulators.oracle.errors import Refusal, not_found, unsupported
from simulators.oracle.framework import ITEM, JSON, Answer, parse_json, require_media
from simulators.oracle.posting import Posting
from simulators.oracle.reading import Address, top_resource
from simulators.oracle.resources import WORK_ORDER, Resource
from simulators.oracle.rows import existing, existing_row, read_values, shown


def is_reading(method: str, path: str) -> bool:
    """A validation is POSTed but writes nothing."""
    return method in ("GET", "HEAD") or path.rstrip("/").rsplit("/", 1)[-1] in READING_POSTS


def find_event(call: Call) -> Job:
    """The operational-data service lives beside the resources and only takes events."""
    if call.method != "POST":
        raise unsupported(call.method, "events")
    return maintenance.record_event(call)


def find_job(call: Call) -> Job:
    segments = list(call.address.segments)
    if not segments:
        raise Refusal("501", "Batch requests are not available here; send the calls one by one", status=501)
    name = segments[0].name
    if name in POST_ONLY:
        if call.method != "POST" or call.address.action or segments[0].id is not None:
            raise unsupported(call.method, name)
        return _post_only(call, name)
    resource = top_resource(name, call.method)
    if call.address.action:
        return _action(call, resource)
    if len(segments) > 1:
        return _child(call, resource)
    if (call.method == "POST") == (segments[0].id is not None):
        raise unsupported(call.method, name)
    match call.method, name:
        case "PATCH", "workOrders":
            return _patch_order(call)
        case "POST", "inventoryItemLots":
            return lots.create_lot(call)
        case "PATCH", "inventoryItemLots":
            return lots.change_lot(call)
        case "POST", "inventoryStagedTransactions":
            return staged.create(call)
        case "PATCH", "inventoryStagedTransactions":
            return staged.change(call)
        case _:
            return _record(call, resource)


def _post_only(call: Call, name: str) -> Job:
    if name in (*TRANSACTIONS, *MAINTENANCE_TRANSACTIONS):
        return find_batch(call, name)
    return staged.validate(call) if name == "validateInventoryTransactionQuantities" else lots.status_update(call)


def _action(call: Call, resource: Resource) -> Job:
    where = f"{resource.name}/action/{call.address.action}"
    if resource.name != "inventoryStagedTransactions" or call.address.action != "processByHeader":
        raise not_found(where)
    if call.method != "POST" or call.address.segments[0].id is not None:
        raise unsupported(call.method, where)
    return staged.process_by_header(call)


def _record(call: Call, resource: Resource) -> Job:
    if call.method == "POST" and resource.create:
        return records.create(call, resource)
    if call.method == "PATCH" and resource.update:
        return records.update(call, resource)
    if call.method == "DELETE" and resource.deletable:
        return records.delete(call, resource)
    raise unsupported(call.method, resource.name)


def _child(call: Call, resource: Resource) -> Job:
    """A child of a record is created below its parent, changed and removed by its own address."""
    segments = list(call.address.segments)
    child = resource.children.get(segments[1].name)
    target = RESOURCES[child.resource] if child else None
    if target is None or len(segments) > 2 or not target.create:
        raise unsupported(call.method, "/".join(segment.name for segment in segments))
    if call.method == "POST" and segments[1].id is None:
        parent = existing_row(_parent(call), resource)
        return records.create(call, target, parent)
    if call.method == "PATCH" and segments[1].id is not None:
        return records.update(call, target)
    if call.method == "DELETE" and segments[1].id is not None:
        return records.delete(call, target)
    raise unsupported(call.method, target.name)


def _parent(call: Call) -> Call:
    address = Address(call.address.segments[:1])
    return Call(call.books, call.method, address, call.base, call.version, call.headers, call.raw, call.options)


def _patch_order(call: Call) -> Job:
    order = existing(call, WORK_ORDER)
    require_media(call.media, (ITEM, JSON))
    changes = read_values(WORK_ORDER, parse_json(call.raw), WORK_ORDER.update)

    def work(posting: Posting) -> Answer:
        row = existing(call, WORK_ORDER)
        work_orders.patch_order(posting.books, row, changes, posting.user)
        return shown(call, WORK_ORDER, existing_row(call, WORK_ORDER), 200)

    return Job(work, frozenset({(order["WorkOrderId"], None)}))
