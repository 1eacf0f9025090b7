"""Where held material is, by what the ERP has on hand, what the order delivered and what was posted. Pure.

The position decides how it can be held (reference erp.md 4.2); `domain.hold_plan` plans the postings.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from domain.hold_plan import Located, StockPlace
from domain.hold_scope import blocked_form
from signals.base import ZERO
from signals.bookings import StockKind
from signals.erp_reads import StockLine
from signals.holds import Block, HoldRecord
from signals.orders import ConfirmationMode, OutputKind, ProductionOrder
from signals.stock import MaterialPosition, PlaceHold, ReceiveGoods, ReleaseHold
from signals.transactions import ConfirmProduction, Transaction

BLOCKED_WORDS = ("", "blocked")
"""The ERP's own words for blocked stock; another one, of a line that names its batch, is the state of that batch."""

TAKEN_OUT = ("release", "scrap", "return")
"""Steps that take stock out of the block; scrap that is still in work was never in it."""


def blocked_receipt(t: Transaction, block: Block, material: str) -> Decimal:
    """How much a booked posting has received into blocked stock because of this block."""
    if isinstance(t, ConfirmProduction) and t.receipt_stock is StockKind.BLOCKED:
        free = t.model_copy(update={"receipt_stock": StockKind.UNRESTRICTED})
        return t.yield_quantity if blocked_form(free, [block], material=material) != free else ZERO
    if isinstance(t, ReceiveGoods) and t.stock is StockKind.BLOCKED:
        free = t.model_copy(update={"stock": StockKind.UNRESTRICTED})
        return t.quantity if blocked_form(free, [block], material=material) != free else ZERO
    return ZERO


def receipt_outside(t: Transaction, block: Block, order: ProductionOrder, material: str) -> Decimal:
    """How much a booked posting has received of the order that this block does not hold."""
    if isinstance(t, ConfirmProduction):
        made = order.find_operation(t.operation)
        free = t.model_copy(update={"receipt_stock": StockKind.UNRESTRICTED})
        receives = made is not None and made.automatic_receipt
        return t.yield_quantity if receives and blocked_form(free, [block], material=material) == free else ZERO
    if isinstance(t, ReceiveGoods) and t.output is OutputKind.MAIN:
        free_receipt = t.model_copy(update={"stock": StockKind.UNRESTRICTED})
        return t.quantity if blocked_form(free_receipt, [block], material=material) == free_receipt else ZERO
    return ZERO


def still_there(record: HoldRecord, came: Decimal) -> Decimal:
    """What the hold's own steps and receipts put into blocked stock, less what its steps have taken out of it."""
    moved = record.position not in (MaterialPosition.BATCH, MaterialPosition.IN_INSPECTION)  # those stay where they are
    placed = sum((p.quantity for p in record.postings if moved and p.what == "block" and p.state == "done"), ZERO)
    left = sum((p.quantity for p in record.postings if p.what in TAKEN_OUT and p.state == "done"), ZERO)
    return max(ZERO, came + placed - left)


class Origin(NamedTuple):
    """Held stock that belongs to a storage location, wherever the ERP has put it."""

    storage_location: str
    quantity: Decimal


def origins_of(placed: Sequence[PlaceHold | ReleaseHold], received: Origin) -> tuple[Origin, ...]:
    """Where a hold's booked blocks took stock from, less what its releases took back; what was received blocked too."""
    found: dict[str, Decimal] = {}
    for t in placed:
        sign = 1 if isinstance(t, PlaceHold) else -1
        found[t.storage_location] = found.get(t.storage_location, ZERO) + sign * t.quantity
    if received.quantity > 0 and received.storage_location:
        found[received.storage_location] = found.get(received.storage_location, ZERO) + received.quantity
    return tuple(Origin(place, quantity) for place, quantity in found.items() if place and quantity > 0)


def brought_home(lines: Sequence[StockLine], origins: Sequence[Origin]) -> list[StockLine]:
    """The lines, stock that is held by its place where it belongs; of what nobody knows that stays where it lies."""
    at_home: list[StockLine] = []
    stays: list[StockLine] = []
    left = {o.storage_location: o.quantity for o in origins}
    for line in lines:
        rest = line.quantity
        for place in left if line.held_by_place else ():
            mine = min(rest, left[place])
            if mine > 0:
                left[place], rest = left[place] - mine, rest - mine
                home = {"storage_location": place, "quantity": mine, "held_by_place": False}
                at_home.append(line.model_copy(update=home))
        if rest:
            stays.append(line.model_copy(update={"quantity": rest}))
    return [*at_home, *stays]


def position_of_batch(record: HoldRecord, order: ProductionOrder | None) -> Located:
    """Of an ERP whose stock cannot be read by batch: the batch is restricted or not, by what was booked."""
    if record.inspection_lot:
        return Located(position=MaterialPosition.IN_INSPECTION, inspection_lot=record.inspection_lot)
    if not record.quantity or (order is not None and not _received(order)):
        return Located()
    held = any(p.what == "block" and p.state == "done" for p in record.postings)
    place = StockPlace(storage_location=record.storage_location, **{"restricted" if held else "free": record.quantity})
    return Located(position=MaterialPosition.BATCH, places=(place,))


