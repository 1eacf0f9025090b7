"""`plantwright holds` without Temporal: a block needs the ledger only; mistakes name object and fix."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from workers.cli import run

DEFAULTS = Path(__file__).resolve().parents[2] / "workers" / "defaults"


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A plant file, an empty data folder, and a Temporal that nobody serves."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{port}")
    monkeypatch.setenv("PLANTWRIGHT_HOME", str(tmp_path))
    monkeypatch.delenv("PLANTWRIGHT_LEDGER_URL", raising=False)
    file = tmp_path / "plant.toml"
    file.write_text((DEFAULTS / "demo.toml").read_text())
    return str(file)


def say(capsys: pytest.CaptureFixture[str], plant: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
    code = run(["holds", *arguments, "--plant", plant, "--json"])
    said = capsys.readouterr()
    lines = said.out.splitlines()
    return code, json.loads(lines[-1]) if lines else {}, said.err


def test_material_is_blocked_although_temporal_is_away_and_the_same_wish_is_one_hold(
    plant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wish = ("open", "--material", "FRAME", "--batch", "B1", "--quantity", "4", "--why", "crack", "--decision-id", "w1",
            "--by", "supervisor-1", "--role", "supervisor")  # fmt: skip
    code, opened, _ = say(capsys, plant, *wish)
    assert (code, opened["created"], opened["told"]) == (0, True, False) and opened["why"]
    assert say(capsys, plant, *wish)[1]["hold"] == opened["hold"]
    _, listed, _ = say(capsys, plant, "list", "--batch", "B1")
    assert (listed["count"], listed["holds"][0]["quantity"]) == (1, "4")
    code, shown, _ = say(capsys, plant, "show", opened["hold"])
    assert (code, shown["state"], shown["reasons"][0]["text"]) == (0, "blocked", "crack")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nothing"), "has no hold nothing"),
        (("open", "--why", "crack"), "name an order, a material, a batch or serial numbers"),
        (("open", "--why", "crack", "--material", "M", "--quantity", "many"), "'many' is no quantity"),
        (("open", "--why", "crack", "--material", "M", "--quantity=-1"), "no quantity that can be held"),
        (("decide", "h1", "--role", "supervisor"), "say how much of it becomes what"),
        (("decide", "h1", "--scrap", "2", "--serials", "S1,S2"), "does not say which pieces"),
        (("decide", "h1", "--scrap", "2", "--serials", "rework=S1"), "say how much of it becomes what"),
        (("cosign", "nothing", "--role", "planner"), "has no hold nothing"),
    ],
)
def test_a_mistake_is_told_with_its_fix_and_changes_nothing(
    plant: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    say(capsys, plant, "open", "--material", "OTHER", "--why", "scratch", "--by", "supervisor-1")
    code, _, err = say(capsys, plant, *arguments)
    assert code == 2 and said in err, err
    assert say(capsys, plant, "list")[1]["count"] == 1
