"""Quality holds in the ledger: a block that stands before anything else happens, the record, its whole history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from domain.hold_scope import held_quantity, scope_key, standing
from ledger.database import Books, upsert
from ledger.hold_port import OpenedHold
from ledger.tables import HoldEventRow, HoldTriggerRow, ProductionOrderRow, QualityHoldRow
from signals.errors import BadInput
from signals.holds import Block, DecisionState, HoldEvent, HoldRecord, HoldScope, HoldSearch, HoldTrigger
from signals.ids import hold_id
from signals.orders import ProductionOrder
from signals.stock import MaterialPosition

SEPARATED = ("blocked", "released")
"""`HoldRecord.erp` after which the ERP itself keeps the held stock apart, where there is stock."""


class HoldBooks(Books):
    """Holds of one or more plants."""

    async def open_hold(self, trigger: HoldTrigger) -> OpenedHold:
        async with self._db.write() as session:
            return await take_trigger(session, trigger, self._db.now())

    async def record_hold(self, record: HoldRecord) -> bool:
        async with self._db.write() as session:
            await _store_history(session, record)
            row = await session.get(QualityHoldRow, (record.plant, record.hold), with_for_update=True)
            if row is None:
                await self._insert(session, record)
                return True
            if record.revision < row.revision:
                return False
            unheard = record.triggers is not None and record.triggers < row.triggers
            if unheard and record.state.is_over:
                return False
            scope = HoldScope.model_validate_json(row.block) if unheard else record.scope
            for name, value in _columns(record, scope).items():
                setattr(row, name, value)
            row.recorded_at = self._db.now()
            return True

    async def _insert(self, session: AsyncSession, record: HoldRecord) -> None:
        """A record without a trigger before it."""
        values = _columns(record, record.scope) | {"triggers": record.triggers or 0, "recorded_at": self._db.now()}
        statement = upsert(session, QualityHoldRow).values(**values)
        inserted = statement.on_conflict_do_nothing().returning(col(QualityHoldRow.hold))
        if await session.scalar(inserted) is None:
            hint = "open holds by open_hold, which adds to the open one"
            raise BadInput(f"another hold of the scope of {record.hold} is open", subject=record.hold, hint=hint)

    async def hold(self, plant: str, hold: str) -> HoldRecord | None:
        async with self._db.read() as session:
            row = await session.get(QualityHoldRow, (plant, hold))
            if row is None:
                return None
            wanted = select(HoldEventRow).where(HoldEventRow.plant == plant, HoldEventRow.hold == hold)
            events = await session.scalars(wanted.order_by(col(HoldEventRow.number)))
            history = tuple(HoldEvent.model_validate_json(e.payload) for e in events)
            return HoldRecord.model_validate_json(row.payload).model_copy(update={"history": history})

    async def holds(self, plant: str, search: HoldSearch) -> list[HoldRecord]:
        async with self._db.read() as session:
            wanted = select(QualityHoldRow).where(QualityHoldRow.plant == plant, *_conditions(search))
            due = col(QualityHoldRow.due_at)
            rows = await session.scalars(wanted.order_by(due.is_(None), due, col(QualityHoldRow.hold)))
            found = [HoldRecord.model_validate_json(row.payload) for row in rows]
            return [r for r in found if _fits(r, search)]

    async def hold_triggers(self, plant: str, hold: str) -> list[HoldTrigger]:
        async with self._db.read() as session:
            return await _triggers_of(session, plant, hold)

    async def blocks(self, plant: str, *, order: str = "", material: str = "", batch: str = "") -> list[Block]:
        async with self._db.read() as session:
            wanted = select(QualityHoldRow).where(
                QualityHoldRow.plant == plant,
                col(QualityHoldRow.is_open).is_(True),
                *_open_to(col(QualityHoldRow.order_id), order),
                *_open_to(col(QualityHoldRow.material), material),
                *_open_to(col(QualityHoldRow.batch), batch),
            )
            rows = await session.scalars(wanted.order_by(col(QualityHoldRow.opened_at), col(QualityHoldRow.hold)))
            return [
                Block(hold=row.hold, scope=HoldScope.model_validate_json(row.block), separated=row.separated)
                for row in rows
            ]


async def take_trigger(session: AsyncSession, trigger: HoldTrigger, now: datetime) -> OpenedHold:
    """What `HoldLedger.open_hold` promises, within a transaction of whoever has more to store with it."""
    if (known := await _known(session, trigger)) is not None:
        return known
    trigger = await _with_material(session, trigger)
    row, created = await _row_for(session, trigger, now)
    number = row.triggers + 1
    statement = upsert(session, HoldTriggerRow).values(
        plant=trigger.scope.plant,
        trigger=trigger.trigger,
        hold=row.hold,
        number=number,
        created=created,
        payload=trigger.model_dump_json(),
        recorded_at=now,
    )
    inserted = statement.on_conflict_do_nothing().returning(col(HoldTriggerRow.number))
    if await session.scalar(inserted) is None:  # another process was faster with the same trigger
        answer = await _known(session, trigger)
        assert answer is not None
        return answer
    row.triggers = number
    if not created and row.is_open:
        await _take_in(session, row)
    record = HoldRecord.model_validate_json(row.payload)
    return OpenedHold(hold=row.hold, created=created, news=True, reopens=record.reopens)


async def _with_material(session: AsyncSession, trigger: HoldTrigger) -> HoldTrigger:
    """A machine knows its order, not what that makes: without the material nobody would refuse to move it."""
    scope = trigger.scope
    if scope.material or not scope.order:
        return trigger
    order = await session.get(ProductionOrderRow, (scope.plant, scope.order))
    if order is None or order.payload is None:
        return trigger
    material = ProductionOrder.model_validate_json(order.payload).material
    return trigger.model_copy(update={"scope": scope.model_copy(update={"material": material})})


async def _row_for(session: AsyncSession, trigger: HoldTrigger, now: datetime) -> tuple[QualityHoldRow, bool]:
    """The hold that takes the trigger in, locked; True where it is a new one.

    That a deviation has ended is nothing new for a hold that was decided before: it stays where it was told first.
    """
    if trigger.continues and trigger.scope.until is not None:
        first = await session.get(HoldTriggerRow, (trigger.scope.plant, trigger.continues))
        if first is not None:
            key = (trigger.scope.plant, first.hold)
            return await session.get_one(QualityHoldRow, key, with_for_update=True), False
    return await _open_row(session, trigger, await _closed_before(session, trigger.scope), now)


async def _open_row(
    session: AsyncSession, trigger: HoldTrigger, reopens: str, now: datetime
) -> tuple[QualityHoldRow, bool]:
    """The open hold of the scope, locked; or a new one, whose index keeps a second one out."""
    scope = trigger.scope
    record = HoldRecord(
        hold=hold_id(scope.plant, trigger.trigger),
        plant=scope.plant,
        scope=scope,
        reasons=(trigger.reason,),
        quantity=held_quantity(scope, trigger.quantity),
        unit=trigger.unit,
        inspection_lot=trigger.inspection_lot,
        storage_location=trigger.storage_location,
        opened_by=trigger.opened_by,
        opened_at=trigger.at,
        owner_role=trigger.reason.release_role,
        reopens=reopens,
    )
    for _ in range(3):  # the open one may be closed, or one be opened, between looking and inserting
        wanted = select(QualityHoldRow).where(
            QualityHoldRow.plant == scope.plant,
            QualityHoldRow.scope_key == scope_key(scope),
            col(QualityHoldRow.is_open).is_(True),
        )
        if (row := await session.scalar(wanted.with_for_update())) is not None:
            return row, False
        values = _columns(record, scope) | {"triggers": 0, "recorded_at": now}
        statement = upsert(session, QualityHoldRow).values(**values)
        inserted = statement.on_conflict_do_nothing().returning(col(QualityHoldRow.hold))
        if await session.scalar(inserted) is not None:
            return await session.get_one(QualityHoldRow, (scope.plant, record.hold)), True
    hint = "give the trigger another id"
    raise BadInput(f"hold {record.hold} of trigger {trigger.trigger} exists already", subject=record.hold, hint=hint)


def _open_to(column: Any, value: str) -> list[ColumnElement[bool]]:
    return [or_(column == value, column == "")] if value else []


async def _known(session: AsyncSession, trigger: HoldTrigger) -> OpenedHold | None:
    row = await session.get(HoldTriggerRow, (trigger.scope.plant, trigger.trigger))
    if row is None:
        return None
    hold = await session.get_one(QualityHoldRow, (row.plant, row.hold))
    record = HoldRecord.model_validate_json(hold.payload)
    return OpenedHold(hold=row.hold, created=row.created, news=False, reopens=record.reopens)


async def _closed_before(session: AsyncSession, scope: HoldScope) -> str:
    wanted = select(QualityHoldRow.hold).where(
        QualityHoldRow.plant == scope.plant,
        QualityHoldRow.scope_key == scope_key(scope),
        col(QualityHoldRow.is_open).is_(False),
    )
    latest = wanted.order_by(col(QualityHoldRow.closed_at).desc(), col(QualityHoldRow.hold)).limit(1)
    return await session.scalar(latest) or ""


async def _take_in(session: AsyncSession, row: QualityHoldRow) -> None:
    """The block at once; the rest too, so that a list shows it before the workflow has taken it."""
    now = standing(await _triggers_of(session, row.plant, row.hold))
    row.block = now.scope.model_dump_json()
    record = HoldRecord.model_validate_json(row.payload)
    row.payload = record.model_copy(update={"scope": now.scope, "reasons": now.reasons}).model_dump_json()


async def _triggers_of(session: AsyncSession, plant: str, hold: str) -> list[HoldTrigger]:
    wanted = select(HoldTriggerRow).where(HoldTriggerRow.plant == plant, HoldTriggerRow.hold == hold)
    rows = await session.scalars(wanted.order_by(col(HoldTriggerRow.number)))
    return [HoldTrigger.model_validate_json(row.payload) for row in rows]


async def _store_history(session: AsyncSession, record: HoldRecord) -> None:
    """Entries never change: what the ledger has it keeps."""
    for event in record.history:
        statement = upsert(session, HoldEventRow).values(
            plant=record.plant,
            hold=record.hold,
            number=event.number,
            at=event.at,
            what=event.what,
            by=event.by,
            payload=event.model_dump_json(),
        )
        await session.execute(statement.on_conflict_do_nothing())


def _columns(record: HoldRecord, block: HoldScope) -> dict[str, Any]:
    in_stock = record.position is not MaterialPosition.IN_WORK
    return {
        "plant": record.plant,
        "hold": record.hold,
        "scope_key": scope_key(record.scope),
        "is_open": not record.state.is_over,
        "separated": in_stock and record.erp in SEPARATED,
        "revision": record.revision,
        "line": record.scope.line,
        "order_id": record.scope.order,
        "material": record.scope.material,
        "batch": record.scope.batch,
        "assigned_to": record.assigned_to,
        "opened_at": record.opened_at,
        "due_at": record.due_at,
        "closed_at": record.closed_at,
        "block": block.model_dump_json(),
        "payload": record.model_copy(update={"history": ()}).model_dump_json(),
    }


def _conditions(search: HoldSearch) -> list[ColumnElement[bool]]:
    row = QualityHoldRow
    equal = (
        (col(row.line), search.line),
        (col(row.order_id), search.order),
        (col(row.material), search.material),
        (col(row.batch), search.batch),
        (col(row.assigned_to), search.assigned_to),
    )
    found: list[ColumnElement[bool]] = [column == value for column, value in equal if value]
    if search.open_only:
        found.append(col(row.is_open).is_(True))
    return found


def _fits(record: HoldRecord, search: HoldSearch) -> bool:
    """What stands inside the record: a serial it names, a role that has it on its list."""
    if search.serial and search.serial not in record.scope.serials:
        return False
    if not search.role:
        return True
    second = {role for d in record.decisions if d.state is DecisionState.AWAITS_SECOND for role in d.needs_second}
    releasing = {reason.release_role for reason in record.reasons}
    return search.role in {record.owner_role, *record.escalated_to, *releasing, *second}
