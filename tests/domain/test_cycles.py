"""Cycle judging: a piece is counted when program end, counter step and active time agree, and never guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.context import StationContext, apply_context
from domain.cycle_state import (
    COUNTER_AGREES,
    COUNTER_GAP,
    CYCLE_TIME,
    EVENT_ORDER,
    ONE_PER_RUN,
    PROGRAM_CHANGE,
    PROGRAM_END,
    RUN_COMPLETE,
)
from domain.cycles import CycleCompleted, CycleState, ParkedDraft, step
from domain.plant import CycleRules
from signals.events import CountEvent, GapEvent, MachineEvent, OrderAspect, OrderEvent, ProgramEvent
from signals.reports import ParkedWhy, Refusal

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
STANDARD = 100
RULES = CycleRules(standard_seconds={"4711/0010": Decimal(STANDARD)}, programs={"4711/0010": "PLATE"})


class Station:
    """Feeds a station's events to the judge, as the Line does: the context before the event goes with it."""

    def __init__(self, rules: CycleRules = RULES) -> None:
        self.rules = rules
        self.state = CycleState()
        self.context = StationContext()
        self.done: list[CycleCompleted] = []
        self.refused: list[Refusal] = []
        self.parked: list[ParkedDraft] = []
        self.total = 1000
        self.number = 0

    def feed(self, event: MachineEvent) -> None:
        # The state travels through checkpoints: it must survive its own JSON at any point.
        state = CycleState.model_validate_json(self.state.model_dump_json())
        result = step(state, self.rules, self.context, event)
        self.state = result.state
        self.done += result.completions
        self.refused += result.refusals
        self.parked += result.parked
        self.context = apply_context(self.context, event)

    def _base(self, second: float) -> dict[str, object]:
        self.number += 1
        return {
            "event_id": f"e{self.number}",
            "at": START + timedelta(seconds=second),
            "equipment": "MILL",
            "tag": "t",
        }

    def status(self, second: float, word: str) -> None:
        self.feed(ProgramEvent.model_validate({**self._base(second), "aspect": "status", "value": word}))

    def name(self, second: float, program: str) -> None:
        self.feed(ProgramEvent.model_validate({**self._base(second), "aspect": "name", "value": program}))

    def count(self, second: float, total: int | None = None) -> None:
        self.total = self.total + 1 if total is None else total
        self.feed(CountEvent.model_validate({**self._base(second), "counter": "t", "total": self.total}))

    def tell(self, second: float, aspect: OrderAspect, value: str) -> None:
        self.feed(OrderEvent.model_validate({**self._base(second), "aspect": aspect, "value": value}))

    def gap(self, second: float) -> None:
        self.feed(GapEvent.model_validate({**self._base(second), "reason": "nothing was recorded"}))

    def order(self, second: float, order: str = "4711") -> None:
        self.tell(second, OrderAspect.ORDER, order)
        self.tell(second, OrderAspect.OPERATION, "0010")

    def run(self, second: float, serial: str = "S1", order: str = "4711") -> None:
        self.order(second, order)
        self.tell(second, OrderAspect.SERIAL, serial)
        self.tell(second, OrderAspect.RUN, f"run {serial} {second}")

    def end_run(self, second: float) -> None:
        self.tell(second, OrderAspect.RUN, "")

    def cycle(self, second: float, seconds: float = STANDARD, *, end: bool = True, counted: bool = True) -> None:
        self.status(second, "ACTIVE")
        if end:
            self.status(second + seconds, "PROGRAM_COMPLETED")
        if counted:
            self.count(second + seconds + 0.03)

    @property
    def rules_used(self) -> list[str]:
        return [r.rule for r in self.refused]


def test_a_full_cycle_counts_one_piece_with_its_serial_and_active_time() -> None:
    station = Station()
    station.run(0)
    station.cycle(10)
    station.end_run(120)
    assert [(d.serial, d.context.order, d.active_seconds) for d in station.done] == [("S1", "4711", Decimal(100))]
    assert station.done[0].event_ids == ("e6", "e7")
    assert not station.parked
    assert not station.refused


def test_the_counter_may_step_before_the_program_ends() -> None:
    station = Station()
    station.run(0)
    station.status(10, "ACTIVE")
    station.count(109.9)
    station.status(110, "PROGRAM_COMPLETED")
    station.end_run(120)
    assert len(station.done) == 1
    assert not station.refused


def test_a_hold_within_the_cycle_does_not_count_as_active_time() -> None:
    station = Station()
    station.run(0)
    station.status(0, "ACTIVE")
    station.status(30, "FEED_HOLD")
    station.status(3000, "ACTIVE")
    station.status(3015, "PROGRAM_COMPLETED")
    station.count(3015.1)
    station.end_run(3020)
    assert not station.done
    assert station.rules_used == [CYCLE_TIME]
    assert [p.rule for p in station.parked] == [RUN_COMPLETE]


