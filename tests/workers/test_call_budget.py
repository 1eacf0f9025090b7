"""One call budget for all workers of a plant: even slots, a shared back-off, a circuit, leases that never burst."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp.budget import FAILURES_TO_OPEN, MARGIN, Pace
from ledger.connect import open_ledger
from signals.errors import ErpBusy, ErpUnavailable
from workers.call_budget import SharedBudget


class Hand:
    """A clock that tests move; waiting moves it."""

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def ledger(tmp_path):
    books = await open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield books
    await books.close()


def windows(times: list[float], seconds: float) -> Iterator[int]:
    """How many calls each window of this length holds that begins at a call."""
    for start in times:
        yield sum(start <= t < start + seconds for t in times)


async def test_workers_of_a_plant_together_stay_below_the_limit_in_every_window(hand, ledger):
    workers = [SharedBudget(ledger, "p", "sap", 20, hand, hand.sleep) for _ in range(3)]
    times: list[float] = []
    for budget in itertools.islice(itertools.cycle(workers), 600):
        await budget.take(60)
        times.append(hand.at)
    assert max(windows(times, 10)) <= 200
    busy = times[-1] - times[0]
    assert 599 / busy >= 0.95 * 20


async def test_a_lease_that_was_not_used_in_time_makes_no_burst(hand, ledger):
    budget = SharedBudget(ledger, "p", "sap", 100, hand, hand.sleep)
    await budget.take(10)
    hand.at += 60
    times = []
    for _ in range(200):
        await budget.take(10)
        times.append(hand.at)
    assert max(windows(times, 1)) <= 100


async def test_what_one_worker_is_told_to_wait_all_workers_wait_and_go_on_slower(hand, ledger):
    one, other = (SharedBudget(ledger, "p", "sap", 10, hand, hand.sleep) for _ in range(2))
    await other.take(10)
    await one.close_for(7)
    hand.at += 0.5
    with pytest.raises(ErpBusy) as told:
        await other.take(60)
    assert told.value.retry_after == pytest.approx(6.5)
    hand.at += 7
    times = []
    for _ in range(5):
        await other.take(60)
        times.append(hand.at)
    assert times[-1] - times[0] == pytest.approx(4 * 2 / (10 * MARGIN))


async def test_the_circuit_opens_for_all_after_silence_lets_one_call_probe_and_closes_with_its_answer(hand, ledger):
    one, other = (SharedBudget(ledger, "p", "sap", 10, hand, hand.sleep) for _ in range(2))
    for _ in range(FAILURES_TO_OPEN):
        await one.failed()
    with pytest.raises(ErpUnavailable) as told:
        await other.take(60)
    assert told.value.code == "circuit_open"
    hand.at += told.value.retry_after
    await other.take(60)
    with pytest.raises(ErpUnavailable):
        await one.take(60)
    await other.answered()
    await one.take(60)
    assert Pace.model_validate_json(await ledger.pace("p", "sap")).circuit == "closed"


async def test_another_plants_throttle_is_not_ours(hand, ledger):
    await SharedBudget(ledger, "a", "sap", 10, hand, hand.sleep).close_for(100)
    await SharedBudget(ledger, "b", "sap", 10, hand, hand.sleep).take(1)


@given(st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=80), st.integers(min_value=1, max_value=50))
def test_whenever_calls_come_no_window_of_a_second_holds_more_than_the_limit(pauses, limit):
    pace, now, slots = Pace(), 1000.0, []
    for pause in pauses:
        now += pause / limit
        slots.append(pace.take(now, limit, 1e9))
    assert max(windows(slots, 1.0)) <= limit
    assert slots == sorted(slots)
