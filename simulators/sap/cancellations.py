"""Cancelling confirmations: a reversal record of its own, the operation's totals, reservations and goods movements."""

from typing import Any

from simulators.sap import cogi, goods, goods_documents
from simulators.sap.books import entered_now, instant, today_ms
from simulators.sap.confirmation_rules import Posting
from simulators.sap.confirmations import Key, add_up, clear_reservations, find_confirmation
from simulators.sap.entity_types import EMPTY_GUID
from simulators.sap.messages import Refusal
from simulators.sap.movements import Header
from simulators.sap.orders import refresh, require_status


def cancel(posting: Posting, group: str, count: str, *, posting_date: int | None, text: str, key: str) -> Key:
    """Books the reversal of a confirmation, of the automatic ones it caused, and of their goods movements."""
    books = posting.books
    original = find_confirmation(books, group, count)
    name = f"{original['ConfirmationGroup']}/{original['ConfirmationCount']}"
    if original["IsReversed"] or original["IsReversal"]:
        raise Refusal("RU/110", f"Confirmation {name} is already cancelled or is a cancellation")
    require_status(books, original["OrderID"], forbidden=("CLSD", "TECO", "DLFL", "LKD"))
    date = today_ms() if posting_date is None else posting_date
    goods.check_period(books, date)
    caused = books.all(
        "SELECT * FROM confirmation WHERE _automatic_of = ? AND IsReversed = 0 ORDER BY rowid DESC", name
    )
    reversal = _cancel_one(posting, original, date, text, key)
    for row in caused:
        _cancel_one(posting, row, date, text, "", automatic_of="/".join(reversal))
    refresh(books, original["OrderID"])
    return reversal


def _cancel_one(
    posting: Posting, original: dict[str, Any], date: int, text: str, key: str, *, automatic_of: str = ""
) -> Key:
    books = posting.books
    own = (original["ConfirmationGroup"], original["ConfirmationCount"])
    operation = books.one("SELECT * FROM production_operation WHERE _group = ?", own[0])
    cogi.forget(books, "/".join(own))
    last = books.one(
        "SELECT MAX(CAST(ConfirmationCount AS INTEGER)) AS last FROM confirmation WHERE ConfirmationGroup = ?", own[0]
    )
    new = (own[0], str((last["last"] if last else 0) + 1))
    stored_key = EMPTY_GUID if posting.forget_keys or not key else key
    row = original | {
        "ConfirmationCount": new[1],
        "IsReversal": 1,
        "ConfirmationText": text,
        "ExternalSystemConfirmation": stored_key,
        "PostingDate": date,
        **entered_now(posting.books),
        "EnteredByUser": posting.user,
        "_manual": posting.manual,
        "_automatic_of": automatic_of,
        "_reverses": "/".join(own),
        "_at": instant(),
    }
    books.insert("confirmation", row)
    books.update("confirmation", {"IsReversed": 1}, ConfirmationGroup=own[0], ConfirmationCount=own[1])
    if operation is None:
        books.update("production_order", {"_count": int(new[1])}, ManufacturingOrder=original["OrderID"])
    else:
        add_up(books, operation, original, sign=-1)
        if original["OpenReservationsIsCleared"]:
            clear_reservations(books, operation, cleared=False)
    rows = books.all(
        "SELECT * FROM material_document_item WHERE _group = ? AND _count = ? AND GoodsMovementIsCancelled = 0", *own
    )
    goods_documents.reverse_rows(books, Header(date, user=posting.user, confirmation=new, manual=posting.manual), rows)
    return new