def test_a_counter_step_without_a_program_end_is_refused_and_the_later_completion_counts() -> None:
    station = Station()
    station.run(0)
    station.status(10, "ACTIVE")
    station.status(60, "STOPPED")
    station.count(65)
    station.cycle(500, 80)
    station.end_run(600)
    assert len(station.done) == 1
    assert station.rules_used == [PROGRAM_END]


def test_short_completions_of_another_program_are_refused_after_the_real_one() -> None:
    station = Station()
    station.run(0)
    station.cycle(10)
    station.status(200, "ACTIVE")
    station.name(200.2, "SLOT.NC")
    station.status(213, "PROGRAM_COMPLETED")
    station.count(213.1)
    station.end_run(300)
    assert len(station.done) == 1
    assert station.rules_used == [CYCLE_TIME]
    assert not station.parked


def test_time_under_an_abandoned_program_does_not_count_for_the_next_one() -> None:
    station = Station()
    station.run(0)
    station.status(10, "ACTIVE")
    station.status(90, "PROGRAM_STOPPED")
    station.status(200, "ACTIVE")
    station.name(200.2, "CHAMFER.NC")
    station.status(208, "PROGRAM_COMPLETED")
    station.count(208.1)
    station.end_run(210)
    assert not station.done
    assert [(p.why, p.yield_quantity) for p in station.parked] == [(ParkedWhy.RUN_INCOMPLETE, 1)]
    assert {e.rule for e in station.parked[0].evidence} == {RUN_COMPLETE, PROGRAM_CHANGE, CYCLE_TIME}


def test_a_long_cycle_of_a_program_that_is_not_the_operations_is_not_counted() -> None:
    station = Station()
    station.run(0)
    station.status(10, "ACTIVE")
    station.name(10.1, "OTHER.NC")
    station.status(110, "PROGRAM_COMPLETED")
    station.count(110.1)
    station.end_run(120)
    assert not station.done
    assert station.rules_used == [PROGRAM_CHANGE]
    assert len(station.parked) == 1


def test_a_completion_without_a_counter_step_is_parked_not_guessed() -> None:
    station = Station()
    station.run(0)
    station.cycle(10, counted=False)
    station.end_run(120)
    assert not station.done
    assert station.rules_used == [COUNTER_AGREES]
    assert [p.why for p in station.parked] == [ParkedWhy.RUN_INCOMPLETE]


def test_a_counter_step_whose_program_end_is_missing_is_parked_not_guessed() -> None:
    station = Station()
    station.run(0)
    station.cycle(10, end=False)
    station.end_run(120)
    assert not station.done
    assert len(station.parked) == 1


def test_a_counter_that_jumps_by_two_agrees_with_no_single_completion() -> None:
    station = Station()
    station.run(0)
    station.cycle(10)
    station.end_run(120)
    station.run(130, "S2")
    station.status(130, "ACTIVE")
    station.status(230, "PROGRAM_COMPLETED")
    station.count(230.1, 1003)
    station.end_run(240)
    assert [d.serial for d in station.done] == ["S1"]
    assert [p.context.serial for p in station.parked] == ["S2"]


def test_two_full_completions_in_one_run_count_one_and_park_the_other() -> None:
    station = Station()
    station.run(0)
    station.cycle(10)
    station.cycle(200)
    station.end_run(400)
    assert len(station.done) == 1
    assert [(p.why, p.rule) for p in station.parked] == [(ParkedWhy.EVIDENCE_DISAGREES, ONE_PER_RUN)]


def test_a_serial_completed_before_is_not_completed_again_by_a_later_run() -> None:
    station = Station()
    station.run(0)
    station.cycle(10)
    station.end_run(120)
    station.run(200)
    station.cycle(210)
    station.end_run(320)
    assert len(station.done) == 1
    assert [p.rule for p in station.parked] == [ONE_PER_RUN, RUN_COMPLETE]


def test_a_run_cut_in_the_middle_is_parked_once() -> None:
    station = Station()
    station.run(0)
    station.status(10, "ACTIVE")
    station.end_run(60)
    assert [(p.why, p.context.serial) for p in station.parked] == [(ParkedWhy.RUN_INCOMPLETE, "S1")]


def test_a_run_nobody_knows_the_order_of_is_parked_without_one() -> None:
    station = Station()
    station.run(0, order="")
    station.cycle(10)
    station.end_run(120)
    assert not station.done
    assert [p.why for p in station.parked] == [ParkedWhy.NO_ORDER]


def test_parked_items_keep_their_identity_when_the_same_evidence_comes_again() -> None:
    def parked() -> tuple[str, ...]:
        station = Station()
        station.run(0)
        station.cycle(10, counted=False)
        station.end_run(120)
        return station.parked[0].identity

    assert parked() == parked()


