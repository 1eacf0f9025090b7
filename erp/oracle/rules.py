"""What Oracle cannot book, said before anything is called: `rule-id/version: sentence`. Pure."""

from __future__ import annotations

from decimal import Decimal

from erp.oracle.quality import disposition_of
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import MOST_DIGITS, fits_number
from signals.bookings import StockKind
from signals.orders import OutputKind
from signals.stock import MaterialPosition
from signals.transactions import (
    AdjustCapacity,
    CloseOrder,
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
    Reverse,
    Transaction,
)

NEVER_REVERSED = (CloseOrder, RecordInspection, RecordNonconformance, DecideInspection)


def objection(t: Transaction, settings: OracleSettings) -> str:
    """The first rule that stands against the transaction; empty where none does."""
    return _of_quantities(t) or _of_operation(t) or _of_kind(t, settings)


def _of_quantities(t: Transaction) -> str:
    too_long = next((amount for amount in _amounts(t) if not fits_number(amount)), None)
    if too_long is None:
        return ""
    return f"oracle-quantity-digits/1: {too_long} has more than the {MOST_DIGITS} digits that a JSON number keeps"


def _amounts(t: Transaction) -> tuple[Decimal, ...]:
    match t:
        case ConfirmProduction():
            return (t.yield_quantity, t.scrap_quantity, t.rework_quantity, *(use.quantity for use in t.components))
        case IssueComponents() | ReturnComponents():
            return tuple(use.quantity for use in t.lines)
        case ReportTime():
            return tuple(activity.amount for activity in t.activities)
        case ReceiveGoods() | MoveStock() | PlaceHold() | ReleaseHold():
            return (t.quantity,)
        case _:
            return ()


def _of_operation(t: Transaction) -> str:
    operation = t.operation
    if not operation or operation.isdigit():
        return ""
    return f"oracle-operation-number/1: operation {operation!r} is no number; Oracle numbers operations 10, 20, …"


def _of_kind(t: Transaction, settings: OracleSettings) -> str:
    match t:
        case ConfirmProduction():
            return _of_receipt(t.receipt_stock, settings)
        case ReceiveGoods():
            return _of_output(t) or _of_receipt(t.stock, settings)
        case PlaceHold() | ReleaseHold():
            return _of_hold(t, settings)
        case DecideInspection() if not disposition_of(t):
            return (
                "oracle-disposition-mixed/1: an inspection event has one disposition; accepted and other quantities "
                "need events of their own"
            )
        case Reverse():
            return _of_reversal(t)
        case AdjustCapacity() if t.starts_at == t.ends_at:
            return "oracle-capacity-span/1: the change has no duration"
        case _:
            return ""


def _of_receipt(stock: StockKind, settings: OracleSettings) -> str:
    if stock is StockKind.INSPECTION:
        return (
            "oracle-receipt-stock/1: Oracle has no inspection stock; receive it as blocked, or inspect it by an event"
        )
    if stock is StockKind.BLOCKED and not settings.oracle.hold_subinventory:
        return "oracle-receipt-stock/1: a blocked receipt needs [erp.oracle] hold_subinventory"
    return ""


def _of_output(t: ReceiveGoods) -> str:
    if t.output is OutputKind.MAIN:
        return ""
    return (
        "oracle-outputs/1: a discrete work order has one product; co-products and by-products belong to process orders"
    )


def _of_hold(t: PlaceHold | ReleaseHold, settings: OracleSettings) -> str:
    if t.position is MaterialPosition.IN_WORK:
        return (
            "oracle-hold-in-work/1: there is no stock to hold yet; block its receipt, it goes to the hold subinventory"
        )
    if t.position is MaterialPosition.CONSUMED:
        return "oracle-hold-consumed/1: the material is consumed or shipped; hold the order that uses it"
    if t.batch:
        return ""
    if t.storage_location and t.storage_location == settings.oracle.hold_subinventory:
        return (
            f"oracle-hold-origin/1: {t.quantity:f} {t.unit} {t.material} lie in the hold subinventory "
            f"{t.storage_location}, and nothing says where they came from; transfer them back in Oracle"
        )
    if t.position is MaterialPosition.IN_INSPECTION:
        return "oracle-hold-in-inspection/1: material without lots is held by withholding its disposition"
    if not settings.oracle.hold_subinventory:
        return "oracle-hold-place/1: material without lots is moved to be held; set [erp.oracle] hold_subinventory"
    if not t.storage_location:
        return "oracle-hold-place/1: material without lots is moved to be held; name the subinventory where it lies"
    return ""


def _of_reversal(t: Reverse) -> str:
    if t.original is None:
        return f"oracle-reverse-original/1: Oracle books the opposite; of {t.document} only the number is known"
    if isinstance(t.original, NEVER_REVERSED):
        return f"oracle-reverse-never/1: Oracle has no way back for {t.original.type.value}; a person corrects it there"
    if isinstance(t.original, AdjustCapacity) and t.original_key is None:
        return f"oracle-reverse-original/1: the reversal of {t.document} does not name the posting that made it"
    return ""
