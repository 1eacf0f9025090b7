"""Recordings of other machines and other days: each second of the day in one class, whatever words, tags and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.plant import PlantConfig, SiteConfig
from domain.plant_erp import ErpConfig
from scada.filter import EdgeFilter
from scada.reading import Reading
from scada.recording import RecordingError, Watermark, open_recording, play
from signals.errors import BadInput
from workers.profile import load_profile
from workers.replay import run_replay
from workers.replay_stops import RecordedDay

MTCONNECT = ("PROGRAM_STOPPED", "PROGRAM_COMPLETED", "OPTIONAL_STOP", "PROGRAM_OPTIONAL_STOP", "WAIT")
DAY = "2020-03-29T"


def closing(folder: Path, *lines: str) -> dict[str, Any]:
    """What a replay of these lines tells of time, without posting anything."""
    recording = folder / "some.log"
    recording.write_text("".join(f"{line}\n" for line in lines))
    chosen = load_profile("mazak")
    erp = ErpConfig(kind="sap", url="http://erp.example", plant="1010")
    plant = PlantConfig.model_validate(
        {"plant": SiteConfig(id="replay"), "line": (chosen.line,), "erp": erp, "downtime": chosen.downtime}
    )
    day, edge_filter = RecordedDay(chosen.line), EdgeFilter(chosen.line, chosen.server_uri)
    with open_recording(recording) as files:
        playback = play(files, chosen)
        for item in playback:
            if not isinstance(item, Watermark):
                for event in edge_filter.accept(item) if isinstance(item, Reading) else (item,):
                    day.keep(event)
    for span in playback.result.days.values():
        day.saw(*span)
    return day.closing(plant)


def seconds(told: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in told["timeline"].items() if value}


@pytest.mark.parametrize("word", [*MTCONNECT, "A_WORD_OF_ITS_MAKER", "execute", "6", "1E999999"])
def test_a_machine_that_says_anything_but_active_stands(word: str, tmp_path: Path) -> None:
    said = (f"{DAY}01:00:00Z|execution|ACTIVE", f"{DAY}02:00:00Z|execution|{word}", f"{DAY}03:00:00Z|mode|AUTOMATIC")
    told = closing(tmp_path, *said)
    assert seconds(told) == {"running": 3600.0, "stop": 3600.0}
    assert [i["words"] for i in told["incidents"]] == [{word: 3600.0}]
    if word in MTCONNECT:
        assert told["incidents"][0]["reasons"] != ["unknown"]


@pytest.mark.parametrize("word", ["UNAVAILABLE", "Unavailable", "UNAVAILABLE\t", "", " "])
def test_a_machine_that_says_nothing_is_no_data_and_never_stands(word: str, tmp_path: Path) -> None:
    said = (f"{DAY}01:00:00Z|execution|ACTIVE", f"{DAY}02:00:00Z|execution|{word}", f"{DAY}03:00:00Z|mode|AUTOMATIC")
    told = closing(tmp_path, *said)
    assert (seconds(told), told["incidents"]) == ({"running": 3600.0, "no_data": 3600.0}, [])


def test_a_stale_snapshot_at_the_head_is_no_data_whatever_it_says(tmp_path: Path) -> None:
    stale = ("2020-03-14T22:00:00Z|execution|READY", "2020-03-28T12:00:00Z|execution|STOPPED")
    told = closing(tmp_path, *stale, f"{DAY}09:00:00Z|mode|AUTOMATIC", f"{DAY}09:10:00Z|execution|ACTIVE")
    assert (seconds(told), told["incidents"]) == ({"no_data": 600.0}, [])


def test_a_machine_goes_on_over_midnight(tmp_path: Path) -> None:
    before = ("2020-03-28T22:00:00Z|execution|READY", "2020-03-28T23:59:00Z|mode|AUTOMATIC")
    told = closing(tmp_path, *before, f"{DAY}00:00:00Z|mode|MANUAL", f"{DAY}00:10:00Z|execution|ACTIVE")
    assert seconds(told) == {"stop": 600.0}
    assert [i["stop_seconds"] for i in told["incidents"]] == [600.0]


def test_lines_of_undeclared_tags_are_lines_of_the_day(tmp_path: Path) -> None:
    said = (f"{DAY}01:00:00Z|m2_asset_chg|x", f"{DAY}02:00:00Z|execution|ACTIVE", f"{DAY}03:00:00Z|m2_door|OPEN")
    told = closing(tmp_path, *said)
    assert seconds(told) == {"no_data": 3600.0, "running": 3600.0}


def test_a_stop_of_a_recorded_day_is_one_in_however_many_pieces(tmp_path: Path) -> None:
    start = datetime(2020, 3, 29, tzinfo=UTC)
    said = [
        f"{(start + timedelta(seconds=50 * n)).isoformat()}|execution|{('READY', 'STOPPED')[n % 2]}" for n in range(301)
    ]
    told = closing(tmp_path, *said)
    assert [i["stop_seconds"] for i in told["incidents"]] == [15_000.0]
    assert seconds(told) == {"stop": 15_000.0}


def test_numbers_that_nobody_can_reckon_with_are_none(tmp_path: Path) -> None:
    huge = ("PartCountAct|1E9999999", "Xabs|9E999999", "Xabs|-9E999999", "Xabs|1E-999999", "Xabs|Infinity")
    said = [f"{DAY}01:00:00Z|execution|ACTIVE", *(f"{DAY}01:00:0{n}Z|{value}" for n, value in enumerate(huge))]
    assert seconds(closing(tmp_path, *said)) == {"running": 4.0}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "other.log: no line can be read, it is empty"),
        (b"\n \n", "it is empty"),
        (b"timestamp,tag,value\n2020-03-29T00:00:00Z,execution,ACTIVE\n", "other.log, line 1: no record"),
        ("2020-03-29T00:00:00Z|execution|ACTIVE\n".encode("utf-16"), "other.log, line 1: "),
        (b"2020-03-29T00:00:00Z|m2_exec|ACTIVE\n", r"declares none of the 1 recorded tags \(m2_exec\)"),
    ],
)
async def test_a_recording_without_a_single_reading_is_refused_and_nothing_is_started(
    content: bytes, says: str, tmp_path: Path
) -> None:
    file, data = tmp_path / "other.log", tmp_path / "data"
    file.write_bytes(content)
    with pytest.raises(RecordingError, match=says) as refused:
        await run_replay("mazak", file, data=data)
    assert refused.value.hint
    assert not data.exists()


async def test_a_folder_with_a_damaged_log_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    logs, data = tmp_path / "logs", tmp_path / "data"
    logs.mkdir()
    (logs / "a.txt").write_text(f"{DAY}01:00:00Z|execution|ACTIVE\n")
    (logs / "b.txt.gz").write_bytes(b"no gzip")
    with pytest.raises(RecordingError, match=r"b\.txt is damaged"):
        await run_replay("mazak", logs, data=data)
    assert not data.exists()


async def test_tags_that_no_profile_declares_are_told(tmp_path: Path) -> None:
    file = tmp_path / "some.log"
    file.write_text(f"{DAY}01:00:00Z|execution|ACTIVE\n{DAY}01:00:00Z|m2_door|OPEN\n{DAY}02:00:00Z|m2_door|CLOSED\n")
    result = await run_replay("mazak", file)
    assert (result["lines"], result["rejected"], result["unmapped"]) == (3, 0, {"m2_door": 2})
    assert (result["timeline"]["running"], result["agree"]) == (3600.0, True)


def test_an_order_of_nothing_is_a_fault_of_its_profile(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    order = 'part = "A"\noperation = "B"\norder = "1"\nmaterial = "M"\nquantity = 0\nstandard_seconds = 10\n'
    mine.write_text(f'base = "mazak"\n[[order]]\n{order}')
    with pytest.raises(BadInput, match=r"order\.0\.quantity"):
        load_profile(str(mine))
