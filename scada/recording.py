"""Plays a recorded log as if it happened now: runs in time order, their context, readings, gaps, watermarks.

A recording of many files is many runs. A file's name gives context only; what it holds counts once, however often
it is repeated. The caller pushes readings through the edge filter, and context events past it, into the edge log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple, Protocol

from domain.plant import LineConfig, StationConfig, TagConfig, TagKind
from scada.reading import Reading
from scada.recorded_files import RecordedFile, RecordingError, open_recording
from scada.recorded_lines import RECORD_START, Entry, LogReader, ReadLog, RejectedLine, parse_time
from signals.events import GapEvent, MachineEvent, OrderAspect, OrderEvent
from signals.ids import event_id
from signals.reports import Refusal

__all__ = ["PlayItem", "Playback", "RecordingError", "RunContext", "Watermark", "open_recording", "play"]

EVENT_IDENTITY = "event-identity/1"
"""A recorded line that was seen before is the same event, whatever file repeats it."""
WATERMARK_EVERY = 2000
REJECTS_LISTED = 10_000
FOREIGN_SHOWN = 5
STALE_SHARE = 10
"""At most one line in ten may be a stale snapshot at a log's head."""
STALE_PAUSE = timedelta(hours=4)
"""A head that is older than the rest by this much is a snapshot replayed at connect, not the start of the run."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run was about, from its file's name or the profile's mapping. Empty where nobody knows."""

    order: str = ""
    operation: str = ""
    serial: str = ""


class ReplayContext(Protocol):
    """What playing needs of a machine's profile."""

    @property
    def line(self) -> LineConfig: ...
    @property
    def server_uri(self) -> str: ...
    @property
    def has_runs(self) -> bool: ...
    def run_context(self, file: str) -> RunContext | None: ...


class Watermark(NamedTuple):
    """No line dated before this instant is still to come, stale ones aside."""

    at: datetime


PlayItem = Reading | MachineEvent | Watermark


@dataclass(slots=True)
class RecordingResult:
    """What was read. `rejected` lists at most ten thousand lines, `rejected_lines` counts all; `unmapped` is by tag."""

    files: int = 0
    runs: int = 0
    lines: int = 0
    rejected_lines: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)
    by_tag: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    repeated_files: list[str] = field(default_factory=list)
    empty_files: list[str] = field(default_factory=list)
    without_context: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    first_at: datetime | None = None
    last_at: datetime | None = None
    days: dict[date, Span] = field(default_factory=dict)


class Span(NamedTuple):
    """The first and the last record of a UTC day, of whatever tag."""

    first: datetime
    last: datetime


class IndexedFile(NamedTuple):
    """Where a log lies in time. `start` leaves a stale head aside."""

    file: RecordedFile
    start: datetime
    end: datetime
    lines: int


def play(files: Sequence[RecordedFile], profile: ReplayContext, *, now: datetime | None = None) -> Playback:
    """Readings, context events and watermarks in time order; `result` fills up on the way."""
    return Playback(files, profile, now or datetime.now(UTC))


