"""Finds the stops of a line in its events: what is an incident, a micro-stop, a re-trip, no data.

Everything is decided by event time: an instant is looked at once, when time has moved past it and all its events are
in. So the same events give the same facts, in whatever order, batches and lives of the Line they come. A stop belongs
to the pacing station; what a moment is, and whose fault, says `domain.machine_time`. Not for reasons, shifts or people.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from domain.context import StationContext
from domain.machine_time import DOWNTIME, IDLE, RUNNING, WAITING, line_time, word_of
from domain.plant import LineConfig, PlantConfig, StationConfig, TagKind
from domain.stop_account import book_time
from domain.stop_incident import count_alarm, fact_of, is_alike, length, window_ends
from domain.stop_incident import stood as incident_stood
from domain.stop_state import AlarmSeen, Blind, Incident, StationSeen, StopTracker
from signals.downtime import StopFact, StopStretch, TimeClass
from signals.events import (
    AlarmEvent,
    GapEvent,
    MachineEvent,
    MeasurementEvent,
    OrderAspect,
    OrderEvent,
    Quality,
    ReasonEvent,
    StateEvent,
)
from signals.packml import MachineState

WHOLE_LINE = "*"
"""Equipment name of events that concern every station (a lost session)."""

MOST_STRETCHES = 100
"""A stop in more pieces is told as two: facts are whole snapshots, and a Line's state has its size."""

MOST_RECENT = 60

WATCHED = (TagKind.STOP_REASON, TagKind.STARVED, TagKind.BLOCKED, TagKind.MODE)
"""Tags that say something about stops and come as measurements."""

YES = ("1", "true", "yes", "on")

Listener = Callable[[StopStretch], None]


class Moment(NamedTuple):
    """What makes a stretch one: where any of it changes, the next begins."""

    time_class: TimeClass
    state: MachineState
    raw: str
    station: str
    order: str
    operation: str
    word: str

    def texts(self) -> list[str]:
        return [str(part) for part in self]


