"""SAP's own rules that need no call: what a field cannot hold, what has no route. Named `sap-…/version`.

Lengths are those of the contracts (reference erp.md 1.2 to 1.6).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

from pydantic import BaseModel

from erp.sap.defects import defect_code
from erp.sap.inspections import MIXED, decision_code
from erp.sap.odata import LARGEST_QUANTITY, SMALLEST_QUANTITY
from erp.sap.settings import SapSettings, Units
from erp.sap.steps import is_lot_posting
from signals.bookings import StockKind
from signals.orders import OutputKind
from signals.quality import DecideInspection, RecordNonconformance
from signals.stock import MaterialPosition, MoveStock, PlaceHold, ReceiveGoods, ReleaseHold, ScrapStock
from signals.transactions import ConfirmProduction, ReportTime, Reverse, Transaction
from signals.upkeep import AdjustCapacity

LENGTHS = {
    "order": 12,
    "operation": 4,
    "sequence": 6,
    "material": 40,
    "component_material": 40,
    "batch": 10,
    "component_lot": 10,
    "storage_location": 4,
    "from_location": 4,
    "to_location": 4,
    "work_centre": 8,
    "asset": 40,
    "notification": 12,
    "inspection_lot": 12,
    "reservation": 10,
    "reservation_item": 4,
    "serial": 18,
}
SERIAL_LENGTH, UNIT_LENGTH = 18, 3
QUANTITIES = ("quantity", "yield_quantity", "scrap_quantity", "rework_quantity", "amount")
SHORTEST_CAPACITY_CHANGE = timedelta(hours=4)

Rule = Callable[[Transaction, SapSettings], str]


def broken_rule(transaction: Transaction, settings: SapSettings) -> str:
    """The first rule that the transaction breaks, as `rule-id/version: sentence`; empty where none."""
    return next((told for rule in RULES if (told := rule(transaction, settings))), "")


def _fields_fit(transaction: Transaction, settings: SapSettings) -> str:
    for part in _parts(transaction):
        for name, length in LENGTHS.items():
            value = getattr(part, name, "")
            if isinstance(value, str) and len(value) > length:
                return f"sap-length/1: {name} {value!r} has {len(value)} characters, SAP takes {length}"
        for serial in getattr(part, "serials", ()):
            if len(serial) > SERIAL_LENGTH:
                return f"sap-length/1: serial number {serial!r} has {len(serial)} characters, SAP takes {SERIAL_LENGTH}"
    return ""


def _quantities_fit(transaction: Transaction, settings: SapSettings) -> str:
    for part in _parts(transaction):
        for name in QUANTITIES:
            value = getattr(part, name, None)
            if isinstance(value, Decimal) and (value != value.quantize(SMALLEST_QUANTITY) or value >= LARGEST_QUANTITY):
                return (
                    f"sap-quantity/1: SAP takes {name} with 10 digits before and 3 after the point, not {value}; "
                    "round it to the unit's decimals"
                )
    return ""


def _units_fit(transaction: Transaction, settings: SapSettings) -> str:
    units = Units(settings.units)
    for part in _parts(transaction):
        unit = units.theirs(str(getattr(part, "unit", "")))
        if len(unit) > UNIT_LENGTH:
            return f"sap-unit/1: SAP's units have {UNIT_LENGTH} characters, {unit!r} has more; map it in [erp.units]"
    return ""


def _slots_differ(transaction: Transaction, settings: SapSettings) -> str:
    if not isinstance(transaction, (ConfirmProduction, ReportTime)):
        return ""
    doubled = [slot for slot, times in Counter(a.slot for a in transaction.activities).items() if times > 1]
    return (
        f"sap-activity-slot/1: slot {doubled[0]} is given twice; a confirmation has one amount each" if doubled else ""
    )


def _hold_has_route(transaction: Transaction, settings: SapSettings) -> str:
    hold = transaction.original if isinstance(transaction, Reverse) else transaction
    if not isinstance(hold, (PlaceHold, ReleaseHold, ScrapStock)):
        return ""
    place = hold.position
    if place is MaterialPosition.IN_WORK:
        return (
            f"sap-hold-in-work/1: hold {hold.hold}: what is still in work has no stock to block; it is held here, "
            "and its receipt goes to blocked stock"
        )
    if place is MaterialPosition.CONSUMED:
        return f"sap-hold-consumed/1: hold {hold.hold}: what is consumed or shipped is held by what it went into"
    if place is MaterialPosition.IN_INSPECTION:
        return _inspection_hold(transaction, hold)
    if place is MaterialPosition.UNRESTRICTED and not hold.storage_location:
        return f"sap-hold-location/1: hold {hold.hold}: stock is blocked where it lies; name the storage location"
    return ""


def _inspection_hold(transaction: Transaction, hold: PlaceHold | ReleaseHold | ScrapStock) -> str:
    if not isinstance(hold, PlaceHold) or isinstance(transaction, Reverse):
        return (
            f"sap-release-inspection/1: hold {hold.hold}: stock of an inspection lot leaves only by its usage "
            "decision; decide the lot"
        )
    if not hold.inspection_lot:
        return f"sap-hold-inspection/1: hold {hold.hold}: the inspection lot whose decision is withheld is not named"
    return ""


def _transfer_moves(transaction: Transaction, settings: SapSettings) -> str:
    if isinstance(transaction, MoveStock) and transaction.from_location == transaction.to_location:
        return f"sap-transfer/1: {transaction.material} is in {transaction.from_location} already"
    return ""


def _serials_count(transaction: Transaction, settings: SapSettings) -> str:
    """SAP refuses a document with another number of serial numbers than pieces (M7/175)."""
    for part in _parts(transaction):
        serials = getattr(part, "serials", ())
        pieces = getattr(part, "yield_quantity", getattr(part, "quantity", None))
        if serials and pieces is not None and len(serials) != pieces:
            return f"sap-serials/1: {len(serials)} serial numbers for {pieces} pieces; SAP wants one for each"
    return ""


def _by_product_is_free(transaction: Transaction, settings: SapSettings) -> str:
    if (
        isinstance(transaction, ReceiveGoods)
        and transaction.output is OutputKind.BY_PRODUCT
        and transaction.stock is StockKind.INSPECTION
    ):
        return f"sap-by-product/1: {transaction.material}: SAP inspects order items, not by-products of a reservation"
    return ""


def _defect_is_mapped(transaction: Transaction, settings: SapSettings) -> str:
    if not isinstance(transaction, RecordNonconformance):
        return ""
    group, code = defect_code(transaction.defect, settings)
    if group and code:
        return ""
    return (
        f"sap-defect-code/1: nonconformance {transaction.nonconformance}: no defect code for {transaction.defect!r}; "
        "set defect_codes and defect_code_group in [erp.sap]"
    )


def _decision_is_mapped(transaction: Transaction, settings: SapSettings) -> str:
    if not isinstance(transaction, DecideInspection) or is_lot_posting(transaction):
        return ""
    kinds = {part.kind for part in transaction.dispositions}
    group, code = decision_code(transaction, settings)
    if group and code and settings.sap.usage_decision_set:
        return ""
    word = transaction.code or (next(iter(kinds)).value if len(kinds) == 1 else MIXED)
    return (
        f"sap-usage-decision/1: inspection lot {transaction.inspection_lot}: no usage decision code for {word!r}; set "
        f'usage_decision_set and usage_decision_codes = {{ {word} = "GROUP/CODE" }} in [erp.sap]'
    )


def _capacity_is_coarse(transaction: Transaction, settings: SapSettings) -> str:
    if not isinstance(transaction, AdjustCapacity):
        return ""
    if transaction.ends_at - transaction.starts_at < SHORTEST_CAPACITY_CHANGE:
        return (
            f"sap-capacity-days/1: SAP's capacity intervals are whole days; a change of less than "
            f"{SHORTEST_CAPACITY_CHANGE.seconds // 3600} h cannot be said in them"
        )
    if transaction.available_percent != transaction.available_percent.to_integral_value():
        return f"sap-capacity-percent/1: SAP takes whole percents of capacity, not {transaction.available_percent}"
    return ""


RULES: tuple[Rule, ...] = (
    _fields_fit,
    _quantities_fit,
    _units_fit,
    _slots_differ,
    _hold_has_route,
    _transfer_moves,
    _serials_count,
    _by_product_is_free,
    _defect_is_mapped,
    _decision_is_mapped,
    _capacity_is_coarse,
)


def _parts(transaction: Transaction) -> Iterator[BaseModel]:
    """The transaction and its lines."""
    yield transaction
    for name in ("lines", "components", "activities", "dispositions"):
        yield from getattr(transaction, name, ())
