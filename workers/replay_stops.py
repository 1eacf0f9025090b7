"""What a recording says of its line's time: seconds by class of its last day, and the stops of that day.

The domain's own timeline (`domain.stop_timeline`); here it only meets a recording: which events matter, which day.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from domain.machine_time import DOWNTIME
from domain.plant import LineConfig, PlantConfig, TagKind
from domain.stop_reasons import reason_of, reason_text
from domain.stop_timeline import Timed, Timeline, line_timeline
from domain.stops import WATCHED
from scada.recording import STALE_PAUSE
from signals.downtime import StopFact, TimeClass
from signals.events import AlarmEvent, GapEvent, MachineEvent, OrderEvent, ReasonEvent, StateEvent

ABOUT_STOPS = (StateEvent, AlarmEvent, OrderEvent, ReasonEvent, GapEvent)

COLUMNS: dict[str, tuple[TimeClass, ...]] = {
    "running": (TimeClass.RUNNING,),
    "micro_stop": (TimeClass.MICRO_STOP,),
    "stop": (TimeClass.STOP, TimeClass.STARVED, TimeClass.BLOCKED, TimeClass.SETUP),
    "planned": (TimeClass.PLANNED, TimeClass.NOT_SCHEDULED),
    "no_data": (TimeClass.NO_DATA,),
}


@dataclass(slots=True)
class RecordedDay:
    """The last day of a recording as it is read: its first and last instant, and what is said of stops.

    What was said the days before holds on over midnight, unless a pause lies between: then it is stale, and no data.
    """

    line: LineConfig
    days: dict[date, tuple[datetime, datetime]] = field(default_factory=dict[date, tuple[datetime, datetime]])
    events: list[MachineEvent] = field(default_factory=list[MachineEvent])
    _watched: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        tags = {(s.id, t.name) for s in self.line.stations for t in s.tags if t.kind in WATCHED}
        self._watched = frozenset(tags)

    @property
    def is_told(self) -> bool:
        """Whether the line's states are recorded at all."""
        return bool(self.days) and any(t.kind is TagKind.STATE for t in self.line.pacing_station.tags)

    def saw(self, *instants: datetime) -> None:
        """Instants of lines of the recording, whatever they say; the latest UTC day is the day."""
        for at in instants:
            first, last = self.days.get(at.date(), (at, at))
            self.days[at.date()] = min(first, at), max(last, at)

    def _known_since(self) -> datetime:
        """The beginning of the unbroken days that end with the day: what is older is a stale snapshot."""
        spans = [span for _, span in sorted(self.days.items(), reverse=True)]
        since = spans[0][0]
        for first, last in spans[1:]:
            if since - last > STALE_PAUSE:
                break
            since = first
        return since

    def keep(self, event: MachineEvent) -> None:
        """An event that passed the filter."""
        if isinstance(event, ABOUT_STOPS) or (event.equipment, event.tag) in self._watched:
            self.events.append(event)

    def closing(self, plant: PlantConfig) -> dict[str, Any]:
        """`timeline` and `incidents` of the closing object; nothing where no states are recorded."""
        if not self.is_told:
            return {}
        since = self._known_since()
        begin, end = self.days[max(self.days)]
        found = line_timeline(plant, self.line, [e for e in self.events if e.at >= since], begin, end)
        seconds = found.seconds
        timeline = {name: sum((seconds[c] for c in classes), Decimal(0)) for name, classes in COLUMNS.items()}
        return {
            "timeline": {name: float(value) for name, value in timeline.items()},
            "day": {"from": begin.isoformat(), "to": end.isoformat(), "micro_stops": found.micro_stops},
            "incidents": [_incident(plant, found, fact) for fact in found.incidents],
        }


def _incident(plant: PlantConfig, timeline: Timeline, fact: StopFact) -> dict[str, Any]:
    within = timeline.of(fact)
    words: Counter[str] = Counter()
    for timed in within:
        if timed.stretch.time_class in DOWNTIME:
            words[timed.stretch.raw or timed.stretch.state.value] += int(timed.seconds * 1_000_000)
    return {
        "stop": fact.stop,
        "started_at": fact.started_at.isoformat(),
        "ended_at": fact.ended_at.isoformat() if fact.ended_at is not None else None,
        "stop_seconds": _sum(within, *COLUMNS["stop"]),
        "micro_stop_seconds": _sum(within, TimeClass.MICRO_STOP),
        "no_data_seconds": _sum(within, TimeClass.NO_DATA),
        "words": {word: value / 1_000_000 for word, value in sorted(words.items())},
        "reasons": _reasons(plant, within),
        "alarms": fact.alarm_count,
        "first_alarm": fact.alarms[0].code if fact.alarms else "",
        "flood": fact.flood,
        "chatter": fact.chatter,
    }


def _sum(within: tuple[Timed, ...], *classes: TimeClass) -> float:
    return float(sum((t.seconds for t in within if t.time_class in classes), Decimal(0)))


def _reasons(plant: PlantConfig, within: tuple[Timed, ...]) -> list[str]:
    """What the profile's mapping makes of it, each reason once, in the order of their times."""
    found = [reason_of(plant.downtime, t.stretch) for t in within if t.stretch.time_class in DOWNTIME]
    return list(dict.fromkeys(reason_text(plant.downtime, r or "unknown") for r in found))
