"""`$batch`: multipart/mixed in and out (OData V2 section 2.8). What the parts do is decided elsewhere.

A part is a GET of its own or a change set; a change outside a change set and a GET inside one make the batch malformed.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from simulators.sap.call import Call, call_within
from simulators.sap.messages import Refusal
from simulators.sap.odata import Answer

_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)
_REQUEST_LINE = re.compile(r"^(GET|POST|PUT|PATCH|MERGE|DELETE) +(\S.*?)(?: +HTTP/1\.[01])?$")


@dataclass(frozen=True)
class Change:
    call: Call
    content_id: str


@dataclass(frozen=True)
class ChangeSet:
    changes: tuple[Change, ...]


Part = Call | ChangeSet


def parse_batch(call: Call) -> list[Part]:
    """Raises Refusal 400 for a body that is no batch; nothing of it is carried out then."""
    if call.method != "POST":
        raise Refusal("/IWBEP/CM_MGW_RT/021", f"Method '{call.method}' is not supported for '$batch'", status=405)
    parts: list[Part] = []
    for headers, body in _multipart(call.headers.get("content-type", ""), call.raw):
        if headers.get("content-type", "").lower().startswith("multipart/mixed"):
            inner = _multipart(headers["content-type"], body)
            parts.append(ChangeSet(tuple(_change(call, *piece) for piece in inner)))
            continue
        single = _request(call, headers, body)
        if single.method != "GET":
            raise _malformed(f"{single.method} {single.path} must be in a change set")
        parts.append(single)
    return parts


def _malformed(text: str) -> Refusal:
    return Refusal("/IWBEP/CM_MGW_RT/057", f"The batch request is malformed: {text}")


def _multipart(content_type: str, raw: bytes) -> list[tuple[dict[str, str], bytes]]:
    match = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/mixed") or not match:
        raise _malformed("send Content-Type: multipart/mixed; boundary=…")
    normal = b"\n" + raw.replace(b"\r\n", b"\n")
    # A boundary may begin with another one's text, so a delimiter has to fill its line.
    mark = re.compile(rb"\n--" + re.escape(match.group(1).encode()) + rb"(--)?[ \t]*(?=\n|$)")
    pieces = mark.split(normal)
    if len(pieces) < 3 or pieces[-2] != b"--":
        raise _malformed(f"the closing boundary {match.group(1)} is missing")
    return [_headed(piece.removeprefix(b"\n")) for piece in pieces[2:-2:2]]


def _headed(piece: bytes) -> tuple[dict[str, str], bytes]:
    """Header lines, an empty line, the rest."""
    head, _, body = piece.partition(b"\n\n")
    if piece.startswith(b"\n"):
        head, body = b"", piece[1:]
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers, body


def _change(batch: Call, headers: dict[str, str], body: bytes) -> Change:
    call = _request(batch, headers, body)
    if call.method == "GET":
        raise _malformed("a change set contains a GET")
    return Change(call, headers.get("content-id", ""))


def _request(batch: Call, headers: Mapping[str, str], body: bytes) -> Call:
    if not headers.get("content-type", "").lower().startswith("application/http"):
        raise _malformed("a part needs Content-Type: application/http")
    line, _, rest = body.lstrip(b"\n").partition(b"\n")
    match = _REQUEST_LINE.match(line.decode("utf-8", "replace").strip())
    if not match:
        raise _malformed("a part needs a request line such as `GET Set HTTP/1.1`")
    if match.group(2).startswith("$"):
        raise _malformed(f"references to other parts ({match.group(2)}) are not supported here")
    inner, payload = _headed(rest)
    return call_within(batch, match.group(1), match.group(2), inner, payload.rstrip(b"\n"))


@dataclass(frozen=True)
class Reply:
    """Answers of one part: one of a GET or of a refused change set, one per change otherwise."""

    answers: tuple[tuple[str, Answer], ...]
    is_set: bool


def batch_answer(replies: list[Reply], *, v4: bool) -> Answer:
    boundary = uuid.uuid4().hex.upper()
    lines: list[str] = []
    for reply in replies:
        lines.append(f"--{boundary}")
        if reply.is_set:
            inner = uuid.uuid4().hex.upper()
            lines += [f"Content-Type: multipart/mixed; boundary={inner}", ""]
            for content_id, answer in reply.answers:
                lines += [f"--{inner}", *_written(answer, content_id)]
            lines += [f"--{inner}--", ""]
        else:
            lines += _written(reply.answers[0][1], "")
    lines += [f"--{boundary}--", ""]
    headers = {"content-type": f"multipart/mixed; boundary={boundary}"}
    return Answer(200 if v4 else 202, "\r\n".join(lines), headers | ({"odata-version": "4.0"} if v4 else {}))


def _written(answer: Answer, content_id: str) -> list[str]:
    body = "" if answer.body is None else answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
    headers = {"content-type": "application/json"} | answer.headers if body else dict(answer.headers)
    headers["content-length"] = str(len(body.encode()))
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [f"Content-ID: {content_id}"] if content_id else []
    lines += ["", f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return [*lines, "", body, ""]
