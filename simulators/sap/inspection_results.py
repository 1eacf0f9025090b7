"""Results of inspection characteristics: single values, their mean and valuation, closing.

Refused once the lot is decided.
A quantitative characteristic is valuated by its limits, a qualitative one by whoever records it.
"""

from typing import Any

from simulators.sap.books import Books, later_instant, today_ms
from simulators.sap.call import Call, require_match
from simulators.sap.confirmation_rules import Posting
from simulators.sap.edm_quality import CHARACTERISTIC, RESULT, RESULT_VALUE
from simulators.sap.inspection_lots import named_lot, quality_refusal, require_open
from simulators.sap.job import changed, created
from simulators.sap.messages import Refusal
from simulators.sap.odata import Answer, render
from simulators.sap.payload import parse_body, parse_entity
from simulators.sap.reading import find_entity, parse_keys

OPEN, CLOSED = "2", "5"
_RECORDED = frozenset(
    {
        "CharacteristicAttributeCodeGrp",
        "CharacteristicAttributeCode",
        "InspectionResultText",
        "InspectionValuationResult",
    }
    | {"InspectionStartDate", "InspectionStartTime", "InspectionEndDate", "InspectionEndTime"}
)
_VALUE_FIELDS = frozenset(RESULT_VALUE.properties) - {"InspResultItemInternalID", "ChangedDateTime", "InspectedByUser"}
_Key = dict[str, Any]


def create_result(posting: Posting, call: Call, _: str) -> Answer:
    """`partial`: the result is recorded but neither valuated nor closed."""
    books = posting.books
    values, rows = parse_entity(RESULT, parse_body(call), "to_InspectionResultValue")
    characteristic = _characteristic(books, values)
    key = _key(characteristic)
    if books.one(f"SELECT 1 FROM {RESULT.table} WHERE {_WHERE}", *key.values()):
        raise quality_refusal("231", f"Characteristic {key['InspectionCharacteristic']} has a result: change it")
    singles = [parse_entity(RESULT_VALUE, row, "")[0] for row in rows or []]
    _insert_result(posting, key, {name: value for name, value in values.items() if name in _RECORDED})
    for single in singles:
        _insert_value(posting, characteristic, single)
    given = values.get("InspectionResultMeanValue")
    _close(posting, characteristic, mean=None if singles else given)
    row = find_entity(books, RESULT, key)
    shown = [render(call.base, RESULT_VALUE, one) for one in _values(books, key)]
    return created(call, RESULT, row, posting, {"to_InspectionResultValue": {"results": shown}})


def add_value(posting: Posting, call: Call, _: str) -> Answer:
    """A single value; the result it belongs to is made with the first one."""
    books = posting.books
    values, _rows = parse_entity(RESULT_VALUE, parse_body(call), "")
    characteristic = _characteristic(books, values)
    key = _key(characteristic)
    if books.one(f"SELECT 1 FROM {RESULT.table} WHERE {_WHERE}", *key.values()) is None:
        _insert_result(posting, key, {})
    number = _insert_value(posting, characteristic, values)
    _close(posting, characteristic, mean=None)
    row = find_entity(books, RESULT_VALUE, key | {"InspResultItemInternalID": number})
    return created(call, RESULT_VALUE, row, posting)


def change_result(posting: Posting, call: Call, predicate: str) -> Answer:
    books = posting.books
    row = find_entity(books, RESULT, parse_keys(RESULT, predicate))
    require_match(call, RESULT, row)
    characteristic = _characteristic(books, row)
    values, _ = parse_entity(RESULT, parse_body(call), "")
    key = _key(characteristic)
    recorded = {name: value for name, value in values.items() if name in _RECORDED}
    if recorded:
        books.update(RESULT.table, recorded, **key)
    singles = _values(books, key)
    mean = None if singles else values.get("InspectionResultMeanValue", row["InspectionResultMeanValue"])
    _close(posting, characteristic, mean=mean)
    return changed(RESULT, find_entity(books, RESULT, key), posting)


_WHERE = " AND ".join(f'"{name}" = ?' for name in CHARACTERISTIC.keys)


def _key(characteristic: dict[str, Any]) -> _Key:
    return {name: characteristic[name] for name in CHARACTERISTIC.keys}


