"""POST, PATCH and DELETE on the OData service: what all entity sets share. The rules of each are in `rules_*.py`.

Runs inside a transaction; a refusal anywhere undoes all of it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from simulators.dynamics import inventory_journals
from simulators.dynamics.auth import Answer
from simulators.dynamics.books import Books
from simulators.dynamics.edm import NAMESPACE, EntityType
from simulators.dynamics.odata import (
    Fault,
    bad_request,
    context,
    entity_url,
    error,
    etag,
    find_row,
    find_set,
    no_resource,
    parse_key,
    parse_path,
    render,
    write_failed,
)
from simulators.dynamics.refusals import Refusal
from simulators.dynamics.values import stored

Row = dict[str, Any]
_POSTED_BY_ACTION = {
    "InventoryTransferJournalHeaders": "transfer",
    "InventoryMovementJournalHeaders": "movement",
}
_HEADERS = {"content-type": "application/json; odata.metadata=minimal", "odata-version": "4.0"}


@dataclass(frozen=True)
class Context:
    """`company` is the record's own; `conflicts` says whether somebody works on an order right now."""

    books: Books
    company: str
    user: str
    conflicts: Callable[[str, str], bool]
    partial: bool = False
    forget_keys: bool = False


@dataclass(frozen=True)
class Rules:
    """`create` completes or refuses a new row, `change` refuses or extends changes, `remove` refuses or cleans up.

    `defaults` is what a new row says where the caller says nothing.
    """

    create: Callable[[Context, Row], Row] | None = None
    change: Callable[[Context, Row, Row], Row] | None = None
    remove: Callable[[Context, Row], None] | None = None
    created: Callable[[Context, Row], None] | None = None
    defaults: Row = field(default_factory=dict[str, Any])


class Writer:
    def __init__(self, rules: dict[str, Rules], base: str, context: Context, *, crosses: bool) -> None:
        self._rules = rules
        self._base = base
        self._context = context
        self._books = context.books
        self._crosses = crosses

    def run(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> Answer:
        """Raises Fault for the protocol; a business refusal raises Refusal with the entity's name put to it."""
        segments = parse_path(path)
        if not segments:
            raise no_resource(path)
        entity = find_set(self._books, segments[0].name, path)
        if len(segments) == 2 and segments[0].predicate is not None and method == "POST":
            return self._action(entity, segments[0].predicate, segments[1].name, path)
        if len(segments) > 1:
            raise no_resource(path)
        if method not in entity.methods or (method == "POST") != (segments[0].predicate is None):
            text = f"The requested resource does not support http method '{method}'."
            raise Fault(Answer(405, {"Message": text}))
        verb = {"POST": "Write", "PATCH": "Write", "DELETE": "Delete"}[method]
        try:
            if segments[0].predicate is None:
                return self._create(entity, self._values(entity, raw))
            row = find_row(
                self._books, entity, parse_key(entity, segments[0].predicate, path), cross_company=self._crosses
            )
            match = headers.get("if-match", "*")
            if match not in ("*", etag(row)):
                text = "The record was changed by somebody else; its etag is another one now."
                raise Fault(error(412, text, "Microsoft.OData.ODataException"))
            if method == "DELETE":
                self._remove(entity, row)
            else:
                self._change(entity, row, self._values(entity, raw))
        except Refusal as refusal:
            raise Fault(write_failed(entity, refusal, str(self._books.setting("language")), verb=verb)) from refusal
        return Answer(204, None, {"odata-version": "4.0"})

    def _values(self, entity: EntityType, raw: bytes) -> Row:
        try:
            body = json.loads(raw, parse_float=Decimal)
        except ValueError:
            raise bad_request("The payload is not valid JSON.") from None
        if not isinstance(body, dict):
            raise bad_request("The payload must be a JSON object.")
        values: Row = {}
        for name, value in body.items():
            if name.startswith("@odata."):
                continue
            prop = entity.properties.get(name)
            if prop is None:
                raise bad_request(
                    f"The property '{name}' does not exist on type '{entity.full_type}'. Make sure to only use"
                    " property names that are defined by the type."
                )
            try:
                values[name] = stored(prop, value)
            except ValueError as problem:
                raise bad_request(f"{name}: {problem}") from None
        if self._context.forget_keys:
            values |= {name: "" for name in entity.references & values.keys()}
        return values

    def _create(self, entity: EntityType, values: Row) -> Answer:
        own = {"dataAreaId": values.get("dataAreaId") or self._context.company}
        if not self._books.knows_company(own["dataAreaId"]):
            raise Refusal("related", value=own["dataAreaId"], field="Company", table="Legal entities")
        rules = self._rules.get(entity.set_name, Rules())
        row: Row = {name: prop.empty for name, prop in entity.properties.items()} | rules.defaults | values | own
        context_ = replace(self._context, company=own["dataAreaId"])
        if rules.create:
            row = rules.create(context_, row)
        where = " AND ".join(f'"{key}" = ?' for key in entity.keys)
        if self._books.one(f"SELECT 1 FROM {entity.table} WHERE {where}", *(row[key] for key in entity.keys)):
            raise Refusal("exists", table=entity.type_name)
        self._books.insert(entity.table, row)
        made = self._books.one(f"SELECT * FROM {entity.table} WHERE _id = last_insert_rowid()")
        assert made is not None
        if rules.created:
            rules.created(context_, made)
            made = self._books.one(f"SELECT * FROM {entity.table} WHERE _id = ?", made["_id"]) or made
        body = {"@odata.context": context(self._base, entity, single=True)} | render(entity, made)
        return Answer(201, body, {"location": entity_url(self._base, entity, made), **_HEADERS})

    def _change(self, entity: EntityType, row: Row, values: Row) -> None:
        for key in entity.keys:
            if key in values and str(values.pop(key)).lower() != str(row[key]).lower():
                raise Refusal("read_only", field=key)
        rules = self._rules.get(entity.set_name, Rules())
        if rules.change:
            values = rules.change(replace(self._context, company=row["dataAreaId"]), row, values)
        if values:
            self._books.change(entity.table, row["_id"], values)

    def _remove(self, entity: EntityType, row: Row) -> None:
        rules = self._rules.get(entity.set_name, Rules())
        if rules.remove:
            rules.remove(replace(self._context, company=row["dataAreaId"]), row)
        self._books.execute(f"DELETE FROM {entity.table} WHERE _id = ?", row["_id"])

    def _action(self, entity: EntityType, predicate: str, name: str, path: str) -> Answer:
        """The one action that clients in the wild try; it exists only where an extension has brought it."""
        kind = _POSTED_BY_ACTION.get(entity.set_name)
        if name != f"{NAMESPACE}.Post" or kind is None or not self._books.setting("journal_post_action"):
            raise no_resource(path)
        row = find_row(self._books, entity, parse_key(entity, predicate, path), cross_company=self._crosses)
        journal = inventory_journals.find(self._books, kind, row["dataAreaId"], row["JournalNumber"])
        try:
            inventory_journals.post(self._books, journal, user=self._context.user)
        except Refusal as refusal:
            raise Fault(write_failed(entity, refusal, str(self._books.setting("language")))) from refusal
        return Answer(204, None, {"odata-version": "4.0"})
