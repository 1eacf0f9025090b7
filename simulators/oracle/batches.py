"""The transaction resources: one POST holds several lines, each of which succeeds or fails by itself inside a 201."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from simulators.oracle import charges, maintenance, materials, operations
from simulators.oracle.books import Books
from simulators.oracle.call import Call, Job
from simulators.oracle.errors import NEGATIVE, LineError
from simulators.oracle.framework import ITEM, JSON, Answer, parse_json, require_media
from simulators.oracle.payload import check_source, header_and_lines, outcome
from simulators.oracle.posting import LockKey, Posting

_Line = TypeVar("_Line")
_Post = Callable[[Posting, _Line, str, int], int]


def find_batch(call: Call, name: str) -> Job:
    """The job behind a POST on one of the transaction resources."""
    require_media(call.media, (ITEM, JSON))
    body = parse_json(call.raw)
    match name:
        case "operationTransactions":
            return _batch(
                call, body, operations.DETAIL, operations.read_line, operations.lock_key, operations.post, None
            )
        case "materialTransactions":

            def material(posting: Posting, line: materials.MaterialLine, source: str, batch: int) -> int:
                return materials.post(posting, line)

            return _batch(
                call, body, materials.DETAIL, materials.read_line, materials.lock_key, material, "InvTransactionId"
            )
        case "resourceTransactions":
            return _batch(call, body, charges.DETAIL, charges.read_line, charges.lock_key, charges.post, None)
        case _:
            return _maintenance_batch(call, body, maintenance.DETAILS[name])


def _maintenance_batch(call: Call, body: dict[str, Any], detail: str) -> Job:
    def read(line: dict[str, Any], index: int) -> maintenance.MaintenanceLine:
        return maintenance.MaintenanceLine(line, detail, index)

    def unlocked(_: Books, __: maintenance.MaintenanceLine) -> None:
        return None

    def post(posting: Posting, line: maintenance.MaintenanceLine, _: str, __: int) -> int:
        return maintenance.post(posting, line)

    handle = "InvTransactionId" if detail == materials.DETAIL else None
    return _batch(call, body, detail, read, unlocked, post, handle)


def _batch(
    call: Call,
    body: dict[str, Any],
    detail: str,
    read: Callable[[dict[str, Any], int], _Line],
    lock_key: Callable[[Any, _Line], LockKey | None],
    post: _Post[_Line],
    handle: str | None,
) -> Job:
    header, raw_lines = header_and_lines(body, detail)
    lines = [read(line, index) for index, line in enumerate(raw_lines)]
    keys = [lock_key(call.books, line) for line in lines]
    name = call.address.segments[0].name

    def work(posting: Posting) -> Answer:
        shown, failed = _post_all(posting, header, lines, keys, post, handle)
        answered = [line | result for line, result in zip(raw_lines, shown, strict=True)]
        url = f"{call.base}/{name}"
        body = {
            "SourceSystemType": header.get("SourceSystemType") or "EXTERNAL",
            "SourceSystemCode": header.get("SourceSystemCode"),
            # A string, as in the original: "false" is true to whoever tests it as a truth value.
            "ErrorsExistFlag": "true" if failed else "false",
            detail: answered if call.version < 3 else {"items": answered, "count": len(answered), "hasMore": False},
            "links": [{"rel": "self", "href": url, "name": name, "kind": "collection"}],
        }
        return Answer(201, body, ITEM, refused=failed == len(lines))

    return Job(work, frozenset(key for key in keys if key is not None), per_line=True, tells_errors=True)


def _post_all(
    posting: Posting,
    header: dict[str, Any],
    lines: Sequence[_Line],
    keys: Sequence[LockKey | None],
    post: _Post[_Line],
    handle: str | None,
) -> tuple[list[dict[str, Any]], int]:
    """What each line answers, and how many failed."""
    books = posting.books
    source, batch = header.get("SourceSystemCode") or "", books.new_id()
    results: list[dict[str, Any]] = []
    failed = 0
    for line, key in zip(lines, keys, strict=True):
        number: int | None = None
        error: LineError | None = None
        try:
            with books.line():
                posting.check_line(key)
                if posting.fail_pull and results and handle:
                    raise LineError(NEGATIVE)
                check_source(header, books.setting("source_systems"))
                number = post(posting, line, source, batch)
        except LineError as caught:
            error, failed = caught, failed + 1
        results.append(outcome(error) | ({handle: number} if handle else {}))
    return results, failed
