"""The edge log keeps what it accepted: durable, gapless, once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scada.log import EdgeLog, EdgeLogError
from signals.events import CountEvent, StateEvent
from signals.packml import MachineState

T0 = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def count(number: int, tag: str = "Good") -> CountEvent:
    at = T0 + timedelta(seconds=number)
    return CountEvent(event_id=f"{tag}-{number}", at=at, equipment="press", tag=tag, counter="good", total=number)


def counts(first: int, last: int) -> list[CountEvent]:
    return [count(n) for n in range(first, last + 1)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EdgeLog]:
    made = EdgeLog(tmp_path / "line.db", plant="plant1", line="line1")
    yield made
    made.close()


def reopened(log: EdgeLog) -> EdgeLog:
    log.close()
    return EdgeLog(log.path, plant="plant1", line="line1")


def test_events_are_numbered_from_one_without_a_hole_and_repeats_take_no_number(log: EdgeLog) -> None:
    assert log.append(counts(1, 3)) == 3
    assert log.append([count(2), count(4), count(4), count(3)]) == 1
    assert [(e.seq, e.event.event_id) for e in log.read_after(0)] == [(n, f"Good-{n}") for n in (1, 2, 3, 4)]
    assert (log.last_seq, log.oldest_seq, log.pending) == (4, 1, 4)


def test_everything_of_a_commit_survives_a_restart_together(log: EdgeLog) -> None:
    source = log.source
    log.append(counts(1, 5), watermark=T0, filter_state='{"band": 1}')
    log.set_forwarded(2)
    again = reopened(log)
    assert (again.source, again.last_seq, again.forwarded, again.pending) == (source, 5, 2, 3)
    assert (again.watermark, again.filter_state) == (T0, '{"band": 1}')
    assert again.append([count(5), count(6)]) == 1
    assert again.last_seq == 6
    again.close()


def test_a_new_file_is_a_new_source(tmp_path: Path) -> None:
    one = EdgeLog(tmp_path / "a.db", plant="p", line="l")
    two = EdgeLog(tmp_path / "b.db", plant="p", line="l")
    assert one.source != two.source
    assert one.source.startswith("p/l@")
    one.close()
    two.close()
    long = EdgeLog(tmp_path / "c.db", plant="p" * 60, line="l" * 60)
    assert len(long.source) <= 80
    long.close()


def test_a_file_of_another_line_is_refused(log: EdgeLog) -> None:
    log.close()
    with pytest.raises(EdgeLogError, match="plant1/line1, not of plant1/line2"):
        EdgeLog(log.path, plant="plant1", line="line2")


def test_a_second_writer_is_refused(log: EdgeLog) -> None:
    log.append([count(1)])
    with pytest.raises(EdgeLogError, match="another gateway"):
        EdgeLog(log.path, plant="plant1", line="line1")


def test_a_failed_commit_takes_nothing_and_says_so(log: EdgeLog) -> None:
    log.append(counts(1, 2), watermark=T0)
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count={pages}")  # the disk is full from here on
    with pytest.raises(EdgeLogError, match="not acknowledged"):
        log.append(counts(3, 2000), watermark=T0 + timedelta(hours=1), filter_state="new")
    assert (log.last_seq, log.watermark, log.filter_state) == (2, T0, "")
    assert [e.seq for e in log.read_after(0)] == [1, 2]
    log._db.execute("PRAGMA max_page_count=1000000")
    assert log.append(counts(3, 2000)) == 1998
    assert log.last_seq == 2000


def test_the_watermark_never_goes_back(log: EdgeLog) -> None:
    log.append([], watermark=T0 + timedelta(seconds=9))
    log.append([count(1)], watermark=T0)
    assert log.watermark == T0 + timedelta(seconds=9)


def test_a_batch_bears_only_the_watermark_of_what_it_completes(log: EdgeLog) -> None:
    marks = [T0 + timedelta(minutes=n) for n in (1, 2, 3)]
    log.append(counts(1, 3), watermark=marks[0])
    log.append(counts(4, 6), watermark=marks[1])
    log.append([], watermark=marks[2])
    assert [log.watermark_at(seq) for seq in (2, 3, 5, 6)] == [None, marks[0], marks[0], marks[2]]


def test_reading_respects_both_limits_but_never_starves(log: EdgeLog) -> None:
    log.append(counts(1, 50))
    assert [e.seq for e in log.read_after(10, max_events=3)] == [11, 12, 13]
    size = len(log.read_after(0, max_events=1)[0].model_dump_json())
    few = log.read_after(0, max_bytes=size * 4)
    assert 2 <= len(few) <= 4
    assert sum(len(e.model_dump_json()) for e in few) <= size * 4
    assert len(log.read_after(0, max_bytes=1)) == 1


def test_forwarded_may_go_back_but_not_beyond_the_end(log: EdgeLog) -> None:
    log.append(counts(1, 5))
    log.set_forwarded(5)
    log.set_forwarded(2)
    assert (log.forwarded, log.pending) == (2, 3)
    with pytest.raises(ValueError, match="ends at 5"):
        log.set_forwarded(6)


def test_purge_removes_only_old_and_forwarded_events(tmp_path: Path) -> None:
    now = [T0]
    log = EdgeLog(tmp_path / "line.db", plant="plant1", line="line1", now=lambda: now[0])
    log.append(counts(1, 10), watermark=T0)
    now[0] = T0 + timedelta(days=20)
    log.append(counts(11, 20), watermark=T0 + timedelta(days=1))
    log.set_forwarded(4)
    assert log.purge(T0 + timedelta(days=6)) == 4
    assert (log.oldest_seq, log.pending) == (5, 16)
    log.set_forwarded(20)
    assert log.purge(T0 + timedelta(days=6)) == 6
    assert [e.seq for e in log.read_after(0)] == list(range(11, 21))
    assert log.purge(T0 + timedelta(days=60)) == 10
    assert (log.oldest_seq, log.last_seq, log.pending) == (21, 20, 0)
    assert log.watermark_at(20) == T0 + timedelta(days=1)
    again = reopened(log)
    assert again.append([count(20)]) == 0, "the current value of a tag is sent again long after its event was removed"
    again.append([count(21)])
    assert [e.seq for e in again.read_after(0)] == [21]
    again.close()


def test_a_log_restored_from_a_copy_becomes_a_new_source_with_what_was_not_forwarded(log: EdgeLog) -> None:
    before = log.source
    log.append(counts(1, 10), watermark=T0)
    log.set_forwarded(7)
    log.renew_identity()
    assert log.source != before
    assert [(e.seq, e.event.event_id) for e in log.read_after(0)] == [(1, "Good-8"), (2, "Good-9"), (3, "Good-10")]
    assert (log.forwarded, log.last_seq, log.oldest_seq, log.pending) == (0, 3, 1, 3)
    assert log.watermark_at(3) == T0
    renewed = log.source
    again = reopened(log)
    assert again.source == renewed
    assert again.append([count(11)]) == 1
    assert again.last_seq == 4
    again.close()


def test_every_kind_of_event_comes_back_as_it_went_in(log: EdgeLog) -> None:
    state = StateEvent(event_id="s", at=T0, equipment="weld", tag="State", state=MachineState.HELD, raw="11")
    log.append([state, count(1)])
    assert [e.event for e in log.read_after(0)] == [state, count(1)]


def test_ten_thousand_events_a_second_fit_in_batches(log: EdgeLog) -> None:
    events = counts(1, 10_000)
    started = time.perf_counter()
    for start in range(0, len(events), 500):
        log.append(events[start : start + 500], watermark=T0, filter_state="{}")
    assert log.last_seq == 10_000
    assert time.perf_counter() - started < 3.0, "generous: the machine is shared"


def test_what_is_on_disk_is_what_was_reported(log: EdgeLog) -> None:
    log.append(counts(1, 3))
    log.close()
    with sqlite3.connect(log.path) as db:
        assert db.execute("SELECT COUNT(*) FROM events").fetchone()[0] == 3
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    db.close()
