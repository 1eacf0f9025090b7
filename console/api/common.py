"""What all API calls share: bodies, pages of lists, idempotency keys."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Header, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from console.problems import Refused
from console.who import Visitor
from signals.ids import short_hash

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="items on a page")]
Cursor = Annotated[str, Query(max_length=1000, description="`next` of the page before")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=200,
        description="the same key again is the same action: it is answered again, not done again",
    ),
]  # fmt: skip


class Body(BaseModel):
    """A request's body: unknown fields are refused, and so is NUL, which no database takes."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        if _has_nul(value):
            raise ValueError("a text contains NUL (U+0000)")
        return value


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_nul(part) for part in value)


class Done(BaseModel):
    """The answer to an action."""

    accepted: bool
    action_id: str
    message: str = ""


class Listed(BaseModel, Generic[T]):
    """A page of a list."""

    items: list[T]
    next: str | None = Field(default=None, description="cursor of the next page; null: this is the last")


def page_of(items: Iterable[T], key: Callable[[T], list[str]], cursor: str, limit: int) -> Listed[T]:
    """The items behind the cursor. Items must come in the order of `key`, and no two with the same."""
    after = _read(cursor) if cursor else None
    rest = [item for item in items if after is None or key(item) > after]
    shown = rest[:limit]
    more = _write(key(shown[-1])) if len(rest) > limit else None
    return Listed(items=shown, next=more)


def _write(key: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _read(cursor: str) -> list[str]:
    try:
        found = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        found = None
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise Refused(HTTPStatus.BAD_REQUEST, "the cursor is none of ours", hint="take `next` of a page as it is")
    return found


def action_id(visitor: Visitor, key: str | None) -> str:
    """The id under which the action is known to the process; another user's same key is another action."""
    return f"api-{short_hash(visitor.user, 'idempotency', key, length=40)}" if key else f"api-{uuid.uuid4()}"
