"""A user's mistake costs one line, a hint and exit code 2; what does not answer costs 3. Never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workers.cli import run

ROOT = Path(__file__).resolve().parents[2]
PLANT = ROOT / "workers" / "defaults" / "demo.toml"


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Temporal, no credentials, no home of anybody's."""
    for name in ("SAP_USER", "SAP_PASSWORD", "PLANTWRIGHT_LEDGER_URL", "PLANTWRIGHT_CLOCK", "PLANTWRIGHT_ERP_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("PLANTWRIGHT_HOME", str(tmp_path / "home"))


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and stderr of a command that must fail and print no result."""
    code = run(arguments)
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.startswith("error: ")
    return code, said.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["chek"], "check"),
        (["orders", "list"], "--plant"),
        (["orders", "list", "--plant", str(PLANT), "--colour"], "--colour"),
        (["simulate", "oven"], "oven"),
        (["demo", "--mode", "dream"], "dream"),
        (["demo", "--seed", "-1"], "--seed"),
        (["worker", "--plant", str(PLANT), "--health-port", "99999"], "--health-port"),
    ],
)
def test_a_misspelt_command_line_names_what_it_did_not_understand(
    capsys: pytest.CaptureFixture[str], arguments: list[str], word: str
) -> None:
    code, said = failed(capsys, *arguments)
    assert code == 2
    assert word in said
    assert "hint: " in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[plant\nid = "x"', ["not valid TOML", "line 1"]),
        ("", ["plant", "missing"]),
        (PLANT.read_text().replace('operation = "0010"', 'operashun = "0010"'), ["operashun", "no such key", "line "]),
        (PLANT.read_text().replace('zone = "Europe/Berlin"', 'zone = "Europe/Atlantis"', 1), ["Atlantis", "IANA"]),
        (PLANT.read_text().replace("opc.tcp://", "http://"), ["endpoint", "line "]),
    ],
)
def test_a_plant_file_with_a_mistake_is_refused_with_the_line_and_the_fix(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, words: list[str]
) -> None:
    file = tmp_path / "plant.toml"
    file.write_text(text)
    code, said = failed(capsys, "check", str(file))
    assert code == 2
    for word in words:
        assert word in said


def test_a_plant_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, said = failed(capsys, "check", str(tmp_path / "nowhere.toml"))
    assert (code, "nowhere.toml" in said) == (2, True)


def test_missing_credentials_are_named_by_their_variables(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = failed(capsys, "worker", "--plant", str(PLANT))
    assert code == 2
    assert "SAP_USER and SAP_PASSWORD" in said


def test_a_worker_without_temporal_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAP_USER", "U")
    monkeypatch.setenv("SAP_PASSWORD", "P")
    code, said = failed(capsys, "worker", "--plant", str(PLANT))
    assert code == 3
    assert "127.0.0.1:1" in said
    assert "plantwright server" in said
    assert len(said.splitlines()) == 2


def test_a_ledger_that_nobody_made_is_a_wrong_folder_and_not_an_empty_plant(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, said = failed(capsys, "orders", "list", "--plant", str(PLANT), "--data", str(tmp_path / "wrong"))
    assert (code, "no ledger" in said) == (2, True)
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("url", ["nonsense", "mysql://somewhere/ledger"])
def test_a_ledger_url_of_no_known_database_is_refused(capsys: pytest.CaptureFixture[str], url: str) -> None:
    code, said = failed(capsys, "orders", "list", "--plant", str(PLANT), "--ledger", url)
    assert (code, "sqlite:///FILE" in said) == (2, True)


def test_a_plant_clock_that_cannot_be_read_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTWRIGHT_CLOCK", "yesterday")
    code, said = failed(capsys, "edge", "--plant", str(PLANT))
    assert (code, "WALL_ISO,PLANT_ISO,FACTOR" in said) == (2, True)


def test_a_line_that_the_plant_does_not_have_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = failed(capsys, "edge", "--plant", str(PLANT), "--line", "line9")
    assert (code, "line1" in said) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--scenario", "nowhere.toml"], "nowhere.toml"),
        (["--scenario", str(PLANT)], "demo.toml"),
        (["--scenario", str(ROOT / "simulators/line/scenarios/demo.toml"), "--clock", "noon"], "WALL_ISO"),
        (["--scenario", str(ROOT / "simulators/line/scenarios/demo.toml"), "--speed", "-3"], "-3"),
    ],
)
def test_a_scenario_that_cannot_be_played_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], word: str
) -> None:
    code, said = failed(capsys, "simulate", "line", *arguments)
    assert (code, word in said) == (2, True)


def test_books_in_a_folder_that_does_not_exist_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, said = failed(capsys, "simulate", "sap", "--db", str(tmp_path / "no" / "sap.sqlite"))
    assert (code, "folder" in said) == (2, True)


@pytest.mark.parametrize("quantity", ["-5", "1e99", "three", "NaN"])
def test_a_negative_or_absurd_quantity_decides_nothing(capsys: pytest.CaptureFixture[str], quantity: str) -> None:
    arguments = ["cases", "decide", "abc", "adopt", "--plant", str(PLANT), "--reason", "r", "--quantity", quantity]
    code, said = failed(capsys, *arguments)
    assert (code, "quantity" in said) == (2, True)


@pytest.mark.parametrize("arguments", [["--erp", "netsuite"], ["--speed", "0"], ["--speed", "1000"]])
def test_a_demo_that_cannot_be_given_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str]
) -> None:
    code, _ = failed(capsys, "demo", "--data", str(tmp_path / "demo"), *arguments)
    assert code == 2
    assert not (tmp_path / "demo").exists()


def test_an_unknown_replay_profile_names_the_shipped_ones(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, said = failed(capsys, "replay", "lathe", str(tmp_path))
    assert (code, "hurco" in said) == (2, True)


def test_check_says_what_it_found_and_what_is_doubtful(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(PLANT), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["valid"], found["plant"], found["mode"]) == (True, "demo", "post")
    [line] = found["lines"]
    assert [s["operation"] for s in line["stations"]] == ["0010", "0020", "0030"]
    assert line["stations"][0]["counters"] == {"Infeed": "infeed", "Good": "good", "Reject": "reject"}
    assert [s.split()[0] for s in found["shifts"]] == ["early", "late", "night"]
    warnings = "\n".join(found["warnings"])
    for word in ("security None", "SAP_USER", "SAP_PASSWORD", "not encrypted"):
        assert word in warnings


def test_check_finds_tags_that_would_not_be_read_as_meant(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = PLANT.read_text().replace('s=Line1.press.Reject"', 's=Line1.press.Good"')
    text = text.replace("nsu=urn:plantwright:simulated-line;s=Line1.weld.State", "ns=2;s=Line1.weld.State")
    file = tmp_path / "plant.toml"
    file.write_text(text)
    assert run(["check", str(file), "--json"]) == 0
    warnings = "\n".join(json.loads(capsys.readouterr().out)["warnings"])
    assert "press.Good, press.Reject" in warnings
    assert "weld.State names its namespace by number" in warnings


def test_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("plantwright ")
