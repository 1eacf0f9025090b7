"""POST, PATCH and DELETE of plain records: quality, maintenance, capacity, statuses. They move no stock.

What a resource knows beyond its declaration is in `RULES`; a client's own number identifies a record once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulators.oracle import maintenance, quality
from simulators.oracle.books import Books
from simulators.oracle.call import Call, Job
from simulators.oracle.catalogue import RESOURCES
from simulators.oracle.errors import BAD_REQUEST, DUPLICATE, TEXTS, Refusal
from simulators.oracle.framework import ITEM, JSON, Answer, parse_json, require_media
from simulators.oracle.payload import unknown
from simulators.oracle.posting import Posting
from simulators.oracle.resources import Resource
from simulators.oracle.rows import existing, existing_row, read_values, shown
from simulators.oracle.values import now_text

Values = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """`number` is the attribute by which clients know a record; `complete` and `change` fill in and refuse."""

    number: str = ""
    prefix: str = ""
    complete: Callable[[Books, Values], None] | None = None
    change: Callable[[Books, Values, Values], None] | None = None


RULES = {
    "workOrderStatuses": Rule("WoStatusCode", complete=maintenance.complete_status, change=maintenance.keep_seeded),
    "qualityIssues": Rule("IssueNumber", "QI-", complete=quality.complete_issue),
    "qualityActions": Rule("ActionNumber", "QA-", complete=quality.complete_action, change=quality.change_action),
    "inspectionEvents": Rule(
        "InspectionEventNumber", "IE-", complete=quality.complete_inspection, change=quality.change_inspection
    ),
    "maintenanceWorkOrders": Rule(
        "WorkOrderNumber", "MWO-", complete=maintenance.complete_order, change=maintenance.change_order
    ),
    "assetFailureEvents": Rule("FailureEventNumber", "AF-", complete=maintenance.complete_failure),
    "workCenterResourceExceptions": Rule(complete=maintenance.complete_capacity, change=maintenance.change_capacity),
    "resourceAvailabilityOverrides": Rule(complete=maintenance.complete_override),
}


def create(call: Call, resource: Resource, parent: Values | None = None) -> Job:
    """POST on a collection; with `Upsert-Mode: true`, where the resource lists it, a match is updated instead."""
    require_media(call.media, (ITEM, JSON))
    body, key = parse_json(call.raw), resource.keys[0]
    found = {key: body.pop(key)} if call.upsert and resource.upsert == (key,) and key in body else {}
    values, children = _read(resource, body, resource.create, "")
    values |= read_values(resource, found, frozenset({key}))

    def work(posting: Posting) -> Answer:
        books = posting.books
        if parent is not None:
            values.update({theirs: parent[ours] for ours, theirs in _join(call, resource)})
        known = _match(books, resource, values) if call.upsert and not posting.forget_keys else None
        if known is not None:
            changes = {name: value for name, value in values.items() if name in resource.update}
            _update(posting, resource, known, changes)
            _insert_children(posting, resource, children, known)
            return _answer(call, resource, known[resource.keys[0]], 200)
        number = _insert(posting, resource, dict(values), children)
        return _answer(call, resource, number, 201)

    return Job(work)


def update(call: Call, resource: Resource) -> Job:
    existing(call, resource)
    require_media(call.media, (ITEM, JSON))
    changes, children = _read(resource, parse_json(call.raw), resource.update, "")

    def work(posting: Posting) -> Answer:
        row = existing(call, resource)
        _update(posting, resource, row, changes)
        _insert_children(posting, resource, children, row)
        return shown(call, resource, existing_row(call, resource), 200)

    return Job(work)


def delete(call: Call, resource: Resource) -> Job:
    existing(call, resource)

    def work(posting: Posting) -> Answer:
        row = existing(call, resource)
        for child in resource.children.values():
            ours, theirs = child.join[0]
            table = RESOURCES[child.resource].table
            posting.books.execute(f'DELETE FROM {table} WHERE "{theirs}" = ?', row[ours])
        key = resource.keys[0]
        posting.books.execute(f'DELETE FROM {resource.table} WHERE "{key}" = ?', row[key])
        return Answer(204)

    return Job(work)


def _read(
    resource: Resource, body: Values, allowed: frozenset[str], path: str
) -> tuple[Values, list[tuple[Resource, Values]]]:
    """The record's own values, and those of the children that are sent along."""
    own = {name: value for name, value in body.items() if name not in resource.children}
    children: list[tuple[Resource, Values]] = []
    for name, child in resource.children.items():
        rows = body.get(name) or []
        if isinstance(rows, dict):
            rows = rows.get("items") or []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Refusal(BAD_REQUEST, f"{name} must be an array", path=f"{path}/{name}")
        target = RESOURCES[child.resource]
        children += [(target, read_values(target, row, target.create, f"{path}/{name}")) for row in rows]
    return read_values(resource, own, allowed, path), children


