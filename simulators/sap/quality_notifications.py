"""The V4 quality notification service: read and create. Its phases move by people (control side), not by this API.

No public contract of the original was found; names and rules are this simulator's choice.
"""

from typing import Any

from simulators.sap.books import Books, clock_text, instant, later_instant, today_ms
from simulators.sap.call import Call
from simulators.sap.confirmation_rules import Posting
from simulators.sap.edm_quality import QUALITY_NOTIFICATION, QUALITY_NOTIFICATION_ITEM
from simulators.sap.job import Job, locked
from simulators.sap.messages import Refusal, method_not_allowed
from simulators.sap.odata import Answer
from simulators.sap.odata4 import parse_body4, parse_entity4, render4, written4
from simulators.sap.reading4 import find_row, locate, parse_address4

TYPES = ("Q1", "Q2", "Q3")
PHASES = {"1": "Outstanding", "2": "Postponed", "3": "In process", "4": "Completed"}
_ITEMS = "_QualityNotificationItem"
_DECIDED_HERE = frozenset(
    {"QualityNotification", "NotifProcessingPhase", "NotifProcessingPhaseDesc", "CreationDate", "CreationTime"}
    | {"CreatedByUser", "LastChangeDateTime"}
)


def find_job(books: Books, call: Call) -> Job:
    service, segments = parse_address4(call.path)
    if not segments:
        raise method_not_allowed(call.method, service)
    place = locate(books, service, segments)
    if call.method != "POST" or place.entity is not QUALITY_NOTIFICATION or place.row is not None:
        raise method_not_allowed(call.method, place.entity.set_name)
    values, items = parse_entity4(call, QUALITY_NOTIFICATION, parse_body4(call), _ITEMS)
    rows = [parse_entity4(call, QUALITY_NOTIFICATION_ITEM, item)[0] for item in items]
    locked(books, values.get("ManufacturingOrder", ""))
    return Job(frozenset(), lambda posting: _create(posting, call, values, rows))


def _create(posting: Posting, call: Call, values: dict[str, Any], items: list[dict[str, Any]]) -> Answer:
    """`partial`: the notification is there, the items inserted along with it are not."""
    books = posting.books
    kind = values.get("NotificationType", "")
    if kind not in TYPES:
        text = f"Notification type {kind or '(none)'} is not one of {', '.join(TYPES)}"
        raise Refusal("QM/302", text, target="NotificationType")
    kept = {name: value for name, value in values.items() if name not in _DECIDED_HERE}
    if posting.forget_keys:
        kept["QltyNotifExtReferenceNumber"] = ""
    number = str(books.next_number("quality_notification", 200000001))
    row = kept | {
        "QualityNotification": number,
        "NotifProcessingPhase": "1",
        "NotifProcessingPhaseDesc": PHASES["1"],
        "CreationDate": today_ms(),
        "CreationTime": clock_text(),
        "CreatedByUser": posting.user,
        "LastChangeDateTime": later_instant(None),
        "_at": instant(),
    }
    books.insert(QUALITY_NOTIFICATION.table, row)
    if items and posting.spoil():
        posting.warn("QM/450", "The notification was created without its items")
        items = []
    for position, item in enumerate(items, 1):
        own = {"QualityNotification": number, "QualityNotificationItem": str(position)}
        books.insert(QUALITY_NOTIFICATION_ITEM.table, item | own)
    made = find_row(books, QUALITY_NOTIFICATION, {"QualityNotification": number})
    children = books.all(f"SELECT * FROM {QUALITY_NOTIFICATION_ITEM.table} WHERE QualityNotification = ?", number)
    extra = {_ITEMS: [render4(QUALITY_NOTIFICATION_ITEM, child) for child in children]}
    return written4(201, call, QUALITY_NOTIFICATION, made, posting, extra)


def move_phase(books: Books, number: str, phase: str) -> None:
    """A person works on the notification in its own screen."""
    row = find_row(books, QUALITY_NOTIFICATION, {"QualityNotification": number})
    changes: dict[str, Any] = {"NotifProcessingPhase": phase, "NotifProcessingPhaseDesc": PHASES[phase]}
    changes["LastChangeDateTime"] = later_instant(row["LastChangeDateTime"])
    books.update(QUALITY_NOTIFICATION.table, changes, QualityNotification=number)
