"""`$batch` of OData V2 for reads: several GETs of one service in one call (multipart/mixed, OData V2 2.8).

Not for bookings: one request books one intent, and what a change set commits together is not documented well enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.parser import BytesParser
from email.policy import HTTP

import httpx

from erp.sap.odata import UnreadableAnswer

BOUNDARY = "plantwright-reads"
CONTENT_TYPE = f"multipart/mixed; boundary={BOUNDARY}"


def batch_of(addresses: Sequence[str]) -> bytes:
    """The body that asks for these addresses, each relative to the service."""
    parts = [
        f"--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"GET {address} HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n"
        for address in addresses
    ]
    return ("".join(parts) + f"--{BOUNDARY}--\r\n").encode()


def answers_of(response: httpx.Response, expected: int) -> list[httpx.Response]:
    """The answers inside, in the order of the questions. Raises UnreadableAnswer."""
    head = f"Content-Type: {response.headers.get('content-type', '')}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + response.content)
    if not message.is_multipart():
        raise UnreadableAnswer("the answer of $batch is not multipart/mixed")
    answers = [_answer_of(part.get_payload(decode=True)) for part in message.iter_parts()]
    if len(answers) != expected:
        raise UnreadableAnswer(f"$batch answered {len(answers)} of {expected} reads")
    return answers


def _answer_of(raw: object) -> httpx.Response:
    if not isinstance(raw, bytes):
        raise UnreadableAnswer("a part of $batch holds no answer")
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    status, *lines = head.decode("latin-1").strip().split("\n")
    words = status.split()
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise UnreadableAnswer(f"a part of $batch begins with {status[:40]!r} instead of an HTTP status")
    headers = [(name.strip(), value.strip()) for name, colon, value in (line.partition(":") for line in lines) if colon]
    kept = [(name, value) for name, value in headers if name.lower() not in ("content-length", "content-encoding")]
    return httpx.Response(int(words[1]), headers=kept, content=body.strip())
