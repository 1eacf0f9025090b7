"""The message queue: what SendMessage puts in, which message of an order is next, what becomes of it. Reference 3.3.

A message waits until the one before it of the same order is processed or cancelled, so a failed one blocks the rest.
"""

from typing import Any

from simulators.common.database import instant
from simulators.dynamics import contents, events, production
from simulators.dynamics.books import Books
from simulators.dynamics.posting import Posting
from simulators.dynamics.refusals import Refusal, infolog

ATTEMPTS = 3
QUEUED, PROCESSED, CANCELED, FAILED = "Queued", "Processed", "Canceled", "Failed"
_USER = "MESBATCH"


def enqueue(books: Books, company: str, queue: str, message_type: str, content: str, **fault: str) -> int:
    """Nothing of the content is judged here. `fault` and `fault_text`: what is to go wrong when it is processed."""
    now = instant()
    row = {"company": company.lower(), "queue": queue, "type": message_type, "content": content, "state": QUEUED}
    row |= {"order_id": contents.order_named_in(content), "at": now, "changed": now, **fault}
    books.insert("message", row)
    found = books.one("SELECT last_insert_rowid() AS id")
    assert found is not None
    return int(found["id"])


def heads(books: Books) -> list[dict[str, Any]]:
    """Of every order its oldest message that is neither processed nor cancelled; a message without order is its own."""
    return books.all(
        "SELECT * FROM message WHERE id IN (SELECT MIN(id) FROM message WHERE state IN (?, ?)"
        " GROUP BY company, CASE WHEN order_id = '' THEN CAST(id AS TEXT) ELSE LOWER(order_id) END) ORDER BY id",
        QUEUED,
        FAILED,
    )


def group_of(message: dict[str, Any]) -> str:
    return f"{message['company']}/{message['order_id'].lower() or '#' + str(message['id'])}"


def process(books: Books, message: dict[str, Any]) -> bool:
    """One attempt: all that the message asks for in one transaction, or a note of what stood in the way.

    True when the message is done, False when it waits for another attempt or has failed.
    """
    try:
        with books.transaction():
            posting = _posting(books, message)
            _run(posting, message)
            _finish(books, message, PROCESSED, "\n".join(f"Warning: {note}" for note in posting.notes))
    except Refusal as refusal:
        lines = refusal.lines(str(books.setting("language")))
        failed_attempt(books, message, "\n".join(lines))
        return False
    return True


def _posting(books: Books, message: dict[str, Any]) -> Posting:
    return Posting(
        books,
        message["company"],
        _USER,
        message=message["id"],
        fail_picking=message["fault"] == "partial",
        negative=books.setting("negative_quantities") == "accept",
    )


def _run(posting: Posting, message: dict[str, Any]) -> None:
    books = posting.books
    if message["fault"] == "business_error":
        text = message["fault_text"] or infolog("fault", str(books.setting("language")))
        raise Refusal("fault", text=text)
    content = contents.read(
        message["type"],
        message["queue"],
        message["content"],
        version=str(books.setting("picking_list_version")),
        reject_unknown=books.setting("unknown_members") == "reject",
    )
    match message["type"]:
        case contents.START:
            production.start(posting, content.order, content.fields)
        case contents.REPORT:
            production.report_finished(posting, content.order, content.lines)
        case contents.PICK:
            production.pick(posting, content.order, content.fields, content.lines)
        case contents.ROUTE:
            production.route_card(posting, content.order, content.fields, content.lines)
        case _:
            production.end(posting, content.order, content.fields)


def failed_attempt(books: Books, message: dict[str, Any], infolog_text: str) -> None:
    with books.transaction():
        attempts = message["attempts"] + 1
        if attempts >= ATTEMPTS:
            _finish(books, message, FAILED, infolog_text)
        else:
            changes = {"attempts": attempts, "infolog": infolog_text, "changed": instant()}
            books.update("message", changes, id=message["id"])


def _finish(books: Books, message: dict[str, Any], state: str, infolog_text: str) -> None:
    changes = {"state": state, "attempts": message["attempts"] + 1, "infolog": infolog_text, "changed": instant()}
    books.update("message", changes, id=message["id"])
    own = {
        "MessageContent": message["content"],
        "MessageInfolog": infolog_text,
        "MessageProcessingResult": "Success" if state == PROCESSED else "Error",
        "MessageQueue": message["queue"],
        "MessageSourceCompanyId": message["company"].upper(),
        "MessageState": state,
        "MessageType": message["type"],
    }
    events.emit(books, message["company"], events.PROCESSED, own)


def act(books: Books, number: int, action: str) -> dict[str, Any]:
    """A person requeues a failed message, as new, or cancels one that is not processed. Raises ValueError."""
    message = books.one("SELECT * FROM message WHERE id = ?", number)
    if message is None:
        raise ValueError(f"id: there is no message {number}; GET /_control/messages lists them")
    allowed = (FAILED,) if action == "requeue" else (FAILED, QUEUED)
    if message["state"] not in allowed:
        raise ValueError(f"id: message {number} is {message['state']}; {action} takes {' or '.join(allowed)}")
    changes: dict[str, Any] = {"state": CANCELED, "changed": instant()}
    if action == "requeue":
        changes |= {"state": QUEUED, "attempts": 0, "fault": "", "fault_text": ""}
    books.update("message", changes, id=number)
    return next(one for one in shown(books) if one["id"] == number)


def shown(books: Books, order: str | None = None) -> list[dict[str, Any]]:
    where, values = ("WHERE order_id = ?", (order,)) if order else ("", ())
    blocked = {group_of(head): head["id"] for head in heads(books) if head["state"] == FAILED}
    found: list[dict[str, Any]] = []
    for row in books.all(f"SELECT * FROM message {where} ORDER BY id", *values):
        blocker = blocked.get(group_of(row))
        waits = row["state"] == QUEUED and blocker is not None
        found.append(
            {
                "id": row["id"],
                "company": row["company"].upper(),
                "queue": row["queue"],
                "type": row["type"],
                "order": row["order_id"],
                "content": row["content"],
                "state": row["state"],
                "attempts": row["attempts"],
                "infolog": row["infolog"],
                "blocked_by": blocker if waits else None,
                "at": row["at"],
                "changed": row["changed"],
            }
        )
    return found
