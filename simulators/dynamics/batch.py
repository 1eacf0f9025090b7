"""`$batch`: multipart of single calls and change sets; one change set is one transaction. Reference 3.1."""

import json
import re
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from simulators.dynamics.auth import Answer
from simulators.dynamics.books import Books
from simulators.dynamics.odata import ROOT, Fault, bad_request
from simulators.dynamics.reading import Reader
from simulators.dynamics.writing import Writer

_LINE = re.compile(r"\r?\n")


@dataclass(frozen=True)
class Part:
    """One call of a batch; `content_id` is what later calls of its change set may name with `$`."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    content_id: str


def run(books: Books, writer: Writer, base: str, headers: dict[str, str], raw: bytes, page_size: int) -> Answer:
    """The first part that fails ends the batch, unless `Prefer: odata.continue-on-error` was sent."""
    boundary = _boundary(headers.get("content-type", ""))
    if boundary is None:
        raise bad_request("A batch request must have the content type multipart/mixed with a boundary.")
    goes_on = "continue-on-error" in headers.get("prefer", "")
    own = f"batchresponse_{uuid.uuid4()}"
    parts: list[str] = []
    for head, body in _split(raw.decode("utf-8", "replace"), boundary):
        inner = _boundary(head.get("content-type", ""))
        if inner is not None:
            text, failed = _change_set(books, writer, _split(body, inner))
        else:
            text, failed = _single(books, writer, base, _part(head, body), page_size)
        parts.append(text)
        if failed and not goes_on:
            break
    joined = "".join(f"--{own}\r\n{part}\r\n" for part in parts) + f"--{own}--\r\n"
    return Answer(200, joined, {"content-type": f"multipart/mixed; boundary={own}", "odata-version": "4.0"})


def _single(books: Books, writer: Writer, base: str, part: Part, page_size: int) -> tuple[str, bool]:
    try:
        if part.method == "GET":
            split = urlsplit(part.url)
            answer = Reader(books, base, unquote(split.path), dict(parse_qsl(split.query)), page_size).answer()
        else:
            with books.transaction():
                answer = writer.run(part.method, _path(part.url), part.headers, part.body)
    except Fault as fault:
        return _shown(fault.answer, part.content_id), True
    return _shown(answer, part.content_id), False


def _change_set(books: Books, writer: Writer, rows: list[tuple[dict[str, str], str]]) -> tuple[str, bool]:
    """All or nothing: a failure is answered once, for the whole set."""
    made: list[str] = []
    places: dict[str, str] = {}
    try:
        with books.transaction():
            for head, body in rows:
                part = _part(head, body)
                if part.method == "GET":
                    raise bad_request("A change set must not contain a GET request.")
                url = _resolved(part.url, places)
                answer = writer.run(part.method, _path(url), part.headers, part.body)
                if part.content_id and "location" in answer.headers:
                    places[part.content_id] = urlsplit(answer.headers["location"]).path
                made.append(_shown(answer, part.content_id))
    except Fault as fault:
        return _shown(fault.answer, ""), True
    own = f"changesetresponse_{uuid.uuid4()}"
    inner = "".join(f"--{own}\r\n{one}\r\n" for one in made) + f"--{own}--\r\n"
    return f"Content-Type: multipart/mixed; boundary={own}\r\n\r\n{inner}", False


def _resolved(url: str, places: dict[str, str]) -> str:
    match = re.match(r"/?\$(\w+)(.*)", url)
    return places[match[1]] + match[2] if match and match[1] in places else url


def _path(url: str) -> str:
    return unquote(urlsplit(url).path)


def _boundary(content_type: str) -> str | None:
    match = re.search(r'multipart/mixed\s*;.*?boundary="?([^";\s]+)"?', content_type, re.IGNORECASE)
    return match[1] if match else None


def _split(text: str, boundary: str) -> list[tuple[dict[str, str], str]]:
    """Headers and body of every part."""
    found: list[tuple[dict[str, str], str]] = []
    for piece in text.split(f"--{boundary}")[1:]:
        if piece.startswith("--"):
            break
        head, _, body = _halves(piece.lstrip("\r\n"))
        found.append((_headers(head), body))
    return found


def _halves(text: str) -> tuple[str, str, str]:
    match = re.search(r"\r?\n\r?\n", text)
    if match is None:
        return text, "", ""
    return text[: match.start()], match.group(), text[match.end() :]


def _headers(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in _LINE.split(text) if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _part(head: dict[str, str], body: str) -> Part:
    request, _, payload = _halves(body.lstrip("\r\n"))
    first, *rest = _LINE.split(request)
    match = re.fullmatch(r"(\w+)\s+(\S+)(?:\s+HTTP/1\.1)?", first.strip())
    if match is None:
        raise bad_request(f"'{first}' is not a request line.")
    url = match[2]
    if not url.startswith(("http://", "https://", "/", "$")):
        url = f"{ROOT}/{url}"
    return Part(match[1].upper(), url, _headers("\n".join(rest)), payload.strip().encode(), head.get("content-id", ""))


def _shown(answer: Answer, content_id: str) -> str:
    body: Any = answer.body
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [f"Content-ID: {content_id}"] if content_id else []
    lines += ["", f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name.title()}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join([*lines, "", text])