def position_of(
    record: HoldRecord,
    order: ProductionOrder | None,
    lines: Sequence[StockLine],
    others: Decimal = ZERO,
    own: Decimal = ZERO,
    outside: Decimal = ZERO,
    *,
    readable: bool = True,
    origins: Sequence[Origin] = (),
) -> Located:
    """Where the held material is, by what the ERP has on hand and the order has delivered.

    `origins` say where stock belongs that an ERP holds by putting it somewhere else.
    """
    scope = record.scope
    if not readable:
        return _unread(record)
    lines = brought_home(lines, origins)
    if any(x.kind is StockKind.INSPECTION for x in lines) and (record.inspection_lot or scope.batch):
        return Located(position=MaterialPosition.IN_INSPECTION, inspection_lot=record.inspection_lot)
    received = max(ZERO, _received(order) - outside)
    if not lines or (order is not None and not scope.batch and not received):
        gone = order is None or received > 0
        was_there = any(p.what == "block" and p.state == "done" for p in record.postings)
        return Located(position=MaterialPosition.CONSUMED if gone and was_there else MaterialPosition.IN_WORK)
    if scope.batch:
        return _of_batch(record, lines)
    quantity = record.quantity or sum((x.quantity for x in lines), ZERO)  # nobody said how much: all of it
    share = min(quantity, received) if order is not None else quantity
    return _of_free_stock(record, lines, others, share, own)


def _unread(record: HoldRecord) -> Located:
    """The ERP's stock cannot be read: what the trigger says is all that is known."""
    scope = record.scope
    place = StockPlace(storage_location=record.storage_location, free=record.quantity)
    if record.inspection_lot:
        return Located(position=MaterialPosition.IN_INSPECTION, inspection_lot=record.inspection_lot)
    if scope.order or not record.quantity:
        return Located()
    return Located(position=MaterialPosition.BATCH if scope.batch else MaterialPosition.UNRESTRICTED, places=(place,))


def _received(order: ProductionOrder | None) -> Decimal:
    if order is None:
        return ZERO
    return sum((o.received for o in order.outputs if o.kind is OutputKind.MAIN), ZERO)


def _of_batch(record: HoldRecord, lines: Sequence[StockLine]) -> Located:
    """A batch is restricted as a whole; where all of it lies in blocked stock already, it is held there."""
    places = _places(record, lines)
    whole = any(p.free or p.restricted for p in places)
    return Located(position=MaterialPosition.BATCH if whole else MaterialPosition.UNRESTRICTED, places=places)


def _of_free_stock(
    record: HoldRecord, lines: Sequence[StockLine], others: Decimal, share: Decimal, own: Decimal
) -> Located:
    """So much of the material's stock as is held: what lies blocked and is no other hold's first, then free stock."""
    places: list[StockPlace] = []
    blocked = max(ZERO, sum((p.blocked for p in _places(record, lines)), ZERO) - others)
    left_blocked = min(blocked, max(share, own))
    left_free = max(ZERO, share - left_blocked)
    for place in _places(record, lines):
        mine, free = min(place.blocked, left_blocked), min(place.free, left_free)
        left_blocked, left_free = left_blocked - mine, left_free - free
        if mine or free:
            places.append(StockPlace(storage_location=place.storage_location, free=free, blocked=mine))
    return Located(position=MaterialPosition.UNRESTRICTED, places=tuple(places))


def _places(record: HoldRecord, lines: Sequence[StockLine]) -> tuple[StockPlace, ...]:
    """By storage location, the trigger's own first, then by how much lies there; what belongs elsewhere is last."""
    found: dict[str, StockPlace] = {}
    for line in lines:
        place = found.get(line.storage_location, StockPlace(storage_location=line.storage_location))
        name = "free"
        if line.kind is StockKind.BLOCKED:
            name = "blocked" if line.hold in BLOCKED_WORDS or not line.batch else "restricted"
        elif line.kind is StockKind.INSPECTION:
            continue
        amount = getattr(place, name) + line.quantity
        found[line.storage_location] = place.model_copy(update={name: amount})
    first = record.storage_location
    away = {line.storage_location for line in lines if line.held_by_place} - {
        line.storage_location for line in lines if not line.held_by_place
    }
    return tuple(
        sorted(
            found.values(),
            key=lambda p: (
                p.storage_location in away,
                p.storage_location != first,
                -(p.free + p.blocked + p.restricted),
                p.storage_location,
            ),
        )
    )


def scrap_place(record: HoldRecord, order: ProductionOrder | None) -> dict[str, object]:
    """The operation after the one that made it: scrap posts where it is found."""
    if order is None or order.find_operation(record.scope.operation) is None:
        return {}
    made = order.find_operation(record.scope.operation)
    assert made is not None
    later = [
        o
        for o in order.operations
        if o.sequence == made.sequence
        and o.operation > made.operation
        and o.confirmation in (ConfirmationMode.REQUIRED, ConfirmationMode.MILESTONE)
    ]
    if not later:
        return {}
    found = min(later, key=lambda o: o.operation)
    return {"scrap_operation": found.operation, "sequence": found.sequence, "work_centre": found.work_centre}
