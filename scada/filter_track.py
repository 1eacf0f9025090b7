"""What the edge filter remembers of one tag: the last value sent, what waits, what was seen. Not for deciding."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from decimal import Decimal
from typing import Any

from domain.plant import TagConfig
from scada.reading import Reading
from scada.translate import ActiveAlarms, number_of
from signals.events import Quality

RECENT = 8
"""Readings remembered to recognise repeats of a re-subscription; the log's unique event ids are the second net."""


class Track:
    """One tag's memory."""

    __slots__ = (
        "alarms",
        "covered",
        "deadband",
        "has_sent",
        "lost",
        "newest_at",
        "pending",
        "recent",
        "sent",
        "sent_at",
        "sent_lost",
        "sent_number",
        "sent_quality",
        "silence",
        "unsent",
    )

    def __init__(self, tag: TagConfig) -> None:
        self.deadband = tag.filter.deadband or Decimal(0)
        self.silence = tag.filter.silence_seconds
        self.has_sent = False
        self.sent = ""
        self.sent_number: Decimal | None = None
        self.sent_quality = Quality.GOOD
        self.sent_at: datetime | None = None
        self.sent_lost = False
        self.newest_at: datetime | None = None
        self.recent: deque[tuple[str, str, str]] = deque(maxlen=RECENT)
        self.pending: Reading | None = None
        self.lost: Reading | None = None
        self.covered = False
        self.unsent: Reading | None = None
        self.alarms = ActiveAlarms()

    def is_repeat(self, reading: Reading, text: str) -> bool:
        """Whether this very reading (time, value, status) came before."""
        return (reading.at_text, text, reading.quality.value) in self.recent

    def saw(self, reading: Reading, text: str) -> None:
        self.recent.append((reading.at_text, text, reading.quality.value))
        if self.newest_at is None or reading.at > self.newest_at:
            self.newest_at = reading.at

    def sends(self, reading: Reading, text: str, *, lost: bool) -> None:
        self.has_sent, self.sent_lost = True, lost
        self.sent, self.sent_quality = text, reading.quality
        self.sent_number = None if lost else number_of(text)
        self.sent_at, self.unsent = reading.at, None

    def within_deadband(self, number: Decimal | None, text: str, quality: Quality) -> bool:
        """Whether the last value sent still says it: not more than the deadband away, at the same quality."""
        if not self.has_sent or self.sent_lost or quality is not self.sent_quality:
            return False
        if number is None or self.sent_number is None:
            return text == self.sent
        return abs(number - self.sent_number) <= self.deadband

    def silent_too_long(self, now: datetime) -> bool:
        if not self.silence or self.sent_at is None:
            return False
        return (now - self.sent_at).total_seconds() >= self.silence

    def dump(self) -> dict[str, Any]:
        """JSON-able memory."""
        return {
            "sent": [self.sent, self.sent_quality.value, _iso(self.sent_at), self.sent_lost] if self.has_sent else None,
            "newest_at": _iso(self.newest_at),
            "recent": list(self.recent),
            "pending": _dump(self.pending),
            "lost": _dump(self.lost),
            "covered": self.covered,
            "unsent": _dump(self.unsent),
            "alarms": self.alarms.codes,
        }

    @staticmethod
    def load(equipment: str, tag: TagConfig, was: dict[str, Any]) -> Track:
        """The inverse of `dump`, with the tag as it is configured now."""
        track = Track(tag)
        if was["sent"] is not None:
            text, quality, at, lost = was["sent"]
            track.has_sent, track.sent, track.sent_lost = True, text, lost
            track.sent_quality, track.sent_at = Quality(quality), datetime.fromisoformat(at)
            track.sent_number = None if lost else number_of(text)
        track.newest_at = datetime.fromisoformat(was["newest_at"]) if was["newest_at"] else None
        track.recent.extend((at, text, quality) for at, text, quality in was["recent"])
        track.pending = _load(equipment, tag, was["pending"])
        track.lost = _load(equipment, tag, was["lost"])
        track.covered = was["covered"]
        track.unsent = _load(equipment, tag, was["unsent"])
        track.alarms.codes = list(was["alarms"])
        return track


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _dump(reading: Reading | None) -> dict[str, Any] | None:
    if reading is None:
        return None
    return {
        "value": reading.value,
        "at": reading.at.isoformat(),
        "at_text": reading.at_text,
        "quality": reading.quality.value,
        "overflow": reading.overflow,
        "received_at": _iso(reading.received_at),
    }


def _load(equipment: str, tag: TagConfig, was: dict[str, Any] | None) -> Reading | None:
    if was is None:
        return None
    received = was["received_at"]
    return Reading(
        equipment=equipment,
        tag=tag,
        value=was["value"],
        at=datetime.fromisoformat(was["at"]),
        at_text=was["at_text"],
        quality=Quality(was["quality"]),
        overflow=was["overflow"],
        received_at=datetime.fromisoformat(received) if received else None,
    )
