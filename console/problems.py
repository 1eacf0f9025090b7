"""What goes wrong, told as problem+json to programs (RFC 9457) and as a page to people."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from signals.errors import BadInput, NoAnswer

PROBLEM = "application/problem+json"
API = "/api/"


class Problem(BaseModel):
    """RFC 9457. `hint` says what to do; `errors` names each field that is wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    hint: str = ""
    errors: list[dict[str, Any]] | None = None


class Refused(Exception):
    """An answer other than success. `headers` go with it."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str = "",
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(detail or status.phrase)
        self.status = status
        self.detail = detail
        self.hint = hint
        self.headers = dict(headers or {})
        self.errors = errors


def not_found() -> Refused:
    """The one answer for what does not exist and for what the visitor may not know of."""
    return Refused(HTTPStatus.NOT_FOUND, "there is no such thing here, or not for you")


def refusal_of(error: Exception) -> Refused:
    """An error of the house as an answer."""
    match error:
        case Refused():
            return error
        case BadInput():
            return Refused(HTTPStatus.CONFLICT, str(error), hint=error.hint)
        case NoAnswer():
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error), hint=error.hint, headers={"retry-after": "5"})
        case _:
            return Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a fault of Plantwright; its log says more")


def as_json(refused: Refused) -> JSONResponse:
    """The answer for programs."""
    problem = Problem(
        title=refused.status.phrase,
        status=refused.status.value,
        detail=refused.detail,
        hint=refused.hint,
        errors=refused.errors,
    )
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=refused.status.value,
        media_type=PROBLEM,
        headers=refused.headers,
    )


def is_for_programs(request: Request) -> bool:
    return request.url.path.startswith(API)
