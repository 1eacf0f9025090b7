"""API_INSPECTIONLOT_SRV: lots, usage decisions, and the stock postings by which alone a lot's stock leaves inspection.

Results per characteristic are in inspection_results.py.
"""

from collections.abc import Callable
from typing import Any

from simulators.sap import goods, goods_documents, inspection_results
from simulators.sap.books import Books, later_instant, today_ms
from simulators.sap.call import Call, require_match
from simulators.sap.confirmation_rules import Posting
from simulators.sap.edm_quality import DECISION, LOT, LOT_POSTING
from simulators.sap.inspection_lots import (
    MANUAL_ORIGIN,
    change_lot,
    create,
    find_lot,
    named_lot,
    quality_refusal,
    require_open,
)
from simulators.sap.job import Job, changed, created
from simulators.sap.messages import Refusal, method_not_allowed
from simulators.sap.movements import INSPECTION, Header, Line
from simulators.sap.odata import Answer, quantity_text
from simulators.sap.orders import find_order
from simulators.sap.payload import parse_body, parse_entity
from simulators.sap.reading import Address, find_entity, parse_keys

# The lot's quantity fields, as the original numbers them: where a posting takes the stock.
STOCK_TYPES = {
    "VMENGE01": ("321", "04", "InspLotQtyToFree"),
    "VMENGE02": ("553", "03", "InspLotQtyToScrap"),
    "VMENGE04": ("350", "04", "InspLotQtyToBlocked"),
}
_LOT_CREATE = frozenset(
    {"Material", "Plant", "Batch", "InspectionLotStorageLocation", "InspectionLotType", "InspectionLotOrigin"}
    | {"InspectionLotObjectText", "InspLotExternalNumber", "ManufacturingOrder", "InspectionLotQuantity"}
    | {"InspectionLotQuantityUnit", "InspectionLotSampleQuantity", "InspectionLotStartDate", "InspectionLotEndDate"}
)
_LOT_CHANGE = frozenset(
    {"InspectionLotObjectText", "InspLotExternalNumber", "InspectionLotSampleQuantity", "InspectionLotStartDate"}
    | {"InspectionLotEndDate"}
)
_DECISION_FIELDS = frozenset(DECISION.properties) - {
    "InspLotUsageDecisionValuation",
    "InspectionLotUsageDecidedBy",
    "InspLotUsageDecidedOn",
    "ChangedDateTime",
}


def find_job(books: Books, call: Call, address: Address) -> Job | None:
    if len(address.segments) != 1:
        return None
    name, predicate = address.segments[0].name, address.segments[0].predicate
    work = _CREATES.get(name) if call.method == "POST" else _CHANGES.get(name) if call.method == "PATCH" else None
    if work is None or (predicate is None) != (call.method == "POST"):
        raise method_not_allowed(call.method, name)
    return Job(frozenset(), lambda posting: work(posting, call, predicate or ""))


def _create_lot(posting: Posting, call: Call, _: str) -> Answer:
    """A lot made by hand inspects without stock of its own. `partial`: it lacks its order's characteristics."""
    books = posting.books
    values, _rows = parse_entity(LOT, parse_body(call), "")
    fields = {name: value for name, value in values.items() if name in _LOT_CREATE}
    if not books.one("SELECT 1 FROM material WHERE material = ?", fields.get("Material", "")):
        raise Refusal("M3/305", f"The material {fields.get('Material') or '(none)'} does not exist", target="Material")
    for name in ("Plant", "InspectionLotQuantity"):
        if not fields.get(name):
            raise quality_refusal("205", f"Enter {name}", name)
    if fields.get("ManufacturingOrder"):
        fields["ManufacturingOrder"] = find_order(books, fields["ManufacturingOrder"])["ManufacturingOrder"]
    if posting.forget_keys:
        fields["InspLotExternalNumber"] = ""
    defaults = {"InspectionLotOrigin": MANUAL_ORIGIN, "InspectionLotType": MANUAL_ORIGIN}
    lot = create(books, posting.user, defaults | fields)
    if posting.partial and _characteristics(books, lot["InspectionLot"]) and posting.spoil():
        books.execute("DELETE FROM inspection_characteristic WHERE InspectionLot = ?", lot["InspectionLot"])
        posting.warn("QA/451", "The inspection lot was created without characteristics")
    return created(call, LOT, lot, posting)


def _characteristics(books: Books, lot: str) -> list[dict[str, Any]]:
    return books.all("SELECT * FROM inspection_characteristic WHERE InspectionLot = ?", lot)


