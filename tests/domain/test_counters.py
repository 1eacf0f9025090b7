"""Counters: what really was made is counted once, what cannot be told waits for a person, a glitch changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.counters import CounterState, CountStep, CountVerdict, continues, read_counter
from domain.plant import CounterConfig, CounterRole, ResetRule

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
Reading = tuple[float, int]
"""Seconds after the start, total."""


def config(**changes: object) -> CounterConfig:
    return CounterConfig.model_validate({"role": CounterRole.GOOD, "max_per_minute": Decimal(60)} | changes)


def read(readings: Iterable[Reading], rules: CounterConfig) -> tuple[CounterState, list[CountStep]]:
    state, steps = CounterState(), []
    for seconds, total in readings:
        # The state travels through checkpoints between any two readings.
        state = CounterState.model_validate_json(state.model_dump_json())
        state, step = read_counter(state, rules, total, START + timedelta(seconds=seconds))
        steps.append(step)
    return state, steps


def counted(steps: Iterable[CountStep]) -> int:
    return sum(s.counted for s in steps)


def doubtful(steps: Iterable[CountStep]) -> int:
    return sum(s.doubtful for s in steps)


def wrapped(rules: CounterConfig, value: int) -> int:
    value %= 1 << rules.bits
    return value - (1 << rules.bits) if rules.signed and value >= 1 << (rules.bits - 1) else value


@st.composite
def true_counters(draw: st.DrawFn, reset: ResetRule | None = None) -> tuple[CounterConfig, list[Reading], int]:
    """A counter of any width that runs at most as fast as it may: its readings, and what it really made."""
    bits, signed = draw(st.integers(8, 64)), draw(st.booleans())
    rules = config(bits=bits, signed=signed, reset=reset or draw(st.sampled_from(ResetRule)))
    value = draw(st.integers(-300, 300)) % (1 << bits)
    seconds, readings, made = 0.0, [], 0
    for _ in range(draw(st.integers(2, 12))):
        readings.append((seconds, wrapped(rules, value)))
        step = draw(st.integers(0, min((1 << bits) // 4, 200)))
        seconds += max(step, 1) + draw(st.floats(0.1, 5))
        value += step
        made += step
    readings.append((seconds, wrapped(rules, value)))
    return rules, readings, made


def wide(rules: CounterConfig) -> CounterConfig:
    return rules.model_copy(update={"bits": 32, "signed": False})


def unwrapped(rules: CounterConfig, readings: list[Reading]) -> list[Reading]:
    """The same production as a wide counter shows it, far from its ends."""
    total, plain = 100_000, [(readings[0][0], 100_000)]
    for before, after in pairwise(readings):
        total += (after[1] - before[1]) % (1 << rules.bits)
        plain.append((after[0], total))
    return plain


@given(true_counters())
def test_what_a_counter_of_any_width_made_is_counted_through_its_wrap(
    truth: tuple[CounterConfig, list[Reading], int],
) -> None:
    rules, readings, made = truth
    _, steps = read(readings, rules)
    assert (counted(steps), doubtful(steps)) == (made, 0)


@given(true_counters(), st.data())
def test_repeats_and_late_readings_add_nothing(
    truth: tuple[CounterConfig, list[Reading], int], data: st.DataObject
) -> None:
    rules, readings, made = truth
    delivered: list[Reading] = []
    for n, reading in enumerate(readings):
        delivered.append(reading)
        delivered += data.draw(st.lists(st.sampled_from(readings[: n + 1]), max_size=3))
    _, steps = read(delivered, rules)
    assert (counted(steps), doubtful(steps)) == (made, 0)


@given(true_counters(), st.data())
def test_skipped_readings_lose_nothing(truth: tuple[CounterConfig, list[Reading], int], data: st.DataObject) -> None:
    rules, readings, made = truth
    plain = unwrapped(rules, readings)
    kept = [plain[0], *data.draw(st.lists(st.sampled_from(plain), unique=True).map(sorted)), plain[-1]]
    _, steps = read(kept, wide(rules))
    assert counted(steps) == made


@given(true_counters(), st.data())
def test_a_glitch_moves_no_base_and_counts_nothing(
    truth: tuple[CounterConfig, list[Reading], int], data: st.DataObject
) -> None:
    rules, readings, made = truth
    plain = unwrapped(rules, readings)
    rules = wide(rules)
    place = data.draw(st.integers(1, len(plain) - 1))
    at = (plain[place - 1][0] + plain[place][0]) / 2
    last = plain[place - 1][1]
    glitch = data.draw(st.one_of(st.just(0), st.integers(0, last - 1), st.integers(last + 10_000, (1 << 32) - 1)))
    repeated = [(at, glitch)] * data.draw(st.integers(1, 3))
    before, _ = read(plain[:place], rules)
    after, _ = read([*plain[:place], *repeated], rules)
    assert after.total == before.total
    _, steps = read([*plain[:place], *repeated, *plain[place:]], rules)
    assert counted(steps) == made


@given(true_counters(), st.integers(10_000, 1_000_000))
def test_an_implausible_jump_is_doubtful_never_counted_never_lost(
    truth: tuple[CounterConfig, list[Reading], int], jump: int
) -> None:
    rules, readings, _ = truth
    rules = wide(rules)
    end = readings[-1][0]
    run = [(0.0, 500), (10.0, 505), (11.0, 505 + jump), (20.0, 510 + jump), (20.0 + end, 511 + jump)]
    state, steps = read(run, rules)
    assert (counted(steps), doubtful(steps)) == (5 + 5 + 1, jump)
    assert state.total == 511 + jump


@pytest.mark.parametrize(
    ("rule", "counts", "doubts", "drops"),
    [(ResetRule.COUNT_NEW_VALUE, 7, 0, 0), (ResetRule.PARK, 4, 3, 0), (ResetRule.REBASE, 4, 0, 3)],
)
def test_a_restarted_counter_follows_its_declared_rule(rule: ResetRule, counts: int, doubts: int, drops: int) -> None:
    # The notification stream of a real server restart: 10352 -> 19.
    state, steps = read([(0, 10_352), (60, 3), (90, 7)], config(reset=rule))
    assert [s.verdict for s in steps] == [CountVerdict.FIRST, CountVerdict.DROP, CountVerdict.RESET]
    assert (counted(steps), doubtful(steps), sum(s.dropped for s in steps)) == (counts, doubts, drops)
    assert (state.total, state.suspect) == (7, None)


def test_a_restart_to_zero_on_an_idle_machine_leaves_nothing_in_doubt() -> None:
    state, steps = read([(0, 812), (30, 0), (60, 0), (90, 1)], config())
    assert (counted(steps), doubtful(steps)) == (1, 0)
    assert state.total == 1


def test_a_zero_that_was_not_real_is_not_counted_up_from() -> None:
    state, steps = read([(0, 50), (1, 0), (3, 51)], config())
    assert (counted(steps), doubtful(steps)) == (1, 0)
    assert state.total == 51


def test_where_a_restart_and_a_glitch_look_alike_the_difference_waits_for_a_person() -> None:
    """After a long silence 50 -> 0 -> 55 may be five pieces or fifty-five: five are certain."""
    _, steps = read([(0, 50), (1, 0), (3600, 55)], config())
    assert (counted(steps), doubtful(steps)) == (5, 50)


@pytest.mark.parametrize(
    ("bits", "signed", "value"), [(8, False, 256), (8, True, 128), (16, True, -32_769), (8, False, -1)]
)
def test_a_value_outside_the_declared_width_is_suspect_and_changes_nothing(bits: int, signed: bool, value: int) -> None:
    rules = config(bits=bits, signed=signed)
    before, _ = read([(0, 100)], rules)
    after, steps = read([(0, 100), (5, value)], rules)
    assert after == before
    assert steps[-1].verdict is CountVerdict.SUSPECT
    state, steps = read([(0, value)], rules)
    assert state.total is None and counted(steps) == 0


def test_a_signed_counter_wraps_through_negative_numbers() -> None:
    state, steps = read([(0, 32_766), (10, -32_766)], config(bits=16, signed=True))
    assert counted(steps) == 4
    assert steps[-1].verdict is CountVerdict.WRAP
    assert state.total == -32_766


def test_a_smaller_total_of_the_same_instant_is_late_not_a_restart() -> None:
    state, steps = read([(0, 1), (10, 2), (10, 1), (20, 3)], config())
    assert (counted(steps), doubtful(steps)) == (2, 0)
    assert state.total == 3


def test_an_unreal_reading_in_a_standstill_is_named_a_glitch() -> None:
    state, steps = read([(0, 40), (10, 9_000), (20, 40)], config())
    assert steps[-1].verdict is CountVerdict.GLITCH
    assert "9000" in steps[-1].detail
    assert (counted(steps), state.total, state.suspect) == (0, 40, None)


@given(true_counters())
def test_a_second_reading_agrees_with_every_later_total(truth: tuple[CounterConfig, list[Reading], int]) -> None:
    rules, readings, _ = truth
    for (at, total), (later, more) in pairwise(readings):
        assert continues(rules, total, START + timedelta(seconds=at), more, START + timedelta(seconds=later))


def test_a_total_below_the_second_reading_does_not_go_on_from_it() -> None:
    assert not continues(config(), 12, START, 10, START + timedelta(seconds=30))
