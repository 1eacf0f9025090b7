"""Which shifts are to be handed over, to whom, and what becomes of an acknowledgement. Pure; the report is elsewhere.

Not for timers: a tick asks what has ended since the last handover, in event time and the plant's own calendar.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from domain.permissions import Action, may
from domain.plant import PlantConfig
from domain.shifts import ShiftSpan, shift_at
from signals.decisions import Answer
from signals.handover import AcknowledgeHandover, HandoverReport, HandoverState

REMIND_EVERY = timedelta(hours=1)
"""Plant time between two reminders."""

FARTHEST = timedelta(days=400)
"""Nobody looks further ahead for a next shift: a calendar of holidays only has none."""


def shifts_between(plant: PlantConfig, after: datetime, until: datetime) -> Iterator[ShiftSpan]:
    """Shifts that end in (after, until], in order. Each instant is in one of them at most: overlaps are cut."""
    at = after
    while at < until:
        span = shift_at(plant.plant, plant.shifts, at)
        if span.name and span.end <= until:
            yield span
        at = span.end


def shift_named(plant: PlantConfig, label: str, ends_at: datetime) -> ShiftSpan | None:
    """The shift with this label that ends then; None where the calendar no longer has it."""
    span = shift_at(plant.plant, plant.shifts, ends_at - timedelta(microseconds=1))
    return span if span.label == label and span.end == ends_at else None


def next_shift(plant: PlantConfig, at: datetime) -> ShiftSpan | None:
    """The shift that runs at an instant or begins next; None where none does for a year."""
    while True:
        span = shift_at(plant.plant, plant.shifts, at)
        if span.name:
            return span
        if span.end - at > FARTHEST:
            return None
        for found in _within(plant, span.end, span.end + FARTHEST):
            return found
        return None


def _within(plant: PlantConfig, at: datetime, until: datetime) -> Iterator[ShiftSpan]:
    while at < until:
        span = shift_at(plant.plant, plant.shifts, at)
        if span.name:
            yield span
        at = span.end


def incoming(plant: PlantConfig, ended: ShiftSpan, now: datetime) -> ShiftSpan | None:
    """The crew that takes over: the next one, or the one that is here when the handover is made late."""
    return next_shift(plant, max(ended.end, now))


def reminder_due(report: HandoverReport, reminded: int) -> datetime | None:
    """When the next reminder is due, counted from the making; None after the incoming crew's shift."""
    due = report.made_at + REMIND_EVERY * (reminded + 1)
    return due if due < report.acknowledge_by else None


def may_acknowledge(act: AcknowledgeHandover, plant: str) -> str:
    """Empty where the act's actor may, else why not."""
    return may(act.actor, Action.HANDOVER_ACKNOWLEDGE, plant=plant)


def acknowledged(report: HandoverReport, act: AcknowledgeHandover, now: datetime) -> HandoverReport:
    """The report with its acknowledgement; a first one stands."""
    if report.state is HandoverState.ACKNOWLEDGED:
        return report
    actor = act.actor
    return report.model_copy(
        update={
            "state": HandoverState.ACKNOWLEDGED, "acknowledged_by": actor.user, "acknowledged_name": actor.name,
            "acknowledged_role": actor.role, "acknowledged_at": now, "acknowledgement": act.action_id,
            "comment": act.comment,
        }
    )  # fmt: skip


def answer_for(report: HandoverReport, act: AcknowledgeHandover) -> Answer | None:
    """What an act is answered once the report is acknowledged: whoever did it is told the same again."""
    if report.state is not HandoverState.ACKNOWLEDGED or report.acknowledged_at is None:
        return None
    mine = act.action_id == report.acknowledgement or act.actor.user == report.acknowledged_by
    at = f"{report.acknowledged_at:%Y-%m-%d %H:%M} UTC"
    said = f"{report.acknowledged_by} has taken over from {report.shift} at {at}"
    return Answer(decision_id=act.action_id, accepted=mine, message=said)
