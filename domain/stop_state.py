"""What a Line remembers for its stops: constant in size, whatever happens. Part of `domain.line_state`.

Every field has a default, so that checkpoints from before it load.
"""

from __future__ import annotations

from pydantic import Field

from domain.state import State
from signals.base import UtcTime
from signals.downtime import StopStretch, TimeClass
from signals.packml import MachineState


class StationSeen(State):
    """A station as its latest events left it."""

    state: MachineState = MachineState.UNKNOWN
    raw: str = ""
    since: UtcTime | None = Field(default=None, description="since when it has been standing, waiting, or running")
    order: str = ""
    operation: str = ""
    mode: str = ""
    word: str = Field(default="", description="why it stands, as it says itself")
    word_at: UtcTime | None = Field(default=None, description="of a reject reason; a stop reason tag holds")
    starved: bool = False
    blocked: bool = False


class Blind(State):
    """Nothing is known of a station, or of the whole line, for a while."""

    since: UtcTime
    until: UtcTime
    station: str = Field(default="", description="empty: all of them")


class AlarmSeen(State):
    """An alarm that was raised."""

    at: UtcTime
    position: int = Field(default=0, description="of the station in the line, to order what happens at once")
    station: str
    code: str
    text: str = ""
    severity: int = 500


class Incident(State):
    """A stop that is going on, or has ended so recently that it may go on again."""

    started_at: UtcTime
    ended_at: UtcTime | None = Field(default=None, description="of its latest stretch in which the line stood")
    stood_until: UtcTime | None = Field(
        default=None, description="end of the latest standing that was no micro-stop: from there a re-trip is counted"
    )
    stood_as: TimeClass | None = Field(default=None, description="what that standing was at its end")
    over: bool = Field(default=False, description="the line was seen running after it")
    told: bool = Field(default=False, description="it has outlived the threshold, so it has a fact")
    changed: bool = Field(default=False, description="something to tell since the latest fact")
    version: int = 0
    stretches: list[StopStretch] = Field(
        default_factory=list[StopStretch], description="those that have ended, without a hole; at most 100"
    )
    alarms: list[AlarmSeen] = Field(default_factory=list[AlarmSeen], description="the first, then the latest; 20")
    alarm_count: int = 0
    flood: bool = False
    chatter: bool = False
    retrips: int = 0


class StopTracker(State):
    """The stops of a line, as far as its watermark has come."""

    at: UtcTime | None = Field(default=None, description="up to here the line's time is settled")
    unsettled: bool = Field(default=False, description="events of the instant `at` are still to be looked at")
    stations: dict[str, StationSeen] = Field(default_factory=dict)
    blind: list[Blind] = Field(default_factory=list[Blind])
    said: list[str] = Field(default_factory=list, description="what makes the present stretch one")
    current: StopStretch | None = Field(default=None, description="what goes on, from its beginning")
    incident: Incident | None = None
    fresh: list[AlarmSeen] = Field(default_factory=list[AlarmSeen], description="alarms of the instant `at`")
    times: dict[str, dict[TimeClass, int]] = Field(
        default_factory=dict[str, dict[TimeClass, int]],
        description="microseconds by shift and class, of stretches that have ended; the latest 12 shifts",
    )
    recent: list[AlarmSeen] = Field(default_factory=list[AlarmSeen], description="alarms before it; at most 60")
