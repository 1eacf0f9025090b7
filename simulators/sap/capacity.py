"""Capacity of work centres in the V4 service: intervals and shifts of a capacity, each change by If-Match.

It is master data that planning uses: overlapping intervals and overlapping shifts of a day are refused.
"""

from typing import Any

from simulators.sap.books import Books, instant, later_instant
from simulators.sap.call import Call
from simulators.sap.confirmation_rules import Posting
from simulators.sap.edm_capacity import CAPACITY, INTERVAL, SHIFT
from simulators.sap.entity_types import EntityType
from simulators.sap.job import Job
from simulators.sap.messages import Refusal, method_not_allowed
from simulators.sap.odata import Answer
from simulators.sap.odata4 import (
    day_text,
    deleted4,
    parse_body4,
    parse_entity4,
    render4,
    require_match4,
    written4,
)
from simulators.sap.reading4 import Place, find_row, locate, parse_address4

_SHIFTS = "_WorkCenterCapacityShift"
_CHANGEABLE = {
    CAPACITY.set_name: {
        "CapacityIsFinite",
        "CapacityPlanUtilizationPercent",
        "CapacityNumberOfCapacities",
        "CapacityStartTimeID",
        "CapacityEndTimeID",
        "CapacityBreakDuration",
    },
    INTERVAL.set_name: {
        "IntervalStartDate",
        "CapacityNumberOfCapacities",
        "CapacityPlanUtilizationPercent",
        "AvailableCapacityIntervalDurn",
        "ShiftSequence",
        "CapacityNumberOfShifts",
    },
    SHIFT.set_name: {
        "ShiftEndTime",
        "OperatingDurationInSeconds",
        "CapacityBreakDuration",
        "CapacityNumberOfCapacities",
        "CapacityPlanUtilizationPercent",
    },
}


def _refusal(number: str, text: str, target: str = "") -> Refusal:
    return Refusal(f"CR/{number}", text, target=target)


def find_job(books: Books, call: Call) -> Job:
    service, segments = parse_address4(call.path)
    if not segments:
        raise method_not_allowed(call.method, service)
    place = locate(books, service, segments)
    name = place.entity.set_name
    match call.method, name:
        case "POST", INTERVAL.set_name if place.row is None and place.below:
            return Job(frozenset(), lambda posting: _create_interval(posting, call, place))
        case "POST", SHIFT.set_name if place.row is None and place.below:
            return Job(frozenset(), lambda posting: _create_shift(posting, call, place))
        case "PATCH", CAPACITY.set_name | INTERVAL.set_name | SHIFT.set_name if place.row is not None:
            return Job(frozenset(), lambda posting: _change(posting, call, place))
        case "DELETE", INTERVAL.set_name | SHIFT.set_name if place.row is not None:
            return Job(frozenset(), lambda posting: _delete(posting, call, place))
        case _:
            raise method_not_allowed(call.method, name)


def _keys(entity: EntityType, row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in entity.keys}


def _create_interval(posting: Posting, call: Call, place: Place) -> Answer:
    """`partial`: the interval is there, the shifts inserted along with it are not."""
    books = posting.books
    values, shifts = parse_entity4(call, INTERVAL, parse_body4(call), _SHIFTS)
    capacity = find_row(books, CAPACITY, place.known)
    row = {
        "CapacityActiveVersion": capacity["CapacityActiveVersion"],
        "CapacityNumberOfCapacities": capacity["CapacityNumberOfCapacities"],
        "CapacityPlanUtilizationPercent": capacity["CapacityPlanUtilizationPercent"],
        **values,
        **place.known,
        "LastChangeDateTime": later_instant(None),
        "_at": instant(),
    }
    _check_interval(books, row, own=None)
    books.insert(INTERVAL.table, row)
    if shifts and posting.spoil():
        posting.warn("CR/450", "The interval was created without its shifts")
        shifts = []
    for shift in shifts:
        _insert_shift(books, call, _keys(INTERVAL, row), shift)
    made = find_row(books, INTERVAL, _keys(INTERVAL, row))
    children = books.all(f"SELECT * FROM {SHIFT.table} WHERE {_where(INTERVAL)}", *_keys(INTERVAL, made).values())
    extra = {_SHIFTS: [render4(SHIFT, child) for child in children]} if shifts else {}
    return written4(201, call, INTERVAL, made, posting, extra)


def _where(entity: EntityType) -> str:
    return " AND ".join(f'"{key}" = ?' for key in entity.keys)


def _create_shift(posting: Posting, call: Call, place: Place) -> Answer:
    books = posting.books
    find_row(books, INTERVAL, place.known)
    keys = _insert_shift(books, call, place.known, parse_body4(call))
    return written4(201, call, SHIFT, find_row(books, SHIFT, keys), posting)


