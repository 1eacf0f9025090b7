"""What an order posts next: a pure function of its state. One posting in flight per order (design section 5, 7).

Rules that name themselves: `predecessor-yield/1` an operation never posts more than its predecessor's posted yield
unless overlap is declared; `final-when/1` final means final; `one-bucket/1` a posting never mixes buckets.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from domain.order_state import OperationState, OrderState, PendingReport
from signals.base import ZERO
from signals.decisions import PostingMode
from signals.documents import Case, Credit
from signals.ids import posting_key
from signals.orders import ConfirmationMode, Operation, ProductionOrder
from signals.transactions import (
    ActivityAmount,
    CompleteOrder,
    ConfirmProduction,
    PostingIntent,
    Reverse,
    TransactionType,
)

COMPLETION_BLOCKERS_ONLY = ("goods_movement_shortfall",)
"""Cases that block completion but no further posting (design section 5, 5)."""

CONFIRMED = (ConfirmationMode.REQUIRED, ConfirmationMode.MILESTONE)


def confirmed_operations(order: ProductionOrder) -> list[Operation]:
    """Operations that are confirmed at all, in routing order."""
    return [o for o in order.operations if o.confirmation in CONFIRMED]


def predecessors_of(order: ProductionOrder, operation: Operation) -> list[Operation]:
    """The confirmed operations right before this one: as the order says, else by routing order within its sequence.

    One that is not confirmed is looked through: what was before it counts.
    """
    found: dict[str, Operation] = {}
    seen: set[str] = set()
    waiting = _named_before(order, operation)
    while waiting:
        named = order.find_operation(waiting.pop(0))
        if named is None or named.operation in seen:
            continue
        seen.add(named.operation)
        if named.confirmation in CONFIRMED:
            found[named.operation] = named
        else:
            waiting += _named_before(order, named)
    return list(found.values())


def _named_before(order: ProductionOrder, operation: Operation) -> list[str]:
    if operation.predecessors:
        return list(operation.predecessors)
    same = [o for o in order.operations if o.sequence == operation.sequence]
    before = [o.operation for o in same if _place(o.operation) < _place(operation.operation)]
    return [max(before, key=_place)] if before else []


def _place(number: str) -> tuple[int, str]:
    """Routing order of operation numbers, zero-padded (SAP: 0010) or not (Oracle, Dynamics: 10)."""
    bare = number.lstrip("0")
    return len(bare), bare


def expected_pieces(state: OrderState, operation: Operation) -> Decimal:
    """How many pieces the operation will see: what its predecessors yielded, at the first one what is planned."""
    assert state.order is not None
    before = predecessors_of(state.order, operation)
    return min((state.operations[b.operation].reported_yield for b in before), default=operation.planned)


def exceeds_predecessors(state: OrderState, operation: Operation) -> bool:
    """More was reported than its predecessors delivered, and nothing more will come from them."""
    assert state.order is not None
    book = state.operations[operation.operation]
    limit = _limit(state, state.order, operation, book)
    mine = [r for r in state.pending if r.bucket.operation == operation.operation]
    on_its_way = book.waiting or (state.current if _is_of(state.current, operation) else None)
    if limit is None or not mine or on_its_way or book.posted_total + _net(book, mine) <= limit:
        return False
    numbers = {b.operation for b in predecessors_of(state.order, operation)}
    open_ = any(r.bucket.operation in numbers for r in state.pending)
    return not open_ and all(_is_over(state, number) for number in numbers)


def _is_of(intent: PostingIntent | None, operation: Operation) -> bool:
    return intent is not None and intent.transaction.operation == operation.operation


def _is_over(state: OrderState, operation: str) -> bool:
    """Final, or never to be final because a cancelled order did not touch it."""
    book = state.operations[operation]
    return book.final_posted or (state.cancel_requested and book.reported_total == 0 and book.posted_total == 0)


def blocking_cases(state: OrderState, operation: str) -> list[Case]:
    """Open cases that stop an operation's postings."""
    return [
        c
        for c in state.cases
        if c.operation == operation and c.kind.value not in COMPLETION_BLOCKERS_ONLY and not c.completion_only
    ]


