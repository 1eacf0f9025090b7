"""Goods movements of confirmations: posted at once, posted later, or left in the error list (COGI) while the
confirmation stands. The list is worked off by people: `reprocess` is their transaction.
"""

import json
import time
from dataclasses import asdict, replace
from typing import Any

from simulators.sap import goods, goods_documents
from simulators.sap.books import Books, instant
from simulators.sap.messages import Refusal
from simulators.sap.movements import MOVEMENTS, Header, Line
from simulators.sap.orders import refresh


def post_for_confirmation(
    books: Books, lines: list[Line], confirmation: tuple[str, str], posting_date: int, *, fail: bool, user: str
) -> int:
    """Posts what can be posted, now or after the configured delay; answers how many lines went to the error list."""
    if not lines:
        return 0
    if fail:
        for line in lines:
            _list_error(books, line, confirmation, Refusal("M7/021", "Goods movement could not be posted"))
        return len(lines)
    delay = float(books.setting("goods_movement_delay_seconds"))
    if delay > 0:
        row = {
            "due": time.time() + delay,
            "confirmation": "/".join(confirmation),
            "lines": json.dumps([asdict(line) for line in lines]),
            "posting_date": posting_date,
        }
        books.insert("pending_goods", row)
        return 0
    return _post_now(books, lines, confirmation, posting_date, user)


def _post_now(books: Books, lines: list[Line], confirmation: tuple[str, str], posting_date: int, user: str) -> int:
    posted: dict[bool, list[Line]] = {}
    failed = 0
    for line in lines:
        try:
            applied = goods.apply(books, line)
        except Refusal as refusal:
            _list_error(books, line, confirmation, refusal)
            failed += 1
            continue
        posted.setdefault(MOVEMENTS[line.movement].receipt, []).append(applied)
    header = Header(posting_date, user=user, confirmation=confirmation)
    for group in posted.values():
        goods_documents.record(books, header, group)
    return failed


def settle(books: Books, *, everything_of: str = "") -> None:
    """Posts the delayed goods movements that are due, or all of one confirmation."""
    due = books.all(
        "SELECT * FROM pending_goods WHERE due <= ? OR confirmation = ? ORDER BY id", time.time(), everything_of
    )
    for row in due:
        group, count = row["confirmation"].split("/")
        lines = [line_of(fields) for fields in json.loads(row["lines"])]
        _post_now(books, lines, (group, count), row["posting_date"], "BATCH")
        books.execute("DELETE FROM pending_goods WHERE id = ?", row["id"])
        for order in {line.order for line in lines if line.order}:
            refresh(books, order)


def has_due(books: Books) -> bool:
    return books.one("SELECT 1 FROM pending_goods WHERE due <= ?", time.time()) is not None


def line_of(fields: dict[str, Any]) -> Line:
    values: dict[str, Any] = dict(fields)
    if values["reverses"]:
        values["reverses"] = tuple(values["reverses"])
    values["serials"] = tuple(values.get("serials", ()))
    return Line(**values)


def _list_error(books: Books, line: Line, confirmation: tuple[str, str], refusal: Refusal) -> None:
    operation = books.one(
        "SELECT OrderOperation FROM confirmation WHERE ConfirmationGroup = ? AND ConfirmationCount = ?", *confirmation
    )
    row = {
        "order_id": line.order,
        "operation": operation["OrderOperation"] if operation else "",
        "confirmation": "/".join(confirmation),
        "line": json.dumps(asdict(line)),
        "code": refusal.code,
        "message": refusal.message,
        "at": instant(),
    }
    books.insert("cogi", row)


def forget(books: Books, confirmation: str) -> None:
    """A cancelled confirmation takes its unposted lines with it."""
    books.execute("DELETE FROM cogi WHERE confirmation = ?", confirmation)
    books.execute("DELETE FROM pending_goods WHERE confirmation = ?", confirmation)


def reprocess(books: Books, entry: int, given: dict[str, Any], *, drop: bool) -> bool:
    """Tries one error list line again, with the batch, storage location or serials a person gives it, or drops it."""
    row = books.one("SELECT * FROM cogi WHERE id = ?", entry)
    if row is None:
        raise Refusal("COGI", f"There is no error list line {entry}", status=404)
    if not drop:
        line = line_of(json.loads(row["line"]))
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if "serials" in changes:
            changes["serials"] = tuple(changes["serials"])
        line = replace(line, **changes)
        group, count = row["confirmation"].split("/")
        confirmation = books.one(
            "SELECT PostingDate FROM confirmation WHERE ConfirmationGroup = ? AND ConfirmationCount = ?", group, count
        )
        posted = goods.apply(books, line)
        date = confirmation["PostingDate"] if confirmation else 0
        goods_documents.record(books, Header(date, user="GUI_USER", confirmation=(group, count), manual=True), [posted])
    books.execute("DELETE FROM cogi WHERE id = ?", entry)
    if row["order_id"]:
        refresh(books, row["order_id"])
    return True