def _change_lot(posting: Posting, call: Call, predicate: str) -> Answer:
    books = posting.books
    lot = find_lot(books, parse_keys(LOT, predicate)["InspectionLot"])
    require_match(call, LOT, lot)
    require_open(lot)
    values, _ = parse_entity(LOT, parse_body(call), "")
    for name, value in values.items():
        if name not in _LOT_CHANGE and value != lot[name]:
            raise quality_refusal("204", f"Property {name} of an inspection lot cannot be changed", name)
    changes = {name: value for name, value in values.items() if name in _LOT_CHANGE}
    if posting.forget_keys and "InspLotExternalNumber" in changes:
        changes["InspLotExternalNumber"] = ""
    return changed(LOT, change_lot(books, lot, changes), posting)


def _create_decision(posting: Posting, call: Call, _: str) -> Answer:
    values, _rows = parse_entity(DECISION, parse_body(call), "")
    return created(call, DECISION, decide(posting, values), posting)


def decide(posting: Posting, values: dict[str, Any], *, force: bool = False) -> dict[str, Any]:
    """Books the usage decision; `force` passes open characteristics over, as a person may.

    `partial`: the decision stands, the stock posting that its code asks for failed.
    """
    books = posting.books
    lot = named_lot(books, values.get("InspectionLot", ""))
    require_open(lot)
    if not force:
        _require_results(books, lot)
    row, code = _decided(posting, {name: value for name, value in values.items() if name in _DECISION_FIELDS})
    row |= {"InspectionLot": lot["InspectionLot"], "ChangedDateTime": later_instant(lot["ChangedDateTime"])}
    books.insert(DECISION.table, row)
    completed = "" if lot["InspLotQtyToBePosted"] else "X"
    changes = {"InspectionLotHasUsageDecision": "X", "InspLotIsStockPostingCompleted": completed}
    lot = change_lot(books, lot, changes | {"InspectionLotEndDate": today_ms()})
    if code["posting"] and lot["InspLotQtyToBePosted"]:
        if posting.spoil():
            posting.warn("QA/450", f"The stock of inspection lot {lot['InspectionLot']} could not be posted")
        else:
            post_stock(posting, lot, code["posting"], lot["InspLotQtyToBePosted"], {})
    return find_entity(books, DECISION, {"InspectionLot": lot["InspectionLot"]})


def _require_results(books: Books, lot: dict[str, Any]) -> None:
    for row in _characteristics(books, lot["InspectionLot"]):
        closed = books.one(
            "SELECT 1 FROM inspection_result WHERE InspectionLot = ? AND InspPlanOperationInternalID = ?"
            " AND InspectionCharacteristic = ? AND _closed = 1",
            row["InspectionLot"],
            row["InspPlanOperationInternalID"],
            row["InspectionCharacteristic"],
        )
        if row["InspSpecIsRequired"] and closed is None:
            text = f"Required characteristic {row['InspectionCharacteristic']} of lot {row['InspectionLot']} is open"
            raise quality_refusal("211", text, "InspectionLot")


