"""Production orders in the ledger: taking them in, and all that an order's workflow must know after a restart."""

from __future__ import annotations

from collections import defaultdict

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select, update

from ledger.cases import cases_of
from ledger.database import Books, upsert
from ledger.documents import totals_by_order
from ledger.port import OrderRecord, PostingRecord
from ledger.postings import posting_record, postings_of, unsettled_first
from ledger.tables import LineMessageRow, ProductionOrderRow
from signals.documents import Case, OperationTotals
from signals.orders import ProductionOrder
from signals.reports import LineMessage

_messages: TypeAdapter[tuple[LineMessage, ...]] = TypeAdapter(tuple[LineMessage, ...])


class OrderBooks(Books):
    """Orders taken in."""

    async def take_order(self, order: ProductionOrder) -> bool:
        known = [col(ProductionOrderRow.plant) == order.plant, col(ProductionOrderRow.order_id) == order.order]
        payload = order.model_dump_json()
        async with self._db.write() as session:
            statement = upsert(session, ProductionOrderRow).values(
                plant=order.plant, order_id=order.order, phase="", payload=payload, recorded_at=self._db.now()
            )
            inserted = statement.on_conflict_do_nothing().returning(col(ProductionOrderRow.order_id))
            if await session.scalar(inserted) is not None:
                return True
            # Only the phase was known: the order itself comes in now.
            first = update(ProductionOrderRow).where(*known, col(ProductionOrderRow.payload).is_(None))
            taken = first.values(payload=payload).returning(col(ProductionOrderRow.order_id))
            if await session.scalar(taken) is not None:
                return True
            await session.execute(update(ProductionOrderRow).where(*known).values(payload=payload))
            return False

    async def order_data(self, plant: str, order: str) -> ProductionOrder | None:
        async with self._db.read() as session:
            row = await session.get(ProductionOrderRow, (plant, order))
            return None if row is None or row.payload is None else ProductionOrder.model_validate_json(row.payload)

    async def set_phase(self, plant: str, order: str, phase: str) -> None:
        async with self._db.write() as session:
            statement = upsert(session, ProductionOrderRow).values(
                plant=plant, order_id=order, phase=phase, recorded_at=self._db.now()
            )
            await session.execute(
                statement.on_conflict_do_update(index_elements=["plant", "order_id"], set_={"phase": phase})
            )

    async def load_order(self, plant: str, order: str) -> OrderRecord:
        async with self._db.read() as session:
            row = await session.get(ProductionOrderRow, (plant, order))
            return _record(
                row,
                messages=await messages_of(session, plant, order),
                postings=[posting_record(posting) for posting in await postings_of(session, plant, order)],
                totals=(await totals_by_order(session, plant, order)).get(order, ()),
                cases=await cases_of(session, plant, order),
            )

    async def orders(self, plant: str) -> list[OrderRecord]:
        async with self._db.read() as session:
            postings: dict[str, list[PostingRecord]] = defaultdict(list)
            for posting in await postings_of(session, plant):
                postings[posting.order_id].append(posting_record(posting))
            cases: dict[str, list[Case]] = defaultdict(list)
            for case in await cases_of(session, plant):
                cases[case.order].append(case)
            totals = await totals_by_order(session, plant)
            wanted = select(ProductionOrderRow).where(
                ProductionOrderRow.plant == plant, col(ProductionOrderRow.payload).is_not(None)
            )
            return [
                _record(
                    row,
                    messages=(),
                    postings=postings[row.order_id],
                    totals=totals.get(row.order_id, ()),
                    cases=cases[row.order_id],
                )
                for row in await session.scalars(wanted.order_by(col(ProductionOrderRow.order_id)))
            ]


def stored_order(row: ProductionOrderRow | None) -> ProductionOrder | None:
    """The order as the ERP said it last; None where only its phase is known."""
    if row is None or row.payload is None:
        return None
    return ProductionOrder.model_validate_json(row.payload)


async def messages_of(session: AsyncSession, plant: str, order: str) -> tuple[LineMessage, ...]:
    """The Lines' messages by line and number, without withheld reports."""
    wanted = select(LineMessageRow.payload).where(
        LineMessageRow.plant == plant, LineMessageRow.order_id == order, col(LineMessageRow.withheld).is_(False)
    )
    payloads = await session.scalars(wanted.order_by(col(LineMessageRow.line), col(LineMessageRow.number)))
    # One pass of the parser over all of them: thousands of reports take a fraction of the time.
    return _messages.validate_json(f"[{','.join(payloads)}]")


def _record(
    row: ProductionOrderRow | None,
    *,
    messages: tuple[LineMessage, ...],
    postings: list[PostingRecord],
    totals: tuple[OperationTotals, ...],
    cases: list[Case],
) -> OrderRecord:
    in_cases = {case.posting_key for case in cases if case.posting_key is not None}
    claimed = dict.fromkeys(report for posting in postings for report in posting.report_ids)
    return OrderRecord(
        order=stored_order(row),
        phase=row.phase if row else "",
        messages=messages,
        claimed_report_ids=tuple(claimed),
        postings=tuple(posting.outcome() for posting in unsettled_first(postings, in_cases)),
        totals=totals,
        open_cases=tuple(cases),
    )