def _match(books: Books, resource: Resource, values: Values) -> Values | None:
    if not resource.upsert or any(values.get(name) is None for name in resource.upsert):
        return None
    condition = " AND ".join(f'"{name}" = ?' for name in resource.upsert)
    return books.one(f"SELECT * FROM {resource.table} WHERE {condition}", *(values[name] for name in resource.upsert))


def _insert(posting: Posting, resource: Resource, values: Values, children: list[tuple[Resource, Values]]) -> int:
    books, rule = posting.books, RULES.get(resource.name, Rule())
    missing = sorted(name for name in resource.required if values.get(name) is None)
    if missing:
        raise Refusal("27530", f"Attribute {missing[0]} is required", path=f"/{missing[0]}")
    number = books.new_id()
    values[resource.keys[0]] = number
    if rule.number:
        if posting.forget_keys and rule.prefix:
            values[rule.number] = None
        values[rule.number] = values.get(rule.number) or f"{rule.prefix}{books.next_number(resource.name, 100001)}"
        _refuse_known(books, resource, rule.number, values)
    if rule.complete is not None:
        rule.complete(books, values)
    books.insert(resource.table, values | books.created_by(posting.user))
    _insert_children(posting, resource, children, values)
    return number


def _refuse_known(books: Books, resource: Resource, name: str, values: Values) -> None:
    known = books.one(f'SELECT 1 FROM {resource.table} WHERE "{name}" = ?', values[name])
    if known is not None:
        text = f"{DUPLICATE}: {TEXTS[DUPLICATE]} {name} {values[name]} exists already in {resource.name}."
        raise Refusal(DUPLICATE, text, path=f"/{name}")


def _insert_children(
    posting: Posting, resource: Resource, children: list[tuple[Resource, Values]], row: Values
) -> None:
    for target, values in children:
        join = next(child.join for child in resource.children.values() if child.resource == target.name)
        _insert(posting, target, values | {theirs: row[ours] for ours, theirs in join}, [])


def _update(posting: Posting, resource: Resource, row: Values, changes: Values) -> None:
    rule = RULES.get(resource.name, Rule())
    if rule.change is not None:
        rule.change(posting.books, row, changes)
    stamp = {"LastUpdateDate": now_text(), "LastUpdatedBy": posting.user}
    posting.books.update(resource.table, changes | stamp, **{resource.keys[0]: row[resource.keys[0]]})


def _join(call: Call, resource: Resource) -> tuple[tuple[str, str], ...]:
    parent = RESOURCES[call.address.segments[0].name]
    return next(child.join for child in parent.children.values() if child.resource == resource.name)


def _answer(call: Call, resource: Resource, number: int, status: int) -> Answer:
    row = call.books.one(f'SELECT * FROM {resource.table} WHERE "{resource.keys[0]}" = ?', number)
    if row is None:
        raise unknown(resource.name, "")
    return shown(call, resource, row, status)
