"""The time of a recorded day: every second in one class, and each stop with its reason (D8), by a golden result."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from domain.plant import PlantConfig, SiteConfig
from domain.plant_erp import ErpConfig
from scada.filter import EdgeFilter
from scada.reading import Reading
from scada.recording import Watermark, open_recording, play
from workers.profile import load_profile
from workers.replay_stops import RecordedDay

RECORDING = Path(__file__).parents[2].parent / "shared/data/nist/mazak/Mazak01-20161129-20161130.txt.gz"
GOLDEN = Path(__file__).parent / "golden" / "mazak_day.json"

pytestmark = pytest.mark.skipif(not RECORDING.is_file(), reason="the recordings of ../shared/data are not here")


def closing(recording: Path, **profile: Any) -> dict[str, Any]:
    """The part of a replay that tells of time, without posting anything."""
    chosen = load_profile("mazak").model_copy(update=profile)
    line = chosen.line
    erp = ErpConfig(kind="sap", url="http://erp.example", plant="1010")
    plant = PlantConfig.model_validate(
        {"plant": SiteConfig(id="replay"), "line": (line,), "erp": erp, "downtime": chosen.downtime}
    )
    day, edge_filter = RecordedDay(line), EdgeFilter(line, chosen.server_uri)
    with open_recording(recording) as files:
        for item in play(files, chosen):
            if isinstance(item, Watermark):
                continue
            if isinstance(item, Reading):
                day.saw(item.at)
            for event in edge_filter.accept(item) if isinstance(item, Reading) else (item,):
                day.keep(event)
    return day.closing(plant)


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return closing(RECORDING)


def recorded() -> tuple[list[tuple[str, Decimal]], Decimal]:
    """Unbroken stretches (kind, seconds) and the day's length, read from the recording by this test's own means."""
    lines = [line.split("|") for line in gzip.decompress(RECORDING.read_bytes()).decode().splitlines()]
    day = lines[-1][0][:10]
    times = [instant(fields[0]) for fields in lines if fields[0].startswith(day)]
    first, last = min(times), max(times)
    words = sorted((max(instant(f[0]), first), n, f[2]) for n, f in enumerate(lines) if f[1] == "execution")
    kinds = {"ACTIVE": "running", "UNAVAILABLE": "no_data"}
    spans = [
        (kinds.get(word, "stop"), start, end)
        for (start, _, word), end in zip(words, [w[0] for w in words[1:]] + [last], strict=True)
        if end > start
    ]
    found: list[tuple[str, Decimal]] = []
    for kind, group in groupby(spans, key=lambda s: s[0]):
        seconds = sum((micro(end) - micro(start) for _, start, end in group), 0)
        found.append((kind, Decimal(seconds) / 1_000_000))
    return found, Decimal(micro(last) - micro(first)) / 1_000_000


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def micro(at: datetime) -> int:
    delta = at - datetime(2000, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def exact(value: float) -> Decimal:
    return Decimal(str(value))


def test_the_day_is_as_it_was_when_people_looked_at_it(told: dict[str, Any]) -> None:
    assert told == json.loads(GOLDEN.read_text())


def test_every_second_of_the_day_is_in_one_class(told: dict[str, Any]) -> None:
    spans, length = recorded()
    names: list[str] = ["running", "micro_stop", "stop", "planned", "no_data"]
    expected = dict.fromkeys(names, Decimal(0))
    for kind, seconds in spans:
        expected["micro_stop" if kind == "stop" and seconds < 60 else kind] += seconds
    assert {name: exact(value) for name, value in told["timeline"].items()} == expected
    assert sum(map(exact, told["timeline"].values())) == length == Decimal("39406.101204")
    assert expected["running"] == Decimal("9273.145246")
    # Unavailable from the day's first line to its first execution word, and for 13 times later.
    lost = [seconds for kind, seconds in spans if kind == "no_data"]
    assert (round(lost[0], 3), len(lost[1:]), round(sum(lost[1:]), 3)) == (Decimal("126.141"), 13, Decimal("584.694"))


def test_stops_on_both_sides_of_missing_data_are_one_incident_and_hold_all_that_stood(told: dict[str, Any]) -> None:
    spans, _ = recorded()
    incidents, open_one = 0, False
    for kind, seconds in spans:
        if kind == "stop" and seconds >= 60:
            incidents += not open_one
            open_one = True
        elif kind != "no_data":
            open_one = False
    found = told["incidents"]
    assert len(found) == incidents == 40
    assert sum(exact(i["stop_seconds"]) for i in found) == exact(told["timeline"]["stop"])
    assert all(i["reasons"] and "unknown" not in i["reasons"] for i in found)
    assert all(exact(i["stop_seconds"]) >= 60 for i in found)
    assert found[0]["started_at"] == "2016-11-29T09:28:49.444000+00:00"


def test_nothing_depends_on_the_files_name_or_the_order_of_its_lines(told: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "anything.txt"
    lines = gzip.decompress(RECORDING.read_bytes()).decode().splitlines()
    lines[500:40_000] = sorted(lines[500:40_000], key=lambda line: line.split("|")[1])
    other.write_text("\n".join(lines) + "\n")
    assert closing(other) == told
