"""API_DEFECT_SRV: defect records, created, changed and deleted. They carry no ETag and move no stock."""

from typing import Any

from simulators.sap.books import Books, clock_text, instant, later_instant, today_ms
from simulators.sap.call import Call
from simulators.sap.confirmation_rules import Posting
from simulators.sap.edm_quality import DEFECT
from simulators.sap.inspection_lots import named_lot, quality_refusal
from simulators.sap.job import Job, changed, created
from simulators.sap.messages import Refusal, method_not_allowed
from simulators.sap.odata import Answer
from simulators.sap.orders import find_order
from simulators.sap.payload import parse_body, parse_entity
from simulators.sap.reading import Address, find_entity, parse_keys

_DECIDED_HERE = frozenset(
    {"DefectInternalID", "Defect", "CreationDate", "CreationTime", "CreatedByUser", "LastChangeDateTime"}
)


def find_job(books: Books, call: Call, address: Address) -> Job | None:
    if len(address.segments) != 1 or address.segments[0].name != DEFECT.set_name:
        return None
    predicate = address.segments[0].predicate
    match call.method:
        case "POST" if predicate is None:
            return Job(frozenset(), lambda posting: _create(posting, call))
        case "PATCH" | "PUT" if predicate is not None:
            return Job(frozenset(), lambda posting: _change(posting, call, predicate))
        case "DELETE" if predicate is not None:
            return Job(frozenset(), lambda posting: _delete(posting, predicate))
        case _:
            raise method_not_allowed(call.method, DEFECT.set_name)


def _fields(posting: Posting, call: Call) -> dict[str, Any]:
    values, _ = parse_entity(DEFECT, parse_body(call), "")
    fields = {name: value for name, value in values.items() if name not in _DECIDED_HERE}
    if posting.forget_keys and "DefectText" in fields:
        fields["DefectText"] = ""
    return fields


def _create(posting: Posting, call: Call) -> Answer:
    """`partial`: the defect is recorded without its quantity."""
    books, fields = posting.books, _fields(posting, call)
    if fields.get("DefectiveQuantity") and posting.spoil():
        fields["DefectiveQuantity"] = 0
        posting.warn("QA/453", "The defect was recorded without its quantity")
    number = str(books.next_number("defect", 1))
    row = {"DefectCodeCatalog": "9", "NumberOfDefects": 1, "DefectLifecycleStatus": "1"} | _checked(books, fields)
    row |= {
        "DefectInternalID": number,
        "Defect": str(int(number) % 10_000),
        "CreationDate": today_ms(),
        "CreationTime": clock_text(),
        "CreatedByUser": posting.user,
        "LastChangeDateTime": later_instant(None),
        "_at": instant(),
    }
    books.insert(DEFECT.table, row)
    return created(call, DEFECT, find_entity(books, DEFECT, {"DefectInternalID": number}), posting)


def _change(posting: Posting, call: Call, predicate: str) -> Answer:
    books, key = posting.books, parse_keys(DEFECT, predicate)
    row = find_entity(books, DEFECT, key)
    changes = _checked(books, row | _fields(posting, call))
    changes["LastChangeDateTime"] = later_instant(row["LastChangeDateTime"])
    books.update(DEFECT.table, changes, **key)
    return changed(DEFECT, find_entity(books, DEFECT, key), posting)


def _delete(posting: Posting, predicate: str) -> Answer:
    key = parse_keys(DEFECT, predicate)
    find_entity(posting.books, DEFECT, key)
    posting.books.execute(f"DELETE FROM {DEFECT.table} WHERE DefectInternalID = ?", key["DefectInternalID"])
    return Answer(204, None)


def _checked(books: Books, fields: dict[str, Any]) -> dict[str, Any]:
    if not fields.get("DefectCodeGroup") or not fields.get("DefectCode"):
        raise quality_refusal("240", "Enter DefectCodeGroup and DefectCode", "DefectCode")
    if fields.get("DefectiveQuantity", 0) < 0 or fields.get("NumberOfDefects", 1) < 1:
        raise quality_refusal("241", "Quantities of a defect must not be negative", "DefectiveQuantity")
    material = fields.get("Material", "")
    if material and not books.one("SELECT 1 FROM material WHERE material = ?", material):
        raise Refusal("M3/305", f"The material {material} does not exist or is not activated", target="Material")
    if fields.get("ManufacturingOrder"):
        order = find_order(books, fields["ManufacturingOrder"])
        fields = fields | {"ManufacturingOrder": order["ManufacturingOrder"]}
    if fields.get("InspectionLot"):
        lot = named_lot(books, fields["InspectionLot"])
        fields = fields | {"InspectionLot": lot["InspectionLot"]}
    return fields
