"""The demo as a script sees it: exit code, closing object, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

VOLUME = pytest.mark.proof
"""More of the same, a minute and more each: `make proof`."""

PIECES = {"1000001": 40, "1000002": 10}


async def demo(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, closing object and stderr of `demo --auto --json`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers.cli", "demo", "--auto", "--json", "--data", str(tmp_path), *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    lines = out.decode().splitlines()
    assert len(lines) == 1, err.decode()
    return process.returncode or 0, json.loads(lines[0]), err.decode()


def check_pieces(closing: dict[str, Any], side: str) -> None:
    """Every piece of both orders is on that side's books, at every operation."""
    assert len(closing["operations"]) == 6
    for row in closing["operations"]:
        made = Decimal(row[side]["yield"]) + Decimal(row[side]["scrap"])
        assert made == PIECES[row["order"]], row


def check_holds(closing: dict[str, Any]) -> None:
    """The drift was held, two people have signed, all of it was let go, and nothing stays blocked anywhere."""
    holds = closing["holds"]
    assert holds["count"] >= 1
    assert holds["states"] == {"closed": holds["count"]}
    assert Decimal(holds["blocked"]) >= 3
    assert holds["released"] == holds["blocked"]
    assert holds["signatures"] >= 2 * holds["count"]


@pytest.mark.parametrize("mode", ["post", pytest.param("approve", marks=VOLUME)])
async def test_an_outage_a_killed_worker_and_a_hand_entry_leave_the_books_equal(tmp_path: Path, mode: str) -> None:
    code, closing, said = await demo(tmp_path, "--speed", "15", "--seed", "11", "--mode", mode)
    assert (code, closing["agree"]) == (0, True), (closing, said)
    assert [closing[k] for k in ("missing", "duplicate", "in_doubt", "open_cases")] == [0, 0, 0, 0]
    assert closing["manual_entries"] == 1
    assert closing["documents"] > 0
    assert closing["erp_outage_seconds"] >= 10
    assert (closing["erp"], closing["order"]) == ("sap", "1000001")
    assert set(closing["temporal"]) == {"version", "address", "ui"}
    check_pieces(closing, "machine")
    check_pieces(closing, "erp")
    check_holds(closing)
    for word in ("unplugged", "worker killed", "by hand in the ERP", "adopted", "plugged in", "has signed too"):
        assert word in said


@pytest.mark.parametrize(
    "erp", [pytest.param("oracle", marks=VOLUME), pytest.param("dynamics", marks=VOLUME), "tryton"]
)
async def test_the_same_production_ends_in_agreement_on_every_other_erp(tmp_path: Path, erp: str) -> None:
    code, closing, said = await demo(tmp_path, "--speed", "15", "--seed", "11", "--erp", erp)
    assert (code, closing["agree"], closing["erp"]) == (0, True, erp), (closing, said)
    assert [closing[k] for k in ("missing", "duplicate", "in_doubt", "open_cases")] == [0, 0, 0, 0]
    assert closing["documents"] > 0
    check_pieces(closing, "machine")
    check_pieces(closing, "erp")
    check_holds(closing)


@VOLUME
async def test_shadow_posts_nothing_and_says_what_it_would_have_posted(tmp_path: Path) -> None:
    code, closing, said = await demo(tmp_path, "--speed", "15", "--mode", "shadow")
    assert (code, closing["agree"]) == (0, True), (closing, said)
    assert closing["documents"] == 0
    check_pieces(closing, "plantwright")
    assert all(row["erp"] == {"yield": "0", "scrap": "0"} for row in closing["operations"])
    confirmed = [p for p in closing["would_post"] if p["type"] == "confirm_production"]
    assert sum(Decimal(p["yield"]) for p in confirmed if (p["order"], p["operation"]) == ("1000001", "0010")) == 40


async def test_a_demo_that_is_interrupted_takes_its_processes_with_it(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers.cli", "demo", "--auto", "--data", str(tmp_path),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    while b"the line starts" not in await process.stderr.readline():
        pass
    children = _descendants(process.pid)
    assert len(children) == 5
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 130
    assert not set(children) & set(_running())


def _running() -> list[int]:
    if not Path("/proc").is_dir():
        pytest.skip("no /proc to look for processes in")
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for running in _running():
        try:
            status = Path(f"/proc/{running}/stat").read_text()
        except OSError:
            continue
        if int(status.rsplit(")", 1)[1].split()[1]) == pid:
            found.append(running)
    return found
