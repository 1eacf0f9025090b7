"""Counter arithmetic: what a new reading of an accumulating counter adds (reference ot.md 3.6).

Totals are compared, never differences summed on the wire: skipped readings lose nothing, repeats add nothing.
A reading that is neither a plausible step nor a wrap never moves the base by itself: the next one tells a restart or
a jump, which goes on from it, from a glitch, which does not.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from domain.plant import CounterConfig, ResetRule
from signals.base import Message, UtcTime

RULE = "counter-increment/1"

RESET_RULE = "counter-reset/1"
"""The plant declares that what a restarted counter shows is no production (reset rule rebase)."""


class CounterState(Message):
    """The last accepted total, and a suspected one that waits for the next reading to explain it."""

    total: int | None = None
    at: UtcTime | None = None
    suspect: int | None = None
    suspect_at: UtcTime | None = None


class CountVerdict(StrEnum):
    """What a reading was."""

    FIRST = "first"
    STEP = "step"
    SAME = "same"
    WRAP = "wrap"
    RESET = "reset"
    STALE = "stale"
    DROP = "drop"
    SUSPECT = "suspect"
    GLITCH = "glitch"
    JUMP = "jump"
    UNSEEN = "unseen"
    """Plausible steps, but part of them belongs to work that nobody saw end."""


class CountStep(Message):
    """What a reading adds. `counted` may be booked; `doubtful` pieces wait for a person with this evidence.

    `dropped` is what the plant's reset rule declares to be no production.
    """

    verdict: CountVerdict
    counted: int = 0
    doubtful: int = 0
    dropped: int = 0
    from_total: int | None = None
    to_total: int
    detail: str = ""


def _in_range(config: CounterConfig, total: int) -> bool:
    if config.signed:
        return -(1 << (config.bits - 1)) <= total < 1 << (config.bits - 1)
    return 0 <= total < 1 << config.bits


def _plausible(config: CounterConfig, pieces: int, since: datetime, at: datetime) -> bool:
    minutes = max((at - since).total_seconds(), 0.0) / 60
    return pieces <= float(config.max_per_minute) * minutes + 1


def read_counter(
    state: CounterState, config: CounterConfig, total: int, at: datetime
) -> tuple[CounterState, CountStep]:
    """The new state and what the reading adds.

    `total` is the raw value in counts, `at` its source time. Readings older than the last accepted one are stale:
    the later total already holds them.
    """
    if not _in_range(config, total):
        detail = "outside the declared width"
        return state, CountStep(verdict=CountVerdict.SUSPECT, from_total=state.total, to_total=total, detail=detail)
    if state.total is None or state.at is None:
        return CounterState(total=total, at=at), CountStep(verdict=CountVerdict.FIRST, to_total=total)
    last, since = state.total, state.at
    is_repeat = total == state.suspect and state.suspect_at is not None and at <= state.suspect_at
    if is_repeat or at < since or (at == since and total < last):
        return state, CountStep(verdict=CountVerdict.STALE, from_total=last, to_total=total)
    if total == last:
        return CounterState(total=total, at=at), _same(state, last)
    step = _explain(state, config, total, at)
    if step is not None:
        return CounterState(total=total, at=at), step
    suspected = state.model_copy(update={"suspect": total, "suspect_at": at})
    if total < last and _is_restart(config, total, since, at):
        detail = "a restart, or a reading that was not real; the next one tells"
        return suspected, CountStep(verdict=CountVerdict.DROP, from_total=last, to_total=total, detail=detail)
    detail = "faster than the machine can be"
    return suspected, CountStep(verdict=CountVerdict.SUSPECT, from_total=last, to_total=total, detail=detail)


def continues(config: CounterConfig, total: int, at: datetime, later: int, later_at: datetime) -> bool:
    """Whether a counter that showed `total` can show `later` afterwards, with nothing but plausible counting."""
    return total == later or _forward(config, total, later, at, later_at) is not None


def _same(state: CounterState, last: int) -> CountStep:
    if state.suspect is None:
        return CountStep(verdict=CountVerdict.SAME, from_total=last, to_total=last)
    detail = f"the reading {state.suspect} in between was not real"
    return CountStep(verdict=CountVerdict.GLITCH, from_total=last, to_total=last, detail=detail)


def _forward(config: CounterConfig, last: int, total: int, since: datetime, at: datetime) -> CountStep | None:
    if total > last:
        if not _plausible(config, total - last, since, at):
            return None
        return CountStep(verdict=CountVerdict.STEP, counted=total - last, from_total=last, to_total=total)
    wrapped = (total - last) % (1 << config.bits)
    if _plausible(config, wrapped, since, at):
        return CountStep(verdict=CountVerdict.WRAP, counted=wrapped, from_total=last, to_total=total)
    return None


def _is_restart(config: CounterConfig, total: int, since: datetime, at: datetime) -> bool:
    return total >= 0 and _plausible(config, total, since, at)


def _explain(state: CounterState, config: CounterConfig, total: int, at: datetime) -> CountStep | None:
    """What the reading is, seen from the last accepted one and from a suspected one; None: it is suspect itself."""
    assert state.total is not None and state.at is not None
    step = _forward(config, state.total, total, state.at, at)
    if state.suspect is None or state.suspect_at is None:
        return step
    onward = 0
    if total != state.suspect:
        found = _forward(config, state.suspect, total, state.suspect_at, at)
        if found is None:
            return step
        onward = found.counted
    if step is not None and state.suspect > state.total:
        return step  # by now there was time enough for all of it
    dropped = state.suspect < state.total and _is_restart(config, state.suspect, state.at, state.suspect_at)
    if not dropped:
        return step or _jump(state, total, onward)
    if step is not None and step.verdict is CountVerdict.STEP:
        return _either(config, state, step, onward)
    return _restart(config, state, total, onward)


def _restart(config: CounterConfig, state: CounterState, total: int, onward: int) -> CountStep:
    """Two readings go on from each other below the old total: the counter restarted."""
    assert state.suspect is not None
    return CountStep(
        verdict=CountVerdict.RESET,
        counted=onward + (state.suspect if config.reset is ResetRule.COUNT_NEW_VALUE else 0),
        doubtful=state.suspect if config.reset is ResetRule.PARK else 0,
        dropped=state.suspect if config.reset is ResetRule.REBASE else 0,
        from_total=state.total,
        to_total=total,
        detail=f"counter restarted from {state.total}, then read {state.suspect}; rule {config.reset.value}",
    )


def _either(config: CounterConfig, state: CounterState, step: CountStep, onward: int) -> CountStep:
    """A restart and a glitch explain the readings alike: what both say is counted, the difference is doubtful."""
    assert state.suspect is not None
    since_restart = onward + (0 if config.reset is ResetRule.REBASE else state.suspect)
    detail = f"either the reading {state.suspect} was not real, or the counter restarted after {state.total}"
    return step.model_copy(
        update={
            "verdict": CountVerdict.RESET,
            "counted": min(step.counted, since_restart),
            "doubtful": abs(since_restart - step.counted),
            "detail": detail,
        }
    )


def _jump(state: CounterState, total: int, onward: int) -> CountStep:
    """A second reading that goes on from the suspected one makes the jump real: its size is doubtful, not lost."""
    assert state.suspect is not None and state.total is not None
    jump = state.suspect - state.total
    return CountStep(
        verdict=CountVerdict.JUMP,
        counted=onward,
        doubtful=jump if jump >= 0 else max(state.suspect, 0),
        from_total=state.total,
        to_total=total,
        detail=f"jumped from {state.total} to {state.suspect} faster than the machine can be",
    )
