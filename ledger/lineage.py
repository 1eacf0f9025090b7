"""Lineage of an order: which events became which reports, postings and ERP documents, and what was left."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import and_, col, select

from ledger.case_effects import amendments_of
from ledger.cases import cases_of
from ledger.database import Books, portions
from ledger.documents import documents_of
from ledger.orders import messages_of, stored_order
from ledger.parking import parked_items
from ledger.port import EventTrace, OrderTrace
from ledger.postings import posting_record, postings_of
from ledger.tables import LineMessageRow, MachineEventRow, ProductionOrderRow, ReportEventRow
from signals.events import SequencedEvent
from signals.reports import ParkedItem


class LineageBooks(Books):
    """Traces from the machine to the ERP and back."""

    async def trace(self, plant: str, order: str) -> OrderTrace:
        async with self._db.read() as session:
            row = await session.get(ProductionOrderRow, (plant, order))
            parked = await parked_items(session, plant, order=order, open_only=False)
            return OrderTrace(
                order=stored_order(row),
                phase=row.phase if row else "",
                messages=await messages_of(session, plant, order),
                events=await _events(session, plant, order, parked),
                postings=tuple(posting_record(posting) for posting in await postings_of(session, plant, order)),
                documents=tuple(await documents_of(session, plant, order)),
                cases=tuple(await cases_of(session, plant, order, open_only=False)),
                parked=tuple(parked),
                amendments=tuple(await amendments_of(session, plant, order=order)),
            )


async def _events(session: AsyncSession, plant: str, order: str, parked: list[ParkedItem]) -> tuple[EventTrace, ...]:
    """Events that the order's reports used up, and those that its parked items cite, by source time."""
    event, used, message = MachineEventRow, ReportEventRow, LineMessageRow
    reported = (
        select(event)
        .join(used, and_(col(used.plant) == col(event.plant), col(used.event_id) == col(event.event_id)))
        .join(message, and_(col(message.plant) == col(used.plant), col(message.report_id) == col(used.report_id)))
        .where(col(message.plant) == plant, col(message.order_id) == order)
    )
    rows = {row.event_id: row for row in await session.scalars(reported)}
    cited = {name for item in parked for evidence in item.evidence for name in evidence.event_ids} - rows.keys()
    for lot in portions(sorted(cited)):
        wanted = select(event).where(col(event.plant) == plant, col(event.event_id).in_(lot))
        rows |= {row.event_id: row for row in await session.scalars(wanted)}
    ordered = sorted(rows.values(), key=lambda row: (row.at, row.source, row.seq))
    return tuple(
        EventTrace(source=row.source, event=SequencedEvent.model_validate_json(row.payload)) for row in ordered
    )
