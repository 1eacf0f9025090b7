"""The business call behind an address: which orders it locks, and its work, which runs later inside one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulators.sap.books import Books
from simulators.sap.call import Call
from simulators.sap.confirmation_rules import Posting
from simulators.sap.entity_types import EntityType
from simulators.sap.odata import Answer, entity_uri, etag, render
from simulators.sap.orders import find_order


@dataclass(frozen=True)
class Job:
    """`work` runs inside a transaction; `orders` are locked from acceptance to commit."""

    orders: frozenset[str]
    work: Callable[[Posting], Answer]


def locked(books: Books, *numbers: str) -> frozenset[str]:
    return frozenset(find_order(books, number)["ManufacturingOrder"] for number in numbers if number)


def created(
    call: Call, entity: EntityType, row: dict[str, Any], posting: Posting, extra: dict[str, Any] | None = None
) -> Answer:
    headers = {"location": entity_uri(call.base, entity, row)} | tag(entity, row) | posting.warning_header()
    return Answer(201, {"d": render(call.base, entity, row) | (extra or {})}, headers)


def shown(call: Call, entity: EntityType, row: dict[str, Any], posting: Posting) -> Answer:
    """What a function import answers that returns an entity."""
    return Answer(200, {"d": render(call.base, entity, row)}, tag(entity, row) | posting.warning_header())


def changed(entity: EntityType, row: dict[str, Any], posting: Posting) -> Answer:
    """A V2 change is answered without a body, with the new ETag."""
    return Answer(204, None, tag(entity, row) | posting.warning_header())


def tag(entity: EntityType, row: dict[str, Any]) -> dict[str, str]:
    return {"etag": etag(entity, row)} if entity.etag else {}
