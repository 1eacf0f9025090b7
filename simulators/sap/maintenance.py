"""API_MAINTNOTIFICATION: maintenance notifications, their phases, and the decisions on work requests.

Malfunction dates and times are in the system's time zone (setting `time_zone`); the DateTimeOffset twins are computed.
"""

from collections.abc import Callable
from typing import Any

from simulators.sap.books import Books, clock_text, instant, later_instant, local_ms, local_parts, now_ms, today_ms
from simulators.sap.call import Call
from simulators.sap.confirmation_rules import Posting
from simulators.sap.edm_maintenance import NOTIFICATION
from simulators.sap.entity_types import EMPTY_TIME, properties
from simulators.sap.job import Job, changed, created, shown
from simulators.sap.messages import BUSINESS_CONTAINER, Refusal, method_not_allowed, not_found
from simulators.sap.odata import Answer
from simulators.sap.payload import arguments, parse_body, parse_entity, required
from simulators.sap.reading import Address, parse_keys

OUTSTANDING, POSTPONED, IN_PROCESS, COMPLETED = "1", "2", "3", "4"
TYPES = ("M1", "M2", "M3")
WORK_REQUEST = "M1"
_TABLE = NOTIFICATION.table
_DECIDED_HERE = frozenset(
    {"MaintenanceNotification", "MalfunctionStartDateTime", "MalfunctionEndDateTime", "NotifProcessingPhase"}
    | {"MaintWorkRequestStatus", "IsCompleted", "NotificationReferenceDate", "NotificationReferenceTime"}
    | {"NotificationCompletionDate", "CreationDate", "CreationTime", "CreatedByUser", "LastChangeDateTime"}
    | {"LastChangedByUser"}
)
_MALFUNCTION = (
    "MalfunctionStartDate",
    "MalfunctionStartTime",
    "MalfunctionEndDate",
    "MalfunctionEndTime",
    "MaintenanceObjectIsDown",
)


def _refusal(number: str, text: str, target: str = "") -> Refusal:
    return Refusal(f"IM/{number}", text, container=BUSINESS_CONTAINER, target=target)


def find_job(books: Books, call: Call, address: Address) -> Job | None:
    segments = address.segments
    if len(segments) != 1:
        return None
    name, predicate = segments[0].name, segments[0].predicate
    if name in FUNCTIONS and predicate is None and call.method == "POST":
        return _function(call, name)
    if name != NOTIFICATION.set_name:
        return None
    if call.method == "POST" and predicate is None:
        values, _ = parse_entity(NOTIFICATION, parse_body(call), "")
        return Job(frozenset(), lambda posting: _answer_created(call, posting, create(posting, values)))
    if call.method == "PATCH" and predicate is not None:
        number = parse_keys(NOTIFICATION, predicate)["MaintenanceNotification"]
        values, _ = parse_entity(NOTIFICATION, parse_body(call), "")
        return Job(frozenset(), lambda posting: changed(NOTIFICATION, change(posting, number, values), posting))
    raise method_not_allowed(call.method, name)


def _answer_created(call: Call, posting: Posting, row: dict[str, Any]) -> Answer:
    return created(call, NOTIFICATION, row, posting)


def find(books: Books, number: str) -> dict[str, Any]:
    wanted = number.lstrip("0")
    row = books.one(f"SELECT * FROM {_TABLE} WHERE MaintenanceNotification IN (?, ?)", number, wanted)
    if row is None:
        raise not_found(NOTIFICATION.set_name)
    return row


