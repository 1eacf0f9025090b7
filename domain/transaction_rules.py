"""Rules that every transaction must pass before an ERP sees it (need 9). Each names itself: id and version.

Pure: the order is what the ERP last told of it, None where the transaction belongs to no order. An ERP's own limits
(field lengths, decimals) are its adapter's rules. Source of the rules: reference erp.md 1.3 to 1.6, 4.1 and 4.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation

from signals.base import Message
from signals.bookings import StockKind
from signals.orders import ConfirmationMode, OutputKind, ProductionOrder
from signals.quality import CharacteristicResult
from signals.stock import MaterialPosition
from signals.transactions import (
    ConfirmProduction,
    DecideInspection,
    IssueComponents,
    MoveStock,
    PlaceHold,
    ReceiveGoods,
    RecordInspection,
    RecordNonconformance,
    ReleaseHold,
    ReportTime,
    ReturnComponents,
    ScrapStock,
    Transaction,
)


class Checked(Message):
    """What the rules say: those that were passed, and the first one that was not, with its sentence."""

    passed: tuple[str, ...] = ()
    violated: str = ""
    message: str = ""


Rule = Callable[[Transaction, ProductionOrder | None], str]
"""Returns what is wrong as a sentence that names the object, or an empty string."""


def check_transaction(transaction: Transaction, order: ProductionOrder | None) -> Checked:
    """Run all rules; the first violation ends it, because later ones may follow from it."""
    passed: list[str] = []
    for name, rule in RULES.items():
        message = rule(transaction, order)
        if message:
            return Checked(passed=tuple(passed), violated=name, message=message)
        passed.append(name)
    return Checked(passed=tuple(passed))


def _ends_after_start(t: Transaction, order: ProductionOrder | None) -> str:
    if not isinstance(t, ConfirmProduction | ReportTime) or t.started_at is None or t.ended_at is None:
        return ""
    return "" if t.started_at <= t.ended_at else f"order {t.order} operation {t.operation}: it ends before it starts"


def _quantity_is_positive(t: Transaction, order: ProductionOrder | None) -> str:
    empty: list[str] = []
    match t:
        case IssueComponents() | ReturnComponents():
            empty = [line.material for line in t.lines if line.quantity <= 0]
        case ReceiveGoods() | MoveStock() | PlaceHold() | ReleaseHold() | ScrapStock() | RecordNonconformance():
            empty = [t.material] if t.quantity <= 0 else []
        case DecideInspection():
            empty = [t.material] if sum(d.quantity for d in t.dispositions) <= 0 else []
        case ReportTime():
            empty = [f"slot {a.slot}" for a in t.activities if a.amount <= 0]
        case _:
            pass
    return f"{t.lane}: nothing to book for {', '.join(empty)}; give a quantity above zero" if empty else ""


def _serials_match(t: Transaction, order: ProductionOrder | None) -> str:
    """As many serial numbers as pieces, each once; an order with a serial profile receives by serial number."""
    claims: list[tuple[str, tuple[str, ...], Decimal]] = []
    match t:
        case ReceiveGoods() | MoveStock() | PlaceHold() | ReleaseHold() | ScrapStock():
            claims = [(t.material, t.serials, t.quantity)]
        case ConfirmProduction():
            claims = [(f"operation {t.operation}", t.serials, t.yield_quantity)]
        case IssueComponents() | ReturnComponents():
            claims = [(line.material, line.serials, line.quantity) for line in t.lines]
        case _:
            pass
    for what, serials, quantity in claims:
        twice = [s for s, n in Counter(serials).items() if n > 1]
        if twice:
            return f"{t.lane}, {what}: serial number {twice[0]} is named twice"
        if serials and len(serials) != quantity:
            return f"{t.lane}, {what}: {len(serials)} serial numbers for {quantity:f} pieces"
    serialised = order is not None and order.serial_profile and isinstance(t, ReceiveGoods)
    if serialised and t.output is OutputKind.MAIN and not t.serials:  # type: ignore[union-attr]
        return f"order {t.order}: its output is serialised; name the serial numbers that are received"
    return ""


def _operation_is_known(t: Transaction, order: ProductionOrder | None) -> str:
    if order is None or not isinstance(t, ConfirmProduction | ReportTime | IssueComponents | ReturnComponents):
        return ""
    if not t.operation:
        return ""
    return "" if order.find_operation(t.operation) else f"order {t.order} has no operation {t.operation}"


def _operation_takes_confirmations(t: Transaction, order: ProductionOrder | None) -> str:
    operation = order.find_operation(t.operation) if order and isinstance(t, ConfirmProduction) else None
    if operation is None or operation.confirmation in (ConfirmationMode.REQUIRED, ConfirmationMode.MILESTONE):
        return ""
    return f"order {t.order} operation {t.operation}: its control profile takes no confirmation"


def _unit_is_the_orders(t: Transaction, order: ProductionOrder | None) -> str:
    operation = order.find_operation(t.operation) if order and isinstance(t, ConfirmProduction) else None
    if operation is None or not isinstance(t, ConfirmProduction) or t.unit == operation.unit:
        return ""
    return f"order {t.order} operation {t.operation}: counted in {t.unit}, the operation is in {operation.unit}"


def _output_is_the_orders(t: Transaction, order: ProductionOrder | None) -> str:
    if order is None or not isinstance(t, ReceiveGoods) or not order.outputs:
        return ""
    if any(o.material == t.material and o.kind is t.output for o in order.outputs):
        return ""
    return f"order {t.order} does not deliver {t.material} as {t.output.value.replace('_', ' ')}"


def _received_once(t: Transaction, order: ProductionOrder | None) -> str:
    """Goods receipt is automatic or explicit, never both (reference erp.md 4.2)."""
    if order is None or not isinstance(t, ReceiveGoods) or t.output is not OutputKind.MAIN:
        return ""
    automatic = [o.operation for o in order.operations if o.automatic_receipt]
    if not automatic or t.stock is StockKind.BLOCKED:
        return ""
    return f"order {t.order}: operation {automatic[-1]} receives by itself; a receipt of its own would be a second one"


def _hold_has_a_route(t: Transaction, order: ProductionOrder | None) -> str:
    if not isinstance(t, PlaceHold | ReleaseHold | ScrapStock):
        return ""
    match t.position:
        case MaterialPosition.IN_WORK:
            why = "the material is still in work: there is no stock to block; its receipt goes to blocked stock instead"
        case MaterialPosition.CONSUMED:
            why = "the material is consumed or shipped: hold the order that uses it"
        case MaterialPosition.IN_INSPECTION if not t.inspection_lot:
            why = "stock in inspection is held by its lot: name the inspection lot"
        case _:
            why = ""
    return f"hold {t.hold}: {why}" if why else ""


def _moves_somewhere(t: Transaction, order: ProductionOrder | None) -> str:
    if not isinstance(t, MoveStock) or t.from_location != t.to_location:
        return ""
    return f"stock of {t.material}: from and to are both {t.from_location}"


def _slots_once(t: Transaction, order: ProductionOrder | None) -> str:
    if not isinstance(t, ConfirmProduction | ReportTime):
        return ""
    twice = [slot for slot, n in Counter(a.slot for a in t.activities).items() if n > 1]
    return f"order {t.order} operation {t.operation}: activity slot {twice[0]} is given twice" if twice else ""


def _verdicts_fit(t: Transaction, order: ProductionOrder | None) -> str:
    """A result says passed exactly when its value lies within the limits it carries."""
    wrong = [r for r in t.results if not _fits(r)] if isinstance(t, RecordInspection) else []
    if not wrong:
        return ""
    r = wrong[0]
    verdict = "passed" if r.passed else "failed"
    return f"inspection {t.subject}: {r.characteristic} = {r.value} is called {verdict} within {r.lower} to {r.upper}"


def _fits(result: CharacteristicResult) -> bool:
    limits = [(result.lower, -1), (result.upper, 1)]
    try:
        value = Decimal(result.value)
        inside = all(not text or (value - Decimal(text)) * side <= 0 for text, side in limits)
    except InvalidOperation:
        return True  # a code, not a measurement
    return not any(text for text, _ in limits) or inside == result.passed


def _is_released(t: Transaction, order: ProductionOrder | None) -> str:
    """Material goes free only where something is left to free: a release names what placed the hold, or its lot."""
    if not isinstance(t, ReleaseHold | ScrapStock) or t.position is not MaterialPosition.IN_INSPECTION:
        return ""
    return f"hold {t.hold}: stock of lot {t.inspection_lot} leaves by the usage decision, not by a posting of its own"


RULES: dict[str, Rule] = {
    "ends-after-start/1": _ends_after_start,
    "quantity-positive/1": _quantity_is_positive,
    "serials-match/1": _serials_match,
    "operation-known/1": _operation_is_known,
    "operation-confirmable/1": _operation_takes_confirmations,
    "unit-of-operation/1": _unit_is_the_orders,
    "output-of-order/1": _output_is_the_orders,
    "received-once/1": _received_once,
    "hold-route/1": _hold_has_a_route,
    "inspection-leaves-by-decision/1": _is_released,
    "move-somewhere/1": _moves_somewhere,
    "activity-slots-once/1": _slots_once,
    "verdict-fits-limits/1": _verdicts_fit,
}
"""By name and version, in the order in which they run. A changed rule gets a new version."""


def rule_names() -> Iterable[str]:
    """Names of all rules in force."""
    return RULES.keys()
