"""What an incident is made of: the alarms it counts, when the line standing again is the same one, how it is told.

Not for finding one: that is `domain.stops`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile

from domain.machine_time import DOWNTIME
from domain.plant_downtime import DowntimeConfig
from domain.stop_state import AlarmSeen, Incident
from signals.downtime import StopAlarm, StopFact, StopStretch, TimeClass
from signals.ids import stop_id

MOST_ALARMS = 20

WANTED = (TimeClass.PLANNED, TimeClass.SETUP)
"""Somebody wants the line to stand."""


def count_alarm(incident: Incident, alarm: AlarmSeen, config: DowntimeConfig) -> bool:
    """An alarm belongs to the incident. True where that is news: the first one, a flood, chatter."""
    first = not incident.alarms
    incident.alarm_count += 1
    incident.alarms.append(alarm)
    if len(incident.alarms) > MOST_ALARMS:
        del incident.alarms[1]
    window = timedelta(seconds=config.flood_seconds)
    latest = incident.alarms[-config.flood_alarms :]
    flood = incident.alarm_count >= config.flood_alarms and alarm.at - latest[0].at <= window
    window = timedelta(seconds=config.chatter_seconds)
    same = [a for a in incident.alarms if (a.station, a.code) == (alarm.station, alarm.code)]
    chatter = sum(alarm.at - a.at <= window for a in same) >= config.chatter_alarms
    news = (flood and not incident.flood) or (chatter and not incident.chatter)
    incident.flood, incident.chatter = incident.flood or flood, incident.chatter or chatter
    return first or news


# --- standing again ----------------------------------------------------------------------------------------------


def stood(incident: Incident, at: datetime, threshold: timedelta) -> None:
    """The line has stood up to `at`. A micro-stop after a stop belongs to it, and does not prolong its window."""
    run = list(takewhile(lambda s: s.time_class in DOWNTIME, reversed(incident.stretches)))
    if not run:
        return
    if incident.told and incident.stood_until is not None and at - run[-1].started_at < threshold:
        return
    incident.stood_until, incident.stood_as = at, max(run, key=length).time_class


def window_ends(incident: Incident, merge: timedelta) -> datetime:
    """Until when the line standing again is a re-trip."""
    return (incident.stood_until or incident.ended_at or incident.started_at) + merge


def is_alike(incident: Incident, now: TimeClass) -> bool:
    """A break after a breakdown is no re-trip of it, nor the other way round."""
    return incident.stood_as is None or (incident.stood_as in WANTED) == (now in WANTED)


def length(stretch: StopStretch) -> timedelta:
    """How long it lasted; nothing while it lasts."""
    return stretch.ended_at - stretch.started_at if stretch.ended_at is not None else timedelta()


# --- telling -----------------------------------------------------------------------------------------------------


def fact_of(incident: Incident, stretches: list[StopStretch], plant: str, line: str, *, micro: bool) -> StopFact:
    """The incident as a fact of its present version."""
    return StopFact(
        stop=stop_id(incident.started_at),
        plant=plant,
        line=line,
        version=incident.version,
        started_at=incident.started_at,
        ended_at=incident.ended_at if incident.over else None,
        as_of=incident.ended_at or incident.started_at,
        micro=micro,
        stretches=tuple(stretches),
        alarms=tuple(
            StopAlarm(at=a.at, station=a.station, code=a.code, text=a.text, severity=a.severity, first=n == 0)
            for n, a in enumerate(incident.alarms)
        ),
        alarm_count=incident.alarm_count,
        flood=incident.flood,
        chatter=incident.chatter,
        retrips=incident.retrips,
    )
