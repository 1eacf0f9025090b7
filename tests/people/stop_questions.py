"""What is asked of a stop and of a handover at every door: each act of the permission table, in all its kinds."""

from __future__ import annotations

from typing import Any

from tests.people.askers import Answer, Asker, Place, offered

KINDS: dict[str, str] = {
    "acknowledge": "acknowledge a stop",
    "comment": "acknowledge a stop",
    "estimate": "acknowledge a stop",
    "capacity": "approve a capacity change",
    "reallocate": "approve a reallocation",
    "classify": "classify a stop",
    "recode": "re-code a stop",
    "split": "split a stop",
    "shelve": "shelve a stop",
    "join": "join stops",
    "close": "close a stop",
}
"""Kind of act -> what the table calls it. Who may acknowledge may comment, and say when the line is expected to run."""

HANDOVER = "acknowledge a shift handover"
STOPS = offered("see stops", *dict.fromkeys(KINDS.values()), HANDOVER)


def fields(reason: str, at: str, later: str, into: str) -> dict[str, dict[str, Any]]:
    """What each kind of act says, times in ISO 8601: inside of the stop, and still to come."""
    return {
        "acknowledge": {},
        "comment": {"comment": "seen"},
        "estimate": {"recovery_at": later},
        "capacity": {"approve": True, "recovery_at": later},
        "reallocate": {"approve": True},
        "classify": {"reason": reason},
        "recode": {"part": 1, "reason": reason, "comment": "seen again"},
        "split": {"at": at, "reason": reason},
        "shelve": {"until": later, "comment": "a part is on its way"},
        "join": {"into": into},
        "close": {},
    }


def expected_of(asker: Asker, action: str) -> Answer:
    """A list is a page of the plant, whose rows are chosen. A shift is no secret, but all of the plant's."""
    if action == "see stops" and asker.is_here:
        return asker.by_table(action)
    if action == HANDOVER and asker.place in (Place.LINE, Place.OTHER_LINE):
        return Answer.FORBIDDEN
    return asker.expected(action)
