"""Translates one reading into machine events by its tag's kind, or says why it cannot (requirement 1).

Pure per reading, except for alarms: those are raised or cleared against what is active. Conditions of MTConnect logs
read `level|native code|severity|qualifier|text`. Not for dropping anything that could be sent: that is scada.filter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.plant import TagKind
from scada.reading import Reading, Value
from signals.events import (
    AlarmEvent,
    CountEvent,
    GapEvent,
    MachineEvent,
    MaterialLoadedEvent,
    MeasurementEvent,
    OperatorEvent,
    OrderAspect,
    OrderEvent,
    ProgramEvent,
    Quality,
    ReasonEvent,
    StateEvent,
)
from signals.ids import event_id
from signals.packml import MachineState, state_from_number

UNAVAILABLE = "UNAVAILABLE"
CONDITION_COLUMNS = 5
"""Columns of a condition after its tag: level, native code, native severity, qualifier, text."""
CONDITION_LEVELS = ("NORMAL", "WARNING", "FAULT", UNAVAILABLE)
SEVERITY = {"WARNING": 500, "FAULT": 900}
ANY_WORD = "*"
"""In a tag's states: every word that is not named there."""
MOST_DIGITS = 400
"""What a machine's number has before or behind its decimal point, at most; doubles have 308."""

ORDER_ASPECTS = {
    TagKind.ORDER: OrderAspect.ORDER,
    TagKind.OPERATION: OrderAspect.OPERATION,
    TagKind.BATCH: OrderAspect.BATCH,
    TagKind.SERIAL: OrderAspect.SERIAL,
    TagKind.RUN: OrderAspect.RUN,
}


class Unusable(Exception):
    """The value cannot be read as its kind; the text says why."""


@dataclass(slots=True)
class Translation:
    """The events of a reading. `silent` names why a usable reading says nothing (no alarm to clear, no value)."""

    events: tuple[MachineEvent, ...] = ()
    silent: str = ""


@dataclass(slots=True)
class ActiveAlarms:
    """Codes that are raised on one tag."""

    codes: list[str] = field(default_factory=list)


def value_text(value: Value) -> str:
    """The one spelling of a value in ids and events. Text stays as the source wrote it."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def is_unavailable(reading: Reading, text: str) -> bool:
    """Whether the reading carries no usable value: bad status, or the source's own word for it."""
    if reading.quality is Quality.BAD or reading.value is None:
        return True
    return UNAVAILABLE in text.upper() and text.partition("|")[0].strip().upper() == UNAVAILABLE


