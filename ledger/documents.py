"""ERP documents as the ledger keeps them: totals per operation, and the credit of adopted hand entries.

Functions work inside the caller's transaction, because a document always comes with a posting or a decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, or_, select, update

from ledger.database import Books, upsert
from ledger.port import Credit
from ledger.tables import CreditUseRow, ErpDocumentRow, PostingRow
from signals.base import ZERO
from signals.documents import ErpDocument, OperationTotals, PostingState
from signals.errors import BadInput
from signals.transactions import ConfirmProduction, TransactionType

Sums = tuple[Decimal, Decimal, Decimal]
"""Yield, scrap and rework."""

NOTHING: Sums = (ZERO, ZERO, ZERO)


class DocumentBooks(Books):
    """What we know to stand in the ERP's books."""

    async def own_documents(self, plant: str, order: str, operation: str = "") -> list[ErpDocument]:
        async with self._db.read() as session:
            return await documents_of(session, plant, order, operation)

    async def credit(self, plant: str, order: str, operation: str) -> Credit:
        async with self._db.read() as session:
            return await credit_left(session, plant, order, operation)

    async def totals(self, plant: str, order: str, *, beside: bool = False) -> tuple[OperationTotals, ...]:
        async with self._db.read() as session:
            return (await totals_by_order(session, plant, order, beside=beside)).get(order, ())


async def put_document(
    session: AsyncSession,
    plant: str,
    document: ErpDocument,
    now: datetime,
    *,
    posting_key: UUID | None = None,
    counted: bool,
    final: bool = False,
    credit: Sums = NOTHING,
) -> None:
    """Store a document, or what is newer about it; `counted` ones make the order's totals.

    BadInput where another posting has the document: one document settles one posting.
    """
    owner = await session.scalar(
        select(ErpDocumentRow.posting_key).where(
            ErpDocumentRow.plant == plant,
            ErpDocumentRow.order_id == document.order,
            ErpDocumentRow.document == document.document,
        )
    )
    if owner is not None and owner != posting_key:
        raise BadInput(
            f"document {document.document} of order {document.order} belongs to posting {owner}",
            subject=document.document,
            hint="look at that posting; if the document is not its own, correct the older decision first",
        )
    values = {
        "operation": document.operation,
        "posting_key": posting_key,
        "counted": counted and not document.reversal,
        "by_hand": posting_key is None,
        "reversed": document.reversed,
        "final": final or document.final,
        "yield_quantity": document.yield_quantity,
        "scrap_quantity": document.scrap_quantity,
        "rework_quantity": document.rework_quantity,
        "credit_yield": credit[0],
        "credit_scrap": credit[1],
        "credit_rework": credit[2],
        "payload": document.model_dump_json(),
        "recorded_at": now,
    }
    statement = upsert(session, ErpDocumentRow).values(
        plant=plant, order_id=document.order, document=document.document, **values
    )
    await session.execute(
        statement.on_conflict_do_update(index_elements=["plant", "order_id", "document"], set_=values)
    )


async def stored_document(session: AsyncSession, plant: str, order: str, document: str) -> ErpDocument | None:
    row = await session.get(ErpDocumentRow, (plant, order, document))
    return None if row is None else _document(row)


async def mark_reversed(session: AsyncSession, plant: str, order: str, document: str) -> None:
    """A reversal of this document was posted: it counts no more, and its credit is gone."""
    await session.execute(
        update(ErpDocumentRow)
        .where(
            col(ErpDocumentRow.plant) == plant,
            col(ErpDocumentRow.order_id) == order,
            col(ErpDocumentRow.document) == document,
        )
        .values(reversed=True)
    )


async def documents_of(session: AsyncSession, plant: str, order: str, operation: str = "") -> list[ErpDocument]:
    """Documents of our postings and hand entries that were decided on, by the time they became known."""
    wanted = select(ErpDocumentRow).where(ErpDocumentRow.plant == plant, ErpDocumentRow.order_id == order)
    if operation:
        wanted = wanted.where(ErpDocumentRow.operation == operation)
    rows = await session.scalars(wanted.order_by(col(ErpDocumentRow.recorded_at), col(ErpDocumentRow.document)))
    return [_document(row) for row in rows]


def _document(row: ErpDocumentRow) -> ErpDocument:
    document = ErpDocument.model_validate_json(row.payload)
    return document.model_copy(update={"reversed": True}) if row.reversed else document