class StopWatch:
    """A line's tracker with the plant's rules; `listener` hears every stretch of the line's time that has ended."""

    def __init__(
        self,
        tracker: StopTracker,
        plant: PlantConfig,
        line: LineConfig,
        listener: Listener | None = None,
        *,
        alike: bool = True,
        settling: bool = False,
        most_stretches: int = MOST_STRETCHES,
    ) -> None:
        """With `settling` each stop is told once more when no re-trip can join it any more.

        Without `alike` any standing soon after another is a re-trip: how runs go on that began so.
        """
        self.tracker = tracker
        self._rules = plant
        self._line = line
        self._config = plant.downtime
        self._listener = listener
        self._alike = alike
        self._settling = settling
        self._most_stretches = most_stretches
        self._pacing = line.pacing_station
        self._threshold = timedelta(seconds=self._pacing.min_stop_seconds)
        self._merge = timedelta(seconds=self._config.merge_seconds)
        self._before = timedelta(seconds=self._config.alarm_seconds_before)
        self._positions = {s.id: n for n, s in enumerate(line.stations)}
        self._kinds = {(s.id, t.name): t.kind for s in line.stations for t in s.tags if t.kind in WATCHED}
        self._say_why = {station for (station, _), kind in self._kinds.items() if kind is TagKind.STOP_REASON}
        self._facts: dict[str, StopFact] = {}

    # --- what comes --------------------------------------------------------------------------------------
    def watches(self, station: str, tag: str) -> bool:
        """Whether a measurement says something about stops."""
        return (station, tag) in self._kinds

    def expect(self, gap: GapEvent) -> None:
        """A gap is known as soon as it is received: what it covers is no data, however late its own event is due."""
        if gap.gap_from is None or (self.tracker.at is not None and gap.at <= self.tracker.at):
            return
        known = gap.equipment in self._positions
        if not known and gap.equipment not in (WHOLE_LINE, self._line.id):
            return
        station = gap.equipment if known else ""
        blind = Blind(since=gap.gap_from, until=gap.at, station=station)
        if blind not in self.tracker.blind:
            self.tracker.blind.append(blind)

    def take(self, config: StationConfig, event: MachineEvent, context: StationContext) -> None:
        """Take an event that the watermark has passed; events come in event-time order."""
        self.close_due(event.at)
        seen = self.tracker.stations.setdefault(config.id, StationSeen())
        at = self.tracker.at or event.at
        match event:
            case StateEvent():
                _change_state(seen, event.state, event.raw, at)
            case GapEvent():
                _change_state(seen, MachineState.UNKNOWN, "", at)
            case AlarmEvent(active=True) if event.quality is not Quality.BAD:
                self._raise(config, event, at)
            case OrderEvent(aspect=OrderAspect.ORDER | OrderAspect.OPERATION):
                seen.order, seen.operation = context.order, context.operation_at(config)
            case ReasonEvent(aspect="reason") if config.id not in self._say_why:
                seen.word, seen.word_at = event.value, at
            case MeasurementEvent():
                self._measured(seen, event)
            case _:
                return
        self.tracker.unsettled = True

    def _measured(self, seen: StationSeen, event: MeasurementEvent) -> None:
        value = "" if event.quality is Quality.BAD else event.value.strip()
        match self._kinds.get((event.equipment, event.tag)):
            case TagKind.STOP_REASON:
                seen.word, seen.word_at = "" if value == "0" else value, None
            case TagKind.STARVED:
                seen.starved = value.lower() in YES
            case TagKind.BLOCKED:
                seen.blocked = value.lower() in YES
            case TagKind.MODE:
                seen.mode = value
            case _:
                pass

    def _raise(self, config: StationConfig, event: AlarmEvent, at: datetime) -> None:
        alarm = AlarmSeen(
            at=at,
            position=self._positions.get(config.id, 0),
            station=config.id,
            code=event.code,
            text=event.text,
            severity=event.severity,
        )
        if len(self.tracker.fresh) < MOST_RECENT:
            self.tracker.fresh.append(alarm)

    # --- time --------------------------------------------------------------------------------------------
    def close_due(self, until: datetime) -> None:
        """Nothing more comes before `until`: settle the line's time up to there."""
        tracker = self.tracker
        if tracker.at is None:
            tracker.at = until
            return
        if tracker.blind:
            bounds = {at for b in tracker.blind for at in (b.since, b.until) if tracker.at < at < until}
            for bound in sorted(bounds):
                self._step(bound)
                tracker.unsettled = True
        self._step(until)
        if tracker.blind and any(b.until <= tracker.at for b in tracker.blind):
            tracker.blind = [b for b in tracker.blind if b.until > tracker.at]
            tracker.unsettled = True

    def _step(self, until: datetime) -> None:
        tracker = self.tracker
        if tracker.at is None or until <= tracker.at:
            return
        if tracker.unsettled or tracker.current is None or tracker.blind:
            self._settle(tracker.at)
            tracker.unsettled = False
        incident = tracker.incident
        if incident is not None:
            self._due(incident, until)
            if incident.told and incident.changed:
                self._tell(incident)
            if tracker.incident is incident and incident.over and until > window_ends(incident, self._merge):
                tracker.incident = None
                if self._settling:
                    self._tell(incident, settled=True)
        tracker.at = until

    def _settle(self, at: datetime) -> None:
        """Look at an instant whose events are all in."""
        tracker = self.tracker
        moment = self._moment(at)
        if tracker.current is None or moment.texts() != tracker.said:
            closed = tracker.current.model_copy(update={"ended_at": at}) if tracker.current is not None else None
            tracker.said, tracker.current = moment.texts(), _stretch(moment, at)
            if closed is not None:
                book_time(tracker.times, self._rules, closed.time_class, closed.started_at, at)
                if self._listener is not None:
                    self._listener(closed)
            self._turn(closed, moment.time_class, at)
        if tracker.fresh:
            incident = tracker.incident
            for alarm in sorted(tracker.fresh, key=lambda a: (a.position, a.code, a.text)):
                tracker.recent.append(alarm)
                if incident is not None and not incident.over:
                    self._assign(incident, alarm)
            tracker.recent = tracker.recent[-MOST_RECENT:]
            tracker.fresh = []

    def _moment(self, at: datetime) -> Moment:
        tracker, pacing = self.tracker, self._pacing.id
        stations = tracker.stations
        hidden = [b.station for b in tracker.blind if b.since <= at < b.until]
        if hidden:
            blank = stations if "" in hidden else hidden
            stations = {**stations, **{name: StationSeen() for name in blank}}
        reading = line_time(self._config, self._line, stations)
        # What the pacing station works on is known from before a gap, too.
        seen = tracker.stations.get(pacing, StationSeen())
        if reading.time_class not in DOWNTIME:
            state, raw, station, word = MachineState.UNKNOWN, "", "", ""
        else:
            state, raw, station = seen.state, seen.raw, reading.station
            before = self._config.alarm_seconds_before
            word = word_of(tracker.stations.get(station, seen), before) or word_of(seen, before)
        return Moment(reading.time_class, state, raw, station, seen.order, seen.operation, word)

    # --- incidents ---------------------------------------------------------------------------------------
    def _turn(self, closed: StopStretch | None, now: TimeClass, at: datetime) -> None:
        """The line's time turns into another kind, or another state or order of the same kind."""
        incident = self.tracker.incident
        stood = closed is not None and closed.time_class in DOWNTIME
        if incident is not None and closed is not None:
            if len(incident.stretches) < self._most_stretches:
                incident.stretches.append(closed)
            if stood:
                incident.ended_at = at
            if stood and self._alike and now not in DOWNTIME:
                incident_stood(incident, at, self._threshold)
        if now in DOWNTIME:
            if incident is not None and not self._continues(incident, now, at, stood=stood):
                self._finish(incident, settled=True)
                incident = None
            if incident is None:
                self._begin(at)
            else:
                self._go_on(incident, at, stood=stood)
        elif incident is not None and not incident.over:
            if now is TimeClass.RUNNING:
                self._finish(incident)
            else:
                incident.changed = True

    def _continues(self, incident: Incident, now: TimeClass, at: datetime, *, stood: bool) -> bool:
        """Whether the line standing again, or still, is the same stop."""
        if len(incident.stretches) >= self._most_stretches:
            return False
        if stood:
            return True
        # Stops on both sides of missing data are one; what was no stop yet waits no longer than for a re-trip.
        if incident.told and not incident.over:
            return True
        return at <= window_ends(incident, self._merge) and is_alike(incident, now)

    def _begin(self, at: datetime) -> None:
        incident = Incident(started_at=at)
        self.tracker.incident = incident
        self._look_back(incident, at, None)

    def _look_back(self, incident: Incident, at: datetime, ended: datetime | None) -> None:
        """Alarms right before a stop belong to it; those of a neighbour at fault since that one stood."""
        culprit = self.tracker.current.station if self.tracker.current is not None else ""
        seen = self.tracker.stations.get(culprit)
        since = theirs = at - self._before
        if seen is not None and seen.since is not None and culprit != self._pacing.id:
            theirs = seen.since - self._before
        for alarm in self.tracker.recent:
            known = alarm.at >= at or (ended is not None and alarm.at < ended)
            if not known and (alarm.at >= since or (alarm.station == culprit and alarm.at >= theirs)):
                self._assign(incident, alarm)

    def _go_on(self, incident: Incident, at: datetime, *, stood: bool) -> None:
        incident.changed = True
        ended, was_over = incident.ended_at or at, incident.over
        incident.ended_at, incident.over = None, False
        if was_over:
            incident.retrips += 1
            self._look_back(incident, at, ended)
            return
        before = next((s for s in reversed(incident.stretches) if s.time_class in DOWNTIME), None)
        if before is not None and before.alarm:
            self._explain(before.alarm)

    def _finish(self, incident: Incident, *, settled: bool = False) -> None:
        """The line runs again, or goes on as another stop, which settles this one."""
        incident.over = True
        if incident.told:
            self._tell(incident, settled=settled)
        else:
            self._tell(incident, micro=True)
            self.tracker.incident = None

    def _due(self, incident: Incident, until: datetime) -> None:
        """What becomes of an incident by time alone before `until`."""
        current = self.tracker.current
        if incident.told or incident.over or current is None:
            return
        if current.time_class in DOWNTIME:
            stood = sum((length(s) for s in incident.stretches if s.time_class in DOWNTIME), timedelta())
            if current.started_at + self._threshold - stood <= until:
                incident.told = incident.changed = True
        elif until > window_ends(incident, self._merge):
            self._finish(incident)

    def _assign(self, incident: Incident, alarm: AlarmSeen) -> None:
        """An alarm belongs to the incident. What it changes is told, not each of them."""
        news = count_alarm(incident, alarm, self._config)
        explained = self._explain(alarm.code)
        incident.changed = incident.changed or news or explained

    def _explain(self, code: str) -> bool:
        """The first alarm of the present stretch explains it, unless the machine says a reason itself."""
        current = self.tracker.current
        if current is None or current.alarm or current.time_class not in DOWNTIME:
            return False
        word = self.tracker.said[-1]
        self.tracker.current = current.model_copy(update={"alarm": code, "machine_reason": word or code})
        return True

    # --- facts -------------------------------------------------------------------------------------------
    def _tell(self, incident: Incident, *, micro: bool = False, settled: bool = False) -> None:
        incident.version += 1
        incident.changed = False
        stretches = list(incident.stretches)
        if not incident.over and self.tracker.current is not None:
            stretches.append(self.tracker.current)
        while incident.over and stretches and stretches[-1].time_class not in DOWNTIME:
            stretches.pop()
        fact = fact_of(incident, stretches, self._rules.plant.id, self._line.id, micro=micro)
        if self._settling and not micro:
            fact = fact.model_copy(update={"settled": settled})
        self._facts[fact.stop] = fact

    def drain(self, watermark: datetime) -> list[StopFact]:
        """What became known since the last call: of each stop its newest fact, in the order of their starts."""
        told, self._facts = self._facts, {}
        facts = sorted(told.values(), key=lambda f: f.started_at)
        return [f.model_copy(update={"as_of": watermark}) for f in facts]


def _change_state(seen: StationSeen, state: MachineState, raw: str, at: datetime) -> None:
    if _kind(state) != _kind(seen.state) or seen.since is None:
        seen.since = at
    seen.state, seen.raw = state, raw


def _kind(state: MachineState) -> int:
    """Runs, waits, is idle, is unknown, stands: a station stands since it came into its kind."""
    for number, states in enumerate((RUNNING, WAITING, IDLE, (MachineState.UNKNOWN,))):
        if state in states:
            return number
    return -1


def _stretch(moment: Moment, at: datetime) -> StopStretch:
    return StopStretch(
        started_at=at,
        time_class=moment.time_class,
        state=moment.state,
        raw=moment.raw,
        station=moment.station,
        order=moment.order,
        operation=moment.operation,
        machine_reason=moment.word or moment.raw or (moment.state.value if moment.station else ""),
    )
