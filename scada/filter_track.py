"""What the edge filter remembers: of a tag the last value sent, of a station which of its tags are known to be there.

Not for translating; that is scada.translate.
"""

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
        "equipment",
        "has_sent",
        "known",
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
        "tag",
        "unsent",
    )

    def __init__(self, equipment: str, tag: TagConfig) -> None:
        self.equipment = equipment
        self.tag = tag
        self.deadband = tag.filter.deadband or Decimal(0)
        self.silence = tag.filter.silence_seconds
        self.known = False
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
        self.has_sent, self.known, self.sent_lost = True, True, lost
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
            "known": self.known,
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
        track = Track(equipment, tag)
        if was["sent"] is not None:
            text, quality, at, lost = was["sent"]
            track.has_sent, track.sent, track.sent_lost = True, text, lost
            track.sent_quality, track.sent_at = Quality(quality), datetime.fromisoformat(at)
            track.sent_number = None if lost else number_of(text)
        track.known = was["known"]
        track.newest_at = datetime.fromisoformat(was["newest_at"]) if was["newest_at"] else None
        track.recent.extend((at, text, quality) for at, text, quality in was["recent"])
        track.pending = _load(equipment, tag, was["pending"])
        track.lost = _load(equipment, tag, was["lost"])
        track.covered = was["covered"]
        track.unsent = _load(equipment, tag, was["unsent"])
        track.alarms.codes = list(was["alarms"])
        return track


class StationLink:
    """Whether a station's availability tag is there, and for which tags that says everything.

    A tag that is lost or found in the same instant as the availability tag needs no event of its own. Any other loss
    or return does; so both wait until the source time has moved on.
    """

    def __init__(self, availability: str) -> None:
        self.availability = availability
        self.lost = False
        self.lost_at: datetime | None = None
        self.back_at: datetime | None = None
        self.losses: dict[str, Track] = {}
        self.returns: dict[str, tuple[Track, Reading, str]] = {}
        self.told: set[str] = set()

    def heard(self, at: datetime, *, lost: bool) -> None:
        """The availability tag itself was read."""
        if lost and not self.lost:
            self.lost_at, self.back_at = at, None
            self.told = set()
        elif not lost and self.lost:
            self.back_at = at
        self.lost = lost

    def loses(self, track: Track, reading: Reading) -> None:
        """A tag lost its value."""
        track.lost = reading
        track.covered = self.lost and reading.tag.name not in self.told
        self.losses[reading.tag.name] = track
        self.returns.pop(reading.tag.name, None)

    def finds(self, track: Track, reading: Reading, rule: str) -> None:
        """A tag has a value that is dropped because it is known."""
        self._forget(track, reading)
        if self.lost and reading.tag.name not in self.told:
            self.returns[reading.tag.name] = (track, reading, rule)

    def tells(self, track: Track, reading: Reading) -> None:
        """An event of the tag goes out."""
        self._forget(track, reading)
        self.returns.pop(reading.tag.name, None)
        if self.lost and reading.tag.name != self.availability:
            self.told.add(reading.tag.name)

    def _forget(self, track: Track, reading: Reading) -> None:
        track.lost, track.covered = None, False
        self.losses.pop(reading.tag.name, None)

    def settle(self, now: datetime) -> list[tuple[Track, Reading, str]]:
        """What must be told now that the source time has passed it: track, reading, the rule it was dropped by."""
        if not self.losses and not self.returns and self.back_at is None:
            return []
        due: list[tuple[Track, Reading, str]] = []
        back = self.back_at is not None and self.back_at < now
        for track in self.losses.values():
            loss = track.lost
            if loss is None or loss.at >= now:
                continue
            track.covered = track.covered or (self.lost and self.lost_at == loss.at)
            if not track.covered or back:
                due.append((track, loss, "station_unavailable"))
        for name, found in list(self.returns.items()):
            if found[1].at < now:
                del self.returns[name]
                if self.lost:
                    due.append(found)
        if back:
            self.back_at = None
        return due

    def dump(self) -> dict[str, Any]:
        """JSON-able memory; the tags' own part is with their tracks."""
        return {
            "lost": self.lost,
            "lost_at": _iso(self.lost_at),
            "back_at": _iso(self.back_at),
            "told": sorted(self.told),
            "returns": {name: [_dump(reading), rule] for name, (_, reading, rule) in self.returns.items()},
            "losses": list(self.losses),
        }

    def load(self, was: dict[str, Any], tracks: dict[str, Track]) -> None:
        """The inverse of `dump`, given the station's tracks by tag."""
        self.lost, self.told = was["lost"], set(was["told"])
        self.lost_at = datetime.fromisoformat(was["lost_at"]) if was["lost_at"] else None
        self.back_at = datetime.fromisoformat(was["back_at"]) if was["back_at"] else None
        self.losses = {name: tracks[name] for name in was["losses"] if name in tracks}
        for name, (stored, rule) in was["returns"].items():
            track = tracks.get(name)
            reading = _load(track.equipment, track.tag, stored) if track is not None else None
            if track is not None and reading is not None:
                self.returns[name] = (track, reading, rule)


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
