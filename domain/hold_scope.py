"""What a hold covers, and what may still be posted under it: a hold restricts use, not bookkeeping (design 4).

Pure. What nobody knows is taken for held: the posting procedure asks right before anything leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from signals.bookings import StockKind
from signals.holds import Block, HoldReason, HoldScope, HoldTrigger
from signals.ids import short_hash
from signals.quality import DecideInspection, DispositionKind
from signals.stock import IssueComponents, MoveStock, PlaceHold, ReceiveGoods, ReleaseHold, ReturnComponents
from signals.transactions import ConfirmProduction, Reverse, Transaction

_MADE_USABLE = (DispositionKind.ACCEPT,)


def covers(
    scope: HoldScope,
    *,
    order: str,
    operation: str,
    material: str,
    batch: str,
    serials: Iterable[str] = (),
    at: datetime | None = None,
) -> bool:
    """Whether material with these marks may be of the held scope; what is empty is not known.

    `order` and `operation` are those that make it, `at` is when. It must share an order, material, batch or serial
    with the scope, and contradict it in nothing. Pieces of a held operation are held at the later ones too.
    """
    return _covers(scope, order, operation, material, batch, frozenset(serials), at, at)


def _covers(
    scope: HoldScope,
    order: str,
    operation: str,
    material: str,
    batch: str,
    serials: frozenset[str],
    first: datetime | None,
    last: datetime | None,
) -> bool:
    pairs = ((scope.order, order), (scope.material, material), (scope.batch, batch))
    if any(held and asked and held != asked for held, asked in pairs):
        return False
    held_serials = frozenset(scope.serials)
    if held_serials and serials and not held_serials & serials:
        return False
    later = False
    if scope.operation and operation and scope.operation != operation:
        if _number(operation) < _number(scope.operation):
            return False
        later = True
    if scope.since is not None and last is not None and last < scope.since:
        return False
    if scope.until is not None and first is not None and first > scope.until and not later:
        return False
    return any(held and held == asked for held, asked in pairs) or bool(held_serials & serials)


def _number(operation: str) -> tuple[int, str]:
    return (int(operation), "") if operation.isdigit() else (0, operation)


def blocked_form(transaction: Transaction, blocks: Iterable[Block], *, material: str = "") -> Transaction | str:
    """The transaction as it may go out under these blocks, or a sentence why it must not go out.

    Consumption, time and confirmations go on; receipts of the held scope go to blocked stock; what makes held
    quantity usable or moves it is refused. `material` is the order's main output, where the caller knows it: a
    confirmation does not name it.
    """
    for block in blocks:
        if not block.active:
            continue
        answer = _under(transaction, block, material)
        if isinstance(answer, str):
            return answer
        transaction = answer
    return transaction


def _under(t: Transaction, block: Block, material: str) -> Transaction | str:
    scope = block.scope
    if isinstance(t, ConfirmProduction):
        serials = frozenset(t.serials)
        first = t.started_at or t.ended_at
        held = _covers(scope, t.order, t.operation, material, t.batch, serials, first, t.ended_at)
        return t.model_copy(update={"receipt_stock": StockKind.BLOCKED}) if held and t.yield_quantity else t
    if isinstance(t, ReceiveGoods):
        held = _covers(scope, t.order, t.operation, t.material, t.batch, frozenset(t.serials), None, None)
        to_blocked = held and t.stock is StockKind.UNRESTRICTED
        return t.model_copy(update={"stock": StockKind.BLOCKED}) if to_blocked else t
    if isinstance(t, MoveStock):
        return _refused(t.material, block, "moved") if _is_stock_of(block, t.material, t.batch, t.serials) else t
    if isinstance(t, IssueComponents | ReturnComponents):
        done = "issued" if isinstance(t, IssueComponents) else "returned to free stock"
        held_line = next((u for u in t.lines if _is_stock_of(block, u.material, u.batch, u.serials)), None)
        return _refused(held_line.material, block, done) if held_line else t
    return _release_under(t, block)


def _release_under(t: Transaction, block: Block) -> Transaction | str:
    """Releases are refused while another hold has the material; a hold's own block does not stop its own release."""
    if isinstance(t, ReleaseHold):
        other = block.hold != t.hold and _is_stock_of(block, t.material, t.batch, t.serials, order=t.order)
        return _refused(t.material, block, "released") if other else t
    if isinstance(t, DecideInspection):
        usable = any(d.kind in _MADE_USABLE for d in t.dispositions)
        other = block.hold != t.inspection and _is_stock_of(block, t.material, t.batch, (), order=t.order)
        return _refused(t.material, block, "accepted") if usable and other else t
    if isinstance(t, Reverse) and isinstance(t.original, PlaceHold) and t.original.hold == block.hold:
        return _refused(t.original.material, block, "unblocked by a reversal")
    return t


def _is_stock_of(block: Block, material: str, batch: str, serials: Iterable[str], *, order: str = "") -> bool:
    """Stock from some order, mostly nobody knows which. Once the ERP keeps the held part apart, only what is named."""
    serials = frozenset(serials)
    if not _covers(block.scope, order, "", material, batch, serials, None, None):
        return False
    named = bool(block.scope.batch and batch) or bool(serials) or bool(block.scope.order and order)
    return named or not block.separated


def _refused(material: str, block: Block, done: str) -> str:
    return f"{material} is held by hold {block.hold} and must not be {done} before the hold is decided"


def scope_key(scope: HoldScope) -> str:
    """Two open holds of one key are one hold."""
    return short_hash(scope.plant, scope.line, scope.order, scope.operation, scope.batch, scope.material)


def widened(scope: HoldScope, by: HoldScope) -> HoldScope:
    """Everything that either covers, for two scopes of one key. What is empty covers all."""
    every_serial = not scope.serials or not by.serials
    serials = () if every_serial else tuple(dict.fromkeys((*scope.serials, *by.serials)))
    since = min(scope.since, by.since) if scope.since is not None and by.since is not None else None
    until = max(scope.until, by.until) if scope.until is not None and by.until is not None else None
    station = scope.station if scope.station == by.station else ""
    downstream = tuple(dict.fromkeys((*scope.downstream, *by.downstream)))
    return scope.model_copy(
        update={"station": station, "serials": serials, "since": since, "until": until, "downstream": downstream}
    )


def held_quantity(scope: HoldScope, quantity: Decimal) -> Decimal:
    """Quantity of a scope: its serials where it is made of them."""
    return Decimal(len(scope.serials)) if scope.serials else quantity


@dataclass(frozen=True)
class Standing:
    """What all triggers of a hold say together, as things stand."""

    scope: HoldScope
    reasons: tuple[HoldReason, ...]
    quantity: Decimal


def standing(triggers: Sequence[HoldTrigger]) -> Standing:
    """Scope, reasons and quantity of a hold. A trigger that continues another replaces what that one said.

    Pieces of deviations whose windows do not meet are added up; else the larger count holds, because they are the same.
    """
    latest = list({t.continues or t.trigger: t for t in triggers}.values())
    scope, quantity = latest[0].scope, latest[0].quantity
    for other in latest[1:]:
        apart = _apart(scope, other.scope)
        quantity = quantity + other.quantity if apart else max(quantity, other.quantity)
        scope = widened(scope, other.scope)
    reasons = {t.reason.reason: t.reason for t in triggers}
    return Standing(scope, tuple(reasons.values()), held_quantity(scope, quantity))


def _apart(one: HoldScope, other: HoldScope) -> bool:
    ends_before = one.until is not None and other.since is not None and one.until < other.since
    begins_after = other.until is not None and one.since is not None and other.until < one.since
    return ends_before or begins_after