def test_steps_counted_while_nothing_was_recorded_are_reported_and_never_counted() -> None:
    station = Station()
    station.run(0)
    station.cycle(10)
    station.end_run(120)
    station.gap(500)
    station.run(500, "S2")
    station.status(510, "ACTIVE")
    station.status(610, "PROGRAM_COMPLETED")
    station.count(610.1, station.total + 4)
    station.end_run(620)
    assert [d.serial for d in station.done] == ["S1", "S2"]
    assert station.rules_used == [COUNTER_GAP] * 3
    assert not any(r.serial for r in station.refused)


def test_a_total_read_before_the_machine_starts_is_a_base_and_no_step() -> None:
    station = Station()
    station.run(0)
    station.count(1, 1000)
    station.cycle(10)
    station.end_run(120)
    assert len(station.done) == 1
    assert not station.refused


def test_the_program_is_unknown_after_a_gap_and_the_cycle_starts_anew() -> None:
    station = Station()
    station.run(0)
    station.status(10, "ACTIVE")
    station.gap(100)
    station.status(105, "PROGRAM_COMPLETED")
    station.count(105.1)
    station.end_run(120)
    assert not station.done
    assert len(station.parked) == 1


def test_a_lost_machine_runs_no_time_up() -> None:
    station = Station()
    station.run(0)
    station.status(10, "ACTIVE")
    station.status(20, "UNAVAILABLE")
    station.status(110, "PROGRAM_COMPLETED")
    station.count(110.1)
    station.end_run(120)
    assert not station.done
    assert station.rules_used == [CYCLE_TIME]


def test_an_event_older_than_what_was_judged_changes_nothing() -> None:
    station = Station()
    station.run(100)
    station.status(110, "ACTIVE")
    station.status(50, "PROGRAM_COMPLETED")
    station.status(210, "PROGRAM_COMPLETED")
    station.count(210.1)
    station.end_run(220)
    assert len(station.done) == 1
    assert station.rules_used == [EVENT_ORDER]


def test_a_machine_without_runs_counts_each_full_cycle_and_parks_disagreement_at_once() -> None:
    station = Station()
    station.order(0)
    station.cycle(10)
    station.cycle(200)
    station.cycle(400, counted=False)
    station.cycle(600, end=False)
    station.cycle(800, 20)
    station.status(1000, "READY")
    assert len(station.done) == 2
    assert [p.rule for p in station.parked] == [COUNTER_AGREES, PROGRAM_END]
    assert station.rules_used == [CYCLE_TIME]


def test_pieces_without_an_order_or_without_a_standard_time_wait_for_a_person() -> None:
    station = Station()
    station.cycle(10)
    station.order(200, "9999")
    station.cycle(210)
    assert not station.done
    assert [p.why for p in station.parked] == [ParkedWhy.NO_ORDER, ParkedWhy.UNKNOWN_OPERATION]


def test_a_station_without_a_counter_may_do_without_its_step() -> None:
    station = Station(RULES.model_copy(update={"needs_counter": False}))
    station.run(0)
    station.cycle(10, counted=False)
    station.end_run(120)
    assert len(station.done) == 1


def test_a_wrapping_counter_steps_by_one() -> None:
    station = Station(RULES.model_copy(update={"counter_bits": 16}))
    station.run(0)
    station.count(1, 65535)
    station.status(10, "ACTIVE")
    station.status(110, "PROGRAM_COMPLETED")
    station.count(110.1, 0)
    station.end_run(120)
    assert len(station.done) == 1


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["active", "hold", "stop", "end", "count", "name", "gap", "run", "end_run", "cycle"]),
        st.integers(min_value=0, max_value=150),
    ),
    max_size=40,
)


@given(moves=MOVES)
@settings(max_examples=150, deadline=None)
def test_whatever_happens_a_serial_counts_once_and_every_run_is_counted_or_parked(
    moves: list[tuple[str, int]],
) -> None:
    station, now, runs = Station(), 0.0, 0
    for move, seconds in moves:
        now += seconds
        match move:
            case "run":
                station.end_run(now)
                runs += 1
                station.run(now, f"S{runs}")
            case "end_run":
                station.end_run(now)
            case "active" | "hold" | "stop" | "end":
                words = {"active": "ACTIVE", "hold": "FEED_HOLD", "stop": "STOPPED", "end": "PROGRAM_COMPLETED"}
                station.status(now, words[move])
            case "count":
                station.count(now)
            case "name":
                station.name(now, f"PLATE-{seconds}.NC")
            case "gap":
                station.gap(now)
            case _:
                station.cycle(now)
                now += STANDARD + 1
    station.end_run(now + 1)
    accepted = [d.serial for d in station.done if d.context.run]
    assert len(accepted) == len(set(accepted))
    unfinished = [p.context.serial for p in station.parked if p.rule == RUN_COMPLETE]
    assert sorted(accepted + unfinished) == sorted(f"S{n}" for n in range(1, runs + 1))
    for done in station.done:
        assert done.active_seconds >= STANDARD * RULES.min_ratio
    used = [i for d in station.done for i in d.event_ids]
    assert len(used) == len(set(used))
