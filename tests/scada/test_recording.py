"""Recorded logs: what is damaged is rejected and listed, what is repeated counts once, what is unknown is parked."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import cycles
from domain.context import StationContext, apply_context
from domain.cycle_state import CycleCompleted, CycleState, ParkedDraft
from scada.filter import EdgeFilter
from scada.reading import Reading
from scada.recorded_lines import LogReader, parse_time
from scada.recording import RecordingError, RecordingResult, Watermark, open_recording, play
from signals.errors import BadInput
from signals.events import CountEvent, MachineEvent, MeasurementEvent, OrderAspect, OrderEvent, ProgramEvent
from signals.reports import Refusal
from workers.profile import ReplayProfile, RunMapping, load_profile

NIST = Path(__file__).parents[3] / "shared/data/nist"
HURCO = NIST / "hurco/split_plate_cover.tar.xz"
TELEMETRY = ("|Feed_Rate|", "|Block_Number|", "|Program_Runtime_Seconds|", "|Spindle_Speed|")
NOW = datetime(2026, 3, 2, tzinfo=UTC)
PROFILE = load_profile("hurco")
TAGS = {t.name: t for t in PROFILE.line.stations[0].tags} | {
    t.name: t for t in load_profile("mazak").line.stations[0].tags
}


@dataclass
class Played:
    """A recording after reader, filter and cycle rules."""

    result: RecordingResult
    events: list[MachineEvent] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    done: list[CycleCompleted] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    parked: list[ParkedDraft] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    late: int = 0

    @property
    def completed(self) -> list[str]:
        return sorted(f"{d.context.order} {d.serial}" for d in self.done)

    @property
    def settled(self) -> Counter[str]:
        return Counter(r.rule for r in self.refused)


def playthrough(path: Path, profile: ReplayProfile = PROFILE) -> Played:
    """Play a recording the way the replay command does, without a server."""
    line = profile.line
    edge = EdgeFilter(line, profile.server_uri)
    rules = {s.id: s.cycle for s in line.stations}
    states = {s.id: CycleState() for s in line.stations}
    contexts = {s.id: StationContext() for s in line.stations}
    watermark: datetime | None = None
    with open_recording(path) as files:
        playback = play(files, profile)
        played = Played(playback.result)
        for item in playback:
            if isinstance(item, Watermark):
                watermark, events = item.at, edge.flush(item.at)
            elif isinstance(item, Reading):
                played.readings.append(item)
                played.late += watermark is not None and item.at < watermark
                events = edge.accept(item)
            else:
                events = (item,)
            for event in events:
                played.events.append(event)
                station, rule = event.equipment, rules[event.equipment]
                if rule is not None:
                    step = cycles.step(states[station], rule, contexts[station], event)
                    states[station] = step.state
                    played.done += step.completions
                    played.refused += step.refusals
                    played.parked += step.parked
                contexts[station] = apply_context(contexts[station], event)
    played.refused = [*playback.result.refusals, *played.refused]
    played.kept = edge.stats.kept
    return played


def write(folder: Path, logs: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in logs.items():
        (folder / name).write_bytes(content)
    return folder


def read(text: str | bytes, *, ends_anywhere: bool = False) -> tuple[list[tuple[str, str]], list[str]]:
    content = text.encode() if isinstance(text, str) else text
    log = LogReader(TAGS, NOW).read("log", content, ends_anywhere=ends_anywhere)
    return [(e.tag, e.value) for e in log.entries], [r.reason for r in log.rejected]


# --- lines ---------------------------------------------------------------------------------------------------


def test_a_first_record_may_hold_several_tags_with_their_values() -> None:
    entries, rejected = read("2017-02-01T03:13:55.0468750Z|EStop_State|ARMED|Part_Count|1909|Program_Status|READY\n")
    assert entries == [("EStop_State", "ARMED"), ("Part_Count", "1909"), ("Program_Status", "READY")]
    assert not rejected


def test_a_value_cut_by_a_line_wrap_is_no_value_and_its_rest_is_none_either() -> None:
    entries, rejected = read(
        "2017-02-01T03:13:54Z|Feed_Rate|1\n"
        "2017-02-01T03:13:55Z|Block_Number|0|Part_Count|190\n"
        "9|Spindle_Override|101\n"
        "2017-02-01T03:13:56Z|Part_Count|1910\n"
    )
    assert entries == [("Feed_Rate", "1"), ("Part_Count", "1910")]
    assert len(rejected) == 2


@pytest.mark.parametrize("fragment", ["9", "2017", "2017.919363", "  9", "LETED", "-02-01T03:13:56Z|Part_Count|1910"])
def test_whatever_starts_no_record_makes_the_line_before_it_suspect(fragment: str) -> None:
    entries, rejected = read(f"2017-02-01T03:13:55Z|Part_Count|190\n{fragment}\n2017-02-01T03:13:57Z|Feed_Rate|1\n")
    assert entries == [("Feed_Rate", "1")]
    assert len(rejected) == 2


def test_an_indent_as_long_as_the_line_before_proves_that_line_whole() -> None:
    whole = "2017-02-01T03:13:54Z|Part_Count|1909"
    entries, rejected = read(
        f"{whole}\n{' ' * len(whole)}2017-02-01T03:1\n3:59Z|Part_Count|1910\n2017-02-01T03:14:00Z|Feed_Rate|1\n"
    )
    assert entries == [("Part_Count", "1909"), ("Feed_Rate", "1")]
    assert len(rejected) == 2


def test_conditions_have_further_columns() -> None:
    entries, rejected = read(
        "2016-11-29T09:43:09.882Z|path_system|Fault|149|||TAILSTOCK BARRIER\n"
        "2016-11-29T09:43:10Z|unheard_of|Normal||||\n"
    )
    assert entries == [("path_system", "Fault|149|||TAILSTOCK BARRIER"), ("unheard_of", "Normal||||")]
    assert not rejected


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2026-04-01T00:00:00Z|Part_Count|1", "future"),
        ("2017-13-01T00:00:00Z|Part_Count|1", "no timestamp"),
        ("2017-02-30T25:00:00Z|Part_Count|1", "no timestamp"),
        ("0001-01-01T00:00:00Z|Part_Count|1", "no timestamp"),
        ("2017-02-01T00:00:00Zz|Part_Count|1", "no timestamp"),
        ("2017-02-01T00:00:00Z", "timestamp|tag|value"),
        ("2017-02-01T00:00:00Z|Part_Count", "no value"),
        ("2017-02-01T00:00:00Z|Part_Count|1|Feed_Rate", "no value"),
        ("2017-02-01T00:00:00Z||1", "tag is missing"),
        ("2017-02-01T00:00:00Z|Part_Count|1\x002", "control"),
    ],
)
def test_a_line_that_cannot_be_believed_is_listed_with_its_reason(line: str, why: str) -> None:
    entries, rejected = read(f"2017-01-01T00:00:00Z|Feed_Rate|1\n{line}\n2017-03-01T00:00:00Z|Feed_Rate|2\n")
    assert entries == [("Feed_Rate", "1"), ("Feed_Rate", "2")]
    assert len(rejected) == 1
    assert why in rejected[0]


def test_crlf_blank_lines_and_a_byte_order_mark_change_nothing() -> None:
    entries, rejected = read("\ufeff2017-01-01T00:00:00Z|Part_Count|1\r\n\r\n2017-01-01T00:00:01Z|Part_Count|2\r\n")
    assert entries == [("Part_Count", "1"), ("Part_Count", "2")]
    assert not rejected


def test_bytes_that_are_no_utf8_spoil_a_word_but_not_a_text_for_people() -> None:
    entries, rejected = read(
        b"2017-01-01T00:00:00Z|Program_Status|ACTI\xffE\n2017-01-01T00:00:01Z|logic_cond|Warning|7|||\xd6L LEER\n"
    )
    assert [tag for tag, _ in entries] == ["logic_cond"]
    assert len(rejected) == 1


def test_a_last_line_without_its_end_may_be_cut_and_is_rejected_unless_the_writer_always_leaves_it_out() -> None:
    text = "2017-01-01T00:00:00Z|Part_Count|1066\n2017-01-01T00:20:00Z|Part_Count|10"
    assert read(text)[0] == [("Part_Count", "1066")]
    assert len(read(text, ends_anywhere=True)[0]) == 2


def test_an_empty_log_has_no_lines() -> None:
    assert read("") == ([], [])


def test_timestamps_are_read_to_the_microsecond_and_default_to_utc() -> None:
    expected = datetime(2017, 2, 1, 13, 59, 35, 171875, tzinfo=UTC)
    for text in ("2017-02-01T13:59:35.1718750Z", "2017-02-01T13:59:35.171875", "2017-02-01 15:59:35.171875+02:00"):
        assert parse_time(text) == expected


def test_an_instant_beyond_the_calendar_is_no_timestamp() -> None:
    assert parse_time("9999-12-31T23:59:59-12:00") is None


def test_a_single_line_behind_a_byte_order_mark_is_played(tmp_path: Path) -> None:
    (tmp_path / "Plate-Op2-M-01of20.txt").write_bytes(b"\xef\xbb\xbf2017-01-01T00:00:00Z|Part_Count|1\n")
    played = playthrough(tmp_path / "Plate-Op2-M-01of20.txt")
    assert (len(played.readings), played.result.empty_files) == (1, [])


RECORDS = st.lists(
    st.tuples(st.integers(0, 86_399), st.sampled_from(["Part_Count", "Feed_Rate"]), st.integers(0, 99_999)),
    min_size=1,
    max_size=15,
)


@given(records=RECORDS, width=st.integers(min_value=30, max_value=90))
@settings(max_examples=150, deadline=None)
def test_a_hard_wrapped_log_yields_only_values_that_were_written(
    records: list[tuple[int, str, int]], width: int
) -> None:
    start = datetime(2017, 1, 1, tzinfo=UTC)
    lines = [f"{(start + timedelta(seconds=s)).isoformat()[:19]}Z|{t}|{v}" for s, t, v in sorted(records)]
    pieces = [line[i : i + width] for line in lines for i in range(0, len(line), width)]
    log = LogReader(TAGS, NOW).read("log", ("\n".join(pieces) + "\n").encode())
    read_back = [f"{e.at_text}|{e.tag}|{e.value}" for e in log.entries]
    assert not Counter(read_back) - Counter(lines)
    assert log.lines == len(pieces)
    assert len(log.entries) + len(log.rejected) == len(pieces)


@given(noise=st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_no_bytes_crash_the_reader(noise: bytes) -> None:
    log = LogReader(TAGS, NOW).read("log", noise)
    assert len(log.entries) + len(log.rejected) >= log.lines


# --- files ---------------------------------------------------------------------------------------------------

LOG = b"2017-01-01T00:00:00Z|Part_Count|1\n2017-01-01T00:00:01Z|Part_Count|2\n"


def test_a_log_a_folder_and_every_archive_of_it_hold_the_same(tmp_path: Path) -> None:
    folder = write(tmp_path / "logs", {"a.txt": LOG, ".hidden": b"x"})
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(LOG))
    write(tmp_path / "packed", {"a.txt.gz": gzip.compress(LOG)})
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("sub/a.txt", LOG)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(folder, arcname="logs")
    plain = (tmp_path / "a.tar").read_bytes()
    for ending, pack in (("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress)):
        (tmp_path / f"a.tar.{ending}").write_bytes(pack(plain))
    names = ["logs", "logs/a.txt", "a.txt.gz", "packed", "a.zip", "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2"]
    for name in names:
        with open_recording(tmp_path / name) as files:
            assert [Path(f.name).name for f in files] == ["a.txt"]
            assert files[0].read() == LOG


def test_a_member_of_an_archive_cannot_write_outside(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        member = tarfile.TarInfo("../../evil.txt")
        member.size = len(LOG)
        archive.addfile(member, io.BytesIO(LOG))
    with open_recording(tmp_path / "evil.tar") as files:
        assert files[0].read() == LOG
        assert files[0].path.name == "000000"
    assert not (tmp_path.parent / "evil.txt").exists()


def test_a_recording_cut_short_or_absent_is_an_error_that_names_it(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(60_000)
    with tarfile.open(tmp_path / "whole.tar.xz", "w:xz") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = len(noise)
        archive.addfile(member, io.BytesIO(noise))
    (tmp_path / "cut.tar.xz").write_bytes((tmp_path / "whole.tar.xz").read_bytes()[:30_000])
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(noise)[:30_000])
    (tmp_path / "no.zip").write_bytes(b"nothing of the kind")
    (tmp_path / "empty").mkdir()
    for name in ("cut.tar.xz", "cut.txt.gz", "no.zip", "empty", "absent.txt"):
        with pytest.raises(RecordingError, match=name.removesuffix(".gz")), open_recording(tmp_path / name) as files:
            files[0].read()


def test_an_archive_that_wants_a_password_is_an_error_that_names_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "locked.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    packed = bytearray((tmp_path / "locked.zip").read_bytes())
    packed[6] |= 1
    packed[packed.find(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(packed)
    with pytest.raises(RecordingError, match=r"locked\.zip"), open_recording(tmp_path / "locked.zip"):
        pass


def test_empty_and_damaged_logs_among_others_are_listed_and_the_rest_is_played(tmp_path: Path) -> None:
    logs = {"Plate-Op2-M-01of20.txt": LOG, "Plate-Op2-M-02of20.txt": b"", "Plate-Op2-M-03of20.txt": b"\x00" * 500}
    played = playthrough(write(tmp_path / "logs", logs))
    assert sorted(played.result.empty_files) == ["Plate-Op2-M-02of20.txt", "Plate-Op2-M-03of20.txt"]
    assert played.result.runs == 1
    assert [(r.file, r.line) for r in played.result.rejected] == [("Plate-Op2-M-03of20.txt", 1)]
    assert played.kept["Part_Count"] == 2


@pytest.mark.parametrize("name", ["1-31-2017-Hurco02.txt", "1-31-2017-Hurco04.txt"])
def test_recorded_logs_that_were_hard_wrapped_yield_no_value_that_was_cut(name: str) -> None:
    path = NIST / "damaged" / name
    if not path.exists():
        pytest.skip(f"recorded data is absent: {path}")
    physical = path.read_text().splitlines()
    original = "".join(line.strip(" ") if line.startswith(" ") else line for line in physical)
    played = playthrough(path)
    assert played.result.lines == len(physical)
    assert played.result.rejected_lines
    assert not any(isinstance(e, CountEvent) for e in played.events)
    for reading in played.readings:
        record = f"{reading.at_text}|{reading.tag.name}|{reading.value}"
        following = original.split(record, 1)[1][:4]
        assert following in ("", "2017"), record


# --- runs ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hurco_logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, bytes]]:
    """The hundred recorded runs, without the telemetry that no rule looks at (kept whole in the full pass)."""
    if not HURCO.exists():
        pytest.skip(f"recorded data is absent: {HURCO}")
    with open_recording(HURCO) as files:
        yield {Path(f.name).name: _without_telemetry(f.read().decode()) for f in files}


def _without_telemetry(text: str) -> bytes:
    kept = [line for line in text.splitlines() if line[:2] == "20" and not any(t in line for t in TELEMETRY)]
    return ("\n".join(line for line in kept if line.count("|") == 2) + "\n").encode()


@pytest.fixture(scope="module")
def hurco(hurco_logs: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Played:
    return playthrough(write(tmp_path_factory.mktemp("hurco") / "logs", hurco_logs))


def test_a_hundred_recorded_runs_give_99_completions_one_parked_run_and_named_refusals() -> None:
    if not HURCO.exists():
        pytest.skip(f"recorded data is absent: {HURCO}")
    played = playthrough(HURCO)
    assert played.result.lines == 388_252
    assert played.result.rejected_lines == 34
    assert played.result.by_tag["Program_Status"] == 427
    assert played.result.repeated.total() == 355
    words = [e for e in played.events if isinstance(e, ProgramEvent) and e.aspect == "status"]
    assert len(words) == 426
    assert len({e.event_id for e in words}) == 426
    assert len(played.done) == len({(d.context.order, d.serial) for d in played.done}) == 99
    assert [(p.context.order, p.context.serial) for p in played.parked] == [("100003", "Cover-06")]
    assert played.settled == {"event-identity/1": 1, "program-end/1": 1, "cycle-time/1": 3, "counter-gap/1": 10}
    by_serial = {(r.rule, r.serial) for r in played.refused}
    assert {("program-end/1", "Plate-04"), ("cycle-time/1", "Cover-02"), ("cycle-time/1", "Cover-06")} <= by_serial
    assert played.late == 0
    events = [e.at for e in played.events if not isinstance(e, MeasurementEvent)]
    assert events == sorted(events)


def test_renamed_shuffled_and_repeated_runs_give_the_same(
    hurco_logs: dict[str, bytes], hurco: Played, tmp_path: Path
) -> None:
    names = sorted(hurco_logs)
    numbers = [f"{n:03}.txt" for n in range(len(names))]
    random.Random(7).shuffle(numbers)
    logs: dict[str, bytes] = {}
    runs: list[RunMapping] = []
    for name, number in zip(names, numbers, strict=True):
        part, operation = name.split("-")[:2]
        serial = name.split("-")[3].split("of")[0]
        logs[number] = logs[f"again-{number}"] = hurco_logs[name]
        runs += [RunMapping(file=f, part=part, operation=operation, serial=serial) for f in (number, f"again-{number}")]
    profile = PROFILE.model_copy(update={"runs": tuple(runs), "file_pattern": ""})
    played = playthrough(write(tmp_path / "logs", logs), profile)
    assert played.completed == hurco.completed
    assert [p.identity for p in played.parked] == [p.identity for p in hurco.parked]
    assert played.settled == hurco.settled
    assert len(played.result.repeated_files) == 100


def test_corrupted_runs_are_parked_and_no_other_run_changes(
    hurco_logs: dict[str, bytes], hurco: Played, tmp_path: Path
) -> None:
    logs = dict(hurco_logs)
    cut, garbled = "Cover-Op2-Hurco04-03of20.txt", "Cover-Op2-Hurco04-07of20.txt"
    stepless = "Plate-Op1-Hurco04-12of20.txt"
    logs[cut] = logs[cut][: len(logs[cut]) // 2]
    logs[garbled] = logs[garbled].replace(b"PROGRAM_COMPLETED", b"PROGRA\x00\x00\x00PLETED")
    logs[stepless] = b"\n".join(line for line in logs[stepless].split(b"\n") if b"Part_Count" not in line)
    played = playthrough(write(tmp_path / "logs", logs))
    lost = {"100004 Cover-03", "100004 Cover-07", "100001 Plate-12"}
    assert set(played.completed) == set(hurco.completed) - lost
    assert len(played.done) == 96
    assert sorted(p.context.serial for p in played.parked) == ["Cover-03", "Cover-06", "Cover-07", "Plate-12"]


def test_a_shortened_copy_beside_its_original_adds_nothing(
    hurco_logs: dict[str, bytes], hurco: Played, tmp_path: Path
) -> None:
    name = "Cover-Op2-Hurco04-05of20.txt"
    half = hurco_logs[name][: len(hurco_logs[name]) // 2].rsplit(b"\n", 1)[0] + b"\n"
    played = playthrough(write(tmp_path / "logs", {**hurco_logs, "0-" + name: half}))
    assert played.completed == hurco.completed
    assert played.settled == hurco.settled


def test_logs_without_a_last_line_end_are_taken_as_their_writer_writes_them(
    hurco_logs: dict[str, bytes], hurco: Played, tmp_path: Path
) -> None:
    played = playthrough(write(tmp_path / "logs", {n: c.rstrip(b"\n") for n, c in hurco_logs.items()}))
    assert played.completed == hurco.completed


def test_a_stale_snapshot_at_the_head_of_a_run_keeps_its_own_time_and_dates_nothing_else(
    hurco_logs: dict[str, bytes], hurco: Played, tmp_path: Path
) -> None:
    name = "Cover-Op2-Hurco04-05of20.txt"
    stale = b"2016-11-14T18:37:34.7986050Z|Program_Status|PROGRAM_COMPLETED\n"
    played = playthrough(write(tmp_path / "logs", {**hurco_logs, name: stale + hurco_logs[name]}))
    assert played.completed == hurco.completed
    assert played.settled - hurco.settled == {"event-order/1": 1}
    old = [e.at for e in played.events if e.at.year == 2016]
    assert old == [datetime(2016, 11, 14, 18, 37, 34, 798605, tzinfo=UTC)]
    starts = [e.at for e in played.events if isinstance(e, OrderEvent) and e.aspect is OrderAspect.RUN and e.value]
    assert starts == sorted(starts)
    assert len(starts) == 100


def test_runs_whose_names_say_nothing_are_parked_without_an_order(hurco_logs: dict[str, bytes], tmp_path: Path) -> None:
    one = hurco_logs["Cover-Op3-Hurco04-01of20.txt"]
    played = playthrough(write(tmp_path / "logs", {"unknown.txt": one}))
    assert not played.done
    assert [p.why.value for p in played.parked] == ["no_order"]
    assert played.result.without_context == ["unknown.txt"]


# --- profiles ------------------------------------------------------------------------------------------------


def test_a_users_profile_builds_on_a_packaged_one_and_maps_renamed_files(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('base = "hurco"\n[[run]]\nfile = "017.txt"\npart = "Plate"\noperation = "Op2"\nserial = "03"\n')
    profile = load_profile(str(mine))
    by_map, by_name = profile.run_context("x/017.txt"), profile.run_context("Plate-Op2-Hurco04-03of20.txt")
    assert by_map == by_name
    assert by_map is not None
    assert (by_map.order, by_map.operation, by_map.serial) == ("100002", "0010", "Plate-03")
    assert profile.run_context("Plate-Op9-Hurco04-03of20.txt") is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("schema = [", "no TOML"),
        ('base = "hurco"\nfile_pattern = "("\n', "file_pattern"),
        ('base = "hurco"\nfile_pattern = "(?P<part>.)"\n', "operation"),
        ('base = "hurco"\ntitel = "x"\n', "titel"),
        ('base = "nowhere"\n', "nowhere"),
        ('base = "hurco"\n[[run]]\nfile = "1"\npart = "Plate"\noperation = "Op9"\n', "Op9"),
        ('schema = 1\nid = "x"\nserver_uri = "urn:x"\n', "line"),
    ],
)
def test_a_profile_that_cannot_be_used_says_which_key_is_wrong(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=key):
        load_profile(str(path))