def create(posting: Posting, values: dict[str, Any]) -> dict[str, Any]:
    """`partial`: the notification exists, its malfunction data was not taken."""
    books = posting.books
    kept = {name: value for name, value in values.items() if name not in _DECIDED_HERE}
    kind = kept.get("NotificationType", "")
    if kind not in TYPES:
        raise _refusal(
            "302", f"Notification type {kind or '(none)'} is not one of {', '.join(TYPES)}", "NotificationType"
        )
    _check_object(books, kept)
    if any(kept.get(name) for name in _MALFUNCTION) and posting.spoil():
        kept = {name: value for name, value in kept.items() if name not in _MALFUNCTION}
        posting.warn("IM/450", "The notification was created without its malfunction data")
    if posting.forget_keys:
        kept["MaintNotifExtReferenceNumber"] = ""
    row = {"MaintObjDowntimeDurationUnit": "H", "ReportedByUser": posting.user} | kept
    row |= {
        "MaintenanceNotification": str(books.next_number("notification", 10000000)),
        "NotifProcessingPhase": OUTSTANDING,
        "CreationDate": today_ms(),
        "CreationTime": clock_text(),
        "CreatedByUser": posting.user,
        "LastChangeDateTime": later_instant(None),
        "LastChangedByUser": posting.user,
        "_at": instant(),
    }
    row |= _with_twins(books, row)
    books.insert(_TABLE, row)
    return find(books, row["MaintenanceNotification"])


def change(posting: Posting, number: str, values: dict[str, Any]) -> dict[str, Any]:
    """`partial`: everything but the malfunction data is changed."""
    books = posting.books
    row = find(books, number)
    _require_open(row)
    kept = {name: value for name, value in values.items() if name not in _DECIDED_HERE}
    if kept.get("NotificationType", row["NotificationType"]) != row["NotificationType"]:
        text = f"The type of notification {row['MaintenanceNotification']} cannot be changed"
        raise _refusal("303", text, "NotificationType")
    _check_object(books, row | kept)
    if any(name in kept for name in _MALFUNCTION) and posting.spoil():
        kept = {name: value for name, value in kept.items() if name not in _MALFUNCTION}
        posting.warn("IM/450", "The notification was changed without its malfunction data")
    if posting.forget_keys and "MaintNotifExtReferenceNumber" in kept:
        kept["MaintNotifExtReferenceNumber"] = ""
    return _update(posting, row, kept | _with_twins(books, row | kept, given=kept))


def _with_twins(books: Books, row: dict[str, Any], given: dict[str, Any] | None = None) -> dict[str, Any]:
    """The computed instants and the duration; refuses an end before the start."""
    zone = books.setting("time_zone")
    start = local_ms(row.get("MalfunctionStartDate"), row.get("MalfunctionStartTime") or EMPTY_TIME, zone)
    end = local_ms(row.get("MalfunctionEndDate"), row.get("MalfunctionEndTime") or EMPTY_TIME, zone)
    if end is not None and start is None:
        raise _refusal("340", "A malfunction end needs a malfunction start", "MalfunctionEndDate")
    if end is not None and start is not None and end < start:
        raise _refusal("341", "The malfunction end lies before the malfunction start", "MalfunctionEndDate")
    twins: dict[str, Any] = {"MalfunctionStartDateTime": start, "MalfunctionEndDateTime": end}
    named = row if given is None else given
    if start is not None and end is not None and not named.get("MaintObjectDowntimeDuration"):
        seconds = {"MIN": 60, "S": 1, "D": 86_400}.get(row.get("MaintObjDowntimeDurationUnit") or "H", 3600)
        twins["MaintObjectDowntimeDuration"] = (end - start) / 1000 / seconds
    return twins


def _check_object(books: Books, values: dict[str, Any]) -> None:
    """Objects are checked once the plant's objects are known (seed `technical_objects`)."""
    name = values.get("TechnicalObject", "")
    if not name or not books.one("SELECT 1 FROM technical_object LIMIT 1"):
        return
    row = books.one("SELECT kind FROM technical_object WHERE object = ?", name)
    if row is None:
        raise _refusal("160", f"Technical object {name} does not exist", "TechnicalObject")
    kind = values.get("TechObjIsEquipOrFuncnlLoc", "")
    if kind != row["kind"]:
        raise _refusal("161", f"Technical object {name} is {row['kind']}, not {kind or '(none)'}", "TechnicalObject")


def _require_open(row: dict[str, Any]) -> None:
    if row["IsCompleted"]:
        raise _refusal("310", f"Notification {row['MaintenanceNotification']} is completed and cannot be changed")


