"""`plantwright downtime` in process: what it lists, sums and refuses; acts judged by the house's own rules."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.plant import PlantConfig
from ledger.connect import open_ledger
from ledger.people_port import Grant
from signals.decisions import Answer
from signals.downtime import StopAct, StopRecord
from signals.sealing import stop_place
from tests.console import stop_floor
from tests.console.house import people_of
from tests.people.sealing_floor import seal_counts
from workers import stop_desk
from workers.cli import office, run
from workers.plant_file import load_plant

DEFAULTS = Path(__file__).resolve().parents[2] / "workers" / "defaults"
NOW = datetime.now(UTC).replace(microsecond=0)
TREE = """
[[downtime.reason]]
id = "own"
text = "Own things"
[[downtime.reason]]
id = "own-hose"
text = "Hose"
parent = "own"
cost_centre = "4711"
capacity = true
"""
ME = ("--by", "supervisor-1", "--role", "supervisor")


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A plant file with reasons of its own, an empty data folder, and a Temporal that nobody serves."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{port}")
    monkeypatch.setenv("PLANTWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("PLANTWRIGHT_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    file = tmp_path / "plant.toml"
    file.write_text((DEFAULTS / "demo.toml").read_text() + TREE)
    return str(file)


@pytest.fixture
def config(plant: str) -> PlantConfig:
    return load_plant(Path(plant), {})


def stop_in(tmp_path: Path, config: PlantConfig, **more: Any) -> StopRecord:
    async def put() -> StopRecord:
        ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
        try:
            return await stop_floor.stands(ledger, config, NOW, line=config.lines[0].id, **more)
        finally:
            await ledger.close()

    return asyncio.run(put())


@pytest.fixture
def answered(config: PlantConfig, monkeypatch: pytest.MonkeyPatch) -> list[StopAct]:
    """Acts that got as far as the process, which judges as the workflow does."""
    acts: list[StopAct] = []

    async def judged(_: Any, ledger: Any, plant: str, line: str, stop: str, act: StopAct) -> Answer:
        acts.append(act)
        return await stop_floor.act_on_stop(ledger, config, line, stop, act, datetime.now(UTC))

    async def nobody(_: Any) -> None:
        return None

    monkeypatch.setattr(stop_desk, "act_on_stop", judged)
    monkeypatch.setattr(office, "connect_temporal", nobody)
    return acts


def say(capsys: pytest.CaptureFixture[str], plant: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
    code = run(["downtime", *arguments, "--plant", plant, "--json"])
    told = capsys.readouterr()
    lines = told.out.splitlines()
    return code, json.loads(lines[-1]) if lines else {}, told.err


def test_stops_are_listed_shown_and_summed_from_the_ledger_alone(
    plant: str, config: PlantConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = stop_in(tmp_path, config, minutes=30, alarm="E-17")
    over = stop_in(tmp_path, config, minutes=90, lasted=20)
    code, listed, _ = say(capsys, plant, "list")
    assert (code, listed["count"], [s["stop"] for s in listed["stops"]]) == (0, 2, [record.stop, over.stop])
    assert say(capsys, plant, "list", "--line", "no-line")[1]["count"] == 0
    for name in (record.stop, f"{record.line}/{record.stop}"):
        code, shown, _ = say(capsys, plant, "show", name)
        assert (code, shown["fact"]["alarms"][0]["code"]) == (0, "E-17")
    code, sums, _ = say(capsys, plant, "losses", "--by", "line")
    assert code == 0
    assert (sums["stops"], [one["key"] for one in sums["losses"]]) == (2, [record.line])
    assert float(sums["seconds"]) >= (20 + 30) * 60
    assert sums["losses"][0]["running_share"] == "1.0000"
    for arguments in (["list"], ["show", record.stop], ["losses", "--by", "sku"], ["reasons"]):
        assert run(["downtime", *arguments, "--plant", plant]) == 0
        assert capsys.readouterr().out.strip()


def test_the_reason_tree_is_told_with_what_follows_from_it(plant: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = say(capsys, plant, "reasons")
    by_id = {r["reason"]: r for r in told["reasons"]}
    assert code == 0
    assert by_id["own-hose"]["text"] == "Own things / Hose"
    assert (by_id["own-hose"]["level"], by_id["own-hose"]["cost_centre"]) == (2, "4711")
    assert by_id["starved"]["class"] == "starved"


def test_each_act_reaches_the_process_as_it_was_meant(
    plant: str, config: PlantConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str], answered: list[StopAct]
) -> None:
    record = stop_in(tmp_path, config, minutes=30)
    later = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0).isoformat()
    steps: list[tuple[str, ...]] = [
        ("acknowledge",),
        ("comment", "--text", "the fitter comes"),
        ("classify", "--reason", "own-hose"),
        ("split", "--at", (NOW - timedelta(minutes=10)).isoformat(), "--reason", "starved"),
        ("recode", "--part", "1", "--reason", "own", "--comment", "seen again"),
        ("shelve", "--until", later, "--comment", "a part is on its way"),
        ("recode", "--part", "1", "--reason", "own-hose", "--comment", "after all"),
        ("estimate", "--recovery", later, "--percent", "25"),
        ("capacity", "--approve", "--recovery", later),
    ]
    for name, *arguments in steps:
        code, told, err = say(capsys, plant, name, record.stop, *arguments, *ME, "--decision-id", f"d-{name}")
        assert (code, told.get("accepted"), told.get("stop")) == (0, True, record.stop), (name, err)
    assert [act.kind for act in answered] == [name for name, *_ in steps]
    assert {act.actor.user for act in answered} == {"supervisor-1"}
    assert all(act.seal is None for act in answered), "nobody has proved anything here"
    code, shown, _ = say(capsys, plant, "show", record.stop)
    assert (shown["capacity"], shown["capacity_percent"]) == ("approved", "25")
    assert shown["assigned_to"] == "supervisor-1"


def test_a_stop_that_is_over_is_joined_or_closed(
    plant: str, config: PlantConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str], answered: list[StopAct]
) -> None:
    first, second = stop_in(tmp_path, config, minutes=90, lasted=10), stop_in(tmp_path, config, minutes=60, lasted=10)
    code, told, err = say(capsys, plant, "join", second.stop, "--into", f"{first.line}/{first.stop}", *ME)
    assert (code, told.get("state")) == (0, "joined"), err
    code, _, err = say(capsys, plant, "close", first.stop, *ME)
    assert code == 2 and "say why it stood" in err
    assert say(capsys, plant, "classify", first.stop, "--reason", "own", *ME)[0] == 0
    assert say(capsys, plant, "close", first.stop, *ME)[0] == 0
    code, _, err = say(capsys, plant, "reallocate", first.stop, "--refuse", "--role", "planner")
    assert code == 2 and "no reallocation waits" in err
    assert len(answered) == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nothing"), "has no stop nothing"),
        (("show", "line9/nothing"), "has no stop nothing of line line9"),
        (("classify", "STOP", "--reason", "own"), "act in a role"),
        (("classify", "STOP", "--reason", "gremlins", *ME), "no reason is named gremlins"),
        (("split", "STOP", "--at", "yesterday", *ME), "is no time"),
        (("shelve", "STOP", "--until", "2099-01-01", "--comment", "", *ME), "comment"),
        (("shelve", "STOP", "--until", "2099-01-01", "--comment", "x", *ME), "for longer than until"),
        (("estimate", "STOP", "--recovery", "2099-01-01", "--percent", "101", *ME), "available_percent"),
        (("capacity", "STOP", *ME), "say what you decide"),
        (("capacity", "STOP", "--approve", "--refuse", *ME), "say what you decide"),
        (("losses", "--from", "2026-02-02", "--to", "2026-01-01"), "lies after"),
        (("losses", "--from", "february"), "are no days"),
    ],
)
def test_a_mistake_is_told_with_its_fix_and_changes_nothing(
    plant: str, config: PlantConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str], answered: list[StopAct],
    arguments: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    record = stop_in(tmp_path, config, minutes=5)
    code, _, err = say(capsys, plant, *(record.stop if a == "STOP" else a for a in arguments))
    assert code == 2 and said in err, err
    assert say(capsys, plant, "show", record.stop)[1]["revision"] == record.revision


def test_people_act_in_their_roles_and_see_their_lines(
    plant: str, config: PlantConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, answered: list[StopAct],
) -> None:  # fmt: skip
    record = stop_in(tmp_path, config, minutes=5)

    async def hire() -> None:
        ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
        people = people_of(ledger)
        for user, role, lines in (("fitter-1", "maintenance", ()), ("engineer-1", "quality engineer", ()),
                                  ("operator-9", "operator", ("line9",))):  # fmt: skip
            grant = Grant(user=user, plant=config.plant.id, role=role, lines=lines)
            await people.add_user(user, name=user, password="a password for tests", grants=(grant,))
        await ledger.close()

    asyncio.run(hire())
    monkeypatch.setenv("PW", "a password for tests")

    def as_user(user: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
        return say(capsys, plant, *arguments, "--user", user, "--password-env", "PW")

    assert as_user("fitter-1", "classify", record.stop, "--reason", "own")[0] == 0
    code, _, err = as_user("engineer-1", "recode", record.stop, "--part", "1", "--reason", "own-hose", "--comment", "x")
    assert code == 2 and "may not re-code a stop" in err
    assert as_user("operator-9", "list")[1]["count"] == 0
    hidden, missing = (as_user("operator-9", "show", name)[2] for name in (record.stop, "nothing"))
    assert hidden.replace(record.stop, "nothing") == missing
    assert "nobody has said who" in say(capsys, plant, "list")[2]
    assert [(a.actor.user, a.actor.role) for a in answered] == [("fitter-1", "maintenance")]
    url, place = f"sqlite:///{tmp_path / 'ledger.db'}", stop_place(record.line, record.stop)
    assert asyncio.run(seal_counts(url, config.plant.id, answered[0], place)) == ""


def test_without_temporal_an_act_says_so(
    plant: str, config: PlantConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = stop_in(tmp_path, config, minutes=5)
    code, _, err = say(capsys, plant, "acknowledge", record.stop, *ME)
    assert code == 3 and "plantwright server" in err
