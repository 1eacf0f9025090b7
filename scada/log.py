"""The edge log: machine events on disk before anybody acknowledges them (SQLite, WAL, synchronous=FULL).

One file per line and one writer per file; blocking, so callers use a thread. Not for deciding what is worth keeping
(scada.filter) nor for sending (scada.forwarder).
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from signals.events import MachineEvent, SequencedEvent
from signals.ids import short_hash, time_text

_EVENT: TypeAdapter[MachineEvent] = TypeAdapter(MachineEvent)
_FRAME = len('{"seq":,"event":}') + 12
_LONGEST_SOURCE = 80

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, stored_at TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS latest (tag TEXT PRIMARY KEY, event_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (seq INTEGER PRIMARY KEY, watermark TEXT NOT NULL);
"""


class EdgeLogError(Exception):
    """The log cannot be used or written; nothing of the failed call is in it. Do not acknowledge to the source."""


class EdgeLog:
    """Durable, gapless, numbered from 1. Events with a known `event_id` are dropped, whoever repeats them."""

    def __init__(
        self,
        path: Path,
        *,
        plant: str,
        line: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Opens or creates the file. Raises EdgeLogError when another process has it or it belongs to another line."""
        self.path = path
        self._now = now
        self._lock = threading.RLock()
        self._db = self._open(path)
        try:
            self._adopt(plant, line)
        except BaseException:
            self._db.close()
            raise

    def _open(self, path: Path) -> sqlite3.Connection:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
        except (OSError, sqlite3.Error) as error:
            raise EdgeLogError(f"edge log {path} cannot be opened: {error}; check the folder and its rights") from error
        try:
            # Exclusive: a second writer would number events twice. It finds the file locked instead.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("BEGIN IMMEDIATE")
            for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
                db.execute(statement)
            db.execute("COMMIT")
        except sqlite3.Error as error:
            db.close()
            raise EdgeLogError(
                f"edge log {path} cannot be used: {error}. If it is locked, another gateway has it open: "
                "stop that one; a line has one gateway"
            ) from error
        return db

    def _adopt(self, plant: str, line: str) -> None:
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        owner = f"{plant}/{line}"
        if "owner" not in meta:
            meta = {"owner": owner, "id": secrets.token_hex(5), "last_seq": "0", "forwarded": "0"}
            with self._transaction("be created"):
                self._db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        if meta["owner"] != owner:
            raise EdgeLogError(
                f"edge log {self.path} holds the events of {meta['owner']}, not of {owner}; give each line its own file"
            )
        self._owner = owner
        self._id = meta["id"]
        self._last_seq = int(meta["last_seq"])
        self._forwarded = int(meta["forwarded"])
        self._filter_state = meta.get("filter_state", "")
        watermark = meta.get("watermark")
        self._watermark = datetime.fromisoformat(watermark) if watermark else None
        self._latest = dict(self._db.execute("SELECT tag, event_id FROM latest"))
        self._oldest_seq = self._read_oldest()

    def _read_oldest(self) -> int:
        found = self._db.execute("SELECT MIN(seq) FROM events").fetchone()[0]
        return int(found) if found is not None else self._last_seq + 1

    def _transaction(self, what: str) -> _Transaction:
        return _Transaction(self._db, self.path, what)

    # --- what it knows -------------------------------------------------------------------------------------
    @property
    def identity(self) -> str:
        """Random, made with the file: another file is another source."""
        return self._id

    @property
    def source(self) -> str:
        """The source's name in batches: plant, line and the identity of this file."""
        name = f"{self._owner}@{self._id}"
        return name if len(name) <= _LONGEST_SOURCE else f"{short_hash(self._owner)}@{self._id}"

    @property
    def last_seq(self) -> int:
        """Number of the newest event; 0 before the first."""
        return self._last_seq

    @property
    def oldest_seq(self) -> int:
        """Number of the oldest event still held; one beyond the last where none is."""
        return self._oldest_seq

    @property
    def forwarded(self) -> int:
        """Highest number that the receiver is known to have applied."""
        return self._forwarded

    @property
    def pending(self) -> int:
        """Events that wait to be forwarded."""
        return self._last_seq - max(self._forwarded, self._oldest_seq - 1)

    @property
    def watermark(self) -> datetime | None:
        """No event before it is to come."""
        return self._watermark

    @property
    def filter_state(self) -> str:
        """The edge filter's state as of the last commit."""
        return self._filter_state

    # --- taking in -----------------------------------------------------------------------------------------
    def append(
        self,
        events: Iterable[MachineEvent],
        *,
        watermark: datetime | None = None,
        filter_state: str | None = None,
    ) -> int:
        """Stores events, watermark and filter state in one commit; returns how many events were new.

        The watermark never goes back. Raises EdgeLogError when the disk is full or fails: nothing was stored.
        """
        with self._lock:
            mark = max(filter(None, (self._watermark, watermark)), default=None)
            stored_at, seq, latest = time_text(self._now()), self._last_seq, dict[str, str]()
            with self._transaction("take events"):
                for event in events:
                    seq += self._insert(seq + 1, event, stored_at, latest)
                self._keep(seq, mark, filter_state, latest)
            added, self._last_seq, self._watermark = seq - self._last_seq, seq, mark
            self._latest.update(latest)
            self._filter_state = self._filter_state if filter_state is None else filter_state
            return added

    def _insert(self, seq: int, event: MachineEvent, stored_at: str, latest: dict[str, str]) -> int:
        tag = f"{event.equipment}\x1f{event.tag}\x1f{event.kind}"
        if self._latest.get(tag) == event.event_id:
            return 0
        row = (seq, event.event_id, stored_at, _EVENT.dump_json(event))
        insert = "INSERT INTO events VALUES (?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"
        if self._db.execute(insert, row).rowcount < 1:
            return 0
        latest[tag] = event.event_id
        return 1

    def _keep(self, seq: int, mark: datetime | None, filter_state: str | None, latest: dict[str, str]) -> None:
        # The last id of every tag outlives purging: a server sends the current value again at each new session.
        self._db.executemany("INSERT OR REPLACE INTO latest VALUES (?, ?)", latest.items())
        changed = {"last_seq": str(seq)}
        if mark is not None:
            changed["watermark"] = mark.isoformat()
            self._db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (seq, mark.isoformat()))
        if filter_state is not None:
            changed["filter_state"] = filter_state
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", changed.items())

    # --- giving out ----------------------------------------------------------------------------------------
    def read_after(self, seq: int, max_events: int = 200, max_bytes: int = 64 * 1024) -> list[SequencedEvent]:
        """The events after a number, oldest first, at least one where there is one, within both limits."""
        with self._lock:
            rows = self._db.execute(
                "SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (seq, max_events)
            ).fetchall()
        taken: list[SequencedEvent] = []
        for number, body in rows:
            max_bytes -= len(body) + _FRAME
            if taken and max_bytes < 0:
                break
            taken.append(SequencedEvent(seq=number, event=_EVENT.validate_json(body)))
        return taken

    def watermark_at(self, seq: int) -> datetime | None:
        """The watermark that holds for a receiver who has everything up to `seq`, and no more."""
        with self._lock:
            found = self._db.execute(
                "SELECT watermark FROM marks WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)
            ).fetchone()
        return datetime.fromisoformat(found[0]) if found else None

    def stored_at(self, seq: int) -> datetime | None:
        """When an event was stored (wall time), for its age; None where the log does not hold it."""
        with self._lock:
            found = self._db.execute("SELECT stored_at FROM events WHERE seq = ?", (seq,)).fetchone()
        return datetime.fromisoformat(found[0]) if found else None

    def set_forwarded(self, seq: int) -> None:
        """Notes how far the receiver is; a smaller number than before rewinds. Raises ValueError beyond the end."""
        with self._lock:
            if not 0 <= seq <= self._last_seq:
                raise ValueError(f"edge log {self.path} ends at {self._last_seq}; {seq} cannot have been forwarded")
            with self._transaction("note what was forwarded"):
                self._db.execute("UPDATE meta SET value = ? WHERE key = 'forwarded'", (str(seq),))
            self._forwarded = seq

    def purge(self, before: datetime) -> int:
        """Removes forwarded events stored before an instant; the rest stays one unbroken run. Returns how many."""
        with self._lock:
            young = self._db.execute(
                "SELECT MIN(seq) FROM events WHERE stored_at >= ?", (time_text(before),)
            ).fetchone()[0]
            last = min(self._forwarded, self._last_seq if young is None else young - 1)
            with self._transaction("be purged"):
                removed = self._db.execute("DELETE FROM events WHERE seq <= ?", (last,)).rowcount
                # The newest of the removed marks still tells the watermark of what remains.
                self._db.execute("DELETE FROM marks WHERE seq < (SELECT MAX(seq) FROM marks WHERE seq <= ?)", (last,))
            self._oldest_seq = self._read_oldest()
            return removed

    def renew_identity(self) -> None:
        """Becomes a new source that starts at 1 with what was not yet forwarded.

        For a file that was restored from a copy: its receiver has higher numbers, and would drop new events as repeats.
        """
        with self._lock:
            shift = self._forwarded
            fresh = secrets.token_hex(5)
            with self._transaction("become a new source"):
                self._db.execute("DELETE FROM events WHERE seq <= ?", (shift,))
                self._db.execute("DELETE FROM marks")
                # Upwards one by one: each freed number is the next one's place.
                for (seq,) in self._db.execute("SELECT seq FROM events ORDER BY seq").fetchall():
                    self._db.execute("UPDATE events SET seq = ? WHERE seq = ?", (seq - shift, seq))
                changed = {"id": fresh, "forwarded": "0", "last_seq": str(self._last_seq - shift)}
                self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", changed.items())
                if self._watermark is not None:
                    mark = (self._last_seq - shift, self._watermark.isoformat())
                    self._db.execute("INSERT INTO marks VALUES (?, ?)", mark)
            self._id, self._forwarded, self._last_seq = fresh, 0, self._last_seq - shift
            self._oldest_seq = self._read_oldest()

    def close(self) -> None:
        """Releases the file. Safe to repeat."""
        with self._lock:
            self._db.close()


class _Transaction:
    """All or nothing; every failure of SQLite leaves as EdgeLogError."""

    def __init__(self, db: sqlite3.Connection, path: Path, what: str) -> None:
        self._db, self._path, self._what = db, path, what

    def __enter__(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            try:
                self._db.execute("COMMIT")
                return
            except sqlite3.Error as failed:
                self._roll_back()
                raise self._failure(failed) from failed
        self._roll_back()
        if isinstance(error, sqlite3.Error):
            raise self._failure(error) from error

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _failure(self, error: sqlite3.Error) -> EdgeLogError:
        return EdgeLogError(
            f"edge log {self._path} could not {self._what}: {error}. The source is not acknowledged; "
            "free space on the disk or repair it, the gateway tries again"
        )
