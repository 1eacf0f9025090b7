"""The plant file's `[downtime]`: what is a stop, why lines stand, who is called and when, what the ERP is told.

Only what is configured. `domain.stops` finds stops, `domain.stop_reasons` explains them, `domain.stop_ladder` calls.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator, model_validator

from domain.plant_quality import known_role
from domain.roles import Role
from signals.base import Code, Message
from signals.downtime import TimeClass

UNKNOWN = "unknown"
"""Built-in reason: nobody and nothing has said why."""

INVALID = "invalid"
"""Built-in reason: what was said is no reason of this plant."""

REASON_CLASSES = (TimeClass.STOP, TimeClass.STARVED, TimeClass.BLOCKED, TimeClass.SETUP, TimeClass.PLANNED)
"""What a reason may make of the time it explains."""

DEEPEST = 4
"""Levels of the reason tree, its roots included."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Timer = Literal["response", "resolution"]


class StopReasonConfig(Message):
    """A reason in the tree. Its patterns (`*` and `?` as in file names) let the machine give it by itself.

    `alarms`, `states` and `words` are alternatives; `orders` and `stations` narrow them, or stand alone.
    """

    id: Code
    text: str = Field(default="", description="for people; empty: the id")
    parent: str = Field(default="", description="id of the reason above it")
    time_class: TimeClass | None = Field(default=None, description="empty: the parent's, at the top a stop")
    cost_centre: str = Field(default="", description="empty: the parent's, at the top the line's")
    owner: str = Field(default="", description="role that has to do with it; empty: the parent's, or maintenance")
    notify: bool = Field(default=False, description="the ERP gets a maintenance notification")
    breakdown: bool = Field(default=False, description="the notification says breakdown")
    capacity: bool = Field(default=False, description="planning is told that the line has less capacity")
    alarms: tuple[str, ...] = ()
    states: tuple[str, ...] = Field(default=(), description="machine words, PackML names, or classes such as starved")
    words: tuple[str, ...] = Field(default=(), description="what the stop reason tag says")
    orders: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()

    @property
    def is_automatic(self) -> bool:
        """Whether the machine can give it."""
        return bool(self.alarms or self.states or self.words or self.orders)

    @field_validator("id")
    @classmethod
    def _id_is_free(cls, value: str) -> str:
        if value in (UNKNOWN, INVALID):
            raise ValueError(f"downtime reason {value} is built in; choose another id")
        return value

    @field_validator("owner")
    @classmethod
    def _owner_exists(cls, value: str) -> str:
        return known_role(value) if value else value

    @model_validator(mode="after")
    def _class_is_of_a_stop(self) -> StopReasonConfig:
        if self.time_class is not None and self.time_class not in REASON_CLASSES:
            words = ", ".join(c.value for c in REASON_CLASSES)
            raise ValueError(f"downtime reason {self.id}: a reason explains no {self.time_class.value}; use {words}")
        if self.stations and not self.is_automatic:
            raise ValueError(
                f"downtime reason {self.id}: stations narrow alarms, states, words or orders; give one of them"
            )
        return self


