"""The simulated line as a process, without OPC UA: what it makes is what it says, and one seed is one history."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from simulators.line.kernel import SECOND, TagWrite
from simulators.line.model import Scenario, ScenarioError, load_scenario
from simulators.line.process import LineProcess

SCENARIOS = Path(__file__).parents[2] / "simulators" / "line" / "scenarios"
LONG = 100_000 * SECOND


def scenario(**changes: Any) -> Scenario:
    stations = [
        {"name": name, "operation": number, "cycle_seconds": cycle}
        for name, number, cycle in (("press", "0010", 2), ("weld", "0020", 3), ("inspect", "0030", 2))
    ]
    return Scenario.model_validate({"line": "L1", "station": stations, **changes})


def runs(*quantities: int) -> list[dict[str, Any]]:
    return [{"order": f"O{n}", "batch": f"B{n}", "quantity": q} for n, q in enumerate(quantities, start=1)]


def played(process: LineProcess, until: int = LONG, step: int = LONG) -> list[TagWrite]:
    history: list[TagWrite] = []
    for edge in range(step, until + 1, step):
        for instant in process.advance(edge):
            history += instant
    return history


def of(history: list[TagWrite], tag: str) -> list[tuple[int, Any]]:
    return [(written.at, written.value) for written in history if written.tag == tag]


def values(history: list[TagWrite], tag: str) -> list[Any]:
    return [value for _, value in of(history, tag)]


def test_one_seed_makes_one_history_however_the_clock_is_cut():
    plan = load_scenario(SCENARIOS / "demo.toml")
    whole = played(LineProcess(plan, 7), 2_000 * SECOND, 2_000 * SECOND)
    cut = played(LineProcess(plan, 7), 2_000 * SECOND, SECOND // 3)
    other = played(LineProcess(plan, 8), 2_000 * SECOND, 2_000 * SECOND)
    assert whole == cut
    assert whole != other


@pytest.mark.parametrize("seed", range(5))
def test_no_piece_is_lost_or_doubled_on_the_way(seed: int):
    plan = scenario(
        run=runs(30, 12, 25),
        defect=[
            {"origin": "press", "reason": "A", "probability": 0.2},
            {"origin": "weld", "found": "weld", "reason": "B", "probability": 0.1},
        ],
    )
    process = LineProcess(plan, seed)
    history = played(process)
    truth = process.truth()
    assert truth["finished"]
    arriving = {"O1": 30, "O2": 12, "O3": 25}
    for order in truth["orders"]:
        expected = arriving[order["order"]]
        for operation in order["operations"]:
            assert operation["infeed"] == expected == operation["yield"] + operation["scrap"]
            assert operation["in_line"] == 0
            assert sum(operation["scrap_by_reason"].values()) == operation["scrap"]
            expected = operation["yield"]
    for station in truth["stations"]:
        for tag, total in (("Infeed", "infeed"), ("Good", "good"), ("Reject", "reject")):
            assert values(history, f"{station['name']}.{tag}") == list(range(1, station[total] + 1))


def test_infeed_is_good_reject_and_in_line_at_every_instant():
    process = LineProcess(load_scenario(SCENARIOS / "demo.toml"), 3)
    for moment in range(10, 900, 10):
        played(process, moment * SECOND, moment * SECOND)
        for order in process.truth()["orders"]:
            for operation in order["operations"]:
                assert operation["in_line"] in (0, 1)
                assert operation["infeed"] == operation["yield"] + operation["scrap"] + operation["in_line"]


def test_stations_change_over_one_after_the_other_and_the_last_one_lets_the_order_go():
    history = played(LineProcess(scenario(run=runs(5, 4)), 1))
    began: dict[str, list[int]] = {}
    for station in ("press", "weld", "inspect"):
        orders, infeeds = of(history, f"{station}.Order"), of(history, f"{station}.Infeed")
        goods = of(history, f"{station}.Good")
        assert [order for _, order in orders] == ["O1", "O2", ""]
        assert goods[4][0] < orders[1][0] <= infeeds[5][0]
        assert goods[-1][0] < orders[2][0]
        began[station] = [at for at, _ in orders]
    assert began["press"][1] < began["weld"][1] < began["inspect"][1]


def test_a_change_over_in_mid_batch_lets_the_next_run_come_and_makes_the_rest_afterwards():
    process = LineProcess(scenario(run=[{"order": "A", "batch": "1", "quantity": 6}, {"order": "B", "quantity": 2}]), 1)
    played(process, 5 * SECOND, SECOND)
    assert process.change_over().order == "B"
    history = played(process)
    assert [order for _, order in of(history, "press.Order")][-3:] == ["B", "A", ""]
    made = {o["order"]: o["operations"][0]["yield"] + o["operations"][0]["scrap"] for o in process.truth()["orders"]}
    assert made == {"A": 6, "B": 2}
    with pytest.raises(ValueError, match="no other run waits"):
        process.change_over()


def test_an_order_that_comes_again_is_booked_to_the_same_order_by_batch():
    again = [{"order": o, "batch": b, "quantity": q} for o, b, q in (("A", "1", 4), ("B", "1", 2), ("A", "2", 3))]
    process = LineProcess(scenario(run=again), 1)
    history = played(process)
    orders = process.truth()["orders"]
    assert [order["order"] for order in orders] == ["A", "B"]
    assert orders[0]["operations"][0]["by_batch"] == {"1": {"yield": 4, "scrap": 0}, "2": {"yield": 3, "scrap": 0}}
    assert values(history, "press.Order") == ["A", "B", "A", ""]


def test_a_defect_is_found_two_stations_later_with_its_reason_and_origin():
    process = LineProcess(scenario(run=runs(6), defect=[{"run": 1, "piece": 3, "origin": "press", "reason": "S"}]), 1)
    history = played(process)
    assert values(history, "press.Reject") == values(history, "weld.Reject") == []
    told = [(w.tag, w.value) for w in history if w.tag.startswith("inspect.Reject")]
    assert told == [("inspect.RejectReason", "S"), ("inspect.RejectOrigin", "press"), ("inspect.Reject", 1)]
    assert len({w.at for w in history if w.tag.startswith("inspect.Reject")}) == 1
    assert process.truth()["orders"][0]["operations"][2]["scrap_by_origin"] == {"press": 1}


def test_a_station_lets_the_order_go_when_its_last_piece_was_scrapped_before_it():
    defect = [{"run": 1, "piece": 4, "origin": "press", "found": "press", "reason": "S"}]
    process = LineProcess(scenario(run=runs(4), defect=defect), 1)
    history = played(process)
    assert process.truth()["finished"]
    assert values(history, "weld.Good") == [1, 2, 3]
    assert [values(history, f"{name}.Order")[-1] for name in ("press", "weld", "inspect")] == ["", "", ""]


@pytest.mark.parametrize(
    ("kind", "first", "steps"),
    [
        ("UInt16", 65_534, [65_535, 0, 1, 2]),
        ("Int16", 32_766, [32_767, -32_768, -32_767, -32_766]),
        ("UInt32", 4_294_967_294, [4_294_967_295, 0, 1, 2]),
        ("Int32", 2_147_483_646, [2_147_483_647, -2_147_483_648, -2_147_483_647, -2_147_483_646]),
    ],
)
def test_counters_wrap_at_their_width_and_the_books_do_not(kind: str, first: int, steps: list[int]):
    counter = {"type": kind, "good": first}
    plan = scenario(
        station=[{"name": "press", "operation": "0010", "cycle_seconds": 1, "counter": counter}], run=runs(4)
    )
    process = LineProcess(plan, 1)
    assert values(played(process), "press.Good") == steps
    assert process.truth()["stations"][0]["good"] == 4


def test_a_counter_reset_falls_back_before_the_piece_and_not_in_the_books():
    plan = scenario(run=runs(6), counter_reset=[{"station": "weld", "piece": 4, "counters": ["Good"]}])
    process = LineProcess(plan, 1)
    history = played(process)
    assert values(history, "weld.Good") == [1, 2, 3, 0, 1, 2, 3]
    fell = of(history, "weld.Good")[3][0]
    assert of(history, "weld.Good")[2][0] < fell < of(history, "weld.Infeed")[3][0]
    assert process.truth()["stations"][1]["good"] == 6


def test_a_component_lot_and_an_operator_change_before_their_piece():
    plan = scenario(
        run=runs(5),
        component_lot=[{"station": "weld", "run": 1, "piece": 3, "lot": "LOT-2"}],
        operator=[{"station": "weld", "piece": 4, "operator": "OP-2"}],
    )
    history = played(LineProcess(plan, 1))
    infeeds = of(history, "weld.Infeed")
    (lot,), (operator,) = of(history, "weld.ComponentLot"), of(history, "weld.Operator")
    assert lot[1] == "LOT-2"
    assert infeeds[1][0] < lot[0] < infeeds[2][0] < operator[0] < infeeds[3][0]


def test_a_breakdown_starves_and_blocks_its_neighbours_and_loses_no_piece():
    plan = scenario(run=runs(20), breakdown=[{"station": "weld", "piece": 5, "seconds": 300, "alarm": 77}])
    process = LineProcess(plan, 1)
    history = played(process)
    assert values(history, "weld.Alarm") == [77, 0]
    down, up = (at for at, _ in of(history, "weld.Alarm"))
    assert up - down == 300 * SECOND
    assert not [at for at, _ in of(history, "weld.Good") if down <= at <= up]
    assert [state for at, state in of(history, "weld.State") if at >= down][:8] == [8, 9, 1, 2, 15, 4, 3, 6]
    for neighbour in ("press", "inspect"):
        assert [s for at, s in of(history, f"{neighbour}.State") if down < at < up] == [13, 5]
    assert [station["good"] for station in process.truth()["stations"]] == [20, 20, 20]


def test_a_hold_goes_through_held():
    plan = scenario(run=runs(3), breakdown=[{"station": "weld", "piece": 2, "seconds": 60, "kind": "hold"}])
    assert values(played(LineProcess(plan, 1)), "weld.State") == [3, 6, 10, 11, 12, 6, 16, 17]


def test_a_balanced_line_does_not_flap_between_execute_and_suspended():
    history = played(LineProcess(scenario(run=runs(200)), 1))
    for station in ("press", "weld", "inspect"):
        assert values(history, f"{station}.State") == [3, 6, 16, 17]


def test_no_two_values_of_one_tag_share_an_instant():
    history = played(LineProcess(load_scenario(SCENARIOS / "demo.toml"), 5), 3_000 * SECOND, 3_000 * SECOND)
    stamps = [(written.tag, written.at) for written in history]
    assert len(set(stamps)) == len(stamps)
    assert all(earlier.at <= later.at for earlier, later in pairwise(history))


def test_pieces_wait_for_the_start_and_stop_feeding_at_the_stop():
    process = LineProcess(scenario(run=runs(50), start="control"), 1)
    assert played(process, 100 * SECOND, 100 * SECOND) == []
    process.start()
    played(process, 150 * SECOND, 150 * SECOND)
    process.stop()
    played(process, 1_000 * SECOND, 1_000 * SECOND)
    truth = process.truth()
    made = [station["good"] for station in truth["stations"]]
    assert made[0] == made[2] < 50
    assert (truth["running"], truth["finished"]) == (False, False)
    process.start()
    played(process)
    assert process.truth()["finished"]


def test_a_run_appended_to_a_finished_line_is_made():
    process = LineProcess(scenario(run=runs(2)), 1)
    played(process)
    process.append_run(process.scenario.run[0].model_copy(update={"order": "NEW", "quantity": 3}))
    history = played(process, 2 * LONG, 2 * LONG)
    assert values(history, "press.Order") == ["NEW", ""]
    assert process.truth()["orders"][1]["operations"][2]["yield"] == 3


def test_a_looping_line_never_finishes():
    process = LineProcess(scenario(run=runs(3, 2), loop=True), 1)
    played(process, 1_000 * SECOND, 1_000 * SECOND)
    truth = process.truth()
    assert not truth["finished"]
    assert truth["orders"][0]["operations"][0]["yield"] > 30


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("line = ", "is not TOML"),
        ('line = "L1"\nstation = []', "station"),
        ('line = "L 1"\n[[station]]\nname="a"\noperation="1"\ncycle_seconds=1', "line"),
        ('line = "L1"\nspeed = 3\n[[station]]\nname="a"\noperation="1"\ncycle_seconds=1', "speed: Extra inputs"),
        ('line = "L1"\n[[station]]\nname="a"\noperation="1"\ncycle_seconds=0', "station.1.cycle_seconds"),
        (
            'line = "L1"\n[[station]]\nname="a"\noperation="1"\ncycle_seconds=1\ncounter={type="UInt16",good=70000}',
            "does not fit into UInt16",
        ),
        (
            'line = "L1"\n[[station]]\nname="a"\noperation="1"\ncycle_seconds=1\n'
            '[[breakdown]]\nstation="b"\npiece=1\nseconds=1',
            "station 'b' does not exist on this line; it has a",
        ),
        (
            'line = "L1"\n[[station]]\nname="a"\noperation="1"\ncycle_seconds=1\n[[defect]]\norigin="a"\nreason="x"',
            "exactly one of piece",
        ),
        (
            'line = "L1"\n[[station]]\nname="a"\noperation="1"\ncycle_seconds=1\n'
            '[[defect]]\norigin="a"\nreason="x"\nrun=2\npiece=1',
            "run = 2 is asked for",
        ),
    ],
)
def test_a_scenario_that_cannot_be_played_says_where_and_why(tmp_path: Path, text: str, says: str):
    file = tmp_path / "wrong.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"wrong\.toml") as caught:
        load_scenario(file)
    assert says in str(caught.value)


def test_a_missing_scenario_is_named(tmp_path: Path):
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(tmp_path / "absent.toml")


def test_the_documented_scenario_can_be_played(tmp_path: Path):
    section = (SCENARIOS.parents[2] / "docs" / "simulators.md").read_text(encoding="utf-8").partition("## Line")[2]
    file = tmp_path / "documented.toml"
    file.write_text(section.partition("```toml")[2].partition("```")[0], encoding="utf-8")
    process = LineProcess(load_scenario(file), 1)
    played(process)
    assert process.truth()["finished"]


@pytest.mark.parametrize("name", ["demo.toml", "volume.toml"])
def test_shipped_scenarios_can_be_played(name: str):
    assert load_scenario(SCENARIOS / name).station


FORCE = {"tag": "Force", "nominal": 400.0, "noise": 5.0, "decimals": 1}


def pressing(**changes: Any) -> Scenario:
    stations = [{"name": "press", "operation": "0010", "cycle_seconds": 2, "measurement": [FORCE]}]
    return Scenario.model_validate({"line": "L1", "station": stations, "run": runs(10), **changes})


def test_a_drift_moves_so_many_measurements_and_comes_back_and_changes_nothing_else():
    plan = pressing(drift=[{"station": "press", "piece": 4, "tag": "Force", "offset": 40.0, "pieces": 3, "ramp": 1}])
    straight, off = played(LineProcess(pressing(), 7)), LineProcess(plan, 7)
    history = played(off)
    moved = [
        round(b - a, 1) for a, b in zip(values(straight, "press.Force"), values(history, "press.Force"), strict=True)
    ]
    assert moved == [0.0] * 3 + [20.0, 40.0, 40.0] + [0.0] * 4
    assert [w for w in history if w.tag != "press.Force"] == [w for w in straight if w.tag != "press.Force"]
    told = off.truth()["drifted"]
    assert [(d["order"], d["batch"], d["value"]) for d in told] == [
        ("O1", "B1", value) for value in values(history, "press.Force")[3:6]
    ]


def test_a_drift_by_hand_goes_beyond_the_noise_by_itself():
    process = LineProcess(pressing(start="control"), 7)
    assert process.drift("press", "Force", None, 2) == 30.0
    process.start()
    assert [abs(v - 400) > 20 for v in values(played(process), "press.Force")] == [True] * 2 + [False] * 8


def test_a_drift_of_what_is_not_measured_is_refused():
    with pytest.raises(ValueError, match="measures no 'Gap'; it has Force"):
        pressing(drift=[{"station": "press", "piece": 1, "tag": "Gap"}])
    with pytest.raises(ValueError, match="station 'weld' does not exist"):
        pressing(drift=[{"station": "weld", "piece": 1, "tag": "Force"}])
