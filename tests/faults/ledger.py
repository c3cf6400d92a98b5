"""What was sent, acknowledged, shown and received, and what was done to the system: on disk, whatever happens.

One SQLite file in the run's folder, flushed to the disk with each entry: a run that was cut short can be checked.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

FILE_NAME: Final = "ledger.sqlite3"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS run (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sent (
    report INTEGER, revision INTEGER, acknowledged_s REAL, PRIMARY KEY (report, revision)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS imported (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS changes (
    number INTEGER PRIMARY KEY, at_s REAL, epoch TEXT, seq INTEGER, type TEXT, earthquake TEXT, revision INTEGER,
    report TEXT, updated_ms INTEGER
);
CREATE TABLE IF NOT EXISTS gaps (
    number INTEGER PRIMARY KEY, at_s REAL, reason TEXT, asked TEXT, epoch TEXT, seq INTEGER
);
CREATE TABLE IF NOT EXISTS received (
    number INTEGER PRIMARY KEY, at_s REAL, key TEXT, kind TEXT, earthquake TEXT, revision INTEGER, report TEXT,
    updated_ms INTEGER
);
CREATE TABLE IF NOT EXISTS faults (
    number INTEGER PRIMARY KEY, name TEXT, what TEXT, began_s REAL, ended_s REAL, recovered_s REAL, seen TEXT,
    unseen TEXT
);
CREATE TABLE IF NOT EXISTS exits (number INTEGER PRIMARY KEY, at_s REAL, program TEXT, code INTEGER, wanted INTEGER);
"""


class Shown(NamedTuple):
    """A change as the SSE client got it; `report` is the report that speaks for the earthquake."""

    epoch: str
    seq: int
    type: str
    earthquake: str
    revision: int
    report: str
    updated_ms: int


class Missed(NamedTuple):
    """The SSE client was told of a gap: why, and where it goes on from."""

    reason: str
    epoch: str
    seq: int


class Received(NamedTuple):
    """A message that the receiver of webhooks took, the first with this key or not."""

    key: str
    kind: str
    earthquake: str
    revision: int
    report: str
    updated_ms: int


class Injected(NamedTuple):
    """A fault as it went; times are of the harness's clock."""

    name: str
    what: str
    began_s: float
    ended_s: float
    recovered_s: float | None
    """None: it did not, in time."""
    seen: list[str]
    unseen: list[str]


class Ledger:
    """The file; one entry at a time, from any thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / FILE_NAME, isolation_level=None, check_same_thread=False)
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + _SCHEMA)

    def close(self) -> None:
        self._db.close()

    def _write(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(statement, rows)
            self._db.execute("COMMIT")

    def _read(self, query: str) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query).fetchall()

    # --- what the run is ------------------------------------------------------------------------------------------

    def note(self, **values: Any) -> None:
        self._write("INSERT OR REPLACE INTO run VALUES (?, ?)", [(k, json.dumps(v)) for k, v in values.items()])

    def noted(self) -> dict[str, Any]:
        return {name: json.loads(value) for name, value in self._read("SELECT name, value FROM run")}

    # --- what was sent --------------------------------------------------------------------------------------------

    def sending(self, said: Iterable[tuple[int, int]]) -> None:
        """Before it is posted: from now on it may be anywhere."""
        self._write("INSERT OR IGNORE INTO sent VALUES (?, ?, NULL)", said)

    def acknowledged(self, said: Iterable[tuple[int, int]]) -> None:
        now_s = time.time()
        self._write(
            "UPDATE sent SET acknowledged_s = ? WHERE (report, revision) = (?, ?)", [(now_s, *one) for one in said]
        )

    def sent(self) -> dict[tuple[int, int], bool]:
        """Report and revision; whether it was acknowledged."""
        rows = self._read("SELECT report, revision, acknowledged_s IS NOT NULL FROM sent")
        return {(report, revision): bool(done) for report, revision, done in rows}

    def imported(self, ids: Iterable[str]) -> None:
        """An import of them ended with exit code 0."""
        self._write("INSERT OR IGNORE INTO imported VALUES (?)", [(one,) for one in ids])

    def all_imported(self) -> set[str]:
        return {id_ for (id_,) in self._read("SELECT id FROM imported")}

    # --- what came back -------------------------------------------------------------------------------------------

    def shown(self, changes: Iterable[Shown]) -> None:
        now_s = time.time()
        self._write("INSERT INTO changes VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", [(now_s, *one) for one in changes])

    def all_shown(self) -> list[Shown]:
        columns = ", ".join(Shown._fields)
        return [Shown(*row) for row in self._read(f"SELECT {columns} FROM changes ORDER BY number")]  # noqa: S608

    def gap(self, reason: str, asked: str, epoch: str, seq: int) -> None:
        self._write("INSERT INTO gaps VALUES (NULL, ?, ?, ?, ?, ?)", [(time.time(), reason, asked, epoch, seq)])

    def gaps(self) -> list[Missed]:
        """What the SSE client was told that it missed, in order."""
        return [Missed(*row) for row in self._read("SELECT reason, epoch, seq FROM gaps ORDER BY number")]

    def received(self, message: Received) -> None:
        self._write("INSERT INTO received VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", [(time.time(), *message)])

    def all_received(self) -> list[Received]:
        columns = ", ".join(Received._fields)
        return [Received(*row) for row in self._read(f"SELECT {columns} FROM received ORDER BY number")]  # noqa: S608

    # --- what was done --------------------------------------------------------------------------------------------

    def begins(self, name: str, what: str) -> int:
        """A fault begins; its number."""
        with self._lock:
            row = self._db.execute(
                "INSERT INTO faults (name, what, began_s) VALUES (?, ?, ?)", (name, what, time.time())
            )
            return int(row.lastrowid or 0)

    def ended(self, number: int, ended_s: float, recovered_s: float | None, seen: list[str], unseen: list[str]) -> None:
        self._write(
            "UPDATE faults SET ended_s = ?, recovered_s = ?, seen = ?, unseen = ? WHERE number = ?",
            [(ended_s, recovered_s, json.dumps(seen), json.dumps(unseen), number)],
        )

    def describe(self, number: int, what: str) -> None:
        """What the fault did, as is known after it."""
        self._write("UPDATE faults SET what = ? WHERE number = ?", [(what, number)])

    def faults(self) -> list[Injected]:
        """Those that ended."""
        rows = self._read(
            "SELECT name, what, began_s, ended_s, recovered_s, seen, unseen FROM faults WHERE ended_s IS NOT NULL"
        )
        return [Injected(*row[:5], json.loads(row[5]), json.loads(row[6])) for row in rows]

    def exited(self, program: str, code: int, *, wanted: bool) -> None:
        self._write("INSERT INTO exits VALUES (NULL, ?, ?, ?, ?)", [(time.time(), program, code, wanted)])