def _characteristic(books: Books, values: dict[str, Any]) -> dict[str, Any]:
    lot = named_lot(books, values.get("InspectionLot", ""))
    require_open(lot)
    key = {
        "InspectionLot": lot["InspectionLot"],
        "InspPlanOperationInternalID": values.get("InspPlanOperationInternalID", "0"),
        "InspectionCharacteristic": values.get("InspectionCharacteristic", "0"),
    }
    row = books.one(f"SELECT * FROM {CHARACTERISTIC.table} WHERE {_WHERE}", *key.values())
    if row is None:
        where = f"{key['InspPlanOperationInternalID']}/{key['InspectionCharacteristic']}"
        text = f"Inspection lot {lot['InspectionLot']} has no characteristic {where}"
        raise quality_refusal("230", text, "InspectionCharacteristic")
    return row


def _insert_result(posting: Posting, key: _Key, fields: dict[str, Any]) -> None:
    defaults = {"InspectionStartDate": today_ms(), "InspectionResultStatus": OPEN, "InspectedByUser": posting.user}
    posting.books.insert(RESULT.table, defaults | fields | key)


def _insert_value(posting: Posting, characteristic: dict[str, Any], values: dict[str, Any]) -> str:
    key = _key(characteristic)
    number = str(len(_values(posting.books, key)) + 1)
    row = {name: value for name, value in values.items() if name in _VALUE_FIELDS} | key
    if characteristic["InspSpecIsQuantitative"]:
        if "InspectionResultMeasuredValue" not in values:
            raise quality_refusal("232", "Enter InspectionResultMeasuredValue", "InspectionResultMeasuredValue")
        row["InspectionValuationResult"] = _valuated(characteristic, values["InspectionResultMeasuredValue"])
    elif row.get("InspectionValuationResult") not in ("A", "R"):
        raise _unvaluated()
    row |= {"InspResultItemInternalID": number, "InspectedByUser": posting.user, "ChangedDateTime": later_instant(None)}
    posting.books.insert(RESULT_VALUE.table, row)
    return number


def _unvaluated() -> Refusal:
    return quality_refusal("233", "Valuate the characteristic: A or R", "InspectionValuationResult")


def _values(books: Books, key: _Key) -> list[dict[str, Any]]:
    return books.all(f"SELECT * FROM {RESULT_VALUE.table} WHERE {_WHERE} ORDER BY rowid", *key.values())


def _valuated(characteristic: dict[str, Any], value: float) -> str:
    low = characteristic["InspSpecHasLowerLimit"] and value < characteristic["InspSpecLowerLimit"]
    high = characteristic["InspSpecHasUpperLimit"] and value > characteristic["InspSpecUpperLimit"]
    return "R" if low or high else "A"


def _close(posting: Posting, characteristic: dict[str, Any], *, mean: float | None) -> None:
    """Sums up the values, valuates and closes; without values the mean is the value."""
    books, key = posting.books, _key(characteristic)
    row = find_entity(books, RESULT, key)
    singles = _values(books, key)
    changes: dict[str, Any] = {}
    valuation = row["InspectionValuationResult"]
    if characteristic["InspSpecIsQuantitative"]:
        measured = [one["InspectionResultMeasuredValue"] for one in singles] or ([] if mean is None else [mean])
        if not measured:
            raise quality_refusal(
                "232", "Enter InspectionResultMeanValue or single values", "InspectionResultMeanValue"
            )
        valuation = "R" if any(_valuated(characteristic, value) == "R" for value in measured) else "A"
        changes |= {
            "InspectionResultMeanValue": sum(measured) / len(measured),
            "InspectionResultMinimumValue": min(measured),
            "InspectionResultMaximumValue": max(measured),
        }
    elif singles:
        valuation = "R" if any(one["InspectionValuationResult"] == "R" for one in singles) else "A"
    if valuation not in ("A", "R"):
        raise _unvaluated()
    changes["InspResultValidValuesNumber"] = max(1, len(singles))
    changes["InspResultNmbrOfRejectedValues"] = sum(one["InspectionValuationResult"] == "R" for one in singles)
    closed = not posting.spoil()
    if not closed:
        posting.warn("QA/452", f"The result of characteristic {key['InspectionCharacteristic']} is not valuated")
    changes |= {
        "InspectionValuationResult": valuation if closed else "",
        "InspectionResultStatus": CLOSED if closed else OPEN,
        "_closed": int(closed),
        "ChangedDateTime": later_instant(row["ChangedDateTime"]),
    }
    books.update(RESULT.table, changes, **key)
    status = {"InspectionCharacteristicStatus": changes["InspectionResultStatus"]}
    status["ChangedDateTime"] = later_instant(characteristic["ChangedDateTime"])
    books.update(CHARACTERISTIC.table, status, **key)