async def totals_by_order(
    session: AsyncSession, plant: str, order: str = "", *, beside: bool = False
) -> dict[str, tuple[OperationTotals, ...]]:
    """Posted or adopted quantities per order and operation; an empty `order` means all of the plant."""
    sums: dict[tuple[str, str], Sums] = defaultdict(lambda: NOTHING)
    finals: set[tuple[str, str]] = set()
    for row in await _counted(session, plant, order, beside=beside):
        at = (row.order_id, row.operation)
        sums[at] = _add(sums[at], (row.yield_quantity, row.scrap_quantity, row.rework_quantity))
        if row.final:
            finals.add(at)
    for posting in await _posted_without_document(session, plant, order):
        confirmed = ConfirmProduction.model_validate_json(posting.transaction_json)
        at = (posting.order_id, posting.operation)
        sums[at] = _add(sums[at], (confirmed.yield_quantity, confirmed.scrap_quantity, confirmed.rework_quantity))
        if confirmed.final:
            finals.add(at)
    totals: dict[str, list[OperationTotals]] = defaultdict(list)
    for (order_id, operation), (yielded, scrapped, reworked) in sorted(sums.items()):
        totals[order_id].append(
            OperationTotals(
                operation=operation,
                yield_quantity=yielded,
                scrap_quantity=scrapped,
                rework_quantity=reworked,
                final=(order_id, operation) in finals,
            )
        )
    return {order_id: tuple(operations) for order_id, operations in totals.items()}


async def _counted(session: AsyncSession, plant: str, order: str, *, beside: bool) -> Iterable[ErpDocumentRow]:
    row = ErpDocumentRow
    counted = or_(col(row.counted), col(row.by_hand)) if beside else col(row.counted).is_(True)
    wanted = select(row).where(col(row.plant) == plant, counted, col(row.reversed).is_(False), col(row.operation) != "")
    return await session.scalars(wanted.where(row.order_id == order) if order else wanted)


async def _posted_without_document(session: AsyncSession, plant: str, order: str) -> Iterable[PostingRow]:
    """Confirmations that a person adopted without a document number: they stand in the ERP all the same."""
    row = PostingRow
    wanted = select(row).where(
        col(row.plant) == plant,
        col(row.transaction_type) == TransactionType.CONFIRM_PRODUCTION,
        col(row.state).in_((PostingState.POSTED, PostingState.ADOPTED)),
        col(row.document) == "",
    )
    return await session.scalars(wanted.where(row.order_id == order) if order else wanted)


async def credit_left(session: AsyncSession, plant: str, order: str, operation: str, *, lock: bool = False) -> Credit:
    """Adopted by hand minus taken by postings; `lock` keeps concurrent claims from taking the same credit."""
    adopted = select(ErpDocumentRow).where(
        col(ErpDocumentRow.plant) == plant,
        col(ErpDocumentRow.order_id) == order,
        col(ErpDocumentRow.operation) == operation,
        col(ErpDocumentRow.by_hand).is_(True),
        col(ErpDocumentRow.reversed).is_(False),
    )
    given = NOTHING
    for row in await session.scalars(adopted.with_for_update() if lock else adopted):
        given = _add(given, (row.credit_yield, row.credit_scrap, row.credit_rework))
    used = NOTHING
    uses = (
        select(CreditUseRow)
        .join(PostingRow, col(PostingRow.key) == col(CreditUseRow.key))
        .where(
            CreditUseRow.plant == plant,
            CreditUseRow.order_id == order,
            CreditUseRow.operation == operation,
            PostingRow.state != PostingState.CANCELLED,
        )
    )
    for row in await session.scalars(uses):
        used = _add(used, (row.yield_quantity, row.scrap_quantity, row.rework_quantity))
    left = [max(ZERO, have - gone) for have, gone in zip(given, used, strict=True)]
    return Credit(operation=operation, yield_quantity=left[0], scrap_quantity=left[1], rework_quantity=left[2])


async def use_credit(session: AsyncSession, plant: str, order: str, key: UUID, credit: Credit) -> None:
    """Take `credit` off the adopted hand entries for the posting `key`. BadInput for more than is left."""
    left = await credit_left(session, plant, order, credit.operation, lock=True)
    asked = (credit.yield_quantity, credit.scrap_quantity, credit.rework_quantity)
    have = (left.yield_quantity, left.scrap_quantity, left.rework_quantity)
    if any(want > rest for want, rest in zip(asked, have, strict=True)):
        raise BadInput(
            f"order {order} operation {credit.operation}: credit of yield, scrap, rework {_text(asked)} was asked, "
            f"but adopted hand entries leave {_text(have)}",
            subject=str(key),
            hint="read the credit again; another posting has used it, or the hand entry was reversed",
        )
    session.add(
        CreditUseRow(
            key=key,
            plant=plant,
            order_id=order,
            operation=credit.operation,
            yield_quantity=asked[0],
            scrap_quantity=asked[1],
            rework_quantity=asked[2],
        )
    )


def _add(first: Sums, second: Sums) -> Sums:
    return (first[0] + second[0], first[1] + second[1], first[2] + second[2])


def _text(sums: Sums) -> str:
    return " / ".join(str(value) for value in sums)
