"""What the ERP's own list of documents says about a posting: is it there, did somebody book by hand, do sums agree.

Pure judgement over one look at ERP and ledger (design section 5, steps 1, 2, 4 and 5); nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from ledger.port import PostingRecord
from signals.base import ZERO
from signals.documents import ErpDocument, GoodsMovement, OperationTotals, PostingState
from signals.ids import short_key
from signals.transactions import ConfirmProduction, Reverse

SHORT_KEY_LENGTH = 16
ROUNDING = Decimal("0.001")
"""Two sides may round a movement's quantity differently by the last decimal."""
UNSETTLED = (PostingState.CLAIMED, PostingState.SENT)
BOOKED = (PostingState.POSTED, PostingState.ADOPTED)

Quantities = tuple[Decimal, Decimal, Decimal]
"""Yield, scrap, rework."""


@dataclass(frozen=True)
class Look:
    """One look at an operation: the ERP's documents and totals, and whose the documents are."""

    operation: str
    documents: tuple[ErpDocument, ...]
    totals: tuple[OperationTotals, ...]
    own: dict[str, ErpDocument]
    """The ledger's documents by number: posted by us, adopted, or acknowledged."""
    postings: dict[str, PostingRecord]
    """By document number: postings whose key a document outside `own` carries."""

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(d.document for d in self.documents)

    def of_posting(self, record: PostingRecord) -> ErpDocument | None:
        """The document that carries this posting's key; one that still stands goes before a reversed one."""
        reversal = isinstance(record.transaction, Reverse)
        carriers = [d for d in self.documents if d.reversal == reversal and carries_key(d, record.key)]
        return next((d for d in carriers if not d.reversed), carriers[0] if carriers else None)

    def foreign(self) -> list[ErpDocument]:
        """Standing documents that nobody here posted, adopted or acknowledged, second ones of a key included."""
        return [d for d in self.documents if is_standing(d) and d.document not in self.own and self._is_alien(d)]

    def _is_alien(self, document: ErpDocument) -> bool:
        owner = self.postings.get(document.document)
        if owner is None:
            return True
        if owner.state in UNSETTLED or owner.state is PostingState.IN_DOUBT:
            return False
        return owner.document != document.document or owner.state not in BOOKED

    def surfaced(self, asking: UUID) -> list[tuple[PostingRecord, ErpDocument]]:
        """Documents of other postings that were given up as in doubt, and now show that they were booked."""
        return [
            (owner, document)
            for document in self.documents
            if is_standing(document)
            and (owner := self.postings.get(document.document)) is not None
            and owner.key != asking
            and owner.state is PostingState.IN_DOUBT
        ]

    def reversed_by_hand(self) -> list[ErpDocument]:
        """Documents of ours (as the ledger stores them) that the ERP shows reversed, though we did not do it."""
        ours = {
            owner.transaction.document for owner in self.postings.values() if isinstance(owner.transaction, Reverse)
        }
        return [
            self.own[d.document]
            for d in self.documents
            if d.reversed and d.document in self.own and not self.own[d.document].reversed and d.document not in ours
        ]

    def drift(self) -> Quantities:
        """The ERP's totals minus the sum of its standing documents: not zero where something is not listed."""
        total = next((t for t in self.totals if t.operation == self.operation), None)
        if total is None:
            return (ZERO, ZERO, ZERO)
        listed = [quantities_of(d) for d in self.documents if is_standing(d)]
        sums = [sum((q[i] for q in listed), ZERO) for i in range(3)]
        shown = (total.yield_quantity, total.scrap_quantity, total.rework_quantity)
        differences = [ZERO if have is None else have - listed for have, listed in zip(shown, sums, strict=True)]
        return (differences[0], differences[1], differences[2])

    def may_be(self, record: PostingRecord) -> list[ErpDocument]:
        """Documents that came since the posting was sent, have its quantities, and say nothing of who booked them."""
        if not isinstance(record.transaction, ConfirmProduction):
            return []
        wanted = quantities_of(record.transaction)
        return [
            d
            for d in self.foreign()
            if d.document not in record.documents_before and quantities_of(d) == wanted and d.key is None and not d.text
        ]


def carries_key(document: ErpDocument, key: UUID) -> bool:
    """By the key itself, or by the short key that opens the text where the ERP has none or forgot it."""
    return document.key == key or (document.key is None and short_key_in(document) == short_key(key))


def short_key_in(document: ErpDocument) -> str:
    """What stands where our documents carry the short key."""
    return document.text[:SHORT_KEY_LENGTH].upper()


def owner_key(document: ErpDocument, known: dict[str, UUID]) -> UUID | None:
    """Which of the order's postings the document says it is; `known` maps short keys to keys."""
    if document.key is not None and document.key in known.values():
        return document.key
    return known.get(short_key_in(document)) if document.key is None else None


def known_by_short_key(keys: Iterable[UUID]) -> dict[str, UUID]:
    return {short_key(key): key for key in keys}


def is_standing(document: ErpDocument) -> bool:
    """Neither reversed nor a reversal: it counts in the ERP's totals."""
    return not document.reversed and not document.reversal


def unlisted_entry(
    record: PostingRecord, shown: OperationTotals | None, known: OperationTotals | None
) -> ErpDocument | None:
    """What the ERP's totals hold beyond our own documents, where it lists none: somebody booked by hand.

    Named for the totals at which it was seen. None where nothing is beyond them, or something of ours is missing.
    """
    if shown is None:
        return None
    have = (shown.yield_quantity, shown.scrap_quantity or ZERO, shown.rework_quantity or ZERO)
    ours = (ZERO, ZERO, ZERO)
    if known is not None:
        ours = (known.yield_quantity, known.scrap_quantity or ZERO, known.rework_quantity or ZERO)
    beyond = [a - b for a, b in zip(have, ours, strict=True)]
    if min(beyond) < 0 or not any(beyond):
        return None
    return ErpDocument(
        document=f"unlisted/{record.operation}/" + "/".join(f"{q.normalize():f}" for q in have),
        order=record.order,
        operation=record.operation,
        yield_quantity=beyond[0],
        scrap_quantity=beyond[1],
        rework_quantity=beyond[2],
        unit=getattr(record.transaction, "unit", ""),
        text="booked in the ERP's own screen",
    )


def quantities_of(subject: ErpDocument | ConfirmProduction) -> Quantities:
    return (subject.yield_quantity, subject.scrap_quantity, subject.rework_quantity)


def missing_movements(expected: Iterable[GoodsMovement], posted: Iterable[GoodsMovement]) -> tuple[str, ...]:
    """What of the expected movements was not posted, as sentences; empty when all is there."""
    wanted = _summed(expected)
    found = _summed(posted)
    missing: list[str] = []
    for (material, movement_type), by_unit in wanted.items():
        there = found.get((material, movement_type), {})
        for unit, quantity in by_unit.items():
            if unit not in there and there:
                continue  # posted in another unit: SAP converted it, we cannot compare
            short = quantity - there.get(unit, ZERO)
            if short > ROUNDING:
                missing.append(f"movement {movement_type} of {material}: {short} of {quantity} {unit} not posted")
    return tuple(missing)


def _summed(movements: Iterable[GoodsMovement]) -> dict[tuple[str, str], dict[str, Decimal]]:
    sums: dict[tuple[str, str], dict[str, Decimal]] = {}
    for movement in movements:
        by_unit = sums.setdefault((movement.material, movement.movement_type), {})
        by_unit[movement.unit] = by_unit.get(movement.unit, ZERO) + movement.quantity
    return sums
