"""Why a line stands: the machine's own reason by the plant's patterns, and what the reason tree says of a reason.

Pure. A person's word is `signals.downtime.ReasonMark` and comes before all of this (`domain.stop_parts`).
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from domain.plant_downtime import INVALID, UNKNOWN, DowntimeConfig, StopReasonConfig
from domain.roles import Role
from signals.downtime import StopStretch, TimeClass

CLASS_TEXTS = {
    TimeClass.STARVED: "waits for material",
    TimeClass.BLOCKED: "waits for what comes after it",
    TimeClass.SETUP: "setup",
    TimeClass.PLANNED: "planned",
}
"""Classes that explain themselves where the tree has no reason for them; each is a reason of its own by its name."""

OWN_TEXTS = {UNKNOWN: "unknown", INVALID: "invalid", **{c.value: text for c, text in CLASS_TEXTS.items()}}

SEPARATOR = " / "


def reason_of(config: DowntimeConfig, stretch: StopStretch) -> str:
    """Id of the first declared reason whose patterns fit what the machines said; "" where none does."""
    return next((r.id for r in config.reasons if r.is_automatic and _fits(r, stretch)), "")


def _fits(reason: StopReasonConfig, stretch: StopStretch) -> bool:
    if reason.stations and stretch.station not in reason.stations:
        return False
    if reason.orders and not matches(reason.orders, stretch.order):
        return False
    if not (reason.alarms or reason.states or reason.words):
        return True
    if stretch.alarm and matches(reason.alarms, stretch.alarm):
        return True
    if stretch.machine_reason not in ("", stretch.alarm) and matches(reason.words, stretch.machine_reason):
        return True
    return matches(reason.states, stretch.raw, stretch.state.value, stretch.time_class.value)


def matches(patterns: tuple[str, ...], *words: str) -> bool:
    """Whether one of the words fits one of the patterns; letters' case makes no difference, an empty word fits none."""
    given = [w.strip().lower() for w in words if w.strip()]
    return any(fnmatchcase(word, pattern.strip().lower()) for pattern in patterns for word in given)


def is_known(config: DowntimeConfig, reason: str) -> bool:
    """Whether a person may give this reason."""
    return reason in OWN_TEXTS or config.reason(reason) is not None


def line_of_descent(config: DowntimeConfig, reason: str) -> tuple[StopReasonConfig, ...]:
    """The reason and those above it, itself first; empty for one the plant has not declared."""
    found: list[StopReasonConfig] = []
    step = config.reason(reason)
    while step is not None:
        found.append(step)
        step = config.reason(step.parent) if step.parent else None
    return tuple(found)


def reason_text(config: DowntimeConfig, reason: str) -> str:
    """For people, from the top: `Equipment / Press / Die broken`."""
    line = line_of_descent(config, reason)
    if not line:
        return OWN_TEXTS.get(reason, reason)
    return SEPARATOR.join(r.text or r.id for r in reversed(line))


def cost_centre(config: DowntimeConfig, reason: str, default: str = "") -> str:
    """Who bears it: the reason's, the nearest above it, else the line's."""
    return next((r.cost_centre for r in line_of_descent(config, reason) if r.cost_centre), default)


def owner_role(config: DowntimeConfig, reason: str) -> str:
    """Who has to do with it: the reason's, the nearest above it, else maintenance."""
    return next((r.owner for r in line_of_descent(config, reason) if r.owner), Role.MAINTENANCE.value)


def time_class(config: DowntimeConfig, reason: str, otherwise: TimeClass) -> TimeClass:
    """What the time is that this reason explains. A reason that says nothing about it leaves what the machine said."""
    line = line_of_descent(config, reason)
    if not line:
        own = next((c for c in CLASS_TEXTS if c.value == reason), None)
        return own or otherwise
    return next((r.time_class for r in line if r.time_class is not None), TimeClass.STOP)


def wants_notification(config: DowntimeConfig, reason: str) -> bool:
    """Whether the ERP gets a maintenance notification."""
    found = config.reason(reason)
    return found is not None and found.notify


def is_breakdown(config: DowntimeConfig, reason: str) -> bool:
    """Whether the notification says breakdown."""
    found = config.reason(reason)
    return found is not None and found.breakdown


def takes_capacity(config: DowntimeConfig, reason: str) -> bool:
    """Whether planning is told."""
    found = config.reason(reason)
    return config.capacity != "off" and found is not None and found.capacity
