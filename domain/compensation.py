"""Taking back what was booked: which documents, in which order, each once (design section 5, step 6; D11).

Pure. The newest booking goes first; a material document that hangs on a confirmation goes with it; what is reversed
already is left alone. Each reversal is an intent of its own with a key that names the original's document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from signals.base import Message, UtcTime
from signals.documents import ErpDocument, PostingState
from signals.ids import posting_key
from signals.transactions import PostingIntent, Reverse, Transaction, TransactionType

T = TransactionType

VOIDED = frozenset(
    {T.START_ORDER, T.CONFIRM_PRODUCTION, T.ISSUE_COMPONENTS, T.RETURN_COMPONENTS, T.RECEIVE_GOODS, T.REPORT_TIME,
     T.COMPLETE_ORDER}
)  # fmt: skip
"""What a void order takes back. Holds, inspections, stops and capacity say what is true of material and machines."""

BOOKED = (PostingState.POSTED, PostingState.ADOPTED)


class Booked(Message):
    """One posting as far as compensation must know it, in the order in which they were claimed."""

    key: UUID
    order: str
    operation: str = ""
    state: PostingState
    transaction: Transaction
    document: str = ""
    sent_at: UtcTime | None = None


class Standing(Message):
    """A document to be taken back. `original` is None for what people entered by hand."""

    document: str
    order: str
    operation: str = ""
    original: Transaction | None = None
    original_key: UUID | None = None
    posting_date: date | None = None


def standing_documents(
    postings: Sequence[Booked],
    documents: Iterable[ErpDocument],
    *,
    entries: Iterable[ErpDocument] = (),
) -> list[Standing]:
    """What stands, newest first, each document once.

    `documents` are all that the ledger knows of the order, `entries` hand entries that go too (a void order's).
    """
    known = {d.document: d for d in documents}
    mine = [p for p in _as_sent(postings) if _stands(p, known)]
    carried = _carried_by_confirmations(known.values())
    found: dict[str, Standing] = {}
    by_document = {p.document: p for p in mine}
    for posting in mine:
        number = carried.get(posting.document, posting.document)
        through = by_document.get(number)
        if through is not None:
            _note(found, _standing(through))
        elif number == posting.document:
            _note(found, _standing(posting))
        elif number in known and _is_standing(known[number]):
            _note(found, _entry(known[number]))
    for entry in entries:
        number = carried.get(entry.document, entry.document)
        document = known.get(number, entry)
        if number not in found and _is_standing(entry) and _is_standing(document):
            _note(found, _entry(document))
    return list(found.values())[::-1]


def _note(found: dict[str, Standing], standing: Standing) -> None:
    """The latest mention counts: a confirmation found through its material document keeps its own, later place."""
    found.pop(standing.document, None)
    found[standing.document] = standing


def _standing(p: Booked) -> Standing:
    return Standing(
        document=p.document,
        order=p.order,
        operation=p.operation,
        original=p.transaction,
        original_key=p.key,
        posting_date=p.transaction.posting_date,
    )


def _entry(d: ErpDocument) -> Standing:
    return Standing(document=d.document, order=d.order, operation=d.operation)


def _stands(posting: Booked, known: dict[str, ErpDocument]) -> bool:
    if posting.state not in BOOKED or not posting.document or isinstance(posting.transaction, Reverse):
        return False
    document = known.get(posting.document)
    return document is None or _is_standing(document)


def _is_standing(document: ErpDocument) -> bool:
    return not document.reversed and not document.reversal


def _carried_by_confirmations(documents: Iterable[ErpDocument]) -> dict[str, str]:
    """Material document -> the confirmation whose reversal takes it back."""
    return {
        movement.material_document: document.document
        for document in documents
        for movement in document.goods_movements
        if movement.material_document and movement.material_document != document.document
    }


def _as_sent(postings: Sequence[Booked]) -> list[Booked]:
    """In the order of their requests; what was never sent keeps its place among the claims."""
    sent = sorted((p for p in postings if p.sent_at is not None), key=lambda p: (p.sent_at, p.key))
    next_sent = iter(sent)
    return [p if p.sent_at is None else next(next_sent) for p in postings]


def reversal_of(plant: str, standing: Standing, *, today: date, text: str = "") -> PostingIntent:
    """The reversal of a document, with the key that every way of taking it back arrives at: one document, one reversal.

    It is dated as the original, so that a period nets to nothing where it is open still.
    """
    claim = f"reverse:{standing.document}"
    key = posting_key(plant, standing.order, standing.operation, T.REVERSE.value, [claim], 0)
    original = standing.original
    if isinstance(original, Reverse):
        raise ValueError(f"document {standing.document} is a reversal: it is not taken back")
    # An order's own status carries no order-free subject: what belongs to no order is found by its original.
    order = original.order if original is not None else standing.order
    reverse = Reverse(
        plant=plant,
        order=order,
        operation=standing.operation,
        posting_date=standing.posting_date or today,
        document=standing.document,
        text=text,
        original=original,
        original_key=standing.original_key,
    )
    return PostingIntent(key=key, transaction=reverse, report_ids=(claim,))
