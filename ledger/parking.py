"""Parked items and people's decisions on them; what a decision then counts is the workflow's business."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from ledger.database import Books, upsert
from ledger.tables import DecisionRow, ParkedItemRow
from signals.decisions import DecideCase, DecideParked
from signals.errors import BadInput
from signals.reports import ParkedItem


class ParkingBooks(Books):
    """What waits for a person because nobody may guess."""

    async def park(self, items: tuple[ParkedItem, ...]) -> None:
        async with self._db.write() as session:
            await store_parked(session, items)

    async def parked(self, plant: str, *, order: str = "", line: str = "", open_only: bool = True) -> list[ParkedItem]:
        async with self._db.read() as session:
            return await parked_items(session, plant, order=order, line=line, open_only=open_only)

    async def decide_parked(self, plant: str, decision: DecideParked) -> ParkedItem | None:
        async with self._db.write() as session:
            row = await session.get(ParkedItemRow, (plant, decision.item), with_for_update=True)
            if row is None:
                return None
            item = ParkedItem.model_validate_json(row.payload)
            if await already_recorded(session, plant, decision):
                return item
            if row.accepted is not None:
                stands = "accepted" if row.accepted else "rejected"
                raise BadInput(
                    f"parked item {decision.item} has been {stands} already",
                    subject=decision.item,
                    hint="the first decision stands; correct the order by a decision of its own",
                )
            row.accepted = decision.accept
            record_decision(session, plant, decision, self._db.now())
            return item


async def store_parked(session: AsyncSession, items: Iterable[ParkedItem]) -> None:
    """Park the items; one that is parked already, decided or not, stays as it is."""
    rows = [
        {
            "plant": item.plant,
            "item": item.item,
            "line": item.line,
            "order_id": item.order,
            "at": item.at,
            "payload": item.model_dump_json(),
        }
        for item in items
    ]
    if rows:
        await session.execute(upsert(session, ParkedItemRow).on_conflict_do_nothing(), rows)


async def parked_items(
    session: AsyncSession, plant: str, *, order: str = "", line: str = "", open_only: bool = True
) -> list[ParkedItem]:
    """Parked items by time; empty `order` and `line` mean any."""
    wanted = select(ParkedItemRow).where(ParkedItemRow.plant == plant)
    if order:
        wanted = wanted.where(ParkedItemRow.order_id == order)
    if line:
        wanted = wanted.where(ParkedItemRow.line == line)
    if open_only:
        wanted = wanted.where(col(ParkedItemRow.accepted).is_(None))
    rows = await session.scalars(wanted.order_by(col(ParkedItemRow.at), col(ParkedItemRow.item)))
    return [ParkedItem.model_validate_json(row.payload) for row in rows]


async def already_recorded(session: AsyncSession, plant: str, decision: DecideCase | DecideParked) -> bool:
    """Whether just this decision was recorded before. BadInput when its id was used for another one."""
    row = await session.get(DecisionRow, (plant, decision.decision_id))
    if row is None:
        return False
    if _says_the_same(row.payload, decision):
        return True
    raise BadInput(
        f"decision {decision.decision_id} was recorded for {row.kind} {row.subject} with another content",
        subject=decision.decision_id,
        hint="give every new decision an id of its own; only an unchanged one may be repeated",
    )


def _says_the_same(payload: str, decision: DecideCase | DecideParked) -> bool:
    """Repeated, it was sealed anew. Decisions of earlier releases lack fields that have a default since."""
    try:
        return type(decision).model_validate_json(payload).unsealed() == decision.unsealed()
    except ValidationError:
        return False


def record_decision(session: AsyncSession, plant: str, decision: DecideCase | DecideParked, now: datetime) -> None:
    """Add the decision to the ledger; there it stays."""
    is_case = isinstance(decision, DecideCase)
    session.add(
        DecisionRow(
            plant=plant,
            decision_id=decision.decision_id,
            kind="case" if is_case else "parked item",
            subject=decision.case_id if is_case else decision.item,
            decided_by=decision.by,
            payload=decision.model_dump_json(),
            recorded_at=now,
        )
    )
