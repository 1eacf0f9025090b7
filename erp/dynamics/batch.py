"""`$batch`: several requests in one, multipart/mixed; a change set is atomic (OData V4 part 1, 11.7).

Builds the body and reads the answer. Not for HTTP.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import httpx

BOUNDARY = "batch_plantwright"
CHANGES = "changeset_plantwright"
CONTENT_TYPE = f"multipart/mixed; boundary={BOUNDARY}"
_DROPPED = ("content-length", "content-encoding")


@dataclass(frozen=True)
class Call:
    """One request of a batch; `url` absolute and escaped."""

    method: str
    url: str
    body: dict[str, Any]
    etag: str = ""


class UnreadableBatch(Exception):
    """An answer that is no multipart answer to a batch."""


def batch_body(changes: list[Call], after: Call | None = None) -> bytes:
    """One change set, and a call that runs after it in the same request."""
    parts: list[str] = [f"--{BOUNDARY}", f"Content-Type: multipart/mixed; boundary={CHANGES}", ""]
    for number, call in enumerate(changes, 1):
        parts += [f"--{CHANGES}", *_part(call, number)]
    parts += [f"--{CHANGES}--"]
    if after is not None:
        parts += [f"--{BOUNDARY}", *_part(after, len(changes) + 1)]
    parts += [f"--{BOUNDARY}--", ""]
    return "\r\n".join(parts).encode()


def _part(call: Call, number: int) -> list[str]:
    body = json.dumps(call.body, ensure_ascii=False)
    etag = [f"If-Match: {call.etag}"] if call.etag else []
    return [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        f"Content-ID: {number}",
        "",
        f"{call.method} {call.url} HTTP/1.1",
        "Content-Type: application/json",
        "Accept: application/json",
        *etag,
        "",
        body,
    ]


def batch_answers(response: httpx.Response) -> list[httpx.Response]:
    """The answers in order, those inside a change set flattened. A failed change set is one answer. Raises."""
    kind = response.headers.get("content-type", "")
    if "multipart/mixed" not in kind:
        raise UnreadableBatch(f"content type {kind!r} instead of multipart/mixed")
    whole = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + response.content)
    parts = [part for part in whole.walk() if part.get_content_type() == "application/http"]
    answers = [_answer(part.get_payload(decode=True)) for part in parts]
    if not answers:
        raise UnreadableBatch("no answer in the batch's parts")
    return answers


def _answer(payload: object) -> httpx.Response:
    raw = payload if isinstance(payload, bytes) else b""
    head, _, body = raw.lstrip().replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = head.decode("latin-1").split("\n")
    words = lines[0].split(" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise UnreadableBatch(f"{lines[0][:60]!r} is no status line")
    named = [line.partition(":")[::2] for line in lines[1:] if ":" in line]
    headers = [(name.strip(), value.strip()) for name, value in named if name.strip().lower() not in _DROPPED]
    return httpx.Response(int(words[1]), headers=headers, content=body.strip())
