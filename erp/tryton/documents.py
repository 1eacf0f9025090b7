"""What the books of a production come to, in the port's words: documents, totals, movements, the order itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from erp.tryton.drafts import rounded
from erp.tryton.productions import Move, Note, Production
from erp.tryton.told import Confirmation, Movement, Reversal
from signals.base import ZERO
from signals.documents import ErpDocument, GoodsMovement, OperationTotals
from signals.ids import short_key
from signals.orders import (
    Component,
    ErpOrderStatus,
    Operation,
    OrderOutput,
    ProductionOrder,
)

INPUT, OUTPUT, SCRAP, RETURN = "input", "output", "scrap", "return"
"""Movement types: Tryton has none, these are the four ways goods pass a production."""

STATUS = {
    "request": ErpOrderStatus.CREATED,
    "draft": ErpOrderStatus.CREATED,
    "waiting": ErpOrderStatus.RELEASED,
    "assigned": ErpOrderStatus.RELEASED,
    "running": ErpOrderStatus.RELEASED,
    "done": ErpOrderStatus.TECHNICALLY_COMPLETE,
    "cancelled": ErpOrderStatus.DELETED,
}


def documents_of(production: Production, us: int, units: Mapping[str, str], operation: str = "") -> list[ErpDocument]:
    """Confirmations, their reversals and what people moved by hand, oldest first."""
    found = [
        *(document_of(production, note, units) for note in production.booked_notes() if _confirms(note)),
        *(reversal_of(production, note, us, units) for note in production.booked_reversals()),
        *(hand_entry(production, move, us, units) for move in production.hand_moves()),
    ]
    return sorted(
        (d for d in found if d.kind == "confirmation" and operation in ("", d.operation)),
        key=lambda d: d.entered_at or datetime.min.replace(tzinfo=UTC),
    )


def _confirms(note: Note) -> bool:
    return isinstance(note.told, Confirmation)


def document_of(production: Production, note: Note, units: Mapping[str, str]) -> ErpDocument:
    """A confirmation or a movement of ours."""
    told = note.told
    assert isinstance(told, Confirmation | Movement)
    moves = [move for number in told.moves if (move := production.moves.get(number)) is not None]
    document = ErpDocument(
        document=production.document_number(note),
        kind="confirmation" if isinstance(told, Confirmation) else "goods_movement",
        order=production.number,
        operation=told.operation,
        key=told.key,
        text=short_key(told.key),
        reversed=production.is_reversed(note),
        entered_by=note.entered_by,
        entered_at=note.entered_at,
        goods_movements=tuple(movement_of(production, move, units) for move in moves if move.state == "done"),
    )
    if isinstance(told, Movement):
        return document
    return document.model_copy(
        update={
            "yield_quantity": told.yield_quantity,
            "scrap_quantity": told.scrap_quantity,
            "rework_quantity": told.rework_quantity,
            "unit": units.get(told.unit, told.unit),
            "final": told.final,
        }
    )


def reversal_of(production: Production, note: Note, us: int, units: Mapping[str, str]) -> ErpDocument:
    """A reversal, with the quantities of what it took back."""
    told = note.told
    assert isinstance(told, Reversal)
    original = production.note_of(told.reverses)
    if original is not None:
        base = document_of(production, original, units)
    else:
        move = production.moves[int(told.reverses.removeprefix("move/"))]
        base = hand_entry(production, move, us, units)
    return base.model_copy(
        update={
            "document": production.document_number(note),
            "key": told.key,
            "text": short_key(told.key),
            "reversed": False,
            "reversal": True,
            "final": False,
            "entered_by": note.entered_by,
            "entered_at": note.entered_at,
            "goods_movements": (),
        }
    )


def hand_entry(production: Production, move: Move, us: int, units: Mapping[str, str]) -> ErpDocument:
    """A move that somebody did in Tryton itself. Whether it means pieces is for a person to decide; it is read so:

    what leaves the production is yield or scrap of the last operation; a first component that goes in is as many
    pieces of its operation as it would make. Other components go with it and are no confirmations of their own.
    """
    operation, good, scrap = _pieces_of(production, move, us)
    return ErpDocument(
        document=f"move/{move.id}",
        kind="confirmation" if operation else "goods_movement",
        order=production.number,
        operation=operation,
        yield_quantity=good,
        scrap_quantity=scrap,
        unit=units.get(production.unit if operation else move.unit, production.unit if operation else move.unit),
        reversed=move.state == "cancelled",
        entered_by=move.entered_by,
        entered_at=move.entered_at,
        goods_movements=(movement_of(production, move, units),),
    )


def _pieces_of(production: Production, move: Move, us: int) -> tuple[str, Decimal, Decimal]:
    """Operation, good and scrapped pieces that a hand move stands for; no operation where it stands for none."""
    last = production.last_work
    if last is None:
        return "", ZERO, ZERO
    if not move.is_input:
        if move.product != production.product:
            return "", ZERO, ZERO
        return (last.number, ZERO, move.quantity) if move.is_scrap else (last.number, move.quantity, ZERO)
    operation = production.operation_of(move.material)
    lines = [line for line in production.plan(us).components if production.operation_of(line.material) == operation]
    if operation == last.number or not lines or lines[0].product != move.product or not lines[0].quantity:
        return "", ZERO, ZERO
    return operation, rounded(move.quantity * production.quantity / lines[0].quantity, production.digits), ZERO


def movement_of(production: Production, move: Move, units: Mapping[str, str]) -> GoodsMovement:
    if move.is_input:
        kind = INPUT
    elif move.is_scrap:
        kind = SCRAP
    else:
        kind = OUTPUT if move.product == production.product else RETURN
    return GoodsMovement(
        material_document=str(move.id),
        material=move.material,
        movement_type=kind,
        quantity=move.quantity,
        unit=units.get(move.unit, move.unit),
        batch=move.lot,
        storage_location=move.source_code if move.is_input else move.target_code,
    )


def totals_of(production: Production, us: int, units: Mapping[str, str]) -> list[OperationTotals]:
    """Per operation from the notes; yield of the last one from Tryton's own moves, whoever did them."""
    documents = documents_of(production, us, units)
    totals: list[OperationTotals] = []
    for work in production.works:
        standing = [d for d in documents if d.operation == work.number and not d.reversed and not d.reversal]
        told = sum((d.yield_quantity for d in standing), ZERO)
        totals.append(
            OperationTotals(
                operation=work.number,
                yield_quantity=production.received(production.product) if work is production.last_work else told,
                scrap_quantity=sum((d.scrap_quantity for d in standing), ZERO),
                rework_quantity=sum((d.rework_quantity for d in standing), ZERO),
                final=any(d.final for d in standing),
            )
        )
    return totals