class Playback:
    """One pass over a recording."""

    def __init__(self, files: Sequence[RecordedFile], profile: ReplayContext, now: datetime) -> None:
        self.result = RecordingResult(files=len(files))
        self._files = files
        self._profile = profile
        self._now = now
        stations = profile.line.stations
        self._tags: dict[str, tuple[str, TagConfig]] = {t.name: (s.id, t) for s in stations for t in s.tags}
        judged = tuple(s for s in stations if s.cycle is not None)
        self._run_stations: tuple[StationConfig, ...] = judged or stations
        completed = {word.upper() for s in judged if s.cycle for word in s.cycle.completed}
        self._completed_words = frozenset(completed)
        self._reader = LogReader({name: tag for name, (_, tag) in self._tags.items()}, now)
        self._seen: set[bytes] = set()
        self._last_end: datetime | None = None

    def check(self) -> None:
        """Raises RecordingError for a damaged log, and where no line of any log is a reading of a declared tag."""
        faults: list[str] = []
        foreign: Counter[str] = Counter()
        readable = False
        for file in self._files:
            content = file.read()
            if readable:
                continue
            log = self._reader.read(file.name, content, ends_anywhere=len(self._files) > 1)
            readable = any(entry.tag in self._tags for entry in log.entries)
            foreign.update(entry.tag for entry in log.entries)
            faults += [f"{r.file}, line {r.line}: {r.reason}" for r in log.rejected[:1]]
        if readable:
            return
        subject = self._files[0].name if len(self._files) == 1 else f"{len(self._files)} logs"
        if foreign:
            names = ", ".join(tag[:40] for tag, _ in foreign.most_common(FOREIGN_SHOWN))
            text = f"{subject}: the profile declares none of the {len(foreign)} recorded tags ({names})"
            raise RecordingError(text, subject=subject, hint="choose the machine's profile, or declare its tags in one")
        text = f"{subject}: no line can be read{f' ({faults[0]})' if faults else ', it is empty'}"
        raise RecordingError(text, subject=subject, hint="give a UTF-8 text log of lines timestamp|tag|value")

    def __iter__(self) -> Iterator[PlayItem]:
        indexed, ends_anywhere = self._index()
        for number, entry in enumerate(indexed):
            later = [i.start for i in indexed[number + 1 : number + 2]]
            log = self._reader.read(entry.file.name, entry.file.read(), ends_anywhere=ends_anywhere)
            self._note(log)
            fresh = self._fresh(entry, log)
            if not fresh:
                self.result.repeated_files.append(entry.file.name)
                continue
            self.result.runs += 1
            yield from self._run(entry, fresh, later[0] if later else None)
        if self._last_end is not None:
            yield Watermark(self._last_end)

    # --- index -------------------------------------------------------------------------------------------
    def _index(self) -> tuple[list[IndexedFile], bool]:
        """Logs by start; of those that start alike the longest first, so that a shortened copy adds nothing."""
        found: list[IndexedFile] = []
        unterminated = 0
        for file in self._files:
            content = file.read()
            unterminated += bool(content) and not content.endswith(b"\n")
            times = self._times(content)
            if times:
                found.append(IndexedFile(file, _start(times), times[-1], len(times)))
            else:
                self.result.empty_files.append(file.name)
                self._note(self._reader.read(file.name, content))
        found.sort(key=lambda i: (i.start, -i.end.timestamp(), -i.lines, i.file.name))
        return found, len(self._files) > 1 and unterminated * 2 > len(self._files)

    def _times(self, content: bytes) -> list[datetime]:
        texts = [line.partition("|")[0].strip() for line in content.decode("utf-8-sig", "replace").splitlines()]
        seen = {t for t in texts if RECORD_START.match(t)}
        times = [at for t in seen if (at := parse_time(t)) is not None and at <= self._now]
        return sorted(times)

    # --- one run -----------------------------------------------------------------------------------------
    def _note(self, log: ReadLog) -> None:
        result = self.result
        result.lines += log.lines
        result.rejected_lines += len(log.rejected)
        result.rejected.extend(log.rejected[: max(0, REJECTS_LISTED - len(result.rejected))])
        for entry in log.entries:
            known = entry.tag in self._tags
            (result.by_tag if known else result.unmapped)[entry.tag] += 1
            day = entry.at.date()
            span = result.days.get(day)
            if span is None or not span.first <= entry.at <= span.last:
                first, last = span or (entry.at, entry.at)
                result.days[day] = Span(min(first, entry.at), max(last, entry.at))

    def _fresh(self, indexed: IndexedFile, log: ReadLog) -> list[Entry]:
        """The log's entries in time order, without those that the recording held before."""
        fresh: list[Entry] = []
        repeats: list[Entry] = []
        for entry in sorted(log.entries, key=_by_time):
            digest = blake2b(f"{entry.at_text}|{entry.tag}|{entry.value}".encode(), digest_size=8).digest()
            if digest in self._seen:
                repeats.append(entry)
            else:
                self._seen.add(digest)
                fresh.append(entry)
        for entry in repeats:
            self.result.repeated[entry.tag] += 1
        if fresh:
            self._refuse_repeats(indexed, repeats)
        return fresh

    def _refuse_repeats(self, indexed: IndexedFile, repeats: list[Entry]) -> None:
        for entry in repeats:
            known = self._tags.get(entry.tag)
            if known is None or known[1].kind is not TagKind.PROGRAM_STATUS:
                continue
            if entry.value.strip().upper() in self._completed_words:
                self.result.refusals.append(
                    Refusal(
                        rule=EVENT_IDENTITY,
                        at=entry.at,
                        detail=f"{entry.value} of {entry.at_text} is repeated in {indexed.file.name}",
                    )
                )

    def _run(self, indexed: IndexedFile, fresh: list[Entry], limit: datetime | None) -> Iterator[PlayItem]:
        before = self._last_end
        floor = indexed.start if before is None else max(indexed.start, before)
        body = [e for e in fresh if e.at >= floor] or fresh
        early = [e for e in fresh if e.at < floor] if body is not fresh else []
        for entry in early:
            yield from self._reading(entry)
        first, last = body[0], body[-1]
        if before is not None and indexed.start > before:
            yield from self._gap(first, before)
        if self._profile.has_runs:
            yield from self._run_starts(indexed.file.name, first)
        yield from self._readings(body, limit)
        if self._profile.has_runs:
            yield from self._context(last, {OrderAspect.RUN: ""})
        self._last_end = last.at if before is None else max(before, last.at)
        self.result.first_at = self.result.first_at or first.at
        self.result.last_at = self._last_end
        yield Watermark(self._last_end if limit is None else min(self._last_end, limit))

    def _readings(self, body: list[Entry], limit: datetime | None) -> Iterator[PlayItem]:
        since = 0
        for number, entry in enumerate(body):
            moved = number > 0 and entry.at > body[number - 1].at
            if since >= WATERMARK_EVERY and moved and (limit is None or body[number - 1].at <= limit):
                since = 0
                yield Watermark(body[number - 1].at)
            since += 1
            yield from self._reading(entry)

    def _reading(self, entry: Entry) -> Iterator[Reading]:
        known = self._tags.get(entry.tag)
        if known is not None:
            equipment, tag = known
            yield Reading(equipment=equipment, tag=tag, value=entry.value, at=entry.at, at_text=entry.at_text)

    def _run_starts(self, file: str, first: Entry) -> Iterator[OrderEvent]:
        context = self._profile.run_context(file)
        if context is None:
            self.result.without_context.append(file)
            context = RunContext()
        aspects = {
            OrderAspect.ORDER: context.order,
            OrderAspect.OPERATION: context.operation,
            OrderAspect.SERIAL: context.serial,
            OrderAspect.RUN: first.at_text,
        }
        yield from self._context(first, aspects)

    def _context(self, entry: Entry, aspects: dict[OrderAspect, str]) -> Iterator[OrderEvent]:
        for station in self._run_stations:
            for aspect, value in aspects.items():
                yield OrderEvent(
                    event_id=self._own_id(station.id, aspect.value, entry.at_text, value),
                    at=entry.at,
                    equipment=station.id,
                    tag=f"recorded {aspect.value}",
                    aspect=aspect,
                    value=value,
                )

    def _gap(self, first: Entry, before: datetime) -> Iterator[GapEvent]:
        for station in self._profile.line.stations:
            yield GapEvent(
                event_id=self._own_id(station.id, "gap", first.at_text, before.isoformat()),
                at=first.at,
                equipment=station.id,
                tag="recording",
                gap_from=before,
                reason="nothing was recorded",
            )

    def _own_id(self, station: str, what: str, at_text: str, value: str) -> str:
        return event_id(self._profile.server_uri, f"{station}/recorded {what}", at_text, "recorded", value)


def _by_time(entry: Entry) -> datetime:
    return entry.at


def _start(times: list[datetime]) -> datetime:
    """The first instant of the run proper: behind the last long pause within the head of the log."""
    start = times[0]
    for earlier, at in pairwise(times[: max(2, len(times) // STALE_SHARE)]):
        if at - earlier > STALE_PAUSE:
            start = at
    return start
