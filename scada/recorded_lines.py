"""Reads the lines of one recorded log (`timestamp|tag|value`), and recognises lines that were cut.

A line that is followed by something that starts no record was probably cut there, and a value cut short looks like
a value: so head and fragment are both rejected. Nothing is ever put together again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from domain.plant import TagConfig, TagKind
from scada.translate import CONDITION_COLUMNS, CONDITION_LEVELS

TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
RECORD_START = re.compile(r"\s*\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
TIMESTAMP_SHAPE = "dddd-dd-ddTdd:dd:dd.ddddddddd"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
EARLIEST_YEAR = 1990
UNDECODABLE = "�"
FREE_TEXT = (TagKind.ALARM, TagKind.MEASUREMENT, TagKind.IGNORE)


class Entry(NamedTuple):
    """One tag's value at one time."""

    at: datetime
    at_text: str
    tag: str
    value: str


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that led to no reading."""

    file: str
    line: int
    reason: str
    text: str = ""


@dataclass(slots=True)
class ReadLog:
    """What one log held."""

    lines: int = 0
    entries: list[Entry] = field(default_factory=list)
    rejected: list[RejectedLine] = field(default_factory=list)


class _Rejected(Exception):
    """Why a line is no record."""


class LogReader:
    """Reads logs whose tags are declared; `latest` is the instant beyond which a line is from the future."""

    def __init__(self, tags: Mapping[str, TagConfig], latest: datetime) -> None:
        self._tags = tags
        self._latest = latest
        self._last_text = ""
        self._last_at = latest

    def read(self, file: str, content: bytes, *, ends_anywhere: bool = False) -> ReadLog:
        """All records of a log. `ends_anywhere`: its writer leaves out the last line end, so none is missing."""
        text = content.decode("utf-8", errors="replace").removeprefix("\ufeff")
        result = ReadLog()
        suspicious = CONTROL.search(text.replace("\r\n", "\n")) is not None or UNDECODABLE in text
        numbered = [(n, line.rstrip("\r")) for n, line in enumerate(text.split("\n"), start=1)]
        lines = [(n, line) for n, line in numbered if line and not line.isspace()]
        result.lines = len(lines)
        unterminated = bool(lines) and lines[-1][0] == numbered[-1][0] and not ends_anywhere
        for index, (number, line) in enumerate(lines):
            following = lines[index + 1][1] if index + 1 < len(lines) else None
            try:
                if following is not None and cut_before(line, following):
                    raise _Rejected(_cut_reason(line))
                if following is None and unterminated:
                    raise _Rejected("the file ends in the middle of this line")
                if suspicious and CONTROL.search(line):
                    raise _Rejected("control characters in the line")
                result.entries.extend(self._record(line.strip(" "), suspicious))
            except _Rejected as why:
                result.rejected.append(RejectedLine(file, number, str(why), line[:120]))
        return result

    def _record(self, line: str, suspicious: bool) -> list[Entry]:
        at_text, bar, rest = line.partition("|")
        if not bar:
            raise _Rejected("no record: it does not read timestamp|tag|value")
        at = self._time(at_text)
        fields = rest.split("|")
        tag = fields[0].strip()
        if len(fields) != 2:
            return [Entry(at, at_text, name, value) for name, value in self._pairs(tag, fields, suspicious)]
        self._check(tag, fields[1], suspicious)
        return [Entry(at, at_text, tag, fields[1])]

    def _pairs(self, tag: str, fields: list[str], suspicious: bool) -> list[tuple[str, str]]:
        """A condition has further columns; a first record has several tags with their values."""
        known = self._tags.get(tag)
        condition = len(fields) == CONDITION_COLUMNS + 1 and fields[1].strip().upper() in CONDITION_LEVELS
        if len(fields) > 1 and (condition or (known is not None and known.kind is TagKind.ALARM)):
            pairs = [(tag, "|".join(fields[1:]))]
        elif len(fields) % 2:
            raise _Rejected(f"tag {fields[-1][:40]!r} has no value")
        else:
            pairs = [(fields[i].strip(), fields[i + 1]) for i in range(0, len(fields), 2)]
        for name, value in pairs:
            self._check(name, value, suspicious)
        return pairs

    def _check(self, tag: str, value: str, suspicious: bool) -> None:
        if not tag:
            raise _Rejected("the tag is missing")
        if not suspicious:
            return
        known = self._tags.get(tag)
        free = known is not None and known.kind in FREE_TEXT
        if UNDECODABLE in tag or (UNDECODABLE in value and not free):
            raise _Rejected("characters that are no UTF-8")

    def _time(self, text: str) -> datetime:
        if text == self._last_text:
            return self._last_at
        at = parse_time(text)
        if at is None:
            raise _Rejected(f"{text[:40]!r} is no timestamp")
        if at > self._latest:
            raise _Rejected(f"{text} lies in the future")
        self._last_text, self._last_at = text, at
        return at


def parse_time(text: str) -> datetime | None:
    """The instant, to the microsecond. A missing zone is UTC, as MTConnect writes it; None for anything else."""
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}+00:00")
    except ValueError:
        return None
    if at.year < EARLIEST_YEAR:
        return None
    if zone in (None, "Z"):
        return at
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    if offset >= timedelta(hours=24):
        return None
    try:
        return at.replace(tzinfo=timezone(offset if zone[0] == "+" else -offset)).astimezone(UTC)
    except OverflowError:
        return None


def cut_before(line: str, following: str) -> bool:
    """Whether `line` may have been cut at its end, to go on in `following`."""
    if RECORD_START.match(following):
        return False
    # A terminal capture starts each record where the one before it ended: then that one is whole.
    indent = len(following) - len(following.lstrip(" "))
    return not (indent > 0 and indent == len(line) and _starts_like_a_timestamp(following[indent:]))


def _starts_like_a_timestamp(text: str) -> bool:
    shape = "".join("d" if c.isascii() and c.isdigit() else c for c in text)
    return bool(shape) and TIMESTAMP_SHAPE.startswith(shape)


def _cut_reason(line: str) -> str:
    if RECORD_START.match(line):
        return "cut: what follows starts no record, so the last value may be incomplete"
    return "fragment: it starts no record"
