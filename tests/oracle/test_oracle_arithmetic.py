"""What arithmetic may say: ours only where every figure moved by exactly ours, nothing where nothing moved."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from erp.oracle.arithmetic import Verdict, as_figures, told, vector_of, verdict
from erp.oracle.settings import operation_number, sequence_number
from erp.oracle.wire import day_at, fits_number, number_json
from signals.errors import ErpRejected

amounts = st.decimals(min_value=0, max_value=10**6, places=3)
vectors = st.dictionaries(st.sampled_from(["completed", "scrapped", "rejected"]), amounts, min_size=1)


@given(before=vectors, ours=vectors)
def test_exactly_our_vector_is_ours_and_none_of_it_is_not_there(
    before: dict[str, Decimal], ours: dict[str, Decimal]
) -> None:
    assume(any(ours.values()))
    now = {name: before.get(name, Decimal(0)) + ours.get(name, Decimal(0)) for name in {*before, *ours}}
    assert verdict(before, now, ours) is Verdict.OURS
    assert verdict(before, before, ours) is Verdict.NOT_THERE


@given(before=vectors, ours=vectors, other=vectors)
def test_any_other_difference_is_never_taken_for_ours(
    before: dict[str, Decimal], ours: dict[str, Decimal], other: dict[str, Decimal]
) -> None:
    moved = {name: other.get(name, Decimal(0)) for name in ours}
    assume(moved != ours and any(moved.values()))
    now = {name: before.get(name, Decimal(0)) + moved[name] for name in ours}
    assert verdict(before, now, ours) is Verdict.UNKNOWABLE
    assert all(name in told(before, now, ours) for name in ours)


@given(figures=vectors)
def test_figures_survive_the_ledger(figures: dict[str, Decimal]) -> None:
    assert vector_of(as_figures(figures), figures) == figures
    assert vector_of({}, figures) is None


@pytest.mark.parametrize(("ours", "oracles"), [("0010", 10), ("0005", 5), ("1234", 1234)])
def test_operations_have_four_digits_here_and_none_too_many_there(ours: str, oracles: int) -> None:
    assert sequence_number(ours) == oracles
    assert operation_number(oracles) == ours
    assert operation_number(Decimal(f"{oracles}.0")) == ours


def test_an_operation_that_is_no_number_is_refused() -> None:
    with pytest.raises(ErpRejected):
        sequence_number("A10")


@given(amount=st.decimals(min_value=0, max_value=10**9, places=6))
def test_a_number_that_leaves_is_the_number_that_was_meant(amount: Decimal) -> None:
    if fits_number(amount):
        assert Decimal(str(number_json(amount))) == amount
    else:
        with pytest.raises(ErpRejected):
            number_json(amount)


def test_the_posting_date_decides_the_day_in_the_organizations_zone() -> None:
    zone = ZoneInfo("America/Chicago")
    late = datetime(2026, 12, 1, 3, tzinfo=UTC)  # still 30 November there
    assert day_at(date(2026, 11, 30), zone, late) == "2026-12-01T03:00:00.000+00:00"
    assert day_at(date(2026, 12, 1), zone, late) == "2026-12-01T18:00:00.000+00:00"
    assert day_at(date(2026, 12, 1), zone) == "2026-12-01T18:00:00.000+00:00"