def _insert_shift(books: Books, call: Call, interval: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    values, _ = parse_entity4(call, SHIFT, body)
    parent = find_row(books, INTERVAL, interval)
    row = {
        "CapacityNumberOfCapacities": parent["CapacityNumberOfCapacities"],
        "CapacityPlanUtilizationPercent": parent["CapacityPlanUtilizationPercent"],
        **values,
        **interval,
        "LastChangeDateTime": later_instant(None),
    }
    books.insert(SHIFT.table, _checked_shift(books, row, own=None))
    return _keys(SHIFT, row)


def _change(posting: Posting, call: Call, place: Place) -> Answer:
    books, entity = posting.books, place.entity
    row = find_row(books, entity, _keys(entity, place.row or {}))
    require_match4(call, entity, row)
    values, _ = parse_entity4(call, entity, parse_body4(call))
    for name, value in values.items():
        if name not in _CHANGEABLE[entity.set_name] and value != row[name]:
            raise _refusal("306", f"Property {name} of {entity.set_name} is read-only", name)
    changed = row | {name: value for name, value in values.items() if name in _CHANGEABLE[entity.set_name]}
    if entity is INTERVAL:
        _check_interval(books, changed, own=row)
    elif entity is SHIFT:
        changed = _checked_shift(books, changed, own=row)
    else:
        _check_range(changed)
    changed["LastChangeDateTime"] = later_instant(row["LastChangeDateTime"])
    books.update(entity.table, changed, **_keys(entity, row))
    return written4(200, call, entity, find_row(books, entity, _keys(entity, row)), posting)


def _delete(posting: Posting, call: Call, place: Place) -> Answer:
    books, entity = posting.books, place.entity
    row = find_row(books, entity, _keys(entity, place.row or {}))
    require_match4(call, entity, row)
    for table in (SHIFT.table, entity.table) if entity is INTERVAL else (entity.table,):
        books.execute(f"DELETE FROM {table} WHERE {_where(entity)}", *_keys(entity, row).values())
    return deleted4()


def _check_range(row: dict[str, Any]) -> None:
    if not 0 <= row["CapacityNumberOfCapacities"] <= 999:
        raise _refusal("303", "CapacityNumberOfCapacities must be from 0 to 999", "CapacityNumberOfCapacities")


def _check_interval(books: Books, row: dict[str, Any], own: dict[str, Any] | None) -> None:
    start, end = row.get("IntervalStartDate"), row.get("IntervalEndDate")
    if start is None or end is None:
        raise _refusal("302", "An interval needs IntervalStartDate and IntervalEndDate", "IntervalStartDate")
    if end < start:
        raise _refusal("302", "The interval ends before it starts", "IntervalEndDate")
    _check_range(row)
    others = books.all(
        f"SELECT * FROM {INTERVAL.table} WHERE CapacityInternalID = ? AND CapacityActiveVersion = ?"
        " AND IntervalStartDate <= ? AND IntervalEndDate >= ?",
        row["CapacityInternalID"],
        row["CapacityActiveVersion"],
        end,
        start,
    )
    for other in others:
        if own is None or other["IntervalEndDate"] != own["IntervalEndDate"]:
            span = f"{day_text(other['IntervalStartDate'])} to {day_text(other['IntervalEndDate'])}"
            raise _refusal("301", f"The interval overlaps the one from {span}", "IntervalStartDate")


def _checked_shift(books: Books, row: dict[str, Any], own: dict[str, Any] | None) -> dict[str, Any]:
    """The shift with its operating duration; refused where it is no time of the day or meets another shift."""
    day = row.get("WeekDay", "0")
    start, end = row.get("ShiftStartTime"), row.get("ShiftEndTime")
    if day not in tuple("1234567") or start is None or end is None or end <= start:
        raise _refusal(
            "304", "A shift needs WeekDay 1 to 7 and a ShiftEndTime after its ShiftStartTime", "ShiftStartTime"
        )
    _check_range(row)
    length = _seconds(end) - _seconds(start) - row.get("CapacityBreakDuration", 0)
    given = row.get("OperatingDurationInSeconds") or length
    if own is not None and given == own["OperatingDurationInSeconds"] and end != own["ShiftEndTime"]:
        given = length
    if not 0 < given <= length:
        text = f"OperatingDurationInSeconds must be from 1 to {length}"
        raise _refusal("304", text, "OperatingDurationInSeconds")
    others = books.all(
        f"SELECT * FROM {SHIFT.table} WHERE {_where(INTERVAL)} AND WeekDay = ?",
        *_keys(INTERVAL, row).values(),
        day,
    )
    for other in others:
        is_own = own is not None and other["ShiftStartTime"] == own["ShiftStartTime"]
        if not is_own and other["ShiftStartTime"] < end and other["ShiftEndTime"] > start:
            raise _refusal("305", f"The shift overlaps another one of weekday {day}", "ShiftStartTime")
    return row | {"OperatingDurationInSeconds": given}


def _seconds(clock: str) -> int:
    return int(clock[2:4]) * 3600 + int(clock[5:7]) * 60 + int(clock[8:10])