def order_of(production: Production, plant_id: str, us: int, units: Mapping[str, str]) -> ProductionOrder:
    """The production as an order. Tryton confirms no operations: each of its works counts as one to be confirmed."""
    totals = {total.operation: total for total in totals_of(production, us, units)}
    plan = production.plan(us)
    unit = units.get(production.unit, production.unit)
    tolerance = production.tolerance * 100 if production.tolerance is not None else None
    return ProductionOrder(
        plant=plant_id,
        erp_plant=production.plant,
        order=production.number,
        material=production.material,
        quantity=production.quantity,
        unit=unit,
        status=STATUS[production.state],
        scheduled_start=_instant(production.planned_start),
        scheduled_end=_instant(production.planned_end),
        due=_instant(production.planned_end),
        over_delivery_percent=tolerance,
        under_delivery_percent=tolerance,
        operations=tuple(
            Operation(
                operation=work.number,
                text=work.text,
                work_centre=work.centre,
                automatic_receipt=work is production.last_work,
                predecessors=(production.works[place - 1].number,) if place else (),
                planned=production.quantity,
                unit=unit,
                confirmed_yield=totals[work.number].yield_quantity,
            )
            for place, work in enumerate(production.works)
        ),
        components=tuple(
            Component(
                material=line.material,
                operation=production.operation_of(line.material),
                reservation=production.number,
                reservation_item=str(place),
                required=line.quantity,
                withdrawn=max(production.withdrawn(line.product), Decimal(0)),
                unit=units.get(line.unit, line.unit),
                plant=production.plant,
                storage_location=line.location_code,
                movement_type=INPUT,
                backflush=True,
            )
            for place, line in enumerate(plan.components, start=1)
        ),
        outputs=(
            OrderOutput(
                material=production.material,
                planned=production.quantity,
                received=production.received(production.product),
                unit=unit,
            ),
        ),
        change_mark=production.change_mark,
    )


def _instant(day: date | None) -> datetime | None:
    """Tryton plans by the day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day is not None else None