def number_of(text: str) -> Decimal | None:
    """The number a text holds, or None; `1E999999` is none that a machine shows, and nothing could reckon with it."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= MOST_DIGITS else None


def identity(server_uri: str, reading: Reading, text: str) -> str:
    """The event id of a reading (design section 3)."""
    node = reading.tag.node or f"{reading.equipment}/{reading.tag.name}"
    return event_id(server_uri, node, reading.at_text, reading.quality.value, text)


def translate(reading: Reading, text: str, server_uri: str, alarms: ActiveAlarms) -> Translation:
    """Events of a reading. Raises Unusable when its value is none of its kind."""
    tag, lost = reading.tag, is_unavailable(reading, text)
    base = _base(reading, text, server_uri, lost=lost)
    match tag.kind:
        case TagKind.STATE:
            state = MachineState.UNKNOWN if lost else _state(reading, text)
            return Translation((*_overflow_gap(reading, base), StateEvent(**base, state=state, raw=text)))
        case TagKind.PROGRAM_STATUS | TagKind.PROGRAM_NAME:
            aspect = "status" if tag.kind is TagKind.PROGRAM_STATUS else "name"
            word = (text or UNAVAILABLE) if lost else text.strip()
            return Translation((*_overflow_gap(reading, base), ProgramEvent(**base, aspect=aspect, value=word)))
        case TagKind.MEASUREMENT | TagKind.STOP_REASON | TagKind.STARVED | TagKind.BLOCKED | TagKind.MODE:
            value = "" if lost else text
            return Translation((MeasurementEvent(**base, characteristic=tag.name, value=value, unit=tag.unit),))
        case TagKind.ALARM if lost:
            return Translation((AlarmEvent(**base, code=tag.name, active=False, text="unavailable"),))
        case _ if lost:
            return Translation(silent="unavailable")
        case TagKind.COUNT:
            total = count_of(reading)
            return Translation((CountEvent(**base, counter=tag.name, total=total, overflow=reading.overflow),))
        case TagKind.ALARM:
            return _alarm(reading, text, base, alarms)
        case TagKind.REASON | TagKind.REASON_ORIGIN:
            aspect = "reason" if tag.kind is TagKind.REASON else "origin"
            return Translation((ReasonEvent(**base, aspect=aspect, value=text.strip()),))
        case TagKind.OPERATOR:
            return Translation((OperatorEvent(**base, operator=text.strip()),))
        case TagKind.COMPONENT_LOT:
            return Translation((MaterialLoadedEvent(**base, material=tag.material, lot=text.strip()),))
        case TagKind.IGNORE:
            return Translation(silent="ignored")
        case _:
            return Translation((OrderEvent(**base, aspect=ORDER_ASPECTS[tag.kind], value=text.strip()),))


def all_clear(reading: Reading, text: str, server_uri: str) -> tuple[MachineEvent, ...]:
    """Says that an alarm tag is there and holds no alarm, where nothing else says so."""
    base = _base(reading, text, server_uri, lost=False)
    return (AlarmEvent(**base, code=reading.tag.name, active=False, text="no alarm"),)


def _base(reading: Reading, text: str, server_uri: str, *, lost: bool) -> dict[str, Any]:
    return {
        "event_id": identity(server_uri, reading, text),
        "at": reading.at,
        "equipment": reading.equipment,
        "tag": reading.tag.name,
        "quality": Quality.BAD if lost else reading.quality,
        "received_at": reading.received_at,
    }


def _overflow_gap(reading: Reading, base: dict[str, Any]) -> tuple[MachineEvent, ...]:
    """States that an overflowing queue dropped are unknown time, not the state before them."""
    if not reading.overflow:
        return ()
    marker = _with_id(base, event_id(base["event_id"], "overflow", reading.at_text, "", ""))
    return (GapEvent(**marker, reason="the server's queue overflowed before this value"),)


def _state(reading: Reading, text: str) -> MachineState:
    word = text.strip()
    states = reading.tag.states
    mapped = states.get(word) or states.get(word.upper()) or (states.get(ANY_WORD) if word else None)
    if mapped is not None:
        return mapped
    number = number_of(word)
    if number is not None:
        return state_from_number(int(number)) if number == int(number) else MachineState.UNKNOWN
    try:
        return MachineState(word.lower())
    except ValueError:
        return MachineState.UNKNOWN


def count_of(reading: Reading) -> int:
    """The total a counter reading holds. Raises Unusable for anything but a whole number that fits the counter."""
    value, counter = reading.value, reading.tag.counter
    if isinstance(value, bool):
        raise Unusable("a counter cannot be true or false")
    text = value_text(value).strip()
    number = number_of(text)
    if number is None or number != number.to_integral_value():
        raise Unusable(f"a counter needs a whole number, not {text!r}")
    total = int(number)
    assert counter is not None
    low, high = (-(2 ** (counter.bits - 1)), 2 ** (counter.bits - 1)) if counter.signed else (0, 2**counter.bits)
    if not low <= total < high:
        raise Unusable(f"{total} does not fit a counter of {counter.bits} bits{' with sign' if counter.signed else ''}")
    return total


def _alarm(reading: Reading, text: str, base: dict[str, Any], alarms: ActiveAlarms) -> Translation:
    if isinstance(reading.value, bool):
        return _code_alarm(reading.tag.name if reading.value else "", base, alarms)
    columns = text.split("|", CONDITION_COLUMNS - 1)
    level = columns[0].strip().upper()
    if level in CONDITION_LEVELS:
        return _condition(level, columns, base, alarms)
    number = number_of(level)
    if number is not None:
        return _code_alarm("" if number == 0 else level, base, alarms)
    if level in ("TRUE", "FALSE", ""):
        return _code_alarm(reading.tag.name if level == "TRUE" else "", base, alarms)
    return _code_alarm(columns[0].strip(), base, alarms)


def _code_alarm(code: str, base: dict[str, Any], alarms: ActiveAlarms) -> Translation:
    """A tag that holds the code of its one alarm, empty or 0 for none."""
    events: list[MachineEvent] = _cleared([c for c in alarms.codes if c != code], base)
    alarms.codes = [code] if code else []
    if code:
        events.append(AlarmEvent(**base, code=code, active=True))
    return Translation(tuple(events), silent="" if events else "no_alarm")


def _condition(level: str, columns: list[str], base: dict[str, Any], alarms: ActiveAlarms) -> Translation:
    columns = columns + [""] * (CONDITION_COLUMNS - len(columns))
    code = columns[1].strip() or (base["tag"] if level != "NORMAL" else "")
    if level == "NORMAL":
        gone = [c for c in alarms.codes if not code or c == code]
        alarms.codes = [c for c in alarms.codes if c not in gone]
        events = _cleared(gone, base)
        return Translation(tuple(events), silent="" if events else "no_alarm")
    if code not in alarms.codes:
        alarms.codes.append(code)
    native = number_of(columns[2].strip())
    severity = int(native) if native is not None and 1 <= native <= 1000 else SEVERITY[level]
    raised = AlarmEvent(**base, code=code, active=True, severity=severity, text=columns[4].strip())
    return Translation((raised,))


def _cleared(codes: list[str], base: dict[str, Any]) -> list[MachineEvent]:
    """One event a code; each needs an id of its own because they share one reading."""
    ids = [(code, event_id(base["event_id"], "cleared", "", "", code)) for code in codes]
    return [AlarmEvent(**_with_id(base, own), code=code, active=False) for code, own in ids]


def _with_id(base: dict[str, Any], own: str) -> dict[str, Any]:
    return {**base, "event_id": own}
