"""Which results may be about one piece, and that a contradiction holds whatever came first."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.inspections import Mark, findings, may_be_one_material, may_be_one_serial, natural_order, time_said
from domain.plant_inspection import InspectedPart, named_by_the_plant
from signals.inspections import PieceState, Verdict

NOW = dt.datetime(2026, 3, 2, 6, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("12", "12", True),
        ("12", "0012", True),
        ("sn-a", "SN-A", True),
        ("12", "RESULTS_A12_SCAN", True),
        ("2017-12", "12", True),
        ("2017-12", "2018-12", False),
        ("12", "112", False),
        ("A", "B", False),
        ("A", "12", False),
    ],
)
def test_serials_that_may_be_one_piece(one: str, other: str, may: bool) -> None:
    assert may_be_one_serial(one, other) is may_be_one_serial(other, one) is may


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("flange_rev", "FLANGE-REV", True),
        ("flange", "flange_scan_touch", True),
        ("flange", "flanges", False),
        ("flange_left", "flange_right", False),
        ("---", "---", True),
        ("---", "flange", False),
    ],
)
def test_names_that_may_be_one_material(one: str, other: str, may: bool) -> None:
    assert may_be_one_material(one, other) is may_be_one_material(other, one) is may


def mark(name: str, document: str, serial: str, verdict: Verdict, material: str = "flange") -> Mark:
    return Mark(name, document, material, serial, verdict)


P, F, D = Verdict.PASSED, Verdict.FAILED, Verdict.DISPUTED


def states(marks: list[Mark], documents: set[str], settled: tuple[str, ...] = ()) -> dict[str, PieceState]:
    return {f.mark.inspection: f.state for f in findings(marks, documents, settled)}


def test_a_pass_that_another_inspection_contradicts_is_held_whichever_came_first() -> None:
    marks = [mark("a", "d1", "12", P), mark("b", "d2", "A12", F, "flange_scan"), mark("c", "d1", "13", P)]
    for order in itertools.permutations(marks):
        assert states(list(order), {"d1"}) == {"a": PieceState.HELD, "c": PieceState.PASSED}
        found = states(list(order), {"d2"})
        assert found == {"a": PieceState.HELD, "b": PieceState.HELD}, "the earlier pass is held too"


def test_a_dispute_contradicts_a_pass_and_agreement_does_not() -> None:
    assert states([mark("a", "d1", "1", P), mark("b", "d2", "1", D)], {"d1"}) == {"a": PieceState.HELD}
    assert states([mark("a", "d1", "1", P), mark("b", "d2", "1", P)], {"d1"}) == {"a": PieceState.PASSED}
    assert states([mark("a", "d1", "1", P), mark("b", "d2", "1", F, "shaft")], {"d1"}) == {"a": PieceState.PASSED}


def test_a_piece_without_a_serial_never_passes() -> None:
    marks = [mark("a", "d", "", P), mark("b", "d", "", F), mark("c", "d", "", D)]
    assert states(marks, {"d"}) == {"a": PieceState.PARKED, "b": PieceState.HELD, "c": PieceState.PARKED}


def test_a_wanted_second_look_contradicts_nothing() -> None:
    marks = [mark("bad", "d1", "1", F), mark("again", "d2", "1", P)]
    assert states(marks, {"d2"})["again"] is PieceState.HELD
    assert states(marks, {"d2"}, ("again",)) == {"again": PieceState.PASSED}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["d1", "d2"]), st.sampled_from(["", "1", "01", "A1", "2"]), st.sampled_from([P, F, D])
        ),
        max_size=8,
    )
)
def test_nothing_passes_but_a_named_piece_of_which_everything_says_so(rows: list[tuple[str, str, Verdict]]) -> None:
    marks = [mark(str(n), *row) for n, row in enumerate(rows)]
    found = findings(marks, {"d1", "d2"})
    assert len(found) == len(marks)
    for f in found:
        about = [m for m in marks if f.mark.serial and m.serial and may_be_one_serial(m.serial, f.mark.serial)]
        if f.state is PieceState.PASSED:
            assert about and all(m.verdict is P for m in about)
        elif f.mark.verdict is P and f.mark.serial:
            assert any(m.verdict is not P for m in about)


def test_the_plant_file_says_which_material_and_piece_is_meant() -> None:
    parts = (InspectedPart(name="flange_*", material="FL-1", serial=r"_A0*([0-9]+)_"),)
    assert named_by_the_plant(parts, "Flange_rev", "X_A007_scan") == ("FL-1", "7")
    assert named_by_the_plant(parts, "Flange_rev", "odd") == ("FL-1", "odd")
    assert named_by_the_plant(parts, "shaft", "X_A007_scan") == ("shaft", "X_A007_scan")
    for pattern in ("(", "A[0-9]", "(a)(b)"):
        with pytest.raises(ValueError, match="serial pattern"):
            InspectedPart(name="x", material="m", serial=pattern)


def test_times_without_a_zone_are_the_plant_s_and_never_to_come() -> None:
    assert time_said("2017-03-07T10:39:11", "Europe/Berlin", NOW).isoformat() == "2017-03-07T10:39:11+01:00"
    assert time_said("2017-03-07T10:39:11Z", "Europe/Berlin", NOW).hour == 10
    for text in ("", "yesterday", "2999-01-01T00:00:00Z"):
        assert time_said(text, "UTC", NOW) == NOW


def test_serials_sort_as_people_count() -> None:
    assert sorted(["10", "9", "", "A2", "A10"], key=natural_order) == ["9", "10", "A2", "A10", ""]