class RungConfig(Message):
    """One step of the ladder: whom to call when a timer has run for so long."""

    timer: Timer = Field(default="response", description="response until acknowledged, resolution until it runs again")
    after_minutes: float = Field(ge=0, description="working time")
    roles: tuple[str, ...] = Field(min_length=1)

    @field_validator("roles")
    @classmethod
    def _roles_exist(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(known_role(role) for role in value)


class OnCallConfig(Message):
    """Who answers for a role, in which shifts, on which days of the shift's start. Empty lists mean all."""

    role: str
    user: Code
    shifts: tuple[str, ...] = ()
    days: tuple[Weekday, ...] = ()

    @field_validator("role")
    @classmethod
    def _role_exists(cls, value: str) -> str:
        return known_role(value)


def _default_rungs() -> tuple[RungConfig, ...]:
    operator, maintenance = Role.OPERATOR.value, Role.MAINTENANCE.value
    supervisor, planner = Role.SUPERVISOR.value, Role.PLANNER.value
    return (
        RungConfig(timer="response", after_minutes=0, roles=(operator, maintenance)),
        RungConfig(timer="response", after_minutes=10, roles=(maintenance, supervisor)),
        RungConfig(timer="response", after_minutes=30, roles=(supervisor, planner)),
        RungConfig(timer="resolution", after_minutes=30, roles=(maintenance, supervisor)),
        RungConfig(timer="resolution", after_minutes=60, roles=(supervisor, planner)),
    )


class DowntimeConfig(Message):
    """How stops are told apart, explained and escalated. Without a `[downtime]` table the defaults hold."""

    merge_seconds: int = Field(default=120, ge=0, description="a stop so soon after one that ended is the same one")
    chatter_alarms: int = Field(default=3, ge=2, le=19, description="one alarm so often…")
    chatter_seconds: int = Field(default=60, ge=1, description="…within so long chatters")
    flood_alarms: int = Field(default=10, ge=2, le=19, description="so many alarms…")
    flood_seconds: int = Field(default=600, ge=1, description="…within so long are a flood")
    alarm_seconds_before: int = Field(default=10, ge=0, description="an alarm so shortly before a stop belongs to it")
    planned: tuple[str, ...] = Field(default=(), description="machine words or PackML names that are planned time")
    setup: tuple[str, ...] = Field(default=(), description="the same for setup")
    starved: tuple[str, ...] = Field(default=(), description="the same for waiting for material")
    blocked: tuple[str, ...] = Field(default=(), description="the same for waiting for what comes after")
    planned_modes: tuple[str, ...] = Field(default=(), description="words of the mode tag that are planned time")
    setup_modes: tuple[str, ...] = Field(default=(), description="words of the mode tag that are setup")
    without_order: Literal["planned", "stop"] = Field(
        default="planned", description="what it is that an idle machine has no order"
    )
    acknowledge_minutes: float = Field(default=60, gt=0, description="an acknowledgement holds so long")
    shelve_minutes_max: float = Field(default=480, gt=0, description="nobody shelves a stop for longer")
    classify_minutes: float = Field(
        default=60, gt=0, description="working time until somebody is called about a stop that is over and unexplained"
    )
    capacity: Literal["off", "approve"] = Field(
        default="approve", description="whether planning may be told of less capacity, after a person's approval"
    )
    time_activity: int = Field(
        default=0, ge=0, le=6, description="activity slot that downtime minutes are confirmed in; 0: not booked"
    )
    require_recovery: bool = Field(default=False, description="acknowledging asks for the expected recovery")
    reasons: tuple[StopReasonConfig, ...] = Field(default=(), alias="reason", description="the reason tree")
    rungs: tuple[RungConfig, ...] = Field(default_factory=_default_rungs, alias="rung", description="the ladder")
    on_call: tuple[OnCallConfig, ...] = ()

    model_config = Message.model_config | {"populate_by_name": True}

    def reason(self, reason_id: str) -> StopReasonConfig | None:
        """The declared reason with this id, or None."""
        return next((r for r in self.reasons if r.id == reason_id), None)

    def rungs_of(self, timer: Timer) -> tuple[RungConfig, ...]:
        """A timer's steps, lowest first."""
        return tuple(r for r in self.rungs if r.timer == timer)

    @model_validator(mode="after")
    def _tree_is_one(self) -> DowntimeConfig:
        parents = {r.id: r.parent for r in self.reasons}
        ids = [r.id for r in self.reasons]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"downtime reason {twice[0]} is declared twice; ids must differ")
        for reason in self.reasons:
            if reason.parent and reason.parent not in parents:
                raise ValueError(
                    f"downtime reason {reason.id}: no reason is named {reason.parent}; declare it, or remove parent"
                )
            path = [reason.id]
            while parents[path[-1]]:
                path.append(parents[path[-1]])
                if path[-1] in path[:-1]:
                    raise ValueError(f"downtime reason {reason.id} is above itself; correct parent of {path[-2]}")
            if len(path) > DEEPEST:
                raise ValueError(
                    f"downtime reason {reason.id} is on level {len(path)}; a tree has at most {DEEPEST}, "
                    "so hang it below a higher reason"
                )
        return self

    @model_validator(mode="after")
    def _ladder_climbs(self) -> DowntimeConfig:
        for timer in ("response", "resolution"):
            steps = self.rungs_of(timer)
            for lower, upper in pairwise(steps):
                if upper.after_minutes <= lower.after_minutes:
                    raise ValueError(
                        f"downtime rung of timer {timer} at {upper.after_minutes:g} minutes stands behind one at "
                        f"{lower.after_minutes:g}; declare the rungs of a timer in order of after_minutes"
                    )
        if not self.rungs_of("response"):
            raise ValueError('downtime rungs call nobody; declare one with timer = "response"')
        return self


class LineDowntimeConfig(Message):
    """What only one line's stops need."""

    asset: str = Field(default="", description="what maintenance repairs: the line's number in the ERP")
    work_centre: str = Field(default="", description="whose capacity a stop takes; empty: the pacing station's")
    cost_centre: str = Field(default="", description="who bears a stop whose reason names none")
