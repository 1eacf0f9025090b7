"""What a station's time is, from its PackML state, its mode, its words and its neighbours (OPC 30050, ot.md 3.1, 6.1).

| what the station says | class |
| --- | --- |
| nothing, or unknown | no data, whatever else is declared |
| a mode that the plant file declares | setup or planned, whatever the state |
| a word that the plant file declares | setup or planned; starved or blocked, unless it runs |
| EXECUTE, STARTING, COMPLETING, UNHOLDING, UNSUSPENDING | running: acting on the way into or out of work |
| SUSPENDED, SUSPENDING | blocked by its blocked tag, starved by its starved tag; else by who stands: |
|  | a station before it makes it starved, one behind it blocked; else starved |
| IDLE, RESETTING, COMPLETE without an order | planned, or a stop, by `without_order` |
| everything else | a stop: HELD, ABORTED, STOPPED and the ways there, CLEARING, IDLE with an order |

First-fault rule: a station that waits names the neighbour that stands with a fault of its own; of several the one
whose fault began first. Nothing here looks at the calendar: what is not scheduled is `domain.stop_parts`' to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from domain.plant import LineConfig, StationConfig
from domain.plant_downtime import DowntimeConfig
from domain.stop_reasons import matches
from domain.stop_state import StationSeen
from signals.downtime import TimeClass
from signals.packml import MachineState

RUNNING = (
    MachineState.EXECUTE,
    MachineState.STARTING,
    MachineState.COMPLETING,
    MachineState.UNHOLDING,
    MachineState.UNSUSPENDING,
)
WAITING = (MachineState.SUSPENDED, MachineState.SUSPENDING)
IDLE = (MachineState.IDLE, MachineState.RESETTING, MachineState.COMPLETE)

DOWNTIME = (TimeClass.STOP, TimeClass.STARVED, TimeClass.BLOCKED, TimeClass.SETUP, TimeClass.PLANNED)
"""Classes in which a line stands."""


class Reading(NamedTuple):
    """What the line's time is at an instant, and whose fault."""

    time_class: TimeClass
    station: str


def line_time(config: DowntimeConfig, line: LineConfig, stations: Mapping[str, StationSeen]) -> Reading:
    """The class of the line's time: its pacing station's, with the station at fault."""
    pacing = line.pacing_station
    seen = stations.get(pacing.id)
    if seen is None:
        return Reading(TimeClass.NO_DATA, pacing.id)
    own = station_class(config, seen)
    if own is not None:
        return Reading(own, _culprit(config, line, stations, pacing, own))
    upstream = _first_fault(config, _before(line, pacing), stations)
    downstream = _first_fault(config, _behind(line, pacing), stations)
    if not upstream and downstream:
        return Reading(TimeClass.BLOCKED, downstream)
    return Reading(TimeClass.STARVED, upstream or pacing.id)


def station_class(config: DowntimeConfig, seen: StationSeen) -> TimeClass | None:
    """The class of a station's time by itself; None where it waits and does not say for what."""
    state = seen.state
    if state is MachineState.UNKNOWN:
        return TimeClass.NO_DATA
    word = "" if state in RUNNING else word_of(seen, config.alarm_seconds_before)
    words = (word, seen.raw, state.value)
    if matches(config.planned_modes, seen.mode) or matches(config.planned, *words):
        return TimeClass.PLANNED
    if matches(config.setup_modes, seen.mode) or matches(config.setup, *words):
        return TimeClass.SETUP
    if state in RUNNING:
        return TimeClass.RUNNING
    if matches(config.blocked, *words):
        return TimeClass.BLOCKED
    if matches(config.starved, *words):
        return TimeClass.STARVED
    if state in WAITING:
        return TimeClass.BLOCKED if seen.blocked else TimeClass.STARVED if seen.starved else None
    if state in IDLE and not seen.order and config.without_order == "planned":
        return TimeClass.PLANNED
    return TimeClass.STOP


def word_of(seen: StationSeen, before: int) -> str:
    """Why a station stands, by itself. A tag of its own holds; a reject reason if said when it stopped or later."""
    if seen.word_at is None:
        return seen.word
    if seen.since is None:
        return ""
    return seen.word if seen.word_at >= seen.since - timedelta(seconds=before) else ""


def _culprit(
    config: DowntimeConfig,
    line: LineConfig,
    stations: Mapping[str, StationSeen],
    pacing: StationConfig,
    own: TimeClass,
) -> str:
    """The station at fault where the pacing one says what it waits for."""
    if own is TimeClass.STARVED:
        return _first_fault(config, _before(line, pacing), stations) or pacing.id
    if own is TimeClass.BLOCKED:
        return _first_fault(config, _behind(line, pacing), stations) or pacing.id
    return pacing.id


def _before(line: LineConfig, pacing: StationConfig) -> list[StationConfig]:
    """Stations before the pacing one, the nearest first."""
    return list(line.stations[: line.stations.index(pacing)])[::-1]


def _behind(line: LineConfig, pacing: StationConfig) -> list[StationConfig]:
    return list(line.stations[line.stations.index(pacing) + 1 :])


def _first_fault(config: DowntimeConfig, near: list[StationConfig], stations: Mapping[str, StationSeen]) -> str:
    """Of the stations that stand for a cause of their own the one that stood first, of several the nearest."""
    standing = [
        (seen.since, distance, s.id)
        for distance, s in enumerate(near)
        if (seen := stations.get(s.id)) is not None
        and seen.since is not None
        and station_class(config, seen) in (TimeClass.STOP, TimeClass.SETUP)
    ]
    return min(standing)[2] if standing else ""
