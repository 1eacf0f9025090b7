"""A simulated ERP's own books in SQLite (WAL): one connection, one writer, number ranges, settings, clocks."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS number_range (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Database:
    """One connection, one writer: every posting is one transaction that a killed process either kept or never began."""

    def __init__(self, path: Path, default_settings: Mapping[str, Any]) -> None:
        self._default_settings = dict(default_settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA busy_timeout = 5000")
        self._connection.executescript(_TABLES)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def all(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self._connection.execute(sql, parameters)]

    def one(self, sql: str, *parameters: Any) -> dict[str, Any] | None:
        row = self._connection.execute(sql, parameters).fetchone()
        return None if row is None else dict(row)

    def execute(self, sql: str, *parameters: Any) -> int:
        return self._connection.execute(sql, parameters).rowcount

    def insert(self, table: str, row: dict[str, Any]) -> None:
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))

    def update(self, table: str, changes: dict[str, Any], **where: Any) -> int:
        sets = ", ".join(f'"{name}" = ?' for name in changes)
        conditions = " AND ".join(f'"{name}" = ?' for name in where)
        return self.execute(f"UPDATE {table} SET {sets} WHERE {conditions}", *changes.values(), *where.values())

    def next_number(self, name: str, first: int) -> int:
        """The next number of a range; a rolled back posting gives its number back, unlike the original's buffers."""
        self.execute(
            "INSERT INTO number_range (name, last) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = last + 1",
            name,
            first,
        )
        row = self.one("SELECT last FROM number_range WHERE name = ?", name)
        return int(row["last"]) if row else first

    def settings(self) -> dict[str, Any]:
        changed = {row["name"]: json.loads(row["value"]) for row in self.all("SELECT name, value FROM setting")}
        return self._default_settings | changed

    def setting(self, name: str) -> Any:
        row = self.one("SELECT value FROM setting WHERE name = ?", name)
        return self._default_settings[name] if row is None else json.loads(row["value"])

    def change_settings(self, changes: dict[str, Any]) -> None:
        for name, value in changes.items():
            self.execute("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", name, json.dumps(value))

    def script(self, sql: str) -> None:
        self._connection.executescript(sql)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def instant() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
