"""Fault switches: which calls misbehave and how, decided from a seed so that a run can be repeated.

Faults live in memory only: a restarted ERP has none.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulators.common.teaching import teach


class Mode(StrEnum):
    REFUSE = "refuse"
    TIMEOUT_BEFORE_COMMIT = "timeout_before_commit"
    TIMEOUT_AFTER_COMMIT = "timeout_after_commit"
    ERROR_AFTER_COMMIT = "error_after_commit"
    BUSINESS_ERROR = "business_error"
    PARTIAL = "partial"
    DUPLICATE_ANSWER = "duplicate_answer"
    SLOW = "slow"
    THROTTLE = "throttle"
    FORGET_KEYS = "forget_keys"
    KEY_NOT_SEARCHABLE = "key_not_searchable"
    DOWN = "down"


BEFORE = (Mode.DOWN, Mode.REFUSE, Mode.THROTTLE, Mode.TIMEOUT_BEFORE_COMMIT, Mode.BUSINESS_ERROR)
AFTER = (Mode.TIMEOUT_AFTER_COMMIT, Mode.ERROR_AFTER_COMMIT, Mode.DUPLICATE_ANSWER)
_ORDER = (*BEFORE, Mode.FORGET_KEYS, Mode.PARTIAL, Mode.SLOW, *AFTER)
_EXAMPLE = '{"mode": "timeout_after_commit", "probability": 0.3, "seed": 7} or {"mode": "refuse", "calls": 2}'


class FaultRequest(BaseModel):
    """`calls`: the next N matching calls; `probability`: each matching call by chance; neither: every matching call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode
    probability: float | None = Field(default=None, ge=0, le=1)
    calls: int | None = Field(default=None, ge=1)
    seed: int = 0
    path: str = ""
    method: str | None = Field(default=None, pattern=r"^[A-Za-z]+$")
    seconds: float | None = Field(default=None, ge=0, le=3600)
    code: str = Field(default="", description="of a business error; empty means the ERP's usual one")
    retry_after: int = Field(default=1, ge=0)
    commit_delay: float = Field(default=0, ge=0, le=3600)

    @model_validator(mode="after")
    def _has_an_effect(self) -> "FaultRequest":
        if self.probability == 0:
            raise ValueError("probability 0 never fires; leave the fault out or give a value up to 1")
        return self


@dataclass
class Fault:
    number: int
    request: FaultRequest
    left: int | None
    chance: random.Random
    root: str
    fired: int = 0

    def matches(self, method: str, path: str, *, writing: bool) -> bool:
        wanted = self.request.method
        if wanted is not None and wanted.upper() != method:
            return False
        if wanted is None and not writing and self.request.mode not in (Mode.DOWN, Mode.KEY_NOT_SEARCHABLE):
            return False
        prefix = self.request.path
        return path.startswith(prefix) or path.removeprefix(self.root).lstrip("/").startswith(prefix.lstrip("/"))

    def draw(self) -> bool:
        if self.left == 0:
            return False
        if self.request.probability is not None and self.chance.random() >= self.request.probability:
            return False
        if self.left is not None:
            self.left -= 1
        self.fired += 1
        return True

    def give_back(self) -> None:
        """The call came to nothing by itself (the ERP refused it), so the fault had nothing to spoil."""
        if self.left is not None:
            self.left += 1
        self.fired -= 1

    def shown(self) -> dict[str, Any]:
        shown = self.request.model_dump(mode="json", exclude_none=True)
        return shown | {"id": self.number, "fired": self.fired, "left": self.left}


@dataclass
class Plan:
    """What happens to one call: at most one fault before the commit, any modifiers, at most one after the commit."""

    before: Fault | None = None
    after: Fault | None = None
    modifiers: dict[Mode, Fault] = field(default_factory=dict[Mode, Fault])

    @property
    def delay(self) -> float:
        slow = self.modifiers.get(Mode.SLOW)
        seconds = 5.0 if slow and slow.request.seconds is None else (slow.request.seconds or 0) if slow else 0.0
        commit_delay = self.after.request.commit_delay if self.after else 0.0
        return max(seconds, commit_delay, slow.request.commit_delay if slow else 0.0)

    def give_back(self) -> None:
        for fault in (self.after, *self.modifiers.values()):
            if fault:
                fault.give_back()


class Faults:
    """`root` is the path that the ERP's services share; a fault's `path` may leave it out."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._active: list[Fault] = []
        self._last = 0

    def add(self, body: object) -> dict[str, Any]:
        """Raises ValueError with a teaching message when the body is not a fault."""
        try:
            request = FaultRequest.model_validate(body)
        except ValidationError as error:
            modes = ", ".join(mode.value for mode in Mode)
            raise ValueError(f"{teach(error, _EXAMPLE)}; modes are {modes}") from None
        self._last += 1
        fault = Fault(self._last, request, request.calls, random.Random(request.seed), self._root)
        self._active.append(fault)
        self._active.sort(key=lambda one: _ORDER.index(one.request.mode) if one.request.mode in _ORDER else 99)
        return fault.shown()

    def clear(self) -> None:
        self._active.clear()

    def shown(self) -> list[dict[str, Any]]:
        return [fault.shown() for fault in self._active]

    def plan(self, method: str, path: str, *, writing: bool, also: Iterable[tuple[str, str, bool]] = ()) -> Plan:
        """Draws for one call, the faults that end it early first; what does not take part keeps its calls.

        `also` are further addresses (method, path, writing) under which a fault may know the call: a batch's parts.
        """
        plan = Plan()
        addresses = [(method, path, writing), *also]
        for fault in self._active:
            mode = fault.request.mode
            taken = mode is Mode.KEY_NOT_SEARCHABLE or mode in plan.modifiers or (mode in AFTER and plan.after)
            if taken or not any(fault.matches(m, p, writing=w) for m, p, w in addresses) or not fault.draw():
                continue
            if mode in BEFORE:
                plan.before = fault
                return plan
            if mode in AFTER:
                plan.after = fault
            else:
                plan.modifiers[mode] = fault
        return plan

    def unsearchable(self, path: str) -> bool:
        """Asked only for a filter that names a reference field."""
        for fault in self._active:
            if fault.request.mode is Mode.KEY_NOT_SEARCHABLE and fault.matches("GET", path, writing=False):
                return fault.draw()
        return False
