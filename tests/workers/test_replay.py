"""Recorded logs of real machine tools, the whole way into the simulated SAP's own books (criteria D4, D5)."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest

from signals.errors import BadInput
from workers.replay import load_decisions, run_replay

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "data" / "nist"
HURCO = RECORDINGS / "hurco" / "split_plate_cover.tar.xz"
MAZAK = RECORDINGS / "mazak" / "Mazak01-20161129-20161130.txt.gz"
DAMAGED = RECORDINGS / "damaged"

pytestmark = [
    pytest.mark.skipif(not HURCO.is_file(), reason="the recordings of ../shared/data are not here"),
    pytest.mark.timeout(240),
]


def the_parked_run(result: dict[str, Any]) -> str:
    assert len(result["parked"]) == 1
    parked = result["parked"][0]
    assert (parked["why"], parked["serial"]) == ("run_incomplete", "Cover-06")
    assert parked["evidence"]
    return str(parked["item"])


@pytest.mark.long
async def test_99_completions_are_posted_and_one_is_parked_until_a_person_accepts_it(tmp_path: Path) -> None:
    first = await run_replay("hurco", HURCO)
    assert (first["posted_completions"], first["agree"], first["lines"]) == (99, True, 388_252)
    assert (first["rejected"], len(first["rejected_lines"])) == (34, 34)
    assert first["settled_by_rule"] == {
        "counter-gap/1": 10,
        "cycle-time/1": 3,
        "event-identity/1": 1,
        "program-end/1": 1,
    }
    assert first["events"]["by_tag"]["Program_Status"] == 427
    item = the_parked_run(first)

    decisions = tmp_path / "decisions.toml"
    decisions.write_text(
        f'[[decision]]\nitem = "{item}"\naction = "accept"\nreason = "piece measured, complete"\nby = "supervisor"\n'
    )
    second = await run_replay("hurco", HURCO, decisions=decisions)
    assert (second["posted_completions"], second["agree"], second["parked"]) == (100, True, [])
    assert second["decisions_without_item"] == []


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """The runs as plain files, smallest first, for tests that rename, repeat and damage them."""
    folder = tmp_path / "runs"
    with tarfile.open(HURCO) as archive:
        archive.extractall(folder, filter="data")
    return sorted(folder.rglob("*.txt"), key=lambda f: f.stat().st_size)


@pytest.mark.parametrize("erp", ["sap", "oracle", "dynamics"])
async def test_a_recording_gives_the_same_completions_in_every_erp(erp: str, runs: list[Path], tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for file in runs[:8]:
        (few / file.name).write_bytes(file.read_bytes())
    result = await run_replay("hurco", few, erp=erp)
    assert (result["erp"], result["agree"], result["differences"]) == (erp, True, [])
    assert (result["posted_completions"], result["parked"]) == (8, [])
    assert sum(int(d["yield"]) for d in result["document_list"]) == 8
    # Journals of Dynamics carry no key of ours.
    assert all(bool(d["key"]) is (erp != "dynamics") for d in result["document_list"])


@pytest.mark.long
async def test_renamed_and_repeated_runs_post_the_same(runs: list[Path], tmp_path: Path) -> None:
    numbered = tmp_path / "numbered"
    numbered.mkdir()
    mapping = ['base = "hurco"']
    for number, file in enumerate(runs):
        part, operation, rest = file.name.split("-", 2)
        serial = rest.split("-")[-1].split("of")[0]
        for copy in (number, number + 500):
            (numbered / f"{copy}.txt").write_bytes(file.read_bytes())
            mapping += [
                "[[run]]",
                f'file = "{copy}.txt"',
                f'part = "{part}"',
                f'operation = "{operation}"',
                f'serial = "{serial}"',
            ]
    profile = tmp_path / "numbered.toml"
    profile.write_text("\n".join(mapping))
    result = await run_replay(str(profile), numbered)
    assert (result["posted_completions"], result["agree"]) == (99, True)
    the_parked_run(result)


@pytest.mark.long
async def test_runs_that_were_damaged_are_parked_and_change_no_other(runs: list[Path]) -> None:
    cut = next(f for f in runs if f.name.startswith("Cover-Op2") and "-09of" in f.name)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    uncounted = next(f for f in runs if f.name.startswith("Plate-Op2") and "-15of" in f.name)
    uncounted.write_bytes(b"".join(x for x in uncounted.read_bytes().splitlines(True) if b"Part_Count" not in x))
    result = await run_replay("hurco", runs[0].parent)
    assert (result["posted_completions"], result["agree"]) == (97, True)
    assert {p["serial"] for p in result["parked"]} == {"Cover-06", "Cover-09", "Plate-15"}


async def test_a_machines_day_keeps_every_state_and_posts_nothing_from_a_dead_counter() -> None:
    result = await run_replay("mazak", MAZAK)
    assert result["events"]["by_tag"]["execution"] == 223
    assert float(result["dropped_ratio"]) >= 0.99
    assert (result["lines"], result["posted_completions"], result["documents"]) == (102_601, 0, 0)
    assert result["agree"]
    assert (result["timeline"]["running"], result["timeline"]["planned"]) == (9273.145246, 0)
    assert (round(sum(result["timeline"].values()), 6), len(result["incidents"])) == (39406.101204, 40)


async def test_damaged_logs_lose_nothing_silently_and_crash_nothing() -> None:
    result = await run_replay("hurco", DAMAGED)
    assert result["posted_completions"] == 0
    assert result["rejected"] > 0
    values = {r["text"] for r in result["rejected_lines"]}
    assert values
    assert result["agree"]


@pytest.mark.parametrize(
    ("profile", "file", "says"),
    [
        ("no-such-profile", HURCO, "no profile"),
        ("hurco", Path("not-there.tar.xz"), "not-there"),
        ("hurco", HURCO, "tryton"),
    ],
)
async def test_what_cannot_be_replayed_is_named(profile: str, file: Path, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        await run_replay(profile, file, erp="tryton" if says == "tryton" else "sap")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[[decision]]\nitem = 'x'\naction = 'maybe'", "accept"),
        ("[[decision]]\nitem = 'x'\naction = 'accept'", "by, reason missing"),
        ("[[decision", "no TOML"),
        ("decision = 5", "write [[decision]]"),
        ("[decision]\nitem = 'x'", "write [[decision]]"),
    ],
)
def test_a_wrong_decisions_file_is_refused_with_the_fix(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "decisions.toml"
    file.write_text(content)
    with pytest.raises(BadInput) as refused:
        load_decisions(file)
    assert says in f"{refused.value} {refused.value.hint}"
