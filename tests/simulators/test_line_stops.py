"""How the simulated line stands: micro-stops, breaks, floods, chatter, re-trips, shortages, and the book of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from simulators.line.kernel import SECOND, TagWrite
from simulators.line.model import PackMLState, Scenario, ScenarioError, load_scenario
from simulators.line.process import LineProcess

SCENARIOS = Path(__file__).parents[2] / "simulators" / "line" / "scenarios"
LONG = 100_000 * SECOND
GOES = (PackMLState.STARTING, PackMLState.UNHOLDING, PackMLState.UNSUSPENDING)


def line(pieces: int = 20, **happenings: Any) -> LineProcess:
    stations = [
        {"name": name, "operation": number, "cycle_seconds": cycle}
        for name, number, cycle in (("press", "0010", 4), ("weld", "0020", 5))
    ]
    run = [{"order": "O1", "batch": "B1", "quantity": pieces}]
    return LineProcess(Scenario.model_validate({"line": "L1", "station": stations, "run": run, **happenings}), 1)


def played(process: LineProcess) -> list[TagWrite]:
    history = [written for instant in process.advance(LONG) for written in instant]
    assert process.finished
    return history


def of(history: list[TagWrite], tag: str) -> list[tuple[int, Any]]:
    return [(written.at, written.value) for written in history if written.tag == tag]


def book(process: LineProcess, station: str, why: str = "") -> list[dict[str, Any]]:
    entries = process.stop_book.as_json(str)
    return [e for e in entries if e["station"] == station and why in ("", e["why"])]


@pytest.mark.parametrize("seed", range(3))
def test_the_book_has_every_time_a_station_left_its_work_until_it_began_to_go_again(seed: int) -> None:
    process = LineProcess(load_scenario(SCENARIOS / "stops.toml"), seed)
    process.start()
    history = played(process)
    for station in ("press", "weld", "inspect"):
        states = of(history, f"{station}.State")
        leaving = (PackMLState.STOPPING, PackMLState.ABORTING, PackMLState.HOLDING, PackMLState.SUSPENDING)
        entries = book(process, station)
        assert [int(e["since"]) for e in entries] == [at for at, state in states if state in leaving]
        for entry in entries:
            following = [at for at, state in states if at > int(entry["since"]) and state in (*GOES, *leaving)]
            assert [int(entry["until"])] == following[:1]
        assert all(a < b for (a, _), (b, _) in pairwise(states))


def test_micro_stops_come_by_chance_within_their_bounds_and_move_nothing_else() -> None:
    without = played(line(200))
    process = line(200, micro_stop=[{"station": "weld", "probability": 0.1, "seconds": [1.0, 3.0]}])
    history = played(process)
    entries = book(process, "weld", "micro_stop")
    assert 8 <= len(entries) <= 40
    assert all(SECOND <= int(e["until"]) - int(e["since"]) <= 3.2 * SECOND for e in entries)
    assert of(history, "weld.Alarm") == []
    assert [v for _, v in of(history, "weld.Good")] == [v for _, v in of(without, "weld.Good")]


def test_a_flood_shows_its_alarms_one_after_the_other_within_one_stop() -> None:
    codes = list(range(2001, 2012))
    flood = {"station": "weld", "piece": 3, "seconds": 300, "alarm": 2000, "then": codes, "then_every_seconds": 20}
    process = line(breakdown=[flood])
    history = played(process)
    alarms = of(history, "weld.Alarm")
    assert [code for _, code in alarms] == [2000, *codes, 0]
    assert [b - a for (a, _), (b, _) in pairwise(alarms[:-1])] == [20 * SECOND] * len(codes)
    assert len(book(process, "weld", "breakdown")) == 1


def test_chatter_is_one_alarm_that_comes_and_goes_while_the_station_stands() -> None:
    chatter = {"station": "weld", "piece": 3, "seconds": 60, "then": [0, 1000, 0, 1000], "then_every_seconds": 3}
    process = line(breakdown=[chatter])
    assert [code for _, code in of(played(process), "weld.Alarm")] == [1000, 0, 1000, 0, 1000, 0]
    assert len(book(process, "weld", "breakdown")) == 1


def test_a_station_that_trips_again_runs_in_between_for_as_long_as_it_is_told() -> None:
    process = line(breakdown=[{"station": "weld", "piece": 3, "seconds": 30, "trips": 3, "runs_seconds": 12}])
    played(process)
    entries = book(process, "weld", "breakdown")
    assert len(entries) == 3
    for before, after in pairwise(entries):
        assert 12 * SECOND <= int(after["since"]) - int(before["until"]) <= 13 * SECOND


def test_people_stop_a_station_between_two_pieces_and_it_says_why() -> None:
    process = line(planned_stop=[{"station": "weld", "piece": 5, "seconds": 120, "reason": "BREAK"}])
    history = played(process)
    [entry] = book(process, "weld", "planned")
    assert [word for _, word in of(history, "weld.StopReason")] == ["BREAK", ""]
    during = [state for at, state in of(history, "weld.State") if int(entry["since"]) <= at < int(entry["until"])]
    assert during == [PackMLState.STOPPING, PackMLState.STOPPED, PackMLState.RESETTING, PackMLState.IDLE]
    assert not [at for at, _ in of(history, "weld.Good") if int(entry["since"]) < at < int(entry["until"])]
    assert of(history, "weld.Alarm") == []


def test_without_material_the_first_station_waits_and_then_the_ones_behind_it() -> None:
    process = line(shortage=[{"run": 1, "piece": 10, "seconds": 200}])
    played(process)
    [first], [second] = (book(process, name, "waiting") for name in ("press", "weld"))
    assert int(first["since"]) < int(second["since"]) < int(first["until"]) <= int(second["until"])
    assert process.truth()["orders"][0]["operations"][1]["yield"] == 20


@pytest.mark.parametrize(
    ("happening", "told"),
    [
        ({"breakdown": [{"station": "weld", "piece": 1, "seconds": 10, "then": [1, 2]}]}, "lengthen seconds"),
        ({"micro_stop": [{"station": "weld", "probability": 0.1, "seconds": [3, 1]}]}, "shorter one first"),
        ({"micro_stop": [{"station": "lathe", "probability": 0.1}]}, "'lathe' does not exist"),
        ({"planned_stop": [{"station": "lathe", "piece": 1, "seconds": 1}]}, "'lathe' does not exist"),
        ({"shortage": [{"run": 2, "piece": 1, "seconds": 1}]}, "run = 2 is asked for"),
    ],
)
def test_a_scenario_that_cannot_be_played_says_what_to_change(
    happening: dict[str, Any], told: str, tmp_path: Path
) -> None:
    text = (SCENARIOS / "volume.toml").read_text().replace("quantity = 10000", "quantity = 10")
    file = tmp_path / "line.toml"
    lines = [text]
    for table, entries in happening.items():
        lines += [f"[[{table}]]", *(f"{key} = {value!r}".replace("'", '"') for key, value in entries[0].items())]
    file.write_text("\n".join(lines))
    with pytest.raises(ScenarioError, match=r"line\.toml") as caught:
        load_scenario(file)
    assert told in str(caught.value)
