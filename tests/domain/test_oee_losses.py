"""OEE by its own formulas, and losses that sum to the same whole whatever they are listed by."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.losses import By, lost_parts, pareto
from domain.oee import Made, TimeAccount, account_of, account_of_parts, oee
from signals.downtime import StopRecord, TimeClass
from tests.domain.stop_floor import EXECUTE, HELD, SUSPENDED, Script, parts, play, stop_plant

HOUR = Decimal(3600)


def account(**hours: float) -> TimeAccount:
    return TimeAccount(seconds={TimeClass(name): Decimal(str(value)) * HOUR for name, value in hours.items()})


def made(produced: int, good: int, standard: str) -> Made:
    return Made(produced=Decimal(produced), good=Decimal(good), standard_seconds=Decimal(standard))


def test_a_shift_of_eight_hours() -> None:
    shift = account(running=5.5, micro_stop=0.5, stop=1, setup=0.5, starved=0.25, planned=0.5, no_data=0.25)
    result = oee(shift, [made(360, 342, "48")])
    assert (shift.total, shift.pbt, shift.apt) == (Decimal("8.5") * HOUR, Decimal("7.75") * HOUR, 6 * HOUR)
    assert result.availability == Decimal(6) / Decimal("7.75")
    assert result.effectiveness == Decimal("0.8")
    assert result.quality == Decimal("0.95")
    assert result.oee is not None and round(result.oee, 6) == round(Decimal(342 * 48) / (Decimal("7.75") * HOUR), 6)
    assert (result.no_data, result.standard_is_wrong) == (Decimal(900), False)


def test_a_wrong_standard_is_shown_and_not_clipped() -> None:
    result = oee(account(running=1), [made(100, 100, "45")])
    assert (result.effectiveness, result.standard_is_wrong) == (Decimal("1.25"), True)
    assert result.oee == Decimal("1.25")


def test_several_products_add_up_by_their_own_standards() -> None:
    result = oee(account(running=1), [made(10, 10, "60"), made(20, 10, "30")])
    assert (result.planned_seconds, result.effectiveness) == (Decimal(1200), Decimal(1200) / 3600)
    assert result.quality == Decimal(20) / 30


def test_nothing_to_divide_by_is_no_figure() -> None:
    nothing = oee(account(not_scheduled=8), [])
    assert (nothing.availability, nothing.effectiveness, nothing.quality, nothing.oee) == (None, None, None, None)
    stood = oee(account(stop=8), [])
    assert (stood.availability, stood.oee) == (0, 0)


def test_down_time_in_the_standards_sense_is_without_an_order() -> None:
    script = Script().runs().state(100, "weld", HELD).order(400, "weld", "").state(1000, "weld", EXECUTE)
    (fact,) = play(script)
    made_of = account_of_parts(parts(fact))
    assert (made_of.down_without_order, made_of.delay) == (600, 300)
    whole = account_of({TimeClass.RUNNING: Decimal(1000), TimeClass.NO_DATA: Decimal(5)}, parts(fact))
    assert (whole.total, whole.pbt) == (1905, 1900)


def records() -> list[StopRecord]:
    script = Script().runs().state(100, "weld", HELD).alarm(101, "weld", "501").state(1000, "weld", EXECUTE)
    script.state(2000, "weld", SUSPENDED).state(2500, "weld", EXECUTE)
    script.order(2600, "weld", "B").state(3000, "weld", HELD).state(3400, "weld", EXECUTE)
    script.state(4000, "weld", HELD).state(4030, "weld", EXECUTE)
    plant = stop_plant(reason=TREE)
    return [
        StopRecord(stop=f.stop, plant=f.plant, line=f.line, fact=f, parts=parts(f, plant=plant))
        for f in play(script, plant)
    ]


TREE = [{"id": "machine", "text": "Machine"}, {"id": "die", "parent": "machine", "text": "Die", "alarms": ["50*"]}]


def test_losses_by_reason_the_greatest_first() -> None:
    config = stop_plant(reason=TREE).downtime
    found = pareto(lost_parts(records()), By.REASON, config)
    assert [(f.key, f.text, f.seconds, f.stops) for f in found] == [
        ("die", "Machine / Die", 900, 1),
        ("starved", "waits for material", 500, 1),
        ("unknown", "unknown", 400, 1),
        ("micro_stop", "micro-stops", 30, 1),
    ]
    assert found[-1].running_share == 1
    assert next(f.key for f in pareto(lost_parts(records()), By.REASON, config, level=1)) == "machine"
    by_sku = pareto(lost_parts(records()), By.SKU, config, materials={"A": "M1", "B": "M2"})
    assert [(f.key, f.seconds) for f in by_sku] == [("M1", 1400), ("M2", 430)]
    assert [f.key for f in pareto(lost_parts(records()), By.SHIFT)] == ["2026-03-28/night"]


@pytest.mark.parametrize("by", list(By))
def test_every_list_sums_to_the_same_whole(by: By) -> None:
    assert sum(f.seconds for f in pareto(lost_parts(records()), by)) == 1830


@given(st.dictionaries(st.sampled_from(list(TimeClass)), st.integers(0, 100_000).map(Decimal)))
def test_accounts_sum_and_nobody_loses_a_second(seconds: dict[TimeClass, Decimal]) -> None:
    one = TimeAccount(seconds=seconds)
    apart = one.of(TimeClass.PLANNED, TimeClass.NOT_SCHEDULED, TimeClass.NO_DATA)
    assert one.total == one.pbt + apart == sum(seconds.values(), Decimal(0))
    assert one.plus(one).total == 2 * one.total
    result = oee(one, [])
    assert result.availability is None or 0 <= result.availability <= 1
