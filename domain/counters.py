"""Counter arithmetic: what a new reading of an accumulating counter adds (reference ot.md 3.6).

Totals are compared, never differences summed on the wire: skipped readings lose nothing, repeats add nothing.
A reading that is neither a plausible step, nor a wrap, nor a reset is suspected and never moves the base by itself.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from domain.plant import CounterConfig, ResetRule
from signals.base import Message, UtcTime

RULE = "counter-increment/1"


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
    SUSPECT = "suspect"
    GLITCH = "glitch"
    JUMP = "jump"


class CountStep(Message):
    """What a reading adds. `counted` may be booked; `doubtful` pieces wait for a person with this evidence."""

    verdict: CountVerdict
    counted: int = 0
    doubtful: int = 0
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
    if state.total is None or state.at is None:
        if not _in_range(config, total):
            return state, CountStep(verdict=CountVerdict.SUSPECT, to_total=total, detail="outside the declared width")
        return CounterState(total=total, at=at), CountStep(verdict=CountVerdict.FIRST, to_total=total)
    last, since = state.total, state.at
    if at < since:
        return state, CountStep(verdict=CountVerdict.STALE, from_total=last, to_total=total)
    if not _in_range(config, total):
        step = CountStep(
            verdict=CountVerdict.SUSPECT, from_total=last, to_total=total, detail="outside the declared width"
        )
        return state, step
    if total == last:
        verdict = CountVerdict.SAME if state.suspect is None else CountVerdict.GLITCH
        detail = "" if state.suspect is None else f"the reading {state.suspect} in between was not real"
        return CounterState(total=total, at=at), CountStep(
            verdict=verdict, from_total=last, to_total=total, detail=detail
        )
    step = _forward(config, last, total, since, at)
    if step is not None:
        return CounterState(total=total, at=at), step
    if state.suspect is not None and state.suspect_at is not None:
        explained = _explain(state, config, total, at)
        if explained is not None:
            return explained
    if total < last and _is_reset(config, total, since, at):
        return CounterState(total=total, at=at), _reset(config, last, total)
    suspected = state.model_copy(update={"suspect": total, "suspect_at": at})
    return suspected, CountStep(
        verdict=CountVerdict.SUSPECT, from_total=last, to_total=total, detail="faster than the machine can be"
    )


def _forward(config: CounterConfig, last: int, total: int, since: datetime, at: datetime) -> CountStep | None:
    if total > last:
        if not _plausible(config, total - last, since, at):
            return None
        return CountStep(verdict=CountVerdict.STEP, counted=total - last, from_total=last, to_total=total)
    wrapped = (total - last) % (1 << config.bits)
    if _plausible(config, wrapped, since, at):
        return CountStep(verdict=CountVerdict.WRAP, counted=wrapped, from_total=last, to_total=total)
    return None


def _is_reset(config: CounterConfig, total: int, since: datetime, at: datetime) -> bool:
    return total >= 0 and _plausible(config, total, since, at)


def _reset(config: CounterConfig, last: int, total: int) -> CountStep:
    counted = total if config.reset is ResetRule.COUNT_NEW_VALUE else 0
    doubtful = total if config.reset is ResetRule.PARK else 0
    return CountStep(
        verdict=CountVerdict.RESET,
        counted=counted,
        doubtful=doubtful,
        from_total=last,
        to_total=total,
        detail=f"counter restarted; rule {config.reset.value}",
    )


def _explain(
    state: CounterState, config: CounterConfig, total: int, at: datetime
) -> tuple[CounterState, CountStep] | None:
    """A second reading that goes on from the suspected one makes the jump real: its size is doubtful, not lost."""
    assert state.suspect is not None and state.suspect_at is not None and state.total is not None
    if total == state.suspect:
        onward = CountStep(verdict=CountVerdict.SAME, from_total=state.suspect, to_total=total)
    else:
        found = _forward(config, state.suspect, total, state.suspect_at, at)
        if found is None:
            return None
        onward = found
    jump = state.suspect - state.total
    step = CountStep(
        verdict=CountVerdict.JUMP,
        counted=onward.counted,
        doubtful=max(jump, 0) if jump >= 0 else max(state.suspect, 0),
        from_total=state.total,
        to_total=total,
        detail=f"jumped from {state.total} to {state.suspect} faster than the machine can be",
    )
    return CounterState(total=total, at=at), step
