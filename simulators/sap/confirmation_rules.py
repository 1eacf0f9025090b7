"""What a confirmation must satisfy: units, quantities, tolerances, the sequence of operations, milestones.

These rules read the books and refuse; what they let pass is booked in confirmations.py.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from simulators.sap.books import Books
from simulators.sap.messages import Refusal
from simulators.sap.odata import quantity_text, sap_message
from simulators.sap.orders import control_profile, operations_of

ISO_UNITS = {
    "PC": ("PCE", "C62", "H87"),
    "KG": ("KGM",),
    "G": ("GRM",),
    "L": ("LTR",),
    "M": ("MTR",),
    "MIN": ("MIN",),
    "H": ("HUR",),
    "S": ("SEC",),
}


@dataclass
class Posting:
    """What one business call runs with: who posts, which faults bend it, which warnings it collects."""

    books: Books
    user: str
    manual: bool = False
    forget_keys: bool = False
    partial: bool = False
    spoiled: bool = False
    warnings: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def spoil(self) -> bool:
        """True when this call is to succeed only in part; asked where a part can be left out."""
        self.spoiled = self.spoiled or self.partial
        return self.partial

    def warn(self, code: str, text: str) -> None:
        self.warnings.append((code, text))

    def warning_header(self) -> dict[str, str]:
        return sap_message(*self.warnings[0]) if self.warnings else {}


def check_quantities(fields: dict[str, Any]) -> None:
    names = ["ConfirmationYieldQuantity", "ConfirmationScrapQuantity", "ConfirmationReworkQuantity"]
    names += [f"OpConfirmedWorkQuantity{slot}" for slot in range(1, 7)]
    for name in names:
        if fields.get(name, 0) < 0:
            raise Refusal("RU/101", f"{name} must not be negative", target=name)


def find_operation(books: Books, order: str, fields: dict[str, Any]) -> dict[str, Any]:
    row = books.one(
        "SELECT * FROM production_operation WHERE ManufacturingOrder = ? AND ManufacturingOrderOperation = ?"
        " AND ManufacturingOrderSequence = ?",
        order,
        fields["OrderOperation"],
        fields.get("Sequence", "0"),
    )
    if row is None:
        text = f"Order {order}: operation {fields['OrderOperation']} does not exist"
        raise Refusal("RU/006", text, target="OrderOperation")
    return row


def checked_unit(unit: str, fields: dict[str, Any]) -> str:
    iso = fields.pop("ConfirmationUnitISOCode", "")
    entered = fields.get("ConfirmationUnit") or fields.pop("ConfirmationUnitSAPCode", "")
    fields.pop("ConfirmationUnitSAPCode", None)
    if iso and iso not in ISO_UNITS.get(unit, (unit,)):
        entered = entered or iso
    if entered and entered != unit:
        text = f"Unit {entered} cannot be converted to the operation's unit {unit}"
        raise Refusal("RU/103", text, target="ConfirmationUnit")
    return unit


def is_final(operation: dict[str, Any], fields: dict[str, Any]) -> bool:
    """`X` or the flag: final. `1`: final when the planned quantity is reached."""
    kind = fields.get("FinalConfirmationType", "")
    if kind not in ("", "X", "1"):
        raise Refusal("RU/104", f"FinalConfirmationType '{kind}' is not '', 'X' or '1'")
    reached = operation["OpTotalConfirmedYieldQty"] + fields.get("ConfirmationYieldQuantity", 0)
    automatic = kind == "1" and reached >= operation["OpPlannedTotalQuantity"]
    return bool(kind == "X" or fields.get("IsFinalConfirmation") or automatic)


def check_over_delivery(order: dict[str, Any], operation: dict[str, Any], fields: dict[str, Any]) -> None:
    over = order["_over"]
    total = operation["OpTotalConfirmedYieldQty"] + fields.get("ConfirmationYieldQuantity", 0)
    planned = operation["OpPlannedTotalQuantity"]
    if over is None or not fields.get("ConfirmationYieldQuantity") or total * 100_000 <= planned * (100_000 + over):
        return
    name = operation["ManufacturingOrderOperation"]
    text = f"Operation {name}: yield {quantity_text(total)} exceeds the planned {quantity_text(planned)} and tolerance"
    raise Refusal("RU/105", text, target="ConfirmationYieldQuantity")


def warn(posting: Posting, order: dict[str, Any], operation: dict[str, Any], fields: dict[str, Any]) -> None:
    name = operation["ManufacturingOrderOperation"]
    if operation["_final"]:
        posting.warn("RU/106", f"Operation {name} has already been finally confirmed")
    total = operation["OpTotalConfirmedYieldQty"] + fields.get("ConfirmationYieldQuantity", 0)
    needed = operation["OpPlannedTotalQuantity"] * (100_000 - order["_under"])
    if fields["IsFinalConfirmation"] and total * 100_000 < needed:
        posting.warn("RU/107", f"Operation {name} is finally confirmed below its planned quantity")


def check_predecessors(
    books: Books, operation: dict[str, Any], fields: dict[str, Any], *, milestone: bool
) -> list[tuple[dict[str, Any], int]]:
    """Refuses more than the predecessor yielded; answers the open predecessors a milestone confirms, in order."""
    reach = operation["OpTotalConfirmedYieldQty"] + operation["_scrap"]
    reach += fields.get("ConfirmationYieldQuantity", 0) + fields.get("ConfirmationScrapQuantity", 0)
    automatic: list[tuple[dict[str, Any], int]] = []
    for predecessor in reversed(_predecessors(books, operation)):
        mode, _ = control_profile(books, predecessor)
        if mode in ("none", "external"):
            continue
        if not milestone or mode == "milestone" or _confirmed_by_itself(books, predecessor):
            _check_sequence(operation, predecessor, reach, fields)
            break
        missing = max(0, reach - predecessor["OpTotalConfirmedYieldQty"])
        if missing or (fields["IsFinalConfirmation"] and not predecessor["_final"]):
            automatic.insert(0, (predecessor, missing))
    return automatic


def _check_sequence(operation: dict[str, Any], predecessor: dict[str, Any], reach: int, fields: dict[str, Any]) -> None:
    entered = fields.get("ConfirmationYieldQuantity", 0) + fields.get("ConfirmationScrapQuantity", 0)
    if operation["_overlap"] or not entered or reach <= predecessor["OpTotalConfirmedYieldQty"]:
        return
    own, before = operation["ManufacturingOrderOperation"], predecessor["ManufacturingOrderOperation"]
    confirmed = quantity_text(predecessor["OpTotalConfirmedYieldQty"])
    text = f"Operation {own}: {quantity_text(reach)} is more than the yield {confirmed} of operation {before}"
    raise Refusal("RU/108", text, target="ConfirmationYieldQuantity")


def _predecessors(books: Books, operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        row
        for row in operations_of(books, operation["ManufacturingOrder"])
        if row["ManufacturingOrderSequence"] == operation["ManufacturingOrderSequence"]
        and row["ManufacturingOrderOperation"] < operation["ManufacturingOrderOperation"]
    ]


def _confirmed_by_itself(books: Books, operation: dict[str, Any]) -> bool:
    return (
        books.one(
            "SELECT 1 FROM confirmation WHERE ConfirmationGroup = ? AND _automatic_of = '' AND IsReversed = 0"
            " AND IsReversal = 0 LIMIT 1",
            operation["_group"],
        )
        is not None
    )


def yield_of(operation: dict[str, Any]) -> int:
    return operation["OpTotalConfirmedYieldQty"]


def confirmable(books: Books, operation: dict[str, Any]) -> bool:
    return control_profile(books, operation)[0] not in ("none", "external")


def activities_of(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By slot 1 to 6: planned and confirmed in thousandths, and the unit."""
    return json.loads(operation["_activities"])
