"""Where a line's tags live on an OPC UA server, and how a DataValue becomes a Reading.

NodeId text follows OPC 10000-6, 5.1.12 (`nsu=URI;s=...`); values and status codes follow OPC 10000-4, 7.11. No I/O.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from asyncua import ua

from domain.plant import LineConfig, TagConfig, TagKind
from scada.reading import Reading, Value
from signals.events import Quality
from signals.ids import time_text

OVERFLOW = 0x480
"""InfoType DataValue (0x400) with the overflow bit (0x80): the server's queue lost values before this one."""

_FIRST_PLAUSIBLE_YEAR = 1971
_TEXT = re.compile(r"^(?:(?P<kind>nsu|ns)=(?P<space>[^;]*);)?(?P<type>[isgb])=(?P<id>.*)$", re.DOTALL)


class NodeAddressError(ValueError):
    """A NodeId in the plant file cannot be used; the message says how to write it."""


@dataclass(frozen=True, slots=True, eq=False)
class TagAddress:
    """A tag and the station it belongs to. Equal by name: two of one station never share it."""

    equipment: str
    tag: TagConfig

    @property
    def name(self) -> str:
        """`station.tag`, as people write it."""
        return f"{self.equipment}.{self.tag.name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TagAddress) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, str]:
        return self.equipment, self.tag.name


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A NodeId by namespace URI; `index` counts only where no URI is given."""

    namespace_uri: str | None
    index: int
    identifier: int | str | bytes | uuid.UUID

    def node_id(self, namespaces: Sequence[str]) -> ua.NodeId:
        """The NodeId for this session. Raises NodeAddressError when the server does not have the namespace."""
        return ua.NodeId(self.identifier, self._index(namespaces))  # type: ignore[arg-type]

    def _index(self, namespaces: Sequence[str]) -> int:
        if self.namespace_uri is None:
            return self.index
        try:
            return list(namespaces).index(self.namespace_uri)
        except ValueError:
            known = ", ".join(uri for uri in namespaces if uri)
            raise NodeAddressError(
                f"the server has no namespace {self.namespace_uri!r}; correct the nsu= part to one of: {known}"
            ) from None


def parse_node(text: str) -> NodeAddress:
    """Reads `nsu=URI;s=name`, `ns=2;i=7` or `i=2258`. Raises NodeAddressError."""
    found = _TEXT.match(text.strip())
    if found is None:
        raise NodeAddressError(f"{text!r} is no NodeId; write for example nsu=urn:vendor:line;s=Line1.Press.Good")
    space, is_uri = found["space"] or "", found["kind"] == "nsu"
    if found["kind"] == "ns" and not space.isdigit():
        raise NodeAddressError(f"{text!r}: ns= needs a number; better name the namespace with nsu=URI")
    uri = space.replace("%3B", ";").replace("%3b", ";").replace("%25", "%") if is_uri else None
    index = int(space) if found["kind"] == "ns" else 0
    return NodeAddress(uri, index, _identifier(found["type"], found["id"], text))


def _identifier(kind: str, value: str, text: str) -> int | str | bytes | uuid.UUID:
    try:
        match kind:
            case "i":
                return int(value)
            case "g":
                return uuid.UUID(value)
            case "b":
                return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error) as error:
        raise NodeAddressError(f"{text!r}: the part after {kind}= cannot be read ({error})") from error
    if not value:
        raise NodeAddressError(f"{text!r}: the name after s= is empty")
    return value


def line_tags(line: LineConfig) -> tuple[TagAddress, ...]:
    """All tags of a line that are to be watched, in the order of the plant file."""
    return tuple(TagAddress(s.id, t) for s in line.stations for t in s.tags if t.kind is not TagKind.IGNORE)


def reading(address: TagAddress, value: ua.DataValue, *, received_at: datetime) -> Reading:
    """What a DataValue says of a tag. Without a source time the server's counts, without both the receive time."""
    status = status_value(value)
    quality = quality_of(status)
    at = source_time(value) or received_at
    content = None if quality is Quality.BAD or value.Value is None else plain_value(value.Value.Value)
    return Reading(
        equipment=address.equipment,
        tag=address.tag,
        value=content,
        at=at,
        at_text=time_text(at),
        quality=quality,
        overflow=status & OVERFLOW == OVERFLOW,
        received_at=received_at,
    )


def status_value(value: ua.DataValue) -> int:
    """The numeric StatusCode; a missing one means Good (OPC 10000-6, 5.2.2.17)."""
    return value.StatusCode.value if value.StatusCode is not None else 0


def quality_of(status: int) -> Quality:
    """The class in the StatusCode's top two bits."""
    match status >> 30:
        case 0:
            return Quality.GOOD
        case 1:
            return Quality.UNCERTAIN
        case _:
            return Quality.BAD


def source_time(value: ua.DataValue) -> datetime | None:
    """The source timestamp, else the server's; None where neither is a real time."""
    for stamp in (value.SourceTimestamp, value.ServerTimestamp):
        if stamp is not None and stamp.year >= _FIRST_PLAUSIBLE_YEAR:
            return stamp
    return None


def heartbeat_time(value: ua.DataValue) -> datetime | None:
    """The plant time that a heartbeat proves: its source time, else the time it carries as its value."""
    if value.SourceTimestamp is not None and value.SourceTimestamp.year >= _FIRST_PLAUSIBLE_YEAR:
        return value.SourceTimestamp
    content = value.Value.Value if value.Value is not None else None
    if isinstance(content, datetime) and content.tzinfo is not None and content.year >= _FIRST_PLAUSIBLE_YEAR:
        return content
    return source_time(value)


def plain_value(content: object) -> Value:
    """A variant's content as a tag may hold it; arrays and structures are nothing usable."""
    match content:
        case IntEnum():
            return int(content)
        case float() if not math.isfinite(content):
            return None
        case bool() | int() | float() | str():
            return content
        case datetime():
            return time_text(content)
        case ua.LocalizedText():
            return content.Text or ""
        case uuid.UUID():
            return str(content)
        case _:
            return None


def merge_order(readings: Sequence[Reading]) -> list[Reading]:
    """By source time; at the same instant context before counters, because a counter step belongs to its context."""
    return sorted(readings, key=lambda r: (r.at, r.tag.kind is TagKind.COUNT))