def next_intent(state: OrderState, today: date) -> PostingIntent | None:
    """The posting to settle next, or None when nothing can be posted now."""
    if state.current is not None:
        return state.current
    order = state.order
    if order is None or state.locked:
        return None
    for operation in confirmed_operations(order):
        book = state.operations[operation.operation]
        if blocking_cases(state, operation.operation):
            continue
        if book.waiting is not None:
            if not book.awaits_approval or str(book.waiting.key) in state.approved:
                return book.waiting
            continue
        intent = _draft(state, order, operation, book, today)
        if intent is not None:
            return intent
    return None


def _draft(
    state: OrderState, order: ProductionOrder, operation: Operation, book: OperationState, today: date
) -> PostingIntent | None:
    mine = [r for r in state.pending if r.bucket.operation == operation.operation]
    if book.final_posted and not mine:
        return None
    taken = _take(state, order, operation, book, mine)
    if mine and not taken:
        return None
    final = len(taken) == len(mine) and not book.final_posted and is_ready_for_final(state, order, operation, book)
    if not taken and not final:
        return None
    return confirm_intent(state, operation, book, taken, today, final=final)


def _take(
    state: OrderState,
    order: ProductionOrder,
    operation: Operation,
    book: OperationState,
    mine: list[PendingReport],
) -> list[PendingReport]:
    """The reports of the first bucket that fit: same bucket, not beyond the maximum or the predecessor's yield."""
    if not mine:
        return []
    limit = _limit(state, order, operation, book)
    taken: list[PendingReport] = []
    total = ZERO
    for report in mine:
        if report.bucket != mine[0].bucket:
            continue
        if taken and total + report.total > state.settings.max_quantity:
            break
        if limit is not None and book.posted_total + _net(book, [*taken, report]) > limit:
            break
        taken.append(report)
        total += report.total
    return taken


def _net(book: OperationState, reports: list[PendingReport]) -> Decimal:
    """What posting these would add: an adopted hand entry is among the operation's posted quantities already."""
    return sum((r.total for r in reports), ZERO) - sum(credit_used(book, reports), ZERO)


def _limit(state: OrderState, order: ProductionOrder, operation: Operation, book: OperationState) -> Decimal | None:
    """`predecessor-yield/1`: how much the operation may post in all; None where nothing limits it."""
    free = operation.overlap or book.beyond_predecessor_accepted or state.settings.mode is PostingMode.SHADOW
    before = predecessors_of(order, operation)
    if free or not before:
        return None
    return min(state.operations[b.operation].posted_yield for b in before)


def is_ready_for_final(state: OrderState, order: ProductionOrder, operation: Operation, book: OperationState) -> bool:
    """`final-when/1`: all pieces are in, the predecessor is final, and the evidence agrees or a person accepted it."""
    if not all(_is_over(state, b.operation) for b in predecessors_of(order, operation)):
        return False
    asked = state.complete_requested or state.cancel_requested
    if asked and (state.ask_lines or state.handing_over):
        return False
    if state.cancel_requested and book.reported_total == 0 and book.posted_total == 0:
        return False
    if not asked and (not book.ended or book.reported_total < expected_pieces(state, operation)):
        return False
    return asked or book.evidence_accepted or evidence_trouble(book) == ""


def evidence_trouble(book: OperationState) -> str:
    """What speaks against a final confirmation of an ended operation; empty when nothing does."""
    if not book.ended:
        return ""
    if book.in_line != 0:
        return f"{book.in_line} pieces entered the station and were neither good nor rejected"
    if book.second_evidence and book.second_evidence != "agrees":
        return f"second reading of the counters: {book.second_evidence}"
    return ""