def _decided(posting: Posting, row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row with what the code decides, and the code."""
    group, code = row.get("InspLotUsageDecisionCodeGroup", ""), row.get("InspectionLotUsageDecisionCode", "")
    known = posting.books.one("SELECT * FROM usage_decision_code WHERE code_group = ? AND code = ?", group, code)
    if known is None:
        text = f"Usage decision code {group}/{code} does not exist in the selected set"
        raise quality_refusal("210", text, "InspectionLotUsageDecisionCode")
    score = row.get("InspectionLotQualityScore", 0)
    if score % 1000 or not 0 <= score <= 100_000:
        text = "InspectionLotQualityScore must be a whole number from 0 to 100"
        raise quality_refusal("212", text, "InspectionLotQualityScore")
    decided = {
        "InspLotUsageDecisionCatalog": row.get("InspLotUsageDecisionCatalog") or "3",
        "InspLotUsageDecisionValuation": known["valuation"],
        "InspectionLotUsageDecidedBy": posting.user,
        "InspLotUsageDecidedOn": today_ms(),
    }
    return row | decided, known


def _change_decision(posting: Posting, call: Call, predicate: str) -> Answer:
    """Another code is another opinion; stock that was posted stays where it is."""
    books = posting.books
    key = {"InspectionLot": find_lot(books, parse_keys(DECISION, predicate)["InspectionLot"])["InspectionLot"]}
    row = find_entity(books, DECISION, key)
    require_match(call, DECISION, row)
    values, _ = parse_entity(DECISION, parse_body(call), "")
    kept = {name: value for name, value in values.items() if name in _DECISION_FIELDS and name != "InspectionLot"}
    new, _ = _decided(posting, row | kept)
    new["ChangedDateTime"] = later_instant(row["ChangedDateTime"])
    books.update(DECISION.table, new, **key)
    change_lot(books, find_lot(books, key["InspectionLot"]), {})
    return changed(DECISION, find_entity(books, DECISION, key), posting)


def _create_posting(posting: Posting, call: Call, _: str) -> Answer:
    values, _rows = parse_entity(LOT_POSTING, parse_body(call), "")
    lot = named_lot(posting.books, values.get("InspectionLot", ""))
    if not lot["InspectionLotHasUsageDecision"] or lot["InspectionLotIsCancelled"]:
        text = f"Stock of inspection lot {lot['InspectionLot']} is posted after its usage decision only"
        raise quality_refusal("223", text, "InspectionLot")
    for name, own in (("InspLotBatchTransferredTo", "Batch"), ("InspLotMaterialPostedTo", "Material")):
        if values.get(name, "") not in ("", lot[own]):
            raise quality_refusal("222", f"Posting to another {own.lower()} is not supported here", name)
    kind, quantity = values.get("UsageDecisionStockType", ""), values.get("InspLotQtyPosted", 0)
    row = post_stock(posting, lot, kind, quantity, values)
    return created(call, LOT_POSTING, row, posting)


def post_stock(
    posting: Posting, lot: dict[str, Any], kind: str, quantity: int, values: dict[str, Any]
) -> dict[str, Any]:
    """One posting of a decided lot's stock as a material document of its own."""
    books = posting.books
    if kind not in STOCK_TYPES:
        text = f"UsageDecisionStockType '{kind}' is not one of {', '.join(STOCK_TYPES)}"
        raise quality_refusal("221", text, "UsageDecisionStockType")
    left = lot["InspLotQtyToBePosted"]
    if not 0 < quantity <= left:
        text = f"Lot {lot['InspectionLot']}: {quantity_text(quantity)} of {quantity_text(left)} cannot be posted"
        raise quality_refusal("220", text, "InspLotQtyPosted")
    movement, code, field = STOCK_TYPES[kind]
    place, target = lot["InspectionLotStorageLocation"], values.get("StorageLocation", "")
    text = "" if posting.forget_keys else values.get("MaterialDocumentItemText", "")
    line = Line(
        movement=movement,
        material=lot["Material"],
        plant=lot["Plant"],
        quantity=quantity,
        unit=lot["InspectionLotQuantityUnit"],
        storage_location=place,
        other_location="" if target in ("", place) else target,
        batch=lot["Batch"],
        order=lot["ManufacturingOrder"],
        text=text,
        serials=_serials(books, lot, quantity),
        lot=lot["InspectionLot"],
    )
    goods.check_period(books, today_ms())
    header = Header(
        today_ms(), code=code, text=f"Inspection lot {lot['InspectionLot']}", user=posting.user, manual=posting.manual
    )
    year, number = goods_documents.record(books, header, goods.post(books, line))
    completed = "X" if quantity == left else ""
    changes = {field: lot[field] + quantity, "InspLotQtyToBePosted": left - quantity}
    change_lot(books, lot, changes | {"InspLotIsStockPostingCompleted": completed})
    row = {
        "InspectionLot": lot["InspectionLot"],
        "MaterialDocumentYear": year,
        "MaterialDocument": number,
        "MaterialDocumentItem": "1",
        "UsageDecisionStockType": kind,
        "InspLotQtyPosted": quantity,
        "InspectionLotQuantityUnit": lot["InspectionLotQuantityUnit"],
        "StorageLocation": target or place,
        "MaterialDocumentItemText": text,
    }
    books.insert(LOT_POSTING.table, row)
    key = {name: row[name] for name in LOT_POSTING.keys}
    return find_entity(books, LOT_POSTING, key)


def _serials(books: Books, lot: dict[str, Any], quantity: int) -> tuple[str, ...]:
    """The lot's pieces that are still in inspection, as many as are posted; the API names none."""
    found = books.all(
        "SELECT n.serial FROM serial_number n JOIN serial_movement m ON m.Material = n.material"
        " AND m.SerialNumber = n.serial WHERE m.MaterialDocumentYear = ? AND m.MaterialDocument = ?"
        " AND m.MaterialDocumentItem = ? AND n.stock_type = ? ORDER BY n.serial LIMIT ?",
        lot["MaterialDocumentYear"],
        lot["MaterialDocument"],
        lot["MaterialDocumentItem"],
        INSPECTION,
        quantity // 1000,
    )
    return tuple(row["serial"] for row in found)


_Work = Callable[[Posting, Call, str], Answer]
_CREATES: dict[str, _Work] = {
    "A_InspectionLot": _create_lot,
    "A_InspectionResult": inspection_results.create_result,
    "A_InspectionResultValue": inspection_results.add_value,
    "A_InspLotUsageDecision": _create_decision,
    "A_InspLotMatlDocItem": _create_posting,
}
_CHANGES: dict[str, _Work] = {
    "A_InspectionLot": _change_lot,
    "A_InspectionResult": inspection_results.change_result,
    "A_InspLotUsageDecision": _change_decision,
}
