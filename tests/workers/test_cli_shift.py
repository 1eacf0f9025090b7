"""`plantwright shift` without Temporal: lists and shows from the ledger; a mistake is told with its fix."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ledger.connect import open_ledger
from ledger.people_port import Grant
from signals.decisions import Answer
from signals.downtime import TimeClass
from signals.handover import (
    AcknowledgeHandover,
    HandoverReport,
    HandoverState,
    LineShift,
    NotFinal,
    OeeFigures,
    OpenItem,
)
from tests.console.house import people_of
from tests.people.sealing_floor import seal_counts
from workers import handover_desk
from workers.cli import office, run

DEFAULTS = Path(__file__).resolve().parents[2] / "workers" / "defaults"
START = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
NIL = Decimal(0)


def handover(shift: str = "2026-11-20/early", **changes: Any) -> HandoverReport:
    figures = OeeFigures(apt=NIL, pbt=NIL, produced=NIL, good=NIL, planned_seconds=NIL)
    line = LineShift(line="line1", oee=figures, seconds={TimeClass.NO_DATA: Decimal(28_800)})
    return HandoverReport(
        plant="demo", shift=shift, starts_at=START, ends_at=START + timedelta(hours=8), next_shift="2026-11-20/late",
        acknowledge_by=START + timedelta(hours=16), made_at=START + timedelta(hours=8), lines=(line,),
        not_final=(NotFinal(line="line1", why="behind", seen_to=START),),
        open_items=(OpenItem(kind="hold", id="h1", text="press force", owner="quality engineer"),),
    ).model_copy(update=changes)  # fmt: skip


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A plant file, a ledger with two handovers, and a Temporal that nobody serves."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{port}")
    monkeypatch.setenv("PLANTWRIGHT_HOME", str(tmp_path))
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("PLANTWRIGHT_LEDGER_URL", url)

    async def fill() -> None:
        ledger = await open_ledger(url)
        taken = {"state": HandoverState.ACKNOWLEDGED, "acknowledged_by": "mia", "acknowledged_at": START}
        await ledger.record_handover(handover("2026-11-19/late", ends_at=START - timedelta(hours=8), **taken))
        await ledger.record_handover(handover())
        await ledger.close()

    asyncio.run(fill())
    file = tmp_path / "plant.toml"
    file.write_text((DEFAULTS / "demo.toml").read_text())
    return str(file)


def say(capsys: pytest.CaptureFixture[str], plant: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
    code = run(["shift", *arguments, "--plant", plant, "--json"])
    said = capsys.readouterr()
    lines = said.out.splitlines()
    return code, json.loads(lines[-1]) if lines else {}, said.err


def test_handovers_are_listed_and_shown_from_the_ledger_alone(plant: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, listed, _ = say(capsys, plant, "list")
    assert (code, [h["shift"] for h in listed["handovers"]]) == (0, ["2026-11-20/early", "2026-11-19/late"])
    assert [h["shift"] for h in say(capsys, plant, "list", "--open")[1]["handovers"]] == ["2026-11-20/early"]
    code, shown, _ = say(capsys, plant, "show", "2026-11-20/early")
    assert (code, shown["not_final"][0]["line"], shown["lines"][0]["seconds"]) == (0, "line1", {"no_data": "28800"})
    assert run(["shift", "show", "2026-11-20/early", "--plant", plant]) == 0
    assert "press force" in capsys.readouterr().out


def test_who_has_taken_over_is_answered_again_without_any_process(
    plant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, err = say(capsys, plant, "show", "2026-11-19/late")
    assert code == 0 and said["acknowledged_by"] == "mia", err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "yesterday"), 2, "has no handover of shift 'yesterday'"),
        (("acknowledge", "2026-11-20/never", "--by", "mia"), 2, "has no handover"),
        (("acknowledge", "2026-11-20/early", "--by", "mia"), 3, "Temporal"),
        (("now",), 3, "Temporal"),
    ],
)
def test_a_mistake_is_told_with_its_fix(
    plant: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    found, _, err = say(capsys, plant, *arguments)
    assert found == code and said in err, err


def test_who_is_signed_in_takes_over_under_the_seal_and_without_users_nobody_does(
    plant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, shift, arrived = f"sqlite:///{tmp_path / 'ledger.db'}", "2026-11-20/early", []

    async def take(_: Any, ledger: Any, plant: str, shift: str, act: AcknowledgeHandover) -> Answer:
        arrived.append(act)
        return Answer(decision_id=act.action_id, accepted=True, message="taken over")

    async def nobody(_: Any) -> None:
        return None

    async def hire() -> None:
        ledger = await open_ledger(url)
        grant = Grant(user="mia", plant="demo", role="supervisor")
        await people_of(ledger).add_user("mia", password="a password for tests", grants=(grant,))
        await ledger.close()

    monkeypatch.setattr(handover_desk, "acknowledge", take)
    monkeypatch.setattr(office, "connect_temporal", nobody)
    assert say(capsys, plant, "acknowledge", shift, "--by", "mia")[0] == 0
    assert arrived.pop().seal is None
    asyncio.run(hire())
    monkeypatch.setenv("PW", "a password for tests")
    code, _, err = say(capsys, plant, "acknowledge", shift, "--user", "mia", "--password-env", "PW")
    assert code == 0, err
    assert asyncio.run(seal_counts(url, "demo", arrived.pop(), shift)) == ""
