"""What `REST-Framework-Version` and the media types decide: how an answer and an error look.

Version 1 is the server's default. 2 changes `q`, 3 nests children as collections, 4 gives detailed error payloads.
"""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from simulators.oracle.errors import TITLES, Refusal

ROOT = "/fscmRestApi/resources/11.13.18.05"
LATEST = "/fscmRestApi/resources/latest"
EVENTS = "/api/scm-core/operational-data/v1/events"
TOKEN = "/oauth2/v1/token"
ITEM = "application/vnd.oracle.adf.resourceitem+json"
COLLECTION = "application/vnd.oracle.adf.resourcecollection+json"
ACTION = "application/vnd.oracle.adf.action+json"
ACTION_RESULT = "application/vnd.oracle.adf.actionresult+json"
BATCH = "application/vnd.oracle.adf.batch+json"
ERROR = "application/vnd.oracle.adf.error+json"
JSON = "application/json"
NEWEST = 7


@dataclass(frozen=True)
class Answer:
    """`refused`: the call came to nothing although its status may say otherwise, so a fault had nothing to spoil."""

    status: int
    body: dict[str, Any] | str | None = None
    media: str = JSON
    headers: dict[str, str] = field(default_factory=dict[str, str])
    refused: bool = False


def framework_version(header: str | None, default: int) -> int:
    if header is None or not header.strip():
        return default
    if not header.strip().isdigit() or not 1 <= int(header) <= NEWEST:
        raise Refusal("27500", f"REST-Framework-Version {header!r} is not supported; supported are 1 to {NEWEST}")
    return int(header)


def error_answer(refusal: Refusal, version: int) -> Answer:
    """Plain text in version 1, title and detail in 2 and 3, `o:errorDetails` from 4 on."""
    title = TITLES.get(refusal.status, "Error")
    if version == 1:
        return Answer(refusal.status, refusal.message, "text/plain", refusal.headers, refused=True)
    body: dict[str, Any] = {"title": title, "status": str(refusal.status)}
    if version < 4:
        return Answer(refusal.status, body | {"detail": refusal.message}, JSON, refusal.headers, refused=True)
    detail = {"detail": refusal.message, "o:errorCode": refusal.code}
    if refusal.path:
        detail["o:errorPath"] = refusal.path
    return Answer(refusal.status, body | {"o:errorDetails": [detail]}, ERROR, refusal.headers, refused=True)


def require_media(content_type: str, allowed: tuple[str, ...]) -> None:
    media = content_type.partition(";")[0].strip().lower()
    if media not in allowed:
        text = f"Unsupported media type {media or '(none)'}; send {' or '.join(allowed)}"
        raise Refusal("415", text, status=415)


def require_acceptable(accept: str) -> None:
    """Every answer is some JSON: a client that accepts no JSON at all gets 406."""
    if not accept:
        return
    names = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if not any(name in ("*/*", "application/*") or name.endswith("json") for name in names):
        raise Refusal("406", f"Not Acceptable: {accept}", status=406)


def parse_json(raw: bytes) -> dict[str, Any]:
    """One JSON object; numbers with decimals stay exact."""
    try:
        body = json.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Refusal("27512", "The request body is not well-formed JSON") from None
    if not isinstance(body, dict):
        raise Refusal("27512", "The request body must be one JSON object")
    return body