def _update(posting: Posting, row: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    moved = {"LastChangeDateTime": later_instant(row["LastChangeDateTime"]), "LastChangedByUser": posting.user}
    posting.books.update(_TABLE, changes | moved, MaintenanceNotification=row["MaintenanceNotification"])
    return find(posting.books, row["MaintenanceNotification"])


def _set_in_process(posting: Posting, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    if row["NotifProcessingPhase"] == IN_PROCESS:
        raise _refusal("311", f"Notification {row['MaintenanceNotification']} is in process already")
    if row["MaintWorkRequestStatus"] == "RJ":
        raise _refusal("312", f"Work request {row['MaintenanceNotification']} was rejected")
    return {"NotifProcessingPhase": IN_PROCESS}


def _complete(posting: Posting, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The reference date and time default to now, in the system's zone as the malfunction times are."""
    if row["MaintenanceObjectIsDown"] and row["MalfunctionEndDate"] is None:
        posting.warn("IM/342", "The notification is completed without a malfunction end")
    zone = posting.books.setting("time_zone")
    day, clock = local_parts(values.get("MaintNotifReferenceDateTime") or now_ms(), zone)
    if values.get("NotificationReferenceDate") is not None:
        day, clock = values["NotificationReferenceDate"], values.get("NotificationReferenceTime") or EMPTY_TIME
    return {
        "IsCompleted": 1,
        "NotifProcessingPhase": COMPLETED,
        "NotificationCompletionDate": local_parts(now_ms(), zone)[0],
        "NotificationReferenceDate": day,
        "NotificationReferenceTime": clock,
    }


def _decide(status: str) -> Callable[[Posting, dict[str, Any], dict[str, Any]], dict[str, Any]]:
    def decision(posting: Posting, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        number = row["MaintenanceNotification"]
        if row["NotificationType"] != WORK_REQUEST:
            raise _refusal("320", f"Notification {number} of type {row['NotificationType']} is no work request")
        if row["MaintWorkRequestStatus"] in ("AP", "RJ"):
            raise _refusal("321", f"Work request {number} has been decided on already")
        return {"MaintWorkRequestStatus": status}

    return decision


FUNCTIONS: dict[str, Callable[[Posting, dict[str, Any], dict[str, Any]], dict[str, Any]]] = {
    "SetMaintNotifToInProcess": _set_in_process,
    "CompleteMaintNotification": _complete,
    "ApproveMaintWorkRequest": _decide("AP"),
    "RejectMaintWorkRequest": _decide("RJ"),
    "SetMaintNotifToInfoRequired": _decide("IR"),
}
_ARGUMENTS = properties(
    "MaintenanceNotification:s12 NotificationReferenceDate:d NotificationReferenceTime:t MaintNotifReferenceDateTime:o"
)


def _function(call: Call, name: str) -> Job:
    completes = name == "CompleteMaintNotification"
    declared = _ARGUMENTS if completes else {"MaintenanceNotification": _ARGUMENTS["MaintenanceNotification"]}
    values = arguments(call.options, declared)
    required(values, "MaintenanceNotification")

    def work(posting: Posting) -> Answer:
        row = run(posting, name, values["MaintenanceNotification"], values)
        return shown(call, NOTIFICATION, row, posting)

    return Job(frozenset(), work)


def run(posting: Posting, name: str, number: str, values: dict[str, Any]) -> dict[str, Any]:
    """`partial`: the answer is a success with a warning, the notification keeps its phase."""
    row = find(posting.books, number)
    _require_open(row)
    changes = FUNCTIONS[name](posting, row, values)
    if posting.spoil():
        posting.warn("IM/451", f"The status of notification {row['MaintenanceNotification']} could not be set")
        return row
    return _update(posting, row, changes)


def move_phase(books: Books, number: str, phase: str) -> None:
    """A person works on the notification in its own screen; completing there gives no reference date."""
    row = find(books, number)
    changes = {"NotifProcessingPhase": phase, "IsCompleted": int(phase == COMPLETED)}
    changes["LastChangeDateTime"] = later_instant(row["LastChangeDateTime"])
    books.update(_TABLE, changes, MaintenanceNotification=row["MaintenanceNotification"])
