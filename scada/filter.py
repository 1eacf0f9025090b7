"""The edge filter: what leaves the plant floor. Validate, dedupe, debounce, deadband, silence (reference ot.md 4.3).

Every dropped value can be rebuilt: it repeats one that was sent, lies within its tag's deadband of the last one sent,
or was lost together with the station's availability tag. A tag with `every` sends all its readings. Counters, alarms,
order ids, states and program words are never thinned by value. Times are the source's own; nothing is ever re-dated.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.plant import LineConfig, TagConfig, TagKind
from scada.filter_track import StationLink, Track
from scada.reading import Reading
from scada.translate import Unusable, all_clear, is_unavailable, number_of, translate, value_text
from signals.events import MachineEvent

REJECTS_KEPT = 1000
DEBOUNCED = (TagKind.STATE, TagKind.PROGRAM_STATUS, TagKind.MEASUREMENT)


@dataclass(frozen=True, slots=True)
class RejectedReading:
    """A reading that is no event, and why."""

    equipment: str
    tag: str
    at_text: str
    value: str
    reason: str


class FilterStats:
    """What was read, kept and dropped, per tag, per event kind and per rule. `rejected` keeps the first thousand."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.kept_by_kind: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.dropped_by_rule: Counter[str] = Counter()
        self.rejected_count = 0
        self.rejected: list[RejectedReading] = []

    @property
    def dropped_ratio(self) -> float:
        """Share of the readings that led to no event."""
        total = self.read.total()
        return 1 - self.kept.total() / total if total else 0.0