def confirm_intent(
    state: OrderState,
    operation: Operation,
    book: OperationState,
    reports: list[PendingReport],
    today: date,
    *,
    final: bool,
) -> PostingIntent:
    """The confirmation that takes these reports; its key is fixed by them."""
    assert state.order is not None
    used = credit_used(book, reports)
    gross = _sums(reports)
    covered = bool(reports) and not final and gross == used
    # A covered posting sends nothing; its claim says what the reports say.
    quantity, scrap, rework = gross if covered else tuple(g - u for g, u in zip(gross, used, strict=True))
    ids = [r.report_id for r in reports]
    if final:
        ids.append(f"final:{state.order_id}:{operation.operation}")
    key = posting_key(
        state.plant, state.order_id, operation.operation, TransactionType.CONFIRM_PRODUCTION.value, ids, book.revision
    )
    bucket = reports[0].bucket if reports else None
    transaction = ConfirmProduction(
        plant=state.plant,
        order=state.order_id,
        operation=operation.operation,
        sequence=operation.sequence,
        work_centre=operation.work_centre,
        batch=bucket.batch if bucket else "",
        yield_quantity=quantity,
        scrap_quantity=scrap,
        rework_quantity=rework,
        unit=operation.unit,
        reason=bucket.reason if bucket else "",
        person=bucket.person if bucket else "",
        shift=bucket.shift if bucket else "",
        component_lot=bucket.component_lot if bucket else "",
        component_material=bucket.component_material if bucket else "",
        posting_date=bucket.posting_date if bucket else book.last_posting_date or today,
        final=final,
        started_at=min((r.first_at for r in reports), default=None),
        ended_at=max((r.last_at for r in reports), default=None),
        activities=_activities(state, reports),
    )
    credit = None
    if any(used):
        credit = Credit(
            operation=operation.operation, yield_quantity=used[0], scrap_quantity=used[1], rework_quantity=used[2]
        )
    return PostingIntent(
        key=key,
        transaction=transaction,
        report_ids=tuple(ids),
        revision=book.revision,
        credit=credit,
        covered=covered,
    )


def credit_used(book: OperationState, reports: list[PendingReport]) -> tuple[Decimal, Decimal, Decimal]:
    """How much of an adopted hand entry these reports use up: yield, scrap, rework."""
    if book.credit is None:
        return ZERO, ZERO, ZERO
    good, scrap, rework = _sums(reports)
    credit = book.credit
    return min(good, credit.yield_quantity), min(scrap, credit.scrap_quantity), min(rework, credit.rework_quantity)


def _sums(reports: list[PendingReport]) -> tuple[Decimal, Decimal, Decimal]:
    """Yield, scrap, rework."""
    return (
        sum((r.yield_quantity for r in reports), ZERO),
        sum((r.scrap_quantity for r in reports), ZERO),
        sum((r.rework_quantity for r in reports), ZERO),
    )


def _activities(state: OrderState, reports: list[PendingReport]) -> tuple[ActivityAmount, ...]:
    slot = state.settings.machine_activity
    seconds = sum((r.machine_seconds for r in reports), ZERO)
    if slot is None or seconds == 0:
        return ()
    return (ActivityAmount(slot=slot, amount=(seconds / 60).quantize(Decimal("0.001")), unit="MIN"),)


def everything_final(state: OrderState) -> bool:
    """All confirmed operations are final (those a cancelled order never touched do not count).

    An order without any operation to confirm ends when a person says so.
    """
    assert state.order is not None
    if not confirmed_operations(state.order) and not (state.complete_requested or state.cancel_requested):
        return False
    operations = [state.operations[o.operation] for o in confirmed_operations(state.order)]
    if state.cancel_requested:
        operations = [o for o in operations if o.reported_total or o.posted_total]
    return all(o.final_posted for o in operations) and not state.pending


def completion_intent(state: OrderState, today: date) -> PostingIntent:
    """Technical completion; its effect is the order's status, so repeating it is harmless."""
    claim = f"complete:{state.order_id}"
    key = posting_key(state.plant, state.order_id, "", TransactionType.COMPLETE_ORDER.value, [claim], 0)
    transaction = CompleteOrder(plant=state.plant, order=state.order_id, posting_date=today)
    return PostingIntent(key=key, transaction=transaction, report_ids=(claim,))


def reversal_intent(state: OrderState, case: Case, today: date) -> PostingIntent:
    """Reversal of a document a case names, with its own key that names the original."""
    claim = f"reverse:{case.document}"
    key = posting_key(state.plant, state.order_id, case.operation, TransactionType.REVERSE.value, [claim], 0)
    transaction = Reverse(
        plant=state.plant, order=state.order_id, operation=case.operation, document=case.document, posting_date=today
    )
    return PostingIntent(key=key, transaction=transaction, report_ids=(claim,))