class EdgeFilter:
    """Filters one line's readings. `state()` restores it after a restart, deadbands included."""

    def __init__(self, line: LineConfig, server_uri: str, state: str = "") -> None:
        self.line = line
        self.server_uri = server_uri
        self.stats = FilterStats()
        self._tags: dict[tuple[str, str], TagConfig] = {(s.id, t.name): t for s in line.stations for t in s.tags}
        self._links = {s.id: StationLink(s.availability) for s in line.stations if s.availability}
        self._tracks: dict[tuple[str, str], Track] = {}
        if state:
            self._restore(state)

    # --- readings ----------------------------------------------------------------------------------------
    def accept(self, reading: Reading) -> tuple[MachineEvent, ...]:
        """The events this reading leads to, with those that waited for a later reading first."""
        tag = reading.tag
        self.stats.read[tag.name] += 1
        link = self._links.get(reading.equipment)
        out = self._settle_link(link, reading.at) if link is not None else ()
        if tag.kind is TagKind.IGNORE:
            return self._drop(reading, "ignored", out)
        track = self._track(reading)
        text = value_text(reading.value)
        if track.is_repeat(reading, text):
            return self._drop(reading, "repeat", out)
        older = track.newest_at is not None and reading.at < track.newest_at
        if older and tag.kind is TagKind.MEASUREMENT:
            return self._drop(reading, "out_of_order", out)
        track.saw(reading, text)
        if link is not None and tag.name == link.availability and not older:
            link.heard(reading.at, lost=is_unavailable(reading, text))
        if tag.kind is TagKind.ALARM and is_unavailable(reading, text):
            return out + self._value_lost(track, reading, text, link)
        if tag.kind is TagKind.MEASUREMENT and tag.filter.debounce_ms == 0:
            return out + self._measured(track, reading, text, link)
        if tag.filter.debounce_ms and tag.kind in DEBOUNCED and not older:
            return out + self._debounce(track, reading, text)
        return out + self._send(track, reading, text)

    def flush(self, now: datetime) -> tuple[MachineEvent, ...]:
        """Trailing debounces, losses that nothing covered, and values silent for too long, by plant time."""
        out: tuple[MachineEvent, ...] = ()
        for link in self._links.values():
            out += self._settle_link(link, now)
        for track in self._tracks.values():
            out += self._flush_track(track, now)
        return out

    def held_since(self) -> datetime | None:
        """Source time of the oldest reading that still waits for its decision; no watermark may pass it."""
        waiting = [r.at for t in self._tracks.values() for r in (t.pending, t.lost) if r is not None and not t.covered]
        return min(waiting, default=None)

    def watermark(self, claimed: datetime) -> datetime:
        """The watermark that holds downstream of this filter."""
        held = self.held_since()
        return claimed if held is None else min(claimed, held - timedelta(microseconds=1))

    # --- rules -------------------------------------------------------------------------------------------
    def _measured(
        self, track: Track, reading: Reading, text: str, link: StationLink | None
    ) -> tuple[MachineEvent, ...]:
        if is_unavailable(reading, text):
            return self._value_lost(track, reading, text, link)
        number = number_of(text)
        if number is None and reading.tag.filter.deadband is not None:
            return self._reject(reading, text, "a tag with a deadband needs a number")
        known = track.within_deadband(number, text, reading.quality) and not track.silent_too_long(reading.at)
        if known and not reading.tag.filter.every:
            track.unsent = reading
            return self._drop_known(track, reading, _closeness(reading.tag), link)
        return self._send(track, reading, text)

    def _value_lost(
        self, track: Track, reading: Reading, text: str, link: StationLink | None
    ) -> tuple[MachineEvent, ...]:
        if not track.known:
            return self._drop(reading, "never_available")
        if track.lost is not None or track.sent_lost:
            return self._drop(reading, "no_change")
        if link is None or reading.tag.name == link.availability:
            return self._send(track, reading, text)
        link.loses(track, reading)
        return self._drop(reading, "station_unavailable")

    def _drop_known(
        self, track: Track, reading: Reading, rule: str, link: StationLink | None
    ) -> tuple[MachineEvent, ...]:
        """Drop a value that is known already, unless nobody could know that its tag is there again."""
        track.known = True
        if link is not None:
            link.finds(track, reading, rule)
        return self._drop(reading, rule)

    def _settle_link(self, link: StationLink, now: datetime) -> tuple[MachineEvent, ...]:
        """Once the source time has moved on, what the station's availability did not say is sent, with its own time."""
        out: tuple[MachineEvent, ...] = ()
        for track, reading, rule in link.settle(now):
            self.stats.dropped[reading.tag.name] -= 1
            self.stats.dropped_by_rule[rule] -= 1
            out += self._send(track, reading, value_text(reading.value), tell=True)
        return out

    def _debounce(self, track: Track, reading: Reading, text: str) -> tuple[MachineEvent, ...]:
        out = self._end_debounce(track, reading.at)
        if track.pending is not None:
            self._count_drop(track.pending, "debounce")
            track.pending = None
        if track.has_sent and text == track.sent and reading.quality is track.sent_quality:
            return self._drop(reading, "debounce", out)
        track.pending = reading
        return out

    def _end_debounce(self, track: Track, now: datetime) -> tuple[MachineEvent, ...]:
        pending = track.pending
        if pending is None or now - pending.at < timedelta(milliseconds=pending.tag.filter.debounce_ms):
            return ()
        track.pending = None
        text = value_text(pending.value)
        if pending.tag.kind is TagKind.MEASUREMENT:
            return self._measured(track, pending, text, self._links.get(pending.equipment))
        return self._send(track, pending, text)

    def _flush_track(self, track: Track, now: datetime) -> tuple[MachineEvent, ...]:
        out = self._end_debounce(track, now)
        unsent = track.unsent
        if unsent is not None and track.silent_too_long(now):
            rule = _closeness(unsent.tag)
            self.stats.dropped[unsent.tag.name] -= 1
            self.stats.dropped_by_rule[rule] -= 1
            out += self._send(track, unsent, value_text(unsent.value))
        return out

    # --- ends --------------------------------------------------------------------------------------------
    def _send(self, track: Track, reading: Reading, text: str, *, tell: bool = False) -> tuple[MachineEvent, ...]:
        """`tell`: say it even where a translation alone would be silent."""
        link = self._links.get(reading.equipment)
        try:
            translation = translate(reading, text, self.server_uri, track.alarms)
        except Unusable as why:
            return self._reject(reading, text, str(why))
        except ValueError as error:
            return self._reject(reading, text, f"no valid event: {error}")
        events = translation.events
        if not events and tell:
            events = all_clear(reading, text, self.server_uri)
        if not events and translation.silent == "no_alarm":
            track.sent_lost = False
            return self._drop_known(track, reading, translation.silent, link)
        if not events:
            return self._drop(reading, translation.silent)
        track.sends(reading, text, lost=is_unavailable(reading, text))
        if link is not None:
            link.tells(track, reading)
        self.stats.kept[reading.tag.name] += 1
        for event in events:
            self.stats.kept_by_kind[event.kind] += 1
        return events

    def _drop(self, reading: Reading, rule: str, events: tuple[MachineEvent, ...] = ()) -> tuple[MachineEvent, ...]:
        self._count_drop(reading, rule)
        return events

    def _count_drop(self, reading: Reading, rule: str) -> None:
        self.stats.dropped[reading.tag.name] += 1
        self.stats.dropped_by_rule[rule] += 1

    def _reject(self, reading: Reading, text: str, reason: str) -> tuple[MachineEvent, ...]:
        self._count_drop(reading, "rejected")
        self.stats.rejected_count += 1
        if len(self.stats.rejected) < REJECTS_KEPT:
            entry = RejectedReading(reading.equipment, reading.tag.name, reading.at_text, text[:200], reason)
            self.stats.rejected.append(entry)
        return ()

    # --- state -------------------------------------------------------------------------------------------
    def _track(self, reading: Reading) -> Track:
        key = (reading.equipment, reading.tag.name)
        track = self._tracks.get(key)
        if track is None:
            track = self._tracks[key] = Track(reading.equipment, reading.tag)
        return track

    def state(self) -> str:
        """Everything a restart needs, as JSON."""
        links = {station: link.dump() for station, link in self._links.items()}
        tracks = [[*key, track.dump()] for key, track in self._tracks.items()]
        return json.dumps({"links": links, "tracks": tracks}, separators=(",", ":"))

    def _restore(self, state: str) -> None:
        stored: dict[str, Any] = json.loads(state)
        for equipment, name, was in stored["tracks"]:
            tag = self._tags.get((equipment, name))
            if tag is not None:
                self._tracks[equipment, name] = Track.load(equipment, tag, was)
        for station, was in stored["links"].items():
            link = self._links.get(station)
            if link is not None:
                link.load(was, {name: t for (e, name), t in self._tracks.items() if e == station})


def _closeness(tag: TagConfig) -> str:
    """Name of the rule that drops a tag's known values."""
    return "deadband" if tag.filter.deadband else "no_change"
